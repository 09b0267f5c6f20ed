"""Whatever goes wrong, the answer is a problem document that names the place, and never what was sent or what broke."""

from typing import Any

import pytest

from app.api.problems import ProblemType
from tests.api import contract
from tests.api.client import Api, api_of
from tests.api.world import ADMIN_KEY, World, application_with

CANARY = "Canary-Patient-4711"
ORGANIZATION = {"name": "New", "kind": "hospital"}


def test_types_are_stable_and_distinct() -> None:
    assert len({problem.urn for problem in ProblemType}) == len(ProblemType)
    # Never reused, never renamed: this list only grows.
    assert {problem.urn.rpartition(":")[2] for problem in ProblemType} >= {
        "malformed-json", "unauthenticated", "missing-scope", "not-permitted", "not-found", "method-not-allowed",
        "conflict", "idempotency-conflict", "too-large", "unsupported-media-type", "invalid", "empty-body", "rate-limited", "defect",
        "unavailable",
    }  # fmt: skip


async def test_an_unknown_path_and_a_wrong_method(world: World) -> None:
    nowhere = await world.api.get("/v1/nowhere")
    assert (nowhere.status_code, nowhere.json()["type"]) == (404, "urn:warm-handoff:problem:not-found")
    assert (await world.api.get("/v1/feeds/")).status_code == 404  # no redirect that could leak a key or lose a body
    wrong = await world.api.call("DELETE", "/v1/feeds", ADMIN_KEY)
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET, POST"
    assert (await world.api.call("PUT", "/hl7v2")).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body", [b"{", b'{"name": NaN}', b'{"name": "a", "name": "b"}', b"[" * 100, b'{"name": "\\u0000"}', b"\xff", b'{"n": 1e999}'], ids=repr
)
async def test_json_that_is_none_is_answered_400(world: World, body: bytes) -> None:
    answer = await world.api.post("/v1/organizations", ADMIN_KEY, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:warm-handoff:problem:malformed-json"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "odd"}, "/kind"),
        ({"kind": None}, "/kind"),
        ({"nane": CANARY}, "/nane"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 500}, "/name"),
        ({"npi": "1234567890"}, "/npi"),
        ({"program_roles": ["ok", "NOT OK"]}, "/program_roles/1"),
        ({"parent_id": f"enc_{'0' * 32}"}, "/parent_id"),
        ({"parent_id": f"org_{'0' * 32}"}, "/parent_id"),
        ({"time_zone": CANARY}, "/time_zone"),
    ],
)
async def test_a_field_that_is_wrong_is_pointed_at(world: World, change: dict[str, object], pointer: str) -> None:
    answer = await world.api.post("/v1/organizations", ADMIN_KEY, json={**ORGANIZATION, **change})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert CANARY not in answer.text


async def test_a_query_that_is_wrong_says_that_it_is_the_query(world: World) -> None:
    answer = await world.api.get("/v1/feeds", ADMIN_KEY, params={"limit": CANARY})
    assert answer.json()["errors"] == [
        {"in": "query", "pointer": "/limit", "message": "Input should be a valid integer, unable to parse string as an integer"}
    ]


