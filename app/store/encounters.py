"""Stays: the statements of room 5. Every statement takes a whole batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.consent import Consent
from app.domain.death_judged import NOTHING_JUDGED, DeathsJudged
from app.store.asked_again import ASKED_AGAIN
from app.store.consents import SIGNED, signed_of
from app.store.death_doubts import JUDGED, judged_of
from app.store.raw import Raw


@dataclass(slots=True)
class EncounterRow:
    """A stored stay as the pipeline works on it. `state` is the JSON form of `encounter.EncounterState`."""

    id: UUID
    source: str
    feed_id: UUID | None
    facility_id: UUID | None
    visit_authority: str
    visit_number: str
    record_id: UUID
    person_id: UUID
    mode: str
    state: dict[str, Any]
    version: int
    created_at: datetime
    reported_by: UUID | None = None
    folded_into: UUID | None = None
    status: str = "unknown"
    encounter_class: str = "unknown"
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None
    discharged_on: date | None = None
    disposition: str | None = None
    behavioral_kind: str = "none"
    provisional: bool = True
    account: str | None = None
    own: dict[str, Any] | None = None
    """Where the stay is the join of several numbers, or was given to another patient: what the messages under this number said."""
    heard: dict[str, str] | None = None
    """Event of the stay -> when we first knew that it stands (domain/heard)."""
    place_decided: str | None = None
    """What an operator said of its place (domain/held_stay). Written by that alone: no batch takes it back."""
    consents: tuple[Consent, ...] = ()
    """What the person has signed or refused, as it stood when the row was read to be shown or told (store/consents)."""
    deaths: DeathsJudged = NOTHING_JUDGED
    """What somebody decided of the person's deaths, likewise (store/death_doubts)."""


VisitKey = tuple[UUID, str, str]
"""(facility, visit authority, visit number)."""

MODES = ("live", "shadow", "backfill", "test")
"""How a stay may be told of, the strongest first: a stay that any live message made is live."""

_COLUMNS = """e.id, e.source, e.feed_id, e.facility_id, e.visit_authority, e.visit_number, e.record_id, e.person_id, e.mode, e.state,
e.version, e.created_at, e.reported_by, e.folded_into, e.status, e.class, e.admitted_at, e.discharged_at, e.discharged_on,
e.disposition, e.behavioral_kind, e.provisional, e.account, e.own, e.heard, e.place_decided"""


def _row(record: Record) -> EncounterRow:
    return _row_of(list(record.values()))


def _row_of(values: list[Any]) -> EncounterRow:
    state = values[9]
    values[9] = orjson.loads(state) if isinstance(state, str) else state
    values[-3:-1] = [orjson.loads(value) if isinstance(value, str) else value for value in values[-3:-1]]
    return EncounterRow(*values)


def _of_person(record: Record) -> EncounterRow:
    *values, signed, judged = record.values()
    row = _row_of(values)
    row.consents, row.deaths = signed_of(signed), judged_of(judged)
    return row


async def by_visit(raw: Raw, keys: Sequence[VisitKey]) -> dict[VisitKey, EncounterRow]:
    """Find and lock the stays of these visit numbers, in id order (uq_encounter_visit)."""
    rows = await raw.fetch(
        f"select {_COLUMNS} from unnest($1::uuid[], $2::text[], $3::text[]) as k(facility_id, visit_authority, visit_number) "
        "join encounter e on e.facility_id = k.facility_id and e.visit_authority = k.visit_authority and e.visit_number = k.visit_number "
        "order by e.id for update of e",
        [facility for facility, _, _ in keys],
        [authority for _, authority, _ in keys],
        [number for _, _, number in keys],
    )
    stays = [_row(row) for row in rows]
    return {(stay.facility_id, stay.visit_authority, stay.visit_number): stay for stay in stays if stay.facility_id is not None}


