"""`/hl7v2`: HL7 over HTTP (HOH-1). ER7 in, its acknowledgement out; HTTP 200 whenever an HL7 answer exists.

Not here: what is accepted (actions/receive), and how bytes are read and acknowledgements written (adapters/hl7v2).
"""

import asyncio
import codecs
from email.message import Message
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.answers import JsonResponse, ok, plain, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute, media_type_of, require_content_type
from app.api.limits import BodyKind
from app.api.problems import ProblemError, ProblemType
from app.api.schemas.hl7v2 import ValidationDocument, validation_json
from app.api.services import Services
from app.domain.inbound import Door, Envelope
from app.domain.viewer import Scope, Viewer
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["hl7v2"])

CONTENT_TYPES: Final = ("application/hl7-v2", "x-application/hl7-v2+er7", "text/plain")
_ALSO: Final = ("application/hl7-v2+er7", "x-application/hl7-v2")
"""Spellings in the field (HOH-1): the specification's own example, and a common slip."""
_XML: Final = ("application/hl7-v2+xml", "x-application/hl7-v2+xml", "application/xml", "text/xml")
_READABLE: Final = frozenset({"", "ascii", "utf-8", "iso8859-1", "cp1252"})
"""Character sets that the bytes tell by themselves (HL7-4)."""
_WIDE: Final = frozenset({"?", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7"})
"""In these even ASCII bytes mean something else, or nobody knows."""
_CONCURRENT_MAX: Final = 64
"""Messages of one batch that are under way at once: they share commits."""

_EXAMPLE: Final = (
    "MSH|^~\\&|SAMPLE_APP|SAMPLE_HOSPITAL|HANDOFF|HIE|20261118143000-0500||ADT^A03^ADT_A03|MSG00001|P|2.5.1\r"
    "EVN|A03|20261118143000-0500\rPID|1||MRN0001^^^SAMPLE_HOSPITAL^MR||TESTPERSON^ANN||19800101|F\r"
    "PV1|1|I|PSY^101^1||||||||||||||||V0001|||||||||||||||||01||||||||20261110080000-0500|20261118143000-0500\r"
)
_ACK_EXAMPLE: Final = "MSH|^~\\&|HANDOFF|HIE|SAMPLE_APP|SAMPLE_HOSPITAL|20261118143001-0500||ACK^A03^ACK|0001|P|2.5.1\rMSA|AA|MSG00001\r"


def _er7_content(example: str) -> dict[str, Any]:
    examples = {"message": {"value": example}}
    return {media_type: {"schema": {"type": "string"}, "examples": examples} for media_type in CONTENT_TYPES}


def _acks(description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": _er7_content(_ACK_EXAMPLE)}}


def _body(description: str, example: str = _EXAMPLE) -> dict[str, Any]:
    return {"requestBody": {"required": True, "description": description, "content": _er7_content(example)}}


Sender = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, body=BodyKind.MESSAGE))]
BatchSender = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, body=BodyKind.BATCH))]
FeedName = Annotated[
    str | None,
    Query(
        alias="feed",
        max_length=100,
        description="The feed these messages belong to. Left out: MSH-3 and MSH-4 name it, else it is the organization's only one.",
        examples=["feed_0199a4c07c5d7e0fb1d2c3a4e5f60718"],
    ),
]


@router.post(
    "/hl7v2",
    responses=_acks("The acknowledgement, positive or not: MSA-1 says which")
    | plain("Stored, and the message asks for no acknowledgement (MSH-15 and MSH-16)", status=204),
    openapi_extra=refused(ProblemType.EMPTY_BODY) | _body("One ER7 message; segments end in CR, LF or both."),
)
async def receive_message(request: Request, viewer: Sender, services: FromServices, feed: FeedName = None) -> Response:
    """Take one HL7 v2 message and give its acknowledgement.

    The bytes are committed before a positive acknowledgement leaves. AE and AR are HTTP 200 too, with an ERR segment for every
    problem; the message is kept and can be looked at under `/v1/inbound`. A problem document means that no HL7 answer exists.
    """
    media_type, body = _content_type(request), await _octets(request)
    answered = await services.receive(_envelope(body, viewer, services, feed))
    return _er7(answered[1], media_type)


