"""Feeds by command: profiles from files, checked before they count, facilities, history, going live and comparing. A real database."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.cli.exits import ExitCode
from app.domain.inbound import Door, Envelope
from app.settings import load_settings
from app.store.engine import make_engine
from app.store.roles import Role
from tests.cli.conftest import Handoff
from tests.support.databases import Database
from tests.support.messages import adt

ADMIT = adt("A01", "20260302100000-0500", control="C1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))
DISCHARGE = adt("A03", "20260306143000-0500", control="C2", discharged="20260306142500-0500", disposition="HOME")
NUMBERLESS = adt("A01", "20260302100000-0500", control="C3", medicaid=None).replace(b"M1^^^HOSPA^MR", b"") + b"ZPD|M1\r"
BAD = adt("A01", "20260302100000-0500", control="C4", processing="X")
PROFILE = 'ack_policy = "error"\n[local_reads]\npatient_number = "ZPD-1"\n[disposition_map]\nHOME = "01"\n'


class _NoWaker:
    def wake(self, topic: str) -> None:
        """Nobody listens here."""


async def _work(database: Database, *messages: bytes) -> None:
    """Take messages in as the door does, and work until nothing waits."""
    settings = load_settings()
    engine: AsyncEngine = make_engine(database.url, database.network, Role.WORK, name="tests")
    try:
        clock, ids, keys = wiring.SystemClock(), wiring.SystemIds(), wiring.keys_of(settings)
        intake = wiring.build_intake(settings, engine, keys, clock=clock, ids=ids, waker=_NoWaker())
        for message in messages:
            await intake.receive(Envelope(message, Door.MLLP, clock.now()))
        pipeline = wiring.build_pipeline(settings, engine, keys, wiring.rulebook(), clock=clock, ids=ids, waker=_NoWaker())
        while not (await pipeline.work_once(0)).idle or not (await pipeline.reconsider_once()).idle:
            pass
    finally:
        await engine.dispose()


def work(database: Database, *messages: bytes) -> None:
    asyncio.run(_work(database, *messages))


@pytest.fixture
def feed(operator: Handoff, tmp_path: Path) -> str:
    """A hospital with a feed in shadow, and a home that claims Ann; the feed's id."""
    operator("org", "add", "Hospital A", "--kind", "hospital", "--part2-status", "not_program")
    operator("org", "add", "Home B", "--kind", "behavioral_health_home")
    made = operator(
        "feed", "add", "--organization", "Hospital A", "--sending-application", "EPIC", "--sending-facility", "HOSPA",
        "--mode", "shadow", "--json",
    )  # fmt: skip
    roster = tmp_path / "roster.csv"
    roster.write_text("medicaid_id,last_name,birth_date,program,effective_from\nMC1,Alder,1980-01-02,BHH,2026-01-01\n")
    assert operator("panel", "load", roster, "--organization", "Home B", "--json").json["accepted"] == 1
    return str(made.json["id"])


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_profile_is_tried_on_a_file_before_it_counts(operator: Handoff, feed: str, tmp_path: Path) -> None:
    file = written(tmp_path, "day.hl7", b"\n".join((ADMIT, DISCHARGE, NUMBERLESS, BAD)))
    profile = written(tmp_path, "profile.toml", PROFILE)
    before = operator("feed", "check", file, "--json")
    assert before.code == ExitCode.FOUND
    items: list[dict[str, Any]] = before.json["items"]
    assert [(one["trigger"], one["ack"]) for one in items] == [("A01", "AA"), ("A03", "AA"), ("A01", "AE"), ("A01", "AR")]
    assert items[0]["read_as"]["facility"] == "Hospital A"
    assert (items[0]["read_as"]["class"], items[0]["read_as"]["identifiers"]) == ("inpatient", ["HOSPA|MR", "MAINECARE|MA"])
    assert (items[0]["reaches"], items[1]["read_as"]["disposition"]) == (["admitted"], "HOME")
    assert items[1]["clocks"] == []
    assert items[2]["problems"][0]["location"] == "PID^1^3"
    assert (before.json["refused"], before.json["set_aside"]) == (2, 0)
    after = operator("feed", "check", file, "--feed", feed, "--profile", profile, "--json").json["items"]
    assert [one["ack"] for one in after] == ["AA", "AA", "AA", "AR"]
    assert (after[1]["read_as"]["disposition"], after[2]["read_as"]["identifiers"]) == ("01", ["HOSPA|MR"])
    assert [(one["name"], one["event"], one["decision"]) for one in items[0]["told"]] == [("Home B", "admitted", "not_live")]
    local = written(tmp_path, "local.hl7", ADMIT.replace(b"PV1|1|I|", b"PV1|1|BHI|"))
    (doubtful,) = operator("feed", "check", local, "--json").json["items"]
    assert [(one["severity"], one["location"], one["name"]) for one in doubtful["problems"]] == [
        ("warning", "PV1^1^2", "PV1-2 patient class")
    ]
    assert "PV1-2 patient class" in operator("feed", "check", local).out
    shown = operator("feed", "check", file, "--feed", feed)
    assert "PID^1^3" in shown.out
    assert not re.search(r"\b(Alder|MC1|V1)\b", shown.out)
    assert "HOSPA|VN|V1" in operator("feed", "check", file, "--values").out
    # Nothing of it was stored, and the feed is as it was.
    assert operator("inbound", "list", "--json").json == {"items": []}
    assert operator("feed", "list", "--json").json["items"][0]["version"] == 1


