"""Which patient records are one person: a pure function over a neighbourhood of records, so order cannot matter.

Grounds, strongest first: a merge or a link that a hospital sent (A40, A34, A24); an identifier that two records share under one assigning
authority; exact normalised demographics, but only where no authority gives the candidates different ids. The scored matcher
comes later behind `partition`. Not here: which records to look at (store/people) and what follows from a change (actions).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.adt_event import NOT_A_PERSON_TYPES, Identifier, IdentifierType
from app.domain.latest import known
from app.domain.person import PatientRecord, normalised

BLOCK_LIMIT = 50
"""Our policy: more records than this with the same demographics are kept apart (a placeholder, or a very common name)."""

SHARED_IDENTIFIER_LIMIT = 50
"""Our policy: an identifier on more records than this is no identifier (a payee's, a group home's, all nines)."""

ANY_AUTHORITY = ""
"""A roster's Medicaid number names no authority: it is the state's, whichever authority writes it into the CX."""


@dataclass(frozen=True, slots=True)
class Group:
    """Records that are one person, and why."""

    records: tuple[UUID, ...]
    reasons: tuple[str, ...]


def match_keys(identifiers: Iterable[Identifier]) -> set[tuple[str, str]]:
    """Give the (authority, value) pairs under which an identifier is looked up.

    A Medicaid number (table 0203 MA) also counts without its authority.
    """
    keys: set[tuple[str, str]] = set()
    for identifier in identifiers:
        if identifier.type in NOT_A_PERSON_TYPES or not identifier.value:
            continue
        keys.add((identifier.authority, identifier.value))
        if identifier.type == IdentifierType.MEDICAID:
            keys.add((ANY_AUTHORITY, identifier.value))
    return keys


def _same(left: Identifier, right: Identifier) -> bool:
    if left.value != right.value:
        return False
    if left.authority == right.authority:
        return left.type == right.type or IdentifierType.NONE in (left.type, right.type)
    medicaid = left.type == right.type == IdentifierType.MEDICAID
    return medicaid and ANY_AUTHORITY in (left.authority, right.authority)


def _contradict(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Tell whether two records sharing an identifier are plainly two people: a newborn under the mother's number."""
    born = left.get("birth_date"), right.get("birth_date")
    first = normalised(left.get("first_name") or ""), normalised(right.get("first_name") or "")
    return None not in born and born[0] != born[1] and "" not in first and first[0] != first[1]


class _Sets:
    """Union-find over record ids."""

    def __init__(self, ids: Iterable[UUID]) -> None:
        self._parent = {item: item for item in ids}

    def find(self, item: UUID) -> UUID:
        root = item
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[item] != root:
            self._parent[item], item = root, self._parent[item]
        return root

    def join(self, left: UUID, right: UUID) -> None:
        first, second = sorted((self.find(left), self.find(right)))
        self._parent[second] = first

    def groups(self) -> dict[UUID, list[UUID]]:
        grouped: dict[UUID, list[UUID]] = defaultdict(list)
        for item in self._parent:
            grouped[self.find(item)].append(item)
        return grouped


def partition(records: Sequence[PatientRecord]) -> list[Group]:
    """Divide records into people. The result does not depend on the order of `records` or on how they were grouped before."""
    by_id = {record.id: record for record in records}
    sets = _Sets(sorted(by_id))
    reasons: dict[UUID, set[str]] = defaultdict(set)
    for record in records:
        if record.retired_into in by_id and record.retired_into is not None:
            sets.join(record.id, record.retired_into)
            reasons[record.id].add("merged by its hospital")
        for other in record.linked & by_id.keys():
            sets.join(record.id, other)
            reasons[record.id].add("linked by its hospital")
    for left, right, authority in _shared_identifiers(records):
        sets.join(left, right)
        reasons[left].add(f"same identifier of {authority or 'Medicaid'}")
    for left, right in _demographic_unions(by_id, sets):
        sets.join(left, right)
        reasons[left].add("exact name, birth date and sex; no authority gives two ids")
    return [
        Group(tuple(sorted(members)), tuple(sorted({reason for member in members for reason in reasons[member]})))
        for members in sets.groups().values()
    ]


