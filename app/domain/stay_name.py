"""The numbers by which a hospital names a stay, and what it says of them later: that one is retired into another, or is somebody else's.

A42 and A50 retire visit numbers, A35, A41 and A49 accounts, A51 alternate visit numbers; an A44 gives an account to another patient.
What is said of a number is kept like every other fact, the latest event winning, so that any order of arrival ends in the same
names, and a later message that contradicts an earlier one replaces it. Not here: the stays that have these names (join_stays).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.latest import Said, key_of, known, learn

StayKey = tuple[UUID, str, str]
"""(facility, authority, number)."""

_INTO = "into"
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
        """The number into which it was retired."""
        found = known(self.said).get(_INTO)
        return (self.key[0], found[0], found[1]) if found else None

    @property
    def owner(self) -> tuple[str, UUID] | None:
        """Who it was given to: the sort key of the event, and the patient record."""
        found = known(self.said).get(_OWNER)
        return (key_of(self.said, _OWNER), UUID(found)) if found else None

    def retired(self, sort_key: str, into: StayKey) -> "StayName":
        """Learn that it was retired."""
        return StayName(self.key, learn(self.said, sort_key, {_INTO: [into[1], into[2]]}))

    def given(self, sort_key: str, record_id: UUID) -> "StayName":
        """Learn that it was given to another patient."""
        return StayName(self.key, learn(self.said, sort_key, {_OWNER: str(record_id)}))


class Names:
    """What is known of the numbers at hand: which of them are one stay, and under which the stay goes on."""

    def __init__(self, names: Mapping[StayKey, StayName]) -> None:
        """Follow every number to the one that stands."""
        self._names = names
        self._roots: dict[StayKey, StayKey] = {}
        self._members: dict[StayKey, set[StayKey]] = defaultdict(set)
        nodes = {*names, *(into for name in names.values() if (into := name.into) is not None)}
        for key in sorted(nodes):
            root = self._follow(key)
            self._roots[key] = root
            self._members[root].add(key)

    def _follow(self, key: StayKey) -> StayKey:
        """Follow to the end. Where numbers were retired into each other in a circle, the oldest of these messages does not count."""
        path: list[StayKey] = []
        while key not in path:
            path.append(key)
            name = self._names.get(key)
            into = name.into if name is not None else None
            if into is None or into == key:
                return key
            key = into
        return min(path[path.index(key) :], key=lambda one: (key_of(self._names[one].said, _INTO), one))

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
