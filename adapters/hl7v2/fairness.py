"""Who may go next, without I/O or a clock: turns of the event loop shared among connections, and an allowance for strangers.

A flood costs the others as much as one turn of it: a turn begins a bounded number of frames, and those who want more stand in a line
that is served round and round. Who has shown that the application takes what it sends is bounded by the turns alone; who has not
spends of an allowance that all strangers share, and gets back what turned out to be welcome. Not here: calling anybody (`listener`).
"""

from collections import deque
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

LARGE_CHUNK_BYTES: Final = 65_536
"""Whoever sends so much at once is read again when the others had their turn; the loop's own reads stop at 262,144."""
SMALL_CHUNK_BYTES: Final = 64
SMALL_CHUNKS_MAX: Final = 16
"""Of one frame; a sender may write its start byte, each segment and its end bytes by themselves. After that it is a drip."""
DRIP_EVERY_S: Final = 0.005
"""A drip is read so often at most, and what came in between at once: a byte by itself costs as much as a whole message."""
DISCARD_EVERY_S: Final = 0.01
"""A connection that is only read to its end is read so often at most: no more than 26 MB/s of what nobody wants."""

Who = TypeVar("Who", bound=Hashable)


class Rounds(Generic[Who]):
    """What one turn may begin, `size` in all: at once while nobody waits, else in the order of the line, in equal shares."""

    def __init__(self, size: int) -> None:
        """Begin with a turn of which nothing is used."""
        self.size = size
        self._left = size
        self._line: dict[Who, None] = {}
        self._granted: dict[Who, int] = {}

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing of the turn is used and nobody waits: no next turn is needed."""
        return self._left == self.size and not self._line and not self._granted

    def take(self, who: Who) -> bool:
        """Begin one now; False puts it into the line, and `turn` will name it."""
        granted = self._granted.get(who, 0)
        if granted:
            self._granted[who] = granted - 1
            return True
        if self._left and not self._line:
            self._left -= 1
            return True
        self._line[who] = None
        return False

    def turn(self) -> list[Who]:
        """Begin the next turn and give whose it is; each has its share until the turn after it."""
        self._granted.clear()
        served = [who for who, _ in zip(self._line, range(self.size), strict=False)]
        for who in served:
            del self._line[who]
        share = self.size // len(served) if served else 0
        self._granted.update(dict.fromkeys(served, share))
        self._left = self.size - share * len(served)
        return served

    def leave(self, who: Who) -> None:
        """Forget who has gone."""
        self._line.pop(who, None)
        self._granted.pop(who, None)


class Pace:
    """How soon one connection is read again: None is at once, 0 when the others had their turn, else seconds."""

    def __init__(self) -> None:
        """Begin with a peer of which nothing is known."""
        self._small_chunks = 0

    def after(self, size: int, *, is_fruitful: bool) -> float | None:
        """Say it after a chunk, which completed something or not."""
        if is_fruitful or size > SMALL_CHUNK_BYTES:
            self._small_chunks = 0
            return 0.0 if size >= LARGE_CHUNK_BYTES else None
        self._small_chunks += 1
        return DRIP_EVERY_S if self._small_chunks > SMALL_CHUNKS_MAX else None

    def discarding(self, size: int) -> float | None:
        """Say it after a chunk that nobody wants."""
        return DISCARD_EVERY_S if size >= LARGE_CHUNK_BYTES else None


class Allowance:
    """So many at once, and so many a second after that. Time is handed in and never goes back."""

    def __init__(self, burst: int, per_s: float) -> None:
        """Begin with everything."""
        self._burst, self._per_s = burst, per_s
        self._left = float(burst)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one, if there is one."""
        self._refill(now_s)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Return one that was not needed."""
        self._left = min(float(self._burst), self._left + 1)

    def wait_s(self, now_s: float) -> float:
        """Give in how long there is one."""
        self._refill(now_s)
        return max(0.0, (1 - self._left) / self._per_s)

    def _refill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._left = min(float(self._burst), self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s


class Doorstep(Generic[Who]):
    """Where strangers wait for the allowance: hosts take turns, and so do the connections of one host."""

    def __init__(self, allowance: Allowance) -> None:
        """Nobody waits."""
        self._allowance = allowance
        self._hosts: dict[str, deque[Who]] = {}
        self._waiting: dict[Who, str] = {}
        self._admitted: set[Who] = set()

    def admit(self, who: Who, host: str, now_s: float) -> bool:
        """Let one frame of a stranger in; False puts the stranger into the line of its host, and `next` will name it."""
        if who in self._admitted:
            self._admitted.remove(who)
            return True
        if not self._waiting and self._allowance.take(now_s):
            return True
        if who not in self._waiting:
            self._waiting[who] = host
            self._hosts.setdefault(host, deque()).append(who)
        return False

    def next(self, now_s: float) -> list[Who]:
        """Give whom the allowance lets in by now."""
        admitted: list[Who] = []
        while self._waiting and self._allowance.take(now_s):
            host, line = next(iter(self._hosts.items()))
            del self._hosts[host]
            who = line.popleft()
            if line:
                self._hosts[host] = line
            del self._waiting[who]
            self._admitted.add(who)
            admitted.append(who)
        return admitted

    def wait_s(self, now_s: float) -> float | None:
        """Give in how long `next` has somebody; None while nobody waits."""
        return self._allowance.wait_s(now_s) if self._waiting else None

    def welcome(self) -> None:
        """Give back what was taken for a frame that turned out to be welcome."""
        self._allowance.give_back()

    def leave(self, who: Who) -> None:
        """Forget who has gone."""
        self._admitted.discard(who)
        host = self._waiting.pop(who, None)
        if host is not None:
            line = self._hosts[host]
            line.remove(who)
            if not line:
                del self._hosts[host]