async def by_account(raw: Raw, accounts: Iterable[VisitKey]) -> list[EncounterRow]:
    """Find and lock the stays on these accounts, in id order (ix_encounter_account)."""
    keys = list(accounts)
    rows = await raw.fetch(
        f"select {_COLUMNS} from unnest($1::uuid[], $2::text[]) as k(facility_id, account) "
        "join encounter e on e.facility_id = k.facility_id and e.account = k.account order by e.id for update of e",
        [facility for facility, _, _ in keys],
        [f"{authority}|{number}" for _, authority, number in keys],
    )
    return [_row(row) for row in rows]


async def renumber(raw: Raw, stay: EncounterRow) -> None:
    """Let a stay go on under another number, before what was said under the old one is stored beside it."""
    await raw.execute(
        "update encounter set visit_authority = $2, visit_number = $3 where id = $1", stay.id, stay.visit_authority, stay.visit_number
    )


async def by_id(raw: Raw, ids: Iterable[UUID]) -> list[EncounterRow]:
    """Find and lock stays, in id order."""
    rows = await raw.fetch(f"select {_COLUMNS} from encounter e where e.id = any($1::uuid[]) order by e.id for update", list(ids))
    return [_row(row) for row in rows]


async def move_follow_ups(raw: Raw, moved: dict[UUID, UUID], now: datetime) -> None:
    """Let the follow-ups of stays go to the person that the stays went to."""
    await raw.execute(
        "update follow_up f set person_id = m.person_id, updated_at = $3, xid = default "
        "from unnest($1::uuid[], $2::uuid[]) as m(encounter_id, person_id) "
        "where f.encounter_id = m.encounter_id and f.person_id <> m.person_id",
        list(moved),
        list(moved.values()),
        now,
    )


async def people_of(raw: Raw, ids: Iterable[UUID]) -> list[UUID]:
    """Give whose stays these are, without locking anything."""
    rows = await raw.fetch("select distinct person_id from encounter where id = any($1::uuid[])", list(ids))
    return sorted(row["person_id"] for row in rows)


_UNFOLDED_REPORTS = """
select e.id, e.person_id, e.facility_id, e.admitted_at, e.discharged_at, e.reported_by, e.class from encounter e
where e.person_id = any($1::uuid[]) and e.source = 'reported' and e.folded_into is null
"""


@dataclass(frozen=True, slots=True)
class Span:
    """When and where a stay was."""

    id: UUID
    person_id: UUID
    facility_id: UUID | None
    admitted_at: datetime | None
    discharged_at: datetime | None
    reported_by: UUID
    encounter_class: str


async def unfolded_reports(raw: Raw, people: Iterable[UUID]) -> list[Span]:
    """Give the reported stays of these people that no message has confirmed yet (ix_encounter_person)."""
    return [Span(*row.values()) for row in await raw.fetch(_UNFOLDED_REPORTS, list(people))]


_FOLD = """
with folds as (
    select * from unnest($1::uuid[], $2::uuid[]) as f(reported, stay)
), folded as (
    update encounter e set folded_into = f.stay, updated_at = $3, xid = default from folds f where e.id = f.reported
), candidates as (
    select u.id, u.home_id, f.stay, u.encounter_id = f.stay as is_there
    from folds f join follow_up u on u.encounter_id = f.reported or u.encounter_id = f.stay
), kept as (
    select distinct on (stay, home_id) stay, home_id, id from candidates order by stay, home_id, is_there desc, id
), replaced as (
    select distinct c.id, k.id as by_id from candidates c join kept k on k.stay = c.stay and k.home_id is not distinct from c.home_id
    where c.id <> k.id
), contacts as (
    update contact c set follow_up_id = r.by_id from replaced r where c.follow_up_id = r.id
), facts as (
    update summary_fact s set follow_up_id = r.by_id from replaced r where s.follow_up_id = r.id
), ended as (
    update follow_up u set state = 'void', state_reasons = $4::jsonb, clocks = '[]', next_due_at = null, next_change_at = null,
        updated_at = $3, version = u.version + 1, xid = default
    from replaced r where u.id = r.id
)
update follow_up u set encounter_id = k.stay, updated_at = $3, xid = default from kept k where u.id = k.id and u.encounter_id <> k.stay
"""
REPORT_CONFIRMED = "folded: the stay that was reported became part of the hospital's, whose follow-up has the contacts now"
NUMBER_RETIRED = "folded: the hospital says that two stays are one; the follow-up of the one that goes on has the contacts now"


