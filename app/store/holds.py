"""Stays that are held for review, and what an operator decides of one. Few of all, found by what is held (ix_telling_hold).

For the operator: that a stay is held tells what it may be about. Not here: the queue that counts them (queues).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from app.domain.held_stay import MODES, HeldStay
from app.domain.organization import Part2Status
from app.domain.public_id import Kind
from app.store.audit import altered, saw
from app.store.raw import Raw

_HELD = """
select e.id, e.person_id, e.facility_id, o.name, min(t.decided_at) as held_since, count(distinct t.recipient_id) as recipients,
    (array_agg(t.reasons::text order by t.decided_at))[1] as reasons
from telling t join encounter e on e.id = t.encounter_id left join organization o on o.id = e.facility_id
where t.decision = 'hold' and e.mode = any($1::text[]) and ($2::uuid is null or e.id > $2)
group by e.id, o.name order by e.id limit $3
"""


async def held(raw: Raw, *, after: UUID | None, limit: int) -> list[HeldStay]:
    """Give a page of the stays of which somebody is not told until a person has looked, the oldest stay first."""
    rows = await raw.fetch(_HELD, list(MODES), after, limit)
    found = [
        HeldStay(
            row["id"], row["person_id"], row["facility_id"], row["name"], row["held_since"], row["recipients"], orjson.loads(row["reasons"])
        )
        for row in rows
    ]
    saw(one.person_id for one in found)
    return found


async def recipients_of(raw: Raw, encounter_id: UUID) -> list[tuple[UUID, datetime]]:
    """Give for whom the stay is held, and since when (pk_telling)."""
    rows = await raw.fetch(
        "select recipient_id, min(decided_at) as since from telling where encounter_id = $1 and decision = 'hold' "
        "group by recipient_id order by recipient_id",
        encounter_id,
    )
    return [(row["recipient_id"], row["since"]) for row in rows]


async def decide(
    raw: Raw, encounter_id: UUID, status: Part2Status, written: str, *, reason: str, id_: UUID, key_id: UUID | None, now: datetime
) -> None:
    """Keep what was said of the stay's place. One statement; what was said before stays on file."""
    altered(Kind.ENCOUNTER, encounter_id)
    await raw.execute(
        "with said as (insert into place_decision (id, encounter_id, part2_status, reason, key_id, decided_at) "
        "values ($1, $2, $3, $4, $5, $6)) update encounter set place_decided = $7 where id = $2",
        id_,
        encounter_id,
        status.value,
        reason,
        key_id,
        now,
        written,
    )


async def decisions(raw: Raw, encounter_id: UUID) -> Sequence[tuple[str, str, datetime]]:
    """Give what was said of the stay's place, the newest first (ix_place_decision_encounter_id)."""
    rows = await raw.fetch(
        "select part2_status, reason, decided_at from place_decision where encounter_id = $1 order by id desc", encounter_id
    )
    return [tuple(row.values()) for row in rows]
