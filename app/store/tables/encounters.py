"""Stays as folds over their events, and the events themselves."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, SmallInteger, Table, Text

from app.store.tables.base import Id, Instant, Payload, metadata, written_by

encounter = Table(
    "encounter",
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", Text, nullable=False, comment="adt | reported"),
    Column("feed_id", Id, ForeignKey("feed.id")),
    Column("facility_id", Id, ForeignKey("organization.id"), comment="null: a reported stay at a place given as text"),
    Column("visit_authority", Text, nullable=False),
    Column("visit_number", Text, nullable=False),
    Column("record_id", Id, nullable=False, index=True),
    Column("person_id", Id, nullable=False),
    Column("status", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("admitted_at", Instant),
    Column("discharged_at", Instant),
    Column("discharged_on", Date, comment="in the facility's zone: measures are calendar maths (domain rule 2)"),
    Column("disposition", Text),
    Column("behavioral_kind", Text, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("reported_by", Id, ForeignKey("organization.id")),
    Column("folded_into", Id, comment="the ADT stay that a reported one, or one under a retired number, became part of"),
    Column("mode", Text, nullable=False, comment="live | shadow | backfill | test: of the messages that made it"),
    Column("state", Payload, nullable=False, comment="the whole folded state, with what cancels need to undo"),
    Column(
        "last_key", Text, nullable=False, comment="sort key of the newest event folded: a newer one is applied, an older one folds again"
    ),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("account", Text, comment="PID-18 as authority|number, beside a visit number of its own"),
    Column("own", Payload, comment="what the messages under this number said, where the stay is the join of several numbers"),
    Column("heard", Payload, comment="event of the stay -> when we first knew that it stands"),
    Column("place_decided", Text, comment="what an operator said of a place that the registry does not know, and of which units"),
    written_by(),
)
# One stay per visit number of a facility; messages find their stay here.
Index(
    "uq_encounter_visit",
    encounter.c.facility_id,
    encounter.c.visit_authority,
    encounter.c.visit_number,
    unique=True,
    postgresql_where=encounter.c.facility_id.is_not(None),
)
# The person's history, for readmission rules and person views.
Index("ix_encounter_person", encounter.c.person_id, encounter.c.admitted_at)
# An organization that reported stays finds its own.
Index("ix_encounter_reported_by", encounter.c.reported_by, encounter.c.id, postgresql_where=encounter.c.reported_by.is_not(None))
# What became part of a stay: few of all.
Index("ix_encounter_folded", encounter.c.folded_into, postgresql_where=encounter.c.folded_into.is_not(None))
# An account that goes to another patient takes its stays along.
Index("ix_encounter_account", encounter.c.facility_id, encounter.c.account, postgresql_where=encounter.c.account.is_not(None))
# A facility lists its stays newest first; ids are time-ordered.
Index("ix_encounter_facility", encounter.c.facility_id, encounter.c.id)
# Stays of a feed that nobody ended: few of all, and written when a stay begins and ends only.
Index("ix_encounter_open", encounter.c.feed_id, encounter.c.id, postgresql_where=encounter.c.status == "in-progress")
# Discharges of a period, newest first: who has no home (referral candidates).
Index("ix_encounter_discharged", encounter.c.discharged_on, encounter.c.id, postgresql_where=encounter.c.discharged_on.is_not(None))
# People at a desk know a visit number without its authority.
Index("ix_encounter_visit_number", encounter.c.visit_number)

stay_name = Table(
    "stay_name",
    metadata,
    Column("facility_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("into_authority", Text),
    Column("into_number", Text, comment="the number into which it was merged"),
    Column("now_authority", Text),
    Column("now_number", Text, comment="the number that it was changed to"),
    Column("said", Payload, nullable=False, comment="by sort key: merged into or changed to which number, given to which patient record"),
    comment="What a hospital said of a visit or account number: a merge, a change, a move. Most numbers have no row.",
)
# All numbers that became one.
Index("ix_stay_name_into", stay_name.c.facility_id, stay_name.c.into_authority, stay_name.c.into_number)
Index("ix_stay_name_now", stay_name.c.facility_id, stay_name.c.now_authority, stay_name.c.now_number)

adt_event = Table(
    "adt_event",
    metadata,
    Column("message_id", Id, primary_key=True, comment="the inbound message, or the id of a report"),
    Column("part", SmallInteger, primary_key=True, comment="a message may tell several events: two patients swap beds"),
    Column("encounter_id", Id),
    Column("record_id", Id, nullable=False),
    Column("sort_key", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    comment="Which messages a stay and a person rest on. What they say is in the message itself, which is kept verbatim.",
)
# The messages behind a stay, in the order of events.
Index("ix_adt_event_encounter", adt_event.c.encounter_id, adt_event.c.sort_key)
# Messages about a person alone, found by whose they are. Those of a stay are found by the stay, and cost nothing here.
Index("ix_adt_event_record", adt_event.c.record_id, adt_event.c.message_id, postgresql_where=adt_event.c.encounter_id.is_(None))
