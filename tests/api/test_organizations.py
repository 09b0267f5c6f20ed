"""Organizations, feeds and preferences: what is configured is what is in force."""

from datetime import datetime
from typing import Any

import pytest

from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, ER7, World, load_panel
from tests.support.messages import adt

FEED = {"sending_application": "LAB", "sending_facility": "HOSPA", "time_zone": "America/New_York", "assigning_authority": "hospa"}


async def test_an_organization_is_shown_as_it_was_made_with_safe_defaults(world: World) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": " Hospital E ", "kind": "hospital"})
    assert (made["name"], made["part2_status"], made["parent_id"], made["program_roles"]) == ("Hospital E", "unknown", None, [])
    assert await world.api.json("GET", f"/v1/organizations/{made['id']}", ADMIN_KEY, 200) == made
    bare = made["id"].partition("_")[2]
    assert await world.api.json("GET", f"/v1/organizations/{bare}", ADMIN_KEY, 200) == made
    hospitals = await world.api.json("GET", "/v1/organizations", ADMIN_KEY, 200, params={"kind": "hospital"})
    assert [one["name"] for one in hospitals["items"]] == ["Hospital A", "Hospital E"]
    own = await world.api.json("GET", "/v1/organizations", world.keys["home"], 200)
    assert [one["name"] for one in own["items"]] == ["Home B"]


