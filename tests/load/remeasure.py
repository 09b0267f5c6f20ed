"""`python -m tests.load.remeasure [DISCHARGES]`: a year of a state computed anew, with synthetic discharges; prints time and pace.

One stay is really worked on, and its rows are copied for as many people. Not here: whether the result is right (tests/cli/test_measure).
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
from app.pipeline.remeasure import Remeasured, Remeasuring
from app.store.directory import RegistryReader
from app.store.engine import make_engine
from app.store.roles import Network, Role
from tests.api.world import exchange, tell_the_story
from tests.load.machine import memory_megabytes, processor_s
from tests.load.network import MeasuredNetwork

DISCHARGES: Final = 100_000
_YEAR: Final = (date(2026, 1, 1), date(2026, 12, 31))
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


async def main(discharges: int) -> None:
    """Copy, and compute anew twice: into an empty ledger, and compared with what stands."""
    with TemporaryDirectory(prefix="handoff-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        network = await MeasuredNetwork.make(folder / "net", {})
        try:
            await _measured(network, discharges)
        finally:
            await network.close()


async def _measured(network: MeasuredNetwork, discharges: int) -> None:
    where = network.url, Network(network.settings.network)
    work, app = make_engine(*where, Role.WORK, name="load"), make_engine(*where, Role.APP, name="load")
    async with exchange(work, app) as world:
        await tell_the_story(world)
    transaction = wiring.open_transaction(work)
    async with transaction() as raw:
        for table in COPIED:
            await raw.execute(copying(table, discharges))
    rules, clock = wiring.rulebook(), wiring.SystemClock()
    job = Remeasuring(transaction, RegistryReader(), rules, wiring.read_stay(rules, clock), clock)
    server = network.server.server_pid()
    assert server is not None
    for change, what in ((True, "written into an empty ledger"), (False, "compared, nothing to change")):
        pace = Pace(server, discharges)
        done = await job.run(*_YEAR, change=change, on_progress=pace.progress)
        took_s, cpu_s = time.perf_counter() - pace.began_s, pace.spent_s()
        print(
            f"{done.people:,} discharges, {done.lines:,} lines, {done.changed.total():,} changed, {what}: {took_s:,.0f} s, "
            f"{done.lines / took_s:,.0f} lines/s, {done.people / took_s:,.0f} discharges/s; {cpu_s:,.0f} s of processor time here and in "
            f"PostgreSQL, {memory_megabytes(os.getpid()):,.0f} MB here",
            flush=True,
        )
    await work.dispose()
    await app.dispose()


class Pace:
    """What a discharge costs, tenth by tenth: the last tenth is to cost what the first did."""

    def __init__(self, server: int, discharges: int) -> None:
        """Begin now."""
        self.server, self.step = server, max(1, discharges // 10)
        self.began_s, self.used_s = time.perf_counter(), self._processor_s()
        self.people, self.last_s = 0, 0.0

    def spent_s(self) -> float:
        """Give the processor time so far, ours and PostgreSQL's."""
        return self._processor_s() - self.used_s

    def progress(self, done: Remeasured) -> None:
        """Print each tenth."""
        if done.people - self.people >= self.step:
            spent_s = self.spent_s()
            each_ms = (spent_s - self.last_s) / (done.people - self.people) * 1000
            print(f"  {done.people:,} people, {done.lines:,} lines, {each_ms:.2f} ms of processor time a discharge", flush=True)
            self.people, self.last_s = done.people, spent_s

    def _processor_s(self) -> float:
        return time.process_time() + processor_s([self.server])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else DISCHARGES))