async def test_a_parameter_that_there_is_not_is_refused_and_not_passed_over(world: World) -> None:
    """A misspelt filter gives an answer that looks right. What is no name may be a value, and is not repeated."""
    answer = await world.api.get("/v1/follow-ups", ADMIN_KEY, params={"state": "open"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["in"], error["pointer"]) == ("query", "/state")
    assert "status" in error["message"].split(": ")[1].split(", ")
    answer = await world.api.get("/v1/follow-ups", ADMIN_KEY, params={CANARY: "open"})
    assert (answer.status_code, CANARY in answer.text) == (422, False)
    assert (await world.api.get("/fhir/AuditEvent", ADMIN_KEY, params={"_pretty": "true"})).status_code == 200, "FHIR's are lenient"


@pytest.mark.parametrize(
    ("path", "name", "written", "example"),
    [
        ("/v1/follow-ups", "due_before", "2026-03-18", "2026-03-18T18:00:00Z"),
        ("/v1/follow-ups", "due_before", "2026-03-18T14:00:00", "2026-03-18T18:00:00Z"),
        ("/v1/follow-ups", "due_before", "soon", "2026-03-18T18:00:00Z"),
        ("/v1/members", "as_of", "18 March", "such as 2026-03-18."),
        ("/v1/measures/FUH", "period", "november 2026", "2026, 2026-Q1, 2026-03"),
    ],
)
async def test_a_time_or_a_day_that_is_none_is_answered_with_how_one_is_written(
    world: World, path: str, name: str, written: str, example: str
) -> None:
    answer = await world.api.get(path, ADMIN_KEY, params={name: written})
    assert answer.status_code == 422
    (error,) = [one for one in answer.json()["errors"] if one["pointer"] == f"/{name}"]
    assert example in error["message"]


async def test_a_nul_in_the_address_never_reaches_the_database(world: World) -> None:
    for path, status in (
        ("/v1/inbound?control_id=%00", 422),
        ("/v1/follow-ups?assignee=a%00b", 422),
        ("/v1/feeds/%00", 404),
        ("/%00", 404),
    ):
        assert (await world.api.get(path, ADMIN_KEY)).status_code == status


async def test_a_body_without_a_declared_length_is_cut_off_too(world: World) -> None:
    async def endless():  # noqa: ANN202 - chunks
        for _ in range(100):
            yield b"[" + b"1," * 32_000

    answer = await world.api.post("/v1/organizations", ADMIN_KEY, content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


async def test_a_trace_is_taken_over_and_every_answer_forbids_storing(world: World) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await world.api.get("/v1/feeds", ADMIN_KEY, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["x-trace-id"] == trace
    assert answer.headers["cache-control"] == "no-store"
    for odd in ("", "junk", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{trace}-x"):
        other = await world.api.get("/v1/feeds", ADMIN_KEY, headers={"traceparent": odd})
        assert other.headers["x-trace-id"] != trace


async def test_a_defect_shows_neither_its_text_nor_a_value_and_is_observed(world: World) -> None:
    async def broken(_envelope: object) -> None:
        raise ValueError(CANARY)

    async with api_of(application_with(world.stage, receive=broken)) as api:
        answer = await api.post(
            f"/hl7v2?feed={CANARY}", world.keys["hospital"], content=CANARY.encode(), headers={"content-type": "text/plain"}
        )
    assert answer.status_code == 500
    assert CANARY not in answer.text
    observed = world.stage.observed[-1]
    assert observed.trace_id == answer.json()["trace_id"]
    assert observed.failure is not None
    assert observed.failure.startswith("ValueError at ")
    assert CANARY not in repr(observed)


async def test_a_client_that_leaves_in_the_middle_of_its_message_is_no_defect(world: World) -> None:
    """Senders lose their network every day; counted as defects, they would hide the real ones."""
    application = application_with(world.stage)
    pieces = iter([{"type": "http.request", "body": b"MSH|^~", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(pieces)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {world.keys['hospital']}".encode()), (b"content-type", b"application/hl7-v2")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/hl7v2",
        "raw_path": b"/hl7v2", "query_string": b"", "root_path": "", "headers": headers, "client": ("192.0.2.7", 1), "server": ("x", 80),
    }  # fmt: skip
    await application(scope, receive, send)
    assert sent == []
    observed = world.stage.observed[-1]
    assert (observed.route, observed.status, observed.failure) == ("/hl7v2", 499, None)
    assert (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"] == []


async def test_what_is_observed_of_a_request_is_its_template_not_its_address(story: World) -> None:
    story.stage.observed.clear()
    await story.api.get("/v1/members?identifier=MAINECARE|MC1", story.keys["plan"])
    await story.api.get(f"/v1/encounters/{story.ids['encounter_id']}", story.keys["home"])
    await story.api.get(f"/nowhere/{CANARY}")
    assert [(one.method, one.route, one.status) for one in story.stage.observed] == [
        ("GET", "/v1/members", 200),
        ("GET", "/v1/encounters/{encounter_id}", 200),
        ("GET", "unmatched", 404),
    ]
    seen = repr(story.stage.observed)
    assert "MC1" not in seen
    assert CANARY not in seen
    assert story.ids["encounter_id"].partition("_")[2] not in seen


async def test_every_open_path_answers_without_a_key(world: World) -> None:
    guarded = {(method, path) for method, path in contract.OPERATIONS if "security" in contract.operation_of(method, path)}
    open_to_all = set(contract.OPERATIONS) - guarded
    assert open_to_all == {("GET", path) for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/fhir/metadata")}
    for _, path in sorted(open_to_all):
        assert (await world.api.get(path)).status_code == 200


async def _paths_in(api: Api) -> list[str]:
    return list((await api.get("/openapi.json")).json()["paths"])


async def test_the_page_loads_nothing_from_elsewhere(world: World) -> None:
    page = await world.api.get("/docs")
    assert "://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    sources = [part.split('"')[1] for part in page.text.replace("src=", "href=").split("href=")[1:] if not part.startswith('"data:')]
    assert len(sources) == 4
    for source in sources:
        answer = await world.api.client.get(f"/{source}")
        assert answer.status_code == 200, source
    assert (await world.api.client.get("/docs/assets/5.35.0/../../application.py")).status_code == 404
    assert await _paths_in(world.api)
