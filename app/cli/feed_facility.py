"""`handoff feed facilities` and `feed map`: what an aggregator's facility codes stand for, and the messages that wait for them."""

import asyncio
from typing import Annotated, Any

import typer

from app.actions.receive import LANES
from app.api.schemas.feeds import facility_json
from app.cli.database import open_office
from app.cli.exits import refused
from app.cli.names import PAGE, named_organization, read_id
from app.cli.output import JsonFlag, Output
from app.domain.feed import FeedFacility
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store import feed_facilities as store
from app.store.engine import raw_connection
from app.store.feeds import find_feed
from app.store.hints import hint_once

_COLUMNS = ("code", "organization_id", "time_zone", "assigning_authority", "held", "place", "first_held_at")

FeedArgument = Annotated[str, typer.Argument(help="Its id, from `handoff feed list`.")]


def facilities(feed: FeedArgument, *, as_json: JsonFlag = False) -> None:
    """List the facilities of an aggregator: what each code stands for, and how many messages wait for those that nobody has mapped."""
    output = Output(as_json=as_json)
    feed_id = read_id(Kind.FEED, feed)

    async def run() -> list[dict[str, Any]]:
        found: list[store.FacilityRow] = []
        async with open_office(load_settings()) as office, office.raw() as raw:
            after: str | None = None
            while page := await store.list_facilities(raw, feed_id, after=after, limit=PAGE):
                found += page
                after = page[-1].code
        return [facility_json(one) for one in found]

    output.table(asyncio.run(run()), _COLUMNS, none="No facility is mapped, and no message waits for one.")


def map_(
    feed: FeedArgument,
    code: Annotated[str, typer.Argument(help='As the messages write it; "" for messages that name no facility.')],
    organization: Annotated[str, typer.Option(help="Whose stays they are: id or name.")],
    time_zone: Annotated[str | None, typer.Option(help="IANA name; default the organization's.")] = None,
    assigning_authority: Annotated[str | None, typer.Option(help="For identifiers without one; default the code.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say which organization a facility's code stands for; the messages that waited for it are read at once."""
    output = Output(as_json=as_json)
    feed_id, written = read_id(Kind.FEED, feed), code.strip().upper()

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                if await find_feed(connection, OPERATOR, feed_id) is None:
                    raise refused(f"There is no feed {feed}.", "`handoff feed list` shows them all.")
                owner = await named_organization(connection, organization)
                authority = assigning_authority or written or owner.name
                facility = FeedFacility(owner.id, time_zone or owner.time_zone, authority.upper())
                raw = await raw_connection(connection)
                released = await store.map_facility(raw, feed_id, written, facility, LANES, office.clock.now())
            await hint_once(office.database.url, office.database.network, "inbound")
        return {
            "code": written,
            "organization_id": public_id(Kind.ORGANIZATION, owner.id),
            "time_zone": facility.time_zone,
            "assigning_authority": facility.assigning_authority,
            "released": released,
        }

    output.fields(asyncio.run(run()))
