"""What an operator can find out: messages, their way and their reasons, and the health of an installation."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.cli.checks import Grade, _comparisons, _deliveries, _flushes, _queue, _room, _skew, _version, check_room
from app.cli.exits import ExitCode
from app.cli.inbound import _lines
from app.domain.inbound import Door, Envelope
from app.domain.public_id import Kind, public_id
from app.settings import load_settings
from app.store.backlog import Backlog
from app.store.engine import make_engine
from app.store.inspection import Inspection
from app.store.roles import Role
from tests.cli.conftest import Handoff
from tests.support.databases import Database
from tests.support.fakes import FakeClock
from tests.support.messages import adt

ADMIT = adt("A01", "20260302100000-0500", control="C1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))
MOCK = ADMIT.replace(b"|C1|", b"|C9|").replace(b"Alder", b"TestPatient").replace(b"M1^^^", b"M9^^^").replace(b"V1^", b"V9^")
NAMELESS = adt("A01", "20260302100000-0500", control="C2", medicaid=None).replace(b"M1^^^HOSPA^MR", b"")


class _NoWaker:
    def wake(self, topic: str) -> None:
        """Nobody listens here."""


async def _send(database: Database, *messages: bytes, is_worked: bool, until_hours: int = 0) -> None:
    """Take messages in as the door does, and work on them, with the keys that the commands have; then let time pass."""
    settings = load_settings()
    engine: AsyncEngine = make_engine(database.url, database.network, Role.WORK, name="tests")
    try:
        clock, ids, keys = FakeClock(wiring.SystemClock().now()), wiring.SystemIds(), wiring.keys_of(settings)
        intake = wiring.build_intake(settings, engine, keys, clock=clock, ids=ids, waker=_NoWaker())
        for message in messages:
            await intake.receive(Envelope(message, Door.MLLP, clock.now()))
        if is_worked:
            pipeline = wiring.build_pipeline(settings, engine, keys, wiring.rulebook(), clock=clock, ids=ids, waker=_NoWaker())
            while not (await pipeline.work_once(0)).idle:
                pass
            clock.advance(hours=until_hours)
            while until_hours and not (await pipeline.time_once()).idle:
                pass
    finally:
        await engine.dispose()


async def _of_type(database: Database, type_: str) -> str:
    engine: AsyncEngine = make_engine(database.url, database.network, Role.WORK, name="tests")
    try:
        async with wiring.open_transaction(engine)() as raw:
            (row,) = await raw.fetch("select id from notification where type = $1 and payload::text like '%suicide_safety%'", type_)
            return public_id(Kind.NOTIFICATION, row["id"])
    finally:
        await engine.dispose()


@pytest.fixture
def exchange(operator: Handoff, tmp_path: Path) -> None:
    """A hospital with a feed, and a home that claims Ann."""
    operator("org", "add", "Hospital A", "--kind", "hospital", "--part2-status", "not_program")
    operator("org", "add", "Home B", "--kind", "behavioral_health_home")
    operator("feed", "add", "--organization", "Hospital A", "--sending-application", "EPIC", "--sending-facility", "HOSPA")
    roster = tmp_path / "roster.csv"
    roster.write_text("medicaid_id,last_name,birth_date,program,effective_from\nMC1,Alder,1980-01-02,BHH,2026-01-01\n")
    loaded = operator("panel", "load", roster, "--organization", "Home B", "--json")
    assert loaded.json["accepted"] == 1


@pytest.mark.usefixtures("exchange")
def test_a_message_is_followed_from_its_bytes_to_the_reasons_of_its_notification(operator: Handoff, database: Database) -> None:
    asyncio.run(_send(database, ADMIT, NAMELESS, is_worked=True))
    listed = operator("inbound", "list", "--json").json["items"]
    assert [(one["control_id"], one["ack_code"], one["outcome"]) for one in listed] == [
        ("C2", "AE", "set_aside"),
        ("C1", "AA", "processed"),
    ]
    assert [one["control_id"] for one in operator("inbound", "list", "--outcome", "set_aside", "--json").json["items"]] == ["C2"]
    assert operator("inbound", "list", "--control-id", "C9", "--json").json == {"items": []}
    assert "PID^1^3" in operator("inbound", "list").out
    shown = operator("inbound", "show", listed[1]["id"], "--text", "--json").json
    assert shown["text"].startswith("MSH|")
    assert "Alder" in shown["text"]
    plain = operator("inbound", "show", listed[1]["id"])
    assert "Alder" not in plain.out, "patient data only when it is asked for"
    (told,) = shown["notifications"]
    why = operator("notification", "why", told["id"], "--json").json
    assert why["recipient"] == "Home B"
    assert why["now"]["decision"] == "full"
    assert why["now"]["reasons"]
    assert why["cause"]["id"] == listed[1]["id"]
    assert "Home B" in operator("notification", "why", told["id"]).out
    assert f"notification: id {told['id']}" in plain.out
    assert "Nobody is told" not in plain.out


@pytest.mark.usefixtures("exchange")
def test_what_was_read_as_a_test_is_said_wherever_one_asks_why_nobody_was_told(
    operator: Handoff, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "mock.hl7"
    file.write_bytes(MOCK)
    (checked,) = operator("feed", "check", file, "--json").json["items"]
    assert checked["problems"][-1]["severity"] == "information"
    assert "Testpatient" in checked["problems"][-1]["text"]
    assert operator("feed", "check", file).code == ExitCode.OK, "it is no reason to stop"
    asyncio.run(_send(database, MOCK, is_worked=True))
    (listed,) = operator("inbound", "list", "--json").json["items"]
    assert listed["outcome"] == "processed"
    shown = operator("inbound", "show", listed["id"])
    assert "Nobody is told: Read as a test" in shown.out
    stay = operator("inbound", "show", listed["id"], "--json").json["event"]
    assert stay["mode"] == "test"
    assert "Read as a test" in operator("notification", "why-not", stay["encounter_id"]).err
    (home,) = operator("notification", "why-not", stay["encounter_id"], "--organization", "Home B", "--json").json["candidates"]
    assert home["why"][0].startswith("test: Read as a test")


def test_what_holds_rows_is_printed_with_a_line_for_each() -> None:
    attempt = {"number": 1, "started_at": datetime(2026, 3, 2, 15, tzinfo=UTC), "outcome": "delivered", "error": None}
    row = {"id": "ntf_1", "reasons": ["a", "b"], "deliveries": [{"subscription_id": "sub_1", "state": "delivered", "attempts": [attempt]}]}
    assert list(_lines("notifications", row)) == [
        "notification: id ntf_1  reasons a, b",
        "  delivery: subscription_id sub_1  state delivered",
        "    attempt: number 1  started_at 2026-03-02 15:00:00+00:00  outcome delivered",
    ]


@pytest.mark.usefixtures("exchange")
def test_a_notice_of_a_clock_says_which_clock_and_who_is_to_act(operator: Handoff, database: Database) -> None:
    """A visit for self-harm an hour ago: a half of the day that the home has is over in eleven hours, and nobody did anything."""
    ended_at = wiring.SystemClock().now() - timedelta(hours=1)
    said = ended_at.strftime("%Y%m%d%H%M%S+0000")
    visit = adt("A03", said, control="C3", admitted=said, discharged=said, disposition="01", patient_class="E",
                diagnoses=(("T14.91XA", "F"),))  # fmt: skip
    asyncio.run(_send(database, visit, is_worked=True, until_hours=12))
    shown = operator("notification", "why", asyncio.run(_of_type(database, "follow_up.due"))).out
    assert "50 % of the time of the clock suicide_safety.contact_24h have passed" in shown
    assert "escalation at 50 %: assignee, supervisor" in shown
    assert "fup_" in shown


@pytest.mark.usefixtures("exchange")
def test_a_replayed_message_is_on_the_queue_again_and_changes_nothing(operator: Handoff, database: Database) -> None:
    asyncio.run(_send(database, ADMIT, is_worked=True))
    (message,) = operator("inbound", "list", "--json").json["items"]
    assert operator("inbound", "replay", message["id"], "--json").json == {"replayed": 1}
    assert operator("inbound", "list", "--json").json["items"][0]["outcome"] == "waiting"
    asyncio.run(_send(database, is_worked=True))
    again = operator("inbound", "show", message["id"], "--json").json
    assert again["message"]["outcome"] == "processed"
    assert len(again["notifications"]) == 1
    assert operator("inbound", "replay", "--outcome", "processed", "--yes", "--json").json == {"replayed": 1}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], ExitCode.USAGE),
        (["msg_" + "0" * 32, "--outcome", "set_aside"], ExitCode.USAGE),
        (["--outcome", "nonsense"], ExitCode.USAGE),
        (["msg_" + "0" * 32], ExitCode.REFUSED),
    ],
)
def test_replay_asks_for_exactly_one_way_of_naming_what(operator: Handoff, arguments: list[str], code: ExitCode) -> None:
    ended = operator("inbound", "replay", *arguments, "--json")
    assert ended.code == code
    assert ended.error["remedy"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_doctor_finds_a_sound_installation_sound(operator: Handoff) -> None:
    settings = {"HANDOFF_HTTP_PORT": str(_free_port()), "HANDOFF_MLLP_PORT": str(_free_port())}
    ended = operator("doctor", "--json", settings=settings)
    checks = {check["name"]: check for check in ended.json["checks"]}
    assert {
        "settings",
        "rules",
        "embedded PostgreSQL",
        "database",
        "roles",
        "clock",
        "connections",
        "schema",
        "queue",
        "deliveries",
    } <= set(checks)
    assert checks["schema"]["grade"] == "good"
    # Nothing runs, which is no fault; and the database of the tests need not outlive a power cut.
    assert {name for name, check in checks.items() if check["grade"] == "bad"} <= {"disk"}
    assert all(check["remedy"] for check in checks.values() if check["grade"] != "good")
    assert checks["HTTP"]["grade"] == checks["MLLP"]["grade"] == "warning"


def test_doctor_names_what_is_wrong_and_what_to_do(operator: Handoff) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        settings = {
            "HANDOFF_DATABASE_URL": "postgresql://handoff@127.0.0.1:1/none",
            "HANDOFF_ENDPOINT_ALLOW": "http://10.0.0.0/99",
            "HANDOFF_HTTP_PORT": str(_free_port()),
            "HANDOFF_MLLP_PORT": str(somebody.getsockname()[1]),
        }
        ended = operator("doctor", settings=settings)
    assert ended.code == ExitCode.FOUND
    assert "HANDOFF_ENDPOINT_ALLOW" in ended.out
    assert "BAD   database: 127.0.0.1:1/none cannot be used (ConnectionRefusedError)" in ended.out
    assert "handoff doctor" not in ended.out, "it is this command"
    assert "ok    MLLP" in ended.out


@pytest.mark.parametrize(
    ("part", "wrong", "remedy"), [("username", "nobody", "Correct the user"), ("database", "nowhere", "Make the database (`createdb`)")]
)
def test_doctor_names_what_is_wrong_with_the_address_of_the_database(
    operator: Handoff, database: Database, part: str, wrong: str, remedy: str
) -> None:
    url = make_url(database.url).set(**{part: wrong}).render_as_string(hide_password=False)  # type: ignore[arg-type]  # one of its parts
    ended = operator("doctor", settings={"HANDOFF_DATABASE_URL": url, "HANDOFF_HTTP_PORT": str(_free_port())})
    assert ended.code == ExitCode.FOUND, ended.err
    assert remedy in ended.out
    failed = operator("org", "list", "--json", settings={"HANDOFF_DATABASE_URL": url})
    assert failed.code == ExitCode.UNAVAILABLE
    assert failed.error["remedy"].startswith(remedy), "every command says it, not doctor alone"
    assert f"/{make_url(url).database} cannot be used now" in failed.error["error"]


def test_doctor_says_when_the_schema_is_not_there(operator: Handoff, fresh_database: Database) -> None:
    settings = {"HANDOFF_DATABASE_URL": fresh_database.url, "HANDOFF_NETWORK": "second", "HANDOFF_HTTP_PORT": str(_free_port())}
    ended = operator("doctor", "--json", settings=settings)
    assert ended.code == ExitCode.FOUND
    (schema,) = [check for check in ended.json["checks"] if check["name"] == "schema"]
    assert schema["remedy"] == "Run `handoff migrate up`."


class _Clock(wiring.SystemClock):
    def now(self) -> datetime:
        return datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def _backlog(**more: object) -> Backlog:
    values = {"messages": 0, "oldest_at": None, "taken_up": 0, "deliveries": 0, "stalled": 0, "disabled": 0, "stays": 0}
    values |= {"comparisons": 0, "oldest_comparison_at": None}
    return Backlog(**{**values, **more})  # type: ignore[arg-type]  # numbers and instants, by name


def _inspection(**more: object) -> Inspection:
    values = {
        "version": 160_004, "now": _Clock().now(), "asked_at_s": 0.0, "roles_missing": (), "is_superuser": False, "durable": True,
        "connections": 1, "connections_max": 100, "flushes_per_s": 900.0,
    }  # fmt: skip
    return Inspection(**{**values, **more})  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("backlog", "grade"),
    [
        (_backlog(), Grade.GOOD),
        (_backlog(messages=5, oldest_at=datetime(2026, 3, 2, 14, 59, tzinfo=UTC)), Grade.GOOD),
        (_backlog(messages=5, oldest_at=datetime(2026, 3, 2, 14, 50, tzinfo=UTC)), Grade.BAD),
    ],
)
def test_a_queue_is_judged_by_its_oldest_message_not_by_its_length(backlog: Backlog, grade: Grade) -> None:
    assert _queue(backlog, _Clock()).grade is grade


@pytest.mark.parametrize(
    ("backlog", "grade"),
    [
        (_backlog(), Grade.GOOD),
        (_backlog(comparisons=100_000, oldest_comparison_at=datetime(2026, 3, 2, 14, 50, tzinfo=UTC)), Grade.GOOD),
        (_backlog(comparisons=5, oldest_comparison_at=datetime(2026, 3, 2, 13, 50, tzinfo=UTC)), Grade.WARNING),
    ],
)
def test_comparisons_may_lag_for_an_hour(backlog: Backlog, grade: Grade) -> None:
    assert _comparisons(backlog, _Clock()).grade is grade


@pytest.mark.parametrize(
    ("backlog", "grade"), [(_backlog(deliveries=9), Grade.GOOD), (_backlog(stalled=1), Grade.BAD), (_backlog(disabled=1), Grade.WARNING)]
)
def test_deliveries_are_judged_by_what_nobody_takes_up(backlog: Backlog, grade: Grade) -> None:
    assert _deliveries(backlog).grade is grade


@pytest.mark.parametrize(
    ("found", "grade"),
    [(_inspection(), Grade.GOOD), (_inspection(flushes_per_s=20.0), Grade.WARNING), (_inspection(durable=False), Grade.BAD)],
)
def test_a_disk_is_judged_by_its_flushes(found: Inspection, grade: Grade) -> None:
    assert _flushes(found).grade is grade


@pytest.mark.parametrize(
    ("free", "grade"),
    [(90 * 10**9, Grade.GOOD), (10 * 10**9, Grade.GOOD), (10**10 - 1, Grade.WARNING), (256_000_000, Grade.WARNING), (0, Grade.BAD)],
)
def test_a_disk_is_judged_by_what_is_free(free: int, grade: Grade) -> None:
    found = _room(free, 100 * 10**9, Path("/srv/handoff"))
    assert found.grade is grade
    assert "/srv/handoff" in found.said
    assert bool(found.remedy) is (grade is not Grade.GOOD)


def test_the_room_of_the_embedded_database_is_looked_at_before_it_is_there(tmp_path: Path) -> None:
    settings = load_settings({"HANDOFF_DATA_DIR": str(tmp_path / "not" / "yet")})
    (found,) = check_room(settings)
    assert str(tmp_path) in found.said
    assert check_room(load_settings({"HANDOFF_DATABASE_URL": "postgresql://handoff@db.example/handoff"})) == []


def test_old_servers_and_wrong_clocks_are_bad() -> None:
    assert _version(_inspection(version=150_003)).grade is Grade.BAD
    assert _version(_inspection()).said == "version 16.4"
    skew = datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)
    assert _skew(skew).grade is _skew(-skew).grade is Grade.BAD
    assert _skew(skew / 10).grade is Grade.GOOD
