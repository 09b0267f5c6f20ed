"""`handoff feed check FILE`: what would become of each message of a file under a feed's profile, or under one that is only proposed.

The real rooms on transactions that are rolled back; nothing is stored. Not here: advice about the standard (`handoff lint`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from app import wiring
from app.api.schemas.feeds import FeedProfileRequest
from app.cli.database import Office, open_office
from app.cli.exits import ExitCode, usage
from app.cli.feed_profile import read_profile
from app.cli.message_file import MESSAGE_FILE, FileMessage, read_messages
from app.cli.names import read_id
from app.cli.output import JsonFlag, Output
from app.domain.directory import Directory
from app.domain.feed import FeedProfile
from app.domain.inbound import AckCode, Door, Envelope, Problem, ProblemCode, Severity
from app.domain.notification import Desired
from app.domain.public_id import Kind, public_id
from app.pipeline.rehearse import Rehearsal, Rehearsals, every_problem
from app.ports import Readers
from app.settings import load_settings
from app.store.directory import RegistryReader
from app.store.raw import Raw
from app.wiring.diagnosis import place_namer

_COLUMNS = ("message", "ack", "trigger", "problems", "read_as", "reaches")


@dataclass(frozen=True, slots=True)
class _Question:
    feed: str | None
    profile: FeedProfile | None
    values: bool


@dataclass(frozen=True, slots=True)
class _Checks:
    """What every message of a file is checked with."""

    office: Office
    rehearsals: Rehearsals
    readers: Readers
    directory: Directory
    question: _Question


class _Proposed(RegistryReader):
    """The registry with one feed's profile as it is proposed."""

    def __init__(self, feed: str, profile: FeedProfile) -> None:
        super().__init__()
        self._id, self._profile = read_id(Kind.FEED, feed), profile

    async def current(self, raw: Raw) -> Directory:
        """Give the registry as it would be."""
        now = await super().current(raw)
        feeds = [replace(one, profile=self._profile) if one.id == self._id else one for one in now.feeds.values()]
        return Directory.of(now.organizations.values(), feeds, now.preferences)


