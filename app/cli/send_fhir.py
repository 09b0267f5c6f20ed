"""What `handoff send` needs for FHIR messages: where they go, and what an OperationOutcome says about one (DV-8, DV-9)."""

import hashlib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from adapters.fhir.bundle import MessageBundle, read_bundle
from adapters.fhir.forward import Hop, Intermediary, forwarded
from adapters.hl7v2.client import Acknowledgement
from app.api.strict_json import read_strict_json
from app.cli.exits import refused, usage
from app.cli.http_client import HttpAnswer
from app.cli.message_file import FileMessage
from app.domain.inbound import Format
from app.wiring import SystemClock

FHIR_JSON: Final = "application/fhir+json"
FHIR_XML: Final = "application/fhir+xml"
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


def content_type_of(message: bytes) -> str:
    """Tell the form by the content."""
    return FHIR_XML if message.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"<") else FHIR_JSON


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


def passed_on(messages: Sequence[FileMessage], by: str, destination: str, leave_out: frozenset[str]) -> list[FileMessage]:
    """Make of every message what an intermediary passes on (DV-10). Ids follow from the message and the hop: sent again, it is the same."""
    name, _, endpoint = by.partition("|")
    if not name or not endpoint or any(message.format is not Format.FHIR for message in messages):
        raise usage(
            "--forward-as wants NAME|ENDPOINT and a file of FHIR messages.", "For example 'Exchange|https://exchange.example.org/fhir'."
        )
    found = []
    for number, message in enumerate(messages, 1):
        bundle = read_bundle(message.body, read_strict_json)
        made = None
        if isinstance(bundle, MessageBundle):
            hop = Hop(Intermediary(name, endpoint), destination, SystemClock().now(), _ids_of(message.body, f"{by} {destination}"))
            made = forwarded(bundle, hop, leave_out)
        if made is None:
            raise refused(f"Message {number} is no notification; nothing was sent.", "`handoff lint` says what is wrong with it.")
        found.append(FileMessage(Format.FHIR, orjson.dumps(made)))
    return found


def _ids_of(body: bytes, hop: str) -> Callable[[], str]:
    seed = uuid5(NAMESPACE_URL, f"{hashlib.sha256(body).hexdigest()} {hop}")
    numbers = count()
    return lambda: str(uuid5(seed, str(next(numbers))))


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
