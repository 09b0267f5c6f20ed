"""Every look at people and every change of rights leaves its line, in the transaction that did it. Real PostgreSQL."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from app.api.application import ROUTERS
from app.api.audited import AUDITED, UNAUDITED
from app.domain.audit import AuditDoor, AuditKind
from app.domain.viewer import OPERATOR, Viewer
from app.store.audit import Sheet, close_sheet, open_sheet, saw
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.api.world import ADMIN_KEY, World


async def lines(world: World) -> list[dict[str, Any]]:
    """Every line, oldest first, as the database has it."""
    async with unit_of_work(world.stage.work, None) as connection:
        raw = await raw_connection(connection)
        return [dict(row) for row in await raw.fetch("select * from audit_event order by id")]


async def new_lines(world: World, method: str, path: str, who: str, **options: Any) -> list[dict[str, Any]]:
    """Do something, and give the lines that it left."""
    before = {line["id"] for line in await lines(world)}
    await world.api.call(method, path, world.keys[who], **options)
    return [line for line in await lines(world) if line["id"] not in before]


def test_every_operation_says_what_it_leaves() -> None:
    """A new route has to be put in one list or the other."""
    routes = {
        route.operation_id for router in ROUTERS for route in router.routes if isinstance(route, APIRoute) and route.include_in_schema
    }
    assert set(AUDITED) & set(UNAUDITED) == set()
    assert routes - set(AUDITED) - set(UNAUDITED) == set(), "say in app/api/audited.py what line the operation leaves"
    assert set(AUDITED) | set(UNAUDITED) == routes


def uuid_of(public: str) -> UUID:
    return UUID(public.rpartition("_")[2])


async def test_reads_name_who_why_and_everybody_on_the_page(story: World) -> None:
    person, home = uuid_of(story.ids["person_id"]), uuid_of(story.ids["home"])
    paths = {
        "/v1/notifications": ("list_notifications", "read"),
        f"/v1/notifications/{story.ids['notification_id']}": ("show_notification", "read"),
        f"/v1/notifications/{story.ids['notification_id']}/why": ("why_notification", "read"),
        "/v1/follow-ups": ("list_follow_ups", "query"),
        "/v1/encounters": ("list_stays", "query"),
        f"/v1/encounters/{story.ids['encounter_id']}": ("show_stay", "read"),
        "/v1/members?identifier=MAINECARE|MC1": ("find_member", "query"),
        f"/v1/members/{story.ids['person_id']}/follow-ups": ("list_member_follow_ups", "query"),
        f"/v1/people/{story.ids['person_id']}": ("show_person", "read"),
        f"/v1/panels/{story.ids['home']}/members": ("list_panel", "query"),
        f"/fhir/Group/{story.ids['home'][4:]}": ("read_group", "read"),
        "/v1/measures/FUH/events?period=2026": ("list_measure_events", "query"),
    }
    for path, (action, kind) in paths.items():
        found = await new_lines(story, "GET", path, "home")
        assert [(line["action"], line["kind"], line["outcome"]) for line in found] == [(action, kind, "success")], path
        (line,) = found
        assert line["organization_id"] == home
        assert line["whose_id"] == home
        assert line["key_id"] is not None
        assert line["purpose"] == "TREAT"
        assert line["door"] == "http"
        assert len(line["trace_id"]) == 32
        if action != "list_measure_events":
            assert line["people"] == [person], path


async def test_a_message_read_by_its_sender_is_a_read_of_its_patient(story: World) -> None:
    for path in (f"/v1/inbound/{story.ids['message_id']}", f"/v1/inbound/{story.ids['message_id']}/trace"):
        (line,) = await new_lines(story, "GET", path, "hospital")
        assert line["people"] == [uuid_of(story.ids["person_id"])]
        assert line["targets"] == [story.ids["message_id"]]


async def test_a_search_that_finds_nobody_is_a_search_and_an_empty_outbox_is_nothing(story: World) -> None:
    (line,) = await new_lines(story, "POST", "/v1/members/search", "home", json={"identifier": "MAINECARE|MC-NOBODY"})
    assert (line["kind"], line["people"], line["outcome"]) == ("query", [], "success")
    assert line["query_hash"] is not None
    (again,) = await new_lines(story, "POST", "/v1/members/search", "home", json={"identifier": "MAINECARE|MC-NOBODY"})
    (other,) = await new_lines(story, "POST", "/v1/members/search", "home", json={"identifier": "MAINECARE|MC-ELSE"})
    assert again["query_hash"] == line["query_hash"] != other["query_hash"]
    assert await new_lines(story, "GET", "/v1/notifications?after=100000", "home") == []


async def test_what_is_refused_is_noted_without_anybody(story: World) -> None:
    for path in (f"/v1/people/{story.ids['person_id']}", f"/v1/encounters/{story.ids['encounter_id']}"):
        (line,) = await new_lines(story, "GET", path, "stranger")
        assert (line["outcome"], line["people"]) == ("refused", [])
        assert line["targets"] == [path.rpartition("/")[2]]
    story.keys["weak"] = await story.key("home", "adt.write")
    (line,) = await new_lines(story, "GET", "/v1/follow-ups", "weak")
    assert (line["action"], line["outcome"]) == ("list_follow_ups", "refused")


async def test_no_line_holds_what_was_asked_or_shown(story: World) -> None:
    """A path that is no id, a query, a body, a name: none of it is kept."""
    for path in ("/v1/people/Canary-Name", "/v1/members?identifier=CANARY|zz-4711-zz", "/v1/follow-ups?assignee=Canary"):
        await story.api.call("GET", path, story.keys["home"])
    await story.api.call("POST", "/v1/inbound/search", story.keys["hospital"], json={"text": "Canary, Ann 1980-01-02"})
    written = str(await lines(story)).lower()
    assert "canary" not in written
    assert "alder" not in written
    assert "zz-4711" not in written


async def test_changes_of_rights_are_noted_where_they_are_made(world: World) -> None:
    made = await world.api.json("POST", "/v1/keys", ADMIN_KEY, 201, json={"organization_id": world.ids["home"], "scopes": ["members.read"]})
    (line,) = await new_lines(world, "DELETE", f"/v1/keys/{made['id']}", "operator")
    assert (line["action"], line["kind"], line["organization_id"], line["targets"]) == ("revoke_key", "change", None, [made["id"]])
    said = {one["action"] for one in await lines(world)}
    assert said >= {"add_organization", "add_key", "add_feed", "upload_roster"}
    grant = {"grantee_id": world.ids["plan"]}
    (line,) = await new_lines(world, "POST", f"/v1/organizations/{world.ids['home']}/grants", "home", json=grant)
    assert set(line["targets"]) == {world.ids["home"], world.ids["plan"]}


async def test_a_read_by_a_grant_is_seen_by_both(story: World) -> None:
    await story.api.json(
        "POST", f"/v1/organizations/{story.ids['home']}/grants", story.keys["home"], 201, json={"grantee_id": story.ids["plan"]}
    )
    path = f"/v1/notifications?organization_id={story.ids['home']}"
    (line,) = await new_lines(story, "GET", path, "plan")
    assert (line["organization_id"], line["whose_id"]) == (uuid_of(story.ids["plan"]), uuid_of(story.ids["home"]))
    assert line["purpose"] == "HPAYMT"


async def test_a_page_costs_one_statement_whoever_is_on_it_and_rolls_back_with_its_read(world: World) -> None:
    who = Viewer(uuid_of(world.ids["home"]), frozenset())
    ids = world.stage.services.ids
    sheet = Sheet(AuditKind.QUERY, "list_stays", AuditDoor.HTTP, who.organization_id, None, "0" * 32, world.stage.clock.now, ids.new)
    before = len(await lines(world))
    token = open_sheet(sheet)
    try:
        async with world.stage.services.unit_of_work(who):
            saw([ids.new() for _ in range(1000)])
        with pytest.raises(asyncpg.PostgresError):
            async with world.stage.services.unit_of_work(who) as connection:
                saw([ids.new()])
                await connection.execute(text("select 1"))
                await (await raw_connection(connection)).execute("select 1/0")
    finally:
        close_sheet(token)
    after = await lines(world)
    assert len(after) == before + 1
    assert len(after[-1]["people"]) == 1000
    async with world.stage.services.unit_of_work(OPERATOR):
        saw([ids.new()])  # Nobody's sheet: nothing is written.
    assert len(await lines(world)) == before + 1
