"""`handoff inbound`: every message that was received, what became of it, and trying it again. Not here: sending (send.py)."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer

from app.actions.receive import LANES
from app.actions.replay import replay as replay_messages
from app.api.schemas.inbound import inbound_json, shown_text, trace_json
from app.api.schemas.inbound_search import group_json, replay_json
from app.api.schemas.unfiled_documents import unfiled_json
from app.cli.database import Office, open_office
from app.cli.exits import refused, usage
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output, cell
from app.domain.inbound import Outcome
from app.domain.interpreted import KEPT_APART, OF_ANOTHER_PERSON
from app.domain.message_search import read_query
from app.domain.public_id import Kind
from app.domain.reinterpretation import Reinterpretation
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.audit import saw
from app.store.directory import RegistryReader
from app.store.hints import hint_once
from app.store.inbound_reads import InboundFilter, InboundMessage, find_message, list_messages, read_messages, trace_message
from app.store.set_aside import AsideFilter, groups, of_a_kind
from app.store.unfiled_documents import UnfiledDocument, unfiled_documents
from app.wiring import build_rooms, rulebook
from app.wiring.diagnosis import message_search, reinterpreter

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Messages that were received.")

_COLUMNS = ("id", "received_at", "trigger", "control_id", "ack_code", "outcome", "problems")
_FOUND_COLUMNS = ("id", "received_at", "trigger", "control_id", "outcome", "found_by")
_GROUP_COLUMNS = ("feed_id", "code", "location", "text", "messages", "last_received_at", "newest_id")
_UNFILED_COLUMNS = ("id", "facility_id", "message_id", "received_at", "type_code", "reason")
_ONE_OF = {"deliveries": "delivery"}
_TOLD_TO_NOBODY = {
    "test": KEPT_APART.text,
    "shadow": "The feed is in shadow; `handoff feed change ID --mode live` ends that for what comes from then on.",
    "backfill": "It was loaded as history, which counts for readmissions and is told to nobody.",
}
_REPLAYED_MAX = 1000
_OUTCOMES = ("waiting", *(outcome.value for outcome in Outcome))

OutcomeOption = Annotated[str | None, typer.Option(help=f"Only with this outcome: {', '.join(_OUTCOMES)}.")]
FeedOption = Annotated[str | None, typer.Option(help="Only of this feed.")]


@app.command("list")
def list_(
    outcome: OutcomeOption = None,
    feed: FeedOption = None,
    control_id: Annotated[str | None, typer.Option(help="Only with this MSH-10.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List messages, newest first, without their text."""
    output = Output(as_json=as_json)
    wanted = _wanted(outcome, feed, control_id)

    async def run() -> list[InboundMessage]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            return await list_messages(raw, OPERATOR, wanted, after=None, limit=limit)

    rows = [inbound_json(one) for one in asyncio.run(run())]
    if not as_json:
        rows = [row | {"problems": [_line(problem) for problem in (*row["problems"], *row["outcome_problems"])]} for row in rows]
    output.table(rows, _COLUMNS, none="No message fits.")


