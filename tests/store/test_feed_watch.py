"""What feeds brought, counted in the background from what is stored: every message once, whatever happens in between.

Messages come through the door and the rooms as they do in service; only the clock is held.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.domain.inbound import Door, Envelope
from app.pipeline import Pipeline
from app.pipeline.feed_watch import SETTLED_AFTER, FeedWatch, Watched
from app.pipeline.presume import Presumptions
from app.settings import load_settings
from app.store.raw import Raw
from tests.support.fakes import ClockedIds, FakeClock
from tests.support.messages import adt

HOSPITAL, FEED = UUID(int=0xA1), UUID(int=0xF1)
MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


class NoWaker:
    """Wakes nobody."""

    def wake(self, topic: str) -> None:
        """Do nothing."""


@dataclass
class Exchange:
    """One hospital with one feed, its door, its pipeline and the watcher."""

    clock: FakeClock
    intake: Any
    pipeline: Pipeline
    watch: FeedWatch
    presumptions: Presumptions
    open: Any

    async def send(self, *messages: bytes) -> None:
        """Bring messages through the door and the rooms."""
        for body in messages:
            await self.intake.receive(Envelope(body, Door.MLLP, self.clock.now()))
        while not (await self.pipeline.work_once(0)).idle:
            pass

    async def look(self) -> list[Watched]:
        """Watch until there is no more to count."""
        rounds = [await self.watch.watch_once()]
        while rounds[-1].has_more:
            rounds.append(await self.watch.watch_once())
        return rounds

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database."""
        async with self.open() as raw:
            return [dict(row) for row in await raw.fetch(query, *values)]

    async def totals(self) -> dict[str, int]:
        """Give what was counted, hour upon hour."""
        (row,) = await self.rows(
            "select sum(messages)::int messages, sum(refused)::int refused, sum(set_aside)::int set_aside, "
            "sum(control_ids_reused)::int reused, sum(events)::int events, sum(late)::int late, sum(discharges)::int discharges, "
            "sum(discharges_unopened)::int unopened, sum(presumed_ended)::int presumed from feed_hour"
        )
        return {name: count for name, count in row.items() if count}


async def _found(raw: Raw, now: datetime) -> None:
    await raw.execute(
        "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at) "
        "values ($1, 'Hospital A', 'hospital', '{}', 'not_program', 'acute', 'America/New_York', 'US', $2)",
        HOSPITAL,
        now,
    )
    await raw.execute(
        "insert into feed (id, organization_id, sending_application, sending_facility, time_zone, assigning_authority, mode, profile, "
        "created_at) values ($1, $2, 'EPIC', 'HOSPA', 'America/New_York', 'HOSPA', 'live', '{}', $3)",
        FEED,
        HOSPITAL,
        now,
    )


@pytest.fixture
async def exchange(engine_work: AsyncEngine) -> Exchange:
    settings = load_settings({"HANDOFF_WORKERS": "1", "HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst"})
    keys, rules = wiring.keys_of(settings), wiring.rulebook()
    clock = FakeClock(MONDAY)
    ids = ClockedIds(clock)
    intake = wiring.build_intake(settings, engine_work, keys, clock=clock, ids=ids, waker=NoWaker())
    pipeline = wiring.build_pipeline(settings, engine_work, keys, rules, clock=clock, ids=ids, waker=NoWaker())
    watch = wiring.build_feed_watch(settings, engine_work, keys, clock=clock, ids=ids)
    presumptions = wiring.build_presumptions(settings, engine_work, pipeline.rooms)
    made = Exchange(clock, intake, pipeline, watch, presumptions, wiring.open_transaction(engine_work))
    async with made.open() as raw:
        await _found(raw, clock.now())
    return made


