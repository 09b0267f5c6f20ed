"""A contact: one thing a team did for a person's follow-up, in the vocabulary of the field, reached or not.

Contacts are never changed or deleted: a mistake is voided and said again. Not here: reading and checking what a caller wrote
(``contact_entry``), which clock a contact satisfies (``clock``), whether it is a service that a measure counts (``service``).
"""

from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID


class ContactType(StrEnum):
    """How the contact was made."""

    PHONE = "phone"
    VOICEMAIL = "voicemail"
    TEXT = "text"
    PORTAL = "portal"
    EMAIL = "email"
    VIDEO = "video"
    IN_PERSON_HOME = "in_person_home"
    IN_PERSON_OFFICE = "in_person_office"
    IN_PERSON_HOSPITAL = "in_person_hospital"
    """At the bedside, before the discharge: the warm handoff itself. It starts nothing and stops no clock."""
    LETTER = "letter"
    COLLATERAL = "collateral"
    """About the person, with somebody else; the six below say with whom."""
    COLLATERAL_FAMILY = "collateral_family"
    COLLATERAL_FACILITY = "collateral_facility"
    COLLATERAL_PHARMACY = "collateral_pharmacy"
    COLLATERAL_PCP = "collateral_pcp"
    COLLATERAL_SHELTER = "collateral_shelter"
    COLLATERAL_JAIL = "collateral_jail"
    CARE_CONFERENCE = "care_conference"

    @property
    def is_collateral(self) -> bool:
        """Whether it was about the person but with somebody else."""
        return self in COLLATERAL_TYPES


