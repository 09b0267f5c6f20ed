"""`/hl7v2`: HL7 over HTTP (HOH-1). A message in, its acknowledgement out; HTTP 200 whenever an HL7 answer exists.

Not here: what is accepted (actions/receive), and how bytes are read and acknowledgements written (adapters/hl7v2).
"""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.answers import JsonResponse, ok, plain, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.hl7_bodies import ER7_TYPES, MULTIPART_TYPES, XML_TYPES, answer, er7_answer, message_of, messages_of, wants_xml_of, xml_answer
from app.api.limits import BodyKind
from app.api.problems import ProblemType
from app.api.schemas.hl7v2 import ValidationDocument, validation_json
from app.api.services import Services
from app.domain.inbound import Door, Envelope
from app.domain.viewer import Scope, Viewer
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["hl7v2"])

_CONCURRENT_MAX: Final = 64
"""Messages of one batch that are under way at once: they share commits."""

_EXAMPLE: Final = (
    "MSH|^~\\&|SAMPLE_APP|SAMPLE_HOSPITAL|HANDOFF|HIE|20261118143000-0500||ADT^A03^ADT_A03|MSG00001|P|2.5.1\r"
    "EVN|A03|20261118143000-0500\rPID|1||MRN0001^^^SAMPLE_HOSPITAL^MR||TESTPERSON^ANN||19800101|F\r"
    "PV1|1|I|PSY^101^1||||||||||||||||V0001|||||||||||||||||01||||||||20261110080000-0500|20261118143000-0500\r"
)
_ACK_EXAMPLE: Final = "MSH|^~\\&|HANDOFF|HIE|SAMPLE_APP|SAMPLE_HOSPITAL|20261118143001-0500||ACK^A03^ACK|0001|P|2.5.1\rMSA|AA|MSG00001\r"


_XML_EXAMPLE: Final = (
    '<ADT_A03 xmlns="urn:hl7-org:v2xml"><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.3><HD.1>SAMPLE_APP</HD.1></MSH.3>'
    "<MSH.4><HD.1>SAMPLE_HOSPITAL</HD.1></MSH.4><MSH.7><TS.1>20261118143000-0500</TS.1></MSH.7>"
    "<MSH.9><MSG.1>ADT</MSG.1><MSG.2>A03</MSG.2></MSH.9><MSH.10>MSG00001</MSH.10><MSH.11><PT.1>P</PT.1></MSH.11>"
    "<MSH.12><VID.1>2.5.1</VID.1></MSH.12></MSH><EVN><EVN.2><TS.1>20261118143000-0500</TS.1></EVN.2></EVN>"
    "<PID><PID.3><CX.1>MRN0001</CX.1><CX.4><HD.1>SAMPLE_HOSPITAL</HD.1></CX.4></PID.3></PID>"
    "<PV1><PV1.2>I</PV1.2><PV1.19><CX.1>V0001</CX.1></PV1.19></PV1></ADT_A03>"
)
_XML_ACK_EXAMPLE: Final = (
    '<ACK xmlns="urn:hl7-org:v2xml"><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.10>0001</MSH.10></MSH>'
    "<MSA><MSA.1>AA</MSA.1><MSA.2>MSG00001</MSA.2></MSA></ACK>"
)
_PARTS_ACK_EXAMPLE: Final = "--0001\r\nContent-Type: application/hl7-v2+xml; charset=utf-8\r\n\r\n" + _XML_ACK_EXAMPLE + "\r\n--0001--\r\n"
_PARTS_EXAMPLE: Final = (
    '--sample\r\nContent-Disposition: form-data; name="message"\r\nContent-Type: application/hl7-v2\r\n\r\n'
    + _EXAMPLE
    + "\r\n--sample--\r\n"
)


def _content(media_types: tuple[str, ...], example: str) -> dict[str, Any]:
    examples = {"message": {"value": example}}
    return {media_type: {"schema": {"type": "string"}, "examples": examples} for media_type in media_types}


