"""A stay that a home learned of itself becomes part of the ADT stay when one arrives, with its follow-up and contacts.

Whichever came first: called for every stay that changed, it looks at the people's unconfirmed reports. A report stays its reporter's
own beside a stay that the reporter may not be told of, by law (42 CFR 2.13(c)) or because it does not claim the person: to fold it
would tell that there is one. Not here: reporting.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from app.domain.adt_event import EncounterClass
from app.domain.attribution import Attribution
from app.domain.directory import Directory
from app.domain.encounter import IN_HOUSE, EncounterStatus
from app.domain.privacy import may_be_told, recipient_of
from app.domain.stay_in_hand import StayInHand
from app.store import claims, encounters
from app.store.encounters import Span
from app.store.raw import Raw

APART_MAX = timedelta(days=1)
"""Our policy: what people remember of a stay's begin or end is a day off at most."""


async def fold_reports(raw: Raw, stays: Sequence[StayInHand], directory: Directory, now: datetime) -> None:
    """Fold the reports that these stays confirm."""
    confirmed = [
        stay for stay in stays if stay.source == "adt" and stay.mode == "live" and stay.view.status is not EncounterStatus.CANCELLED
    ]
    if not confirmed:
        return
    reports = await encounters.unfolded_reports(raw, {stay.person_id for stay in confirmed})
    if not reports:
        return
    claimed = await claims.of_people(raw, {report.person_id for report in reports})
    folds = {}
    for report in reports:
        same = [
            stay
            for stay in confirmed
            if stay.person_id == report.person_id
            and is_same(report, stay)
            and _may_learn(report, stay, claimed.get(report.person_id, ()), directory)
        ]
        if same:
            folds[report.id] = min(same, key=lambda stay: stay.id).id
    if folds:
        await encounters.fold_into(raw, folds, now)


def _may_learn(report: Span, stay: StayInHand, claimed: Iterable[Attribution], directory: Directory) -> bool:
    """Tell whether the reporter is one of those who are told of the stay: it claims the person on its first or last day."""
    reporter = directory.organizations.get(report.reported_by)
    if reporter is None or not may_be_told(stay.origin, recipient_of(reporter)).tier.tells:
        return False
    days = [stay.day_of(at) for at in (stay.view.admitted_at, stay.view.discharged_at) if at is not None]
    return any(claim.organization_id == reporter.id and claim.holds_on(day) for claim in claimed for day in days)


def is_same(report: Span, stay: StayInHand) -> bool:
    """Tell whether a report and a stay are one: the same place and kind as far as they are known, and begin or end within a day."""
    if report.facility_id is not None and (stay.facility is None or report.facility_id != stay.facility.id):
        return False
    pairs = ((report.admitted_at, stay.view.admitted_at), (report.discharged_at, stay.view.discharged_at))
    is_near = any(told is not None and known is not None and abs(told - known) <= APART_MAX for told, known in pairs)
    return is_near and _is_same_kind(EncounterClass(report.encounter_class), stay)


def _is_same_kind(reported: EncounterClass, stay: StayInHand) -> bool:
    """Tell whether one of the classes that the stay had is what was reported.

    The emergency visit here, or a clinic's appointment, is not the hospital elsewhere into which the patient went the same day.
    """
    classes = {stay.view.encounter_class, *(phase.encounter_class for phase in stay.view.phases)}
    if EncounterClass.UNKNOWN in {reported, *classes} or reported in classes:
        return True
    return reported in IN_HOUSE and not IN_HOUSE.isdisjoint(classes)
