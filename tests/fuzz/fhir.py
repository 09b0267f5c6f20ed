"""What must hold of FHIR whatever the bytes are: JSON read strictly, and the reader of notification messages."""

import json
from contextlib import suppress
from typing import Any

from adapters.fhir.reader import FhirReader
from app.api.strict_json import StrictJsonError, read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Severity
from tests.adapters.hl7v2.support import FEED

READER = FhirReader(read_strict_json)


def spend_on_json(data: bytes) -> None:
    """Read one document."""
    with suppress(StrictJsonError):
        read_strict_json(data)


def strict_json(data: bytes) -> None:
    """Only the declared error; what is taken is what another parser reads, and can be written and read again (RFC 8259, RFC 7493)."""
    try:
        value = read_strict_json(data)
    except StrictJsonError:
        return
    assert value == json.loads(data)
    assert read_strict_json(json.dumps(value, ensure_ascii=False).encode()) == value
    _storable(value)


def _storable(value: Any) -> None:
    if isinstance(value, str):
        assert "\x00" not in value
        value.encode()
    elif isinstance(value, dict):
        for name, item in value.items():
            _storable(name)
            _storable(item)
    elif isinstance(value, list):
        for item in value:
            _storable(item)


def spend_on_reader(data: bytes) -> None:
    """Take one message and interpret it."""
    READER.problems(data, READER.header(data), FEED)
    READER.read(data, FEED)


def reader(data: bytes) -> None:
    """A message is read or refused with its place, and what `problems` passes `read` can read (DV-1..13)."""
    header = READER.header(data)
    problems = READER.problems(data, header, FEED)
    found = READER.read(data, FEED)
    READER.notes(data, FEED)
    has_errors = any(problem.severity is Severity.ERROR for problem in problems)
    if header.readable and not has_errors and READER.is_supported(header.trigger):
        assert isinstance(found, AdtEvent), "acceptance and reading differ"
        assert found.identifiers
        assert found.occurred_at.tzinfo is not None
    if has_errors:
        assert not isinstance(found, AdtEvent)
