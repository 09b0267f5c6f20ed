"""How panels stand over HTTP: age, limits, who is claimed twice, and that a notification says when its panel has expired."""

from app import wiring
from app.domain.panel_standing import EXPIRED_WORDS
from app.settings import load_settings
from tests.api.world import ADMIT, ANN_AT_HOME, World, load_panel
from tests.support.messages import adt

CLAIMED = "claimed as behavioral_health_home for BHH: the state's or the program's enrolment"


async def _look(world: World) -> None:
    await wiring.build_panel_watch(load_settings({}), world.stage.work, clock=world.stage.clock).watch_once()


async def test_each_sees_its_own_panel_and_the_operator_all(world: World) -> None:
    await _look(world)
    mine = await world.api.json("GET", "/v1/panels", world.keys["home"], 200)
    assert [item["organization_id"] for item in mine["items"]] == [world.ids["home"]]
    assert (mine["items"][0]["state"], mine["items"][0]["figures"]["members"]) == ("fresh", 1)
    both = await world.api.json("GET", "/v1/panels", world.keys["operator"], 200, params={"limit": 1})
    rest = await world.api.json("GET", "/v1/panels", world.keys["operator"], 200, params={"limit": 1, "after": both["next"]})
    seen = [item["organization_id"] for item in [*both["items"], *rest["items"]]]
    assert (seen, rest["next"]) == ([world.ids["home"], world.ids["plan"]], None)
    assert (await world.api.get(f"/v1/panels/{world.ids['home']}", world.keys["plan"])).status_code == 404
    # An organization of which nothing was ever loaded has no panel.
    assert (await world.api.get(f"/v1/panels/{world.ids['stranger']}", world.keys["operator"])).status_code == 404


async def test_the_operator_sets_the_limits_and_the_owner_does_not(world: World) -> None:
    path, operator = f"/v1/panels/{world.ids['home']}", world.keys["operator"]
    world.stage.clock.advance(days=20)
    changed = await world.api.json("PATCH", path, operator, 200, json={"warn_after_days": 10, "expire_after_days": 30})
    assert (changed["state"], changed["age_days"], changed["expire_after_days"]) == ("ageing", 20, 30)
    changed = await world.api.json("PATCH", path, operator, 200, json={"expire_after_days": 20})
    assert changed["state"] == "expired"
    assert (await world.api.call("PATCH", path, operator, json={"expire_after_days": 9})).status_code == 422
    assert (await world.api.call("PATCH", path, operator, json={"warn_after_days": 9, "expire_after_days": 8})).status_code == 422
    refused = await world.api.call("PATCH", path, world.keys["home"], json={"expire_after_days": 900})
    assert refused.status_code == 403


async def test_an_expired_panel_still_tells_and_says_that_it_has_expired(world: World) -> None:
    world.stage.clock.advance(days=100)
    await _look(world)
    await world.send(ADMIT)
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert [item["type"] for item in told] == ["encounter.admitted"]
    assert told[0]["reason"] == f"{CLAIMED}; {EXPIRED_WORDS}"
    # A renewal is no news of the stay; what comes after it rests on the new roster.
    await load_panel(world, "home", ANN_AT_HOME.replace("C. Sample", "D. Sample"))
    await _look(world)
    await world.stage.settle()
    assert len((await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]) == 1
    await world.send(
        adt("A03", "20260306143000-0500", control="C9", admitted="20260302100000-0500", discharged="20260306142500-0500", disposition="01")
    )
    later = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"][-1]
    assert (later["type"], later["reason"]) == ("encounter.discharged", CLAIMED)


async def test_a_conflict_names_both_to_the_operator_and_nobody_to_the_homes(world: World) -> None:
    another = await world.api.json(
        "POST", "/v1/organizations", world.keys["operator"], 201, json={"name": "Home E", "kind": "behavioral_health_home"}
    )
    world.ids["another"], world.keys["another"] = another["id"], ""
    world.keys["another"] = await world.key("another", "panels.write")
    await load_panel(world, "another", ANN_AT_HOME.replace("H-1,HOMEB", "E-1,HOMEE").replace("2026-01-01", "2026-02-01"))
    await _look(world)
    all_of_it = await world.api.json("GET", "/v1/panels/conflicts", world.keys["operator"], 200)
    (found,) = all_of_it["items"]
    assert (found["role"], found["since"]) == ("behavioral_health_home", "2026-02-01")
    assert {claim["organization_id"] for claim in found["claims"]} == {world.ids["home"], world.ids["another"]}
    for who, other in (("home", "another"), ("another", "home")):
        answer = await world.api.get("/v1/panels/conflicts", world.keys[who])
        (seen,) = answer.json()["items"]
        assert [claim["organization_id"] for claim in seen["claims"]] == [world.ids[who]]
        assert world.ids[other].partition("_")[2] not in answer.text
    for who in ("plan", "stranger", "hospital"):
        assert (await world.api.json("GET", "/v1/panels/conflicts", world.keys[who], 200))["items"] == []
    params = {"organization_id": world.ids["another"], "role": "pcp"}
    assert (await world.api.json("GET", "/v1/panels/conflicts", world.keys["operator"], 200, params=params))["items"] == []
