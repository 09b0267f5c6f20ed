"""What a sender hears on a real connection: every MSH-15 with every MSH-16 (ACK-1, ACK-2), repetitions, and MLLP release 2."""

import socket
import time
from collections.abc import Iterator

import pytest

from adapters.hl7v2.framing import COMMIT_ACK
from tests.adapters.hl7v2.test_ack import MATRIX
from tests.outside.conftest import ANSWER_WITHIN_S, Member, Service
from tests.support.messages import adt

AT = "20260306143000-0500"


class Line:
    """One connection of a sender."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN_S)
        self._buffer = b""

    def send(self, message: bytes) -> None:
        self._socket.sendall(b"\x0b" + message + b"\x1c\r")

    def frame(self) -> bytes:
        while b"\x1c\r" not in self._buffer:
            piece = self._socket.recv(65_536)
            assert piece, "the listener closed the connection"
            self._buffer += piece
        frame, _, self._buffer = self._buffer.partition(b"\x1c\r")
        return frame[1:]

    def close(self) -> None:
        self._socket.close()


def answer(frame: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    line = next(line for line in frame.decode().split("\r") if line.startswith("MSA|"))
    return line.split("|")[1], line.split("|")[2]


def message(control: str, accept: str = "", application: str = "", outcome: str = "accept", *, facility: str = "ACKHOSP") -> bytes:
    """A message that is accepted, has an error in its content, or is rejected."""
    made = adt("A04", AT, control=control, facility=facility, application="ACKS", mrn=f"M{control}", medicaid=None, visit=f"V{control}")
    made = made.replace(b"|P|2.5.1\r", f"|P|2.5.1|||{accept}|{application}\r".encode(), 1)
    if outcome == "error":
        return made.replace(f"M{control}^^^{facility}^MR".encode(), b"")
    return made.replace(b"|P|2.5.1|", b"|P|9.9|") if outcome == "reject" else made


@pytest.fixture(scope="module")
def hospital(service: Service) -> Member:
    made = service.organization("Acknowledged", "hospital")
    made.feed("ACKS", "ACKHOSP")
    return made


@pytest.fixture
def line(service: Service, hospital: Member) -> Iterator[Line]:
    assert hospital.id, "its feed is registered before anything is sent"
    made = Line(service.mllp_port)
    yield made
    made.close()


@pytest.mark.parametrize(("accept", "application", "success", "error", "reject"), MATRIX)
def test_every_condition_is_answered_as_it_asks(line: Line, accept: str, application: str, success: str, error: str, reject: str) -> None:
    """ACK-1, ACK-2: each combination with success, content error and reject, and nothing beside what is due."""
    for outcome, due in (("accept", success), ("error", error), ("reject", reject)):
        control = f"K{accept or 'x'}{application or 'x'}{outcome}"
        line.send(message(control, accept, application, outcome))
        for code in due.split():
            assert answer(line.frame()) == (code, control)
        # The next answer is to the next message: none was too many.
        line.send(message(f"{control}next"))
        assert answer(line.frame()) == ("AA", f"{control}next")


def test_the_same_again_gets_the_same_answer_and_is_no_second_event(line: Line, hospital: Member) -> None:
    """ACK-7; another content under the same control id is another message."""
    for outcome in ("accept", "error", "reject"):
        for _ in range(2):
            line.send(message(f"AGAIN{outcome}", outcome=outcome))
        assert answer(line.frame()) == answer(line.frame())
        assert len(hospital.http.get("/v1/inbound", params={"control_id": f"AGAIN{outcome}"}).json()["items"]) == 1
    line.send(message("AGAINaccept").replace(b"Alder^Ann", b"Alder^Beth"))
    assert answer(line.frame()) == ("AA", "AGAINaccept")
    assert len(hospital.http.get("/v1/inbound", params={"control_id": "AGAINaccept"}).json()["items"]) == 2


def test_an_acknowledgement_is_not_answered(line: Line) -> None:
    """ACK-3: two systems must not answer each other for ever."""
    line.send(message("LOOP").replace(b"ADT^A04", b"ACK^A04"))
    line.send(message("AFTERLOOP"))
    assert answer(line.frame()) == ("AA", "AFTERLOOP")


def test_a_batch_in_one_frame_is_answered_by_a_batch(line: Line, hospital: Member) -> None:
    """BATCH-1 over MLLP: each message by itself, a bad one does not fail the rest, BHS-12 is BHS-11 of the request."""
    head = b"FHS|^~\\&|ACKS|ACKHOSP\rBHS|^~\\&|ACKS|ACKHOSP|||20260302||||BATCH7\r"
    line.send(head + message("B1") + message("B2", outcome="error") + message("B3", "NE", "NE") + message("B4") + b"BTS|4\rFTS|1\r")
    said = line.frame().decode().split("\r")
    assert said[0].startswith("BHS|^~\\&|")
    assert said[0].split("|")[11] == "BATCH7"
    assert [one.split("|")[1:3] for one in said if one.startswith("MSA|")] == [["AA", "B1"], ["AE", "B2"], ["AA", "B4"]]
    assert said[-2] == "BTS|3"
    assert len(hospital.http.get("/v1/inbound", params={"control_id": "B3"}).json()["items"]) == 1
    line.send(b"BHS|^~\\&|ACKS|ACKHOSP\rBTS|0\r")
    assert [one[:5] for one in line.frame().decode().split("\r")] == ["BHS|^", "BTS|0", ""]
    line.send(head + message("B5", facility="NOWHERE") + message("B6", facility="NOWHERE") + b"BTS|2\rFTS|1\r")
    refused = line.frame()
    assert refused.startswith(b"MSH|"), "a stranger's batch costs what one message of a stranger costs"
    assert answer(refused) == ("AR", "B5")


def test_release_2_says_that_it_is_stored_before_it_answers(service: Service, hospital: Member) -> None:
    """MLLP-5: `0B 06 1C 0D` once the message is committed, then the HL7 answer in a frame of its own."""
    line = Line(service.release_2_port)
    for outcome, code in (("accept", "AA"), ("error", "AE"), ("reject", "AR")):
        line.send(message(f"R2{outcome}", outcome=outcome))
        # An AE is stored too: release 2 asks no more than that.
        assert line.frame() == COMMIT_ACK
        assert answer(line.frame()) == (code, f"R2{outcome}")
    line.send(message("R2NE", "NE", "NE"))
    assert line.frame() == COMMIT_ACK
    line.close()
    ends_at = time.monotonic() + ANSWER_WITHIN_S
    while not (kept := hospital.http.get("/v1/inbound", params={"control_id": "R2NE"}).json()["items"]):
        assert time.monotonic() < ends_at
    assert kept[0]["ack_code"] == "AA"
