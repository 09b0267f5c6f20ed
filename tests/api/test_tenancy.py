"""Whose is whose: every operation, asked by an organization that has every scope and nothing to do with any of it.

What is another's is answered like what does not exist, and no list, trace or document names any of it. Generated from the contract, so
a new operation is asked too.
"""

import pytest

from tests.api import contract
from tests.api.recipes import RECIPES
from tests.api.test_contract_statuses import telling
from tests.api.world import World

__all__ = ["telling"]

GUARDED = [(method, path) for method, path in contract.OPERATIONS if "security" in contract.operation_of(method, path)]
OF_ONE_THING = [(method, path) for method, path in GUARDED if "{" in path and not RECIPES[method, path].words]
"""A path that takes a word instead of an id, as a measure's name, names nobody's thing."""
LISTS = [(method, path) for method, path in GUARDED if method == "GET" and "{" not in path]
NOT_THEIRS = {"/v1/disclosures": 403, "/v1/reports/cop-evidence": 404, "/v1/reports/cop-evidence.csv": 404}
"""For the operator alone; for hospitals alone."""
TO_EVERYBODY = {("GET", "/v1/organizations/{organization_id}")}


async def test_a_thing_of_another_is_answered_like_one_that_does_not_exist(world: World) -> None:
    # The story's is the stranger's own, whose end disturbs nobody.
    world.ids["agreement_id"] = f"agr_{world.ids['home'].removeprefix('org_')}"
    seen = {}
    for method, template in OF_ONE_THING:
        recipe = RECIPES[method, template]
        answer = await world.api.call(method, recipe.path(template, world.ids), world.keys["stranger"], **recipe.options(world.ids))
        seen[method, template] = answer.status_code
    assert seen == dict.fromkeys(OF_ONE_THING, 404)
    # And nothing was done to any of it.
    for method, template in OF_ONE_THING:
        recipe = RECIPES[method, template]
        if method == "GET":
            answer = await world.api.call(method, recipe.path(template, world.ids), world.keys[recipe.who])
            assert answer.status_code == 200, template


async def test_no_list_shows_anything_of_another(world: World) -> None:
    world.stage.services.arrivals.close()
    hidden = {name: id_.partition("_")[2] or id_ for name, id_ in world.ids.items() if name not in ("stranger", "agreement_id")}
    for method, template in LISTS:
        recipe = RECIPES[method, template]
        answer = await world.api.call(method, template, world.keys["stranger"], **recipe.options(world.ids))
        assert answer.status_code == NOT_THEIRS.get(template, 200), template
        assert [name for name, digits in hidden.items() if digits in answer.text] == [], template
        assert "Alder" not in answer.text, template
        assert "MC1" not in answer.text, template


@pytest.mark.parametrize("who", ["hospital", "home", "plan"])
async def test_each_sees_its_own_part_of_the_story_only(world: World, who: str) -> None:
    key = world.keys[who]
    inbound = await world.api.json("GET", "/v1/inbound", key, 200)
    assert len(inbound["items"]) == (3 if who == "hospital" else 0)
    outbox = await world.api.json("GET", "/v1/notifications", key, 200)
    assert bool(outbox["items"]) is (who != "hospital")
    encounters = await world.api.json("GET", "/v1/encounters", key, 200)
    assert [item["id"] for item in encounters["items"]] == [world.ids["encounter_id"]]
    follow_ups = await world.api.json("GET", "/v1/follow-ups", key, 200)
    assert [item["id"] for item in follow_ups["items"]] == ([] if who == "hospital" else [world.ids["follow_up_id"]])
    if who == "plan":
        assert "diagnoses" not in encounters["items"][0]
        assert {item["tier"] for item in outbox["items"]} == {"minimal"}
        assert follow_ups["items"][0]["contacts"] == []
        assert "F32.2" not in str([inbound, outbox, encounters, follow_ups])


async def test_a_grant_opens_rows_and_its_end_closes_them(world: World) -> None:
    api, home, stranger = world.api, world.ids["home"], world.keys["stranger"]
    outbox = {"params": {"organization_id": home}}
    assert (await api.get("/v1/notifications", stranger, **outbox)).status_code == 404
    await api.json("POST", f"/v1/organizations/{home}/grants", world.keys["home"], 201, json={"grantee_id": world.ids["stranger"]})
    granted = await api.json("GET", "/v1/notifications", stranger, 200, **outbox)
    own = await api.json("GET", "/v1/notifications", world.keys["home"], 200)
    assert granted == own
    assert granted["items"][0]["person"]["last_name"] == "Alder"
    for path in ("", "/why"):
        assert (await api.get(f"/v1/notifications/{world.ids['notification_id']}{path}", stranger)).status_code == 200
    assert (await api.get(f"/v1/organizations/{home}", stranger)).status_code == 200
    assert (await api.get(f"/v1/organizations/{home}/preferences", stranger)).status_code == 404
    ended = await api.call("DELETE", f"/v1/organizations/{home}/grants/{world.ids['stranger']}", world.keys["home"])
    assert ended.status_code == 204
    assert (await api.get("/v1/notifications", stranger, **outbox)).status_code == 404
    assert (await api.get(f"/v1/notifications/{world.ids['notification_id']}", stranger)).status_code == 404


async def test_a_parent_sees_a_sites_name_and_not_its_rows(world: World) -> None:
    api = world.api
    site = await api.json(
        "POST",
        "/v1/organizations",
        world.keys["operator"],
        201,
        json={"name": "Site", "kind": "health_home", "parent_id": world.ids["stranger"]},
    )
    assert (await api.get(f"/v1/organizations/{site['id']}", world.keys["stranger"])).status_code == 200
    assert (await api.get("/v1/notifications", world.keys["stranger"], params={"organization_id": site["id"]})).status_code == 404
    assert (await api.call("PATCH", f"/v1/organizations/{site['id']}", world.keys["stranger"], json={"name": "Mine"})).status_code == 404
