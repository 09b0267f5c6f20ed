"""Batch files (BATCH-1; HL7 2.5.1 chapter 2.10.3): many messages in one file, and one batch of acknowledgements back.

`[FHS] { [BHS] { [MSH...] } [BTS] } [FTS]`, every envelope optional: many files are bare runs of messages. A wrong count
is a warning, an empty batch is legal, and one bad message never fails the rest. Not here: what is in a message.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from adapters.hl7v2.er7 import STANDARD, Delimiters, read_delimiters, strip_envelope
from adapters.hl7v2.escapes import escape
from adapters.hl7v2.timestamps import format_timestamp
from app.domain.inbound import Problem, ProblemCode, Severity

_START = re.compile(
    rb"(?:^|(?<=[\r\n\x0b]))(?:\xef\xbb\xbf)?[ \t]*"
    rb"(?:(?:MSH|FHS|BHS)(?=[!-/:-@\[-`{-~])|(?:BTS|FTS)(?=[!-/:-@\[-`{-~]|[\r\n\x1c]|$))"
)
_LINE_END = re.compile(rb"[\r\n\x1c]")
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


def split_batch(body: bytes) -> Batch:
    """Cut a file into its messages and check the counts of its trailers. Linear, and nothing is raised."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    starts = [match.start() for match in _START.finditer(body)]
    messages: list[bytes] = []
    strays = [body[: starts[0] if starts else len(body)]]
    headers: dict[bytes, str] = {}
    warnings: list[Problem] = []
    batches = in_batch = 0
    for start, end in pairwise([*starts, len(body)]):
        piece = strip_envelope(body[start:end]).rstrip(_AROUND)
        kind = piece[:3]
        if kind == b"MSH":
            messages.append(piece)
            in_batch += 1
            continue
        strays.append(piece[_first_line_length(piece) :])
        if kind in {b"FHS", b"BHS"}:
            headers.setdefault(kind, _first_line(piece))
            if kind == b"BHS":
                batches, in_batch = batches + 1, 0
        elif kind == b"BTS":
            warnings += _count_warning("BTS", _declared(piece), in_batch, "messages")
        else:
            warnings += _count_warning("FTS", _declared(piece), max(batches, 1 if messages else 0), "batches")
    outside = tuple(stripped for stray in strays if (stripped := strip_envelope(stray).strip(_AROUND)))
    if outside:
        text = f"Text stands outside every message (places: {len(outside)}); a message begins with MSH at the start of a line."
        warnings.insert(0, Problem(ProblemCode.SEGMENT_SEQUENCE, Severity.WARNING, "", text))
    return Batch(tuple(messages), outside, headers.get(b"BHS", headers.get(b"FHS")), tuple(warnings))


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
