"""`handoff feed`: the configured ADT sources. Not here: what came from them (inbound.py)."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError

from app.api.schemas.feeds import NewFeed, feed_json
from app.cli.database import open_office
from app.cli.exits import refused
from app.cli.names import PAGE, named_organization
from app.cli.output import JsonFlag, Output, invalid
from app.domain.feed import Feed, FeedMode
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.feeds import add_feed, list_feeds

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Configured ADT sources.")

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
