"""Sends one signed webhook attempt over HTTP and says what came of it: the `Sender` port.

One small client per endpoint, so that a slow receiver holds up nobody else's connections and one owner's connection is never
another's. Redirects are not followed, proxies and environment are not read, cookies are not kept, answers are not decompressed.
Why aiohttp: app/decisions/0002-http-client-for-webhooks.md. Not here: whether to send, when to try again, and any storage.
"""

import socket
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import aiohttp
from yarl import URL

from adapters.webhook.answer import EXCERPT_READ_OCTETS, excerpt, retry_after_s
from adapters.webhook.guard import AddressInfo, AddressRefusedError, Destination, Guard, GuardedResolver
from adapters.webhook.signing import sign
from app.domain.delivery import AttemptOutcome, AttemptResult, TransportFault, WebhookRequest, outcome_of_fault, outcome_of_status

DEADLINE_S: Final = 20.0
"""From the first look-up to the last octet read (Standard Webhooks: 15 to 30 s)."""
CONNECT_TIMEOUT_S: Final = 10.0
CONNECTIONS_PER_ENDPOINT: Final = 8
CLIENTS_MAX: Final = 512
KEEP_ALIVE_S: Final = 15.0
STALE_CONNECTIONS_MAX: Final = 2
"""How many kept connections may turn out closed within one attempt before it counts as lost."""
STALE_WITHIN_S: Final = 1.0
"""A closed connection shows at once. Later it is an answer that broke off, and sending again would outrun the deadline."""


class _Sockets:
    """Makes one endpoint's sockets through the guard, and counts them."""

    def __init__(self, guard: Guard, destination: Destination) -> None:
        self._guard = guard
        self._destination = destination
        self.made = 0

    def __call__(self, info: AddressInfo) -> socket.socket:
        made = self._guard.open_socket(self._destination, info)
        self.made += 1
        return made


@dataclass(slots=True)
class _Client:
    """A small client for one endpoint's URL, closed when it is retired and nothing is in flight on it."""

    url: str
    target: URL
    session: aiohttp.ClientSession
    sockets: _Sockets
    in_flight: int = 0
    is_retired: bool = False


class WebhookSender:
    """The `Sender` for webhooks. One per process; `close` it at shutdown, after the last `send` has returned."""

    def __init__(
        self,
        guard: Guard,
        *,
        tls: ssl.SSLContext | None = None,
        user_agent: str = "warm-handoff-webhooks",
        deadline_s: float = DEADLINE_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        connections_per_endpoint: int = CONNECTIONS_PER_ENDPOINT,
        clients_max: int = CLIENTS_MAX,
    ) -> None:
        """Take the policy of where to; `tls` replaces the system's trust store (a private authority)."""
        self._guard = guard
        self._tls = tls or ssl.create_default_context()
        if self._tls.verify_mode is not ssl.CERT_REQUIRED or not self._tls.check_hostname:
            raise ValueError("webhooks are sent only to receivers whose certificate is verified: give a context that verifies")
        self._tls.minimum_version = max(self._tls.minimum_version, ssl.TLSVersion.TLSv1_2)
        self._user_agent = user_agent
        # ceil_threshold: aiohttp rounds longer timeouts up to whole seconds, and a deadline is a deadline.
        self._timeout = aiohttp.ClientTimeout(
            total=deadline_s, connect=connect_timeout_s, sock_connect=connect_timeout_s, ceil_threshold=deadline_s + connect_timeout_s
        )
        self._connections_per_endpoint = connections_per_endpoint
        self._clients_max = clients_max
        self._clients: OrderedDict[UUID, _Client] = OrderedDict()

    def objection(self, url: str) -> str | None:
        """Say why nothing will ever be sent to the URL, or None."""
        return self._guard.objection(url)

    async def send(self, request: WebhookRequest) -> AttemptResult:
        """Make one attempt. Whatever the receiver or the network does is a result; only a defect of ours raises."""
        headers = sign(request.webhook_id, request.attempted_at, request.body, request.secrets)
        started = time.monotonic()
        try:
            client = await self._taken(request)
        except AddressRefusedError:
            return _faulted(TransportFault.ADDRESS_REFUSED, started)
        try:
            return await _attempt(client, request, headers, started)
        finally:
            client.in_flight -= 1
            if client.is_retired and client.in_flight == 0:
                await client.session.close()

    async def close(self) -> None:
        """Close every connection."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await _retire(client)

    async def _taken(self, request: WebhookRequest) -> _Client:
        """Give the endpoint's client with this attempt counted on it; make it, and retire the least recently used, as needed."""
        client = self._clients.get(request.endpoint_id)
        retired: list[_Client] = []
        if client is not None and client.url == request.url:
            self._clients.move_to_end(request.endpoint_id)
        else:
            fresh = self._opened(request.url)
            if client is not None:
                retired.append(client)
            client = self._clients[request.endpoint_id] = fresh
            self._clients.move_to_end(request.endpoint_id)
            if len(self._clients) > self._clients_max:
                retired.append(self._clients.popitem(last=False)[1])
        client.in_flight += 1
        for old in retired:
            await _retire(old)
        return client

    def _opened(self, url: str) -> _Client:
        destination = self._guard.destination(url)
        sockets = _Sockets(self._guard, destination)
        connector = aiohttp.TCPConnector(
            limit=self._connections_per_endpoint,
            ssl=self._tls,
            resolver=GuardedResolver(self._guard, destination),
            use_dns_cache=False,
            socket_factory=sockets,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity", "Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=EXCERPT_READ_OCTETS,
        )
        return _Client(url, URL(url), session, sockets)


