"""What is expected of feeds, and their silences: an alert opens once and closes once. Not here: when one is due (domain/rhythm)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.rhythm import Rhythm, Span
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Pulse:
    """A feed that is watched."""

    feed_id: UUID
    organization_id: UUID
    time_zone: str
    last_message_at: datetime | None
    rhythm: Rhythm | None
    rhythm_at: datetime | None
    open_since: datetime | None
    """When its open alert opened; None: there is none."""


_PULSES = """
select f.id as feed_id, f.organization_id, f.time_zone, p.last_message_at, p.rhythm, p.rhythm_at, s.opened_at as open_since
from feed f join feed_pulse p on p.feed_id = f.id left join feed_silence s on s.feed_id = f.id and s.closed_at is null
where f.mode not in ('backfill', 'test')
"""


async def pulses(raw: Raw) -> list[Pulse]:
    """Give every feed that was ever heard. One that brings history has no rhythm: it ends when the history does."""
    return [
        Pulse(
            row["feed_id"],
            row["organization_id"],
            row["time_zone"],
            row["last_message_at"],
            tuple(row["rhythm"]) if row["rhythm"] is not None else None,
            row["rhythm_at"],
            row["open_since"],
        )
        for row in await raw.fetch(_PULSES)
    ]


@dataclass(frozen=True, slots=True)
class Heard:
    """When a feed was heard last."""

    feed_id: UUID
    last_message_at: datetime | None
    is_silent: bool


async def heard_feeds(raw: Raw) -> list[Heard]:
    """Give every feed for the metrics: as many rows as feeds are configured."""
    rows = await raw.fetch(
        "select f.id, p.last_message_at, s.id is not null as is_silent from feed f left join feed_pulse p on p.feed_id = f.id "
        "left join feed_silence s on s.feed_id = f.id and s.closed_at is null order by f.id"
    )
    return [Heard(*row.values()) for row in rows]


async def hour_counts(raw: Raw, feeds: Sequence[UUID], since: datetime) -> dict[UUID, dict[datetime, int]]:
    """Give how many messages came in each hour (pk_feed_hour)."""
    counts: dict[UUID, dict[datetime, int]] = {feed: {} for feed in feeds}
    for row in await raw.fetch(
        "select feed_id, hour_at, messages from feed_hour where feed_id = any($1::uuid[]) and hour_at >= $2 and messages > 0",
        list(feeds),
        since,
    ):
        counts[row["feed_id"]][row["hour_at"]] = row["messages"]
    return counts


async def outages(raw: Raw, feeds: Sequence[UUID], now: datetime, since: datetime) -> dict[UUID, list[Span]]:
    """Give the known silences that reach into a time, from the last message to the next (ix_feed_silence_feed)."""
    spans: dict[UUID, list[Span]] = {feed: [] for feed in feeds}
    for row in await raw.fetch(
        "select feed_id, last_message_at, coalesce(closed_at, $3) as ends_at from feed_silence "
        "where feed_id = any($1::uuid[]) and coalesce(closed_at, $3) >= $2",
        list(feeds),
        since,
        now,
    ):
        spans[row["feed_id"]].append(Span(row["last_message_at"], row["ends_at"]))
    return spans


async def save_rhythms(raw: Raw, rhythms: Mapping[UUID, Rhythm | None], now: datetime) -> None:
    """Store what is expected from now on. asyncpg has no array of arrays of unequal length, so each rhythm is a text."""
    await raw.execute(
        "update feed_pulse p set rhythm = n.rhythm::real[], rhythm_at = $3 from unnest($1::uuid[], $2::text[]) as n(feed_id, rhythm) "
        "where p.feed_id = n.feed_id",
        list(rhythms),
        [None if rhythm is None else "{" + ",".join(f"{hour:.4f}" for hour in rhythm) + "}" for rhythm in rhythms.values()],
        now,
    )


@dataclass(frozen=True, slots=True)
class NewSilence:
    """A silence that is longer than the feed's rhythm allows."""

    id: UUID
    feed_id: UUID
    last_message_at: datetime
    missing: float


async def open_silences(raw: Raw, new: Sequence[NewSilence], now: datetime) -> set[UUID]:
    """Open alerts; give the feeds that had none (uq_feed_silence_open)."""
    if not new:
        return set()
    rows = await raw.fetch(
        "insert into feed_silence (id, feed_id, last_message_at, opened_at, missing) "
        "select id, feed_id, last_message_at, $5, missing "
        "from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::real[]) as n(id, feed_id, last_message_at, missing) "
        "on conflict (feed_id) where closed_at is null do nothing returning feed_id",
        [one.id for one in new],
        [one.feed_id for one in new],
        [one.last_message_at for one in new],
        [one.missing for one in new],
        now,
    )
    return {row["feed_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class Closed:
    """A silence that is over."""

    feed_id: UUID
    organization_id: UUID
    last_message_at: datetime
    closed_at: datetime


_CLOSE = """
update feed_silence s set closed_at = p.last_message_at from feed_pulse p, feed f
where s.closed_at is null and p.feed_id = s.feed_id and f.id = s.feed_id and p.last_message_at > s.last_message_at
returning s.feed_id, f.organization_id, s.last_message_at, s.closed_at
"""


async def close_silences(raw: Raw) -> list[Closed]:
    """Close the alerts of feeds that were heard since, and give them."""
    return [Closed(*row.values()) for row in await raw.fetch(_CLOSE)]
