"""Consents as they are sent and shown, and what is registered of places."""

from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from app.api.schemas.common import (
    ConsentIdText,
    Day,
    Document,
    Instant,
    Listing,
    LongText,
    OrganizationId,
    OrganizationIdText,
    PersonId,
    PersonIdText,
    Request,
    ShortText,
)
from app.api.schemas.encounters import ReportedPerson
from app.domain.adt_event import Identifier, PersonFacts
from app.domain.consent import Category, ConsentKind, Purpose, RecipientClass
from app.domain.consent_form import ConsentForm, Signature, Signer, Statement
from app.domain.organization import FacilityType, Part2Status
from app.domain.origin_registry import PlaceKind, Registration
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.stored_consent import NamedPatient
from app.store.consent_records import ConsentRow

_MANY = 50


class ConsentPerson(ReportedPerson):
    """Somebody whom nobody here may know yet. A number alone would be a guess: name and birth date are compared."""

    last_name: ShortText
    birth_date: Day


class NewConsent(Request):
    """A consent, a refusal, or the record of an emergency. What is missing of 42 CFR 2.31(a) is answered field by field."""

    person_id: PersonId | None = None
    person: Annotated[ConsentPerson | None, Field(description="In the place of person_id: whom the person index is to find")] = None
    kind: ConsentKind
    signed_on: Annotated[Day, Field(description="The day of the signature, of the refusal, or of the emergency")]
    categories: Annotated[tuple[Category, ...], Field(max_length=_MANY, description="Which information")] = ()
    purposes: Annotated[tuple[Purpose, ...], Field(max_length=_MANY, description="Of a refusal: left out means every one")] = ()
    scope: Annotated[LongText, Field(description="Specific and meaningful; travels with what is disclosed (42 CFR 2.32(b))")] = ""
    discloser_id: Annotated[OrganizationId | None, Field(description="Who may disclose")] = None
    any_discloser: Annotated[bool, Field(description="Whoever holds such records")] = False
    recipients: Annotated[tuple[OrganizationId, ...], Field(max_length=_MANY)] = ()
    recipient_classes: Annotated[tuple[RecipientClass, ...], Field(max_length=_MANY)] = ()
    intermediary_id: OrganizationId | None = None
    signed_by: Signer = Signer.PATIENT
    signature: Signature = Signature.NONE
    expires_on: Annotated[date | None, Field(description="The last day on which it holds", examples=["2027-03-01"])] = None
    expires_upon: Annotated[ShortText | None, Field(description="An event or condition; `none` is enough for the kind tpo")] = None
    minutes: Annotated[int | None, Field(ge=1, le=100_000, description="How long an emergency or a broken glass lasts")] = None
    statements: Annotated[tuple[Statement, ...], Field(max_length=_MANY, description="What the form tells the patient")] = ()
    reason: Annotated[LongText | None, Field(description="Of a refusal, an emergency or a broken glass")] = None
    document_id: Annotated[ShortText | None, Field(description="Where the paper is")] = None

    @model_validator(mode="after")
    def _is_of_somebody(self) -> Self:
        if (self.person_id is None) is (self.person is None):
            msg = "say whose it is: give either person_id or person"
            raise ValueError(msg)
        return self

    @property
    def patient(self) -> UUID | NamedPatient:
        """Whose it is."""
        one = self.person
        if one is None:
            assert self.person_id is not None  # noqa: S101 - the validator has looked
            return self.person_id
        facts = PersonFacts(
            first_name=one.first_name,
            middle_name=one.middle_name,
            last_name=one.last_name,
            birth_date=one.birth_date,
            sex=one.sex,
            phone=one.phone,
        )
        return NamedPatient(tuple(Identifier(item.system, item.type, item.value) for item in one.identifiers), facts)

    def form(self) -> ConsentForm:
        """Give it as the rules check it."""
        is_exception = self.kind in (ConsentKind.EMERGENCY, ConsentKind.BREAK_GLASS)
        return ConsentForm(
            kind=self.kind,
            signed_on=self.signed_on,
            categories=frozenset(self.categories or ((Category.ALL,) if is_exception or self.kind is ConsentKind.REFUSAL else ())),
            purposes=frozenset(self.purposes or ((Purpose.TREATMENT, Purpose.VIEWING) if is_exception else ())),
            scope=self.scope,
            discloser_id=self.discloser_id,
            any_discloser=self.any_discloser,
            recipients=tuple(dict.fromkeys(self.recipients)),
            recipient_classes=frozenset(self.recipient_classes),
            intermediary_id=self.intermediary_id,
            signed_by=self.signed_by,
            signature=self.signature,
            expires_on=self.expires_on,
            expires_upon=self.expires_upon,
            minutes=self.minutes,
            statements=frozenset(self.statements),
            reason=self.reason,
            document_id=self.document_id,
        )


class RevokeRequest(Request):
    """The patient takes it back: from now on, not for what was told before."""

    note: LongText | None = None


class ConsentReviewRequest(Request):
    """What a person of the exchange found."""

    decision: Literal["accept", "refuse"]
    note: LongText | None = None