class ContactDirection(StrEnum):
    """Who began it. Only what the team began is an attempt."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class ContactWith(StrEnum):
    """Whom the team spoke with, or tried to."""

    PATIENT = "patient"
    CAREGIVER = "caregiver"
    PROVIDER = "provider"
    OTHER = "other"


class ContactRole(StrEnum):
    """What the team member is. Spelled as the field spells them."""

    PEER = "peer"
    RN = "RN"
    CHW = "CHW"
    COORDINATOR = "coordinator"
    CLINICIAN = "clinician"
    PRESCRIBER = "prescriber"
    PHARMACIST = "pharmacist"


class ContactOutcome(StrEnum):
    """What came of it."""

    REACHED = "reached"
    REACHED_CAREGIVER = "reached_caregiver"
    LEFT_MESSAGE = "left_message"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    WRONG_NUMBER = "wrong_number"
    DISCONNECTED = "disconnected"
    DECLINED = "declined"
    """Spoke, and wants no help now: an attempt, not a follow-up."""
    UNABLE_LANGUAGE = "unable_language"
    IN_FACILITY = "in_facility"
    INCARCERATED = "incarcerated"
    DECEASED = "deceased"
    NO_SHOW = "no_show"
    RESCHEDULED = "rescheduled"
    ATTENDED = "attended"


class ContactTopic(StrEnum):
    """What was done or talked about."""

    SAFETY_SCREEN = "safety_screen"
    SAFETY_PLAN = "safety_plan"
    """Made or gone through together."""
    C_SSRS_LEVEL = "c_ssrs_level"
    PHQ9 = "phq9"
    MED_REC = "med_rec"
    SYMPTOMS_REDFLAGS = "symptoms_redflags"
    APPT_CONFIRMED = "appt_confirmed"
    TRANSPORT = "transport"
    HOUSING = "housing"
    DC_INSTRUCTIONS_TEACHBACK = "dc_instructions_teachback"
    BENEFITS = "benefits"
    NALOXONE = "naloxone"


COLLATERAL_TYPES: Final = frozenset(
    {
        ContactType.COLLATERAL,
        ContactType.COLLATERAL_FAMILY,
        ContactType.COLLATERAL_FACILITY,
        ContactType.COLLATERAL_PHARMACY,
        ContactType.COLLATERAL_PCP,
        ContactType.COLLATERAL_SHELTER,
        ContactType.COLLATERAL_JAIL,
    }
)
LIVE_TYPES: Final = frozenset(
    {
        ContactType.PHONE,
        ContactType.VIDEO,
        ContactType.IN_PERSON_HOME,
        ContactType.IN_PERSON_OFFICE,
        ContactType.IN_PERSON_HOSPITAL,
    }
)
"""Two people at once by nature. Text, portal and email can be a live exchange too, but only if the team says so."""
ONE_WAY_TYPES: Final = frozenset({ContactType.VOICEMAIL, ContactType.LETTER})
REACHED_OUTCOMES: Final = frozenset({ContactOutcome.REACHED, ContactOutcome.REACHED_CAREGIVER, ContactOutcome.ATTENDED})
NOBODY_OUTCOMES: Final = frozenset(
    {
        ContactOutcome.LEFT_MESSAGE,
        ContactOutcome.NO_ANSWER,
        ContactOutcome.BUSY,
        ContactOutcome.WRONG_NUMBER,
        ContactOutcome.DISCONNECTED,
        ContactOutcome.NO_SHOW,
    }
)
ATTEMPT_OUTCOMES: Final = NOBODY_OUTCOMES | {
    ContactOutcome.REACHED,
    ContactOutcome.REACHED_CAREGIVER,
    ContactOutcome.ATTENDED,
    ContactOutcome.DECLINED,
    ContactOutcome.UNABLE_LANGUAGE,
    ContactOutcome.RESCHEDULED,
}
"""The team tried the person. Learning that somebody is in jail, in a facility or dead is knowledge, not an attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicItem:
    """One topic of a contact, with its level, score or count where it has one (``med_rec``: discrepancies found)."""

    topic: ContactTopic
    done: bool = True
    value: int | str | None = None
    answers: tuple[tuple[str, int | bool], ...] = ()
    """Of an instrument, by question (``instrument``); none where only its result was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEntry:
    """What the caller says was done."""

    occurred_at: datetime
    type: ContactType
    outcome: ContactOutcome
    direction: ContactDirection = ContactDirection.OUTBOUND
    with_whom: ContactWith = ContactWith.PATIENT
    """``with`` in the API."""
    role: ContactRole | None = None
    npi: str | None = None
    taxonomies: tuple[str, ...] = ()
    """NUCC provider taxonomy codes of who did it; with a diagnosis they make an uncoded visit a service."""
    live_two_way: bool | None = None
    """As said. ``is_live`` is what it comes to when nothing is said."""
    duration_minutes: int | None = None
    content: tuple[TopicItem, ...] = ()
    visit_codes: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()
    place_of_service: str | None = None
    note: str | None = None
    place: str | None = None
    """Where the person is, of `in_facility` and `incarcerated`."""
    review_on: date | None = None
    """When to ask again whether they are still there."""
    next_action: str | None = None
    next_action_due_on: date | None = None

    @property
    def is_live(self) -> bool:
        """Whether two people were in touch both ways: what was said, else what type and outcome imply."""
        if self.live_two_way is not None:
            return self.live_two_way
        return self.type in LIVE_TYPES and self.outcome in REACHED_OUTCOMES

    @property
    def is_attempt(self) -> bool:
        """Whether the team tried the person."""
        return self.direction is ContactDirection.OUTBOUND and self.outcome in ATTEMPT_OUTCOMES

    def did(self, topic: ContactTopic) -> bool:
        """Whether a topic was done."""
        return any(item.topic is topic and item.done for item in self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact(ContactEntry):
    """A recorded contact: what was said, by whom, when it became known, and whether it was taken back."""

    id: str
    follow_up_id: str
    recorded_at: datetime
    author: str
    source: str
    source_id: str | None = None
    voided_at: datetime | None = None
    organization_id: UUID | None = None
    """Who recorded it; None: not asked."""

    @staticmethod
    def of(
        entry: ContactEntry,
        *,
        id: str,  # noqa: A002 - the field's name
        follow_up_id: str,
        recorded_at: datetime,
        author: str,
        source: str,
        source_id: str | None = None,
        voided_at: datetime | None = None,
        organization_id: UUID | None = None,
    ) -> "Contact":
        """Record an entry."""
        said = {one.name: getattr(entry, one.name) for one in fields(ContactEntry)}
        return Contact(
            **said,
            id=id,
            follow_up_id=follow_up_id,
            recorded_at=recorded_at,
            author=author,
            source=source,
            source_id=source_id,
            voided_at=voided_at,
            organization_id=organization_id,
        )
