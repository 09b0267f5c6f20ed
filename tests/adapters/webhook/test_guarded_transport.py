"""The bypass list through the transport that was chosen, on real sockets: what counts is where bytes went."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import trustme

from adapters.webhook.guard import Allowance, Destination, Guard
from adapters.webhook.sender import WebhookSender
from app.domain.delivery import AttemptOutcome, AttemptResult, TransportFault, WebhookRequest
from tests.adapters.webhook.receiver import answer, receiving

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


def names(**table: str | list[str]) -> Resolve:
    """Resolve from a table (a dot is written `_`), as a name server under somebody else's control would."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        found = table[host.replace(".", "_")]
        return [found] if isinstance(found, str) else found

    return resolve


async def send(sender: WebhookSender, url: str, endpoint: int = 1) -> AttemptResult:
    return await sender.send(WebhookRequest(UUID(int=endpoint), url, "ntf_1", NOW, b"{}", (SECRET,)))


BYPASSES = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://localhost/",
    "https://localhost./",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[64:ff9b:1::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25lo]/",
    "https://[fc00::1]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://192.0.2.1/",
    "https://[ff02::1]/",
    "https://user@127.0.0.1/",
    "https://8.8.8.8@127.0.0.1/",
    "https://127.0.0.1#@8.8.8.8/",
    "https://8.8.8.8\\@127.0.0.1/",
    "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "https://127\u30020\u30020\u30021/",
    "https://%31%32%37.0.0.1/",
]


@pytest.mark.parametrize("url", BYPASSES)
async def test_bypass_is_refused_before_a_socket_is_made(url: str) -> None:
    """Refused by the guard, not merely failing to connect: the fault says which."""
    sender = WebhookSender(Guard())
    result = await send(sender, url)
    await sender.close()
    assert (result.outcome, result.fault) == (AttemptOutcome.UNAVAILABLE, TransportFault.ADDRESS_REFUSED)


@pytest.mark.parametrize(
    "form",
    [
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://127.1:{port}/",
        "http://0:{port}/",
        "http://0.0.0.0:{port}/",
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "http://inside.example:{port}/",
        "https://inside.example:{port}/",
    ],
)
async def test_a_listening_service_of_this_machine_is_never_touched(form: str) -> None:
    """Without an allowance: the service is really there, and every form really leads to it."""
    async with receiving() as service:
        sender = WebhookSender(Guard(resolve=names(localhost="127.0.0.1", inside_example="127.0.0.1")))
        result = await send(sender, form.format(port=service.port))
        await sender.close()
        assert result.fault is TransportFault.ADDRESS_REFUSED
        assert service.connections == 0


async def test_an_allowed_network_reaches_the_same_service() -> None:
    """The control of the test above: it is the guard that made the difference."""
    async with receiving() as service:
        sender = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")], names(inside_example="127.0.0.1")))
        assert (await send(sender, f"http://inside.example:{service.port}/")).outcome is AttemptOutcome.DELIVERED
        assert (await send(sender, f"http://127.0.0.1:{service.port}/")).outcome is AttemptOutcome.DELIVERED
        await sender.close()
    assert service.requests[0].headers["host"] == f"inside.example:{service.port}", "the Host header keeps the name"


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "fe80::1%lo"], ["127.0.0.1", "x"]]
)
async def test_one_bad_address_among_good_ones_refuses_the_name(addresses: list[str]) -> None:
    async with receiving() as service:
        sender = WebhookSender(Guard([Allowance.parse("http://127.0.0.1")], names(mixed_example=addresses)))
        result = await send(sender, f"http://mixed.example:{service.port}/")
        await sender.close()
        assert result.fault is TransportFault.ADDRESS_REFUSED
        assert service.connections == 0


async def test_rebinding_finds_nothing_to_rebind() -> None:
    """A name that answers well when it is checked and badly afterwards: there is no afterwards within one connection."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with receiving(answer(200, connection="close")) as good:
        sender = WebhookSender(Guard([Allowance.parse("http://127.0.0.1")], resolve))
        url = f"http://rebinding.example:{good.port}/"
        assert (await send(sender, url)).outcome is AttemptOutcome.DELIVERED
        assert len(asked) == 1
        assert (await send(sender, url)).fault is TransportFault.ADDRESS_REFUSED
        assert len(asked) == 2
        await sender.close()
    assert len(good.requests) == 1


async def test_the_socket_is_the_last_word() -> None:
    """Even with everything before it broken, no socket is made to an address that is not allowed."""

    class Sleeping(Guard):
        def destination(self, url: str) -> Destination:
            del url
            return Destination("http", "127.0.0.1", service.port)

        async def addresses(self, destination: Destination) -> Sequence[str]:
            del destination
            return ["127.0.0.1"]

    async with receiving() as service:
        sender = WebhookSender(Sleeping())
        result = await send(sender, f"http://127.0.0.1:{service.port}/")
        await sender.close()
        assert result.fault is TransportFault.ADDRESS_REFUSED
        assert service.connections == 0


async def test_a_name_that_does_not_resolve() -> None:
    sender = WebhookSender(Guard())
    for endpoint, host in enumerate(("no-such-name.invalid", f"{'a' * 70}.invalid")):
        result = await send(sender, f"https://{host}/", endpoint)
        assert (result.outcome, result.fault) == (AttemptOutcome.UNAVAILABLE, TransportFault.NAME_UNRESOLVED)
    await sender.close()


# --- TLS --------------------------------------------------------------------------------------------------------------------

AUTHORITY = trustme.CA()


def trusting() -> ssl.SSLContext:
    """What a sender trusts here: the test's own authority, on top of nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    return context


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def tls_sender(tls: ssl.SSLContext | None = None, **options: Any) -> WebhookSender:
    guard = Guard([Allowance.parse("https://127.0.0.0/8")], names(receiver_example="127.0.0.1", other_example="127.0.0.1"))
    return WebhookSender(guard, tls=tls or trusting(), **options)


