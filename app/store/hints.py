"""Hints that there is work, between the processes of one network: LISTEN and NOTIFY on one connection a process.

A hint is never the truth: what it may lose is found by polling once a second. Hints are gathered and sent as one statement at most
every 20 ms, apart from every other transaction, because NOTIFY takes a lock of the whole server until its commit. Its commit does not
wait for the disk. Not here: what is done about a hint.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import asyncpg

from app.store.engine import PoolLimits, connection_settings, plain_url
from app.store.roles import Network, Role

SEND_INTERVAL_S: Final = 0.02
_PAYLOAD_BYTES_MAX: Final = 7_000
"""PostgreSQL takes less than 8,000."""
_CHECK_INTERVAL_S: Final = 5.0
_CHECK_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = (0.1, 0.2, 0.5, 1.0)

_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The last is what asyncpg raises when its server dies in the middle of a message."""

_SEND: Final = "select pg_notify($1, payload) from unnest($2::text[]) as payload"
_PLACE: Final = """
select count(*) filter (where pid < pg_backend_pid()), count(*) from pg_stat_activity
where datname = current_database() and application_name = current_setting('application_name')
"""


def channel_of(network: Network) -> str:
    """Give the network's channel: two networks in one database do not hear each other."""
    return f"handoff.{network.name}.hints"


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process stands among its like, on all machines of the network."""

    index: int
    of: int


class Hints:
    """The line of one process. As the port `Waker` it sends; `on_hint` is called with every topic that any process sent."""

    def __init__(
        self,
        url: str,
        network: Network,
        *,
        name: str,
        on_hint: Callable[[str], None],
        on_lost: Callable[[BaseException], None] = lambda _error: None,
        on_restored: Callable[[], None] = lambda: None,
        on_place: Callable[[Place], None] = lambda _place: None,
    ) -> None:
        """Connect to nothing yet: `run` does. `name` is what the processes of one kind are counted by."""
        self._url, self._network, self._name = url, network, name
        self._channel = channel_of(network)
        self._on_hint, self._on_lost, self._on_restored, self._on_place = on_hint, on_lost, on_restored, on_place
        self._pending: set[str] = set()
        self._connection: asyncpg.Connection | None = None
        self._sending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at_s = 0.0
        self._turn = asyncio.Lock()
        self.sent = 0
        """Statements sent, for the tests of the throttle."""

    def wake(self, topic: str) -> None:
        """Send a hint soon. Returns at once, and never fails: without a connection only this process hears it."""
        if self._connection is None:
            self._on_hint(topic)
            return
        self._pending.add(topic)
        if self._timer is None and self._sending is None:
            self._send_later()

    async def run(self) -> None:
        """Keep the line up until cancelled."""
        failures = 0
        was_up = False
        while True:
            try:
                await self._connect()
                failures = 0
                # What was said while nobody listened is not known, so everything may have news.
                self._on_hint("")
                if was_up:
                    self._on_restored()
                was_up = True
                await self._keep()
            except asyncio.CancelledError:
                await self._disconnect()
                raise
            except _AWAY as error:
                await self._disconnect()
                if failures == 0:
                    self._on_lost(error)
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1

    async def _connect(self) -> None:
        settings = connection_settings(self._network, Role.WORK, PoolLimits(), name=self._name)
        # The login itself, not a role of the network: it touches no table, and so it may count sessions like itself.
        settings.pop("role")
        settings |= {"synchronous_commit": "off", "tcp_keepalives_idle": "30"}
        connection = await asyncpg.connect(plain_url(self._url), timeout=_CHECK_TIMEOUT_S, server_settings=settings)
        try:
            await connection.add_listener(self._channel, self._heard)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    async def _keep(self) -> None:
        """Ask once in a while where we stand, which also finds a line that is cut without a word."""
        connection = self._connection
        if connection is None:
            return
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        while True:
            async with self._turn:
                row = await connection.fetchrow(_PLACE, timeout=_CHECK_TIMEOUT_S)
            self._on_place(Place(index=row[0], of=max(1, row[1])))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_INTERVAL_S):
                    await ended.wait()
                raise ConnectionResetError("the database closed the line of hints")

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if connection is not None:
            # Whatever is left to say is found by polling; do not wait for a server that may be gone.
            connection.terminate()
        pending, self._pending = self._pending, set()
        for topic in pending:
            self._on_hint(topic)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for topic in str(payload).split("\n"):
            self._on_hint(topic)

    def _send_later(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = max(0.0, self._sent_at_s + SEND_INTERVAL_S - loop.time())
        self._timer = loop.call_later(wait_s, self._start_sending)

    def _start_sending(self) -> None:
        self._timer = None
        self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        topics, self._pending = self._pending, set()
        self._sent_at_s = asyncio.get_running_loop().time()
        try:
            async with self._turn:
                if self._connection is not None:
                    await self._connection.execute(_SEND, self._channel, list(payloads(topics)), timeout=_CHECK_TIMEOUT_S)
                    self.sent += 1
        except _AWAY:
            # `run` finds out by itself and connects again; a hint may be lost.
            return
        finally:
            self._sending = None
            if self._pending and self._connection is not None:
                self._send_later()


def payloads(topics: Iterable[str]) -> Iterable[str]:
    """Pack topics, one a line, into as few payloads as PostgreSQL takes them."""
    line: list[str] = []
    size = 0
    for topic in sorted(topics):
        if line and size + len(topic) + 1 > _PAYLOAD_BYTES_MAX:
            yield "\n".join(line)
            line, size = [], 0
        line.append(topic)
        size += len(topic) + 1
    if line:
        yield "\n".join(line)


async def hint_once(url: str, network: Network, topic: str) -> None:
    """Send one hint from a process that has no line: a command. Losing it costs a second."""
    with contextlib.suppress(*_AWAY):
        connection = await asyncpg.connect(plain_url(url), timeout=_CHECK_TIMEOUT_S)
        try:
            await connection.execute(_SEND, channel_of(network), [topic])
        finally:
            await connection.close(timeout=_CHECK_TIMEOUT_S)
