"""What the members of a staged roster have signed: what the file itself asserts, and what is on file of whom the panel has already.

For a dry run, which says of how many there would be silence (domain/panel_rehearsal). Not here: what a loaded panel's members have signed
(panel_consents), or recording what a roster asserts (roster_consents), which this must agree with.
"""

from datetime import date
from uuid import UUID

import orjson

from app.domain.panel_rehearsal import SignedAlike, read_alike
from app.store.raw import Raw

# Who is on the panel by this row is known by its key; of somebody new only the file speaks. Several rows of one member are one.
_SIGNED = """
with named as (
    select coalesce(m.person_id::text, concat_ws('|', s.c ->> 'member_id_system', s.c ->> 'member_id', s.c ->> 'medicaid_id', s.c ->> 'mrn',
            s.c ->> 'last_name', s.c ->> 'first_name', s.c ->> 'birth_date')) as who, m.person_id, s.c
    from (select row_key, cells::json as c from roster_row where effective_to is null or effective_to > $2) s
    left join panel_member m on m.organization_id = $1 and m.row_key = s.row_key and m.retracted_at is null
), paper as (
    select n.who, json_build_object('kind', n.c ->> 'consent_type',
        'state', case when n.c ->> 'consent_type' = 'refusal' or not $4 then 'active' else 'proposed' end, 'categories', array['all'],
        'purposes', case when n.c ->> 'consent_type' = 'refusal' then '{}'::text[] else '{treatment,payment,operations,viewing}' end,
        'signed_on', n.c ->> 'consent_signed_on', 'discloser_id', null,
        'recipients', case when n.c ->> 'consent_type' = 'refusal' then '{}'::uuid[] else array[$1::uuid] end,
        'recipient_classes', case when n.c ->> 'consent_type' = 'tpo' then '{treating_providers}'::text[] else '{}' end,
        'expires_on', n.c ->> 'consent_expires_on')::jsonb as said
    from named n where n.c ->> 'consent_type' is not null
    union all
    select p.who, jsonb_build_object('kind', c.kind, 'state', c.state, 'categories', c.categories, 'purposes', c.purposes, 'signed_on',
        c.signed_on, 'discloser_id', c.discloser_id, 'recipients', c.recipients, 'recipient_classes', c.recipient_classes, 'expires_on',
        c.expires_on)
    from (select distinct who, person_id from named where person_id is not null) p join consent c on c.person_id = p.person_id
    where c.kind not in ('emergency', 'break_glass') and (c.state = 'active' or (c.state = 'proposed' and c.recorded_by = $1))
        and ($3::uuid is null or c.recorded_by = $3 or c.discloser_id = $3 or (c.state = 'active' and $3 = any(c.recipients)))
), signed as (
    select who, jsonb_agg(distinct said) as papers from paper group by who
)
select s.papers::text as papers, count(*) as members
from (select distinct who from named) n left join signed s on s.who = n.who group by s.papers
"""


async def signed_alike(raw: Raw, *, owner_id: UUID, day: date, reader_id: UUID | None, waits: bool) -> list[SignedAlike]:
    """Give what the members whom the file names for this day or later have signed, and how many have signed just that.

    One pass over the file (uq_panel_member_current, ix_consent_person_active). `reader_id`: only papers that this organization may
    read; None: the operator's, who reads every one. `waits`: what the file asserts waits for a review, before it counts.
    """
    rows = await raw.fetch(_SIGNED, owner_id, day, reader_id, waits)
    return [read_alike(orjson.loads(row["papers"]) if row["papers"] else [], row["members"]) for row in rows]
