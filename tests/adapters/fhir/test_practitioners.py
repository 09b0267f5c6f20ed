"""Participants and general practitioners are named at the places where HL7 v2 names them, so that both formats lead to the same."""

from typing import Any

import pytest

from app.domain.adt_event import NamedAt
from tests.adapters.fhir.test_reader import admit, visit
from tests.support.bundles import PRACTITIONER, resource

Json = dict[str, Any]
NPI = "http://hl7.org/fhir/sid/us-npi"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def with_npi(document: Json) -> Json:
    resource(document, "Practitioner")["identifier"] = [{"system": NPI, "value": "1245319599"}]
    return document


@pytest.mark.parametrize(
    ("kind", "place"),
    [("ATND", "PV1-7"), ("REF", "PV1-8"), ("CON", "PV1-9"), ("ADM", "PV1-17"), ("PPRF", "ROL-PP"), ("SPRF", "PV1-52")],
)
def test_a_participant_is_named_at_its_place(kind: str, place: str) -> None:
    document = with_npi(admit())
    participant = {"type": [{"coding": [{"system": PARTICIPATION, "code": kind}]}], "individual": {"reference": PRACTITIONER}}
    resource(document, "Encounter")["participant"] = [participant]
    assert visit(document).named == (NamedAt(place, ("1245319599",)),)


def test_one_without_a_type_attends_and_one_without_an_npi_is_nobody() -> None:
    assert visit(with_npi(admit())).named == (NamedAt("PV1-7", ("1245319599",)),)
    assert visit(admit()).named == (NamedAt("PV1-7"),)


def test_the_general_practitioner_of_the_patient_is_named_too() -> None:
    document = with_npi(admit())
    del resource(document, "Encounter")["participant"]
    resource(document, "Patient")["generalPractitioner"] = [{"reference": PRACTITIONER}]
    assert visit(document).named == (NamedAt("PD1-4", ("1245319599",)),)
