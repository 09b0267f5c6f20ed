"""Rates: the sum of the ledger's lines in one measure, so that every number can be taken apart again.

The words are those of HEDIS MY 2026: initial population, exclusions, denominator, numerator. Checked relations: numerators are no
larger than the denominator, 7 days no larger than 30, groups add up to the total (CMS Core Set reporting, domain 1.1).
Not here: how lines come to be (``measure_ledger``), and who may see them.
"""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from app.domain.measure import EvidenceSource, MeasureState

IN_DENOMINATOR: Final = frozenset({MeasureState.MET, MeasureState.NOT_MET, MeasureState.PENDING})


class Kind(NamedTuple):
    """What a rate tells apart of a line."""

    status_7: str
    status_30: str
    reason: str
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


@dataclass(frozen=True, slots=True)
class Rate:
    """What a group of lines comes to: numbers that add up, group by group, each number on its own."""

    denominator: int = 0
    numerator_7: int = 0
    numerator_30: int = 0
    pending_7: int = 0
    pending_30: int = 0
    """In the denominator, and the window is still open: the rate can only rise."""
    superseded: int = 0
    """A later discharge of the same episode counts instead."""
    lines: int = 0
    """Every event, also those for which another one stands."""
    provisional: int = 0
    """Of these, those of stays without a final principal diagnosis."""
    excluded: dict[str, int] = field(default_factory=dict)
    """By reason, more than 0 of each."""
    undecided: dict[str, int] = field(default_factory=dict)
    """By status: suspended, indeterminate; more than 0 of each. They are in no denominator until they are decided."""

    @property
    def initial_population(self) -> int:
        """Events before exclusions; an event that another one stands for is not counted twice."""
        return self.denominator + sum(self.excluded.values()) + sum(self.undecided.values())

    @property
    def rate_7(self) -> float | None:
        """Percent to one decimal; None where there is no denominator."""
        return _percent(self.numerator_7, self.denominator)

    @property
    def rate_30(self) -> float | None:
        """Percent to one decimal; None where there is no denominator."""
        return _percent(self.numerator_30, self.denominator)


def rate_of_one(kind: Kind) -> Rate:
    """Give what one line of a kind comes to."""
    return replace(_decided(kind), lines=1, provisional=int(kind.provisional))


def _decided(kind: Kind) -> Rate:
    if kind.status_30 in IN_DENOMINATOR:
        return Rate(
            denominator=1,
            numerator_7=int(kind.status_7 == MeasureState.MET),
            numerator_30=int(kind.status_30 == MeasureState.MET),
            pending_7=int(kind.status_7 == MeasureState.PENDING),
            pending_30=int(kind.status_30 == MeasureState.PENDING),
        )
    if kind.status_30 == MeasureState.EXCLUDED:
        return Rate(excluded={kind.reason: 1})
    if kind.status_30 == MeasureState.SUPERSEDED:
        return Rate(superseded=1)
    return Rate(undecided={kind.status_30: 1})


def _percent(part: int, whole: int) -> float | None:
    """Round a half up, as CMS's reporting application does: 1 of 16 is 6.3. In whole numbers, which have no other halves."""
    return (2000 * part + whole) // (2 * whole) / 10 if whole else None
