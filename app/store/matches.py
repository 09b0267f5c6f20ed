"""Ties of records and the keys by which they are found: the statements of the scored half of room 4.

Every statement takes a whole batch. Not here: what an operator reads and answers (match_reads).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.tie import Pair, Question, Tie, TieKind, TieLevel, TieOutcome, TieState
from app.store.raw import Raw

_TIE = "m.id, m.left_id, m.right_id, m.kind, m.level, m.weight, m.weights_version, m.state, m.outcome"


def _tie(row: Record) -> Tie:
    """Read a tie; what it is grounded on is read only to be shown."""
    return Tie(
        row["left_id"],
        row["right_id"],
        TieKind(row["kind"]),
        TieLevel(row["level"]),
        row["weight"],
        (),
        row["weights_version"],
        TieOutcome(row["outcome"]) if row["outcome"] else None,
        TieState(row["state"]),
        row["id"],
    )


# uq_identity_match_pair and ix_identity_match_right.
_TOUCHING = f"""
select {_TIE} from identity_match m where m.left_id = any($1::uuid[])
union
select {_TIE} from identity_match m where m.right_id = any($1::uuid[])
"""


async def lock_ties(raw: Raw) -> None:
    """Be the only one who writes ties until the transaction ends: a comparison or an answer. Taken before everything else.

    Both write ties before and after they lock people, so in any other order two of them wait for each other. Messages write none.
    """
    await raw.execute("select pg_advisory_xact_lock(hashtext('identity_match'), 0)")


async def ties_of(raw: Raw, records: Sequence[UUID]) -> list[Tie]:
    """Give every tie of these records."""
    return [_tie(row) for row in await raw.fetch(_TOUCHING, list(records))] if records else []


async def index_authorities(raw: Raw) -> frozenset[str]:
    """Give the authorities that are the exchange's own person index: a handful."""
    return frozenset(row["authority"] for row in await raw.fetch("select authority from person_index"))


# What waits to be compared.


@dataclass(frozen=True, slots=True)
class Pending:
    """A record to be compared with others, and whether its people are to be divided again whatever comes of it."""

    record_id: UUID
    has_question: bool


async def ask_to_compare(raw: Raw, records: Mapping[UUID, bool]) -> None:
    """Ask that these records be compared soon."""
    if records:
        await raw.execute(
            "insert into match_pending (record_id, has_question) select * from unnest($1::uuid[], $2::bool[])",
            list(records),
            list(records.values()),
        )


_TAKE = """
delete from match_pending where id in (select id from match_pending order by id limit $1 for update skip locked)
returning record_id, has_question
"""


async def take_pending(raw: Raw, most: int) -> list[Pending]:
    """Take the records that have waited longest; they wait again if the transaction fails."""
    asked: dict[UUID, bool] = {}
    for row in await raw.fetch(_TAKE, most):
        asked[row["record_id"]] = asked.get(row["record_id"], False) or row["has_question"]
    return [Pending(*item) for item in asked.items()]


async def ask_sharers(raw: Raw, keys: Collection[int]) -> None:
    """Ask that whoever shares one of these (`scoring.shared_key`) be compared soon (pk_record_block)."""
    await raw.execute(
        "insert into match_pending (record_id, has_question) "
        "select distinct record_id, false from record_block where key = any($1::bigint[])",
        list(keys),
    )


async def house_numbers(raw: Raw) -> list[str]:
    """Give the telephones at which organizations and their units are reached, as people dial them: a few thousand."""
    rows = await raw.fetch(
        "select call_back_number as number from organization where call_back_number is not null "
        "union select call_back_number from facility_unit where call_back_number is not null"
    )
    return [row["number"] for row in rows]


# By what records are found.


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """The keys under which a record can be found now."""

    keys: frozenset[int]
    shared: frozenset[int]
    who: int


async def keys_of(raw: Raw, records: Sequence[UUID]) -> dict[UUID, StoredKeys]:
    """Give the keys of these records (pk_record_keys)."""
    rows = await raw.fetch("select record_id, keys, shared, who from record_keys where record_id = any($1::uuid[])", list(records))
    return {row["record_id"]: StoredKeys(frozenset(row["keys"]), frozenset(row["shared"]), row["who"]) for row in rows}


_SAVE_KEYS = """
insert into record_keys (record_id, keys, shared, who)
select n.record_id, n.keys::bigint[], n.shared::bigint[], n.who from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
    as n(record_id, keys, shared, who)
on conflict (record_id) do update set keys = excluded.keys, shared = excluded.shared, who = excluded.who
"""

_ADD_BLOCKS = """
insert into record_block (key, record_id, who) select * from unnest($1::bigint[], $2::uuid[], $3::bigint[])
on conflict (key, record_id) do update set who = excluded.who
"""

_REMOVE_BLOCKS = """
delete from record_block b using unnest($1::bigint[], $2::uuid[]) as n(key, record_id) where b.key = n.key and b.record_id = n.record_id
"""


async def save_keys(
    raw: Raw, stored: Mapping[UUID, StoredKeys], added: Sequence[tuple[int, UUID, int]], removed: Sequence[tuple[int, UUID]]
) -> None:
    """Store by what records are found from now on."""
    if removed:
        await raw.execute(_REMOVE_BLOCKS, [key for key, _ in removed], [record for _, record in removed])
    if added:
        # In the order of the index: neighbours go into one page.
        ordered = sorted(added)
        await raw.execute(_ADD_BLOCKS, [one[0] for one in ordered], [one[1] for one in ordered], [one[2] for one in ordered])
    if stored:
        await raw.execute(
            _SAVE_KEYS,
            list(stored),
            [_array(one.keys) for one in stored.values()],
            [_array(one.shared) for one in stored.values()],
            [one.who for one in stored.values()],
        )


