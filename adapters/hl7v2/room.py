"""How many bytes all MLLP connections of a process hold together, without I/O: frames on their way, and messages until they are answered.

What is full is emptied by turning out whoever has held the most for the longest without a message of it having begun, strangers first:
its sender is told to send again, and what was acknowledged is in the database. Where half of it is being worked on and the rest is of
known senders, nobody is read until some of it is answered. Not here: the connections (`connection`), and what one of them may have in
flight (`window`).
"""

from collections.abc import Callable
from typing import Final, Protocol

_LOW: Final = 8
"""A full room is emptied by this part of it, so that not every chunk looks for somebody to turn out."""
_CRUMBS: Final = 16
"""All frames that are not worth turning out for have this part of the room together."""


class Tenant(Protocol):
    """A connection, as the room sees it."""

    @property
    def unbegun_bytes(self) -> int:
        """What it holds of messages that have not begun: it can be let go of, for nothing was promised."""
        ...

    def standing_of(self, now: float) -> tuple[bool, float]:
        """Tell whether it was welcome before, and for how long it has held something unbegun."""
        ...

    def turn_out(self) -> None:
        """Let go of what has not begun, say so, and close after what has."""
        ...

    def mind_room(self) -> None:
        """Read only while there is room."""
        ...

    def read_later(self) -> None:
        """Read again when it is its turn."""
        ...


class Room:
    """One for all listeners of a process. The clock is the loop's."""

    def __init__(self, bytes_max: int, clock: Callable[[], float]) -> None:
        """Begin empty."""
        self.bytes_max = bytes_max
        self.held_bytes = 0
        self.is_full = False
        """So much of it is being worked on that waiting makes room: nobody is read."""
        self.turned_out = 0
        """Connections that had to go."""
        self.times_full = 0
        self._clock = clock
        self._low = bytes_max - bytes_max // _LOW
        self._tenants: dict[Tenant, int] = {}
        self._is_settling = False

    def enter(self, tenant: Tenant) -> None:
        """Take a connection in."""
        self._tenants[tenant] = 0

    def leave(self, tenant: Tenant) -> None:
        """Let go of a connection and what it held."""
        self.held_bytes -= self._tenants.pop(tenant, 0)
        self._settle()

    def hold(self, tenant: Tenant, held_bytes: int) -> None:
        """Note what a connection holds now; somebody may be turned out for it, this one too."""
        if tenant in self._tenants:
            self.held_bytes += held_bytes - self._tenants[tenant]
            self._tenants[tenant] = held_bytes
            self._settle()

    def lend(self, bytes_: int) -> None:
        """Note what is still being answered for a connection that is gone; what is paid back is lent with a minus."""
        self.held_bytes += bytes_
        self._settle()

    def _settle(self) -> None:
        if self._is_settling:
            return
        if self.held_bytes > self.bytes_max:
            self._is_settling = True
            try:
                self._make_room()
            finally:
                self._is_settling = False
        elif self.is_full and self.held_bytes <= self._low:
            self.is_full = False
            for tenant in list(self._tenants):
                tenant.read_later()

    def _make_room(self) -> None:
        now = self._clock()
        crumbs = self.bytes_max // _CRUMBS // max(1, len(self._tenants))
        found: list[tuple[bool, float, int, Tenant]] = []
        begun_bytes = self.held_bytes
        for tenant, held_bytes in self._tenants.items():
            unbegun_bytes = tenant.unbegun_bytes if held_bytes else 0
            begun_bytes -= unbegun_bytes
            if unbegun_bytes > crumbs:
                is_known, age_s = tenant.standing_of(now)
                found.append((is_known, -unbegun_bytes * age_s, len(found), tenant))
        is_draining = begun_bytes >= self.bytes_max // 2
        for is_known, _, _, tenant in sorted(found, key=lambda one: one[:3]):
            if self.held_bytes <= self._low or (is_known and is_draining):
                break
            self.turned_out += 1
            tenant.turn_out()
        if self.held_bytes > self.bytes_max and not self.is_full:
            self.is_full = True
            self.times_full += 1
            for tenant in list(self._tenants):
                tenant.mind_room()
