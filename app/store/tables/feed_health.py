"""How feeds are doing: narrow counts by hour and field, when each was last heard and usually is, and its silences. No patient data.

Written by one background job only, from what is stored anyway, so that no message costs a statement more. There is no index on
inbound_message (feed_id, id): it would cost every message one more entry at the door to say what `feed_pulse` says at a look.
"""

from sqlalchemy import REAL, BigInteger, Column, Date, ForeignKey, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from app.store.tables.base import Id, Instant, metadata


def _count(name: str, comment: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0", comment=comment)


# Read by feed and range of hours: its primary key is in that order.
feed_hour = Table(
    "feed_hour",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("hour_at", Instant, primary_key=True, comment="the whole hour (UTC) in which the messages were received"),
    _count("messages", "received, without repetitions of the same message"),
    _count("refused", "answered AE or AR at the door"),
    _count("set_aside", "accepted, and set aside when they were first worked on"),
    _count("held", "began in this hour to wait for somebody to say which organization a facility is"),
    _count("control_ids_reused", "their MSH-10 was used before by another message (ACK-7)"),
    _count("events", "became an event of a stay or person"),
    _count("late", "happened long before they were received"),
    _count("discharges", "A03 that were looked at a day later"),
    _count("discharges_unopened", "of these, without an event that opened the stay"),
    _count("presumed_ended", "stays that were closed in this hour because nothing was heard of them"),
)

feed_field = Table(
    "feed_field",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("day_on", Date, primary_key=True, comment="UTC"),
    Column("place", Text, primary_key=True, comment="as the profile names it: PV1-36"),
    Column("asked", BigInteger, nullable=False, comment="messages of the sample that should carry the field"),
    Column("valued", BigInteger, nullable=False, comment="of these, those that do"),
)

# A day of a facility in whose name an aggregator sends: of what the feed brings nothing else says which of its hospitals is silent.
facility_day = Table(
    "facility_day",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("facility_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("day_on", Date, primary_key=True, comment="UTC, on which its discharges were received; none: no row"),
    Column("discharges", Integer, nullable=False),
    Column("usual", REAL, comment="discharges a day in the weeks before; null: too little is known"),
    Column("quiet_since", Date, comment="this day ended a silence: the last day with a discharge before it"),
)
# The silences of a facility, of which there are few.
Index(
    "ix_facility_day_quiet",
    facility_day.c.facility_id,
    facility_day.c.day_on,
    postgresql_where=facility_day.c.quiet_since.is_not(None),
)

feed_pulse = Table(
    "feed_pulse",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("last_message_at", Instant),
    Column("rhythm", ARRAY(REAL), comment="messages expected in each of the 168 hours of the local week; null: too little is known"),
    Column("rhythm_at", Instant, comment="when it was worked out"),
)

feed_silence = Table(
    "feed_silence",
    metadata,
    Column("id", Id, primary_key=True),
    Column("feed_id", Id, ForeignKey("feed.id"), nullable=False),
    Column("last_message_at", Instant, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("missing", REAL, nullable=False, comment="messages that should have come by then"),
    Column("closed_at", Instant, comment="when the next message came"),
)
# A feed has one open alert at most, whoever looks: an alert opens once.
Index("uq_feed_silence_open", feed_silence.c.feed_id, unique=True, postgresql_where=feed_silence.c.closed_at.is_(None))
# The silences of a feed, newest first.
Index("ix_feed_silence_feed", feed_silence.c.feed_id, feed_silence.c.opened_at)

feed_watch = Table(
    "feed_watch",
    metadata,
    Column("id", Integer, primary_key=True, comment="one row"),
    Column("counted_to", Instant, comment="messages received before are counted"),
    Column("judged_to", Instant, comment="discharges received before are judged"),
    Column("watched_from", Instant, comment="somebody has looked without a gap since: silence from before is ours, not the feeds'"),
    Column("looked_at", Instant),
    Column("presumed_at", Instant, comment="when stays that nobody ended were looked for last"),
)
