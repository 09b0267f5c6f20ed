"""HL7 v2 and FHIR twins of one event are read as one AdtEvent, but for what each format writes its own way (named in `OWN`)."""

from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.reader import FhirReader
from adapters.hl7v2.reader import Hl7v2Reader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.feed import Feed, FeedProfile
from app.domain.inbound import Severity
from tests.adapters.hl7v2.support import FEED
from tests.support.bundles import bundle, written
from tests.support.messages import adt

FHIR, ER7 = FhirReader(read_strict_json), Hl7v2Reader()
SENDER: Feed = replace(FEED, sending_application="EPIC", sending_facility="HOSPA", assigning_authority="HOSPA")
OWN = {
    "content_hash": "the bytes differ",
    "class_code": "PV1-2 I is v3 ActCode IMP; what both mean is encounter_class",
    "system": "DG1-3.3 I10 is http://hl7.org/fhir/sid/icd-10-cm; both mean ICD-10-CM",
    "admission_type": "Encounter.type is required, PV1-4 is not: the builder of HL7 v2 messages writes none",
    "room": "the builder of HL7 v2 messages writes one",
    "bed": "the builder of HL7 v2 messages writes one",
}

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
STAYS = ("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13")
CLASSES = {"A04": st.sampled_from(["E", "O"]), "A05": st.just("P"), "A07": st.just("O")}


@st.composite
def twins(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw an event and write it twice."""
    trigger = draw(st.sampled_from([*STAYS, "A28", "A31"]))
    is_stay = trigger in STAYS
    at = f"202603{draw(st.integers(10, 20)):02}{draw(st.integers(0, 23)):02}{draw(st.integers(0, 59)):02}00-0500"
    given_fields: dict[str, Any] = {
        "mrn": draw(st.sampled_from(["M1", "M2"])),
        "medicaid": draw(st.sampled_from(["MC1", None])),
        "name": draw(st.sampled_from(["Alder^Ann", "Nuñez^Zoë", "O'Neil^Jo"])),
        "born": draw(st.sampled_from(["19800102", "20000229"])),
        "sex": draw(st.sampled_from("FMOU")),
        "patient_class": draw(CLASSES.get(trigger, st.just("I"))) if is_stay else None,
    }
    if is_stay:
        given_fields |= {
            "visit": draw(st.sampled_from(["V1", None])),
            "unit": draw(st.sampled_from(["PSY", "3W"])),
            "diagnoses": tuple(draw(st.lists(st.sampled_from([("F32.2", "A"), ("F10.20", "F"), ("I10", "W")]), max_size=3, unique=True))),
            "admitted": at if trigger in ("A01", "A04") else draw(st.sampled_from(["", "20260301080000-0500"])),
            "discharged": at if trigger == "A03" else "",
            "disposition": draw(st.sampled_from(["", "01", "65", "20"])) if trigger == "A03" else "",
        }
        if trigger == "A05":
            given_fields["admitted"] = ""
    twin = bundle(trigger, at, control="C1", **given_fields)
    extra: tuple[str, ...] = ()
    if is_stay and (protected := draw(st.sampled_from([None, "Y", "N"]))):
        extra = (f"PD1||||||||||||{protected}",)
        patient = next(one["resource"] for one in twin["entry"] if one["resource"]["resourceType"] == "Patient")
        patient["meta"] = {"security": [{"system": CONFIDENTIALITY, "code": {"Y": "V", "N": "N"}[protected]}]}
    return adt(trigger, at, control="C1", extra=extra, **given_fields), written(twin)


def leaves(value: Any, name: str = "") -> Any:
    """Take an event apart, without what each format writes its own way."""
    if name in OWN:
        return None
    if isinstance(value, tuple):
        return tuple(leaves(item) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: leaves(getattr(value, field.name), field.name) for field in fields(value)}
    return value


@given(twins())
def test_twins_are_read_as_one_event(pair: tuple[bytes, bytes]) -> None:
    message, document = pair
    header = FHIR.header(document)
    assert [problem for problem in FHIR.problems(document, header, SENDER) if problem.severity is Severity.ERROR] == []
    expected, found = ER7.read(message, SENDER), FHIR.read(document, SENDER)
    assert isinstance(expected, AdtEvent)
    assert isinstance(found, AdtEvent), found
    assert leaves(found) == leaves(expected)


def test_the_feeds_maps_hold_for_both_formats() -> None:
    """One profile: class, disposition and authority maps, observation types (the same keys, HL7's code or FHIR's)."""
    profile = FeedProfile(
        class_map={"IMP": "observation", "I": "observation"},
        disposition_map={"HOME": "06", "GONE": "06"},
        authority_map={"HTTPS://EHR.EXAMPLE.ORG/MRN": "MAPPED", "HOSPA": "MAPPED"},
    )
    sender = replace(SENDER, profile=profile)
    message = adt("A03", "20260310100000-0500", control="C1", disposition="GONE")
    document = bundle("A03", "20260310100000-0500", control="C1", disposition="home")
    for entry in document["entry"]:
        for identifier in entry["resource"].get("identifier", ()):
            if identifier.get("system") == "HOSPA":
                identifier["system"] = "https://ehr.example.org/mrn"
    expected, found = ER7.read(message, sender), FHIR.read(written(document), sender)
    assert isinstance(expected, AdtEvent)
    assert isinstance(found, AdtEvent)
    assert found.identifiers == expected.identifiers
    assert found.identifiers[0].authority == "MAPPED"
    assert found.visit is not None
    assert expected.visit is not None
    assert found.visit.visit_number == expected.visit.visit_number
    assert (found.visit.encounter_class, found.visit.disposition) == (expected.visit.encounter_class, "06")
