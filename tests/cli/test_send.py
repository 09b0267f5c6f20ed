"""`handoff send` against real receivers: ours over MLLP and HTTP, and ones that misbehave; `handoff lint` on the same files."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.hl7v2.encodings import as_xml
from adapters.hl7v2.er7 import Er7Message, tokenize
from adapters.hl7v2.framing import wrap
from app.cli.exits import ExitCode
from app.cli.http_client import HttpClient
from tests.adapters.hl7v2.xml_twin import xml_twin
from tests.cli.conftest import Handoff
from tests.support.messages import adt

ONE = adt("A01", "20260302100000-0500", control="C1")
TWO = adt("A03", "20260303100000-0500", control="C2")


def ack(control_id: str, code: str = "AA", *more: str) -> bytes:
    return "\r".join(["MSH|^~\\&|R|R|S|S|20260302||ACK|1|P|2.5.1", f"MSA|{code}|{control_id}", *more, ""]).encode()


def control_id_of(message: bytes) -> str:
    return message.split(b"|")[9].decode()


@contextmanager
def mllp_receiver(answer: Callable[[bytes], bytes | tuple[bytes, ...] | None]) -> Iterator[str]:
    """A receiver that answers each frame, once or several times; None: it closes without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                data = b""
                while piece := connection.recv(65_536):
                    data += piece
                    while b"\x1c\r" in data:
                        frame, data = data.split(b"\x1c\r", 1)
                        said = answer(frame.lstrip(b"\x0b"))
                        if said is None:
                            return
                        connection.sendall(b"".join(map(wrap, (said,) if isinstance(said, bytes) else said)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
    thread.join(10)


@contextmanager
def http_receiver(answer: Callable[[bytes, dict[str, str], str], tuple[int, str, bytes]]) -> Iterator[str]:
    """A receiver that answers each request with (status, content type, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, kind, said = answer(body, headers, self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
    thread.join(10)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two messages in one file."""
    path = tmp_path / "two.hl7"
    path.write_bytes(ONE + b"\n" + TWO)
    return path


def test_every_message_is_sent_and_its_acknowledgement_printed(handoff: Handoff, file: Path) -> None:
    with mllp_receiver(lambda message: ack(control_id_of(message))) as place:
        ended = handoff("send", file, "--mllp", place, "--json")
    assert ended.code == ExitCode.OK
    assert (ended.json["sent"], ended.json["negative"]) == (2, 0)
    assert [(one["control_id"], one["code"]) for one in ended.json["acknowledgements"]] == [("C1", "AA"), ("C2", "AA")]


def test_a_negative_answer_is_code_3_and_its_problems_are_printed(handoff: Handoff, file: Path) -> None:
    error = "ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3 is empty. Send an identifier."
    with mllp_receiver(lambda message: ack(control_id_of(message), "AE", error)) as place:
        ended = handoff("send", file, "--mllp", place)
    assert ended.code == ExitCode.REFUSED
    assert "C1  AE" in ended.out
    assert "PID^1^3: PID-3 is empty. Send an identifier." in ended.out
    assert "2 sent, 0 accepted, 2 answered negatively" in ended.err


def test_a_message_with_two_negative_answers_is_one_message_and_what_is_not_sent_is_said(handoff: Handoff, tmp_path: Path) -> None:
    path = tmp_path / "enhanced.hl7"
    path.write_bytes(b"a remark\n" + ONE + TWO.replace(b"|P|2.5.1", b"|P|2.5.1|||AL|AL") + b"BTS|3\r")

    def answer(message: bytes) -> tuple[bytes, ...]:
        number = control_id_of(message)
        return (ack(number),) if number == "C1" else (ack(number, "CE"), ack(number, "AE"))

    with mllp_receiver(answer) as place:
        ended = handoff("send", path, "--mllp", place)
    assert [line.split() for line in ended.out.splitlines()] == [["C1", "AA"], ["C2", "CE"], ["C2", "AE"]]
    assert "2 sent, 1 accepted, 1 answered negatively" in ended.err
    assert "Text stands outside every message (8 bytes)" in ended.err
    assert "counts other messages than the 2 found" in ended.err


def test_a_message_without_an_answer_is_code_5_and_counted(handoff: Handoff, file: Path) -> None:
    with mllp_receiver(lambda message: ack("C1") if b"|C1|" in message else None) as place:
        ended = handoff("send", file, "--mllp", place, "--json")
    assert ended.code == ExitCode.UNKNOWN
    assert "1 of 2 messages were answered" in ended.error["error"]
    assert "from message 2 on" in ended.error["remedy"]


def test_a_receiver_that_is_away_is_code_4(handoff: Handoff, file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for where in (["--mllp", f"127.0.0.1:{port}"], ["--http", f"http://127.0.0.1:{port}"]):
        ended = handoff("send", file, *where, "--json")
        assert ended.code == ExitCode.UNAVAILABLE
        assert ended.error["remedy"]


def test_over_http_the_key_may_lie_in_a_file(handoff: Handoff, file: Path, tmp_path: Path) -> None:
    seen: list[tuple[dict[str, str], str]] = []

    def answer(body: bytes, headers: dict[str, str], path: str) -> tuple[int, str, bytes]:
        seen.append((headers, path))
        return 200, "application/hl7-v2", ack(control_id_of(body))

    key = tmp_path / "key"
    key.write_text("hk_dev_secret\n")
    with http_receiver(answer) as url:
        ended = handoff("send", file, "--http", url, "--key", f"@{key}", "--feed", "feed_1", "--json")
    assert ended.code == ExitCode.OK, ended.err
    assert [one["control_id"] for one in ended.json["acknowledgements"]] == ["C1", "C2"]
    assert {(headers["authorization"], headers["content-type"], path) for headers, path in seen} == {
        ("Bearer hk_dev_secret", "application/hl7-v2", "/hl7v2?feed=feed_1")
    }


@pytest.mark.parametrize(
    ("status", "kind", "body", "code"),
    [
        (401, "application/problem+json", json.dumps({"detail": "The key is unknown."}).encode(), ExitCode.REFUSED),
        (503, "application/problem+json", b'{"title": "Away"}', ExitCode.UNAVAILABLE),
        (429, "text/plain", b"slow down", ExitCode.UNAVAILABLE),
        (200, "text/html", b"<html>", ExitCode.UNKNOWN),
        (204, "text/plain", b"", ExitCode.OK),
    ],
)
def test_what_an_http_answer_means(handoff: Handoff, file: Path, status: int, kind: str, body: bytes, code: ExitCode) -> None:
    with http_receiver(lambda *_: (status, kind, body)) as url:
        ended = handoff("send", file, "--http", f"{url}/hl7v2", "--json")
    assert ended.code == code
    if body.startswith(b'{"detail'):
        assert "The key is unknown." in ended.error["error"]


@pytest.mark.parametrize(("status", "word"), [(401, "--key"), (404, "address"), (413, "limit"), (422, "lint"), (499, "lint")])
def test_a_refusal_over_http_says_what_to_look_at(handoff: Handoff, file: Path, status: int, word: str) -> None:
    with http_receiver(lambda *_: (status, "text/plain", b"no")) as url:
        ended = handoff("send", file, "--http", url, "--json")
    assert ended.code == ExitCode.REFUSED
    assert word in ended.error["remedy"]
    assert (status in {401, 403}) == ("--key" in ended.error["remedy"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--mllp", "127.0.0.1:1", "--http", "http://127.0.0.1"],
        ["--mllp", "nowhere"],
        ["--http", "http://127.0.0.1", "--key", "@/no/such"],
    ],
)
def test_a_wrong_destination_is_code_2_and_nothing_is_sent(handoff: Handoff, file: Path, arguments: list[str]) -> None:
    assert handoff("send", file, *arguments).code == ExitCode.USAGE


def test_a_file_without_messages_is_refused(handoff: Handoff, tmp_path: Path) -> None:
    empty = tmp_path / "empty.hl7"
    empty.write_text("hello")
    assert handoff("send", empty, "--mllp", "127.0.0.1:1").code == ExitCode.REFUSED
    assert handoff("lint", empty).code == ExitCode.REFUSED
    assert handoff("send", tmp_path / "none.hl7", "--mllp", "127.0.0.1:1").code == ExitCode.USAGE
    assert handoff("lint", tmp_path / "none.hl7").code == ExitCode.USAGE


def test_lint_names_every_problem_with_its_place_and_no_value(handoff: Handoff, tmp_path: Path) -> None:
    file = tmp_path / "bad.hl7"
    file.write_bytes(ONE + b"\n" + TWO.replace(b"M1^^^HOSPA^MR", b"").replace(b"~MC1^^^MAINECARE^MA", b""))
    ended = handoff("lint", file, "--errors-only", "--json")
    assert ended.code == ExitCode.FOUND
    assert ended.json["messages"] == 2
    assert {(one["message"], one["location"].split("^")[0], one["severity"]) for one in ended.json["findings"]} == {(2, "PID", "error")}
    assert "Alder" not in ended.out
    assert "PID-3" in handoff("lint", file, "--errors-only").out


def test_lint_of_good_messages_is_code_0(handoff: Handoff, file: Path) -> None:
    ended = handoff("lint", file, "--errors-only")
    assert ended.code == ExitCode.OK
    assert "2 messages, 0 errors" in ended.err


async def test_an_answer_is_read_to_its_end_however_large() -> None:
    """It comes in pieces, and none is missing."""
    large = json.dumps({"items": ["x" * 1000] * 5000}).encode()

    def slowly(*_: object) -> tuple[int, str, bytes]:
        return 200, "application/json", large

    with http_receiver(slowly) as url:
        async with HttpClient(url, key="k") as client:
            answer = await client.post("/anything", json={"a": 1})
            assert answer.body == large
            assert len(answer.json()["items"]) == 5000


def test_a_message_in_xml_is_linted_and_sent_over_both_wires(handoff: Handoff, tmp_path: Path) -> None:
    """HOH-1: the file says by its first character what it is; the answer in XML is read."""
    message = tokenize(ONE)
    assert isinstance(message, Er7Message)
    file = tmp_path / "one.xml"
    file.write_bytes(xml_twin(message))
    answered = as_xml(ack("C1", "AE", "ERR||PID^1^3|101^^HL70357|E||||No number"))
    with mllp_receiver(lambda _: answered) as address:
        over_mllp = handoff("send", file, "--mllp", address, "--json")
    types: list[str] = []

    def answer(body: bytes, headers: dict[str, str], _: str) -> tuple[int, str, bytes]:
        types.append({name.lower(): value for name, value in headers.items()}["content-type"])
        assert body == file.read_bytes()
        return 200, "application/hl7-v2+xml", answered

    with http_receiver(answer) as url:
        over_http = handoff("send", file, "--http", url, "--json")
    assert types == ["application/hl7-v2+xml; charset=utf-8"]
    for said in (over_mllp, over_http):
        assert said.code == ExitCode.REFUSED
        (one,) = json.loads(said.out)["acknowledgements"]
        assert (one["code"], one["control_id"]) == ("AE", "C1")
        assert one["problems"] == [{"location": "PID^1^3", "text": "No number"}]
    assert handoff("lint", file).code == ExitCode.OK
