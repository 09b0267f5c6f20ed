"""What this machine gives the embedded server: memory, and the processes that belong to a data folder. Reads only."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_MEBIBYTE = 1024 * 1024
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_PROC = Path("/proc")
_SYNCFS_REPORTS_ERRORS = (5, 8)


def memory_mebibytes() -> int:
    """Give the memory that this process may use: the machine's, or the container's when that is less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [machine]
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return max(1, min(limits) // _MEBIBYTE)


def flushes_whole_filesystems() -> bool:
    """Tell whether syncfs() is there and reports errors (Linux 5.8): one call instead of a flush for each of a thousand files."""
    system = os.uname()
    numbers = re.match(r"(\d+)\.(\d+)", system.release)
    return system.sysname == "Linux" and numbers is not None and (int(numbers[1]), int(numbers[2])) >= _SYNCFS_REPORTS_ERRORS


@dataclass(frozen=True, slots=True)
class ServerProcesses:
    """The processes that work in one data folder, and the processor time they have used (to tell slow from stuck)."""

    pids: frozenset[int]
    ticks: int


def server_processes(data_folder: Path, known_pid: int | None) -> ServerProcesses:
    """Find the processes of the server by their working directory, which PostgreSQL sets to its data folder.

    A process id alone proves nothing: after a reboot or in a new container the number in `postmaster.pid` may be anybody's.
    Where there is no /proc, `known_pid` is believed as long as such a process lives.
    """
    if not (_PROC / "self" / "stat").exists():
        alive = known_pid is not None and _is_alive(known_pid)
        return ServerProcesses(frozenset([known_pid]) if alive and known_pid is not None else frozenset(), 0)
    wanted = os.path.realpath(data_folder)
    pids, ticks = set(), 0
    for process in _PROC.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if str((process / "cwd").readlink()) != wanted:
                continue
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile, or is not ours to look at
        if fields[0] in "ZX":
            continue
        pids.add(int(process.name))
        ticks += int(fields[11]) + int(fields[12])
    return ServerProcesses(frozenset(pids), ticks)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
