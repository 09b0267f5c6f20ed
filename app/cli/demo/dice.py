"""A sequence of choices that is the same for the same seed, on every machine and Python. Not here: anything that must be secret."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_SCALE = 1 << 48


class Dice:
    """Draws by hashing a counter."""

    def __init__(self, seed: int | str) -> None:
        """Begin a sequence."""
        self._seed = str(seed)
        self._drawn = 0

    def fraction(self) -> float:
        """Give a number in [0, 1)."""
        self._drawn += 1
        digest = hashlib.blake2b(f"{self._seed}/{self._drawn}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big") / _SCALE

    def whole(self, low: int, high: int) -> int:
        """Give a whole number from low to high, both included."""
        return low + int(self.fraction() * (high - low + 1))

    def choice(self, items: Sequence[T]) -> T:
        """Give one of the items."""
        return items[int(self.fraction() * len(items))]

    def happens(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return self.fraction() < probability
