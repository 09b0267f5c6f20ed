"""What each element becomes: three-valued facts, choices among repetitions, times, and the event that is meant."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from adapters.fhir.reader import FhirReader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import (
    DiagnosisAction,
    DiagnosisUse,
    EncounterClass,
    Identifier,
    Practitioner,
    ProcessingId,
    VisitFacts,
)
from app.domain.feed import FeedProfile
from app.domain.known import ERASED
from app.domain.trigger import Trigger
from tests.adapters.fhir.test_structure import discharge, read
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import ABSENT, DA_VINCI, LOCATION, PATIENT, V2, bundle, resource, typed, written

READER = FhirReader(read_strict_json)
Json = dict[str, Any]
GONE = {"extension": [{"url": ABSENT, "valueCode": "not-applicable"}]}


def admit(**fields: Any) -> Json:
    return bundle("A01", "20260302103000-0500", control="R1", **{"admitted": "20260302100000-0500", **fields})


def visit(document: Json) -> VisitFacts:
    found = read(document).visit
    assert found is not None
    return found


def test_adt_3_absent_says_nothing_and_not_applicable_takes_back() -> None:
    document = discharge()
    patient = resource(document, "Patient")
    for name in ("telecom", "address", "birthDate"):
        del patient[name]
    person = read(document).person
    assert (person.phone, person.address, person.birth_date, person.deceased) == (None, None, None, None)
    patient |= {"telecom": [GONE], "address": [GONE], "_birthDate": GONE, "_deceasedDateTime": GONE}
    person = read(document).person
    assert (person.phone, person.address, person.zip, person.birth_date, person.died_at) == (ERASED, ERASED, ERASED, ERASED, ERASED)
    encounter = resource(document, "Encounter")
    encounter["hospitalization"] = {"dischargeDisposition": GONE}
    encounter["period"] = {"start": "2026-03-02T10:00:00-05:00", "_end": GONE}
    assert (visit(document).disposition, visit(document).discharged_at) == (ERASED, ERASED)


def test_an_address_is_replaced_as_a_whole() -> None:
    document = discharge()
    resource(document, "Patient")["address"] = [
        {"use": "billing", "city": "Elsewhere"},
        {"use": "old", "city": "Before"},
        {"use": "home", "city": "Bangor", "line": ["1 Elm St", "Apt 2"]},
    ]
    person = read(document).person
    assert (person.address, person.city, person.state, person.zip) == ("1 Elm St, Apt 2", "Bangor", ERASED, ERASED)


def test_the_official_name_and_the_telephone_that_reaches_the_person() -> None:
    document = discharge()
    resource(document, "Patient")["name"] = [
        {"use": "maiden", "family": "Ash"},
        {"use": "official", "family": "Alder", "given": ["Ann", "Bea", "Cee"]},
    ]
    resource(document, "Patient")["telecom"] = [
        {"system": "email", "value": "ann@example.org"},
        {"system": "phone", "use": "work", "value": "1"},
        {"system": "phone", "use": "old", "value": "2"},
        {"system": "phone", "use": "mobile", "value": "3"},
    ]
    person = read(document).person
    assert (person.last_name, person.first_name, person.middle_name, person.phone) == ("Alder", "Ann", "Bea Cee", "3")


def test_us_core_race_ethnicity_and_language() -> None:
    document = discharge()
    base = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    resource(document, "Patient")["extension"] = [
        {
            "url": f"{base}race",
            "extension": [
                {"url": "ombCategory", "valueCoding": {"code": "2106-3"}},
                {"url": "ombCategory", "valueCoding": {"code": "2028-9"}},
                {"url": "text", "valueString": "Mixed"},
            ],
        },
        {"url": f"{base}ethnicity", "extension": [{"url": "text", "valueString": "Unknown"}]},
    ]
    resource(document, "Patient")["communication"] = [
        {"language": {"text": "English"}},
        {"language": {"coding": [{"code": "so"}]}, "preferred": True},
    ]
    person = read(document).person
    assert (person.race, person.ethnicity, person.language) == ("2106-3~2028-9", "Unknown", "so")


@pytest.mark.parametrize(
    ("said", "died_at", "deceased"),
    [
        ({"deceasedBoolean": True}, None, True),
        ({"deceasedBoolean": False}, None, False),
        ({"deceasedDateTime": "2026-03-05T20:00:00-05:00"}, datetime(2026, 3, 6, 1, 0, tzinfo=UTC), True),
        ({"deceasedDateTime": "2026-03"}, None, True),
        ({}, None, None),
    ],
)
def test_death(said: Json, died_at: datetime | None, deceased: bool | None) -> None:
    document = discharge()
    resource(document, "Patient").update(said)
    person = read(document).person
    assert (person.died_at, person.deceased) == (died_at, deceased)


def test_a_birth_date_without_its_day_is_noted_and_left_out() -> None:
    document = discharge()
    resource(document, "Patient")["birthDate"] = "1980-01"
    assert read(document).person.birth_date is None
    assert [note.location for note in READER.notes(written(document), SENDER)] == ["Bundle.entry[2].resource.birthDate"]
    resource(document, "Patient")["birthDate"] = "1980-01-02"
    assert read(document).person.birth_date == date(1980, 1, 2)


def test_hl7_6_the_record_number_comes_first_and_some_numbers_are_never_read() -> None:
    document = discharge()
    resource(document, "Patient")["identifier"] = [
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "000-00-0000"},
        typed("SS", "urn:other", "000-00-0000"),
        typed("DL", "urn:oid:2.16.840.1.113883.4.3.25", "S1"),
        {"use": "old", **typed("MR", "HOSPA", "M0")},
        {"system": "http://hl7.org/fhir/sid/us-mbi", "value": "1EG4TE5MK73"},
        typed("AN", "HOSPA", "A1"),
        typed("MR", "urn:oid:1.2.3", "M1"),
        {"value": "X1"},
    ]
    assert read(document).identifiers == (
        Identifier("1.2.3", "MR", "M1"),
        Identifier("HTTP://HL7.ORG/FHIR/SID/US-MBI", "MC", "1EG4TE5MK73"),
        Identifier("HOSPA", "", "X1"),
    )


def coverage(**members: Any) -> Json:
    said = {"status": "active", "beneficiary": {"reference": PATIENT}, "payor": [{"display": "Plan P"}], **members}
    return {"fullUrl": "urn:uuid:coverage", "resource": {"resourceType": "Coverage", **said}}


def test_a_coverage_gives_the_persons_own_number_only() -> None:
    """A family shares its subscriber's number."""
    own = {"coding": [{"code": "self"}]}
    document = discharge()
    document["entry"].append(coverage(subscriberId="S1", relationship=own, identifier=[typed("MB", "urn:plan", "S1-01")]))
    assert read(document).identifiers[2:] == (Identifier("URN:PLAN", "MB", "S1-01"), Identifier("PLAN P", "MB", "S1"))
    for change in ({"relationship": {"coding": [{"code": "child"}]}}, {"status": "cancelled"}, {"payor": [{"type": "Organization"}]}):
        document["entry"][-1] = coverage(**{"subscriberId": "S1", "relationship": own, **change})
        assert len(read(document).identifiers) == 2, change


