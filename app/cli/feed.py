"""`handoff feed`: the configured ADT sources. Not here: what came from them (inbound.py)."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError

from adapters.files.table_csv import table_csv
from app.api.schemas.feed_health import feed_health_detail_json, feed_health_json
from app.api.schemas.feeds import NewFeed, feed_json
from app.cli.database import open_office
from app.cli.exits import refused, usage
from app.cli.names import PAGE, named_organization, read_id
from app.cli.output import JsonFlag, Output, invalid
from app.domain.feed import Feed, FeedMode
from app.domain.feed_health import FeedHealth, scorecard
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.connection import Connection
from app.store.engine import raw_connection
from app.store.feed_health import read_health
from app.store.feeds import add_feed, find_feed, list_feeds
from app.wiring import feed_profile

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Configured ADT sources.")

_HEALTH_COLUMNS = ("feed_id", "sending_facility", "last_message_at", "silent", "messages", "error_rate", "late_rate", "completeness")
_COLUMNS = ("id", "organization_id", "sending_application", "sending_facility", "time_zone", "assigning_authority", "mode")


@app.command("add")
def add(
    organization: Annotated[str, typer.Option(help="Whose feed: id or name.")],
    sending_application: Annotated[str, typer.Option(help="MSH-3, as sent.")],
    sending_facility: Annotated[str, typer.Option(help="MSH-4, as sent.")],
    time_zone: Annotated[str | None, typer.Option(help="IANA name, for instants without an offset; default the organization's.")] = None,
    assigning_authority: Annotated[str | None, typer.Option(help="For identifiers without one; default MSH-4, else MSH-3.")] = None,
    mode: Annotated[FeedMode, typer.Option(help="live: recipients are told; shadow and backfill: nobody is.")] = FeedMode.LIVE,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Add an ADT source. MSH-3 and MSH-4 together are unique in the exchange."""
    output = Output(as_json=as_json)

    async def run() -> None:
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = await named_organization(connection, organization)
            try:
                asked = NewFeed.model_validate(
                    {
                        "organization_id": owner.id,
                        "sending_application": sending_application,
                        "sending_facility": sending_facility,
                        "time_zone": time_zone or owner.time_zone,
                        "assigning_authority": assigning_authority or sending_facility or sending_application,
                        "mode": mode,
                    }
                )
            except ValidationError as error:
                raise invalid(error) from None
            new = Feed(
                id=office.ids.new(),
                organization_id=owner.id,
                sending_application=asked.sending_application,
                sending_facility=asked.sending_facility,
                time_zone=asked.time_zone,
                assigning_authority=asked.assigning_authority,
                mode=asked.mode,
                profile=asked.profile.profile(),
            )
            if not await add_feed(connection, new, office.clock.now()):
                raise refused(
                    f"Another feed has MSH-3 {new.sending_application!r} and MSH-4 {new.sending_facility!r}.",
                    "`handoff feed list` shows it; on MLLP the two are the only rule, so they must be unique.",
                )
        output.fields(feed_json(new))

    asyncio.run(run())


@app.command("health")
def health(
    feed: Annotated[str | None, typer.Argument(help="Its id, from `handoff feed list`; every feed when left out.")] = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="Over so many days until now.")] = 7,
    csv: Annotated[Path | None, typer.Option(help="Write the scorecard of one feed to this file, for its hospital.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show how feeds are doing: when each was heard last, whether it is silent, and how much of what it sends can be used."""
    output = Output(as_json=as_json)
    if csv is not None and feed is None:
        raise usage("A scorecard is of one feed: say which.", "For example `handoff feed health FEED --csv scorecard.csv`.")
    feed_id = read_id(Kind.FEED, feed) if feed is not None else None

    async def run() -> list[FeedHealth]:
        async with open_office(load_settings()) as office, office.operator() as connection:
            since = office.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
            found = [one for one in [await find_feed(connection, OPERATOR, feed_id)] if one] if feed_id else await _every(connection)
            return await read_health(await raw_connection(connection), OPERATOR, found, since, feed_profile())

    healths = asyncio.run(run())
    if feed_id is None:
        rows = [feed_health_json(one) | {"silent": one.silence is not None} for one in healths]
        output.table(rows, _HEALTH_COLUMNS, none="There are no feeds; add one with `handoff feed add`.")
        return
    if not healths:
        raise refused(f"There is no feed {feed}.", "`handoff feed list` shows every feed.")
    if csv is not None:
        csv.write_bytes(table_csv(scorecard(healths[0], public_id(Kind.FEED, feed_id))))
        output.result({"file": str(csv)}, f"The scorecard is in {csv}.")
        return
    document = feed_health_detail_json(healths[0])
    if as_json:
        output.result(document)
        return
    output.fields({name: value for name, value in document.items() if name not in {"fields", "rhythm"}})
    output.table(document["fields"], ("place", "meaning", "valued", "asked", "rate"), none="No message was looked at yet.")


async def _every(connection: Connection) -> list[Feed]:
    found: list[Feed] = []
    after: UUID | None = None
    while page := await list_feeds(connection, OPERATOR, organization_id=None, after=after, limit=PAGE):
        found += page
        after = page[-1].id
    return found


@app.command("list")
def list_(
    organization: Annotated[str | None, typer.Option(help="Only this organization's: id or name.")] = None, *, as_json: JsonFlag = False
) -> None:
    """List the feeds, oldest first."""
    output = Output(as_json=as_json)

    async def run() -> None:
        found: list[Feed] = []
        async with open_office(load_settings()) as office, office.operator() as connection:
            owner = (await named_organization(connection, organization)).id if organization is not None else None
            after: UUID | None = None
            while page := await list_feeds(connection, OPERATOR, organization_id=owner, after=after, limit=PAGE):
                found += page
                after = page[-1].id
        output.table([feed_json(one) for one in found], _COLUMNS, none="There are no feeds; add one with `handoff feed add`.")

    asyncio.run(run())
