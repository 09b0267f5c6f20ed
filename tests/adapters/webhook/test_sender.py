"""What is particular to this sender: its clients come and go without losing an attempt, and its deadline is exact."""

import asyncio
import ssl
from uuid import UUID

import pytest

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from adapters.webhook.signing import SigningError
from app.domain.delivery import AttemptOutcome, TransportFault, WebhookRequest
from app.ports import Sender
from tests.adapters.webhook.receiver import Behaviour, Receiver, after, answer, never, receiving, trickle
from tests.adapters.webhook.test_guarded_transport import NOW, SECRET
from tests.support.cost import soon

GUARD = Guard([Allowance.parse("http://127.0.0.0/8")])


def request(receiver: Receiver, endpoint: int = 1, path: str = "/hook") -> WebhookRequest:
    return WebhookRequest(UUID(int=endpoint), receiver.url(path), "ntf_1", NOW, b"{}", (SECRET,))


def test_it_is_the_port() -> None:
    sender: Sender = WebhookSender(GUARD)
    assert sender.objection("https://receiver.example/") is None


async def test_the_least_recently_used_client_is_closed_when_there_are_too_many() -> None:
    async with receiving() as receiver:
        sender = WebhookSender(GUARD, clients_max=2)
        for endpoint in (1, 2, 1, 3, 1, 2):
            await sender.send(request(receiver, endpoint))
        await sender.close()
    assert [received.connection for received in receiver.requests] == [1, 2, 1, 3, 1, 4]


async def test_an_attempt_in_flight_survives_the_retirement_of_its_client() -> None:
    release = asyncio.Event()
    async with receiving(after(release, answer(200))) as slow, receiving() as quick:
        sender = WebhookSender(GUARD, clients_max=1)
        pending = asyncio.create_task(sender.send(request(slow, 1)))
        await slow.wait_for(1)
        assert (await sender.send(request(quick, 2))).outcome is AttemptOutcome.DELIVERED
        release.set()
        assert (await pending).outcome is AttemptOutcome.DELIVERED
        await sender.close()


async def test_an_attempt_in_flight_survives_a_change_of_url_and_a_close() -> None:
    release = asyncio.Event()
    async with receiving(after(release, answer(200))) as old, receiving() as new:
        sender = WebhookSender(GUARD)
        pending = asyncio.create_task(sender.send(request(old, 1)))
        await old.wait_for(1)
        assert (await sender.send(request(new, 1, "/moved"))).outcome is AttemptOutcome.DELIVERED
        await sender.close()
        release.set()
        assert (await pending).outcome is AttemptOutcome.DELIVERED
    assert new.requests[0].target == "/moved"


async def test_a_closed_sender_leaves_no_connection() -> None:
    async with receiving() as receiver:
        sender = WebhookSender(GUARD)
        for endpoint in range(5):
            await sender.send(request(receiver, endpoint))
        assert len(receiver._tasks) == 5
        await sender.close()
        async with asyncio.timeout(10):
            await asyncio.gather(*receiver._tasks)


@pytest.mark.parametrize(("deadline_s", "behaviour"), [(0.3, never), (0.3, trickle(b"HTTP/1.1 200 OK\r\n", b"x: 1\r\n", 0.01))])
async def test_the_deadline_is_total_and_exact(deadline_s: float, behaviour: Behaviour) -> None:
    async with receiving(behaviour) as receiver:
        sender = WebhookSender(GUARD, deadline_s=deadline_s)
        result = await soon(deadline_s + 0.2, lambda: sender.send(request(receiver)))
        await sender.close()
    assert result.outcome is AttemptOutcome.UNKNOWN
    assert deadline_s <= result.duration_s


async def test_a_connection_that_does_not_come_about_is_unavailable() -> None:
    """A TLS peer that accepts and then says nothing: the request never began."""
    async with receiving(never) as mute:
        sender = WebhookSender(Guard([Allowance.parse("https://127.0.0.0/8")]), connect_timeout_s=0.3)
        asked = WebhookRequest(UUID(int=1), f"https://127.0.0.1:{mute.port}/", "ntf_1", NOW, b"{}", (SECRET,))
        result = await soon(2, lambda: sender.send(asked))
        await sender.close()
    assert (result.outcome, result.fault) == (AttemptOutcome.UNAVAILABLE, TransportFault.CONNECTION_FAILED)


async def test_a_bad_secret_is_our_defect_and_raises() -> None:
    async with receiving() as receiver:
        sender = WebhookSender(GUARD)
        with pytest.raises(SigningError):
            await sender.send(WebhookRequest(UUID(int=1), receiver.url(), "ntf_1", NOW, b"{}", ("whsec_",)))
        await sender.close()
    assert receiver.connections == 0


def test_the_default_trust_is_the_systems_and_modern() -> None:
    context = ssl.create_default_context()
    WebhookSender(GUARD, tls=context)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
