"""Waits for a server for as long as it does anything at all. Not here: what is waited for, and what happens then."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.machine import ServerProcesses

LOG_TAIL_BYTES = 2000
_PAUSE_S = 0.02
_LOOK_EVERY_S = 1.0


class Patience:
    """Ends only with a standstill: no byte in the log, no processor time used, no process come or gone for `stalled_after_s`.

    Recovery after a crash may take hours; it writes a line a second while it works (`log_startup_progress_interval`).
    """

    def __init__(
        self,
        complaint: str,
        look: Callable[[], ServerProcesses],
        log: Path,
        *,
        stalled_after_s: float,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self._complaint = complaint
        self._look = look
        self._log = log
        self._stalled_after_s = stalled_after_s
        self._on_wait = on_wait
        self._started_s = self._moved_s = self._looked_s = time.monotonic()
        self._seen: tuple[ServerProcesses, int] | None = None

    @property
    def still_for_s(self) -> float:
        """How long nothing has moved, as of the last look."""
        return self._looked_s - self._moved_s

    def pause(self) -> None:
        """Wait a moment; about once a second look, tell, and raise when nothing has moved for too long."""
        time.sleep(_PAUSE_S)
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        seen = (self._look(), self._log.stat().st_size if self._log.exists() else 0)
        if seen != self._seen:
            self._seen, self._moved_s = seen, now_s
        elif now_s - self._moved_s > self._stalled_after_s:
            pids = ", ".join(str(pid) for pid in sorted(seen[0].pids)) or "none"
            msg = (
                f"{self._complaint}: nothing has moved for {self._stalled_after_s:.0f} s (processes: {pids}). "
                f"Look at {self._log}, end those processes if they hang, and try again. It said last: {log_tail(self._log)}"
            )
            raise EmbeddedPostgresError(msg)
        if self._on_wait is not None:
            self._on_wait(now_s - self._started_s)


def log_tail(log: Path, start: int = 0) -> str:
    """Give the end of what was written to the log since `start`, at most a screen of it."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return "nothing"
