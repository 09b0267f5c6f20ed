"""Rosters for tests: synthetic people, rows and files, and what a panel holds. Nothing here resembles a real person."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.files.roster_csv import RosterCsv
from app.actions.foresee_people import foresee_people
from app.actions.identify import IdentityMovedError, identify
from app.actions.load_panel import PanelServices, Upload, load_panel
from app.actions.match_records import match_records
from app.domain.organization import Organization, OrganizationKind
from app.domain.panel import UploadLimits, UploadMode, UploadResult
from app.ports import Ids
from app.store.engine import raw_connection
from app.store.panel_stage import open_stage
from app.store.unit_of_work import unit_of_work

CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = (
    "member_id",
    "member_id_system",
    "first_name",
    "last_name",
    "birth_date",
    "sex",
    "medicaid_id",
    "program",
    "effective_from",
    "effective_to",
    "coordinator",
)


def make_organization(
    number: int = 7, kind: OrganizationKind = OrganizationKind.HEALTH_HOME, time_zone: str = "America/New_York"
) -> Organization:
    """An organization; its id is its number."""
    return Organization(id=UUID(int=number), name=f"Sample organization {number}", kind=kind, created_at=CREATED_AT, time_zone=time_zone)


def member(number: int, **cells: str) -> dict[str, str]:
    """A row about synthetic person `number`, with a member number of the plan ACME."""
    row = {
        "member_id": f"M{number:05d}",
        "member_id_system": "ACME",
        "first_name": f"Testa{number}",
        "last_name": f"Sample{number}",
        "birth_date": date(1950 + number % 50, 1 + number % 12, 1 + number % 28).isoformat(),
        "sex": "FM"[number % 2],
        "program": "BHH",
        "effective_from": "2026-01-01",
    }
    return row | cells


def roster_bytes(
    rows: Iterable[Mapping[str, str]], header: Sequence[str] | None = None, delimiter: str = ",", encoding: str = "utf-8"
) -> bytes:
    """A file; its header names what the rows have."""
    rows = list(rows)
    header = header or list(dict.fromkeys([*HEADER, *(name for row in rows for name in row)]))
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, header, restval="", delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode(encoding)


def panel_services(engine: AsyncEngine, ids: Ids, limits: UploadLimits | None = None) -> PanelServices:
    """The real parts, as the wiring puts them together."""
    return PanelServices(
        open_stage=partial(open_stage, engine),
        open_reader=RosterCsv,
        identify=identify,
        redo_on=(IdentityMovedError,),
        ids=ids,
        foresee=partial(foresee_people, identify=identify, compare=match_records, redo_on=(IdentityMovedError,), ids=ids),
        limits=limits or UploadLimits(),
    )


class Loader:
    """Uploads for one organization; the organization is made on first use."""

    def __init__(self, engine: AsyncEngine, ids: Ids, organization: Organization | None = None, limits: UploadLimits | None = None) -> None:
        self.engine = engine
        self.organization = organization or make_organization()
        self.services = panel_services(engine, ids, limits)
        self._is_made = False

    async def load(
        self,
        rows: bytes | Iterable[Mapping[str, str]],
        now: datetime,
        mode: UploadMode = UploadMode.REPLACE,
        *,
        dry_run: bool = False,
        force: bool = False,
    ) -> UploadResult:
        """Upload rows or a whole file."""
        await self.make()
        file = rows if isinstance(rows, bytes) else roster_bytes(rows)
        return await load_panel(self.services, self.organization, file, Upload(mode, dry_run=dry_run, force=force), now=now)

    async def make(self) -> None:
        """Make the organization."""
        if not self._is_made:
            await insert_organization(self.engine, self.organization)
            self._is_made = True


async def insert_organization(engine: AsyncEngine, organization: Organization) -> None:
    """Store an organization."""
    async with unit_of_work(engine, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(
            "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)"
            " values ($1, $2, $3, '{}', 'unknown', 'unknown', $4, 'US', $5)",
            organization.id,
            organization.name,
            organization.kind.value,
            organization.time_zone,
            organization.created_at,
        )


Claim = tuple[str, str, date, date | None, str | None]
"""(member or other own number, program, from, to, coordinator)."""

_CLAIMS = """
select r.value, m.program, m.effective_from, m.effective_to, m.coordinator
from panel_member m join patient_record r on r.id = m.record_id
where m.organization_id = $1 and m.retracted_at is null
order by 1, 2, 3
"""


async def claims_of(engine: AsyncEngine, organization_id: UUID) -> list[Claim]:
    """Everything the organization upholds now, past claims too."""
    async with unit_of_work(engine, None) as connection:
        raw = await raw_connection(connection)
        return [tuple(row.values()) for row in await raw.fetch(_CLAIMS, organization_id)]


async def scalar(engine: AsyncEngine, question: str, *values: object) -> object:
    """One value of the database."""
    async with unit_of_work(engine, None) as connection:
        return await (await raw_connection(connection)).fetchval(question, *values)