@router.post(
    "/hl7v2/batch",
    responses=_acks("A batch of acknowledgements, in the order of the messages"),
    openapi_extra=refused(ProblemType.EMPTY_BODY) | _body("FHS/BHS batch, or a bare run of messages."),
)
async def receive_batch(request: Request, viewer: BatchSender, services: FromServices, feed: FeedName = None) -> Response:
    """Take a batch of HL7 v2 messages (FHS/BHS, or a bare run) and give a batch of acknowledgements.

    Each message is stored and answered by itself: a bad one does not fail the rest. What stands outside every message is kept and
    answered AR, after the messages. A batch without one negative acknowledgement was accepted whole; BTS-2 says what is odd about
    its envelopes, such as another number of messages than its trailer counts. Sent again, every message gets its first answer again.
    """
    media_type = _content_type(request)
    batch = services.batches.split(await _octets(request))
    acks: list[bytes] = []
    bodies = batch.messages + batch.strays
    for start in range(0, len(bodies), _CONCURRENT_MAX):
        part = bodies[start : start + _CONCURRENT_MAX]
        answered = await asyncio.gather(*(services.receive(_envelope(body, viewer, services, feed)) for body in part))
        acks.extend(ack for _, ack in answered if ack is not None)
    joined = services.batches.join(batch, acks, control_id=services.ids.new().hex[:20], at=services.clock.now())
    return _er7(joined, media_type)


@router.post(
    "/hl7v2/$validate",
    responses=ok(ValidationDocument, "What would become of the message"),
    openapi_extra=refused(ProblemType.EMPTY_BODY) | _body("One ER7 message."),
)
async def validate_message(request: Request, viewer: Sender, services: FromServices, feed: FeedName = None) -> Response:
    """Say what would become of a message, and store nothing.

    The acknowledgement it would get, every problem with its place, the parsed tree, whom it would reach and which clocks it would start.
    """
    _content_type(request)
    rehearsed = await services.validate(_envelope(await _octets(request), viewer, services, feed))
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    return JsonResponse(validation_json(rehearsed, directory, _er7(b"".join(rehearsed.acks) or None, CONTENT_TYPES[0]).status_code))


def _content_type(request: Request) -> str:
    """Give the content type, or raise 415; of HL7 v2 in XML with what to send instead (HOH-1: no HL7 answer exists)."""
    if media_type_of(request) in _XML:
        detail = f"HL7 v2 in XML is not read here. Send ER7 (segments with delimiters) as {CONTENT_TYPES[0]}."
        raise ProblemError(
            ProblemType.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Post": ", ".join(CONTENT_TYPES), "Connection": "close"}
        )
    return require_content_type(request, CONTENT_TYPES + _ALSO)


def _charset(request: Request) -> str:
    """Give the character set of the content type as Python names it; empty for none, "?" for one that nobody knows."""
    said = Message()
    said["content-type"] = request.headers.get("content-type", "")
    named = said.get_param("charset")
    try:
        return codecs.lookup(named).name if isinstance(named, str) and named else ""
    except LookupError:
        return "?"


async def _octets(request: Request) -> bytes:
    body = await request.body()
    charset = _charset(request)
    if charset not in _READABLE and (charset in _WIDE or not body.isascii()):
        # The bytes are kept without this header, and would be read as something else.
        raise ProblemError(ProblemType.UNSUPPORTED_MEDIA_TYPE, "Send the message in UTF-8, as HL7 over HTTP demands.")
    if not body.strip(b"\x0b\x1c\r\n \t"):
        raise ProblemError(ProblemType.EMPTY_BODY, "Send the message as the body of the request.")
    return body


def _envelope(body: bytes, viewer: Viewer, services: Services, feed: str | None) -> Envelope:
    return Envelope(body=body, door=Door.HTTP, received_at=services.clock.now(), feed_name=feed, organization_id=viewer.organization_id)


def _er7(ack: bytes | None, media_type: str) -> Response:
    if ack is None:
        return Response(status_code=204)
    return Response(ack, media_type=f"{media_type}; charset=utf-8")
