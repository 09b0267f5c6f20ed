"""The scored comparison as identity uses it: how a record is found, how common what it says is, and how alike two of them are.

Not here: the comparison itself (comparison), what it does to who is one person (matching).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from app.domain.blocking import blocking_keys
from app.domain.comparison import HOUSEHOLD, SHARED_BY, Comparison, Level, Rarity, RarityKind, Unshared, compare
from app.domain.comparison_weights import Field, Guard, Outcome, Weights
from app.domain.event_order import occurred_instant
from app.domain.features import Features, Vocabulary, features
from app.domain.latest import known
from app.domain.number_reuse import is_another_person
from app.domain.person import TEST_MARK, PatientRecord, RecordClaim
from app.domain.tie import Pair, Tie, TieKind, TieLevel

SCORED_BY: Final = (
    "first_name", "middle_name", "last_name", "birth_date", "sex", "phone", "phone2", "address", "city", "zip",
    "suffix", "ssn", "ssn4", "former_last_name", "birth_order", "died_at", "deceased",
)  # fmt: skip
"""The facts that `features` reads: when one changes, the record is compared anew."""

BLOCK_RECORDS_MAX: Final = 50
"""Our policy: a key that more records have finds nobody (a placeholder that no list knows, a very common name of one birth date)."""
HOLDERS_MAX: Final = 40
"""Records of one phone or address that are looked at to count their people: more than are needed to call it a shelter's."""

_TELLING: Final = frozenset({Outcome.TYPO, Outcome.SIMILAR, Outcome.NICKNAME, Outcome.PART, Outcome.SWAPPED})
_SOFT: Final = frozenset({Guard.THIN})


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """By what a record is found, and what of it several people may share."""

    keys: frozenset[int]
    shared: Mapping[int, tuple[RarityKind, str]] = field(default_factory=dict)
    who: int = 0
    """Hash of first name and birth date: records with one are counted as one person."""


@dataclass(slots=True)
class Holders:
    """A rarity that was counted beforehand."""

    counts: dict[tuple[RarityKind, str], int] = field(default_factory=dict)

    def holders(self, kind: RarityKind, value: str) -> int:
        """Give how many people have it."""
        return self.counts.get((kind, value), 0)


@dataclass(frozen=True, slots=True)
class Scorer:
    """One version of the weights, with the words."""

    weights: Weights
    vocabulary: Vocabulary

    def features(self, record: PatientRecord) -> Features:
        """Read what can be compared of a record: nothing of a test patient's, who must never be taken for a live one."""
        if record.own.authority.startswith(TEST_MARK):
            return features({}, (), self.vocabulary)
        return features(known(record.said), record.identifiers, self.vocabulary)

    def entry(self, record_id: UUID, said: Features) -> BlockEntry:
        """Say how a record is found."""
        shared = {shared_key(kind, value): (kind, value) for kind, value in shareable(said)}
        who = f"{said.first}|{said.birth_digits}" if said.first or said.birth_digits else record_id.hex
        return BlockEntry(blocking_keys(said), shared, _hash64(who))

    def compare(self, left: Features, right: Features, rarity: Rarity) -> Comparison:
        """Compare two records."""
        return compare(left, right, self.weights, rarity)

    def is_certain(self, left: PatientRecord, right: PatientRecord) -> bool:
        """Tell whether two records may still be one person by their score alone."""
        return self.compare(self.features(left), self.features(right), Unshared()).level is Level.CERTAIN

    def is_another_person(self, record: PatientRecord, claim: RecordClaim) -> bool:
        """Tell whether a claim about a known record is plainly about somebody else, whom no other number shows to be the same."""
        born = claim.facts.get("birth_date")
        if born is None or not record.said or record.own.authority.startswith(TEST_MARK):
            return False
        before = known(record.said)
        if before.get("birth_date") in (None, born):
            return False
        # The record's own number is what is in question.
        mine = features(before, record.identifiers - {record.own}, self.vocabulary)
        theirs = features(claim.facts, set(claim.identifiers) - {record.own}, self.vocabulary)
        return is_another_person(mine, theirs, occurred_instant(claim.sort_key).date(), self.weights)

    def holds_apart(self, left: PatientRecord, right: PatientRecord) -> bool:
        """Tell whether a guard, or everything together, speaks against two records that a chain of scores would make one person.

        A first name that differs by a letter may be a twin's; within a person who has both spellings already it is none.
        """
        compared = self.compare(self.features(left), self.features(right), Unshared())
        if compared.weight < 0:
            return True
        guards = {ground.outcome for ground in compared.grounds if ground.field is Field.GUARD} - _SOFT
        if Guard.TWINS in guards and any(g.field is Field.FIRST_NAME and g.outcome in _TELLING for g in compared.grounds):
            guards.discard(Guard.TWINS)
        return bool(guards)


def shareable(said: Features) -> list[tuple[RarityKind, str]]:
    """Give what several people may have in common."""
    found = [(RarityKind.PHONE, number) for number in sorted(said.phones)]
    if said.address_key:
        found.append((RarityKind.ADDRESS, said.address_key))
    return found


def shared_key(kind: RarityKind, value: str) -> int:
    """Give the key under which who shares it is counted."""
    return _hash64(f"shared|{kind}|{value}")


def weighs_otherwise(people: int, added: int, removed: int) -> bool:
    """Tell whether agreement on something may weigh otherwise than before its holders changed: then those who have it are compared anew."""
    return max(people, people + removed) > HOUSEHOLD and people - added <= SHARED_BY


def crosses(records: int, added: int, removed: int) -> bool:
    """Tell whether a key finds somebody now and did not before, or the reverse."""
    return (records <= BLOCK_RECORDS_MAX) != (records - added + removed <= BLOCK_RECORDS_MAX)


def scored_tie(pair: Pair, compared: Comparison, weights_version: str) -> Tie:
    """Make a tie of a comparison. The grounds name fields and outcomes, never a value."""
    grounds: tuple[dict[str, Any], ...] = tuple(
        {"field": ground.field.value, "outcome": ground.outcome.value, "weight": round(ground.weight, 2), "text": ground.text}
        for ground in compared.grounds
        if ground.outcome is not Outcome.MISSING
    )
    return Tie(*pair, TieKind.SCORE, TieLevel(compared.level.value), round(compared.weight, 3), grounds, weights_version)


def pairs_of(holders: Iterable[Iterable[UUID]], wanted: frozenset[UUID]) -> set[Pair]:
    """Give the pairs that share a key and of which at least one is wanted."""
    pairs: set[Pair] = set()
    for found in holders:
        ordered = sorted(found)
        for place, left in enumerate(ordered):
            for right in ordered[place + 1 :]:
                if left in wanted or right in wanted:
                    pairs.add((left, right))
    return pairs


def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
