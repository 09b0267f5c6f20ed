"""Batch files (BATCH-1; HL7 2.5.1 chapter 2.10.3): many messages in one file, and one batch of acknowledgements back.

`[FHS] { [BHS] { [MSH...] } [BTS] } [FTS]`, every envelope optional: many files are bare runs of messages. A wrong count
is a warning, an empty batch is legal, and one bad message never fails the rest. Not here: what is in a message.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from adapters.hl7v2.er7 import STANDARD, Delimiters, read_delimiters, strip_envelope
from adapters.hl7v2.escapes import escape
from adapters.hl7v2.timestamps import format_timestamp
from adapters.hl7v2.xml_form import is_xml
from app.domain.inbound import Problem, ProblemCode, Severity

_START = re.compile(
    rb"(?:^|(?<=[\r\n\x0b]))(?:\xef\xbb\xbf)?[ \t]{0,8}"
    rb"(?:(?:MSH|FHS|BHS)(?=[!-/:-@\[-`{-~])|(?:BTS|FTS)(?=[!-/:-@\[-`{-~]|[\r\n\x1c]|$))"
)
_START_OCTETS = 15
"""A byte order mark, blanks, the name and its separator: what has to be at hand to tell that a segment begins."""
_LINE_END = re.compile(rb"[\r\n\x1c]")
_MARK = b"\xef\xbb\xbf"
_CUT = b"\x01"
_SLACK = 2 * _START_OCTETS
_HEAD_OCTETS = 4096
_AROUND = b"\x0b\x1c\r\n \t\x00"
_CONTROL_ID = 11
_REFERENCE = 12
_HEADER_FIELDS = 13
_COMMENTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of one file, in order, and what its envelopes said."""

    messages: tuple[bytes, ...]
    """Verbatim, from MSH to the last segment; line ends and MLLP bytes around them are left out."""
    strays: tuple[bytes, ...]
    """What stands outside every message and is no envelope: remarks, or what is left of a message whose MSH is damaged."""
    header: str | None
    """The first BHS, else the FHS, as sent; None for a bare run of messages."""
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Overlong:
    """In place of a message that has more bytes than one may have: its beginning, for the answer."""

    head: bytes


class BatchReader:
    """Cuts a file into its messages as its bytes come, in pieces of any size, and checks the counts of its trailers.

    Linear, holds one message at most, and nothing is raised.
    """

    def __init__(self, message_bytes_max: int = sys.maxsize) -> None:
        """Begin a file."""
        self.header: str | None = None
        """The first BHS, else the FHS, as sent; None for a bare run of messages so far."""
        self.warnings: list[Problem] = []
        self.strays: list[bytes] = []
        """What stands outside every message and is no envelope, up to the size of a message; the rest is only counted."""
        self.stray_octets = 0
        self.unended = 0
        """Envelopes whose trailer has not come: at the end of a file, a sign that its end is missing."""
        self._message_bytes_max = message_bytes_max
        self._held = b""
        self._searched = 0
        self._is_begun = self._is_xml = self._is_overlong = self._has_batch_header = False
        self._messages = self._batches = self._in_batch = 0

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """Give the messages that are complete."""
        return self._take(data, final=False)

    def close(self) -> list[bytes | Overlong]:
        """Give the last message; the warnings are complete after it."""
        last = self._take(b"", final=True)
        if self.stray_octets:
            text = f"Text stands outside every message ({self.stray_octets:,} bytes); a message begins with MSH at the start of a line."
            self.warnings.insert(0, Problem(ProblemCode.SEGMENT_SEQUENCE, Severity.WARNING, "", text))
        return last

    def _take(self, data: bytes, *, final: bool) -> list[bytes | Overlong]:
        held = self._held + data
        if not self._is_begun:
            # The first character that is neither blank nor of a mark says what it is.
            if not held.lstrip(_AROUND + _MARK) and len(held) < _HEAD_OCTETS and not final:
                self._held = held
                return []
            self._is_begun, self._is_xml = True, is_xml(held[:_HEAD_OCTETS])
            held = held if self._is_xml else held.removeprefix(_MARK)
        if self._is_xml:
            return self._take_whole(held, final=final)
        # Whether a segment begins at the very end depends on bytes that are yet to come.
        last = len(held) if final else len(held) - _START_OCTETS
        starts = [match.start() for match in _START.finditer(held, self._searched) if match.start() <= last]
        if not starts or starts[0] != 0:
            starts.insert(0, 0)
        found: list[bytes | Overlong] = []
        for start, end in pairwise([*starts, len(held)] if final else starts):
            self._sort(held[start:end], found)
        self._held = b"" if final else held[starts[-1] :]
        self._searched = max(0, last - starts[-1] + 1) if len(self._held) > _START_OCTETS else 0
        if len(self._held) > self._message_bytes_max + _SLACK:
            self._cut_short(found)
        return found

    def _cut_short(self, found: list[bytes | Overlong]) -> None:
        """Let go of the beginning of a piece that is too long, and pass over the rest of it when it comes."""
        end = len(self._held) - _START_OCTETS
        self._sort(self._held[:end], found, is_cut=True)
        # The mark stands for what was there: whatever follows it is not the beginning of the file.
        self._held = _CUT + self._held[end - 1 :]
        self._searched = 1

    def _take_whole(self, held: bytes, *, final: bool) -> list[bytes | Overlong]:
        """Take a file in XML for one message: XML has no batch. Of one that is too long only the beginning is kept."""
        self._is_overlong |= len(held) > self._message_bytes_max + _SLACK
        self._held = held[:_HEAD_OCTETS] if self._is_overlong else held
        if not final:
            return []
        whole, self._held = self._held.strip(_AROUND).removeprefix(_MARK).strip(_AROUND), b""
        self._messages += 1
        return [Overlong(whole) if self._is_overlong or len(whole) > self._message_bytes_max else whole]

    def _sort(self, piece: bytes, found: list[bytes | Overlong], *, is_cut: bool = False) -> None:
        was_overlong, self._is_overlong = self._is_overlong, is_cut and (_is_message(piece) or self._is_overlong)
        if _START.match(piece) is None:
            # What stands before everything, or the rest of a message that was cut short, which has had its answer.
            if not was_overlong:
                self._stray(piece)
            return
        kept = strip_envelope(piece).rstrip(_AROUND)
        kind = kept[:3]
        if kind == b"MSH":
            self._messages += 1
            self._in_batch += 1
            found.append(Overlong(kept[:_HEAD_OCTETS]) if is_cut or len(kept) > self._message_bytes_max else kept)
            return
        self._stray(kept[_first_line_length(kept) :])
        if kind in {b"FHS", b"BHS"}:
            self._begin(kind, _first_line(kept))
        elif kind == b"BTS":
            self.unended = max(0, self.unended - 1)
            self.warnings += _count_warning("BTS", _declared(kept), self._in_batch, "messages")
        else:
            self.unended = max(0, self.unended - 1)
            self.warnings += _count_warning("FTS", _declared(kept), max(self._batches, 1 if self._messages else 0), "batches")

    def _stray(self, text: bytes) -> None:
        # Behind the mark stands one octet that was taken before.
        kept = strip_envelope(text[2:] if text[:1] == _CUT else text).strip(_AROUND)
        self.stray_octets += len(kept)
        if kept and self.stray_octets <= self._message_bytes_max:
            self.strays.append(kept)

    def _begin(self, kind: bytes, line: str) -> None:
        self.unended += 1
        if kind == b"BHS":
            self._batches, self._in_batch = self._batches + 1, 0
        if self.header is None or (kind == b"BHS" and not self._has_batch_header):
            self.header = line
        self._has_batch_header |= kind == b"BHS"


