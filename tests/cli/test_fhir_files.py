"""`handoff lint`, `feed check` and `send` on files of FHIR messages, which they tell from HL7 v2 by what is in them."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli.exits import ExitCode
from app.cli.message_file import read_messages
from app.domain.inbound import Format
from tests.cli.conftest import Handoff
from tests.cli.test_feed import PROFILE, feed
from tests.cli.test_feed import written as kept
from tests.cli.test_send import ONE, http_receiver
from tests.support.bundles import bundle, resource, written

__all__ = ["feed"]

ADMIT = bundle("A01", "20260302100000-0500", control="B1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))
DISCHARGE = bundle("A03", "20260306143000-0500", control="B2", discharged="20260306142500-0500", disposition="HOME")


def bad() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(ADMIT))
    resource(document, "Patient")["gender"] = "Canary"
    return document


def line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def test_what_a_file_holds_is_told_by_its_content(tmp_path: Path) -> None:
    one = read_messages(kept(tmp_path, "one", b"\r\n " + written(ADMIT)))
    assert [(held.format, held.body) for held in one.messages] == [(Format.FHIR, b"\r\n " + written(ADMIT))]
    many = read_messages(kept(tmp_path, "many", line(ADMIT) + b"\r\n\n" + line(DISCHARGE) + b"\n"))
    assert [json.loads(held.body)["id"] for held in many.messages] == ["B1", "B2"]
    er7 = read_messages(kept(tmp_path, "er7", ONE))
    assert [held.format for held in er7.messages] == [Format.ER7]


def test_lint_names_problems_and_missing_must_support_with_their_places(handoff: Handoff, tmp_path: Path) -> None:
    document = bad()
    for name in ("serviceProvider", "period"):
        del resource(document, "Encounter")[name]
    file = kept(tmp_path, "two.ndjson", line(ADMIT) + b"\n" + line(document))
    ended = handoff("lint", file, "--json")
    assert (ended.code, ended.json["messages"], ended.json["errors"]) == (ExitCode.FOUND, 2, 1)
    found = [(one["message"], one["severity"], one["location"], one["name"]) for one in ended.json["findings"]]
    assert (2, "error", "Bundle.entry[2].resource.gender", "Patient.gender") in found
    assert (1, "information", "Bundle.meta.profile", "Bundle.meta.profile") in found
    assert (2, "information", "Bundle.entry[1].resource.serviceProvider", "Encounter.serviceProvider") in found
    assert (2, "information", "Bundle.entry[1].resource.period.start", "Encounter.period.start") in found
    assert not any(number == 1 and "serviceProvider" in place for number, _, place, _ in found)
    assert "Canary" not in ended.out


def test_lint_of_a_good_message_is_code_0_and_of_broken_json_is_not(handoff: Handoff, tmp_path: Path) -> None:
    assert handoff("lint", kept(tmp_path, "good.json", written(ADMIT)), "--errors-only").code == ExitCode.OK
    assert handoff("lint", kept(tmp_path, "broken.json", b'{"resourceType": ')).code == ExitCode.FOUND


def test_a_profile_is_tried_on_fhir_messages_too(operator: Handoff, feed: str, tmp_path: Path) -> None:
    file = kept(tmp_path, "day.ndjson", b"\n".join(map(line, (ADMIT, DISCHARGE, bad()))))
    before = operator("feed", "check", file, "--json")
    assert before.code == ExitCode.FOUND
    items: list[dict[str, Any]] = before.json["items"]
    assert [(one["trigger"], one["ack"]) for one in items] == [
        ("notification-admit", "AA"), ("notification-discharge", "AA"), ("notification-admit", "AE"),
    ]  # fmt: skip
    assert (items[0]["read_as"]["class"], items[0]["reaches"]) == ("inpatient", ["admitted"])
    assert items[2]["problems"][0]["location"] == "Bundle.entry[2].resource.gender"
    assert items[1]["read_as"]["disposition"] == "01"
    again = operator("feed", "check", file, "--feed", feed, "--profile", kept(tmp_path, "profile.toml", PROFILE), "--json").json["items"]
    assert [one["feed_id"] for one in again] == [feed] * 3
    assert operator("inbound", "list", "--json").json == {"items": []}


@pytest.mark.parametrize("where", ["", "/", "/fhir", "/fhir/", "/fhir/$process-message", "/hl7v2"])
def test_fhir_goes_to_process_message_wherever_the_service_is(handoff: Handoff, tmp_path: Path, where: str) -> None:
    seen: list[tuple[str, str, bytes]] = []

    def answer(body: bytes, headers: dict[str, str], path: str) -> tuple[int, str, bytes]:
        seen.append((headers["content-type"], path, body))
        issue = {"severity": "information", "code": "informational", "diagnostics": "Stored; it is worked on now."}
        return 200, "application/fhir+json", json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()

    with http_receiver(answer) as url:
        ended = handoff("send", kept(tmp_path, "one.json", written(ADMIT)), "--http", url + where, "--feed", "feed_1", "--json")
    assert ended.code == ExitCode.OK, ended.err
    assert seen == [("application/fhir+json", "/fhir/$process-message?feed=feed_1", written(ADMIT))]
    (said,) = ended.json["acknowledgements"]
    assert (said["control_id"], said["code"], said["text"]) == ("B1", "200", "Stored; it is worked on now.")


def test_a_refused_message_is_code_3_with_its_places_and_the_rest_is_sent(handoff: Handoff, tmp_path: Path) -> None:
    issue = {"severity": "error", "code": "code-invalid", "diagnostics": "Not a code.", "expression": ["Bundle.entry[2].resource.gender"]}
    outcome = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
    with http_receiver(lambda body, *_: (422, "application/fhir+json", outcome) if b"Canary" in body else (204, "", b"")) as url:
        ended = handoff("send", kept(tmp_path, "two.ndjson", line(bad()) + b"\n" + line(DISCHARGE)), "--http", url)
    assert ended.code == ExitCode.REFUSED
    assert [one.split()[:2] for one in ended.out.splitlines()] == [
        ["B1", "422"], ["Bundle.entry[2].resource.gender:", "Not"], ["B2", "204"],
    ]  # fmt: skip
    assert "2 sent, 1 accepted, 1 answered negatively" in ended.err


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b'{"resourceType": "OperationOutcome", "issue": []}', ExitCode.REFUSED),
        (404, b"<html>", ExitCode.REFUSED),
        (429, b"", ExitCode.UNAVAILABLE),
        (503, b"", ExitCode.UNAVAILABLE),
    ],
)
def test_dv_9_what_a_receivers_status_means_for_who_sends(
    handoff: Handoff, tmp_path: Path, status: int, body: bytes, code: ExitCode
) -> None:
    """DV-9: 401 and 404 are not sent again before a fix, 429 and 5xx may be; either way the rest is not sent into it."""
    seen: list[bytes] = []

    def answer(sent: bytes, *_: object) -> tuple[int, str, bytes]:
        seen.append(sent)
        return status, "application/fhir+json", body

    with http_receiver(answer) as url:
        ended = handoff("send", kept(tmp_path, "two.ndjson", line(ADMIT) + b"\n" + line(DISCHARGE)), "--http", url, "--json")
    assert (ended.code, len(seen)) == (code, 1)


def test_mllp_carries_no_fhir(handoff: Handoff, tmp_path: Path) -> None:
    assert handoff("send", kept(tmp_path, "one.json", written(ADMIT)), "--mllp", "127.0.0.1:1").code == ExitCode.USAGE


def test_dv_10_a_message_is_passed_on_as_an_intermediary(handoff: Handoff, tmp_path: Path) -> None:
    """DV-10; the same message to the same receiver has the same ids, so that sent again it is taken once."""
    seen: list[dict[str, Any]] = []

    def answer(body: bytes, *_: object) -> tuple[int, str, bytes]:
        seen.append(json.loads(body))
        return 204, "", b""

    file = kept(tmp_path, "one.json", written(ADMIT))
    by = "Exchange|https://exchange.example.org/fhir"
    with http_receiver(answer) as url:
        for _ in range(2):
            assert handoff("send", file, "--http", url, "--forward-as", by, "--leave-out", "Condition").code == ExitCode.OK
        assert handoff("send", file, "--http", url, "--forward-as", "Exchange").code == ExitCode.USAGE
    assert seen[0]["id"] == seen[1]["id"] != ADMIT["id"]
    assert resource(seen[0], "MessageHeader")["destination"] == [{"endpoint": url}]
    assert resource(seen[0], "Provenance")["agent"][1]["type"]["coding"][0]["code"] == "assembler"
    assert not any(one["resource"]["resourceType"] == "Condition" for one in seen[0]["entry"])
    broken = kept(tmp_path, "broken.json", b"{}")
    assert handoff("send", broken, "--http", "http://127.0.0.1:1", "--forward-as", by).code == ExitCode.REFUSED
