"""The measure ledger: where each ended stay stands in each measure, for each organization for which it counts, and since when."""

from sqlalchemy import BigInteger, Boolean, Column, Computed, Date, Identity, Index, Integer, LargeBinary, SmallInteger, Table, Text

from app.store.tables.base import Id, Instant, Texts, metadata, written_by

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
    Column("home_7_id", Id, comment="where it moved: responsible when day 7 was over"),
    Column("home_30_id", Id),
    Column("moved", Boolean, nullable=False, server_default="false", comment="another home at day 7 or 30; else home_id stands for all"),
    Column(
        "of_home",
        Boolean,
        nullable=False,
        server_default="false",
        comment="whose line it is is there as a home: on a day with no home of its own in it, the line does not count",
    ),
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
    Column("dropped", Boolean, nullable=False, server_default="false", comment="no version took its place: the event counted no more"),
    written_by(),
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
# Of lines that are counted alike this keeps one key with the places of all (deduplication, which `include` forbids): a million are a few
# megabytes. Events are listed by it.
_RATE = (measure_line.c.organization_id, measure_line.c.measure, measure_line.c.anchor_on, measure_line.c.due_30_on)
Index("ix_measure_line_rate", *_RATE, measure_line.c.outcome, postgresql_where=_STANDS)
# Lines of homes that may not be named to everybody are asked about one by one: those that stand, and of a past day those that stood.
for _name, _which in (("ix_measure_line_home", _STANDS), ("ix_measure_line_home_was", ~_STANDS)):
    Index(
        _name,
        measure_line.c.organization_id,
        measure_line.c.measure,
        measure_line.c.home_id,
        measure_line.c.anchor_on,
        postgresql_where=_which,
    )
# Whose home is another by day 7 or day 30: few. A rate by the home of such a day is that by the home of the discharge, corrected by these:
# now by those that stand, and as of a past day by those that stood.
Index(
    "ix_measure_line_moved",
    *_RATE[:3],
    measure_line.c.known_to,
    postgresql_where=measure_line.c.moved,
    postgresql_include=[
        "due_30_on", "home_id", "home_7_id", "home_30_id", "moved", "of_home", "facility_id", "age", "sex", "race", "ethnicity", "language",
        "dual_status", "geography", "outcome", "id", "known_from",
    ],
)  # fmt: skip
# What was known on a past day, which is asked of most versions there are; and what was committed after a position, of few.
Index("ix_measure_line_known", measure_line.c.organization_id, measure_line.c.measure, measure_line.c.xid)
# Of a past day: what counts no more since, and lines of stays, or superseded by stays, whose rights may have ended (measure_rights).
Index(
    "ix_measure_line_dropped",
    measure_line.c.organization_id,
    measure_line.c.measure,
    measure_line.c.known_to,
    postgresql_where=measure_line.c.dropped,
)
Index("ix_measure_line_was", measure_line.c.encounter_id, postgresql_where=~_STANDS)
Index(
    "ix_measure_line_was_superseded",
    measure_line.c.organization_id,
    measure_line.c.measure,
    measure_line.c.superseded_by,
    postgresql_where=~_STANDS & measure_line.c.superseded_by.is_not(None),
)
# What the passing of time changes next.
Index("ix_measure_line_timer", measure_line.c.next_change_at, postgresql_where=_STANDS & measure_line.c.next_change_at.is_not(None))


# Decision 0013. What stands is the segments and the changes together, in every snapshot; changes are written by a trigger on the ledger, in
# the transaction of the change, and only added to: no two batches wait for each other's counts.
measure_change = Table(
    "measure_change",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("organization_id", Id),
    Column("measure", Text, nullable=False),
    Column("anchor_on", Date, nullable=False),
    Column("facility_id", Id),
    Column("home_id", Id),
    Column("age", SmallInteger),
    *(Column(name, Text) for name in ("sex", "race", "ethnicity", "language", "dual_status", "geography")),
    Column("outcome", Text, nullable=False),
    Column("known_from", Instant, nullable=False),
    Column("known_to", Instant),
    Column("lines", Integer, nullable=False, comment="so many more; less than 0: fewer"),
    comment="Changes of measure_line that no segment has yet. A rate adds them; the timers fold them into segments.",
)
Index("ix_measure_change_rate", measure_change.c.organization_id, measure_change.c.measure, measure_change.c.anchor_on)

measure_word = Table(
    "measure_word",
    metadata,
    Column("facet", Text, primary_key=True, comment="a column by which lines are counted"),
    Column("code", Integer, primary_key=True, autoincrement=False, comment="from 1; 0 is no word"),
    Column("word", Text, nullable=False),
    comment="The numbers of words in measure_segment. Only added to, by whoever folds.",
)
Index("uq_measure_word", measure_word.c.facet, measure_word.c.word, unique=True)

measure_segment = Table(
    "measure_segment",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("organization_id", Id),
    Column("measure", Text, nullable=False),
    Column("anchor_on", Date, nullable=False, comment="the first day of the month"),
    Column("ended", Boolean, nullable=False, comment="of versions that stand no more: what was known once"),
    Column("lines", Integer, nullable=False),
    Column("negative", Boolean, nullable=False, comment="its lines are taken away from those of others"),
    # What is read is read whole, so it is not compressed (migrations/by_hand_0001).
    *(
        Column(name, LargeBinary, nullable=False)
        for name in (
            "day", "age", "outcome", "facility_id", "home_id", "sex", "race", "ethnicity", "language", "dual_status", "geography",
            "known_from", "known_to",
        )
    ),
    comment="The lines of a month, or some of them, as columns of numbers: two bytes for each line, or eight (store/measure_segments).",
)  # fmt: skip
# A rate reads those of its period; a fold those of the months that changed.
Index(
    "ix_measure_segment_rate",
    measure_segment.c.organization_id,
    measure_segment.c.measure,
    measure_segment.c.anchor_on,
    measure_segment.c.ended,
)
