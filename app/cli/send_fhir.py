"""What `handoff send` needs for FHIR messages: where they go, and what an OperationOutcome says about one (DV-8, DV-9)."""

from http import HTTPStatus
from typing import Any, Final

import orjson

from adapters.hl7v2.client import Acknowledgement
from app.cli.http_client import HttpAnswer

FHIR_JSON: Final = "application/fhir+json"
_OPERATION: Final = "$process-message"
_OF_THE_MESSAGE: Final = frozenset(
    {
        HTTPStatus.OK,
        HTTPStatus.ACCEPTED,
        HTTPStatus.NO_CONTENT,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers about this message; every other status is about the key, the request or the receiver, and ends the sending."""


def process_message(url: str) -> str:
    """Give the address of the operation: of one that is given whole, of a FHIR base, or of the service."""
    base = url.rstrip("/")
    if base.endswith(_OPERATION):
        return base
    return f"{base}/{_OPERATION}" if base.endswith("/fhir") else f"{base.removesuffix('/hl7v2')}/fhir/{_OPERATION}"


def outcome(answer: HttpAnswer, message: bytes) -> Acknowledgement | None:
    """Read an answer about a message; None for one that is about something else."""
    if answer.status not in _OF_THE_MESSAGE:
        return None
    said = _object(answer.body)
    if said.get("resourceType") != "OperationOutcome" and not answer.is_success:
        return None
    issues = [one for one in said.get("issue", ()) if isinstance(one, dict)]
    errors = tuple(
        (", ".join(map(str, one.get("expression", ()))), str(one.get("diagnostics") or one.get("code") or ""))
        for one in issues
        if one.get("severity") != "information"
    )
    text = " ".join(str(one["diagnostics"]) for one in issues if one.get("severity") == "information" and "diagnostics" in one)
    return Acknowledgement(str(answer.status), str(_object(message).get("id", "")), text, errors, answer.body)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
