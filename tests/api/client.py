"""A client for tests: every answer is checked against the contract, and against what every answer must have."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from tests.api import contract

BASE_URL = "http://handoff.test"


class Api:
    """Sends requests to an application inside this process, or to an address."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Take the transport."""
        self.client = client

    async def call(self, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        """Send one request as the holder of a key, and check the answer."""
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **options.pop("headers", {})}
        response = await self.client.request(method, path, headers=headers, **options)
        check(response)
        return response

    async def get(self, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        return await self.call("GET", path, key, **options)

    async def post(self, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        return await self.call("POST", path, key, **options)

    async def json(self, method: str, path: str, key: str | None, status: int, **options: Any) -> Any:
        """Send a request that must be answered with this status, and give the body."""
        response = await self.call(method, path, key, **options)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None


def check(response: httpx.Response) -> None:
    """Assert what holds for every answer."""
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-trace-id"])
    assert response.headers["x-content-type-options"] == "nosniff"
    content_type = response.headers.get("content-type", "")
    body: Any = response.json() if content_type.partition(";")[0].endswith("json") else response.content
    if response.status_code >= 400 and "problem" in content_type:
        assert body["status"] == response.status_code
        assert body["trace_id"] == response.headers["x-trace-id"]
        assert body["type"].startswith("urn:warm-handoff:problem:")
    contract.check(response.request.method, response.request.url.path, response.status_code, content_type, body)


@asynccontextmanager
async def api_of(application: FastAPI) -> AsyncIterator[Api]:
    """Give a client of an application inside this process."""
    transport = httpx.ASGITransport(application, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, timeout=30) as client:
        yield Api(client)
