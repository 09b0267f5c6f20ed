"""Watches the feeds: counts what came, samples its fields, judges discharges, learns each feed's rhythm and notices its silence.

One worker at a time, and none leads: whoever gets the lock does the round. Everything is counted from what is stored, a minute after
it came, so that no message costs a statement more. Not here: the statements (store/feed_counts, store/feed_silences), what is
usual (domain/rhythm), what is complete (domain/completeness) and closing stays that nobody ended (presume).
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.completeness import ADMISSIONS, ExpectedField, census
from app.domain.rhythm import HOUR, LOOKED_BACK_MAX, RHYTHM_WEEKS, missing_messages, quiet_since, rhythm_of, usual_of_day
from app.pipeline.rooms import OpenTransaction
from app.ports import Cipher, Clock, FieldReader, Ids
from app.store import facility_days, feed_counts, feed_silences, inbound
from app.store.directory import RegistryReader
from app.store.feed_counts import Watch
from app.store.feed_silences import Closed, NewSilence, Pulse
from app.store.raw import Raw

FEED_WATCH_LOCK: Final = -3
"""Beside the lanes, which count from 0, and the locks of work.py."""
SETTLED_AFTER: Final = timedelta(seconds=60)
"""An id is made before its commit: by then every message of a time is committed, or its sender was told that it is not."""
STEP_MAX: Final = timedelta(minutes=5)
"""What one statement counts at most; a backlog is counted step by step."""
LATE_AFTER: Final = timedelta(hours=1)
"""Our policy: told an hour after it happened, an event is late for a clock of two business days, and for a team at the door."""
JUDGED_AFTER: Final = timedelta(days=1)
"""An A01 that comes within a day after its A03 is late, not missing."""
SAMPLED_OF_A_KIND: Final = 5
SAMPLED_MAX: Final = 500
"""Messages whose fields are looked at in one step: a tenth of a second of work at most."""
AWAY_AFTER: Final = timedelta(minutes=5)
"""When nobody has looked for longer, the door may have been closed too: silence is counted from when somebody looks again."""
RHYTHMS_AT_ONCE: Final = 20
HOURS_KEPT: Final = timedelta(days=400)
DAYS_KEPT: Final = timedelta(days=100)


@dataclass(frozen=True, slots=True)
class Silent:
    """A feed whose alert opened in this round."""

    feed_id: UUID
    organization_id: UUID
    last_message_at: datetime
    missing: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What one round came to."""

    has_more: bool = False
    opened: Sequence[Silent] = ()
    closed: Sequence[Closed] = ()


