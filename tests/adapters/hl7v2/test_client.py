"""The MLLP sender (MLLP-6): each answer belongs to its message, and after a doubt the socket is closed first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.client import AnswerMismatchError, AnswerTimeoutError, MllpClient, MllpError, NotConnectedError
from adapters.hl7v2.er7 import MESSAGE_BYTES_MAX
from adapters.hl7v2.framing import MllpFramer, wrap
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.inbound import AckCode, Problem, ProblemCode, Severity
from tests.adapters.hl7v2.listening import PATIENCE_S, Peer, house
from tests.adapters.hl7v2.support import discharge, er7, msh
from tests.adapters.hl7v2.test_ack import AT

READER, WRITER = Hl7v2Reader(), Er7AckWriter()
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def message(control_id: str, **fields: str) -> bytes:
    return discharge(header=msh("A03", f10=control_id, **fields))


def ack(control_id: str, code: str = "AA", *more: str) -> bytes:
    return er7("MSH|^~\\&|A|B|C|D|20260105||ACK^A03^ACK|1|P|2.5.1", f"MSA|{code}|{control_id}", *more)


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[int]:
    """A peer that does exactly what the test says, once a connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2 * MESSAGE_BYTES_MAX)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer_as_written(payload: bytes, _: Peer) -> bytes:
    header = READER.header(payload)
    return WRITER.write(payload, header, AckCode.AA, [], control_id="ZZA" + header.control_id, at=AT)


async def test_messages_are_answered_in_order_on_one_connection() -> None:
    async with house(answer_as_written) as home, MllpClient("127.0.0.1", home.listener.port) as client:
        messages = [message(f"ZZ{number}") for number in range(300)]
        replies = [reply async for reply in client.send_all(messages)]
        assert [reply.control_id for reply in replies] == [f"ZZ{number}" for number in range(300)]
        assert all(reply.code == "AA" and reply.is_positive and reply.elapsed_s >= 0 for reply in replies)
        assert len(home.opened) == 1


async def test_a_window_keeps_many_in_flight_and_the_order() -> None:
    waiting: list[asyncio.Future[bytes]] = []

    async def answer(payload: bytes, peer: Peer) -> bytes:
        gate: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiting.append(gate)
        if len(waiting) == 16:
            for one in reversed(waiting):
                one.set_result(b"")
            waiting.clear()
        await gate
        return await answer_as_written(payload, peer)

    # With fewer than sixteen in flight nobody would ever be answered.
    async with house(answer) as home, MllpClient("127.0.0.1", home.listener.port, window=16, answer_timeout_s=PATIENCE_S) as client:
        replies = [reply async for reply in client.send_all(message(f"ZZ{number}") for number in range(160))]
        assert [reply.control_id for reply in replies] == [f"ZZ{number}" for number in range(160)]


