"""A position in the order of commits: which transactions were over when somebody looked. What is not in it is new, however late it commits.

Instants cannot say that: a change carries the time at which its transaction worked and is seen when it commits, and one that began later
may be seen before. The numbers are PostgreSQL's (`pg_current_snapshot`). Not here: asking for one (store/commits).
"""

import re
from dataclasses import dataclass
from typing import Final

_SNAPSHOT: Final = re.compile(r"([0-9]{1,19}):([0-9]{1,19}):([0-9]{1,19}(?:,[0-9]{1,19})*)?")
_XID_MAX: Final = 2**63 - 1
_NONE: Final = "is no position in the order of commits"
_SPELLED_MAX: Final = 240
"""Characters; a cursor has room for that and a sort key."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of commits."""

    lowest: int
    """Every transaction below it was over."""
    next: int
    """The first that had not begun."""
    running: tuple[int, ...] = ()
    """Those between the two that were not over."""

    @staticmethod
    def of_snapshot(text: str) -> "Position":
        """Read the words of the database: `lowest:next:running,…`.

        With more running than a cursor has room for, it is the place where the oldest of them began; what came after that is told later.
        """
        found = _read(text)
        return found if len(found.spelled()) <= _SPELLED_MAX else Position(found.lowest, found.lowest)

    @staticmethod
    def read(spelled: object) -> "Position":
        """Read a place as it was spelled. ValueError for what none is."""
        if not isinstance(spelled, str):
            raise ValueError(_NONE)  # noqa: TRY004 - whoever reads cursors waits for this one
        said = _read(spelled)
        place = Position(said.lowest, said.lowest + said.next, tuple(said.lowest + offset for offset in said.running))
        if max(place.next, *place.running, 0) > _XID_MAX:
            raise ValueError(_NONE)
        return place

    def spelled(self) -> str:
        """Give it as text, with all but the first number as distances from that."""
        return f"{self.lowest}:{self.next - self.lowest}:{','.join(str(one - self.lowest) for one in self.running)}"


@dataclass(frozen=True, slots=True)
class Between:
    """What was committed after one place and by another."""

    after: Position
    until: Position


def _read(text: str) -> Position:
    found = _SNAPSHOT.fullmatch(text)
    if found is None:
        raise ValueError(_NONE)
    return Position(int(found[1]), int(found[2]), tuple(int(one) for one in (found[3] or "").split(",") if one))