async def fold_into(raw: Raw, folds: dict[UUID, UUID], now: datetime, reason: str = REPORT_CONFIRMED) -> None:
    """Make stays part of others. Of a home's follow-ups of one stay a single one goes on, with the contacts of all."""
    await raw.execute(_FOLD, list(folds), list(folds.values()), now, orjson.dumps([reason]).decode())


async def of_people(raw: Raw, people: Iterable[UUID]) -> list[EncounterRow]:
    """Read every stay of these people, for the rules that look at a person's history (ix_encounter_person)."""
    rows = await raw.fetch(
        f"select {_COLUMNS}, {SIGNED}, {JUDGED} from encounter e where e.person_id = any($1::uuid[]) order by e.id", list(people)
    )
    return [_of_person(row) for row in rows]


_SAVE = """
insert into encounter (id, source, feed_id, facility_id, visit_authority, visit_number, record_id, person_id, mode, state, version,
    created_at, reported_by, folded_into, status, class, admitted_at, discharged_at, discharged_on, disposition, behavioral_kind,
    provisional, last_key, account, own, heard, updated_at)
select id, source, feed_id, facility_id, visit_authority, visit_number, record_id, person_id, mode, state::json, version,
    created_at, reported_by, folded_into, status, class, admitted_at, discharged_at, discharged_on, disposition, behavioral_kind,
    provisional, last_key, account, own::json, heard::json, $27
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[], $10::text[],
    $11::int[], $12::timestamptz[], $13::uuid[], $14::uuid[], $15::text[], $16::text[], $17::timestamptz[], $18::timestamptz[],
    $19::date[], $20::text[], $21::text[], $22::bool[], $23::text[], $24::text[], $25::text[], $26::text[])
    as n(id, source, feed_id, facility_id, visit_authority, visit_number, record_id, person_id, mode, state, version, created_at,
         reported_by, folded_into, status, class, admitted_at, discharged_at, discharged_on, disposition, behavioral_kind, provisional,
         last_key, account, own, heard)
on conflict (id) do update set record_id = excluded.record_id, person_id = excluded.person_id, mode = excluded.mode,
    state = excluded.state, version = excluded.version, folded_into = excluded.folded_into, status = excluded.status,
    class = excluded.class, admitted_at = excluded.admitted_at, discharged_at = excluded.discharged_at,
    discharged_on = excluded.discharged_on, disposition = excluded.disposition, behavioral_kind = excluded.behavioral_kind,
    provisional = excluded.provisional, last_key = excluded.last_key, account = excluded.account, own = excluded.own,
    heard = excluded.heard, updated_at = excluded.updated_at, xid = excluded.xid
"""


async def save(raw: Raw, stays: Sequence[EncounterRow], now: datetime) -> None:
    """Insert new stays and store changed ones. One statement."""
    if not stays:
        return
    columns = zip(
        *(
            (
                stay.id,
                stay.source,
                stay.feed_id,
                stay.facility_id,
                stay.visit_authority,
                stay.visit_number,
                stay.record_id,
                stay.person_id,
                stay.mode,
                orjson.dumps(stay.state).decode(),
                stay.version,
                stay.created_at,
                stay.reported_by,
                stay.folded_into,
                stay.status,
                stay.encounter_class,
                stay.admitted_at,
                stay.discharged_at,
                stay.discharged_on,
                stay.disposition,
                stay.behavioral_kind,
                stay.provisional,
                stay.state.get("last_key", ""),
                stay.account,
                orjson.dumps(stay.own).decode() if stay.own is not None else None,
                orjson.dumps(stay.heard or {}).decode(),
            )
            for stay in stays
        ),
        strict=True,
    )
    await raw.execute(_SAVE, *(list(column) for column in columns), now)


