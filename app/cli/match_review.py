"""`handoff match list`, `show`, `resolve`, `reopen`, `index` and `rescore`: the questions about who is one person, for the operator.

Not here: how good the comparison is (match), what an answer does to people (actions/answer_match).
"""

import asyncio
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from app.actions.answer_match import GivenAnswer, answer_match
from app.actions.identify import IdentityMovedError, rematch
from app.api.schemas.matches import match_detail_json, match_json
from app.cli.database import Office, open_office
from app.cli.exits import refused, usage
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.public_id import Kind
from app.domain.tie import TieKind, TieOutcome, TieState
from app.settings import load_settings
from app.store import match_reads, people
from app.store.audit import saw
from app.store.hints import hint_once

_COLUMNS = ("id", "kind", "state", "outcome", "level", "weight", "opened_at")
_TRIES_MAX = 5

MatchArgument = Annotated[str, typer.Argument(help="Its id, from `handoff match list`.")]
Reason = Annotated[str, typer.Option(help="Kept with the answer.")]


def list_(
    state: Annotated[str, typer.Option(help=f"Only in this state: {', '.join(TieState)}, or all.")] = TieState.OPEN.value,
    kind: Annotated[str | None, typer.Option(help=f"Only of this kind: {', '.join(TieKind)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List the questions about who is one person, oldest first. Nobody is joined while one is open."""
    output = Output(as_json=as_json)
    wanted = None if state == "all" else _one_of(TieState, state, "--state")
    of_kind = None if kind is None else _one_of(TieKind, kind, "--kind")

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            found = await match_reads.list_matches(raw, wanted, of_kind, after=None, limit=limit)
            saw(person for row in found for person in row.people)
            return [match_json(row) for row in found]

    output.table(asyncio.run(run()), _COLUMNS, none="Nothing is asked.")


def show(match_id: MatchArgument, *, as_json: JsonFlag = False) -> None:
    """Show a question with both sides, the difference field by field, and every answer. Prints patient data."""
    output = Output(as_json=as_json)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            return await _detail(office, match_id)

    output.fields(asyncio.run(run()))


def resolve(
    match_id: MatchArgument,
    outcome: Annotated[str, typer.Argument(help="same, different or later.")],
    reason: Reason,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Answer a question, or answer it otherwise than before; it counts at once. `reopen` takes the answer back."""
    answered = _one_of(TieOutcome, outcome, "OUTCOME")
    _answer(match_id, GivenAnswer(answered, "operator", reason), Output(as_json=as_json))


def reopen(match_id: MatchArgument, reason: Reason, *, as_json: JsonFlag = False) -> None:
    """Take an answer back: everything is as if it had not been given."""
    _answer(match_id, GivenAnswer(None, "operator", reason), Output(as_json=as_json))


def index(
    mark: Annotated[str | None, typer.Option(help="Let this assigning authority's ids decide who is one person.")] = None,
    unmark: Annotated[str | None, typer.Option(help="Let its ids be identifiers like others again.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List, mark and unmark the assigning authorities that are the exchange's own person index."""
    output = Output(as_json=as_json)

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office:
            async with office.raw() as raw:
                if mark:
                    await match_reads.mark_index(raw, mark.strip().upper(), office.clock.now())
                if unmark and not await match_reads.unmark_index(raw, unmark.strip().upper()):
                    raise refused(f"{unmark} is no person index.", "`handoff match index` shows which are.")
                found = [dict(row) for row in await match_reads.list_index(raw)]
            await hint_once(office.database.url, office.database.network, "inbound")
            return found

    output.table(asyncio.run(run()), ("authority", "marked_at"), none="No authority is the exchange's person index.")


def rescore(*, as_json: JsonFlag = False) -> None:
    """Ask the service to compare every record anew, after an update that brought other weights; it does so beside its work."""
    output = Output(as_json=as_json)

    async def run() -> int:
        async with open_office(load_settings()) as office:
            async with office.raw() as raw:
                asked = await match_reads.ask_everybody(raw)
            await hint_once(office.database.url, office.database.network, "inbound")
            return asked

    output.fields({"records": asyncio.run(run())})


def _answer(match_id: str, answer: GivenAnswer, output: Output) -> None:
    id_ = read_id(Kind.MATCH, match_id)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            for left in reversed(range(_TRIES_MAX)):
                try:
                    async with office.raw() as raw:
                        done = await answer_match(raw, id_, answer, rematch=rematch, ids=office.ids, now=office.clock.now())
                except IdentityMovedError:
                    if not left:
                        raise refused("Messages about these people arrive just now.", "Try again.") from None
                    continue
                if not done:
                    raise _unknown(match_id)
                break
            await hint_once(office.database.url, office.database.network, "inbound")
            return await _detail(office, match_id)

    output.fields(asyncio.run(run()))


async def _detail(office: Office, match_id: str) -> dict[str, Any]:
    id_ = read_id(Kind.MATCH, match_id)
    async with office.raw() as raw:
        found = await match_reads.find_match(raw, id_)
        if found is None:
            raise _unknown(match_id)
        records = {record.id: record for record in await people.by_id(raw, found.tie.pair)}
        decisions = await match_reads.decisions_of(raw, [id_])
        saw(found.people)
    return match_detail_json(found, records[found.tie.left], records[found.tie.right], decisions[id_])


def _unknown(match_id: str) -> Exception:
    return refused(f"There is no match {match_id}.", "`handoff match list --state all` shows them all.")


Choice = TypeVar("Choice", bound=StrEnum)


def _one_of(choices: type[Choice], text: str, where: str) -> Choice:
    try:
        return choices(text)
    except ValueError:
        raise usage(f"{where}: {text} is unknown.", f"One of: {', '.join(choices)}.") from None
