"""Cuts a multipart body (RFC 2046, RFC 7578) into its parts as they were sent: forms and mixed bodies whose parts are messages.

Linear. What a part holds is kept byte for byte; where mail software wrote it in base64 or quoted-printable, what it stood for. Not
here: what the parts are.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Final

PARTS_MAX: Final = 10_000
"""Our policy: more messages in one request belong into a batch file."""
_HEAD_OCTETS_MAX: Final = 8_192
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n(?![ \t])")
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})
_NO_QUOTED: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*(?:\r?\n|\Z))")
"""In quoted-printable an equals sign stands before two digits or at the end of a line (RFC 2045, 6.7)."""


class MultipartError(ValueError):
    """It is no multipart body that is read here. The message never repeats the body."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body."""

    content_type: str
    """As sent, with its parameters; empty when there is none."""
    body: bytes


def parts_of(content_type: str, body: bytes) -> list[Part]:
    """Cut a body at the boundary that its content type names."""
    said = Message()
    said["content-type"] = content_type
    boundary = said.get_boundary("")
    if _BOUNDARY.fullmatch(boundary) is None:
        msg = "the content type names no boundary of 1 to 70 characters"
        raise MultipartError(msg)
    return list(_cut(body, b"--" + boundary.encode("ascii")))


def _cut(body: bytes, mark: bytes) -> Iterator[Part]:
    # A boundary stands at the beginning of a line, and the line end before it is its own.
    pieces = re.split(rb"(?:\A|\r?\n)" + re.escape(mark) + rb"(?=--|[ \t]*\r?\n)", body)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - what stands before the first boundary, and the last of them
        msg = "the last boundary is missing; the body was cut short, or its boundary is another"
        raise MultipartError(msg)
    if len(pieces) - 2 > PARTS_MAX:
        msg = f"there are more than {PARTS_MAX} parts"
        raise MultipartError(msg)
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return
        yield _part(piece)


def _part(piece: bytes) -> Part:
    line_end = re.match(rb"[ \t]*\r?\n", piece)
    inside = piece[line_end.end() :] if line_end else b""
    # A part without headers begins with the blank line.
    blank = re.match(rb"\r?\n", inside)
    end = blank or _HEAD_END.search(inside, 0, _HEAD_OCTETS_MAX)
    if end is None:
        msg = "a part has no blank line between its headers and its body"
        raise MultipartError(msg)
    headers = {}
    for line in _LINE_END.split(inside[: end.start()]):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = _decoded(inside[end.end() :], headers.get("content-transfer-encoding", "").lower())
    return Part(headers.get("content-type", ""), body)


def _decoded(body: bytes, encoding: str) -> bytes:
    """Undo a transfer encoding, or say why that cannot be done: half a message must not become another one."""
    if encoding in _IDENTITY:
        return body
    if encoding == "base64":
        try:
            return binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
        except binascii.Error:
            msg = "a part says that it is in base64 and is not; send it as it is (binary), or encode all of it"
            raise MultipartError(msg) from None
    if encoding == "quoted-printable":
        if _NO_QUOTED.search(body):
            msg = "a part says that it is quoted-printable and has an equals sign that stands for nothing; send it as it is (binary)"
            raise MultipartError(msg)
        return binascii.a2b_qp(body)
    msg = "a part has a transfer encoding that is not known here; send it as it is (binary), in base64 or quoted-printable"
    raise MultipartError(msg)
