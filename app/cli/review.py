"""`handoff review list` and `answer`: what recipients said is not theirs, and homes that claim one program. The same as `/v1/reviews`."""

import asyncio
from typing import Annotated, Any

import typer

from app.actions.answer_back import AlreadyDecidedError, NoSuchReviewError, resolve_review
from app.api.schemas.reviews import review_json
from app.cli.database import open_office
from app.cli.exits import refused, usage
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.answer import ReviewKind, ReviewState
from app.domain.public_id import Kind
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store import reviews
from app.store.hints import hint_once

app = typer.Typer(no_args_is_help=True, help="What recipients said is not theirs, for a person to decide.")

_COLUMNS = ("id", "kind", "state", "opened_at", "person_id", "encounter_id", "organization_id")
_DECISIONS = (ReviewState.UPHELD, ReviewState.DISMISSED)


@app.command("list")
def list_reviews(
    state: Annotated[str, typer.Option(help=f"Only in this state: {', '.join(ReviewState)}, or all.")] = ReviewState.OPEN.value,
    kind: Annotated[str | None, typer.Option(help=f"Only of this kind: {', '.join(ReviewKind)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List what a person has to look at, the longest waiting first."""
    output = Output(as_json=as_json)
    if state != "all" and state not in list(ReviewState):
        raise usage(f"--state: {state} is unknown.", f"One of: {', '.join(ReviewState)}, all.")
    if kind is not None and kind not in list(ReviewKind):
        raise usage(f"--kind: {kind} is unknown.", f"One of: {', '.join(ReviewKind)}.")

    async def run() -> list[dict[str, Any]]:
        async with open_office(load_settings()) as office, office.raw() as raw:
            wanted = None if state == "all" else state
            found = await reviews.page(raw, OPERATOR, kind=kind, state=wanted, organization_id=None, after=None, limit=limit)
            return [review_json(one) for one in found]

    output.table(asyncio.run(run()), _COLUMNS, none="Nothing is to be looked at.")


@app.command("answer")
def answer(
    review_id: Annotated[str, typer.Argument(help="Its id, from `handoff review list`.")],
    decision: Annotated[str, typer.Argument(help="upheld: the answer is right, what it stopped stays stopped; dismissed: clocks run on.")],
    note: Annotated[str | None, typer.Option(help="Kept with the decision.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Decide a review, once: the same decision again changes nothing, another is refused."""
    output = Output(as_json=as_json)
    if decision not in _DECISIONS:
        raise usage(f"DECISION: {decision} is unknown.", f"One of: {', '.join(_DECISIONS)}.")
    id_ = read_id(Kind.REVIEW, review_id)

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            author = {"key_id": None, "name": "operator"}
            try:
                async with office.raw() as raw:
                    now = office.clock.now()
                    found = await resolve_review(raw, OPERATOR, id_, ReviewState(decision), note=note, author=author, now=now)
            except NoSuchReviewError:
                raise refused(f"There is no review {review_id}.", "`handoff review list --state all` shows them all.") from None
            except AlreadyDecidedError:
                raise refused("The review was decided otherwise before.", "A decision stands.") from None
            await hint_once(office.database.url, office.database.network, "inbound")
            return review_json(found)

    output.fields(asyncio.run(run()))
