"""PV1, PV2, DG1 and the times of an event (ADT-1, ADT-2, ADT-4, HL7-5): tables in, facts out."""

from datetime import UTC, datetime

import pytest

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, DiagnosisFact, DiagnosisUse, EncounterClass, Identifier, Practitioner, ProcessingId, VisitFacts
from app.domain.feed import Feed, FeedProfile
from app.domain.known import ERASED
from tests.adapters.hl7v2.support import EVN, FEED, PID, er7, feed, msh, segment

READER = Hl7v2Reader()


def event(*segments: str, of: Feed = FEED, header: str | None = None) -> AdtEvent:
    found = READER.read(er7(header or msh("A03"), *segments), of)
    assert isinstance(found, AdtEvent), found
    return found


def visit(of: Feed = FEED, pid: str = PID, pv2: str | None = None, **fields: str) -> VisitFacts:
    found = event(EVN, pid, segment("PV1", f1="1", **fields), *([pv2] if pv2 else []), of=of).visit
    assert found is not None
    return found


def diagnoses(*lines: str) -> tuple[DiagnosisFact, ...]:
    return event(EVN, PID, "PV1|1|I", *lines).diagnoses


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # the parts of a time, not its zone


LOCAL = feed(
    profile=FeedProfile(class_map={"V": "observation", "E": "outpatient", "BAD": "nonsense"}, observation_patient_types=frozenset({"OBSV"}))
)

CLASSES = [
    ("E", FEED, "emergency"),
    ("I", FEED, "inpatient"),
    ("i", FEED, "inpatient"),
    ("O", FEED, "outpatient"),
    ("P", FEED, "preadmit"),
    ("R", FEED, "recurring"),
    ("B", FEED, "obstetrics"),
    ("C", FEED, "unknown"),
    ("N", FEED, "unknown"),
    ("U", FEED, "unknown"),
    ("OBS", FEED, "observation"),
    ("IMP", FEED, "inpatient"),
    ("EMER^emergency^ActCode", FEED, "emergency"),
    ("V", FEED, "unknown"),
    ("V", LOCAL, "observation"),
    ("E", LOCAL, "outpatient"),
    ("BAD", LOCAL, "unknown"),
    ("I", LOCAL, "inpatient"),
]


@pytest.mark.parametrize(("code", "of", "expected"), CLASSES)
def test_class_by_the_feeds_map_then_table_0004(code: str, of: Feed, expected: str) -> None:
    found = visit(of, f2=code)
    assert found.encounter_class == EncounterClass(expected)
    assert found.class_code == code.split("^", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"f2": "O", "f18": "OBSV"}, "observation"),
        ({"f2": "I", "f10": "obsv"}, "observation"),
        ({"f2": "P", "f18": "OBSV"}, "preadmit"),
        ({"f2": "R", "f18": "OBSV"}, "recurring"),
        ({"f2": "O", "f18": "OTHER"}, "outpatient"),
    ],
)
def test_patient_type_or_service_may_make_it_an_observation_stay(fields: dict[str, str], expected: str) -> None:
    assert visit(LOCAL, PID, None, **fields).encounter_class == EncounterClass(expected)


def test_an_absent_or_erased_class_stays_so() -> None:
    assert visit().encounter_class is None
    assert visit(f2='""').encounter_class is ERASED


NUMBERS = [
    ({"f19": "ZZV1"}, "PID|1||ZZ1", Identifier("ZZHOSP", "VN", "ZZV1")),
    ({"f19": "ZZV1^^^ZZAUTH^VN"}, "PID|1||ZZ1", Identifier("ZZAUTH", "VN", "ZZV1")),
    ({"f19": "ZZV1^^^ZZAUTH^XX", "f50": "ZZV9"}, "PID|1||ZZ1", Identifier("ZZAUTH", "VN", "ZZV1")),
    ({"f50": "ZZV9"}, segment("PID", f3="ZZ1", f18="ZZA1"), Identifier("ZZHOSP", "VN", "ZZV9")),
    ({"f19": '""'}, segment("PID", f3="ZZ1", f18="ZZA1^^^ZZBILL"), Identifier("ZZBILL", "AN", "ZZA1")),
    ({}, segment("PID", f3="ZZ1", f18="ZZA1"), Identifier("ZZHOSP", "AN", "ZZA1")),
    ({}, "PID|1||ZZ1", None),
    ({"f19": "Z" * 256}, "PID|1||ZZ1", None),
]


