"""`handoff migrate`: the schema of the database. The service's own processes never migrate a database of somebody else."""

import asyncio

import typer

from app.cli.database import open_database
from app.cli.exits import ExitCode
from app.cli.new_database import say_if_new
from app.cli.output import JsonFlag, Output
from app.settings import load_settings
from migrations.run import current_revision, head_revision, migrate_plan, migrate_up, migrate_verify, networks

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Bring the database's schema up to date, or look at it.")


@app.command("up")
def up(*, as_json: JsonFlag = False) -> None:
    """Make the roles, the schema and every missing revision. Safe to repeat, and to run twice at once.

    With the embedded database nothing is left running that was not running before.
    """
    output = Output(as_json=as_json)
    settings = load_settings()
    say_if_new(settings, output)
    with open_database(settings) as database:
        before = asyncio.run(current_revision(database.url, database.network))
        others = asyncio.run(networks(database.url)) if before is None else []
        after = asyncio.run(migrate_up(database.url, database.network))
    changed = "nothing had to be done" if before == after else f"it was at {before or 'none'}"
    if others:
        output.say(f"Warning: this is a new network, with nothing in it, beside those that this database has: {', '.join(others)}.")
    output.result(
        {"network": database.network.name, "before": before, "revision": after},
        f"The network {database.network.name} is at revision {after}; {changed}.",
    )


@app.command("plan")
def plan(*, as_json: JsonFlag = False) -> None:
    """Print the SQL that `up` would run, and run nothing."""
    output = Output(as_json=as_json)
    with open_database(load_settings()) as database:
        sql = asyncio.run(migrate_plan(database.url, database.network))
        before = asyncio.run(current_revision(database.url, database.network))
    if as_json:
        output.result({"network": database.network.name, "revision": before, "head": head_revision(), "sql": sql})
    else:
        output.text(sql)


@app.command("verify")
def verify(*, as_json: JsonFlag = False) -> int:
    """Compare the database with this release: revision, tables, grants, policies. Nothing is changed."""
    output = Output(as_json=as_json)
    with open_database(load_settings()) as database:
        found = asyncio.run(migrate_verify(database.url, database.network))
    output.result(
        {"network": database.network.name, "findings": found},
        "\n".join(found) or f"The network {database.network.name} is as this release needs it.",
    )
    return ExitCode.FOUND if found else ExitCode.OK
