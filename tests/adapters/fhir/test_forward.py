"""A notification passed on as an intermediary (DV-10), beside the two that Da Vinci's examples pass on: unchanged and stripped."""

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from adapters.fhir.bundle import MessageBundle, read_bundle
from adapters.fhir.forward import Hop, Intermediary, forwarded
from adapters.fhir.reader import FhirReader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Severity
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import bundle, resource, written

GOLDEN = Path(__file__).parents[2] / "messages" / "fhir"
READER = FhirReader(read_strict_json)
EXCHANGE = Intermediary("Sample Exchange", "https://exchange.example.org/fhir")
Json = dict[str, Any]


def discharge() -> Json:
    document = bundle(
        "A03", "20260306143000-0500", control="F1", admitted="20260302100000-0500", discharged="20260306142500-0500", disposition="01",
        diagnoses=(("F32.2", "F"),),
    )  # fmt: skip
    resource(document, "MessageHeader")["author"] = {"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-000000000004"}
    return document


def pass_on(document: Json, *leave_out: str, first: int = 1) -> Json:
    numbers = count(first)
    cut = read_bundle(written(document), read_strict_json)
    assert isinstance(cut, MessageBundle)
    at = datetime(2026, 3, 6, 20, tzinfo=UTC)
    hop = Hop(EXCHANGE, "https://home.example.org/fhir", at, lambda: f"00000000-0000-0000-0000-{next(numbers):012}")
    made = forwarded(cut, hop, frozenset(leave_out))
    assert made is not None
    Bundle.model_validate(made)
    body = written(made)
    assert [one for one in READER.problems(body, READER.header(body), SENDER) if one.severity is Severity.ERROR] == []
    return made


def agents(made: Json) -> list[str]:
    return [one["type"]["coding"][0]["code"] for one in resource(made, "Provenance")["agent"]]


@pytest.mark.parametrize(("leave_out", "role"), [((), "transmitter"), (("Condition",), "assembler")])
def test_dv_10_it_is_written_so(leave_out: tuple[str, ...], role: str) -> None:
    """DV-10: transmitter where the content is unchanged, assembler where something was left out."""
    made = pass_on(discharge(), *leave_out)
    assert agents(made) == ["author", role]
    assert made == json.loads((GOLDEN / f"forwarded-{role}.json").read_text())


def test_ids_sender_and_destination_are_new_and_the_original_is_untouched() -> None:
    before = discharge()
    made = pass_on(before)
    old, new = resource(before, "MessageHeader"), resource(made, "MessageHeader")
    assert made["id"] != before["id"]
    assert new["id"] != old["id"]
    assert resource(made, "Organization")["name"] == "Sample Exchange"
    assert new["destination"] == [{"endpoint": "https://home.example.org/fhir"}]
    assert [new[name] for name in ("eventCoding", "focus", "author")] == [old[name] for name in ("eventCoding", "focus", "author")]
    assert before == discharge()


def test_the_provenance_resolves_and_names_who_it_was_from() -> None:
    made = pass_on(discharge())
    urls = {one["fullUrl"] for one in made["entry"]}
    provenance = resource(made, "Provenance")
    author, transmitter = provenance["agent"]
    assert {author["who"]["reference"], author["onBehalfOf"]["reference"], transmitter["who"]["reference"]} <= urls
    assert provenance["target"] == [{"reference": made["entry"][0]["fullUrl"]}]


def test_a_second_hop_keeps_the_first_ones_provenance_which_still_leads_to_the_header() -> None:
    made = pass_on(pass_on(discharge()), first=50)
    held = [one["resource"] for one in made["entry"] if one["resource"]["resourceType"] == "Provenance"]
    assert [one["target"] for one in held] == [[{"reference": made["entry"][0]["fullUrl"]}]] * 2


def test_it_is_read_as_the_same_event_but_for_when_it_was_sent() -> None:
    def read(document: Json) -> AdtEvent:
        event = READER.read(written(document), SENDER)
        assert isinstance(event, AdtEvent)
        return event

    was, now = read(discharge()), read(pass_on(discharge()))
    assert (now.trigger, now.occurred_at, now.identifiers, now.person, now.diagnoses) == (
        was.trigger, was.occurred_at, was.identifiers, was.person, was.diagnoses,
    )  # fmt: skip
    assert now.visit == was.visit


def test_what_makes_it_a_notification_stays_whatever_is_left_out() -> None:
    made = pass_on(discharge(), "Patient", "Encounter", "MessageHeader", "Location")
    assert {one["resource"]["resourceType"] for one in made["entry"]} >= {"MessageHeader", "Encounter", "Patient"}
    assert not any(one["resource"]["resourceType"] == "Location" for one in made["entry"])


def test_without_a_sender_its_application_is_the_author() -> None:
    document = discharge()
    for name in ("sender", "author"):
        del resource(document, "MessageHeader")[name]
    assert resource(pass_on(document), "Provenance")["agent"][0]["who"] == {"display": "EPIC"}
