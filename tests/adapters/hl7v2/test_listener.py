"""The MLLP listener over real sockets: order, concurrency, bounds, and an answer or a close for whatever a peer does."""

import asyncio
import logging
import socket
from collections.abc import Awaitable

import pytest

from adapters.hl7v2.framing import COMMIT_ACK, COMMIT_NAK, wrap
from adapters.hl7v2.listener import MllpListener
from adapters.hl7v2.peers import CloseReason, Failure, Peer, Reply, Said, Unwelcome
from tests.adapters.hl7v2.listening import PATIENCE_S, echo, house, on_both_loops, wire


class Gate:
    """Answers that wait until the test lets them go, and a count of how many wait."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, asyncio.Future[Reply]] = {}
        self._changed = asyncio.Event()

    def __call__(self, payload: bytes, _: Peer) -> "asyncio.Future[Reply]":
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.waiting[payload] = future
        self._changed.set()
        return future

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.waiting) < count:
                self._changed.clear()
                await self._changed.wait()

    def release(self, payload: bytes, reply: Reply = b"ok") -> None:
        self.waiting.pop(payload).set_result(reply)


@on_both_loops
async def test_a_frame_is_answered_and_the_connection_stays_open() -> None:
    async with house() as home, wire(home) as peer:
        assert await peer.ask(b"MSH|1") == b"ACK MSH|1"
        assert await peer.ask(b"MSH|2") == b"ACK MSH|2"
        assert home.opened[0].host == "127.0.0.1"
        assert not home.opened[0].is_tls
        counters = home.listener.reports()[0].counters
        assert (counters.frames, counters.replies, counters.failures) == (2, 2, 0)
        assert home.closed.empty()


@on_both_loops
async def test_thousands_of_messages_on_one_connection() -> None:
    async with house() as home, wire(home) as peer:
        for number in range(3_000):
            assert await peer.ask(b"%d" % number) == b"ACK %d" % number


@on_both_loops
async def test_frames_in_one_packet_and_a_frame_in_one_byte_packets() -> None:
    async with house() as home, wire(home) as peer:
        await peer.send(wrap(b"one") + wrap(b"two") + wrap(b"three"))
        assert [await peer.frame() for _ in range(3)] == [b"ACK one", b"ACK two", b"ACK three"]
        framed = wrap(b"slow")
        await peer.send(*(framed[at : at + 1] for at in range(len(framed))))
        assert await peer.frame() == b"ACK slow"


@on_both_loops
async def test_pipelined_frames_are_in_flight_together_and_answered_in_order() -> None:
    gate = Gate()
    payloads = [b"%d" % number for number in range(40)]
    async with house(gate, in_flight_max=64) as home, wire(home) as peer:
        await peer.send(b"".join(map(wrap, payloads)))
        await gate.until(40)
        for payload in reversed(payloads):
            gate.release(payload, b"ok " + payload)
        assert [await peer.frame() for _ in payloads] == [b"ok " + payload for payload in payloads]


@on_both_loops
async def test_the_window_bounds_what_is_in_flight() -> None:
    gate = Gate()
    payloads = [b"%d" % number for number in range(10)]
    async with house(gate, in_flight_max=4) as home, wire(home) as peer:
        await peer.send(b"".join(map(wrap, payloads)))
        await gate.until(4)
        assert sorted(gate.waiting) == payloads[:4]
        gate.release(b"1")
        await asyncio.sleep(0.02)
        assert b"4" not in gate.waiting, "an answer that is not yet sent still takes its place"
        gate.release(b"0")
        await gate.until(4)
        assert sorted(gate.waiting) == [b"2", b"3", b"4", b"5"]
        for payload in payloads[2:]:
            while payload not in gate.waiting:
                await asyncio.sleep(0)
            gate.release(payload)
        assert [await peer.frame() for _ in payloads] == [b"ok"] * 10


@on_both_loops
async def test_a_flood_is_not_read_further_than_the_window() -> None:
    gate = Gate()
    async with house(gate, in_flight_max=2) as home, wire(home) as peer:
        flood = wrap(b"x" * 20_000) * 2_000
        peer.writer.write(flood)
        await gate.until(1)
        await asyncio.sleep(0.05)
        counters = home.listener.reports()[0].counters
        assert counters.bytes_in < 1_000_000
        assert len(gate.waiting) <= 2


@on_both_loops
async def test_nothing_and_two_answers_are_possible() -> None:
    async def answer(payload: bytes, _: Peer) -> Reply:
        return {b"none": None, b"two": (b"CA", b"AA")}.get(payload, b"ok")

    async with house(answer) as home, wire(home) as peer:
        await peer.send(wrap(b"none") + wrap(b"two") + wrap(b"plain"))
        assert [await peer.frame() for _ in range(3)] == [b"CA", b"AA", b"ok"]


def failing_at_once(payload: bytes, peer: Peer) -> Awaitable[Reply]:
    if payload.startswith(b"ZZSECRET"):
        raise RuntimeError(payload.decode())
    return echo(payload, peer)


async def failing_later(payload: bytes, peer: Peer) -> Reply:
    await asyncio.sleep(0)
    return await failing_at_once(payload, peer)


async def cancelling(payload: bytes, peer: Peer) -> Reply:
    if payload.startswith(b"ZZSECRET"):
        raise asyncio.CancelledError
    return await echo(payload, peer)


@pytest.mark.parametrize("answer", [failing_at_once, failing_later, cancelling])
@on_both_loops
async def test_when_the_application_fails_the_peer_hears_so_and_nobody_reads_why(
    answer: object, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with house(answer) as home, wire(home) as peer:  # type: ignore[arg-type]  # three shapes of one thing
        await peer.send(wrap(b"first") + wrap(b"ZZSECRET") + wrap(b"last"))
        assert [await peer.frame() for _ in range(3)] == [b"ACK first", b"NAK answer_failed", b"ACK last"]
        assert home.refused == [(b"ZZSECRET", Failure.ANSWER_FAILED)]
        counters = home.listener.reports()[0].counters
        assert counters.failures == 1
        assert counters.last_failure in {"RuntimeError", "CancelledError"}
    assert "ZZSECRET" not in caplog.text
    captured = capfd.readouterr()
    assert "ZZSECRET" not in captured.out + captured.err


@pytest.mark.parametrize("is_raising", [False, True])
@on_both_loops
async def test_when_nothing_can_be_said_the_connection_closes_after_the_answers_before(is_raising: bool) -> None:
    def refusal(_: bytes, __: Failure) -> bytes | None:
        if is_raising:
            raise KeyError("ZZ")
        return None

    async with house(failing_later, refusal=refusal) as home, wire(home) as peer:
        await peer.send(wrap(b"first") + wrap(b"ZZSECRET") + wrap(b"last"))
        assert await peer.closed() == wrap(b"ACK first")
        assert (await home.report()).reason is CloseReason.NO_ANSWER


@on_both_loops
async def test_an_answer_that_never_comes_is_given_up() -> None:
    cancelled = asyncio.Event()

    async def answer(payload: bytes, peer: Peer) -> Reply:
        if payload == b"hang":
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return await echo(payload, peer)

    async with house(answer, answer_timeout_s=0.1) as home, wire(home) as peer:
        await peer.send(wrap(b"hang") + wrap(b"next"))
        assert [await peer.frame(), await peer.frame()] == [b"NAK answer_timed_out", b"ACK next"]
        await asyncio.wait_for(cancelled.wait(), PATIENCE_S)
        assert home.listener.reports()[0].counters.last_failure == "answer_timed_out"


@on_both_loops
async def test_a_future_of_somebody_else_is_given_up_but_not_cancelled() -> None:
    gate = Gate()
    async with house(gate, answer_timeout_s=0.1) as home, wire(home) as peer:
        await peer.send(wrap(b"hang"))
        assert await peer.frame() == b"NAK answer_timed_out"
        future = gate.waiting[b"hang"]
        assert not future.cancelled()
        future.set_exception(RuntimeError("too late, and nobody complains that it was not retrieved"))
        assert await asyncio.wait_for(asyncio.shield(asyncio.sleep(0, b"alive")), 1) == b"alive"
        assert home.closed.empty()


@on_both_loops
async def test_an_over_long_frame_is_refused_and_the_connection_closed() -> None:
    """MLLP-4."""
    async with house(frame_bytes_max=1_000) as home, wire(home) as peer:
        await peer.send(wrap(b"fine"))
        head = b"MSH|^~\\&|ZZADT|"
        peer.writer.write(b"\x0b" + head + b"x" * 64_000_000)
        assert await peer.frame() == b"ACK fine"
        assert await peer.frame() == b"NAK too_long"
        assert home.refused[0][0].startswith(head)
        assert home.refused[0][1] is Failure.TOO_LONG
        await peer.closed()
        report = await home.report()
        assert report.reason is CloseReason.FRAME_TOO_LONG
        assert report.counters.frames == 1


@on_both_loops
async def test_an_over_long_frame_with_nothing_readable_is_only_closed() -> None:
    async with house(refusal=lambda _, __: None, frame_bytes_max=1_000) as home, wire(home) as peer:
        peer.writer.write(b"\x0b" + b"x" * 2_000)
        assert await peer.closed() == b""
        assert (await home.report()).reason is CloseReason.FRAME_TOO_LONG


@on_both_loops
async def test_a_silent_peer_is_closed_after_the_idle_time_and_not_before_its_answer() -> None:
    gate = Gate()
    async with house(gate, idle_timeout_s=0.2) as home, wire(home) as peer:
        await peer.send(wrap(b"slow"))
        await gate.until(1)
        await asyncio.sleep(0.4)
        gate.release(b"slow", b"at last")
        assert await peer.frame() == b"at last"
        assert await peer.closed() == b""
        assert (await home.report()).reason is CloseReason.IDLE


@on_both_loops
async def test_dripping_bytes_do_not_keep_a_frame_open() -> None:
    """MLLP-4."""
    async with house(frame_timeout_s=0.3, idle_timeout_s=60) as home, wire(home) as peer:
        closing = asyncio.create_task(peer.closed())
        await peer.send(b"\x0bMSH|")
        while not closing.done():
            peer.writer.write(b"x")
            await asyncio.sleep(0.02)
        assert (await home.report()).reason is CloseReason.FRAME_TIMED_OUT


@on_both_loops
async def test_a_peer_that_does_not_read_its_answers_is_not_read_and_then_dropped() -> None:
    async def answer(_: bytes, __: Peer) -> Reply:
        return b"x" * 50_000

    async with house(answer, write_timeout_s=0.3, in_flight_max=8) as home, wire(home, limit=1_024) as peer:
        # Tiny frames ask for large answers; nothing is ever read here.
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        peer.writer.write(wrap(b"q") * 20_000)
        report = await home.report()
        assert report.reason is CloseReason.ANSWERS_NOT_READ
        assert report.counters.replies < 1_000


@on_both_loops
async def test_a_slow_reader_gets_everything() -> None:
    async def answer(payload: bytes, _: Peer) -> Reply:
        return payload + b"x" * 20_000

    async with house(answer, in_flight_max=4) as home, wire(home, limit=1_024) as peer:
        sending = asyncio.create_task(peer.send(b"".join(wrap(b"%03d" % number) for number in range(200))))
        for number in range(200):
            if number % 50 == 0:
                await asyncio.sleep(0.02)
            assert (await peer.frame())[:3] == b"%03d" % number
        await sending


@on_both_loops
async def test_more_connections_than_allowed_are_turned_away() -> None:
    async with house(connections_max=2) as home, wire(home) as one, wire(home) as two:
        assert await one.ask(b"1") == b"ACK 1"
        assert await two.ask(b"2") == b"ACK 2"
        async with wire(home) as three:
            assert await three.closed() == b""
        assert home.listener.turned_away == 1
        assert await one.ask(b"1") == b"ACK 1"


@on_both_loops
async def test_a_free_place_can_be_taken_again() -> None:
    async with house(connections_max=1) as home:
        async with wire(home) as one:
            await one.ask(b"1")
        await home.report()
        async with wire(home) as two:
            assert await two.ask(b"2") == b"ACK 2"


@on_both_loops
async def test_a_peer_that_stops_sending_still_gets_its_answers() -> None:
    gate = Gate()
    async with house(gate) as home, wire(home) as peer:
        await peer.send(wrap(b"one") + wrap(b"two") + b"\x0bMSH|three\x1c")
        peer.writer.write_eof()
        await gate.until(3)
        for payload in (b"MSH|three", b"two", b"one"):
            gate.release(payload, b"ok " + payload)
        assert await peer.closed() == wrap(b"ok one") + wrap(b"ok two") + wrap(b"ok MSH|three")
        assert (await home.report()).reason is CloseReason.PEER_CLOSED


@on_both_loops
async def test_a_missing_carriage_return_is_forgiven_and_counted() -> None:
    async with house(end_grace_s=0.05) as home, wire(home) as peer:
        await peer.send(b"\x0bMSH|one\x1c")
        assert await peer.frame() == b"ACK MSH|one"
        await peer.send(b"\x0bMSH|two\x1c\r")
        assert await peer.frame() == b"ACK MSH|two"
        assert home.listener.reports()[0].counters.frames_unterminated == 1


@on_both_loops
async def test_bytes_outside_frames_are_ignored_and_counted() -> None:
    """MLLP-2."""
    async with house() as home, wire(home) as peer:
        await peer.send(b"\r\n", wrap(b"one"), b"noise", wrap(b"two"))
        assert [await peer.frame(), await peer.frame()] == [b"ACK one", b"ACK two"]
        assert home.listener.reports()[0].counters.garbage_bytes == 7
        assert home.refused == []


@on_both_loops
async def test_a_message_without_its_start_byte_is_told_once() -> None:
    async with house() as home, wire(home) as peer:
        await peer.send(b"MSH|^~\\&|ZZ\rPID|1\r")
        assert await peer.frame() == b"NAK unframed"
        await peer.send(b"MSH|^~\\&|ZZ\rPID|1\r", wrap(b"framed"))
        assert await peer.frame() == b"ACK framed"
        assert [failure for _, failure in home.refused] == [Failure.UNFRAMED]


@on_both_loops
async def test_a_frame_begun_anew_counts_the_broken_one() -> None:
    async with house() as home, wire(home) as peer:
        await peer.send(b"\x0bMSH|half of", wrap(b"MSH|whole"))
        assert await peer.frame() == b"ACK MSH|whole"
        assert home.listener.reports()[0].counters.frames_aborted == 1


@on_both_loops
async def test_a_reset_in_the_middle_of_a_frame_harms_nobody_else() -> None:
    async with house() as home, wire(home) as other:
        async with wire(home) as peer:
            await peer.send(b"\x0bMSH|half")
            while not (len(home.opened) == 2 and any(report.counters.bytes_in for report in home.listener.reports())):
                await asyncio.sleep(0)
            peer.writer.transport.abort()
        assert (await home.report()).reason in {CloseReason.PEER_CLOSED, CloseReason.PEER_RESET}
        assert await other.ask(b"1") == b"ACK 1"


@on_both_loops
async def test_hundreds_of_idle_and_half_open_peers_do_not_stop_a_busy_one() -> None:
    async with house() as home:
        idle = [await asyncio.open_connection("127.0.0.1", home.listener.port) for _ in range(300)]
        for _, writer in idle[::3]:
            writer.write(b"\x0bMSH|half")
        async with wire(home) as busy:
            for number in range(500):
                assert await busy.ask(b"%d" % number) == b"ACK %d" % number
        assert len(home.listener.reports()) >= 300
        for _, writer in idle:
            writer.close()


@on_both_loops
async def test_a_commit_block_is_positive_only_for_what_is_stored() -> None:
    """MLLP-5: an application that answers, and says that it could not store, has committed nothing."""
    said = {
        b"1": Said((b"AA",)),
        b"2": Said((b"AE",), is_stored=False),
        b"3": Unwelcome((b"AR",)),
        b"4": Unwelcome((b"AE",), is_stored=False),
    }

    async def answer(payload: bytes, _: Peer) -> Reply:
        return said[payload]

    async with house(answer, is_release_2=True) as home, wire(home) as peer:
        await peer.send(*(wrap(payload) for payload in said))
        assert [await peer.frame() for _ in range(8)] == [b"\x06", b"AA", b"\x15", b"AE", b"\x06", b"AR", b"\x15", b"AE"]


@on_both_loops
async def test_a_sender_of_release_2_has_its_blocks_on_a_listener_of_release_1() -> None:
    async def answer(payload: bytes, _: Peer) -> Reply:
        return Said((payload,), is_stored=payload != b"lost", is_release_2=payload != b"old")

    async with house(answer) as home, wire(home) as peer:
        await peer.send(wrap(b"old") + wrap(b"new") + wrap(b"lost"))
        assert [await peer.frame() for _ in range(5)] == [b"old", b"\x06", b"new", b"\x15", b"lost"]


@on_both_loops
async def test_release_2_commit_acknowledgements_come_before_the_answer() -> None:
    """MLLP-5."""
    async with house(failing_later, is_release_2=True) as home, wire(home) as peer:
        await peer.send(wrap(b"one") + wrap(b"ZZSECRET"))
        assert [await peer.frame() for _ in range(4)] == [COMMIT_ACK, b"ACK one", COMMIT_NAK, b"NAK answer_failed"]
        await peer.send(wrap(COMMIT_ACK) + wrap(b"two"))
        assert [await peer.frame() for _ in range(2)] == [COMMIT_ACK, b"ACK two"]


@on_both_loops
async def test_shutdown_finishes_what_has_begun_and_takes_nothing_new() -> None:
    gate = Gate()
    async with house(gate) as home, wire(home) as waiting, wire(home) as middle, wire(home) as idle:
        await waiting.send(wrap(b"in flight"))
        await middle.send(b"\x0bbegu")
        await gate.until(1)
        closing = asyncio.create_task(home.listener.close(PATIENCE_S))
        assert await idle.closed() == b""
        with pytest.raises(OSError, match=r".*"):
            await asyncio.open_connection("127.0.0.1", home.listener.port)
        await middle.send(b"n\x1c\r")
        await gate.until(2)
        gate.release(b"begun", b"ok begun")
        gate.release(b"in flight", b"ok in flight")
        assert await waiting.closed() == wrap(b"ok in flight")
        assert await middle.closed() == wrap(b"ok begun")
        # The peers close their side; only then is the listener sure that nothing was lost.
        for one in (waiting, middle, idle):
            one.writer.close()
        assert await asyncio.wait_for(closing, PATIENCE_S) == 0
        assert [(await home.report()).reason for _ in range(3)] == [CloseReason.SHUTDOWN] * 3


@on_both_loops
async def test_shutdown_ends_in_time_whatever_hangs() -> None:
    gate = Gate()
    async with house(gate) as home, wire(home) as peer:
        await peer.send(wrap(b"never"))
        await gate.until(1)
        assert await asyncio.wait_for(home.listener.close(0.1), PATIENCE_S) == 1
        assert (await home.report()).reason is CloseReason.SHUTDOWN_FORCED
        gate.release(b"never")


@on_both_loops
async def test_a_taken_port_is_an_error_at_the_start() -> None:
    async with house() as home:
        second = MllpListener(echo, lambda *_: None, port=home.listener.port)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        assert not second.is_serving
        assert await second.close() == 0


@on_both_loops
async def test_a_socket_that_is_bound_already_is_listened_on() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    listener = MllpListener(echo, lambda *_: None, sock=bound)
    await listener.start()
    try:
        assert listener.port == bound.getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(wrap(b"one"))
        assert await asyncio.wait_for(reader.readexactly(len(wrap(b"ACK one"))), PATIENCE_S) == wrap(b"ACK one")
        writer.close()
        await writer.wait_closed()
    finally:
        await listener.close(PATIENCE_S)


@on_both_loops
async def test_the_report_of_a_connection_counts_what_happened() -> None:
    async with house() as home:
        async with wire(home) as peer:
            await peer.send(b"\n" + wrap(b"one"))
            assert await peer.frame() == b"ACK one"
            peer.writer.write_eof()
            await peer.closed()
        report = await home.report()
        assert report.reason is CloseReason.PEER_CLOSED
        assert report.peer == home.opened[0]
        assert report.open_for_s >= 0
        assert (report.counters.bytes_in, report.counters.bytes_out) == (7, len(wrap(b"ACK one")))
        assert (report.counters.frames, report.counters.replies, report.counters.garbage_bytes) == (1, 1, 1)
        assert home.listener.reports() == []
