"""DocumentReference as a pointer, and the twin of an MDM: both formats of one document are read alike."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from adapters.fhir.reader import FhirReader
from adapters.hl7v2.reader import Hl7v2Reader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent, Identifier
from app.domain.document import Availability, ContentPlace, DocumentPointer
from app.domain.feed import Feed
from app.domain.inbound import Severity
from tests.adapters.hl7v2.support import FEED
from tests.support.bundles import ACT, PATIENT, bundle, written
from tests.support.documents import PDF, document_reference, mdm, summary_report, with_document

FHIR, ER7 = FhirReader(read_strict_json), Hl7v2Reader()
SENDER: Feed = replace(FEED, sending_application="EPIC", sending_facility="HOSPA", assigning_authority="HOSPA")
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def read(message: Any) -> AdtEvent:
    body = written(message)
    header = FHIR.header(body)
    errors = [problem for problem in FHIR.problems(body, header, SENDER) if problem.severity is Severity.ERROR]
    assert errors == []
    assert FHIR.is_supported(header.trigger)
    found = FHIR.read(body, SENDER)
    assert isinstance(found, AdtEvent), found
    return found


def pointer(**changed: Any) -> DocumentPointer:
    (found,) = read(summary_report("B1", **changed)).documents
    return found


def refused(message: Any) -> list[str]:
    body = written(message)
    return [one.location for one in FHIR.problems(body, FHIR.header(body), SENDER) if one.severity is Severity.ERROR]


def test_a_document_and_its_twin_are_read_alike() -> None:
    one, other = read(summary_report("D1")), ER7.read(mdm(control="D1"), SENDER)
    assert isinstance(other, AdtEvent)
    assert (one.trigger, one.occurred_at, one.identifiers, one.person, one.visit) == (
        other.trigger, other.occurred_at, other.identifiers, other.person, other.visit
    )  # fmt: skip
    # Each format has its own word for the code system, for how far a document is, and for the place of its bytes.
    own: dict[str, Any] = {"type_system": None, "completion": None, "content": None}
    (fhir,), (er7,) = one.documents, other.documents
    assert replace(fhir, **own) == replace(er7, **own)
    assert (fhir.content, er7.content) == (
        ContentPlace("Bundle.entry[6].resource.content[0].attachment", "application/pdf"),
        ContentPlace("OBX^1", "application/pdf"),
    )
    assert FHIR.content(written(summary_report("D1")), SENDER, fhir.content.place if fhir.content else "") == PDF


def test_a_document_comes_beside_the_stay() -> None:
    stay = bundle("A03", "20260306143000-0500", control="B1", discharged="20260306142500-0500")
    event = read(with_document(stay, document_reference()))
    assert (event.trigger, len(event.documents), event.visit is not None) == ("A03", 1, True)
    assert replace(event, documents=()).person == read(stay).person


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"status": "superseded"}, {"availability": Availability.OBSOLETE, "is_retracted": False}),
        ({"status": "entered-in-error"}, {"is_retracted": True}),
        ({"docStatus": "entered-in-error"}, {"is_retracted": True}),
        ({"securityLabel": [{"coding": [{"system": CONFIDENTIALITY, "code": "N"}]}]}, {"is_restricted": False}),
        ({"securityLabel": [{"coding": [{"system": CONFIDENTIALITY, "code": "R"}]}]}, {"is_restricted": True}),
        ({"securityLabel": [{"coding": [{"system": ACT, "code": "ETH"}]}]}, {"is_restricted": True}),
        (
            {"relatesTo": [{"code": "replaces", "target": {"identifier": {"system": "HOSPA", "value": "D0"}}}]},
            {"parent": Identifier("HOSPA", "", "D0"), "replaces_parent": True},
        ),
        (
            {"relatesTo": [{"code": "appends", "target": {"identifier": {"system": "HOSPA", "value": "D0"}}}]},
            {"parent": Identifier("HOSPA", "", "D0"), "replaces_parent": False},
        ),
        ({"content": [{"attachment": {"url": "https://example.org/1"}}]}, {"link": "https://example.org/1", "content": None}),
        ({"content": [{"attachment": {"url": "javascript:alert(1)"}}]}, {"link": None, "content": None}),
        ({"content": [{"attachment": {"title": "A title", "data": "AAAA"}}]}, {"title": "A title"}),
    ],
)  # fmt: skip
def test_what_elements_say(changed: dict[str, Any], expected: dict[str, Any]) -> None:
    found = pointer(**changed)
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_binary_of_the_bundle_is_the_content() -> None:
    message = summary_report("B1", content=[{"attachment": {"contentType": "application/pdf", "url": "urn:uuid:binary"}}])
    binary = {"resourceType": "Binary", "id": "b", "contentType": "application/pdf", "data": base64.b64encode(PDF).decode()}
    message["entry"].append({"fullUrl": "urn:uuid:binary", "resource": binary})
    (found,) = read(message).documents
    assert found.content is not None
    assert FHIR.content(written(message), SENDER, found.content.place) == PDF
    assert FHIR.content(written(message), SENDER, "Bundle.entry[99].resource") is None
    assert FHIR.content(written(message), SENDER, "nonsense") is None


def test_what_is_wrong_is_refused_with_its_place() -> None:
    without = bundle("A08", "20260306160000-0500", control="B1", event=("http://terminology.hl7.org/CodeSystem/v2-0003", "T02"))
    assert refused(without) == ["Bundle.entry[0].resource.focus"]
    assert refused(summary_report("B1", status="odd")) == ["Bundle.entry[6].resource.status"]
    assert refused(summary_report("B1", subject={"reference": "Group/1"})) == ["Bundle.entry[6].resource.subject.reference"]


@pytest.mark.parametrize(
    ("changed", "is_read"),
    [
        ({"subject": None}, True),
        ({"subject": {"reference": "Patient/somebody-else"}}, False),
        ({"subject": {"display": "somebody"}}, False),
        ({"subject": None, "context": None}, False),
    ],
)
def test_dv_6_a_document_of_which_nobody_knows_whose_it_is_is_left_out(changed: dict[str, Any], *, is_read: bool) -> None:
    """DV-6: without a subject it is the patient's where it is of the stay; a subject that is not in the bundle is somebody else."""
    message = with_document(bundle("A08", "20260306160000-0500", control="B1"), document_reference(**changed))
    assert bool(read(message).documents) is is_read


def test_a_document_of_another_stay_is_left_out() -> None:
    stay = bundle("A03", "20260306143000-0500", control="B1", discharged="20260306142500-0500")
    other = {**stay["entry"][1]["resource"], "id": "other"}
    assert other["resourceType"] in {"Encounter", "Patient"}
    encounter = next(entry["resource"] for entry in stay["entry"] if entry["resource"]["resourceType"] == "Encounter")
    message = with_document(stay, document_reference(context={"encounter": [{"reference": "urn:uuid:other"}]}))
    message["entry"].append({"fullUrl": "urn:uuid:other", "resource": {**encounter, "id": "other", "subject": {"reference": PATIENT}}})
    assert read(message).documents == ()