def check(
    file: Annotated[Path, typer.Argument(dir_okay=False, help=MESSAGE_FILE)],
    feed: Annotated[str | None, typer.Option(help="By this feed; default: by what the messages say of their sender.")] = None,
    profile: Annotated[
        Path | None, typer.Option(dir_okay=False, help="As if the feed had this profile (JSON or TOML): try it before it counts.")
    ] = None,
    *,
    values: Annotated[bool, typer.Option("--values", help="Show numbers and the acknowledgement too: they are patient data.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Say for each message of a file the ACK it would get, every problem with its place, and what it would be read as. Stores nothing."""
    output = Output(as_json=as_json)
    held = read_messages(file)
    if profile is not None and feed is None:
        raise usage("A profile is tried for a feed: which one?", "Add --feed; `handoff feed list` shows their ids.")
    proposed: FeedProfileRequest | None = read_profile(profile) if profile is not None else None
    question = _Question(feed, proposed.profile() if proposed else None, values)
    checked = asyncio.run(_check(held.messages, question))
    refused_count = sum(one["ack"] != AckCode.AA for one in checked)
    aside = sum(one["ack"] == AckCode.AA and any(map(_sets_aside, one["problems"])) for one in checked)
    if as_json:
        output.result({"messages": len(checked), "refused": refused_count, "set_aside": aside, "items": checked})
    else:
        output.table([_row(one) for one in checked], _COLUMNS, none="")
        output.say(f"{len(checked)} messages: {refused_count} would be refused, {aside} more set aside.")
    return ExitCode.FOUND if refused_count or aside else ExitCode.OK


async def _check(messages: Sequence[FileMessage], question: _Question) -> list[dict[str, Any]]:
    async with open_office(load_settings()) as office:
        registry = RegistryReader()
        if question.feed is not None and question.profile is not None:
            registry = _Proposed(question.feed, question.profile)
        rooms = wiring.build_rooms(office.keys, wiring.rulebook(office.settings.standards_dir), clock=office.clock, ids=office.ids)
        rehearsals = Rehearsals(rooms, wiring.open_transaction(office.work), registry)
        async with wiring.open_transaction(office.work)() as raw:
            directory = await registry.current(raw)
        checks = _Checks(office, rehearsals, rooms.readers, directory, question)
        return [await _checked(checks, number, message) for number, message in enumerate(messages, 1)]


async def _checked(checks: _Checks, number: int, message: FileMessage) -> dict[str, Any]:
    question = checks.question
    named = public_id(Kind.FEED, read_id(Kind.FEED, question.feed)) if question.feed is not None else None
    envelope = Envelope(message.body, Door.FILE, checks.office.clock.now(), feed_name=named, format=message.format)
    rehearsed = await checks.rehearsals.rehearse(envelope)
    arrival = rehearsed.arrival
    name = place_namer(message.format, arrival.header)
    return {
        "message": number,
        "feed_id": public_id(Kind.FEED, arrival.feed.id) if arrival.feed else None,
        "trigger": arrival.header.trigger,
        "ack": arrival.code.value,
        "problems": [_problem(problem, name) for problem in every_problem(rehearsed, checks.readers[message.format])],
        "read_as": _read_as(rehearsed, values=question.values),
        "reaches": sorted({one.kind.value for one in rehearsed.reaches}),
        "told": [_told(one, checks.directory) for one in rehearsed.reaches],
        "recipients": len({one.recipient_id for one in rehearsed.reaches}),
        "clocks": sorted({clock["id"] for row in rehearsed.follow_ups for clock in row.clocks}),
    }


def _sets_aside(problem: dict[str, str]) -> bool:
    """Tell an error, or that a person has to look first (a delete, a doubtful merge), which is no error of the sender's."""
    return problem["severity"] == "error" or (problem["code"] == ProblemCode.ACCEPTED and problem["severity"] == "warning")


def _told(desired: Desired, directory: Directory) -> dict[str, str]:
    """Say who is responsible and what they would be told of: not where the feed is not live, and then why."""
    recipient = directory.organizations.get(desired.recipient_id)
    return {
        "organization_id": public_id(Kind.ORGANIZATION, desired.recipient_id),
        "name": recipient.name if recipient else "",
        "event": desired.kind.value,
        "decision": str(desired.decision),
    }


def _problem(problem: Problem, name: Callable[[str], str]) -> dict[str, str]:
    return {
        "severity": problem.severity.name.lower(),
        "location": problem.location,
        "name": name(problem.location),
        "code": problem.code.value,
        "text": problem.text,
    }


def _read_as(rehearsed: Rehearsal, *, values: bool) -> dict[str, Any] | None:
    """Say what the profile decides: never a name, and a number only when it is asked for."""
    event = rehearsed.event
    if event is None:
        return None
    visit, stay = event.visit, rehearsed.stay
    number = visit.visit_number if visit is not None else None
    said: dict[str, Any] = {
        "occurred_at": event.occurred_at.isoformat(),
        "is_test": rehearsed.is_test,
        "identifiers": [
            f"{one.authority}|{one.type}" + (f"|{one.value}" if values else "") for one in event.identifiers
        ],
        "visit_number": None if number is None else f"{number.authority}|{number.type}" + (f"|{number.value}" if values else ""),
    }  # fmt: skip
    if stay is not None:
        view = stay.view
        said |= {
            "facility": stay.facility.name if stay.facility else None,
            "class": view.encounter_class.value,
            "status": view.status.value,
            "admitted_at": view.admitted_at.isoformat() if view.admitted_at else None,
            "discharged_at": view.discharged_at.isoformat() if view.discharged_at else None,
            "disposition": view.disposition,
            "unit": view.facts.get("unit"),
            "behavioral": stay.signal.kind.value,
        }
    return said


def _row(one: dict[str, Any]) -> dict[str, Any]:
    read_as = one["read_as"] or {}
    worst = [problem for problem in one["problems"] if problem["severity"] == Severity.ERROR.name.lower()] or one["problems"]
    return one | {
        "problems": [f"{_place(problem)}: {problem['text']}" for problem in worst],
        "reaches": [f"{told['name']}: {told['event']} ({told['decision']})" for told in one["told"]],
        "read_as": [f"{name} {value}" for name, value in read_as.items() if value not in (None, False, "unknown")],
    }


def _place(problem: dict[str, str]) -> str:
    location, name = problem["location"], problem["name"]
    return f"{location} ({name})" if name not in ("", location) else location or "(message)"