@dataclass(frozen=True, slots=True)
class EventRow:
    """Which message said what about which stay. `part` counts the events of one message."""

    message_id: UUID
    part: int
    encounter_id: UUID | None
    record_id: UUID
    sort_key: str
    trigger: str
    occurred_at: datetime


async def save_events(raw: Raw, events: Sequence[EventRow]) -> None:
    """Remember which messages a stay rests on; a replayed message may now belong to another stay."""
    if not events:
        return
    await raw.execute(
        "insert into adt_event (message_id, part, encounter_id, record_id, sort_key, trigger, occurred_at) "
        "select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[]) "
        "on conflict (message_id, part) do update set encounter_id = excluded.encounter_id, record_id = excluded.record_id",
        [event.message_id for event in events],
        [event.part for event in events],
        [event.encounter_id for event in events],
        [event.record_id for event in events],
        [event.sort_key for event in events],
        [event.trigger for event in events],
        [event.occurred_at for event in events],
    )


@dataclass(frozen=True, slots=True)
class Reconsideration:
    """A stay that was asked to be looked at again, as the asking stood when it was read."""

    encounter_id: UUID
    revision: int
    cause: str


async def asked_to_reconsider(raw: Raw, now: datetime, stays_max: int) -> list[Reconsideration]:
    """Read which stays were asked to be attributed and told anew, the longest waiting first. Locks nothing."""
    rows = await raw.fetch(
        "select encounter_id, xmin::text::bigint as revision, cause from reconsideration where asked_at <= $1 order by asked_at limit $2",
        now,
        stays_max,
    )
    return [Reconsideration(row["encounter_id"], row["revision"], row["cause"]) for row in rows]


async def asking_for(raw: Raw, stay: UUID) -> list[Reconsideration]:
    """Read whether this stay was asked to be looked at again."""
    rows = await raw.fetch("select encounter_id, xmin::text::bigint as revision, cause from reconsideration where encounter_id = $1", stay)
    return [Reconsideration(row["encounter_id"], row["revision"], row["cause"]) for row in rows]


_RECONSIDERED = """
delete from reconsideration where encounter_id in (
    select r.encounter_id from unnest($1::uuid[], $2::bigint[]) as k(encounter_id, revision)
    join reconsideration r on r.encounter_id = k.encounter_id and r.xmin::text::bigint = k.revision
    for update of r skip locked
)
"""


async def reconsidered(raw: Raw, done: Sequence[Reconsideration]) -> None:
    """Take off what was looked at, last of all: what was asked again meanwhile, committed or not yet, stays and is looked at again."""
    await raw.execute(_RECONSIDERED, [item.encounter_id for item in done], [item.revision for item in done])


async def put_off(raw: Raw, stay: UUID, until: datetime) -> None:
    """Look at a stay later: looking at it now fails, and the others must not wait for it."""
    await raw.execute("update reconsideration set asked_at = $2 where encounter_id = $1", stay, until)


async def reconsider(raw: Raw, stays: Iterable[UUID], now: datetime, cause: str) -> None:
    """Ask that these stays be attributed and told anew."""
    await raw.execute(
        "insert into reconsideration (encounter_id, asked_at, cause) select id, $2, $3 from unnest($1::uuid[]) as id order by id "
        + ASKED_AGAIN,
        list(stays),
        now,
        cause,
    )


async def folded_into(raw: Raw, stay: UUID) -> UUID | None:
    """Give the stay that a report became part of, if it did."""
    found: UUID | None = await raw.fetchval("select folded_into from encounter where id = $1", stay)
    return found
