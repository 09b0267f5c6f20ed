"""`handoff lint`: what is wrong with messages, HL7 v2 or FHIR, and what the standard says besides, without sending them anywhere.

Needs no database; with `--feed` the profile of a configured feed is used. Not here: the advice itself (lint of adapters/hl7v2 and fhir).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.fhir.lint import lint as fhir_findings_of
from adapters.hl7v2.lint import NEUTRAL_FEED
from adapters.hl7v2.lint import lint as findings_of
from app.api.strict_json import read_strict_json
from app.cli.database import open_office
from app.cli.exits import ExitCode, refused
from app.cli.message_file import MESSAGE_FILE, FileMessage, read_messages
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.feed import Feed
from app.domain.inbound import Format, Problem, Severity
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.feeds import find_feed

app = typer.Typer(add_completion=False)
_Found = tuple[str, Problem]
"""The place in words, and what is wrong there."""


@app.command()
def lint(
    file: Annotated[Path, typer.Argument(dir_okay=False, help=MESSAGE_FILE)],
    feed: Annotated[str | None, typer.Option(help="Read it by this feed's profile; needs the database.")] = None,
    *,
    errors_only: Annotated[bool, typer.Option("--errors-only", help="Leave out warnings and advice.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Say what is wrong with the messages of a file: every problem with its place, and never a value."""
    output = Output(as_json=as_json)
    held = read_messages(file)
    by = asyncio.run(_feed(feed)) if feed is not None else NEUTRAL_FEED
    by_message: list[tuple[int | None, Sequence[_Found]]] = [(None, [("", one) for one in held.warnings])]
    by_message += [(number, _found(message, by)) for number, message in enumerate(held.messages, 1)]
    found = [
        {
            "message": number,
            "severity": finding.severity.name.lower(),
            "location": finding.location,
            "name": name,
            "code": finding.code.value,
            "text": finding.text,
        }
        for number, findings in by_message
        for name, finding in findings
        if finding.severity is Severity.ERROR or not errors_only
    ]
    errors = sum(finding["severity"] == "error" for finding in found)
    if as_json:
        output.result({"messages": len(held.messages), "errors": errors, "findings": found})
    else:
        output.table(found, ("message", "severity", "location", "name", "text"), none="Nothing is wrong.")
        output.say(f"{len(held.messages)} messages, {errors} errors, {len(found) - errors} warnings and pieces of advice.")
    return ExitCode.FOUND if errors else ExitCode.OK


def _found(message: FileMessage, by: Feed) -> list[_Found]:
    if message.format is Format.FHIR:
        return [(one.name, one.problem) for one in fhir_findings_of(message.body, by, read_strict_json)]
    return [(one.name, Problem(one.code, one.severity, one.location, one.text)) for one in findings_of(message.body, by)]


async def _feed(text: str) -> Feed:
    async with open_office(load_settings()) as office, office.operator() as connection:
        found = await find_feed(connection, OPERATOR, read_id(Kind.FEED, text))
    if found is None:
        raise refused(f"There is no feed {text}.", "`handoff feed list` shows them all.")
    return found
