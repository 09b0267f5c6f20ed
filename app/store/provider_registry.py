"""The registry of providers: loaded by pieces of any number, and who of the services' providers it does not know. No patient data."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from app.store.asked_again import ASKED_AGAIN
from app.store.raw import Raw

BEGIN: Final = (
    "create temporary table provider_row (npi text, taxonomy text, effective_from date, effective_to date, entity text) on commit drop"
)
# A registry says what is; of a row that comes twice the last one counts.
_TAKE: Final = """
insert into provider_taxonomy (npi, taxonomy, effective_from, effective_to, entity, loaded_at)
select distinct on (npi, taxonomy, effective_from) npi, taxonomy, effective_from, effective_to, entity, $1 from provider_row
order by npi, taxonomy, effective_from, effective_to desc nulls first
on conflict (npi, taxonomy, effective_from) do update
    set effective_to = excluded.effective_to, entity = excluded.entity, loaded_at = excluded.loaded_at
    where (provider_taxonomy.effective_to, provider_taxonomy.entity) is distinct from (excluded.effective_to, excluded.entity)
"""
# What a file says of a provider is all that it is: kinds that it leaves out end, with the day on which the provider was deactivated or,
# where nobody says when, today. Periods that a file once gave are replaced by those that it gives now.
_END: Final = """
with named as (
    select npi, min(effective_to) filter (where taxonomy = '') as over_on from provider_row group by npi
), gone as (
    select p.npi, p.taxonomy, p.effective_from, coalesce(n.over_on, $1::timestamptz::date) as over_on
    from provider_taxonomy p join named n on n.npi = p.npi
    where p.taxonomy <> '' and not exists (
        select from provider_row r where r.npi = p.npi and r.taxonomy = p.taxonomy and r.effective_from = p.effective_from)
), replaced as (
    delete from provider_taxonomy p using gone g
    where (p.npi, p.taxonomy, p.effective_from) = (g.npi, g.taxonomy, g.effective_from) and p.effective_from > $2
)
update provider_taxonomy p set effective_to = g.over_on, loaded_at = $1 from gone g
where (p.npi, p.taxonomy, p.effective_from) = (g.npi, g.taxonomy, g.effective_from) and p.effective_from = $2
    and (p.effective_to is null or p.effective_to > g.over_on)
"""
_ALWAYS: Final = date.min
# Whose services these providers rendered: one stay of each is enough, for measures look at the whole person.
_RECONSIDER: Final = (
    """
insert into reconsideration (encounter_id, asked_at, cause)
select id, $1, 'services' from (
    select distinct on (e.person_id) e.id from encounter e
    where e.folded_into is null and e.person_id in (
        select s.person_id from service s where s.npi in (select npi from provider_row)
        union
        select f.person_id from contact c join follow_up f on f.id = c.follow_up_id
        where c.fields ->> 'npi' in (select npi from provider_row)
    )
    order by e.person_id, e.id desc
) as one order by id
"""
    + ASKED_AGAIN
)
_UNRESOLVED: Final = """
select s.npi, count(*) as services, count(distinct s.person_id) as people, max(s.service_on) as last_on
from service s
where s.npi is not null and s.taxonomies = '{}' and not exists (
    select from provider_taxonomy p where p.npi = s.npi and p.taxonomy <> '')
group by s.npi order by services desc, s.npi limit $1
"""


async def stage(raw: Raw, rows: Sequence[tuple[Any, ...]]) -> None:
    """Copy a piece into the stage."""
    await raw.copy_records_to_table("provider_row", records=rows)


async def take(raw: Raw, now: datetime) -> tuple[int, int]:
    """Take the stage over, and have the people looked at whom these providers served; give how many kinds changed and how many stays."""
    await raw.execute("analyze provider_row")
    await raw.execute(_END, now, _ALWAYS)
    changed = await raw.execute(_TAKE, now)
    asked = await raw.execute(_RECONSIDER, now)
    return int(str(changed).rsplit(" ", 1)[-1]), int(str(asked).rsplit(" ", 1)[-1])


async def unresolved(raw: Raw, most: int) -> list[dict[str, Any]]:
    """Give the providers of claims whose kind nobody says, those of the most services first. Reads every service: for an operator."""
    return [dict(row) for row in await raw.fetch(_UNRESOLVED, most)]
