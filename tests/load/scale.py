"""What it costs that the index holds two million people and not ten thousand, and that millions of messages are stored (P6).

    python -m tests.load.scale [--people 10000 2000000] [--messages 4000] [--seconds 300] [--json FILE]

The same traffic about the same people, in the same database, before and after it is filled: a message end to end, how a record is
found by its name, how a newcomer and a change are identified, and who is looked for by the keys of the comparison, with the plans. A figure
is processor time, ours and PostgreSQL's, because it does not depend on who else uses the machine. Not here: the people (`crowd`).
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import asyncpg
import uvloop

from app import wiring
from app.actions.identify import identify
from app.domain.adt_event import Identifier
from app.domain.identity_plan import Frontier
from app.domain.person import ADT_SOURCE, RecordClaim
from app.domain.scoring import BLOCK_RECORDS_MAX
from app.store import matches, people
from app.store.engine import PoolLimits, connection_settings
from app.store.raw import Raw
from app.store.roles import Role
from tests.load.bench import NETWORK, QUICK, Bench
from tests.load.crowd import AT_ONCE, fill, store_messages
from tests.load.machine import describe, processor_s
from tests.load.network import MeasuredNetwork
from tests.load.traffic import MESSAGES_PER_STAY, Mix

SAMPLE: Final = 500
"""People who are asked about in one batch."""
TIMES: Final = 6
READ_WHOLE_BELOW: Final = 50_000
"""Of fewer people a large batch is rightly found by reading them all."""
PAGES_SHOWN: Final = 40
STATISTICS_AFTER_S: Final = 2.0
PEOPLE_OF_THE_TRAFFIC: Final = 5_000
P3B: Final = "P3b processor time a message, rooms 3-7 and comparing"


@dataclass(slots=True)
class Sized:
    """What was measured at one size."""

    people: int
    messages: int
    figures: dict[str, float] = field(default_factory=dict)
    plans: dict[str, str] = field(default_factory=dict)


class Scale:
    """One run."""

    def __init__(self, network: MeasuredNetwork, folder: Path, owner: asyncpg.Connection, messages: int) -> None:
        """Begin with an empty database."""
        self.bench = Bench(network, folder, QUICK, 1)
        self.network, self.owner, self.messages = network, owner, messages
        self.transaction = wiring.open_transaction(network.engine("scale"))
        self.people, self.serial, self.now = 0, 0, datetime.now(UTC)
        self.chance = random.Random(7)
        server = network.server.server_pid()
        assert server is not None
        self.server = server

    async def fill(self, count: int) -> None:
        """Let the index hold so many people."""
        began_s = time.perf_counter()
        await fill(self.owner, self.network.organizations[-1].id, self.people, count)
        self.people = count
        sys.stdout.write(f"\n{count:,} people in the index ({time.perf_counter() - began_s:.0f} s to fill)\n")

    async def measure(self) -> Sized:
        """Measure everything at the present size."""
        sized = Sized(self.people, await self.owner.fetchval("select count(*) from inbound_message"))
        await self._traffic(sized)
        who = [self.chance.randrange(self.people) for _ in range(SAMPLE)]
        own = [(ADT_SOURCE, Identifier(f"HOSP{one % 3}", "MR", f"C{one}")) for one in who]
        ids = [UUID(f"01800000-0000-7000-8000-{one:012x}") for one in who]
        async with self.transaction() as raw:
            keys = [row["key"] for row in await raw.fetch(_KEYS, ids)]

        async def by_name(raw: Raw) -> None:
            assert len(await people.find_own(raw, own)) == len(set(own))

        async def newcomers(raw: Raw) -> None:
            claims = [self._claim(Identifier("HOSP0", "MR", f"N{self.chance.random()}"), f"Testa{place}") for place in range(SAMPLE)]
            assert len(await identify(raw, claims, ids=self.network.ids, now=self.now)) == SAMPLE

        async def changes(raw: Raw) -> None:
            found = await identify(
                raw, [self._claim(one, f"Testa{place}") for place, (_, one) in enumerate(own)], ids=self.network.ids, now=self.now
            )
            assert len(found) == SAMPLE

        held: dict[int, matches.Held] = {}

        async def alike(raw: Raw) -> None:
            held.update(await matches.holders(raw, dict.fromkeys(keys, BLOCK_RECORDS_MAX + 1)))

        await self._timed(sized, "record found by its name", by_name)
        await self._timed(sized, "newcomer identified and stored", newcomers)
        await self._timed(sized, "another name of a known record, identified and stored", changes)
        await self._timed(sized, "record looked for by its blocking keys", alike)
        found = sum(len(one.records) - 1 for one in held.values() if len(one.records) <= BLOCK_RECORDS_MAX) / SAMPLE
        full = sum(len(one.records) > BLOCK_RECORDS_MAX for one in held.values())
        self._say(
            sized,
            "records found by them, each key for itself",
            found,
            "a record",
            f"{full} of {len(keys):,} keys find nobody: too many have them",
        )
        sized.plans |= await self._plans(own, keys)
        return sized

    def _claim(self, own: Identifier, first: str) -> RecordClaim:
        facts = {"first_name": first, "last_name": f"Sample{self.chance.randrange(10**6)}", "birth_date": "1970-02-03", "sex": "F"}
        return RecordClaim(ADT_SOURCE, own, (own,), "9999", facts)

    async def _timed(self, sized: Sized, what: str, work: Callable[[Raw], Awaitable[None]]) -> None:
        spent_s, began_s = [], time.perf_counter()
        for _ in range(TIMES):
            before_s = time.process_time() + processor_s([self.server])
            async with self.transaction() as raw:
                # Nothing that is tried stays.
                await raw.execute("savepoint tried")
                await work(raw)
                await raw.execute("rollback to savepoint tried")
            spent_s.append(time.process_time() + processor_s([self.server]) - before_s)
        took_s = time.perf_counter() - began_s
        # The first reads pages that no other did.
        cost_us = sorted(spent_s)[len(spent_s) // 2] / SAMPLE * 1e6
        self._say(sized, what, cost_us, "us", f"{SAMPLE * TIMES / took_s:,.0f}/s beside whoever else is at work")

    def _say(self, sized: Sized, name: str, value: float, unit: str, beside: str = "") -> None:
        sized.figures[name] = value
        self.bench.say(name, value, unit, beside)

    async def _traffic(self, sized: Sized) -> None:
        """Work off a backlog about the same people as every other time."""
        self.serial += 1
        stays = self.messages // MESSAGES_PER_STAY
        mix = Mix(people=PEOPLE_OF_THE_TRAFFIC, stays=stays, until=self.now - timedelta(days=20 * self.serial), serial=self.serial)
        before = await self._pages()
        await self.bench.backlog(mix, self.owner)
        sized.figures["message end to end"] = self.bench.figures[P3B] * 1000
        touched = {name: count - before.get(name, 0) for name, count in (await self._pages()).items()}
        total = sum(touched.values()) / self.messages
        self._say(sized, "pages touched by a message", total, "pages", "of every table and index; no clock in it")
        for name in sorted(touched, key=lambda one: -touched[one])[:PAGES_SHOWN]:
            # Which those are is another answer at each size: no figure to compare.
            self.bench.say(f"  of them {name}", touched[name] / self.messages, "pages")

    async def _pages(self) -> dict[str, int]:
        """Give how many pages were asked for so far, by table (with what is stored apart of it) and index."""
        # Connections report what they did once a second.
        await asyncio.sleep(STATISTICS_AFTER_S)
        return {row["name"]: row["pages"] for row in await self.owner.fetch(_PAGES)}

    async def _plans(self, own: Sequence[tuple[str, Identifier]], keys: Sequence[int]) -> dict[str, str]:
        overheard = _Overheard()
        await people.find_own(overheard, own)
        frontier = Frontier(own=set(own), identifiers={(one.authority, one.value) for _, one in own}, demographic_keys=set(keys[:SAMPLE]))
        await people.neighbours(overheard, frontier)
        await matches.holders(overheard, dict.fromkeys(keys, BLOCK_RECORDS_MAX + 1))
        plans = {}
        async with self.transaction() as raw:
            for name, (query, values) in zip(("by name", "neighbours", "by blocking keys"), overheard.asked, strict=True):
                lines = [row[0] for row in await raw.fetch(f"explain (analyze, buffers, timing off, costs off) {query}", *values)]
                plans[name] = "\n".join(lines)
                sys.stdout.write(f"  plan of a search {name}, {SAMPLE} people:\n")
                wanted = [line for line in lines if any(word in line for word in ("Scan", "Buffers: shared", "Execution"))]
                sys.stdout.write("".join(f"    {line.strip()}\n" for line in wanted))
                is_read_whole = any("Seq Scan on" in line for line in lines)
                assert self.people < READ_WHOLE_BELOW or not is_read_whole, "a table is read whole"
        return plans


_PAGES: Final = """
select relname as name, coalesce(heap_blks_read + heap_blks_hit, 0) + coalesce(toast_blks_read + toast_blks_hit, 0)
    + coalesce(tidx_blks_read + tidx_blks_hit, 0) as pages
