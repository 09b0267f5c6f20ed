"""Reading what came in: lists, one message, and its whole way through the rooms to each attempt. Newest first.

What became of a message is in `inbound_outcome`; a message answered negatively at the door has no row there, and its answer says it:
AR/CR is `rejected`, AE/CE is `set_aside`. Neither in the queue nor decided cannot be: without an outcome a message is `waiting`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.inbound import Outcome, Problem
from app.domain.viewer import Viewer
from app.store.inbound import problems_from
from app.store.raw import Raw

WAITING = "waiting"
"""Stored and acknowledged, not yet worked on. Not an outcome."""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message without its bytes."""

    id: UUID
    feed_id: UUID | None
    organization_id: UUID | None
    door: str
    received_at: datetime
    control_id: str
    trigger: str
    ack_code: str
    problems: tuple[Problem, ...]
    """What the sender was told."""
    outcome: str
    """An `Outcome`, or `waiting`."""
    outcome_problems: tuple[Problem, ...]
    """What the pipeline found."""
    person_id: UUID | None
    encounter_id: UUID | None
    decided_at: datetime | None
    control_id_reused: bool
    """Another message of the feed has the same MSH-10 and other content (ACK-7). Looked up when asked, so that the door need not."""


@dataclass(frozen=True, slots=True)
class StoredBody:
    """The verbatim bytes as they are stored."""

    cipher_key_id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class InboundFilter:
    """Which messages are asked for; None is any."""

    feed_id: UUID | None = None
    outcome: str | None = None
    control_id: str | None = None
    ack_code: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


_COLUMNS = """m.id, m.feed_id, m.organization_id, m.door, m.received_at, m.control_id, m.trigger, m.ack_code, m.problems,
case when q.message_id is not null then 'waiting'
     when o.outcome is not null then o.outcome
     when m.ack_code in ('AE', 'CE') then 'set_aside'
     when m.ack_code in ('AR', 'CR') then 'rejected'
     else 'waiting' end as outcome,
o.problems as outcome_problems, o.person_id, o.encounter_id, o.decided_at,
exists (select 1 from inbound_message other where other.feed_id = m.feed_id and other.control_id = m.control_id
        and other.content_hash <> m.content_hash and m.control_id <> '') as control_id_reused"""

_JOINS = "left join inbound_outcome o on o.message_id = m.id left join inbound_queue q on q.message_id = m.id"

_REFUSED_CODES = {Outcome.SET_ASIDE.value: ["AE", "CE"], Outcome.REJECTED.value: ["AR", "CR"]}


def _message(row: Record) -> InboundMessage:
    return InboundMessage(
        id=row["id"],
        feed_id=row["feed_id"],
        organization_id=row["organization_id"],
        door=row["door"],
        received_at=row["received_at"],
        control_id=row["control_id"],
        trigger=row["trigger"],
        ack_code=row["ack_code"],
        problems=problems_from(row["problems"]),
        outcome=row["outcome"],
        outcome_problems=problems_from(row["outcome_problems"]),
        person_id=row["person_id"],
        encounter_id=row["encounter_id"],
        decided_at=row["decided_at"],
        control_id_reused=row["control_id_reused"],
    )


class _Conditions:
    """SQL conditions with their numbered parameters."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: list[Any] = []

    def add(self, condition: str, value: object) -> None:
        """Add a condition; `{}` becomes the parameter."""
        self.values.append(value)
        self.parts.append(condition.format(f"${len(self.values)}"))

    def where(self, *more: str) -> str:
        return " and ".join([*self.parts, *more]) or "true"


async def list_messages(raw: Raw, viewer: Viewer, wanted: InboundFilter, *, after: UUID | None, limit: int) -> list[InboundMessage]:
    """Give a page, newest first: ids are time-ordered (ix_inbound_message_organization; pk_inbound_message for the operator).

    What was set aside or rejected is found by its own partial indexes, however many messages went well.
    """
    conditions = _Conditions()
    if not viewer.is_operator:
        conditions.add("m.organization_id = {}", viewer.organization_id)
    if after is not None:
        conditions.add("m.id < {}", after)
    for condition, value in (
        ("m.feed_id = {}", wanted.feed_id),
        ("m.control_id = {}", wanted.control_id),
        ("m.ack_code = {}", wanted.ack_code),
        ("m.received_at >= {}", wanted.received_from),
        ("m.received_at < {}", wanted.received_before),
    ):
        if value is not None:
            conditions.add(condition, value)
    rows = await raw.fetch(_list_statement(conditions, wanted.outcome, limit), *conditions.values)
    return [_message(row) for row in rows]


def _list_statement(conditions: _Conditions, outcome: str | None, limit: int) -> str:
    tail = f"order by m.id desc limit {limit:d}"
    if outcome is None:
        return f"select {_COLUMNS} from inbound_message m {_JOINS} where {conditions.where()} {tail}"
    if outcome == WAITING:
        undecided = conditions.where()
        return (
            f"select {_COLUMNS} from inbound_queue q join inbound_message m on m.id = q.message_id "
            f"left join inbound_outcome o on o.message_id = m.id where {undecided} {tail}"
        )
    conditions.add("o.outcome = {}", outcome)
    unqueued = "not exists (select 1 from inbound_queue q where q.message_id = m.id)"
    decided = f"select m.id from inbound_outcome o join inbound_message m on m.id = o.message_id where {conditions.where(unqueued)} {tail}"
    if outcome not in _REFUSED_CODES:
        return f"select {_COLUMNS} from inbound_message m {_JOINS} where m.id in ({decided}) {tail}"
    conditions.parts.pop()
    codes = ", ".join(f"'{code}'" for code in _REFUSED_CODES[outcome])
    refused = conditions.where(
        f"m.ack_code in ({codes})",
        "m.ack_code <> 'AA'",
        "not exists (select 1 from inbound_outcome o where o.message_id = m.id)",
        unqueued,
    )
    # The parameter of the outcome must be mentioned in both halves or in none; it is in the first.
    return (
        f"select {_COLUMNS} from inbound_message m {_JOINS} where m.id in "
        f"(({decided}) union all (select m.id from inbound_message m where {refused} {tail})) {tail}"
    )


async def find_message(raw: Raw, viewer: Viewer, message_id: UUID) -> tuple[InboundMessage, StoredBody] | None:
    """Give one message of the viewer's with its bytes (pk_inbound_message)."""
    row = await raw.fetchrow(f"select {_COLUMNS}, m.cipher_key_id, m.body from inbound_message m {_JOINS} where m.id = $1", message_id)
    if row is None or not (viewer.is_operator or row["organization_id"] == viewer.organization_id):
        return None
    return _message(row), StoredBody(row["cipher_key_id"], row["body"])


