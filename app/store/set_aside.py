"""Messages that a person must look at: why, how many of a kind, and those of a kind, as the viewer.

A message is set aside at the door (AE, CE) or by the pipeline; one that is on the queue again is not. One that was processed with a
code that nobody has mapped is among them: it may mean more than was made of it. The reason is the first error, else the first doubt.
Not here: trying again (actions/replay) and one message (inbound_reads).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.inbound import Format
from app.domain.interpreted import OF_ANOTHER_PERSON
from app.domain.viewer import Viewer
from app.store.feed_counts import first_id_at
from app.store.inbound import Waiting
from app.store.raw import Raw

COUNTED_MAX = 100_000
"""Of so many, the newest are counted: more are a fault of one feed, and its groups show with these."""
GROUPS_MAX = 1_000

_ASIDE = f"""
with aside as (
    (select m.id, m.feed_id, m.received_at, coalesce(o.problems, m.problems) as problems
     from inbound_outcome o join inbound_message m on m.id = o.message_id
     where o.outcome = 'set_aside' and ($1::uuid is null or m.organization_id = $1) and ($2::uuid is null or m.feed_id = $2)
     and o.message_id >= $3 and o.message_id < $4
     and not exists (select 1 from inbound_queue q where q.message_id = m.id)
     order by o.message_id desc limit {COUNTED_MAX})
    union all
    (select m.id, m.feed_id, m.received_at, o.problems
     from inbound_outcome o join inbound_message m on m.id = o.message_id
     where o.outcome = 'processed' and o.problems is not null
     and ($1::uuid is null or m.organization_id = $1) and ($2::uuid is null or m.feed_id = $2)
     and o.message_id >= $3 and o.message_id < $4
     and not exists (select 1 from inbound_queue q where q.message_id = m.id)
     order by o.message_id desc limit {COUNTED_MAX})
    union all
    (select m.id, m.feed_id, m.received_at, m.problems from inbound_message m
     where m.ack_code in ('AE', 'CE') and m.ack_code <> 'AA'
     and ($1::uuid is null or m.organization_id = $1) and ($2::uuid is null or m.feed_id = $2) and m.id >= $3 and m.id < $4
     and not exists (select 1 from inbound_outcome o where o.message_id = m.id)
     and not exists (select 1 from inbound_queue q where q.message_id = m.id)
     order by m.id desc limit {COUNTED_MAX})
), explained as (
    select a.id, a.feed_id, a.received_at, coalesce(p.code, '') as code, coalesce(p.location, '') as location, coalesce(p.text, '') as text
    from aside a left join lateral (
        select e ->> 0 as code, e ->> 2 as location, e ->> 3 as text
        from jsonb_array_elements(a.problems) with ordinality as t(e, n) order by e ->> 1, n limit 1
    ) p on true
)
"""

_GROUPS = f"""{_ASIDE}
select feed_id, code, location, text, count(*) as messages, min(received_at) as first_at, max(received_at) as last_at,
       max(id::text)::uuid as newest_id
from explained group by feed_id, code, location, text order by messages desc, newest_id desc limit {GROUPS_MAX}
"""

_OF_A_KIND = f"""{_ASIDE}
select e.id, e.feed_id, m.organization_id, m.cipher_key_id, m.body, m.received_at, m.trigger, m.format
from (
    select id, feed_id from explained
    where feed_id is not null and ($5::text is null or code = $5) and ($6::text is null or location = $6)
        and ($5::text is not null or code <> $8 or location <> $9)
    order by id limit $7
) e join inbound_message m on m.id = e.id order by e.id
"""


@dataclass(frozen=True, slots=True)
class AsideFilter:
    """Which of the messages that were set aside; None is any."""

    feed_id: UUID | None = None
    code: str | None = None
    location: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None

    def span(self) -> tuple[UUID, UUID]:
        """Give the ids between which they lie: ids are made when a message is received."""
        first = first_id_at(self.received_from) if self.received_from else UUID(int=0)
        last = first_id_at(self.received_before) if self.received_before else UUID(int=(1 << 128) - 1)
        return first, last


def _whose(viewer: Viewer) -> UUID | None:
    # A key of no organization that is no operator's sees nothing: no message has this organization.
    return None if viewer.is_operator else viewer.organization_id or UUID(int=0)


async def groups(raw: Raw, viewer: Viewer, wanted: AsideFilter) -> list[dict[str, Any]]:
    """Count what was set aside by feed, code, place and reason, the most frequent first."""
    return [dict(row) for row in await raw.fetch(_GROUPS, _whose(viewer), wanted.feed_id, *wanted.span())]


async def of_a_kind(raw: Raw, viewer: Viewer, wanted: AsideFilter, most: int) -> Sequence[Waiting]:
    """Give the oldest of the messages that can be tried again (a feed claims them), with their bytes.

    To try again one that gives a number to somebody else is to say that it is a correction: those are given only where their code is
    asked for.
    """
    answer = (OF_ANOTHER_PERSON.code.value, OF_ANOTHER_PERSON.location)
    rows = await raw.fetch(_OF_A_KIND, _whose(viewer), wanted.feed_id, *wanted.span(), wanted.code, wanted.location, most, *answer)
    return [
        Waiting(
            row["id"],
            row["feed_id"],
            row["organization_id"],
            0,
            row["cipher_key_id"],
            row["body"],
            row["received_at"],
            Format(row["format"]),
        )
        for row in rows
    ]
