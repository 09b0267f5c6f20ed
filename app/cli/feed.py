"""`handoff feed`: the configured ADT sources. Not here: what came from them (inbound.py)."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError

from adapters.files.table_csv import table_csv
from app.actions.receive import LANES
from app.actions.replay import replay
from app.api.schemas.feed_health import feed_health_detail_json, feed_health_json
from app.api.schemas.feeds import FeedChange, FeedProfileRequest, NewFeed, feed_json, version_json
from app.cli import feed_check, feed_facility, feed_trial
from app.cli.database import Office, open_office
from app.cli.exits import CommandError, refused, usage
from app.cli.feed_facility import FeedArgument
from app.cli.feed_profile import read_profile
from app.cli.names import PAGE, named_organization, read_id
from app.cli.output import JsonFlag, Output, invalid
from app.domain.feed import MOVES, Feed, FeedMode
from app.domain.feed_health import FeedHealth, scorecard
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.connection import Connection
from app.store.engine import raw_connection
from app.store.feed_health import read_health
from app.store.feed_moves import go_live, set_aside_of
from app.store.feeds import FeedVersion, add_feed, change_feed, find_feed, list_feeds, list_versions
from app.store.hints import hint_once
from app.wiring import feed_profile, open_transaction

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Configured ADT sources.")

_COLUMNS = ("id", "organization_id", "sending_application", "sending_facility", "time_zone", "assigning_authority", "mode", "version")
_VERSION_COLUMNS = ("version", "changed_at", "mode", "time_zone", "assigning_authority", "changed_by")

ProfileOption = Annotated[
    Path | None, typer.Option(dir_okay=False, help="A profile (JSON or TOML), whole; try it first with `handoff feed check`.")
]
YesFlag = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_HEALTH_COLUMNS = ("feed_id", "sending_facility", "last_message_at", "silent", "messages", "error_rate", "late_rate", "completeness")


@app.command("add")
def add(
    organization: Annotated[str, typer.Option(help="Whose feed: id or name.")],
    sending_application: Annotated[str, typer.Option(help="MSH-3, as sent.")],
    sending_facility: Annotated[str, typer.Option(help="MSH-4, as sent.")],
    time_zone: Annotated[str | None, typer.Option(help="IANA name, for instants without an offset; default the organization's.")] = None,
    assigning_authority: Annotated[str | None, typer.Option(help="For identifiers without one; default MSH-4, else MSH-3.")] = None,
    mode: Annotated[FeedMode, typer.Option(help="live: recipients are told; test, shadow and backfill: nobody is.")] = FeedMode.LIVE,
    profile: ProfileOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Add an ADT source. MSH-3 and MSH-4 together are unique in the exchange."""
    output = Output(as_json=as_json)
    proposed = read_profile(profile) if profile is not None else FeedProfileRequest()

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
                profile=proposed.profile(),
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


@app.command("change")
def change(
    feed: FeedArgument,
    time_zone: Annotated[str | None, typer.Option(help="IANA name.")] = None,
    assigning_authority: Annotated[str | None, typer.Option(help="For identifiers without one.")] = None,
    mode: Annotated[FeedMode | None, typer.Option(help="Move the feed: test, shadow, live, or backfill.")] = None,
    profile: ProfileOption = None,
    *,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Change how a feed is read, or move it towards live, as a new version; then offer to re-interpret what was set aside.

    Going live takes over the stays of people in the house: their follow-ups open, and nothing of what was heard before is told.
    """
    output = Output(as_json=as_json)
    feed_id = read_id(Kind.FEED, feed)
    try:
        asked = FeedChange(
            time_zone=time_zone,
            assigning_authority=assigning_authority,
            mode=mode,
            profile=read_profile(profile) if profile is not None else None,
        )
    except ValidationError as error:
        raise invalid(error) from None

    async def run() -> tuple[dict[str, Any], int]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                found = await find_feed(connection, OPERATOR, feed_id, locked=True)
                if found is None:
                    raise _no_feed(feed)
                if mode is not None and mode is not found.mode and mode not in MOVES[found.mode]:
                    ways = " or ".join(sorted(MOVES[found.mode]))
                    raise refused(f"A feed in {found.mode} does not go to {mode}.", f"It goes to {ways}: look at what it brings there.")
                if changes := asked.changes():
                    found = await change_feed(connection, OPERATOR, feed_id, changes, office.clock.now()) or found
                aside = await set_aside_of(await raw_connection(connection), found)
            in_house = await _take_over(office, feed_id) if mode is FeedMode.LIVE else None
            replayed = 0
            # Asked with no transaction open: people take their time.
            if aside and (yes or (not as_json and typer.confirm(f"Re-interpret the {len(aside)} messages that were set aside?", err=True))):
                replayed = await _replay(office, aside)
        return feed_json(found) | {"set_aside": len(aside), "in_house": in_house, "replayed": replayed}, len(aside) - replayed

    document, left = asyncio.run(run())
    output.fields(document)
    if left:
        output.say(f"{left} messages stay set aside; `handoff feed reinterpret {feed}` reads them again.")


@app.command("reinterpret")
def reinterpret(
    feed: FeedArgument,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Read again, with the feed's present settings, what was set aside. Counts first."""
    output = Output(as_json=as_json)
    feed_id = read_id(Kind.FEED, feed)

    async def run() -> tuple[int, int]:
        async with open_office(load_settings()) as office:
            async with office.operator() as connection:
                found = await find_feed(connection, OPERATOR, feed_id)
                if found is None:
                    raise _no_feed(feed)
                aside = await set_aside_of(await raw_connection(connection), found)
            if dry_run or not aside:
                return len(aside), 0
            if not (yes or as_json) and not typer.confirm(f"Re-interpret {len(aside)} messages?", err=True):
                raise typer.Abort
            return len(aside), await _replay(office, aside)

    messages, replayed = asyncio.run(run())
    output.result(
        {"messages": messages, "replayed": replayed, "dry_run": dry_run},
        f"{messages} messages were set aside, {replayed} are queued.",
    )


@app.command("history")
def history(feed: FeedArgument, *, as_json: JsonFlag = False) -> None:
    """List what was in force when: every change of a feed's settings and its moves from test to live, newest first."""
    output = Output(as_json=as_json)
    feed_id = read_id(Kind.FEED, feed)

    async def run() -> list[dict[str, Any]]:
        found: list[FeedVersion] = []
        async with open_office(load_settings()) as office, office.operator() as connection:
            if await find_feed(connection, OPERATOR, feed_id) is None:
                raise _no_feed(feed)
            after: int | None = None
            while page := await list_versions(connection, feed_id, after=after, limit=PAGE):
                found += page
                after = page[-1].version
        return [version_json(one) for one in found]

    output.table(asyncio.run(run()), _VERSION_COLUMNS, none="Nothing was changed.")


async def _take_over(office: Office, feed_id: UUID) -> int:
    async with open_transaction(office.work)() as raw:
        return await go_live(raw, feed_id, office.clock.now())


async def _replay(office: Office, messages: list[UUID]) -> int:
    async with office.raw() as raw:
        count = await replay(raw, messages, LANES)
    await hint_once(office.database.url, office.database.network, "inbound")
    return count


def _no_feed(feed: str) -> CommandError:
    return refused(f"There is no feed {feed}.", "`handoff feed list` shows them all.")


app.command("check")(feed_check.check)
app.command("facilities")(feed_facility.facilities)
app.command("map")(feed_facility.map_)
app.command("compare")(feed_trial.compare_)
app.command("backfill")(feed_trial.backfill)
