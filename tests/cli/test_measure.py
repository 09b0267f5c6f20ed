"""A year of measures computed anew by command, over an exchange that was really worked on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from app import wiring
from app.cli import measure_hands
from app.cli.exits import ExitCode
from app.pipeline import remeasure
from app.store import people
from app.store.engine import make_engine
from app.store.roles import Role
from tests.api.world import exchange, tell_the_story
from tests.cli.conftest import Handoff
from tests.load.remeasure import COPIED, copying
from tests.support.databases import Database

OLD = """
update measure_line set rule_version = 'FUH-MY2020', status_7 = 'met', status_30 = 'met', reason = 'service_in_7_days'
where measure = 'FUH' and known_to is null
"""

COLUMNS = """
select string_agg(quote_ident(attname), ', ') as names from pg_attribute
where attrelid = 'measure_line'::regclass and attnum > 0 and attgenerated = '' and attidentity = '' and attname not in ('id', 'measure')
"""
UNKNOWN_MEASURES = """
insert into measure_line (measure, {names})
select 'OLD' || n, {names} from measure_line, generate_series(1, 20) as n where known_to is null and measure = 'FUH'
"""


def execute(database: Database, statement: str, role: Role = Role.WORK) -> list[Any]:
    """Run a statement."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(database.url)
        try:
            await connection.execute(f"set role {database.network.role(role)}; set search_path = {database.network.name}")
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture
def told(database: Database) -> Iterator[Database]:
    """Ann's stay of 2026, and an older rule's idea of it in the ledger."""

    async def tell() -> None:
        work, app = (make_engine(database.url, database.network, role, name="tests") for role in (Role.WORK, Role.APP))
        async with exchange(work, app) as world:
            await tell_the_story(world)
        await work.dispose()
        await app.dispose()

    asyncio.run(tell())
    execute(database, OLD)
    return database


def test_what_would_change_is_said_before_it_is_changed(told: Database, operator: Handoff) -> None:
    would = operator("measure", "recompute", "--year", 2026, "--dry-run", "--json").json
    fuh = [one for one in would["changes"] if one["before"].endswith("(FUH-MY2020)")]
    assert [(one["measure"], one["lines"], one["before"].split(" ")[0]) for one in fuh] == [("FUH", 3, "met/met")], "home, plan, exchange"
    assert (would["people"], would["is_changed"]) == (1, False)
    stands = "select rule_version from measure_line where measure = 'FUH' and known_to is null"
    assert {row["rule_version"] for row in execute(told, stands)} == {"FUH-MY2020"}, "nothing was changed"
    assert operator("measure", "recompute", "--year", 2026, "--json").code == ExitCode.USAGE, "nobody can be asked"
    ports = {"HANDOFF_HTTP_PORT": "1", "HANDOFF_MLLP_PORT": "1"}
    (judged,) = [one for one in operator("doctor", "--json", settings=ports).json["checks"] if one["name"] == "measures"]
    assert (judged["grade"], "FUH-MY2020" in judged["said"], "--year 2026" in judged["remedy"]) == ("warning", True, True), judged
    done = operator("measure", "recompute", "--year", 2026, "--yes")
    assert done.code == ExitCode.OK
    assert "of 1 people, " in done.err.replace("1 of 1", "of 1")
    assert {row["rule_version"] for row in execute(told, stands)} == {"FUH-MY2026"}
    kept = execute(told, "select count(*) as ended from measure_line where measure = 'FUH' and rule_version = 'FUH-MY2020'")
    assert kept[0]["ended"] == 3, "the past can still be asked"
    (judged,) = [one for one in operator("doctor", "--json").json["checks"] if one["name"] == "measures"]
    assert judged["grade"] == "good", judged
    again = operator("measure", "recompute", "--year", 2026, "--dry-run", "--json").json
    assert (again["lines_changed"], again["changes"]) == (0, [])
    assert operator("measure", "recompute", "--year", 2025, "--dry-run", "--json").json["people"] == 0

    # Of measures that are no more the lines end: more change than stand after it, so these are no part of those.
    execute(told, UNKNOWN_MEASURES.format(names=execute(told, COLUMNS)[0]["names"]))
    said = operator("measure", "recompute", "--year", 2026, "--dry-run")
    changed, stand = said.err.splitlines()[-1].split(" lines of 1 people would change; ")
    assert int(changed) > int(stand.removesuffix(" would stand then.")), said.err
    assert said.out.count("before") == 1, "the table stands once"


