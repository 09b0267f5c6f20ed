"""Acknowledgements (ACK-1..7): which are due for each MSH-15 and MSH-16, and what they say in whose dialect."""

from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.ack import Er7AckWriter, is_acknowledgement, which_acks
from adapters.hl7v2.er7 import Er7Message, tokenize
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.inbound import Acceptance, AckCode, Header, Problem, ProblemCode, Severity
from tests.adapters.hl7v2.support import cut, discharge, er7, msh

AT = datetime(2026, 1, 5, 19, 30, tzinfo=UTC)
READER, WRITER = Hl7v2Reader(), Er7AckWriter()
MISSING = Problem(ProblemCode.REQUIRED_FIELD_MISSING, Severity.ERROR, "PID^1^3^1", "PID-3 needs an identifier of the person.")

# MSH-15, MSH-16, then the codes for success, content error and reject (table 0155; ACK-1, ACK-2).
MATRIX = [
    ("", "", "AA", "AE", "AR"),
    ("", "AL", "AA", "AE", "AR"),
    ("", "NE", "", "", ""),
    ("", "ER", "", "AE", "AR"),
    ("", "SU", "AA", "", ""),
    ("AL", "", "CA", "CE", "CR"),
    ("AL", "AL", "CA AA", "CE AE", "CR AR"),
    ("AL", "NE", "CA", "CE", "CR"),
    ("AL", "ER", "CA", "CE AE", "CR AR"),
    ("AL", "SU", "CA AA", "CE", "CR"),
    ("NE", "", "", "", ""),
    ("NE", "AL", "AA", "AE", "AR"),
    ("NE", "NE", "", "", ""),
    ("NE", "ER", "", "AE", "AR"),
    ("NE", "SU", "AA", "", ""),
    ("ER", "", "", "CE", "CR"),
    ("ER", "AL", "AA", "CE AE", "CR AR"),
    ("ER", "NE", "", "CE", "CR"),
    ("ER", "ER", "", "CE AE", "CR AR"),
    ("ER", "SU", "AA", "CE", "CR"),
    ("SU", "", "CA", "", ""),
    ("SU", "AL", "CA AA", "AE", "AR"),
    ("SU", "NE", "CA", "", ""),
    ("SU", "ER", "CA", "AE", "AR"),
    ("SU", "SU", "CA AA", "", ""),
]


def test_the_matrix_is_complete() -> None:
    conditions = ["", "AL", "NE", "ER", "SU"]
    assert [(accept, application) for accept, application, *_ in MATRIX] == [(one, two) for one in conditions for two in conditions]


@pytest.mark.parametrize(("accept", "application", "success", "error", "reject"), MATRIX)
def test_which_acknowledgements_are_due(accept: str, application: str, success: str, error: str, reject: str) -> None:
    """ACK-1, ACK-2."""
    for outcome, codes in ((Acceptance.ACCEPT, success), (Acceptance.ERROR, error), (Acceptance.REJECT, reject)):
        assert " ".join(which_acks(accept, application, outcome).codes) == codes


@pytest.mark.parametrize("unknown", ["XX", "ALWAYS", "0"])
def test_a_condition_outside_the_table_is_answered(unknown: str) -> None:
    assert which_acks("", unknown, Acceptance.ACCEPT).codes == (AckCode.AA,)
    assert which_acks(unknown, "NE", Acceptance.ERROR).codes == (AckCode.CE,)


def test_conditions_are_read_in_any_case() -> None:
    assert which_acks(" ne ", "al", Acceptance.ACCEPT).codes == (AckCode.AA,)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ACK", True), ("ACK^A03", True), ("ACK^A03^ACK", True), ("MCF", True), ("ack", True), ("ADT^A03", False), ("", False)],
)
def test_an_acknowledgement_is_recognised_so_that_it_is_never_answered(kind: str, expected: bool) -> None:
    """ACK-3."""
    assert is_acknowledgement(READER.header(er7(msh(f9=kind), "MSA|AA|ZZ1"))) is expected


