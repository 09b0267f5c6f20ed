"""Whatever fits the contract, and whatever does not, is answered: nothing is answered 500 or worse (reliability R13).

Generated from the contract by schemathesis, over a real server. Short here; TEST_FUZZ_EXAMPLES makes it as long as one likes.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.api.application import build_application
from app.api.limits import ApiLimits
from tests.api import contract
from tests.api.test_stream import Server
from tests.api.world import ADMIN_KEY, World

EXAMPLES = int(os.environ.get("TEST_FUZZ_EXAMPLES", "6"))
MODES = list(schemathesis.GenerationMode)


def _fuzz(address: str, keys: list[str], seen: dict[int, int]) -> None:
    """Send generated requests to every operation, in a thread of its own: the library and requests are synchronous."""
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    session = requests.Session()
    for found in schema.get_all_operations():
        operation = found.ok()
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES])
        _operation(cases, session, keys, seen)()


def _operation(cases: Any, session: requests.Session, keys: list[str], seen: dict[int, int]) -> Callable[[], None]:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, key=st.sampled_from(keys))
    def send(case: Any, key: str) -> None:
        response = case.call(session=session, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        seen[response.status_code] = seen.get(response.status_code, 0) + 1
        assert response.status_code < 500, f"{case.method} {case.path}: {response.status_code} {response.text}"
        (content_type,) = response.headers.get("content-type", [""])
        body = response.json() if content_type.partition(";")[0].endswith("json") else response.content
        contract.check(case.method, unquote(urlsplit(str(response.request.url)).path), response.status_code, content_type, body)

    return send


@pytest.mark.timeout(600)
async def test_whatever_is_sent_is_answered_below_500(story: World) -> None:
    limits = replace(ApiLimits(), wait_s_max=0.01)
    application = build_application(replace(story.stage.services, limits=limits))
    # Streams end after what is there.
    story.stage.services.arrivals.close()
    seen: dict[int, int] = {}
    config = uvicorn.Config(application, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    async with Server(config).running() as address:
        await asyncio.to_thread(_fuzz, address, [ADMIN_KEY, story.keys["home"], story.keys["hospital"], story.keys["plan"]], seen)
    assert sum(seen.values()) >= EXAMPLES * len(contract.OPERATIONS) // 2
    assert seen.get(200, 0)
    assert seen.get(422, 0)
    failures = [one for one in story.stage.observed if one.failure is not None]
    assert failures == []
