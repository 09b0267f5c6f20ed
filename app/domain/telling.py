"""What a recipient reads: a notification's content by tier. Everything a tier takes away is absent, not empty.

The public shape is DESIGN section 6, Notification. `minimal` carries the person, the hospital's name, the event and its time
(domain section 4.1), never unit, service, practitioner, diagnosis, class or label. Not here: which tier (privacy).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.attribution import Attribution
from app.domain.contact_sheet import contact_sheet
from app.domain.directory import Directory
from app.domain.latest import Said, known, merged
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.precedence import NAMED, Ground
from app.domain.preference import Question, wished
from app.domain.privacy import Tier
from app.domain.public_id import Kind, public_id
from app.domain.stay_in_hand import StayInHand

_PERSON_FIELDS = ("first_name", "middle_name", "last_name", "birth_date", "sex", "phone")


def wishes(recipient_id: UUID, event: str, stay: StayInHand, programs: Iterable[str], directory: Directory) -> bool:
    """Tell whether a recipient wishes to be told of an event of a stay, by the programs of its follow-up."""
    question = Question(
        events=frozenset({event}),
        encounter_class=stay.view.encounter_class.value,
        programs=frozenset(program.upper() for program in programs),
        facility_id=stay.facility.id if stay.facility else None,
        recipient_id=recipient_id,
    )
    return wished(directory.preferences.get(recipient_id, ()), question).wanted


def person_content(
    person_id: UUID, records: Sequence[PatientRecord], recipient_id: UUID | None, tier: str, directory: Directory
) -> dict[str, Any]:
    """Give the person: text as sent by the hospital that spoke last, completed and identified by the recipient's own panel.

    What another organization's panel says of the person is that organization's: it is never shown to this recipient. Nor is what
    a Part 2 program says, or its number for the person, wherever it is repeated: either tells that the person was there. How the person
    is reached, contact persons too, is told at tier full alone; below it no number that may be of a part of a hospital is
    (`Directory.may_name_part`), whatever the stay: a number that is missing only where something is hidden would tell that it is.
    """
    if tier == Tier.ID_ONLY:
        return {"id": public_id(Kind.PERSON, person_id)}
    said: Said = {}
    own: dict[str, Any] = {}
    identifiers: set[tuple[str, str, str]] = set()
    for record in records:
        if record.source == ADT_SOURCE and directory.conceals(record.own.authority, recipient_id):
            continue
        if record.source == ADT_SOURCE:
            said = merged(said, record.said)
        elif record.source == str(recipient_id):
            own = known(record.said)
        else:
            continue
        identifiers.update(
            (_system(item.authority, recipient_id), item.type, item.value)
            for item in record.identifiers
            if record.source != ADT_SOURCE
            or (
                item.authority
                and not directory.conceals(item.authority, recipient_id)
                and (tier == Tier.FULL or not directory.may_name_part(item, record.own.authority, recipient_id))
            )
        )
    # A number that a roster gave without its system is shown beside no other of its kind that says the same.
    named = {(kind, value) for system, kind, value in identifiers if system}
    identifiers -= {("", kind, value) for kind, value in named}
    stated = known(said)
    facts = {**own, **stated}
    content: dict[str, Any] = {"id": public_id(Kind.PERSON, person_id)}
    content.update({name: facts.get(name) for name in _PERSON_FIELDS})
    content["identifiers"] = [{"system": system, "type": kind, "value": value} for system, kind, value in sorted(identifiers)]
    return content | contact_sheet(stated, own) if tier == Tier.FULL else content


def _system(authority: str, recipient_id: UUID | None) -> str:
    """Name who gave a number; a roster's number without its system is its organization's own, by the id that the API gives it."""
    return public_id(Kind.ORGANIZATION, recipient_id) if recipient_id and authority == str(recipient_id).upper() else authority


def _attending(said: Sequence[str] | None) -> dict[str, str | None] | None:
    return {name: part or None for name, part in zip(("id", "family", "given", "npi"), said, strict=True)} if said else None


def encounter_content(stay: StayInHand, tier: str) -> dict[str, Any]:
    """Give the stay, as much of it as the tier allows."""
    facility = {
        "id": public_id(Kind.ORGANIZATION, stay.facility.id) if stay.facility else None,
        "name": stay.facility.name if stay.facility else stay.facility_text,
    }
    content: dict[str, Any] = {"id": public_id(Kind.ENCOUNTER, stay.id)}
    if tier == Tier.ID_ONLY:
        return content
    view = stay.view
    content |= {"facility": facility, "admitted_at": _text(view.admitted_at), "discharged_at": _text(view.discharged_at)}
    if tier != Tier.FULL:
        return content
    if stay.facility is not None:
        # A number or an address may be a unit's, and gives away what the unit is for.
        reached = stay.facility.reached_at(view.facts.get("unit"))
        facility |= {
            "call_back": reached.call_back_number,
            "direct_address": reached.direct_address,
            "records_contact": reached.records_contact,
        }
    return content | {
        "visit_number": stay.visit_number,
        "class": view.encounter_class.value,
        "status": view.status.value,
        "disposition": view.disposition,
        "discharge_inferred": view.inferred_discharge,
        "on_leave_since": _text(view.on_leave_since),
        "discharge_pending_since": _text(view.discharge_pending_since),
        "expected_discharge_at": _text(view.expected_discharge_at),
        "unit": view.facts.get("unit"),
        "hospital_service": view.facts.get("hospital_service"),
        "admit_reason": view.facts.get("admit_reason"),
        "attending": _attending(view.facts.get("attending")),
        "diagnoses": [
            {"code": item.code, "system": item.system, "text": item.text, "use": item.use, "rank": item.rank} for item in view.diagnoses
        ],
        "behavioral_kind": stay.signal.kind.value,
        "provisional": stay.signal.provisional,
        "has_discharge_summary": stay.has_summary,
    }


def attribution_content(claim: Attribution | None, lead: bool | None = None) -> dict[str, Any] | None:  # noqa: FBT001 - as it is shown
    """Give the ground on which the recipient is told: its own claim, or that a message named a practitioner of its own."""
    if claim is None:
        return None
    return {
        "id": public_id(Kind.ATTRIBUTION, claim.id),
        "organization_id": public_id(Kind.ORGANIZATION, claim.organization_id),
        "program": claim.program,
        "role": claim.role,
        "effective_from": claim.effective_from.isoformat(),
        "effective_to": claim.effective_to.isoformat() if claim.effective_to else None,
        "coordinator": claim.coordinator,
        "basis": claim.basis,
        "lead": lead,
    }


def claimed_as(claim: Attribution, ground: Ground, lead: bool | None) -> str:  # noqa: FBT001 - as it is shown
    """Say in a sentence why this organization."""
    if ground.basis == NAMED:
        return f"named as {claim.role}: the hospital's message names a practitioner of this organization, which is weaker than any claim"
    beside = ANOTHER_LEADS if lead is False else ""
    return f"claimed as {claim.role} for {claim.program}: {ground.title}{beside}"


ANOTHER_LEADS = "; another home leads this program"


def without_lead(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was told without that another home leads: it reads as it would have, had the recipient not been let know of that home."""
    attribution = content["attribution"]
    shown = {**attribution, "lead": None} if attribution is not None else None
    return {**content, "attribution": shown, "reason": str(content["reason"]).replace(ANOTHER_LEADS, "")}


LATE_NOTICE = {
    "code": "late_attribution",
    "text": "The claim became known after the event. Clocks are due as they would have been.",
}
"""Travels with a notification that catches up."""


def _text(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None
