"""What came in, and the queue beside it: the statements of rooms 1-3. Every statement takes a whole batch.

Raw asyncpg inside a unit of work: SQLAlchemy's per-statement cost would be paid for each group commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.feed import FeedMode
from app.domain.inbound import AckCode, Format, Outcome, Problem, ProblemCode, Severity
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message as room 2 stores it. `lane` is None for what never enters the pipeline (rejects, unknown feeds)."""

    id: UUID
    feed_id: UUID | None
    organization_id: UUID | None
    door: str
    format: str
    received_at: datetime
    cipher_key_id: int
    body: bytes
    control_id: str
    trigger: str
    content_hash: bytes
    ack_code: AckCode
    problems: Sequence[Problem]
    lane: int | None
    mode: FeedMode | None = None
    """Of the feed when the message came; None without a feed."""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What the sender was told when the same message came first."""

    id: UUID
    ack_code: AckCode
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message claimed by a worker."""

    id: UUID
    feed_id: UUID
    organization_id: UUID | None
    attempts: int
    cipher_key_id: int
    body: bytes
    received_at: datetime
    format: Format
    mode: FeedMode | None = None
    was_aside: str | None = None
    """The code of what it was set aside for, where it was: it is taken up again."""


def problems_json(problems: Sequence[Problem]) -> str | None:
    """Give the stored form of problems; None where there are none."""
    if not problems:
        return None
    return orjson.dumps([[p.code.value, p.severity.value, p.location, p.text] for p in problems]).decode()


def problems_from(stored: Any) -> tuple[Problem, ...]:  # noqa: ANN401  # decoded JSON
    """Read the stored form."""
    rows = orjson.loads(stored) if isinstance(stored, str) else stored
    return tuple(Problem(ProblemCode(code), Severity(severity), location, text) for code, severity, location, text in rows or ())


_STORE = """
with arriving as (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::smallint[], $8::bytea[],
                         $9::text[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::int[], $15::text[])
        as a(id, feed_id, organization_id, door, format, received_at, cipher_key_id, body,
             control_id, trigger, content_hash, ack_code, problems, lane, mode)
), stored as (
    insert into inbound_message (id, feed_id, organization_id, door, format, received_at, cipher_key_id, body,
                                 control_id, trigger, content_hash, ack_code, problems, mode)
    select id, feed_id, organization_id, door, format, received_at, cipher_key_id, body,
           control_id, trigger, content_hash, ack_code, problems::jsonb, mode
    from arriving
    on conflict (feed_id, control_id, content_hash) where feed_id is not null do nothing
    returning id
), queued as (
    insert into inbound_queue (message_id, lane)
    select a.id, a.lane from arriving a join stored s on s.id = a.id where a.lane is not null
)
select id from stored
"""


async def store_messages(raw: Raw, rows: Sequence[MessageRow]) -> set[UUID]:
    """Insert the messages and queue those that have a lane; give the ids that are new. One statement.

    A message that is already there (same feed, control id and bytes) is left as it is: ask `first_answers`.
    """
    columns = zip(
        *(
            (
                row.id,
                row.feed_id,
                row.organization_id,
                row.door,
                row.format,
                row.received_at,
                row.cipher_key_id,
                row.body,
                row.control_id,
                row.trigger,
                row.content_hash,
                row.ack_code.value,
                problems_json(row.problems),
                row.lane,
                row.mode.value if row.mode else None,
            )
            for row in rows
        ),
        strict=True,
    )
    stored = await raw.fetch(_STORE, *(list(column) for column in columns))
    return {record["id"] for record in stored}


_FIRST = """
select k.position, m.id, m.ack_code, m.problems
from unnest($1::uuid[], $2::text[], $3::bytea[]) with ordinality as k(feed_id, control_id, content_hash, position)
join inbound_message m on m.feed_id = k.feed_id and m.control_id = k.control_id and m.content_hash = k.content_hash
"""


async def first_answers(raw: Raw, rows: Sequence[MessageRow]) -> list[FirstAnswer]:
    """Give what was answered when each of these messages came first (uq_inbound_message_again), in the order asked."""
    keys = [row.feed_id for row in rows], [row.control_id for row in rows], [row.content_hash for row in rows]
    found = await raw.fetch(_FIRST, *keys)
    by_position = {record["position"]: record for record in found}
    return [
        FirstAnswer(record["id"], AckCode(record["ack_code"]), problems_from(record["problems"]))
        for record in (by_position[position] for position in range(1, len(rows) + 1))
    ]


_CLAIM_LANES = """
with recursive waiting(lane) as (
    (select lane from inbound_queue order by lane limit 1)
    union all
    select (select q.lane from inbound_queue q where q.lane > w.lane order by q.lane limit 1) from waiting w where w.lane is not null
)
select lane from (select lane from waiting where lane is not null order by lane < $3, lane offset 0) as candidates
where pg_try_advisory_xact_lock($1, lane)
limit $2
"""


