"""Which pairs of records share a blocking key, each pair once, in bounded memory."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.domain.blocking import blocking_keys
from app.domain.features import Features

SLICES: Final = 8
"""Keys are looked at an eighth at a time, so that not all blocks are in memory at once."""
LARGEST_BLOCK: Final = 300
"""Our policy: a larger block is left out, and counted."""


@dataclass(slots=True)
class Blocks:
    """The keys of all records, and what was seen of the blocks."""

    keys: list["array[int]"]
    sizes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Size -> how many blocks."""
    left_out: int = 0

    @classmethod
    def of(cls, records: Sequence[Features]) -> "Blocks":
        """Make the keys."""
        return cls([array("q", sorted(blocking_keys(record))) for record in records])

    def pairs(self, seen: Callable[[int], None] | None = None) -> Iterator[tuple[int, int]]:
        """Give every pair that shares a key, under the smallest key that both have."""
        for part in range(SLICES):
            blocks: dict[int, list[int]] = defaultdict(list)
            for number, keys in enumerate(self.keys):
                for key in keys:
                    if key % SLICES == part:
                        blocks[key].append(number)
            if seen is not None:
                seen(part)
            for key, members in blocks.items():
                self.sizes[len(members)] += 1
                if len(members) > LARGEST_BLOCK:
                    self.left_out += 1
                    continue
                for position, left in enumerate(members):
                    mine = set(self.keys[left])
                    for right in members[position + 1 :]:
                        if next(other for other in self.keys[right] if other in mine) == key:
                            yield left, right

    def average(self) -> float:
        """Give how many records are found under a key of an average record."""
        rows = sum(size * count for size, count in self.sizes.items())
        return sum(size * size * count for size, count in self.sizes.items()) / rows if rows else 0.0

    def percentile(self, share: float) -> int:
        """Give the size of block below which this share of all records' keys lie."""
        rows = sum(size * count for size, count in self.sizes.items())
        reached = 0
        for size in sorted(self.sizes):
            reached += size * self.sizes[size]
            if reached >= share * rows:
                return size
        return 0
