"""Records one form that many members of a panel signed: proposed where it waits for review, a refusal at once.

Step by step, each a transaction of a thousand members in the order of their locks; one that is done again records nothing twice. Not
here: who may assert it of whom (the caller's), and the consent columns of a roster (load_panel).
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from app.domain.panel_consent import PanelPaper, PapersAsserted, steps
from app.domain.privacy_law import MinorRules, PrivacyLaw
from app.ports import Ids
from app.store import panel_consents, people
from app.store.panel_consents import Member, OpenTransaction


async def assert_panel_consents(  # what is asserted of whom, by whom, and what it is judged by
    transaction: OpenTransaction,
    owner_id: UUID,
    paper: PanelPaper,
    numbers: Sequence[str] | None,
    *,
    law: PrivacyLaw,
    dry_run: bool,
    today: date,
    ids: Ids,
    now: datetime,
) -> PapersAsserted:
    """Assert a form of everybody on the panel, or of those whom its roster names by these numbers. A dry run only counts."""
    async with transaction() as raw:
        found = await panel_consents.members(raw, owner_id, today, numbers)
    named = {one.number for one in found}
    result = PapersAsserted(asked=len({one.person_id for one in found}), unknown=tuple(one for one in numbers or () if one not in named))
    signed = [one for one in found if paper.may_sign(_born(one), MinorRules())]
    result.minors = len({one.person_id for one in found} - {one.person_id for one in signed})
    counts_at_once = paper.is_refusal or not law.review_own_assertions
    new = 0
    for step in steps(signed):
        records = [one.record_id for one in step]
        async with transaction() as raw:
            if dry_run:
                new += await panel_consents.count_new(raw, records, owner_id, paper)
                continue
            # From here on no record of theirs moves, and no batch is between reading what they signed and telling.
            await people.lock_people(raw, {one.person_id for one in step})
            state = "active" if counts_at_once else "proposed"
            recorded, whose = await panel_consents.assert_of(raw, records, owner_id, paper, state=state, id_=ids.new(), now=now)
            if counts_at_once:
                await people.reconsider_people(raw, whose, now, "consent")
        new += recorded
    result.active, result.proposed = (new, 0) if counts_at_once else (0, new)
    result.already = len(signed) - new
    return result


def _born(member: Member) -> date | None:
    try:
        return date.fromisoformat(member.birth_date) if member.birth_date else None
    except ValueError:
        return None
