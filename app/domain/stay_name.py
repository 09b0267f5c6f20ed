"""The numbers by which a hospital names a stay, and what it says of them later: that one is retired into another, or is somebody else's.

A42 merges visits, A35 and A41 accounts. A50, A51 and A49 give a visit or an account another number: it is the same one, so what is said of
either number is said of it, and no merge is taken back. An A44 gives an account to another patient. What is said of a number is kept like
every other fact, the latest event of its kind winning, so that any order of arrival ends in the same names. Not here: the stays that have
these names (join_stays).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.latest import Said, key_of, known, learn

StayKey = tuple[UUID, str, str]
"""(facility, authority, number)."""

_INTO = "into"
_NOW = "now"
_OWNER = "owner"


def key_at(facility_id: UUID, number: Identifier) -> StayKey:
    """Give a number's key at a facility. Its type is left out: senders write one number into PV1-19 and PID-18 alike."""
    return facility_id, number.authority, number.value


@dataclass(frozen=True, slots=True)
class StayName:
    """What was said of one number."""

    key: StayKey
    said: Said = field(default_factory=dict)

    @property
    def into(self) -> StayKey | None:
        """The number into which it was merged."""
        return self.other(_INTO)

    @property
    def now(self) -> StayKey | None:
        """The number that it was changed to."""
        return self.other(_NOW)

    def other(self, fact: str) -> StayKey | None:
        """Give the number that a fact names."""
        found = known(self.said).get(fact)
        return (self.key[0], found[0], found[1]) if found else None

    @property
    def owner(self) -> tuple[str, UUID] | None:
        """Who it was given to: the sort key of the event, and the patient record."""
        found = known(self.said).get(_OWNER)
        return (key_of(self.said, _OWNER), UUID(found)) if found else None

    def retired(self, sort_key: str, into: StayKey) -> "StayName":
        """Learn that it was merged into another."""
        return StayName(self.key, learn(self.said, sort_key, {_INTO: [into[1], into[2]]}))

    def renamed(self, sort_key: str, now: StayKey) -> "StayName":
        """Learn that it was changed to another."""
        return StayName(self.key, learn(self.said, sort_key, {_NOW: [now[1], now[2]]}))

    def given(self, sort_key: str, record_id: UUID) -> "StayName":
        """Learn that it was given to another patient."""
        return StayName(self.key, learn(self.said, sort_key, {_OWNER: str(record_id)}))


class _Word(NamedTuple):
    """When something was said of a number, or of a stay by one of its numbers, and which other it goes on as; in the order of time."""

    sort_key: str
    number: StayKey
    other: StayKey


class Names:
    """What is known of the numbers at hand: which of them are one stay, and under which the stay goes on."""

    def __init__(self, names: Mapping[StayKey, StayName]) -> None:
        """Follow every number to the one that stands."""
        self._names = names
        renamed = _words(names, _NOW)
        merged = _words(names, _INTO)
        numbers = {*names, *(word.other for word in (*renamed.values(), *merged.values()))}
        stays = {number: _end(number, renamed) for number in numbers}
        now, going = dict(renamed), dict[StayKey, _Word]()
        for number, word in merged.items():
            if stays[number] == stays[word.other]:
                # Merged into what is its own other number: that says no more than which of them stands.
                now[number] = max(word, now.get(number, word))
            else:
                stay = stays[number]
                going[stay] = max(word._replace(other=stays[word.other]), going.get(stay, word))
        last: dict[StayKey, _Word] = {}
        for number, word in now.items():
            last[stays[number]] = max(word, last.get(stays[number], word))
        stands = {stay: _end(word.number, now) for stay, word in last.items()}
        self._roots: dict[StayKey, StayKey] = {}
        self._members: dict[StayKey, set[StayKey]] = defaultdict(set)
        for number in sorted(numbers):
            stay = _end(stays[number], going)
            self._roots[number] = root = stands.get(stay, stay)
            self._members[root].add(number)

    def root(self, key: StayKey) -> StayKey:
        """Give the number that stands for this one."""
        return self._roots.get(key, key)

    def members(self, key: StayKey) -> set[StayKey]:
        """Give every number that is one with this one, itself included."""
        return self._members.get(self.root(key), set()) | {key}

    def is_said_of(self, key: StayKey) -> bool:
        """Tell whether anything was ever said of this number."""
        return key in self._roots

    def owner(self, keys: Iterable[StayKey]) -> tuple[str, UUID] | None:
        """Give to whom any of these numbers was given last, with the sort key of that event."""
        owners = [name.owner for key in keys for member in self.members(key) if (name := self._names.get(member)) is not None]
        return max((owner for owner in owners if owner is not None), default=None)


def _words(names: Mapping[StayKey, StayName], fact: str) -> dict[StayKey, _Word]:
    others = {key: other for key, name in names.items() if (other := name.other(fact)) is not None and other != key}
    return {key: _Word(key_of(names[key].said, fact), key, other) for key, other in others.items()}


def _end(number: StayKey, words: Mapping[StayKey, _Word]) -> StayKey:
    """Follow to the end. Where numbers go on as each other in a circle, the oldest of these messages does not count."""
    path: list[StayKey] = []
    while number not in path:
        path.append(number)
        if number not in words:
            return number
        number = words[number].other
    return min(path[path.index(number) :], key=words.__getitem__)
