"""What an operator reads of the questions about who is one person, and what is written when one is answered.

Only the operator's view sees a row (policies.NOBODY). Not here: finding the questions (matches).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from app.domain.public_id import Kind
from app.domain.tie import Pair, Tie, TieKind, TieLevel, TieOutcome, TieState
from app.store import people
from app.store.audit import altered
from app.store.matches import grounds_of
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A question with its times, and whose the two records are now."""

    id: UUID
    tie: Tie
    people: Pair
    opened_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer; the highest number counts."""

    number: int
    outcome: TieOutcome | None
    """None: asked again."""
    decided_by: str
    reason: str
    decided_at: datetime


_COLUMNS = """m.id, m.left_id, m.right_id, m.kind, m.level, m.weight, m.grounds, m.weights_version, m.state, m.outcome, m.opened_at,
m.updated_at, l.person_id as left_person, r.person_id as right_person"""
_FROM = "from identity_match m join patient_record l on l.id = m.left_id join patient_record r on r.id = m.right_id"


def _row(row: Record) -> MatchRow:
    tie = Tie(
        row["left_id"],
        row["right_id"],
        TieKind(row["kind"]),
        TieLevel(row["level"]),
        row["weight"],
        tuple(grounds_of(row["grounds"])),
        row["weights_version"],
        TieOutcome(row["outcome"]) if row["outcome"] else None,
        TieState(row["state"]),
        row["id"],
    )
    return MatchRow(row["id"], tie, (row["left_person"], row["right_person"]), row["opened_at"], row["updated_at"])


async def list_matches(raw: Raw, state: TieState | None, kind: TieKind | None, *, after: UUID | None, limit: int) -> list[MatchRow]:
    """Give a page of questions, oldest first (ix_identity_match_open for open ones, else pk_identity_match)."""
    # Written out, so that the partial index is seen to fit.
    where = f"m.state = '{state.value}'" if state is not None else "true"
    statement = f"select {_COLUMNS} {_FROM} where {where} and ($1::text is null or m.kind = $1) and ($2::uuid is null or m.id > $2)"
    rows = await raw.fetch(f"{statement} order by m.id limit $3", kind.value if kind else None, after, limit)
    return [_row(row) for row in rows]


async def find_match(raw: Raw, match_id: UUID) -> MatchRow | None:
    """Find one question (pk_identity_match)."""
    row = await raw.fetchrow(f"select {_COLUMNS} {_FROM} where m.id = $1", match_id)
    return _row(row) if row is not None else None


async def matches_among(raw: Raw, records: Sequence[UUID]) -> list[MatchRow]:
    """Give the questions of which both sides are among these records (uq_identity_match_pair)."""
    rows = await raw.fetch(
        f"select {_COLUMNS} {_FROM} where m.left_id = any($1::uuid[]) and m.right_id = any($1::uuid[]) order by m.id", list(records)
    )
    return [_row(row) for row in rows]


async def decisions_of(raw: Raw, matches: Sequence[UUID]) -> dict[UUID, list[Decision]]:
    """Give every answer ever given to these questions, in their order (pk_match_decision)."""
    rows = await raw.fetch("select * from match_decision where match_id = any($1::uuid[]) order by match_id, number", list(matches))
    found: dict[UUID, list[Decision]] = {match: [] for match in matches}
    for row in rows:
        outcome = TieOutcome(row["outcome"]) if row["outcome"] else None
        found[row["match_id"]].append(Decision(row["number"], outcome, row["decided_by"], row["reason"], row["decided_at"]))
    return found


_DECIDE = """
with decided as (
    insert into match_decision (match_id, number, outcome, decided_by, reason, decided_at)
    select m.id, (select coalesce(max(number), 0) + 1 from match_decision where match_id = $1), $2, $3, $4, $5
    from identity_match m where m.id = $1
)
update identity_match set outcome = $2, updated_at = $5 where id = $1 returning left_id, right_id
"""


async def decide(raw: Raw, match_id: UUID, outcome: TieOutcome | None, by: str, reason: str, now: datetime) -> Pair | None:
    """Add an answer; give the two records, None when there is no such question."""
    altered(Kind.MATCH, match_id)
    # The number is read after the row is ours.
    await raw.fetch("select id from identity_match where id = $1 for update", match_id)
    row = await raw.fetchrow(_DECIDE, match_id, outcome.value if outcome else None, by, reason, now)
    return (row["left_id"], row["right_id"]) if row is not None else None


_OPEN = """
insert into identity_match (id, left_id, right_id, kind, level, weight, grounds, weights_version, opened_at, updated_at, state)
values ($1, $2, $3, $4, 'no', 0, '[]', '', $5, $5, 'obsolete') on conflict (left_id, right_id, kind) do nothing
"""


async def open_match(raw: Raw, match_id: UUID, pair: Pair, kind: TieKind, now: datetime) -> UUID:
    """Make a question that nothing asked, for an operator who knows; give it, or the one that is there."""
    await raw.execute(_OPEN, match_id, *pair, kind.value, now)
    found = await raw.fetchval("select id from identity_match where left_id = $1 and right_id = $2 and kind = $3", *pair, kind.value)
    return UUID(str(found))


# The exchange's own person index.

_ASK_AGAIN = """
insert into match_pending (record_id, has_question) select distinct record_id, true from record_identifier where authority = $1
"""


async def list_index(raw: Raw) -> list[Mapping[str, Any]]:
    """Give the authorities that are the exchange's person index, and since when: a handful."""
    return [dict(row) for row in await raw.fetch("select authority, marked_at from person_index order by authority")]


async def mark_index(raw: Raw, authority: str, now: datetime) -> None:
    """Let an authority's ids decide from now on; whoever has one is looked at again (all of pk_record_identifier: it is rare)."""
    await _alone_with_the_index(raw)
    done = await raw.execute("insert into person_index (authority, marked_at) values ($1, $2) on conflict do nothing", authority, now)
    if done.endswith(" 1"):
        await raw.execute(_ASK_AGAIN, authority)


async def unmark_index(raw: Raw, authority: str) -> bool:
    """Let an authority's ids be identifiers like others again; False when it was none."""
    await _alone_with_the_index(raw)
    done = await raw.execute("delete from person_index where authority = $1", authority)
    if done.endswith(" 0"):
        return False
    await raw.execute(_ASK_AGAIN, authority)
    return True


async def _alone_with_the_index(raw: Raw) -> None:
    """Wait for everybody who divides records by the index as it was: what they store is there then, and is asked for again."""
    await raw.execute("select pg_advisory_xact_lock($1::int, 0)", people.INDEX_LOCK)


async def ask_everybody(raw: Raw) -> int:
    """Ask that every record be compared anew, for instance after an update of the weights; give how many."""
    done = await raw.execute("insert into match_pending (record_id, has_question) select id, false from patient_record order by id")
    return int(done.rsplit(" ", 1)[-1])
