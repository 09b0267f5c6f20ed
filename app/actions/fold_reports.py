"""A stay that a home learned of itself becomes part of the ADT stay when one arrives, with its follow-up and contacts.

Whichever came first: called for every stay that changed, it looks at the people's unconfirmed reports. A report stays its reporter's
own beside a stay that the reporter may not be told of: to fold it would tell that there is one (42 CFR 2.13(c)). Not here: reporting.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.directory import Directory
from app.domain.privacy import may_be_told
from app.domain.stay_in_hand import StayInHand
from app.store import encounters
from app.store.encounters import Span
from app.store.raw import Raw

APART_MAX = timedelta(days=1)
"""Our policy: what people remember of a stay's begin or end is a day off at most."""


async def fold_reports(raw: Raw, stays: Sequence[StayInHand], directory: Directory, now: datetime) -> None:
    """Fold the reports that these stays confirm."""
    confirmed = [stay for stay in stays if stay.source == "adt" and stay.mode == "live"]
    if not confirmed:
        return
    reports = await encounters.unfolded_reports(raw, {stay.person_id for stay in confirmed})
    folds = {}
    for report in reports:
        reporter = directory.organizations.get(report.reported_by)
        same = [
            stay
            for stay in confirmed
            if stay.person_id == report.person_id
            and is_same(report, stay)
            and reporter is not None
            and may_be_told(stay.origin, reporter.kind).tier.tells
        ]
        if same:
            folds[report.id] = min(same, key=lambda stay: stay.id).id
    if folds:
        await encounters.fold_into(raw, folds, now)


def is_same(report: Span, stay: StayInHand) -> bool:
    """Tell whether a report and a stay are one: the same place as far as it is known, and begin or end within a day."""
    if report.facility_id is not None and (stay.facility is None or report.facility_id != stay.facility.id):
        return False
    pairs = ((report.admitted_at, stay.view.admitted_at), (report.discharged_at, stay.view.discharged_at))
    return any(told is not None and known is not None and abs(told - known) <= APART_MAX for told, known in pairs)
