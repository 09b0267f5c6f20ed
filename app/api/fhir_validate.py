"""`/fhir/Bundle/$validate`: what would become of a notification, and nothing stored; the twin of `/hl7v2/$validate`.

FHIR R4, OperationDefinition Resource-validate, on the type. Not here: taking a message (`fhir`), what is accepted (actions/receive).
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from app.api.answers import JsonResponse, refused
from app.api.auth import Access, FromServices
from app.api.fhir import BODY, FeedName, answer_of
from app.api.fhir_xml import FHIR_XML, fhir_answer
from app.api.guard import JSON, GuardedRoute, require_content_type
from app.api.limits import BodyKind
from app.api.operation_outcome import FHIR_JSON, outcome_of_rehearsal, status_of
from app.api.problems import ProblemError, ProblemType
from app.api.schemas.hl7v2 import ValidationDocument, validation_json
from app.api.services import Rehearsed
from app.api.strict_json import StrictJsonError, read_strict_json
from app.domain.directory import Directory
from app.domain.inbound import Answer, Door, Envelope, Format
from app.domain.viewer import Scope, Viewer
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["fhir"])

_KEPT: Final = UUID(int=0)
"""Stands for the number a message would have: only one that cannot be stored has none."""
Sender = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, body=BodyKind.MESSAGE))]

_EXAMPLE: Final = {
    "resourceType": "OperationOutcome",
    "issue": [
        {"severity": "information", "code": "informational", "diagnostics": "It would be answered 200 (AA) and be processed."},
        {"severity": "information", "code": "informational", "diagnostics": "Sample Home, told of discharged: full (responsible)."},
    ],
}


def _answers() -> dict[int | str, dict[str, Any]]:
    found = answer_of("OperationOutcomeDocument", "What would become of the message", _EXAMPLE)
    found[200]["content"][JSON] = {"schema": {"$ref": f"#/components/schemas/{ValidationDocument.__name__}"}}
    return found


@router.post(
    "/fhir/Bundle/$validate",
    responses=_answers(),
    openapi_extra=refused(ProblemType.EMPTY_BODY, ProblemType.MALFORMED_JSON, ProblemType.INVALID) | BODY,
)
async def validate_bundle(request: Request, viewer: Sender, services: FromServices, feed: FeedName = None) -> Response:
    """Say what would become of a notification, and store nothing.

    The body is the Bundle; in JSON also Parameters whose `resource` it is. Answered 200 with every problem and its place, then what
    would follow: the answer, whom it would reach, which clocks it would start. With `Accept: application/json` the same as
    `/hl7v2/$validate` gives.
    """
    media_type = require_content_type(request, (FHIR_JSON, JSON, FHIR_XML))
    envelope = Envelope(
        body=_message(await request.body(), is_xml=media_type == FHIR_XML),
        door=Door.FHIR,
        received_at=services.clock.now(),
        feed_name=feed,
        organization_id=viewer.organization_id,
        format=Format.FHIR,
    )
    rehearsed = await services.validate(envelope)
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    status = status_of(Answer(rehearsed.code, tuple(rehearsed.problems), _KEPT))
    if _wants_our_json(request):
        return JsonResponse(validation_json(rehearsed, directory, status))
    return fhir_answer(request, outcome_of_rehearsal(rehearsed.problems, list(_sentences(rehearsed, directory, status))), 200)


def _message(body: bytes, *, is_xml: bool) -> bytes:
    """Give the resource to look at: the body itself, else the `resource` of Parameters (FHIR R4, Resource-validate)."""
    if not body.strip():
        raise ProblemError(ProblemType.EMPTY_BODY, "Send the Bundle as the body of the request.")
    if is_xml:
        return body
    try:
        document = read_strict_json(body)
    except StrictJsonError as error:
        raise ProblemError(ProblemType.MALFORMED_JSON, f"The body was not read: {error}.") from None
    if not isinstance(document, dict) or document.get("resourceType") != "Parameters":
        return body
    listed = document.get("parameter")
    held = (one for one in listed if isinstance(one, dict) and one.get("name") == "resource") if isinstance(listed, list) else ()
    # Not by orjson: it knows no number beyond 64 bits.
    return json.dumps(next((one.get("resource") for one in held), None)).encode()


def _wants_our_json(request: Request) -> bool:
    accepted = {one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",")}
    return JSON in accepted and FHIR_JSON not in accepted


def _sentences(rehearsed: Rehearsed, directory: Directory, status: int) -> Iterator[str]:
    yield f"It would be answered {status} ({rehearsed.code.value}) and be {rehearsed.outcome.value.replace('_', ' ')}."
    names = {key: one.name for key, one in directory.organizations.items()}
    for reach in rehearsed.reaches:
        reasons = f" ({', '.join(reach.reasons)})" if reach.reasons else ""
        yield f"{names.get(reach.recipient_id, 'An organization')}, told of {reach.kind.value}: {reach.decision}{reasons}."
    for follow_up in rehearsed.follow_ups:
        home = names.get(follow_up.home_id, "An organization") if follow_up.home_id is not None else "No home"
        for clock in follow_up.clocks:
            yield f"{home}, clock {clock['id']}: {clock['state']}, due at {clock['due_at']}."
