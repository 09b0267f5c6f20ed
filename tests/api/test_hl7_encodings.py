"""HL7 over HTTP in XML and in parts (HOH-1): read as its ER7 twin, kept as sent, answered in the encoding of who asks."""

import base64
import quopri
import re

import pytest

from adapters.hl7v2.er7 import Er7Message, tokenize
from app.api.multipart import parts_of
from tests.adapters.hl7v2.xml_twin import xml_twin
from tests.api.world import ADMIT, DISCHARGE, World
from tests.support.messages import adt

XML = {"content-type": "application/hl7-v2+xml; charset=utf-8"}
MIXED = {"content-type": "multipart/mixed; boundary=sample"}


def twin(body: bytes) -> bytes:
    message = tokenize(body)
    assert isinstance(message, Er7Message)
    return xml_twin(message)


def parts(*bodies: tuple[str, bytes]) -> bytes:
    """Give a multipart body; a part without a content type has no headers at all."""
    written = b"".join(
        b"--sample\r\n" + (f"Content-Type: {kind}\r\n".encode() if kind else b"") + b"\r\n" + body + b"\r\n" for kind, body in bodies
    )
    return b"a preamble\r\n" + written + b"--sample--\r\nan epilogue"


async def test_a_stay_told_in_xml_is_told_as_one_told_in_er7(world: World) -> None:
    for body in (ADMIT, DISCHARGE):
        answer = await world.api.post("/hl7v2", world.keys["hospital"], content=twin(body), headers=XML)
        assert answer.status_code == 200
        assert "<MSA.1>AA</MSA.1>" in answer.text
    await world.stage.settle()
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert [one["type"] for one in told] == ["encounter.admitted", "encounter.discharged"]
    assert {one["person"]["last_name"] for one in told} == {"Alder"}


@pytest.mark.parametrize("media_type", ["application/hl7-v2+xml", "x-application/hl7-v2+xml", "application/xml", "text/xml; charset=utf-8"])
async def test_every_name_of_xml_is_taken_and_answered_under_the_same(world: World, media_type: str) -> None:
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=twin(ADMIT), headers={"content-type": media_type})
    assert answer.headers["content-type"].partition(";")[0] == media_type.partition(";")[0]
    assert "<MSA.2>C1</MSA.2>" in answer.text


@pytest.mark.parametrize(
    ("body", "sent", "accept", "answered"),
    [
        (ADMIT, "application/hl7-v2", "application/hl7-v2+xml", "application/hl7-v2+xml"),
        (twin(ADMIT), "application/xml", "application/hl7-v2", "application/hl7-v2"),
        (twin(ADMIT), "application/xml", "text/xml, application/hl7-v2;q=0.1", "application/xml"),
        (twin(ADMIT), "application/hl7-v2+xml", "*/*", "application/hl7-v2+xml"),
        # What the bytes are decides, whatever they were called.
        (twin(ADMIT), "text/plain", "*/*", "application/hl7-v2+xml"),
        (ADMIT, "application/xml", "*/*", "application/hl7-v2"),
    ],
)
async def test_the_answer_is_in_the_encoding_that_is_asked_for_else_in_that_of_the_message(
    world: World, body: bytes, sent: str, accept: str, answered: str
) -> None:
    headers = {"content-type": sent, "accept": accept}
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers=headers)
    assert answer.headers["content-type"] == f"{answered}; charset=utf-8"
    assert answer.text.startswith("<?xml" if "xml" in answered else "MSH|")


async def test_a_refusal_in_xml_names_the_place_and_the_message_is_kept_as_sent(world: World) -> None:
    """ACK-6; AE is HTTP 200."""
    bad = twin(DISCHARGE.replace(b"|M1^^^HOSPA^MR~MC1^^^MAINECARE^MA|", b"||"))
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=bad, headers=XML)
    assert answer.status_code == 200
    assert "<MSA.1>AE</MSA.1>" in answer.text
    assert "<ERL.1>PID</ERL.1>" in answer.text
    (kept,) = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"]
    whole = await world.api.json("GET", f"/v1/inbound/{kept['id']}", world.keys["hospital"], 200)
    assert whole["body"] == bad.decode()
    await world.api.json("POST", f"/v1/inbound/{kept['id']}/replay", world.keys["hospital"], 202)
    await world.stage.settle()
    again = await world.api.json("GET", f"/v1/inbound/{kept['id']}", world.keys["hospital"], 200)
    assert again["outcome"] == "set_aside"


