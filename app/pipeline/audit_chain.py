"""Linking what was added to the audit, the ledger and the attempts into the chain, now and then, by one of the workers.

Not here: which rows are safe to take (store/audit_chain), what a link proves (domain/audit_chain).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.audit_chain import FORM, GENESIS, Link, link_hash
from app.pipeline.rooms import OpenTransaction
from app.ports import Clock, Signer
from app.store import audit_chain, inbound
from app.store.raw import Raw

AUDIT_CHAIN_LOCK: Final = -8
"""Beside the lanes, which count from 0, and the other locks of background work."""
SPAN_MAX: Final = 2_000
"""Our policy: a link takes the rows of at most so many transactions, so that a round is short after a long pause too."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What a round did, and what is left."""

    rows: int = 0
    has_more: bool = False
    oldest_at: datetime | None = None
    """Since when the oldest row that is in no link."""


@dataclass(frozen=True, slots=True)
class AuditChain:
    """What links, for one worker process."""

    transaction: OpenTransaction
    clock: Clock
    lock_space: int
    signer: Signer
    span_max: int = SPAN_MAX

    async def link_once(self) -> Linked:
        """Add the next link, if there are rows for one; whoever else is at it does it."""
        async with self.transaction() as raw:
            if not await inbound.try_lock(raw, self.lock_space, AUDIT_CHAIN_LOCK):
                return Linked()
            rows, has_more = await self._link(raw)
            _, oldest_at = (0, None) if has_more else await audit_chain.unlinked(raw)
        return Linked(rows, has_more, oldest_at)

    async def _link(self, raw: Raw) -> tuple[int, bool]:
        until = await audit_chain.horizon(raw)
        head = await audit_chain.last_link(raw)
        begin = head.to_xid if head is not None else await audit_chain.first_xid(raw, until)
        end = begin
        while end < until:
            # Transactions that wrote nothing of ours need no link: the next one begins where the last one ended.
            start, end = end, min(until, end + self.span_max)
            if (await audit_chain.hashed(raw, start, end)).count:
                found = await audit_chain.hashed(raw, begin, end)
                number = head.number + 1 if head is not None else 1
                hash_ = link_hash(head.link_hash if head is not None else GENESIS, number, begin, end, found)
                link = Link(number, begin, end, FORM, found, hash_, self.signer.sign(hash_), self.clock.now())
                await audit_chain.add_link(raw, link)
                return found.count, end < until
        return 0, False