def _acks(description: str, *, is_batch: bool = False) -> dict[int | str, dict[str, Any]]:
    parts = _content(MULTIPART_TYPES[:1], _PARTS_ACK_EXAMPLE) if is_batch else {}
    return {200: {"description": description, "content": _content(ER7_TYPES, _ACK_EXAMPLE) | _content(XML_TYPES, _XML_ACK_EXAMPLE) | parts}}


def _body(description: str) -> dict[str, Any]:
    content = _content(ER7_TYPES, _EXAMPLE) | _content(XML_TYPES, _XML_EXAMPLE) | _content(MULTIPART_TYPES, _PARTS_EXAMPLE)
    return {"requestBody": {"required": True, "description": description, "content": content}}


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
    openapi_extra=refused(ProblemType.EMPTY_BODY)
    | _body("One message in ER7 (segments end in CR, LF or both) or XML (v2.xml), also as the part of a form."),
)
async def receive_message(request: Request, viewer: Sender, services: FromServices, feed: FeedName = None) -> Response:
    """Take one HL7 v2 message and give its acknowledgement, in XML where the message was XML or Accept asks for it.

    The bytes are committed before a positive acknowledgement leaves. AE and AR are HTTP 200 too, with an ERR segment for every
    problem; the message is kept and can be looked at under `/v1/inbound`. A problem document means that no HL7 answer exists.
    """
    body = await message_of(request)
    answered = await services.receive(_envelope(body, viewer, services, feed))
    return answer(request, answered[1], services.batches)


@router.post(
    "/hl7v2/batch",
    responses=_acks("The acknowledgements in the order of the messages: a batch in ER7, or in XML, several as parts", is_batch=True)
    | plain("Stored, and the one message in XML asks for no acknowledgement (MSH-15 and MSH-16)", status=204),
    openapi_extra=refused(ProblemType.EMPTY_BODY) | _body("FHS/BHS batch, a bare run of messages, one in XML, or several as parts."),
)
async def receive_batch(request: Request, viewer: BatchSender, services: FromServices, feed: FeedName = None) -> Response:
    """Take a batch of HL7 v2 messages (FHS/BHS, a bare run, or parts) and give a batch of acknowledgements.

    Each message is stored and answered by itself: a bad one does not fail the rest. What stands outside every message is kept and
    answered AR, after the messages. A batch without one negative acknowledgement was accepted whole; BTS-2 says what is odd about
    its envelopes, such as another number of messages than its trailer counts. Sent again, every message gets its first answer again.
    Messages that are all in XML are answered in XML, unless Accept asks for ER7: one by its acknowledgement, several by multipart/mixed.
    """
    sent = await messages_of(request)
    batch = services.batches.split(*sent)
    acks: list[bytes] = []
    bodies = batch.messages + batch.strays
    for start in range(0, len(bodies), _CONCURRENT_MAX):
        part = bodies[start : start + _CONCURRENT_MAX]
        answered = await asyncio.gather(*(services.receive(_envelope(body, viewer, services, feed)) for body in part))
        acks.extend(ack for _, ack in answered if ack is not None)
    number = services.ids.new().hex
    if wants_xml_of(request, sent, services.batches):
        return xml_answer(request, acks, services.batches, number)
    joined = services.batches.join(batch, acks, control_id=number[:20], at=services.clock.now())
    return er7_answer(request, joined)


@router.post(
    "/hl7v2/$validate",
    responses=ok(ValidationDocument, "What would become of the message"),
    openapi_extra=refused(ProblemType.EMPTY_BODY) | _body("One message in ER7 or XML, also as the part of a form."),
)
async def validate_message(request: Request, viewer: Sender, services: FromServices, feed: FeedName = None) -> Response:
    """Say what would become of a message, and store nothing.

    The acknowledgement it would get, every problem with its place, the parsed tree, whom it would reach and which clocks it would start.
    """
    rehearsed = await services.validate(_envelope(await message_of(request), viewer, services, feed))
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    return JsonResponse(validation_json(rehearsed, directory, 200 if any(rehearsed.acks) else 204))


def _envelope(body: bytes, viewer: Viewer, services: Services, feed: str | None) -> Envelope:
    return Envelope(body=body, door=Door.HTTP, received_at=services.clock.now(), feed_name=feed, organization_id=viewer.organization_id)
