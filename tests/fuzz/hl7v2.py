"""What must hold of HL7v2 whatever the bytes are: framing, tokens, escapes, batches, the reader and its acknowledgements.

Each check takes one input and raises nothing where all is well; beside it stands what the door does with such bytes, once, whose cost
is measured. Neither needs atheris: what was found once is tried again by pytest.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.batch import BatchReader, split_batch
from adapters.hl7v2.encodings import as_er7
from adapters.hl7v2.encodings import tokenize as either
from adapters.hl7v2.er7 import ABSENT, STANDARD, Delimiters, Er7Message, cut, field_tree, join_field, read_delimiters, tokenize
from adapters.hl7v2.escapes import escape, unescape
from adapters.hl7v2.framing import Aborted, Frame, Garbage, MllpFramer, TooLong, wrap
from adapters.hl7v2.reader import Hl7v2Reader
from adapters.hl7v2.xml_form import Er7Text, is_xml, read_xml
from app.domain.adt_event import AdtEvent
from app.domain.feed import FeedProfile
from app.domain.inbound import AckCode, Problem, ProblemCode, Severity
from tests.adapters.hl7v2.support import FEED

AT: Final = datetime(2026, 1, 5, 19, 30, tzinfo=UTC)
READER, WRITER = Hl7v2Reader(), Er7AckWriter()
CHARSETS: Final = (None, "UNICODE UTF-8", "8859/1", "cp037")
FEEDS: Final = (
    FEED,
    replace(
        FEED,
        time_zone="Pacific/Apia",
        assigning_authority="",
        profile=FeedProfile(
            charset="8859/1", visit_number_places=("PID-18", "PV1-19"), facility_places=("MSH-4", "EVN-7", "PV1-3.4", "PV1-39")
        ),
    ),
)
_WHOLE = 1_048_576
_SMALL = 64
_ISO_2022 = "iso2022"


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut into packets of sizes that depend on the bytes, so that a finding can be found again."""
    position, number = 0, zlib.crc32(data)
    while position < len(data):
        number = number * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        size = 1 + (number >> 8) % 3 if number & 1 else 1 + (number >> 8) % 4_096
        yield data[position : position + size]
        position += size


def spend_on_framer(data: bytes) -> None:
    """Cut a stream that comes in packets."""
    framer = MllpFramer(_WHOLE)
    for piece in pieces(data):
        framer.feed(piece)
    framer.end_of_grace()


def framer(data: bytes) -> None:
    """The same frames however the bytes are cut, every byte accounted for, and no end of frames that are too long (MLLP-1..4)."""
    whole, cut, small = MllpFramer(_WHOLE), MllpFramer(_WHOLE), MllpFramer(_SMALL)
    at_once = [*whole.feed(data), *whole.end_of_grace()]
    by_pieces = [event for piece in pieces(data) for event in cut.feed(piece)] + cut.end_of_grace()
    if len(data) <= _WHOLE:
        assert [one for one in at_once if isinstance(one, Frame)] == [one for one in by_pieces if isinstance(one, Frame)]
        assert whole.is_inside == cut.is_inside
        for kind in (Garbage, Aborted):
            assert sum(one.size for one in at_once if isinstance(one, kind)) == sum(one.size for one in by_pieces if isinstance(one, kind))
        assert _accounted(at_once) + (len(whole._buffer) + 1 if whole.is_inside else 0) == len(data)
    limited = [event for piece in pieces(data) for event in small.feed(piece)]
    assert all(len(one.payload) <= _SMALL for one in limited if isinstance(one, Frame))
    assert [isinstance(one, TooLong) for one in limited].count(True) == small.is_dead
    assert not small.is_dead or isinstance(limited[-1], TooLong)
    assert len(small._buffer) <= _SMALL + 2
    if len(data) <= _WHOLE:
        again = MllpFramer(_WHOLE).feed(wrap(data))
        assert again == [Frame(data.replace(b"\x0b", b" ").replace(b"\x1c", b" "))]


def _accounted(events: list[Frame | Garbage | Aborted | TooLong]) -> int:
    total = 0
    for event in events:
        if isinstance(event, Frame):
            total += 1 + len(event.payload) + (2 if event.is_terminated else 1)
        elif isinstance(event, Garbage):
            total += event.size
        elif isinstance(event, Aborted):
            # Its start byte counts with the frame that followed in it.
            total += event.size + 1
    return total


def spend_on_tokens(data: bytes) -> None:
    """Cut a message as deep as its fields."""
    message = tokenize(data)
    if isinstance(message, Er7Message):
        for _ in message.segments():
            pass


