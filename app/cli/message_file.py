"""Files of messages as commands take them: HL7 v2 (one, a bare run, a batch) or FHIR (one Bundle, or one a line), told by the content.

Not here: how a batch is cut (adapters/hl7v2/batch), what a message means.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.hl7v2.batch import split_batch
from adapters.hl7v2.xml_form import is_v2_xml
from app.cli.exits import refused, usage
from app.domain.inbound import Format, Problem

MESSAGE_FILE: Final = "HL7 v2: one message (ER7 or XML), many, or a batch (FHS/BHS); FHIR: one Bundle (JSON or XML), or one a line."
_BLANK: Final = b" \t\r\n"
_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FileMessage:
    """One message, verbatim."""

    format: Format
    body: bytes


@dataclass(frozen=True, slots=True)
class MessageFile:
    """What a file holds; never nothing."""

    messages: Sequence[FileMessage]
    warnings: Sequence[Problem] = ()


def read_content(file: Path) -> bytes:
    """Read a file, or the standard input for -."""
    if str(file) == "-":
        return sys.stdin.buffer.read()
    if not file.is_file():
        raise usage(f"There is no file {file}.", "Name a file with messages.")
    return file.read_bytes()


def read_messages(file: Path, content: bytes | None = None) -> MessageFile:
    """Cut a file into its messages; a file without one is refused."""
    data = read_content(file) if content is None else content
    if data.lstrip(_BLANK + _MARK).startswith(b"<"):
        return MessageFile([FileMessage(Format.ER7 if is_v2_xml(data) else Format.FHIR, data)])
    if data.lstrip(_BLANK).startswith(b"{"):
        return MessageFile([FileMessage(Format.FHIR, body) for body in _bundles(data)])
    batch = split_batch(data)
    if not batch.messages:
        raise refused(
            f"{file} holds no message.",
            "HL7 v2 begins with MSH and a delimiter, such as MSH|^~\\&|, or is XML (<ADT_A01>); a FHIR message is JSON or XML.",
        )
    return MessageFile([FileMessage(Format.ER7, body) for body in batch.messages], batch.warnings)


def _bundles(data: bytes) -> list[bytes]:
    """Give each line where every one is an object by itself, else the whole: a Bundle written over many lines begins only one so."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    is_one_a_line = len(lines) > 1 and all(line.strip(_BLANK).startswith(b"{") and line.strip(_BLANK).endswith(b"}") for line in lines)
    return lines if is_one_a_line else [data]
