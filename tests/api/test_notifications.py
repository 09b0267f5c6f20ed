"""The outbox: in order, without gaps, waited for, and only as much of it as may be told at the moment of reading."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.api.world import ADMIN_KEY, DISCHARGE, World
from tests.support.messages import adt
from tests.support.queries import QueryRecorder


async def _outbox(world: World, who: str = "home", **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await world.api.json("GET", "/v1/notifications", world.keys[who], 200, params=params))["items"]
    return items


async def test_the_home_reads_its_outbox_in_order_and_page_by_page(story: World) -> None:
    everything = await _outbox(story)
    assert [item["sequence"] for item in everything] == list(range(1, len(everything) + 1))
    assert [item["type"] for item in everything][:2] == ["encounter.admitted", "encounter.discharged"]
    assert everything[1]["person"]["last_name"] == "Alder"
    assert {"system": "HOMEB", "type": "", "value": "H-1"} in everything[1]["person"]["identifiers"]
    assert everything[1]["follow_up_id"].startswith("fup_")
    read, after = [], "0"
    while after is not None:
        page = await story.api.json("GET", "/v1/notifications", story.keys["home"], 200, params={"after": after, "limit": 1})
        read += page["items"]
        after = page["next"]
    assert read == everything
    assert await _outbox(story, after=everything[-1]["sequence"]) == []
    assert await _outbox(story, cursor=1) == everything[1:]


async def test_reading_costs_three_statements_and_the_audits_however_long_the_page(story: World, queries: QueryRecorder) -> None:
    await _outbox(story)
    with queries.recording() as statements:
        assert len(await _outbox(story)) >= 2
    assert len(statements) <= 4, statements


async def test_the_operator_says_whose(story: World) -> None:
    nameless = await story.api.json("GET", "/v1/notifications", ADMIN_KEY, 422)
    assert nameless["errors"][0]["pointer"] == "/organization_id"
    page = await story.api.json("GET", "/v1/notifications", ADMIN_KEY, 200, params={"organization_id": story.ids["home"]})
    assert page["items"] == await _outbox(story)


async def test_a_long_poll_ends_when_something_comes(story: World) -> None:
    last = len(await _outbox(story))
    waiting = asyncio.create_task(_outbox(story, after=last, wait=30))
    await asyncio.sleep(0)
    await story.send(
        adt("A08", "20260306150000-0500", control="C3", admitted="20260302100000-0500", disposition="01", diagnoses=(("F33.1", "F"),))
    )
    async with asyncio.timeout(20):
        told = await waiting
    assert [(item["type"], item["sequence"], item["version"]) for item in told] == [("encounter.updated", last + 1, 2)]
    assert told[0]["supersedes"] == (await _outbox(story))[last - 1]["id"]
    assert told[0]["event_id"] == (await _outbox(story))[last - 1]["event_id"]


async def test_a_long_poll_ends_empty_when_its_time_is_over_and_holds_no_connection(story: World) -> None:
    last = len(await _outbox(story))
    polls = [_outbox(story, after=last, wait=0.3) for _ in range(40)]  # more than the pool has connections
    async with asyncio.timeout(20):
        assert await asyncio.gather(*polls) == [[]] * 40


async def test_without_a_hint_the_long_poll_ends_all_the_same(story: World) -> None:
    story.stage.waker.arrivals = None
    last = len(await _outbox(story))
    waiting = asyncio.create_task(_outbox(story, after=last, wait=30))
    await story.send(adt("A13", "20260306151000-0500", control="C4", admitted="20260302100000-0500"))
    async with asyncio.timeout(20):
        told = await waiting
    assert [item["type"] for item in told] == ["encounter.cancelled"]
    assert set(told[0]["person"]) == {"id"}


async def test_what_may_no_longer_be_told_keeps_its_number_and_nothing_else(story: World) -> None:
    before = await _outbox(story)
    change = {"part2_status": "program"}
    await story.api.json("PATCH", f"/v1/organizations/{story.ids['hospital']}", ADMIN_KEY, 200, json=change)
    # At once, before the pipeline has looked at it again, and after.
    for _ in range(2):
        after = await _outbox(story)
        assert after == [{"sequence": item["sequence"], "id": item["id"], "type": "notification.withdrawn"} for item in before]
        await story.stage.settle()
    one = f"/v1/notifications/{before[0]['id']}"
    assert await story.api.json("GET", one, story.keys["home"], 200) == after[0]
    why = await story.api.json("GET", f"{one}/why", story.keys["home"], 200)
    assert (why["now"], why["ledger"], why["attribution"]) == (None, [], None)
    assert "Part 2" not in str(why)
    of_operator = await story.api.json("GET", f"{one}/why", ADMIN_KEY, 200)
    assert "42 CFR 2.12" in str(of_operator["ledger"])
    assert (await story.api.get(f"/v1/encounters/{story.ids['encounter_id']}", story.keys["home"])).status_code == 404
    assert (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200))["items"] == []
    assert (await story.api.get(f"/v1/encounters/{story.ids['encounter_id']}", story.keys["hospital"])).status_code == 200


async def test_why_names_the_claim_the_decisions_and_the_versions(story: World) -> None:
    path = f"/v1/notifications/{story.ids['notification_id']}"
    why = await story.api.json("GET", f"{path}/why", story.keys["home"], 200)
    assert why["notification"] == await story.api.json("GET", path, story.keys["home"], 200)
    assert why["now"]["decision"] == "full"
    assert why["attribution"]["program"] == "BHH"
    assert why["attribution"]["organization_id"] == story.ids["home"]
    assert why["attribution"]["upload_id"].startswith("upl_")
    assert [version["id"] for version in why["versions"]] == [story.ids["notification_id"]]
    assert [line["notification_id"] for line in why["ledger"]] == [story.ids["notification_id"]]
    assert why["ledger"][0]["cause_id"].startswith("msg_")
    assert why["cause"] is None
    assert (await story.api.json("GET", f"{path}/why", ADMIN_KEY, 200))["cause"]["control_id"] == "C2"


async def test_taking_note_happens_once(story: World) -> None:
    path = f"/v1/notifications/{story.ids['notification_id']}"
    first = await story.api.json("POST", f"{path}/acknowledge", story.keys["home"], 200)
    story.stage.clock.advance(minutes=5)
    assert await story.api.json("POST", f"{path}/acknowledge", story.keys["home"], 200) == first
    why = await story.api.json("GET", f"{path}/why", story.keys["home"], 200)
    assert why["acknowledged_at"] == first["acknowledged_at"]


async def test_the_same_message_again_tells_nobody_anything(story: World) -> None:
    before = await _outbox(story)
    await story.send(DISCHARGE, DISCHARGE)
    assert await _outbox(story) == before


async def test_a_clock_that_passes_is_told_with_the_clock(story: World) -> None:
    story.stage.clock.advance(days=10)
    await story.stage.pass_time()
    told = [item for item in await _outbox(story) if item["type"] == "follow_up.overdue"]
    assert "mainecare_bhh.contact_2bd" in {item["clock"]["id"] for item in told}
    assert all(item["occurred_at"] < (story.stage.clock.now() + timedelta(days=1)).isoformat() for item in told)
    why = await story.api.json("GET", f"/v1/notifications/{told[0]['id']}/why", story.keys["home"], 200)
    assert why["now"] is None
    assert [version["id"] for version in why["versions"]] == [told[0]["id"]]


@pytest.mark.parametrize("params", [{"after": -1}, {"after": "x"}, {"after": 2**63}, {"limit": 1001}, {"wait": -1}, {"wait": "nan"}])
async def test_parameters_out_of_range_are_refused(world: World, params: dict[str, Any]) -> None:
    assert (await world.api.get("/v1/notifications", world.keys["home"], params=params)).status_code == 422


def uuid_of(public: str) -> UUID:
    """Give the UUID in an id."""
    return UUID(public.partition("_")[2])


async def test_a_notice_carries_the_three_names(story: World) -> None:
    """COP-1 (42 CFR 482.24(d)): patient, treating practitioner and institution, at the admission and at the discharge."""
    told = await _outbox(story)
    assert {item["type"] for item in told} == {"encounter.admitted", "encounter.discharged"}
    for item in told:
        assert (item["person"]["first_name"], item["person"]["last_name"]) == ("Ann", "Alder")
        assert (item["encounter"]["attending"]["family"], item["encounter"]["facility"]["name"]) == ("Oak", "Hospital A")
