"""FHIR in XML gives the document of its JSON form (DV-12), and nothing that XML can do beyond that is done."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.fhir.reader import FhirReader
from adapters.fhir.xml_form import XmlFormError, read_xml
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Severity
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import ABSENT, bundle, resource, written
from tests.support.cost import allowed_s, within
from tests.support.fhir_xml import in_xml

READER = FhirReader(read_strict_json)
CORPORA = Path(__file__).parents[4] / "shared" / "corpora"
EXAMPLES = CORPORA / "HL7__davinci-alerts" / "input" / "examples"
PAIRS = CORPORA / "FHIR__fhir-test-cases" / "r4" / "examples"
Json = dict[str, Any]


def discharge() -> Json:
    document = bundle(
        "A03", "20260306143000-0500", control="X1", admitted="20260302100000-0500", discharged="20260306142500-0500", disposition="01",
        diagnoses=(("F32.2", "A"), ("I10", "F")), name="Nu\u00f1ez^Zo\u00eb",
    )  # fmt: skip
    patient = resource(document, "Patient")
    absent = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
    patient["name"][0] |= {"given": ["Zo\u00eb", None, '<&">'], "_given": [None, absent, None]}
    patient["deceasedBoolean"] = False
    patient["extension"] = [{"url": "http://example.org/x", "valueInteger": 7}, {"url": "http://example.org/y", "valueDecimal": 1.5}]
    patient["contained"] = [{"resourceType": "Organization", "id": "o", "name": "Within"}]
    patient["_gender"] = {"id": "g1"}
    return document


def test_the_document_is_that_of_the_json_form() -> None:
    """DV-12."""
    assert read_xml(in_xml(discharge())) == discharge()


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A04", "A08", "A11", "A13"])
def test_both_forms_are_read_as_one_event(trigger: str) -> None:
    document = bundle(trigger, "20260306143000-0500", control="X1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))
    events = [READER.read(body, SENDER) for body in (written(document), in_xml(document))]
    one, other = (event for event in events if isinstance(event, AdtEvent))
    assert (one.trigger, one.person, one.visit, one.diagnoses, one.identifiers) == (
        other.trigger, other.person, other.visit, other.diagnoses, other.identifiers,
    )  # fmt: skip
    assert one.content_hash != other.content_hash


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the corpora are not part of this repository: ../shared/corpora")
def test_the_examples_of_da_vinci_are_the_same_in_xml() -> None:
    for path in sorted(EXAMPLES.glob("*.json")):
        body = path.read_bytes()
        xml = in_xml(json.loads(body))
        assert [one.text for one in READER.problems(xml, READER.header(xml), SENDER) if one.severity is Severity.ERROR] == [
            one.text for one in READER.problems(body, READER.header(body), SENDER) if one.severity is Severity.ERROR
        ], path.name


@pytest.mark.skipif(not PAIRS.exists(), reason="the corpora are not part of this repository: ../shared/corpora")
def test_real_xml_is_read_as_its_json_twin() -> None:
    pairs = [(path, path.with_suffix(".json")) for path in sorted(PAIRS.glob("*.xml"))]
    found = [(read_xml(xml.read_bytes()), json.loads(twin.read_bytes())) for xml, twin in pairs if twin.exists()]
    assert found
    for one, other in found:
        for document in (one, other):
            document["text"].pop("div")
        assert one == other


def test_where_a_schema_lies_is_not_looked_at() -> None:
    hint = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir ../fhir-all.xsd"'
    assert read_xml(GOOD.replace("<Bundle", f"<Bundle {hint}", 1).encode()) == discharge()


GOOD = in_xml(discharge()).decode()
HOSTILE = {
    "an entity": GOOD.replace("<Bundle", '<!DOCTYPE Bundle [<!ENTITY a "Canary">]><Bundle', 1),
    "an outside entity": GOOD.replace("<Bundle", '<!DOCTYPE Bundle SYSTEM "file:///etc/passwd"><Bundle', 1),
    "laughs": '<!DOCTYPE b [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><Bundle xmlns="http://hl7.org/fhir"><id value="&b;"/></Bundle>',
    "an unknown entity": GOOD.replace('value="X1"', 'value="&Canary;"', 1),
    "a style sheet": GOOD.replace("<Bundle", '<?xml-stylesheet href="http://example.org/Canary"?><Bundle', 1),
    "no namespace": GOOD.replace(' xmlns="http://hl7.org/fhir"', "", 1),
    "another namespace": GOOD.replace("http://hl7.org/fhir", "urn:Canary", 1),
    "an inclusion": GOOD.replace("<entry>", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/><entry>', 1),
    "text": GOOD.replace("<entry>", "Canary<entry>", 1),
    "not closed": GOOD[:-3],
    "two roots": GOOD + "<Bundle/>",
    "no root": "<?xml version='1.0'?>",
    "an attribute twice": GOOD.replace('value="X1"', 'value="X1" value="Canary"', 1),
    "200 deep": GOOD.replace("<entry>", "<extension>" * 200 + "</extension>" * 200 + "<entry>", 1),
    "20,000 elements": GOOD.replace("<entry>", "<link/>" * 20_000 + "<entry>", 1),
    "an id twice": GOOD.replace('<id value="X1"></id>', '<id value="X1"/><id value="X2"/>', 1),
    "two resources in one": GOOD.replace("<resource>", "<resource><Basic/>", 1),
    "an attribute for an element": GOOD.replace('<birthDate value="1980-01-02"></birthDate>', "", 1).replace(
        "<Patient>", '<Patient birthDate="1980-01-02">', 1
    ),
    "a resource of another type, by attribute": GOOD.replace("<Patient>", '<Patient resourceType="Person">', 1),
    "a resource of another type, by element": GOOD.replace("<Patient>", '<Patient><resourceType value="Person"/>', 1),
    "an attribute of an extension elsewhere": GOOD.replace("<Location>", '<Location url="Canary">', 1),
    "a family name as narrative": GOOD.replace(
        '<family value="Nu\u00f1ez"></family>', '<family xmlns="http://www.w3.org/1999/xhtml">Canary</family>', 1
    ),
    "a bundle as narrative": '<div xmlns="http://www.w3.org/1999/xhtml">Canary</div>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_refused_and_not_repeated(name: str) -> None:
    body = HOSTILE[name].encode()
    assert body != GOOD.encode()
    with pytest.raises(XmlFormError):
        read_xml(body)
    header = within(allowed_s(body), lambda: READER.header(body))
    assert header.fault is not None
    assert header.fault.location == "Bundle"
    assert "Canary" not in header.fault.text


@pytest.mark.parametrize(
    "change",
    [
        ('<type value="message"></type>', '<type value="message"></type><Canary value="x"/>'),
        ('value="female"', 'value="Canary"'),
        ('<deceasedBoolean value="false"', '<deceasedBoolean value="Canary"'),
        ("<Location>", '<Location Canary="x">'),
        ("<Location>", "<Canary>"),
        ('<valueInteger value="7"', '<valueInteger value="7.5"'),
    ],
)  # fmt: skip
def test_what_json_may_not_say_xml_may_not_say_either(change: tuple[str, str]) -> None:
    body = GOOD.replace(change[0], change[1], 1)
    assert body != GOOD
    if change[1] == "<Canary>":
        body = body.replace("</Location>", "</Canary>", 1)
    problems = READER.problems(body.encode(), READER.header(body.encode()), SENDER)
    assert any(one.severity is Severity.ERROR for one in problems)
    assert "Canary" not in repr(problems)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_fhir_is_utf_8(encoding: str) -> None:
    assert READER.header(GOOD.replace("UTF-8", encoding).encode(encoding, "replace")).fault is not None
