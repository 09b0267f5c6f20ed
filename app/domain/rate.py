"""Rates: the sum of the ledger's lines in one measure, so that every number can be taken apart again.

The words are those of HEDIS MY 2026: initial population, exclusions, denominator, numerator. Checked relations: numerators are no
larger than the denominator, 7 days no larger than 30, groups add up to the total (CMS Core Set reporting, domain 1.1).
Not here: how lines come to be (``measure_ledger``), and who may see them.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.domain.measure import EvidenceSource, MeasureState

IN_DENOMINATOR: Final = frozenset({MeasureState.MET, MeasureState.NOT_MET, MeasureState.PENDING})


class Counted(NamedTuple):
    """So many lines of one group with these statuses."""

    group: tuple[Hashable, ...]
    status_7: str
    status_30: str
    reason: str
    lines: int
    provisional: bool = False
    """No final principal diagnosis has come."""


_LEVELS: Final = {EvidenceSource.CONTACTS: 0, EvidenceSource.CLAIMS: 1}


def as_source_tells(  # what a line says, and which of its windows are open
    source: EvidenceSource, met_by: str | None, status_7: str, status_30: str, *, is_open_7: bool, is_open_30: bool, single: bool
) -> tuple[str, str]:
    """Give both statuses of a line by one source of evidence alone.

    `met_by` is as the ledger has it; where services do not decide, every source says the same. What is not met by the source alone is
    pending as long as its window is open: what the line says of that, in the days of its place, goes before the reader's days, which
    are asked only where another source met it. `single`: the measure has one window.
    """
    if source is EvidenceSource.COMBINED or met_by is None or status_30 not in IN_DENOMINATOR:
        return status_7, status_30
    level = int(met_by[_LEVELS[source]])
    seven, thirty = (
        MeasureState.MET if level >= least else _not_met(told, is_open=is_open)
        for least, told, is_open in ((2, status_7, is_open_7), (1, status_30, is_open_30))
    )
    return seven.value, (seven if single else thirty).value


def _not_met(told: str, *, is_open: bool) -> MeasureState:
    if told != MeasureState.MET:
        return MeasureState(told)
    return MeasureState.PENDING if is_open else MeasureState.NOT_MET


@dataclass(slots=True)
class Rate:
    """What a group of lines comes to."""

    denominator: int = 0
    numerator_7: int = 0
    numerator_30: int = 0
    pending_7: int = 0
    pending_30: int = 0
    """In the denominator, and the window is still open: the rate can only rise."""
    excluded: Counter[str] = field(default_factory=Counter)
    """By reason."""
    undecided: Counter[str] = field(default_factory=Counter)
    """By status: suspended, indeterminate. They are in no denominator until they are decided."""
    superseded: int = 0
    """A later discharge of the same episode counts instead."""
    lines: int = 0
    """Every event, also those for which another one stands."""
    provisional: int = 0
    """Of these, those of stays without a final principal diagnosis."""

    def add(self, counted: Counted) -> None:
        """Add lines of one kind."""
        self.lines += counted.lines
        self.provisional += counted.lines * counted.provisional
        if counted.status_30 in IN_DENOMINATOR:
            self.denominator += counted.lines
            self.numerator_7 += counted.lines * (counted.status_7 == MeasureState.MET)
            self.numerator_30 += counted.lines * (counted.status_30 == MeasureState.MET)
            self.pending_7 += counted.lines * (counted.status_7 == MeasureState.PENDING)
            self.pending_30 += counted.lines * (counted.status_30 == MeasureState.PENDING)
        elif counted.status_30 == MeasureState.EXCLUDED:
            self.excluded[counted.reason] += counted.lines
        elif counted.status_30 == MeasureState.SUPERSEDED:
            self.superseded += counted.lines
        else:
            self.undecided[counted.status_30] += counted.lines

    @property
    def initial_population(self) -> int:
        """Events before exclusions; an event that another one stands for is not counted twice."""
        return self.denominator + self.excluded.total() + self.undecided.total()

    @property
    def rate_7(self) -> float | None:
        """Percent to one decimal; None where there is no denominator."""
        return _percent(self.numerator_7, self.denominator)

    @property
    def rate_30(self) -> float | None:
        """Percent to one decimal; None where there is no denominator."""
        return _percent(self.numerator_30, self.denominator)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def rates_of(counted: Iterable[Counted]) -> tuple[Rate, Mapping[tuple[Hashable, ...], Rate]]:
    """Give the total, and the rate of each group in the order of its words."""
    total = Rate()
    groups: dict[tuple[Hashable, ...], Rate] = {}
    for one in counted:
        total.add(one)
        rate = groups.get(one.group)
        if rate is None:
            # Not by `setdefault`, which makes a rate for each kind of lines to throw it away.
            rate = groups[one.group] = Rate()
        rate.add(one)
    return total, {key: groups[key] for key in sorted(groups, key=lambda group: tuple((part is None, str(part)) for part in group))}