def write(body: bytes, code: AckCode = AckCode.AA, *problems: Problem) -> bytes:
    return WRITER.write(body, READER.header(body), code, problems, control_id="ZZACK1", at=AT)


def test_layout_of_a_positive_acknowledgement() -> None:
    """ACK-5."""
    body = er7(
        msh(
            "A03",
            f3="ZZADT^1.2.3^ISO",
            f4="ZZHOSP&X",
            f5="HANDOFF^9",
            f6="ZZEXCH",
            f11="P^T",
            f12="2.5.1^USA",
            f15="AL",
            f18="UNICODE UTF-8",
        )
    )
    assert write(body) == (
        b"MSH|^~\\&|HANDOFF^9|ZZEXCH|ZZADT^1.2.3^ISO|ZZHOSP&X|20260105193000+0000||ACK^A03^ACK|ZZACK1|P^T|2.5.1^USA||||||UNICODE UTF-8\r"
        b"MSA|AA|ZZ0001\r"
    )


def test_layout_of_a_negative_acknowledgement() -> None:
    """ACK-5."""
    second = Problem(ProblemCode.TABLE_VALUE, Severity.WARNING, "PV1^1^2", "Not in table 0004.")
    message = cut(write(discharge(), AckCode.AE, MISSING, second))
    assert [segment.line for segment in message.segments()][1:] == [
        "MSA|AE|ZZ0001|PID-1-3-1: PID-3 needs an identifier of the person.",
        "ERR||PID^1^3^1|101^Required field missing^HL70357|E||||PID-3 needs an identifier of the person.",
        "ERR||PV1^1^2|103^Table value not found^HL70357|W||||Not in table 0004.",
    ]


@pytest.mark.parametrize(
    ("version", "trigger", "kind"),
    [
        ("2.1", "A03", "ACK"),
        ("2.2", "A03", "ACK"),
        ("2.3", "A03", "ACK"),
        ("2.3.1", "A03", "ACK"),
        ("2.4", "A03", "ACK^A03^ACK"),
        ("2.5.1", "A60", "ACK^A60^ACK"),
        ("2.9", "A03", "ACK^A03^ACK"),
        ("2.10", "A03", "ACK^A03^ACK"),
        ("", "A03", "ACK^A03^ACK"),
        ("ZZ", "A03", "ACK^A03^ACK"),
    ],
)
def test_the_trigger_stands_in_the_type_since_2_4(version: str, trigger: str, kind: str) -> None:
    header = cut(write(er7(msh(trigger, f12=version)))).first("MSH")
    assert header is not None
    assert header.raw(9) == kind
    assert header.raw(12) == (version or "2.5.1")


def test_the_delimiters_are_the_senders_and_problems_are_told_in_them() -> None:
    body = b"MSH#!@%*#ZZADT!1#ZZHOSP#HANDOFF#ZZEXCH#20260105143000##ADT!A03#ZZ9#P#2.5.1\rPID#1\r"
    answer = write(body, AckCode.AE, Problem(ProblemCode.DATA_TYPE, Severity.ERROR, "PID^1^7", "Sent #1 of 2 @ the door: 100%!"))
    lines = answer.decode().split("\r")
    assert lines[0].startswith("MSH#!@%*#HANDOFF#ZZEXCH#ZZADT!1#ZZHOSP#20260105193000+0000##ACK!A03!ACK#ZZACK1#P#2.5.1")
    assert lines[2].startswith("ERR##PID!1!7#102!Data type error!HL70357#E####")
    error = cut(answer).first("ERR")
    assert error is not None
    assert len(error.fields) == 9


def test_bytes_of_the_header_are_echoed_whatever_their_charset() -> None:
    for encoded in ("ZZÉ".encode(), "ZZÉ".encode("latin-1")):
        body = msh().encode().replace(b"ZZADT", encoded) + b"\r"
        assert b"|" + encoded + b"|ZZHOSP|" in write(body)


