"""`handoff doctor`: everything that the service needs, looked at one after the other. Not here: the checks (checks.py)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict

import typer

from app import wiring
from app.cli.checks import (
    Check,
    Grade,
    check_backlog,
    check_database,
    check_ports,
    check_programs,
    check_room,
    check_schema,
    check_settings,
)
from app.cli.database import open_database
from app.cli.exits import ExitCode
from app.cli.failing import command_error_of, database_trouble
from app.cli.new_database import say_if_new
from app.cli.output import JsonFlag, Output
from app.settings import Settings, load_settings

app = typer.Typer(add_completion=False)

_SIGNS = {Grade.GOOD: "ok  ", Grade.WARNING: "look", Grade.BAD: "BAD "}


@app.command()
def doctor(*, as_json: JsonFlag = False) -> int:
    """Check settings, rules, database, schema, clock, disk, queues and ports; every failing line says what to do.

    Looks only. With the embedded database the server is adopted, or started for the time of the check.
    """
    output = Output(as_json=as_json)
    checks: list[Check] = []

    async def run() -> None:
        settings = load_settings()
        say_if_new(settings, output)
        async for check in _checks(settings):
            checks.append(check)
            if not as_json:
                output.text(f"{_SIGNS[check.grade]}  {check.name}: {check.said}")
                if check.remedy:
                    output.text(f"      {check.remedy}")

    asyncio.run(run())
    bad = sum(check.grade is Grade.BAD for check in checks)
    if as_json:
        output.result({"healthy": bad == 0, "checks": [asdict(check) for check in checks]})
    return ExitCode.FOUND if bad else ExitCode.OK


async def _checks(settings: Settings) -> AsyncIterator[Check]:
    for check in check_settings(settings):
        yield check
    for check in (check_programs(settings), *check_room(settings)):
        yield check
    async for check in check_ports(settings):
        yield check
    clock = wiring.SystemClock()
    stack = open_database(settings)
    try:
        database = await asyncio.to_thread(stack.__enter__)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        yield _unreachable(error, settings)
        return
    try:
        for check in await check_database(database, clock):
            yield check
        found, is_readable = await check_schema(database)
        for check in found:
            yield check
        if is_readable:
            for check in await check_backlog(settings, database, clock):
                yield check
    except Exception as error:  # noqa: BLE001 - as above
        yield _unreachable(error, settings)
    finally:
        await asyncio.to_thread(stack.__exit__, None, None, None)


def _unreachable(error: Exception, settings: Settings) -> Check:
    """Name the server and what to do; of somebody else's, never more of its address than host, port and database."""
    found = command_error_of(error)
    if found.code is ExitCode.DEFECT:
        raise error
    place, remedy = database_trouble(error, settings)
    if not place or found.code is not ExitCode.UNAVAILABLE:
        return Check("database", Grade.BAD, found.text, found.remedy)
    return Check("database", Grade.BAD, f"{place} cannot be used ({type(error).__name__})", remedy)