class ConsentDocument(Document):
    """A consent as it stands."""

    id: ConsentIdText
    person_id: PersonIdText
    kind: ConsentKind
    state: Annotated[
        Literal["proposed", "active", "refused", "revoked", "expired"], Field(description="proposed: it counts when a person has looked")
    ]
    in_force: Annotated[bool, Field(description="It counts now: active, signed, and not over")]
    categories: list[Category]
    purposes: list[Purpose]
    scope: str
    discloser_id: OrganizationIdText | None
    recipients: list[OrganizationIdText]
    recipient_classes: list[RecipientClass]
    intermediary_id: OrganizationIdText | None
    signed_on: Day
    signed_by: Signer
    signature: Signature
    expires_on: Day | None
    expires_upon: str | None
    ends_at: Instant | None
    statements: list[Statement]
    reason: str | None
    document_id: str | None
    source: str
    recorded_by: OrganizationIdText | None
    asserted_at: Annotated[Instant, Field(description="When we learned it")]
    reviewed_at: Instant | None
    review_note: str | None
    revoked_at: Instant | None
    revocation_note: str | None


ConsentPage = Listing[ConsentDocument]


def consent_json(one: ConsentRow, *, in_force: bool) -> dict[str, Any]:
    """Show a consent."""
    same = ("kind", "state", "scope", "signed_on", "signed_by", "signature", "expires_on", "expires_upon", "ends_at", "reason",
            "document_id", "source", "asserted_at", "reviewed_at", "review_note", "revoked_at", "revocation_note")  # fmt: skip
    return {
        "id": public_id(Kind.CONSENT, one.id),
        "person_id": public_id(Kind.PERSON, one.person_id),
        "in_force": in_force,
        "categories": sorted(one.categories),
        "purposes": sorted(one.purposes),
        "discloser_id": public_id_or_none(Kind.ORGANIZATION, one.discloser_id),
        "recipients": [public_id(Kind.ORGANIZATION, recipient) for recipient in one.recipients],
        "recipient_classes": sorted(one.recipient_classes),
        "intermediary_id": public_id_or_none(Kind.ORGANIZATION, one.intermediary_id),
        "statements": sorted(one.statements),
        "recorded_by": public_id_or_none(Kind.ORGANIZATION, one.recorded_by),
        **{name: getattr(one, name) for name in same},
    }


PlaceCode = Annotated[str, StringConstraints(max_length=80, to_upper=True, pattern=r"^[^\x00-\x1f]*$")]


class NewRegistration(Request):
    """What is so of a house, a unit or a service. What is left out is as the house, or nobody has said."""

    place: PlaceKind
    code: Annotated[PlaceCode, Field(description="As messages write it (PV1-3.1, PV1-10); left out for the house", examples=["DETOX"])] = ""
    effective_from: Day
    effective_to: Annotated[date | None, Field(description="The first day on which it no longer holds")] = None
    part2_status: Part2Status | None = None
    mental_health_licensed: bool | None = None
    facility_type: FacilityType | None = None
    privacy_pack: Annotated[ShortText | None, Field(description="Which state's rules hold there", examples=["us-me"])] = None

    @model_validator(mode="after")
    def _is_a_registration(self) -> Self:
        if (self.place is PlaceKind.HOUSE) is bool(self.code):
            msg = "a unit or a service has a code, the house has none"
            raise ValueError(msg)
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            msg = "effective_to is not after effective_from"
            raise ValueError(msg)
        if (self.part2_status, self.mental_health_licensed, self.facility_type, self.privacy_pack) == (None, None, None, None):
            msg = "it says nothing: give at least one of part2_status, mental_health_licensed, facility_type, privacy_pack"
            raise ValueError(msg)
        return self


class RegistrationDocument(Document):
    """What was registered of a place."""

    id: Annotated[str, Field(pattern=f"^{Kind.REGISTRATION.value}_[0-9a-f]{{32}}$")]
    organization_id: OrganizationIdText
    place: PlaceKind
    code: str
    effective_from: Day
    effective_to: Day | None
    part2_status: Part2Status | None
    mental_health_licensed: bool | None
    facility_type: FacilityType | None
    privacy_pack: str | None
    asserted_at: Instant


RegistrationPage = Listing[RegistrationDocument]


def registration_json(one: Registration) -> dict[str, Any]:
    """Show a registration."""
    return {
        "id": public_id(Kind.REGISTRATION, one.id),
        "organization_id": public_id(Kind.ORGANIZATION, one.organization_id),
        **{
            name: getattr(one, name)
            for name in ("place", "code", "effective_from", "effective_to", "part2_status", "mental_health_licensed", "facility_type",
                         "privacy_pack", "asserted_at")
        },
    }  # fmt: skip


class ChecklistItem(Document):
    """One question about a facility that has to be answered before its patients are told of."""

    question: Annotated[str, Field(examples=["part2_status"])]
    place: PlaceKind
    code: str
    done: bool
    advice: str
    stays: Annotated[int | None, Field(description="Of the latest 2,000 stays, how many were there; null: of a house")] = None


class ChecklistDocument(Document):
    """What the exchange still has to ask a facility."""

    organization_id: OrganizationIdText
    complete: bool
    items: list[ChecklistItem]
