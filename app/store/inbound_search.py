"""Finding messages by what people know of them. Gives ids only: what is shown of them is read as the viewer (inbound_reads).

Whose numbers a record has is not for a hospital to read (row-level security): so the look-up of ids runs as the work role, narrowed to
messages of the viewer's organization here, and the viewer's own read of those ids is narrowed again by the policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.message_search import MessageQuery
from app.domain.viewer import Viewer
from app.store.raw import Raw

# `offset 0` keeps a look-up what it is: the planner neither turns it round nor joins by reading a whole index.
RECORDS_MAX = 1_000
"""A number may be given by many hospitals; beyond so many it names nobody."""
UNREAD_MAX = 500
"""The newest messages that nothing was made of are looked into one by one: a few hundredths of a second."""

_OF_CONTROL_ID = """
(select m.id from feed f join inbound_message m on m.feed_id = f.id and m.control_id = $2
 where ($1::uuid is null or f.organization_id = $1) and m.id < $3 order by m.id desc limit $4)
union
(select m.id from (select id, organization_id from inbound_message where feed_id is null and control_id = $2 offset 0) m
 where ($1::uuid is null or m.organization_id = $1) and m.id < $3 order by m.id desc limit $4)
"""

_EVENTS = """
, events as (
    select a.message_id from stays s
    cross join lateral (select message_id from adt_event where encounter_id = s.id offset 0) a
    union
    select a.message_id from records r
    cross join lateral (select message_id from adt_event where record_id = r.record_id and encounter_id is null offset 0) a
)
select m.id from events e join inbound_message m on m.id = e.message_id
where ($1::uuid is null or m.organization_id = $1) and m.id < $3 order by m.id desc limit $4
"""

_OF_RECORD = f"""
, stays as (
    select e.id from records r
    cross join lateral (select id, facility_id from encounter where record_id = r.record_id offset 0) e
    where $1::uuid is null or e.facility_id = $1
){_EVENTS}"""

_OF_NUMBER = f"""
with records as (
    select distinct record_id from record_identifier where value = $2 limit {RECORDS_MAX}
){_OF_RECORD}"""

_OF_VISIT = f"""
with records as (
    select null::uuid as record_id where false
), stays as (
    select e.id from (select id, facility_id from encounter where visit_number = $2 offset 0) e
    where $1::uuid is null or e.facility_id = $1 limit {RECORDS_MAX}
){_EVENTS}"""

_OF_SOMEBODY = f"""
with records as (
    select id as record_id from patient_record where demographic_key = any($2::bigint[]) limit {RECORDS_MAX}
){_OF_RECORD}"""

LAST = UUID(int=(1 << 128) - 1)


async def find_ids(raw: Raw, viewer: Viewer, query: MessageQuery, *, before: UUID | None, limit: int) -> dict[UUID, str]:
    """Give the newest messages of the viewer's that the query finds, with the first way by which each is found."""
    if not viewer.is_operator and viewer.organization_id is None:
        return {}
    whose = None if viewer.is_operator else viewer.organization_id
    if query.somebody is not None:
        ways: dict[str, tuple[str, object]] = {"name_and_birth_date": (_OF_SOMEBODY, list(query.somebody.demographic_keys()))}
    else:
        ways = {
            "control_id": (_OF_CONTROL_ID, query.text),
            "identifier": (_OF_NUMBER, query.text),
            "visit_number": (_OF_VISIT, query.text),
        }
    found: dict[UUID, str] = {}
    for way, (statement, value) in ways.items():
        for row in await raw.fetch(statement, whose, value, before or LAST, limit):
            found.setdefault(row["id"], way)
    return dict(sorted(found.items(), reverse=True)[:limit])


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that nothing was made of, with its bytes."""

    id: UUID
    feed_id: UUID | None
    cipher_key_id: int
    body: bytes


_UNREAD = """
(select m.id, m.feed_id, m.cipher_key_id, m.body from inbound_outcome o join inbound_message m on m.id = o.message_id
 where o.outcome = 'set_aside' and ($1::uuid is null or m.organization_id = $1) and o.message_id < $2 order by o.message_id desc limit $3)
union all
(select m.id, m.feed_id, m.cipher_key_id, m.body from inbound_message m
 where m.ack_code <> 'AA' and ($1::uuid is null or m.organization_id = $1) and m.id < $2
 and not exists (select 1 from inbound_outcome o where o.message_id = m.id) order by m.id desc limit $3)
"""


async def newest_unread(raw: Raw, viewer: Viewer, *, before: UUID | None) -> list[Unread]:
    """Give the newest messages of the viewer's that were set aside or refused: no record knows their patient, so they are looked into.

    As the viewer; found by ix_inbound_outcome_set_aside and ix_inbound_message_refused.
    """
    if not viewer.is_operator and viewer.organization_id is None:
        return []
    whose = None if viewer.is_operator else viewer.organization_id
    rows: Sequence[Unread] = [Unread(*row.values()) for row in await raw.fetch(_UNREAD, whose, before or LAST, UNREAD_MAX)]
    return sorted(rows, key=lambda one: one.id, reverse=True)[:UNREAD_MAX]