@pytest.mark.parametrize("beneficiary", [{"reference": "Patient/somebody-else"}, {"display": "the patient"}, None])
def test_dv_6_a_coverage_of_which_nobody_knows_whose_it_is_gives_no_number(beneficiary: Json | None) -> None:
    """DV-6: its payor leads to it from the stay, and that makes it nobody's: a number would make two people one."""
    document = discharge()
    payor = resource(document, "Encounter")["serviceProvider"]
    said = {"subscriberId": "S1", "relationship": {"coding": [{"code": "self"}]}, "identifier": [typed("MB", "urn:plan", "S1-01")]}
    document["entry"].append(coverage(beneficiary=beneficiary, payor=[payor], **said))
    assert len(read(document).identifiers) == 2
    assert "Bundle.entry[7].resource.beneficiary" in {note.location for note in READER.notes(written(document), SENDER)}


def test_the_place_is_read_up_the_chain_of_locations() -> None:
    document = discharge()
    kinds = {"bed": "bd", "room": "ro", "ward": "wa", "site": "si"}
    names = list(kinds)
    document["entry"] = [entry for entry in document["entry"] if entry["resource"]["resourceType"] != "Location"]
    for position, name in enumerate(names):
        found: Json = {"resourceType": "Location", "id": name, "name": name, "physicalType": {"coding": [{"code": kinds[name]}]}}
        if position + 1 < len(names):
            found["partOf"] = {"reference": f"Location/{names[position + 1]}"}
        else:
            # A ring of places must not be walked for ever.
            found["partOf"] = {"reference": "Location/bed"}
        document["entry"].append({"fullUrl": f"http://ehr.example.org/fhir/Location/{name}", "resource": found})
    resource(document, "Encounter")["location"] = [
        {"location": {"display": "earlier"}, "status": "completed"},
        {"location": {"reference": "Location/bed"}, "status": "active"},
    ]
    found_visit = visit(document)
    assert (found_visit.bed, found_visit.room, found_visit.unit, found_visit.facility) == ("bed", "room", "ward", "site")


