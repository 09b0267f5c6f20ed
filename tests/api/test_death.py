"""Somebody who died and was admitted later: mistaken death or mistaken identity. It is asked about, and silences nobody meanwhile."""

from typing import Any

import pytest

from app.domain.inbound import Door, Envelope
from tests.api.test_attribution import told
from tests.api.test_follow_up_life import both
from tests.api.test_measures import events, rates
from tests.api.world import ADMIN_KEY, ANN_AT_HOME, ANN_AT_PLAN, World, load_panel
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


async def measured(world: World, measure: str = "FUH") -> dict[str, Any]:
    """Give how Ann's discharge of 6 March stands, as her home reads it and as the ledger counts it."""
    (first, *_) = await both(world)
    (shown,) = [one for one in first["measures"] if one["measure"] == measure]
    (counted,) = [one for one in await events(world, "home", measure) if one["anchor_on"] == "2026-03-06"]
    assert (counted["status_7"], counted["reason"], counted["final"]) == (shown["status_7"], shown["reason"], shown["final"])
    assert [one for one in counted["reasons"] if "death" in one] == [one for one in shown["reasons"] if "death" in one]
    return counted


async def denominator(world: World) -> tuple[int, dict[str, int]]:
    total = (await rates(world, "plan"))["total"]
    return total["denominator"], total["exclusions"]


async def came_to_the_other(world: World, on: str) -> None:
    """An emergency visit, which follows on no discharge."""
    await at_the_other(world, "A04", f"{on}100000-0500", "B1", patient_class="E")


@pytest.mark.parametrize("decision", ["upheld", "dismissed"])
async def test_a_doubtful_death_excludes_nobody_until_somebody_has_decided_it(elsewhere: World, decision: str) -> None:
    world = elsewhere
    world.stage.clock.advance(hours=24 * 40)
    await world.send(alone("20260310180000-0500", "D1", "Y", "20260310"))
    assert (await measured(world))["reason"] == "death_in_period"
    assert await denominator(world) == (0, {"death_in_period": 1})
    await came_to_the_other(world, "20260412")
    doubted = await measured(world)
    assert (doubted["status_7"], doubted["status_30"], doubted["final"]) == ("not_met", "not_met", False)
    assert [one for one in doubted["reasons"] if one.startswith("death_under_review: said to have died on 2026-03-10")]
    assert await denominator(world) == (1, {})
    await decide(world, decision)
    decided = await measured(world)
    assert decided["final"] is True
    assert not any("under_review" in one for one in decided["reasons"])
    if decision == "upheld":
        assert (decided["status_30"], decided["reason"]) == ("excluded", "death_in_period")
        assert await denominator(world) == (0, {"death_in_period": 1})
        return
    assert decided["status_30"] == "not_met"
    # As though it had never been said: not even when nothing contradicts it any more.
    await at_the_other(world, "A11", "20260412110000-0500", "B2", patient_class="E")
    assert (await measured(world))["status_30"] == "not_met"
    await world.send(alone("20260310190000-0500", "D2", "Y", "20260310"))
    assert (await measured(world))["status_30"] == "not_met", "said again, it was decided all the same"
    assert await states(world) == ["open"]


async def test_a_death_by_the_roster_is_doubtful_too(elsewhere: World) -> None:
    world = elsewhere
    world.stage.clock.advance(hours=24 * 5)
    row = ANN_AT_PLAN.replace("effective_from\n", "effective_from,death_date\n").replace("2026-01-01\n", "2026-01-01,2026-03-08\n")
    await load_panel(world, "plan", row)
    await world.stage.settle()
    assert (await measured(world))["reason"] == "death_in_period"
    await came_to_the_other(world, "20260309")
    assert (await measured(world))["status_30"] == "pending"
    await decide(world, "dismissed")
    assert (await measured(world))["status_30"] == "pending"


async def discharge_as_dead(world: World) -> None:
    """The first hospital says that the stay ended in death."""
    await world.send(
        adt(
            "A08", "20260306150000-0500", control="D7", admitted="20260302100000-0500", discharged="20260306142500-0500",
            disposition="20", diagnoses=(("F32.2", "F"),),
        )
    )  # fmt: skip


