"""Reading stays: lists and single ones, by those who may. Newest first; ids are time-ordered.

Three kinds of viewer see a stay: the facility it was at, the organization that reported it, and whoever was decided to be told of it
(`telling`: claimed on the day, and not suppressed). Row-level security asks again. How much is shown is the caller's to decide.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.commit_order import Between
from app.domain.directory import Directory
from app.domain.stay_in_hand import StayInHand
from app.domain.viewer import Viewer
from app.store.commits import between
from app.store.consents import SIGNED, signed_of
from app.store.death_doubts import JUDGED, judged_of
from app.store.encounters import EncounterRow
from app.store.raw import Raw

ReadStay = Callable[[EncounterRow, Directory], StayInHand]
"""Reads off what a stored stay is, by the rules in force."""

_COLUMNS = f"""e.id, e.source, e.feed_id, e.facility_id, e.visit_authority, e.visit_number, e.record_id, e.person_id, e.mode, e.state,
e.version, e.created_at, e.reported_by, e.folded_into, e.status, e.class as encounter_class, e.admitted_at, e.discharged_at,
e.discharged_on, e.disposition, e.behavioral_kind, e.provisional, e.heard, e.place_decided,
{SIGNED}, {JUDGED}"""

_IS_ONE = "(e.last_key <> '' or e.own is null or e.own -> 'state' ->> 'last_key' <> '')"
"""No message speaks of a number that was freed again (A50 and back): its row is no stay, and nobody was told of it."""

SEEN_DECISIONS = ("full", "minimal", "id_only", "preference")
"""Decisions under which a stay may be looked at. A wish not to be notified is no reason not to see."""


def _row(record: Record) -> EncounterRow:
    documents = {name: orjson.loads(said) if isinstance(said := record[name], str) else said for name in ("state", "heard")}
    told = {"consents": signed_of(record["consents"]), "deaths": judged_of(record["deaths"])}
    return EncounterRow(**{**record, **documents, **told})


@dataclass(frozen=True, slots=True)
class EncounterFilter:
    """Which stays are asked for; None is any."""

    facility_id: UUID | None = None
    person_id: UUID | None = None
    status: str | None = None
    encounter_class: str | None = None
    source: str | None = None
    changed_since: datetime | None = None
    committed: Between | None = None


class _Filters:
    """The conditions of one list with their numbered parameters; the viewer's organization is $1."""

    def __init__(self, viewer: Viewer, wanted: EncounterFilter, after: UUID | None) -> None:
        self.values: list[Any] = [viewer.organization_id]
        self.parts: list[str] = []
        for condition, value in (
            ("e.id < {}", after),
            ("e.facility_id = {}", wanted.facility_id),
            ("e.person_id = {}", wanted.person_id),
            ("e.status = {}", wanted.status),
            ("e.class = {}", wanted.encounter_class),
            ("e.source = {}", wanted.source),
            ("e.updated_at >= {}", wanted.changed_since),
        ):
            if value is not None:
                self.values.append(value)
                self.parts.append(condition.format(f"${len(self.values)}"))
        if wanted.committed is not None:
            self.parts.append(between("e.xid", wanted.committed, self.values))

    def where(self, *more: str) -> str:
        return " and ".join([*self.parts, _IS_ONE, *more])


def _told(recipients: str) -> str:
    decisions = ", ".join(f"'{decision}'" for decision in SEEN_DECISIONS)
    return f"exists (select 1 from telling t where t.encounter_id = e.id and {recipients} and t.decision in ({decisions}))"


_TOLD = _told("t.recipient_id = $1")
_TOLD_OR_GRANTED = _told(
    "(t.recipient_id = $1 or t.recipient_id in (select g.organization_id from organization_grant g where g.grantee_id = $1))"
)
"""For one stay only: in a list the alternative would cost the list its index."""

_CLAIMED = "(select distinct m.person_id from panel_member m where m.organization_id = $1) claimed"


async def list_encounters(raw: Raw, viewer: Viewer, wanted: EncounterFilter, *, after: UUID | None, limit: int) -> list[EncounterRow]:
    """Give a page of stays that the viewer may see.

    One statement: each ground of seeing by its own index (ix_encounter_facility, ix_encounter_reported_by, ix_encounter_person), at most
    a page of each, then the newest of them.
    """
    filters = _Filters(viewer, wanted, after)
    tail = f"order by e.id desc limit {limit:d}"
    if viewer.is_operator:
        # The operator has no organization: $1 is mentioned so that the numbering is the same for everybody.
        statement = f"select {_COLUMNS} from encounter e where {filters.where('$1::uuid is null')} {tail}"
    else:
        grounds = (
            f"(select e.id from encounter e where {filters.where('e.facility_id = $1')} {tail})",
            f"(select e.id from encounter e where {filters.where('e.reported_by = $1')} {tail})",
            f"(select e.id from {_CLAIMED} join encounter e on e.person_id = claimed.person_id where {filters.where(_TOLD)} {tail})",
        )
        statement = f"select {_COLUMNS} from encounter e where e.id in ({' union '.join(grounds)}) {tail}"
    return [_row(row) for row in await raw.fetch(statement, *filters.values)]


async def find_encounter(raw: Raw, viewer: Viewer, encounter_id: UUID) -> EncounterRow | None:
    """Give one stay that the viewer may see (pk_encounter)."""
    row = await raw.fetchrow(
        f"select {_COLUMNS} from encounter e where e.id = $2 and {_IS_ONE}"
        f" and ($3 or e.facility_id = $1 or e.reported_by = $1 or {_TOLD_OR_GRANTED})",
        viewer.organization_id,
        encounter_id,
        viewer.is_operator,
    )
    return None if row is None else _row(row)


async def rows_behind(raw: Raw, viewer: Viewer, encounters: Iterable[UUID]) -> dict[UUID, EncounterRow]:
    """Read the stays behind notifications that the viewer may read (pk_encounter, row-level security)."""
    if not viewer.is_operator and viewer.organization_id is None:
        return {}
    rows = await raw.fetch(f"select {_COLUMNS} from encounter e where e.id = any($1::uuid[])", list(encounters))
    return {row["id"]: _row(row) for row in rows}
