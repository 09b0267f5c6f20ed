"""Stays as they are reported and shown."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from app.api.schemas.common import (
    ChangesListing,
    Day,
    EncounterIdText,
    InstantIn,
    LongText,
    OrganizationId,
    OrganizationIdText,
    Request,
    ShortText,
)
from app.api.schemas.documents import PointerDocument
from app.api.schemas.notifications import PersonDocument, ToldEncounterDocument
from app.api.schemas.privacy import Noticed
from app.domain.adt_event import DiagnosisFact, DiagnosisUse, EncounterClass, Identifier, PersonFacts
from app.domain.reported_stay import ReportedStay

_LIST_MAX = 50
_YEAR_MIN = 1900


class EncounterDocument(ToldEncounterDocument, Noticed):
    """A stay as this key may see it; what it may not see is absent. Lists say nothing of documents."""

    source: Annotated[str, Field(description="adt, or reported: somebody learned of it himself")]
    person: PersonDocument
    reported_by: OrganizationIdText | None
    folded_into: Annotated[
        EncounterIdText | None, Field(description="The ADT stay that a reported one, or one under a retired visit number, became part of")
    ]
    documents: Annotated[list[PointerDocument] | None, Field(description="the newest first; of very many, the newest 200")] = None
    documents_total: int | None = None


EncounterPage = ChangesListing[EncounterDocument]


class ReportedIdentifier(Request):
    """A number of the person, and who gave it."""

    system: Annotated[str, StringConstraints(min_length=1, max_length=227, to_upper=True), Field(examples=["SAMPLE_HOME"])]
    type: Annotated[str, StringConstraints(max_length=5, to_upper=True), Field(description="HL7 table 0203", examples=["MR"])] = "MR"
    value: Annotated[str, StringConstraints(min_length=1, max_length=100), Field(examples=["H-1001"])]


class ReportedPerson(Request):
    """Who it is about."""

    identifiers: Annotated[list[ReportedIdentifier], Field(min_length=1, max_length=_LIST_MAX)]
    first_name: ShortText | None = None
    middle_name: ShortText | None = None
    last_name: ShortText | None = None
    birth_date: Day | None = None
    sex: Annotated[str | None, StringConstraints(pattern="^[MFOUAN]$"), Field(description="HL7 table 0001")] = None
    phone: ShortText | None = None


class ReportedDiagnosis(Request):
    """A diagnosis as the reporter heard it."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=20, to_upper=True), Field(examples=["F32.2"])]
    text: ShortText | None = None


class NewEncounter(Request):
    """A stay that a home or plan learned of itself, without a message. Either `facility_id` or `facility_name` says where."""

    person: ReportedPerson
    facility_id: OrganizationId | None = None
    facility_name: ShortText | None = None
    class_: Annotated[EncounterClass, Field(alias="class")] = EncounterClass.INPATIENT
    admitted_at: InstantIn | None = None
    discharged_at: InstantIn | None = None
    disposition: Annotated[str | None, StringConstraints(pattern="^[0-9]{2}$"), Field(description="UB-04 status", examples=["01"])] = None
    visit_number: ShortText | None = None
    diagnoses: Annotated[tuple[ReportedDiagnosis, ...], Field(max_length=_LIST_MAX)] = ()
    told_by: Annotated[ShortText, Field(description="Who told the reporter", examples=["patient"])]
    note: LongText | None = None

    @model_validator(mode="after")
    def _is_a_stay(self) -> Self:
        if (self.facility_id is None) is (self.facility_name is None):
            msg = "say where: give either facility_id or facility_name"
            raise ValueError(msg)
        if self.admitted_at is None and self.discharged_at is None:
            msg = "say when: give admitted_at, discharged_at or both"
            raise ValueError(msg)
        if any(instant is not None and instant.year < _YEAR_MIN for instant in (self.admitted_at, self.discharged_at)):
            msg = f"a stay before {_YEAR_MIN} is none of a living person; leave out what is not known"
            raise ValueError(msg)
        if self.admitted_at is not None and self.discharged_at is not None and self.discharged_at < self.admitted_at:
            msg = "discharged_at is before admitted_at"
            raise ValueError(msg)
        return self

    @property
    def latest(self) -> datetime:
        """The later of the two instants."""
        return max(instant for instant in (self.admitted_at, self.discharged_at) if instant is not None)

    def stay(self, id_: UUID, reported_by: UUID, reported_at: datetime) -> ReportedStay:
        """Give the domain's noun."""
        person = self.person
        birth_date: date | None = person.birth_date
        return ReportedStay(
            id=id_,
            reported_by=reported_by,
            reported_at=reported_at,
            identifiers=tuple(Identifier(one.system, one.type, one.value) for one in person.identifiers),
            person=PersonFacts(
                first_name=person.first_name,
                middle_name=person.middle_name,
                last_name=person.last_name,
                birth_date=birth_date,
                sex=person.sex,
                phone=person.phone,
            ),
            encounter_class=self.class_,
            admitted_at=self.admitted_at,
            discharged_at=self.discharged_at,
            told_by=self.told_by,
            facility_id=self.facility_id,
            facility_name=self.facility_name,
            disposition=self.disposition,
            visit_number=self.visit_number,
            diagnoses=tuple(DiagnosisFact(code=one.code, text=one.text or "", use=DiagnosisUse.WORKING) for one in self.diagnoses),
            note=self.note,
        )
