"""`handoff feed backfill` and `feed compare`: history without notices, and a feed in shadow beside the service of today."""

import asyncio
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from adapters.files.formulas import neutralised
from adapters.files.notices_csv import read_notices
from adapters.hl7v2.batch import split_batch
from adapters.hl7v2.census import census_messages
from app import wiring
from app.cli.database import Office, open_office
from app.cli.exits import ExitCode, refused, unavailable, usage
from app.cli.feed_facility import FeedArgument
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.encounter import EncounterState, view
from app.domain.feed import Feed, FeedMode
from app.domain.happening import happenings
from app.domain.inbound import AckCode, Door, Envelope
from app.domain.notice_comparison import Comparison, OurNotice, compare
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store.feed_comparison import HeardStay, heard_stays
from app.store.feed_moves import go_live, left_of, stays_of
from app.store.feeds import find_feed
from app.store.hints import hint_once

_TELLING: Final = frozenset({"full", "minimal", "id_only", "not_live"})
_PAGE: Final = 1000
_AT_ONCE: Final = 64
_ERRORS_SHOWN: Final = 20
_LOOKS_EVERY_S: Final = 0.2
_FIRST: Final = UUID(int=0)


async def _found(office: Office, feed: str) -> Feed:
    async with office.operator() as connection:
        found = await find_feed(connection, OPERATOR, read_id(Kind.FEED, feed))
    if found is None:
        raise refused(f"There is no feed {feed}.", "`handoff feed list` shows them all.")
    return found


@dataclass(frozen=True, slots=True)
class _Loaded:
    codes: dict[str, int]
    messages: list[UUID]


def backfill(
    feed: FeedArgument,
    file: Annotated[Path, typer.Argument(dir_okay=False, help="HL7 messages, one or many, or a batch; a census may be a CSV.")],
    *,
    census: Annotated[
        bool, typer.Option("--census", help="These people are in the house now: on a live feed their follow-ups open, without a notice.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the messages and name what is wrong with a CSV.")] = False,
    wait_s: Annotated[float, typer.Option(min=0, help="How long to wait for workers to have read a census.")] = 60.0,
    as_json: JsonFlag = False,
) -> int:
    """Load history: it counts for readmission and 31-day rules, and nobody is told, whatever the mode of the feed.

    Twelve months before a feed goes live, or the census of that day. Loaded again, the same message is stored once.
    """
    output = Output(as_json=as_json)
    if not file.is_file():
        raise usage(f"There is no file {file}.", "Name a file with HL7 messages, or a census as CSV.")
    data = file.read_bytes()

    async def run() -> dict[str, Any]:
        async with open_office(load_settings()) as office:
            source = await _found(office, feed)
            messages = _messages_in(data, source, file)
            if dry_run:
                return {"messages": len(messages), "answers": {}, "taken_over": None, "dry_run": True}
            loaded = await _load(office, source, messages)
            taken_over = None
            if census and source.mode is FeedMode.LIVE:
                taken_over = await _take_over(office, source, loaded.messages, wait_s)
            return {"messages": len(messages), "answers": loaded.codes, "taken_over": taken_over, "dry_run": False}

    said = asyncio.run(run())
    answers = ", ".join(f"{count} {code}" for code, count in sorted(said["answers"].items())) or "none sent"
    output.result(said, f"{said['messages']} messages as history: {answers}." + _of_census(said["taken_over"]))
    return ExitCode.FOUND if any(code != AckCode.AA for code in said["answers"]) else ExitCode.OK


def _of_census(taken_over: int | None) -> str:
    return "" if taken_over is None else f" {taken_over} stays of people in the house are followed from now on."


def _messages_in(data: bytes, source: Feed, file: Path) -> list[bytes]:
    if file.suffix.lower() != ".csv":
        found = list(split_batch(data).messages)
        if not found:
            raise refused(f"{file} holds no HL7 message.", "A message begins with MSH and a delimiter; a census may be a CSV.")
        return found
    made, errors = census_messages(data, source)
    if errors:
        lines = [f"row {error.row}, {error.column}: {error.text}" for error in errors[:_ERRORS_SHOWN]]
        more = f"\nand {len(errors) - _ERRORS_SHOWN} more" if len(errors) > _ERRORS_SHOWN else ""
        raise refused("Nothing was loaded.\n" + "\n".join(lines) + more, "Correct the file and load it again.")
    return made


class _NoWaker:
    def wake(self, topic: str) -> None:
        """Workers are hinted at once, at the end."""


async def _load(office: Office, source: Feed, messages: Sequence[bytes]) -> _Loaded:
    intake = wiring.build_intake(office.settings, office.work, office.keys, clock=office.clock, ids=office.ids, waker=_NoWaker())
    codes: dict[str, int] = {}
    stored: list[UUID] = []
    for start in range(0, len(messages), _AT_ONCE):
        envelopes = (
            Envelope(body, Door.FILE, office.clock.now(), feed_name=public_id(Kind.FEED, source.id), as_history=True)
            for body in messages[start : start + _AT_ONCE]
        )
        for received in await asyncio.gather(*map(intake.receive, envelopes)):
            answer = received.answer
            codes[answer.code.value] = codes.get(answer.code.value, 0) + 1
            if answer.message_id is not None:
                stored.append(answer.message_id)
    await intake.close()
    await hint_once(office.database.url, office.database.network, "inbound")
    return _Loaded(codes, stored)


