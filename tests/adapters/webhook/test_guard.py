"""The guard's policy on its own: allow-list entries, URLs, and what is said at the moment a subscription is made."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from adapters.webhook.guard import AddressRefusedError, Allowance, AllowanceError, Destination, Guard, GuardedResolver

STRICT = Guard()
LOCAL = Guard([Allowance.parse("http://127.0.0.0/8")])


@pytest.mark.parametrize(
    ("entry", "scheme", "network", "host", "port"),
    [
        ("http://127.0.0.0/8", "http", "127.0.0.0/8", None, None),
        ("https://10.0.0.0/8", "https", "10.0.0.0/8", None, None),
        ("10.0.0.0/8", "https", "10.0.0.0/8", None, None),
        (" https://10.1.2.3 ", "https", "10.1.2.3/32", None, None),
        ("https://10.1.2.3:8443", "https", "10.1.2.3/32", None, 8443),
        ("https://10.1.2.3/", "https", "10.1.2.3/32", None, None),
        ("https://[fd00:1::]/32", "https", "fd00:1::/32", None, None),
        ("https://[::1]:9443", "https", "::1/128", None, 9443),
        ("http://::1/128", "http", "::1/128", None, None),
        ("https://Receiver.Internal", "https", None, "receiver.internal", None),
        ("https://receiver.internal.:8443", "https", None, "receiver.internal", 8443),
        ("receiver.internal", "https", None, "receiver.internal", None),
        ("http://localhost:8099/", "http", None, "localhost", 8099),
    ],
)
def test_an_entry_is_read(entry: str, scheme: str, network: str | None, host: str | None, port: int | None) -> None:
    allowance = Allowance.parse(entry)
    assert (allowance.scheme, allowance.host, allowance.port) == (scheme, host, port)
    assert (None if allowance.network is None else str(allowance.network)) == network


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "https://",
        "ftp://10.0.0.0/8",
        "http://10.0.0.1/8",
        "https://10.0.0.0/33",
        "https://10.0/8",
        "https://127.1",
        "https://0x7f000001",
        "https://receiver.internal/path",
        "https://receiver.internal/8",
        "https://user@receiver.internal/",
        "https://a b",
        "*",
        "https://*.internal/x",
        "https://[::1",
        "https://[zz]/8",
    ],
)
def test_an_entry_that_says_nothing_safe_is_refused_by_name(entry: str) -> None:
    with pytest.raises(AllowanceError) as caught:
        Allowance.parse(entry)
    assert repr(entry) in str(caught.value)


URLS = {
    "https://receiver.example/hook": None,
    "https://receiver.example:443/hook?key=1": None,
    "https://8.8.8.8/": None,
    "https://[2606:4700::1111]/": None,
    "https://xn--bcher-kva.example/": None,
    "http://receiver.example/": "is not allowed",
    "https://receiver.example:8443/": "is not allowed",
    "https://receiver.example:22/": "is not allowed",
    "http://receiver.example:443/": "is not allowed",
    "https://8.8.8.8:8443/": "not a public one on https port 443",
    "https://127.0.0.1/": "not a public one",
    "https://[::1]/": "not a public one",
    "https://[::ffff:10.0.0.1]/": "not a public one",
    "https://[64:ff9b::a9fe:a9fe]/": "not a public one",
    "https://169.254.169.254/latest/meta-data/": "not a public one",
    "https://[fd00:ec2::254]/": "not a public one",
    "https://100.64.0.1/": "not a public one",
    "https://127.1/": "all its parts",
    "https://0/": "all its parts",
    "https://2130706433/": "all its parts",
    "https://0x7f000001/": "all its parts",
    "https://0x7f.1/": "all its parts",
    "https://0177.0.0.1/": "all its parts",
    "https://017700000001/": "all its parts",
    "https://127.0.0.1./": "not a public one",
    "https://[fe80::1%25eth0]/": "no zone",
    "https://%31%32%37.0.0.1/": "no zone",
    "https://user@receiver.example/": "user name or password",
    "https://user:pass@receiver.example/": "user name or password",
    "https://:pass@receiver.example/": "user name or password",
    "https://receiver.example/#fragment": "fragment",
    "https://receiver.example\\@127.0.0.1/": "printable ASCII",
    "https://receiver.example/\r\nx-evil: 1": "printable ASCII",
    "https://receiver.example/ ": "printable ASCII",
    " https://receiver.example/": "printable ASCII",
    "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/": "printable ASCII",
    "https://b\u00fccher.example/": "printable ASCII",
    "https://receiver.example/" + "x" * 2048: "printable ASCII",
    "https://receiver.example:99999/": "must be https://host/path",
    "https://receiver.example:http/": "must be https://host/path",
    "https:///path": "must be https://host/path",
    "https://./": "must name a host",
    "https:receiver.example": "must be https://host/path",
    "//receiver.example/": "must be https://host/path",
    "/path": "must be https://host/path",
    "receiver.example": "must be https://host/path",
    "file:///etc/passwd": "must be https://host/path",
    "ftp://receiver.example/": "must be https://host/path",
    "gopher://127.0.0.1:5432/": "must be https://host/path",
    "unix:///run/postgresql/.s.PGSQL.5432": "must be https://host/path",
    "javascript:alert(1)": "must be https://host/path",
    "https://[::1": "must be https://host/path",
    "": "printable ASCII",
}


@pytest.mark.parametrize("url", URLS)
def test_objection(url: str) -> None:
    expected, objection = URLS[url], STRICT.objection(url)
    if expected is None:
        assert objection is None
    else:
        assert objection is not None
        assert expected in objection


@pytest.mark.parametrize("url", [url for url, objection in URLS.items() if objection is not None and "127.0.0.1" not in url])
def test_allowing_the_loopback_opens_nothing_else(url: str) -> None:
    assert LOCAL.objection(url) is not None


def test_only_a_name_of_this_machine_is_meant_by_the_loopback() -> None:
    """RFC 6761, 6.3. A name of a private network cannot be told from another one: its addresses are judged at the socket."""
    inside = Guard([Allowance.parse("http://10.0.0.0/8")])
    for url in ("http://localhost:8099/", "http://hook.localhost:8099/"):
        assert LOCAL.objection(url) is None
        assert inside.objection(url) is not None
    assert STRICT.objection("https://localhost/") is not None
    assert inside.objection("http://receiver.example/") is None


@pytest.mark.parametrize(
    ("entries", "url", "allowed"),
    [
        (["http://127.0.0.0/8"], "http://127.0.0.1:8099/", True),
        (["http://127.0.0.0/8"], "http://127.200.3.4/", True),
        (["http://127.0.0.0/8"], "https://127.0.0.1:8099/", False),
        (["http://127.0.0.0/8"], "http://128.0.0.1/", False),
        (["http://127.0.0.0/8"], "http://[::1]/", False),
        (["http://127.0.0.0/8"], "http://[::ffff:127.0.0.1]/", False),
        (["http://127.0.0.0/8"], "http://127.1/", False),
        (["http://127.0.0.0/8"], "http://0x7f000001/", False),
        (["https://10.0.0.0/8"], "https://10.1.2.3:8443/", True),
        (["https://10.0.0.0/8"], "http://10.1.2.3/", False),
        (["https://10.1.2.3:8443"], "https://10.1.2.3:8443/", True),
        (["https://10.1.2.3:8443"], "https://10.1.2.3/", False),
        (["https://receiver.internal:8443"], "https://RECEIVER.internal.:8443/", True),
        (["https://receiver.internal:8443"], "https://receiver.internal:9/", False),
        (["https://receiver.internal:8443"], "https://receiver.internal/", True),
        (["https://receiver.internal:8443"], "https://x.receiver.internal:8443/", False),
        (["http://receiver.internal"], "http://receiver.internal:80/", True),
        (["https://[fd00:1::]/32"], "https://[fd00:1::5]:8443/", True),
        (["https://[fd00:1::]/32"], "https://[fd00:2::5]/", False),
        (["https://169.254.0.0/16"], "https://169.254.1.1/", True),
    ],
)
def test_allowances(entries: list[str], url: str, *, allowed: bool) -> None:
    assert (Guard([Allowance.parse(entry) for entry in entries]).objection(url) is None) is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.0.0.9", True),
        ("fd00::9", True),
        ("127.0.0.1", True),
        ("8.8.8.8", True),
        ("169.254.169.254", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("::ffff:10.0.0.9", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("not an address", False),
    ],
)
def test_an_allowed_name_may_point_inside_but_not_at_metadata(address: str, *, allowed: bool) -> None:
    guard = Guard([Allowance.parse("https://receiver.internal")])
    destination = guard.destination("https://receiver.internal:8443/")
    if allowed:
        guard.check(destination, address)
    else:
        with pytest.raises(AddressRefusedError):
            guard.check(destination, address)


@given(st.text(max_size=40) | st.from_regex(r"https?://[!-~]{0,30}", fullmatch=True))
def test_any_text_is_a_destination_or_an_objection(url: str) -> None:
    """And what is accepted means the same to the transport, which reads it with the same parser."""
    try:
        destination = STRICT.destination(url)
    except AddressRefusedError:
        return
    parts = URL(url)
    assert parts.scheme == destination.scheme == "https"
    assert parts.port == destination.port == 443
    assert (parts.raw_host or "").rstrip(".").lower() == destination.host
    assert parts.raw_user is None


@given(
    st.sampled_from([127, 10, 169, 192]),
    st.lists(st.integers(0, 255), min_size=3, max_size=3),
    st.lists(st.sampled_from([str, hex, lambda part: f"0{part:o}"]), min_size=4, max_size=4),
    st.integers(1, 4),
)
def test_every_numeric_spelling_of_an_inside_address_is_refused(first: int, rest: list[int], spell: list[type[str]], parts: int) -> None:
    """As many as the C library reads: the control shows that each spelling does mean the address."""
    if first in {169, 192}:
        rest[0] = {169: 254, 192: 168}[first]
    octets = [first, *rest]
    tail = int.from_bytes(bytes(octets[parts - 1 :]))
    numbers = [*octets[: parts - 1], tail]
    host = ".".join(form(number) for form, number in zip(spell, numbers, strict=False))
    assert socket.inet_aton(host) == bytes(octets)
    assert STRICT.objection(f"https://{host}/") is not None
    assert STRICT.objection(f"https://{host}:443/") is not None


def test_a_label_that_no_resolver_can_take_is_no_crash() -> None:
    assert STRICT.objection(f"https://{'a' * 70}.example/") is None


async def test_the_resolver_knows_one_name() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(f"asked for {host}:{port}")

    resolver = GuardedResolver(Guard(resolve=resolve), Destination("https", "receiver.example", 443))
    for host, port in (("other.example", 443), ("receiver.example", 8443)):
        with pytest.raises(AddressRefusedError, match="own host"):
            await resolver.resolve(host, port)
    await resolver.close()


@pytest.mark.parametrize(
    "address",
    [("93.184.216.34", 8443), ("2606:4700::1111", 443, 0, 3), ("10.0.0.1", 443), ("receiver.example", 443)],
    ids=["another port", "a zone", "inside", "a name"],
)
def test_no_socket_is_made_for(address: tuple[str, int]) -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
    with pytest.raises(AddressRefusedError):
        STRICT.open_socket(Destination("https", "receiver.example", 443), info)


def test_a_socket_is_made_for_a_public_address() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("93.184.216.34", 443))
    with STRICT.open_socket(Destination("https", "receiver.example", 443), info) as made:
        assert made.family == socket.AF_INET
