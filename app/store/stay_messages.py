"""Which messages stays rest on: their ids alone, by which whoever may read a message finds it. Not here: what they say (inbound_reads)."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from app.domain.trigger import OURS
from app.store.raw import Raw

MESSAGES_MAX: Final = 100
"""Our policy: of a stay with more, the latest."""

# As who asks sees stays: of one that is not theirs to see there are none. Each stay by ix_adt_event_encounter.
_BEHIND: Final = """
select e.encounter_id, e.message_id from unnest($1::uuid[]) as asked(id) cross join lateral (
    select a.encounter_id, a.message_id, a.sort_key from adt_event a
    where a.encounter_id = asked.id and a.trigger <> all($2::text[]) order by a.sort_key desc limit $3
) as e order by e.sort_key
"""


async def behind(raw: Raw, stays: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Give the messages behind each of these stays, in the order of what they tell of."""
    found: dict[UUID, dict[UUID, None]] = {stay: {} for stay in stays}
    for stay, message in await raw.fetch(_BEHIND, list(found), sorted(OURS), MESSAGES_MAX):
        found[stay][message] = None
    return {stay: list(messages) for stay, messages in found.items()}
