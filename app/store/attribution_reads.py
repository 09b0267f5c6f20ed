"""Who claimed a person and what was decided about a stay, for whoever asks why; and people without a home. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.viewer import Viewer
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A claim with both its times, retracted ones too."""

    id: UUID
    organization_id: UUID
    program: str
    role: str
    effective_from: date
    effective_to: date | None
    coordinator: str | None
    asserted_at: datetime
    retracted_at: datetime | None
    upload_id: UUID | None
    basis: str | None


async def claims_on(raw: Raw, person_id: UUID) -> list[StoredClaim]:
    """Give every claim on a person that the viewer may see, retracted ones too (ix_panel_member_person)."""
    rows = await raw.fetch(
        "select id, organization_id, program, role, effective_from, effective_to, coordinator, asserted_at, retracted_at, upload_id, "
        "row ->> 'basis' as basis from panel_member where person_id = $1 order by organization_id, asserted_at, id",
        person_id,
    )
    return [StoredClaim(*row.values()) for row in rows]


async def ledger_of(raw: Raw, encounter_id: UUID) -> list[dict[str, Any]]:
    """Give every decision about a stay, oldest first (ix_disclosure_encounter)."""
    rows = await raw.fetch(
        "select id, recipient_id, kind, decision, reasons, notification_id, cause_id, decided_at from disclosure "
        "where encounter_id = $1 order by id",
        encounter_id,
    )
    return [{**row, "reasons": orjson.loads(row["reasons"]) if isinstance(row["reasons"], str) else row["reasons"]} for row in rows]


async def follow_ups_of(raw: Raw, encounter_id: UUID) -> Mapping[UUID | None, dict[str, Any]]:
    """Give the follow-ups of a stay by home (uq_follow_up_home)."""
    rows = await raw.fetch("select id, home_id, state, state_reasons, programs from follow_up where encounter_id = $1", encounter_id)
    found = {}
    for row in rows:
        reasons = row["state_reasons"]
        found[row["home_id"]] = {**row, "state_reasons": orjson.loads(reasons) if isinstance(reasons, str) else reasons}
    return found


@dataclass(frozen=True, slots=True)
class Homeless:
    """A discharge of somebody who is eligible and whom no home claims."""

    encounter_id: UUID
    person_id: UUID
    facility_id: UUID
    encounter_class: str
    discharged_at: datetime
    discharged_on: date
    behavioral_kind: str
    disposition: str | None
    provisional: bool
    has_medicaid: bool
    covered_by: Sequence[UUID]


_WITHOUT_HOME = """
select * from (
    select e.id, e.person_id, e.facility_id, e.class, e.discharged_at, e.discharged_on, e.behavioral_kind, e.disposition, e.provisional,
        exists (select 1 from patient_record r join record_identifier i on i.record_id = r.id
                where r.person_id = e.person_id and i.type = 'MA') as has_medicaid,
        array(select distinct m.organization_id from panel_member m join organization o on o.id = m.organization_id
              where m.person_id = e.person_id and m.retracted_at is null and o.kind in ('plan', 'agency')
                and m.effective_from <= e.discharged_on and (m.effective_to is null or m.effective_to > e.discharged_on)
              order by m.organization_id) as covered_by
    from encounter e
    where e.discharged_on >= $1 and e.discharged_on <= $2 and e.folded_into is null and e.mode = 'live' and e.source = 'adt'
        and e.class in ('emergency', 'inpatient', 'observation', 'obstetrics') and e.behavioral_kind <> 'none'
        and e.status = 'finished' and e.facility_id is not null and {seen}
        and ($3::date is null or (e.discharged_on, e.id) < ($3, $4::uuid))
) c
where c.has_medicaid or cardinality(c.covered_by) > 0
order by c.discharged_on desc, c.id desc limit $5
"""

_NOBODY_CLAIMS = """
$6::uuid is null and not exists (
    select 1 from panel_member h where h.person_id = e.person_id and h.retracted_at is null
        and h.role in ('health_home', 'behavioral_health_home')
        and h.effective_from <= $7 and (h.effective_to is null or h.effective_to > e.discharged_on))
"""

_COVERED = """
$7::date is not null and exists (
    select 1 from panel_member m where m.person_id = e.person_id and m.organization_id = $6 and m.retracted_at is null
        and m.effective_from <= e.discharged_on and (m.effective_to is null or m.effective_to > e.discharged_on))
    and exists (select 1 from follow_up f where f.encounter_id = e.id and f.home_id is null and f.state <> 'void')
"""
"""Row-level security hides from a plan that a home claims the person: the follow-up without a home says that none does."""


async def without_home(
    raw: Raw,
    viewer: Viewer,
    *,
    since: date,
    until: date,
    today: date,
    after: tuple[date, UUID] | None,
    limit: int,
) -> list[Homeless]:
    """Give discharges of the period with a behavioral diagnosis, of Medicaid or plan members whom no home claims then or since.

    The operator sees all, who covers people those it covered on the day (ix_encounter_discharged, ix_panel_member_person). Whose word it is
    that somebody has Medicaid is not asked here: who is not the operator may know of some alone.
    """
    at, id_ = after if after is not None else (None, None)
    statement = _WITHOUT_HOME.format(seen=f"({_NOBODY_CLAIMS if viewer.is_operator else _COVERED})")
    viewed_by = None if viewer.is_operator else viewer.organization_id
    rows = await raw.fetch(statement, since, until, at, id_, limit, viewed_by, today)
    return [Homeless(*row.values()) for row in rows]
