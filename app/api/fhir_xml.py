"""OperationOutcomes in the form that is asked for, JSON or XML (DV-12). Not here: what they say, and reading XML (adapters/fhir)."""

from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import orjson
from fastapi import Request, Response

from app.api.operation_outcome import FHIR_JSON

FHIR_XML: Final = "application/fhir+xml"


def fhir_answer(request: Request, outcome: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Give an outcome in the form that is asked for, else in that of the request."""
    if not _wants_xml(request):
        return Response(orjson.dumps(outcome), status_code=status, media_type=FHIR_JSON, headers=dict(headers or {}))
    kind = outcome["resourceType"]
    inside = "".join(_element(name, value) for name, value in outcome.items() if name != "resourceType")
    text = f'<?xml version="1.0" encoding="UTF-8"?><{kind} xmlns="http://hl7.org/fhir">{inside}</{kind}>'
    return Response(text, status_code=status, media_type=FHIR_XML, headers=dict(headers or {}))


def _wants_xml(request: Request) -> bool:
    accepted = {one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "*/*").split(",")}
    if FHIR_XML in accepted or FHIR_JSON in accepted:
        return FHIR_XML in accepted and FHIR_JSON not in accepted
    return "*/*" in accepted and request.headers.get("content-type", "").partition(";")[0].strip().lower() == FHIR_XML


def _element(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_element(inner, one) for inner, one in value.items())}</{name}>"
    return f"<{name} value={quoteattr(str(value))}/>"
