"""The worklist as data: follow-ups by those who may, soonest deadline first, or in the order in which they changed or were committed.

A home sees its own (and those that were granted to it), a plan those of people it covers on the day of the stay; row-level security
asks again. How much is shown is the caller's to decide (actions/present_follow_ups). One statement a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.commit_order import Between
from app.domain.viewer import Viewer
from app.store.commits import between
from app.store.follow_ups import COLUMNS, FollowUpRow, read_row
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class FollowUpFilter:
    """Which follow-ups are asked for; None is any."""

    state: Sequence[str] | None = None
    due_before: datetime | None = None
    facility_id: UUID | None = None
    program: str | None = None
    assignee: str | None = None
    changed_since: datetime | None = None
    committed: Between | None = None
    person_id: UUID | None = None
    home_id: UUID | None = None
    home_day: int | None = None
    """Whose it was so many days after the discharge: 0 is the home of the discharge; None, whose it is now."""
    late_by: str | None = None
    snoozed_at: datetime | None = None
    """Only those that rest then."""
    awake_at: datetime | None = None
    """Only those that do not."""


@dataclass(frozen=True, slots=True)
class KnownHomes:
    """Whose patient somebody is, as far as the viewer may know it (domain/own_status)."""

    reserved: frozenset[UUID]
    """Homes whose own status is protected."""
    named: frozenset[UUID]
    """Follow-ups of such homes that the viewer may read."""


EVERY_HOME: Final = KnownHomes(frozenset(), frozenset())
"""Nothing is protected here."""


@dataclass(frozen=True, slots=True)
class FollowUpCursor:
    """Where the last page ended: the sort value and the id behind it."""

    at: datetime | int
    id: UUID


def _home_on(days: int) -> str:
    """Whose a follow-up was when so many days after the discharge were over (domain/home_day), by the calendar of the place."""
    zone = "coalesce((select z.time_zone from organization z where z.id = coalesce(e.facility_id, e.reported_by)), 'UTC')"
    begun = f"(o.starts_at at time zone {zone})::date <= f.anchor_on + {days:d}"
    return (
        "{} = (select o.organization_id from follow_up_owner o where o.follow_up_id = f.id "
        f"order by ({begun}) desc, case when {begun} then o.starts_at end desc, o.starts_at limit 1)"
    )


_HOME_ON: Final[dict[int | None, str]] = {0: "coalesce(f.first_home_id, f.home_id) = {}", 7: _home_on(7), 30: _home_on(30)}
_FAR = "'infinity'::timestamptz"
_OWN = "(f.home_id = $1 or exists (select 1 from organization_grant g where g.organization_id = f.home_id and g.grantee_id = $1))"
_COVERED = (
    "exists (select 1 from panel_member m where m.person_id = f.person_id and m.organization_id = $1 and m.retracted_at is null "
    "and m.effective_from <= coalesce(f.anchor_on, f.opened_at::date) "
    "and (m.effective_to is null or m.effective_to > coalesce(f.anchor_on, f.opened_at::date)))"
)


# Who may not know of a home reads the follow-up of nobody instead, and who may does not read both.
_KNOWN = (
    "(f.home_id <> all({reserved}) or f.id = any({named}) or (f.home_id is null and not exists (select 1 from follow_up o "
    "where o.encounter_id = f.encounter_id and o.id = any({named}) and o.state <> 'void')))"
)
_OF_SOMEBODY = (
    "(f.home_id is not null or not exists (select 1 from follow_up o "
    "where o.encounter_id = f.encounter_id and o.home_id = any({reserved}) and o.state <> 'void'))"
)


def _visible(viewer: Viewer, known: KnownHomes, values: list[Any], *, covers: bool) -> str:
    """Give the condition on `f`, and add its parameters behind $1, the viewer."""
    if viewer.is_operator:
        return "($1::uuid is null or $1::uuid is not null)"
    if not covers:
        return _OWN
    if not known.reserved:
        return f"({_OWN} or {_COVERED})"
    values += [list(known.reserved), list(known.named)]
    here = {"reserved": f"${len(values) - 1}::uuid[]", "named": f"${len(values)}::uuid[]"}
    return f"({_OWN} or ({_COVERED} and {_KNOWN.format(**here)}))"


async def page(
    raw: Raw,
    viewer: Viewer,
    wanted: FollowUpFilter,
    *,
    covers: bool,
    after: FollowUpCursor | None,
    limit: int,
    known: KnownHomes = EVERY_HOME,
) -> list[FollowUpRow]:
    """Give one page. `covers`: the viewer is a plan, which sees the follow-ups of the people it covers (ix_follow_up_worklist)."""
    sort, kind = f"coalesce(f.next_due_at, {_FAR})", "timestamptz"
    if wanted.changed_since is not None:
        sort = "f.updated_at"
    if wanted.committed is not None:
        sort, kind = "f.xid", "bigint"
    values: list[Any] = [viewer.organization_id]
    parts = [_visible(viewer, known, values, covers=covers)]
    if covers and wanted.assignee is not None:
        # Who works for another home is not status: what is hidden cannot be found by it either.
        parts.append(_OWN)
    if viewer.is_operator and known.reserved:
        values.append(list(known.reserved))
        parts.append(_OF_SOMEBODY.format(reserved=f"${len(values)}::uuid[]"))
    if not viewer.is_operator and wanted.home_id in known.reserved:
        # Whose it was before says no more than whose it is.
        values.append(list(known.named))
        parts.append(f"f.id = any(${len(values)}::uuid[])")
    for condition, value in (
        ("f.state = any({}::text[])", list(wanted.state) if wanted.state else None),
        ("f.next_due_at < {}", wanted.due_before),
        ("e.facility_id = {}", wanted.facility_id),
        ("{} = any(f.programs)", wanted.program),
        ("f.assignee = {}", wanted.assignee),
        ("f.updated_at >= {}", wanted.changed_since),
        ("f.person_id = {}", wanted.person_id),
        ("{} = any(f.late_by)", wanted.late_by),
        ("f.snoozed_until > {}", wanted.snoozed_at),
        ("(f.snoozed_until is null or f.snoozed_until <= {})", wanted.awake_at),
        (_HOME_ON.get(wanted.home_day, "f.home_id = {}"), wanted.home_id),
    ):
        if value is not None:
            values.append(value)
            parts.append(condition.format(f"${len(values)}"))
    if wanted.committed is not None:
        parts.append(between("f.xid", wanted.committed, values))
    if after is not None:
        values += [after.at, after.id]
        parts.append(f"({sort}, f.id) > (${len(values) - 1}::{kind}, ${len(values)}::uuid)")
    values.append(limit)
    rows = await raw.fetch(
        f"select {COLUMNS} from follow_up f join encounter e on e.id = f.encounter_id where {' and '.join(parts)} "
        f"order by {sort}, f.id limit ${len(values)}",
        *values,
    )
    return [read_row(row) for row in rows]


async def one(raw: Raw, viewer: Viewer, follow_up_id: UUID, *, covers: bool, known: KnownHomes = EVERY_HOME) -> FollowUpRow | None:
    """Give one follow-up if the viewer may see it."""
    values: list[Any] = [viewer.organization_id, follow_up_id]
    visible = _visible(viewer, known, values, covers=covers)
    row = await raw.fetchrow(f"select {COLUMNS} from follow_up f where {visible} and f.id = $2", *values)
    return read_row(row) if row is not None else None


def sort_value(row: FollowUpRow, wanted: FollowUpFilter) -> datetime | int | None:
    """Give what the page is ordered by; None sorts last."""
    if wanted.committed is not None:
        return row.xid
    return row.updated_at if wanted.changed_since is not None else row.next_due_at