async def test_a_stay_that_did_not_end_in_death_is_a_discharge_to_nobody_knows_where_and_told_late(elsewhere: World) -> None:
    world = elsewhere
    await discharge_as_dead(world)
    assert await states(world) == ["closed"]
    assert (await measured(world))["reason"] == "died_in_stay"
    world.stage.clock.advance(hours=72)
    await came_to_the_other(world, "20260308")
    (doubted,) = await both(world)
    assert (doubted["state"], [one.partition(":")[0] for one in doubted["state_reasons"]]) == ("open", ["discharged", "death_under_review"])
    assert {one["state"] for one in doubted["clocks"]} <= {"pending", "overdue"}
    assert (await measured(world))["status_30"] == "pending"
    before = await told(world, "home")
    versions = [one["version"] for one in before if one["event"] == "discharged"]
    assert versions == [1, 2], "what the hospital said of its stay stands until somebody has decided"
    world.stage.clock.advance(hours=1)
    await decide(world, "dismissed")
    (follow_up,) = await both(world)
    assert (follow_up["state"], follow_up["state_reasons"]) == (
        "open",
        ["discharged: where to is not known; followed like a discharge home"],
    )
    assert (await measured(world))["status_30"] == "pending"
    news = (await told(world, "home"))[len(before) :]
    (discharged,) = [one for one in news if one["event"] == "discharged"]
    assert (discharged["version"], discharged["encounter"]["disposition"]) == (3, None)
    assert discharged["late"] == {"minutes": 73 * 60, "cause": "review"}
    assert [one["code"] for one in discharged["notices"]] == ["late_release"]
    assert discharged["follow_up_id"] == follow_up["id"]
    (died,) = [one for one in news if one["event"] == "died"]
    assert (died["type"], died["tier"]) == ("encounter.cancelled", "id_only")
    # What comes of the stay next is in time, and the death that it repeats is none.
    await world.send(
        adt(
            "A08", "20260309150000-0500", control="D8", admitted="20260302100000-0500", discharged="20260306142500-0500",
            disposition="20", diagnoses=(("F33.2", "F"),),
        )
    )  # fmt: skip
    assert (await told(world, "home"))[-1]["late"] is None
    assert await states(world) == ["open"]
    assert await asked(world) == []


async def test_a_decision_about_a_death_follows_whose_stay_came_after_it(story: World) -> None:
    world = story
    zoe: dict[str, Any] = {"mrn": "M9", "medicaid": "MC9", "name": "Zeder^Zoe"}
    header, _ = ANN_AT_HOME.strip().split("\n")
    await load_panel(world, "home", f"{header}\nH-9,HOMEB,Zoe,Zeder,1980-01-02,F,MC9,BHH,2026-01-01,C. Sample\n")
    world.stage.clock.advance(hours=72)
    await world.send(with_death(adt("A31", "20260306180000-0500", control="Z1", patient_class=None, **zoe), "Y", "20260306"))
    first, later = "20260305100000-0500", "20260308100000-0500"
    await world.send(adt("A04", first, control="Z2", visit="V8", patient_class="E", admitted=first, **zoe))
    await world.send(adt("A04", later, control="Z3", visit="V9", patient_class="E", admitted=later, **zoe))
    await decide(world, "dismissed")
    assert await states(world) == ["open"]
    await world.send(adt("A40", "20260308120000-0500", control="Z4", merged="M9", patient_class=None))
    assert len({one["person"]["id"] for one in await both(world)}) == 1, "they are one, or this shows nothing"
    assert await states(world) == ["open"], "the death of the one is none of the other's either"
    assert await asked(world) == []


async def test_a_stay_that_did_end_in_death_ends_everything_once_somebody_has_said_so(elsewhere: World) -> None:
    world = elsewhere
    await discharge_as_dead(world)
    world.stage.clock.advance(hours=72)
    await came_to_the_other(world, "20260308")
    assert await states(world) == ["open"]
    await decide(world, "upheld")
    assert await states(world) == ["closed"]
    assert (await measured(world))["reason"] == "died_in_stay"


async def test_whoever_is_mistaken_for_dead_once_may_die_later(elsewhere: World) -> None:
    """A doubtful death hides no later one that nobody has to doubt."""
    world = elsewhere
    world.stage.clock.advance(hours=24 * 10)
    await world.send(alone("20260307180000-0500", "D1", "Y", "20260307"))
    await came_to_the_other(world, "20260309")
    assert await states(world) == ["open"]
    await at_the_other(world, "A03", "20260310100000-0500", "B2", patient_class="E", discharged="20260310100000-0500", disposition="20")
    assert set(await states(world)) == {"closed"}
