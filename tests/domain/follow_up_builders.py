"""Builders for the follow-up rules: keyword-only, local wall-clock times, sensible defaults. Everybody in them is made up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.behavioral import BehavioralSignal, behavioral_health_signal
from app.domain.contact import Contact, ContactDirection, ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith, TopicItem
from app.domain.stay import CareLevel, Disposition, Stay, StayClass
from app.standards.diagnosis_rules import diagnosis_rules


@dataclass(frozen=True, slots=True)
class Said:
    """A diagnosis as a message says it."""

    code: str
    system: str = "I10"
    use: str = "F"
    rank: int | None = None


EASTERN = ZoneInfo("America/New_York")
DEPRESSION = ("F32.2",)


def local(text: str, zone: ZoneInfo = EASTERN) -> datetime:
    """An instant from local wall-clock time: ``2025-03-10 14:00``, or a date for noon."""
    at = datetime.fromisoformat(text if " " in text else f"{text} 12:00")
    return at.replace(tzinfo=zone).astimezone(UTC)


def make_signal(codes: Sequence[str] = DEPRESSION, *, use: str = "F", on: date = date(2025, 6, 1)) -> BehavioralSignal:
    """What these diagnoses say, the first being the principal one."""
    diagnoses = [Said(code=code, use=use, rank=rank) for rank, code in enumerate(codes, start=1)]
    return behavioral_health_signal(diagnosis_rules(), diagnoses, on)


def make_stay(
    stay_id: str = "A",
    *,
    admitted: str = "2025-03-01",
    discharged: str | None = "2025-03-10",
    stay_class: StayClass = StayClass.INPATIENT,
    disposition: Disposition = Disposition.HOME,
    codes: Sequence[str] = DEPRESSION,
    use: str = "F",
    care_level: CareLevel = CareLevel.ACUTE,
    zone: ZoneInfo = EASTERN,
    cancelled: bool = False,
    discharge_cancelled: str | None = None,
) -> Stay:
    """A stay; dates stand for noon."""
    ended = local(discharged, zone) if discharged else None
    on = (ended or local(admitted, zone)).astimezone(zone).date()
    return Stay(
        id=stay_id,
        stay_class=stay_class,
        zone=zone,
        admitted_at=local(admitted, zone),
        discharged_at=ended,
        cancelled_discharge_at=local(discharge_cancelled, zone) if discharge_cancelled else None,
        cancelled=cancelled,
        disposition=disposition,
        care_level=care_level,
        signal=make_signal(codes, use=use, on=on),
    )


def make_visit(
    stay_id: str, day: str, *, codes: Sequence[str] = DEPRESSION, use: str = "F", disposition: Disposition = Disposition.HOME
) -> Stay:
    """An emergency visit of four hours."""
    return make_stay(
        stay_id,
        admitted=f"{day} 10:00",
        discharged=f"{day} 14:00",
        stay_class=StayClass.EMERGENCY,
        codes=codes,
        use=use,
        disposition=disposition,
    )


def make_contact(
    occurred: str | datetime,
    *,
    contact_id: str = "c1",
    type: ContactType = ContactType.PHONE,  # noqa: A002 - the field's name
    outcome: ContactOutcome = ContactOutcome.REACHED,
    direction: ContactDirection = ContactDirection.OUTBOUND,
    with_whom: ContactWith = ContactWith.PATIENT,
    role: ContactRole | None = ContactRole.COORDINATOR,
    live_two_way: bool | None = None,
    topics: Sequence[ContactTopic] = (),
    visit_codes: Sequence[str] = (),
    diagnoses: Sequence[str] = (),
    taxonomies: Sequence[str] = (),
    place_of_service: str | None = None,
    voided: bool = False,
) -> Contact:
    """A recorded contact: by default a coordinator's call that reached the patient."""
    occurred_at = local(occurred) if isinstance(occurred, str) else occurred
    recorded_at = occurred_at + timedelta(minutes=10)
    return Contact(
        id=contact_id,
        follow_up_id="follow-up",
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        author="Sample Coordinator",
        source="api",
        type=type,
        outcome=outcome,
        direction=direction,
        with_whom=with_whom,
        role=role,
        live_two_way=live_two_way,
        content=tuple(TopicItem(topic=topic) for topic in topics),
        visit_codes=tuple(visit_codes),
        diagnoses=tuple(diagnoses),
        taxonomies=tuple(taxonomies),
        place_of_service=place_of_service,
        voided_at=recorded_at + timedelta(minutes=5) if voided else None,
    )
