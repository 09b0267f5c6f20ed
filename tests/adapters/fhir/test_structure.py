"""What a notification must be, rule by rule (DV-2…6, DV-11, DV-13), each with the place that the refusal names."""

from copy import deepcopy
from typing import Any

import pytest

from adapters.fhir.reader import FhirReader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Problem, ProblemCode, Severity
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import ABSENT, DA_VINCI, ENCOUNTER, LOCATION, PATIENT, bundle, resource, written

READER = FhirReader(read_strict_json)
Json = dict[str, Any]
HEAD = "Bundle.entry[0].resource"
STAY = "Bundle.entry[1].resource"
WHO = "Bundle.entry[2].resource"


def discharge() -> Json:
    return bundle(
        "A03",
        "20260306143000-0500",
        control="S1",
        admitted="20260302100000-0500",
        discharged="20260306142500-0500",
        disposition="01",
        diagnoses=(("F32.2", "F"),),
    )


def problems(document: Json) -> list[Problem]:
    body = written(document)
    return list(READER.problems(body, READER.header(body), SENDER))


def errors(document: Json) -> list[tuple[str, str]]:
    return [(one.code.name, one.location) for one in problems(document) if one.severity is Severity.ERROR]


def read(document: Json) -> AdtEvent:
    event = READER.read(written(document), SENDER)
    assert isinstance(event, AdtEvent), event
    return event


def test_a_whole_notification_has_nothing_to_object_to() -> None:
    assert problems(discharge()) == []


def test_a_refused_code_comes_with_those_that_are_taken() -> None:
    document = discharge()
    resource(document, "Patient")["gender"] = "F"
    assert [one.text for one in problems(document)] == ["FHIR R4 requires one of female, male, other, unknown."]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": None}, ("REQUIRED_FIELD_MISSING", "Bundle.id")),
        ({"id": "a b"}, ("REQUIRED_FIELD_MISSING", "Bundle.id")),
        ({"type": "collection"}, ("TABLE_VALUE", "Bundle.type")),
        ({"type": None}, ("TABLE_VALUE", "Bundle.type")),
        ({"timestamp": None}, ("REQUIRED_FIELD_MISSING", "Bundle.timestamp")),
        ({"timestamp": "2026-03-06"}, ("REQUIRED_FIELD_MISSING", "Bundle.timestamp")),
        ({"timestamp": "2026-03-06T14:30:00"}, ("REQUIRED_FIELD_MISSING", "Bundle.timestamp")),
        ({"total": 3}, ("SEGMENT_SEQUENCE", "Bundle.total")),
    ],
)
def test_dv_2_the_bundle(change: Json, expected: tuple[str, str]) -> None:
    """DV-2: id, type, timestamp, no total."""
    document = {name: value for name, value in {**discharge(), **change}.items() if value is not None}
    assert errors(document) == [expected]


@pytest.mark.parametrize("part", ["search", "request", "response"])
def test_dv_2_no_entry_has_a_part_of_other_bundles(part: str) -> None:
    """DV-2."""
    document = discharge()
    document["entry"][1][part] = {"mode": "match"}
    assert errors(document) == [("SEGMENT_SEQUENCE", f"Bundle.entry[1].{part}")]


