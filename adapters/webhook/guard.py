"""Decides which receivers a socket may be made to, and makes the socket: the guard against server-side request forgery.

The check that counts is made where the socket is made, on the address it will connect to; a check of the URL, or in a resolver
alone, can be walked round by literals, redirects and names that answer differently the second time. Names are resolved once
per connection and the connection goes to an address that was checked; TLS and the Host header keep the name. Not here: what is
sent (sender.py).
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Self

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from adapters.webhook.addresses import Address, Network, is_never_a_receiver, is_public, parsed

URL_OCTETS_MAX: Final = 2048
HTTPS_PORT: Final = 443
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_PRINTABLE_ASCII: Final = re.compile(r"[!-\[\]-~]+")
"""No blanks, controls or backslashes: parsers disagree about them, and disagreement is how guards are passed."""
_ENTRY: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+|[0-9A-Fa-f:]+(?=/))"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?P<length>/\d{1,3})?/?",
)

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""One entry of `socket.getaddrinfo`."""
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A host name and port to the addresses it has now."""


class AddressRefusedError(Exception):
    """The receiver's address is not one we send to. The text says why, and what the operator can do."""


class AllowanceError(ValueError):
    """An entry of ENDPOINT_ALLOW cannot be read."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a URL points, as far as the guard needs it."""

    scheme: str
    host: str
    port: int

    @property
    def literal(self) -> Address | None:
        """Give the address when the URL names one instead of a host."""
        return parsed(self.host)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One entry of ENDPOINT_ALLOW: a network or a host that is allowed beside public https on port 443.

    `http://127.0.0.0/8`, `https://10.20.0.0/16`, `https://[fd00:1::]/32`, `https://receiver.internal`,
    `https://receiver.internal:8443`. Without a scheme it is https; without a port it is any port.
    """

    scheme: str
    network: Network | None
    host: str | None
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Read one entry; raise AllowanceError that names it."""
        match = _ENTRY.fullmatch(entry.strip())
        if match is None:
            raise AllowanceError(f"{entry!r} is not an allowed receiver: write https://10.0.0.0/8, https://[fd00::]/8 or https://host:8443")
        host, length = match["host"].strip("[]").lower().rstrip("."), match["length"] or ""
        port = int(match["port"]) if match["port"] else None
        scheme = match["scheme"] or "https"
        if parsed(host) is not None:
            try:
                return cls(scheme, ip_network(host + length), None, port)
            except ValueError as error:
                raise AllowanceError(f"{entry!r} is not a network: {error}") from None
        if length or _is_legacy_literal(host):
            raise AllowanceError(f"{entry!r} is neither a host name nor a network: write the address with all its parts")
        return cls(scheme, None, host, port)

    def is_for(self, destination: Destination) -> bool:
        """Tell whether scheme and port fit; the address is another question."""
        return self.scheme == destination.scheme and self.port in {None, destination.port}

    def covers(self, destination: Destination, address: Address) -> bool:
        """Tell whether a socket to the address may be made under this entry."""
        if not self.is_for(destination):
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return self.host == destination.host and not is_never_a_receiver(address)