async def test_tls_keeps_the_name_for_sni_and_for_the_certificate() -> None:
    asked: list[str | None] = []
    context = serving(AUTHORITY.issue_cert("receiver.example"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with receiving(tls=context) as receiver:
        sender = tls_sender()
        right = await send(sender, receiver.url(host="receiver.example"), 1)
        wrong = await send(sender, receiver.url(host="other.example"), 2)
        by_address = await send(sender, receiver.url(), 3)
        await sender.close()
    assert right.outcome is AttemptOutcome.DELIVERED
    assert (wrong.outcome, wrong.fault) == (AttemptOutcome.UNAVAILABLE, TransportFault.TLS_FAILED)
    assert by_address.fault is TransportFault.TLS_FAILED
    assert asked == ["receiver.example", "other.example", None]
    assert [request.headers["host"] for request in receiver.requests] == [f"receiver.example:{receiver.port}"]


async def test_a_certificate_for_the_address_itself() -> None:
    async with receiving(tls=serving(AUTHORITY.issue_cert("127.0.0.1"))) as receiver:
        sender = tls_sender()
        assert (await send(sender, receiver.url())).outcome is AttemptOutcome.DELIVERED
        await sender.close()


@pytest.mark.parametrize(
    "certificate",
    [
        lambda: trustme.CA().issue_cert("receiver.example"),
        lambda: AUTHORITY.issue_cert("receiver.example", not_after=datetime.now(tz=UTC) - timedelta(days=1)),
    ],
    ids=["of an unknown authority", "expired"],
)
async def test_a_bad_certificate_sends_nothing(certificate: Callable[[], trustme.LeafCert]) -> None:
    async with receiving(tls=serving(certificate())) as receiver:
        sender = tls_sender()
        result = await send(sender, receiver.url(host="receiver.example"))
        await sender.close()
    assert (result.outcome, result.fault) == (AttemptOutcome.UNAVAILABLE, TransportFault.TLS_FAILED)
    assert receiver.requests == []


async def test_the_systems_trust_store_does_not_know_the_tests_authority() -> None:
    async with receiving(tls=serving(AUTHORITY.issue_cert("receiver.example"))) as receiver:
        sender = tls_sender(ssl.create_default_context())
        result = await send(sender, receiver.url(host="receiver.example"))
        await sender.close()
    assert result.fault is TransportFault.TLS_FAILED


async def test_an_old_protocol_version_is_refused() -> None:
    """Even where both sides' libraries would still speak it, as the control shows."""
    old, lenient = serving(AUTHORITY.issue_cert("receiver.example")), trusting()
    for context in (old, lenient):
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with receiving(tls=old) as receiver:
        _, control = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=lenient, server_hostname="receiver.example")
        assert control.get_extra_info("ssl_object").version() == "TLSv1.1"
        control.transport.abort()
        sender = tls_sender(lenient)
        result = await send(sender, receiver.url(host="receiver.example"))
        await sender.close()
    assert result.outcome is AttemptOutcome.UNAVAILABLE
    assert result.fault in {TransportFault.TLS_FAILED, TransportFault.CONNECTION_FAILED}
    assert receiver.requests == []


async def test_https_to_a_plain_port_sends_nothing_readable() -> None:
    async with receiving() as receiver:
        # A plain port waits for the rest of what it takes for a request: nobody ends the handshake but the sender.
        sender = tls_sender(connect_timeout_s=0.5)
        result = await send(sender, f"https://receiver.example:{receiver.port}/")
        await sender.close()
    assert result.outcome is AttemptOutcome.UNAVAILABLE
    assert result.fault in {TransportFault.TLS_FAILED, TransportFault.CONNECTION_FAILED}
    assert receiver.requests == []


@pytest.mark.parametrize("weak", ["verify", "name"])
def test_a_context_that_does_not_verify_is_not_taken(weak: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    if weak == "verify":
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="verified"):
        WebhookSender(Guard(), tls=context)
