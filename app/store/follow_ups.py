"""Follow-ups and contacts: what the pipeline, the timers and the recording of contacts load and save. Whole batches."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.attribution import Attribution
from app.domain.contact import Contact
from app.domain.contact_entry import read_contact
from app.domain.escalation import Step
from app.domain.follow_up import FollowUpView
from app.domain.stay_in_hand import StayInHand
from app.store.raw import Raw


@dataclass(slots=True)
class FollowUpRow:
    """A stored follow-up. `clocks` is the JSON that the API shows (DESIGN section 6)."""

    id: UUID
    encounter_id: UUID
    home_id: UUID | None
    person_id: UUID
    programs: list[str]
    state: str
    state_reasons: list[str]
    anchor_at: datetime | None
    anchor_on: date | None
    opened_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    assignee: str | None
    clocks: list[dict[str, Any]]
    next_due_at: datetime | None
    next_change_at: datetime | None
    updated_at: datetime
    version: int
    of_reporter_alone: bool = False
    """Of a stay that was reported by somebody who does not claim the person: it is nobody else's news."""
    first_home_id: UUID | None = None
    """The home of the discharge, where it is another by now."""
    hand_over_at: datetime | None = None
    """When an open offer to another home is accepted by itself."""
    snoozed_until: datetime | None = None
    """Until then its warnings are mute; what is overdue is told all the same."""
    snooze: dict[str, Any] | None = None
    """Why and by whom: what the API shows of it."""
    received_at: datetime | None = None
    told_at: datetime | None = None
    first_opened_at: datetime | None = None
    late_by: list[str] = field(default_factory=list)
    """By whose doing its clocks are late (domain/lateness)."""
    xid: int = 0
    """The transaction that wrote it last; 0: none yet."""
    contacts: list[Contact] = field(default_factory=list)


@dataclass(slots=True)
class LookedAt:
    """A follow-up that was evaluated: what it is now, what it was, and which steps of its clocks time has just passed."""

    row: FollowUpRow
    stay: StayInHand
    claim: Attribution | None
    seen: FollowUpView
    state_before: str
    reasons_before: Sequence[str]
    clocks_before: Sequence[Mapping[str, Any]]
    fresh: list[tuple[dict[str, Any], tuple[Step, ...]]] = field(default_factory=list)
    """A clock as it is shown, and its steps."""
    by_history: bool = False
    """The stay that took over is known from history alone, of which nobody is told."""
    turn: Mapping[str, Any] | None = None
    """What is logged: that facts closed it, or opened it again."""


COLUMNS = """f.id, f.encounter_id, f.home_id, f.person_id, f.programs, f.state, f.state_reasons, f.anchor_at, f.anchor_on, f.opened_at,
f.closed_at, f.close_reason, f.assignee, f.clocks, f.next_due_at, f.next_change_at, f.updated_at, f.version,
f.of_reporter_alone, f.first_home_id, f.hand_over_at, f.snoozed_until, f.snooze, f.received_at, f.told_at,
f.first_opened_at, f.late_by, f.xid"""

_JSON_AT = (6, 13, 22)


def read_row(record: Record) -> FollowUpRow:
    """Read a stored row; contacts are added apart."""
    values = list(record.values())
    for position in _JSON_AT:
        if isinstance(values[position], str):
            values[position] = orjson.loads(values[position])
    return FollowUpRow(*values)


async def of_people(raw: Raw, people: Iterable[UUID]) -> list[FollowUpRow]:
    """Find and lock every follow-up of these people, with its contacts (ix_follow_up_person)."""
    rows = await raw.fetch(f"select {COLUMNS} from follow_up f where f.person_id = any($1::uuid[]) order by f.id for update", list(people))
    follow_ups = [read_row(row) for row in rows]
    await _add_contacts(raw, follow_ups)
    return follow_ups


async def by_id(raw: Raw, ids: Iterable[UUID]) -> list[FollowUpRow]:
    """Find and lock follow-ups, with their contacts."""
    rows = await raw.fetch(f"select {COLUMNS} from follow_up f where f.id = any($1::uuid[]) order by f.id for update", list(ids))
    follow_ups = [read_row(row) for row in rows]
    await _add_contacts(raw, follow_ups)
    return follow_ups


async def _add_contacts(raw: Raw, follow_ups: Sequence[FollowUpRow]) -> None:
    if not follow_ups:
        return
    contacts = await contacts_of(raw, [follow_up.id for follow_up in follow_ups])
    for follow_up in follow_ups:
        follow_up.contacts = contacts.get(follow_up.id, [])


