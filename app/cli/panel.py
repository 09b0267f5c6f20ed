"""`handoff panel`: rosters onto an organization's panel. The same loading as over HTTP. Not here: what a cell means (app/domain)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from app.actions.load_panel import Upload, load_panel
from app.cli import panel_consent, panel_standing
from app.cli.database import open_office
from app.cli.exits import ExitCode, refused
from app.cli.names import named_organization
from app.cli.output import JsonFlag, Output
from app.domain.panel import PanelWouldShrinkError, RosterTooLargeError, UploadMode
from app.domain.roster import RosterRefusedError
from app.settings import load_settings
from app.store.hints import hint_once
from app.wiring.panels import panel_services

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who is on an organization's panel.")

_PIECE_BYTES = 1 << 20
_COUNTS = ("rows", "accepted", "rejected", "repeated", "added", "changed", "unchanged", "removed", "kept")


@app.callback()
def _panel() -> None:
    """Who is on an organization's panel."""


@app.command("load")
def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The roster: CSV with a header.")],
    organization: Annotated[str, typer.Option(help="Whose panel: id or name.")],
    mode: Annotated[
        UploadMode,
        typer.Option(
            help="delta: rows add, change and, with change_type, remove; replace: the file is the whole panel, what is missing ends."
        ),
    ] = UploadMode.DELTA,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Let an upload end more claims than the guard allows, and take rows that give a known number to somebody else."
        ),
    ] = False,
    pack: Annotated[
        str | None, typer.Option(help="Of a dry run: whose rules say who would be silent; left out: the federal rules alone.")
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Load a roster. Good rows are taken although others are bad; bad ones are named with row, column, reason and remedy."""
    output = Output(as_json=as_json)
    chosen = panel_consent.known_pack(pack)

    async def run() -> dict[str, Any]:
        settings = load_settings()
        async with open_office(settings) as office:
            async with office.operator() as connection:
                owner = await named_organization(connection, organization)
            services = panel_services(settings, office.work, office.ids)
            upload = Upload(mode, dry_run, force, file.name)
            try:
                result = await load_panel(services, owner, _pieces(file), upload, now=office.clock.now())
            except RosterRefusedError as refusal:
                why = "\n".join(f"row {error.row} {error.column}: {error.message}" for error in refusal.errors)
                raise refused(
                    f"{file.name} cannot be read as a roster; nothing was taken.\n{why}", "Correct the file and load it again."
                ) from None
            except RosterTooLargeError as error:
                raise refused(
                    f"{file.name} is larger than {error.bytes_max} bytes; nothing was taken.",
                    "Split it, or raise HANDOFF_ROSTER_BYTES_MAX.",
                ) from None
            except PanelWouldShrinkError as error:
                raise refused(str(error), "See what would end with --dry-run; load it with --force if that is meant.") from None
            if not dry_run:
                # Whoever works looks at the stays of these people at once; without the hint, within a second.
                await hint_once(office.database.url, office.database.network, "inbound")
            silence = await panel_consent.rehearsed(office, owner, result.signed, chosen) if dry_run else None
            return result.document() | {"silence": silence}

    document = asyncio.run(run())
    if as_json:
        output.result(document)
    else:
        output.fields({name: document[name] for name in _COUNTS} | {"dry run": dry_run, "upload": document["id"]})
        if document["people"] is not None:
            output.fields({f"people: {name}": count for name, count in document["people"].items()})
        output.table(
            [{"row": error["row"], "column": error["column"], "what to do": error["message"]} for error in document["errors"]],
            ("row", "column", "what to do"),
            none="Every row was taken.",
        )
        for warning in document["warnings"]:
            output.say(f"row {warning['row']} {warning['column']}: {warning['message']}")
        if document["silence"] is not None:
            panel_consent.show_silence(output, document["silence"])
    return ExitCode.FOUND if document["rejected"] else ExitCode.OK


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        while piece := await asyncio.to_thread(stream.read, _PIECE_BYTES):
            yield piece


app.command("list")(panel_standing.list_panels)
app.command("limits")(panel_standing.limits)
app.command("conflicts")(panel_standing.conflicts)
app.command("consent")(panel_consent.consent)
app.command("review-consents")(panel_consent.review_consents)
app.command("rehearse")(panel_consent.rehearse)
