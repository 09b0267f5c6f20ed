"""A stay as the follow-up rules see it: from when to when, in which local days, how it ended, and how sure its diagnosis is.

The plain input of ``program``, ``follow_up`` and ``measure``; whoever folds encounters builds it. Not here: how events become a stay
(``encounter``), and what any rule makes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from app.domain.behavioral import BehavioralSignal
from app.domain.calendar import age_on, local_date

NO_SIGNAL: Final = BehavioralSignal()
REGISTERED_EARLY: Final = timedelta(days=1)
"""Our policy: how far before a discharge the admission of its direct transfer may have been registered."""
LONG_AFTER: Final = datetime.max.replace(tzinfo=UTC)


class StayClass(StrEnum):
    """What kind of stay it is (PV1-2, FHIR Encounter.class), as far as follow-up cares."""

    EMERGENCY = "emergency"
    OBSERVATION = "observation"
    INPATIENT = "inpatient"
    OTHER = "other"
    """Outpatient, recurring, pre-admission: starts no clock and is no admission."""


class CareLevel(StrEnum):
    """What an inpatient stay is for a measure; from the facility registry, since ADT alone rarely says it."""

    ACUTE = "acute"
    NONACUTE = "nonacute"
    """Skilled nursing, rehabilitation, long-term care, swing bed."""
    PSYCHIATRIC_RESIDENTIAL = "psychiatric_residential"
    SUBSTANCE_USE_RESIDENTIAL = "substance_use_residential"
    WITHDRAWAL_MANAGEMENT = "withdrawal_management"
    """Detoxification: care for substance use from which follow-up is counted, and never follow-up itself."""


class Disposition(StrEnum):
    """Where a stay ended to: what a discharge code (UB-04 form locator 17, PV1-36) means for follow-up."""

    HOME = "home"
    """The community: also home health, and custodial or supportive housing, where a team can follow."""
    CUSTODY = "custody"
    """To court or law enforcement: followed like HOME, and by what programs ask for there."""
    AGAINST_ADVICE = "against_advice"
    """Left against medical advice: followed like HOME, and flagged, for the risk is higher."""
    TRANSFER = "transfer"
    """To another acute or psychiatric hospital, whose admission should be seen within a day."""
    ADMITTED_HERE = "admitted_here"
    """An emergency visit or observation that became an inpatient stay in the same facility."""
    NONACUTE = "nonacute"
    """To skilled nursing, rehabilitation or long-term care: community follow-up starts when that ends."""
    HOSPICE = "hospice"
    DIED = "died"
    UNKNOWN = "unknown"
    """No code, or one that we do not know. Followed like HOME: a gap in coding must not hide a discharge."""


@dataclass(frozen=True, slots=True)
class DispositionTable:
    """What codes mean, by upper-case code."""

    meanings: Mapping[str, Disposition]

    def meaning(self, code: str | None) -> Disposition:
        """Give what a code as sent means. A lost leading zero is put back; what is not in the table is UNKNOWN."""
        text = (code or "").strip().upper()
        return self.meanings.get(text.zfill(2) if text.isdigit() else text, Disposition.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One stay of one person. ``admitted_on`` and ``discharged_on`` are worked out from the instants in the facility's zone."""

    id: str
    stay_class: StayClass
    zone: tzinfo
    """The facility's."""
    admitted_at: datetime | None = None
    """When unknown, the discharge stands in for it."""
    discharged_at: datetime | None = None
    """The discharge that stands; none while in house, and none again after a cancelled discharge (A13)."""
    cancelled_discharge_at: datetime | None = None
    """The last discharge that was cancelled, if any. Says nothing while another discharge stands."""
    cancelled: bool = False
    """The stay never was: a cancelled admission or visit (A11), a deleted one (A23)."""
    disposition: Disposition = Disposition.UNKNOWN
    care_level: CareLevel = CareLevel.ACUTE
    signal: BehavioralSignal = NO_SIGNAL
    planned: bool = False
    """Admitted as planned (PV1-4): no return that should not have happened."""
    transfer_wait: timedelta | None = None
    """How long the admission of a transfer is awaited, where the place it went to is known to send no ADT or late. None: a day."""
    through_emergency: bool = False
    """It began as an emergency visit."""
    born_on: date | None = None
    """The person's; None where nobody says it, or nobody asks."""
    admitted_on: date | None = field(init=False)
    discharged_on: date | None = field(init=False)
    order: tuple[datetime, datetime, str] = field(init=False, repr=False)
    """A strict order of stays by when they started; ties by end, then by id, so that no two stays can follow each other."""

    def __post_init__(self) -> None:
        started_at = self.admitted_at or self.discharged_at
        object.__setattr__(self, "admitted_on", None if started_at is None else local_date(started_at, self.zone))
        object.__setattr__(self, "discharged_on", None if self.discharged_at is None else local_date(self.discharged_at, self.zone))
        object.__setattr__(self, "order", (started_at or LONG_AFTER, self.discharged_at or LONG_AFTER, self.id))

    @property
    def age(self) -> int | None:
        """The person's age on the day of the discharge, or on that of the admission while there is none; None where it is not known."""
        on = self.discharged_on or self.admitted_on
        return None if self.born_on is None or on is None else age_on(self.born_on, on)

    @property
    def is_admission(self) -> bool:
        """Whether it is an inpatient stay, of any level of care, that took place. Observation is none."""
        return self.stay_class is StayClass.INPATIENT and not self.cancelled and self.admitted_on is not None

    @property
    def in_house(self) -> bool:
        """Whether the person is still there, as far as we know."""
        return not self.cancelled and self.discharged_at is None


def is_return(stay: Stay, other: Stay, within_days: int) -> bool:
    """Whether another inpatient stay is a readmission or direct transfer after this stay's end, within so many local days.

    By dates, the day of the discharge included: a direct transfer is admitted on it. A receiving hospital may register the
    admission before the sending one the discharge, so the day before counts too where the other stay outlasts this one; after an
    emergency visit, everything from its arrival on does.
    """
    if stay.discharged_on is None or stay.admitted_on is None or not other.is_admission or other.admitted_on is None:
        return False
    if other.id == stay.id or other.order <= stay.order or (other.admitted_on - stay.discharged_on).days > within_days:
        return False
    if other.admitted_on >= stay.discharged_on:
        return True
    if stay.stay_class is StayClass.EMERGENCY:
        return other.admitted_on >= stay.admitted_on
    outlasts = other.discharged_at is None or (stay.discharged_at is not None and other.discharged_at > stay.discharged_at)
    return outlasts and stay.discharged_on - other.admitted_on <= REGISTERED_EARLY
