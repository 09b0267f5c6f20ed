"""One roster of any size, streamed and loaded by a process of its own, while a steady feed goes on (P7).

    python -m tests.load.rosters URL ORGANIZATION_ID ROWS     loads it, and prints what each step took, a line of JSON a load

Three times: about people whom nobody knows yet, the dearest kind; the same file again; and with a change in one row of twenty. Not here:
the feed (`bench`), the panels of the measured network.
"""

import gc
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from tempfile import TemporaryFile
from typing import IO, Any, Final
from uuid import UUID

import uvloop

from adapters.files.roster_csv import RosterCsv
from app import wiring
from app.actions.load_panel import PIECE_BYTES, Upload, load_panel
from app.domain.organization import Organization, OrganizationKind
from app.domain.panel import UploadMode, roster_sort_key
from app.domain.roster import layout_of
from app.domain.roster_columns import RosterReader
from app.domain.roster_row import RosterRow, claim_of_row
from app.settings import load_settings
from app.store.panel_stage import Stage, open_stage
from app.store.roles import Role
from app.wiring.panels import panel_services
from tests.load.limits import Say
from tests.load.machine import processor_s
from tests.load.townsfolk import medicaid_of, townsman

FIRST_PERSON: Final = 20_000_000
"""Beyond everybody of the traffic."""
LINES_A_PIECE: Final = 1_000
CHANGED_ONE_IN: Final = 20
FIRST, AGAIN, CHANGED = "first load", "unchanged reload", "reload with 5 % changed"
STEPS: Final = ("add", "drop_repetitions", "compare", "unidentified", "admit", "save_records", "make_room", "apply", "catch_up")
_HEADER: Final = "medicaid_id,first_name,last_name,birth_date,sex,phone,program,effective_from\n"


def lines(rows: int, *, is_changed: bool = False) -> Iterable[bytes]:
    """Write the file in pieces; never more of it than one piece is there. `is_changed`: one row in twenty has another phone."""
    yield _HEADER.encode()
    for start in range(0, rows, LINES_A_PIECE):
        people = range(FIRST_PERSON + start, FIRST_PERSON + min(rows, start + LINES_A_PIECE))
        yield "".join([_line(person, is_changed=is_changed and person % CHANGED_ONE_IN == 0) for person in people]).encode()


def _line(person: int, *, is_changed: bool) -> str:
    one = townsman(person)
    last = (int(one.cell[-1]) + is_changed) % 10
    phone = f"{one.cell[:3]}-{one.cell[3:6]}-{one.cell[6:-1]}{last}"
    return f"{medicaid_of(person)},{one.first},{one.last},{one.born},{one.sex},{phone},BHH,2026-01-01\n"


async def _stream(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


class _Timed:
    """A stage whose steps are timed. Inside a transaction too, so the sum of the steps is near the whole."""

    def __init__(self, stage: Stage, took_s: Counter[str]) -> None:
        self._stage, self._took_s = stage, took_s

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stage, name)
        return timed(name, found, self._took_s) if name in STEPS else found


def timed(name: str, call: Callable[..., Awaitable[Any]], took_s: Counter[str]) -> Callable[..., Awaitable[Any]]:
    """Add up what the calls take."""

    async def measured(*values: Any, **named: Any) -> Any:
        started_s = time.perf_counter()
        try:
            return await call(*values, **named)
        finally:
            took_s[name] += time.perf_counter() - started_s

    return measured


def reading_us(rows: int, organization: Organization) -> dict[str, float]:
    """Give the processor time a row of each step that needs no database, in microseconds."""
    file, clock = b"".join(lines(rows)), wiring.SystemClock()
    now, spent = clock.now(), {}
    csv, started_s = RosterCsv(), time.process_time()
    pieces = [csv.feed(file[start : start + PIECE_BYTES]) for start in range(0, len(file), PIECE_BYTES)] + [csv.close()]
    spent["bytes cut into rows"] = time.process_time() - started_s
    assert csv.header is not None
    reader, started_s = RosterReader(layout_of(csv.header), organization, now.date()), time.process_time()
    taken = [row for raws in pieces for row in reader.read(raws)]
    spent["rows checked"] = time.process_time() - started_s
    started_s = time.process_time()
    for row in taken:
        assert isinstance(row, RosterRow)
        claim_of_row(row.cells, organization.id, roster_sort_key(now, row.number))
    spent["claims made"] = time.process_time() - started_s
    return {name: seconds / rows * 1e6 for name, seconds in spent.items()}


