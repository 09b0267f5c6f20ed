"""Lines of the measure ledger that may be read now: whatever right ended since they were written is asked for first.

Lists and counts leave out the same lines, so a count gives nothing away. Not here: the decision (actions/withhold_measures).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.actions.withhold_measures import withheld_lines
from app.api.services import Services
from app.domain.directory import Directory
from app.domain.viewer import OPERATOR, Viewer
from app.store import measure_reads, measure_rights, stay_messages
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.measure_reads import LineFilter
from app.store.measure_rights import LineInDoubt


async def withheld(services: Services, asked_for: Sequence[LineFilter]) -> set[int]:
    """Give the lines that are stored and may not be read now: neither listed nor counted."""
    now = services.clock.now()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        doubtful = [line for lines in asked_for for line in await measure_rights.in_doubt(raw, lines, now)]
    return await _decide(services, doubtful)


async def readable_lines(
    services: Services, viewer: Viewer, lines: LineFilter, *, after: tuple[date, int] | None, limit: int
) -> tuple[list[Mapping[str, Any]], Directory]:
    """Give a full page of lines and one more where there are more, by the day of the event, each with the `messages` behind its stay.

    Who is on it is noted as seen.
    """
    lines = replace(lines, without=await withheld(services, [lines]))
    organization_id = next(iter(lines.organizations), None)
    found: list[Mapping[str, Any]] = []
    while True:
        async with services.unit_of_work(viewer) as connection:
            raw = await raw_connection(connection)
            directory = await services.registry.current(raw)
            read = await measure_reads.events(raw, lines, after=after, limit=limit + 1)
            stays = {row["encounter_id"] for row in read}
            messages = await stay_messages.behind(raw, stays, lines.known_at, await _parts_later(services, stays, lines.known_at))
        # Asked of every row that is answered, too: a rule may end with a day that nobody has noted yet.
        of_page = [LineInDoubt(row["id"], row["encounter_id"], row["superseded_by"], organization_id) for row in read]
        hidden = await _decide(services, of_page)
        found += [{**row, "messages": messages[row["encounter_id"]]} for row in read if row["id"] not in hidden]
        if len(found) > limit or len(read) <= limit:
            # Written when the request ends: only now is it known who is shown.
            saw(row["person_id"] for row in found[:limit])
            return found, directory
        after = read[-1]["anchor_on"], read[-1]["id"]


async def _parts_later(services: Services, stays: Collection[UUID], known_at: datetime | None) -> Sequence[UUID]:
    if known_at is None:
        return ()
    async with services.unit_of_work(OPERATOR) as connection:
        return await stay_messages.parts_later(await raw_connection(connection), stays, known_at)


async def _decide(services: Services, doubtful: Sequence[LineInDoubt]) -> set[int]:
    if not doubtful:
        return set()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        return await withheld_lines(raw, doubtful, await services.registry.current(raw), services.read_stay)