async def contacts_of(raw: Raw, follow_ups: Iterable[UUID]) -> dict[UUID, list[Contact]]:
    """Give every contact of these follow-ups, voided ones included."""
    rows = await raw.fetch(
        "select id, follow_up_id, organization_id, recorded_at, author, source, source_id, voided_at, fields from contact "
        "where follow_up_id = any($1::uuid[]) order by id",
        list(follow_ups),
    )
    contacts: dict[UUID, list[Contact]] = defaultdict(list)
    for row in rows:
        contacts[row["follow_up_id"]].append(_contact(row))
    return contacts


async def contacts_of_people(raw: Raw, people: Iterable[UUID]) -> dict[UUID, dict[tuple[UUID, UUID], list[Contact]]]:
    """Give every contact about these people that the viewer may see: person -> stay and follow-up -> contacts."""
    rows = await raw.fetch(
        "select c.id, c.follow_up_id, c.organization_id, c.recorded_at, c.author, c.source, c.source_id, c.voided_at, c.fields, "
        "f.person_id, f.encounter_id "
        "from follow_up f join contact c on c.follow_up_id = f.id where f.person_id = any($1::uuid[]) order by c.id",
        list(people),
    )
    contacts: dict[UUID, dict[tuple[UUID, UUID], list[Contact]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        contacts[row["person_id"]][row["encounter_id"], row["follow_up_id"]].append(_contact(row))
    return contacts


def _contact(row: Record) -> Contact:
    said = row["fields"]
    author = row["author"]
    if isinstance(said, str):
        said = orjson.loads(said)
    if isinstance(author, str):
        author = orjson.loads(author)
    entry, problems = read_contact(said, now=row["recorded_at"])
    if entry is None:
        codes = ", ".join(sorted({problem.code for problem in problems}))
        message = f"contact {row['id']} was stored in a form that is no longer read ({codes}); migrate the contact table"
        raise ValueError(message)
    return Contact.of(
        entry,
        id=str(row["id"]),
        follow_up_id=str(row["follow_up_id"]),
        recorded_at=row["recorded_at"],
        author=str(author.get("name", "")),
        source=row["source"],
        source_id=row["source_id"],
        voided_at=row["voided_at"],
        organization_id=row["organization_id"],
    )


_SAVE = """
insert into follow_up (id, encounter_id, home_id, person_id, programs, state, state_reasons, anchor_at, anchor_on, opened_at, closed_at,
    close_reason, assignee, clocks, next_due_at, next_change_at, updated_at, version, of_reporter_alone, received_at, told_at,
    first_opened_at, late_by)
select id, encounter_id, home_id, person_id, string_to_array(programs, ' '), state, state_reasons::jsonb, anchor_at, anchor_on, opened_at,
    closed_at, close_reason, assignee, clocks::json, next_due_at, next_change_at, updated_at, version, of_reporter_alone, received_at,
    told_at, first_opened_at, string_to_array(late_by, ' ')
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::date[],
    $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],
    $17::timestamptz[], $18::int[], $19::bool[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[], $23::text[])
    as n(id, encounter_id, home_id, person_id, programs, state, state_reasons, anchor_at, anchor_on, opened_at, closed_at, close_reason,
         assignee, clocks, next_due_at, next_change_at, updated_at, version, of_reporter_alone, received_at, told_at, first_opened_at,
         late_by)
on conflict (id) do update set person_id = excluded.person_id, programs = excluded.programs, state = excluded.state,
    state_reasons = excluded.state_reasons, anchor_at = excluded.anchor_at, anchor_on = excluded.anchor_on,
    closed_at = excluded.closed_at, close_reason = excluded.close_reason, assignee = excluded.assignee, clocks = excluded.clocks,
    next_due_at = excluded.next_due_at, next_change_at = excluded.next_change_at, updated_at = excluded.updated_at,
    version = excluded.version, of_reporter_alone = excluded.of_reporter_alone, received_at = excluded.received_at,
    told_at = excluded.told_at, first_opened_at = excluded.first_opened_at, late_by = excluded.late_by, xid = excluded.xid
"""


async def save(raw: Raw, follow_ups: Sequence[FollowUpRow]) -> None:
    """Insert new follow-ups and store changed ones. One statement."""
    if not follow_ups:
        return
    columns = zip(
        *(
            (
                row.id,
                row.encounter_id,
                row.home_id,
                row.person_id,
                " ".join(row.programs),
                row.state,
                orjson.dumps(row.state_reasons).decode(),
                row.anchor_at,
                row.anchor_on,
                row.opened_at,
                row.closed_at,
                row.close_reason,
                row.assignee,
                orjson.dumps(row.clocks).decode(),
                row.next_due_at,
                row.next_change_at,
                row.updated_at,
                row.version,
                row.of_reporter_alone,
                row.received_at,
                row.told_at,
                row.first_opened_at,
                " ".join(row.late_by),
            )
            for row in follow_ups
        ),
        strict=True,
    )
    await raw.execute(_SAVE, *(list(column) for column in columns))


async def log(raw: Raw, lines: Sequence[tuple[UUID, UUID, Mapping[str, Any]]], now: datetime) -> None:
    """Add lines to what became of follow-ups: id, follow-up, what is said."""
    if lines:
        await raw.execute(
            "insert into follow_up_log (id, follow_up_id, at, said) "
            "select id, follow_up_id, $4, said::jsonb from unnest($1::uuid[], $2::uuid[], $3::text[]) as n(id, follow_up_id, said)",
            [line_id for line_id, _, _ in lines],
            [follow_up_id for _, follow_up_id, _ in lines],
            [orjson.dumps(dict(said)).decode() for _, _, said in lines],
            now,
        )


async def opened(raw: Raw, follow_up_id: UUID, home_id: UUID, now: datetime) -> None:
    """Note that the home looked at a follow-up of a discharge, the first time."""
    await raw.execute(
        "update follow_up set first_opened_at = $3 where id = $1 and home_id = $2 and first_opened_at is null and anchor_at is not null",
        follow_up_id,
        home_id,
        now,
    )


async def put_off(raw: Raw, stay: UUID, until: datetime) -> None:
    """Evaluate the follow-ups of a stay later: evaluating them now fails, and the others must not wait for it."""
    await raw.execute("update follow_up set next_change_at = $2 where encounter_id = $1 and next_change_at < $2", stay, until)


async def due_for_change(raw: Raw, now: datetime, stays_max: int) -> list[UUID]:
    """Give the stays whose follow-ups the passing of time changes, earliest first (ix_follow_up_timer)."""
    rows = await raw.fetch("select encounter_id from follow_up where next_change_at <= $1 order by next_change_at limit $2", now, stays_max)
    return sorted({row["encounter_id"] for row in rows})


async def first_told(raw: Raw, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], datetime]:
    """Give when each (stay, home) was told of the discharge that stands: not when it was told a correction (ix_notification_encounter)."""
    rows = await raw.fetch(
        "select t.encounter_id, t.recipient_id, max(n.created_at) as told_at "
        "from unnest($1::uuid[], $2::uuid[]) as k(encounter_id, recipient_id) "
        "join telling t on t.encounter_id = k.encounter_id and t.recipient_id = k.recipient_id and t.kind = 'discharged' and t.effective "
        "join notification n on n.encounter_id = t.encounter_id and n.recipient_id = t.recipient_id and n.event_id = t.event_id "
        "and n.type = 'encounter.discharged' group by t.encounter_id, t.recipient_id",
        [stay for stay, _ in keys],
        [home for _, home in keys],
    )
    return {(row["encounter_id"], row["recipient_id"]): row["told_at"] for row in rows}


async def give_to_first_owners(raw: Raw, opened: Sequence[FollowUpRow], link_ids: Sequence[UUID], now: datetime) -> None:
    """Begin the chain of owners of new follow-ups: the home, and who of its staff the panel names."""
    await raw.execute(
        "insert into follow_up_owner (id, follow_up_id, organization_id, staff, starts_at) "
        "select id, follow_up_id, organization_id, staff, $5 "
        "from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as n(id, follow_up_id, organization_id, staff)",
        list(link_ids),
        [row.id for row in opened],
        [row.home_id for row in opened],
        [row.assignee for row in opened],
        now,
    )


async def with_closed(raw: Raw, people: Iterable[UUID]) -> set[UUID]:
    """Give those of these people who have a closed follow-up (ix_follow_up_person)."""
    rows = await raw.fetch("select distinct person_id from follow_up where person_id = any($1::uuid[]) and state = 'closed'", list(people))
    return {row["person_id"] for row in rows}


async def of_reporter_alone(raw: Raw, people: Iterable[UUID]) -> set[UUID]:
    """Give the stays of these people that are nobody's news but their reporter's (ix_follow_up_person)."""
    rows = await raw.fetch("select encounter_id from follow_up where person_id = any($1::uuid[]) and of_reporter_alone", list(people))
    return {row["encounter_id"] for row in rows}
