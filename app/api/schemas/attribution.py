"""Why somebody is told of a stay and somebody else not, who has no home, and for whom practitioners work: as they are shown."""

from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.actions.explain_attribution import Candidate
from app.api.schemas.common import (
    Day,
    Document,
    EncounterIdText,
    FollowUpIdText,
    Instant,
    Listing,
    OrganizationIdText,
    PersonIdText,
    Request,
)
from app.api.schemas.notifications import ClaimDocument, LedgerLine, WhyDocument
from app.domain.follow_up import FollowUpState
from app.domain.organization import OrganizationKind, is_valid_npi
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store.attribution_reads import Homeless, StoredClaim
from app.store.practitioners import Practitioner


class NamedOrganization(Document):
    """An organization by id, name and kind."""

    id: OrganizationIdText
    name: str
    kind: OrganizationKind


class RuledEvent(Document):
    """What the rules say now about one event of the stay."""

    event: Annotated[str, Field(description="admitted, converted, discharged or died", examples=["discharged"])]
    decision: str
    reasons: list[str]
    lead: bool | None
    catch_up: bool


class StoredClaimDocument(ClaimDocument):
    """A claim with both its times, and what it rests on."""

    basis: str | None


class LedgerEvent(LedgerLine):
    """One change of the decision about one event."""

    event: str


class CandidateFollowUp(Document):
    """The follow-up of this stay that the organization has."""

    id: FollowUpIdText
    state: FollowUpState
    state_reasons: list[str]
    programs: list[str]


class CandidateDocument(Document):
    """One organization that could have been told, or was asked about."""

    organization: NamedOrganization
    told: Annotated[bool, Field(description="The rules tell it something of this stay now")]
    why: Annotated[list[str], Field(description="Why them, or why not them")]
    events: list[RuledEvent]
    ledger: list[LedgerEvent]
    claims: list[StoredClaimDocument]
    follow_up: CandidateFollowUp | None


class EncounterWhyDocument(Document):
    """Everybody who could have been told of a stay, with the reasons."""

    encounter_id: EncounterIdText
    person_id: PersonIdText
    precedence: Annotated[str, Field(description="The version of the order of precedence", examples=["attribution/2026-11"])]
    candidates: list[CandidateDocument]


class NotificationWhyDocument(WhyDocument):
    """Why a recipient was told; for the operator with everybody else who could have been."""

    candidates: Annotated[
        list[CandidateDocument] | None, Field(description="For the operator: who else was told of the stay or not, and why")
    ] = None


class CandidateForReferral(Document):
    """A discharge of somebody who is eligible for a home and has none (SSA section 1945(d)). Nobody is told by this list."""

    encounter_id: EncounterIdText
    person_id: PersonIdText
    facility_id: OrganizationIdText
    class_: Annotated[str, Field(alias="class")]
    discharged_at: Instant
    discharged_on: Day
    provisional: Annotated[bool, Field(description="final diagnoses have not arrived")]
    covered_by: list[OrganizationIdText]
    reasons: Annotated[list[str], Field(description="Why they are eligible, and why nobody follows them up")]


CandidatesForReferral = Listing[CandidateForReferral]


def _npi(value: str) -> str:
    if not is_valid_npi(value):
        msg = "is not a National Provider Identifier: ten digits, the last a check digit"
        raise ValueError(msg)
    return value


Npi = Annotated[str, StringConstraints(pattern="^[0-9]{10}$"), AfterValidator(_npi), Field(examples=["1234567893"])]


class NewPractitioner(Request):
    """A practitioner who works for the organization."""

    npi: Npi
    effective_from: Annotated[date | None, Field(description="Left out: always")] = None
    effective_to: Annotated[date | None, Field(description="The first day on which it no longer holds")] = None

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if self.effective_from is not None and self.effective_to is not None and self.effective_to <= self.effective_from:
            msg = "effective_to is not after effective_from"
            raise ValueError(msg)
        return self


class PractitionerDocument(Document):
    """A practitioner who works for the organization: messages that name them are told to it."""

    npi: str
    organization_id: OrganizationIdText
    effective_from: Day | None
    effective_to: Day | None
    asserted_at: Instant


PractitionerPage = Listing[PractitionerDocument]


def practitioner_json(one: Practitioner) -> dict[str, Any]:
    """Show a practitioner."""
    return {
        "npi": one.npi,
        "organization_id": public_id(Kind.ORGANIZATION, one.organization_id),
        "effective_from": one.effective_from,
        "effective_to": one.effective_to,
        "asserted_at": one.asserted_at,
    }


def candidate_json(one: Candidate) -> dict[str, Any]:
    """Show a candidate."""
    follow_up = one.follow_up
    return {
        "organization": {
            "id": public_id(Kind.ORGANIZATION, one.organization.id),
            "name": one.organization.name,
            "kind": one.organization.kind.value,
        },
        "told": one.is_told,
        "why": list(one.why),
        "events": [
            {
                "event": event.kind.value,
                "decision": event.decision,
                "reasons": list(event.reasons),
                "lead": event.lead,
                "catch_up": event.catch_up,
            }
            for event in one.desired
        ],
        "ledger": [
            {
                "event": line["kind"],
                "decision": line["decision"],
                "reasons": line["reasons"],
                "notification_id": public_id_or_none(Kind.NOTIFICATION, line["notification_id"]),
                "cause_id": public_id_or_none(Kind.MESSAGE, line["cause_id"]),
                "decided_at": line["decided_at"],
            }
            for line in one.ledger
        ],
        "claims": [_claim_json(claim) for claim in one.claims],
        "follow_up": None
        if follow_up is None
        else {
            "id": public_id(Kind.FOLLOW_UP, follow_up["id"]),
            "state": follow_up["state"],
            "state_reasons": follow_up["state_reasons"],
            "programs": follow_up["programs"],
        },
    }


def _claim_json(claim: StoredClaim) -> dict[str, Any]:
    return {
        "id": public_id(Kind.ATTRIBUTION, claim.id),
        "organization_id": public_id(Kind.ORGANIZATION, claim.organization_id),
        "program": claim.program,
        "role": claim.role,
        "effective_from": claim.effective_from,
        "effective_to": claim.effective_to,
        "coordinator": claim.coordinator,
        "asserted_at": claim.asserted_at,
        "retracted_at": claim.retracted_at,
        "upload_id": public_id_or_none(Kind.UPLOAD, claim.upload_id),
        "basis": claim.basis,
    }


def referral_json(one: Homeless) -> dict[str, Any]:
    """Show somebody without a home. What makes them eligible is said, the diagnosis is not."""
    reasons = ["behavioral_diagnosis: a chronic condition of SSA section 1945(h)(2), by the diagnoses or the unit of this stay"]
    if one.has_medicaid:
        reasons.append("medicaid_id: a source gave a Medicaid number for the person")
    if one.covered_by:
        reasons.append("covered: a plan or an agency covered the person on the day")
    reasons.append("no_home: no home claims the person on the day of the discharge or since")
    return {
        "encounter_id": public_id(Kind.ENCOUNTER, one.encounter_id),
        "person_id": public_id(Kind.PERSON, one.person_id),
        "facility_id": public_id(Kind.ORGANIZATION, one.facility_id),
        "class": one.encounter_class,
        "discharged_at": one.discharged_at,
        "discharged_on": one.discharged_on,
        "provisional": one.provisional,
        "covered_by": [public_id(Kind.ORGANIZATION, organization) for organization in one.covered_by],
        "reasons": reasons,
    }
