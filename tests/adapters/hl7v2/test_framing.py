"""MLLP framing (MLLP-1..5): the same events however the bytes are cut into chunks, and linear work."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.framing import Aborted, Event, Frame, Garbage, MllpFramer, TooLong, wrap
from tests.support.cost import within

LIMIT = 200


def events(*chunks: bytes, limit: int = LIMIT, grace: bool = False) -> list[Event]:
    framer = MllpFramer(limit)
    found = [event for chunk in chunks for event in framer.feed(chunk)]
    return found + (framer.end_of_grace() if grace else [])


def merged(found: list[Event]) -> list[object]:
    """Neighbouring garbage counts as one: how often it is reported depends on the chunks, how much of it does not."""
    out: list[object] = []
    for event in found:
        if isinstance(event, Garbage):
            if out and isinstance(out[-1], int):
                out[-1] += event.size
            else:
                out.append(event.size)
        else:
            out.append(event)
    return out


ONE, TWO = b"MSH|one\r", b"MSH|two\r"

TABLE = [
    (b"\x0bMSH|one\r\x1c\r", [Frame(ONE)]),
    (b"\x0bMSH|one\r\x1c\r\x0bMSH|two\r\x1c\r", [Frame(ONE), Frame(TWO)]),
    (b"\r\n\x0bMSH|one\r\x1c\r", [2, Frame(ONE)]),
    (b"\x0bMSH|one\r\x1c\r\n\x0bMSH|two\r\x1c\r", [Frame(ONE), 1, Frame(TWO)]),
    (b"MSH|one\r\x1c\r\x0bMSH|two\r\x1c\r", [10, Frame(TWO)]),
    # No 0x0D after 0x1C, known when the next frame begins.
    (b"\x0bMSH|one\r\x1c\x0bMSH|two\r\x1c\r", [Frame(ONE, is_terminated=False), Frame(TWO)]),
    (b"\x0bMSH|one\r\x1c\n\x0bMSH|two\r\x1c\r", [Frame(ONE, is_terminated=False), 1, Frame(TWO)]),
    # 0x1C inside a payload that goes on to its proper end is text.
    (b"\x0bMSH|o\x1cne\r\x1c\r", [Frame(b"MSH|o\x1cne\r")]),
    # A frame begun again, as after a crash; a lone 0x0B is text (a line break pasted from a word processor).
    (b"\x0bMSH|on\x0bMSH|two\r\x1c\r", [Aborted(6), Frame(TWO)]),
    (b"\x0bMSH|o\x0bne\r\x1c\r", [Frame(b"MSH|o\x0bne\r")]),
    (b"\x0b\x1c\r", [Frame(b"")]),
    (b"\x0b\x0b\x1c\r", [Frame(b"\x0b")]),
    (b"\x0b\x06\x1c\r\x0bMSH|one\r\x1c\r", [Frame(b"\x06"), Frame(ONE)]),
    (b"\x1c\r\x1c\r", [4]),
    (b"", []),
]


@pytest.mark.parametrize(("data", "expected"), TABLE, ids=range(len(TABLE)))
def test_table(data: bytes, expected: list[object]) -> None:
    assert merged(events(data)) == expected


@pytest.mark.parametrize(("data", "expected"), TABLE, ids=range(len(TABLE)))
def test_table_in_one_byte_packets(data: bytes, expected: list[object]) -> None:
    assert merged(events(*(data[at : at + 1] for at in range(len(data))))) == expected


@pytest.mark.parametrize("after", [b"", b"\n", b"  "])
def test_a_missing_carriage_return_is_forgiven_after_the_grace(after: bytes) -> None:
    """MLLP-2."""
    framer = MllpFramer(LIMIT)
    assert framer.feed(b"\x0bMSH|one\r\x1c" + after) == []
    assert framer.awaits_carriage_return
    assert merged(framer.end_of_grace()) == [Frame(ONE, is_terminated=False), *([len(after)] if after else [])]
    assert not framer.awaits_carriage_return
    assert framer.feed(wrap(TWO)) == [Frame(TWO)]


def test_the_grace_ends_nothing_that_has_no_end_byte() -> None:
    framer = MllpFramer(LIMIT)
    assert framer.feed(b"\x0bMSH|on") == []
    assert framer.is_inside
    assert not framer.awaits_carriage_return
    assert framer.end_of_grace() == []
    assert framer.feed(b"e\r\x1c\r") == [Frame(ONE)]
    assert not framer.is_inside


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, LIMIT * 10])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_the_limit_is_exact_and_ends_the_framer(size: int, step: int) -> None:
    """MLLP-4."""
    payload = (b"MSH|" + b"x" * size)[:size]
    data = wrap(payload) + wrap(ONE)
    framer = MllpFramer(LIMIT)
    found = [event for at in range(0, len(data), step) for event in framer.feed(data[at : at + step])]
    if size <= LIMIT:
        assert found == [Frame(payload), Frame(ONE)]
        assert not framer.is_dead
    else:
        assert len(found) == 1
        assert isinstance(found[0], TooLong)
        assert found[0].head.startswith(b"MSH|xxx")
        assert framer.is_dead
        assert framer.feed(wrap(ONE)) == []


def test_a_frame_without_end_is_cut_off_at_the_limit() -> None:
    found = events(*[b"\x0b" + b"x" * 50, *[b"x" * 50] * 20])
    assert [type(event) for event in found] == [TooLong]


def test_wrapping_never_lets_a_payload_end_its_frame() -> None:
    """MLLP-3."""
    assert events(wrap(b"MSH|\x0b\x1c\r|\x1c\r")) == [Frame(b"MSH|  \r| \r")]


def test_the_head_of_garbage_shows_what_came() -> None:
    found = events(b"MSH|^~\\&|no start byte\r")
    assert isinstance(found[0], Garbage)
    assert found[0].head.startswith(b"MSH|")


PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x0bMSH", b"\n"]),
    st.binary(max_size=30).map(wrap),
    st.just(b"x" * 150),
)


@given(pieces=st.lists(PIECES, max_size=12), data=st.data())
def test_chunks_do_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    """MLLP-1."""
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(min_value=0, max_value=len(stream)), max_size=10)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    whole, cut = events(stream, grace=True), events(*chunks, grace=True)
    if any(isinstance(event, TooLong) for event in whole):
        # How much of an over-long frame had come when it was noticed depends on the chunks; that it ends the stream does not.
        whole = [event for event in whole if not isinstance(event, TooLong)]
        cut = [event for event in cut if not isinstance(event, TooLong)]
    assert merged(whole) == merged(cut)


@given(
    payloads=st.lists(st.binary(max_size=60).filter(lambda payload: not {0x0B, 0x1C} & set(payload)), max_size=8), junk=st.integers(0, 3)
)
def test_every_frame_comes_out_once_in_order_and_every_byte_is_accounted_for(payloads: list[bytes], junk: int) -> None:
    stream = b"".join(b"\n" * junk + wrap(payload) for payload in payloads)
    found = events(stream)
    assert [event.payload for event in found if isinstance(event, Frame)] == payloads
    assert sum(event.size for event in found if isinstance(event, Garbage)) == junk * len(payloads)


@pytest.mark.parametrize(
    "data",
    [b"\x0b" + b"x" * 250_000 + b"\x1c\r", b"\x0b" + b"\x1cx" * 125_000, b"\x0b\x1c\r" * 80_000, b"\x0b" * 250_000, b"\x1c" * 250_000],
    ids=["plain", "ends", "empty", "starts", "outside"],
)
@pytest.mark.parametrize("step", [3, 65_536])
def test_the_work_is_linear(data: bytes, step: int) -> None:
    def frame() -> None:
        framer = MllpFramer(1_048_576)
        for at in range(0, len(data), step):
            framer.feed(data[at : at + step])
        framer.end_of_grace()

    within(2.0, frame)
