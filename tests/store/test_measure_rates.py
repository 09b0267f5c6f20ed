"""Rates never drift: whatever happens to lines, and whenever changes are folded into segments, they say what counting says.

The oracle counts rows of the ledger in Python, by the words of a question; nothing of it is shared with the statements and the sums.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.measure import EvidenceSource
from app.domain.measure_ledger import MeasureLine
from app.domain.rate import Rate, as_source_tells
from app.domain.viewer import OPERATOR, Viewer
from app.store import measure_lines, measure_segments
from app.store.engine import raw_connection
from app.store.measure_rates import rates
from app.store.measure_reads import GROUPS, LineFilter, Told
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work

AT = datetime(2026, 7, 11, 15, tzinfo=UTC)
PLAN, OTHER = UUID(int=7), UUID(int=8)
FACILITIES = [None, *(UUID(int=100 + number) for number in range(3))]
HOMES = [None, *(UUID(int=200 + number) for number in range(3))]
OWN_DAYS = ((True, False, False), (True, True, False), (False, True, True), (False, False, True), (False, True, False), (True, False, True))
BANDS = (6, 18, 65)
EDGES = (date(2026, 6, 11), date(2026, 7, 4), date(2026, 7, 11), date(2026, 3, 9), date(2026, 8, 20), date(2026, 4, 1), date(2026, 6, 30))
"""Days at which windows open, events are over, or a period that is asked for begins or ends."""
OUTCOMES = (
    ("met", "met", "service_in_7_days", "20"), ("not_met", "met", "service_in_30_days", "01"), ("pending", "pending", "window_open", "00"),
    ("not_met", "not_met", "no_service", "00"), ("excluded", "excluded", "hospice", None), ("superseded", "superseded", "readmitted", None),
)  # fmt: skip
ASKED: tuple[tuple[str, ...], ...] = (
    (), ("month",), ("quarter",), ("facility", "month"), ("home", "quarter"), ("home",), ("age_band",), ("age_band", "month"),
    ("race", "sex"), ("ethnicity",), ("language", "dual_status", "quarter"), ("geography", "month"),
    ("home", "facility", "quarter"), ("age_band", "sex"), ("home", "race", "month"), ("facility", "age_band", "geography"),
    ("home", "facility", "age_band", "language", "quarter"), ("ethnicity", "geography", "dual_status"),
    ("payer",), ("payer", "home", "month"),
)  # fmt: skip


def a_line(chance: random.Random) -> MeasureLine:
    """Make a line of few kinds, so that many are counted together, half of them where one day more or less would show."""
    edge = chance.choice(EDGES) + timedelta(days=chance.randint(-1, 1))
    anchor_on = chance.choice((edge, date(2025, 12, 20) + timedelta(days=chance.randrange(400))))
    status_7, status_30, reason, met_by = chance.choice(OUTCOMES)
    organization_id, home_id = chance.choice((None, PLAN, PLAN, OTHER)), chance.choice(HOMES)
    later = (None, None)
    moved = of_home = chance.random() < 0.1
    if of_home:
        # A home's own: it is there on one of the days at least.
        home_id, *later = chance.choice([[HOMES[1] if own else None for own in days] for days in OWN_DAYS])
    elif moved := chance.random() < 0.2:
        later = (chance.choice(HOMES), chance.choice(HOMES))
    return MeasureLine(
        encounter_id=UUID(int=chance.getrandbits(128)), measure=chance.choice(("FUH", "FUH", "FUH", "FUM")),
        organization_id=organization_id, person_id=UUID(int=chance.getrandbits(20)), home_7_id=later[0], home_30_id=later[1], moved=moved,
        of_home=of_home, facility_id=chance.choice(FACILITIES), home_id=home_id, period=anchor_on.year, anchor_on=anchor_on,
        due_7_on=anchor_on + timedelta(days=7), due_30_on=anchor_on + timedelta(days=30), status_7=status_7, status_30=status_30,
        reason=reason, superseded_by=None, met_7_on=None, met_30_on=None, met_by=met_by, contacts_7_on=None, contacts_30_on=None,
        claims_7_on=None, claims_30_on=None, age=chance.choice((None, -1, 3, 17, 40, 70)), sex=chance.choice((None, "F", "M")),
        race=chance.choice((None, "2106-3")), ethnicity=chance.choice((None, "2186-5")), language=chance.choice((None, "en", "so")),
        dual_status=chance.choice((None, "dual")), geography=chance.choice((None, "001", "003")), provisional=chance.random() < 0.1,
        rule_version="v", reasons=(), next_change_at=AT,
    )  # fmt: skip


async def happen(raw: Raw, chance: random.Random, now: datetime) -> None:
    """Let a batch do what batches do: correct some of what stands, end some, add some, put some off."""
    standing = await raw.fetch("select * from measure_line where known_to is null order by id")
    touched = chance.sample(standing, min(len(standing), chance.randrange(12)))
    await measure_lines.end(raw, [row["id"] for row in touched], now, [row["id"] for row in touched[1::2]])
    again = []
    for row in touched[::2]:
        same = ("encounter_id", "measure", "organization_id", "person_id", "facility_id", "anchor_on", "due_7_on", "due_30_on", "period")
        again.append(a_line(chance)._replace(**{name: row[name] for name in same}))
    await measure_lines.add(raw, again + [a_line(chance) for _ in range(chance.randrange(60))], now)
    if standing:
        await measure_lines.put_off(raw, chance.choice(standing)["encounter_id"], AT + timedelta(days=chance.randrange(9)))


def counted(
    rows: Sequence[Mapping[str, Any]], wanted: LineFilter, group_by: Sequence[str], told: Told | None
) -> dict[tuple[Any, ...], Counter[str]]:
    """Count rows one by one."""
    found: dict[tuple[Any, ...], Counter[str]] = {}
    for row in rows:
        stands = row["known_to"] is None
        if wanted.known_at is not None:
            stands = row["known_from"] <= wanted.known_at and (row["known_to"] is None or row["known_to"] > wanted.known_at)
        home = row[f"home_{wanted.home_days}_id"] if row["moved"] and wanted.home_days else row["home_id"]
        if row["of_home"] and home is None:
            continue
        home = None if home in wanted.reserved else home
        if not stands or row["measure"] != wanted.measure or row["id"] in wanted.without:
            continue
        if row["organization_id"] not in (wanted.organizations or (None,)) or not wanted.from_on <= row["anchor_on"] <= wanted.to_on:
            continue
        if wanted.mature_before and row["due_30_on"] >= wanted.mature_before:
            continue
        if (wanted.home_id and home != wanted.home_id) or (wanted.facility_id and row["facility_id"] != wanted.facility_id):
            continue
        on, age = row["anchor_on"], row["age"]
        words = {
            "home": home, "facility": row["facility_id"], "month": f"{on:%Y-%m}", "quarter": f"{on.year}-Q{(on.month + 2) // 3}",
            "age_band": None if age is None else sum(age >= band for band in BANDS), "payer": row["organization_id"],
        }  # fmt: skip
        status_7, status_30 = row["status_7"], row["status_30"]
        if told is not None:
            open_7, open_30 = (on >= told.today - timedelta(days=days) for days in (7, 30))
            status_7, status_30 = as_source_tells(
                told.source, row["met_by"], status_7, status_30, is_open_7=open_7, is_open_30=open_30, single=False
            )
        group = tuple(words[name] if name in words else row[name] for name in group_by)
        one = found.setdefault(group, Counter())
        one["lines"] += 1
        one["provisional"] += row["provisional"]
        if status_30 in {"excluded", "superseded"}:
            one[f"{status_30} {row['reason']}" if status_30 == "excluded" else status_30] += 1
        else:
            one["denominator"] += 1
            for days, status in ((7, status_7), (30, status_30)):
                one[f"{'numerator' if status == 'met' else status}_{days}"] += 1
    return found


def spelled(rate: Rate) -> Counter[str]:
    """Spell a rate as they are counted."""
    numbers = ("lines", "provisional", "denominator", "numerator_7", "numerator_30", "pending_7", "pending_30", "superseded")
    found = Counter({name: getattr(rate, name) for name in numbers})
    found.update({f"excluded {reason}": number for reason, number in rate.excluded.items()})
    found.update({f"not_met_{days}": rate.denominator - found[f"numerator_{days}"] - found[f"pending_{days}"] for days in (7, 30)})
    assert rate.undecided == {}
    return found


def questions(chance: random.Random, rows: Sequence[Mapping[str, Any]]) -> list[tuple[LineFilter, Sequence[str], Told | None]]:
    """Ask every way, of a year, a quarter and a month, with and without what narrows it."""
    asked: list[tuple[LineFilter, Sequence[str], Told | None]] = []
    for group_by in ASKED:
        from_on, to_on = chance.choice(
            ((date(2026, 1, 1), date(2026, 12, 31)), (date(2026, 4, 1), date(2026, 6, 30)), (date(2026, 3, 9), date(2026, 8, 20)))
        )
        wanted = LineFilter(
            measure="FUH",
            organizations=chance.choice(([PLAN], (), [PLAN, OTHER])),
            from_on=from_on,
            to_on=to_on,
            mature_before=chance.choice((None, None, AT.date(), date(2026, 1, 3), date(2027, 9, 1))),
            home_id=chance.choice((None, None, HOMES[1])),
            home_days=chance.choice((0, 7, 30)),
            facility_id=chance.choice((None, None, FACILITIES[1])),
            known_at=chance.choice(
                (None, None, *(AT + timedelta(seconds=chance.randrange(9), microseconds=some) for some in (0, 0, 500_000)))
            ),
            without={row["id"] for row in chance.sample(rows, min(len(rows), 5))} if chance.random() < 0.5 else (),
            reader_id=PLAN,
            reserved=frozenset({UUID(int=200), UUID(int=201)}) if chance.random() < 0.4 else frozenset(),
        )
        source = chance.choice((None, None, EvidenceSource.CONTACTS, EvidenceSource.CLAIMS))
        asked.append((wanted, group_by, Told(source=source, today=AT.date(), window_days=0) if source else None))
    return asked


async def agree(raw: Raw, chance: random.Random) -> None:
    """Compare every answer with the oracle's, in the snapshot of the caller."""
    rows = await raw.fetch("select * from measure_line")
    for wanted, group_by, told in questions(chance, rows):
        total, groups = await rates(raw, wanted, group_by, BANDS, told)
        expected = counted(rows, wanted, group_by, told)
        assert {group: spelled(rate) for group, rate in groups.items()} == expected, (wanted, group_by, told)
        assert spelled(total) == sum(expected.values(), Counter())
        assert list(groups) == sorted(groups, key=lambda group: tuple((part is None, str(part)) for part in group))