@app.command("show")
def show(
    message_id: Annotated[str, typer.Argument(help="Its id, from `handoff inbound list`.")],
    *,
    text: Annotated[bool, typer.Option("--text", help="Print the message itself too: it holds patient data.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one message: what the sender was told, what became of it, whom it reached and why, and every attempt to deliver."""
    output = Output(as_json=as_json)
    id_ = read_id(Kind.MESSAGE, message_id)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            found = await find_message(raw, OPERATOR, id_)
            trace = None if found is None else await trace_message(raw, OPERATOR, id_)
            if found is None or trace is None:
                raise refused(f"There is no message {message_id}.", "`handoff inbound list` shows the newest.")
            message, stored = found
            saw([] if message.person_id is None else [message.person_id], message_id)
            document = trace_json(message, trace)
            if text:
                body = office.keys.cipher.decrypt(stored.cipher_key_id, stored.body, message.id.bytes)
                document["text"] = shown_text(body)
            return document

    document = asyncio.run(run())
    if as_json:
        output.result(document)
        return
    message = document["message"]
    output.fields({name: value for name, value in message.items() if name not in {"problems", "outcome_problems"}})
    for title, problems in (("Told the sender", message["problems"]), ("Found at work", message["outcome_problems"])):
        for problem in problems:
            output.text(f"{title}: {_line(problem)}")
    mode = (document["event"] or {}).get("mode")
    if mode in _TOLD_TO_NOBODY:
        output.text(f"Nobody is told: {_TOLD_TO_NOBODY[mode]}")
    for title in ("decisions", "notifications", "follow_ups"):
        for row in document[title]:
            for line in _lines(title, row):
                output.text(line)
    if text:
        output.text(document["text"].replace("\r", "\n"))


@app.command("search")
def search(limit: Annotated[int, typer.Option(min=1, max=200)] = 50, *, as_json: JsonFlag = False) -> None:
    """Find messages by MSH-10, patient or visit number, or name and birth date. Read from standard input: shells remember arguments."""
    output = Output(as_json=as_json)
    typed = _typed("A number, or `Last, First 1980-01-02`: ")
    if not typed.strip():
        raise usage("Nothing was typed.", "Type or pipe a number, or a name with a birth date.")

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            ways = await message_search(office.work, office.keys).search(raw, OPERATOR, read_query(typed), before=None, limit=limit)
            found = await read_messages(raw, OPERATOR, list(ways))
            saw(one.person_id for one in found if one.person_id is not None)
            return [inbound_json(one) | {"found_by": ways[one.id]} for one in found]

    output.table(asyncio.run(run()), _FOUND_COLUMNS, none="No message says so.")


@app.command("set-aside")
def set_aside(feed: FeedOption = None, *, as_json: JsonFlag = False) -> None:
    """Count the messages that wait for a person, by feed, reason and place: set aside, or processed with a code that nobody has mapped."""
    output = Output(as_json=as_json)
    wanted = AsideFilter(read_id(Kind.FEED, feed) if feed is not None else None)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            return [group_json(row) for row in await groups(raw, OPERATOR, wanted)]

    output.table(asyncio.run(run()), _GROUP_COLUMNS, none="Nothing is set aside.")


@app.command("unfiled")
def unfiled(limit: Annotated[int, typer.Option(min=1, max=1000)] = 100, *, as_json: JsonFlag = False) -> None:
    """List documents (MDM, ORU, DocumentReference) that found no stay, newest first: nobody sees them with one."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            found: list[UnfiledDocument] = []
            below: UUID | None = None
            while len(found) < limit:
                page = await unfiled_documents(raw, OPERATOR, after=below, limit=limit - len(found))
                found.extend(page.documents)
                below = page.below
                if below is None:
                    break
            return [unfiled_json(one) for one in found]

    output.table(asyncio.run(run()), _UNFILED_COLUMNS, none="Every document has its stay.")


@app.command("replay")
def replay(
    message_id: Annotated[list[str] | None, typer.Argument(help="Ids; or say which with the options.")] = None,
    outcome: OutcomeOption = None,
    feed: FeedOption = None,
    code: Annotated[str | None, typer.Option(help="Only set aside for this reason, from `handoff inbound set-aside`.")] = None,
    location: Annotated[str | None, typer.Option(help="Only set aside at this place, such as PID^1^3.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read what was set aside again, and only say what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put messages on the queue again, to be read with their feeds' present settings. Replaying what went well changes nothing.

    Those that give a known number to somebody else are replayed by their ids or with --code 205 only: it says that they are corrections.
    """
    output = Output(as_json=as_json)
    if bool(message_id) == bool(outcome or feed or code or location):
        raise usage(
            "Say which messages: ids, or --outcome, --feed, --code, --location.", "For example `handoff inbound replay --code 101`."
        )
    by_reason = bool(code or location or dry_run)
    if by_reason and (message_id or outcome not in (None, Outcome.SET_ASIDE.value)):
        raise usage("--code, --location and --dry-run are of messages that were set aside.", "Leave the ids or the other outcome out.")
    named = [read_id(Kind.MESSAGE, one) for one in message_id or ()]
    aside = AsideFilter(read_id(Kind.FEED, feed) if feed is not None else None, code, location)

    async def run() -> tuple[int, dict[str, Any] | None]:
        async with open_office(load_settings()) as office:
            found = await _again(office, aside) if by_reason else None
            if found is not None and dry_run:
                return 0, replay_json(found[0], more=found[1], replayed=None)
            ids = [one.message_id for one in found[0].messages] if found else named or await _fitting(office, _wanted(outcome, feed, None))
            if not ids:
                return 0, None
            # Asked with no transaction open: people take their time.
            if not (yes or as_json or named) and not typer.confirm(f"Replay {len(ids)} messages?", err=True):
                raise typer.Abort
            async with office.raw() as raw:
                count = await replay_messages(raw, ids, LANES)
            await hint_once(office.database.url, office.database.network, "inbound")
            return count, None

    count, would = asyncio.run(run())
    if would is not None:
        _tell_dry_run(output, would)
        return
    if named and count < len(named):
        raise refused(
            f"{len(named) - count} of {len(named)} messages are not there, or no feed claims them; {count} were put on the queue.",
            "`handoff inbound show ID` says which; a message without a feed cannot be interpreted: add the feed and have it sent again.",
        )
    output.result({"replayed": count}, f"{count} messages are on the queue again.")


def _tell_dry_run(output: Output, would: dict[str, Any]) -> None:
    if output.as_json:
        output.result(would)
        return
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in would["outcomes"].items()) or "none fits"
    output.text(f"Of {would['messages']}{' and more' if would['more'] else ''} messages there would be: {outcomes}. Nothing was changed.")
    for trigger, count in would["events"].items():
        output.text(f"would become {trigger}: {count}")
    for problem in would["reasons"]:
        output.text(f"still set aside, {problem['messages']}: {_line(problem)}")


def _lines(title: str, row: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Give a line for a row, and under it one for each row that it holds: deliveries, and their attempts."""
    held = {name: value for name, value in row.items() if isinstance(value, list) and value and isinstance(value[0], dict)}
    own = (f"{name} {cell(value)}" for name, value in row.items() if name not in held and value not in (None, [], {}))
    yield f"{'  ' * depth}{_ONE_OF.get(title, title[:-1])}: {'  '.join(own)}"
    for name, rows in held.items():
        for one in rows:
            yield from _lines(name, one, depth + 1)


def _typed(prompt: str) -> str:
    """Ask a person, or read the one line that a program gives."""
    if sys.stdin.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
    return sys.stdin.readline()


async def _again(office: Office, wanted: AsideFilter) -> tuple[Reinterpretation, bool]:
    async with office.raw() as raw:
        messages = await of_a_kind(raw, OPERATOR, wanted, _REPLAYED_MAX + 1)
        directory = await RegistryReader().current(raw)
    rooms = build_rooms(office.keys, rulebook(office.settings.standards_dir), clock=office.clock, ids=office.ids)
    return await reinterpreter(rooms)(directory, messages[:_REPLAYED_MAX]), len(messages) > _REPLAYED_MAX


async def _fitting(office: Office, wanted: InboundFilter) -> list[UUID]:
    async with office.raw() as raw:
        found = await list_messages(raw, OPERATOR, wanted, after=None, limit=_REPLAYED_MAX)
    # To replay a message that gives a number to somebody else says that it is a correction: only by its code, or by its id.
    return [one.id for one in found if one.feed_id is not None and OF_ANOTHER_PERSON not in one.outcome_problems]


def _wanted(outcome: str | None, feed: str | None, control_id: str | None) -> InboundFilter:
    if outcome is not None and outcome not in _OUTCOMES:
        raise usage(f"There is no outcome {outcome!r}.", f"Outcomes are {', '.join(_OUTCOMES)}.")
    return InboundFilter(
        feed_id=read_id(Kind.FEED, feed) if feed is not None else None,
        outcome=outcome,
        control_id=control_id,
    )


def _line(problem: dict[str, Any]) -> str:
    return f"{problem.get('location') or '(message)'}: {problem['text']}"
