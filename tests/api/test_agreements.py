"""Agreements from outside: without one in force an organization is told nothing and reads nothing, on every channel and read."""

from typing import Any
from uuid import UUID

from app import wiring
from app.domain.organization import OrganizationKind
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.settings import load_settings
from app.store import agreements
from app.store.directory import RegistryReader
from app.store.engine import raw_connection
from app.telemetry.watch_events import AgreementExpires
from tests.api.test_consents import items
from tests.api.world import ADMIN_KEY, ADMIT, DISCHARGE, World

READS = (
    "/v1/encounters",
    "/v1/follow-ups",
    "/v1/transfers",
    "/v1/members?identifier=MAINECARE|MC1",
    "/v1/measures",
    "/v1/measures/FUH?period=2026",
)


def own(world: World, who: str) -> str:
    return f"agr_{world.ids[who].removeprefix('org_')}"


async def end(world: World, who: str) -> Any:
    return await world.api.json("POST", f"/v1/agreements/{own(world, who)}/end", ADMIN_KEY, 200)


async def sign(world: World, who: str, **changed: Any) -> dict[str, Any]:
    body = {"organization_id": world.ids[who], "kind": "dsa", "scope": "Notices", "effective_from": "2026-03-01", **changed}
    made: dict[str, Any] = await world.api.json("POST", "/v1/agreements", ADMIN_KEY, 201, json=body)
    await world.stage.settle()
    return made


async def forget_keys(world: World) -> None:
    """Let the few seconds pass for which a key is remembered."""
    for who in ("home", "plan"):
        world.keys[who] = await world.key(
            who, "notifications.read", "follow-ups.read", "members.read", "measures.read", "admin", "subscriptions.write"
        )


async def test_the_registry_is_the_same_whoever_asked_first(world: World) -> None:
    """A process keeps it for the next one: what one organization may not see must not be missing for another."""
    services, read = world.stage.services, []
    for viewer in (OPERATOR, Viewer(UUID(hex=world.ids["plan"].removeprefix("org_")), frozenset(Scope))):
        async with services.unit_of_work(viewer) as connection:
            read.append(await RegistryReader().current(await raw_connection(connection)))
    assert read[0].organizations == read[1].organizations
    assert read[0].registrations == read[1].registrations
    assert all(one.agreed for one in read[1].organizations.values() if one.kind is not OrganizationKind.HIE)


async def test_an_organization_is_admitted_with_its_agreement_to_be_seen(world: World) -> None:
    shown = await world.api.json("GET", f"/v1/organizations/{world.ids['home']}", world.keys["home"], 200)
    assert shown["participation_agreement_id"] == own(world, "home")
    (paper,) = await items(world, "/v1/agreements")
    assert (paper["id"], paper["kind"], paper["state"], paper["days_left"]) == (own(world, "home"), "participation", "in_force", None)
    # Nobody sees another's; the operator sees all.
    assert len((await world.api.json("GET", "/v1/agreements", ADMIN_KEY, 200))["items"]) == 4
    await world.api.json("POST", f"/v1/agreements/{own(world, 'home')}/end", world.keys["home"], 403)


async def test_without_one_nothing_is_told_or_read_and_what_waited_is_told_late(world: World) -> None:
    ended = await end(world, "home")
    assert (ended["state"], ended["ended_at"] is not None) == ("ended", True)
    await forget_keys(world)
    await world.send(ADMIT, DISCHARGE)
    assert await items(world, "/v1/notifications") == []
    for path in READS:
        refused = await world.api.json("GET", path, world.keys["home"], 403)
        assert "No agreement" in refused["detail"], path
    # The plan's own stands; and that the home is told nothing does not make it less responsible.
    assert [one["home"]["name"] for one in await items(world, "/v1/follow-ups", "plan")] == ["Home B"]
    encounter = (await items(world, "/v1/encounters", "hospital"))[0]["id"]
    why = await world.api.json("GET", f"/v1/encounters/{encounter}/why", ADMIN_KEY, 200)
    assert "no agreement with the organization is in force today" in str([one for one in why["candidates"] if "Home B" in str(one)])
    world.stage.clock.advance(seconds=3600)
    await sign(world, "home")
    told = await items(world, "/v1/notifications")
    assert [(one["sequence"], one["tier"], one["late"]["cause"], one["late"]["minutes"]) for one in told] == [
        (1, "full", "agreement", 60),
        (2, "full", "agreement", 60),
    ]
    await forget_keys(world)
    (follow_up,) = await items(world, "/v1/follow-ups")
    # Clocks ran meanwhile.
    assert {clock["state"] for clock in follow_up["clocks"]} == {"pending"}


