"""Notifications whose right to be told ended with an attribution: set-based, for a page of the outbox or a claim of deliveries."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from app.store.raw import Raw

NEVER_THEIRS = """
(n.type <> 'encounter.cancelled' and exists (
    select 1 from telling t where t.encounter_id = n.encounter_id and t.recipient_id = n.recipient_id
        and t.event_id = n.event_id and t.decision = 'ended'))
"""
"""Of a notification `n`: the claim was taken back for the day of its event (pk_telling). That it was taken back may be read."""

HAS_PARTED = """
exists (select 1 from person p where p.id = n.person_id and p.left_at > n.created_at - interval '1 hour')
"""
"""Of a notification `n`: a record has left its person since (pk_person). The hour: both times are when a transaction began."""

_LEFT = """
exists (select 1 from panel_member m where m.person_id = e.person_id and m.organization_id = n.recipient_id)
and not exists (select 1 from panel_member m where m.person_id = e.person_id and m.organization_id = n.recipient_id
                and m.retracted_at is null and (m.effective_to is null or m.effective_to > ($2 at time zone o.time_zone)::date))
and not exists (select 1 from follow_up f where f.encounter_id = n.encounter_id and f.home_id = n.recipient_id
                and f.state in ('inpatient', 'open', 'suspended'))
"""


async def not_to_be_sent(raw: Raw, notifications: Iterable[UUID], now: datetime) -> set[UUID]:
    """Give those that must not leave any more: never theirs, or the claim is over today and no follow-up of the stay is left to do.

    What was told while the claim held may be read for ever; what has not left yet stays here (ix_panel_member_person, pk_telling,
    uq_follow_up_home).
    """
    rows = await raw.fetch(
        "select n.id from notification n join encounter e on e.id = n.encounter_id join organization o on o.id = n.recipient_id "
        f"where n.id = any($1::uuid[]) and n.type <> 'encounter.cancelled' and ({NEVER_THEIRS} or ({_LEFT}))",
        list(notifications),
        now,
    )
    return {row["id"] for row in rows}
