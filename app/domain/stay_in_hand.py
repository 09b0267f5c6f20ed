"""A folded stay with everything rooms 6 and 7 ask of it: what it is, where it was, and whether it is behavioral health."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.adt_event import EncounterClass
from app.domain.behavioral import BehavioralKind, BehavioralSignal, Place, behavioral_health_signal
from app.domain.calendar import local_date
from app.domain.consent import Consent
from app.domain.death_judged import NOTHING_JUDGED, DeathsJudged
from app.domain.encounter import EncounterView
from app.domain.feed import FeedProfile
from app.domain.going_live import Past
from app.domain.happening import Kind
from app.domain.home_origin import origin_of_home
from app.domain.late_release import Release
from app.domain.organization import FacilityType, Organization
from app.domain.origin_registry import UNKNOWN_PLACE, PlaceStatus, Registration
from app.domain.privacy import LONG_AGO, Origin
from app.domain.privacy_law import NO_LAW, PrivacyLaw
from app.domain.rulebook import Rulebook
from app.domain.stay import CareLevel, Stay, StayClass

UTC_ZONE = "UTC"
_CLASSES = {
    "emergency": StayClass.EMERGENCY,
    "inpatient": StayClass.INPATIENT,
    "obstetrics": StayClass.INPATIENT,
    "observation": StayClass.OBSERVATION,
}
_CARE = {
    FacilityType.NONACUTE: CareLevel.NONACUTE,
    FacilityType.RESIDENTIAL: CareLevel.PSYCHIATRIC_RESIDENTIAL,
    FacilityType.SUBSTANCE_USE_RESIDENTIAL: CareLevel.SUBSTANCE_USE_RESIDENTIAL,
    FacilityType.WITHDRAWAL_MANAGEMENT: CareLevel.WITHDRAWAL_MANAGEMENT,
}
PLANNED_TYPES = frozenset({"L", "R", "C", "3"})
"""Types of admission (PV1-4, table 0007; UB-04 form locator 14) that were planned: elective, routine."""
_ABOUT = {
    FacilityType.PSYCHIATRIC: BehavioralKind.MENTAL_HEALTH,
    FacilityType.SUBSTANCE_USE_RESIDENTIAL: BehavioralKind.SUBSTANCE_USE,
    FacilityType.WITHDRAWAL_MANAGEMENT: BehavioralKind.SUBSTANCE_USE,
}
"""Places where every stay is behavioral health, whatever its diagnoses say so far."""


@dataclass(frozen=True, slots=True)
class StayInHand:
    """One stay of a batch. `facility` is None for a reported stay at a place we do not know."""

    id: UUID
    person_id: UUID
    record_id: UUID
    visit_number: str
    mode: str
    source: str
    view: EncounterView
    signal: BehavioralSignal
    facility: Organization | None
    facility_text: str | None = None
    reported_by: UUID | None = None
    reporter: Organization | None = None
    """Who reported it, where its own status may be protected."""
    reporter_registered: Sequence[Registration] = ()
    reporter_zone: str | None = None
    """The calendar of a reported stay at a place that the registry does not know: its reporter's, who is of the same parts."""
    cause_id: UUID | None = None
    """The inbound message, report or upload that is being worked on."""
    past: Past = frozenset()
    """Events that were heard only while the feed told nobody."""
    has_summary: bool = False
    """A discharge summary of the stay has come, and stands (domain/document)."""
    heard: Mapping[Kind, datetime] = field(default_factory=dict)
    """Event -> when the service first knew that it stands."""
    received_at: datetime | None = None
    """When what is worked on came here."""
    release: Release | None = None
    """What is worked on had waited for a person."""
    destination: Organization | None = None
    """Where its messages say the patient went (PV1-37), if the registry knows it by that name."""
    place: PlaceStatus = UNKNOWN_PLACE
    """What the registry says of where it was."""
    consents: tuple[Consent, ...] = ()
    """What the person has signed or refused, as it stands now."""
    deaths: DeathsJudged = NOTHING_JUDGED
    """What somebody decided of the person's deaths: of all their stays the same."""
    law: PrivacyLaw = NO_LAW
    asked_at: datetime = LONG_AGO
    """When the question is asked what may be told of it: consents end."""

    @property
    def zone(self) -> ZoneInfo:
        """The local calendar of the stay."""
        return calendar_of(self.facility, self.reporter_zone)

    def day_of(self, at: datetime) -> date:
        """Give the local date of an instant at the facility (domain rule 2: never the UTC date)."""
        return local_date(at, self.zone)

    def is_past(self, kind: Kind, at: datetime) -> bool:
        """Tell whether an event of the stay is nobody's news, because it was heard before the feed went live."""
        return (kind, at.isoformat()) in self.past

    @property
    def origin(self) -> Origin:
        """What privacy asks of the source, and of who reported it."""
        if self.reporter is None:
            return self._origin_of_place
        reporter = origin_of_home(self.reporter, self.reporter_registered, self.consents, self.law, self.asked_at)
        return replace(self._origin_of_place, reporter=reporter)

    @property
    def _origin_of_place(self) -> Origin:
        place = self.place
        if not self.consents and place.privacy_pack is None:
            return Origin(
                place.part2_status,
                self.signal.substance_use_mentioned,
                self.signal.mental_health_mentioned,
                place.is_identified_unit,
                mental_health_licensed=place.mental_health_licensed,
                is_protected=self.view.facts.get("protected") is True,
                now=self.asked_at,
            )
        pack = self.law.packs.get(place.privacy_pack) if place.privacy_pack else None
        return Origin(
            place.part2_status,
            self.signal.substance_use_mentioned,
            self.signal.mental_health_mentioned,
            place.is_identified_unit,
            facility_id=self.facility.id if self.facility else None,
            facility_type=place.facility_type,
            mental_health_licensed=place.mental_health_licensed,
            is_protected=self.view.facts.get("protected") is True,
            codes=tuple(one.code.upper().replace(".", "") for one in self.view.diagnoses) if pack else (),
            pack=pack,
            law=self.law,
            consents=self.consents,
            day=self.day_of(self.asked_at),
            now=self.asked_at,
        )


