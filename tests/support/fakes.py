"""Stand-ins for what is injected: a clock that stands until it is moved, and ids that repeat. See app/ports.py for the originals."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID


class FakeClock:
    """Stands at an instant until a test moves it."""

    def __init__(self, at: datetime = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)) -> None:
        """Start at a Monday forenoon in Maine, away from any change of the clocks."""
        self._at = at

    def now(self) -> datetime:
        """Give the instant."""
        return self._at

    def advance(self, **by: float) -> datetime:
        """Move on, for example `advance(hours=3)`; give the new instant."""
        self._at += timedelta(**by)
        return self._at

    def set(self, at: datetime) -> None:
        """Move to an instant, also backwards."""
        self._at = at


class FakeIds:
    """Ids in a fixed series, time-ordered like the real ones (UUID version 7 layout), and "random" values that repeat."""

    def __init__(self, seed: int = 0) -> None:
        """Start a series; two seeds never give the same id."""
        self._seed = seed
        self._given = 0

    def new(self) -> UUID:
        """Give the next id."""
        self._given += 1
        # 48 bits of "time", version 7, 12 bits, variant, 62 bits: all counters.
        return UUID(int=(self._given << 80) | (0x7 << 76) | (0b10 << 62) | (self._seed & ((1 << 62) - 1)))

    def fraction(self) -> float:
        """Give the next fraction of a fixed series in [0, 1)."""
        return int.from_bytes(self._digest()[:6]) / (1 << 48)

    def secret(self, octets: int) -> bytes:
        """Give the next octets of a fixed series."""
        return b"".join(self._digest() for _ in range(octets // 32 + 1))[:octets]

    def _digest(self) -> bytes:
        self._given += 1
        return hashlib.sha256(f"{self._seed}/{self._given}".encode()).digest()


class ClockedIds(FakeIds):
    """Ids that are made when the fake clock says, like the real ones: for what reads the time off an id."""

    def __init__(self, clock: FakeClock, seed: int = 0) -> None:
        """Read the clock for every id."""
        super().__init__(seed)
        self._clock = clock
        self._made = 0

    def new(self) -> UUID:
        """Give the next id of this instant."""
        self._made += 1
        at_ms = int(self._clock.now().timestamp() * 1000)
        return UUID(int=(at_ms << 80) | (0x7 << 76) | (0b10 << 62) | self._made)