async def load(url: str, organization_id: UUID, rows: int, tell: Callable[[dict[str, Any]], None]) -> None:
    """Load the roster three times, and tell what each took when it is done."""
    clock = wiring.SystemClock()
    organization = Organization(organization_id, "Sample", OrganizationKind.PLAN, clock.now(), time_zone="America/New_York")
    settings, took_s, backend_s = load_settings({}), Counter[str](), 0.0
    engine = wiring.engine_of(settings, url, Role.WORK, name="roster")
    services = panel_services(settings, engine, wiring.SystemIds())

    @asynccontextmanager
    async def open_timed(whose: UUID) -> AsyncIterator[Any]:
        nonlocal backend_s
        async with open_stage(engine, whose) as stage:
            server = stage._raw.get_server_pid()
            before_s = processor_s([server])
            yield _Timed(stage, took_s)
            backend_s = processor_s([server]) - before_s

    # As the processes of the service do (app/main).
    gc.freeze()
    gc.set_threshold(wiring.GARBAGE_AFTER)
    sys.setswitchinterval(wiring.THREAD_TURN_S)
    services = replace(services, open_stage=open_timed, identify=timed("identify", services.identify, took_s))
    before_mb = _peak_mb()
    for name in (FIRST, AGAIN, CHANGED):
        changed = sum(person % CHANGED_ONE_IN == 0 for person in range(FIRST_PERSON, FIRST_PERSON + rows))
        expected = {FIRST: (rows, 0), AGAIN: (0, 0), CHANGED: (0, changed)}[name]
        # Written beforehand: drawing people is no part of what is measured.
        with TemporaryFile() as file:
            file.writelines(lines(rows, is_changed=name == CHANGED))
            file.seek(0)
            took_s.clear()
            started_s, spent_s = time.perf_counter(), time.process_time()
            result = await load_panel(services, organization, _stream(file), Upload(UploadMode.DELTA), now=clock.now())
            whole_s, spent_s = time.perf_counter() - started_s, time.process_time() - spent_s
        assert (result.accepted, result.difference.added, result.difference.changed) == (rows, *expected), result.summary()
        tell({
            "load": name,
            "rows_per_s": rows / whole_s,
            "client_us_a_row": spent_s / rows * 1e6,
            "backend_us_a_row": backend_s / rows * 1e6,
            "steps_us_a_row": {step: seconds / rows * 1e6 for step, seconds in took_s.most_common()},
        })  # fmt: skip
    await engine.dispose()
    peak_mb = _peak_mb()
    # Last, because it holds its rows.
    reading = reading_us(min(rows, 100_000), organization)
    tell({"reading_us_a_row": reading, "memory_before_mb": before_mb, "memory_peak_mb": peak_mb})


def report(say: Say, told: bytes) -> None:
    """Print what three loads took, by what their process wrote."""
    *loads, took = map(json.loads, told.splitlines())
    for one in loads:
        name = one["load"]
        say(f"P7 roster rows, {name}", one["rows_per_s"], "rows/s", "read to committed, beside the feed; must 16,700, aim 50,000")
        say(f"roster, {name}, processor time of its process", one["client_us_a_row"], "us/row")
        say(f"roster, {name}, the same of its PostgreSQL backend", one["backend_us_a_row"], "us/row")
        say(f"roster, {name}, both", (one["client_us_a_row"] + one["backend_us_a_row"]) / 1000, "s/1,000 rows")
    for name, cost_us in {**took["reading_us_a_row"], **loads[0]["steps_us_a_row"]}.items():
        say(f"roster, {FIRST}, {name.replace('_', ' ')}", cost_us, "us/row")
    say("roster, memory of its process at most", took["memory_peak_mb"], "MB", f"{took['memory_before_mb']:.0f} before")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _tell(found: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(found)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asked_url, asked_organization, asked_rows = sys.argv[1:]
    uvloop.run(load(asked_url, UUID(asked_organization), int(asked_rows), _tell))
    sys.exit(0)
