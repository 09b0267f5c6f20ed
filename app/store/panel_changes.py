"""What an upload does to the panel, when everything about it is known: the record of it, and its claims. A part of the stage.

Not here: what it changes (panel_stage compares), whose the claims are (identified before), whom it has to be told to (panel_followers).
"""

from datetime import datetime

import orjson

from app.domain.panel import CLAIM_ID_DIGITS, UploadResult, claim_id_prefix
from app.store import roster_consents
from app.store.panel_followers import FIND_STAYS, RECONSIDER
from app.store.raw import Raw

_INSERT_UPLOAD = """
insert into panel_upload (id, organization_id, mode, dry_run, file_name, file_hash, header, uploaded_at, summary)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb)
"""

_INSERT_REFUSED = """
insert into panel_upload_rejection (upload_id, row, errors, cells) select $1, row, errors::jsonb, cells::json from roster_refused
"""

_RETRACT_ENDED = "update panel_member m set retracted_at = greatest($1, m.asserted_at) from roster_end e where m.id = e.id"

# What would begin only after its end never holds: it is not asserted again. Counted from 2^40, above any row number.
_ASSERT_ENDED = f"""
with asserted as (
    insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, effective_to,
        coordinator, plan_id, row_key, row_hash, row, upload_id, asserted_at)
    select ($1 || lpad(to_hex(1099511627776 + row_number() over (order by m.id)), {CLAIM_ID_DIGITS}, '0'))::uuid,
        m.organization_id, m.record_id, m.person_id, m.program, m.role, m.effective_from,
        e.ends_on, m.coordinator, m.plan_id, m.row_key, m.row_hash, m.row, $2, $3
    from roster_end e join panel_member m on m.id = e.id
    where m.effective_from <= e.ends_on
)
insert into roster_person select m.person_id from roster_end e join panel_member m on m.id = e.id
"""

_RETRACT_CHANGED = "update panel_member m set retracted_at = greatest($1, m.asserted_at) from roster_change c where m.id = c.current_id"

_ASSERT_CHANGED = f"""
with asserted as (
    insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, effective_to,
        coordinator, plan_id, row_key, row_hash, row, upload_id, asserted_at)
    select ($1 || lpad(to_hex(s.row), {CLAIM_ID_DIGITS}, '0'))::uuid, $2, p.id, p.person_id, s.program, s.role,
        s.effective_from, s.effective_to, s.coordinator, s.plan_id, s.row_key, s.row_hash, s.cells::json, $3, $4
    from roster_change c
    join roster_row s on s.row = c.row
    join roster_record f on f.row = c.row
    join patient_record p on p.id = f.record_id
    order by s.row
    returning person_id
)
insert into roster_person select person_id from asserted
"""


async def save_upload(raw: Raw, result: UploadResult) -> None:
    """Record the upload and its refused rows."""
    await raw.execute(
        _INSERT_UPLOAD,
        result.id,
        result.organization_id,
        result.mode.value,
        result.dry_run,
        result.file_name,
        result.file_hash,
        list(result.header),
        result.uploaded_at,
        orjson.dumps(result.summary()).decode(),
    )
    await raw.execute(_INSERT_REFUSED, result.id)


async def apply(raw: Raw, result: UploadResult, reconsider_since: datetime, *, reviews_consents: bool) -> None:
    """Change the panel and queue the recent stays of the people concerned."""
    now, prefix = result.uploaded_at, claim_id_prefix(result.id)
    await raw.execute("truncate roster_person; truncate roster_stay")
    await raw.execute(_RETRACT_ENDED, now)
    await raw.execute(_ASSERT_ENDED, prefix, result.id, now)
    await raw.execute(_RETRACT_CHANGED, now)
    await raw.execute(_ASSERT_CHANGED, prefix, result.organization_id, result.id, now)
    await roster_consents.assert_of_upload(
        raw, result.id, result.header, now, prefix=prefix, digits=CLAIM_ID_DIGITS, waits=reviews_consents
    )
    await raw.execute("analyze roster_person")
    await raw.execute(FIND_STAYS, reconsider_since)
    await raw.execute(RECONSIDER, now)