def _when(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S+0000")


def message(trigger: str, at: datetime, control: str, **more: Any) -> bytes:
    return adt(trigger, _when(at), control=control, **more)


async def test_every_message_is_counted_once_in_its_hour(exchange: Exchange) -> None:
    now = exchange.clock.now()
    await exchange.send(message("A01", now, "C1"), message("A08", now, "C2"), message("A08", now, "C2"))
    assert (await exchange.look())[-1].opened == []
    assert await exchange.totals() == {}, "what came a moment ago may not be committed yet"
    exchange.clock.advance(minutes=90)
    await exchange.send(message("A03", exchange.clock.now(), "C3"))
    exchange.clock.advance(minutes=2)
    await exchange.look()
    await exchange.look()
    assert await exchange.totals() == {"messages": 3, "events": 3}
    hours = await exchange.rows("select hour_at, messages from feed_hour order by hour_at")
    assert hours == [{"hour_at": MONDAY, "messages": 2}, {"hour_at": MONDAY + timedelta(hours=1), "messages": 1}]


async def test_errors_reuse_and_lateness_are_counted(exchange: Exchange) -> None:
    now = exchange.clock.now()
    bad = message("A03", now, "BAD").replace(b"M1^^^HOSPA^MR~MC1^^^MAINECARE^MA", b"")
    await exchange.send(
        message("A01", now - timedelta(hours=2), "C1"),
        message("A08", now - timedelta(minutes=59), "C1"),
        bad,
        adt("A03", _when(now), control="NOFEED", application="WHO", facility="KNOWS"),
    )
    exchange.clock.advance(minutes=2)
    await exchange.look()
    assert await exchange.totals() == {"messages": 3, "refused": 1, "reused": 1, "events": 2, "late": 1}


async def test_history_that_is_loaded_is_not_late(exchange: Exchange) -> None:
    async with exchange.open() as raw:
        await raw.execute("update feed set mode = 'backfill'")
    await exchange.send(message("A01", MONDAY - timedelta(days=100), "C1"))
    exchange.clock.advance(minutes=2)
    await exchange.look()
    assert await exchange.totals() == {"messages": 1, "events": 1}


async def test_what_still_waits_is_counted_when_it_is_done(exchange: Exchange) -> None:
    await exchange.intake.receive(Envelope(message("A01", MONDAY, "C1"), Door.MLLP, MONDAY))
    exchange.clock.advance(minutes=30)
    await exchange.look()
    assert await exchange.totals() == {}
    await exchange.send()
    await exchange.look()
    assert await exchange.totals() == {"messages": 1, "events": 1}


async def test_a_discharge_is_judged_a_day_later(exchange: Exchange) -> None:
    now = exchange.clock.now()
    await exchange.send(message("A03", now, "C1", visit="V1"), message("A03", now, "C2", visit="V2"), message("A03", now, "C3", visit="V3"))
    exchange.clock.advance(hours=3)
    await exchange.send(message("A01", now - timedelta(days=2), "C4", visit="V2"), message("A08", now, "C5", visit="V3"))
    exchange.clock.advance(hours=20)
    await exchange.look()
    assert "discharges" not in await exchange.totals()
    exchange.clock.advance(hours=2)
    await exchange.look()
    found = await exchange.totals()
    assert (found["discharges"], found["unopened"]) == (3, 2), "the A01 that came late is there"


async def test_the_discharges_of_who_is_behind_an_exchange_are_counted_by_the_day_and_a_silence_is_known_when_it_ends(
    exchange: Exchange,
) -> None:
    """Four a day until Wednesday: by Monday sixteen are missing."""
    wednesday = (MONDAY - timedelta(days=5)).date()
    async with exchange.open() as raw:
        await raw.execute(
            "insert into feed_facility (feed_id, code, organization_id, time_zone, assigning_authority, mapped_at) "
            "values ($1, 'A', $2, 'America/New_York', 'HOSPA', $3)",
            FEED, HOSPITAL, MONDAY,
        )  # fmt: skip
        await raw.execute(
            "insert into facility_day (feed_id, facility_id, day_on, discharges, usual) "
            "select $1, $2, $3::date - back, 4, 4 from generate_series(0, 50) as back",
            FEED, HOSPITAL, wednesday,
        )  # fmt: skip
    now = exchange.clock.now()
    await exchange.send(message("A03", now, "C1", visit="V1"), message("A03", now, "C2", visit="V2"), message("A01", now, "C3", visit="V3"))
    exchange.clock.advance(minutes=20)
    await exchange.send(message("A03", exchange.clock.now(), "C4", visit="V3"))
    exchange.clock.advance(hours=25)
    await exchange.look()
    await exchange.look()
    (day,) = await exchange.rows("select day_on, discharges, usual, quiet_since from facility_day where day_on > $1", wednesday)
    assert day == {"day_on": MONDAY.date(), "discharges": 3, "usual": pytest.approx(204 / 55), "quiet_since": wednesday}


async def test_completeness_is_kept_by_day_and_field_and_nothing_else_of_the_message(exchange: Exchange) -> None:
    """DIR-1."""
    now = exchange.clock.now()
    await exchange.send(message("A01", now, "C1"), message("A03", now, "C2", disposition="01"), message("A03", now, "C3", visit="V2"))
    exchange.clock.advance(minutes=2)
    await exchange.look()
    fields = {row["place"]: (row["asked"], row["valued"]) for row in await exchange.rows("select * from feed_field")}
    assert fields["MSH-9.1"] == (3, 3)
    assert fields["PV1-36"] == (2, 1)
    assert fields["PV2-3"] == (1, 0)
    assert fields["EVN-2"] == (3, 3)
    kept = repr(await exchange.rows("select * from feed_field")) + repr(await exchange.rows("select * from feed_hour"))
    assert not any(text in kept for text in ("Alder", "Ann", "M1", "MC1"))


async def test_a_busy_span_is_sampled_and_still_counted_whole(exchange: Exchange) -> None:
    await exchange.send(*(message("A08", MONDAY, f"C{number}") for number in range(12)))
    exchange.clock.advance(minutes=2)
    await exchange.look()
    assert (await exchange.totals())["messages"] == 12
    (row,) = await exchange.rows("select asked from feed_field where place = 'PID-7'")
    assert row["asked"] == 5


async def test_a_body_that_cannot_be_opened_stops_nothing(exchange: Exchange) -> None:
    await exchange.send(message("A01", MONDAY, "C1"), message("A01", MONDAY, "C2"))
    async with exchange.open() as raw:
        await raw.execute("update inbound_message set cipher_key_id = 9 where control_id = 'C1'")
    exchange.clock.advance(minutes=2)
    await exchange.look()
    assert (await exchange.totals())["messages"] == 2
    (row,) = await exchange.rows("select asked from feed_field where place = 'PID-7'")
    assert row["asked"] == 1


async def _a_habit(exchange: Exchange, weeks: int = 3) -> None:
    """Let the feed have sent twenty messages an hour for weeks."""
    async with exchange.open() as raw:
        await raw.execute(
            "insert into feed_hour (feed_id, hour_at, messages) "
            "select $1, hour, 20 from generate_series($2::timestamptz, $3::timestamptz, interval '1 hour') hour",
            FEED,
            MONDAY - timedelta(weeks=weeks),
            MONDAY - timedelta(hours=1),
        )


async def test_a_silence_opens_once_and_closes_once(exchange: Exchange) -> None:
    await _a_habit(exchange)
    await exchange.send(message("A01", MONDAY, "C1"))
    await exchange.look()
    seen = []
    for _ in range(60):
        exchange.clock.advance(minutes=1)
        seen += [one for round_ in await exchange.look() for one in round_.opened]
    assert [one.feed_id for one in seen] == [FEED]
    (alert,) = await exchange.rows("select * from feed_silence")
    assert alert["opened_at"] - MONDAY == timedelta(minutes=30), "ten of twenty an hour are missing"
    assert alert["closed_at"] is None
    await exchange.send(message("A08", exchange.clock.now(), "C2"))
    heard_at = exchange.clock.now()
    over = [one for _ in range(3) for round_ in await exchange.look() for one in round_.closed]
    assert [(one.feed_id, one.last_message_at, one.closed_at) for one in over] == [(FEED, MONDAY, heard_at)]
    (alert,) = await exchange.rows("select * from feed_silence")
    assert alert["closed_at"] == heard_at


async def test_a_second_silence_is_a_second_alert(exchange: Exchange) -> None:
    await _a_habit(exchange)
    for control in ("C1", "C2", "C3"):
        await exchange.send(message("A08", exchange.clock.now(), control))
        await exchange.look()
        for _ in range(10):
            exchange.clock.advance(minutes=4)
            await exchange.look()
    alerts = await exchange.rows("select closed_at is null as is_open from feed_silence order by opened_at")
    assert [row["is_open"] for row in alerts] == [False, False, True]


async def test_our_own_absence_is_nobodys_silence(exchange: Exchange) -> None:
    await _a_habit(exchange)
    await exchange.send(message("A01", MONDAY, "C1"))
    await exchange.look()
    exchange.clock.advance(hours=9)
    for _ in range(7):
        assert [one for round_ in await exchange.look() for one in round_.opened] == []
        exchange.clock.advance(minutes=4)
    assert [one for round_ in await exchange.look() for one in round_.opened] == []
    exchange.clock.advance(minutes=4)
    assert [one.feed_id for round_ in await exchange.look() for one in round_.opened] == [FEED]


async def test_a_feed_without_a_habit_and_one_that_brings_history_are_never_silent(exchange: Exchange) -> None:
    await exchange.send(message("A01", MONDAY, "C1"))
    for _ in range(20):
        exchange.clock.advance(minutes=4)
        assert [one for round_ in await exchange.look() for one in round_.opened] == []
    await _a_habit(exchange)
    async with exchange.open() as raw:
        await raw.execute("update feed set mode = 'backfill'")
        await raw.execute("update feed_pulse set rhythm_at = null")
    for _ in range(20):
        exchange.clock.advance(minutes=4)
        assert [one for round_ in await exchange.look() for one in round_.opened] == []


async def test_one_worker_looks_at_a_time(exchange: Exchange) -> None:
    await exchange.send(message("A01", MONDAY, "C1"))
    exchange.clock.advance(minutes=2)
    async with exchange.open() as raw:
        await raw.fetchval("select pg_advisory_xact_lock($1, -3)", exchange.watch.lock_space)
        assert await exchange.watch.watch_once() == Watched()
        assert await exchange.presumptions.presume_once(10) == 0
    assert await exchange.totals() == {}
    await exchange.look()
    assert (await exchange.totals())["messages"] == 1


async def test_a_round_that_fails_counts_nothing_twice(exchange: Exchange) -> None:
    await exchange.send(message("A01", MONDAY, "C1"))
    exchange.clock.advance(minutes=2)

    class BrokenError(Exception):
        pass

    class NoIds(ClockedIds):
        def new(self) -> UUID:
            raise BrokenError

    await _a_habit(exchange)
    await exchange.look()
    for _ in range(8):
        exchange.clock.advance(minutes=4)
        await exchange.send(message("A08", exchange.clock.now(), f"K{_}"))
        await exchange.look()
    before = await exchange.totals()
    broken = replace(exchange.watch, ids=NoIds(exchange.clock))
    for _ in range(15):
        exchange.clock.advance(minutes=4)
        try:
            await broken.watch_once()
        except BrokenError:
            break
    else:
        pytest.fail("no silence was noticed")
    await exchange.look()
    assert (await exchange.totals())["messages"] == before["messages"] + 1


async def test_counting_costs_a_fixed_number_of_statements(exchange: Exchange, queries: Any) -> None:
    """Never a statement a message: ten times as many cost the same."""
    counts = []
    for round_, number in enumerate((3, 30)):
        await exchange.send(*(message("A08", exchange.clock.now(), f"R{round_}-{one}") for one in range(number)))
        exchange.clock.advance(minutes=3)
        await exchange.look()
        exchange.clock.advance(minutes=3)
    for number in (2, 20):
        await exchange.send(*(message("A08", exchange.clock.now(), f"S{number}-{one}") for one in range(number)))
        exchange.clock.advance(seconds=61 + SETTLED_AFTER.total_seconds())
        with queries.recording() as statements:
            await exchange.watch.watch_once()
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] < 20


