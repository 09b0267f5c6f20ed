"""Who uses the embedded server, kept by the kernel: file locks end with their process, also after `kill -9`. Never counters.

Two files: `server.lock` is held exclusively while the server is started, adopted or stopped; `users.lock` is held shared by every
user for as long as it uses the server, so whoever can take it exclusively is the last one. The files are never removed: a lock on
a file that has lost its name excludes nobody.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the file exclusively, waiting as long as it takes."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class UserLock:
    """One user's shared hold on the server."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = _open(path)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Tell whether no other user is left. Only meaningful while `server.lock` is held."""
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go. Harmless when done twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open(path: Path) -> int:
    # Close-on-exec (Python's default): a program that we start does not become a user of the server by accident.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
