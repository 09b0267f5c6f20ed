"""The outbox as a stream, over a real server: from the past into the future, with ids to go on from, until the key or the service ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from app.api.application import build_application
from tests.api import test_notifications
from tests.api.world import World
from tests.support.messages import adt

WAIT_S = 20


class Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve on a free port for as long as the block runs."""
        serving = asyncio.create_task(self._serve())
        while not self.started:
            await asyncio.sleep(0.01)
        port = self.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            self.should_exit = True
            await serving


@pytest.fixture
async def address(story: World) -> AsyncIterator[str]:
    """A real server over the story."""
    config = uvicorn.Config(build_application(story.stage.services), port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    async with Server(config).running() as address:
        yield address
        story.stage.services.arrivals.close()


@asynccontextmanager
async def _stream(address: str, key: str, **headers: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    async with (
        httpx.AsyncClient(base_url=address, timeout=WAIT_S) as client,
        client.stream("GET", "/v1/notifications/stream", headers={"Authorization": f"Bearer {key}", **headers}) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line == "" and "data" in event:
            yield event
            event = {}
        elif name in ("id", "event", "data"):
            event[name] = value


async def _take(events: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(WAIT_S):
        return [await anext(events) for _ in range(count)]


async def test_a_stream_gives_the_past_then_what_comes_and_can_be_taken_up_again(story: World, address: str) -> None:
    outbox = await test_notifications._outbox(story)
    last = len(outbox)
    async with _stream(address, story.keys["home"]) as events:
        past = await _take(events, last)
        assert [orjson.loads(event["data"]) for event in past] == outbox
        assert [event["id"] for event in past] == [str(item["sequence"]) for item in outbox]
        assert [event["event"] for event in past] == [item["type"] for item in outbox]
        await story.send(adt("A13", "20260306151000-0500", control="C4", admitted="20260302100000-0500"))
        (come,) = await _take(events, 1)
        assert (come["event"], come["id"]) == ("encounter.cancelled", str(last + 1))
    async with _stream(address, story.keys["home"], **{"Last-Event-ID": str(last)}) as events:
        assert await _take(events, 1) == [come]


async def test_a_stream_ends_when_the_key_is_revoked(story: World, address: str) -> None:
    key = await story.key("home", "notifications.read")
    last = len(await test_notifications._outbox(story))
    async with _stream(address, key, **{"Last-Event-ID": str(last)}) as events:
        waiting = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0.1)
        keys = await story.api.json("GET", "/v1/keys", story.keys["home"], 200)
        async with httpx.AsyncClient(base_url=address) as client:
            revoked = await client.delete(f"/v1/keys/{keys['items'][-1]['id']}", headers={"Authorization": f"Bearer {story.keys['home']}"})
        assert revoked.status_code == 200
        story.stage.services.arrivals.wake(test_notifications.uuid_of(story.ids["home"]))
        async with asyncio.timeout(WAIT_S):
            assert await waiting is None


async def test_streams_and_long_polls_end_when_the_service_does(story: World, address: str) -> None:
    headers = {"Authorization": f"Bearer {story.keys['home']}"}
    last = len(await test_notifications._outbox(story))
    async with (
        _stream(address, story.keys["home"], **{"Last-Event-ID": str(last)}) as events,
        httpx.AsyncClient(base_url=address) as client,
    ):
        poll = asyncio.create_task(client.get("/v1/notifications", params={"after": last, "wait": 60}, headers=headers, timeout=WAIT_S))
        while story.stage.services.arrivals.waiting < 2:
            await asyncio.sleep(0.01)
        story.stage.services.arrivals.close()
        async with asyncio.timeout(WAIT_S):
            assert (await poll).json() == {"items": [], "next": None}
            assert await anext(events, None) is None


@pytest.mark.parametrize("last", ["x", "-1", "1.5", str(2**63)])
async def test_a_last_id_that_is_none_is_refused(world: World, last: str) -> None:
    answer = await world.api.get("/v1/notifications/stream", world.keys["home"], headers={"Last-Event-ID": last})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["in"] == "header"
