"""The contract itself: committed as it is served, complete, and the same as the files that it is shown with."""

import hashlib
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.api import docs
from app.api.application import openapi_document
from app.api.contract import EXAMPLES
from app.domain.viewer import Scope
from tests.api import contract

ROOT = Path(__file__).parents[2]
OPERATIONS = [pytest.param(contract.operation_of(method, path), id=f"{method} {path}") for method, path in contract.OPERATIONS]
STABLE_PATHS = [
    "POST /hl7v2", "POST /hl7v2/batch", "POST /hl7v2/$validate", "POST /fhir/$process-message", "GET /fhir/metadata",
    "POST /fhir/Bundle/$validate",
    "POST /v1/organizations", "GET /v1/organizations",
    "GET /v1/organizations/{organization_id}", "POST /v1/feeds", "GET /v1/feeds", "POST /v1/keys",
    "POST /v1/panels/{organization_id}/uploads", "GET /v1/panels/{organization_id}/uploads/{upload_id}/rejected.csv",
    "GET /v1/panels/{organization_id}/members", "GET /v1/inbound", "GET /v1/inbound/{message_id}", "GET /v1/inbound/{message_id}/trace",
    "POST /v1/inbound/{message_id}/replay", "GET /v1/encounters", "GET /v1/encounters/{encounter_id}", "POST /v1/encounters",
    "GET /v1/notifications", "GET /v1/notifications/stream", "GET /v1/notifications/{notification_id}",
    "GET /v1/notifications/{notification_id}/why", "POST /v1/notifications/{notification_id}/acknowledge", "POST /v1/subscriptions",
    "GET /v1/subscriptions", "GET /v1/subscriptions/{subscription_id}", "POST /v1/subscriptions/{subscription_id}/test",
    "POST /v1/subscriptions/{subscription_id}/pause", "POST /v1/subscriptions/{subscription_id}/resume",
    "POST /v1/subscriptions/{subscription_id}/rotate-secret", "GET /v1/subscriptions/{subscription_id}/deliveries",
    "POST /v1/subscriptions/{subscription_id}/redrive", "GET /v1/follow-ups", "GET /v1/follow-ups/{follow_up_id}",
    "POST /v1/follow-ups/{follow_up_id}/contacts", "POST /v1/contacts/{contact_id}/void", "POST /v1/follow-ups/{follow_up_id}/assign",
    "POST /v1/follow-ups/{follow_up_id}/close", "GET /v1/members", "POST /v1/members/search", "GET /v1/members/{person_id}/follow-ups",
    "GET /v1/feeds/{feed_id}/health", "GET /v1/feeds/health", "GET /v1/feeds/{feed_id}/scorecard.csv",
    "POST /v1/inbound/search", "GET /v1/documents/unfiled", "GET /v1/inbound/set-aside", "POST /v1/inbound/replay",
    "GET /healthz", "GET /readyz", "GET /metrics", "GET /docs", "GET /openapi.json",
]  # fmt: skip
"""The public interface that must stay: this list only grows."""


def test_the_committed_contract_is_the_one_that_is_served() -> None:
    committed = orjson.loads((ROOT / "openapi/openapi.json").read_bytes())
    assert committed == orjson.loads(orjson.dumps(openapi_document())), "run: .venv/bin/python -m app.api > openapi/openapi.json"


def test_the_version_of_the_contract_has_an_entry() -> None:
    assert f"## {contract.DOCUMENT['info']['version']}\n" in (ROOT / "openapi/changes.md").read_text()


def test_every_path_that_must_stay_is_there() -> None:
    assert set(STABLE_PATHS) - {f"{method} {path}" for method, path in contract.OPERATIONS} == set()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_explains_itself(operation: dict[str, Any]) -> None:
    assert len(operation["description"]) > 10
    assert operation["operationId"]
    for parameter in operation.get("parameters", []):
        if parameter["in"] != "path":
            assert parameter.get("description"), parameter["name"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content.get("examples"), "no example of the body"
    for status, answer in operation["responses"].items():
        assert answer.get("description") or "$ref" in answer, status


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_examples_fit_its_schemas(operation: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        _check_examples(content)
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            _check_examples(content)


def _check_examples(content: dict[str, Any]) -> None:
    for example in content.get("examples", {}).values():
        if "schema" in content:
            assert contract.problems_with(content["schema"], example["value"]) == []


def test_every_example_belongs_to_an_operation() -> None:
    ids = {contract.operation_of(method, path)["operationId"] for method, path in contract.OPERATIONS}
    examples = orjson.loads(EXAMPLES.read_bytes())
    assert examples["requests"].keys() | examples["responses"].keys() <= ids


def test_operations_have_distinct_ids_and_known_scopes() -> None:
    operations = [contract.operation_of(method, path) for method, path in contract.OPERATIONS]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert {scope for operation in operations for scope in operation.get("x-required-scopes", [])} <= {scope.value for scope in Scope}


def test_webhooks_are_part_of_it() -> None:
    webhook = contract.DOCUMENT["webhooks"]["notification"]["post"]
    assert {parameter["name"] for parameter in webhook["parameters"]} == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert set(webhook["responses"]) == {"200"}


def test_vendored_files_are_those_of_the_package() -> None:
    listed = dict(reversed(line.split()) for line in (docs.ASSETS / "SHA256SUMS").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in docs.ASSETS.iterdir() if path.name != "SHA256SUMS"}
    assert found == listed
    assert docs.VERSION in (docs.ASSETS.parent / "README.md").read_text()


def test_no_schema_of_ours_is_open_by_mistake() -> None:
    """Requests refuse what they do not know; only maps of the sender's own codes and stored rows are free."""
    requests = {
        reference.rpartition("/")[2]
        for method, path in contract.OPERATIONS
        for reference in re.findall(r"#/components/schemas/\w+", str(contract.operation_of(method, path).get("requestBody", "")))
    }
    assert requests
    schemas = contract.DOCUMENT["components"]["schemas"]
    assert [name for name in requests if schemas[name].get("additionalProperties") is not False] == []


READ_BY_ANALYSTS_AND_COORDINATORS = (
    "RateDocument", "RatesDocument", "TrustDocument", "MeasureEventDocument", "MeasureGapDocument", "MeasureDocument", "NewContact",
)  # fmt: skip


def test_what_is_counted_dated_or_chosen_says_what_it_means() -> None:
    """An analyst and a coordinator have nothing else to read: a number, a day or a code without a word is guessed at."""
    schemas = orjson.loads((ROOT / "openapi/openapi.json").read_bytes())["components"]["schemas"]
    silent = []
    for name in READ_BY_ANALYSTS_AND_COORDINATORS:
        for field, schema in schemas[name]["properties"].items():
            ways = (schema, *schema.get("anyOf", []))
            is_telling = any(one.get("type") in {"integer", "number"} or "date" in one.get("format", "") or "enum" in one for one in ways)
            if is_telling and not schema.get("description"):
                silent.append(f"{name}.{field}")
    assert silent == []