class Guard:
    """The policy of one process: public https on port 443, and what the operator allows beside it."""

    def __init__(self, allowances: Iterable[Allowance] = (), resolve: Resolve | None = None) -> None:
        """Take the operator's entries; `resolve` stands in for the system's resolver in tests."""
        self._allowances = tuple(allowances)
        self._resolve = resolve or _system_resolve

    def destination(self, url: str) -> Destination:
        """Read where a URL points and refuse what no address can make right; a name's addresses are judged at the socket."""
        destination = _destination(url)
        if destination.literal is not None:
            self.check(destination, destination.host)
        elif not self._is_possible(destination):
            raise _not_allowed(destination)
        return destination

    def objection(self, url: str) -> str | None:
        """Say why a URL can never be sent to, or None: for the moment a subscription is made."""
        try:
            destination = self.destination(url)
        except AddressRefusedError as error:
            return str(error)
        return None if self._is_meant(destination) else str(_not_allowed(destination))

    def check(self, destination: Destination, address_text: str) -> None:
        """Raise AddressRefusedError unless a socket from this destination to this address may be made."""
        address = parsed(address_text)
        if address is None:
            raise AddressRefusedError("the receiver's address is not an IP address")
        if destination.scheme == "https" and destination.port == HTTPS_PORT and is_public(address):
            return
        if any(allowance.covers(destination, address) for allowance in self._allowances):
            return
        raise AddressRefusedError(
            "the receiver's address is not a public one on https port 443: "
            "use a public address, or ask the operator of the exchange to allow its network (ENDPOINT_ALLOW)",
        )

    async def addresses(self, destination: Destination) -> Sequence[str]:
        """Resolve once; one address that may not be connected to refuses the name as a whole (C6: any, not all)."""
        addresses = await self._resolve(destination.host, destination.port)
        for address in addresses:
            self.check(destination, address)
        return addresses

    def open_socket(self, destination: Destination, info: AddressInfo) -> socket.socket:
        """Make the socket for one connection, or refuse: the last word, whatever happened before."""
        family, kind, protocol, _, address = info
        if address[1] != destination.port or address[3:] not in {(), (0,)}:
            raise AddressRefusedError("the connection is not to the receiver's own port, or to a zone of this machine")
        self.check(destination, address[0])
        return socket.socket(family, kind, protocol)

    def _is_possible(self, destination: Destination) -> bool:
        if destination.scheme == "https" and destination.port == HTTPS_PORT:
            return True
        return any(
            allowance.is_for(destination) and (allowance.network is not None or allowance.host == destination.host)
            for allowance in self._allowances
        )

    def _is_meant(self, destination: Destination) -> bool:
        """Tell whether a name can be meant by what is allowed: localhost is this machine and no other name is (RFC 6761, 6.3)."""
        is_this_machine = destination.host == "localhost" or destination.host.endswith(".localhost")
        if destination.literal is not None or (destination.scheme == "https" and not is_this_machine):
            return True
        return any(
            allowance.is_for(destination)
            and (allowance.host == destination.host or (allowance.network is not None and allowance.network.is_loopback is is_this_machine))
            for allowance in self._allowances
        )


class GuardedResolver(AbstractResolver):
    """Resolves the one destination of one client through the guard."""

    def __init__(self, guard: Guard, destination: Destination) -> None:
        """Bind to the destination: any other name is refused."""
        self._guard = guard
        self._destination = destination

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Give the checked addresses of the destination."""
        del family
        if (host.rstrip("."), port) != (self._destination.host, self._destination.port):
            raise AddressRefusedError("the connection is not to the receiver's own host")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_UNSPEC, proto=0, flags=socket.AI_NUMERICHOST)
            for address in await self._guard.addresses(self._destination)
        ]

    async def close(self) -> None:
        """Hold nothing, release nothing."""


def _not_allowed(destination: Destination) -> AddressRefusedError:
    return AddressRefusedError(
        f"{destination.scheme} on port {destination.port} is not allowed for this receiver: "
        "use https on port 443, or ask the operator of the exchange to allow it (ENDPOINT_ALLOW)",
    )


def _destination(url: str) -> Destination:
    if len(url) > URL_OCTETS_MAX or _PRINTABLE_ASCII.fullmatch(url) is None:
        raise AddressRefusedError(f"a receiver's URL is at most {URL_OCTETS_MAX} printable ASCII characters: percent-encode the rest")
    try:
        parts = URL(url)
    except ValueError:
        raise AddressRefusedError("a receiver's URL must be https://host/path") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.raw_host or parts.port is None:
        raise AddressRefusedError("a receiver's URL must be https://host/path")
    if parts.raw_user is not None or parts.raw_password is not None:
        raise AddressRefusedError("a receiver's URL must not hold a user name or password: the signature says who is calling")
    if parts.raw_fragment:
        raise AddressRefusedError("a receiver's URL must not have a fragment: it is never sent")
    host = parts.raw_host.rstrip(".").lower()
    if not host or "%" in host or _is_legacy_literal(host):
        raise AddressRefusedError("a receiver's URL must name a host, or an address written with all its parts and no zone")
    return Destination(parts.scheme, host, parts.port)


def _is_legacy_literal(host: str) -> bool:
    """Tell whether C libraries take the text for an IPv4 address though it is not one in four decimal parts (`127.1`, `0x7f.1`)."""
    if parsed(host) is not None:
        return False
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True


async def _system_resolve(host: str, port: int) -> Sequence[str]:
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as error:  # a label of more than 63 characters
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    # A zone (fe80::1%eth0) is kept in the text, so that it is refused and not quietly dropped.
    return [str(address[0]) for *_, address in infos]
