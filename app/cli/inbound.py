"""`handoff inbound`: every message that was received, what became of it, and trying it again. Not here: sending (send.py)."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import typer

from app.actions.receive import LANES
from app.actions.replay import replay as replay_messages
from app.api.schemas.inbound import inbound_json, shown_text, trace_json
from app.cli.database import Office, open_office
from app.cli.exits import refused, usage
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.inbound import Outcome
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.hints import hint_once
from app.store.inbound_reads import InboundFilter, InboundMessage, find_message, list_messages, trace_message

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Messages that were received.")

_COLUMNS = ("id", "received_at", "trigger", "control_id", "ack_code", "outcome", "problems")
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
    for title in ("decisions", "notifications", "follow_ups"):
        for row in document[title]:
            output.text(f"{title[:-1]}: " + "  ".join(f"{name} {value}" for name, value in row.items() if value not in (None, [], {})))
    if text:
        output.text(document["text"].replace("\r", "\n"))


@app.command("replay")
def replay(
    message_id: Annotated[list[str] | None, typer.Argument(help="Ids; or say which with --outcome and --feed.")] = None,
    outcome: OutcomeOption = None,
    feed: FeedOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put messages on the queue again, to be read with their feeds' present settings. Replaying what went well changes nothing."""
    output = Output(as_json=as_json)
    if bool(message_id) == bool(outcome or feed):
        raise usage("Say which messages: ids, or --outcome and --feed.", "For example `handoff inbound replay --outcome set_aside`.")
    named = [read_id(Kind.MESSAGE, one) for one in message_id or ()]

    async def run() -> int:
        async with open_office(load_settings()) as office:
            ids = named or await _fitting(office, _wanted(outcome, feed, None))
            if not ids:
                return 0
            # Asked with no transaction open: people take their time.
            if not (yes or as_json or named) and not typer.confirm(f"Replay {len(ids)} messages?", err=True):
                raise typer.Abort
            async with office.raw() as raw:
                count = await replay_messages(raw, ids, LANES)
            await hint_once(office.database.url, office.database.network, "inbound")
            return count

    count = asyncio.run(run())
    if named and count < len(named):
        raise refused(
            f"{len(named) - count} of {len(named)} messages are not there, or no feed claims them; {count} were put on the queue.",
            "`handoff inbound show ID` says which; a message without a feed cannot be interpreted: add the feed and have it sent again.",
        )
    output.result({"replayed": count}, f"{count} messages are on the queue again.")


async def _fitting(office: Office, wanted: InboundFilter) -> list[UUID]:
    async with office.raw() as raw:
        found = await list_messages(raw, OPERATOR, wanted, after=None, limit=_REPLAYED_MAX)
    return [one.id for one in found if one.feed_id is not None]


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