@pytest.mark.parametrize("raw", ["99991201", "00010101000000+0000"])
def test_the_ends_of_the_calendar_say_that_there_is_no_discharge_yet(raw: str) -> None:
    """Written by systems that cannot leave a date empty; as a discharge they would run the clocks off the calendar."""
    assert visit(FEED, "PID|1||ZZ1", None, f45=raw).discharged_at is None


@pytest.mark.parametrize(("fields", "pid", "expected"), NUMBERS, ids=range(len(NUMBERS)))
def test_the_visit_number_and_where_it_came_from(fields: dict[str, str], pid: str, expected: Identifier | None) -> None:
    assert visit(FEED, pid, None, **fields).visit_number == expected


@pytest.mark.parametrize(
    ("code", "of", "expected"),
    [
        ("01", FEED, "01"),
        ("1", FEED, "01"),
        ("65", FEED, "65"),
        ("20", FEED, "20"),
        ("HOME", FEED, "HOME"),
        ('""', FEED, ERASED),
        ("", FEED, None),
        ("home", feed(profile=FeedProfile(disposition_map={"HOME": "1", "EXP": "20"})), "01"),
        ("EXP", feed(profile=FeedProfile(disposition_map={"HOME": "1", "EXP": "20"})), "20"),
        ("070", FEED, "070"),
    ],
)
def test_dispositions(code: str, of: Feed, expected: object) -> None:
    assert visit(of, f36=code).disposition == expected


def test_place_and_the_rest() -> None:
    found = visit(
        f3="ZZ3W^301^A^ZZHOSP&1.2&ISO^^N", f4="E^Emergency", f10="PSY", f14="7", f37="ZZSNF^x", pv2=segment("PV2", f3="F32^Low mood")
    )
    assert (found.unit, found.room, found.bed, found.facility) == ("ZZ3W", "301", "A", "ZZHOSP")
    assert (found.admission_type, found.hospital_service, found.admit_source, found.discharged_to) == ("E", "PSY", "7", "ZZSNF")
    assert found.admit_reason == "Low mood"
    assert visit(pv2=segment("PV2", f3="F32")).admit_reason == "F32"
    assert visit(pv2=segment("PV2", f3='""')).admit_reason is ERASED
    assert visit(f3='""').unit is ERASED
    assert visit(f3='ZZ3W^""').room is ERASED
    assert visit(f3="ZZ3W").room is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ZZD1^ZZDOC^ADA", Practitioner("ZZD1", "ZZDOC", "ADA", "")),
        ("ZZD1^ZZDOC&VAN^ADA^^^^^^NPI", Practitioner("ZZD1", "ZZDOC", "ADA", "ZZD1")),
        ("ZZD1^ZZDOC^ADA^^^^^^&2.16.840.1.113883.4.6&ISO", Practitioner("ZZD1", "ZZDOC", "ADA", "ZZD1")),
        ("ZZD1^ZZDOC^ADA~ZZ99^ZZDOC^ADA^^^^^^^^^^NPI", Practitioner("ZZD1", "ZZDOC", "ADA", "ZZ99")),
        ("1234567893", Practitioner("1234567893", "", "", "")),
        ("^ZZDOC", Practitioner("", "ZZDOC", "", "")),
        ('""', ERASED),
        ("^^^", None),
        ("", None),
    ],
)
def test_the_attending_practitioner(raw: str, expected: object) -> None:
    assert visit(f7=raw).attending == expected