def tokens(data: bytes) -> None:
    """Cut and joined again, the same bytes; nothing is raised, whatever part is asked for (HL7-2, HL7-3)."""
    for charset in CHARSETS:
        message = tokenize(data, charset)
        if not isinstance(message, Er7Message):
            assert message.severity is Severity.ERROR
            continue
        if not message.decoded.codec.startswith(_ISO_2022):
            assert message.encode() == data, "the bytes are not the same again"
        count = 0
        for segment in message.segments():
            count += 1
            for number, raw in enumerate(segment.fields):
                assert join_field(field_tree(raw, message.delimiters), message.delimiters) == raw
                if number < 4:
                    assert segment.first(number) == (segment.repetitions(number) or [""])[0]
                    assert segment.component(number, 1) == segment.components(number)[0]
        assert count == sum(message.count(name) for name in {segment.name for segment in message.segments()})
        message.stray_lines()


def spend_on_escapes(data: bytes) -> None:
    """Read one long field."""
    unescape(data.decode("utf-8", "replace"), STANDARD)


def escapes(data: bytes) -> None:
    """What is escaped reads as the same text, ends no segment and no frame; reading takes anything (HL7-3)."""
    text = data.decode("utf-8", "replace")
    found = read_delimiters("MSH" + text[:6])
    for delimiters in (found, read_delimiters("MSH|^~\\&|"), read_delimiters("MSH|^~\\&#|")):
        if not isinstance(delimiters, Delimiters):
            continue
        for codec in ("utf-8", "iso8859-1", "shift_jis"):
            unescape(text, delimiters, codec)
        written = escape(text, delimiters)
        unsafe = {delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent, "\r", "\x0b", "\x1c"} - {ABSENT}
        assert not any(character in written for character in unsafe)
        if delimiters.escape != ABSENT:
            assert unescape(written, delimiters) == text, "not the same text again"


def spend_on_batch(data: bytes) -> None:
    """Cut a file."""
    split_batch(data)


def batch(data: bytes) -> None:
    """The same messages however a file is cut into pieces, none longer than it may be (BATCH-1)."""
    whole = split_batch(data)
    reader = BatchReader()
    found = [message for piece in pieces(data) for message in reader.feed(piece)] + reader.close()
    assert tuple(found) == whole.messages
    assert reader.header == whole.header
    short = BatchReader(_SMALL)
    for piece in [*pieces(data), None]:
        for message in short.feed(piece) if piece is not None else short.close():
            assert not isinstance(message, bytes) or len(message) <= _SMALL


def spend_on_xml(data: bytes) -> None:
    """Read one message in XML, as deep as its fields."""
    found = read_xml(data)
    if isinstance(found, Er7Text):
        for _ in cut(found.decoded, found.delimiters).segments():
            pass


def xml(data: bytes) -> None:
    """XML is refused with a place, or is ER7 of which every line is a segment and whose MSH is the first; a batch file of one (HOH-1).

    Its acknowledgement is XML that says what the one in ER7 says, and both are read alike.
    """
    found, message = as_er7(data), either(data)
    assert isinstance(found, Problem) is (isinstance(message, Problem) and is_xml(data))
    if is_xml(data) and isinstance(message, Er7Message):
        assert found == message.text.encode()
        lines = message.text.split("\r")
        assert [line[:3] for line in lines] == [segment.name for segment in message.segments()], "a value has begun a segment"
        assert lines[0].startswith("MSH")
        assert "\n" not in message.text
    reader(data)
    batch(data)
    written = WRITER.write(data, READER.header(data), AckCode.AA, (), control_id="ZZA1", at=AT)
    assert is_xml(written) is is_xml(data)
    spoken = as_er7(written)
    assert isinstance(spoken, bytes)
    assert b"\rMSA" in spoken


def spend_on_reader(data: bytes) -> None:
    """Take one message and interpret it."""
    READER.problems(data, READER.header(data), FEED)
    READER.read(data, FEED)


def reader(data: bytes) -> None:
    """Every message is read or refused with its place, what `problems` passes `read` can read, and every answer can be read too."""
    header = READER.header(data)
    for feed in FEEDS:
        problems = READER.problems(data, header, feed)
        found = READER.read(data, feed)
        READER.notes(data, feed)
        READER.facilities(data, feed)
        has_errors = any(problem.severity is Severity.ERROR for problem in problems)
        if READER.is_supported(header.trigger):
            is_held = not isinstance(found, AdtEvent) and found[0].code is ProblemCode.ACCEPTED
            assert isinstance(found, AdtEvent) is not (has_errors or is_held), "acceptance and reading differ"
        if isinstance(found, AdtEvent):
            assert found.identifiers
            assert found.occurred_at.tzinfo is not None
        if header.readable:
            answer = as_er7(WRITER.write(data, header, AckCode.AE, problems, control_id="ZZA1", at=AT))
            assert isinstance(answer, bytes)
            assert answer.split(b"\r")[1][:6] == f"MSA{header.field_separator}AE".encode()
            # It echoes fields of MSH: where they are beyond a limit, so is it.
            assert isinstance(tokenize(answer), Er7Message) or not isinstance(tokenize(data, feed.profile.charset), Er7Message)
