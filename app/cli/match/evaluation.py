"""How good the comparison is on labelled records: precision and recall, how much goes to a person, and the curve over the threshold."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import floor
from time import process_time
from typing import Any, Final

from app.cli.match.labelled import Counted, Labelled
from app.cli.match.pairs import Blocks
from app.domain.comparison import Level, compare
from app.domain.comparison_weights import Field, Weights

BINS_A_BIT: Final = 2


@dataclass(slots=True)
class Evaluation:
    """What was counted. Pairs are pairs of records; true ones are of one person."""

    records: int = 0
    people: int = 0
    with_errors: int = 0
    true_pairs: int = 0
    compared: int = 0
    true_compared: int = 0
    by_level: Counter[tuple[Level, bool]] = field(default_factory=Counter)
    free: Counter[tuple[int, bool]] = field(default_factory=Counter)
    """(half bit, is true) -> pairs of that weight that no guard holds back."""
    weighed: Counter[tuple[int, bool]] = field(default_factory=Counter)
    """The same of all pairs."""
    held: Counter[str] = field(default_factory=Counter)
    """Guard -> true pairs that it put before a person."""
    joined_true: int = 0
    joined_false: int = 0
    """Pairs of records that are in one group once all certain pairs are joined."""
    open_pairs: int = 0
    """Possible pairs that are left then: what a person is asked, each two groups once."""
    blocks: tuple[float, int, int, float] = (0.0, 0, 0, 0.0)
    """Records under a key: average, 99.9th percentile, largest; and keys a record."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Processor time of each step."""

    @property
    def precision(self) -> float:
        """Of the certain pairs, those that are true."""
        return _share(self.by_level[Level.CERTAIN, True], self.by_level[Level.CERTAIN, True] + self.by_level[Level.CERTAIN, False])

    @property
    def recall(self) -> float:
        """Of the true pairs, blocked or not, those that are certain."""
        return _share(self.by_level[Level.CERTAIN, True], self.true_pairs)

    def curve(self, *, guarded: bool = True) -> Iterator[tuple[float, float, float, int]]:
        """Give threshold, precision, recall and false pairs of *certain*, were it the threshold; without guards: of weight alone."""
        true = false = 0
        pairs = self.free if guarded else self.weighed
        for half_bit in range(max((one for one, _ in pairs), default=0), min((one for one, _ in pairs), default=0) - 1, -1):
            true, false = true + pairs[half_bit, True], false + pairs[half_bit, False]
            yield half_bit / BINS_A_BIT, _share(true, true + false), _share(true, self.true_pairs), false

    def document(self) -> dict[str, Any]:
        """Give the figures by name."""
        possible = sum(self.by_level[Level.POSSIBLE, truth] for truth in (True, False))
        average, most, largest, keys = self.blocks
        compared_s = self.seconds.get("compare", 0.0)
        return {
            "people": self.people,
            "records": self.records,
            "records_with_errors": self.with_errors,
            "true_pairs": self.true_pairs,
            "pairs_compared": self.compared,
            "blocking_recall": round(_share(self.true_compared, self.true_pairs), 6),
            "keys_a_record": round(keys, 2),
            "block_average": round(average, 2),
            "block_p999": most,
            "block_largest": largest,
            "certain_precision": round(self.precision, 6),
            "certain_recall": round(self.recall, 6),
            "certain_false": self.by_level[Level.CERTAIN, False],
            "review_pairs": possible,
            "review_share": round(_share(possible, self.compared), 6),
            "joined_precision": round(_share(self.joined_true, self.joined_true + self.joined_false), 6),
            "joined_recall": round(_share(self.joined_true, self.true_pairs), 6),
            "review_pairs_after_joining": self.open_pairs,
            "review_per_1000_records": round(1000 * _share(self.open_pairs, self.records), 2),
            "possible_true": self.by_level[Level.POSSIBLE, True],
            "true_pairs_held_by": dict(self.held.most_common()),
            "features_per_s": round(_share(self.records, self.seconds.get("features", 0.0))),
            "comparisons_per_s": round(_share(self.compared, compared_s)),
            "records_per_s": round(_share(self.records, sum(self.seconds.values()))),
        }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def evaluate(load: Callable[[], Labelled], weights: Weights) -> Evaluation:
    """Find, compare and join; `load` gives the records, and its time counts as that of making features."""
    found = Evaluation()
    began = process_time()
    labelled = load()
    found.seconds["features"] = process_time() - began
    records = labelled.features
    found.records, found.people, found.with_errors = len(records), len(set(labelled.people)), labelled.with_errors
    found.true_pairs = sum(1 for _ in labelled.true_pairs())
    began = process_time()
    blocks, counted = Blocks.of(records), Counted(records)
    pairs = list(blocks.pairs())
    found.seconds["block"] = process_time() - began
    found.compared = len(pairs)
    found.blocks = (
        blocks.average(),
        blocks.percentile(0.999),
        max(blocks.sizes, default=0),
        _share(sum(map(len, blocks.keys)), len(records)),
    )
    _compare(found, labelled, pairs, counted, weights)
    return found


def _compare(found: Evaluation, labelled: Labelled, pairs: list[tuple[int, int]], counted: Counted, weights: Weights) -> None:
    people, records = labelled.people, labelled.features
    certain: list[tuple[int, int]] = []
    possible: list[tuple[int, int]] = []
    began = process_time()
    for left, right in pairs:
        comparison = compare(records[left], records[right], weights, counted)
        is_true = people[left] == people[right]
        found.true_compared += is_true
        found.by_level[comparison.level, is_true] += 1
        guards = [ground.outcome.value for ground in comparison.grounds if ground.field is Field.GUARD]
        if comparison.level is Level.CERTAIN:
            certain.append((left, right))
        elif comparison.level is Level.POSSIBLE:
            possible.append((left, right))
            found.held.update(guards if is_true else ())
        half_bit = floor(comparison.weight * BINS_A_BIT)
        found.weighed[half_bit, is_true] += 1
        if not guards:
            found.free[half_bit, is_true] += 1
    found.seconds["compare"] = process_time() - began
    group = _groups(len(records), certain)
    sizes, true_sizes = Counter(group), Counter(zip(group, people, strict=True))
    found.joined_true = sum(size * (size - 1) // 2 for size in true_sizes.values())
    found.joined_false = sum(size * (size - 1) // 2 for size in sizes.values()) - found.joined_true
    found.open_pairs = len({tuple(sorted((group[left], group[right]))) for left, right in possible if group[left] != group[right]})


def _groups(count: int, certain: list[tuple[int, int]]) -> list[int]:
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for left, right in certain:
        parent[root(left)] = root(right)
    return [root(item) for item in range(count)]
