"""Check the chain from its first link to its head, and name the first row or link that is not as it was.

Links are read in pages and their rows hashed by the database, one statement a link. Not here: what a link proves (domain/audit_chain).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.audit_chain import Break, Broken, Link, broken_at
from app.ports import Signer
from app.store import audit_chain
from app.store.raw import Raw

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    links: int
    rows: int
    removed_links: int
    """Whose rows retention has removed: proved by their hash alone."""
    head: Link | None
    unlinked_rows: int
    oldest_unlinked_at: datetime | None
    broken: Broken | None
    table: str | None = None
    row_id: UUID | None = None
    """The first row that is wrong, where a row is and can be named."""


async def verify_audit(raw: Raw, signer: Signer) -> Verified:
    """Check every link and every row."""
    before: Link | None = None
    rows = removed = 0
    broken: Broken | None = None
    named: tuple[str, UUID] | None = None
    while broken is None and (page := await audit_chain.links_after(raw, before.number if before else 0, _PAGE)):
        gone = await audit_chain.removed_among(raw, [link.number for link in page])
        for link in page:
            found = None if link.number in gone else await audit_chain.hashed(raw, link.from_xid, link.to_xid)
            broken = broken_at(link, before, found, is_signed=signer.is_signed(link.link_hash, link.signature))
            if broken is not None:
                if broken.row is not None and broken.what is not Break.TAKEN:
                    named = await audit_chain.row_at(raw, link.from_xid, link.to_xid, broken.row)
                break
            rows += link.rows.count
            removed += found is None
            before = link
    unlinked, oldest_at = await audit_chain.unlinked(raw)
    if broken is None and before is not None and await audit_chain.horizon(raw) < before.to_xid:
        broken = Broken(before.number + 1, Break.UNLINKED)
    return Verified(
        before.number if before else 0,
        rows,
        removed,
        before,
        unlinked,
        oldest_at,
        broken,
        named[0] if named else None,
        named[1] if named else None,
    )
