"""What helps people to find a message and to try it again. Not here: the routes and commands that offer it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.fhir.fields import FhirFieldReader
from adapters.hl7v2.dictionary import known_version, place_name
from adapters.hl7v2.fields import Er7FieldReader
from adapters.hl7v2.lint import NEUTRAL_FEED, lint
from app.actions.search_messages import MessageSearch
from app.api.strict_json import read_strict_json
from app.domain.directory import Directory
from app.domain.feed import Feed
from app.domain.inbound import Envelope, Format, Header, Problem
from app.domain.message_search import MessageQuery
from app.domain.reinterpretation import Reinterpretation
from app.domain.viewer import Viewer
from app.pipeline.reinterpret import reinterpret
from app.pipeline.rooms import Rooms
from app.store.inbound import Waiting
from app.store.inbound_search import find_ids
from app.wiring import Keys, open_transaction


def message_search(work: AsyncEngine, keys: Keys) -> MessageSearch:
    """Build the search. Ids are looked up as the work role: it reads whose numbers a record has, and gives no more than ids."""

    async def find(viewer: Viewer, query: MessageQuery, before: UUID | None, limit: int) -> dict[UUID, str]:
        async with open_transaction(work)() as raw:
            return await find_ids(raw, viewer, query, before=before, limit=limit)

    return MessageSearch(find, keys.cipher, (Er7FieldReader(), FhirFieldReader(read_strict_json)))


def reinterpreter(rooms: Rooms) -> Callable[[Directory, Sequence[Waiting]], Awaitable[Reinterpretation]]:
    """Give what reads stored messages again, beside the event loop: a thousand take a good part of a second."""

    async def again(directory: Directory, messages: Sequence[Waiting]) -> Reinterpretation:
        return await asyncio.to_thread(reinterpret, rooms, directory, messages)

    return again


def place_namer(of: Format, header: Header) -> Callable[[str], str]:
    """Give what says a place of a message in the words of its standard: PID-3.4 patient identifier list, assigning authority."""
    version = known_version(header.version)
    return (lambda place: place_name(version, place)) if of is Format.ER7 else (lambda place: place)


async def advice(envelope: Envelope, feed: Feed | None, header: Header, problems: Sequence[Problem]) -> list[Problem]:
    """Give what the standard says of an ER7 message besides what decides: its fields, and its order against the event's structure.

    Of the place of a problem nothing more is said. Beside the event loop: the dictionary of a version takes a moment to be read.
    """
    if envelope.format is not Format.ER7 or header.fault is not None:
        return []
    found = await asyncio.to_thread(lint, envelope.body, feed or NEUTRAL_FEED)
    said = {problem.location for problem in problems}
    return [Problem(one.code, one.severity, one.location, one.text) for one in found if one.location not in said]