def test_a_profile_that_is_wrong_is_said_with_its_place(operator: Handoff, feed: str, tmp_path: Path) -> None:
    wrong = written(tmp_path, "wrong.json", json.dumps({"local_reads": {"class": "somewhere"}}))
    ended = operator("feed", "change", feed, "--profile", wrong, "--json")
    assert ended.code == ExitCode.USAGE
    assert f"{wrong}, local_reads.class: " in ended.error["error"]
    assert "README" in ended.error["remedy"]
    for text, name in (("{", "broken.json"), ("x = ", "broken.toml")):
        assert operator("feed", "change", feed, "--profile", written(tmp_path, name, text), "--json").code == ExitCode.USAGE
    assert operator("feed", "check", wrong, "--profile", wrong, "--json").code == ExitCode.USAGE
    assert operator("feed", "change", "feed_" + "0" * 32, "--time-zone", "UTC", "--json").code == ExitCode.REFUSED


def test_a_change_offers_to_re_interpret_what_was_set_aside(operator: Handoff, database: Database, feed: str, tmp_path: Path) -> None:
    work(database, NUMBERLESS)
    assert operator("feed", "reinterpret", feed, "--dry-run", "--json").json == {"messages": 1, "replayed": 0, "dry_run": True}
    profile = written(tmp_path, "profile.toml", PROFILE)
    unasked = operator("feed", "change", feed, "--profile", profile, "--json").json
    assert (unasked["set_aside"], unasked["replayed"], unasked["version"]) == (1, 0, 2)
    assert operator("feed", "reinterpret", feed, "--yes", "--json").json["replayed"] == 1
    work(database)
    assert operator("feed", "reinterpret", feed, "--json").json["messages"] == 0
    assert operator("inbound", "list", "--json").json["items"][0]["outcome"] == "processed"


def test_a_feed_moves_by_way_of_shadow_and_its_history_is_kept(operator: Handoff, feed: str) -> None:
    assert operator("feed", "change", feed, "--mode", "test", "--json").json["mode"] == "test"
    slip = operator("feed", "change", feed, "--mode", "live", "--json")
    assert (slip.code, "shadow" in slip.error["remedy"]) == (ExitCode.REFUSED, True)
    operator("feed", "change", feed, "--mode", "shadow")
    live = operator("feed", "change", feed, "--mode", "live", "--json").json
    assert (live["mode"], live["in_house"]) == ("live", 0)
    moves = [one["mode"] for one in operator("feed", "history", feed, "--json").json["items"]]
    assert moves == ["live", "shadow", "test", "shadow"]


def test_an_aggregators_facilities_are_listed_and_mapped(operator: Handoff, database: Database, feed: str, tmp_path: Path) -> None:
    profile = written(tmp_path, "engine.json", json.dumps({"facility_places": ["MSH-4"]}))
    engine = operator(
        "feed", "add", "--organization", "Hospital A", "--sending-application", "ENGINE", "--sending-facility", "",
        "--profile", profile, "--json",
    ).json["id"]  # fmt: skip
    message = adt("A01", "20260302100000-0500", control="E1", application="ENGINE", facility="WEST")
    work(database, message)
    (listed,) = operator("feed", "facilities", engine, "--json").json["items"]
    assert (listed["code"], listed["organization_id"], listed["held"]) == ("WEST", None, 1)
    mapped = operator("feed", "map", engine, "west", "--organization", "Hospital A", "--json").json
    assert (mapped["code"], mapped["assigning_authority"], mapped["released"]) == ("WEST", "WEST", 1)
    work(database)
    assert operator("feed", "facilities", engine, "--json").json["items"][0]["held"] == 0
    assert operator("feed", "map", feed, "X", "--organization", "Nobody", "--json").code == ExitCode.REFUSED


HEADER = "patient_number,visit_number,class,admitted_at,last_name,first_name,birth_date,sex,medicaid_id\n"
CENSUS = HEADER + "M1,V1,I,2026-03-02T10:00:00-05:00,Alder,Ann,1980-01-02,F,MC1\n"


