"""What a measurement is read beside: the machine, its flush rate, and the processor time and memory of process trees (Linux, /proc)."""

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
FLUSH_ROWS = 300


@dataclass(frozen=True, slots=True)
class Machine:
    """Printed above every figure."""

    processor: str
    cores: int
    memory_gigabytes: float
    load: float
    """Of the minute before: others who use the machine make every rate smaller, and processor times a little larger."""
    python: str
    postgresql: str
    flushes_per_s: float
    """fdatasync of one block after another, in the folder of the database."""
    commits_per_s: float
    """One row a commit, one client: what a single connection can be acknowledged at most."""


async def describe(folder: Path, url: str) -> Machine:
    """Look at the machine and measure its disk through the file system and through PostgreSQL."""
    connection = await asyncpg.connect(url)
    try:
        version = str(await connection.fetchval("show server_version"))
        await connection.execute("create table if not exists bench_flush (number bigint)")
        started_s = time.perf_counter()
        for number in range(FLUSH_ROWS):
            await connection.execute("insert into bench_flush values ($1)", number)
        commits_per_s = FLUSH_ROWS / (time.perf_counter() - started_s)
        await connection.execute("drop table bench_flush")
    finally:
        await connection.close()
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gigabytes=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        load=os.getloadavg()[0],
        python=platform.python_version(),
        postgresql=version.split(maxsplit=1)[0],
        flushes_per_s=_flushes_per_s(folder),
        commits_per_s=commits_per_s,
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _flushes_per_s(folder: Path) -> float:
    place = folder / "flush"
    block = b"\0" * 8192
    with place.open("wb", buffering=0) as file:
        file.write(block)
        os.fsync(file.fileno())
        started_s = time.perf_counter()
        for _ in range(FLUSH_ROWS):
            file.seek(0)
            file.write(block)
            os.fdatasync(file.fileno())
        took_s = time.perf_counter() - started_s
    place.unlink()
    return FLUSH_ROWS / took_s


def tree_of(root: int) -> set[int]:
    """Give a process and everything below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat:
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
    found, waiting = set(), [root]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += parents.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processor_s(roots: Iterable[int]) -> float:
    """Give the processor time of these trees, with that of their children that have ended."""
    ticks = 0
    for pid in set().union(*(tree_of(root) for root in roots)):
        stat = _stat(pid)
        ticks += sum(map(int, stat[11:15])) if stat else 0
    return ticks / TICKS_PER_S


def memory_megabytes(root: int) -> float:
    """Give what a tree holds for itself, shared pages divided among those who share them (PSS)."""
    total = 0
    for pid in tree_of(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def door_of(root: int) -> int:
    """Give the process of a service's tree that has the doors."""
    return next(pid for pid in sorted(tree_of(root)) if b"app.main" in _command(pid))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def percentile(sorted_values: list[float], percent: float) -> float:
    """Give the value that so many percent do not exceed; NaN of nothing."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * percent / 100))]
