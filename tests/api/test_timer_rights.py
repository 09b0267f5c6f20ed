"""What timers and coordinators leave behind is read by those who may see the follow-up, and by nobody else: raw SQL, as the app's role."""

from datetime import timedelta

from sqlalchemy import text

from app.domain.public_id import Kind, read_public_id
from app.domain.viewer import Viewer
from app.store.unit_of_work import unit_of_work
from tests.api.world import World

TABLES = ("follow_up", "timer_notice", "follow_up_log", "follow_up_telling", "contact", "notification")
QUERY = text(" union all ".join(f"select '{table}', count(*) from {table}" for table in TABLES))  # noqa: S608 - names of ours


async def counts(world: World, who: str) -> dict[str, int]:
    viewer = Viewer(organization_id=read_public_id(Kind.ORGANIZATION, world.ids[who]), scopes=frozenset({"follow_ups:read"}))
    async with world.stage.services.unit_of_work(viewer) as connection:
        return {name: count for name, count in await connection.execute(QUERY)}  # noqa: C416 - rows are no pairs


async def test_another_organization_reads_nothing_of_timers_logs_and_escalations(story: World) -> None:
    (found,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200))["items"]
    until = (story.stage.clock.now() + timedelta(hours=12)).isoformat()
    path = f"/v1/follow-ups/{found['id']}"
    await story.api.json("POST", f"{path}/snooze", story.keys["home"], 200, json={"until": until, "reason": "Calls back at noon"})
    said = {"occurred_at": story.stage.clock.now().isoformat(), "type": "phone", "outcome": "reached", "role": "RN"}
    await story.api.json("POST", f"{path}/contacts", story.keys["home"], 201, json=said)
    for _ in range(30):
        story.stage.clock.advance(hours=12)
        await story.stage.pass_time()
    async with unit_of_work(story.stage.work, None) as connection:
        there = {name: count for name, count in await connection.execute(QUERY)}  # noqa: C416 - rows are no pairs
    assert all(there.values()), there
    mine = await counts(story, "home")
    assert mine["timer_notice"] == there["timer_notice"]
    assert mine["follow_up_log"] == there["follow_up_log"]
    assert await counts(story, "stranger") == dict.fromkeys(TABLES, 0)
