"""What a roster asserts of consents, recorded with its claims: one statement an upload, only for files that have the column."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from app.store.raw import Raw

# The claim's own id: an upload that is done again records nothing twice. The same paper asserted again, by a later roster, is there.
_ASSERT = """
insert into consent (id, person_id, record_id, recorded_by, kind, categories, purposes, recipients, recipient_classes, scope, signed_on,
    signed_by, signature, expires_on, expires_upon, statements, document_id, source, state, asserted_at)
select m.id, m.person_id, m.record_id, m.organization_id, s.kind, '{all}',
    case when s.kind = 'refusal' then '{}'::text[] else '{treatment,payment,operations,viewing}' end,
    case when s.kind = 'refusal' then '{}'::uuid[] else array[m.organization_id] end,
    case when s.kind = 'tpo' then '{treating_providers}'::text[] else '{}' end, s.scope, s.signed_on, 'patient', 'written', s.expires_on,
    case when s.expires_on is null then 'none' end, '{}', s.document_id, 'roster',
    case when s.kind = 'refusal' or not $5 then 'active' else 'proposed' end, $2
from panel_member m
cross join lateral (select m.row ->> 'consent_type' as kind, (m.row ->> 'consent_signed_on')::date as signed_on,
    (m.row ->> 'consent_expires_on')::date as expires_on, coalesce(m.row ->> 'consent_scope', '') as scope,
    m.row ->> 'consent_document_id' as document_id) s
where m.id in (select ($3 || lpad(to_hex(c.row), $4, '0'))::uuid from roster_change c) and m.upload_id = $1 and s.kind is not null
and not exists (select from consent k where k.record_id = m.record_id and k.recorded_by = m.organization_id and k.kind = s.kind
    and k.signed_on = s.signed_on and k.expires_on is not distinct from s.expires_on and k.document_id is not distinct from s.document_id)
on conflict (id) do nothing
"""


async def assert_of_upload(
    raw: Raw, upload_id: UUID, header: Collection[str], now: datetime, *, prefix: str, digits: int, waits: bool
) -> None:
    """Record what the new claims of an upload assert (pk_panel_member, ix_consent_record). `waits`: for a review, before it counts."""
    if any(name.strip().lower() == "consent_type" for name in header):
        await raw.execute(_ASSERT, upload_id, now, prefix, digits, waits)
