"""`/fhir`: notifications as FHIR messages (Da Vinci Unsolicited Notifications), and what this face can do.

Every error under this path is an OperationOutcome, those of the guard and of the doorman too. Not here: what is accepted
(actions/receive), and how a bundle is read (adapters/fhir).
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.answers import FhirResponse, refused
from app.api.auth import Access, FromServices
from app.api.fhir_xml import FHIR_XML, fhir_answer
from app.api.guard import JSON, GuardedRoute, require_content_type
from app.api.limits import BodyKind
from app.api.operation_outcome import FHIR_JSON, outcome_of_answer, status_of
from app.api.problems import ProblemError, ProblemType
from app.domain.inbound import Door, Envelope, Format
from app.domain.viewer import Scope, Viewer

router = APIRouter(route_class=GuardedRoute, tags=["fhir"])

_RETRY_AFTER_S: Final = "2"
_UNAVAILABLE: Final = 503

_EXAMPLE: Final[dict[str, Any]] = {
    "resourceType": "Bundle",
    "id": "sample-0001",
    "type": "message",
    "timestamp": "2026-11-18T14:30:00-05:00",
    "entry": [
        {
            "fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60701",
            "resource": {
                "resourceType": "MessageHeader",
                "id": "sample-0001-header",
                "eventCoding": {
                    "system": "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event",
                    "code": "notification-discharge",
                },
                "source": {"name": "SAMPLE_APP", "endpoint": "https://ehr.example.org/fhir"},
                "sender": {"display": "SAMPLE_HOSPITAL"},
                "focus": [{"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60702"}],
            },
        },
        {
            "fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60702",
            "resource": {
                "resourceType": "Encounter",
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                "identifier": [{"value": "V0001"}],
                "subject": {"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60703"},
                "period": {"start": "2026-11-10T08:00:00-05:00", "end": "2026-11-18T14:25:00-05:00"},
                "hospitalization": {
                    "dischargeDisposition": {
                        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "home"}]
                    }
                },
            },
        },
        {
            "fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60703",
            "resource": {
                "resourceType": "Patient",
                "identifier": [
                    {
                        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
                        "value": "MRN0001",
                    }
                ],
                "name": [{"family": "Testperson", "given": ["Ann"]}],
                "gender": "female",
                "birthDate": "1980-01-01",
            },
        },
    ],
}
_XML_EXAMPLE: Final = (
    '<Bundle xmlns="http://hl7.org/fhir"><id value="sample-0001"/><type value="message"/><timestamp value="2026-11-18T14:30:00-05:00"/>'
    "<entry><resource><MessageHeader>...</MessageHeader></resource></entry></Bundle>"
)
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A Bundle of type message whose first entry is the MessageHeader.",
        "content": {
            media_type: {"schema": {"type": "object"}, "examples": {"discharge": {"value": _EXAMPLE}}} for media_type in (FHIR_JSON, JSON)
        }
        | {FHIR_XML: {"schema": {"type": "string"}, "examples": {"discharge": {"value": _XML_EXAMPLE}}}},
    }
}
_STORED_EXAMPLE: Final = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "information",
            "code": "informational",
            "diagnostics": "Stored; it is worked on now. It can be looked at under /v1/inbound/msg_0199a4c07c5d7e0fb1d2c3a4e5f60718.",
        }
    ],
}


def answer_of(schema: str, description: str, example: Any = None) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """Document an answer in FHIR by the schema of the contract."""
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if example is not None:
        content["examples"] = {"typical": {"value": example}}
    in_xml = {} if schema == "CapabilityStatementDocument" else {FHIR_XML: {"schema": {"type": "string"}}}
    return {200: {"description": description, "content": {FHIR_JSON: content, **in_xml}}}


Sender = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, body=BodyKind.MESSAGE))]
FeedName = Annotated[
    str | None,
    Query(
        alias="feed",
        max_length=100,
        description="The feed this message belongs to. Left out: MessageHeader.source (endpoint or name) and sender (name or identifier) "
        "name it as they would MSH-3 and MSH-4, else it is the organization's only one.",
        examples=["feed_0199a4c07c5d7e0fb1d2c3a4e5f60718"],
    ),
]


@router.post(
    "/fhir/$process-message",
    responses=answer_of("OperationOutcomeDocument", "Stored and acceptable; warnings say what is doubtful", _STORED_EXAMPLE),
    openapi_extra=refused(ProblemType.EMPTY_BODY, ProblemType.MALFORMED_JSON, ProblemType.NOT_FOUND, ProblemType.INVALID) | BODY,
)
async def process_message(request: Request, viewer: Sender, services: FromServices, feed: FeedName = None) -> Response:
    """Take one FHIR notification message.

    The bytes are committed before 200 leaves. Refused messages are kept too: 400 is no Bundle in strict JSON, 404 no feed of this sender,
    422 breaks a rule, and each issue has the FHIRPath of the place. Sent again, a message gets its first answer again. `async` and
    `response-url` are not used; no response message is sent (DV-1).
    """
    require_content_type(request, (FHIR_JSON, JSON, FHIR_XML))
    body = await request.body()
    if not body.strip():
        raise ProblemError(ProblemType.EMPTY_BODY, "Send the Bundle as the body of the request.")
    envelope = Envelope(
        body=body,
        door=Door.FHIR,
        received_at=services.clock.now(),
        feed_name=feed,
        organization_id=viewer.organization_id,
        format=Format.FHIR,
    )
    answer, _ = await services.receive(envelope)
    status = status_of(answer)
    headers = {"Retry-After": _RETRY_AFTER_S} if status == _UNAVAILABLE else None
    return fhir_answer(request, outcome_of_answer(answer), status, headers)


@router.get("/fhir/metadata", responses=answer_of("CapabilityStatementDocument", "What this face can do, and nothing else"))
async def metadata(services: FromServices) -> Response:
    """Give the CapabilityStatement: which messages are taken, in which formats and profiles. Open to everybody."""
    return FhirResponse(services.capabilities())
