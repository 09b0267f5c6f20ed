"""How a feed is doing, over HTTP: its own organization and the operator see it, nobody else, and nothing of a patient is in it."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import wiring
from app.domain.public_id import Kind, read_public_id
from app.pipeline.feed_watch import FeedWatch
from app.settings import load_settings
from tests.api.client import check
from tests.api.world import ADMIN_KEY, World, tell_the_story
from tests.support.fakes import FakeClock


async def _look(world: World) -> None:
    """Watch the feeds when the messages, whose ids are of the real present, have settled."""
    settings = load_settings({"HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst"})
    watch: FeedWatch = wiring.build_feed_watch(
        settings,
        world.stage.work,
        wiring.keys_of(settings),
        clock=FakeClock(datetime.now(UTC) + timedelta(minutes=2)),
        ids=wiring.SystemIds(),
    )
    while (await watch.watch_once()).has_more:
        pass


@pytest.fixture
async def watched(world: World) -> World:
    """The story, received now: the ids of the tests' door are of the real present."""
    world.stage.clock.set(datetime.now(UTC))
    await tell_the_story(world)
    await _look(world)
    return world


def _feed(world: World) -> UUID:
    found = read_public_id(Kind.FEED, world.ids["feed_id"])
    assert found is not None
    return found


async def _health(world: World, who: str = "hospital", **params: Any) -> dict[str, Any]:
    path = f"/v1/feeds/{world.ids['feed_id']}/health"
    found: dict[str, Any] = await world.api.json("GET", path, world.keys[who], 200, params=params)
    return found


async def test_a_feed_shows_its_figures_and_its_fields(watched: World) -> None:
    """DIR-1: the fields are those of the profile, in its order."""
    found = await _health(watched)
    assert (found["messages"], found["events"], found["refused"], found["set_aside"], found["error_rate"]) == (2, 2, 0, 0, 0.0)
    assert (found["late"], found["late_rate"]) == (2, 1.0), "the story is of March"
    assert (found["silence"], found["silences"], found["rhythm"]) == (None, 0, None)
    assert found["last_message_at"] == watched.stage.clock.now().isoformat()
    assert found["stays_open"] == 0
    fields = {field["place"]: (field["asked"], field["valued"]) for field in found["fields"]}
    assert list(fields)[:2] == ["MSH-9.1", "MSH-9.2"]
    assert (fields["PV1-36"], fields["PV2-3"], fields["EVN-2"], fields["PID-3.5"]) == ((1, 1), (1, 0), (2, 2), (2, 2))
    assert 0 < found["completeness"] < 1


async def test_the_list_has_the_same_figures_and_pages(watched: World) -> None:
    hospital = watched.keys["hospital"]
    second = {"sending_application": "LAB", "sending_facility": "HOSPA", "time_zone": "America/New_York", "assigning_authority": "HOSPA"}
    await watched.api.json("POST", "/v1/feeds", hospital, 201, json=second)
    first_page = await watched.api.json("GET", "/v1/feeds/health", hospital, 200, params={"limit": 1})
    alone = await _health(watched)
    assert first_page["items"] == [{name: value for name, value in alone.items() if name not in {"rhythm", "fields"}}]
    rest = await watched.api.json("GET", "/v1/feeds/health", hospital, 200, params={"after": first_page["next"]})
    (quiet,) = rest["items"]
    assert (quiet["messages"], quiet["last_message_at"], quiet["error_rate"], quiet["completeness"]) == (0, None, None, None)
    assert len((await watched.api.json("GET", "/v1/feeds/health", ADMIN_KEY, 200))["items"]) == 2


async def test_nobody_else_sees_it(watched: World) -> None:
    for who in ("home", "stranger", "plan"):
        assert (await watched.api.json("GET", "/v1/feeds/health", watched.keys[who], 200))["items"] == []
        for name in ("health", "scorecard.csv"):
            assert (await watched.api.get(f"/v1/feeds/{watched.ids['feed_id']}/{name}", watched.keys[who])).status_code == 404


async def test_an_open_silence_is_shown(watched: World) -> None:
    now = watched.stage.clock.now()
    async with wiring.open_transaction(watched.stage.work)() as raw:
        await raw.execute(
            "insert into feed_silence (id, feed_id, last_message_at, opened_at, missing, closed_at) values "
            "($1, $2, $3, $4, 12.34, null), ($5, $2, $6, $6, 11, $7)",
            UUID(int=1), _feed(watched), now - timedelta(hours=3), now - timedelta(hours=1),
            UUID(int=2), now - timedelta(days=3), now - timedelta(days=2),
        )  # fmt: skip
        await raw.execute("update feed_pulse set rhythm = array_fill(2.5::real, array[168])")
    found = await _health(watched)
    silence = found["silence"]
    assert (silence["opened_at"], silence["missing"], found["silences"]) == ((now - timedelta(hours=1)).isoformat(), 12.3, 2)
    assert found["rhythm"] == [2.5] * 168
    assert (await _health(watched, days=1))["silences"] == 1


async def test_what_is_older_than_asked_does_not_count(watched: World) -> None:
    watched.stage.clock.advance(days=3)
    assert (await _health(watched, days=2))["messages"] == 0
    assert (await _health(watched, days=4))["messages"] == 2


async def test_the_scorecard_is_a_file_for_the_hospital(watched: World) -> None:
    response = await watched.api.get(f"/v1/feeds/{watched.ids['feed_id']}/scorecard.csv", watched.keys["hospital"])
    check(response)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    found = {(row["section"], row["item"]): (row["count"], row["of"], row["percent"]) for row in rows}
    assert found["messages", "refused"] == ("0", "2", "0.00")
    assert found["fields", "PV1-36"] == ("1", "1", "100.00")
    assert found["fields", "PV2-3"] == ("0", "1", "0.00")
    assert found["feed", "MSH-3"][0] == "EPIC"
    assert not any(text in response.text for text in ("Alder", "Ann", "M1", "MC1", "1980"))


async def test_a_page_of_feeds_costs_a_fixed_number_of_statements(watched: World, queries: Any) -> None:
    counts = []
    await watched.api.json("GET", "/v1/feeds/health", watched.keys["hospital"], 200)
    for number in range(2):
        with queries.recording() as statements:
            await watched.api.json("GET", "/v1/feeds/health", watched.keys["hospital"], 200)
        counts.append(len(statements))
        for one in range(3):
            feed = {
                "sending_application": f"LAB{number}{one}", "sending_facility": "HOSPA", "time_zone": "UTC", "assigning_authority": "HOSPA",
            }  # fmt: skip
            await watched.api.json("POST", "/v1/feeds", watched.keys["hospital"], 201, json=feed)
    assert counts[0] == counts[1]
