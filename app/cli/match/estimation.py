"""Estimating weights from records: m and u by counting where labels say who is who, by expectation and maximisation where nobody does.

u is counted on pairs drawn at random, which are of different people almost surely. Without labels, m comes from EM over the pairs that
share a blocking key (Dempster, Laird and Rubin, JRSS B 39 (1977) 1-38; Winkler, U.S. Census Bureau RR2000/05). Not here: how good they
are (`evaluation`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import log2
from typing import Final

from app.cli.demo.dice import Dice
from app.cli.match.labelled import Counted, Labelled
from app.cli.match.pairs import Blocks
from app.domain.comparison import agreements, compare
from app.domain.comparison_weights import OUTCOMES, Field, Guard, Odds, Outcome, Weights

Pattern = tuple[Outcome | Guard, ...]
FIELDS: Final = tuple(OUTCOMES)
"""In the order in which `agreements` gives them."""
RANDOM_PAIRS: Final = 400_000
PAIRS_MAX: Final = 400_000
ROUNDS: Final = 40
STARTING_SHARE: Final = 0.5
SMALLEST: Final = 1e-5
"""Our policy: nothing is called rarer than this, however seldom it was seen: 16.6 bits are the most that one field may say."""
ENOUGH: Final = 200.0
"""Our policy: a field that fewer pairs have on both sides keeps its weights; identifiers always do, since most sources share none."""
WRONG_MAX: Final = 0.5e-4
"""Of the certain pairs: half of what is allowed, the other half is for what the model does not know."""
RARELY: Final = 0.5
"""Added to every count, so that what was not seen is rare, not impossible."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Weights, and on how much they rest."""

    weights: Weights
    pairs: int
    matches: float
    """Of them, as the labels or EM say."""
    random_pairs: int


def estimate(
    labelled: Labelled, weights: Weights, *, is_labelled: bool, population: int, seed: int, version: str, random_pairs: int = RANDOM_PAIRS
) -> Estimate:
    """Estimate m and u, and from them the weight from which a pair is certain among so many people."""
    records = labelled.features
    dice = Dice(f"pairs/{seed}")
    drawn = ((dice.whole(0, len(records) - 1), dice.whole(0, len(records) - 1)) for _ in range(random_pairs))
    apart = [(left, right) for left, right in drawn if labelled.people[left] != labelled.people[right]]
    by_chance = _patterns(labelled, apart, weights)
    if is_labelled:
        pairs = list(islice(labelled.true_pairs(), PAIRS_MAX))
        together: Mapping[Pattern, float] = _patterns(labelled, pairs, weights)
        matches = float(len(pairs))
    else:
        pairs = list(islice(Blocks.of(records).pairs(), PAIRS_MAX))
        together, matches = _em(_patterns(labelled, pairs, weights), weights)
    m, u = _shares(together), _shares(by_chance)
    counted = {of for of in FIELDS if min(_known(together, of), _known(by_chance, of)) >= ENOUGH} - {Field.IDENTIFIER}
    odds = {
        of: _sound({outcome: Odds(m[of][outcome], u[of][outcome]) for outcome in OUTCOMES[of]}) if of in counted else weights.odds[of]
        for of in FIELDS
    }
    source = f"estimated {'from labels' if is_labelled else 'by EM without labels'} from {len(records)} records"
    found = replace(weights, version=version, source=source, odds=odds)
    certain = _certain_from(labelled, pairs, together, found, population)
    return Estimate(replace(found, certain=certain, possible=min(weights.possible, certain - 5)), len(pairs), matches, len(apart))


def _patterns(labelled: Labelled, pairs: Iterable[tuple[int, int]], weights: Weights) -> Counter[Pattern]:
    records = labelled.features
    return Counter(tuple(ground.outcome for ground in agreements(records[left], records[right], weights)) for left, right in pairs)


def _known(patterns: Mapping[Pattern, float], of: Field) -> float:
    position = FIELDS.index(of)
    return sum(count for pattern, count in patterns.items() if pattern[position] is not Outcome.MISSING)


