"""Other people's MLLP against ours: python-hl7's senders at our listener, our sender at python-hl7's and hl7apy's servers."""

import asyncio
import threading
from collections.abc import Iterator

import hl7
import pytest
from hl7.client import MLLPClient as Hl7Client
from hl7.mllp import HL7StreamReader, HL7StreamWriter, open_hl7_connection, start_hl7_server
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.client import MllpClient
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.inbound import AckCode
from tests.adapters.hl7v2.listening import PATIENCE_S, Peer, house
from tests.adapters.hl7v2.support import PID, discharge, msh
from tests.adapters.hl7v2.test_ack import AT

READER, WRITER = Hl7v2Reader(), Er7AckWriter()


async def acknowledge(payload: bytes, _: Peer) -> bytes:
    return WRITER.write(payload, READER.header(payload), AckCode.AA, [], control_id="ZZA1", at=AT)


async def test_python_hl7_s_blocking_sender() -> None:
    async with house(acknowledge) as home:

        def send() -> list[bytes]:
            with Hl7Client("127.0.0.1", home.listener.port) as client:
                return [client.send_message(discharge(header=msh(f10=f"ZZ{number}")).decode()) for number in range(20)]

        answers = await asyncio.to_thread(send)
        assert [answer.strip(b"\x0b\x1c\r").split(b"\r")[1] for answer in answers] == [b"MSA|AA|ZZ%d" % number for number in range(20)]


async def test_python_hl7_s_asyncio_sender() -> None:
    async with house(acknowledge) as home:
        reader, writer = await asyncio.wait_for(open_hl7_connection("127.0.0.1", home.listener.port, encoding="utf-8"), PATIENCE_S)
        for number in range(20):
            body = discharge(header=msh(f10=f"ZZ{number}", f18="UNICODE UTF-8"), pid=PID.replace("ALPHA", "ÀLPHA"))
            writer.writemessage(hl7.parse(body.decode()))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), PATIENCE_S)
            assert str(answer["MSA.F2"]) == f"ZZ{number}"
        writer.close()
        await writer.wait_closed()
        assert home.listener.reports() == [] or home.listener.reports()[0].counters.garbage_bytes == 0


async def test_our_sender_at_python_hl7_s_server() -> None:
    finished = asyncio.Event()

    async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while True:
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            finished.set()

    server = await start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8")
    async with MllpClient("127.0.0.1", server.sockets[0].getsockname()[1]) as client:
        replies = [reply async for reply in client.send_all(discharge(header=msh(f10=f"ZZ{number}")) for number in range(20))]
    assert [(reply.code, reply.control_id) for reply in replies] == [("AA", f"ZZ{number}") for number in range(20)]
    await asyncio.wait_for(finished.wait(), PATIENCE_S)
    server.close()
    await server.wait_closed()


class Acknowledging(AbstractHandler):  # type: ignore[misc]  # hl7apy publishes no types
    """Answers as hl7apy would build it."""

    def reply(self) -> str:
        incoming = parse_message(self.incoming_message, find_groups=False)
        return f"\x0bMSH|^~\\&|||||20260105||ACK|ZZA1|P|2.5.1\rMSA|AA|{incoming.msh.msh_10.value}\r\x1c\r"


@pytest.fixture
def hl7apy_port() -> Iterator[int]:
    server = MLLPServer("127.0.0.1", 0, {"ADT^A03^ADT_A03": (Acknowledging,)}, timeout=2)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.server_close()


async def test_our_sender_at_hl7apy_s_server(hl7apy_port: int) -> None:
    # It closes after every answer.
    for number in range(3):
        async with MllpClient("127.0.0.1", hl7apy_port) as client:
            reply = await client.send(discharge(header=msh(f10=f"ZZ{number}")))
            assert (reply.code, reply.control_id) == ("AA", f"ZZ{number}")