@pytest.mark.parametrize("seed", range(6))
async def test_rates_say_what_counting_the_ledger_says(engine_work: AsyncEngine, engine_app: AsyncEngine, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(12):
        async with unit_of_work(engine_work, None) as connection:
            now = AT + timedelta(seconds=number, microseconds=chance.choice((0, 1, 500_000, 999_999)))
            await happen(await raw_connection(connection), chance, now)
        if chance.random() < 0.5:
            async with unit_of_work(engine_work, None) as connection:
                await measure_segments.fold(await raw_connection(connection), 1)
        if number % 4 == 3:
            async with unit_of_work(engine_app, OPERATOR) as connection:
                await agree(await raw_connection(connection), chance)


async def test_workers_and_folds_at_once_leave_every_snapshot_exact(engine_work: AsyncEngine) -> None:
    """Each in transactions of its own, of which some are rolled back, as those of a worker that is killed are."""
    busy = True

    async def worker(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(15):
            try:
                async with unit_of_work(engine_work, None) as connection:
                    raw = await raw_connection(connection)
                    await measure_lines.add(raw, [a_line(chance) for _ in range(10)], AT)
                    mine = await raw.fetch("select id from measure_line where known_to is null and id % 3 = $1", seed)
                    some = [row["id"] for row in mine[:4]]
                    await measure_lines.end(raw, some, AT + timedelta(seconds=number), some)
                    if chance.random() < 0.2:
                        await raw.execute("select pg_terminate_backend(pg_backend_pid())")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                continue

    async def folder() -> None:
        chance = random.Random(7)
        while busy:
            try:
                async with unit_of_work(engine_work, None) as connection:
                    raw = await raw_connection(connection)
                    await measure_segments.fold(raw, 1)
                    if chance.random() < 0.3:
                        await raw.execute("select pg_terminate_backend(pg_backend_pid())")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                continue

    async def reader() -> None:
        chance = random.Random(9)
        while busy:
            async with unit_of_work(engine_work, None) as connection:
                raw = await raw_connection(connection)
                await raw.execute("set transaction isolation level repeatable read")
                await agree(raw, chance)

    others = [asyncio.create_task(folder()), asyncio.create_task(reader())]
    await asyncio.gather(*(worker(seed) for seed in range(3)))
    busy = False
    await asyncio.gather(*others)
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        assert await raw.fetchval("select count(*) from measure_line") > 100
        while await measure_segments.fold(raw, 1):
            pass
        assert await raw.fetchval("select count(*) from measure_change") == 0
        await agree(raw, random.Random(11))


async def test_a_rate_shows_an_organization_its_own_alone(engine_work: AsyncEngine, engine_app: AsyncEngine) -> None:
    """Row-level security says no, whatever the question names; folded or not."""
    chance = random.Random(3)
    wanted = LineFilter(measure="FUH", organizations=[PLAN], from_on=date(2025, 1, 1), to_on=date(2027, 12, 31))
    for folds in (False, True):
        async with unit_of_work(engine_work, None) as connection:
            raw = await raw_connection(connection)
            await measure_lines.add(raw, [a_line(chance) for _ in range(60)], AT)
            if folds:
                await measure_segments.fold(raw, 1)
        seen = {}
        for who, viewer in (("plan", Viewer(PLAN, frozenset())), ("other", Viewer(OTHER, frozenset()))):
            async with unit_of_work(engine_app, viewer) as connection:
                total, _ = await rates(await raw_connection(connection), wanted, (), BANDS)
            seen[who] = total.lines
        assert seen["other"] == 0 < seen["plan"]


async def test_few_changes_wait_and_many_are_folded(engine_work: AsyncEngine) -> None:
    chance = random.Random(5)
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        assert not await measure_segments.fold(raw, 1)
        await measure_lines.add(raw, [a_line(chance) for _ in range(30)], AT)
        assert not await measure_segments.fold(raw, 31)
        assert await measure_segments.fold(raw, 30)
        assert await raw.fetchval("select sum(lines) from measure_segment where not negative and not ended") == await raw.fetchval(
            "select count(*) from measure_line where home_id is not null or not of_home"
        )


def test_every_way_of_asking_is_compared() -> None:
    assert {name for group_by in ASKED for name in group_by} == GROUPS.keys()
