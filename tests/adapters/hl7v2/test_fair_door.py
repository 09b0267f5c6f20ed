"""A listener among hostile peers, over real sockets: they are bounded, they are told, and who behaves is answered beside them.

By counts and order, never by the clock: how fast is for `make bench` to say.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.hl7v2.framing import wrap
from adapters.hl7v2.peers import CloseReason, Failure, Peer, Reply, Unwelcome
from tests.adapters.hl7v2.listening import PATIENCE_S, House, Wire, echo, house, on_both_loops, wire
from tests.adapters.hl7v2.test_listener import Gate
from tests.load.hostile import KINDS, Kind, Line


async def judged(payload: bytes, _: Peer) -> Reply:
    """What the service says: a stranger is told that nobody knows him."""
    await asyncio.sleep(0)
    return b"ACK " + payload if payload.startswith(b"good") else Unwelcome((b"AR",))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


async def answered(peer: Wire, count: int) -> None:
    for number in range(count):
        assert await peer.ask(b"good %d" % number) == b"ACK good %d" % number


@on_both_loops
async def test_thousands_of_frames_in_one_packet_let_others_in_between() -> None:
    begun: Counter[int] = Counter()

    async def answer(payload: bytes, peer: Peer) -> Reply:
        begun[peer.connection_id] += 1
        return await echo(payload, peer)

    async with house(answer, frames_a_turn=4) as home, wire(home) as flood, wire(home) as good:
        assert await good.ask(b"0") == b"ACK 0"
        reading = asyncio.create_task(flood.reader.readexactly(6_000 * len(wrap(b"ACK "))))
        flood.writer.write(wrap(b"") * 6_000)
        await until(lambda: len(begun) > 1)
        seen = []
        for number in range(20):
            assert await good.ask(b"%d" % number) == b"ACK %d" % number
            seen.append(begun.total())
        assert seen[-1] < 6_000, "it was answered in between, not after them"
        assert await asyncio.wait_for(reading, 30) == wrap(b"ACK ") * 6_000


@on_both_loops
async def test_strangers_are_answered_as_far_as_the_allowance_goes_and_the_known_always() -> None:
    async with house(judged, strangers_at_once=5, strangers_per_s=0.001) as home, wire(home) as good, wire(home) as bad:
        await answered(good, 20)
        await bad.send(b"".join(wrap(b"bad %d" % number) for number in range(500)))
        assert [await bad.frame() for _ in range(5)] == [b"AR"] * 5
        await answered(good, 100)
        replies = {report.peer.connection_id: report.counters.replies for report in home.listener.reports()}
        assert sorted(replies.values()) == [5, 120], "the rest is not answered, and not read any further"


@on_both_loops
async def test_strangers_are_answered_in_the_end() -> None:
    async with house(judged, strangers_at_once=5, strangers_per_s=200) as home, wire(home) as one, wire(home) as two:
        for peer in (one, two):
            await peer.send(b"".join(wrap(b"bad %d" % number) for number in range(50)))
        for peer in (one, two):
            assert [await peer.frame() for _ in range(50)] == [b"AR"] * 50


@on_both_loops
async def test_a_newcomer_who_is_welcome_is_not_held_up() -> None:
    """Far more in flight than the allowance has: each that turns out welcome is given back."""
    async with house(judged, strangers_at_once=5, strangers_per_s=0.001) as home, wire(home) as peer:
        await peer.send(b"".join(wrap(b"good %d" % number) for number in range(500)))
        assert [await peer.frame() for _ in range(500)] == [b"ACK good %d" % number for number in range(500)]


@on_both_loops
async def test_an_engine_of_which_some_is_not_for_us_stays_welcome() -> None:
    """One in six, for ever, with an allowance of almost nothing."""
    async with house(judged, strangers_at_once=5, strangers_per_s=0.001) as home, wire(home) as peer:
        await answered(peer, 30)
        for number in range(300):
            assert await peer.ask(b"bad" if number % 6 == 0 else b"good") == (b"AR" if number % 6 == 0 else b"ACK good")


@on_both_loops
async def test_a_drip_is_read_in_sips_and_still_runs_out_of_time() -> None:
    """MLLP-4, MLLP-1: read seldom is not forgotten, and a frame in crumbs is a frame."""
    async with house(frame_timeout_s=0.5) as home, wire(home) as peer, wire(home) as drip:
        framed = wrap(b"MSH|" + b"x" * 200)
        await peer.send(*(framed[at : at + 1] for at in range(len(framed))))
        assert await peer.frame() == b"ACK MSH|" + b"x" * 200
        closing = asyncio.create_task(drip.closed())
        await drip.send(b"\x0bMSH|")
        while not closing.done():
            drip.writer.write(b"x")
            await asyncio.sleep(0.005)
        assert (await home.report()).reason is CloseReason.FRAME_TIMED_OUT


@on_both_loops
async def test_tls_on_a_plain_door_is_told_so_and_never_taken_for_a_message() -> None:
    async with house() as home, wire(home) as good:
        async with wire(home) as peer:
            # With the bytes of MLLP in its random part.
            await peer.send(bytes.fromhex("16030100c8010000c40303") + bytes(range(180)))
            assert await peer.closed() == bytes.fromhex("15030100020228")
            report = await home.report()
        assert report.reason is CloseReason.TLS_ON_PLAIN
        assert (report.counters.frames, report.counters.failures) == (0, 1)
        assert await good.ask(b"1") == b"ACK 1"


@on_both_loops
async def test_what_holds_much_is_answered_a_few_at_a_time() -> None:
    gate = Gate()
    async with house(gate, in_flight_bytes_max=100_000) as home, wire(home) as peer:
        payloads = [b"%d" % number + b"x" * 60_000 for number in range(6)]
        sending = asyncio.create_task(peer.send(b"".join(map(wrap, payloads))))
        for number, payload in enumerate(payloads):
            await until(lambda payload=payload: payload in gate.waiting)  # type: ignore[misc]  # it is called at once
            assert len(gate.waiting) <= 2
            gate.release(payload, b"ok %d" % number)
            assert await peer.frame() == b"ok %d" % number
        await sending


@on_both_loops
async def test_everything_that_came_before_the_end_of_the_stream_is_answered() -> None:
    async with house(frames_a_turn=2) as home, wire(home) as peer:
        await peer.send(b"".join(wrap(b"%d" % number) for number in range(1_000)), b"\x0bMSH|last\x1c")
        peer.writer.write_eof()
        assert [await peer.frame() for _ in range(1_000)] == [b"ACK %d" % number for number in range(1_000)]
        assert await peer.frame() == b"ACK MSH|last"
        assert await peer.closed() == b""


@on_both_loops
async def test_refusals_keep_the_order_of_what_they_refuse() -> None:
    async with house(in_flight_max=1, frame_bytes_max=100) as home, wire(home) as peer:
        await peer.send(wrap(b"1") + wrap(b"2") + b"MSH|unframed" + wrap(b"3") + b"\x0b" + b"x" * 200)
        assert [await peer.frame() for _ in range(5)] == [b"ACK 1", b"ACK 2", b"NAK unframed", b"ACK 3", b"NAK too_long"]
        assert [failure for _, failure in home.refused] == [Failure.UNFRAMED, Failure.TOO_LONG]


@on_both_loops
async def test_a_frame_of_64_megabytes_is_not_read_to_its_end() -> None:
    async with house(frame_bytes_max=1_048_576) as home, wire(home) as good:
        await good.ask(b"1")
        async with wire(home) as peer:
            peer.writer.write(b"\x0bMSH|" + b"x" * 64_000_000)
            assert await peer.frame() == b"NAK too_long"
            assert await good.ask(b"2") == b"ACK 2"
            report = await home.report()
        assert report.reason is CloseReason.FRAME_TOO_LONG
        assert report.counters.bytes_in < 40_000_000


@on_both_loops
async def test_a_peer_that_reads_no_answer_is_stopped_and_closed_and_holds_little() -> None:
    async def answer(payload: bytes, _: Peer) -> Reply:
        return b"ACK " + payload + b"x" * 300

    async with house(answer, write_timeout_s=0.5) as home, wire(home) as good:
        bad = socket.socket()
        bad.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        bad.setblocking(False)
        with bad:
            await asyncio.get_running_loop().sock_connect(bad, ("127.0.0.1", home.listener.port))
            flood = asyncio.create_task(asyncio.get_running_loop().sock_sendall(bad, wrap(b"q") * 2_000_000))
            report = None
            while report is None:
                assert (await good.ask(b"beside"))[:10] == b"ACK beside"
                report = home.closed.get_nowait() if not home.closed.empty() else None
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)
        assert report.reason is CloseReason.ANSWERS_NOT_READ
        # The operating system's buffer of an answer each, and ours; by itself it would keep four megabytes.
        assert report.counters.bytes_out < 1_500_000


@asynccontextmanager
async def hostile(kind: Kind, home: House) -> AsyncIterator[None]:
    """Peers of a kind, in this process; at most 20 of them."""

    async def one() -> None:
        while True:
            try:
                line = await Line.open(home.listener.port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            try:
                while True:
                    await kind.act(line)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)
            finally:
                line.reset()

    peers = [asyncio.create_task(one()) for _ in range(min(20, kind.peers))]
    try:
        yield
    finally:
        for peer in peers:
            peer.cancel()
        await asyncio.gather(*peers, return_exceptions=True)


@pytest.mark.parametrize("name", list(KINDS))
@on_both_loops
async def test_a_good_peer_is_answered_beside_every_kind(name: str) -> None:
    answer: Callable[[bytes, Peer], Awaitable[Reply]] = judged
    async with house(answer, end_grace_s=0.05) as home, wire(home) as good:
        await answered(good, 5)
        async with hostile(KINDS[name], home):
            await until(lambda: len(home.opened) > min(20, KINDS[name].peers))
            await answered(good, 100)