@dataclass(frozen=True, slots=True)
class FeedWatch:
    """The watcher of one worker process."""

    transaction: OpenTransaction
    registry: RegistryReader
    reader: FieldReader
    profile: Sequence[ExpectedField]
    cipher: Cipher
    clock: Clock
    ids: Ids
    lock_space: int

    async def watch_once(self) -> Watched:
        """Do one round: one step of counting each, and the silences."""
        now = self.clock.now()
        async with self.transaction() as raw:
            if not await inbound.try_lock(raw, self.lock_space, FEED_WATCH_LOCK):
                return Watched()
            watch = await feed_counts.read_watch(raw)
            if watch.watched_from is None or watch.looked_at is None or now - watch.looked_at > AWAY_AFTER:
                watch.watched_from = now
            is_behind = await self._count(raw, watch, now)
            is_behind |= await self._judge(raw, watch)
            await feed_counts.hear(raw, watch.looked_at - SETTLED_AFTER if watch.looked_at else now - LOOKED_BACK_MAX)
            watch.looked_at = now
            await feed_counts.save_watch(raw, watch)
            pulses = await feed_silences.pulses(raw)
            # What is expected is learned from whole counts only.
            if not is_behind and (stale := [one for one in pulses if _is_stale(one, now)][:RHYTHMS_AT_ONCE]):
                await self._learn(raw, stale, now)
                is_behind = len(stale) == RHYTHMS_AT_ONCE
            closed = await feed_silences.close_silences(raw)
            return Watched(is_behind, await self._notice(raw, pulses, watch, now), closed)

    async def _count(self, raw: Raw, watch: Watch, now: datetime) -> bool:
        """Count one step; tell whether there is more to count."""
        since = watch.counted_to or datetime.fromtimestamp(0, UTC)
        first = await feed_counts.first_message_from(raw, since)
        waiting = await feed_counts.waiting_since(raw, since)
        settled = min(now - SETTLED_AFTER, waiting or now)
        starts_at = max(since, min(first or settled, settled))
        ends_at = min(starts_at + STEP_MAX, settled)
        if starts_at < ends_at:
            await feed_counts.count_messages(raw, starts_at, ends_at, LATE_AFTER)
            await self._sample(raw, starts_at, ends_at)
        watch.counted_to = max(since, ends_at)
        return watch.counted_to < settled

    async def _judge(self, raw: Raw, watch: Watch) -> bool:
        if watch.counted_to is None:
            return False
        until = watch.counted_to - JUDGED_AFTER
        since = watch.judged_to or datetime.fromtimestamp(0, UTC)
        first = await feed_counts.first_message_from(raw, since)
        starts_at = max(since, min(first or until, until))
        ends_at = min(starts_at + STEP_MAX, until)
        if starts_at < ends_at:
            await feed_counts.judge_discharges(raw, starts_at, ends_at, sorted(ADMISSIONS))
            await _hear_facilities(raw, starts_at, ends_at)
        watch.judged_to = max(since, ends_at)
        return watch.judged_to < until

    async def _sample(self, raw: Raw, starts_at: datetime, ends_at: datetime) -> None:
        """Look at the fields of some messages. Nothing of what they say is kept but whether it is there."""
        directory = await self.registry.current(raw)
        asked: Counter[tuple[UUID, date, str]] = Counter()
        valued: Counter[tuple[UUID, date, str]] = Counter()
        for one in await feed_counts.sample(raw, starts_at, ends_at, of_a_kind=SAMPLED_OF_A_KIND, most=SAMPLED_MAX):
            feed = directory.feeds.get(one.feed_id)
            fields = None
            # One whose key is lost was set aside by the pipeline, which says so; the others count all the same.
            with suppress(Exception):
                body = self.cipher.decrypt(one.cipher_key_id, one.body, one.id.bytes)
                fields = self.reader.fields(body, feed.profile.charset if feed else None)
            if fields is None:
                continue
            for place, is_there in census(self.profile, fields):
                key = one.feed_id, one.received_at.astimezone(UTC).date(), place
                asked[key] += 1
                valued[key] += is_there
        await feed_counts.add_fields(raw, {key: (asked[key], valued[key]) for key in asked})

    async def _learn(self, raw: Raw, stale: Sequence[Pulse], now: datetime) -> None:
        since = now - timedelta(weeks=RHYTHM_WEEKS)
        feeds = [one.feed_id for one in stale]
        counts = await feed_silences.hour_counts(raw, feeds, since - HOUR)
        outages = await feed_silences.outages(raw, feeds, now, since)
        rhythms = {
            one.feed_id: rhythm_of(counts[one.feed_id], now - SETTLED_AFTER, ZoneInfo(one.time_zone), outages[one.feed_id]) for one in stale
        }
        await feed_silences.save_rhythms(raw, rhythms, now)
        await feed_counts.forget(raw, now - HOURS_KEPT, (now - DAYS_KEPT).date())

    async def _notice(self, raw: Raw, pulses: Sequence[Pulse], watch: Watch, now: datetime) -> list[Silent]:
        found: dict[UUID, Silent] = {}
        for one in pulses:
            if one.open_since is not None or one.last_message_at is None or watch.watched_from is None:
                continue
            heard_at = max(one.last_message_at, watch.watched_from)
            missing = missing_messages(one.rhythm, heard_at, now, ZoneInfo(one.time_zone))
            if missing is not None:
                found[one.feed_id] = Silent(one.feed_id, one.organization_id, one.last_message_at, missing)
        new = [NewSilence(self.ids.new(), one.feed_id, one.last_message_at, one.missing) for one in found.values()]
        opened = await feed_silences.open_silences(raw, new, now)
        return [one for feed, one in found.items() if feed in opened]


async def _hear_facilities(raw: Raw, starts_at: datetime, ends_at: datetime) -> None:
    """Note of which facilities behind aggregators discharges came, and which silences they ended."""
    seen = await facility_days.found(raw, starts_at, ends_at)
    if not seen:
        return
    since = min(one.day_on for one in seen) - 2 * timedelta(weeks=RHYTHM_WEEKS)
    known = await facility_days.known(raw, {one.place for one in seen}, since)
    heard = []
    for one in sorted(seen, key=lambda day: day.day_on):
        before = [day for day in known[one.place] if day.day_on < one.day_on]
        last = max(before, key=lambda day: day.day_on, default=None)
        usual = usual_of_day({day.day_on: day.discharges for day in before}, one.day_on)
        quiet = quiet_since(last.day_on, last.usual, one.day_on) if last is not None else None
        heard.append(replace(one, usual=usual, quiet_since=quiet))
        known[one.place].append(heard[-1])
    await facility_days.add(raw, heard)


def _is_stale(pulse: Pulse, now: datetime) -> bool:
    """Once an hour, at its beginning: the rhythm changes by whole hours."""
    return pulse.rhythm_at is None or pulse.rhythm_at.replace(minute=0, second=0, microsecond=0) + HOUR <= now
