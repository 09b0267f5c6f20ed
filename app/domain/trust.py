"""The trust line of a rate: how far the data behind it can be relied on. Figures about feeds and stays, nothing about a person.

Not here: the rate (``rate``), and how feeds are watched (``feed_health``).
"""

from dataclasses import dataclass

from app.domain.measure import MeasureState
from app.domain.rate import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a reader has to know beside the number."""

    facility_months: int
    """Months of the period in which a facility's live feed was to be heard."""
    facility_months_healthy: int
    """Of these, those with messages and without a silence of more than a day."""
    events: int
    events_final_diagnosis: int
    """Of the events, those of stays whose final principal diagnosis has come."""
    events_indeterminate: int

    @property
    def feed_share(self) -> float | None:
        """The share of expected facility-months with a healthy feed."""
        return _share(self.facility_months_healthy, self.facility_months)

    @property
    def diagnosis_share(self) -> float | None:
        """The share of events with a final principal diagnosis."""
        return _share(self.events_final_diagnosis, self.events)

    @property
    def indeterminate_share(self) -> float | None:
        """The share of events that a missing fact leaves undecided."""
        return _share(self.events_indeterminate, self.events)


def trust_of(rate: Rate, facility_months: tuple[int, int]) -> Trust:
    """Make the line of a rate. `facility_months`: expected, healthy."""
    return Trust(
        facility_months=facility_months[0],
        facility_months_healthy=facility_months[1],
        events=rate.lines,
        events_final_diagnosis=rate.lines - rate.provisional,
        events_indeterminate=rate.undecided.get(MeasureState.INDETERMINATE, 0),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
