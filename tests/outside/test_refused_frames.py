"""Frames that never become a message: refused on the spot, and found again by whoever asks why."""

import socket
import time
from typing import Any

import pytest

from tests.outside.conftest import ANSWER_WITHIN_S, Service
from tests.support.messages import adt

HEAD = adt("A01", "20260302100000-0500", control="TOO-LONG", facility="REFUSED")


@pytest.mark.parametrize(
    ("control_id", "sent", "said"),
    [
        ("TOO-LONG", b"\x0b" + HEAD + b"NTE|1||" + b"x" * 1_100_000, "larger than this listener takes"),
        ("NO-START", HEAD.replace(b"TOO-LONG", b"NO-START"), "start byte"),
    ],
)
def test_a_frame_that_is_refused_is_kept_with_its_reason(service: Service, control_id: str, sent: bytes, said: str) -> None:
    hospital = service.organization(f"Hospital of {control_id}", "hospital")
    facility = control_id.replace("-", "")
    hospital.feed("EPIC", facility)
    sent = sent.replace(b"|REFUSED|", f"|{facility}|".encode())
    with socket.create_connection(("127.0.0.1", service.mllp_port), timeout=ANSWER_WITHIN_S) as connection:
        connection.sendall(sent)
        reply = b""
        while not reply.endswith(b"\x1c\r"):
            piece = connection.recv(65_536)
            assert piece, "the listener closed the connection without an answer"
            reply += piece
    assert f"MSA|AR|{control_id}|".encode() in reply
    found: list[dict[str, Any]] = []
    ends_at = time.monotonic() + ANSWER_WITHIN_S
    while not found and time.monotonic() < ends_at:
        answer = hospital.http.get("/v1/inbound", params={"control_id": control_id, "outcome": "rejected"})
        found = answer.json()["items"]
        time.sleep(0.05)
    (kept,) = found
    assert (kept["door"], kept["ack_code"], kept["outcome"]) == ("mllp", "AR", "rejected")
    assert said in kept["problems"][0]["text"]
    shown = hospital.http.get(f"/v1/inbound/{kept['id']}").json()
    assert shown["body"].startswith(f"MSH|^~\\&|EPIC|{facility}|")
    assert len(shown["body"]) <= 4_096
    # Half a message must never become an event.
    assert hospital.http.post(f"/v1/inbound/{kept['id']}/replay").status_code == 409