def told(database: Database) -> int:
    """Count what was ever told."""

    async def count() -> int:
        engine = make_engine(database.url, database.network, Role.WORK, name="tests")
        try:
            async with wiring.open_transaction(engine)() as raw:
                return int(await raw.fetchval("select count(*) from notification"))
        finally:
            await engine.dispose()

    return asyncio.run(count())


def test_a_census_is_history_until_the_feed_goes_live(operator: Handoff, database: Database, feed: str, tmp_path: Path) -> None:
    census = written(tmp_path, "census.csv", CENSUS)
    assert operator("feed", "backfill", feed, census, "--dry-run", "--json").json["messages"] == 1
    assert operator("inbound", "list", "--json").json == {"items": []}
    loaded = operator("feed", "backfill", feed, census, "--census", "--json")
    assert (loaded.code, loaded.json["answers"], loaded.json["taken_over"]) == (ExitCode.OK, {"AA": 1}, None)
    operator("feed", "backfill", feed, census)
    work(database)
    assert len(operator("inbound", "list", "--json").json["items"]) == 1
    assert operator("feed", "change", feed, "--mode", "live", "--json").json["in_house"] == 1
    work(database)
    assert told(database) == 0
    work(database, DISCHARGE)
    assert told(database) == 1


def test_a_census_on_a_live_feed_takes_over_whom_it_names(operator: Handoff, database: Database, feed: str, tmp_path: Path) -> None:
    operator("feed", "change", feed, "--mode", "live")
    census = written(tmp_path, "census.csv", CENSUS)
    waiting = operator("feed", "backfill", feed, census, "--census", "--wait-s", "0", "--json")
    assert (waiting.code, "1 messages" in waiting.error["error"]) == (ExitCode.UNAVAILABLE, True)
    work(database)
    again = operator("feed", "backfill", feed, census, "--census", "--json")
    assert again.json["taken_over"] == 1
    work(database)
    assert told(database) == 0
    work(database, DISCHARGE)
    assert told(database) == 1


def test_a_census_with_an_error_loads_nothing(operator: Handoff, feed: str, tmp_path: Path) -> None:
    broken = written(tmp_path, "census.csv", CENSUS + "M2,V2,I,yesterday,Birch,Ben,1975-01-01,M,\n")
    ended = operator("feed", "backfill", feed, broken, "--json")
    assert ended.code == ExitCode.REFUSED
    assert "row 3, admitted_at" in ended.error["error"]
    assert operator("inbound", "list", "--json").json == {"items": []}


def test_a_feed_in_shadow_is_set_beside_the_present_services_list(operator: Handoff, database: Database, feed: str, tmp_path: Path) -> None:
    other = adt("A01", "20260304100000-0500", control="O1", mrn="M5", visit="V5", medicaid=None, name="Elder^Eve", born="19500101")
    work(database, ADMIT, DISCHARGE, other)
    rows = ["event,occurred_at,visit_number,mrn,notified_at,recipient",
            "Admit,2026-03-01T10:00:00-05:00,,M7,,Home B",
            "Admit,2026-03-04T10:00:00-05:00,V5,,,Home B",
            "Discharge,2026-03-06T14:20:00-05:00,V1,,2026-03-06T14:40:00-05:00,home b"]  # fmt: skip
    theirs = written(tmp_path, "theirs.csv", "\n".join(rows) + "\n")
    details = tmp_path / "details.csv"
    ended = operator("feed", "compare", feed, theirs, "--details", details, "--json")
    assert ended.code == ExitCode.FOUND
    said = ended.json
    assert (said["matched"], said["missed"], said["extra"]) == (1, 2, 1)
    assert said["missed_why"] == {"not_heard": 1, "nobody_claims": 1}
    assert said["event_time_apart_median_s"] == 300.0
    lines = details.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["result", "matched", "missed", "missed", "extra"]
    assert not any(value in details.read_text() + ended.out for value in ("Alder", "M1", "V1", "V5"))
    assert told(database) == 0


def test_a_list_that_cannot_be_read_is_refused(operator: Handoff, feed: str, tmp_path: Path) -> None:
    wrong = written(tmp_path, "theirs.csv", "event,occurred_at,mrn\nDischarge,soon,M1\n")
    ended = operator("feed", "compare", feed, wrong, "--json")
    assert ended.code == ExitCode.REFUSED
    assert "row 2, occurred_at" in ended.error["error"]
    empty = written(tmp_path, "empty.csv", "event,occurred_at,mrn\n")
    assert operator("feed", "compare", feed, empty, "--json").code == ExitCode.REFUSED
