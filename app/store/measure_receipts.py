"""What homes acknowledged and recorded of admissions and discharges, for the measures that ask whether care went on (TRC)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from app.domain.measure import Evidence
from app.domain.measure_ledger import Heard
from app.store.raw import Raw

_HEARD: Final = """
select n.encounter_id, n.type = 'encounter.admitted' as is_admission, k.acknowledged_at as at, 'notification:' || n.id as by
from notification n join notification_acknowledgement k on k.notification_id = n.id
where n.encounter_id = any($1::uuid[])
    and (n.type = 'encounter.admitted'
        or n.type = 'encounter.discharged' and n.payload -> 'encounter' ->> 'has_discharge_summary' = 'true')
union all
select u.encounter_id, false, s.at, 'summary_fact:' || s.id
from follow_up u join summary_fact s on s.follow_up_id = u.id
where u.encounter_id = any($1::uuid[]) and s.voided_at is null and s.fact in ('received', 'reviewed')
"""


async def heard(raw: Raw, stays: Collection[UUID]) -> Mapping[UUID, Sequence[Heard]]:
    """Give it by stay: notices of the admission that were acknowledged, and discharge information that was received.

    By ix_notification_encounter, ix_follow_up_encounter_id and ix_summary_fact_follow_up_id. As work: it looks across homes.
    """
    found: dict[UUID, list[Heard]] = defaultdict(list)
    for row in await raw.fetch(_HEARD, list(stays)) if stays else ():
        what = Evidence.ADMISSION_NOTICE if row["is_admission"] else Evidence.DISCHARGE_INFORMATION
        found[row["encounter_id"]].append(Heard(what, row["at"], row["by"]))
    return found
