"""Removing what was kept long enough: whole links, by the owner, who gives itself the right for the length of one transaction.

The links stay, and say that their rows were removed: a copy that was exported before still has to give their hashes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.store.raw import Raw
from app.store.roles import Network, Role

_TABLES: Final = ("audit_event", "disclosure", "attempt")
_DUE: Final = """
select coalesce(sum(rows), 0)::bigint as rows, count(*) as links, min(from_xid) as from_xid, max(to_xid) as to_xid
from audit_link l
where l.last_at < $1 and not exists (select 1 from audit_removal r where r.link_number = l.number)
  and not exists (select 1 from audit_link o where o.number < l.number and o.last_at >= $1)
"""


@dataclass(frozen=True, slots=True)
class Due:
    """What may be removed."""

    rows: int
    links: int
    from_xid: int | None
    to_xid: int | None


async def due(raw: Raw, before: datetime) -> Due:
    """Give the links from the beginning of the chain whose rows are all from before an instant."""
    row = await raw.fetchrow(_DUE, before)
    return Due(row["rows"], row["links"], row["from_xid"], row["to_xid"])


async def remove(raw: Raw, network: Network, what: Due, now: datetime) -> None:
    """Remove these rows, as the owner. Nobody else can, and nobody ever changes one."""
    if what.from_xid is None:
        return
    owner = network.role(Role.OWNER)
    tables = ", ".join(_TABLES)
    await raw.execute(f"grant delete on {tables} to {owner}")
    for table in _TABLES:
        await raw.execute(f"delete from {table} where xid >= $1 and xid < $2", what.from_xid, what.to_xid)
    await raw.execute(f"revoke delete on {tables} from {owner}")
    await raw.execute(
        "insert into audit_removal (link_number, rows, removed_at) select number, rows, $3 from audit_link "
        "where from_xid >= $1 and to_xid <= $2 on conflict do nothing",
        what.from_xid,
        what.to_xid,
        now,
    )