async def _take_over(office: Office, source: Feed, messages: Sequence[UUID], wait_s: float) -> int:
    """Wait until workers have read the census, then take over the stays it names."""
    transaction = wiring.open_transaction(office.work)
    until = asyncio.get_running_loop().time() + wait_s
    while True:
        async with transaction() as raw:
            left = await left_of(raw, messages)
            if not left:
                return await go_live(raw, source.id, office.clock.now(), only=await stays_of(raw, messages))
        if asyncio.get_running_loop().time() > until:
            raise unavailable(
                f"{left} messages of the census still wait for a worker; they are stored, and nobody was taken over.",
                "See that workers run (`handoff serve`), and load the census again: its messages are stored once.",
            )
        await asyncio.sleep(_LOOKS_EVERY_S)


def compare_(
    feed: FeedArgument,
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Its notices as CSV: event, occurred_at, mrn or visit_number.")],
    apart_h: Annotated[float, typer.Option(min=0, help="How far apart the same event may be in the two, in hours.")] = 24.0,
    details: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write every pair, missed and extra notice to this CSV: rows and ids, no names.")
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Set a feed in shadow beside the present service's notice list: what we would miss, what is extra, how far apart in time."""
    output = Output(as_json=as_json)
    if not file.is_file():
        raise usage(f"There is no file {file}.", "Name a CSV with a header.")

    async def run() -> Comparison:
        async with open_office(load_settings()) as office:
            source = await _found(office, feed)
            theirs, errors = read_notices(file.read_bytes(), ZoneInfo(source.time_zone))
            if errors:
                lines = "\n".join(f"row {error.row}, {error.column}: {error.text}" for error in errors[:_ERRORS_SHOWN])
                raise refused(f"The list cannot be read whole.\n{lines}", "Correct the rows and compare again.")
            if not theirs:
                raise refused("The list has no notice.", "A row is a notice; the first line names the columns.")
            apart = timedelta(hours=apart_h)
            starts_at = min(one.occurred_at for one in theirs)
            ends_at = max(one.occurred_at for one in theirs)
            ours = await _ours(office, source, starts_at - apart, ends_at + apart)
            compared = compare(theirs, ours, apart)
            # What is extra outside the list's own period is no news: the list could not have it.
            inside = [one for one in compared.extra if starts_at <= one.occurred_at <= ends_at]
            return Comparison(compared.matched, compared.missed, inside)

    found = asyncio.run(run())
    if details is not None:
        _write(details, found)
    output.fields(_summary(found))
    return ExitCode.FOUND if found.missed or found.extra else ExitCode.OK


async def _ours(office: Office, source: Feed, starts_at: datetime, ends_at: datetime) -> list[OurNotice]:
    found: list[OurNotice] = []
    after = _FIRST
    async with office.raw() as raw:
        while page := await heard_stays(raw, source.id, starts_at, ends_at, after=after, limit=_PAGE):
            found += [notice for stay in page for notice in _notices_of(stay)]
            after = page[-1].id
    return found


def _notices_of(stay: HeardStay) -> list[OurNotice]:
    notices = []
    for event in happenings(view(EncounterState.from_json(dict(stay.state))), behavioral_kind=""):
        decisions = [(name, decision, at) for name, kind, decision, at in stay.decisions if kind == event.kind]
        for recipient, decision, at in decisions or [("", "nobody_claims", stay.updated_at)]:
            notices.append(
                OurNotice(
                    encounter=public_id(Kind.ENCOUNTER, stay.id),
                    kind=event.kind.value,
                    occurred_at=event.occurred_at,
                    patient_numbers=stay.patient_numbers,
                    visit_number=stay.visit_number,
                    recipient=recipient,
                    tells=decision in _TELLING,
                    decision=decision,
                    decided_at=at,
                )
            )
    return notices


def _summary(found: Comparison) -> dict[str, Any]:
    why: dict[str, int] = {}
    for missed in found.missed:
        why[missed.why] = why.get(missed.why, 0) + 1
    later = sorted(pair.later for pair in found.matched if pair.later is not None)
    return {
        "matched": len(found.matched),
        "missed": len(found.missed),
        "missed_why": why,
        "extra": len(found.extra),
        "event_time_apart_median_s": _seconds(found.apart_median),
        "event_time_apart_max_s": _seconds(max((abs(pair.apart) for pair in found.matched), default=None)),
        "told_later_median_s": _seconds(later[len(later) // 2] if later else None),
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


def _write(path: Path, found: Comparison) -> None:
    """Write row numbers of theirs and ids of ours: whoever has both lists can look up the rest."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("result", "row", "encounter_id", "event", "recipient", "occurred_at", "apart_s", "told_later_s", "why"))
        for pair in found.matched:
            ours = pair.ours
            writer.writerow(("matched", pair.theirs.row, ours.encounter, ours.kind, neutralised(ours.recipient), _utc(ours.occurred_at),
                             _seconds(pair.apart), _seconds(pair.later), ""))  # fmt: skip
        for missed in found.missed:
            theirs = missed.theirs
            told = neutralised(theirs.recipient), _utc(theirs.occurred_at)
            writer.writerow(("missed", theirs.row, "", theirs.kind, *told, "", "", missed.why))
        for extra in found.extra:
            told = neutralised(extra.recipient), _utc(extra.occurred_at)
            writer.writerow(("extra", "", extra.encounter, extra.kind, *told, "", "", ""))


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
