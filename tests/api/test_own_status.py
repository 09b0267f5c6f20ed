"""A home that is a Part 2 program leaves no trace in what anybody else reads: not its name, not its program, clocks, contacts or work.

Two exchanges are told the same story, one with an opioid home that claims Ann and works, one where nobody does: everything that the plan
and another home read has to be the same, ids apart.
"""

import json
import re
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.domain.viewer import Viewer
from app.store.engine import make_engine, raw_connection
from app.store.roles import Role
from tests.api import contract
from tests.api.test_consents import TPO
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, DISCHARGE, EVERY_SCOPE, World, exchange, load_panel
from tests.support.databases import Database

HOME_NAME = "Meadow Opioid Home"
ANN_AT_OPIOID = ANN_AT_HOME.replace("H-1,HOMEB", "O-9,MEADOW").replace("C. Sample", "M. Meadow")
VISIT = {
    "occurred_at": "2026-03-06T14:45:00-05:00", "type": "in_person_office", "outcome": "attended", "with": "patient", "role": "clinician",
    "visit_codes": ["H0004"], "diagnoses": ["F32.2"], "place_of_service": "11", "note": "Came to Meadow.", "author": "M. Meadow",
}  # fmt: skip
MEASURES = ("FUH", "FUM", "FUA", "FUI")
FORBIDDEN = ("Meadow", "MEADOW", "O-9", "mainecare_bhh", "contact_2bd", "opioid")


async def meadow(world: World, roster: str | None = ANN_AT_OPIOID, **facts: Any) -> None:
    """Add the opioid home, which claims Ann, in place of Home B, which never did."""
    said = {"name": HOME_NAME, "kind": "behavioral_health_home", "program_roles": ["opioid_health_home"], "part2_status": "program"}
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=said | facts)
    world.ids["meadow"] = made["id"]
    world.keys["meadow"] = await world.key("meadow", *EVERY_SCOPE)
    async with world.stage.work.begin() as connection:
        home = UUID(world.ids["home"].removeprefix("org_"))
        await connection.execute(text("update panel_member set retracted_at = asserted_at where organization_id = :home"), {"home": home})
    if roster:
        await load_panel(world, "meadow", roster)


async def story(world: World) -> None:
    await world.send(ADMIT, DISCHARGE)
    mine = (await world.api.json("GET", "/v1/follow-ups", world.keys["meadow"], 200))["items"]
    for one in mine:
        await world.api.json("POST", f"/v1/follow-ups/{one['id']}/contacts", world.keys["meadow"], 201, json=VISIT)
    await world.stage.settle()


async def reads(world: World, who: str) -> dict[str, Any]:
    """Read everything that names people, as somebody; a path with an id is asked of every id that was seen."""
    key, seen = world.keys[who], {}
    facility, meadow_id = world.ids["hospital"], world.ids["meadow"]
    since = "2020-01-01T00:00:00Z"
    paths = [
        "/v1/follow-ups", f"/v1/follow-ups?changed_since={since}", "/v1/follow-ups?due_before=2027-01-01T00:00:00Z",
        "/v1/follow-ups?program=mainecare_bhh", f"/v1/follow-ups?home={meadow_id}", f"/v1/follow-ups?home={meadow_id}&home_at=day7",
        f"/v1/follow-ups?facility={facility}", "/v1/follow-ups?assignee=M.%20Meadow", "/v1/follow-ups?status=closed", "/v1/notifications",
        "/v1/encounters", "/v1/transfers", "/v1/reviews", "/v1/referral-candidates", "/v1/panels/conflicts", "/v1/organizations",
        f"/v1/organizations/{meadow_id}", "/v1/members?identifier=MEADOW|O-9", "/v1/members?identifier=MAINECARE|MC1", "/v1/queues",
        f"/fhir/Group/{world.ids[who].removeprefix('org_')}", f"/fhir/Group/{meadow_id.removeprefix('org_')}",
        f"/v1/panels/{meadow_id}/members", f"/v1/panels/{world.ids[who]}/members", f"/v1/panels/{world.ids[who]}/conflicts",
        *(f"/v1/measures/{one}?period=2026&group_by=home" for one in MEASURES),
        *(f"/v1/measures/{one}?period=2026&home_id={meadow_id}" for one in MEASURES),
        *(f"/v1/measures/{one}/events?period=2026" for one in MEASURES),
        *(f"/v1/measures/FUH{what}&home_at=day7" for what in ("?period=2026&group_by=home", f"/events?period=2026&home_id={meadow_id}")),
    ]  # fmt: skip
    person = seen_id = None
    for path in paths:
        response = await world.api.get(path, key)
        seen[path.replace(meadow_id, "<meadow>").replace(meadow_id.removeprefix("org_"), "<meadow>")] = response.json()
        for one in response.json().get("items", []) if path == "/v1/follow-ups" else []:
            person, seen_id = one["person"]["id"], one["id"]
    for path in (f"/v1/people/{person}", f"/v1/members/{person}/follow-ups", f"/v1/follow-ups/{seen_id}") if person else ():
        seen[path.replace(person or "", "<person>").replace(seen_id or "", "<follow-up>")] = (await world.api.get(path, key)).json()
    return seen


