"""A line of the measure ledger: where one stay stands in one measure, as one organization is told it.

Not here: for whom a stay counts (``measure_ledger``), and what its status is (``episode``).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.domain.calendar import age_on, end_of_day
from app.domain.episode import TRANSFER_AWAITED, TRANSFER_WAIT_DAYS
from app.domain.measure import ENROLMENT_UNKNOWN, GroundStatus, MeasureState, MeasureStatus
from app.domain.service import Ground
from app.domain.stay_in_hand import StayInHand

NO_LINE: Final = frozenset({MeasureState.NOT_ELIGIBLE, MeasureState.VOID})
"""What is no event of a measure, or never was, has no line in it."""
STRATA: Final = ("sex", "race", "ethnicity", "language", "dual_status", "geography")
"""By which rates are told apart, as sources say them; unknown is a stratum of its own."""
ONE_SECOND: Final = timedelta(seconds=1)


class MeasureLine(NamedTuple):
    """Where one stay stands in one measure for one organization. A tuple, because a year of a state has many millions of them."""

    organization_id: UUID | None
    """None: the exchange as a whole."""
    home_id: UUID | None
    """The home that was responsible on the day of the discharge: the line's own, else the first of them."""
    home_7_id: UUID | None
    """Where it moved, the home at the end of day 7."""
    home_30_id: UUID | None
    moved: bool
    """It was another home at day 7 or at day 30; else the two above are empty, and `home_id` stands for all."""
    of_home: bool
    """The organization is there as a home: the line counts by the days on which it was responsible, and for nobody by the others."""
    encounter_id: UUID
    measure: str
    person_id: UUID
    facility_id: UUID | None
    period: int
    anchor_on: date
    due_7_on: date
    due_30_on: date
    status_7: str
    status_30: str
    reason: str
    superseded_by: UUID | None
    met_7_on: date | None
    met_30_on: date | None
    met_by: str | None
    """By contacts alone, by claims alone: 2 in the 7 days, 1 in the 30 only, 0 not; None where services do not decide."""
    contacts_7_on: date | None
    contacts_30_on: date | None
    claims_7_on: date | None
    claims_30_on: date | None
    age: int | None
    """Full years on the anchor."""
    sex: str | None
    race: str | None
    ethnicity: str | None
    language: str | None
    dual_status: str | None
    geography: str | None
    provisional: bool
    """No final principal diagnosis of the stay has come."""
    rule_version: str
    reasons: tuple[str, ...]
    next_change_at: datetime | None
    """When to look again although nothing happens."""

    @property
    def key(self) -> tuple[UUID, str, UUID | None]:
        """What makes two lines versions of one."""
        return self.encounter_id, self.measure, self.organization_id


Said = tuple[Any, ...]
"""What all lines of a stay in a measure say alike: a line but for whose it is."""
Homes = tuple[UUID | None, UUID | None, UUID | None]
"""At the discharge, at day 7 and at day 30, as far as whose line it is may know; of a home itself, or None where it was another's."""
_NOT_MOVED: Final = (None, None)
_NO_GROUNDS: Final = (None,) * 5


def line_of(said: Said, organization_id: UUID | None, homes: Homes, *, of_home: bool) -> MeasureLine:
    """Give the line of somebody for whom the stay counts."""
    at_discharge, *later = homes
    moved = any(home != at_discharge for home in later)
    return MeasureLine._make((organization_id, at_discharge, *(later if moved else _NOT_MOVED), moved, of_home, *said))


def said_of(stay: StayInHand, statuses: Sequence[MeasureStatus], facts: Mapping[str, Any], born_on: date | None) -> list[Said]:
    """Give what lines say of a stay, for each measure that has a line of it; `facts` are those of the person."""
    strata = tuple(facts.get(name) for name in STRATA)
    facility_id = stay.facility.id if stay.facility else None
    said: list[Said] = []
    for status in statuses:
        anchor_on, due_7_on, due_30_on = status.anchor_on, status.due_7_on, status.due_30_on
        if status.status in NO_LINE or anchor_on is None or due_7_on is None or due_30_on is None:
            continue
        said.append((
            stay.id,
            status.measure,
            stay.person_id,
            facility_id,
            anchor_on.year,
            anchor_on,
            due_7_on,
            due_30_on,
            status.status_7.value,
            status.status_30.value,
            status.reason,
            UUID(status.superseded_by) if status.superseded_by else None,
            status.met_7_on,
            status.met_30_on,
            *_by_ground(status),
            age_on(born_on, anchor_on) if born_on else None,
            *strata,
            stay.signal.provisional,
            status.rule_version,
            status.reasons,
            _next_change(status, anchor_on, stay.zone),
        ))  # fmt: skip
    return said


def of_enrolled(said: Said) -> Said:
    """Give what lines say of the same stay where the person is known to be enrolled all the while: enrolment decides nothing then."""
    *before, reasons, next_change_at = said
    return (*before, tuple(one for one in reasons if one not in ENROLMENT_UNKNOWN), next_change_at)


def _by_ground(status: MeasureStatus) -> tuple[Any, ...]:
    """Give what contacts and claims say alone: as one word, and the days of each."""
    contacts, claims = (status.by_ground.get(ground) if status.by_ground else None for ground in (Ground.CONTACT, Ground.CLAIM))
    if contacts is None or claims is None:
        return _NO_GROUNDS
    return f"{_level(contacts)}{_level(claims)}", contacts.met_7_on, contacts.met_30_on, claims.met_7_on, claims.met_30_on


def _level(by: GroundStatus) -> int:
    if by.met_30_on is None:
        return 0
    return 1 if by.met_7_on is None else 2


def _next_change(status: MeasureStatus, anchor_on: date, zone: tzinfo) -> datetime | None:
    """Say when the passing of days alone changes the status: the first second after a window, or after a transfer's wait."""
    if status.reason == TRANSFER_AWAITED.reason:
        return end_of_day(anchor_on + timedelta(days=TRANSFER_WAIT_DAYS), zone) + ONE_SECOND
    waiting = [
        due_on
        for state, due_on in ((status.status_7, status.due_7_on), (status.status_30, status.due_30_on))
        if state is MeasureState.PENDING and due_on is not None
    ]
    return end_of_day(min(waiting), zone) + ONE_SECOND if waiting else None
