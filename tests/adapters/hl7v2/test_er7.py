"""The tokenizer (HL7-2, C.7): every delimiter, every line end, nothing lost, every limit named, linear in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.er7 import (
    ABSENT,
    COMPONENTS_MAX,
    FIELDS_MAX,
    MESSAGE_BYTES_MAX,
    OBSERVATIONS_MAX,
    REPETITIONS_MAX,
    SEGMENTS_MAX,
    Delimiters,
    Er7Message,
    field_tree,
    join_field,
    read_delimiters,
    tokenize,
)
from app.domain.inbound import Problem
from tests.adapters.hl7v2.support import EVN, PID, PV1, cut, discharge, er7, msh
from tests.support.cost import within

ALPHABET = 'AZ09az .-^~\\&|#"\r\n\té漢'
DELIMITERS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def test_fields_are_numbered_as_the_standard_numbers_them() -> None:
    message = cut(discharge())
    header = message.first("MSH")
    assert header is not None
    assert header.raw(1) == "|"
    assert header.raw(2) == "^~\\&"
    assert header.raw(3) == "ZZADT"
    assert header.component(9, 2) == "A03"
    assert header.raw(99) == ""
    pid = message.first("PID")
    assert pid is not None
    assert pid.raw(3) == "ZZ100^^^ZZHOSP^MR"
    assert pid.components(5) == ["ZZTEST", "ALPHA", "Q"]
    assert pid.component(5, 9) == ""
    assert pid.location(3, 1, 4) == "PID^1^3^1^4"
    assert message.first("MRG") is None


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_separates_segments(end: str) -> None:
    body = end.join([msh(), EVN, "", PID, PV1, ""]).encode()
    message = cut(body)
    assert [segment.name for segment in message.segments()] == ["MSH", "EVN", "PID", "PV1"]
    assert message.encode() == body


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"\xef\xbb\xbf", b""), (b"\x0b", b"\x1c\r"), (b"\r\n \t", b"\r\n\r\n"), (b"\xef\xbb\xbf\x0b\n", b"\x1c"), (b"\x00", b"\x00\x00")],
)
def test_what_stands_around_a_message_is_tolerated_and_kept(before: bytes, after: bytes) -> None:
    body = before + discharge().rstrip(b"\r") + after
    message = cut(body)
    assert message.first("PID") is not None
    assert message.encode() == body


def test_a_nul_inside_a_field_is_left_out_and_kept_for_joining() -> None:
    body = discharge(pid="PID|1||ZZ\x00100")
    message = cut(body)
    pid = message.first("PID")
    assert pid is not None
    assert pid.raw(3) == "ZZ100"
    assert message.encode() == body


@pytest.mark.parametrize(
    ("header", "component", "repetition", "escape", "subcomponent", "truncation"),
    [
        ("MSH|^~\\&|X", "^", "~", "\\", "&", ABSENT),
        ("MSH|^~\\&#|X", "^", "~", "\\", "&", "#"),
        ("MSH|^|X", "^", ABSENT, ABSENT, ABSENT, ABSENT),
        ("MSH|^~|X", "^", "~", ABSENT, ABSENT, ABSENT),
        ("MSH|^~\\|X", "^", "~", "\\", ABSENT, ABSENT),
        ("MSH|^~&|X", "^", "~", ABSENT, "&", ABSENT),
        ("MSH|^~\\\\&|X", "^", "~", "\\", "&", ABSENT),
        ("MSH#!@%*#X", "!", "@", "%", "*", ABSENT),
        ("MSH$%~\\&$X", "%", "~", "\\", "&", ABSENT),
        ("MSH|^~\\&", "^", "~", "\\", "&", ABSENT),
    ],
)
def test_delimiters_come_from_the_message(
    header: str, component: str, repetition: str, escape: str, subcomponent: str, truncation: str
) -> None:
    found = read_delimiters(header)
    assert isinstance(found, Delimiters)
    assert found.field == header[3]
    assert (found.component, found.repetition, found.escape, found.subcomponent, found.truncation) == (
        component,
        repetition,
        escape,
        subcomponent,
        truncation,
    )
    assert header[4:].startswith(found.encoding_characters)


@pytest.mark.parametrize(
    ("header", "location"),
    [
        ("MSH", "MSH^1^1"),
        ("MSHA^~\\&A", "MSH^1^1"),
        ("MSH ^~\\& X", "MSH^1^1"),
        ("MSH\x01^~\\&\x01", "MSH^1^1"),
        ("MSH||X", "MSH^1^2"),
        ("MSH|^^~\\&|X", "MSH^1^2"),
        ("MSH|^~\\&#+|X", "MSH^1^2"),
        ("MSH|0000|X", "MSH^1^2"),
        ("MSH|^~|\\&", "PASSES"),
        ("MSH|", "MSH^1^2"),
        ("MSH|^~\\& X|Y", "MSH^1^2"),
    ],
)
def test_unusable_delimiters_are_refused_with_their_place(header: str, location: str) -> None:
    found = read_delimiters(header)
    if location == "PASSES":
        assert isinstance(found, Delimiters)
    else:
        assert isinstance(found, Problem)
        assert found.location == location


def test_an_undeclared_delimiter_is_text() -> None:
    message = cut(b"MSH|^|ZZADT|ZZHOSP|||20260105||ADT^A03|1|P|2.5.1\rPID|||A~B&C\\D\r")
    pid = message.first("PID")
    assert pid is not None
    assert pid.repetitions(3) == ["A~B&C\\D"]
    assert message.encode() == b"MSH|^|ZZADT|ZZHOSP|||20260105||ADT^A03|1|P|2.5.1\rPID|||A~B&C\\D\r"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "does not begin with an MSH"),
        (b"PID|1\r", "does not begin with an MSH"),
        (b"MS", "does not begin with an MSH"),
        (b"FHS|^~\\&|ZZ\rBHS|^~\\&\r", "batch"),
        (discharge().decode().encode("utf-16"), "UTF-16"),
        (discharge().decode().encode("utf-16-be"), "UTF-16"),
        (discharge().decode().encode("utf-32"), "UTF-16 and UTF-32"),
    ],
)
def test_what_is_no_message_is_said_so(body: bytes, words: str) -> None:
    problem = tokenize(body)
    assert isinstance(problem, Problem)
    assert words in problem.text
    assert problem.location == "MSH^1"


def test_a_name_longer_than_three_letters_is_no_segment() -> None:
    message = cut(er7(msh(), "PIDX|1||ZZ", "pid|1", "Pv1|1", "PV1", "~~~"))
    assert [segment.name for segment in message.segments()] == ["MSH", "PV1"]
    assert message.count("PID") == 0
    assert message.first("PV1") is not None
    assert message.stray_lines() == 4


def test_bare_and_full_segments_of_a_name_keep_their_order() -> None:
    message = cut(er7(msh(), "DG1|1", "DG1", "DG1|3"))
    assert [one.line for one in message.all("DG1")] == ["DG1|1", "DG1", "DG1|3"]
    assert [one.sequence for one in message.all("DG1")] == [1, 2, 3]


LIMITS = [
    (er7(msh(), *["NTE|1"] * (SEGMENTS_MAX - 1)), None),
    (er7(msh(), *["NTE|1"] * SEGMENTS_MAX), f"NTE^{SEGMENTS_MAX}"),
    (er7(msh(), *["OBX|1|TX|||a line"] * OBSERVATIONS_MAX, *["NTE|1"] * (SEGMENTS_MAX - 1)), None),
    (er7(msh(), *["OBX|1|TX|||a line"] * OBSERVATIONS_MAX, *["NTE|1"] * SEGMENTS_MAX), f"NTE^{SEGMENTS_MAX}"),
    (er7(msh(), *["OBX|1|TX|||a line"] * (OBSERVATIONS_MAX + 1)), f"OBX^{OBSERVATIONS_MAX + 1}"),
    (er7(msh(), *["OBX|1|TX|||a line"] * OBSERVATIONS_MAX, *["not a segment"] * (SEGMENTS_MAX * 4)), "MSH^1"),
    (er7(msh(), "ZZZ" + "|" * FIELDS_MAX), None),
    (er7(msh(), PID, "ZZZ|1", "ZZZ" + "|" * (FIELDS_MAX + 1)), f"ZZZ^2^{FIELDS_MAX + 1}"),
    (er7(msh(), "PID|||" + "~" * (REPETITIONS_MAX - 1)), None),
    (er7(msh(), "PID|||" + "~" * REPETITIONS_MAX), f"PID^1^3^{REPETITIONS_MAX + 1}"),
    (er7(msh(), "PID|||A~" + "^" * (COMPONENTS_MAX - 1)), None),
    (er7(msh(), "PID|||A~" + "^" * COMPONENTS_MAX), f"PID^1^3^2^{COMPONENTS_MAX + 1}"),
    (er7(msh(), "PID|||A^B" + "&" * COMPONENTS_MAX), "PID^1^3^1^2"),
    (er7(msh(), *["not a segment"] * (SEGMENTS_MAX * 4)), "MSH^1"),
    (er7(msh(), "OBX|1|TX|||" + "^~&" * 60), None),
    (b"MSH" + b"x" * MESSAGE_BYTES_MAX, "MSH"),
]


@pytest.mark.parametrize(("body", "location"), LIMITS, ids=range(len(LIMITS)))
def test_each_limit_is_named_with_the_place_beyond_it(body: bytes, location: str | None) -> None:
    found = tokenize(body)
    if location is None:
        assert isinstance(found, Er7Message)
    else:
        assert isinstance(found, Problem)
        assert found.location == location


@pytest.mark.parametrize(
    "body",
    [
        er7(msh(), "PID" + "|" * 1_000_000),
        er7(msh(), "PID|||" + "~" * 1_000_000),
        er7(msh(), "PID|||" + "^&" * 500_000),
        er7(msh(), *["A"] * 500_000),
        er7(msh(), "OBX|1|TX|||" + "\\" * 1_000_000),
        er7(msh(), *(["OBX|" + "^~&" * 30 + "|" + "x" * 1_900] * 499)),
        b"\x0b\r\n" * 340_000 + b"MSH",
        b"MSH|^~\\&|" + b"\x80" * 1_000_000,
    ],
    ids=["fields", "repetitions", "components", "lines", "escapes", "full", "leading", "charset"],
)
def test_a_megabyte_of_anything_takes_less_than_a_second(body: bytes) -> None:
    assert len(body) <= MESSAGE_BYTES_MAX

    def both_ways() -> None:
        found = tokenize(body)
        if isinstance(found, Er7Message):
            found.encode()

    within(1.0, both_ways)


@st.composite
def declared_delimiters(draw: st.DrawFn) -> str:
    count = draw(st.integers(min_value=2, max_value=6))
    return "".join(draw(st.lists(st.sampled_from(DELIMITERS), min_size=count, max_size=count, unique=True)))


@given(delimiters=declared_delimiters(), rest=st.lists(st.text(alphabet=ALPHABET, max_size=60), max_size=12))
def test_any_message_joins_to_the_same_bytes(delimiters: str, rest: list[str]) -> None:
    separator = delimiters[0]
    lines = [f"MSH{delimiters}{separator}ZZ", *(f"ZZ{number % 10}{separator}{line}" for number, line in enumerate(rest))]
    body = "\r".join(lines).encode()
    assert cut(body).encode() == body


@given(body=st.binary(max_size=400))
def test_any_bytes_give_a_message_or_a_problem(body: bytes) -> None:
    found = tokenize(b"MSH|^~\\&|" + body)
    assert isinstance(found, Problem) or found.encode() == b"MSH|^~\\&|" + body
    assert isinstance(tokenize(body), Problem | Er7Message)


@given(raw=st.text(alphabet="AB^~&|\\", max_size=80), delimiters=declared_delimiters())
def test_a_field_joins_to_what_it_was_cut_from(raw: str, delimiters: str) -> None:
    found = read_delimiters(f"MSH{delimiters}{delimiters[0]}")
    assert isinstance(found, Delimiters)
    assert join_field(field_tree(raw, found), found) == raw