_ID = re.compile(r"\b(?:[a-z]{3}_)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b")


def without_ids(shown: Any) -> Any:
    """Call every id by the order in which it comes, so that two exchanges can be compared."""
    names: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return names.setdefault(found.group().replace("-", ""), f"<{len(names)}>")

    spelled = json.dumps(shown, sort_keys=True)
    # How many transactions there were before is nobody's: other tests' count too.
    return json.loads(re.sub(r'"(trace_id|changes)": "[^"]*"', r'"\1": ""', _ID.sub(named, spelled)))


async def told(database: Database, roster: str | None) -> dict[str, Any]:
    """Tell the story in an exchange of its own; give what each reads, and the id of the home."""
    work, app = (make_engine(database.url, database.network, role, name="tests") for role in (Role.WORK, Role.APP))
    try:
        async with exchange(work, app) as world:
            await meadow(world, roster)
            await story(world)
            return {who: await reads(world, who) for who in ("plan", "home", "stranger")} | {"meadow": world.ids["meadow"]}
    finally:
        await work.dispose()
        await app.dispose()


async def test_a_hidden_home_reads_like_no_home(database: Database, fresh_database: Database) -> None:
    with_home = await told(database, ANN_AT_OPIOID)
    without = await told(fresh_database, None)
    for who in ("plan", "home", "stranger"):
        assert without_ids(with_home[who]) == without_ids(without[who]), who
    (of_nobody,) = with_home["plan"]["/v1/follow-ups"]["items"]
    assert (of_nobody["home"], of_nobody["programs"], of_nobody["clocks"], of_nobody["contacts"]) == (None, [], [], [])
    read = {path: said for who in ("plan", "home", "stranger") for path, said in with_home[who].items()}
    id_ = with_home["meadow"].removeprefix("org_")
    assert not [(path, token) for path, said in read.items() for token in (*FORBIDDEN, id_) if token in json.dumps(said)]


