"""A year of a state in the ledgers: what rates of it cost, and what a million pending timers cost those that are due.

    python -m tests.load.ledgers [DISCHARGES]

Rows are written by SQL, as the pipeline would have left them, and vacuumed as PostgreSQL does by itself. Rates are asked over HTTP of the
real process tree: a figure is the best of five answers, and the processor time of all its processes and of PostgreSQL beside it, which
does not depend on who else uses the machine. Timers are asked with their own statement, by what it reads. Not here: computing the
ledger (remeasure), and whether rates are right (tests/api/test_measures).
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.domain.public_id import Kind, public_id
from app.store import follow_ups, measure_lines, measure_segments
from app.store.engine import PoolLimits, connection_settings
from app.store.roles import Network, Role
from tests.load.limits import Say
from tests.load.machine import processor_s
from tests.load.network import MeasuredNetwork
from tests.support.service import Service, running_service

DISCHARGES: Final = 1_000_000
TIMES: Final = 5
YEAR: Final = 2026
FACILITIES, HOMES_OF_STATE = 120, 60
DUE, FIRED = 100, 10_000
TARGET: Final = "must 300"

_PLACES: Final = """
insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)
select ('00000000-0000-7000-8000-1' || lpad(n::text, 11, '0'))::uuid, 'Sample place ' || n,
    case when n < $1 then 'hospital' else 'behavioral_health_home' end, '{}', 'not_program', 'unknown', 'America/New_York', 'US-ME',
    timestamptz '2026-01-01'
from generate_series(0, $1::int + $2::int - 1) as n
"""
_FEEDS: Final = """
insert into feed (id, organization_id, sending_application, sending_facility, time_zone, assigning_authority, mode, profile, created_at)
select id, id, 'ADTSYS', name, 'America/New_York', name, 'live', '{}', created_at from organization
where kind = 'hospital' and name like 'Sample place %';
insert into feed_hour (feed_id, hour_at, messages)
select id, hour_at, 5 from feed, generate_series(timestamptz '2026-01-01', '2026-12-31', interval '6 hours') as hour_at
where sending_facility like 'Sample place %'
"""

_LINES: Final = """
with kind(first, last, status_7, status_30, reasons, met_by) as (values
    (0, 19, 'met', 'met', array['service_in_7_days'], array['22', '20', '02', '12', '21']),
    (20, 44, 'not_met', 'met', array['service_in_30_days'], array['11', '10', '01']),
    (45, 59, 'not_met', 'not_met', array['no_service'], array['00']),
    (60, 65, 'pending', 'pending', array['window_open'], array['00']),
    (66, 89, 'excluded', 'excluded', array['nonacute_disposition', 'readmitted_for_other_cause', 'enrolment_gap', 'hospice', 'too_young',
        'death_in_period', 'other_diagnosis', 'out_of_period'], null),
    (90, 95, 'superseded', 'superseded', array['readmitted'], null),
    (96, 97, 'suspended', 'suspended', array['transfer_awaited'], null),
    (98, 99, 'indeterminate', 'indeterminate', array['no_final_diagnosis'], null)
), discharge as (
    select n, date '2026-01-01' + (n * 365 / $1::bigint)::int as anchor_on, n * 2654435761 % 100 as dice
    from generate_series(0::bigint, $1::bigint - 1) as n
)
insert into measure_line (encounter_id, measure, organization_id, person_id, facility_id, home_id, period, anchor_on, due_7_on, due_30_on,
    status_7, status_30, reason, met_7_on, met_30_on, met_by, age, sex, race, ethnicity, dual_status, geography, provisional, rule_version,
    reasons, next_change_at, known_from, known_to, moved, home_7_id, home_30_id)
select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'FUH', reader,
    ('01900000-0000-7000-9000-' || lpad(to_hex(n * 48271 % ($1::bigint * 4 / 5)), 12, '0'))::uuid,
    ('00000000-0000-7000-8000-1' || lpad((n * 7919 % $2::bigint)::text, 11, '0'))::uuid,
    case when n % 5 < 3 then ('00000000-0000-7000-8000-1' || lpad(($2::bigint + n * 6271 % $3::bigint)::text, 11, '0'))::uuid end,
    2026, anchor_on, anchor_on + 7, anchor_on + 30, case when stands then status_7 else 'pending' end,
    case when stands then status_30 else 'pending' end,
    case when stands then k.reasons[1 + n / 100 % cardinality(k.reasons)] else 'window_open' end,
    case when stands and status_7 = 'met' then anchor_on + 3 end, case when stands and status_30 = 'met' then anchor_on + 12 end,
    case when stands then k.met_by[1 + n / 100 % cardinality(k.met_by)] else '00' end,
    (6 + n * 31 % 80)::int2, (array['F', 'M'])[1 + n / 7 % 2],
    (array['2106-3', '2054-5', '1002-5', null])[1 + n / 11 % 4], (array['2186-5', '2135-2'])[1 + n / 13 % 2],
    (array['dual', 'medicaid_only'])[1 + n / 17 % 2], lpad((n / 19 % 16 * 2 + 1)::text, 3, '0'), n % 40 = 0, 'FUH-MY2026',
    array['met_by_service: a visit counts', 'enrolment_unknown: no enrolment data'],
    case when stands and status_30 = 'pending' then anchor_on + 31 + time '05:00' end,
    anchor_on + case when stands then interval '10 days' else interval '1 day' end,
    case when not stands then anchor_on + interval '10 days' end, n % 50 = 0,
    case when n % 100 = 0 then ('00000000-0000-7000-8000-1' || lpad(($2::bigint + n * 6271 % $3::bigint)::text, 11, '0'))::uuid end,
    case when n % 50 = 0 then ('00000000-0000-7000-8000-1' || lpad(($2::bigint + n / 50 % $3::bigint)::text, 11, '0'))::uuid end
