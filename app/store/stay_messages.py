"""Which messages stays rest on: their ids alone, by which whoever may read a message finds it. Not here: what they say (inbound_reads)."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.domain.trigger import OURS
from app.store.raw import Raw

MESSAGES_MAX: Final = 100
"""Our policy: of a stay with more, the latest."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

# As who asks sees stays: of one that is not theirs to see there are none. Each stay by ix_adt_event_encounter.
_BEHIND: Final = """
select e.encounter_id, e.message_id from unnest($1::uuid[]) as asked(id) cross join lateral (
    select a.encounter_id, a.message_id, a.sort_key from adt_event a
    where a.encounter_id = asked.id and a.trigger <> all($2::text[]) and a.message_id < $4 order by a.sort_key desc limit $3
) as e order by e.sort_key
"""


async def behind(raw: Raw, stays: Collection[UUID], come_by: datetime | None = None) -> dict[UUID, list[UUID]]:
    """Give the messages behind each of these stays, in the order of what they tell of; or those alone that had come by an instant."""
    found: dict[UUID, dict[UUID, None]] = {stay: {} for stay in stays}
    for stay, message in await raw.fetch(_BEHIND, list(found), sorted(OURS), MESSAGES_MAX, _ids_before(come_by)):
        found[stay][message] = None
    return {stay: list(messages) for stay, messages in found.items()}


def _ids_before(at: datetime | None) -> UUID:
    """Give the least id that was not made by an instant: each begins with its millisecond (RFC 9562, version 7)."""
    return UUID(int=max((at - _EPOCH) // _MILLISECOND + 1, 0) << 80 if at else (1 << 128) - 1)