async def test_a_consent_names_the_home_and_its_end_hides_it_again(world: World) -> None:
    await meadow(world)
    await story(world)
    (hidden,) = await follow_ups(world, "plan")
    person = hidden["person"]["id"]
    paper = {**TPO, "person_id": person, "discloser_id": world.ids["meadow"], "recipient_classes": ["health_plans"]}
    consent = await world.api.json("POST", "/v1/consents", world.keys["meadow"], 201, json=paper)
    await world.stage.settle()
    (named,) = await follow_ups(world, "plan")
    assert (named["home"]["name"], named["programs"], named["contacts"]) == (HOME_NAME, ["mainecare_bhh"], [])
    assert {clock["id"] for clock in named["clocks"]} >= {"mainecare_bhh.contact_2bd"}
    assert [one["id"] for one in await follow_ups(world, "plan", home=world.ids["meadow"])] == [named["id"]]
    assert named["id"] != hidden["id"]
    # The operator reads each stay once, under the home that has it; the home reads its own whatever was signed.
    for who in ("operator", "meadow"):
        assert [one["id"] for one in await follow_ups(world, who)] == [named["id"]]
    events = f"/v1/measures/FUH/events?period=2026&home_id={world.ids['meadow']}"
    assert len((await world.api.json("GET", events, world.keys["plan"], 200))["items"]) == 1
    await world.api.json("POST", f"/v1/consents/{consent['id']}/revoke", world.keys["meadow"], 200, json={"note": "by letter"})
    # At once, before any round of the pipeline.
    assert await follow_ups(world, "plan") == [hidden]
    assert (await world.api.json("GET", events, world.keys["plan"], 200))["items"] == []
    as_of = {"as_of": world.stage.clock.now().isoformat(), "period": "2026", "group_by": "home"}
    assert "Meadow" not in (await world.api.get("/v1/measures/FUH", world.keys["plan"], params=as_of)).text


async def test_a_home_of_an_opioid_program_whose_status_nobody_has_said_is_hidden_until_somebody_says(world: World) -> None:
    await meadow(world, part2_status="unknown")
    await story(world)
    assert [one["home"] for one in await follow_ups(world, "plan")] == [None]
    path = f"/v1/organizations/{world.ids['meadow']}"
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"part2_status": "not_program"})
    await world.stage.settle()
    shown = await follow_ups(world, "plan")
    assert [(one["home"] or {}).get("name") for one in shown if one["state"] != "void"] == [HOME_NAME]


async def test_neither_grants_nor_offers_go_round_it(world: World) -> None:
    await meadow(world)
    await load_panel(world, "home", ANN_AT_HOME, force=True)
    await story(world)
    grants = f"/v1/organizations/{world.ids['meadow']}/grants"
    await world.api.json("POST", grants, world.keys["meadow"], 422, json={"grantee_id": world.ids["stranger"]})
    for giver, taker in (("meadow", "home"), ("home", "meadow"), ("home", "stranger")):
        for one in await follow_ups(world, giver):
            refused = await world.api.json(
                "POST", f"/v1/follow-ups/{one['id']}/transfer", world.keys[giver], 422, json={"to": world.ids[taker]}
            )
            # A home that must not be known of claims nobody, as far as the answer tells.
            assert "is no organization that this follow-up can go to" in json.dumps(refused)
    for who in ("home",):
        told = await world.api.json("GET", "/v1/notifications", world.keys[who], 200)
        assert {(one["attribution"]["lead"], "another home" in one["reason"]) for one in told["items"]} <= {(None, False), (True, False)}


RAW = {
    "follow_up": "select count(*) from follow_up where home_id is not null",
    "contact": "select count(*) from contact",
    "follow_up_owner": "select count(*) from follow_up_owner",
    "panel_member": "select count(*) from panel_member",
    "patient_record": "select count(*) from patient_record where source <> 'adt'",
    "panel_conflict": "select count(*) from panel_conflict",
}


async def test_row_level_security_keeps_it_when_the_code_forgets(world: World) -> None:
    await meadow(world)
    await story(world)
    await load_panel(world, "home", ANN_AT_HOME, force=True)

    async def counted(who: str) -> dict[str, int]:
        viewer = Viewer(organization_id=UUID(world.ids[who].removeprefix("org_")), scopes=frozenset())
        async with world.stage.services.unit_of_work(viewer) as connection:
            raw = await raw_connection(connection)
            return {name: await raw.fetchval(query) for name, query in RAW.items()}

    assert await counted("meadow") == {
        "follow_up": 1, "contact": 1, "follow_up_owner": 1, "panel_member": 1, "patient_record": 3, "panel_conflict": 0
    }  # fmt: skip
    # Its own panel, and no row of the program: of the person both claim they see what the hospital says, and what is theirs.
    assert await counted("plan") == {
        "follow_up": 0, "contact": 0, "follow_up_owner": 0, "panel_member": 1, "patient_record": 2, "panel_conflict": 0
    }  # fmt: skip
    assert (await counted("home"))["contact"] == 0


