"""What a batch of claims changes about records, and what has to be looked at to say whose they are. Lives for one call.

Not here: the statements that load and save it (actions/identify), the rules by which records are divided (matching).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.identity_lock import identity_locks
from app.domain.latest import known, learn
from app.domain.matching import Division, Group, divide
from app.domain.person import (
    LEFT,
    LINK,
    RENAMED_TO,
    RETIRED_INTO,
    OwnKey,
    PatientRecord,
    RecordClaim,
    Resolved,
    demographic_key,
    linked_in,
    named_in,
)
from app.domain.person_ids import bear
from app.domain.scoring import SCORED_BY, Scorer
from app.domain.shared_identifier import match_keys, stored_identifiers
from app.domain.tie import Tie, TieLevel

_DEMOGRAPHICS = ("first_name", "last_name", "birth_date", "sex", "ssn4", "suffix")
_NAMING = frozenset({RETIRED_INTO, RENAMED_TO})
_NOBODY = UUID(int=0)
_REFUSED = Resolved(_NOBODY, _NOBODY, (), is_refused=True)


class IdentityMovedError(Exception):
    """Another transaction changed what we had read while we waited for its lock. Roll back and do the batch again."""


@dataclass(slots=True)
class Frontier:
    """By what records are looked for: how their source names them, identifiers, demographics and people.

    Not by merges: a record and the one it was retired into are looked up by name, or are one person already. A merge that is held
    for review names its survivor in `records`.
    """

    own: set[OwnKey] = field(default_factory=set)
    identifiers: set[tuple[str, str]] = field(default_factory=set)
    demographic_keys: set[int] = field(default_factory=set)
    people: set[UUID] = field(default_factory=set)
    records: set[UUID] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Nothing left to look for."""
        return not (self.own or self.identifiers or self.demographic_keys or self.people or self.records)

    def without(self, other: "Frontier") -> "Frontier":
        """Give what the other has not asked for yet."""
        return Frontier(
            self.own - other.own,
            self.identifiers - other.identifiers,
            self.demographic_keys - other.demographic_keys,
            self.people - other.people,
            self.records - other.records,
        )

    def add(self, other: "Frontier") -> None:
        """Take in what the other asks for."""
        self.own |= other.own
        self.identifiers |= other.identifiers
        self.demographic_keys |= other.demographic_keys
        self.people |= other.people
        self.records |= other.records