async def _stay(exchange: Exchange, visit: str = "V1") -> dict[str, Any]:
    (row,) = await exchange.rows("select id, status, discharged_at, version from encounter where visit_number = $1", visit)
    return row


async def test_a_stay_that_nobody_ended_is_closed_and_opened_again_by_a_sign_of_life(exchange: Exchange) -> None:
    await exchange.send(message("A04", MONDAY, "C1", patient_class="E"), message("A01", MONDAY, "C2", visit="V2", patient_class="I"))
    exchange.clock.advance(hours=71)
    await exchange.send(message("A08", exchange.clock.now(), "C3", visit="V9", mrn="M9", medicaid=None, patient_class="E"))
    await exchange.look()
    assert await exchange.presumptions.presume_once(10) == 0
    exchange.clock.advance(hours=2)
    assert await exchange.presumptions.presume_once(10) == 1
    assert (await _stay(exchange))["status"] == "finished"
    assert (await _stay(exchange))["discharged_at"] is None
    assert (await _stay(exchange, "V2"))["status"] == "in-progress", "a stay in a bed has more time"
    await exchange.look()
    assert (await exchange.totals())["presumed"] == 1
    exchange.clock.advance(hours=2)
    assert await exchange.presumptions.presume_once(10) == 0
    await exchange.send(message("A08", exchange.clock.now(), "C4", patient_class="E"))
    assert (await _stay(exchange))["status"] == "in-progress"


async def test_the_real_discharge_reverses_the_presumption(exchange: Exchange) -> None:
    await exchange.send(message("A04", MONDAY, "C1", patient_class="E"))
    exchange.clock.advance(hours=80)
    await exchange.send(message("A08", exchange.clock.now(), "C3", visit="V9", mrn="M9", medicaid=None))
    await exchange.look()
    assert await exchange.presumptions.presume_once(10) == 1
    went_home_at = MONDAY + timedelta(hours=4)
    await exchange.send(message("A03", went_home_at, "C5", patient_class="E", discharged=_when(went_home_at), disposition="01"))
    stay = await _stay(exchange)
    assert (stay["status"], stay["discharged_at"]) == ("finished", went_home_at)


async def test_a_feed_that_is_down_says_nothing_about_its_patients(exchange: Exchange) -> None:
    await exchange.send(message("A04", MONDAY, "C1", patient_class="E"))
    exchange.clock.advance(hours=100)
    await exchange.look()
    assert await exchange.presumptions.presume_once(10) == 0
    assert (await _stay(exchange))["status"] == "in-progress"
