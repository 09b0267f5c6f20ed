"""The header and what decides acceptance (HL7-1, HL7-2, HL7-4, ACK-4, C.6): every refusal names its place, and no value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent
from app.domain.feed import FeedProfile
from app.domain.inbound import Header, Problem, ProblemCode, Severity
from app.domain.trigger import Trigger
from app.ports import AckWriter, AdtReader
from tests.adapters.hl7v2.support import EVN, FEED, PID, PV1, discharge, er7, feed, msh, segment

READER = Hl7v2Reader()


def problems(body: bytes, of: str = "E") -> list[tuple[str, str]]:
    found = READER.problems(body, READER.header(body), FEED)
    return [(problem.code.value, problem.location) for problem in found if problem.severity == of]


def test_the_ports_are_implemented() -> None:
    from adapters.hl7v2.ack import Er7AckWriter  # noqa: PLC0415 -- only here, to be checked against its port

    reader: AdtReader = READER
    writer: AckWriter = Er7AckWriter()
    assert (reader, writer) is not None


def test_the_header_in_full() -> None:
    body = er7(
        msh(
            "A03",
            f3=" ZZADT^1.2^ISO ",
            f4="ZZHOSP",
            f9="adt^a03^ADT_A99",
            f11="t^T",
            f12="2.5.1^USA",
            f15="al",
            f16="NE",
            f18="UNICODE UTF-8",
        ),
        EVN,
        PID,
    )
    assert READER.header(body) == Header(
        field_separator="|",
        encoding_characters="^~\\&",
        sending_application="ZZADT^1.2^ISO",
        sending_facility="ZZHOSP",
        receiving_application="HANDOFF",
        receiving_facility="ZZEXCH",
        message_code="ADT",
        trigger="A03",
        control_id="ZZ0001",
        processing_id="T",
        version="2.5.1",
        accept_ack="AL",
        application_ack="NE",
        charset="UNICODE UTF-8",
        lane_key="ZZ100^^^ZZHOSP^MR",
    )


@pytest.mark.parametrize(
    ("kind", "evn", "trigger"),
    [
        ("ADT^A03^ADT_A03", "EVN|A01", "A03"),
        ("ADT^A40^ADT_A40", "EVN|A40", "A40"),
        ("ADT^A40", "EVN|A40", "A40"),
        ("ADT", "EVN|A08|20260105", "A08"),
        ("ADT^", "EVN|a08", "A08"),
        ("ADT^^ADT_A01", "EVN|A04^x", "A04"),
        ("ADT", "PID|1", ""),
        ("", "", ""),
    ],
)
def test_the_trigger_is_msh_9_2_else_evn_1_and_never_msh_9_3(kind: str, evn: str, trigger: str) -> None:
    assert READER.header(er7(msh(f9=kind), evn, PID)).trigger == trigger


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("pid", "key"),
    [
        (PID, "ZZ100^^^ZZHOSP^MR"),
        ("PID|1||ZZ1~ZZ2", "ZZ1"),
        ("PID|1|ZZ9|", "ZZ9"),
        ('PID|1|ZZ9|""', "ZZ9"),
        ("PIDX|1||ZZ1", "ZZOTHER"),
        ("ZZZ|PID|1||ZZ1", "ZZOTHER"),
    ],
)
def test_the_lane_is_the_first_patient_number_as_sent(pid: str, key: str, end: bytes) -> None:
    body = er7(msh(), EVN, pid, "PID|2||ZZOTHER").replace(b"\r", end)
    assert READER.header(body).lane_key == key


def test_without_a_patient_number_there_is_no_lane() -> None:
    assert READER.header(er7(msh(), EVN, "PID|1")).lane_key == ""
    assert READER.header(er7(msh(), EVN)).lane_key == ""


def test_names_beyond_ascii_read_the_same_in_either_charset() -> None:
    for codec in ("utf-8", "latin-1"):
        assert READER.header(er7(msh(f4="ZZHÔP")).decode().encode(codec)).sending_facility == "ZZHÔP"


@pytest.mark.parametrize("body", [b"", b"ZZ", b"MSH", b"MSH|", b"MSHA^~\\&A", b"\xff\xfeM\x00S\x00H\x00"])
def test_an_unusable_header_is_said_so(body: bytes) -> None:
    header = READER.header(body)
    assert not header.readable
    assert header.fault is not None
    assert problems(body) == [(header.fault.code.value, header.fault.location)]
    assert header.fault.code.value in {"100", "102"}


REFUSALS = [
    (msh(f9="ORM^O01"), [("200", "MSH^1^9^1^1")]),
    (msh(f9="ADT^R01"), [("201", "MSH^1^9^1^2")]),
    (msh(f9="ADT^T02"), [("201", "MSH^1^9^1^2")]),
    (msh(f9="ORU^T02"), [("201", "MSH^1^9^1^2")]),
    (msh(f9="MDM^A01"), [("201", "MSH^1^9^1^2")]),
    (msh(f9="ORU^R01"), [("100", "OBR^1")]),
    (msh(f9="MDM^T02"), [("100", "TXA^1")]),
    (msh(f9=""), [("200", "MSH^1^9^1^1")]),
    (msh(f9="ACK"), [("200", "MSH^1^9^1^1")]),
    (msh(f9="ADT^A03*"), [("201", "MSH^1^9^1^2")]),
    (msh(f9="ADT^ADT_A03"), [("201", "MSH^1^9^1^2")]),
    (msh(f11="X"), [("202", "MSH^1^11")]),
    (msh(f11="0^T"), [("202", "MSH^1^11")]),
    (msh(f12="1.0"), [("203", "MSH^1^12")]),
    (msh(f12="2.x"), [("203", "MSH^1^12")]),
    (msh(f12="2.99"), [("203", "MSH^1^12")]),
    (msh(f12="3"), [("203", "MSH^1^12")]),
    (msh(f10=""), [("101", "MSH^1^10")]),
    (msh(f10="  "), [("101", "MSH^1^10")]),
    (msh(f10="", f11="X", f12="9"), [("202", "MSH^1^11"), ("203", "MSH^1^12"), ("101", "MSH^1^10")]),
    (msh(f18="UNICODE UTF-16"), [("103", "MSH^1^18")]),
]


@pytest.mark.parametrize(("header", "expected"), REFUSALS)
def test_headers_that_are_refused(header: str, expected: list[tuple[str, str]]) -> None:
    assert problems(discharge(header=header)) == expected


@pytest.mark.parametrize(
    "version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.2", "2.9", "2.5^^", "2.5.1^USA^ISO"]
)
def test_every_version_of_the_second_standard_is_taken(version: str) -> None:
    assert problems(discharge(header=msh(f12=version))) == []


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_a_message_whose_line_ends_were_lost_is_told_so(end: bytes) -> None:
    """`curl -d @file` takes them out, and of lines that end with CR alone more than that; MSH-12 runs on into what is left."""
    body = discharge(header=msh("A03")).replace(b"\r", end)
    assert problems(body) == []
    for joined in (body.replace(end, b""), body[: body.index(end)] + body[256:].replace(end, b"")):
        assert [one.location for one in READER.problems(joined, READER.header(joined), FEED) if "--data-binary" in one.text] == ["MSH^1^12"]
    other = discharge(header=msh("A03", f12="2.5.1.7"))
    assert not any("--data-binary" in one.text for one in READER.problems(other, READER.header(other), FEED))


@pytest.mark.parametrize(("number", "location"), [("f11", "MSH^1^11"), ("f12", "MSH^1^12")])
def test_an_empty_processing_id_or_version_is_assumed_and_noted(number: str, location: str) -> None:
    body = discharge(header=msh("A03", **{number: ""}))
    assert problems(body) == []
    assert problems(body, "W") == [("101", location)]


NO_TIME = msh(f7="")
CONTENT = [
    (er7(msh(), EVN, PV1), [("100", "PID^1")]),
    (er7(msh(), EVN, PID), [("100", "PV1^1")]),
    (er7(msh(), EVN), [("100", "PID^1"), ("100", "PV1^1")]),
    (er7(msh()), [("100", "PID^1"), ("100", "PV1^1")]),
    (discharge(pid="PID|1"), [("101", "PID^1^3")]),
    (discharge(pid='PID|1||""'), [("101", "PID^1^3")]),
    (discharge(pid="PID|1||^^^ZZHOSP^MR"), [("101", "PID^1^3")]),
    (discharge(pid="PID|1||ZZA1^^^ZZHOSP^AN~ZZV1^^^ZZHOSP^VN"), [("101", "PID^1^3")]),
    (discharge(pid="PID|1|ZZ7"), []),
    (discharge(header=NO_TIME, evn="EVN|A03"), [("101", "EVN^1^2")]),
    (discharge(header=NO_TIME, evn="EVN|A03|yesterday"), [("101", "EVN^1^2")]),
    (discharge(header=NO_TIME, evn="EVN|A03||||||20260105"), [("101", "EVN^1^2")]),
    (discharge(header=NO_TIME, evn="EVN|A03||||20260105"), [("101", "EVN^1^2")]),
    (discharge(header=NO_TIME, evn="EVN|A03|||||20260105"), []),
    (discharge(header=msh(f7="rubbish")), []),
    (er7(msh(f7="20260105"), PID, PV1), []),
    (er7(msh("A08"), EVN, PID), []),
    (er7(msh("A31"), EVN, PID), []),
    (er7(msh("A40"), EVN, PID), [("100", "MRG^1")]),
    (er7(msh("A40"), EVN, PID, "MRG"), [("101", "MRG^1^1")]),
    (er7(msh("A40"), EVN, PID, 'MRG|""'), [("101", "MRG^1^1")]),
    (er7(msh("A40"), EVN, PID, "MRG|ZZ9^^^ZZHOSP^MR"), []),
    (er7(msh("A34"), EVN, PID, "MRG||||ZZ9"), []),
    (er7(msh("A40"), EVN, PID, "MRG|ZZ9", PID, "MRG|ZZ8"), []),
    (er7(msh("A40"), EVN, PID, PID, "MRG|ZZ8"), [("100", "MRG^1")]),
    (er7(msh("A40"), EVN, PID, "MRG|ZZ8", PID), [("100", "MRG^2")]),
    (er7(msh("A40"), EVN, PID, "MRG|ZZ8", "PID|2", "MRG|ZZ7"), [("101", "PID^2^3")]),
    (er7(msh("A40"), EVN, PID, "MRG|ZZ9^^^ZZOTHER^MR"), []),
    (er7(msh("A21"), EVN, PID), [("100", "PV1^1")]),
    (er7(msh("A17"), EVN, PID, PV1, PID, PV1), []),
    (er7(msh("A17"), EVN, PID, PV1, PID), []),
    (er7(msh("A17"), EVN, PID, PID), [("100", "PV1^1")]),
    (er7(msh("A24"), EVN, PID, PID), []),
    (er7(msh("A37"), EVN, PID), [("100", "PID^2")]),
    (er7(msh("A35"), EVN, PID, "MRG|ZZ100"), [("101", "MRG^1^3")]),
    (er7(msh("A41"), EVN, PID + "||||||||||ZZACC1", "MRG|||ZZACC2"), []),
    (er7(msh("A42"), EVN, PID, "MRG|||||ZZV2", PV1), []),
    (er7(msh("A50"), EVN, PID, "MRG|||||ZZV2"), [("101", "MRG^1^5")]),
    (er7(msh("A51"), EVN, PID, "MRG||||||ZZV2", PV1), [("101", "MRG^1^6")]),
    (er7(msh("A44"), EVN, PID, "MRG|ZZ9"), [("101", "PID^1^18")]),
    (er7(msh("A45"), EVN, PID, "MRG|ZZ9", "PV1||I"), [("101", "PID^1^18")]),
    (er7(msh("A45"), EVN, PID, "MRG|ZZ9", PV1), []),
    (er7(msh("A29"), EVN, PID), []),
    (er7(msh("A23"), EVN), [("100", "PID^1")]),
    (er7(msh("A60"), EVN), []),
    (er7(msh("A60")), []),
    (er7(msh("Z99", f9="ADT^Z99")), []),
    (discharge() + discharge(), [("100", "MSH^2")]),
    (discharge() + b"  \t" + discharge(), [("100", "MSH^2")]),
    (discharge() + b"\xef\xbb\xbf" + discharge(), [("100", "MSH^2")]),
    (discharge("NTE|1||a line that ends in MSH|and goes on"), []),
    (er7(msh(), EVN, PID, "PV1"), []),
]


@pytest.mark.parametrize(("body", "expected"), CONTENT, ids=range(len(CONTENT)))
def test_content_that_is_demanded(body: bytes, expected: list[tuple[str, str]]) -> None:
    assert problems(body) == expected


def test_a_limit_of_the_tokenizer_is_a_content_error() -> None:
    assert problems(discharge("ZZZ" + "|" * 501)) == [("102", "ZZZ^1^501")]


def test_every_supported_trigger_is_supported_and_no_other() -> None:
    # A20 is about a bed, A48 about an identifier that is not read, A56-A59 do not exist, A60 is about allergies.
    supported = {f"A{number:02d}" for number in range(1, 63)} - {"A19", "A20", "A48", "A56", "A57", "A58", "A59", "A60"}
    supported |= {f"T{number:02d}" for number in range(1, 12)} | {"R01"}
    every = (
        [f"A{number:02d}" for number in range(1, 63)]
        + [f"T{number:02d}" for number in range(13)]
        + ["R03", "Z01", "R01", "", "reported", "presumed_ended"]
    )
    assert {trigger for trigger in every if READER.is_supported(trigger)} == supported
    assert supported == {trigger.value for trigger in Trigger} - {"reported", "presumed_ended"}


def test_a_feed_without_a_real_time_zone_is_the_operators_to_mend() -> None:
    body = discharge()
    broken = feed(time_zone="Mars/Olympus")
    found = READER.problems(body, READER.header(body), broken)
    assert [(problem.code.value, problem.severity) for problem in found] == [("207", "E")]
    assert not isinstance(READER.read(body, broken), AdtEvent)


def test_warnings_say_what_was_read_how() -> None:
    assert problems(discharge(header=msh(f18="ZZSET")), "W") == [("103", "MSH^1^18")]
    latin = discharge(pid=PID.replace("ALPHA", "ÀLPHA")).decode().encode("cp1252")
    assert problems(latin, "W") == [("101", "MSH^1^18")]
    assert problems(latin.replace(b"|P|2.5.1", b"|P|2.5.1||||||UNICODE UTF-8"), "W") == [("102", "MSH^1^18")]


def test_notes_tell_of_everything_doubtful() -> None:
    body = er7(
        msh("A03"),
        "EVN|A01|20261101013000",
        "a stray line",
        'PID|1|ZZ7|""||ZZTEST||1976||||||||||||||||||||||20269999|X',
        segment("PV1", f1="1", f2="ZZ", f36="ZZ", f44="20261332", f45="20260308023000"),
        "DG1|1||F32.9^^I10|||X|||||||||first||||||Q",
        "PID|2||ZZ8",
    )
    found = READER.notes(body, FEED)
    assert {problem.severity for problem in found} == {Severity.WARNING}
    assert {(problem.code.value, problem.location) for problem in found} == {
        ("102", "EVN^1^2"),
        ("102", "PID^1^7"),
        ("102", "PID^1^29"),
        ("103", "PID^1^30"),
        ("103", "PV1^1^2"),
        ("103", "PV1^1^36"),
        ("102", "PV1^1^44"),
        ("102", "PV1^1^45"),
        ("101", "PV1^1^19"),
        ("103", "DG1^1^6"),
        ("102", "DG1^1^15"),
        ("103", "DG1^1^21"),
        ("103", "EVN^1^1"),
        ("101", "PID^1^3"),
        ("100", "PID^2"),
        ("100", "MSH^1"),
    }


MARKERS = ["ZZMARKER", "19760431", "ZZHIDDEN"]


def test_no_problem_repeats_a_value() -> None:
    body = er7(
        msh("A03", f11="ZZMARKER", f12="ZZMARKER", f18="ZZMARKER"),
        "EVN|ZZMARKER|ZZMARKER||||ZZMARKER",
        "PID|1||ZZHIDDEN||ZZHIDDEN||19760431||||||||||||||||||||||ZZMARKER|ZZMARKER",
        segment("PV1", f1="1", f2="ZZMARKER", f36="ZZMARKER", f44="ZZMARKER", f45="ZZMARKER"),
        "DG1|1||ZZMARKER|||ZZMARKER|||||||||ZZMARKER||||||ZZMARKER",
    )
    fixed = body.replace(b"|ZZMARKER|ZZMARKER||||||ZZMARKER\rEVN", b"|P|2.5.1\rEVN")
    for one in (body, fixed):
        for problem in (*READER.notes(one, FEED), *READER.problems(one, READER.header(one), FEED)):
            assert not any(marker in problem.text or marker in problem.location for marker in MARKERS)


FIELD = st.text(alphabet='AZ09"^~&\\.|éZ', max_size=25)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["EVN", "PID", "PV1", "PV2", "DG1", "MRG", "ZZZ", "PID|1||ZZ1", "PV1|1|I", "EVN|A03|20260105"]),
        st.lists(FIELD, max_size=50),
    ),
    max_size=8,
)


HELD_OR_NOT = ["A40", "A41", "A42", "A43", "A44", "A45", "A47", "A51"]


@given(
    trigger=st.sampled_from(["A01", "A03", "A08", "A16", "A17", "A21", "A24", "A29", "A31", "A34", "A36", *HELD_OR_NOT, "A60", "ZZ", ""]),
    lines=LINES,
    zone=st.sampled_from(["America/New_York", "UTC", "Nowhere/None"]),
)
def test_what_passes_can_be_read_and_what_cannot_be_read_does_not_pass(trigger: str, lines: list[tuple[str, list[str]]], zone: str) -> None:
    body = er7(msh(trigger), *("|".join([name, *fields]) for name, fields in lines))
    of = feed(time_zone=zone, profile=FeedProfile(class_map={"A": "inpatient", "Z": "nonsense"}))
    header = READER.header(body)
    errors = [problem for problem in READER.problems(body, header, of) if problem.severity is Severity.ERROR]
    found = READER.read(body, of)
    if READER.is_supported(header.trigger):
        is_held = not isinstance(found, AdtEvent) and found[0].code is ProblemCode.ACCEPTED
        assert isinstance(found, AdtEvent) == (not errors and not is_held)
        if not isinstance(found, AdtEvent) and not is_held:
            assert list(found) == errors
    assert all(isinstance(problem, Problem) for problem in READER.notes(body, of))


@given(body=st.binary(max_size=300))
def test_nothing_is_raised_whatever_the_bytes(body: bytes) -> None:
    for whole in (body, b"MSH|^~\\&|ZZ|ZZ|||20260105||ADT^A03|1|P|2.5\rPID|||1\rPV1||I\r" + body):
        header = READER.header(whole)
        READER.problems(whole, header, FEED)
        READER.read(whole, FEED)
        READER.notes(whole, FEED)


def test_a_segment_helper_of_these_tests_is_right() -> None:
    assert segment("PV1", f2="I", f4="E") == "PV1||I||E"
