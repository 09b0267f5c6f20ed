"""Keys: shown once, scoped, ended at once; and how one is asked for with every request."""

import asyncio
from datetime import timedelta
from unittest.mock import ANY

import pytest

from app.api.limits import ApiLimits
from app.domain.viewer import Scope
from tests.api.client import api_of
from tests.api.world import ADMIN_KEY, World, application_with
from tests.support.queries import QueryRecorder


async def test_a_key_is_shown_once_and_its_hash_is_all_that_is_kept(world: World) -> None:
    made = await world.api.json("POST", "/v1/keys", ADMIN_KEY, 201, json={"organization_id": world.ids["home"], "scopes": ["members.read"]})
    assert made["key"].startswith("hk_dev_")
    assert made["id"].partition("_")[2] in made["key"]
    listed = await world.api.get("/v1/keys", ADMIN_KEY)
    assert made["id"] in listed.text
    assert made["key"] not in listed.text
    async with world.stage.work.connect() as connection:
        rows = await connection.exec_driver_sql("select digest::text from api_key")
        assert made["key"].rpartition("_")[2] not in repr(rows.all())


@pytest.mark.parametrize(
    ("authorization", "says"),
    [
        (None, "Bearer"),
        ("", "Bearer"),
        ("Basic dXNlcjpwYXNz", "Bearer"),
        ("Bearer", "Bearer"),
        ("Bearer  ", "Bearer"),
        ("Bearer nonsense", "unknown"),
        ("Bearer " + "x" * 600, "not a key"),
        ("Bearer hk_dev_" + "0" * 32 + "_" + "a" * 43, "unknown"),
        (f"Bearer {ADMIN_KEY}x", "unknown"),
    ],
)
async def test_without_a_good_key_nothing_goes(world: World, authorization: str | None, says: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await world.api.get("/v1/feeds", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="warm-handoff"')
    assert says in answer.json()["detail"]


async def test_the_scheme_is_read_in_any_case(world: World) -> None:
    assert (await world.api.get("/v1/feeds", headers={"Authorization": f"bEARER {ADMIN_KEY}"})).status_code == 200


async def test_a_missing_scope_is_named(world: World) -> None:
    key = await world.key("home", "members.read")
    answer = await world.api.get("/v1/notifications", key)
    assert answer.status_code == 403
    assert answer.json()["required_scopes"] == ["notifications.read"]
    assert 'scope="notifications.read"' in answer.headers["www-authenticate"]


async def test_the_key_is_asked_for_before_the_body_is_looked_at(world: World) -> None:
    broken = {"content": b"{", "headers": {"content-type": "application/json"}}
    assert (await world.api.post("/v1/organizations", None, **broken)).status_code == 401
    assert (await world.api.post("/v1/organizations", await world.key("home", "members.read"), **broken)).status_code == 403


async def test_a_revoked_key_ends_at_once_here_and_soon_elsewhere(world: World) -> None:
    moved_s = 0.0
    async with api_of(application_with(world.stage, monotonic=lambda: moved_s)) as elsewhere:
        made = await world.api.json("POST", "/v1/keys", world.keys["home"], 201, json={"scopes": ["admin"]})
        for api in (world.api, elsewhere):
            assert (await api.get("/v1/feeds", made["key"])).status_code == 200
        revoked = await world.api.json("DELETE", f"/v1/keys/{made['id']}", world.keys["home"], 200)
        assert revoked["revoked_at"] is not None
        assert (await world.api.get("/v1/feeds", made["key"])).status_code == 401
        assert (await elsewhere.get("/v1/feeds", made["key"])).status_code == 200
        moved_s = 5.001
        assert (await elsewhere.get("/v1/feeds", made["key"])).status_code == 401
    again = await world.api.json("DELETE", f"/v1/keys/{made['id']}", world.keys["home"], 200)
    assert again["revoked_at"] == revoked["revoked_at"]


async def test_a_key_expires(world: World) -> None:
    now = world.stage.clock.now()
    body = {"scopes": ["admin"], "expires_at": (now + timedelta(hours=1)).isoformat()}
    made = await world.api.json("POST", "/v1/keys", world.keys["home"], 201, json=body)
    late = await world.api.json("POST", "/v1/keys", world.keys["home"], 422, json={**body, "expires_at": now.isoformat()})
    assert late["errors"][0]["pointer"] == "/expires_at"
    world.stage.clock.advance(hours=1)
    assert (await world.api.get("/v1/feeds", made["key"])).status_code == 401


async def test_a_key_gives_no_scope_that_it_does_not_carry(world: World) -> None:
    admin = await world.key("home", "admin", "members.read")
    answer = await world.api.post("/v1/keys", admin, json={"scopes": ["members.read", "adt.write"]})
    assert answer.status_code == 403
    assert "adt.write" in answer.json()["detail"]
    assert (await world.api.post("/v1/keys", admin, json={"scopes": ["members.read"]})).status_code == 201


async def test_a_key_makes_keys_for_its_own_organization_only(world: World) -> None:
    body = {"organization_id": world.ids["plan"], "scopes": ["admin"]}
    assert (await world.api.post("/v1/keys", world.keys["home"], json=body)).status_code == 404
    nameless = await world.api.json("POST", "/v1/keys", ADMIN_KEY, 422, json={"scopes": ["admin"]})
    assert nameless["errors"] == [{"in": "body", "pointer": "/organization_id", "message": ANY}]


async def test_keys_are_listed_by_pages(world: World) -> None:
    for _ in range(4):
        await world.key("home", "members.read")
    seen, after = [], None
    while True:
        params = {"limit": 2, **({"after": after} if after else {})}
        page = await world.api.json("GET", "/v1/keys", world.keys["home"], 200, params=params)
        seen += [key["id"] for key in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert {key["organization_id"] for key in page["items"]} == {world.ids["home"]}
    everybody = await world.api.json("GET", "/v1/keys", ADMIN_KEY, 200)
    assert len(everybody["items"]) == 8
    assert (await world.api.json("GET", "/v1/keys", world.keys["home"], 200, params={"organization_id": world.ids["plan"]}))["items"] == []


async def test_a_known_key_costs_no_statement_and_many_at_once_cost_one(world: World, queries: QueryRecorder) -> None:
    key = await world.key("home", *[scope.value for scope in Scope])
    async with api_of(application_with(world.stage)) as api:
        with queries.recording() as statements:
            answers = await asyncio.gather(*(api.get(f"/v1/feeds/{world.ids['feed_id']}", key) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {404}
        assert sum("api_key" in statement for statement in statements) == 1
        with queries.recording() as statements:
            await api.get("/v1/feeds", key)
        assert not any("api_key" in statement for statement in statements)


async def test_who_sends_too_much_is_told_how_long_to_wait_and_others_are_not(world: World) -> None:
    watch_s = 100.0
    limits = ApiLimits(requests_per_s=10, requests_burst=3)
    async with api_of(application_with(world.stage, limits=limits, monotonic=lambda: watch_s)) as api:
        answers = [(await api.get("/v1/feeds", world.keys["home"])).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]
        refused = await api.get("/v1/feeds", world.keys["home"])
        assert refused.headers["retry-after"] == "1"
        assert (await api.get("/v1/feeds", world.keys["plan"])).status_code == 200
        watch_s += 0.11
        assert (await api.get("/v1/feeds", world.keys["home"])).status_code == 200


async def test_guessing_keys_is_slowed_down_and_holders_are_not(world: World) -> None:
    limits = ApiLimits(unknown_keys_per_s=1, unknown_keys_burst=5)
    async with api_of(application_with(world.stage, limits=limits)) as api:
        assert (await api.get("/v1/feeds", world.keys["home"])).status_code == 200
        guesses = [f"hk_dev_{number:032x}_{'a' * 43}" for number in range(12)]
        answers = [(await api.get("/v1/feeds", guess)).status_code for guess in guesses]
        assert answers[:5] == [401] * 5
        assert set(answers[7:]) == {429}
        assert (await api.get("/v1/feeds", world.keys["home"])).status_code == 200
