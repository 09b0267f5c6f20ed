"""The room that all connections share (R14, MLLP-4): what it holds is bounded, nothing acknowledged is lost, and nobody waits for ever."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.framing import wrap
from adapters.hl7v2.listener import MllpListener
from adapters.hl7v2.peers import CloseReason, Failure, Limits
from adapters.hl7v2.room import Room
from tests.adapters.hl7v2.listening import PATIENCE_S, House, Wire, echo, house, on_both_loops, wire
from tests.adapters.hl7v2.test_fair_door import answered, judged, until
from tests.adapters.hl7v2.test_listener import Gate


@asynccontextmanager
async def small(bytes_max: int, **limits: float) -> AsyncIterator[House]:
    """A house with room for little, in which strangers are told apart."""
    async with house(judged, **limits) as home:
        home.listener.room = Room(bytes_max, time.monotonic)
        yield home


class Lodger:
    """A connection that does what it is told."""

    def __init__(self, room: Room, *, is_known: bool, since: float) -> None:
        self.room, self.is_known, self.since = room, is_known, since
        self.unbegun_bytes = self.begun_bytes = 0
        self.is_out = False

    def standing_of(self, now: float) -> tuple[bool, float]:
        return self.is_known, now - self.since

    def turn_out(self) -> None:
        self.is_out, self.unbegun_bytes = True, 0
        self.tell()

    def tell(self) -> None:
        self.room.hold(self, self.unbegun_bytes + self.begun_bytes)

    def mind_room(self) -> None:
        assert self.room.is_full

    def read_later(self) -> None:
        assert not self.room.is_full


CHUNK = 400
STEPS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["come", "begin", "answer"]), st.integers(1, CHUNK)), max_size=60)


@given(steps=STEPS)
def test_the_room_is_exceeded_by_a_chunk_at_most_and_is_full_only_while_waiting_helps(steps: list[tuple[int, str, int]]) -> None:
    room = Room(1_000, lambda: 100.0)
    lodgers = [Lodger(room, is_known=number < 3, since=float(number)) for number in range(6)]
    for lodger in lodgers:
        room.enter(lodger)
    for who, step, size in steps:
        lodger = lodgers[who]
        if step == "begin":
            lodger.begun_bytes, lodger.unbegun_bytes = lodger.begun_bytes + lodger.unbegun_bytes, 0
        elif step == "answer":
            lodger.begun_bytes = 0
        elif not room.is_full:
            lodger.unbegun_bytes += size
        lodger.tell()
        begun = sum(one.begun_bytes for one in lodgers)
        assert room.held_bytes == begun + sum(one.unbegun_bytes for one in lodgers)
        assert room.held_bytes <= room.bytes_max + CHUNK
        assert not room.is_full or begun > room.bytes_max // 4, "what is answered makes room for reading again"
    for lodger in lodgers:
        lodger.begun_bytes = 0
        lodger.tell()
        room.leave(lodger)
    assert (room.held_bytes, room.is_full) == (0, False)


def test_strangers_go_before_the_known_and_who_held_more_for_longer_before_the_rest() -> None:
    room = Room(1_000, lambda: 100.0)
    known, old, new, small_one = (Lodger(room, is_known=number == 0, since=float(since)) for number, since in enumerate((0, 10, 99, 10)))
    for lodger, size in ((known, 400), (old, 250), (new, 300), (small_one, 40)):
        room.enter(lodger)
        lodger.unbegun_bytes = size
        lodger.tell()
    assert not any(one.is_out for one in (known, old, new, small_one))
    new.unbegun_bytes += 50
    new.tell()
    assert [one.is_out for one in (known, old, new, small_one)] == [False, True, False, False]


@on_both_loops
async def test_frames_that_are_never_ended_cannot_fill_the_memory_and_their_senders_are_told_to_send_again() -> None:
    """Forty strangers with 60 kB each in room for 600 kB, beside a peer whose messages are welcome."""
    async with small(600_000) as home, wire(home) as good, AsyncExitStack() as stack:
        await answered(good, 3)
        strangers: list[Wire] = []
        most = 0
        for number in range(40):
            stranger = await stack.enter_async_context(wire(home))
            strangers.append(stranger)
            await stranger.send(b"\x0bMSH|%d|" % number + b"x" * 60_000)
            await answered(good, 1)
            most = max(most, home.listener.room.held_bytes)
        await until(lambda: home.listener.room.turned_out >= 30)
        assert most <= 600_000
        assert home.listener.room.held_bytes <= 600_000
        # Those who held it the longest went first, in the order in which they came.
        assert await strangers[0].frame() == b"NAK no_room"
        report = await home.report()
        assert (report.reason, report.peer.port) == (CloseReason.NO_ROOM, strangers[0].writer.get_extra_info("sockname")[1])
        assert home.refused[0][1] is Failure.NO_ROOM
        assert home.refused[0][0].startswith(b"MSH|0|")
        # What is left of the room is enough for who ends what he begins.
        await strangers[-1].send(b"\x1c\r")
        assert await strangers[-1].frame() == b"AR"
        await answered(good, 20)


@on_both_loops
async def test_what_strangers_sent_whole_and_waits_for_its_turn_counts_too() -> None:
    async with small(600_000, strangers_at_once=1, strangers_per_s=0.001) as home, AsyncExitStack() as stack:
        for _ in range(40):
            await (await stack.enter_async_context(wire(home))).send(wrap(b"bad " + b"x" * 60_000))
        await until(lambda: home.listener.room.turned_out >= 29)
        assert home.listener.room.held_bytes <= 600_000


@on_both_loops
async def test_when_all_that_is_held_is_being_answered_nobody_is_read_and_then_everybody_again() -> None:
    """Back pressure and no refusal: every message of every peer is answered in the end, in its order."""
    gate = Gate()
    async with house(gate, in_flight_bytes_max=100_000) as home, AsyncExitStack() as stack:
        home.listener.room = room = Room(300_000, time.monotonic)
        peers = [await stack.enter_async_context(wire(home)) for _ in range(8)]
        for number, peer in enumerate(peers):
            await peer.send(wrap(b"%d" % number))
            await gate.until(1)
            gate.release(b"%d" % number)
            assert await peer.frame() == b"ok"
        sending = [
            asyncio.create_task(peer.send(*(wrap(b"%d %d " % (number, count) + b"x" * 50_000) for count in range(6))))
            for number, peer in enumerate(peers)
        ]
        await until(lambda: room.is_full)
        await asyncio.sleep(0.05)
        # What is in the hands of the loop when it fills may still come in: a chunk of each.
        assert room.held_bytes <= 300_000 + 8 * 262_144
        answers = [asyncio.create_task(_frames(peer, 6)) for peer in peers]
        async with asyncio.timeout(PATIENCE_S * 4):
            while not all(task.done() for task in answers):
                for payload in list(gate.waiting):
                    gate.release(payload, payload[:4])
                await asyncio.sleep(0.002)
        for number, task in enumerate(answers):
            assert await task == [b"%d %d " % (number, count) for count in range(6)]
        await asyncio.gather(*sending)
        assert (room.held_bytes, room.turned_out) == (0, 0)
        assert room.times_full >= 1


async def _frames(peer: Wire, count: int) -> list[bytes]:
    return [await peer.frame() for _ in range(count)]


@on_both_loops
async def test_what_is_answered_for_a_connection_that_is_gone_is_held_until_it_is() -> None:
    gate = Gate()
    async with house(gate) as home:
        async with wire(home) as peer:
            await peer.send(wrap(b"x" * 50_000))
            await gate.until(1)
            # A reset: who only says goodbye is still owed the answer.
            peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.writer.transport.abort()
        assert (await home.report()).counters.frames == 1
        assert home.listener.room.held_bytes == 50_000
        gate.release(b"x" * 50_000)
        await until(lambda: home.listener.room.held_bytes == 0)


@on_both_loops
async def test_who_has_shown_nothing_makes_place_for_somebody_new_and_who_is_welcome_stays() -> None:
    async with house(judged, connections_max=6) as home, wire(home) as good, AsyncExitStack() as stack:
        await answered(good, 1)
        silent = [await stack.enter_async_context(wire(home)) for _ in range(5)]
        await until(lambda: len(home.opened) == 6)
        await silent[1].send(b"\x0bMSH|begun")
        for number in range(2):
            newcomer = await stack.enter_async_context(wire(home))
            await answered(newcomer, 1)
            assert await silent[number].closed() == b""
            report = await home.report()
            assert report.reason is CloseReason.DISPLACED
            assert report.peer.port == home.opened[1 + number].port
        await answered(good, 1)
        assert (home.listener.displaced, home.listener.turned_away, len(home.listener.reports())) == (2, 0, 6)


@on_both_loops
async def test_when_everybody_is_welcome_or_owed_an_answer_the_new_one_is_turned_away() -> None:
    gate = Gate()
    async with house(gate, connections_max=2) as home, wire(home) as known, wire(home) as owed:
        await known.send(wrap(b"1"))
        await gate.until(1)
        gate.release(b"1")
        assert await known.frame() == b"ok"
        await owed.send(wrap(b"2"))
        await gate.until(1)
        async with wire(home) as late:
            assert await late.closed() == b""
        assert (home.listener.displaced, home.listener.turned_away) == (0, 1)
        gate.release(b"2")
        assert await owed.frame() == b"ok"


@on_both_loops
async def test_a_house_of_idle_strangers_closes_as_fast_as_another() -> None:
    """Who was displaced is no longer waited for."""
    listener = MllpListener(echo, lambda *_: None, port=0, limits=Limits(connections_max=3))
    await listener.start()
    peers = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(9)]
    await until(lambda: listener.displaced == 6)
    async with asyncio.timeout(PATIENCE_S):
        assert await listener.close(0.5) == 0
    for _, writer in peers:
        writer.transport.abort()