class IdentityPlan:
    """The records in play and what the claims change about them."""

    def __init__(
        self,
        claims: Sequence[RecordClaim],
        known_records: Mapping[OwnKey, PatientRecord],
        new_id: Callable[[], UUID],
        is_another: Callable[[PatientRecord, RecordClaim], bool] = lambda _record, _claim: False,
    ) -> None:
        """Take the claims, given the records of theirs that are stored. `is_another` tells whom a doubted claim is not about."""
        self._new_id = new_id
        self._claims = claims
        self.records: dict[UUID, PatientRecord] = {}
        self._by_own: dict[OwnKey, PatientRecord] = {}
        self.new: set[UUID] = set()
        self.changed: set[UUID] = set()
        self.identity_changed: set[UUID] = set()
        self.scored_changed: set[UUID] = set()
        """Of whom something is said that a score depends on: they are compared again soon."""
        self._former_keys: set[int] = set()
        """Demographics that a record no longer has: without it, those who are left may have become one person."""
        self.added: list[tuple[Identifier, UUID]] = []
        self.new_people: list[UUID] = []
        self.revived: list[UUID] = []
        """People that were merged into others and are somebody again."""
        self.reasons: dict[UUID, tuple[str, ...]] = {}
        self.stored_people: dict[UUID, UUID] = {}
        """Record -> person as we read it."""
        self.revisions: dict[UUID, int] = {}
        """The version of each stored record as we read it, for the check after the locks."""
        self._neighbours: set[UUID] = set()
        self._seen: set[UUID] = set()
        self._names: dict[UUID, set[tuple[str, str]]] = {}
        self.ties: dict[UUID, Tie] = {}
        self.division: Division | None = None
        for own, record in known_records.items():
            self._by_own[own] = record
            self._know(record)
        self._refused: set[int] = set()
        """Places of claims of which nothing is learned."""
        start = 0
        for _, parts in groupby(claims, _part_of):
            together = list(parts)
            # Half of a message done (one patient of an A17) would be seen by nobody: it waits whole, and nothing is learned of any part.
            if any(claim.is_doubted and self._is_of_another(claim, is_another) for claim in together):
                self._refused.update(range(start, start + len(together)))
            else:
                for claim in together:
                    self._take(claim)
            start += len(together)

    def _is_of_another(self, claim: RecordClaim, is_another: Callable[[PatientRecord, RecordClaim], bool]) -> bool:
        about = self._by_own.get((claim.source, claim.own))
        if claim.is_under_mothers_number:
            # Once somebody has said that the record is the newborn's, it is.
            born = claim.facts.get("birth_date")
            return born is None or about is None or known(about.said).get("birth_date") != born
        return about is not None and is_another(about, claim)

    @classmethod
    def again(cls, records: Iterable[PatientRecord], new_id: Callable[[], UUID]) -> "IdentityPlan":
        """Plan to look at stored records once more, without any claim."""
        plan = cls((), {(record.source, record.own): record for record in records}, new_id)
        plan.identity_changed = set(plan.records)
        return plan

    @property
    def needs_matching(self) -> bool:
        """Whether anything changed by which records are matched."""
        return bool(self.identity_changed)

    @property
    def leaving(self) -> int:
        """How many stored records may have left the demographics by which others are looked for."""
        return len(self.changed - self.new) if self._former_keys else 0

    def _know(self, record: PatientRecord) -> None:
        self.records[record.id] = record
        self.stored_people[record.id] = record.person_id
        self.revisions[record.id] = record.revision

    def _record_named(self, source: str, own: Identifier) -> PatientRecord:
        record = self._by_own.get((source, own))
        if record is None:
            record = PatientRecord(self._new_id(), source, own, _NOBODY, frozenset(), {}, None)
            self._by_own[(source, own)] = record
            self.records[record.id] = record
            self.new.add(record.id)
            self.identity_changed.add(record.id)
            self.scored_changed.add(record.id)
        return record

    def _take(self, claim: RecordClaim) -> None:
        record = self._record_named(claim.source, claim.own)
        self._add_identifiers(record, claim.identifiers)
        self._learn(record, claim.sort_key, claim.facts)
        for retired in claim.retires:
            # The latest merge counts, like any other fact: two merges of one record may arrive in either order.
            self._goes_on(claim, self._counterpart(claim.source, retired, record), record, RETIRED_INTO)
        for former in claim.formerly:
            self._goes_on(claim, self._counterpart(claim.source, former, record), record, RENAMED_TO)
        if claim.belongs_to is not None:
            # A move is told of the child alone: it leaves whatever it was merged into, and is at home here.
            self._goes_on(claim, record, self._counterpart(claim.source, claim.belongs_to, record), RETIRED_INTO)
        for other in claim.links:
            self._link(claim, record, self._counterpart(claim.source, other, record), holds=True)
        for other in claim.parts_from:
            left = self._counterpart(claim.source, other, record)
            self._link(claim, record, left, holds=False)
            if claim.belongs_to is not None:
                self._learn(record, claim.sort_key, {f"{LEFT}{left.id}": True})

    def _counterpart(self, source: str, own: Identifier, record: PatientRecord) -> PatientRecord:
        other = self._record_named(source, own)
        self._add_identifiers(other, (own,))
        self.identity_changed.update((record.id, other.id))
        return other

    def _goes_on(self, claim: RecordClaim, one: PatientRecord, other: PatientRecord, fact: str) -> None:
        if one.id != other.id:
            self._learn(one, claim.sort_key, {fact: str(other.id)})

    def _link(self, claim: RecordClaim, record: PatientRecord, other: PatientRecord, *, holds: bool) -> None:
        """Note on the one of the two that is named first that they are linked, or are not any more: the latest message counts."""
        if record.id != other.id:
            first, second = (record, other) if record.own <= other.own else (other, record)
            self._learn(first, claim.sort_key, {f"{LINK}{second.id}": True if holds else None})

    def _learn(self, record: PatientRecord, key: str, facts: Mapping[str, Any]) -> None:
        if not record.said and facts and record.id in self.new:
            self._learn_first(record, key, facts)
            return
        before_said, said = record.said, learn(record.said, key, facts)
        if said == before_said:
            return
        record.said = said
        self.changed.add(record.id)
        before: Mapping[str, Any] = known(before_said) if before_said else {}
        after = known(said)
        if record.id not in self.scored_changed and any(before.get(name) != after.get(name) for name in SCORED_BY):
            self.scored_changed.add(record.id)
        is_renamed = any(before.get(name) != after.get(name) for name in _DEMOGRAPHICS)
        if is_renamed:
            if record.demographic_key is not None:
                self._former_keys.add(record.demographic_key)
            record.demographic_key = demographic_key(after)
        before_others = (record.retired_into, record.renamed_to, record.linked)
        _read_others(record, facts)
        if is_renamed or (record.retired_into, record.renamed_to, record.linked) != before_others:
            self.identity_changed.add(record.id)

    def _learn_first(self, record: PatientRecord, key: str, facts: Mapping[str, Any]) -> None:
        """Learn what is said of a new record of which nothing is known: it is compared and matched anyway."""
        record.said = {key: dict(facts)}
        self.changed.add(record.id)
        record.demographic_key = demographic_key(facts)
        _read_others(record, facts)

    def _add_identifiers(self, record: PatientRecord, identifiers: Iterable[Identifier]) -> None:
        missing = stored_identifiers(identifiers) - record.identifiers
        if missing:
            record.identifiers |= missing
            self.changed.add(record.id)
            self.added.extend((identifier, record.id) for identifier in (sorted(missing) if len(missing) > 1 else missing))
            self.identity_changed.add(record.id)
            self.scored_changed.add(record.id)

    def lock_keys(self) -> set[int]:
        """Hash everything by which the changed records could meet others."""
        keys = set(self._former_keys)
        for record_id in self.identity_changed:
            record = self.records[record_id]
            names = self._names[record_id] = match_keys(record.identifiers)
            keys.update(identity_locks(record.source, record.own, names, record.demographic_key))
        return keys

    def frontier(self) -> Frontier:
        """Give by what those in play that were not asked about before could meet other records."""
        found = Frontier(demographic_keys=set() if self._seen else set(self._former_keys))
        for record_id in self._in_play() - self._seen:
            record = self.records[record_id]
            found.identifiers.update(self._names[record_id] if record_id in self._names else match_keys(record.identifiers))
            if record.demographic_key is not None:
                found.demographic_keys.add(record.demographic_key)
            if record_id in self.new:
                found.own.add((record.source, record.own))
            else:
                found.people.add(record.person_id)
            found.records.update(other for other in record.others if other not in self.records)
        self._seen |= self._in_play()
        return found

    def _in_play(self) -> set[UUID]:
        return self.identity_changed | self._neighbours

    def in_play(self) -> list[UUID]:
        """Give the records that are divided, in their order."""
        return sorted(self._in_play(), key=_number)

    def meet(self, found: Sequence[PatientRecord]) -> list[UUID]:
        """Add neighbours; give those that are new to the plan. Raises `IdentityMovedError` when one is there that we were to make."""
        for record in found:
            if record.id not in self.records:
                if (record.source, record.own) in self._by_own:
                    raise IdentityMovedError
                self._by_own[(record.source, record.own)] = record
                self._know(record)
        fresh = {record.id for record in found} - self._neighbours
        self._neighbours |= fresh
        return sorted(fresh)

    def tied(self, ties: Iterable[Tie]) -> Frontier:
        """Take in the ties of records in play; give whom they lead to who is not here yet."""
        led = Frontier()
        for tie in ties:
            if tie.id is not None:
                self.ties[tie.id] = tie
            if tie.binds:
                led.records.update(end for end in tie.pair if end not in self._in_play())
        return led

    def divide(self, index: frozenset[str], scorer: Scorer) -> dict[UUID, UUID]:
        """Divide everything in play into people; give record -> person for stored records that change theirs."""
        in_play = [self.records[record_id] for record_id in self.in_play()]
        self._rescore(scorer)
        self.division = divide(in_play, self.ties.values(), index=index, apart=scorer.holds_apart)
        return self._assign(in_play, self.division.groups)

    def _assign(self, in_play: Sequence[PatientRecord], groups: Sequence[Group]) -> dict[UUID, UUID]:
        before = {record.id: record.person_id for record in in_play if record.id not in self.new}
        founders = {record.id: record.founded for record in in_play if record.founded is not None}
        borne = bear(groups, before, founders, iter(self._new_id, None))
        held = set(self.stored_people.values())
        used = set(borne.people.values()) - held
        self.new_people = sorted(used.intersection(borne.founded.values()))
        self.revived = sorted(used.difference(borne.founded.values()))
        for record_id, person in borne.founded.items():
            self.records[record_id].founded = person
            self.changed.add(record_id)
        for group in groups:
            if len(group.records) > 1 or group.records[0] not in self.new:
                for record_id in group.records:
                    self.reasons[record_id] = group.reasons
        moved = {}
        for record in in_play:
            person = borne.people[record.id]
            if record.id not in self.new and record.person_id != person:
                moved[record.id] = person
                self.changed.add(record.id)
            record.person_id = person
        return moved

    def _rescore(self, scorer: Scorer) -> None:
        """Believe no score of a record that says something else by now; whether it is alike another way is found out soon."""
        for number, tie in self.ties.items():
            if tie.level is not TieLevel.CERTAIN or self.scored_changed.isdisjoint(tie.pair):
                continue
            left, right = (self.records.get(end) for end in tie.pair)
            if left is None or right is None or not scorer.is_certain(left, right):
                self.ties[number] = replace(tie, level=TieLevel.NO)

    def to_compare(self, moved: Iterable[UUID]) -> dict[UUID, bool]:
        """Give whom to compare with others soon, and whether their people are to be divided again then, whatever comes of it.

        Who moved is among them: those who were one person need no score, and may need one now.
        """
        wanted = dict.fromkeys(self.scored_changed, False)
        wanted.update(dict.fromkeys(moved, True))
        if self._claims and self.division is not None and (self.ties or self.division.questions):
            asked = {end for question in self.division.questions for end in question.pair} | self.identity_changed
            wanted.update(dict.fromkeys(asked, True))
        return wanted

    def resolved(self, moved: Mapping[UUID, UUID]) -> list[Resolved]:
        """Give what each claim turned out to be."""
        touched: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for record_id, person in moved.items():
            touched[person].update((person, self.stored_people[record_id]))
        results = []
        for place, claim in enumerate(self._claims):
            if place in self._refused:
                results.append(_REFUSED)
                continue
            record = self._by_own[(claim.source, claim.own)]
            reasons = self.reasons.get(record.id, ())
            others = frozenset(touched.get(record.person_id, ()))
            results.append(Resolved(record.id, record.person_id, reasons, others))
        return results


def _read_others(record: PatientRecord, learned: Iterable[str]) -> None:
    """Read which other records are named in what is known of a record, where that was learned."""
    if any(name.startswith(LINK) or name in _NAMING for name in learned):
        after = known(record.said)
        record.retired_into, record.renamed_to = named_in(after, RETIRED_INTO), named_in(after, RENAMED_TO)
        record.linked = linked_in(after)


def _part_of(claim: RecordClaim) -> object:
    """Tell the message of a claim; a claim of none is alone."""
    return claim.part_of if claim.part_of is not None else object()


def _number(record: UUID) -> int:
    """Order by the number itself: comparing UUIDs asks each of them for it, thirty times as dear."""
    return record.int
