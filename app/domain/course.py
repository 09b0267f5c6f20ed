"""The course of a person's stays: the same stays as any sequence, with what follows what found by search, not by looking at all.

People come back: some have hundreds of stays, and every rule about one asks what else there was around it. Not here: what a
readmission or a transfer is (``stay``), and what a rule makes of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Final

from app.domain.calendar import LAST_ZONE
from app.domain.stay import REGISTERED_EARLY, CareLevel, Stay, StayClass, is_return

_EAST: Final = timedelta(hours=14)
"""How long before UTC a local day begins anywhere."""

Levels = frozenset[CareLevel]


class Course:
    """A person's stays. Repetitions do no harm."""

    def __init__(self, stays: Iterable[Stay] = ()) -> None:
        """Take the stays in any order."""
        self.stays = tuple(stays)
        self._followed: dict[tuple[int, Levels], dict[str, Stay]] = {}
        self._returned: dict[tuple[tuple[datetime, datetime, str], StayClass, int, Levels], Stay | None] = {}
        self._of_levels: dict[Levels, Sequence[Stay]] = {}

    def __iter__(self) -> Iterator[Stay]:
        """Give the stays as they came."""
        return iter(self.stays)

    @cached_property
    def _begun(self) -> "_InOrder":
        return _InOrder(stay for stay in self.stays if stay.admitted_on is not None)

    @cached_property
    def _admissions(self) -> "_InOrder":
        return _InOrder(stay for stay in self.stays if stay.is_admission)

    def begun_within(self, first_on: date, last_on: date) -> Iterator[Stay]:
        """Give the stays that began from one local day to another, both inclusive, in order."""
        return (
            stay
            for stay in self._begun.between(first_on, last_on)
            if stay.admitted_on is not None and first_on <= stay.admitted_on <= last_on
        )

    def first_return(self, stay: Stay, within_days: int, but: Levels = frozenset()) -> Stay | None:
        """Find the first readmission or direct transfer after a stay's end (``is_return``), to any level of care `but` these."""
        # Most measures ask the same of a stay.
        asked = (stay.order, stay.stay_class, within_days, but)
        if asked not in self._returned:
            self._returned[asked] = self._first_return(stay, within_days, but)
        return self._returned[asked]

    def _first_return(self, stay: Stay, within_days: int, but: Levels) -> Stay | None:
        if stay.discharged_on is None:
            return None
        # After an emergency visit an admission counts from the arrival on.
        early = stay.admitted_on if stay.stay_class is StayClass.EMERGENCY else None
        first_on = min(early or stay.discharged_on, stay.discharged_on - REGISTERED_EARLY)
        found = self._admissions.between(first_on, stay.discharged_on + timedelta(days=within_days), after=stay)
        return next((one for one in found if one.care_level not in but and is_return(stay, one, within_days)), None)

    def last_followed_by(self, stay: Stay, within_days: int, but: Levels = frozenset()) -> Stay | None:
        """Find the last admission whose first return this stay is."""
        kind = (within_days, but)
        if kind not in self._followed:
            # In order, so that of several the last one stays.
            pairs = ((one, self.first_return(one, within_days, but)) for one in self._admissions.stays)
            self._followed[kind] = {back.id: one for one, back in pairs if back is not None}
        return self._followed[kind].get(stay.id)

    @property
    def admissions(self) -> Sequence[Stay]:
        """Give the admissions, in order."""
        return self._admissions.stays

    def admissions_to(self, levels: Levels) -> Sequence[Stay]:
        """Give the admissions to these levels of care, in order."""
        if levels not in self._of_levels:
            self._of_levels[levels] = [one for one in self._admissions.stays if one.care_level in levels]
        return self._of_levels[levels]


class _InOrder:
    """Stays in their strict order, with the order itself for searching."""

    def __init__(self, stays: Iterable[Stay]) -> None:
        self.stays = sorted({stay.order: stay for stay in stays}.values(), key=lambda stay: stay.order)
        self.orders = [stay.order for stay in self.stays]

    def between(self, first_on: date, last_on: date, after: Stay | None = None) -> Iterator[Stay]:
        """Give those that may have begun from one local day to another, wherever they were; only those that come after a stay."""
        start = bisect_left(self.orders, (datetime.combine(first_on, time(), UTC) - _EAST,))
        if after is not None:
            start = max(start, bisect_right(self.orders, after.order))
        end = bisect_right(self.orders, (datetime.combine(last_on + timedelta(days=1), time(), UTC) + LAST_ZONE,))
        return iter(self.stays[start:end])
