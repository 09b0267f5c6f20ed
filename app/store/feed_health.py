"""Reading how feeds are doing, as far as the viewer may see: the feeds it asks for are its own, and row-level security agrees.

A fixed number of statements for a page of feeds. Not here: counting (feed_counts, feed_silences).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from app.domain.feed import Feed
from app.domain.feed_health import Counts, FeedHealth, Meanings, Silence, in_order
from app.domain.viewer import Viewer
from app.store.raw import Raw

_COUNTED = tuple(field.name for field in fields(Counts))
_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in _COUNTED)

_HOURS = f"select feed_id, {_SUMS} from feed_hour where feed_id = any($1::uuid[]) and hour_at >= $2 group by feed_id"
_FIELDS = """
select feed_id, place, sum(asked)::bigint as asked, sum(valued)::bigint as valued
from feed_field where feed_id = any($1::uuid[]) and day_on >= $2 group by feed_id, place
"""
_PULSES = "select feed_id, last_message_at, rhythm from feed_pulse where feed_id = any($1::uuid[])"
_SILENCES = """
select feed_id, opened_at, last_message_at, missing, closed_at is null as is_open
from feed_silence where feed_id = any($1::uuid[]) and opened_at >= $2
union all
select feed_id, opened_at, last_message_at, missing, true from feed_silence
where feed_id = any($1::uuid[]) and closed_at is null and opened_at < $2
"""
_OPEN = "select feed_id, count(*) as stays from encounter where feed_id = any($1::uuid[]) and status = 'in-progress' group by feed_id"


async def read_health(raw: Raw, viewer: Viewer, feeds: Sequence[Feed], since: datetime, meanings: Meanings) -> list[FeedHealth]:
    """Give the figures of feeds since an instant, in the order of the feeds. Six statements."""
    own = [feed for feed in feeds if viewer.is_operator or feed.organization_id == viewer.organization_id]
    ids = [feed.id for feed in own]
    hours = {row["feed_id"]: Counts(**{name: row[name] for name in _COUNTED}) for row in await raw.fetch(_HOURS, ids, since)}
    found: dict[UUID, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in await raw.fetch(_FIELDS, ids, since.date()):
        found[row["feed_id"]][row["place"]] = row["asked"], row["valued"]
    pulses = {row["feed_id"]: row for row in await raw.fetch(_PULSES, ids)}
    silences = defaultdict(list)
    for row in await raw.fetch(_SILENCES, ids, since):
        silences[row["feed_id"]].append(row)
    stays = {row["feed_id"]: row["stays"] for row in await raw.fetch(_OPEN, ids)}
    counted_to = await raw.fetchval("select counted_to from feed_watch")
    healths = []
    for feed in own:
        pulse = pulses.get(feed.id)
        now_silent = next((row for row in silences[feed.id] if row["is_open"]), None)
        healths.append(
            FeedHealth(
                feed=feed,
                since=since,
                counted_to=counted_to,
                last_message_at=pulse["last_message_at"] if pulse else None,
                silence=Silence(now_silent["opened_at"], now_silent["last_message_at"], now_silent["missing"]) if now_silent else None,
                silences=len(silences[feed.id]),
                rhythm=tuple(pulse["rhythm"]) if pulse and pulse["rhythm"] is not None else None,
                counts=hours.get(feed.id, Counts()),
                stays_open=stays.get(feed.id, 0),
                fields=in_order(meanings, found[feed.id]),
            )
        )
    return healths
