"""The published contract: FastAPI's document with what every route shares: the key, the common problems, the webhooks.

`openapi/openapi.json` is this document as committed; a test and `make check` compare them. Not here: what single routes say.
"""

from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.fhir_xml import FHIR_XML
from app.api.operation_outcome import FHIR_JSON, outcome_of_problem, speaks_fhir
from app.api.problems import MEDIA_TYPE, ProblemType
from app.api.schemas.common import ProblemDocument
from app.api.schemas.fhir import CapabilityStatementDocument, OperationOutcomeDocument

TITLE: Final = "Warm Handoff"
CONTRACT_VERSION: Final = "0.1.0"
"""Of the contract, not of the software: raised with every change of it (openapi/changes.md)."""
SUMMARY: Final = "ADT in; the responsible health home told, followed up and accounted for."
DESCRIPTION: Final = """
Every request but `/healthz`, `/readyz`, `/metrics`, `/docs`, `/openapi.json` and `/fhir/metadata` carries
`Authorization: Bearer <key>`; a key belongs to an organization and carries scopes
(`x-required-scopes` of an operation: any one of them is enough).

Errors are `application/problem+json` (RFC 9457) with a stable `type`, pointers to the fields and a `trace_id`, which every answer also
carries as `X-Trace-Id`; under `/fhir` they are FHIR OperationOutcomes.
A thing of another organization is answered like one that does not exist.

Instants are RFC 3339 with an offset, dates are ISO 8601. Ids are a prefix and 32 hexadecimal digits (`enc_…`); a bare UUID is read too.
Lists are `{"items": [...], "next": cursor}`: pass `next` back as `after`. Answers may grow fields; ignore those you do not know.
"""
_METHODS: Final = ("get", "put", "post", "delete", "patch")
_SECURITY: Final = {"bearer": {"type": "http", "scheme": "bearer", "description": "A key as `POST /v1/keys` gave it."}}
_TRACE_HEADER: Final = {"X-Trace-Id": {"$ref": "#/components/headers/X-Trace-Id"}}
_ERROR_MIN: Final = 400
_JSON: Final = "application/json"
EXAMPLES: Final = Path(__file__).with_name("examples.json")
"""Operation -> a request and an answer as the service really gave it, about synthetic people."""


def contract(application: FastAPI) -> dict[str, Any]:
    """Build the document of an application."""
    document = get_openapi(
        title=TITLE,
        version=application.version,
        openapi_version="3.1.0",
        summary=SUMMARY,
        description=DESCRIPTION.strip(),
        routes=application.routes,
        webhooks=application.webhooks.routes,
        tags=application.openapi_tags,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document["components"]
    components["securitySchemes"] = _SECURITY
    components["headers"] = {
        "X-Trace-Id": {"description": "What an operator finds this request by.", "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}
    }
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (ProblemDocument, OperationOutcomeDocument, CapabilityStatementDocument):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    components["schemas"] = dict(sorted(schemas.items()))
    examples = orjson.loads(EXAMPLES.read_bytes())
    components["responses"] = {one.name: _answer([one]) for one in ProblemType}
    for operations in document.get("webhooks", {}).values():
        operations["post"]["responses"].pop("422", None)
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(operations[method], path)
                _with_examples(operations[method], examples)
    return document


def _shared_problems(operation: dict[str, Any], path: str) -> list[ProblemType]:
    """List the answers that the guard, the doorman and the handlers give for every operation of its kind."""
    shared: list[ProblemType] = []
    if "security" in operation:
        shared += [ProblemType.UNAUTHENTICATED, ProblemType.RATE_LIMITED, ProblemType.DEFECT, ProblemType.UNAVAILABLE]
    if operation.get("x-required-scopes"):
        shared.append(ProblemType.MISSING_SCOPE)
    if "{" in path:
        shared.append(ProblemType.NOT_FOUND)
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        shared += [ProblemType.TOO_SLOW, ProblemType.TOO_LARGE, ProblemType.UNSUPPORTED_MEDIA_TYPE]
    if "application/json" in body:
        shared += [ProblemType.MALFORMED_JSON, ProblemType.INVALID]
    if any(parameter["in"] != "path" for parameter in operation.get("parameters", [])):
        shared.append(ProblemType.INVALID)
    return shared


def _with_examples(operation: dict[str, Any], examples: dict[str, dict[str, Any]]) -> None:
    """Put the examples of the operation beside its schemas."""
    name = operation["operationId"]
    if name in examples["requests"]:
        operation["requestBody"]["content"][_JSON]["examples"] = {"typical": {"value": examples["requests"][name]}}
    if name in examples["responses"]:
        success = min(operation["responses"])
        operation["responses"][success]["content"][_JSON]["examples"] = {"typical": {"value": examples["responses"][name]}}


def _complete(operation: dict[str, Any], path: str) -> None:
    responses: dict[str, Any] = operation["responses"]
    # FastAPI's own description of validation errors is not what we answer.
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    problems: dict[str, list[ProblemType]] = {}
    for problem in [*_shared_problems(operation, path), *(ProblemType[name] for name in operation.pop("x-problems", ()))]:
        listed = problems.setdefault(str(int(problem.status)), [])
        if problem not in listed:
            listed.append(problem)
    for status, answer in responses.items():
        if int(status) < _ERROR_MIN:
            answer.setdefault("headers", {}).update(_TRACE_HEADER)
    for status, found in problems.items():
        if status not in responses:
            is_shared = len(found) == 1 and not speaks_fhir(path)
            responses[status] = {"$ref": f"#/components/responses/{found[0].name}"} if is_shared else _answer(found, path)
    operation["responses"] = dict(sorted(responses.items()))


def _answer(problems: list[ProblemType], path: str = "") -> dict[str, Any]:
    """Describe an answer that is any one of these problems, in the words of the face that the path belongs to."""
    examples = {problem.name.lower().replace("_", "-"): {"value": _example(problem)} for problem in problems}
    media_type, schema = MEDIA_TYPE, "ProblemDocument"
    if speaks_fhir(path):
        media_type, schema = FHIR_JSON, "OperationOutcomeDocument"
        examples = {name: {"value": outcome_of_problem(example["value"])} for name, example in examples.items()}
    in_xml = {FHIR_XML: {"schema": {"type": "string"}}} if speaks_fhir(path) else {}
    return {
        "description": "; or: ".join(problem.title for problem in problems),
        "headers": dict(_TRACE_HEADER),
        "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}, "examples": examples}, **in_xml},
    }


def _example(problem: ProblemType) -> dict[str, Any]:
    return {
        "type": problem.urn,
        "title": problem.title,
        "status": int(problem.status),
        "detail": f"{problem.title}.",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