STANDS = """
select (to_jsonb(m) - 'id' - 'known_from' - 'next_change_at' - 'xid')::text as line from measure_line m where known_to is null order by 1
"""
ENDED = """
select max(count) as versions
from (select count(*) from measure_line where known_to is not null group by encounter_id, measure, organization_id) as n
"""


@pytest.fixture
def crowd(told: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Sixty people like Ann, some of them in the ledger by the older rule, and shares small enough that several processes have some."""
    for table in COPIED:
        execute(told, copying(table, 60))
    for module in (remeasure, measure_hands):
        monkeypatch.setattr(module, "PEOPLE_AT_ONCE", 10)
    return told


def test_several_processes_and_one_make_the_same_ledger(crowd: Database, operator: Handoff) -> None:
    would = operator("measure", "recompute", "--year", 2026, "--dry-run", "--jobs", 1, "--json").json
    assert would["people"] == 61
    done = operator("measure", "recompute", "--year", 2026, "--yes", "--jobs", 2, "--json").json
    assert (done["lines_changed"], done["changes"], done["is_changed"]) == (would["lines_changed"], would["changes"], True)
    by_two = execute(crowd, STANDS)
    assert len(by_two) == done["lines"], "every line stands once"
    execute(crowd, OLD)
    assert operator("measure", "recompute", "--year", 2026, "--yes", "--jobs", 1).code == ExitCode.OK
    assert execute(crowd, STANDS) == by_two


def test_what_is_killed_in_the_middle_ends_in_the_same_ledger_when_it_is_run_again(
    crowd: Database, operator: Handoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = measure_hands._asked, []

    async def ask_and_kill(process: Any, persons: Any, *, change: bool) -> Any:
        asked.append(change)
        if asked.count(True) == 3:
            process.kill()
        return await ask(process, persons, change=change)

    monkeypatch.setattr(measure_hands, "_asked", ask_and_kill)
    killed = operator("measure", "recompute", "--year", 2026, "--yes", "--jobs", 2)
    assert killed.code == ExitCode.UNAVAILABLE
    assert "run the command again" in killed.err
    some = len(execute(crowd, STANDS))
    monkeypatch.setattr(measure_hands, "_asked", ask)
    rest = operator("measure", "recompute", "--year", 2026, "--yes", "--jobs", 1, "--json").json
    assert 0 < rest["lines_changed"] < rest["lines"], "what was written is not written again"
    whole = execute(crowd, STANDS)
    assert len(whole) == rest["lines"] > some
    assert execute(crowd, ENDED)[0]["versions"] == 1, "no version of the killed run ended"


async def test_a_person_whose_stays_change_meanwhile_is_not_written_as_they_were(database: Database) -> None:
    work, app = (make_engine(database.url, database.network, role, name="tests") for role in (Role.WORK, Role.APP))
    async with exchange(work, app) as world:
        await tell_the_story(world)
    transaction = wiring.open_transaction(work)
    job = measure_hands.remeasuring(work, wiring.SystemClock())
    async with transaction() as raw:
        stays = await raw.fetch("select person_id from encounter")
        persons = [stays[0]["person_id"]]
        await people.lock_people(raw, persons)
        computing = asyncio.create_task(job.some(persons, change=True))
        # The job is at the lock: whatever it read before that is as of now.
        while not (computing.done() or await raw.fetchval("select exists (select from pg_locks where not granted)")):
            await asyncio.sleep(0.01)
        await raw.execute("update encounter set mode = 'shadow' where person_id = $1", persons[0])
    assert (await computing).lines == 0
    async with transaction() as raw:
        assert await raw.fetchval("select count(*) from measure_line where known_to is null") == 0, "the stay counts for nobody now"
    await work.dispose()
    await app.dispose()
