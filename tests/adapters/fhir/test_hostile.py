"""Hostile messages, without a server: of one mind in rooms 2 and 3, within a second of CPU a megabyte, and no value repeated."""

from collections.abc import Sequence

import pytest

from adapters.fhir.reader import FhirReader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Problem, Severity
from tests.adapters.fhir.test_twins import SENDER
from tests.support.cost import allowed_s, within
from tests.support.hostile import CANARY, HOSTILE, body_of

READER = FhirReader(read_strict_json)


@pytest.mark.parametrize("name", HOSTILE)
def test_it_costs_little_and_both_rooms_agree(name: str) -> None:
    READER.warm()
    body = body_of(name)

    def read() -> tuple[Sequence[Problem], AdtEvent | Sequence[Problem]]:
        header = READER.header(body)
        problems = [header.fault] if header.fault is not None else list(READER.problems(body, header, SENDER))
        return problems, READER.read(body, SENDER)

    problems, event = within(allowed_s(body), read)
    errors = [one for one in problems if one.severity is Severity.ERROR]
    assert isinstance(event, AdtEvent) is not bool(errors)
    assert bool(errors) is (HOSTILE[name][1] != 200)
    assert all(one.location.startswith("Bundle") for one in errors)
    assert CANARY not in repr(problems)
