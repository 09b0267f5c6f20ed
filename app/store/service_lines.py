"""Services of claims, and kinds of providers, as measures read them. Every statement takes a whole batch."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from app.domain.claim import ClaimLine
from app.domain.provider import TaxonomySpan
from app.store.raw import Raw

# Every version of a claim that has a line of somebody (ix_service_person), the versions that are another's too, looked up for each
# (pk_service): joined freely, everything ever loaded is read for a large batch.
_OF_PEOPLE: Final = """
select p.person_id, s.person_id <> p.person_id as of_another, s.organization_id, s.claim_id, s.line, s.adjustment, s.is_reversal,
    s.service_on, s.visit_codes, s.diagnoses, s.place_of_service, s.npi, s.taxonomies, s.ndc
from (select distinct person_id, organization_id, claim_id from service where person_id = any($1::uuid[])) p
cross join lateral (
    select * from service v where v.organization_id = p.organization_id and v.claim_id = p.claim_id offset 0
) s
"""


async def of_people(raw: Raw, people: Collection[UUID]) -> Mapping[UUID, Sequence[ClaimLine]]:
    """Give every version of every line of the claims about these people."""
    found: dict[UUID, list[ClaimLine]] = defaultdict(list)
    for row in await raw.fetch(_OF_PEOPLE, list(people)) if people else ():
        said: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        found[said.pop("person_id")].append(ClaimLine(**said))
    return found


async def kinds_of_providers(raw: Raw, npis: Collection[str]) -> Mapping[str, Sequence[TaxonomySpan]]:
    """Give what kinds of provider these are, as the loaded registry says (pk_provider_taxonomy)."""
    found: dict[str, list[TaxonomySpan]] = defaultdict(list)
    if not npis:
        return found
    rows = await raw.fetch(
        "select npi, taxonomy, effective_from, effective_to from provider_taxonomy"
        " where npi = any($1::text[]) and taxonomy <> '' order by npi, taxonomy",
        list(npis),
    )
    for row in rows:
        found[row["npi"]].append(TaxonomySpan(row["taxonomy"], row["effective_from"], row["effective_to"]))
    return found


# What took a claim's place is looked up for each (pk_service); `not exists` is left to the planner, which reads everything ever loaded.
_RECONCILED: Final = """
with claimed as (
    select distinct s.person_id, s.discharged_on from service s
    where s.organization_id = $1 and s.discharged_on between $2::date - 1 and $3::date + 1 and not s.is_reversal and (
        select true from service n where n.organization_id = s.organization_id and n.claim_id = s.claim_id
            and (n.adjustment > s.adjustment or n.adjustment = s.adjustment and n.is_reversal)
            and (case when n.is_reversal then n.line in ('', s.line) else n.discharged_on is not null end)
        limit 1
    ) is null
), discharge as (
    select person_id, discharged_on from claimed where discharged_on between $2 and $3
), event as (
    select distinct l.person_id, l.anchor_on from measure_line l
    where l.organization_id = $1 and l.measure = $4 and l.known_to is null and l.anchor_on between $2 and $3
        and (l.home_id is not null or not l.of_home)
)
select (select count(*) from discharge) as claims,
    (select count(*) from discharge d where exists (
        select from encounter e where e.person_id = d.person_id and e.discharged_on between d.discharged_on - 1 and d.discharged_on + 1
    )) as claims_found,
    (select count(*) from event) as events,
    (select count(*) from event v where exists (
        select from claimed d where d.person_id = v.person_id and d.discharged_on between v.anchor_on - 1 and v.anchor_on + 1
    )) as events_found
"""


async def claims_counted(raw: Raw, organization_id: UUID, from_on: date, to_on: date, most: int) -> int | None:
    """Count discharges in the claims of an owner, no further than one more than `most`; None where none was ever loaded.

    By ix_service_discharge alone.
    """
    found: int | None = await raw.fetchval(
        "select (select count(*) from"
        " (select from service s where s.organization_id = $1 and s.discharged_on between $2 and $3 limit $4) as few) "
        "where exists (select from service s where s.organization_id = $1 and s.discharged_on is not null)",
        organization_id,
        from_on,
        to_on,
        most + 1,
    )
    return found


async def reconciled(raw: Raw, organization_id: UUID, measure: str, from_on: date, to_on: date) -> Mapping[str, int]:
    """Compare the discharges of an owner's claims with what messages told, a day's difference allowed.

    By ix_service_discharge, pk_service, ix_encounter_person and ix_measure_line_rate: what it costs goes with the claims of the period,
    not with all that the owner ever loaded.
    """
    row = await raw.fetchrow(_RECONCILED, organization_id, from_on, to_on, measure)
    return dict(row) if row is not None else {}
