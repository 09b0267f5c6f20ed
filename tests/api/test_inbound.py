"""Every message ever received: found again, with its text, its answer, its whole way, and another try."""

from typing import Any

import pytest

from tests.api.world import ADMIN_KEY, ER7, World
from tests.support.messages import adt

BAD = adt("A03", "20260306143000-0500", control="BAD").replace(b"|M1^^^HOSPA^MR~MC1^^^MAINECARE^MA|", b"||")
LAB = adt("A60", "20260306150000-0500", control="A60")


async def _list(world: World, who: str = "hospital", **params: Any) -> list[str]:
    listed = await world.api.json("GET", "/v1/inbound", world.keys[who], 200, params=params)
    return [one["control_id"] for one in listed["items"]]


@pytest.fixture
async def mixed(story: World) -> World:
    """The story, with a message set aside, one that means nothing here, one without a feed, and one that waits."""
    for message in (BAD, LAB, adt("A01", "20260306150000-0500", control="NOFEED", application="WHO", facility="KNOWS")):
        await story.api.post("/hl7v2", story.keys["hospital" if b"KNOWS" not in message else "stranger"], content=message, headers=ER7)
    await story.stage.settle()
    await story.api.post("/hl7v2", story.keys["hospital"], content=adt("A08", "20260306150000-0500", control="WAITS"), headers=ER7)
    return story


async def test_messages_are_found_by_what_became_of_them(mixed: World) -> None:
    assert await _list(mixed) == ["WAITS", "A60", "BAD", "C2", "C1"]
    assert await _list(mixed, outcome="processed") == ["C2", "C1"]
    assert await _list(mixed, outcome="ignored") == ["A60"]
    assert await _list(mixed, outcome="set_aside") == ["BAD"]
    assert await _list(mixed, outcome="waiting") == ["WAITS"]
    assert await _list(mixed, outcome="rejected") == []
    assert await _list(mixed, "stranger", outcome="rejected") == ["NOFEED"]
    assert await _list(mixed, ack_code="AE") == ["BAD"]
    assert await _list(mixed, control_id="C1") == ["C1"]
    assert await _list(mixed, feed_id=mixed.ids["feed_id"], limit=1) == ["WAITS"]
    assert await _list(mixed, received_before="2020-01-01T00:00:00Z") == []
    assert await _list(mixed, received_from="2020-01-01T00:00:00Z", outcome="set_aside") == ["BAD"]
    everybody = await mixed.api.json("GET", "/v1/inbound", ADMIN_KEY, 200)
    assert len(everybody["items"]) == 6


async def test_a_control_id_that_a_source_uses_again_is_taken_and_flagged(story: World) -> None:
    """ACK-7: the same again is one message; another under the same MSH-10 is a message, and the source deserves a flag."""
    again = adt("A08", "20260306160000-0500", control="C1")
    for message in (again, again):
        answer = await story.api.post("/hl7v2", story.keys["hospital"], content=message, headers=ER7)
        assert "MSA|AA|C1" in answer.text
    listed = (await story.api.json("GET", "/v1/inbound", story.keys["hospital"], 200))["items"]
    assert [(one["control_id"], one["trigger"], one["control_id_reused"]) for one in listed] == [
        ("C1", "A08", True), ("C2", "A03", False), ("C1", "A01", True),
    ]  # fmt: skip
    shown = await story.api.json("GET", f"/v1/inbound/{listed[0]['id']}", story.keys["hospital"], 200)
    assert shown["control_id_reused"] is True


@pytest.mark.parametrize("params", [{}, {"outcome": "processed"}])
async def test_pages_neither_repeat_nor_skip(mixed: World, params: dict[str, str]) -> None:
    whole, seen, after = await _list(mixed, **params), [], None
    while True:
        page = await mixed.api.json(
            "GET", "/v1/inbound", mixed.keys["hospital"], 200, params={**params, "limit": 2, **({"after": after} if after else {})}
        )
        seen += [one["control_id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == whole


async def test_a_message_is_shown_with_its_text_to_its_own(mixed: World) -> None:
    path = f"/v1/inbound/{mixed.ids['message_id']}"
    shown = await mixed.api.json("GET", path, mixed.keys["hospital"], 200)
    assert shown["control_id"] == "C2"
    assert shown["body"].startswith("MSH|^~\\&|EPIC|HOSPA|")
    assert (shown["outcome"], shown["encounter_id"], shown["person_id"]) == ("processed", mixed.ids["encounter_id"], mixed.ids["person_id"])
    assert (await mixed.api.get(path, mixed.keys["home"])).status_code == 404


async def test_octets_that_are_no_utf8_are_shown_all_the_same(story: World) -> None:
    await story.api.post(
        "/hl7v2",
        story.keys["hospital"],
        content=adt("A08", "20260306150000-0500", control="W", name="Alder^Jos\u00e9").decode().encode("latin-1"),
        headers=ER7,
    )
    (found,) = (await story.api.json("GET", "/v1/inbound", story.keys["hospital"], 200, params={"control_id": "W"}))["items"]
    assert "Jos\u00e9" in (await story.api.json("GET", f"/v1/inbound/{found['id']}", story.keys["hospital"], 200))["body"]


async def test_the_trace_shows_the_operator_the_whole_way_and_the_sender_its_part(mixed: World) -> None:
    path = f"/v1/inbound/{mixed.ids['message_id']}/trace"
    whole = await mixed.api.json("GET", path, ADMIN_KEY, 200)
    assert whole["event"]["trigger"] == "A03"
    assert {(row["recipient_name"], row["kind"], row["decision"]) for row in whole["decisions"]} == {
        ("Home B", "discharged", "full"),
        ("Plan C", "discharged", "minimal"),
    }
    assert {row["type"] for row in whole["notifications"]} == {"encounter.discharged"}
    assert {row["home_id"] for row in whole["follow_ups"]} == {mixed.ids["home"]}
    part = await mixed.api.json("GET", path, mixed.keys["hospital"], 200)
    assert part["message"] == whole["message"]
    assert part["event"] == whole["event"]
    assert (part["decisions"], part["notifications"], part["follow_ups"]) == ([], [], [])
    (bad,) = (await mixed.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"control_id": "BAD"}))["items"]
    assert (await mixed.api.json("GET", f"/v1/inbound/{bad['id']}/trace", ADMIN_KEY, 200))["event"] is None


async def test_a_message_that_was_set_aside_is_read_again_with_the_feeds_new_settings(story: World) -> None:
    odd = adt("A01", "20260306150000-0500", control="ODD", visit="V9", patient_class="QQ", discharged="", admitted="20260306150000-0500")
    await story.send(odd)
    (before,) = (await story.api.json("GET", "/v1/inbound", story.keys["hospital"], 200, params={"control_id": "ODD"}))["items"]
    path = f"/v1/encounters/{before['encounter_id']}"
    assert (await story.api.json("GET", path, story.keys["hospital"], 200))["class"] == "unknown"
    change = {"profile": {"class_map": {"QQ": "observation"}}}
    await story.api.json("PATCH", f"/v1/feeds/{story.ids['feed_id']}", story.keys["hospital"], 200, json=change)
    answer = await story.api.json("POST", f"/v1/inbound/{before['id']}/replay", story.keys["hospital"], 202)
    assert answer == {"id": before["id"], "outcome": "waiting"}
    assert await _list(story, outcome="waiting") == ["ODD"]
    await story.stage.settle()
    assert await _list(story, outcome="waiting") == []
    assert (await story.api.get(f"/v1/inbound/{before['id']}/replay", story.keys["home"])).status_code == 405