async def claim_lanes(raw: Raw, lock_space: int, lanes_max: int, start: int) -> list[int]:
    """Lock free lanes that have work until this transaction ends, from lane `start` upwards and round (ix_inbound_queue_lane)."""
    return [record["lane"] for record in await raw.fetch(_CLAIM_LANES, lock_space, lanes_max, start)]


async def try_lock(raw: Raw, lock_space: int, number: int) -> bool:
    """Take a lock of this network until the transaction ends, if nobody holds it."""
    return bool(await raw.fetchval("select pg_try_advisory_xact_lock($1, $2)", lock_space, number))


_CLAIM = """
select q.message_id, q.attempts, m.feed_id, m.organization_id, m.cipher_key_id, m.body, m.received_at, m.format, m.mode,
    case when o.outcome = 'set_aside' then coalesce(o.problems -> 0 ->> 0, '') end as was_aside
from (
    select message_id, attempts from inbound_queue where lane = any($1::int[]) and attempts between $3 and $4
    order by message_id limit $2
) q
join inbound_message m on m.id = q.message_id
left join inbound_outcome o on o.message_id = q.message_id
order by q.message_id
"""


async def claim(raw: Raw, lanes: Sequence[int], messages_max: int, attempts: tuple[int, int] = (0, 0)) -> list[Waiting]:
    """Read the oldest messages of locked lanes that were taken up and not finished as often as `attempts` says, from and to."""
    rows = await raw.fetch(_CLAIM, list(lanes), messages_max, *attempts)
    return [
        Waiting(
            row["message_id"],
            row["feed_id"],
            row["organization_id"],
            row["attempts"],
            row["cipher_key_id"],
            row["body"],
            row["received_at"],
            Format(row["format"]),
            FeedMode(row["mode"]) if row["mode"] else None,
            row["was_aside"],
        )
        for row in rows
    ]


_COUNT_ATTEMPT = """
update inbound_queue set attempts = attempts + 1
from (select set_config('synchronous_commit', 'off', true)) as unflushed
where message_id = any($1::uuid[])
"""


async def count_attempt(raw: Raw, messages: Sequence[UUID]) -> None:
    """Count that the messages were taken up. Committed before the work, so that a message that kills its worker is known.

    The transaction of this statement commits without waiting for the disk: a worker that dies takes nothing back, and a count
    that a dying database forgets is no worse than one try more.
    """
    await raw.execute(_COUNT_ATTEMPT, list(messages))


async def forget_attempt(raw: Raw, messages: Sequence[UUID]) -> None:
    """Take the count back for messages that were given up through no fault of theirs (a lost lock, a lost database)."""
    await raw.execute("update inbound_queue set attempts = greatest(attempts - 1, 0) where message_id = any($1::uuid[])", list(messages))


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of a message."""

    message_id: UUID
    outcome: Outcome
    problems: Sequence[Problem] = ()
    person_id: UUID | None = None
    encounter_id: UUID | None = None


_FINISH = """
with done as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[])
        as d(message_id, outcome, problems, person_id, encounter_id)
), unqueued as (
    delete from inbound_queue q using done d where q.message_id = d.message_id returning q.message_id
)
insert into inbound_outcome (message_id, outcome, problems, person_id, encounter_id, decided_at)
select message_id, outcome, problems::jsonb, person_id, encounter_id, $6 from done join unqueued using (message_id)
on conflict (message_id) do update set outcome = excluded.outcome, problems = excluded.problems,
    person_id = excluded.person_id, encounter_id = excluded.encounter_id, decided_at = excluded.decided_at
"""


async def finish(raw: Raw, outcomes: Sequence[OutcomeRow], now: datetime) -> None:
    """Record what became of messages and take them off the queue. A replayed message gets its new outcome.

    A message that another worker has finished meanwhile is no longer on the queue, and keeps that outcome.
    """
    if not outcomes:
        return
    await raw.execute(
        _FINISH,
        [row.message_id for row in outcomes],
        [row.outcome.value for row in outcomes],
        [problems_json(row.problems) for row in outcomes],
        [row.person_id for row in outcomes],
        [row.encounter_id for row in outcomes],
        now,
    )


async def queue_depth(raw: Raw) -> int:
    """Count what waits, for metrics and the demo."""
    return int(await raw.fetchval("select count(*) from inbound_queue"))


_REQUEUE = """
insert into inbound_queue (message_id, lane)
select id, abs(hashtext(id::text) % $2) from inbound_message where id = any($1::uuid[]) and feed_id is not null
on conflict (message_id) do nothing
"""


async def requeue(raw: Raw, messages: Sequence[UUID], lanes: int) -> int:
    """Put stored messages back on the queue, as many as the caller's role may see; give how many can be taken up.

    Any lane will do: the order of arrival never decides what a message means.
    """
    await raw.execute(_REQUEUE, list(messages), lanes)
    return int(
        await raw.fetchval("select count(*) from inbound_message where id = any($1::uuid[]) and feed_id is not null", list(messages))
    )
