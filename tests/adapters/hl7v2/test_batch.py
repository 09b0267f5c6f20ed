"""Batch files (BATCH-1): every envelope optional, counts checked, one bad message harms no other."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.batch import BatchReader, Overlong, join_acks, split_batch
from tests.adapters.hl7v2.support import discharge, er7, msh

AT = datetime(2026, 1, 5, 19, 30, tzinfo=UTC)
ONE = er7(msh(f10="ZZ1"), "PID|1").rstrip()
TWO = er7(msh(f10="ZZ2"), "PID|2").rstrip()
FHS, BHS = b"FHS|^~\\&|ZZADT", b"BHS|^~\\&|ZZADT|ZZHOSP|HANDOFF|ZZEXCH|20260105||||ZZB1"

TABLE = [
    (b"\r".join([ONE, TWO]), [ONE, TWO], []),
    (b"\r".join([FHS, BHS, ONE, TWO, b"BTS|2", b"FTS|1"]), [ONE, TWO], []),
    (b"\r".join([FHS, BHS, ONE, TWO, b"BTS|3", b"FTS|1"]), [ONE, TWO], ["BTS^1^1"]),
    (b"\r".join([FHS, BHS, ONE, b"BTS|1", BHS, TWO, b"BTS|1", b"FTS|3"]), [ONE, TWO], ["FTS^1^1"]),
    (b"\r".join([BHS, b"BTS|0"]), [], []),
    (b"\r".join([BHS, ONE, b"BTS"]), [ONE], []),
    (b"\r".join([BHS, ONE, b"BTS|ZZ"]), [ONE], ["BTS^1^1"]),
    (b"\r".join([ONE, b"FTS|1"]), [ONE], []),
    (b"\x0b" + ONE + b"\r\x1c\r\x0b" + TWO + b"\r\x1c\r", [ONE, TWO], []),
    (b"\xef\xbb\xbf" + ONE + b"\r\n\r\n\r\n" + TWO, [ONE, TWO], []),
    (b"// a remark\n" + ONE.replace(b"\r", b"\n"), [ONE.replace(b"\r", b"\n")], [""]),
    (b"no message at all", [], [""]),
    (ONE + b"\r \t" + TWO + b"\n\xef\xbb\xbf" + ONE, [ONE, TWO, ONE], []),
    (b"", [], []),
    # A name that only begins like a header, and one in the middle of a line, are text.
    (ONE + b"\rMSHX|1\rNTE|1||MSH|^~\\&|", [ONE + b"\rMSHX|1\rNTE|1||MSH|^~\\&|"], []),
]


@pytest.mark.parametrize(("body", "messages", "warnings"), TABLE, ids=range(len(TABLE)))
def test_splitting(body: bytes, messages: list[bytes], warnings: list[str]) -> None:
    found = split_batch(body)
    assert list(found.messages) == messages
    assert [warning.location for warning in found.warnings] == warnings


def test_what_stands_outside_every_message_is_given_too() -> None:
    """Nothing of a file may vanish: it may be what is left of a message whose MSH is damaged."""
    found = split_batch(b"\r".join([b"PID|0", BHS, b"PID|1", ONE, b"BTS|1\rPID|2\rPV1|2", b"FTS|1\r\n\r\n"]))
    assert found.messages == (ONE,)
    assert found.strays == (b"PID|0", b"PID|1", b"PID|2\rPV1|2")
    assert [warning.text for warning in found.warnings] == [
        "Text stands outside every message (21 bytes); a message begins with MSH at the start of a line."
    ]


def test_what_is_odd_about_the_envelopes_stands_in_the_comment_of_the_answer() -> None:
    asked = split_batch(b"\r".join([BHS, ONE, b"BTS|3"]))
    answer = join_acks(asked, [b"MSH|^~\\&|A\rMSA|AA|ZZ1\r"], control_id="ZZB9", at=AT)
    assert answer.endswith(b"\rBTS|1|The trailer counts other messages than the 1 found; compare the file with its source.\r")


def test_the_answer_is_a_batch_in_the_delimiters_of_the_request() -> None:
    asked = split_batch(b"\r".join([BHS.replace(b"|", b"#").replace(b"^~\\&", b"^~\\&"), ONE, b"BTS#1"]))
    answer = join_acks(asked, [b"MSH|^~\\&|A\rMSA|AA|ZZ1\r"], control_id="ZZB9", at=AT)
    assert answer == (b"BHS#^~\\&#HANDOFF#ZZEXCH#ZZADT#ZZHOSP#20260105193000+0000####ZZB9#ZZB1\rMSH|^~\\&|A\rMSA|AA|ZZ1\rBTS#1\r")


def test_a_bare_run_is_answered_by_a_batch_too() -> None:
    answer = join_acks(split_batch(ONE), [b"MSH|^~\\&|A\rMSA|AA|ZZ1\r"], control_id="ZZB9", at=AT)
    assert answer.startswith(b"BHS|^~\\&|||||20260105193000+0000||||ZZB9|\r")
    assert split_batch(answer).warnings == ()


def test_an_unusable_header_is_answered_in_standard_delimiters() -> None:
    assert join_acks(split_batch(b"BHS|0000|ZZ\r"), [], control_id="ZZB9", at=AT).startswith(b"BHS|^~\\&|")


@given(count=st.integers(0, 20), envelope=st.booleans(), end=st.sampled_from([b"\r", b"\n", b"\r\n"]))
def test_every_message_comes_out_in_order(count: int, envelope: bool, end: bytes) -> None:
    messages = [discharge(header=msh(f10=f"ZZ{number}")).rstrip(b"\r").replace(b"\r", end) for number in range(count)]
    parts = [FHS, BHS, *messages, b"BTS|%d" % count, b"FTS|1"] if envelope else messages
    found = split_batch(end.join(parts))
    assert list(found.messages) == messages
    assert found.warnings == ()


@given(body=st.binary(max_size=200))
def test_nothing_is_raised(body: bytes) -> None:
    split_batch(body)
    split_batch(b"BTS" + body)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    """Cut a body at places, whichever of them it has."""
    marks = [0, *sorted(place for place in places if place < len(body)), len(body)]
    return [body[start:end] for start, end in pairwise(marks)]


@pytest.mark.parametrize(("body", "messages", "warnings"), TABLE, ids=range(len(TABLE)))
def test_a_file_that_comes_byte_by_byte_is_the_same_file(body: bytes, messages: list[bytes], warnings: list[str]) -> None:
    reader = BatchReader()
    found = [piece for octet in range(len(body)) for piece in reader.feed(body[octet : octet + 1])] + reader.close()
    assert found == messages
    assert [warning.location for warning in reader.warnings] == warnings
    assert reader.header == split_batch(body).header


@given(
    parts=st.lists(
        st.sampled_from([FHS, BHS, ONE, TWO, b"BTS|1", b"BTS", b"FTS|1", b"BTSX|1", b"MSH", b"", b"x", b"\x0b" + ONE + b"\x1c"])
    ),
    end=st.sampled_from([b"\r", b"\n", b"\r\n", b""]),
    places=st.lists(st.integers(0, 2000), max_size=6),
)
def test_how_a_file_is_cut_into_pieces_changes_nothing(parts: list[bytes], end: bytes, places: list[int]) -> None:
    body = end.join(parts)
    whole = split_batch(body)
    reader = BatchReader()
    found = [message for piece in cut(body, places) for message in reader.feed(piece)] + reader.close()
    assert tuple(found) == whole.messages
    assert (reader.header, tuple(reader.warnings)) == (whole.header, whole.warnings)


@pytest.mark.parametrize("size", [7, 100, 4096, 1 << 20])
def test_a_message_that_is_too_long_costs_itself_only(size: int) -> None:
    body = b"\r".join([BHS, ONE, ONE + b"\rOBX|" + b"x" * 50_000, TWO, b"BTS|3\r"])
    reader = BatchReader(message_bytes_max=1_000)
    found = [message for start in range(0, len(body), size) for message in reader.feed(body[start : start + size])] + reader.close()
    assert [isinstance(message, Overlong) for message in found] == [False, True, False]
    assert (found[0], found[2]) == (ONE, TWO)
    assert isinstance(found[1], Overlong)
    assert found[1].head.startswith(ONE[:50])
    assert reader.warnings == []


def test_a_file_without_any_message_is_passed_over_without_being_held() -> None:
    reader = BatchReader(message_bytes_max=1_000)
    for _ in range(100):
        assert reader.feed(b"%PDF 1.4 " * 1_000) == []
        assert len(reader._held) < 20_000
    assert reader.close() == []
    assert reader.stray_octets > 800_000
    assert sum(map(len, reader.strays)) <= 1_000


def test_what_follows_something_that_was_passed_over_is_no_beginning_of_a_file() -> None:
    """The bytes after a cut may spell a header in the middle of a line."""
    for shift in range(12):
        body = b"x" * (1_016 + shift) + b"MSH|^~\\&|not one" + b"\r" + ONE
        reader = BatchReader(message_bytes_max=1_000)
        found = [message for start in range(0, len(body), 8) for message in reader.feed(body[start : start + 8])] + reader.close()
        assert found == [ONE]
