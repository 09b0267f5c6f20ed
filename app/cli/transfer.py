"""`handoff transfer list`, `offer`, `accept` and `decline`: follow-ups on their way to another home. The same as `/v1/transfers`."""

import asyncio
from functools import partial
from typing import Annotated, Any

import typer

from app.actions.transfer_by_hand import MOVING, NotForThemError, decide_offer, is_theirs_by_right, offer_to
from app.api.schemas.reviews import transfer_json
from app.cli.database import open_office
from app.cli.exits import refused, usage
from app.cli.names import named_organization, read_id
from app.cli.output import JsonFlag, Output
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR
from app.pipeline import in_hand
from app.settings import load_settings
from app.store import encounters, follow_up_reads, transfers
from app.store.directory import RegistryReader
from app.store.hints import hint_once
from app.wiring import rulebook

app = typer.Typer(no_args_is_help=True, help="Follow-ups on their way to another home.")

_COLUMNS = ("follow_up_id", "from", "to", "source", "state", "offered_at", "accept_at")
_STATES = ("offered", "accepted", "declined", "withdrawn")

FollowUpArgument = Annotated[str, typer.Argument(help="The follow-up's id.")]
Reason = Annotated[str | None, typer.Option(help="Kept with the decision.")]


@app.command("list")
def list_transfers(
    state: Annotated[str, typer.Option(help=f"Only in this state: {', '.join(_STATES)}, or all.")] = "offered",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List offers of follow-ups to other homes, oldest first."""
    output = Output(as_json=as_json)
    if state not in (*_STATES, "all"):
        raise usage(f"--state: {state} is unknown.", f"One of: {', '.join(_STATES)}, all.")

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            found = await transfers.page(raw, OPERATOR, state=None if state == "all" else state, after=None, limit=limit)
            return [transfer_json(one) for one in found]

    output.table(asyncio.run(run()), _COLUMNS, none="Nothing is on its way.")


@app.command("offer")
def offer(
    follow_up_id: FollowUpArgument,
    to: Annotated[str, typer.Option(help="The home that is to have it: id or name.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Offer an open follow-up to another home that claims the person. Until it is accepted, its home stays responsible."""
    output = Output(as_json=as_json)
    id_ = read_id(Kind.FOLLOW_UP, follow_up_id)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                home = await named_organization(connection, to)
            async with office.raw() as raw:
                found = await follow_up_reads.one(raw, OPERATOR, id_, covers=False)
                if found is None or found.home_id is None:
                    raise refused(f"There is no follow-up {follow_up_id} of a home.", "Check the id.")
                if found.state not in MOVING:
                    raise refused("The follow-up is not open.", "Only an open one can go to another home.")
                directory, rules, now = await RegistryReader().current(raw), rulebook(office.settings.standards_dir), office.clock.now()
                read_stay = partial(in_hand, directory=directory, rulebook=rules, cause_id=None, asked_at=now)
                try:
                    by_right = await is_theirs_by_right(
                        raw, found, home.id, read_stay=read_stay, directory=directory, rulebook=rules, now=now
                    )
                except NotForThemError:
                    raise refused(
                        f"{home.name} is no organization that it can go to.", "It must be a home that claims the person."
                    ) from None
                shown = await offer_to(raw, OPERATOR, found, home.id, by_right=by_right, ids=office.ids, now=now)
                if shown is None:
                    raise refused("There is an open offer to another home.", "Wait until it is decided: `handoff transfer list`.")
                await encounters.reconsider(raw, [found.encounter_id], now, "transfer")
            await hint_once(office.database.url, office.database.network, "inbound")
            return transfer_json(shown)

    output.fields(asyncio.run(run()))


@app.command("accept")
def accept(follow_up_id: FollowUpArgument, reason: Reason = None, *, as_json: JsonFlag = False) -> None:
    """Accept an offered follow-up for the home that it is offered to: from now on that home is responsible."""
    _decide(follow_up_id, "accepted", reason, Output(as_json=as_json))


@app.command("decline")
def decline(follow_up_id: FollowUpArgument, reason: Reason = None, *, as_json: JsonFlag = False) -> None:
    """Decline an offered follow-up for the home that it is offered to: it stays where it is."""
    _decide(follow_up_id, "declined", reason, Output(as_json=as_json))


def _decide(follow_up_id: str, state: str, reason: str | None, output: Output) -> None:
    id_ = read_id(Kind.FOLLOW_UP, follow_up_id)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            by = {"key_id": None, "name": "operator"}
            async with office.raw() as raw:
                now = office.clock.now()
                shown = await decide_offer(raw, OPERATOR, id_, state, reason=reason, by=by, ids=office.ids, now=now)
                if shown is None:
                    raise refused("There is no open offer of this follow-up.", "`handoff transfer list` shows those that are open.")
                await encounters.reconsider(raw, [shown.transfer.encounter_id], now, "transfer")
            await hint_once(office.database.url, office.database.network, "inbound")
            return transfer_json(shown)

    output.fields(asyncio.run(run()))
