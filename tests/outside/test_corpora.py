"""Every HL7v2 message of the public corpora through the running service: each gets its answer by MLLP and by HTTP, and none is a defect.

What each must be answered, and why a refusal is right, is held by `tests/adapters/hl7v2/test_corpora.py`; here the same answers
come over the wire, are committed, and whatever was accepted goes through the rooms.
"""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.hl7v2.ack import which_acks
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Acceptance
from app.domain.record_name import rightly_named
from tests.adapters.hl7v2.test_corpora import CORPORA, FEED, READER, judge, messages
from tests.outside.conftest import ANSWER_WITHIN_S, Member, Service

pytestmark = pytest.mark.skipif(
    not (CORPORA / "MANIFEST.tsv").exists(), reason="the corpora are not here: set TEST_CORPORA_DIR to the folder that holds MANIFEST.tsv"
)

OUTCOMES = {
    "taken": Acceptance.ACCEPT,
    "taken, ignored": Acceptance.ACCEPT,
    "taken, held for a person": Acceptance.ACCEPT,
    "error (AE)": Acceptance.ERROR,
    "rejected (AR)": Acceptance.REJECT,
}
WORKED_WITHIN_S = 60.0


def due(path: str, body: bytes, *, is_known: bool = True) -> list[str]:
    """The codes that a message must be answered with."""
    header, verdict = READER.header(body), judge(path, body)
    if verdict.outcome not in OUTCOMES:
        return []
    outcome = OUTCOMES[verdict.outcome] if is_known else Acceptance.REJECT
    return [code.value for code in which_acks(header.accept_ack, header.application_ack, outcome).codes]


def code_of(reply: bytes) -> str:
    line = next(line for line in reply.split(b"\r") if line.startswith(b"MSA"))
    return line[4:6].decode()


def replies(connection: socket.socket) -> Iterator[bytes]:
    buffer = b""
    while piece := connection.recv(65_536):
        *complete, buffer = (buffer + piece).split(b"\x1c\r")
        yield from complete


@pytest.fixture(scope="module")
def sources(service: Service) -> tuple[Member, str, set[tuple[str, str]]]:
    """One hospital with a feed for every MSH-3 and MSH-4 of the corpora; one of them by its id."""
    hospital = service.organization("Corpora", "hospital")
    headers = [READER.header(body) for _, body in messages()]
    named = {(header.sending_application, header.sending_facility) for header in headers if header.readable} - {("", "")}
    ids = [hospital.feed(*names, assigning_authority="CORPORA") for names in sorted(named)]
    return hospital, ids[0], named


def test_each_is_answered_over_mllp_on_one_connection(service: Service, sources: tuple[Member, str, set[tuple[str, str]]]) -> None:
    _, _, known = sources
    wrong = []
    with socket.create_connection(("127.0.0.1", service.mllp_port), timeout=ANSWER_WITHIN_S) as connection:
        coming = replies(connection)
        for path, body in messages():
            if b"\x1c" in body:
                continue  # an end byte in a message would end its frame (MLLP-3)
            header = READER.header(body)
            expected = due(path, body, is_known=(header.sending_application, header.sending_facility) in known or not header.readable)
            connection.sendall(b"\x0b" + body + b"\x1c\r")
            found = [code_of(next(coming)) for _ in expected]
            if found != expected:
                wrong.append((path, expected, found))
    assert wrong == []


def test_each_is_answered_over_http(sources: tuple[Member, str, set[tuple[str, str]]]) -> None:
    hospital, feed, _ = sources
    wrong = []
    for path, body in messages():
        answer = hospital.http.post("/hl7v2", params={"feed": feed}, content=body, headers={"Content-Type": "application/hl7-v2"})
        expected = due(path, body)[-1:]
        found = [code_of(answer.content)] if answer.status_code == httpx.codes.OK else []
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT) or found != expected:
            wrong.append((path, expected, found, answer.status_code))
    assert wrong == []


def is_held(path: str, body: bytes) -> bool:
    """Tell whether it waits for a person: for what its event is, or because it names a patient by ten times the same digit (3333333333)."""
    outcome = judge(path, body).outcome
    if outcome != "taken":
        return outcome == "taken, held for a person"
    found = READER.read(body, FEED)
    return isinstance(found, AdtEvent) and rightly_named(found) is None


def test_what_was_accepted_goes_through_the_rooms(sources: tuple[Member, str, set[tuple[str, str]]], folder: Path) -> None:
    hospital, feed, _ = sources
    # Whichever test came first: something is there to be worked on.
    path, taken = next((path, body) for path, body in messages() if due(path, body) == ["AA"])
    answer = hospital.http.post("/hl7v2", params={"feed": feed}, content=taken, headers={"Content-Type": "application/hl7-v2"})
    assert code_of(answer.content) == "AA", path

    def found(**params: str) -> list[dict[str, str]]:
        listed = hospital.http.get("/v1/inbound", params=params)
        assert listed.status_code == httpx.codes.OK, listed.text
        return list(listed.json()["items"])

    ends_at = time.monotonic() + WORKED_WITHIN_S
    while found(outcome="waiting") and time.monotonic() < ends_at:
        time.sleep(0.2)
    assert found(outcome="waiting") == []
    assert found(outcome="processed") != []
    # What room 2 accepts, room 3 can read; what is held for a person is set aside with its reason.
    held = {READER.header(body).trigger for path, body in messages() if is_held(path, body)}
    assert {message["trigger"] for message in found(outcome="set_aside", ack_code="AA")} <= held
    assert "defect.found" not in (folder / "service.log").read_text()
