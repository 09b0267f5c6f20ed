"""What a feed would have told, for comparing it with the service of today: what was decided of each event for each recipient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class HeardStay:
    """A stay of the feed with what was decided about it."""

    id: UUID
    visit_number: str
    state: Mapping[str, Any]
    patient_numbers: frozenset[str]
    decisions: Sequence[tuple[str, str, str, datetime]]
    """(recipient's name, kind, decision, when decided)."""
    updated_at: datetime


_STAYS = """
select e.id, e.visit_number, e.state, e.updated_at,
       (select array_agg(distinct i.value) from record_identifier i where i.record_id = e.record_id) as numbers,
       (select json_agg(json_build_array(r.name, t.kind, t.decision, t.decided_at) order by r.name)
        from telling t join organization r on r.id = t.recipient_id where t.encounter_id = e.id) as decisions
from encounter e
where e.feed_id = $1 and e.mode <> 'test' and e.id > $2
    and coalesce(e.discharged_at, e.updated_at) >= $3 and coalesce(e.admitted_at, e.discharged_at, e.created_at) < $4
order by e.id limit $5
"""


async def heard_stays(raw: Raw, feed_id: UUID, starts_at: datetime, ends_at: datetime, *, after: UUID, limit: int) -> list[HeardStay]:
    """Give a page of the stays of a feed that overlap a period, in id order (pk_encounter): an operator's question, asked once or twice."""
    return [
        HeardStay(
            row["id"],
            row["visit_number"],
            _json(row["state"]),
            frozenset(row["numbers"] or ()),
            [(name, kind, decision, datetime.fromisoformat(at)) for name, kind, decision, at in _json(row["decisions"]) or ()],
            row["updated_at"],
        )
        for row in await raw.fetch(_STAYS, feed_id, after, starts_at, ends_at, limit)
    ]


def _json(value: Any) -> Any:  # noqa: ANN401  # decoded or not, by the connection's codec
    return orjson.loads(value) if isinstance(value, str) else value
