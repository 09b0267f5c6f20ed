"""One PostgreSQL for the whole run, shared by all workers: TEST_DATABASE_URL, or an embedded one that the last worker stops.

Not here: databases in it (databases.py).
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.folders import ServerFolders
from adapters.postgresql.locks import UserLock, exclusive

_PREFIX = "handoff-tests-"
_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 8 * 1024**3
"""A run takes two or three; where containers are given 64 MB, the disk has to do."""


@contextmanager
def server_of_run(run_id: str) -> Iterator[str]:
    """Give the address of the run's server."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        yield url
        return
    _sweep()
    folder = _place() / f"{_PREFIX}{run_id}"
    folder.mkdir(mode=0o700, exist_ok=True)
    server = EmbeddedPostgres(folder, durable=False)
    yield server.start()
    server.release()
    _remove_if_unused(folder)


def _place() -> Path:
    """Give where the server lies: in memory if there is room, for to copy a database there takes an eighth of the processor time."""
    try:
        found = os.statvfs(_IN_MEMORY)
    except OSError:
        return Path(gettempdir())
    # The server's programs may have to be copied beside its data.
    fits = found.f_bavail * found.f_frsize >= _ROOM_BYTES and not found.f_flag & os.ST_NOEXEC
    return _IN_MEMORY if fits and os.access(_IN_MEMORY, os.W_OK) else Path(gettempdir())


def _sweep() -> None:
    """End and remove the servers of runs that were killed: their folders have no user any more."""
    for folder in (*_IN_MEMORY.glob(f"{_PREFIX}*"), *Path(gettempdir()).glob(f"{_PREFIX}*")):
        # Another worker or run may sweep at the same moment.
        with suppress(FileNotFoundError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                _remove_if_unused(folder)


def _remove_if_unused(folder: Path) -> None:
    folders = ServerFolders.inside(folder)
    if not folders.users_lock.exists():
        return  # being made just now, or being removed by another worker
    with exclusive(folders.server_lock):
        lock = UserLock(folders.users_lock)
        is_last = lock.is_last()
        lock.close()
    if is_last:
        leftover = EmbeddedPostgres(folder, durable=False)
        if leftover.server_pid() is not None:
            leftover.start()
            leftover.release()
        shutil.rmtree(folder, ignore_errors=True)