def test_a_place_without_a_type_is_the_unit_unless_it_is_the_house() -> None:
    document = discharge()
    del resource(document, "Location")["physicalType"]
    assert (visit(document).unit, visit(document).facility) == ("PSY", "HOSPA")
    resource(document, "Location")["name"] = "HOSPA"
    assert (visit(document).unit, visit(document).facility) == (None, "HOSPA")
    resource(document, "Encounter")["location"] = [{"location": {"display": "3 West"}}]
    assert visit(document).unit == "3 West"


def test_the_attending_is_found_by_its_type_and_through_a_role() -> None:
    document = discharge()
    document["entry"] += [
        {
            "fullUrl": "urn:uuid:role",
            "resource": {"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/second"}},
        },
        {
            "fullUrl": "urn:uuid:second",
            "resource": {
                "resourceType": "Practitioner",
                "id": "second",
                "identifier": [{"value": "77"}, {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
                "name": [{"family": "Elm", "given": ["Eve"]}],
            },
        },
    ]
    resource(document, "Encounter")["participant"].append(
        {"type": [{"coding": [{"code": "ATND"}]}], "individual": {"reference": "urn:uuid:role"}}
    )
    assert visit(document).attending == Practitioner("77", "Elm", "Eve", "1234567893")
    resource(document, "Encounter")["participant"] = [{"individual": {"display": "Dr. Elm"}}]
    assert visit(document).attending == Practitioner(family="Dr. Elm")


@pytest.mark.parametrize(
    ("codes", "expected"),
    [(["1"], "01"), (["home"], "01"), (["exp"], "20"), (["psy"], "65"), (["x-local", "62"], "62"), (["x-local"], "X-LOCAL")],
)
def test_dispositions(codes: list[str], expected: str) -> None:
    document = discharge()
    coding = [{"code": code} for code in codes]
    resource(document, "Encounter")["hospitalization"] = {"dischargeDisposition": {"coding": coding}}
    assert visit(document).disposition == expected


def test_adt_2_diagnoses_by_role_and_rank_and_icd_10_before_others() -> None:
    document = discharge()
    resource(document, "Condition")["code"] = {
        "text": "Depression",
        "coding": [
            {"system": "http://snomed.info/sct", "code": "35489007"},
            {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.2"},
        ],
    }
    (fact,) = read(document).diagnoses
    assert (fact.code, fact.text, fact.use, fact.rank, fact.action) == (
        "F32.2",
        "Depression",
        DiagnosisUse.FINAL,
        1,
        DiagnosisAction.SNAPSHOT,
    )
    resource(document, "Condition")["verificationStatus"] = {"coding": [{"code": "entered-in-error"}]}
    event = read(document)
    assert (event.diagnoses, event.diagnoses_erased) == ((), frozenset({DiagnosisUse.FINAL}))
    resource(document, "MessageHeader")["eventCoding"] = {"system": DA_VINCI, "code": "notification-new-condition"}
    event = read(document)
    assert ([one.action for one in event.diagnoses], event.diagnoses_erased) == ([DiagnosisAction.DELETE], frozenset())


@pytest.mark.parametrize(
    ("event", "change", "expected"),
    [
        ("notification-admit", {"class": {"code": "IMP"}}, Trigger.ADMIT),
        ("notification-admit", {"class": {"code": "OBSENC"}}, Trigger.ADMIT),
        ("notification-admit", {"class": {"code": "EMER"}}, Trigger.REGISTER),
        ("notification-admit", {"class": {"code": "AMB"}}, Trigger.REGISTER),
        ("notification-admit", {"class": {"code": "PRENC"}}, Trigger.PRE_ADMIT),
        ("notification-admit", {"status": "planned"}, Trigger.PRE_ADMIT),
        ("notification-admit", {"status": "entered-in-error"}, Trigger.CANCEL_ADMIT),
        ("notification-discharge", {"status": "cancelled"}, Trigger.CANCEL_ADMIT),
        ("notification-outpatient-visit", {}, Trigger.REGISTER),
        ("notification-transfer", {}, Trigger.TRANSFER),
        ("notification-progress-update", {}, Trigger.UPDATE),
    ],
)
def test_dv_4_the_event_that_is_meant(event: str, change: Json, expected: Trigger) -> None:
    document = admit()
    resource(document, "MessageHeader")["eventCoding"] = {"system": DA_VINCI, "code": event}
    resource(document, "Encounter").update(change)
    assert read(document).trigger == expected
    resource(document, "MessageHeader")["eventCoding"] = {"system": V2, "code": "A01"}
    resource(document, "Encounter")["status"] = "in-progress"
    assert read(document).trigger == Trigger.ADMIT


def test_events_about_a_person_lead_to_the_patient() -> None:
    document = bundle("A31", "20260302103000-0500", control="R2", patient_class=None, event=(DA_VINCI, "notification-coverage-change"))
    document["entry"].append(coverage())
    resource(document, "MessageHeader")["focus"] = [{"reference": "urn:uuid:coverage"}]
    event = read(document)
    assert (event.trigger, event.visit, event.identifiers[0].value) == (Trigger.UPDATE_PERSON, None, "M1")


def test_adt_4_when_it_happened() -> None:
    sent = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    event = read(admit())
    assert (event.occurred_at, event.recorded_at, event.sent_at) == (datetime(2026, 3, 2, 15, 0, tzinfo=UTC), sent, sent)
    # An admission from the emergency room keeps the period of the visit; classHistory says since when it is one.
    document = admit()
    resource(document, "Encounter")["classHistory"] = [
        {"class": {"code": "EMER"}, "period": {"start": "2026-03-02T10:00:00-05:00", "end": "2026-03-02T10:20:00-05:00"}},
        {"class": {"code": "IMP"}, "period": {"start": "2026-03-02T10:20:00-05:00"}},
    ]
    assert read(document).occurred_at == datetime(2026, 3, 2, 15, 20, tzinfo=UTC)
    assert read(discharge()).occurred_at == datetime(2026, 3, 6, 19, 25, tzinfo=UTC)
    # A planned admission has not happened yet.
    document = admit(patient_class="P")
    assert read(document).occurred_at == sent
    document = bundle("A02", "20260302103000-0500", control="R3")
    resource(document, "Encounter")["location"] = [
        {"location": {"reference": LOCATION}, "status": "active", "period": {"start": "2026-03-02T10:10:00-05:00"}}
    ]
    assert read(document).occurred_at == datetime(2026, 3, 2, 15, 10, tzinfo=UTC)


def test_hl7_5_a_bare_day_takes_the_time_of_the_message_on_that_day_and_else_the_senders_midnight() -> None:
    document = admit(admitted="20260302100000-0500")
    resource(document, "Encounter")["period"] = {"start": "2026-03-02"}
    assert read(document).occurred_at == datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    resource(document, "Encounter")["period"] = {"start": "2026-03-01"}
    assert visit(document).admitted_at == datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
    resource(document, "Encounter")["period"] = {"start": "2026-03"}
    assert visit(document).admitted_at is None


def test_adt_1_the_end_counts_where_the_stay_is_over() -> None:
    document = admit()
    resource(document, "Encounter")["period"]["end"] = "2026-03-04T10:00:00-05:00"
    assert visit(document).discharged_at is None
    resource(document, "MessageHeader")["eventCoding"] = {"system": DA_VINCI, "code": "notification-progress-update"}
    assert visit(document).discharged_at is None
    resource(document, "Encounter")["status"] = "finished"
    assert visit(document).discharged_at == datetime(2026, 3, 4, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0103", "code": "T"}]}, ProcessingId.TRAINING),
        ({"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0103", "code": "D"}]}, ProcessingId.DEBUGGING),
        ({"security": [{"code": "HTEST"}]}, ProcessingId.TRAINING),
        ({"tag": [{"system": "http://example.org", "code": "T"}]}, ProcessingId.PRODUCTION),
    ],
)
def test_test_messages_are_known(meta: Json, expected: ProcessingId) -> None:
    document = discharge()
    resource(document, "MessageHeader")["meta"] = meta
    assert read(document).processing_id is expected


