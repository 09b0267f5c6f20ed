"""The measure ledger: where each ended stay stands in each measure, for each organization for which it counts, and since when."""

from sqlalchemy import BigInteger, Boolean, Column, Computed, Date, Identity, Index, SmallInteger, Table, Text

from app.store.tables.base import Id, Instant, Texts, metadata

# No foreign keys: their checks would cost a look-up a row and key, everything a line names is there when it is written, and nothing
# is deleted.
measure_line = Table(
    "measure_line",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("encounter_id", Id, nullable=False),
    Column("measure", Text, nullable=False),
    Column("organization_id", Id, comment="a home, a plan, an agency; null: the exchange, which counts each discharge once"),
    Column("person_id", Id, nullable=False),
    Column("facility_id", Id),
    Column("home_id", Id, comment="responsible on the day of the discharge"),
    Column("period", SmallInteger, nullable=False, comment="the measurement period: the year of the anchor"),
    Column("anchor_on", Date, nullable=False),
    Column("due_7_on", Date, nullable=False),
    Column("due_30_on", Date, nullable=False),
    Column("status_7", Text, nullable=False),
    Column("status_30", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "outcome",
        Text,
        Computed(
            "status_7 || ' ' || status_30 || ' ' || reason || coalesce(' by' || met_by, '')"
            " || case when provisional then ' provisional' else '' end",
            persisted=True,
        ),
        comment="both statuses, the reason, by which source, and whether the diagnosis is open: what is counted, as one value",
    ),
    Column("superseded_by", Id),
    Column("met_7_on", Date),
    Column("met_30_on", Date),
    Column(
        "met_by", Text, comment="by contacts, by claims: 2 within 7 days, 1 later or for the 30 days alone, 0 not; null: not by services"
    ),
    Column("contacts_7_on", Date, comment="by contacts alone"),
    Column("contacts_30_on", Date),
    Column("claims_7_on", Date, comment="by claims alone"),
    Column("claims_30_on", Date),
    Column("age", SmallInteger, comment="full years on the anchor"),
    Column("sex", Text),
    Column("race", Text),
    Column("ethnicity", Text),
    Column("language", Text),
    Column("dual_status", Text),
    Column("geography", Text),
    Column("provisional", Boolean, nullable=False, server_default="false", comment="no final principal diagnosis has come"),
    Column("rule_version", Text, nullable=False),
    Column("reasons", Texts, nullable=False),
    Column("next_change_at", Instant, comment="when to look again although nothing happens: the timer"),
    Column("known_from", Instant, nullable=False, comment="when we learned it"),
    Column("known_to", Instant, comment="when another version took its place; null: it stands"),
    comment="Versions are only added and ended, so that any past day can be asked what was known then.",
)
_STANDS = measure_line.c.known_to.is_(None)
# One standing version per line; and the lines of a person, compared with what they should be.
Index(
    "uq_measure_line_standing",
    measure_line.c.encounter_id,
    measure_line.c.measure,
    measure_line.c.organization_id,
    unique=True,
    postgresql_where=_STANDS,
    postgresql_nulls_not_distinct=True,
)
Index("ix_measure_line_person", measure_line.c.person_id, postgresql_where=_STANDS)
# Rates: everything a sum asks for is in an index, so that a year of a state is added up without reading a row. Of lines that are
# counted alike an index keeps one key with the places of all (deduplication, which `include` forbids): a million are a few megabytes.
_RATE = (measure_line.c.organization_id, measure_line.c.measure, measure_line.c.anchor_on, measure_line.c.due_30_on)
Index("ix_measure_line_rate", *_RATE, measure_line.c.outcome, postgresql_where=_STANDS)
Index("ix_measure_line_home", *_RATE, measure_line.c.home_id, measure_line.c.outcome, postgresql_where=_STANDS)
Index("ix_measure_line_facility", *_RATE, measure_line.c.facility_id, measure_line.c.outcome, postgresql_where=_STANDS)
# By age, a stratum, or home and facility together: too many kinds of lines for keys of their own.
Index(
    "ix_measure_line_facets",
    *_RATE[:3],
    postgresql_where=_STANDS,
    postgresql_include=[
        "due_30_on", "home_id", "facility_id", "age", "sex", "race", "ethnicity", "language", "dual_status", "geography", "outcome",
    ],
)  # fmt: skip
# What was known on a past day.
Index("ix_measure_line_known", measure_line.c.organization_id, measure_line.c.measure, measure_line.c.known_from)
# What the passing of time changes next.
Index("ix_measure_line_timer", measure_line.c.next_change_at, postgresql_where=_STANDS & measure_line.c.next_change_at.is_not(None))
