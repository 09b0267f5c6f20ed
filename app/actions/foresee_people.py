"""Says of the rows of a roster, before it is loaded, whose they would be: somebody known for certain, perhaps somebody known, or new.

Does what loading does, chunk by chunk, each in a transaction that is undone: finds the people, compares the new records with whoever
is alike. Not here: loading (load_panel), and what makes records certain or possible (matching, comparison).
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from app.domain.panel import Foreseen, roster_sort_keys
from app.domain.person import RecordClaim, Resolved
from app.domain.roster_row import claim_of_row
from app.domain.tie import Tie, TieKind, TieLevel
from app.ports import Ids
from app.store import matches, people
from app.store.panel_stage import Stage, StagedRow
from app.store.raw import Raw

ROWS_MAX: Final = 10_000
"""Our policy: of so many rows the people are looked for, so that a dry run answers in seconds; it says how many those were."""
_CHUNK_ROWS: Final = 500


class Identify(Protocol):
    """Resolves claims to records and people, inside the caller's transaction (actions/identify)."""

    def __call__(self, raw: Raw, claims: Sequence[RecordClaim], *, ids: Ids, now: datetime) -> Awaitable[list[Resolved]]:
        """Give a result for each claim, in order."""
        ...


class Compare(Protocol):
    """Compares records with whoever is alike, inside the caller's transaction (actions/match_records)."""

    def __call__(self, raw: Raw, *, ids: Ids, now: datetime, only: Collection[UUID]) -> Awaitable[object]:
        """Store the ties of these records."""
        ...


async def foresee_people(
    stage: Stage,
    organization_id: UUID,
    asserting: int,
    now: datetime,
    is_doubted: bool,  # noqa: FBT001 - the last of what is asked
    *,
    identify: Identify,
    compare: Compare,
    redo_on: tuple[type[Exception], ...],
    ids: Ids,
) -> Foreseen:
    """Look for the people of the rows that are to be asserted, `asserting` in number. Changes nothing."""
    sort_key = roster_sort_keys(now)
    found = Foreseen()
    after = looked_for = 0

    async def look(raw: Raw, rows: Sequence[StagedRow]) -> Foreseen:
        # Before everything else, as whoever compares does (matches.lock_ties).
        await matches.lock_ties(raw)
        claims = [claim_of_row(row.cells(), organization_id, sort_key(row.number), is_doubted=is_doubted) for row in rows]
        resolved = await identify(raw, claims, ids=ids, now=now)
        taken = {one.record_id: one.person_id for one in resolved if not one.is_refused}
        of_others = await people.with_other_records(raw, set(taken.values()), taken)
        stored = {one.record_id for row, one in zip(rows, resolved, strict=True) if row.is_known}
        alone = {record for record, person in taken.items() if person not in of_others and record not in stored}
        await compare(raw, ids=ids, now=now, only=alone)
        levels = _best(await matches.ties_of(raw, sorted(alone)), alone)
        certain = sum(record not in alone or levels.get(record) is TieLevel.CERTAIN for record in taken)
        possible = sum(levels.get(record) is TieLevel.POSSIBLE for record in alone)
        refused = sum(one.is_refused for one in resolved)
        return Foreseen(len(rows), certain, possible, len(taken) - certain - possible, refused)

    while looked_for < ROWS_MAX and (rows := await stage.unidentified(after, min(_CHUNK_ROWS, ROWS_MAX - looked_for))):
        after, looked_for = rows[-1].number, looked_for + len(rows)

        async def chunk(raw: Raw, rows: Sequence[StagedRow] = rows) -> Foreseen:
            return await look(raw, rows)

        found = found.plus(await stage.in_transaction(chunk, redo_on=redo_on, ends="rollback"))
    # Whose record has been found by its number needs no looking for.
    known = asserting - await stage.unidentified_count()
    return found.plus(Foreseen(rows=known, certain=known))


def _best(ties: Sequence[Tie], of: Collection[UUID]) -> Mapping[UUID, TieLevel]:
    best: dict[UUID, TieLevel] = {}
    for tie in ties:
        if tie.kind is not TieKind.SCORE or tie.level is TieLevel.NO:
            continue
        for end in set(tie.pair).intersection(of):
            if best.get(end) is not TieLevel.CERTAIN:
                best[end] = tie.level
    return best