def split_batch(body: bytes) -> Batch:
    """Cut a file that is at hand whole."""
    reader = BatchReader()
    pieces = [*reader.feed(body), *reader.close()]
    messages = tuple(piece for piece in pieces if isinstance(piece, bytes))
    return Batch(messages, tuple(reader.strays), reader.header, tuple(reader.warnings))


def join_acks(batch: Batch, acks: Sequence[bytes], *, control_id: str, at: datetime) -> bytes:
    """Write one batch of acknowledgements, in the delimiters of the request; BHS-12 is BHS-11 of the request.

    A reply without a single negative acknowledgement means that all messages were accepted. What was odd about the envelopes
    stands in BTS-2, the comment.
    """
    delimiters = STANDARD
    asked: list[str] = []
    if batch.header is not None:
        declared = read_delimiters(batch.header)
        if isinstance(declared, Delimiters):
            delimiters, asked = declared, batch.header.split(declared.field)
    fields = [""] * _HEADER_FIELDS
    fields[0], fields[2] = "BHS", delimiters.encoding_characters
    fields[3], fields[4], fields[5], fields[6] = (_at(asked, number) for number in (4, 5, 2, 3))
    fields[7] = format_timestamp(at)
    fields[_CONTROL_ID] = control_id
    fields[_REFERENCE] = _at(asked, _CONTROL_ID - 1)
    # BHS-1 is the separator itself, so the second element of the list is written by the join.
    header = delimiters.field.join([fields[0], *fields[2:]]).encode("latin-1", "replace")
    comment = escape(" ".join(warning.text for warning in batch.warnings[:_COMMENTS_MAX]), delimiters)
    trailer = delimiters.field.join(["BTS", str(len(acks)), *([comment] if comment else [])]).encode("latin-1")
    return b"\r".join([header, *(ack.rstrip(b"\r") for ack in acks), trailer]) + b"\r"


def _is_message(piece: bytes) -> bool:
    return _START.match(piece) is not None and strip_envelope(piece)[:3] == b"MSH"


def _first_line_length(piece: bytes) -> int:
    end = _LINE_END.search(piece)
    return end.start() if end is not None else len(piece)


def _first_line(piece: bytes) -> str:
    return piece[: _first_line_length(piece)].decode("latin-1")


def _declared(trailer: bytes) -> str:
    line = _first_line(trailer)
    return line[4:].split(line[3:4], 1)[0].strip() if len(line) > 4 else ""  # noqa: PLR2004 -- name and separator


def _count_warning(segment: str, declared: str, found: int, what: str) -> list[Problem]:
    if not declared or (declared.isascii() and declared.isdigit() and declared.lstrip("0") == str(found).lstrip("0")):
        return []
    text = f"The trailer counts other {what} than the {found} found; compare the file with its source."
    return [Problem(ProblemCode.DATA_TYPE, Severity.WARNING, f"{segment}^1^1", text)]


def _at(fields: Sequence[str], position: int) -> str:
    return fields[position] if position < len(fields) else ""
