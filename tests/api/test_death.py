"""Somebody who died and was admitted later: mistaken death or mistaken identity. It is asked about, and silences nobody meanwhile."""

from typing import Any

import pytest

from app.domain.inbound import Door, Envelope
from tests.api.test_attribution import told
from tests.api.test_follow_up_life import both
from tests.api.world import ADMIN_KEY, World
from tests.support.messages import adt


def with_death(message: bytes, said: str, on: str = "") -> bytes:
    """Say PID-30, and PID-29."""
    lines = message.decode().split("\r")
    return "\r".join(line + "|" * (29 - line.count("|")) + f"{on}|{said}" if line.startswith("PID|") else line for line in lines).encode()


def alone(at: str, control: str, said: str, on: str = "") -> bytes:
    return with_death(adt("A31", at, control=control, patient_class=None), said, on)


@pytest.fixture
async def elsewhere(story: World) -> World:
    """A second hospital, which knows Ann by her Medicaid number. Hers at the first ended on 6 March, and the home follows her up."""
    made = await story.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Hospital B", "kind": "hospital"})
    story.ids["other"] = made["id"]
    feed = {"organization_id": made["id"], "sending_application": "CERNER", "sending_facility": "HOSPB", "time_zone": "America/New_York"}
    await story.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json={**feed, "assigning_authority": "HOSPB"})
    return story


async def at_the_other(world: World, trigger: str, at: str, control: str, **more: Any) -> None:
    message = adt(trigger, at, control=control, facility="HOSPB", application="CERNER", mrn="X1", visit="V7", admitted=at, **more)
    answer, _ = await world.stage.services.receive(Envelope(message, Door.MLLP, world.stage.clock.now()))
    assert answer.code == "AA", answer
    await world.stage.settle()


async def asked(world: World, state: str = "open") -> list[dict[str, Any]]:
    listed = await world.api.json("GET", "/v1/reviews", ADMIN_KEY, 200, params={"kind": "death", "state": state})
    found: list[dict[str, Any]] = listed["items"]
    return found


async def states(world: World) -> list[str]:
    return [one["state"] for one in await both(world)]


async def decide(world: World, state: str) -> None:
    (review,) = await asked(world)
    body = {"decision": state, "note": "The hospital was asked."}
    await world.api.json("POST", f"/v1/reviews/{review['id']}/resolve", ADMIN_KEY, 200, json=body)
    await world.stage.settle()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["death first", "admission first"])
async def test_an_admission_after_the_death_is_asked_about_once_and_told_and_followed_up(elsewhere: World, order: tuple[int, int]) -> None:
    world = elsewhere
    world.stage.clock.advance(hours=72)

    async def death() -> None:
        await world.send(alone("20260306180000-0500", "D1", "Y", "20260306"))

    async def admission() -> None:
        await at_the_other(world, "A01", "20260308100000-0500", "B1")

    for place in order:
        await (death, admission)[place]()
    (review,) = await asked(world)
    assert (review["kind"], review["organization_id"], review["answer"]) == ("death", None, None)
    assert await states(world) != ["closed", "closed"], "nobody who may be alive is given up"
    assert [item["type"] for item in await told(world, "home")].count("encounter.admitted") == 2
    await at_the_other(
        world, "A03", "20260308200000-0500", "B2", discharged="20260308200000-0500", disposition="01", diagnoses=(("F32.2", "F"),)
    )
    assert (await states(world))[-1] == "open"
    assert [one["id"] for one in await asked(world)] == [review["id"]]
    # It is right: then nothing is to be done any more. Asked and answered once.
    await decide(world, "upheld")
    assert set(await states(world)) <= {"closed", "superseded"}
    await at_the_other(world, "A08", "20260308210000-0500", "B3")
    assert await asked(world) == []


async def test_a_death_that_was_decided_to_be_wrong_ends_nothing(elsewhere: World) -> None:
    world = elsewhere
    world.stage.clock.advance(hours=72)
    await world.send(alone("20260306180000-0500", "D1", "Y", "20260306"))
    assert await states(world) == ["closed"]
    await at_the_other(world, "A04", "20260308100000-0500", "B1", patient_class="E")
    assert await states(world) == ["open"]
    await decide(world, "dismissed")
    assert await states(world) == ["open"]
    assert await asked(world) == []


async def test_the_question_closes_when_the_death_or_the_admission_is_taken_back(elsewhere: World) -> None:
    world = elsewhere
    world.stage.clock.advance(hours=72)
    await world.send(alone("20260306180000-0500", "D1", "Y", "20260306"))
    await at_the_other(world, "A01", "20260308100000-0500", "B1")
    assert len(await asked(world)) == 1
    await world.send(alone("20260309090000-0500", "D2", "N"))
    assert await asked(world) == []
    assert "closed" not in await states(world)


async def test_an_old_message_that_comes_late_neither_revives_nor_kills(elsewhere: World) -> None:
    world = elsewhere
    world.stage.clock.advance(hours=72)
    await world.send(alone("20260308100000-0500", "D2", "Y", "20260307"))
    assert await states(world) == ["closed"]
    await world.send(alone("20260306180000-0500", "D1", "N"))
    assert await states(world) == ["closed"], "it was denied before it was said"
    await world.send(alone("20260308120000-0500", "D3", "N"))
    assert await states(world) == ["open"]
    await world.send(alone("20260308110000-0500", "D4", "Y", "20260307"))
    assert await states(world) == ["open"], "it was said before it was denied"
    assert await asked(world) == []


async def test_what_happens_on_the_day_of_death_is_no_contradiction(elsewhere: World) -> None:
    """PID-29 is often a day alone; and whoever died in a hospital was in one."""
    world = elsewhere
    world.stage.clock.advance(hours=24)
    await at_the_other(world, "A01", "20260306210000-0500", "B1")
    await at_the_other(world, "A03", "20260306230000-0500", "B2", discharged="20260306230000-0500", disposition="20")
    await world.send(alone("20260307100000-0500", "D1", "Y", "20260306"))
    assert await asked(world) == []
    assert set(await states(world)) <= {"closed", "superseded"}