def test_dv_2_the_header_comes_first_once_and_not_alone() -> None:
    """DV-2."""
    document = discharge()
    document["entry"].reverse()
    assert ("SEGMENT_SEQUENCE", "Bundle.entry[0].resource") in errors(document)
    document = discharge()
    document["entry"].append(deepcopy(document["entry"][0]) | {"fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-0000000000ff"})
    last = len(document["entry"]) - 1
    assert errors(document) == [("SEGMENT_SEQUENCE", f"Bundle.entry[{last}].resource")]
    document = discharge()
    del document["entry"][1:]
    assert ("REQUIRED_FIELD_MISSING", "Bundle.entry") in errors(document)
    document = discharge()
    document["entry"][3]["fullUrl"] = document["entry"][1]["fullUrl"]
    assert ("DUPLICATE_KEY", "Bundle.entry[3].fullUrl") in errors(document)
    document = discharge()
    document["entry"][3] = {"fullUrl": LOCATION}
    assert ("REQUIRED_FIELD_MISSING", "Bundle.entry[3].resource") in errors(document)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": None}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.id")),
        ({"focus": None}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.focus")),
        ({"focus": [{"reference": "Encounter/elsewhere"}]}, ("SEGMENT_SEQUENCE", f"{HEAD}.focus[0].reference")),
        ({"focus": [{"display": "x"}]}, ("SEGMENT_SEQUENCE", f"{HEAD}.focus[0].reference")),
        ({"source": None}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.source")),
        ({"source": {"name": "x"}}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.source.endpoint")),
        ({"eventCoding": None}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.eventCoding")),
        ({"eventCoding": None, "eventUri": "http://example.org/e"}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.eventCoding")),
        ({"eventCoding": {"system": DA_VINCI, "code": "notification-x"}}, ("TABLE_VALUE", f"{HEAD}.eventCoding.code")),
        ({"eventCoding": {"system": "http://example.org", "code": "x"}}, ("UNSUPPORTED_EVENT", f"{HEAD}.eventCoding")),
        ({"response": {"identifier": "x", "code": "ok"}}, ("SEGMENT_SEQUENCE", f"{HEAD}.response")),
        ({"responsible": {"display": "x"}}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.responsible.reference")),
        ({"sender": {"reference": PATIENT}}, ("TABLE_VALUE", f"{HEAD}.sender.reference")),
        (
            {"destination": [{"endpoint": "https://a.example.org"}, {"endpoint": "https://b.example.org"}]},
            ("SEGMENT_SEQUENCE", f"{HEAD}.destination[1]"),
        ),
        ({"destination": [{"name": "x"}]}, ("REQUIRED_FIELD_MISSING", f"{HEAD}.destination[0].endpoint")),
    ],
)
def test_dv_3_the_message_header(change: Json, expected: tuple[str, str]) -> None:
    """DV-3; DV-4: the codes of notification-event."""
    document = discharge()
    header = document["entry"][0]["resource"]
    header.update(change)
    for name in [name for name, value in header.items() if value is None]:
        del header[name]
    assert errors(document) == [expected]


def test_dv_3_a_device_may_stand_for_sender_author_and_responsible() -> None:
    """DV-3."""
    document = discharge()
    device = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/alternate-reference", "valueReference": {"reference": "Device/d"}}]
    }
    resource(document, "MessageHeader").update(sender=device, author=device, responsible=device)
    assert errors(document) == []


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("Encounter", {"status": None}, ("REQUIRED_FIELD_MISSING", f"{STAY}.status")),
        ("Encounter", {"class": None}, ("REQUIRED_FIELD_MISSING", f"{STAY}.class")),
        ("Encounter", {"class": {"display": "x"}}, ("REQUIRED_FIELD_MISSING", f"{STAY}.class.code")),
        ("Encounter", {"subject": None}, ("REQUIRED_FIELD_MISSING", f"{STAY}.subject")),
        ("Encounter", {"subject": {"reference": "Group/g"}}, ("TABLE_VALUE", f"{STAY}.subject.reference")),
        ("Encounter", {"location": [{"location": {"reference": PATIENT}}]}, ("TABLE_VALUE", f"{STAY}.location[0].location.reference")),
        ("Encounter", {"serviceProvider": {"reference": LOCATION}}, ("TABLE_VALUE", f"{STAY}.serviceProvider.reference")),
        ("Patient", {"identifier": None}, ("REQUIRED_FIELD_MISSING", f"{WHO}.identifier")),
        ("Patient", {"gender": "F"}, ("TABLE_VALUE", f"{WHO}.gender")),
        ("Patient", {"birthDate": "19800102"}, ("DATA_TYPE", f"{WHO}.birthDate")),
        ("Condition", {"encounter": {"reference": PATIENT}}, ("TABLE_VALUE", "Bundle.entry[6].resource.encounter.reference")),
        ("Condition", {"subject": {"reference": ENCOUNTER}}, ("TABLE_VALUE", "Bundle.entry[6].resource.subject.reference")),
    ],
)
def test_dv_5_and_dv_6_the_stay_and_what_is_tied_to_it(kind: str, change: Json, expected: tuple[str, str]) -> None:
    """DV-5, DV-6."""
    document = discharge()
    found = resource(document, kind)
    found.update(change)
    for name in [name for name, value in found.items() if value is None]:
        del found[name]
    assert errors(document) == [expected]


def test_dv_13_one_patient_a_notification() -> None:
    """DV-13."""
    document = discharge()
    document["entry"].append({"fullUrl": "urn:uuid:x", "resource": {**deepcopy(resource(document, "Patient")), "id": "other"}})
    assert errors(document) == [("SEGMENT_SEQUENCE", "Bundle.entry[7].resource")]


def test_dv_6_a_condition_of_another_stay_is_left_out_and_noted() -> None:
    """DV-6."""
    document = discharge()
    del resource(document, "Encounter")["diagnosis"]
    resource(document, "Condition")["encounter"] = {"reference": "Encounter/earlier"}
    assert read(document).diagnoses == ()
    assert any(note.location.endswith(".encounter") for note in READER.notes(written(document), SENDER))


def _with(document: Json, **resources: Json) -> Json:
    document["entry"] += [
        {"fullUrl": f"http://example.org/{kind}/{one['id']}", "resource": {"resourceType": kind} | one} for kind, one in resources.items()
    ]
    return document


RELATIVE = {"id": "r", "name": [{"family": "ZZOTHER"}], "telecom": [{"system": "phone", "value": "207-555-0142"}]}
COVERAGE = {
    "id": "c", "status": "active", "payor": [{"display": "ZZPLAN"}], "subscriberId": "ZZ9",
    "relationship": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/subscriber-relationship", "code": "self"}]},
}  # fmt: skip


@pytest.mark.parametrize(("kind", "apart", "name"), [("RelatedPerson", RELATIVE, "patient"), ("Coverage", COVERAGE, "beneficiary")])
def test_dv_6_what_nothing_leads_to_is_noted_with_its_place_and_refuses_nothing(kind: str, apart: Json, name: str) -> None:
    """DV-6: in either direction; a backward reference is as good as one from the focus on."""
    assert problems(_with(discharge(), **{kind: apart | {name: {"reference": PATIENT}}})) == []
    loose = _with(discharge(), **{kind: apart | {name: {"reference": "Patient/somebody-else"}}})
    assert errors(loose) == []
    noted = [one for one in problems(loose) if one.code is ProblemCode.SEGMENT_SEQUENCE]
    assert [(one.severity, one.location) for one in noted] == [(Severity.WARNING, "Bundle.entry[7].resource")]
    assert read(loose).trigger == "A03"


def test_dv_6_every_kind_of_resource_is_looked_at_through_any_chain() -> None:
    """DV-6: an Observation of an Observation of the patient is reached, also backwards; one that stands alone is not."""
    document = _with(
        discharge(),
        Observation={
            "id": "o1",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "Patient/1"},
            "hasMember": [{"reference": "Observation/o2"}],
        },
    )
    resource(document, "Observation")["subject"] = {"reference": PATIENT}
    document = _with(document, Observation={"id": "o2", "status": "final", "code": {"text": "x"}})
    document = _with(
        document,
        Provenance={
            "id": "p",
            "recorded": "2026-03-06T14:30:00-05:00",
            "target": [{"reference": "Observation/o2"}],
            "agent": [{"who": {"display": "x"}}],
        },
    )
    assert problems(document) == []
    document = _with(document, Observation={"id": "o3", "status": "final", "code": {"text": "x"}})
    assert [(one.severity, one.location) for one in problems(document)] == [(Severity.WARNING, "Bundle.entry[10].resource")]
    # Two that only know each other are as lonely.
    document["entry"][10]["resource"]["hasMember"] = [{"reference": "Observation/o4"}]
    document = _with(document, Observation={"id": "o4", "status": "final", "code": {"text": "x"}})
    assert [one.location for one in problems(document)] == ["Bundle.entry[10].resource", "Bundle.entry[11].resource"]


