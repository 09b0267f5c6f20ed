"""Which record goes on as which by its hospital's word: merged or moved into another (A40, A43), or under another number (A46, A47).

Under another number it is the same record, so what is said of any of its numbers is said of it: a merge or a move counts until a later
one of any of them, and a change of number takes none back. All hangs on when it was said, nothing on when it came. Not here: what
operators answer, and who is one person for it (matching).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.latest import key_of
from app.domain.person import LEFT, RENAMED_TO, RETIRED_INTO, PatientRecord

Records = Mapping[UUID, PatientRecord]


class GoingOn(NamedTuple):
    """What stands of it: record -> the record that it goes on as. A merge may lead to a record that is not at hand."""

    renamed: Mapping[UUID, UUID]
    merged: Mapping[UUID, UUID]
    backwards: frozenset[UUID]
    """Of every circle of merges, the record whose merge closed it: the latest."""
    numbers: Mapping[UUID, Collection[UUID]]
    """A record that has several numbers -> the records of all of them."""

    def pairs(self, one: UUID, other: UUID) -> Iterator[tuple[UUID, UUID]]:
        """Give the two under each of their numbers."""
        return product(self.numbers.get(one, (one,)), self.numbers.get(other, (other,)))


def going_on(records: Records, is_refuted: Callable[[UUID, UUID], bool] = lambda _one, _other: False) -> GoingOn:
    """Tell what stands. `is_refuted` tells of which two an operator said that they are not one."""
    renamed = dict(_renamed(records, is_refuted))
    merged = {one.id: one.retired_into for one in records.values() if one.retired_into is not None and one.retired_into != one.id}
    numbers: Mapping[UUID, Collection[UUID]] = {}
    if renamed:
        whose = _told_in_order(records, renamed, merged)
        merged = {record: merged[record] for one in whose.values() for record in one.merged}
        numbers = {number: one.all for number, one in whose.items()}
    return GoingOn(renamed, merged, _backwards(records, merged), numbers)


def _renamed(records: Records, is_refuted: Callable[[UUID, UUID], bool]) -> Iterator[tuple[UUID, UUID]]:
    for record in records.values():
        other = records.get(record.renamed_to) if record.renamed_to is not None else None
        if other is not None and other is not record and not is_refuted(record.id, other.id) and not _is_left(record, other):
            yield record.id, other.id


def _is_left(record: PatientRecord, other: PatientRecord) -> bool:
    """Tell whether one was moved away from the other (A43) after that: it never was the other's number."""
    left = max(key_of(record.said, f"{LEFT}{other.id}"), key_of(other.said, f"{LEFT}{record.id}"))
    return left > key_of(record.said, RENAMED_TO)


@dataclass(slots=True)
class _Numbers:
    """The numbers of one record as far as has been said, and which of them were merged away or moved, for all of them."""

    all: set[UUID]
    merged: list[UUID] = field(default_factory=list)


def _told_in_order(records: Records, renamed: Mapping[UUID, UUID], merged: Mapping[UUID, UUID]) -> dict[UUID, _Numbers]:
    """Go through what was said, the oldest first: who was already one record when a later merge was said of it has that one only."""
    said = [(*_said_at(records[one], RENAMED_TO), one, other, True) for one, other in renamed.items()]
    said += [(*_said_at(records[one], RETIRED_INTO), one, other, False) for one, other in merged.items()]
    whose: dict[UUID, _Numbers] = {}
    for *_, record, other, is_renamed in sorted(said):
        mine, theirs = (whose.setdefault(end, _Numbers({end})) for end in (record, other))
        if mine is theirs:
            continue
        if is_renamed:
            mine.all |= theirs.all
            mine.merged += theirs.merged
            whose.update(dict.fromkeys(theirs.all, mine))
        else:
            mine.merged = [record]
    return whose


def _backwards(records: Records, merged: Mapping[UUID, UUID]) -> frozenset[UUID]:
    seen: set[UUID] = set()
    closing: set[UUID] = set()
    for start in merged:
        path: list[UUID] = []
        places: dict[UUID, int] = {}
        at: UUID | None = start
        while at is not None and at in merged and at not in seen:
            places[at] = len(path)
            path.append(at)
            seen.add(at)
            at = merged[at]
            if at in places:
                closing.add(max(path[places[at] :], key=lambda one: _said_at(records[one], RETIRED_INTO)))
    return frozenset(closing)


def _said_at(record: PatientRecord, fact: str) -> tuple[str, str, Identifier]:
    return key_of(record.said, fact), record.source, record.own