def test_a_contained_practitioner_is_found() -> None:
    document = discharge()
    encounter = resource(document, "Encounter")
    encounter["contained"] = [{"resourceType": "Practitioner", "id": "p", "name": [{"family": "Fir"}]}]
    encounter["participant"] = [{"individual": {"reference": "#p"}}]
    assert visit(document).attending == Practitioner(family="Fir")


def test_an_observation_stay_by_its_type() -> None:
    document = discharge()
    resource(document, "Encounter")["type"] = [{"coding": [{"code": "OBS"}]}]
    sender = replace(SENDER, profile=FeedProfile(observation_patient_types=frozenset({"OBS"})))
    event = READER.read(written(document), sender)
    assert event.visit.encounter_class is EncounterClass.OBSERVATION  # type: ignore[union-attr]


def test_a_feed_with_a_zone_that_is_none_reads_nothing_and_says_so() -> None:
    (problem,) = READER.read(written(discharge()), replace(SENDER, time_zone="Mars/Olympus"))  # type: ignore[misc]
    assert "time zone" in problem.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"resourceType": "Bundle"}', b'{"resourceType": "Bundle", "entry": [7]}'])
def test_nothing_raises_whatever_is_asked_of_whatever_bytes(body: bytes) -> None:
    header = READER.header(body)
    assert READER.problems(body, header, SENDER)
    assert isinstance(READER.read(body, SENDER), list | tuple)
    assert READER.notes(body, SENDER)