DIAGNOSES = [
    ("DG1|1||F32.9^Depression^I10|||F", [DiagnosisFact("F32.9", "I10", "Depression", DiagnosisUse.FINAL)]),
    ("DG1|1||F32.9^Depression^I10|||w", [DiagnosisFact("F32.9", "I10", "Depression", DiagnosisUse.WORKING)]),
    ("DG1|1||F32.9", [DiagnosisFact("F32.9")]),
    ("DG1|1|I10|F32.9|Depression||A", [DiagnosisFact("F32.9", "I10", "Depression", DiagnosisUse.ADMITTING)]),
    ("DG1|1||F32.9^From the code|From DG1-4||A", [DiagnosisFact("F32.9", "", "From the code", DiagnosisUse.ADMITTING)]),
    ("DG1|1|||Only words||A", [DiagnosisFact("", "", "Only words", DiagnosisUse.ADMITTING)]),
    ("DG1|1||LOC7^Local^L^F32.9^Depression^I10|||F", [DiagnosisFact("F32.9", "I10", "Depression", DiagnosisUse.FINAL)]),
    ("DG1|1||F32.9^Depression^I10^35489007^Depressive^SCT|||F", [DiagnosisFact("F32.9", "I10", "Depression", DiagnosisUse.FINAL)]),
    ("DG1|1||F32.9^D^ICD-10-CM^X^Y^I10|||F", [DiagnosisFact("F32.9", "ICD-10-CM", "D", DiagnosisUse.FINAL)]),
    ("DG1|1||^^^F32.9^Depression^SCT|||F", [DiagnosisFact("F32.9", "SCT", "Depression", DiagnosisUse.FINAL)]),
    ("DG1|1|||||F", []),
    ("DG1|1", []),
]


@pytest.mark.parametrize(("line", "expected"), DIAGNOSES, ids=range(len(DIAGNOSES)))
def test_one_diagnosis(line: str, expected: list[DiagnosisFact]) -> None:
    assert list(diagnoses(line)) == expected


def test_rank_and_action() -> None:
    found = diagnoses(
        segment("DG1", f3="F20.9", f6="F", f15="1", f21="A"), segment("DG1", f3="F10.20", f6="F", f15="0", f21="D"), "DG1|3||R45.851"
    )
    assert [(one.rank, one.action.value) for one in found] == [(1, "A"), (0, "D"), (None, "")]


@pytest.mark.parametrize(
    ("line", "erased"),
    [
        ('DG1|1||""|||F', {"F"}),
        ('DG1|1||""|||A', {"A"}),
        ('DG1|1||""', {"A", "W", "F"}),
        ('DG1|1||""|||""', {"A", "W", "F"}),
        ("DG1|1||F32.9", set()),
    ],
)
def test_two_quotes_erase_the_diagnoses_of_a_use(line: str, erased: set[str]) -> None:
    found = event(EVN, PID, "PV1|1|I", line)
    assert {use.value for use in found.diagnoses_erased} == erased


# MSH-7, EVN-2, EVN-6, then what occurred, was recorded, was sent.
TIMES = [
    ("20260105143000", "20260105142500", "20260105142000", (14, 20), (14, 25), (14, 30)),
    ("20260105143000", "20260105142500", "", (14, 25), (14, 25), (14, 30)),
    ("20260105143000", "", "", (14, 30), (14, 30), (14, 30)),
    ("", "20260105142500", "", (14, 25), (14, 25), (14, 25)),
    ("", "", "20260105142000", (14, 20), (14, 20), (14, 20)),
    ("20260105143000", "rubbish", "rubbish", (14, 30), (14, 30), (14, 30)),
    ("20260105143000", '""', "", (14, 30), (14, 30), (14, 30)),
    # A bare day is sharpened by a time on that day, not by one on another.
    ("20260105143000", "20260105", "", (14, 30), (14, 30), (14, 30)),
    ("20260105143000", "20260105142500", "20260105", (14, 25), (14, 25), (14, 30)),
    ("20260106143000", "20260105", "", (0, 0), (0, 0), None),
    ("20260105143000-0500", "20260105142500-0500", "", (14, 25), (14, 25), (14, 30)),
    ("20260105193000+0000", "", "", (14, 30), (14, 30), (14, 30)),
]