async def follow_ups(world: World, who: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200, params=params))["items"]
    return found


async def test_to_ask_for_a_hidden_home_is_answered_like_to_ask_for_one_that_is_not_there(world: World) -> None:
    """Status, body and headers, by every operation that takes an organization: who guesses an id learns nothing of anybody by it.

    That there is an organization of an id may be learned, where a grant or a paper names it: not whose patient somebody is.
    """
    await meadow(world)
    await story(world)
    (mine,) = await follow_ups(world, "plan")
    hidden, absent = world.ids["meadow"], "org_0199a4c07c5d7e0fb1d2c3a4e5f60718"
    asked: list[tuple[str, str, Any]] = [
        (method, path.replace("{organization_id}", "<id>"), None)
        for method, path in contract.OPERATIONS
        if method == "GET" and path.count("{") == 1 and "{organization_id}" in path
    ]
    asked += [
        ("GET", f"/v1/{path}", None)
        for path in (
            "follow-ups?home=<id>", "follow-ups?home=<id>&home_at=day7", "follow-ups?facility=<id>", "notifications?organization_id=<id>",
            "notifications/stream?organization_id=<id>", "members?identifier=MAINECARE|MC1&organization_id=<id>",
            "measures/FUH?period=2026&home_id=<id>", "measures/FUH?period=2026&home_id=<id>&home_at=day30",
            "measures/FUH/events?period=2026&home_id=<id>", "measures/FUH/gaps?period=2026&home_id=<id>", "reviews?organization_id=<id>",
            "audit?organization_id=<id>", "queues?organization_id=<id>", "subscriptions?organization_id=<id>",
            "encounters?facility=<id>", "encounters?facility_id=<id>", "feeds?organization_id=<id>", "keys?organization_id=<id>",
            "agreements?organization_id=<id>",
            "reports/cop-evidence?organization_id=<id>&since=2026-03-01T00:00:00Z&until=2026-04-01T00:00:00Z",
        )
    ]  # fmt: skip
    asked += [
        ("POST", f"/v1/follow-ups/{mine['id']}/transfer", {"to": "<id>"}),
        ("POST", "/v1/organizations/<id>/grants", {"grantee_id": world.ids["plan"]}),
        ("POST", "/v1/panels/<id>/consents", {"kind": "tpo", "signed_on": "2026-03-01", "scope": "x", "all_members": True}),
        ("POST", "/v1/keys", {"organization_id": "<id>", "scopes": ["notifications.read"]}),
        ("PATCH", "/v1/organizations/<id>", {"name": "x"}),
    ]
    different = []
    for who in ("plan", "home", "stranger"):
        for method, path, body in asked:
            said = []
            for id_ in (hidden, absent):
                filled = path.replace("/Group/<id>", f"/Group/{id_.partition('_')[2]}").replace("<id>", id_)
                sent = json.loads(json.dumps(body).replace("<id>", id_)) if body is not None else None
                answer = await world.api.client.request(method, filled, headers={"Authorization": f"Bearer {world.keys[who]}"}, json=sent)
                words = answer.text.replace(id_, "<id>").replace(id_.partition("_")[2], "<id>")
                kept = {name: value for name, value in answer.headers.items() if name not in ("x-trace-id", "content-length", "date")}
                said.append((answer.status_code, re.sub(r"[0-9a-f]{32}(?=[\".])", "<trace>", words), kept))
            if said[0] != said[1]:
                different.append((who, method, path, said))
    assert different == []
