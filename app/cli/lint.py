"""`handoff lint`: what is wrong with HL7 messages, and what the standard says besides, without sending them anywhere.

Needs no database; with `--feed` the profile of a configured feed is used. Not here: the advice itself (adapters/hl7v2/lint).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.hl7v2.batch import split_batch
from adapters.hl7v2.lint import NEUTRAL_FEED, Finding
from adapters.hl7v2.lint import lint as findings_of
from app.cli.database import open_office
from app.cli.exits import ExitCode, refused, usage
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.feed import Feed
from app.domain.inbound import Problem, Severity
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.feeds import find_feed

app = typer.Typer(add_completion=False)


@app.command()
def lint(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="One message, many, or a batch (FHS/BHS).")],
    feed: Annotated[str | None, typer.Option(help="Read it by this feed's profile; needs the database.")] = None,
    *,
    errors_only: Annotated[bool, typer.Option("--errors-only", help="Leave out warnings and advice.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Say what is wrong with the messages of a file: every problem with its place, and never a value."""
    output = Output(as_json=as_json)
    if not file.is_file():
        raise usage(f"There is no file {file}.", "Name a file with HL7 messages.")
    batch = split_batch(file.read_bytes())
    if not batch.messages:
        raise refused(f"{file} holds no HL7 message.", "A message begins with MSH and a delimiter, such as MSH|^~\\&|.")
    by = asyncio.run(_feed(feed)) if feed is not None else NEUTRAL_FEED
    by_message: list[tuple[int | None, Sequence[Finding | Problem]]] = [(None, batch.warnings)]
    by_message += [(number, findings_of(message, by)) for number, message in enumerate(batch.messages, 1)]
    found = [
        {
            "message": number,
            "severity": finding.severity.name.lower(),
            "location": finding.location,
            "name": finding.name if isinstance(finding, Finding) else "",
            "code": finding.code.value,
            "text": finding.text,
        }
        for number, findings in by_message
        for finding in findings
        if finding.severity is Severity.ERROR or not errors_only
    ]
    errors = sum(finding["severity"] == "error" for finding in found)
    if as_json:
        output.result({"messages": len(batch.messages), "errors": errors, "findings": found})
    else:
        output.table(found, ("message", "severity", "location", "name", "text"), none="Nothing is wrong.")
        output.say(f"{len(batch.messages)} messages, {errors} errors, {len(found) - errors} warnings and pieces of advice.")
    return ExitCode.FOUND if errors else ExitCode.OK


async def _feed(text: str) -> Feed:
    async with open_office(load_settings()) as office, office.operator() as connection:
        found = await find_feed(connection, OPERATOR, read_id(Kind.FEED, text))
    if found is None:
        raise refused(f"There is no feed {text}.", "`handoff feed list` shows them all.")
    return found