async def test_organizations_are_listed_page_by_page(world: World) -> None:
    seen, after = [], None
    while True:
        params = {"limit": 3, **({"after": after} if after else {})}
        page = await world.api.json("GET", "/v1/organizations", ADMIN_KEY, 200, params=params)
        seen += [one["name"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["Hospital A", "Home B", "Plan C", "Stranger D"]
    wrong = await world.api.get("/v1/feeds", ADMIN_KEY, params={"after": "nonsense"})
    assert wrong.json()["errors"][0]["pointer"] == "/after"


async def test_only_the_operator_adds_organizations_and_says_what_decides_for_others(world: World) -> None:
    home = world.keys["home"]
    assert (await world.api.post("/v1/organizations", home, json={"name": "X", "kind": "hospital"})).status_code == 403
    path = f"/v1/organizations/{world.ids['home']}"
    assert (await world.api.call("PATCH", path, home, json={"name": "Home B the second"})).json()["name"] == "Home B the second"
    for change in ({"part2_status": "not_program"}, {"facility_type": "acute"}, {"program_roles": ["crisis_provider"]}):
        assert (await world.api.call("PATCH", path, home, json=change)).status_code == 403
        assert (await world.api.call("PATCH", path, ADMIN_KEY, json=change)).status_code == 200
    nothing = await world.api.json("PATCH", path, home, 200, json={})
    assert nothing["program_roles"] == ["crisis_provider"]
    cleared = await world.api.json("PATCH", path, home, 200, json={"npi": None, "name": None})
    assert (cleared["npi"], cleared["name"]) == (None, "Home B the second")


async def test_a_feed_is_named_by_what_its_messages_say(world: World) -> None:
    hospital = world.keys["hospital"]
    made = await world.api.json("POST", "/v1/feeds", hospital, 201, json={**FEED, "profile": {"behavioral_units": ["psy", "PSY2"]}})
    assert made["organization_id"] == world.ids["hospital"]
    assert (made["assigning_authority"], made["mode"], made["profile"]["behavioral_units"]) == ("HOSPA", "live", ["PSY", "PSY2"])
    assert await world.api.json("GET", f"/v1/feeds/{made['id']}", hospital, 200) == made
    again = await world.api.post("/v1/feeds", ADMIN_KEY, json={**FEED, "organization_id": world.ids["stranger"]})
    assert again.status_code == 409
    of_home = {**FEED, "sending_application": "X", "organization_id": world.ids["home"]}
    assert (await world.api.post("/v1/feeds", hospital, json=of_home)).status_code == 404
    listed = await world.api.json("GET", "/v1/feeds", hospital, 200)
    assert [one["id"] for one in listed["items"]] == [world.ids["feed_id"], made["id"]]
    narrowed = await world.api.json("GET", "/v1/feeds", ADMIN_KEY, 200, params={"organization_id": world.ids["home"]})
    assert narrowed["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"time_zone": "EST5"}, "/time_zone"),
        ({"profile": {"charset": "klingon"}}, "/profile/charset"),
        ({"profile": {"class_map": {"OBS": "odd"}}}, "/profile/class_map/OBS"),
        ({"profile": {"units": []}}, "/profile/units"),
        ({"mode": "loud"}, "/mode"),
        ({"profile": {"charset": "utf-16"}}, "/profile/charset"),
        ({"sending_application": " ", "sending_facility": ""}, ""),
    ],
)
async def test_a_feed_that_could_not_be_read_is_refused(world: World, change: dict[str, Any], pointer: str) -> None:
    answer = await world.api.post("/v1/feeds", world.keys["hospital"], json={**FEED, **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_shadow_feed_tells_nobody(world: World) -> None:
    path = f"/v1/feeds/{world.ids['feed_id']}"
    assert (await world.api.json("PATCH", path, world.keys["hospital"], 200, json={"mode": "shadow"}))["mode"] == "shadow"
    await world.send(ADMIT)
    assert (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"] == []
    assert (await world.api.json("GET", "/v1/encounters", world.keys["home"], 200))["items"] == []
    assert len((await world.api.json("GET", "/v1/encounters", world.keys["hospital"], 200))["items"]) == 1


async def test_a_feed_added_a_moment_ago_is_known_at_once(world: World) -> None:
    message = ADMIT.replace(b"|EPIC|HOSPA|", b"|LAB|HOSPA|")
    await world.api.json("POST", "/v1/feeds", world.keys["hospital"], 201, json=FEED)
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=message, headers=ER7)
    assert "MSA|AA|" in answer.text


@pytest.mark.parametrize(("application", "facility"), [("", "HOSPA"), ("LAB", "")])
async def test_a_sender_that_leaves_one_of_its_names_empty_has_a_feed_too(world: World, application: str, facility: str) -> None:
    """On MLLP nothing else names the source, so such a hospital could not send at all."""
    named = {**FEED, "sending_application": application, "sending_facility": facility}
    made = await world.api.json("POST", "/v1/feeds", world.keys["hospital"], 201, json=named)
    message = ADMIT.replace(b"|EPIC|HOSPA|", f"|{application}|{facility}|".encode())
    answer = await world.api.post("/hl7v2", ADMIN_KEY, content=message, headers=ER7)
    assert "MSA|AA|" in answer.text
    (kept,) = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"]
    assert kept["feed_id"] == made["id"]


async def test_preferences_are_versioned_and_decide(world: World) -> None:
    path, home = f"/v1/organizations/{world.ids['home']}/preferences", world.keys["home"]
    assert await world.api.json("GET", path, home, 200) == {
        "organization_id": world.ids["home"], "version": 0, "rules": [], "created_at": None,
    }  # fmt: skip
    rules = [
        {"event_types": ["encounter.admitted"], "classes": ["inpatient"], "tell": False},
        {"facilities": [world.ids["hospital"].partition("_")[2]], "programs": ["BHH"], "tell": True},
    ]
    first = await world.api.json("PUT", path, home, 200, json={"rules": rules})
    assert first["version"] == 1
    assert first["rules"][1]["facilities"] == [world.ids["hospital"]]
    assert await world.api.json("GET", path, home, 200) == first
    await world.send(ADMIT)
    assert (await world.api.json("GET", "/v1/notifications", home, 200))["items"] == []
    # A wish not to be notified is no reason not to see.
    assert len((await world.api.json("GET", "/v1/encounters", home, 200))["items"]) == 1
    assert (await world.api.json("PUT", path, home, 200, json={"rules": [], "version": 1}))["version"] == 2
    late = await world.api.call("PUT", path, home, json={"rules": rules, "version": 1})
    assert late.status_code == 409
    assert (await world.api.json("GET", path, ADMIN_KEY, 200))["rules"] == []


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ([{"event_types": ["discharge!"], "tell": True}], "/rules/0/event_types/0"),
        ([{"classes": ["inpatient"]}], "/rules/0/tell"),
        ([{"tell": False}, {"classes": ["inpatient"], "tell": True}], ""),
        ([{"facilities": ["HOSPA"], "tell": True}], "/rules/0/facilities/0"),
    ],
)
async def test_a_wish_that_means_nothing_is_refused(world: World, rules: list[Any], pointer: str) -> None:
    answer = await world.api.call("PUT", f"/v1/organizations/{world.ids['home']}/preferences", world.keys["home"], json={"rules": rules})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_grants_are_listed_and_given_once(world: World) -> None:
    path, home = f"/v1/organizations/{world.ids['home']}/grants", world.keys["home"]
    first = await world.api.json("POST", path, home, 201, json={"grantee_id": world.ids["plan"]})
    world.stage.clock.advance(hours=1)
    assert await world.api.json("POST", path, home, 201, json={"grantee_id": world.ids["plan"]}) == first
    await world.api.json("POST", path, home, 201, json={"grantee_id": world.ids["stranger"]})
    page = await world.api.json("GET", path, home, 200, params={"limit": 1})
    rest = await world.api.json("GET", path, home, 200, params={"limit": 1, "after": page["next"]})
    assert {page["items"][0]["grantee_id"], rest["items"][0]["grantee_id"]} == {world.ids["plan"], world.ids["stranger"]}
    assert rest["next"] is None
    for nobody in (world.ids["home"], "org_" + "0" * 32):
        assert (await world.api.post(path, home, json={"grantee_id": nobody})).status_code == 422


async def test_a_home_keeps_the_holidays_of_its_state_and_a_change_moves_what_is_open(world: World) -> None:
    """Monday, 2 March 2026 is Pulaski Day in Illinois and in few other places."""
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "HH"))
    said: dict[str, Any] = {"admitted": "20260220100000-0500", "discharged": "20260227142500-0500", "disposition": "01"}
    await world.send(adt("A01", "20260220100000-0500", control="C1", admitted=said["admitted"]))
    await world.send(adt("A03", "20260227143000-0500", control="C2", **said))
    path = f"/v1/organizations/{world.ids['home']}"
    for calendar, due in (("US", "2026-03-03"), ("US-IL", "2026-03-04"), ("US-ME", "2026-03-03")):
        await world.api.json("PATCH", path, world.keys["home"], 200, json={"holiday_calendar": calendar})
        await world.stage.settle()
        (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
        clock = next(one for one in found["clocks"] if one["id"] == "health_home.contact_2bd")
        assert datetime.fromisoformat(clock["due_at"]) == datetime.fromisoformat(f"{due}T23:59:59-05:00")
    for nowhere in ("US-XX", "ZZ"):
        problem = await world.api.json("PATCH", path, world.keys["home"], 422, json={"holiday_calendar": nowhere})
        assert problem["errors"][0]["pointer"] == "/holiday_calendar"