async def read_messages(raw: Raw, viewer: Viewer, ids: Sequence[UUID]) -> list[InboundMessage]:
    """Give those of these messages that are the viewer's, newest first (pk_inbound_message)."""
    rows = await raw.fetch(f"select {_COLUMNS} from inbound_message m {_JOINS} where m.id = any($1::uuid[]) order by m.id desc", list(ids))
    return [_message(row) for row in rows if viewer.is_operator or row["organization_id"] == viewer.organization_id]


@dataclass(frozen=True, slots=True)
class Trace:
    """What a message led to, as far as the viewer may see. Rows are mappings of columns, in the order of the rooms."""

    event: dict[str, Any] | None
    decisions: Sequence[dict[str, Any]]
    notifications: Sequence[dict[str, Any]]
    attempts: Sequence[dict[str, Any]]
    follow_ups: Sequence[dict[str, Any]]


_EVENT = """
select o.encounter_id, o.person_id, a.trigger, a.occurred_at, e.mode
from inbound_outcome o left join adt_event a on a.message_id = o.message_id left join encounter e on e.id = o.encounter_id
where o.message_id = $1 order by a.part limit 1
"""

_DECISIONS = """
select d.recipient_id, r.name as recipient_name, d.kind, d.decision, d.reasons, d.notification_id, d.decided_at
from disclosure d join organization r on r.id = d.recipient_id
where d.encounter_id = $1 and d.cause_id = $2 order by d.id
"""

_NOTIFICATIONS = """
select n.id, n.recipient_id, n.sequence, n.type, n.version, n.tier, n.created_at, k.acknowledged_at
from notification n left join notification_acknowledgement k on k.notification_id = n.id
where n.encounter_id = $1 and n.cause_id = $2 order by n.created_at, n.id
"""

_ATTEMPTS = """
select s.id as subscription_id, d.sequence, n.id as notification_id, d.state, t.number, t.started_at, t.duration_ms, t.outcome,
       t.status_code, t.error
from notification n
join subscription s on s.organization_id = n.recipient_id
join delivery d on d.subscription_id = s.id and d.sequence = n.sequence
left join attempt t on t.subscription_id = s.id and t.sequence = n.sequence
where n.encounter_id = $1 and n.cause_id = $2 order by n.id, s.id, t.number
"""

_FOLLOW_UPS = "select f.id, f.home_id, f.state, f.programs, f.updated_at from follow_up f where f.encounter_id = $1 order by f.id"


async def trace_message(raw: Raw, viewer: Viewer, message_id: UUID) -> Trace | None:
    """Follow one message of the viewer's. Six statements whatever it led to; the caller has found the message."""
    if not viewer.is_operator and viewer.organization_id is None:
        return None
    event = await raw.fetchrow(_EVENT, message_id)
    if event is None or event["encounter_id"] is None:
        return Trace(_columns(event), (), (), (), ())
    stay = event["encounter_id"]
    decisions = await raw.fetch(_DECISIONS, stay, message_id)
    notifications = await raw.fetch(_NOTIFICATIONS, stay, message_id)
    attempts = await raw.fetch(_ATTEMPTS, stay, message_id)
    follow_ups = await raw.fetch(_FOLLOW_UPS, stay)
    return Trace(
        _columns(event),
        [{**row, "reasons": _json(row["reasons"])} for row in decisions],
        [dict(row) for row in notifications],
        [dict(row) for row in attempts],
        [dict(row) for row in follow_ups],
    )


def _columns(row: Record | None) -> dict[str, Any] | None:
    return None if row is None else dict(row)


def _json(value: Any) -> Any:  # noqa: ANN401 - decoded or not, by the connection's codec
    return orjson.loads(value) if isinstance(value, str) else value