@pytest.mark.parametrize("step", [1, 3, 10_000])
async def test_an_answer_in_fragments_is_put_together(step: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        framed = b"\r\n" + wrap(ack("ZZ1", "AE", "ERR||PID^1^3|101^Required field missing^HL70357|E||||No \\T\\ number."))
        for at in range(0, len(framed), step):
            writer.write(framed[at : at + step])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with scripted(script) as port, MllpClient("127.0.0.1", port) as client:
        reply = await client.send(message("ZZ1"))
        assert (reply.code, reply.is_positive) == ("AE", False)
        assert reply.acknowledgements[0].errors == (("PID^1^3", "No & number."),)


async def test_an_answer_to_another_message_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(wrap(ack("ZZOTHER")))
        assert await reader.read() == b""
        closed.set()

    async with scripted(script) as port:
        client = MllpClient("127.0.0.1", port)
        with pytest.raises(AnswerMismatchError, match="MSA-2") as caught:
            await client.send(message("ZZ1"))
        assert caught.value.unanswered == (message("ZZ1"),)
        await asyncio.wait_for(closed.wait(), PATIENCE_S)


async def test_after_a_timeout_the_socket_is_closed_before_anything_is_sent_again() -> None:
    connections: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        mine = connections[-1]
        sent = MllpFramer(1_000_000).feed(await reader.readuntil(b"\x1c\r"))
        assert len(sent) == 1
        if mine == 0:
            assert await reader.read() == b"", "the late answer below would have gone to the wrong message"
            writer.write(wrap(ack("ZZ1")))
        else:
            writer.write(wrap(ack("ZZ2")))
            await reader.read()

    async with scripted(script) as port:
        client = MllpClient("127.0.0.1", port, answer_timeout_s=0.1)
        with pytest.raises(AnswerTimeoutError, match=r"within 0\.1 s") as caught:
            await client.send(message("ZZ1"))
        assert caught.value.unanswered == (message("ZZ1"),)
        assert (await client.send(message("ZZ2"))).code == "AA"
        assert connections == [0, 1]
        await client.close()


async def test_what_was_left_unanswered_is_told() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(4):
            await reader.readuntil(b"\x1c\r")
        writer.write(wrap(ack("ZZ0")))

    async with scripted(script) as port:
        client = MllpClient("127.0.0.1", port, window=4)
        replies = []
        messages = iter([message(f"ZZ{number}") for number in range(9)])
        with pytest.raises(NotConnectedError) as caught:
            async for reply in client.send_all(messages):
                replies.append(reply.control_id)  # noqa: PERF401 -- what came before the failure is wanted
        assert replies == ["ZZ0"]
        assert [*caught.value.unanswered, *messages] == [message(f"ZZ{number}") for number in range(1, 9)]


async def test_a_caller_that_stops_listening_leaves_no_answer_behind() -> None:
    async with house(answer_as_written) as home:
        client = MllpClient("127.0.0.1", home.listener.port, window=4)
        replies = client.send_all([message(f"ZZ{number}") for number in range(4)])
        assert (await anext(replies)).control_id == "ZZ0"
        await replies.aclose()  # type: ignore[attr-defined]  # it is an async generator
        assert (await client.send(message("ZZ9"))).control_id == "ZZ9"
        assert len(home.opened) == 2
        await client.close()


@pytest.mark.parametrize(
    ("payload", "words"),
    [(b"hello", "no acknowledgement"), (b"MSH|^~\\&|A\rPID|1\r", "no acknowledgement"), (b"x" * 3_000, "larger")],
)
async def test_what_is_no_acknowledgement_is_said_so(payload: bytes, words: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(wrap(payload))
        await reader.read()

    async with scripted(script) as port:
        client = MllpClient("127.0.0.1", port, frame_bytes_max=2_000)
        with pytest.raises(AnswerMismatchError, match=words):
            await client.send(message("ZZ1"))


async def test_nobody_there_is_said_with_the_place() -> None:
    async with scripted(lambda _, __: asyncio.sleep(0)) as port:
        pass
    client = MllpClient("127.0.0.1", port)
    with pytest.raises(NotConnectedError, match=f"127.0.0.1:{port}"):
        await client.send(message("ZZ1"))


# MSH-15, MSH-16, what the peer answers, the codes that come back.
ENHANCED = [
    ("", "", ["AA"], ["AA"]),
    ("NE", "NE", [], []),
    ("AL", "NE", ["CA"], ["CA"]),
    ("AL", "", ["CA"], ["CA"]),
    ("NE", "AL", ["AE"], ["AE"]),
    ("AL", "AL", ["CA", "AA"], ["CA", "AA"]),
    ("AL", "AL", ["CE"], ["CE"]),
    ("AL", "AL", ["CE", "AE"], ["CE", "AE"]),
    ("ER", "AL", ["AA"], ["AA"]),
    ("AL", "ER", ["CA"], ["CA"]),
    ("AL", "ER", ["CA", "AE"], ["CA", "AE"]),
    ("ER", "ER", [], []),
    ("ER", "NE", ["CE"], ["CE"]),
    ("SU", "NE", ["CA"], ["CA"]),
]


@pytest.mark.parametrize(("accept", "application", "answers", "codes"), ENHANCED)
async def test_enhanced_mode_waits_for_what_is_due(accept: str, application: str, answers: list[str], codes: list[str]) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(b"".join(wrap(ack("ZZ1", code)) for code in answers))
        await reader.readuntil(b"\x1c\r")
        writer.write(wrap(ack("ZZ2")))
        await reader.read()

    async with scripted(script) as port, MllpClient("127.0.0.1", port, conditional_timeout_s=0.05) as client:
        replies = [reply async for reply in client.send_all([message("ZZ1", f15=accept, f16=application), message("ZZ2")])]
        assert [one.code for one in replies[0].acknowledgements] == codes
        assert replies[0].code == (codes[-1] if codes else "")
        assert replies[1].code == "AA"


async def test_a_rejection_without_a_control_id_belongs_to_what_was_sent() -> None:
    async def answer(payload: bytes, _: Peer) -> bytes:
        problem = Problem(ProblemCode.SEGMENT_SEQUENCE, Severity.ERROR, "MSH^1", "The message does not begin with an MSH segment.")
        return WRITER.write(payload, READER.header(payload), AckCode.AR, [problem], control_id="ZZA1", at=AT)

    async with house(answer) as home, MllpClient("127.0.0.1", home.listener.port) as client:
        reply = await client.send(b"no message at all")
        assert reply.code == "AR"
        assert reply.acknowledgements[0].errors[0][0] == "MSH^1"


@pytest.mark.parametrize("code", ["AA", "AR"])
async def test_what_our_own_reader_would_refuse_is_sent_and_answered_under_its_control_id(code: str) -> None:
    large = message("ZZ1") + b"NTE|1||" + b"x" * MESSAGE_BYTES_MAX + b"\r"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x1c\r")
        writer.write(wrap(ack("ZZ1", code)))
        await reader.read()

    async with scripted(script) as port, MllpClient("127.0.0.1", port) as client:
        reply = await client.send(large)
        assert (reply.control_id, reply.code) == ("ZZ1", code)


async def test_release_2() -> None:
    async def failing(_: bytes, __: Peer) -> bytes:
        raise MllpError("cannot store")

    async with (
        house(answer_as_written, is_release_2=True) as home,
        MllpClient("127.0.0.1", home.listener.port, is_release_2=True) as client,
    ):
        assert (await client.send(message("ZZ1"))).code == "AA"
    async with house(failing, is_release_2=True) as home:
        client = MllpClient("127.0.0.1", home.listener.port, is_release_2=True)
        with pytest.raises(AnswerMismatchError, match="could not store"):
            await client.send(message("ZZ1"))
