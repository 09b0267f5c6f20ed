"""Whether a process that gives no sign of life is dead or only busy: by the processor time that it uses, as its parent sees it.

On a full machine a process of low priority has a few hundredths of a core, and a batch that takes a second of it half a minute; whoever
killed it then would only have it begin again. One that gets on is left alone, one that uses nothing is frozen, and one that had its
full time without a sign runs in a circle. Not here: what follows (the supervisor).
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_AFTER_NAME: Final = 2
_USER_TICKS, _SYSTEM_TICKS = 11, 12
"""Fields 14 and 15 of /proc/PID/stat, counted from the one after the program's name."""


def processor_s(pid: int) -> float | None:
    """Give the processor time that a process has used; None where the system does not tell it in a file (only Linux does)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[_AFTER_NAME].split()
        return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


@dataclass(slots=True)
class Vigil:
    """The watch over one place in the tree, whichever process has it just now."""

    pid: int = 0
    silent_s: float = 0.0
    used_s: float | None = None
    used_at_sign_s: float = 0.0
    """What it had used at its last sign of life."""
    moved_at_s: float = 0.0
    """When it was last seen to use the processor, or to give a sign."""
    looked_at_s: float = 0.0

    def look(self, pid: int, silent_s: float, used_s: float | None, now_s: float) -> None:
        """Note what is seen of the process: since when it is silent, and what it has used of the processor."""
        gave_sign = pid != self.pid or silent_s < self.silent_s + (now_s - self.looked_at_s) / 2
        if gave_sign or (used_s is not None and self.used_s is not None and used_s > self.used_s):
            self.moved_at_s = now_s
        if gave_sign:
            self.used_at_sign_s = used_s or 0.0
        self.pid, self.silent_s, self.used_s, self.looked_at_s = pid, silent_s, used_s, now_s

    def is_frozen(self, longer_than_s: float) -> bool:
        """Tell whether it neither gave a sign nor got on for longer than this."""
        return self.silent_s > longer_than_s and self.looked_at_s - self.moved_at_s > longer_than_s

    def is_dead(self, longer_than_s: float) -> bool:
        """Tell whether it is frozen, or had so much processor time since its last sign that it will give none."""
        has_spun = self.used_s is not None and self.used_s - self.used_at_sign_s > longer_than_s
        return self.silent_s > longer_than_s and (has_spun or self.is_frozen(longer_than_s))