async def test_what_had_a_number_stays_provable_when_the_agreement_ends(story: World) -> None:
    before = await items(story, "/v1/notifications")
    assert before
    await end(story, "home")
    after = await items(story, "/v1/notifications")
    assert after == [{"sequence": one["sequence"], "id": one["id"], "type": "notification.withdrawn"} for one in before]
    assert await items(story, "/v1/encounters") == []
    await sign(story, "home")
    assert [one["tier"] for one in await items(story, "/v1/notifications")][: len(before)] == [one["tier"] for one in before]


async def test_it_expires_on_its_day_and_is_warned_of_before(story: World) -> None:
    await end(story, "plan")
    paper = await sign(story, "plan", expires_on="2026-03-07", document_id="DSA-1")
    assert (paper["state"], paper["days_left"], paper["document_id"]) == ("expiring", 1, "DSA-1")
    assert [one["type"] for one in await items(story, "/v1/notifications", "plan")].count("notification.withdrawn") == 0
    story.stage.clock.advance(seconds=24 * 3600)
    assert [one["type"] for one in await items(story, "/v1/notifications", "plan")].count("notification.withdrawn") == 0
    # Midnight at the plan's place.
    story.stage.clock.advance(seconds=24 * 3600)
    assert {one["type"] for one in await items(story, "/v1/notifications", "plan")} == {"notification.withdrawn"}
    assert [one["state"] for one in await items(story, "/v1/agreements", "plan")] == ["ended", "expired"]


async def test_the_end_of_an_agreement_is_warned_of_once_at_sixty_and_once_at_fourteen_days(story: World) -> None:
    clock = story.stage.clock
    watch = wiring.build_panel_watch(load_settings({}), story.stage.work, clock=clock)
    await watch.watch_once()

    async def warned() -> list[tuple[str, int]]:
        said = [one.event for one in await watch.watch_once()]
        return [(f"org_{one.organization_id.hex}", one.days_left) for one in said if isinstance(one, AgreementExpires)]

    async def waiting() -> int:
        return next(int(one["waiting"]) for one in await items(story, "/v1/queues", "operator") if one["id"] == "agreements")

    async def left() -> list[int]:
        async with story.stage.pipeline.transaction() as raw:
            return [days for _, _, days in await agreements.days_left(raw, clock.now())]

    await end(story, "plan")
    # 6 March, and another paper of the hospital that goes on: nothing to say of it.
    await sign(story, "plan", expires_on="2026-05-06")
    await sign(story, "hospital", expires_on="2026-03-20")
    assert (await warned(), await waiting()) == ([], 0)
    clock.advance(days=1)
    assert [await warned(), await warned()] == [[(story.ids["plan"], 60)], []]
    assert (await waiting(), await left()) == (1, [60])
    clock.advance(days=45)
    assert await warned() == []
    clock.advance(days=1)
    assert [await warned(), await warned()] == [[(story.ids["plan"], 14)], []]
    # Renewed it waits for nobody; that one is warned of in its time, at fourteen days alone where it began with less than sixty.
    await sign(story, "plan", expires_on="2026-05-08")
    assert (await waiting(), await left()) == (0, [])
    assert [await warned(), await warned()] == [[(story.ids["plan"], 16)], []]
    clock.advance(days=20)
    assert (await warned(), await waiting(), await left()) == ([], 1, [-4])


async def test_a_paper_of_another_kind_or_of_tomorrow_lets_nothing_be_told(story: World) -> None:
    await end(story, "home")
    await sign(story, "home", kind="qsoa")
    later = await sign(story, "home", effective_from="2026-03-09")
    assert later["state"] == "future"
    assert {one["type"] for one in await items(story, "/v1/notifications")} == {"notification.withdrawn"}
    body = {"organization_id": story.ids["home"], "kind": "dsa", "scope": "x", "effective_from": "2026-03-09", "expires_on": "2026-03-08"}
    await story.api.json("POST", "/v1/agreements", ADMIN_KEY, 422, json=body)


async def test_a_program_is_asked_for_the_paper_that_lets_it_disclose_to_the_exchange(world: World) -> None:
    path = f"/v1/organizations/{world.ids['hospital']}"

    async def asked() -> list[bool]:
        listed = await world.api.json("GET", f"{path}/origins/checklist", ADMIN_KEY, 200)
        return [one["done"] for one in listed["items"] if one["question"] == "agreement"]

    assert await asked() == []
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"part2_status": "program"})
    assert await asked() == [False]
    await sign(world, "hospital", kind="qsoa")
    assert await asked() == [True]