def _shared_identifiers(records: Sequence[PatientRecord]) -> list[tuple[UUID, UUID, str]]:
    """Give the pairs of records that one authority names alike, and that authority.

    Where the holders of a number contradict each other (a mother, and her newborn under her number), a third who contradicts
    neither, because it says too little of itself, is joined to neither: there is no telling whose record it is.
    """
    by_key: dict[tuple[str, str], dict[UUID, list[Identifier]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for identifier in _own_identifiers(record):
            for key in match_keys((identifier,)):
                by_key[key][record.id].append(identifier)
    facts = {record.id: known(record.said) for record in records}
    edges: list[tuple[UUID, UUID, str]] = []
    for (authority, _), holders in by_key.items():
        if len(holders) > SHARED_IDENTIFIER_LIMIT:
            continue
        alike = _alike(holders)
        apart = {pair for pair in alike if _contradict(facts[pair[0]], facts[pair[1]])}
        joined = alike - apart
        edges.extend((left, right, authority) for left, right in joined if not _bridges(left, right, joined, apart))
    return edges


def _own_identifiers(record: PatientRecord) -> list[Identifier]:
    """Leave out the copy of a Medicaid number without its authority, which is stored to be found: two states may give one number."""
    named = {item.value for item in record.identifiers if item.type == IdentifierType.MEDICAID and item.authority != ANY_AUTHORITY}
    return [
        item
        for item in record.identifiers
        if not (item.type == IdentifierType.MEDICAID and item.authority == ANY_AUTHORITY and item.value in named)
    ]


def _alike(holders: dict[UUID, list[Identifier]]) -> set[tuple[UUID, UUID]]:
    ordered = sorted(holders)
    return {
        (left, right)
        for position, left in enumerate(ordered)
        for right in ordered[position + 1 :]
        if any(_same(mine, theirs) for mine in holders[left] for theirs in holders[right])
    }


def _bridges(left: UUID, right: UUID, joined: set[tuple[UUID, UUID]], apart: set[tuple[UUID, UUID]]) -> bool:
    """Tell whether one of the two is alike with two who contradict each other."""
    if not apart:
        return False
    for middle in (left, right):
        beside = {one if other == middle else other for one, other in joined if middle in (one, other)}
        if any(one in beside and other in beside for one, other in apart):
            return True
    return False


def _demographic_unions(by_id: dict[UUID, PatientRecord], sets: _Sets) -> list[tuple[UUID, UUID]]:
    """Give the unions that exact demographics justify: whole blocks without any conflict, judged all at once.

    A block with one conflict joins nobody: with two candidates there is no telling which one is meant. Blocks that would
    together join two ids of one authority are dropped together.
    """
    components = sets.groups()
    ids = {root: _ids_by_authority(by_id[member] for member in members) for root, members in components.items()}
    blocks: dict[int, set[UUID]] = defaultdict(set)
    for record in by_id.values():
        if record.demographic_key is not None:
            blocks[record.demographic_key].add(sets.find(record.id))
    candidates = [sorted(block) for block in blocks.values() if 1 < len(block) <= BLOCK_LIMIT and not _conflict(ids, block)]
    trial = _Sets(components)
    for block in candidates:
        for other in block[1:]:
            trial.join(block[0], other)
    unions: list[tuple[UUID, UUID]] = []
    for roots in trial.groups().values():
        if len(roots) > 1 and not _conflict(ids, roots):
            unions.extend((roots[0], other) for other in roots[1:])
    return unions


def _ids_by_authority(records: Iterable[PatientRecord]) -> dict[tuple[str, str], set[str]]:
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        for identifier in record.identifiers:
            if identifier.type not in NOT_A_PERSON_TYPES:
                values[_issuer(identifier)].add(identifier.value)
    return values


def _issuer(identifier: Identifier) -> tuple[str, str]:
    if identifier.type == IdentifierType.MEDICAID:
        return (ANY_AUTHORITY, IdentifierType.MEDICAID.value)
    return (identifier.authority, identifier.type)


def _conflict(ids: dict[UUID, dict[tuple[str, str], set[str]]], roots: Iterable[UUID]) -> bool:
    """Tell whether an authority gives any two of the components different ids of one type, whatever a third has of both."""
    seen: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for root in roots:
        for issuer, values in ids[root].items():
            if any(values.isdisjoint(others) for others in seen[issuer]):
                return True
            seen[issuer].append(values)
    return False


def assign_people(groups: Sequence[Group], before: dict[UUID, UUID | None], fresh: Iterable[UUID]) -> dict[UUID, UUID]:
    """Give each record its person: a group keeps the oldest person that its oldest claimant had; others get a fresh id.

    `before` maps record -> present person (None for a new record). Ids are time-ordered, so "oldest" is the smallest.
    """
    supply = iter(fresh)
    taken: set[UUID] = set()
    people: dict[UUID, UUID] = {}
    for group in sorted(groups, key=lambda item: min(item.records)):
        held = sorted({person for record in group.records if (person := before.get(record)) is not None} - taken)
        person = held[0] if held else next(supply)
        taken.add(person)
        people.update(dict.fromkeys(group.records, person))
    return people
