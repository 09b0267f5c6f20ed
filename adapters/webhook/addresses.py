"""Which IP addresses are public unicast addresses of the internet, and which are never a receiver's, whatever a name says.

Our own tables instead of `ipaddress.is_global`, whose answers differ between patch releases of Python. Not here: what an
operator allows beside them (guard.py).
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is a cloud's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public on paper, inside a cloud the host's own agent
        "169.254.0.0/16",  # link-local; 169.254.169.254 is a cloud's metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IANA IPv4 Special-Purpose Address Registry and RFC 5771, read 2026-11: what is not globally reachable unicast."""

_UNICAST_V6: Final = IPv6Network("2000::/3")
"""IANA IPv6 Address Space: the only block handed out as global unicast. Outside it lie loopback, unspecified, IPv4-mapped and
-compatible, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), discard, unique-local, link-local, site-local, SRv6 and multicast."""

_NOT_PUBLIC_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
"""IANA IPv6 Special-Purpose Address Registry, read 2026-11: what inside 2000::/3 is not globally reachable unicast."""

_NEVER: Final[tuple[Network, ...]] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.100.100.200/32"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("224.0.0.0/4"),
    IPv4Network("240.0.0.0/4"),
    IPv6Network("::/128"),
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("fd00:ec2::254/128"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)
_LOOPBACK_V6: Final = IPv6Address("::1")


@lru_cache(maxsize=4096)
def is_public(address: Address) -> bool:
    """Tell whether packets to the address leave for the public internet, as far as registries can tell."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None or address not in _UNICAST_V6:
        return False
    return not any(address in network for network in _NOT_PUBLIC_V6)


def is_never_a_receiver(address: Address) -> bool:
    """Tell whether the address is refused even for a host name that the operator allowed.

    Metadata services, link-local, multicast, unspecified, and IPv6 forms that carry an IPv4 address past the tables: whoever
    answers for the name must not be able to point it there. An operator who means it allows the network itself.
    """
    if address == _LOOPBACK_V6:
        return False
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return True
    return any(address in network for network in _NEVER if network.version == address.version)


def parsed(text: str) -> Address | None:
    """Read an address as sockets give it, or None when the text is anything else, a legacy numeric form included."""
    try:
        return ip_address(text)
    except ValueError:
        return None
