"""Polling for changes: what is committed late is in the next answer, whatever instant it carries; over every list that offers it."""

from typing import Any

import pytest

from app.api.paging import spell_cursor
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.api.world import World
from tests.support.messages import adt

INSTANTS = {"/v1/follow-ups": ("follow_up", "updated_at"), "/v1/encounters": ("encounter", "updated_at"),
            "/v1/measures/FUH/events": ("measure_line", "known_from")}  # fmt: skip
EVER = "2020-01-01T00:00:00Z"


async def changes(world: World, path: str, limit: int = 100, **asked: str) -> tuple[list[Any], str]:
    """Ask for everything, page by page."""
    items: list[Any] = []
    places = set()
    after: dict[str, Any] = {"limit": limit}
    while True:
        page = await world.api.json("GET", path, world.keys["home"], 200, params={**asked, **after})
        items += page["items"]
        places.add(page["changes"])
        if page["next"] is None:
            (place,) = places
            return items, place
        after["after"] = page["next"]


async def test_what_is_committed_late_is_in_the_next_answer_and_an_instant_misses_it(story: World) -> None:
    """A worker takes the time, works, and commits only when others were asked for, changed and read."""
    at = story.stage.clock.now()
    places = {}
    for path in INSTANTS:
        items, places[path] = await changes(story, path, changed_since=EVER)
        assert len(items) == 1
    async with unit_of_work(story.stage.work, None) as connection:
        late = await raw_connection(connection)
        for table, instant in INSTANTS.values():
            await late.execute(f"update {table} set {instant} = $1, xid = default", at)  # noqa: S608 - names of this file
        story.stage.clock.advance(hours=1)
        since = story.stage.clock.now().isoformat()
        for path in INSTANTS:
            items, places[path] = await changes(story, path, changed_after=places[path])
            assert items == [], "nothing is committed yet"
    for path in INSTANTS:
        assert (await changes(story, path, changed_since=since))[0] == [], "who asks by the newest instant misses it"
        items, place = await changes(story, path, changed_after=places[path])
        assert len(items) == 1, path
        assert (await changes(story, path, changed_after=place))[0] == [], "once is enough"


async def test_a_poller_sees_what_changed_by_whatever_changes_it_and_by_pages(story: World) -> None:
    before = {path: await changes(story, path, changed_since=EVER) for path in INSTANTS}
    places = {path: place for path, (_, place) in before.items()}
    soon = "20260306145500-0500"
    await story.send(adt("A01", soon, control="C8", visit="V2", admitted=soon))
    for path in ("/v1/follow-ups", "/v1/encounters"):
        items, places[path] = await changes(story, path, limit=1, changed_after=places[path])
        assert len({one["id"] for one in items} - {one["id"] for one in before[path][0]}) == 1
        assert {one["id"] for one in items} <= {one["id"] for one in (await changes(story, path, limit=1, changed_since=EVER))[0]}
    (line,), _ = await changes(story, "/v1/measures/FUH/events", changed_after=places["/v1/measures/FUH/events"])
    assert line["status"] in {"suspended", "superseded"}
    listed, place = await changes(story, "/v1/follow-ups", limit=1, changed_since=EVER)
    for verb, body in (("assign", {"assignee": "N. Sample"}), ("close", {"reason": "done"}), ("assign", {"assignee": "N. Sample"})):
        path = f"/v1/follow-ups/{listed[0]['id']}/{verb}"
        await story.api.json("POST", path, story.keys["home"], 200, json=body)
        items, place = await changes(story, "/v1/follow-ups", changed_after=place)
        assert len(items) <= 1
        listed = items or listed
    assert items == [], "who has it already is given nothing"


async def test_an_event_that_counts_no_more_is_a_change(story: World) -> None:
    _, place = await changes(story, "/v1/measures/FUH/events", changed_since=EVER)
    await story.send(adt("A13", "20260306150000-0500", control="C3", admitted="20260302100000-0500", diagnoses=(("F32.2", "W"),)))
    (gone,), place = await changes(story, "/v1/measures/FUH/events", changed_after=place)
    assert (gone["status"], gone["reason"]) == ("void", "counts_no_more")
    assert (await changes(story, "/v1/measures/FUH/events", changed_after=place))[0] == []


@pytest.mark.parametrize("path", INSTANTS)
async def test_a_place_that_is_none_or_of_another_database_is_refused(story: World, path: str) -> None:
    _, place = await changes(story, path, changed_since=EVER)
    ahead = spell_cursor("changes", f"{2**62}:1:")
    for asked in ({"changed_after": "x"}, {"changed_after": spell_cursor("changes", "1:2")}, {"changed_after": ahead},
                  {"changed_after": place, "changed_since": EVER}):  # fmt: skip
        answer = await story.api.get(path, story.keys["home"], params=asked)
        assert answer.status_code == 422, asked
        assert answer.json()["errors"][0]["pointer"] == "/changed_after"
    assert (await story.api.json("GET", path, story.keys["home"], 200))["changes"] is None
