"""`handoff practitioner`: what kind of provider an NPI is, from a registry of the form of NPPES."""

import asyncio
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.files.provider_csv import BadRow, NoRegistryError, ProviderRow, read_providers
from app import wiring
from app.cli.database import open_office
from app.cli.exits import ExitCode, refused
from app.cli.output import JsonFlag, Output
from app.settings import load_settings
from app.store import provider_registry
from app.store.hints import hint_once

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What kind of provider an NPI is.")

_ROWS_AT_ONCE = 20_000
_SHOWN_MAX = 1000


@app.callback()
def _practitioner() -> None:
    """Keep the commands apart."""


@app.command("load")
def load(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, readable=True, help="CSV, of NPPES or with columns of our own: adapters/files/README.md."
        ),
    ],
    *,
    as_json: JsonFlag = False,
) -> int:
    """Load a registry of providers: NPI, entity type, taxonomies, dates. Good rows are taken although others are bad.

    What the file says of a provider takes the place of what an earlier one said. Said is how many kinds it has, how many are new or other
    than before, and how many stays are looked at again, whose measures go by them.
    """
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        bad: list[BadRow] = []
        kinds = rejected = 0
        async with open_office(load_settings()) as office:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                async with wiring.open_transaction(office.work)() as raw:
                    await raw.execute(f"set local statement_timeout = 0; {provider_registry.BEGIN}")
                    read = read_providers(lines)
                    while piece := list(islice(read, _ROWS_AT_ONCE)):
                        taken = [one for one in piece if isinstance(one, ProviderRow)]
                        kinds, rejected = kinds + len(taken), rejected + len(piece) - len(taken)
                        bad += [one for one in piece if isinstance(one, BadRow)][: _SHOWN_MAX - len(bad)]
                        await provider_registry.stage(raw, taken)
                    changed, stays = await provider_registry.take(raw, office.clock.now())
            await hint_once(office.database.url, office.database.network, "inbound")
        errors = [{"row": one.row, "column": one.column, "what to do": one.why} for one in bad]
        return {"kinds": kinds, "changed": changed, "rejected": rejected, "stays to look at": stays, "errors": errors}

    try:
        document = asyncio.run(run())
    except (NoRegistryError, UnicodeDecodeError):
        raise refused(
            f"{file.name} is no registry of providers; nothing was taken.",
            "It needs a header with NPI and taxonomy columns, separated by commas, in UTF-8: adapters/files/README.md has them.",
        ) from None
    if as_json:
        output.result(document)
    else:
        output.fields({name: value for name, value in document.items() if name != "errors"})
        output.table(document["errors"], ("row", "column", "what to do"), none="Every row was taken.")
    return ExitCode.FOUND if document["rejected"] else ExitCode.OK


@app.command("unresolved")
def unresolved(*, as_json: JsonFlag = False) -> None:
    """List who rendered services of claims and whose kind nobody says: they earn nothing for which it counts."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            found = await provider_registry.unresolved(raw, _SHOWN_MAX)
        return [one | {"last_on": one["last_on"].isoformat() if one["last_on"] else None} for one in found]

    output.table(asyncio.run(run()), ("npi", "services", "people", "last_on"), none="Every provider of a claim is known.")