@pytest.mark.parametrize(("msh_7", "evn_2", "evn_6", "occurred", "recorded", "sent"), TIMES, ids=range(len(TIMES)))
def test_when_it_happened_was_recorded_was_sent(
    msh_7: str, evn_2: str, evn_6: str, occurred: tuple[int, int], recorded: tuple[int, int], sent: tuple[int, int] | None
) -> None:
    found = event(segment("EVN", f1="A03", f2=evn_2, f6=evn_6), PID, "PV1|1|I", header=msh("A03", f7=msh_7))
    eastern = [utc(2026, 1, 5, hour + 5, minute) for hour, minute in (occurred, recorded, sent or (14, 30))]
    assert found.occurred_at == eastern[0]
    assert found.recorded_at == eastern[1]
    if sent is not None:
        assert found.sent_at == eastern[2]


def test_without_evn_the_time_is_that_of_sending() -> None:
    assert event(PID, "PV1|1|I").occurred_at == utc(2026, 1, 5, 19, 30)


@pytest.mark.parametrize(
    ("trigger", "fields", "admitted", "discharged"),
    [
        ("A03", {"f44": "20260101100000", "f45": "20260105142000"}, utc(2026, 1, 1, 15), utc(2026, 1, 5, 19, 20)),
        ("A03", {"f45": "20260105"}, None, utc(2026, 1, 5, 19, 25)),
        ("A03", {"f45": "20260104"}, None, utc(2026, 1, 4, 5)),
        ("A08", {"f45": "20260105"}, None, utc(2026, 1, 5, 5)),
        ("A01", {"f44": "20260105"}, utc(2026, 1, 5, 19, 25), None),
        ("A03", {"f44": "20260105"}, utc(2026, 1, 5, 5), None),
        ("A03", {"f45": "20260105142000~20260106"}, None, utc(2026, 1, 5, 19, 20)),
        ("A13", {"f44": "", "f45": '""'}, None, ERASED),
        ("A03", {"f45": "rubbish"}, None, None),
        ("A03", {"f45": "20260105142000-0800^M"}, None, utc(2026, 1, 5, 22, 20)),
    ],
)
def test_admission_and_discharge_times(trigger: str, fields: dict[str, str], admitted: object, discharged: object) -> None:
    found = event(EVN.replace("A03", trigger), PID, segment("PV1", f1="1", f2="I", **fields), header=msh(trigger)).visit
    assert found is not None
    assert (found.admitted_at, found.discharged_at) == (admitted, discharged)


def test_a_person_event_has_no_stay_even_with_a_pv1() -> None:
    found = event(EVN, PID, "PV1|1|I|ZZ3W", "DG1|1||F32.9", header=msh("A31"))
    assert found.visit is None
    assert found.diagnoses == ()


def test_an_update_without_pv1_is_about_the_person() -> None:
    assert event(EVN, PID, header=msh("A08")).visit is None


@pytest.mark.parametrize(("sent", "expected"), [("P", "P"), ("T", "T"), ("D^T", "D"), ("", "P")])
def test_the_processing_id_decides_whether_anybody_may_be_told(sent: str, expected: str) -> None:
    assert event(EVN, PID, "PV1|1|I", header=msh("A03", f11=sent)).processing_id is ProcessingId(expected)


def test_segments_and_fields_that_were_not_expected_change_nothing() -> None:
    plain = event(EVN, PID, "PV1|1|I")
    more = event(EVN, "ZZZ|1|2", PID + "|" * 60 + "more", "ZNT|1|Part 2 notice", "PV1|1|I", "OBX|1|TX|ZZ||text", "stray")
    assert (more.visit, more.person, more.identifiers) == (plain.visit, plain.person, plain.identifiers)
