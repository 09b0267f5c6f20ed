"""HL7 over HTTP: an HL7 answer is HTTP 200, whatever it says; a problem document means that there is none."""

import pytest

from app.domain.inbound import AckCode
from tests.api.world import ADMIN_KEY, ADMIT, DISCHARGE, ER7, World
from tests.support.messages import adt

UNKNOWN = ADMIT.replace(b"|EPIC|HOSPA|", b"|WHO|KNOWS|")


async def _ack(world: World, message: bytes, who: str = "hospital", feed: str | None = None) -> str:
    answer = await world.api.post("/hl7v2", world.keys[who], content=message, headers=ER7, params={"feed": feed} if feed else {})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    "media_type", ["application/hl7-v2", "x-application/hl7-v2+er7", "text/plain", "application/hl7-v2+er7; charset=utf-8"]
)
async def test_every_spelling_of_the_content_type_is_taken_and_given_back(world: World, media_type: str) -> None:
    """HOH-1."""
    answer = await world.api.client.post(
        "/hl7v2", content=ADMIT, headers={"content-type": media_type, "authorization": f"Bearer {world.keys['hospital']}"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == media_type.partition(";")[0]
    assert "MSA|AA|C1" in answer.text


@pytest.mark.parametrize("media_type", ["application/json", "application/fhir+json", "multipart/related", "nonsense", None])
async def test_other_content_types_get_a_problem_that_names_the_right_ones(world: World, media_type: str | None) -> None:
    headers = {"content-type": media_type} if media_type else {}
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=ADMIT, headers=headers)
    assert answer.status_code == 415
    assert "application/hl7-v2" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\x0b\x1c\r"])
async def test_nothing_is_no_message(world: World, body: bytes) -> None:
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers=ER7)
    assert answer.json()["type"] == "urn:warm-handoff:problem:empty-body"


async def test_a_message_is_answered_after_it_is_kept_and_again_with_the_same_answer(world: World) -> None:
    """ACK-6, ACK-7."""
    assert "MSA|AA|C1" in await _ack(world, ADMIT)
    assert "MSA|AA|C1" in await _ack(world, ADMIT)
    listed = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200)
    assert [(one["control_id"], one["door"], one["ack_code"]) for one in listed["items"]] == [("C1", "http", "AA")]


async def test_a_readable_message_without_a_feed_is_kept_and_rejected_in_http_200(world: World) -> None:
    text = await _ack(world, UNKNOWN, "stranger")
    assert "MSA|AR|C1" in text
    assert "ERR|" in text
    kept = await world.api.json("GET", "/v1/inbound", world.keys["stranger"], 200)
    assert [(one["outcome"], one["feed_id"]) for one in kept["items"]] == [("rejected", None)]


async def test_the_feed_can_be_named_and_only_ones_own(world: World) -> None:
    assert "MSA|AA|" in await _ack(world, UNKNOWN, feed=world.ids["feed_id"])
    other = ADMIT.replace(b"|C1|", b"|C9|")
    assert "MSA|AR|" in await _ack(world, other, "stranger", feed=world.ids["feed_id"])
    assert "MSA|AR|" in await _ack(world, other.replace(b"C9", b"C8"), feed="feed_" + "0" * 32)
    # Without a name: MSH-3 and MSH-4, and the organization's only feed where they say nothing.
    assert "MSA|AA|" in await _ack(world, UNKNOWN.replace(b"|C1|", b"|C7|"))
    assert "MSA|AR|" in await _ack(world, ADMIT.replace(b"|C1|", b"|C6|"), "stranger")


async def test_the_operator_may_speak_for_every_feed(world: World) -> None:
    answer = await world.api.post("/hl7v2", ADMIN_KEY, content=ADMIT, headers=ER7)
    assert "MSA|AA|C1" in answer.text


async def test_a_message_that_cannot_be_read_is_answered_with_the_place(world: World) -> None:
    """ACK-6, HOH-1: an AE is HTTP 200, and the message is set aside."""
    text = await _ack(world, adt("A03", "20260306143000-0500", control="C5").replace(b"|M1^^^HOSPA^MR~MC1^^^MAINECARE^MA|", b"||"))
    assert "MSA|AE|C5" in text
    assert "PID^1^3" in text
    aside = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "set_aside"})
    assert aside["items"][0]["problems"][0]["location"].startswith("PID^1^3")


@pytest.mark.parametrize(
    ("body", "location", "said"),
    [
        (b"this is no message", "MSH^1|100", "does not begin with an MSH segment"),
        (b"MSH|ABC|EPIC|HOSPA\r", "MSH^1^2|102", "encoding characters"),
        (b"BHS|^~\\&|EPIC|HOSPA\r" + ADMIT, "MSH^1|100", "batch endpoint"),
        (ADMIT.decode().encode("utf-16"), "MSH^1|100", "UTF-16"),
    ],
)
async def test_what_has_no_usable_header_is_answered_all_the_same_and_the_reason_said(
    world: World, body: bytes, location: str, said: str
) -> None:
    text = await _ack(world, body)
    assert "MSA|AR|" in text
    assert f"ERR||{location}^" in text
    assert said in text
    (kept,) = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "rejected"}))["items"]
    assert said in kept["problems"][0]["text"]