MUST_SUPPORT = {
    "MessageHeader": ("sender", "author", "responsible", "destination"),
    "Encounter": (
        "type", "location", "participant", "period", "hospitalization", "serviceProvider", "identifier", "diagnosis",
    ),
    "Patient": ("name", "gender", "birthDate", "address", "telecom"),
    "Condition": ("code", "encounter"),
    "Location": ("name",),
    "Organization": ("name",),
    "Practitioner": ("name", "identifier"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in MUST_SUPPORT.items() for name in names])
def test_dv_11_a_must_support_element_may_be_missing_or_say_why(kind: str, name: str) -> None:
    """Each in turn: first left out, then with a data-absent-reason in its place."""
    document = discharge()
    found = resource(document, kind)
    before = found.pop(name, None)
    assert errors(document) == []
    assert read(document).trigger == "A03"
    reason = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
    if isinstance(before, str):
        found[f"_{name}"] = reason
    elif isinstance(before, list):
        found[name] = [reason if name not in {"location", "diagnosis"} else {"location" if name == "location" else "condition": reason}]
    else:
        found[name] = reason
    if kind == "MessageHeader" and name == "destination":
        found[name] = [{"_endpoint": reason}]
    assert errors(document) == []
    assert read(document).trigger == "A03"


@pytest.mark.parametrize("kind", ["Location", "Practitioner", "Organization", "Condition"])
def test_dv_11_a_must_support_resource_may_be_missing(kind: str) -> None:
    document = discharge()
    document["entry"] = [entry for entry in document["entry"] if entry["resource"]["resourceType"] != kind]
    assert errors(document) == []
    assert read(document).trigger == "A03"
    noted = [one for one in problems(document) if one.severity is Severity.WARNING]
    assert noted
    assert {one.code for one in noted} == {ProblemCode.UNKNOWN_KEY}


def test_dv_11_status_and_class_may_say_why_they_are_absent() -> None:
    document = discharge()
    found = resource(document, "Encounter")
    reason = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
    del found["status"]
    found["_status"] = reason
    found["class"] = reason
    assert errors(document) == []
    event = read(document)
    assert event.visit is not None
    assert event.visit.encounter_class == "unknown"
