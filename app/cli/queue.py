"""`handoff queue list`: everything that waits for a person. The same as `/v1/queues`."""

import asyncio
from typing import Any

import typer

from app.api.schemas.queues import EMPTY, PERIOD, queue_json
from app.cli.database import open_office
from app.cli.output import JsonFlag, Output
from app.settings import load_settings
from app.standards.queue_rules import queue_definitions
from app.store import queues

app = typer.Typer(no_args_is_help=True, help="Queues in which something waits for a person.")

_COLUMNS = ("id", "owner", "waiting", "oldest_at", "oldest_due_at", "alert", "clocks_running", "opened_in_30_days", "per_10000_messages")


@app.callback()
def _noun() -> None:
    """Keep `list` a verb of its own."""


@app.command("list")
def list_queues(*, as_json: JsonFlag = False) -> None:
    """List every queue: who owns it, how many wait, since when, until when somebody is to have looked, and whose clocks run meanwhile."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            now = office.clock.now()
            counted = await queues.counts(raw, now - PERIOD)
            messages = await queues.messages_since(raw, now - PERIOD)
        return [queue_json(one, counted.get(one.id, EMPTY), messages, now) for one in queue_definitions()]

    output.table(asyncio.run(run()), _COLUMNS, none="There are no queues.")
