"""Agreements of organizations, and letting what had waited for one be decided again.

The table has no policy, for the registry is read with it; pages ask for the viewer's own.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.agreement import Agreement, AgreementKind
from app.domain.public_id import Kind
from app.domain.viewer import Viewer
from app.store.asked_again import ASKED_AGAIN
from app.store.audit import altered
from app.store.raw import Raw

_COLUMNS = "id, organization_id, kind, scope, effective_from, expires_on, document_id, asserted_at, ended_at"


def _agreement(row: Any) -> Agreement:  # noqa: ANN401 - asyncpg's record
    return Agreement(**{**row, "kind": AgreementKind(row["kind"])})


async def all_of(raw: Raw) -> list[Agreement]:
    """Read every agreement, for the registry of a batch."""
    return [_agreement(row) for row in await raw.fetch(f"select {_COLUMNS} from agreement order by id")]


async def page(raw: Raw, viewer: Viewer, organization_id: UUID | None, *, after: UUID | None, limit: int) -> list[Agreement]:
    """Give a page of those that the viewer may see: its own, all for the operator (pk_agreement, ix_agreement_organization)."""
    rows = await raw.fetch(
        f"select {_COLUMNS} from agreement where ($1 or organization_id = $2) and ($3::uuid is null or organization_id = $3) "
        "and ($4::uuid is null or id > $4) order by id limit $5",
        viewer.is_operator,
        viewer.organization_id,
        organization_id,
        after,
        limit,
    )
    return [_agreement(row) for row in rows]


async def find(raw: Raw, viewer: Viewer, agreement_id: UUID) -> Agreement | None:
    """Give one that the viewer may see (pk_agreement)."""
    row = await raw.fetchrow(
        f"select {_COLUMNS} from agreement where id = $1 and ($2 or organization_id = $3)",
        agreement_id,
        viewer.is_operator,
        viewer.organization_id,
    )
    return None if row is None else _agreement(row)


async def add(raw: Raw, new: Agreement) -> None:
    """Put one on file."""
    altered(Kind.AGREEMENT, new.id)
    await raw.execute(
        f"insert into agreement ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id, new.organization_id, new.kind.value, new.scope, new.effective_from, new.expires_on, new.document_id, new.asserted_at,
        new.ended_at,
    )  # fmt: skip


async def end(raw: Raw, agreement_id: UUID, now: datetime) -> Agreement | None:
    """End one now; one that was ended before keeps its time. None: there is none."""
    altered(Kind.AGREEMENT, agreement_id)
    await raw.execute("update agreement set ended_at = $2 where id = $1 and ended_at is null", agreement_id, now)
    row = await raw.fetchrow(f"select {_COLUMNS} from agreement where id = $1", agreement_id)
    return None if row is None else _agreement(row)


_RELEASE = (
    """
with begun as (
    update agreement set released_at = $1 where released_at is null and (effective_from is null or effective_from <= $2)
    returning organization_id
)
insert into reconsideration (encounter_id, asked_at, cause)
select distinct t.encounter_id, $1::timestamptz, 'agreement' from telling t
where t.recipient_id in (select organization_id from begun) and t.decision = 'agreement'
order by 1
"""
    + ASKED_AGAIN
)


async def release(raw: Raw, now: datetime) -> int:
    """Have the stays decided again that waited for an agreement that has begun (ix_agreement_unreleased, ix_telling_agreement).

    A day that has begun anywhere counts; whether it holds at the organization's place is the decision's to say.
    """
    done: str = await raw.execute(_RELEASE, now, (now - timedelta(hours=12)).date())
    return int(done.rpartition(" ")[2])


RENEWED = """
exists (select from agreement n where n.organization_id = a.organization_id and n.id <> a.id and n.ended_at is null
    and (n.kind = 'qsoa') = (a.kind = 'qsoa') and (n.expires_on is null or n.expires_on > a.expires_on))
"""
"""Another paper of the organization goes on when this one ends. A QSOA lets its organization do something else than the others."""
_EXPIRING = f"""
select {", ".join(f"a.{name}" for name in _COLUMNS.split(", "))}, a.warned_days from agreement a
where a.expires_on <= $1 and a.ended_at is null and not {RENEWED} order by a.expires_on, a.id
"""


async def expiring(raw: Raw, until: date) -> list[tuple[Agreement, int | None]]:
    """Give what ends by a day and is not renewed, with the last warning that was said of it (ix_agreement_expiring)."""
    found = []
    for row in await raw.fetch(_EXPIRING, until):
        *_, said = row.values()
        found.append((_agreement({name: value for name, value in row.items() if name != "warned_days"}), said))
    return found


async def warned(raw: Raw, steps: Mapping[UUID, int], now: datetime) -> None:
    """Remember which warnings are said from now on."""
    if steps:
        await raw.execute(
            "update agreement a set warned_days = t.days, warned_at = coalesce(a.warned_at, $3) "
            "from unnest($1::uuid[], $2::int[]) as t(id, days) where a.id = t.id",
            list(steps),
            list(steps.values()),
            now,
        )


async def days_left(raw: Raw, now: datetime) -> list[tuple[UUID, str, int]]:
    """Give, for the metrics and the doctor, the fewest days left of what was warned of, by organization and kind."""
    rows = await raw.fetch(
        "select a.organization_id, a.kind, min(a.expires_on - (($1::timestamptz at time zone o.time_zone)::date)) as days "
        f"from agreement a join organization o on o.id = a.organization_id where a.warned_at is not null and a.ended_at is null "
        f"and not {RENEWED} group by a.organization_id, a.kind order by 1, 2",
        now,
    )
    return [tuple(row.values()) for row in rows]