def _array(keys: Iterable[int]) -> str:
    return "{" + ",".join(map(str, sorted(keys))) + "}"


# pk_record_block, one descent a key; a key of too many stops at its limit, and one of a single record, as most are, is not sent.
HOLDERS = """
select k.key, b.records, b.whose
from unnest($1::bigint[], $2::int[]) as k(key, most)
cross join lateral (
    select array_agg(record_id) as records, array_agg(who) as whose
    from (select record_id, who from record_block where key = k.key order by record_id limit k.most) one
) b
where cardinality(b.records) > 1
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Who has one key, up to a number of records."""

    records: Sequence[UUID]
    people: int
    """As far as first name and birth date tell people from people."""


async def holders(raw: Raw, most: Mapping[int, int]) -> dict[int, Held]:
    """Give who has each key that more than one record has, up to a number of records a key."""
    if not most:
        return {}
    rows = await raw.fetch(HOLDERS, list(most), list(most.values()))
    return {row["key"]: Held(row["records"], len(set(row["whose"]))) for row in rows}


# What is asked.

_SAVE_TIES = """
insert into identity_match (id, left_id, right_id, kind, level, weight, grounds, weights_version, opened_at, updated_at, state)
select id, left_id, right_id, kind, level, weight, grounds::jsonb, version, $9, $9, 'obsolete'
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::float8[], $7::text[], $8::text[])
    as n(id, left_id, right_id, kind, level, weight, grounds, version)
on conflict (left_id, right_id, kind) do update
set level = excluded.level, weight = excluded.weight, grounds = excluded.grounds, weights_version = excluded.weights_version,
    updated_at = excluded.updated_at
"""


async def save_ties(raw: Raw, ties: Sequence[Tie], ids: Sequence[UUID], now: datetime) -> None:
    """Store ties that are new or weigh otherwise; `ids` are for new ones. How each stands is said by `set_states` afterwards."""
    if ties:
        await raw.execute(
            _SAVE_TIES,
            list(ids),
            [tie.left for tie in ties],
            [tie.right for tie in ties],
            [tie.kind.value for tie in ties],
            [tie.level.value for tie in ties],
            [tie.weight for tie in ties],
            [orjson.dumps(tie.grounds).decode() for tie in ties],
            [tie.weights_version for tie in ties],
            now,
        )


_SET_STATES = """
update identity_match m set state = n.state, updated_at = $3,
    opened_at = case when n.state = 'open' and m.state <> 'open' then $3 else m.opened_at end
from unnest($1::uuid[], $2::text[]) as n(id, state) where m.id = n.id
"""


async def set_states(raw: Raw, ties: Sequence[Tie], now: datetime) -> None:
    """Store how questions stand."""
    if ties:
        await raw.execute(_SET_STATES, [tie.id for tie in ties], [tie.state.value for tie in ties], now)


_ASK = """
insert into identity_match (id, left_id, right_id, kind, level, weight, grounds, weights_version, opened_at, updated_at, state)
select id, left_id, right_id, kind, 'no', 0, grounds::jsonb, '', $6, $6, 'open'
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) as n(id, left_id, right_id, kind, grounds)
on conflict (left_id, right_id, kind) do update set grounds = excluded.grounds, updated_at = excluded.updated_at
"""


async def ask(raw: Raw, questions: Sequence[Question], ids: Sequence[UUID], now: datetime) -> None:
    """Store new questions."""
    if questions:
        await raw.execute(
            _ASK,
            list(ids),
            [question.left for question in questions],
            [question.right for question in questions],
            [question.kind.value for question in questions],
            [orjson.dumps([{"field": "identity", "text": text} for text in question.grounds]).decode() for question in questions],
            now,
        )


async def persons_of(raw: Raw, pairs: Iterable[Pair]) -> dict[UUID, UUID]:
    """Give whose the records of these pairs are."""
    rows = await raw.fetch(
        "select id, person_id from patient_record where id = any($1::uuid[])", sorted({end for pair in pairs for end in pair})
    )
    return {row["id"]: row["person_id"] for row in rows}


async def note_moves(raw: Raw, moved: Mapping[UUID, tuple[UUID, UUID]], reasons: Mapping[UUID, Sequence[str]], now: datetime) -> None:
    """Add to the history of people: which record went from whom to whom, and why. Nothing is ever taken from it."""
    if moved:
        await raw.execute(
            "with parted as (update person p set left_at = $5 from (select distinct f from unnest($2::uuid[]) as f) as n where p.id = n.f)"
            " insert into record_move (record_id, from_person_id, to_person_id, moved_at, reasons)"
            " select r, f, t, $5, g::jsonb from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as n(r, f, t, g)",
            list(moved),
            [one[0] for one in moved.values()],
            [one[1] for one in moved.values()],
            [orjson.dumps(reasons.get(record, ())).decode() for record in moved],
            now,
        )


def grounds_of(stored: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - jsonb as the driver gives it
    """Read stored grounds."""
    found = orjson.loads(stored) if isinstance(stored, str) else stored
    return list(found or ())
