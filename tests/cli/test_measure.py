"""A year of measures computed anew by command, over an exchange that was really worked on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from app.cli.exits import ExitCode
from app.store.engine import make_engine
from app.store.roles import Role
from tests.api.world import exchange, tell_the_story
from tests.cli.conftest import Handoff
from tests.support.databases import Database

OLD = """
update measure_line set rule_version = 'FUH-MY2020', status_7 = 'met', status_30 = 'met', reason = 'service_in_7_days'
where measure = 'FUH' and known_to is null
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
    done = operator("measure", "recompute", "--year", 2026, "--yes")
    assert done.code == ExitCode.OK
    assert "of 1 people, " in done.err.replace("1 of 1", "of 1")
    assert {row["rule_version"] for row in execute(told, stands)} == {"FUH-MY2026"}
    kept = execute(told, "select count(*) as ended from measure_line where measure = 'FUH' and rule_version = 'FUH-MY2020'")
    assert kept[0]["ended"] == 3, "the past can still be asked"
    again = operator("measure", "recompute", "--year", 2026, "--dry-run", "--json").json
    assert (again["lines_changed"], again["changes"]) == (0, [])
    assert operator("measure", "recompute", "--year", 2025, "--dry-run", "--json").json["people"] == 0
