"""The network that is measured: three hospitals, five homes and a plan in a private, durable database, with their panels loaded.

Not here: the traffic (`traffic`), and what is measured of it (`bench`).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgresql.embedded import EmbeddedPostgres
from app import wiring
from app.actions.load_panel import Upload, load_panel
from app.domain.organization import Organization, OrganizationKind
from app.domain.panel import UploadMode
from app.intake import Intake
from app.pipeline import Pipeline
from app.settings import Settings, load_settings
from app.store.roles import Network, Role
from migrations.run import migrate_up
from tests.load.townsfolk import HOSPITALS, medicaid_of, townsman
from tests.load.traffic import Mix, on_panel
from tests.support.rosters import panel_services

HOMES = 5
RULES = wiring.rulebook()


class NoWaker:
    """Nobody waits for hints: the measured loops look for themselves."""

    def wake(self, topic: str) -> None:
        """Do nothing."""


@dataclass(slots=True)
class MeasuredNetwork:
    """The database and what is built on it."""

    server: EmbeddedPostgres
    url: str
    settings: Settings
    keys: wiring.Keys
    clock: wiring.SystemClock = field(default_factory=wiring.SystemClock)
    ids: wiring.SystemIds = field(default_factory=wiring.SystemIds)
    organizations: list[Organization] = field(default_factory=list)
    engines: list[AsyncEngine] = field(default_factory=list)

    @classmethod
    async def make(cls, folder: Path, variables: dict[str, str]) -> "MeasuredNetwork":
        """Start the server, migrate, and make the organizations."""
        server = EmbeddedPostgres(folder)
        url = server.start()
        settings = load_settings({"HANDOFF_DATA_DIR": str(folder), **variables})
        await migrate_up(url, Network(settings.network))
        made = cls(server, url, settings, wiring.keys_of(settings))
        await made._organize()
        return made

    async def close(self) -> None:
        """Close the connections and stop the server."""
        for engine in self.engines:
            await engine.dispose()
        self.server.release()

    def engine(self, name: str = "bench") -> AsyncEngine:
        """Open a pool of connections of its own, as a process has."""
        engine = wiring.engine_of(self.settings, self.url, Role.WORK, name=name)
        self.engines.append(engine)
        return engine

    def intake(self) -> Intake:
        """Build a door."""
        return wiring.build_intake(self.settings, self.engine("door"), self.keys, clock=self.clock, ids=self.ids, waker=NoWaker())

    def pipeline(self) -> Pipeline:
        """Build a worker's pipeline."""
        return wiring.build_pipeline(
            self.settings, self.engine("worker"), self.keys, RULES, clock=self.clock, ids=self.ids, waker=NoWaker()
        )

    async def _organize(self) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        kinds = [OrganizationKind.HOSPITAL] * HOSPITALS + [OrganizationKind.BEHAVIORAL_HEALTH_HOME] * HOMES + [OrganizationKind.PLAN]
        async with wiring.open_transaction(self.engine())() as raw:
            for number, kind in enumerate(kinds):
                organization = Organization(self.ids.new(), f"Sample {kind.value} {number}", kind, now, time_zone="America/New_York")
                self.organizations.append(organization)
                await raw.execute(
                    "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar,"
                    " created_at) values ($1, $2, $3, '{}', 'not_program', 'unknown', 'America/New_York', 'US-ME', $4)",
                    organization.id, organization.name, kind.value, now,
                )  # fmt: skip
                if kind is OrganizationKind.HOSPITAL:
                    await raw.execute(
                        "insert into feed (id, organization_id, sending_application, sending_facility, time_zone, assigning_authority,"
                        " mode, profile, created_at) values ($1, $2, 'ADTSYS', $3, 'America/New_York', $3, 'live', '{}', $4)",
                        self.ids.new(), organization.id, f"HOSP{number}", now,
                    )  # fmt: skip

    async def load_panels(self, mix: Mix) -> tuple[int, float]:
        """Upload every panel; give the rows and the seconds they took."""
        engine = self.engine("loader")
        services = panel_services(engine, self.ids)
        rows, took_s = 0, 0.0
        for organization, people in self.panels(mix):
            roster = "".join(_roster(people)).encode()
            started_s = time.perf_counter()
            result = await load_panel(services, organization, roster, Upload(UploadMode.REPLACE, force=True), now=self.clock.now())
            took_s += time.perf_counter() - started_s
            rows += result.accepted
        return rows, took_s

    def panels(self, mix: Mix) -> Iterator[tuple[Organization, Sequence[int]]]:
        """Give who claims whom: each home its share, the plan everybody."""
        claimed = [person for person in range(mix.people) if on_panel(person, mix)]
        homes = self.organizations[HOSPITALS : HOSPITALS + HOMES]
        for number, home in enumerate(homes):
            yield home, [person for person in claimed if person // 100 % HOMES == number]
        yield self.organizations[-1], claimed


def _roster(people: Sequence[int]) -> Iterator[str]:
    yield "medicaid_id,first_name,last_name,birth_date,sex,phone,address,city,zip,program,effective_from\n"
    for person in people:
        one = townsman(person)
        yield (
            f"{medicaid_of(person)},{one.first},{one.last},{one.born},{one.sex},{one.cell},{one.street},{one.town},{one.zip},"
            "BHH,2026-01-01\n"
        )


def home_ids(network: MeasuredNetwork) -> list[UUID]:
    """Give the homes."""
    return [organization.id for organization in network.organizations[HOSPITALS : HOSPITALS + HOMES]]
