"""Answers: JSON written by orjson, problem documents, and what every answer of the published contract says about itself."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from app.api.fhir_xml import fhir_answer
from app.api.operation_outcome import FHIR_JSON, outcome_of_problem, speaks_fhir
from app.api.problems import MEDIA_TYPE, ProblemType, problem_document


class JsonResponse(Response):
    """JSON by orjson: instants become RFC 3339 with their offset."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON value
        """Write the body."""
        return orjson.dumps(content)


class ProblemResponse(Response):
    """A problem document."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON value
        """Write the body."""
        return orjson.dumps(content)


class FhirResponse(Response):
    """A FHIR resource in JSON."""

    media_type = FHIR_JSON

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON value
        """Write the body."""
        return orjson.dumps(content)


NO_CONTENT: Final = 204


def no_content() -> Response:
    """Say that it is done and there is nothing to add."""
    return Response(status_code=NO_CONTENT)


def created(document: Mapping[str, Any], location: str) -> JsonResponse:
    """Answer 201 with the new thing and where it is."""
    return JsonResponse(document, status_code=201, headers={"Location": location})


def trace_id_of(request: Request) -> str:
    """Give the trace id that the doorman made or took over."""
    trace_id: str = request.scope["handoff.trace_id"]
    return trace_id


def problem_response(
    request: Request,
    problem: ProblemType,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - the optional members of problem_document
) -> Response:
    """Give a problem as a response: to a FHIR client as an OperationOutcome."""
    document = problem_document(problem, detail, trace_id_of(request), status=status, **more)
    if speaks_fhir(request.scope["path"]):
        return fhir_answer(request, outcome_of_problem(document), document["status"], headers)
    return ProblemResponse(document, status_code=document["status"], headers=dict(headers or {}))


def ok(model: type[BaseModel], description: str, *, status: int = 200, example: Any = None) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """Document a JSON answer by the model of its body."""
    content = {} if example is None else {"application/json": {"examples": {"typical": {"value": example}}}}
    return {status: {"model": model, "description": description, **({"content": content} if content else {})}}


def plain(
    description: str, *, status: int = 200, media_type: str | None = None, schema: Mapping[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is not JSON, or has no body."""
    answer: dict[str, Any] = {"description": description}
    if media_type is not None:
        answer["content"] = {media_type: {"schema": dict(schema or {"type": "string"})}}
    return {status: answer}


def refused(*problems: ProblemType) -> dict[str, Any]:
    """Document the problems that are particular to a route, as its `openapi_extra`; the contract makes answers of them.

    Those that every route shares are added by the contract itself.
    """
    return {"x-problems": [problem.name for problem in problems]}