from discharge join kind k on dice between first and last, unnest(array[null, $4::uuid]) as reader, unnest(array[false, true]) as stands
order by n
"""
"""Each discharge counts for the exchange and for the plan, and was pending for nine days; of fifty one went to another home."""

_TIMERS: Final = """
insert into follow_up (id, encounter_id, home_id, person_id, programs, state, state_reasons, anchor_at, opened_at, clocks, next_due_at,
    next_change_at, updated_at, version, of_reporter_alone)
select ('01900000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('00000000-0000-7000-8000-1' || lpad(($2::bigint + n * 6271 % $3::bigint)::text, 11, '0'))::uuid,
    ('01900000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, '{mainecare_bhh}', 'open', '[]', known_at, known_at, '[]',
    known_at + at, known_at + at, known_at, 1, false
from (
    select n, $4::timestamptz as known_at,
        case when n < $5::bigint then - interval '1 second' * (1 + n) else interval '1 minute' + n * interval '2 seconds' end as at
    from generate_series(0::bigint, $1::bigint - 1) as n
) as one
"""

RATES: Final[Mapping[str, dict[str, Any]]] = {
    "a year": {},
    "by month": {"group_by": "month"},
    "by month, what is over": {"group_by": "month", "mature_only": "true"},
    "by month, contacts alone": {"group_by": "month", "evidence": "contacts"},
    "by facility and month": {"group_by": "facility,month"},
    "by home and quarter": {"group_by": "home,quarter"},
    "by age band": {"group_by": "age_band"},
    "by home, facility and quarter": {"group_by": "home,facility,quarter"},
    "by race and sex": {"group_by": "race,sex"},
    "by geography and month": {"group_by": "geography,month"},
    "by home of day 30 and quarter": {"group_by": "home,quarter", "home_at": "day30"},
    "by age band and sex": {"group_by": "age_band,sex"},
    "by home, age band, race and quarter": {"group_by": "home,age_band,race,quarter"},
    "by home, facility, age band, race and month": {"group_by": "home,facility,age_band,race,month"},
    "by home and month, as was known in July": {"group_by": "home,month", "as_of": f"{YEAR}-07-16T12:00:00Z"},
    "by home, facility, sex and month, as then": {"group_by": "home,facility,sex,month", "as_of": f"{YEAR}-10-16T12:00:00Z"},
    "by home and month, as at a part of a second": {"group_by": "home,month", "as_of": f"{YEAR}-10-16T12:00:00.000001Z"},
    "by home of day 30 and month, as then": {"group_by": "home,month", "home_at": "day30", "as_of": f"{YEAR}-10-16T12:00:00Z"},
}
"""What is asked of every reader."""
RESERVED: Final = 3
"""So many homes are programs of 42 CFR Part 2 in the end: of their patients a plan is not told whose they are."""
_RESERVE: Final = """
update organization set part2_status = 'program'
where id in (select id from organization where kind <> 'hospital' and name like 'Sample place %' order by id limit $1)
"""


class _Overheard:
    """Stands where a connection does, and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Answer nothing."""
        self.asked.append((query, values))
        return []


@dataclass(frozen=True, slots=True)
class Touched:
    """What a statement read."""

    rows: int
    pages: int
    """Of 8 kB, found in memory or not."""
    index: str
    took_ms: float


async def measure(say: Say, title: Callable[[str], None], folder: Path, discharges: int) -> None:
    """Fill the ledgers, and say what they cost."""
    folder.mkdir(exist_ok=True)
    network = await MeasuredNetwork.make(folder / "data", {})
    settings = connection_settings(Network(network.settings.network), Role.OWNER, PoolLimits(), name="ledgers")
    settings.pop("statement_timeout", None)
    owner = await asyncpg.connect(network.url, server_settings=settings)
    try:
        began_s = time.perf_counter()
        await fill(owner, network.organizations[-1].id, discharges)
        title(f"Ledgers of {discharges:,} discharges ({time.perf_counter() - began_s:.0f} s to write)")
        for name, found in (await timers(owner, discharges)).items():
            say(f"timers, {name}", found.pages, "pages", f"{found.rows} rows, {found.index}, {found.took_ms:.1f} ms")
        async with running_service(
            folder / "serve", variables={"HANDOFF_DATA_DIR": str(folder / "data"), "HANDOFF_WORKERS": "1"}
        ) as service:
            server = network.server.server_pid()
            assert server is not None
            of_readers = Readers(say, service, [service.process.pid, server], discharges)
            plan = await of_readers.key_of(network.organizations[-1].id)
            await of_readers.ask("the exchange", None, RATES)
            await of_readers.ask("a plan", plan, RATES)
            await owner.execute(_RESERVE, RESERVED)
            by_home = {name: asked for name, asked in RATES.items() if "home" in name}
            await of_readers.ask(f"a plan, {RESERVED} homes hidden", plan, by_home)
    finally:
        await owner.close()
        await network.close()


async def fill(owner: asyncpg.Connection, plan_id: UUID, discharges: int) -> None:
    """Write the year. Follow-ups without their stays, which nothing that is measured asks for."""
    await owner.execute(_PLACES.replace("$1", str(FACILITIES)).replace("$2", str(HOMES_OF_STATE)))
    await owner.execute(_FEEDS)
    await owner.execute(_LINES, discharges, FACILITIES, HOMES_OF_STATE, plan_id, timeout=1_800)
    while await measure_segments.fold(owner, 1):
        pass
    for row in await owner.fetch("select conname from pg_constraint where conrelid = 'follow_up'::regclass and contype = 'f'"):
        await owner.execute(f"alter table follow_up drop constraint {row['conname']}")
    await owner.execute(_TIMERS, discharges, FACILITIES, HOMES_OF_STATE, datetime.now(UTC), DUE, timeout=1_800)
    for table in (
        "measure_line",
        "measure_segment",
        "measure_word",
        "measure_change",
        "follow_up",
        "feed_hour",
        "feed",
        "organization",
    ):
        await owner.execute(f"vacuum (analyze) {table}", timeout=1_800)


async def timers(owner: asyncpg.Connection, pending: int) -> dict[str, Touched]:
    """Say what the timers' statements read: first, and after many were told and moved on, before anything is vacuumed."""
    found = {f"follow-ups, {DUE} of {pending:,} due": await _read(owner, follow_ups.due_for_change)}
    found["measures, 256 of all that is due"] = await _read(owner, measure_lines.due_for_change)
    await owner.execute(
        "update follow_up set next_change_at = next_change_at + interval '90 days' where id in "
        "(select id from follow_up order by next_change_at limit $1)",
        FIRED,
    )
    for _ in range(2):
        # The first to come by marks what is dead, and the next does not look at it again.
        after = await _read(owner, follow_ups.due_for_change)
    found[f"follow-ups, after {FIRED:,} were told"] = after
    return found


async def _read(owner: asyncpg.Connection, claim: Callable[..., Any]) -> Touched:
    overheard: Any = _Overheard()
    await claim(overheard, datetime.now(UTC), 256)
    ((query, values),) = overheard.asked
    (said,) = json.loads(await owner.fetchval(f"explain (analyze, buffers, format json) {query}", *values))
    scan = said["Plan"]
    pages = scan["Shared Hit Blocks"] + scan["Shared Read Blocks"]
    rows = scan["Actual Rows"]
    while "Plans" in scan:
        (scan,) = scan["Plans"]
    return Touched(int(rows), pages, scan.get("Index Name", "no index"), said["Execution Time"])


@dataclass(frozen=True, slots=True)
class Readers:
    """Whoever asks for rates, over HTTP."""

    say: Say
    service: Service
    roots: list[int]
    discharges: int

    async def key_of(self, organization_id: UUID) -> str:
        """Give an organization a key."""
        async with self.service.client() as operator:
            asked = {"organization_id": public_id(Kind.ORGANIZATION, organization_id), "scopes": ["measures.read"]}
            made = (await operator.post("/v1/keys", json=asked)).raise_for_status()
        name = str(organization_id)
        self.service.keys[name] = made.json()["key"]
        return name

    async def ask(self, reader: str, key: str | None, questions: Mapping[str, dict[str, Any]]) -> None:
        """Ask each several times."""
        async with self.service.client(key) as client:
            for name, asked in questions.items():
                took: list[tuple[float, float]] = []
                for _ in range(TIMES):
                    spent_s, began_s = processor_s(self.roots), time.perf_counter()
                    read = (await client.get("/v1/measures/FUH", params={"period": str(YEAR), **asked})).raise_for_status()
                    took.append(((time.perf_counter() - began_s) * 1000, (processor_s(self.roots) - spent_s) * 1000))
                answer = read.json()
                if not asked.keys() & {"mature_only", "as_of"}:
                    assert sum(answer["total"][part] for part in ("initial_population", "superseded")) <= self.discharges
                best, cpu = min(one for one, _ in took), min(one for _, one in took)
                beside = f"{TARGET}; {cpu:.0f} ms of processor time, {len(answer['groups'])} groups"
                self.say(f"rates of {reader}, {name}", best, "ms", beside)


async def main(discharges: int) -> None:
    """Measure alone."""

    def say(name: str, value: float, unit: str, beside: str = "") -> None:
        print(f"  {name:<70} {value:>10,.1f} {unit:<6} {beside}", flush=True)

    with TemporaryDirectory(prefix="hl-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        await measure(say, print, Path(name), discharges)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else DISCHARGES))
