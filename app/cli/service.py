"""`handoff service`: encounter and pharmacy files of plans and agencies. The same loading as over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from app.actions.load_services import load_services
from app.cli.database import open_office
from app.cli.exits import ExitCode, refused
from app.cli.names import named_organization
from app.cli.output import JsonFlag, Output
from app.domain.organization import COVERING_KINDS
from app.domain.panel import RosterTooLargeError
from app.domain.roster import RosterRefusedError
from app.settings import load_settings
from app.store.hints import hint_once
from app.wiring.services import service_loading

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Services that encounter and pharmacy files tell of.")

_FORMS = "Claims: CSV with a header, FHIR ExplanationOfBenefit (NDJSON, Bundle), or Parquet."
_PIECE_BYTES = 1 << 18
_COUNTS = ("rows", "added", "unchanged", "repeated", "rejected")


@app.callback()
def _service() -> None:
    """Keep `load` a command of its own."""


@app.command("load")
def load(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help=_FORMS,
        ),
    ],
    organization: Annotated[str, typer.Option(help="Whose file, a plan's or an agency's: id or name.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added, and add nothing.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Load an encounter or pharmacy file. Good rows are taken although others are bad; the same file again adds nothing."""
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        settings = load_settings()
        async with open_office(settings) as office:
            async with office.operator() as connection:
                owner = await named_organization(connection, organization)
            if owner.kind not in COVERING_KINDS:
                raise refused(f"{owner.name} is no plan and no agency.", "Name whoever pays or reports; homes record contacts.")
            loading, now = service_loading(settings, office.work, office.ids), office.clock.now()
            try:
                upload = await load_services(loading, owner, _pieces(file), file_name=file.name, dry_run=dry_run, now=now)
            except RosterRefusedError as refusal:
                why = "\n".join(f"row {error.row} {error.column}: {error.message}" for error in refusal.errors)
                raise refused(f"{file.name} cannot be read as claims; nothing was taken.\n{why}", "Correct it and load it again.") from None
            except RosterTooLargeError as error:
                raise refused(
                    f"{file.name} is larger than {error.bytes_max} bytes; nothing was taken.",
                    "Split it, or raise HANDOFF_ROSTER_BYTES_MAX.",
                ) from None
            if not dry_run:
                await hint_once(office.database.url, office.database.network, "inbound")
            return upload.document()

    document = asyncio.run(run())
    if as_json:
        output.result(document)
    else:
        output.fields({name: document[name] for name in _COUNTS} | {"dry run": dry_run, "upload": document["id"]})
        errors = [{"row": one["row"], "column": one["column"], "what to do": one["message"]} for one in document["errors"]]
        output.table(errors, ("row", "column", "what to do"), none="Every row was taken.")
    return ExitCode.FOUND if document["rejected"] else ExitCode.OK


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        while piece := await asyncio.to_thread(stream.read, _PIECE_BYTES):
            yield piece
