"""Decides the papers of a panel that wait for review, all that are meant at once; whom they are of is decided anew where they count.

Step by step, each a transaction of a thousand papers in the order of the people's locks. Not here: reviewing one (record_consent's row).
"""

from datetime import datetime
from uuid import UUID

from app.domain.panel_consent import PaperFilter, steps
from app.store import panel_consents, people
from app.store.panel_consents import OpenTransaction


async def review_panel_consents(
    transaction: OpenTransaction, owner_id: UUID, wanted: PaperFilter, *, accept: bool, note: str | None, dry_run: bool, now: datetime
) -> int:
    """Accept or refuse them; give how many were decided. A dry run only counts."""
    async with transaction() as raw:
        found = await panel_consents.waiting(raw, owner_id, wanted)
    if dry_run:
        return len(found)
    decided = 0
    for step in steps(found):
        async with transaction() as raw:
            await people.lock_people(raw, {one.person_id for one in step})
            count, whose = await panel_consents.review(raw, [one.id for one in step], accept=accept, note=note, now=now)
            if accept:
                await people.reconsider_people(raw, whose, now, "consent")
        decided += count
    return decided
