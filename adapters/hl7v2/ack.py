"""Acknowledgements (ACK-1..7; HL7 2.5.1 chapter 2.9 and 2.15): which are due, and how they are written.

Which acknowledgement is due is a pure function of MSH-15, MSH-16 and the outcome. What is written echoes the header of
the message verbatim, in its own delimiters, and names every problem with its place; it never repeats a value of the
message. Not here: what decides the outcome (`acceptance`, actions/receive), and when bytes may leave (after the commit).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.hl7v2.encodings import as_er7, as_xml
from adapters.hl7v2.er7 import STANDARD, Delimiters, first_line, read_delimiters, strip_envelope
from adapters.hl7v2.escapes import escape
from adapters.hl7v2.timestamps import format_timestamp
from adapters.hl7v2.xml_form import is_xml
from app.domain.inbound import Acceptance, AckCode, Header, Problem, ProblemCode, Severity

_ALWAYS, _NEVER, _ON_ERROR, _ON_SUCCESS = "AL", "NE", "ER", "SU"
_TABLE_0155 = frozenset({_ALWAYS, _NEVER, _ON_ERROR, _ON_SUCCESS})

_LETTER = {Acceptance.ACCEPT: "A", Acceptance.ERROR: "E", Acceptance.REJECT: "R"}
_POSITIVE = frozenset({AckCode.AA, AckCode.CA})
_OWN_NAME: Final = "HANDOFF"
"""MSH-3 of an answer to a message whose own header cannot be read."""
_FALLBACK_VERSION: Final = "2.5.1"
_TEXT_MAX: Final = 80
"""MSA-3 is ST of 80 characters up to 2.3.1."""
_ECHO_MAX: Final = 500
"""Longest header field that is echoed; the standard's longest has 427 characters, and an answer is not to grow with a hostile header."""
_TRIGGER_MAX: Final = 8
_TRIGGER_IN_ACK_SINCE = (2, 4)
_UNSAFE = re.compile("[\x00-\x1f\x7f]")

_CODE_TEXTS = {
    ProblemCode.ACCEPTED: "Message accepted",
    ProblemCode.SEGMENT_SEQUENCE: "Segment sequence error",
    ProblemCode.REQUIRED_FIELD_MISSING: "Required field missing",
    ProblemCode.DATA_TYPE: "Data type error",
    ProblemCode.TABLE_VALUE: "Table value not found",
    ProblemCode.UNSUPPORTED_MESSAGE_TYPE: "Unsupported message type",
    ProblemCode.UNSUPPORTED_EVENT: "Unsupported event code",
    ProblemCode.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    ProblemCode.UNSUPPORTED_VERSION: "Unsupported version id",
    ProblemCode.UNKNOWN_KEY: "Unknown key identifier",
    ProblemCode.DUPLICATE_KEY: "Duplicate key identifier",
    ProblemCode.LOCKED: "Application record locked",
    ProblemCode.INTERNAL: "Application internal error",
}
"""HL7 2.5.1 table 0357."""


@dataclass(frozen=True, slots=True)
class DueAcks:
    """The acknowledgements that a sender is owed, in the order in which they are sent."""

    accept: AckCode | None
    application: AckCode | None

    @property
    def codes(self) -> tuple[AckCode, ...]:
        """The codes in order; empty when nothing is owed."""
        return tuple(code for code in (self.accept, self.application) if code is not None)


def which_acks(accept_ack: str, application_ack: str, outcome: Acceptance) -> DueAcks:
    """Say which acknowledgements MSH-15 and MSH-16 ask for (ACK-1, ACK-2; HL7 table 0155).

    Both empty is original mode: exactly one application answer. In enhanced mode an empty field counts as NE. A value
    outside the table counts as AL: an answer too many is understood, a missing one stops a queue.
    """
    accept_ack, application_ack = accept_ack.strip().upper(), application_ack.strip().upper()
    letter = _LETTER[outcome]
    if not accept_ack and not application_ack:
        return DueAcks(None, AckCode("A" + letter))
    return DueAcks(
        AckCode("C" + letter) if _is_due(accept_ack, outcome) else None,
        AckCode("A" + letter) if _is_due(application_ack, outcome) else None,
    )


def _is_due(condition: str, outcome: Acceptance) -> bool:
    if condition in {"", _NEVER}:
        return False
    if condition in _TABLE_0155 - {_ALWAYS}:
        return (outcome is Acceptance.ACCEPT) == (condition == _ON_SUCCESS)
    return True


