"""What homes say of discharge summaries: written as the viewer, so that row-level security asks too. Never deleted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app.domain.summary_fact import SummaryFact, SummaryStep, Via
from app.domain.trigger import OURS
from app.store.raw import Raw
from app.store.stay_messages import MESSAGES_MAX, OF_STAY


async def insert_fact(
    raw: Raw, fact: SummaryFact, *, follow_up_id: UUID, organization_id: UUID, author: Mapping[str, Any], now: datetime
) -> None:
    """Store a fact, and let the follow-up show as changed."""
    await raw.execute(
        "insert into summary_fact (id, follow_up_id, organization_id, fact, at, recorded_at, via, note, author) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)",
        fact.id,
        follow_up_id,
        organization_id,
        fact.fact.value,
        fact.at,
        fact.recorded_at,
        fact.via.value,
        fact.note,
        orjson.dumps(dict(author)).decode(),
    )
    await touch(raw, follow_up_id, now)


async def touch(raw: Raw, follow_up_id: UUID, now: datetime) -> None:
    """Let a follow-up show as changed."""
    await raw.execute("update follow_up set updated_at = $2, version = version + 1, xid = default where id = $1", follow_up_id, now)


@dataclass(frozen=True, slots=True)
class FactOwner:
    """Where a fact belongs."""

    id: UUID
    follow_up_id: UUID


async def fact_of(raw: Raw, fact_id: UUID) -> FactOwner | None:
    """Find a fact that the viewer may see (pk_summary_fact)."""
    row = await raw.fetchrow("select id, follow_up_id from summary_fact where id = $1", fact_id)
    return FactOwner(*row.values()) if row is not None else None


async def void_fact(raw: Raw, fact_id: UUID, reason: str, by: Mapping[str, Any], now: datetime) -> bool:
    """Take a fact back; False when it was taken back before."""
    done = await raw.fetchval(
        "update summary_fact set voided_at = $2, void_reason = $3, voided_by = $4::jsonb where id = $1 and voided_at is null "
        "returning true",
        fact_id,
        now,
        reason,
        orjson.dumps(dict(by)).decode(),
    )
    return bool(done)


_OWNERS_AND_FACTS = f"""
select follow_up_id, 'owner' as kind, id, staff as what, starts_at as at, ends_at as until, organization_id,
    null::timestamptz as recorded_at, null as via, null as note, null::jsonb as author
from follow_up_owner where follow_up_id = any($1::uuid[])
union all
select follow_up_id, 'fact', id, fact, at, voided_at, organization_id, recorded_at, via, note, author
from summary_fact where follow_up_id = any($1::uuid[])
union all
select follow_up_id, 'log', id, null, at, null, null, null, null, null, said
from follow_up_log where follow_up_id = any($1::uuid[])
union all
select f.id, 'line', f.encounter_id, l.measure, l.met_7_on::timestamp at time zone 'UTC', null, l.organization_id,
    null, null, array_to_string(l.reasons, chr(10)), null
from follow_up f join measure_line l on l.encounter_id = f.encounter_id and l.measure = any($2::text[]) and l.known_to is null
where f.id = any($1::uuid[]) and l.met_7_on is not null
union all
select f.id, 'message', a.message_id, null, a.occurred_at, null, null, null, null, null, null
from follow_up f cross join lateral ({OF_STAY.format(stay="f.encounter_id", ours="$3", most="$4", parts="", events="")}) as a
where f.id = any($1::uuid[])
order by at, id
"""


class Receipted(NamedTuple):
    """What the ledger says that somebody had of a stay: whose notification it was is not the viewer's to read, that it was had is."""

    organization_id: UUID | None
    """For whom the line counts."""
    encounter_id: UUID
    measure: str
    on: date
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Around:
    """What is kept around follow-ups, oldest first: owners, facts, what was done, what measures and stays rest on."""

    owners: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    facts: dict[UUID, list[SummaryFact]] = field(default_factory=dict)
    log: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    received: dict[UUID, list[Receipted]] = field(default_factory=dict)
    messages: dict[UUID, list[UUID]] = field(default_factory=dict)

    def of(self, follow_up_id: UUID) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Give the owners of one follow-up, and what was done with it."""
        return self.owners.get(follow_up_id, []), self.log.get(follow_up_id, [])


async def around(raw: Raw, follow_ups: Iterable[UUID], measures: Iterable[str] = ()) -> Around:
    """Give what is kept around these follow-ups, and their lines in these measures: a page asks once.

    By ix_follow_up_owner_follow_up_id, ix_summary_fact_follow_up_id, ix_follow_up_log_follow_up_id, uq_measure_line_standing,
    ix_encounter_folded and ix_adt_event_encounter.
    """
    found = Around()
    chains, facts = found.owners, found.facts
    for row in await raw.fetch(_OWNERS_AND_FACTS, list(follow_ups), list(measures), sorted(OURS), MESSAGES_MAX):
        if row["kind"] == "message":
            found.messages.setdefault(row["follow_up_id"], []).append(row["id"])
            continue
        if row["kind"] == "log":
            said = orjson.loads(row["author"]) if isinstance(row["author"], str) else row["author"]
            found.log.setdefault(row["follow_up_id"], []).append({"at": row["at"], **said})
            continue
        if row["kind"] == "line":
            line = Receipted(row["organization_id"], row["id"], row["what"], row["at"].date(), row["note"].split("\n"))
            found.received.setdefault(row["follow_up_id"], []).append(line)
            continue
        if row["kind"] == "owner":
            owner = {"organization_id": row["organization_id"], "staff": row["what"], "starts_at": row["at"], "ends_at": row["until"]}
            chains.setdefault(row["follow_up_id"], []).append(owner)
            continue
        author = orjson.loads(row["author"]) if isinstance(row["author"], str) else row["author"]
        fact = SummaryFact(
            row["id"],
            SummaryStep(row["what"]),
            row["at"],
            row["recorded_at"],
            Via(row["via"]),
            str(author.get("name", "")),
            row["note"],
            row["until"],
        )
        facts.setdefault(row["follow_up_id"], []).append(fact)
    return found
