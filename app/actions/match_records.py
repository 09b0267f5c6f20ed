"""The scored half of room 4: compare what changed with whatever shares a key with it, and note who is alike.

Works on records that wait for it, a moment after they were stored, one worker at a time: so no message waits for a comparison, and
no two transactions that each bring one of two alike records can miss each other. Not here: what follows for people (`rematch`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.comparison import SHARED_BY, Level, RarityKind
from app.domain.features import Features, phone_of
from app.domain.person import PatientRecord
from app.domain.scoring import (
    BLOCK_RECORDS_MAX,
    HOLDERS_MAX,
    BlockEntry,
    Holders,
    Scorer,
    crosses,
    pairs_of,
    scored_tie,
    weighs_otherwise,
)
from app.domain.tie import Pair, Tie, TieKind, TieLevel
from app.ports import Ids
from app.standards.scoring_rules import scorer
from app.store import matches, people
from app.store.matches import Held, StoredKeys
from app.store.raw import Raw

RECORDS_MAX: Final = 500
"""Our policy: so many records are compared in one transaction, a few tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What one round came to."""

    records: int = 0
    touched: frozenset[UUID] = frozenset()
    """Records whose people are to be divided again."""


async def match_records(raw: Raw, *, ids: Ids, now: datetime, most: int = RECORDS_MAX, only: Collection[UUID] | None = None) -> Matched:
    """Compare the records that have waited longest, one transaction at a time; or `only` these, whether they wait or not."""
    await matches.lock_ties(raw)
    pending = await matches.take_pending(raw, most) if only is None else [matches.Pending(one, has_question=False) for one in only]
    if not pending:
        return Matched()
    by = scorer()
    work = _Work(by)
    work.know(await people.by_id(raw, [item.record_id for item in pending]))
    await _find_again(raw, work, [item.record_id for item in pending if item.record_id in work.records])
    ties = await _compare(raw, work)
    await matches.save_ties(raw, ties, [ids.new() for _ in ties], now)
    tied = {tie.pair for tie in await matches.ties_of(raw, sorted(work.wanted))}
    touched = {end for tie in ties for end in tie.pair} | {end for pair in tied for end in pair if end in work.wanted}
    touched |= {item.record_id for item in pending if item.has_question}
    return Matched(len(pending), frozenset(touched))


class _Work:
    """The records of one round, with what can be compared of them."""

    def __init__(self, by: Scorer) -> None:
        self.by = by
        self.records: dict[UUID, PatientRecord] = {}
        self.features: dict[UUID, Features] = {}
        self.entries: dict[UUID, BlockEntry] = {}
        self.wanted: set[UUID] = set()
        """Whose every pair is looked at."""
        self.held: dict[int, Held] = {}
        self.looked_up: set[int] = set()

    def know(self, records: Iterable[PatientRecord]) -> None:
        for record in records:
            self.records[record.id] = record
            self.features[record.id] = self.by.features(record)

    async def look_up(self, raw: Raw, most: Mapping[int, int]) -> None:
        """Find who has these keys, each once."""
        fresh = {key: limit for key, limit in most.items() if key not in self.looked_up}
        self.looked_up.update(fresh)
        self.held.update(await matches.holders(raw, fresh))

    def entry(self, record_id: UUID) -> BlockEntry:
        found = self.entries.get(record_id)
        if found is None:
            found = self.entries[record_id] = self.by.entry(record_id, self.features[record_id])
        return found


async def _find_again(raw: Raw, work: _Work, changed: Sequence[UUID]) -> None:
    """Store by what the changed records are found, and take in others whose scores that may change: of phones, of full blocks."""
    before = await matches.keys_of(raw, changed)
    stored: dict[UUID, StoredKeys] = {}
    added: list[tuple[int, UUID, int]] = []
    removed: list[tuple[int, UUID]] = []
    more: Counter[int] = Counter()
    less: Counter[int] = Counter()
    shared: set[int] = set()
    for record_id in changed:
        entry, old = work.entry(record_id), before.get(record_id)
        now_ = StoredKeys(entry.keys, frozenset(entry.shared), entry.who)
        if old == now_:
            continue
        stored[record_id] = now_
        mine, his = now_.keys | now_.shared, (old.keys | old.shared) if old else frozenset()
        is_other = old is None or old.who != now_.who
        added.extend((key, record_id, now_.who) for key in (mine if is_other else mine - his))
        removed.extend((key, record_id) for key in his - mine)
        more.update(mine - his)
        less.update(his - mine)
        shared |= now_.shared | (old.shared if old else frozenset())
        if is_other and old:
            more.update(now_.shared & old.shared)
            less.update(now_.shared & old.shared)
    await matches.save_keys(raw, stored, added, removed)
    work.wanted.update(changed)
    touched = more.keys() | less.keys()
    most = {key: HOLDERS_MAX if key in shared else BLOCK_RECORDS_MAX + 1 + more[key] + less[key] for key in touched}
    await work.look_up(raw, most)
    others: set[UUID] = set()
    for key, held in work.held.items():
        came, went = more[key], less[key]
        if weighs_otherwise(held.people, came, went) if key in shared else crosses(len(held.records), came, went):
            others.update(held.records)
    others -= work.records.keys()
    if others:
        work.know(await people.by_id(raw, others))
        work.wanted.update(others)


async def _compare(raw: Raw, work: _Work) -> list[Tie]:
    """Give the ties that are new, gone or weigh otherwise."""
    entries = {record_id: work.entry(record_id) for record_id in work.wanted}
    most = {key: BLOCK_RECORDS_MAX + 1 for entry in entries.values() for key in entry.keys}
    most |= {key: HOLDERS_MAX for entry in entries.values() for key in entry.shared}
    await work.look_up(raw, most)
    meanings = {key: meaning for entry in entries.values() for key, meaning in entry.shared.items()}
    counts = {meaning: work.held[key].people if key in work.held else 1 for key, meaning in meanings.items()}
    rarity = Holders(counts | await _of_houses(raw, counts))
    keys = {key for entry in entries.values() for key in entry.keys} & work.held.keys()
    together = [work.held[key].records for key in keys if len(work.held[key].records) <= BLOCK_RECORDS_MAX]
    pairs = pairs_of(together, frozenset(work.wanted))
    standing = {tie.pair: tie for tie in await matches.ties_of(raw, sorted(work.wanted)) if tie.kind is TieKind.SCORE}
    people_of = {record.id: record.person_id for record in work.records.values()}
    strangers = {end for pair in pairs for end in pair} - people_of.keys()
    people_of |= await people.persons_of(raw, strangers) if strangers else {}
    # One person already by a harder ground; should they part, whoever goes is compared again. Nearly every pair is of that kind.
    pairs = {pair for pair in pairs if pair in standing or people_of.get(pair[0]) != people_of.get(pair[1])}
    missing = {end for pair in pairs for end in pair} - work.records.keys()
    if missing:
        work.know(await people.by_id(raw, missing))
    return [tie for tie in _scored(work, pairs, standing, rarity) if _is_news(tie, standing.get(tie.pair))]


async def _of_houses(raw: Raw, shared: Iterable[tuple[RarityKind, str]]) -> dict[tuple[RarityKind, str], int]:
    """Count a hospital's own number, written for whoever has none, as everybody's who was ever there, however few have it yet."""
    numbers = {phone_of(number) for number in await matches.house_numbers(raw)}
    return {one: SHARED_BY + 1 for one in shared if one[0] is RarityKind.PHONE and one[1] in numbers}


def _scored(work: _Work, pairs: Iterable[Pair], standing: Mapping[Pair, Tie], rarity: Holders) -> Iterable[Tie]:
    compared: set[Pair] = set()
    said, version = work.features, work.by.weights.version
    for pair in pairs:
        left, right = said.get(pair[0]), said.get(pair[1])
        if left is None or right is None:
            continue
        compared.add(pair)
        found = work.by.compare(left, right, rarity)
        if found.level is not Level.NO or pair in standing:
            yield scored_tie(pair, found, version)
    for pair in standing.keys() - compared:
        # No key in common any more.
        yield Tie(*pair, TieKind.SCORE, weights_version=version)


def _is_news(tie: Tie, stored: Tie | None) -> bool:
    if stored is None:
        return tie.level is not TieLevel.NO
    return (tie.level, tie.weight if tie.level is not TieLevel.NO else stored.weight) != (stored.level, stored.weight)
