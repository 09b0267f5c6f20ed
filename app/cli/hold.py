"""`handoff hold`: stays that are held for review, and the release of one. The same as `/v1/holds`."""

import asyncio
from typing import Annotated, Any

import typer

from app import wiring
from app.actions.release_hold import NotReleased, release_hold
from app.cli.database import open_office
from app.cli.exits import refused, usage
from app.cli.names import PAGE, read_id
from app.cli.output import JsonFlag, Output
from app.domain.held_stay import DECIDABLE, HeldStay
from app.domain.organization import Part2Status
from app.domain.public_id import Kind
from app.settings import load_settings
from app.store import holds
from app.store.directory import RegistryReader
from app.store.hints import hint_once

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Stays that are held until somebody decides about 42 CFR Part 2.")
_COLUMNS = ("encounter_id", "facility", "held_since", "minutes_held", "recipients")


@app.command("list")
def list_holds(*, as_json: JsonFlag = False) -> None:
    """List the stays that are held, since when, and for how many recipients."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        found: list[HeldStay] = []
        async with open_office(load_settings()) as office, office.raw() as raw:
            while page := await holds.held(raw, after=found[-1].encounter_id if found else None, limit=PAGE):
                found += page
            return [one.document(office.clock.now()) for one in found]

    output.table(asyncio.run(run()), _COLUMNS, none="Nothing is held.")


@app.command("release")
def release(
    encounter: Annotated[str, typer.Argument(help="The id of the stay.")],
    part2_status: Annotated[Part2Status, typer.Option("--as", help="What its place is: not_program or program.")],
    reason: Annotated[str, typer.Option(help="What that rests on.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say of one held stay what its place is. What may be told now is told at once, as late; the law may still say no."""
    output = Output(as_json=as_json)
    id_ = read_id(Kind.ENCOUNTER, encounter)
    if part2_status not in DECIDABLE or not reason.strip():
        raise usage("That decides nothing.", "Give --as not_program or --as program, and a reason.")

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            now = office.clock.now()
            async with office.raw() as raw:
                done = await release_hold(
                    raw,
                    id_,
                    part2_status,
                    reason,
                    directory=await RegistryReader().current(raw),
                    read_stay=wiring.read_stay(wiring.rulebook(office.settings.standards_dir), office.clock),
                    key_id=None,
                    id_=office.ids.new(),
                    now=now,
                )
            if isinstance(done, NotReleased):
                raise refused(f"{done.value[0].upper()}{done.value[1:]}.", "`handoff hold list` shows what is held.")
            await hint_once(office.database.url, office.database.network, "inbound")
            return done.document(now)

    document = asyncio.run(run())
    if as_json:
        output.result(document)
        return
    output.fields({name: document[name] for name in ("encounter_id", "part2_status", "held_since", "minutes_held")})
    output.table(document["recipients"], ("organization", "tier", "reasons"), none="Nobody waited for it.")
