"""A home as the origin of records: what the registry knows of it, in the words of the decision (privacy).

Which homes' own status may be protected is asked of the registry once (origin_registry). Not here: who may know of one (own_status).
"""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.domain.calendar import local_date
from app.domain.consent import Consent
from app.domain.organization import Organization, OrganizationKind
from app.domain.origin_registry import Registration, is_of_substance_use, standing_place
from app.domain.privacy import LONG_AGO, Origin
from app.domain.privacy_law import PrivacyLaw


def origin_of_home(
    home: Organization, registered: Sequence[Registration], consents: tuple[Consent, ...], law: PrivacyLaw, now: datetime
) -> Origin:
    """Give what is known of a home as an origin. What it ever was counts: a registration that ended still names its patients."""
    place = standing_place(home, registered)
    # A behavioral health home is a licensed agency of community mental health; what follows from that, a state's pack says.
    is_of_mental_health = place.mental_health_licensed or home.kind is OrganizationKind.BEHAVIORAL_HEALTH_HOME
    return Origin(
        place.part2_status,
        substance_use_signal=is_of_substance_use(home, place),
        mental_health_signal=is_of_mental_health,
        facility_id=home.id,
        facility_type=place.facility_type,
        mental_health_licensed=is_of_mental_health,
        pack=law.packs.get(place.privacy_pack) if place.privacy_pack else None,
        law=law,
        consents=consents,
        day=local_date(now, ZoneInfo(home.time_zone)) if now > LONG_AGO else date.min,
        now=now,
    )