async def _retire(client: _Client) -> None:
    """Close the client now, or leave that to the last attempt in flight on it."""
    client.is_retired = True
    if client.in_flight == 0:
        await client.session.close()


async def _attempt(client: _Client, request: WebhookRequest, headers: dict[str, str], started: float) -> AttemptResult:
    stale_connections = 0
    while True:
        sockets_before = client.sockets.made
        try:
            return await _exchange(client, request, headers, started)
        except AddressRefusedError:
            return _faulted(TransportFault.ADDRESS_REFUSED, started)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            fault = _fault_of(error)
        # A kept connection that the receiver was closing just then says nothing about the receiver. As the webhook-id makes
        # the request safe to repeat (RFC 9110 section 9.2.2), it goes out again at once instead of after the first delay.
        is_stale = fault is TransportFault.CONNECTION_LOST and client.sockets.made == sockets_before
        if not is_stale or stale_connections == STALE_CONNECTIONS_MAX or time.monotonic() - started > STALE_WITHIN_S:
            return _faulted(fault, started)
        stale_connections += 1


async def _exchange(client: _Client, request: WebhookRequest, headers: dict[str, str], started: float) -> AttemptResult:
    async with client.session.post(client.target, data=request.body, headers=headers, allow_redirects=False) as response:
        outcome = outcome_of_status(response.status)
        beginning = await _beginning(response)
        duration_s = time.monotonic() - started
        if outcome is AttemptOutcome.DELIVERED:
            return AttemptResult(outcome, duration_s, status_code=response.status)
        return AttemptResult(
            outcome,
            duration_s,
            status_code=response.status,
            retry_after_s=retry_after_s(response.headers.get("Retry-After"), request.attempted_at + timedelta(seconds=duration_s)),
            body_excerpt=excerpt(beginning, request.body),
        )


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read the answer up to its cap. The status has decided already, so an answer that breaks off or drags on is just cut."""
    beginning = bytearray()
    try:
        while len(beginning) < EXCERPT_READ_OCTETS:
            octets = await response.content.read(EXCERPT_READ_OCTETS - len(beginning))
            if not octets:
                return bytes(beginning)
            beginning += octets
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    response.close()
    return bytes(beginning)


_FAULTS: Final[tuple[tuple[type[Exception], TransportFault], ...]] = (
    (aiohttp.InvalidURL, TransportFault.ADDRESS_REFUSED),
    (aiohttp.ClientConnectorDNSError, TransportFault.NAME_UNRESOLVED),
    (aiohttp.ClientSSLError, TransportFault.TLS_FAILED),
    (aiohttp.ClientConnectorError, TransportFault.CONNECTION_FAILED),
    (aiohttp.ConnectionTimeoutError, TransportFault.CONNECTION_FAILED),
    (TimeoutError, TransportFault.ANSWER_TIMED_OUT),
    (aiohttp.ClientResponseError, TransportFault.ANSWER_MALFORMED),
    (aiohttp.ClientPayloadError, TransportFault.ANSWER_MALFORMED),
)
"""First match wins: the special before the general. Anything else broke after the request had begun."""


def _fault_of(error: Exception) -> TransportFault:
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), TransportFault.CONNECTION_LOST)


def _faulted(fault: TransportFault, started: float) -> AttemptResult:
    return AttemptResult(outcome_of_fault(fault), time.monotonic() - started, fault=fault)
