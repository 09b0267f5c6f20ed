"""Patient.contact, RelatedPerson and Patient.telecom; and that HL7 v2 and FHIR twins give the same contact persons (ADT-3)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.reader import FhirReader
from adapters.hl7v2.reader import Hl7v2Reader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent, PersonFacts
from app.domain.contact_sheet import contact_sheet
from app.domain.inbound import Severity
from app.domain.known import ERASED
from app.domain.person import json_facts
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import ABSENT, PATIENT, Json, bundle, resource, written
from tests.support.messages import adt, segment

FHIR, ER7 = FhirReader(read_strict_json), Hl7v2Reader()
AT = "20260310100000-0500"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
CONTACT_ROLE = "http://terminology.hl7.org/CodeSystem/v2-0131"


def facts_of(document: Json) -> PersonFacts:
    body = written(document)
    assert [problem for problem in FHIR.problems(body, FHIR.header(body), SENDER) if problem.severity is Severity.ERROR] == []
    found = FHIR.read(body, SENDER)
    assert isinstance(found, AdtEvent), found
    return found.person


def with_patient(related: tuple[Json, ...] = (), **elements: Any) -> PersonFacts:
    document = bundle("A08", AT, control="C1")
    resource(document, "Patient").update(elements)
    add(document, *related)
    return facts_of(document)


def add(document: Json, *resources: Json) -> None:
    for number, one in enumerate(resources):
        url = f"urn:uuid:0199a4c0-7c5d-7e0f-b1d2-0000000002{number:02}"
        document["entry"].append({"fullUrl": url, "resource": {"id": f"related-{number}", **one}})


def related(**elements: Any) -> Json:
    return {"resourceType": "RelatedPerson", "patient": {"reference": PATIENT}, **elements}


def concept(code: str, system: str = ROLE_CODE, text: str = "") -> Json:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


BETA = {"family": "Zztest", "given": ["Beta"]}


def names(facts: PersonFacts) -> list[str]:
    return [one.full_name for one in facts.contact_persons or ()]  # type: ignore[union-attr]


def test_a_contact_and_a_related_person_who_are_one_are_read_as_one() -> None:
    contact = {"name": BETA, "relationship": [concept("N", CONTACT_ROLE), concept("MTH")], "telecom": [{"value": "2075550101"}]}
    facts = with_patient((related(name=[BETA], relationship=[concept("MTH")], telecom=[{"value": "2075550102"}]),), contact=[contact])
    (mother,) = facts.contact_persons or ()
    assert (mother.full_name, mother.relation, mother.roles) == ("Beta Zztest", "MTH", ("N",))
    assert [phone.number for phone in mother.phones] == ["2075550101", "2075550102"]
    assert facts.guarantors is None


@pytest.mark.parametrize(
    ("elements", "counts"),
    [
        ({}, True),
        ({"active": True}, True),
        ({"active": False}, False),
        ({"patient": {"reference": "Patient/other"}}, False),
        ({"patient": {"display": "the patient"}}, False),
        ({"patient": None}, False),
    ],
)
def test_who_is_not_active_any_more_or_whose_relative_nobody_knows_counts_not(elements: Json, *, counts: bool) -> None:
    assert names(with_patient((related(name=[BETA], **elements),))) == (["Beta Zztest"] if counts else [])


def test_a_related_person_of_another_patient_of_the_bundle_is_none_of_this_one() -> None:
    document = bundle("A08", AT, control="C1")
    other = {"resourceType": "Patient", "identifier": [{"system": "HOSPA", "value": "M9"}], "link": []}
    add(document, {key: value for key, value in other.items() if value}, related(name=[BETA]))
    document["entry"][-1]["resource"]["patient"] = {"reference": document["entry"][-2]["fullUrl"]}
    found = FHIR.read(written(document), SENDER)
    assert not isinstance(found, AdtEvent) or found.person.contact_persons is None


def test_who_an_account_names_is_the_guarantor() -> None:
    account = {"resourceType": "Account", "status": "active", "guarantor": [{"party": {"reference": "RelatedPerson/related-0"}}]}
    facts = with_patient((related(name=[BETA]), account))
    assert facts.contact_persons is None
    assert [one.guarantor for one in facts.guarantors or ()] == [True]
    assert [one.guarantor for one in with_patient((related(name=[BETA], relationship=[concept("GUAR")]),)).guarantors or ()] == [True]


def test_absence_erases_where_there_is_no_such_value() -> None:
    gone = [{"extension": [{"url": ABSENT, "valueCode": "not-applicable"}]}]
    facts = with_patient(contact=gone, telecom=gone)
    assert (facts.contact_persons, facts.home_phones, facts.work_phones) == (ERASED, ERASED, ERASED)
    unknown = with_patient(contact=[{"extension": [{"url": ABSENT, "valueCode": "unknown"}]}])
    assert (unknown.contact_persons, unknown.work_phones) == (None, None)


@pytest.mark.parametrize(
    ("extension", "needed"),
    [
        ({"url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired", "valueBoolean": True}, True),
        ({"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed", "valueCoding": {"code": "LA33-6"}}, True),
        (
            {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed", "valueCoding": {"code": "373067005"}},
            False,
        ),
        ({"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed", "valueCoding": {"code": "UNK"}}, None),
        ({"url": "http://example.org/other", "valueBoolean": True}, None),
    ],
)
def test_whether_an_interpreter_is_needed(extension: Json, *, needed: bool | None) -> None:
    assert with_patient(extension=[extension]).interpreter is needed


RELATIONS = (("MTH", "MTH"), ("GRD", "GUARD"), ("SPO", "SPS"), ("GRP", "GRPRN"), ("FND", "FRND"), ("WRD", "WRD"))
"""Table 0063 -> v3 RoleCode."""
EQUIPMENT = (("PRN", "PH", "phone", "home"), ("WPN", "PH", "phone", "work"), ("PRN", "CP", "phone", "mobile"), ("WPN", "FX", "fax", "work"))


@st.composite
def twins(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw contact persons, guarantors and numbers, and write them in both formats."""
    er7: list[str] = []
    contacts: list[Json] = []
    entries: list[Json] = []
    for number, name in enumerate(draw(st.lists(st.sampled_from(["Beta", "Gamma", "Delta"]), max_size=3, unique=True))):
        v2_relation, v3_relation = draw(st.sampled_from(RELATIONS))
        role = draw(st.sampled_from(["", "C", "N", "S"]))
        xtn, points = _numbers(draw)
        street = draw(st.sampled_from(["", "1 Elm St"]))
        is_guarantor = draw(st.integers(0, 3)) == 0
        said: Json = {
            "relationship": [concept(v3_relation, text="As sent"), *([concept(role, CONTACT_ROLE)] if role and not is_guarantor else [])],
            **({"telecom": points} if points else {}),
        }
        if is_guarantor:
            er7.append(segment("GT1", {3: f"Zztest^{name}", 5: street, 6: xtn, 11: f"{v2_relation}^As sent"}))
            said["relationship"].append(concept("GUAR"))
        else:
            fields = {1: str(number), 2: f"Zztest^{name}", 3: f"{v2_relation}^As sent", 4: street, 5: xtn, 7: role, 8: "20260101"}
            er7.append(segment("NK1", fields))
            said["period"] = {"start": "2026-01-01"}
        human = {"family": "Zztest", "given": [name]}
        address = {"address": {"use": "home", "line": [street]}} if street else {}
        if is_guarantor or draw(st.booleans()):
            entries.append(related(name=[human], **said, **{key: [value] for key, value in address.items()}))
        else:
            contacts.append({"name": human, **said, **address})
    document = bundle("A08", AT, control="C1")
    patient = resource(document, "Patient")
    home, home_points = _numbers(draw)
    if contacts:
        patient["contact"] = contacts
    patient["telecom"] = home_points or patient["telecom"]
    add(document, *entries)
    message = adt("A08", AT, control="C1", extra=tuple(er7)).decode()
    if home_points:
        # PID-13 holds what is not at work, PID-14 what is.
        at_work = "~".join(one for one in home.split("~") if "^WPN^" in one)
        others = "~".join(one for one in home.split("~") if "^WPN^" not in one)
        message = message.replace("|^PRN^PH^^^207^5550101", f"|{others}|{at_work}")
    return message.encode(), written(document)


def _numbers(draw: st.DrawFn) -> tuple[str, list[Json]]:
    drawn = draw(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(EQUIPMENT)), max_size=3, unique_by=lambda one: one[0]))
    xtn = "~".join(f"207555010{digit}^{use}^{equipment}" for digit, (use, equipment, _, _) in drawn)
    return xtn, [{"system": kind, "use": use, "value": f"207555010{digit}"} for digit, (_, _, kind, use) in drawn]


@given(twins())
def test_twins_give_the_same_contact_persons(pair: tuple[bytes, bytes]) -> None:
    message, document = pair
    expected, found = ER7.read(message, SENDER), FHIR.read(document, SENDER)
    assert isinstance(expected, AdtEvent)
    assert isinstance(found, AdtEvent), found
    for name in ("home_phones", "work_phones", "guarantors"):
        assert getattr(found.person, name) == getattr(expected.person, name), name
    by_name = [
        sorted(sheet["contact_persons"], key=lambda one: one["name"])
        for sheet in (contact_sheet(json_facts(one.person), {}) for one in (expected, found))
    ]
    assert by_name[0] == by_name[1]
