"""Reviews that ask about somebody who was admitted after their death: opened once, closed when what is said fits together again.

What was decided is read with the stays of a list in one statement, or for all people of a batch.
Not here: when a death is doubtful (domain/death).
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.death import Doubts
from app.domain.death_judged import NOTHING_JUDGED, DeathsJudged, deaths_judged
from app.store.raw import Raw

FITS = "what is said of the death fits together by now"


def judged(alias: str) -> str:
    """Give the column with what was decided of the deaths of the person of a row (uq_review_conflict)."""
    return (
        f"(select json_agg(json_build_array(d.conflict_key, d.state)) from review d where d.person_id = {alias}.person_id "
        "and d.conflict_key is not null and d.kind = 'death' and d.resolved_by is not null) as deaths"
    )


JUDGED = judged("e")
"""A column beside a stay `e`. Whoever may see the stay may have it told by all of them (policies)."""


def judged_of(stored: Any) -> DeathsJudged:  # noqa: ANN401  # decoded or not, by the connection's codec
    """Read what `JUDGED` gave."""
    if stored is None:
        return NOTHING_JUDGED
    return deaths_judged((key, state) for key, state in (orjson.loads(stored) if isinstance(stored, str) else stored))


_OPEN = """
insert into review (id, kind, state, opened_at, person_id, encounter_id, conflict_key, subject)
select id, 'death', 'open', $6, person_id, encounter_id, conflict_key, $5::text::jsonb
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as n(id, person_id, encounter_id, conflict_key)
on conflict (person_id, conflict_key) where conflict_key is not null
do update set state = 'open', opened_at = excluded.opened_at, resolved_at = null, resolution = null
where review.state = 'dismissed' and review.resolved_by is null
"""
_CLOSE = """
update review r set state = 'dismissed', resolution = $4, resolved_at = $5
from encounter e
where e.id = r.encounter_id and r.encounter_id = any($1::uuid[]) and r.state = 'open' and r.kind = 'death'
    and r.conflict_key is not null
    and not exists (select from unnest($2::uuid[], $3::text[]) as n(person_id, conflict_key)
        where n.person_id = e.person_id and n.conflict_key = r.conflict_key)
"""


async def of_people(raw: Raw, people: Iterable[UUID]) -> dict[UUID, DeathsJudged]:
    """Give what was decided of the deaths of these people; of whom nothing was is left out (uq_review_conflict)."""
    rows = await raw.fetch(f"select p.person_id, {judged('p')} from unnest($1::uuid[]) as p(person_id)", list(people))
    return {row["person_id"]: judged_of(row["deaths"]) for row in rows if row["deaths"] is not None}


async def asked_about(raw: Raw, people: Iterable[UUID]) -> set[UUID]:
    """Give those of these people about whose death something is asked (uq_review_conflict)."""
    rows = await raw.fetch(
        "select person_id from review where person_id = any($1::uuid[]) and conflict_key is not null and kind = 'death' and state = 'open'",
        list(people),
    )
    return {row["person_id"] for row in rows}


async def ask(raw: Raw, doubts: Doubts, ids: Collection[UUID], now: datetime) -> None:
    """Ask the operator, once. What closed by itself is asked again; what a person decided is not."""
    if not doubts:
        return
    asked = list(doubts.values())
    subject = orjson.dumps({"asks": "admitted_after_death"}).decode()
    columns = ([one.person_id for one in asked], [one.stay_id for one in asked], [one.key for one in asked])
    await raw.execute(_OPEN, list(ids), *columns, subject, now)


async def close(raw: Raw, looked_at: Collection[UUID], doubts: Doubts, now: datetime) -> None:
    """Close what is asked about these stays and fits together by now: nobody has to decide it (ix_review_encounter_id)."""
    await raw.execute(_CLOSE, list(looked_at), list(doubts), [one.key for one in doubts.values()], FITS, now)
