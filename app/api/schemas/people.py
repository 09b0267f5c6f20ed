"""A person as whoever may look sees them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from app.api.schemas.common import AttributionIdText, Day, Document, MatchIdText, OrganizationIdText, PersonIdText, RecordIdText
from app.api.schemas.encounters import EncounterDocument
from app.api.schemas.matches import NumberDocument
from app.api.schemas.notifications import PersonDocument
from app.domain.directory import Directory
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.viewer import Viewer
from app.store.match_reads import Decision, MatchRow
from app.store.person_reads import Claim, Move


class SourceDocument(Document):
    """What one source calls the person."""

    record_id: RecordIdText
    source: Annotated[str, Field(description="adt, or the organization whose panel or report says it")]
    identifiers: list[NumberDocument]


class LinkDocument(Document):
    """One step of how the records came together. The operator sees ids and grounds; a home sees that its patient's records changed."""

    at: datetime
    kind: Annotated[str, Field(description="moved: a record went to another person; decision: somebody answered a question")]
    record_id: RecordIdText | None = None
    from_person_id: PersonIdText | None = None
    to_person_id: PersonIdText | None = None
    match_id: MatchIdText | None = None
    outcome: str | None = None
    by: str | None = None
    grounds: Annotated[list[str], Field(default_factory=list)]


class ClaimDocument(Document):
    """A claim of a panel on the person."""

    id: AttributionIdText
    organization_id: OrganizationIdText
    program: str
    role: str
    effective_from: Day
    effective_to: Annotated[Day | None, Field(description="exclusive; null: open")]
    coordinator: str | None
    plan_id: str | None
    asserted_at: datetime
    retracted_at: datetime | None


class PersonViewDocument(Document):
    """A person with everything the viewer may see of them."""

    id: PersonIdText
    former_ids: Annotated[list[PersonIdText], Field(description="People who became this one; asked for, they answer with this one")]
    person: PersonDocument
    sources: list[SourceDocument]
    links: Annotated[list[LinkDocument], Field(description="Newest first")]
    encounters: Annotated[list[EncounterDocument], Field(description="The newest; all of them: /v1/encounters?person_id=")]
    attributions: Annotated[list[ClaimDocument], Field(description="The viewer's own claims; every claim for the operator")]


def sources_json(records: Iterable[PatientRecord], viewer: Viewer, directory: Directory) -> list[dict[str, Any]]:
    """Show what each source calls the person: hospitals less what would name a program or a unit, and of panels only the viewer's own."""
    shown = []
    for record in sorted(records, key=lambda one: (one.source != ADT_SOURCE, one.own)):
        if not may_see(record, viewer, directory):
            continue
        numbers = [
            {"system": item.authority, "type": item.type, "value": item.value}
            for item in sorted(record.identifiers)
            if viewer.is_operator
            or not (
                directory.conceals(item.authority, viewer.organization_id)
                or (record.source == ADT_SOURCE and directory.may_name_part(item, record.own.authority, viewer.organization_id))
            )
        ]
        source = record.source if record.source == ADT_SOURCE else public_id(Kind.ORGANIZATION, UUID(record.source))
        shown.append({"record_id": public_id(Kind.RECORD, record.id), "source": source, "identifiers": numbers})
    return shown


def may_see(record: PatientRecord, viewer: Viewer, directory: Directory) -> bool:
    """Tell whether the viewer may know of a record: never of another organization's roster row."""
    if viewer.is_operator:
        return True
    if record.source == ADT_SOURCE:
        return not directory.conceals(record.own.authority, viewer.organization_id)
    return record.source == str(viewer.organization_id)


def links_json(
    moves: Sequence[Move], asked: Sequence[MatchRow], decisions: Mapping[UUID, Sequence[Decision]], viewer: Viewer, seen: frozenset[UUID]
) -> list[dict[str, Any]]:
    """Show how the records came together. A ground can name an authority or another person: they are the operator's."""
    found: list[dict[str, Any]] = []
    for move in moves:
        if viewer.is_operator:
            found.append(
                {
                    "at": move.moved_at,
                    "kind": "moved",
                    "record_id": public_id(Kind.RECORD, move.record_id),
                    "from_person_id": public_id(Kind.PERSON, move.from_person_id),
                    "to_person_id": public_id(Kind.PERSON, move.to_person_id),
                    "grounds": list(move.reasons),
                }
            )
        elif move.record_id in seen:
            found.append({"at": move.moved_at, "kind": "moved", "record_id": public_id(Kind.RECORD, move.record_id)})
    for row in asked if viewer.is_operator else ():
        found += [
            {
                "at": one.decided_at,
                "kind": "decision",
                "match_id": public_id(Kind.MATCH, row.id),
                "outcome": one.outcome.value if one.outcome else None,
                "by": one.decided_by,
                "grounds": [one.reason],
            }
            for one in decisions.get(row.id, ())
        ]
    return [{**_EMPTY, **one} for one in sorted(found, key=lambda one: one["at"], reverse=True)]


_EMPTY: Final[Mapping[str, Any]] = {
    "record_id": None, "from_person_id": None, "to_person_id": None, "match_id": None, "outcome": None, "by": None, "grounds": [],
}  # fmt: skip


def claim_json(claim: Claim) -> dict[str, Any]:
    """Show a claim."""
    return {
        "id": public_id(Kind.ATTRIBUTION, claim.id),
        "organization_id": public_id_or_none(Kind.ORGANIZATION, claim.organization_id),
        "program": claim.program,
        "role": claim.role,
        "effective_from": claim.effective_from,
        "effective_to": claim.effective_to,
        "coordinator": claim.coordinator,
        "plan_id": claim.plan_id,
        "asserted_at": claim.asserted_at,
        "retracted_at": claim.retracted_at,
    }
