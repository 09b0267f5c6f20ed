"""What every `Sender` must do, whatever it is built on: one attempt in, one result out, and nothing raised for a bad receiver.

Run against real receivers on real sockets. A new implementation is added to SENDERS.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app.domain.delivery import AttemptOutcome, AttemptResult, TransportFault, WebhookRequest
from tests.adapters.webhook import receiver as behaviours
from tests.adapters.webhook.receiver import Behaviour, Receiver, answer, endless, raw, receiving, trickle
from tests.support.cost import soon

NOW = datetime.now(tz=UTC).replace(microsecond=0)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"type": "encounter.discharged", "data": {"person": {"last_name": "Testpatient", "birth_date": "1970-01-02"}}}).encode()


class SenderUnderTest(Protocol):
    """The port, as this suite uses it."""

    async def send(self, request: WebhookRequest) -> AttemptResult:
        """Make one attempt."""
        ...

    def objection(self, url: str) -> str | None:
        """Say why the URL can never be sent to."""
        ...


@asynccontextmanager
async def webhook_sender(deadline_s: float) -> AsyncIterator[SenderUnderTest]:
    guard = Guard([Allowance.parse("http://127.0.0.0/8"), Allowance.parse("http://[::1]/128")])
    sender = WebhookSender(guard, deadline_s=deadline_s, connect_timeout_s=deadline_s)
    yield sender
    await sender.close()


Opener = Callable[[float], AbstractAsyncContextManager[SenderUnderTest]]
SENDERS: dict[str, Opener] = {"webhook": webhook_sender}
PATIENCE_S = 20.0
IMPATIENCE_S = 0.4


@pytest.fixture(params=SENDERS)
def opened(request: pytest.FixtureRequest) -> Opener:
    return SENDERS[request.param]


def attempt(receiver: Receiver, *, endpoint: int = 1, url: str | None = None, body: bytes = BODY, at: datetime = NOW) -> WebhookRequest:
    return WebhookRequest(UUID(int=endpoint), url or receiver.url(), "ntf_0190", at, body, (SECRET,))


async def test_a_delivered_attempt_is_signed_and_arrives_byte_for_byte(opened: Opener) -> None:
    # The library compares with the machine's clock, and NOW is as old as this run.
    at = datetime.now(tz=UTC)
    async with receiving(answer(204)) as receiver, opened(PATIENCE_S) as sender:
        result = await sender.send(attempt(receiver, url=receiver.url("/hook/a%2Fb?x=1"), at=at))
    assert (result.outcome, result.status_code, result.fault) == (AttemptOutcome.DELIVERED, 204, None)
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook/a%2Fb?x=1", BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "ntf_0190"
    assert request.headers["webhook-timestamp"] == str(int(at.timestamp()))
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert Webhook(SECRET).verify(request.body, request.headers) == json.loads(BODY)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (299, "delivered"),
        (302, "unavailable"),
        (307, "unavailable"),
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (407, "refused"),
        (408, "unavailable"),
        (410, "gone"),
        (413, "refused"),
        (425, "unavailable"),
        (429, "throttled"),
        (500, "unavailable"),
        (502, "throttled"),
        (503, "unavailable"),
        (504, "throttled"),
        (599, "unavailable"),
    ],
)
async def test_status_becomes_outcome(opened: Opener, status: int, outcome: str) -> None:
    async with receiving(answer(status)) as receiver, opened(PATIENCE_S) as sender:
        result = await sender.send(attempt(receiver))
    assert (result.outcome, result.status_code, result.fault) == (AttemptOutcome(outcome), status, None)
    assert 0 < result.duration_s < PATIENCE_S
    assert len(receiver.requests) == 1, "one attempt is one request"


GREETING = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("behaviour", "deadline_s", "outcome", "fault"),
    [
        (behaviours.reset, PATIENCE_S, "unknown", "connection_lost"),
        (raw(b""), PATIENCE_S, "unknown", "connection_lost"),
        (behaviours.half_close, PATIENCE_S, "unknown", "connection_lost"),
        (raw(b"220 mail.example ESMTP\r\n\r\n"), PATIENCE_S, "unknown", "answer_malformed"),
        (raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), PATIENCE_S, "unknown", "answer_malformed"),
        (raw(GREETING + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), PATIENCE_S, "unknown", "answer_malformed"),
        (raw(GREETING + b"x: " + b"y" * 100_000 + b"\r\n\r\n"), PATIENCE_S, "unknown", "answer_malformed"),
        (endless(GREETING, b"x-more: 1\r\n" * 100), PATIENCE_S, "unknown", "answer_malformed"),
        (raw(GREETING + b"Transfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"), PATIENCE_S, "unknown", "answer_malformed"),
        (behaviours.never, IMPATIENCE_S, "unknown", "answer_timed_out"),
        (raw(GREETING, then_close=False), IMPATIENCE_S, "unknown", "answer_timed_out"),
        (trickle(b"HTTP/1.1 2", b"0", 0.02), IMPATIENCE_S, "unknown", None),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), IMPATIENCE_S, "unknown", None),
    ],
    ids=[
        "reset",
        "closed without an answer",
        "half-closed in the header",
        "another protocol",
        "TLS on a plain port",
        "two lengths",
        "a header of 100 kB",
        "headers without end",
        "bad chunks at once",
        "no answer",
        "a header that never ends",
        "a trickled status line",
        "100 Continue for ever",
    ],
)
async def test_a_broken_answer_is_unknown(opened: Opener, behaviour: Behaviour, deadline_s: float, outcome: str, fault: str | None) -> None:
    """The request was sent, so it may have been taken: never "refused", never "delivered", never an exception."""
    async with receiving(behaviour) as receiver, opened(deadline_s) as sender:
        async with asyncio.timeout(PATIENCE_S):
            result = await soon(deadline_s + 1, lambda: sender.send(attempt(receiver)))
    assert result.outcome == AttemptOutcome(outcome)
    assert result.status_code is None
    assert result.fault is not None
    assert fault is None or result.fault == TransportFault(fault)


@pytest.mark.parametrize(
    "behaviour",
    [
        raw(GREETING + b"Content-Length: 1000\r\n\r\nbreaks off"),
        endless(GREETING + b"\r\n", b"x" * 65536),
        endless(GREETING + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        raw(GREETING + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nblob"),
        trickle(GREETING + b"\r\n", b"x", 0.02),
    ],
    ids=["breaks off", "without end", "chunks without end", "not gzip", "a trickled body"],
)
async def test_once_the_status_is_there_the_body_cannot_spoil_it(opened: Opener, behaviour: Behaviour) -> None:
    async with receiving(behaviour) as receiver, opened(IMPATIENCE_S) as sender:
        async with asyncio.timeout(PATIENCE_S):
            first = await soon(IMPATIENCE_S + 1, lambda: sender.send(attempt(receiver)))
            receiver.behaviour = answer(204)
            second = await sender.send(attempt(receiver))
    assert (first.outcome, first.status_code) == (AttemptOutcome.DELIVERED, 200)
    assert second.status_code == 204, "what is left of a body must never be read as the next answer"


async def test_nobody_listens(opened: Opener) -> None:
    async with receiving() as receiver:
        gone = attempt(receiver)
    async with opened(PATIENCE_S) as sender:
        result = await sender.send(gone)
    assert (result.outcome, result.fault, result.status_code) == (AttemptOutcome.UNAVAILABLE, TransportFault.CONNECTION_FAILED, None)


async def test_redirects_are_not_followed(opened: Opener) -> None:
    async with receiving() as elsewhere, opened(PATIENCE_S) as sender:
        for status in (301, 302, 303, 307, 308):
            async with receiving(answer(status, location=elsewhere.url())) as receiver:
                result = await sender.send(attempt(receiver, endpoint=status))
            assert result.outcome is AttemptOutcome.UNAVAILABLE
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "header", "expected_s"),
    [
        (429, "120", 120.0),
        (503, "0", 0.0),
        (503, "99999999", 99999999.0),
        (503, "-5", None),
        (503, "soon", None),
        (503, "1.5", None),
        (503, "", None),
    ],
)
async def test_retry_after_is_reported(opened: Opener, status: int, header: str, expected_s: float | None) -> None:
    async with receiving(answer(status, retry_after=header)) as receiver, opened(PATIENCE_S) as sender:
        result = await sender.send(attempt(receiver))
    assert result.retry_after_s == expected_s


async def test_retry_after_as_a_date(opened: Opener) -> None:
    at = NOW + timedelta(minutes=10)
    async with receiving(answer(503, retry_after=at.strftime("%a, %d %b %Y %H:%M:%S GMT"))) as receiver, opened(PATIENCE_S) as sender:
        result = await sender.send(attempt(receiver))
    assert result.retry_after_s == pytest.approx(600, abs=5)


async def test_the_excerpt_of_a_failure_is_short_and_holds_nothing_of_what_was_sent(opened: Opener) -> None:
    text = b"cannot store last_name=TESTPATIENT birth_date=1970-01-02\x00\x1b[31m: " + BODY + b" schema mismatch " + b"\xc3\xa9" * 40_000
    async with receiving(answer(422, text)) as receiver, opened(PATIENCE_S) as sender:
        result = await sender.send(attempt(receiver))
    assert result.outcome is AttemptOutcome.REFUSED
    assert "cannot store last_name=" in result.body_excerpt
    assert "schema mismatch" in result.body_excerpt
    assert len(result.body_excerpt.encode()) <= 2048
    assert "\x00" not in result.body_excerpt
    assert "\x1b" not in result.body_excerpt
    assert "testpatient" not in result.body_excerpt.lower()
    assert "1970" not in result.body_excerpt


async def test_a_success_leaves_no_excerpt(opened: Opener) -> None:
    async with receiving(answer(200, b"stored Testpatient")) as receiver, opened(PATIENCE_S) as sender:
        assert (await sender.send(attempt(receiver))).body_excerpt == ""


async def test_one_hanging_endpoint_delays_no_other(opened: Opener) -> None:
    async with receiving(behaviours.never) as hanging, receiving() as healthy, opened(PATIENCE_S) as sender:
        stuck = [asyncio.create_task(sender.send(attempt(hanging, endpoint=1))) for _ in range(100)]
        async with asyncio.timeout(PATIENCE_S):
            results = await asyncio.gather(*(sender.send(attempt(healthy, endpoint=2)) for _ in range(100)))
        assert all(result.outcome is AttemptOutcome.DELIVERED for result in results)
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_connections_are_kept_and_few(opened: Opener) -> None:
    async with receiving() as receiver, opened(PATIENCE_S) as sender:
        for _ in range(5):
            await sender.send(attempt(receiver))
        assert receiver.connections == 1
        await asyncio.gather(*(sender.send(attempt(receiver)) for _ in range(100)))
    assert receiver.connections <= 8


async def test_a_kept_connection_that_was_just_closed_costs_no_attempt(opened: Opener) -> None:
    """Some servers close after each answer without saying so: the next request meets the FIN half-way."""
    closing = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with receiving(closing) as receiver, opened(PATIENCE_S) as sender:
        results = [await sender.send(attempt(receiver)) for _ in range(200)]
    assert {result.outcome for result in results} == {AttemptOutcome.DELIVERED}
    assert {request.headers["webhook-id"] for request in receiver.requests} == {"ntf_0190"}


async def test_a_receiver_that_hangs_up_on_every_request_is_not_asked_without_end(opened: Opener) -> None:
    async with receiving() as receiver, opened(PATIENCE_S) as sender:
        await sender.send(attempt(receiver))
        receiver.behaviour = behaviours.reset
        result = await sender.send(attempt(receiver))
    assert result.outcome is AttemptOutcome.UNKNOWN
    assert len(receiver.requests) <= 3


async def test_two_endpoints_on_one_host_share_no_connection(opened: Opener) -> None:
    async with receiving() as receiver, opened(PATIENCE_S) as sender:
        for endpoint in (1, 2, 1, 2):
            await sender.send(attempt(receiver, endpoint=endpoint))
    assert [request.connection for request in receiver.requests] == [1, 2, 1, 2]


async def test_cookies_are_not_kept(opened: Opener) -> None:
    async with receiving(answer(200, set_cookie="a=b")) as receiver, opened(PATIENCE_S) as sender:
        await sender.send(attempt(receiver))
        await sender.send(attempt(receiver))
    assert all("cookie" not in request.headers for request in receiver.requests)


async def test_the_environments_proxy_is_not_used(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver, opened(PATIENCE_S) as sender:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.setenv("no_proxy", "")
        result = await sender.send(attempt(receiver))
    assert result.outcome is AttemptOutcome.DELIVERED
    assert proxy.requests == []


async def test_a_refused_address_is_a_result_and_nothing_is_sent(opened: Opener) -> None:
    async with receiving() as receiver, opened(PATIENCE_S) as sender:
        url = receiver.url().replace("http://127.0.0.1", "https://10.0.0.1")
        assert sender.objection(url) is not None
        assert sender.objection(receiver.url()) is None
        result = await sender.send(attempt(receiver, url=url))
    assert (result.outcome, result.fault) == (AttemptOutcome.UNAVAILABLE, TransportFault.ADDRESS_REFUSED)
    assert receiver.connections == 0


async def test_an_address_literal_of_the_sixth_version(opened: Opener) -> None:
    async with receiving(host="::1") as receiver, opened(PATIENCE_S) as sender:
        result = await sender.send(attempt(receiver))
    assert result.outcome is AttemptOutcome.DELIVERED
