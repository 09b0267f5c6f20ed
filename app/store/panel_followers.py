"""What has to follow a change of a panel: the recent stays of its people, and whoever read the panel as it was. Statements of the stage."""

from app.store.asked_again import ASKED_AGAIN

# The upload's own claims are one range of ids; those it ended bear its instant.
RECALL = """
insert into roster_person
select m.person_id from panel_member m where m.organization_id = $1 and (m.upload_id = $2 or m.retracted_at = $3)
"""

# Open, or begun or ended since.
FIND_STAYS = """
insert into roster_stay (encounter_id)
select e.id
from encounter e
where e.person_id in (select person_id from roster_person) and e.folded_into is null
    and (e.admitted_at >= $1 or e.discharged_at >= $1 or (e.discharged_at is null and e.status in ('planned', 'in-progress', 'unknown')))
"""

RECONSIDER = (
    """
insert into reconsideration (encounter_id, asked_at, cause) select encounter_id, $1, 'panel' from roster_stay order by encounter_id
"""
    + ASKED_AGAIN
)

# A lock on a table is held until the transaction ends; one with a number of its own has written, or locked a row to write.
READERS = """
select distinct l.virtualtransaction
from pg_locks l
join pg_locks w on w.virtualtransaction = l.virtualtransaction and w.locktype = 'transactionid' and w.mode = 'ExclusiveLock' and w.granted
where l.locktype = 'relation' and l.relation = 'panel_member'::regclass and l.granted and l.pid <> pg_backend_pid()
    and l.database = (select oid from pg_database where datname = current_database())
"""

# The ids of an upload's claims are one range of ix_panel_member_organization.
FOLLOW_RECORDS = """
update panel_member m set person_id = r.person_id from patient_record r
where m.organization_id = $1 and m.upload_id = $2 and m.id between $3 and $4 and r.id = m.record_id and r.person_id <> m.person_id
"""
