"""`python -m tests.load.remeasure [DISCHARGES [PROCESSES]]`: a year of a state computed anew; prints time and pace, tenth by tenth.

One stay is really worked on, and its rows are copied for as many people. Then the rules of one measure change: first what would be
changed, then the change, as `handoff measure recompute` does it. Not here: whether the result is right (tests/cli/test_measure).
"""

import asyncio
import os
import sys
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from app import wiring
from app.cli.measure_hands import open_hands, remeasuring
from app.pipeline.remeasure import Remeasured
from app.store.engine import make_engine
from app.store.roles import Network, Role
from tests.api.world import exchange, tell_the_story
from tests.load.machine import memory_megabytes, processor_s, tree_of
from tests.load.network import MeasuredNetwork

DISCHARGES: Final = 100_000
_YEAR: Final = (date(2026, 1, 1), date(2026, 12, 31))
RUNS: Final = (
    (True, None, "Written into an empty ledger"),
    (False, "update measure_line set rule_version = 'FUH-MY2020' where measure = 'FUH' and known_to is null", "What would change"),
    (True, None, "Changed"),
    (False, None, "Nothing to change"),
)
"""Whether it is written, what is done before, and what to call it."""
COPIED: Final = {
    "person": {"id": "P"},
    "patient_record": {"id": "R", "person_id": "P", "value": "V"},
    "encounter": {"id": "E", "person_id": "P", "record_id": "R", "visit_number": "V"},
    "panel_member": {"id": "M", "person_id": "P", "record_id": "R", "row_key": "K"},
}
"""Table -> the columns that a copy has of its own."""
_VALUES: Final = {
    "P": "md5('p' || n)",
    "R": "md5('r' || x.{record} || n)",
    "E": "md5('e' || n)",
    "M": "md5('m' || x.id || n)",
    "V": "x.{value} || '-' || n",
    "K": "'\\x' || md5(x.id || 'k' || n)",
}
_RECORD: Final = {"patient_record": "id", "encounter": "record_id", "panel_member": "record_id"}
_VALUE: Final = {"patient_record": "value", "encounter": "visit_number"}


def copying(table: str, copies: int) -> str:
    """Write the statement that copies every row of a table so many times."""
    own = ", ".join(
        f"'{column}', {_VALUES[kind].format(record=_RECORD.get(table, 'id'), value=_VALUE.get(table, 'id'))}"
        for column, kind in COPIED[table].items()
    )
    copy = f"jsonb_populate_record(null::{table}, to_jsonb(x) || jsonb_build_object({own}))"
    return f"insert into {table} select r.* from {table} x, generate_series(1, {copies}) as n, lateral {copy} as r"  # noqa: S608


async def main(discharges: int, jobs: int) -> None:
    """Copy, fill the ledger, and let the rules of a measure change."""
    with TemporaryDirectory(prefix="handoff-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        network = await MeasuredNetwork.make(folder / "net", {})
        try:
            await _measured(network, discharges, jobs)
        finally:
            await network.close()


async def _measured(network: MeasuredNetwork, discharges: int, jobs: int) -> None:
    where = network.url, Network(network.settings.network)
    work, app = make_engine(*where, Role.WORK, name="load"), make_engine(*where, Role.APP, name="load")
    async with exchange(work, app) as world:
        await tell_the_story(world)
    transaction = wiring.open_transaction(work)
    async with transaction() as raw:
        for table in COPIED:
            await raw.execute(copying(table, discharges))
    server = network.server.server_pid()
    assert server is not None
    job = remeasuring(work, wiring.SystemClock())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {jobs} processes", flush=True)
    async with open_hands(job, network.url, jobs, discharges) as hands:
        for change, before, what in RUNS:
            if before is not None:
                async with transaction() as raw:
                    await raw.execute(before)
            pace = Pace(server, discharges)
            done = await job.run(*_YEAR, hands.of(change=change), pace.progress)
            print(f"{what}: {pace.told(done)}", flush=True)
    await work.dispose()
    await app.dispose()


class Pace:
    """What a discharge costs, tenth by tenth: the last tenth is to cost what the first did."""

    def __init__(self, server: int, discharges: int) -> None:
        """Begin now."""
        self.server, self.step = server, max(1, discharges // 10)
        self.began_s, self.used_s, self.of_server_s = time.perf_counter(), processor_s([os.getpid()]), processor_s([server])
        self.people, self.lines, self.last_s, self.spent_s = 0, 0, self.began_s, 0.0

    def progress(self, done: Remeasured) -> None:
        """Print each tenth."""
        if done.people - self.people >= self.step:
            now_s, spent_s, _ = self._spent_s()
            people, took_s = done.people - self.people, now_s - self.last_s
            print(
                f"  {done.people:,} people: {took_s:,.1f} s, {(done.lines - self.lines) / took_s:,.0f} lines/s, {people / took_s:,.0f} "
                f"discharges/s, {(spent_s - self.spent_s) / people * 1000:.2f} ms of processor time a discharge, "
                f"{self._memory()}",
                flush=True,
            )
            self.people, self.lines, self.last_s, self.spent_s = done.people, done.lines, now_s, spent_s

    def told(self, done: Remeasured) -> str:
        """Say what the whole cost."""
        now_s, spent_s, of_server_s = self._spent_s()
        took_s = now_s - self.began_s
        return (
            f"{done.people:,} discharges, {done.lines:,} lines, {done.changed.total():,} changed: {took_s:,.0f} s, "
            f"{done.lines / took_s:,.0f} lines/s, {done.people / took_s:,.0f} discharges/s; {spent_s:,.0f} s of processor time "
            f"({spent_s / done.people * 1000:.2f} ms a discharge), {of_server_s:,.0f} s of it PostgreSQL's; {self._memory()}"
        )

    def _spent_s(self) -> tuple[float, float, float]:
        """Give the time, and the processor time so far: all of it, and PostgreSQL's."""
        of_server_s = processor_s([self.server]) - self.of_server_s
        # PostgreSQL's are children of ours, or not: that depends on who started it.
        return time.perf_counter(), processor_s([os.getpid(), self.server]) - self.used_s, of_server_s

    def _memory(self) -> str:
        ours = memory_megabytes(os.getpid()) - (memory_megabytes(self.server) if self.server in tree_of(os.getpid()) else 0)
        return f"{ours:,.0f} MB in our processes"


if __name__ == "__main__":
    _sizes = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*[*_sizes, *(DISCHARGES, os.cpu_count() or 1)[len(_sizes) :]]))
