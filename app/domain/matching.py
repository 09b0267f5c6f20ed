"""Which patient records are one person: a pure function over a neighbourhood of records, so order cannot matter.

Grounds, strongest first: a merge or a link that a hospital sent (A40, A43, A34, A24), and the ids of the exchange's own person index;
an operator's answer; an identifier that two records share under one assigning authority; exact normalised demographics; a score that
is certain. Each layer joins whole: where its joints together would join whom something tells apart, none of them counts, because
there is no telling which one is wrong. Not here: which records to look at (store/people), what follows from a change (actions).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.features import ssn4_of, suffix_of
from app.domain.going_on import going_on
from app.domain.latest import known
from app.domain.person import PatientRecord
from app.domain.shared_identifier import (
    ANY_AUTHORITY,
    SHARED_IDENTIFIER_LIMIT,
    SOCIAL_SECURITY,
    Facts,
    contradict,
    holders,
    names_a_person,
    shared_identifiers,
)
from app.domain.tie import Answers, Pair, Question, Tie, TieKind, TieLevel, pair_of

BLOCK_LIMIT = 50
"""Our policy: more records than this with the same demographics are kept apart (a placeholder, or a very common name)."""

BLOCK_RECORDS_LIMIT = 200
"""Our policy: so many records with the same demographics join nobody by them, whoever they are: more are not even looked at."""

CHAIN_LIMIT = 50
"""Our policy: scores that together would join more people than this join nobody."""

_SUFFIX = "suffix"
"""Beside the types of identifiers: of father and son it is another."""

Apart = Callable[[PatientRecord, PatientRecord], bool]
"""Tells whether a guard of the comparison holds two records apart (a twin, a junior and a senior, a newborn)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Records that are one person, and why."""

    records: tuple[UUID, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """Records divided into people, and what people have to decide about it."""

    groups: list[Group]
    questions: list[Question]


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
    """Divide records into people by what they say themselves."""
    return divide(records).groups


def divide(
    records: Sequence[PatientRecord],
    ties: Collection[Tie] = (),
    *,
    index: frozenset[str] = frozenset(),
    apart: Apart = lambda _left, _right: False,
) -> Division:
    """Divide records into people. The result does not depend on the order of `records` or on how they were grouped before.

    `index` names the assigning authorities that are the exchange's own person index.
    """
    met = _who_meet(records, ties, index)
    if not met:
        return Division([Group((record.id,), ()) for record in records], [])
    division = _Division([record for record in records if record.id in met], ties, index, apart).made()
    division.groups.extend(Group((record.id,), ()) for record in records if record.id not in met)
    return division


def _who_meet(records: Sequence[PatientRecord], ties: Collection[Tie], index: frozenset[str]) -> set[UUID]:
    """Give the records that share anything with another: of a roster of new people nearly none do, and the rest needs no thought."""
    met = {record for found in holders(records).values() for record, _ in found}
    met.update(end for tie in ties for end in tie.pair)
    alone: dict[int, UUID] = {}
    for record in records:
        if (key := record.demographic_key) is not None:
            other = alone.setdefault(key, record.id)
            if other is not record.id:
                met.update((other, record.id))
        if others := record.others:
            met.update((record.id, *others))
        elif index and any(identifier.authority in index for identifier in record.identifiers):
            met.add(record.id)
    return met


_Joint = tuple[UUID, UUID, str]
"""Two records, and the reason that counts for them."""


class _Division:
    """One division on its way, layer by layer."""

    def __init__(self, records: Sequence[PatientRecord], ties: Collection[Tie], index: frozenset[str], apart: Apart) -> None:
        self.by_id = {record.id: record for record in records}
        self.ties = [tie for tie in ties if tie.left in self.by_id and tie.right in self.by_id]
        self.answers = Answers.of(self.ties)
        self.index = index
        self.apart = apart
        self.facts: Facts = _Facts(self.by_id)
        self.sets = _Sets(sorted(self.by_id))
        self._members: dict[UUID, list[UUID]] = {}
        """Who is together before the layer at hand."""
        self.reasons: dict[UUID, set[str]] = defaultdict(set)
        self.questions: dict[tuple[Pair, TieKind], set[str]] = defaultdict(set)

    def made(self) -> Division:
        for joint in (*self._merges(), *self._links(), *self._index_ids()):
            self._join(joint)
        self._doubt_merges()
        if self.answers.same:
            self._layer([(left, right, "an operator says so") for left, right in self.answers.same], self._never)
        shared = [(left, right, f"same identifier of {authority or 'Medicaid'}") for left, right, authority in self._shared()]
        if shared:
            self._layer(shared, lambda roots: self._index_tells(roots) or self._never(roots))
        self._by_demographics()
        scores = [(tie.left, tie.right, "alike in everything that counts") for tie in self.ties if tie.level is TieLevel.CERTAIN]
        if scores:
            self._layer(scores, self._tells_scores)
        members: dict[UUID, list[UUID]] = self.sets.groups()
        return Division(
            [
                Group(tuple(sorted(group)), tuple(sorted({reason for member in group for reason in self.reasons.get(member, ())})))
                for group in members.values()
            ],
            [Question(*pair, kind, tuple(sorted(grounds))) for (pair, kind), grounds in sorted(self.questions.items())],
        )

    def _join(self, joint: _Joint) -> None:
        left, right, reason = joint
        self.sets.join(left, right)
        self.reasons[left].add(reason)

    def _ask(self, left: UUID, right: UUID, kind: TieKind, ground: str) -> None:
        self.questions[(pair_of(left, right), kind)].add(ground)

    # The hospitals' own word, and the index's.

    def _merges(self) -> Iterable[_Joint]:
        said = going_on(self.by_id, lambda one, other: pair_of(one, other) in self.answers.merge_falls)
        for record, other in said.renamed.items():
            self._doubt(record, other, "a change of number between two whose first names and birth dates differ")
            yield record, other, "under another number at its hospital"
        for record, winner in said.merged.items():
            pair = pair_of(record, winner)
            if winner not in self.by_id or any(pair_of(*ends) in self.answers.merge_falls for ends in said.pairs(record, winner)):
                continue
            if record in said.backwards and pair not in self.answers.merge_stands:
                self._ask(*pair, TieKind.MERGE, "a merge into a record that was itself merged into this one before")
                continue
            self._doubt(record, winner, "a merge of two whose first names and birth dates differ")
            yield record, winner, "merged by its hospital"

    def _doubt(self, record: UUID, other: UUID, ground: str) -> None:
        """Let a person look at two who look like two people. The hospital's word counts.

        Who came in unconscious is registered under a made-up name and merged when they are known.
        """
        if contradict(self.facts[record], self.facts[other]):
            self._ask(record, other, TieKind.DISAGREEMENT, ground)

    def _links(self) -> Iterable[_Joint]:
        for record in self.by_id.values():
            for other in record.linked:
                if other in self.by_id and pair_of(record.id, other) not in self.answers.merge_falls:
                    yield record.id, other, "linked by its hospital"

    def _index_ids(self) -> Iterable[_Joint]:
        if not self.index:
            return
        holders: dict[tuple[str, str], set[UUID]] = defaultdict(set)
        for record in self.by_id.values():
            for identifier in record.identifiers:
                if identifier.authority in self.index and names_a_person(identifier):
                    holders[identifier.authority, identifier.value].add(record.id)
        for (authority, _), found in holders.items():
            ordered = sorted(found)
            for place, left in enumerate(ordered if len(ordered) <= SHARED_IDENTIFIER_LIMIT else ()):
                for right in ordered[place + 1 :]:
                    if (left, right) in self.answers.different:
                        continue
                    yield left, right, f"one person for the index {authority}"
                    if contradict(self.facts[left], self.facts[right]):
                        self._ask(left, right, TieKind.INDEX, f"one person for the index {authority}; first names and birth dates differ")

    def _doubt_merges(self) -> None:
        for left, right in self.answers.different:
            if self.sets.find(left) == self.sets.find(right):
                self._ask(left, right, TieKind.DISAGREEMENT, "its hospital says that they are one; an operator says that they are two")

    # Everything weaker.

    def _shared(self) -> list[_Joint]:
        return shared_identifiers(list(self.by_id.values()), self.facts)

    def _layer(self, joints: Sequence[_Joint], tells_apart: Callable[[Sequence[UUID]], bool]) -> None:
        """Join by all the joints that hang together, or by none of them."""
        find = self.sets.find
        self._members = self.sets.groups()
        trial = _Sets({find(end) for joint in joints for end in joint[:2]})
        for left, right, _ in joints:
            trial.join(find(left), find(right))
        refused = {root for root, roots in trial.groups().items() if len(roots) > 1 and tells_apart(roots)}
        verdicts = [(joint, trial.find(find(joint[0])) in refused) for joint in joints]
        for joint, is_refused in verdicts:
            if is_refused:
                self._ask_of_the_index(joint)
        for joint, is_refused in verdicts:
            if not is_refused:
                self._join(joint)

    def _ask_of_the_index(self, joint: _Joint) -> None:
        left, right, reason = joint
        roots = sorted({self.sets.find(left), self.sets.find(right)})
        if self.index and len(roots) > 1 and self._index_tells(roots):
            self._ask(left, right, TieKind.INDEX, f"{reason}; the index gives them two ids")

    def _by_demographics(self) -> None:
        """Join by exact demographics: whole blocks without any conflict, judged all at once.

        A block with one conflict joins nobody: with two candidates there is no telling which one is meant. Blocks that would
        together join two ids of one authority are dropped together.
        """
        blocks: dict[int, list[UUID]] = defaultdict(list)
        for record in self.by_id.values():
            if record.demographic_key is not None:
                blocks[record.demographic_key].append(record.id)
        shared = [records for records in blocks.values() if 1 < len(records) <= BLOCK_RECORDS_LIMIT]
        if shared:
            self._members = self.sets.groups()
        joints: list[_Joint] = []
        for records in shared:
            found = {self.sets.find(record): record for record in sorted(records, reverse=True)}
            roots = sorted(found)
            if not 1 < len(roots) <= BLOCK_LIMIT:
                continue
            star = [(found[roots[0]], found[other], "exact name, birth date and sex; no authority gives two ids") for other in roots[1:]]
            if self._tells_namesakes(roots):
                for joint in star:
                    self._ask_of_the_index(joint)
            else:
                joints += star
        if joints:
            self._layer(joints, self._tells_namesakes)

    # What tells people apart.

    def _never(self, roots: Sequence[UUID]) -> bool:
        """Tell whether an operator said of two of these that they are two people."""
        among = set(roots)
        for left, right in self.answers.different:
            first, second = self.sets.find(left), self.sets.find(right)
            if first != second and first in among and second in among:
                return True
        return False

    def _index_tells(self, roots: Sequence[UUID]) -> bool:
        return bool(self.index) and _conflict([self._ids(root, only_index=True) for root in roots])

    def _tells(self, roots: Sequence[UUID]) -> bool:
        return _conflict([self._ids(root) for root in roots]) or self._never(roots)

    def _tells_namesakes(self, roots: Sequence[UUID]) -> bool:
        """Where all that is shared is a name and a birth date, another end of the SSN, or Jr beside Sr, tells apart; a person is asked."""
        return self._tells(roots) or _conflict([self._marks(root) for root in roots])

    def _marks(self, root: UUID) -> dict[tuple[str, str], set[str]]:
        said = [self.facts[member] for member in self._members[root]]
        ends = {end for one in said if (end := ssn4_of(one.get("ssn4")))}
        suffixes = {suffix for one in said if (suffix := suffix_of(one.get("suffix")))}
        marks = {(ANY_AUTHORITY, SOCIAL_SECURITY): ends, (ANY_AUTHORITY, _SUFFIX): suffixes}
        return {mark: values for mark, values in marks.items() if values}

    def _tells_scores(self, roots: Sequence[UUID]) -> bool:
        if len(roots) > CHAIN_LIMIT or self._tells(roots):
            return True
        among = [[self.by_id[one] for one in self._members[root]] for root in roots]
        return any(
            self.apart(one, other) for place, mine in enumerate(among) for theirs in among[place + 1 :] for one in mine for other in theirs
        )

    def _ids(self, root: UUID, *, only_index: bool = False) -> dict[tuple[str, str], set[str]]:
        values: dict[tuple[str, str], set[str]] = defaultdict(set)
        for member in self._members[root]:
            for identifier in self.by_id[member].identifiers:
                if not names_a_person(identifier) or (only_index and identifier.authority not in self.index):
                    continue
                values[self._issuer(identifier)].add(identifier.value)
        return values

    def _issuer(self, identifier: Identifier) -> tuple[str, str]:
        if identifier.authority in self.index:
            return (identifier.authority, "")
        if identifier.type == IdentifierType.MEDICAID:
            return (ANY_AUTHORITY, IdentifierType.MEDICAID.value)
        return (identifier.authority, identifier.type)


class _Facts(Mapping[UUID, Mapping[str, Any]]):
    """What is known of each record, read when it is asked for: most are never asked for."""

    def __init__(self, records: Mapping[UUID, PatientRecord]) -> None:
        self._records = records
        self._read: dict[UUID, Mapping[str, Any]] = {}

    def __getitem__(self, record: UUID) -> Mapping[str, Any]:
        if record not in self._read:
            self._read[record] = known(self._records[record].said)
        return self._read[record]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def _conflict(people: Iterable[Mapping[tuple[str, str], set[str]]]) -> bool:
    """Tell whether an authority gives any two of these different ids of one type, whatever a third has of both."""
    seen: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for ids in people:
        for issuer, values in ids.items():
            if any(values.isdisjoint(others) for others in seen[issuer]):
                return True
            seen[issuer].append(values)
    return False