async def test_a_batch_is_answered_with_a_batch_and_one_bad_message_fails_alone(world: World) -> None:
    body = (
        b"FHS|^~\\&|X\rBHS|^~\\&|EPIC|HOSPA|||||||B77\r" + ADMIT + UNKNOWN.replace(b"|C1|", b"|C2|") + DISCHARGE.replace(b"|C2|", b"|C3|")
    )
    body += b"BTS|3\rFTS|1\r"
    await world.api.json(
        "POST", "/v1/feeds", ADMIN_KEY, 201,
        json={"organization_id": world.ids["hospital"], "sending_application": "OTHER", "sending_facility": "HOSPA",
              "time_zone": "America/New_York", "assigning_authority": "HOSPA"},
    )  # fmt: skip
    answer = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=body, headers=ER7)
    lines = answer.text.split("\r")
    assert lines[0].startswith("BHS|")
    assert "B77" in lines[0]
    assert [line for line in lines if line.startswith("MSA|")] == ["MSA|AA|C1", "MSA|AR|C2", "MSA|AA|C3"] or [
        line.split("|")[1] for line in lines if line.startswith("MSA|")
    ] == ["AA", "AR", "AA"]
    assert "BTS|3" in lines
    empty = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=b"BHS|^~\\&|EPIC\rBTS|0\r", headers=ER7)
    assert "BTS|0" in empty.text


async def test_nothing_in_a_batch_vanishes_behind_a_positive_answer(world: World) -> None:
    """What is left of a message whose header is damaged is kept and refused, and a trailer that counts more is answered so."""
    headless = DISCHARGE.partition(b"\r")[2]
    answer = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=headless + ADMIT + b"BTS|2\r", headers=ER7)
    lines = answer.text.split("\r")
    assert [line.split("|")[1:3] for line in lines if line.startswith("MSA|")] == [["AA", "C1"], ["AR", ""]]
    assert f"BTS|2|Text stands outside every message ({len(headless.rstrip())} bytes); a message begins with MSH" in answer.text
    assert "The trailer counts other messages than the 1 found" in answer.text
    (kept,) = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "rejected"}))["items"]
    shown = await world.api.json("GET", f"/v1/inbound/{kept['id']}", world.keys["hospital"], 200)
    assert shown["body"] == headless.decode().rstrip("\r")
    nothing = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=b"no message at all", headers=ER7)
    assert "MSA|AR|" in nothing.text


async def test_a_run_of_two_hundred_messages_shares_commits(world: World) -> None:
    messages = [adt("A04", "20260302100000-0500", control=f"R{number}", mrn=f"M{number}", medicaid=None) for number in range(200)]
    answer = await world.api.post("/hl7v2/batch", world.keys["hospital"], content=b"".join(messages), headers=ER7)
    assert answer.text.count("MSA|AA|R") == 200
    listed = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"limit": 1000})
    assert len(listed["items"]) == 200


async def test_validating_says_everything_and_stores_nothing(world: World) -> None:
    said = await world.api.json("POST", "/hl7v2/$validate", world.keys["hospital"], 200, content=DISCHARGE, headers=ER7)
    assert said["ack"]["code"] == AckCode.AA
    assert "MSA|AA|C2" in said["ack"]["message"]
    assert said["outcome"] == "processed"
    assert [segment["segment"] for segment in said["tree"]] == ["MSH", "EVN", "PID", "PV1", "DG1"]
    assert said["tree"][2]["fields"]["5"] == [[["Alder"], ["Ann"]]]
    assert {(reach["name"], reach["event"], reach["decision"]) for reach in said["reaches"]} >= {
        ("Home B", "discharged", "full"),
        ("Plan C", "discharged", "minimal"),
    }
    assert "mainecare_bhh.contact_2bd" in {clock["id"] for clock in said["clocks"]}
    assert (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"] == []
    assert (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"] == []
    refused = await world.api.json("POST", "/hl7v2/$validate", world.keys["stranger"], 200, content=UNKNOWN, headers=ER7)
    assert (refused["ack"]["code"], refused["outcome"], refused["feed_id"]) == ("AR", "rejected", None)
    assert refused["problems"][0]["location"] == "MSH^1^3"
    assert refused["problems"][0]["name"] == "MSH-3 sending application"


async def test_validating_names_places_in_words_and_advises_by_the_structure(world: World) -> None:
    body = DISCHARGE.replace(b"PV1|1|I|", b"PV1|1|BHI|") + b"EVN|A03|20260306143000-0500\rZZZ|1\r"
    said = await world.api.json("POST", "/hl7v2/$validate", world.keys["hospital"], 200, content=body, headers=ER7)
    assert [(one["location"], one["severity"], one["name"]) for one in said["problems"]] == [("PV1^1^2", "W", "PV1-2 patient class")]
    assert [(one["location"], one["name"]) for one in said["advice"]] == [("EVN^2", "EVN")]
    assert said["ack"]["code"] == AckCode.AA