from pg_statio_user_tables
union all
select indexrelname, idx_blks_read + idx_blks_hit from pg_statio_user_indexes
"""
_KEYS: Final = """
select hashtextextended(k.key, 0) as key
from patient_record r
cross join lateral (
    select f ->> 'last_name' as last, f ->> 'first_name' as first, f ->> 'birth_date' as born, f ->> 'phone' as phone
    from (select r.demographics -> '0000' as f) one
) c
cross join lateral unnest(array[
    'last-born|' || c.last || c.born, 'first-born|' || c.first || c.born, 'names-born|' || c.first || c.last || c.born,
    'names-year|' || c.last || c.first || left(c.born, 4), 'names-day|' || c.last || c.first || replace(substr(c.born, 6), '-', ''),
    'phone-first|' || c.phone || c.first
]) as k(key)
where r.id = any($1::uuid[])
"""


class _Overheard:
    """Takes what would be asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        self.asked.append((query, values))
        return []


def compare(sizes: Sequence[Sized]) -> dict[str, float]:
    """Say what grew between the first size and each other, in percent."""
    first, grown = sizes[0], {}
    for sized in sizes[1:]:
        sys.stdout.write(f"\nFrom {first.people:,} people and {first.messages:,} messages to {sized.people:,} and {sized.messages:,}\n")
        for name, value in sized.figures.items():
            if first.figures.get(name):
                grown[name] = (value / first.figures[name] - 1) * 100
                sys.stdout.write(f"  {name:<58} {grown[name]:>+9.0f} %   {first.figures[name]:,.1f} -> {value:,.1f}\n")
    return grown


