"""Which messages stays rest on: their ids alone, by which whoever may read a message finds it. Not here: what they say (inbound_reads).

A stay that is the join of several visit numbers rests on what came under each of them.
"""

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

OF_STAY: Final = """
    select a.message_id, a.occurred_at, a.sort_key from (
        select {stay} as id union all select p.id from encounter p where p.folded_into = {stay} {parts}
    ) as part cross join lateral (
        select a.message_id, a.occurred_at, a.sort_key from adt_event a
        where a.encounter_id = part.id and a.trigger <> all({ours}::text[]) {events} order by a.sort_key desc limit {most}
    ) as a order by a.sort_key desc limit {most}
"""
"""The events of a stay and of its parts, the latest first: each by ix_adt_event_encounter, parts by ix_encounter_folded."""
# As who asks sees stays: of one that is not theirs to see there are none.
_BEHIND: Final = f"""
select asked.id, e.message_id from unnest($1::uuid[]) as asked(id) cross join lateral ({
    OF_STAY.format(stay="asked.id", ours="$2", most="$3", parts="and p.id <> all($5::uuid[])", events="and a.message_id < $4")
}) as e order by e.sort_key
"""
# A number says by which messages it became one with another: those have no stay of their own. `offset 0`: each is looked up by its key.
_PARTS_LATER: Final = """
select p.id from unnest($1::uuid[]) as asked(id) join encounter p on p.folded_into = asked.id
join stay_name n on n.facility_id = p.facility_id and n.authority = p.visit_authority and n.number = p.visit_number
where not exists (
    select from json_each(n.said) as said cross join lateral (
        select a.message_id from adt_event a where a.encounter_id is null and a.sort_key = said.key offset 0
    ) as a where a.message_id < $2 and (said.value -> 'now' is not null or said.value -> 'into' is not null)
)
"""


async def behind(
    raw: Raw, stays: Collection[UUID], come_by: datetime | None = None, without: Collection[UUID] = ()
) -> dict[UUID, list[UUID]]:
    """Give the messages behind each of these stays, in the order of what they tell of; or those alone that had come by an instant.

    `without`: parts that were none of theirs then (`parts_later`).
    """
    found: dict[UUID, dict[UUID, None]] = {stay: {} for stay in stays}
    asked = (list(found), sorted(OURS), MESSAGES_MAX, _ids_before(come_by), list(without))
    for stay, message in await raw.fetch(_BEHIND, *asked):
        found[stay][message] = None
    return {stay: list(messages) for stay, messages in found.items()}


async def parts_later(raw: Raw, stays: Collection[UUID], at: datetime) -> list[UUID]:
    """Give what is a part of these stays and was not known to be one at an instant.

    As the operator: who asks may not read which numbers are one. By ix_encounter_folded, pk_stay_name and ix_adt_event_encounter.
    """
    return [row["id"] for row in await raw.fetch(_PARTS_LATER, list(stays), _ids_before(at))]


def _ids_before(at: datetime | None) -> UUID:
    """Give the least id that was not made by an instant: each begins with its millisecond (RFC 9562, version 7)."""
    return UUID(int=max((at - _EPOCH) // _MILLISECOND + 1, 0) << 80 if at else (1 << 128) - 1)