async def test_broken_xml_is_rejected_in_xml(world: World) -> None:
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=b"<!DOCTYPE x><ADT_A01/>", headers=XML)
    assert answer.status_code == 200
    assert "<MSA.1>AR</MSA.1>" in answer.text


async def test_a_message_in_xml_is_found_and_can_be_tried_without_effect(story: World) -> None:
    moved = adt("A02", "20260306150000-0500", control="XMLMOVE")
    await story.api.post("/hl7v2", story.keys["hospital"], content=twin(moved), headers=XML)
    found = await story.api.json("POST", "/v1/inbound/search", story.keys["hospital"], 200, json={"text": "XMLMOVE"})
    assert [one["control_id"] for one in found["items"]] == ["XMLMOVE"]
    rehearsed = await story.api.post("/hl7v2/$validate", story.keys["hospital"], content=twin(moved), headers=XML)
    as_er7 = await story.api.post("/hl7v2/$validate", story.keys["hospital"], content=moved, headers={"content-type": "application/hl7-v2"})
    assert rehearsed.json()["ack"]["message"].startswith("<?xml")
    for name in ("problems", "advice", "outcome", "reaches", "clocks"):
        assert rehearsed.json()[name] == as_er7.json()[name]
    assert [one["segment"] for one in rehearsed.json()["tree"]] == [one["segment"] for one in as_er7.json()["tree"]]


async def test_a_form_with_one_message_is_that_message(world: World) -> None:
    form = ("multipart/form-data; boundary=sample", parts(("application/octet-stream", ADMIT)))
    for content_type, body in (form, (MIXED["content-type"], parts(("", twin(DISCHARGE))))):
        answer = await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers={"content-type": content_type})
        assert answer.status_code == 200, answer.text
        assert "AA" in answer.text
    kept = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"]
    bodies = [(await world.api.json("GET", f"/v1/inbound/{one['id']}", world.keys["hospital"], 200))["body"] for one in kept]
    assert bodies == [twin(DISCHARGE).decode(), ADMIT.decode()]


async def test_parts_are_a_batch_answered_as_one_in_er7(world: World) -> None:
    """BATCH-1: a part has a message or more, in either encoding; a bad one does not fail the rest."""
    other = adt("A08", "20260306160000-0500", control="C8")
    body = parts(("application/hl7-v2", ADMIT + DISCHARGE), ("application/xml", twin(other)), ("", b"<ADT_A01/>"))
    answer = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=body, headers=MIXED)
    assert answer.headers["content-type"] == "application/hl7-v2; charset=utf-8"
    lines = answer.text.split("\r")
    assert lines[0].startswith("BHS|")
    assert [line[:10] for line in lines if line.startswith("MSA")] == ["MSA|AA|C1", "MSA|AA|C2", "MSA|AA|C8", "MSA|AR||MS"]
    assert lines[-2] == "BTS|4"


