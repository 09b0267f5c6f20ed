"""When responsibility moves: who should have an open follow-up now, by the claims of today. Pure.

A follow-up belongs to the home of the day of the discharge. When another home leads the person's program by now, it is offered to that
home, which may accept or decline; after a while it is accepted by itself. Until then the old home stays responsible, and due times
never change. Not here: offers that are stored (actions/move_follow_ups).
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.attribution import HOME_ROLES, Attribution
from app.domain.directory import Directory
from app.domain.responsible_home import Home, led_on
from app.domain.rulebook import Rulebook

ACCEPTED_AFTER: Final = timedelta(days=3)
"""Our policy: how long a home has to accept or decline what the panels say is theirs."""


def home_now(
    home_id: UUID, programs: Collection[str], claims: Sequence[Attribution], today: date, directory: Directory, rulebook: Rulebook
) -> Attribution | None:
    """Give the claim of the home that an open follow-up should go to; None where it stays, or where nobody clearly follows.

    It stays while its home leads any of its programs today.
    """
    held = [claim for claim in claims if claim.holds_on(today) and claim.role in HOME_ROLES]
    led = led_on(today, held, directory, rulebook)
    of_programs = [one.lead for key, one in led.items() if key.partition(":")[0] in programs]
    if any(lead.organization_id == home_id for lead in of_programs):
        return None
    has_left = all(claim.organization_id != home_id for claim in held)
    wanted = of_programs or ([one.lead for one in led.values()] if has_left else [])
    homes = {claim.organization_id: claim for claim in wanted}
    return next(iter(homes.values())) if len(homes) == 1 else None


def next_end_at(home: Home, claims: Sequence[Attribution], zone: ZoneInfo, now: datetime) -> datetime | None:
    """Give when the last of a home's present claims ends, for then the follow-up is to be looked at again."""
    today = now.astimezone(zone).date()
    ends = [claim.effective_to for claim in claims if claim.organization_id == home.home_id and claim.holds_on(today)]
    last = max((end for end in ends if end is not None), default=None)
    return datetime.combine(last, time(), zone).astimezone(UTC) if last is not None and None not in ends else None