async def run(sizes: Sequence[int], messages: int, seconds: float, folder: Path) -> list[Sized]:
    """Measure at every size; then store messages for so long, and measure once more."""
    network = await MeasuredNetwork.make(folder / "data", {"HANDOFF_WORKERS": "1"})
    owner = await asyncpg.connect(network.url, server_settings=connection_settings(NETWORK, Role.OWNER, PoolLimits(), name="scale"))
    try:
        scale, found = Scale(network, folder, owner, messages), []
        machine = await describe(folder, network.url)
        sys.stdout.write(f"{machine.processor}, {machine.cores} cores, {machine.memory_gigabytes} GB, load {machine.load:.1f}\n")
        await network.load_panels(Mix(people=PEOPLE_OF_THE_TRAFFIC, stays=0, until=scale.now))
        # Once beforehand, so that nobody of the traffic is new at one size and known at another.
        await scale._traffic(Sized(0, 0))
        for size in sizes:
            await scale.fill(size)
            found.append(await scale.measure())
        if seconds:
            ends_s, stored = time.perf_counter() + seconds, 0
            while time.perf_counter() < ends_s:
                await store_messages(owner, stored, AT_ONCE // 4)
                stored += AT_ONCE // 4
            await owner.execute("vacuum (analyze)")
            sys.stdout.write(f"\nMessages stored for {seconds:g} s\n")
            found.append(await scale.measure())
        compare(found)
        return found
    finally:
        await owner.close()
        await network.close()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.scale", description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 2_000_000])
    parser.add_argument("--messages", type=int, default=4_000, help="of the backlog that is worked off at each size")
    parser.add_argument("--seconds", type=float, default=300, help="for so long, messages are stored before the last measurement")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="hs-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        found = uvloop.run(run(given.people, given.messages, given.seconds, Path(folder)))
    if given.json:
        given.json.write_text(
            json.dumps([{"people": one.people, "messages": one.messages, **one.figures} for one in found], indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
