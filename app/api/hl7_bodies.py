"""HL7 v2 over HTTP as bodies: content types in and out, character sets, and the messages of a multipart body (HOH-1).

The bytes of a message are taken as they were sent; which encoding they are in they tell themselves, whatever the content type says. An
answer is in the encoding that is asked for (Accept), else in that of the message or messages; XML knows no batch, so several
acknowledgements in XML are parts. Not here: what is accepted (actions/receive).
"""

import codecs
from collections.abc import Sequence
from email.message import Message
from typing import Final

from fastapi import Request, Response

from app.api.guard import media_type_of, require_content_type
from app.api.multipart import MultipartError, Part, parts_of
from app.api.problems import ProblemError, ProblemType
from app.api.services import BatchCodec

ER7_TYPES: Final = ("application/hl7-v2", "x-application/hl7-v2+er7", "text/plain")
_ALSO_ER7: Final = ("application/hl7-v2+er7", "x-application/hl7-v2")
"""Spellings in the field (HOH-1): the specification's own example, and a common slip."""
XML_TYPES: Final = ("application/hl7-v2+xml", "x-application/hl7-v2+xml", "application/xml", "text/xml")
MULTIPART_TYPES: Final = ("multipart/mixed", "multipart/form-data")
CONTENT_TYPES: Final = (*ER7_TYPES, *XML_TYPES, *MULTIPART_TYPES)
_ACCEPTED: Final = (*CONTENT_TYPES, *_ALSO_ER7)
_OF_PARTS: Final = frozenset({"", "application/octet-stream", *ER7_TYPES, *_ALSO_ER7, *XML_TYPES})
"""A form says application/octet-stream of a file that it does not know."""
_READABLE: Final = frozenset({"", "ascii", "utf-8", "iso8859-1", "cp1252"})
"""Character sets that the bytes tell by themselves (HL7-4)."""
_WIDE: Final = frozenset({"?", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7"})
"""In these even ASCII bytes mean something else, or nobody knows."""


async def messages_of(request: Request) -> list[bytes]:
    """Give the bodies that a request brings, each as it was sent: one, or those of the parts. Raises what refuses them."""
    media_type = require_content_type(request, _ACCEPTED)
    content_type, body = request.headers.get("content-type", ""), await request.body()
    if media_type not in MULTIPART_TYPES:
        return [_octets(content_type, body)]
    try:
        parts = parts_of(content_type, body)
    except MultipartError as error:
        raise ProblemError(ProblemType.INVALID, f"The parts were not read: {error}.") from None
    if not parts:
        raise ProblemError(ProblemType.EMPTY_BODY, "Send each message as a part of the body.")
    return [_octets(part.content_type, _of_known_type(part).body) for part in parts]


async def message_of(request: Request) -> bytes:
    """Give the one body that a request brings."""
    bodies = await messages_of(request)
    if len(bodies) > 1:
        raise ProblemError(ProblemType.INVALID, "There is more than one part; send several messages to /hl7v2/batch.")
    return bodies[0]


def _of_known_type(part: Part) -> Part:
    if part.content_type.partition(";")[0].strip().lower() in _OF_PARTS:
        return part
    detail = f"A part has another content type than a message has; send it as {ER7_TYPES[0]} or {XML_TYPES[0]}."
    raise ProblemError(ProblemType.UNSUPPORTED_MEDIA_TYPE, detail)


def _octets(content_type: str, body: bytes) -> bytes:
    charset = _charset(content_type)
    if charset not in _READABLE and (charset in _WIDE or not body.isascii()):
        # The bytes are kept without this header, and would be read as something else.
        raise ProblemError(ProblemType.UNSUPPORTED_MEDIA_TYPE, "Send the message in UTF-8, as HL7 over HTTP demands.")
    if not body.strip(b"\x0b\x1c\r\n \t"):
        raise ProblemError(ProblemType.EMPTY_BODY, "Send the message as the body of the request.")
    return body


def _charset(content_type: str) -> str:
    """Give the character set of the content type as Python names it; empty for none, "?" for one that nobody knows."""
    said = Message()
    said["content-type"] = content_type
    named = said.get_param("charset")
    try:
        return codecs.lookup(named).name if isinstance(named, str) and named else ""
    except LookupError:
        return "?"


def answer(request: Request, ack: bytes | None, codec: BatchCodec) -> Response:
    """Give the acknowledgement under the content type of the request, or under another where the encoding asked for is another."""
    if ack is None:
        return Response(status_code=204)
    wants_xml = _wants_xml(request)
    if wants_xml is not None:
        ack = codec.in_xml(ack) if wants_xml else codec.in_er7(ack)
    types = XML_TYPES if codec.is_xml(ack) else (*ER7_TYPES, *_ALSO_ER7)
    said = media_type_of(request)
    named = [said, *_accepted(request)] if wants_xml is None else [*_accepted(request), said]
    return Response(ack, media_type=f"{next((one for one in named if one in types), types[0])}; charset=utf-8")


def er7_answer(request: Request, acks: bytes) -> Response:
    """Give a batch of acknowledgements in ER7."""
    said = media_type_of(request)
    return Response(acks, media_type=f"{said if said in (*ER7_TYPES, *_ALSO_ER7) else ER7_TYPES[0]}; charset=utf-8")


def wants_xml_of(request: Request, bodies: Sequence[bytes], codec: BatchCodec) -> bool:
    """Tell whether messages are answered in XML: it is asked for, or all of them are in XML and nothing else is asked for (HOH-1)."""
    wants_xml = _wants_xml(request)
    return all(codec.is_xml(body) for body in bodies) if wants_xml is None else wants_xml


def xml_answer(request: Request, acks: Sequence[bytes], codec: BatchCodec, boundary: str) -> Response:
    """Give acknowledgements in XML: one as it is, several as the parts of a body, none as nothing."""
    if len(acks) <= 1:
        said = [*_accepted(request), media_type_of(request)]
        media_type = next((one for one in said if one in XML_TYPES), XML_TYPES[0])
        return Response(codec.in_xml(acks[0]), media_type=f"{media_type}; charset=utf-8") if acks else Response(status_code=204)
    head = f"--{boundary}\r\nContent-Type: {XML_TYPES[0]}; charset=utf-8\r\n\r\n".encode()
    parts = b"".join(head + codec.in_xml(ack) + b"\r\n" for ack in acks)
    return Response(parts + f"--{boundary}--\r\n".encode(), media_type=f"{MULTIPART_TYPES[0]}; boundary={boundary}")


def _wants_xml(request: Request) -> bool | None:
    """Tell which encoding is asked for; None where it is neither or both."""
    accepted = _accepted(request)
    xml, er7 = any(one in XML_TYPES for one in accepted), any(one in (*ER7_TYPES, *_ALSO_ER7) for one in accepted)
    return xml if xml != er7 else None


def _accepted(request: Request) -> Sequence[str]:
    return [one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",")]
