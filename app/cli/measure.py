"""`handoff measure`: a measurement year computed anew after its rules changed. Not here: rates, which are asked over HTTP."""

import asyncio
import os
import time
from datetime import date
from typing import Annotated, Any

import typer

from app.cli.database import open_office
from app.cli.exits import usage
from app.cli.measure_hands import Hands, open_hands, remeasuring
from app.cli.output import JsonFlag, Output
from app.pipeline.remeasure import Remeasured
from app.settings import load_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Quality measures: a year computed anew after its rules changed.")

SAID_EVERY_S = 2.0


@app.callback()
def _measure() -> None:
    """Keep `recompute` a command of its own."""


@app.command()
def recompute(
    year: Annotated[int, typer.Option(min=2000, max=2100, help="The measurement year: discharges and visits of these twelve months.")],
    *,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="Processes that compute; one for each core unless said.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Compute every status of a year anew: first what would change, by measure, then the change itself. The past can still be asked.

    A line is what one organization, or the whole exchange, is told of one discharge or visit under one measure; before and after are its
    status of 7 and of 30 days, why, and the version of the rules. A dash: no line.
    """
    output = Output(as_json=as_json)
    if as_json and not dry_run and not yes:
        raise usage("Nobody can be asked with --json.", "Give --yes, or --dry-run to see what would change.")

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            job = remeasuring(office.work, office.clock, office.settings.standards_dir)
            total = await job.count(date(year, 1, 1), date(year, 12, 31))
            async with open_hands(job, office.database.url, jobs or os.cpu_count() or 1, total) as hands:
                found = await _through(hands, output, year, total, change=False)
                shown = _shown(found, year, is_changed=False)
                if not as_json:
                    output.table(shown["changes"], ("measure", "before", "after", "lines"), none="Nothing changes.")
                if dry_run or not found.changed:
                    return shown
                if not yes and not typer.confirm(f"Change {found.changed.total():,} lines of {found.people:,} people?", err=True):
                    return shown
                return _shown(await _through(hands, output, year, total, change=True), year, is_changed=True)

    result = asyncio.run(run())
    if as_json:
        output.result(result)
        return
    words = "were changed; {} stand now" if result["is_changed"] else "would change; {} would stand then"
    output.say(f"{result['lines_changed']:,} lines of {result['people']:,} people {words.format(format(result['lines'], ','))}.")


async def _through(hands: Hands, output: Output, year: int, total: int, *, change: bool) -> Remeasured:
    began_s = said_s = time.monotonic()

    def say(done: Remeasured) -> None:
        nonlocal said_s
        now_s = time.monotonic()
        if now_s - said_s >= SAID_EVERY_S or done.people >= total:
            said_s = now_s
            pace = done.lines / max(now_s - began_s, 0.001)
            doing = "Changing" if change else "Comparing"
            output.say(f"{doing} {year}: {done.people:,} of {total:,} people, {done.lines:,} lines, {pace:,.0f} lines/s")

    return await hands.here.run(date(year, 1, 1), date(year, 12, 31), hands.of(change=change), say)


def _shown(found: Remeasured, year: int, *, is_changed: bool) -> dict[str, Any]:
    changes = [
        {"measure": measure, "before": before, "after": after, "lines": lines}
        for (measure, before, after), lines in sorted(found.changed.items(), key=lambda one: (one[0][0], -one[1]))
    ]
    return {
        "year": year,
        "is_changed": is_changed,
        "people": found.people,
        "lines": found.lines,
        "lines_changed": found.changed.total(),
        "changes": changes,
    }