@pytest.mark.parametrize("body", [b"", b"ZZ", b"MSH", b"MSH|0000|ZZ\r", b"\xff\xfeM\x00S\x00H\x00", b"PID|1\r"])
def test_an_unreadable_header_still_gets_a_rejection(body: bytes) -> None:
    header = READER.header(body)
    assert not header.readable
    problem = Problem(ProblemCode.SEGMENT_SEQUENCE, Severity.ERROR, "MSH^1", "The message does not begin with an MSH segment.")
    lines = WRITER.write(body, header, AckCode.AR, [problem], control_id="ZZACK1", at=AT).decode().split("\r")
    assert lines[0] == "MSH|^~\\&|HANDOFF||||20260105193000+0000||ACK|ZZACK1|P|2.5.1"
    assert lines[1].startswith("MSA|AR||MSH-1: The message does not begin")
    assert lines[2].startswith("ERR||MSH^1|100^Segment sequence error^HL70357|E||||The message")


def test_a_negative_acknowledgement_without_problems_explains_itself() -> None:
    error = cut(write(discharge(), AckCode.AE)).first("ERR")
    assert error is not None
    assert error.raw(3).startswith("207^")
    assert error.raw(8)


def test_warnings_do_not_darken_a_positive_acknowledgement() -> None:
    note = Problem(ProblemCode.TABLE_VALUE, Severity.WARNING, "PV1^1^2", "Not in table 0004.")
    assert [segment.name for segment in cut(write(discharge(), AckCode.AA, note)).segments()] == ["MSH", "MSA"]


def test_a_long_text_is_cut_in_msa_3_only() -> None:
    text = "word " * 40
    message = cut(write(discharge(), AckCode.AE, Problem(ProblemCode.DATA_TYPE, Severity.ERROR, "", text)))
    msa, error = message.first("MSA"), message.first("ERR")
    assert msa is not None
    assert error is not None
    assert len(msa.raw(3)) == 80
    assert msa.raw(3).endswith("...")
    assert error.raw(8) == text.rstrip()


def test_a_hostile_header_does_not_make_a_large_answer() -> None:
    answer = write(er7(msh("A03" * 100_000, f3="x" * 200_000, f10="y" * 200_000, f18="z" * 200_000)), AckCode.AE, MISSING)
    assert len(answer) < 4_000


def test_an_independent_library_reads_it() -> None:
    answer = hl7.parse(write(discharge(), AckCode.AE, MISSING).decode())
    assert str(answer["MSA.F1"]) == "AE"
    assert str(answer["MSA.F2"]) == "ZZ0001"
    assert str(answer["ERR.F2.R1.C1"]) == "PID"
    assert str(answer["ERR.F3.R1.C1"]) == "101"


@given(
    body=st.text(alphabet="AZ09|^~\\&\r\n\x0b\x1cé", max_size=120),
    code=st.sampled_from(AckCode),
    text=st.text(max_size=60),
)
def test_whatever_came_the_answer_can_be_read_and_framed(body: str, code: AckCode, text: str) -> None:
    whole = ("MSH|^~\\&|" + body).encode()
    header = READER.header(whole)
    answer = WRITER.write(whole, header, code, [Problem(ProblemCode.INTERNAL, Severity.ERROR, "MSH^1", text)], control_id="ZZACK1", at=AT)
    assert b"\x0b" not in answer
    assert b"\x1c" not in answer
    assert b"\n" not in answer
    message = tokenize(answer)
    assert isinstance(message, Er7Message)
    names = [segment.name for segment in message.segments()]
    assert names == ["MSH", "MSA"] if code in {AckCode.AA, AckCode.CA} else ["MSH", "MSA", "ERR"]
    msa = message.first("MSA")
    assert msa is not None
    assert msa.raw(1) == code


def test_an_answer_without_header_needs_no_body() -> None:
    answer = WRITER.write(discharge(), Header(MISSING), AckCode.AR, [MISSING], control_id="ZZACK1", at=AT)
    assert answer.startswith(b"MSH|^~\\&|HANDOFF|")