def _shares(patterns: Mapping[Pattern, float]) -> dict[Field, dict[Outcome, float]]:
    """Give how often each outcome is seen where both sides say something."""
    shares: dict[Field, dict[Outcome, float]] = {}
    for position, of in enumerate(FIELDS):
        counts: dict[Outcome | Guard, float] = defaultdict(lambda: RARELY)
        for pattern, count in patterns.items():
            counts[pattern[position]] += count
        known = sum(counts[outcome] for outcome in OUTCOMES[of])
        shares[of] = {outcome: min(1 - SMALLEST, max(SMALLEST, counts[outcome] / known)) for outcome in OUTCOMES[of]}
    return shares


def _em(patterns: Mapping[Pattern, int], weights: Weights) -> tuple[dict[Pattern, float], float]:
    """Divide the pairs of each pattern into matches and others; both m and u of blocked pairs are free, only the first is kept."""
    m = {of: {outcome: odds.m for outcome, odds in weights.odds[of].items()} for of in FIELDS}
    u = {of: {outcome: odds.u for outcome, odds in weights.odds[of].items()} for of in FIELDS}
    share, total = STARTING_SHARE, sum(patterns.values())
    matches: dict[Pattern, float] = {}
    for _ in range(ROUNDS):
        matches = {}
        for pattern, count in patterns.items():
            odds = share / (1 - share)
            for of, outcome in zip(FIELDS, pattern, strict=True):
                if isinstance(outcome, Outcome) and outcome in m[of]:
                    odds *= m[of][outcome] / u[of][outcome]
            matches[pattern] = count * odds / (1 + odds)
        share = min(1 - SMALLEST, max(SMALLEST, sum(matches.values()) / total))
        m, u = _shares(matches), _shares({pattern: count - matches[pattern] for pattern, count in patterns.items()})
    return matches, sum(matches.values())


def _sound(odds: Mapping[Outcome, Odds]) -> dict[Outcome, Odds]:
    """Hold what must hold whatever was counted: nothing outweighs exact, and different never speaks for a match."""
    best = odds[Outcome.EXACT].weight
    sound = {outcome: one if one.weight <= best else Odds(one.m, one.m / 2**best) for outcome, one in odds.items()}
    different = odds[Outcome.DIFFERENT]
    sound[Outcome.DIFFERENT] = different if different.weight <= 0 else Odds(different.u, different.u)
    return sound


def _certain_from(
    labelled: Labelled, pairs: Sequence[tuple[int, int]], together: Mapping[Pattern, float], weights: Weights, people: int
) -> float:
    """Find the weight above which, among so many people, no more than the allowed share of pairs is wrong.

    By the model, a pattern of weight w that matches show with frequency f is shown by other pairs with f / 2^w; of them there are about
    half the square of the records.
    """
    records, rarity = labelled.features, Counted(labelled.features)
    is_match = {pattern for pattern, count in together.items() if count > STARTING_SHARE}
    found = sorted(
        (
            compare(records[left], records[right], weights, rarity).weight
            for left, right in pairs
            if tuple(ground.outcome for ground in agreements(records[left], records[right], weights)) in is_match
        ),
        reverse=True,
    )
    a_person = len(records) / max(1, len(set(labelled.people)))
    others = (people * a_person) ** 2 / 2
    matches = people * a_person * (a_person - 1) / 2 or people
    wrong = 0.0
    certain = found[0] if found else weights.certain
    for number, weight in enumerate(found, 1):
        wrong += others * 2.0**-weight / len(found)
        if wrong / (matches * number / len(found)) > WRONG_MAX:
            break
        certain = weight
    return max(round(certain * 2) / 2, log2(people) + 1)


def toml_of(weights: Weights, effective_on: str) -> str:
    """Write the weights as the file from which they are loaded."""
    lines = [
        "# The weights of the scored comparison (Fellegi and Sunter 1969): m is how often an outcome is seen in two records of one person,",
        "# u how often in two records of different people. app/domain/comparison_weights.py says what the outcomes mean.",
        f'version = "{weights.version}"',
        f"effective_on = {effective_on}",
        f'source = "{weights.source}"',
        'licence = "counted on records; figures are facts"',
        "# Bits. certain: joined without a person; possible: a person looks.",
        f"certain = {weights.certain}",
        f"possible = {weights.possible}",
    ]
    for of, odds in weights.odds.items():
        lines += ["", f"[fields.{of.value}]"]
        lines += [f"{outcome.value} = {{ m = {one.m:.8f}, u = {one.u:.8f} }}" for outcome, one in odds.items()]
    return "\n".join(lines) + "\n"