def is_acknowledgement(header: Header) -> bool:
    """Tell whether a message is itself an acknowledgement: it is never answered, or two systems answer each other for ever (ACK-3)."""
    return header.message_code in {"ACK", "MCF"}


class Er7AckWriter:
    """The port `AckWriter`: writes an acknowledgement in the sender's own dialect (ACK-5)."""

    def write(self, body: bytes, header: Header, code: AckCode, problems: Sequence[Problem], *, control_id: str, at: datetime) -> bytes:
        """Give the acknowledgement with our own `control_id`; ERR for every problem of a negative one, MSA-3 for older senders.

        In ER7, in XML for what came in XML (HOH-1).
        """
        as_sent = as_er7(body) if header.readable else None
        line = first_line(strip_envelope(as_sent)) if isinstance(as_sent, bytes) else None
        delimiters = read_delimiters(line) if line is not None else STANDARD
        if line is None or isinstance(delimiters, Problem):
            asked, delimiters = [], STANDARD
        else:
            asked = ["MSH", delimiters.field, *line.split(delimiters.field)[1:]]
        segments = [_msh(asked, header, delimiters, control_id, at), _msa(asked, code, problems, delimiters)]
        if code not in _POSITIVE:
            segments += [_err(problem, delimiters) for problem in problems or (_UNEXPLAINED,)]
        # The header was read as Latin-1, so writing it as Latin-1 echoes its bytes whatever their character set.
        written = ("\r".join(segments) + "\r").encode("latin-1", "replace")
        return as_xml(written) if is_xml(body) else written


_UNEXPLAINED = Problem(ProblemCode.INTERNAL, Severity.ERROR, "", "The message could not be taken; send it again or ask the operator.")


def _msh(asked: list[str], header: Header, delimiters: Delimiters, control_id: str, at: datetime) -> str:
    def echo(number: int) -> str:
        return _UNSAFE.sub(" ", asked[number][:_ECHO_MAX]) if number < len(asked) else ""

    version = echo(12).strip() or _FALLBACK_VERSION
    fields = [
        "MSH",
        delimiters.encoding_characters,
        echo(5) or ("" if asked else _OWN_NAME),
        echo(6),
        echo(3),
        echo(4),
        format_timestamp(at),
        "",
        _message_type(header.trigger, version, delimiters),
        control_id,
        echo(11) or "P",
        version,
    ]
    charset = echo(18)
    if charset:
        fields += ["", "", "", "", "", charset]
    return delimiters.field.join(fields)


def _message_type(trigger: str, version: str, delimiters: Delimiters) -> str:
    """`ACK^<trigger>^ACK` since 2.4, `ACK` before."""
    number = re.match(r"([0-9]+)\.([0-9]+)", version)
    is_since = number is None or (int(number.group(1)), int(number.group(2))) >= _TRIGGER_IN_ACK_SINCE
    if not trigger or not is_since:
        return "ACK"
    return delimiters.component.join(["ACK", escape(_UNSAFE.sub(" ", trigger[:_TRIGGER_MAX]), delimiters), "ACK"])


def _msa(asked: list[str], code: AckCode, problems: Sequence[Problem], delimiters: Delimiters) -> str:
    """MSA-2 is MSH-10 as sent. MSA-3 repeats the first problem for senders that know no ERR-8 (before 2.5)."""
    fields = ["MSA", code.value, _UNSAFE.sub(" ", asked[10][:_ECHO_MAX]) if len(asked) > 10 else ""]  # noqa: PLR2004 -- MSH-10
    if code not in _POSITIVE:
        first = next((problem for problem in problems if problem.severity is Severity.ERROR), problems[0] if problems else _UNEXPLAINED)
        text = f"{first.location}: {first.text}" if first.location else first.text
        text = text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 3] + "..."
        fields.append(escape(text.replace("^", "-"), delimiters))
    return delimiters.field.join(fields)


def _err(problem: Problem, delimiters: Delimiters) -> str:
    """ERR as of 2.5: location, table 0357 code, severity, and plain words for the person at the interface."""
    location = delimiters.component.join(escape(part, delimiters) for part in problem.location.split("^"))
    code = delimiters.component.join([problem.code.value, escape(_CODE_TEXTS[problem.code], delimiters), "HL70357"])
    return delimiters.field.join(["ERR", "", location, code, problem.severity.value, "", "", "", escape(problem.text, delimiters)])
