"""Which addresses count as public: every entry of the special-purpose registries, and Python's own opinion as an oracle."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.webhook.addresses import is_never_a_receiver, is_public, parsed

NOT_PUBLIC = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.100.100.200": "cloud metadata",
    "100.127.255.255": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "cloud host agent",
    "169.254.0.1": "link-local",
    "169.254.169.254": "cloud metadata",
    "169.254.170.2": "container metadata",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.1": "protocol assignments",
    "192.0.0.192": "cloud metadata",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmark",
    "198.19.255.255": "benchmark",
    "198.51.100.7": "documentation",
    "203.0.113.9": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "IPv4-compatible",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped, even of a public address",
    "::ffff:0:127.0.0.1": "IPv4-translated",
    "64:ff9b::a9fe:a9fe": "NAT64 of cloud metadata",
    "64:ff9b::808:808": "NAT64",
    "64:ff9b:1::1": "local NAT64",
    "100::1": "discard",
    "2001::1": "Teredo",
    "2001:0:7f00:1::": "Teredo",
    "2001:2::1": "benchmark",
    "2001:10::1": "ORCHID",
    "2001:20::1": "ORCHIDv2",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4 of loopback",
    "2002:808:808::": "6to4",
    "3fff::1": "documentation",
    "4000::1": "not handed out",
    "5f00::1": "SRv6",
    "fc00::1": "unique-local",
    "fd00::1": "unique-local",
    "fd00:ec2::254": "cloud metadata",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local with a zone",
    "2600::1%eth0": "a zone on any address",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "168.63.129.15",
    "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "2000::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2600::1", "2a00::1", "3ffe:ffff::1",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text: str) -> None:
    assert not is_public(ip_address(text)), NOT_PUBLIC[text]


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses())
@example(IPv6Address("2001:1::1"))
@example(IPv4Address("192.175.48.1"))
def test_what_we_call_public_python_calls_global_unicast(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_private, address.is_loopback, address.is_unspecified))


@given(st.ip_addresses(v=4))
def test_no_form_of_the_sixth_version_carries_an_address_of_the_fourth(address: IPv4Address) -> None:
    number = int(address)
    for carrier in (
        number,
        (0xFFFF << 32) | number,
        (0xFFFF << 48) | number,
        int(IPv6Address("64:ff9b::")) | number,
        int(IPv6Address("64:ff9b:1::")) | number,
        int(IPv6Address("2002::")) | (number << 80),
        int(IPv6Address("2001::")) | (number << 64),
        int(IPv6Address("2001::")) | (number ^ 0xFFFFFFFF),
    ):
        assert not is_public(IPv6Address(carrier))


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("127.0.0.1", False),
        ("::1", False),
        ("10.0.0.1", False),
        ("fd00::1", False),
        ("100.64.0.1", False),
        ("8.8.8.8", False),
        ("2600::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("169.254.169.254", True),
        ("fe80::1", True),
        ("fd00:ec2::254", True),
        ("100.100.100.200", True),
        ("168.63.129.16", True),
        ("192.0.0.192", True),
        ("224.0.0.1", True),
        ("255.255.255.255", True),
        ("ff02::1", True),
        ("::ffff:10.0.0.1", True),
        ("::10.0.0.1", True),
        ("64:ff9b::1", True),
        ("2002::1", True),
        ("2001::1", True),
        ("fd00::1%eth0", True),
    ],
)
def test_what_even_an_allowed_name_may_not_point_to(text: str, *, never: bool) -> None:
    assert is_never_a_receiver(ip_address(text)) is never


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "127.0.0.1 ", "127.0.0.1/8", "[::1]"])
def test_only_whole_addresses_are_read(text: str) -> None:
    assert parsed(text) is None