@pytest.mark.parametrize(
    ("numbers", "ends"),
    [
        ([{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "219-45-6781"}], "6781"),
        ([{"system": "urn:oid:2.16.840.1.113883.4.1", "value": "219456781"}], "6781"),
        ([typed("SS", "urn:other", "000-00-0000"), typed("SS", "urn:other", "6781")], "6781"),
        ([{"use": "old", "system": "http://hl7.org/fhir/sid/us-ssn", "value": "219-45-6781"}], None),
        ([{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-99-9999"}], None),
        ([{"system": "http://hl7.org/fhir/sid/us-ssn"}], None),
    ],
)
def test_of_a_social_security_number_the_last_four_digits_are_read(numbers: list[Json], ends: str | None) -> None:
    document = discharge()
    resource(document, "Patient")["identifier"] = [typed("MR", "HOSPA", "M1"), *numbers]
    event = read(document)
    assert (event.person.ssn4, event.identifiers) == (ends, (Identifier("HOSPA", "MR", "M1"),))
    assert "21945" not in repr(event)


def test_what_tells_father_and_son_apart_twins_and_what_somebody_was_called_before() -> None:
    document = discharge()
    patient = resource(document, "Patient")
    assert (read(document).person.suffix, read(document).person.former_last_name, read(document).person.birth_order) == (None, None, None)
    patient["name"] = [
        {"use": "old", "family": "Cedar"},
        {"use": "maiden", "family": "Birch"},
        {"use": "official", "family": "Alder", "given": ["Ann"], "suffix": ["Jr.", "MD"]},
    ]
    patient["multipleBirthInteger"] = 2
    said = read(document).person
    assert (said.last_name, said.suffix, said.former_last_name, said.birth_order) == ("Alder", "Jr. MD", "Birch", "2")


def test_a_social_security_number_names_a_record_only_where_nothing_else_does_and_it_is_whole() -> None:
    document = discharge()
    resource(document, "Patient")["identifier"] = [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "219-45-6781"}]
    assert [one.type for one in read(document).identifiers] == ["SS"]
    for value in ("6781", "999-99-9999"):
        resource(document, "Patient")["identifier"] = [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": value}]
        (problem,) = READER.notes(written(document), SENDER)
        assert problem.location == "Bundle.entry[2].resource.identifier"