def calendar_of(facility: Organization | None, reporter_zone: str | None) -> ZoneInfo:
    """Give the local calendar of a place: its own, or that of who reported the stay at a place which the registry does not know."""
    return ZoneInfo(facility.time_zone if facility else reporter_zone or UTC_ZONE)


def signal_of(
    view: EncounterView, facility: Organization | None, profile: FeedProfile | None, rulebook: Rulebook, on: date
) -> BehavioralSignal:
    """Decide whether the stay is behavioral health, by diagnoses, unit, service and facility (domain section 2.1)."""
    units = profile.behavioral_units if profile else frozenset()
    place = Place(
        point_of_care=view.facts.get("unit") or "",
        hospital_service=view.facts.get("hospital_service") or "",
        behavioral_units=dict.fromkeys(units, BehavioralKind.MENTAL_HEALTH),
        hospital_services=rulebook.hospital_services,
        facility=_ABOUT.get(facility.facility_type, BehavioralKind.NONE) if facility else BehavioralKind.NONE,
    )
    return behavioral_health_signal(rulebook.diagnoses, view.diagnoses, on, place)


def stay_for_rules(stay: StayInHand, rulebook: Rulebook, born_on: date | None = None) -> Stay:
    """Give the stay in the words of the follow-up and measure rules."""
    view = stay.view
    return Stay(
        id=str(stay.id),
        stay_class=_CLASSES.get(view.encounter_class, StayClass.OTHER),
        zone=stay.zone,
        admitted_at=view.admitted_at,
        discharged_at=view.discharged_at,
        cancelled_discharge_at=view.cancelled_discharge_at,
        cancelled=view.status == "cancelled",
        disposition=rulebook.dispositions.meaning(view.disposition),
        care_level=_CARE.get(stay.facility.facility_type, CareLevel.ACUTE) if stay.facility else CareLevel.ACUTE,
        signal=stay.signal,
        planned=str(view.facts.get("admission_type") or "").upper() in PLANNED_TYPES,
        transfer_wait=stay.destination.transfer_wait if stay.destination else None,
        through_emergency=bool(view.phases) and view.phases[0].encounter_class is EncounterClass.EMERGENCY,
        born_on=born_on,
    )


@dataclass(frozen=True, slots=True)
class PersonText:
    """A person as recipients read it: text as sent by the record that spoke last."""

    facts: dict[str, object] = field(default_factory=dict)
    identifiers: tuple[tuple[str, str, str], ...] = ()
    """(authority, type, value) by hospitals; a recipient's own panel numbers are added for that recipient only."""