async def test_a_batch_in_xml_is_answered_in_xml_unless_er7_is_asked_for(world: World) -> None:
    """HOH-1: with the type of the request. XML knows no batch: one acknowledgement is itself, several are parts."""
    alone = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=twin(ADMIT), headers=XML)
    assert alone.headers["content-type"] == "application/hl7-v2+xml; charset=utf-8"
    assert "<MSA.1>AA</MSA.1><MSA.2>C1</MSA.2>" in alone.text
    body = parts(("application/xml", twin(ADMIT)), ("application/hl7-v2+xml", twin(DISCHARGE)), ("", b"<ADT_A01/>"))
    several = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=body, headers=MIXED)
    answered = parts_of(several.headers["content-type"], several.content)
    assert [part.content_type for part in answered] == ["application/hl7-v2+xml; charset=utf-8"] * 3
    assert [re.search(b"<MSA.1>(.*?)</MSA.1>", part.body)[1] for part in answered] == [b"AA", b"AA", b"AR"]  # type: ignore[index]
    for accept, kind in (("application/hl7-v2", "application/hl7-v2"), ("application/hl7-v2+xml", "multipart/mixed")):
        headers = {**MIXED, "accept": accept}
        said = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=body, headers=headers)
        assert said.headers["content-type"].partition(";")[0] == kind
    er7 = {"content-type": "application/hl7-v2", "accept": "text/xml"}
    asked = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=ADMIT, headers=er7)
    assert asked.headers["content-type"] == "text/xml; charset=utf-8"
    silent = ADMIT.replace(b"|C1|P|2.5.1", b"|C7|P|2.5.1|||NE|NE")
    nothing = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=twin(silent), headers=XML)
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_parts_that_mail_software_encoded_are_the_messages_they_stand_for(world: World) -> None:
    """RFC 2045: base64 in lines, quoted-printable with soft line ends; what is kept is the message."""
    named = DISCHARGE.replace(b"Alder", "N\u00fa\u00f1ez".encode())
    written = (
        b"--sample\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(ADMIT).replace(b"\n", b"\r\n")
        + b"\r\n--sample\r\nContent-Type: application/hl7-v2; charset=utf-8\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n"
        + quopri.encodestring(named).replace(b"\r", b"=0D") + b"\r\n--sample--"
    )  # fmt: skip
    answer = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=written, headers=MIXED)
    assert [line for line in answer.text.split("\r") if line.startswith("MSA")] == ["MSA|AA|C1", "MSA|AA|C2"]
    kept = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"]
    bodies = [(await world.api.json("GET", f"/v1/inbound/{one['id']}", world.keys["hospital"], 200))["body"] for one in kept]
    assert sorted(bodies) == sorted(body.decode().removesuffix("\r") for body in (ADMIT, named))


@pytest.mark.parametrize(
    ("content_type", "body", "status", "said"),
    [
        ("multipart/mixed", parts(("", ADMIT)), 422, "boundary"),
        ("multipart/mixed; boundary=other", parts(("", ADMIT)), 422, "last boundary"),
        (MIXED["content-type"], parts(("", ADMIT)).partition(b"--sample--")[0], 422, "last boundary"),
        (MIXED["content-type"], b"--sample\r\nno blank line--sample--", 422, "last boundary"),
        (MIXED["content-type"], b"--sample\r\nno blank line\r\n--sample--", 422, "blank line"),
        (MIXED["content-type"], b"--sample\r\nContent-Transfer-Encoding: base64\r\n\r\nTVNIf\r\n--sample--", 422, "base64"),
        (MIXED["content-type"], b"--sample\r\nContent-Transfer-Encoding: base64\r\n\r\nMSH|^~\r\n--sample--", 422, "binary"),
        (MIXED["content-type"], b"--sample\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nMSH=7|\r\n--sample--", 422, "equals sign"),
        (MIXED["content-type"], b"--sample\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nTVNI\r\n--sample--", 422, "quoted-printable"),
        (MIXED["content-type"], parts(("", ADMIT), ("", DISCHARGE)), 422, "/hl7v2/batch"),
        (MIXED["content-type"], parts(("application/json", b"{}")), 415, "A part"),
        (MIXED["content-type"], parts(("text/plain; charset=utf-16", ADMIT)), 415, "UTF-8"),
        (MIXED["content-type"], b"--sample--", 422, "as a part"),
        (MIXED["content-type"], parts(("", b" \r\n")), 422, "body of the request"),
    ],
)
async def test_parts_that_are_no_message_are_refused_with_a_reason(
    world: World, content_type: str, body: bytes, status: int, said: str
) -> None:
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"] == []


async def test_a_thousand_boundaries_and_too_many_parts_cost_little(world: World) -> None:
    body = b"--sample\r\n\r\n" * 11_000 + b"--sample--"
    answer = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=body, headers=MIXED)
    assert answer.status_code == 422
