"""`handoff files`: the drops of HANDOFF_FILE_SOURCES. Not here: working them off, which `handoff serve` does (app/drop)."""

import asyncio
from typing import Any, Final

import typer

from app.cli.database import open_office
from app.cli.exits import ExitCode
from app.cli.output import JsonFlag, Output
from app.cli.serve import ServeRole, check_drops
from app.domain.directory import Directory
from app.domain.drop import RESULT, TAKING, Box, DropUnavailableError, is_candidate, read_taken
from app.places import FileSource
from app.settings import load_settings
from app.store.directory import RegistryReader
from app.wiring.drops import drop_folder, drop_source

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Drops for batches and rosters: folders, and SFTP servers.")

_COLUMNS: Final = ("name", "files", "state", "waiting", "taking", "done", "failed")


@app.callback()
def _files() -> None:
    """Look at the drops."""


@app.command("check")
def check(*, as_json: JsonFlag = False) -> int:
    """Look at every drop: whether it can be used, whose files it brings, and how many lie where.

    Connects as the service does and makes the folders taking, done and failed where they are missing. Takes nothing.
    """
    output = Output(as_json=as_json)
    settings = load_settings()
    check_drops(settings, ServeRole.ALL)

    async def run() -> list[dict[str, Any]]:
        async with open_office(settings) as office, office.raw() as raw:
            directory = await RegistryReader().current(raw)
        return [await _looked_at(source, directory) for source in settings.file_sources]

    found = asyncio.run(run())
    if as_json:
        output.result({"items": found})
    else:
        output.table(found, _COLUMNS, none="HANDOFF_FILE_SOURCES names no drop.")
        for one in found:
            if one["remedy"]:
                output.say(f"{one['name']}: {one['remedy']}")
    return ExitCode.FOUND if any(one["state"] != "ok" for one in found) else ExitCode.OK


async def _looked_at(source: FileSource, directory: Directory) -> dict[str, Any]:
    drop = drop_source(source)
    found: dict[str, Any] = {
        "name": source.name,
        "place": source.place,
        "files": "messages",
        "state": "ok",
        "remedy": None,
        "waiting": None,
        "taking": None,
        "done": None,
        "failed": None,
    }
    if drop.panel_of is not None:
        owner = directory.organizations.get(drop.panel_of)
        found["files"] = f"roster of {owner.name if owner is not None else source.panel_of} ({source.mode.value})"
        if owner is None:
            return found | {"state": "no_organization", "remedy": "Correct panel_of; `handoff org list` shows the organizations."}
    if drop.feed is not None:
        feed = directory.feed_of("", "", named=drop.feed, organization_id=None)
        found["files"] = (
            f"messages of {feed.sending_application}/{feed.sending_facility}" if feed is not None else f"messages of {drop.feed}"
        )
        if feed is None:
            return found | {"state": "no_feed", "remedy": "Correct feed; `handoff feed list` shows the feeds."}
    folder = drop_folder(source)
    try:
        await folder.open()
        found["waiting"] = sum(is_candidate(sighting.name) for sighting in await folder.files(""))
        found["taking"] = sum(read_taken(sighting.name) is not None for sighting in await folder.files(TAKING))
        for box in Box:
            # Every file that ended up has its result beside it.
            found[box.value] = sum(sighting.name.endswith(f".{RESULT}") for sighting in await folder.files(box.value))
    except DropUnavailableError as error:
        return found | {"state": error.reason, "remedy": str(error)}
    finally:
        await folder.close()
    return found
