"""Finding messages and putting right what was set aside, by command."""

import asyncio
import io

import pytest

from app.cli.exits import ExitCode
from tests.cli.conftest import Handoff
from tests.cli.test_looking import ADMIT, NAMELESS, _send
from tests.support.databases import Database
from tests.support.messages import adt


@pytest.fixture
def received(operator: Handoff, database: Database) -> Handoff:
    """A hospital with a feed, one message that went well and one that was set aside."""
    operator("org", "add", "Hospital A", "--kind", "hospital", "--part2-status", "not_program")
    operator("feed", "add", "--organization", "Hospital A", "--sending-application", "EPIC", "--sending-facility", "HOSPA")
    asyncio.run(_send(database, ADMIT, NAMELESS, is_worked=True))
    return operator


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("C1\n", [("C1", "control_id")]),
        ("M1", [("C1", "identifier")]),
        ("V1\n", [("C2", "message_text"), ("C1", "visit_number")]),
        ("Alder, Ann 1980-01-02\n", [("C2", "message_text"), ("C1", "name_and_birth_date")]),
        ("M9\n", []),
    ],
)
def test_what_is_typed_is_read_from_standard_input(
    received: Handoff, monkeypatch: pytest.MonkeyPatch, typed: str, found: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    shown = received("inbound", "search", "--json")
    assert [(one["control_id"], one["found_by"]) for one in shown.json["items"]] == found


def test_nothing_typed_is_a_wrong_use(received: Handoff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert received("inbound", "search").code == ExitCode.USAGE


def test_what_was_set_aside_is_counted_rehearsed_and_replayed(received: Handoff) -> None:
    (group,) = received("inbound", "set-aside", "--json").json["items"]
    assert (group["messages"], group["code"], group["location"]) == (1, "101", "PID^1^3")
    would = received("inbound", "replay", "--code", "101", "--dry-run", "--json").json
    assert (would["messages"], would["replayed"], would["outcomes"]) == (1, 0, {"set_aside": 1})
    told = received("inbound", "replay", "--code", "101", "--location", "PID^1^3", "--dry-run").out
    assert "1 set_aside. Nothing was changed." in told
    assert "still set aside, 1: PID^1^3" in told
    assert received("inbound", "list", "--outcome", "waiting", "--json").json["items"] == []
    assert received("inbound", "replay", "--code", "207", "--yes", "--json").json == {"replayed": 0}
    assert received("inbound", "replay", "--code", "101", "--yes", "--json").json == {"replayed": 1}
    (waiting,) = received("inbound", "list", "--outcome", "waiting", "--json").json["items"]
    assert waiting["control_id"] == "C2"


def test_what_gives_a_number_to_somebody_else_is_replayed_by_its_code_or_id_alone(received: Handoff, database: Database) -> None:
    other = adt("A01", "20260303100000-0500", control="C3", name="Quill^Zebulon", born="19501231", sex="M", medicaid=None, visit="V9")
    asyncio.run(_send(database, other, is_worked=True))
    for said, count in ((("--outcome", "set_aside"), 1), (("--location", "PID^1^3"), 0)):
        assert received("inbound", "replay", *said, "--yes", "--json").json == {"replayed": count}
        assert [one["control_id"] for one in received("inbound", "list", "--outcome", "set_aside", "--json").json["items"]] == ["C3"]
    assert received("inbound", "replay", "--code", "205", "--yes", "--json").json == {"replayed": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dry-run",),
        ("--code", "101", "--outcome", "processed"),
        ("msg_0199a4c07c5d7e0fb1d2c3a4e5f60718", "--code", "101"),
        ("msg_0199a4c07c5d7e0fb1d2c3a4e5f60718", "--dry-run"),
    ],
)
def test_a_reason_is_of_what_was_set_aside(received: Handoff, arguments: tuple[str, ...]) -> None:
    assert received("inbound", "replay", *arguments).code == ExitCode.USAGE


def test_every_document_has_its_stay_when_none_came(received: Handoff) -> None:
    """What is listed is tested with the API (tests/api/test_documents.py)."""
    assert "Every document has its stay." in received("inbound", "unfiled").err
    assert received("inbound", "unfiled", "--json").json["items"] == []
