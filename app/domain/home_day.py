"""Whose a stay was some days after it ended: responsibility moves from home to home, and a rate may be asked by either.

Not here: who is responsible on the day of the discharge (responsible_home), and how a follow-up goes over (handing_over).
"""

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.domain.calendar import local_date


class HomeAt(StrEnum):
    """When a home was responsible: at the discharge, or when the seventh or the thirtieth day after it was over where the stay was."""

    DISCHARGE = "discharge"
    DAY_7 = "day7"
    DAY_30 = "day30"

    @property
    def days(self) -> int:
        """Days after the discharge."""
        return {HomeAt.DISCHARGE: 0, HomeAt.DAY_7: 7, HomeAt.DAY_30: 30}[self]


class Owner(NamedTuple):
    """A home that has, or had, a follow-up, and since when."""

    organization_id: UUID
    starts_at: datetime


def owner_on(chain: Sequence[Owner], day: date, zone: tzinfo) -> UUID:
    """Give whose a follow-up was when a day was over: the last of its owners, oldest first, that had it by then, else the first.

    As store/follow_up_reads says it in SQL. Before the day is over it is whose it is so far.
    """
    return next((one for one in reversed(chain) if local_date(one.starts_at, zone) <= day), chain[0]).organization_id
