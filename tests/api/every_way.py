"""Reading by every way there is: each operation of the contract that reads, with every id that was met, and the stream.

Generated from the contract, so that a new way to read is tried as soon as it is published.
"""

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
import uvicorn

from app.api.application import build_application
from app.domain.public_id import Kind
from tests.api import contract
from tests.api.client import Api
from tests.api.recipes import RECIPES
from tests.api.test_stream import Server
from tests.api.world import World

_SEARCHES: Final = ("/v1/members/search", "/v1/inbound/search", "/v1/disclosures/search")
READS: Final = [
    (method, path)
    for method, path in contract.OPERATIONS
    if (method == "GET" or path in _SEARCHES) and "security" in contract.operation_of(method, path)
]
_PREFIXES: Final = {f"{kind.name.lower()}_id": kind.value for kind in Kind}
_ID: Final = re.compile(r"\b(?:" + "|".join(kind.value for kind in Kind) + r")_[0-9a-f]{32}\b")
_MEASURES: Final = ("FUH", "FUA")
_OF_ORGANIZATIONS: Final = "organization_id"


@dataclass(frozen=True)
class Read:
    """One answer: by which operation, and everything that came."""

    way: str
    path: str
    status: int
    text: str

    def parts(self) -> Iterator[str]:
        """Give it in parts that are each of one thing: the items of a page, the entries of a bundle, the rows of a file."""
        if not self.text.lstrip().startswith("{"):
            yield from self.text.splitlines()
            return
        said = json.loads(self.text)
        listed = said.get("items") or said.get("entry") or said.get("group")
        yield from (json.dumps(one) for one in listed) if isinstance(listed, list) else (self.text,)


class Exchange(Protocol):
    """An exchange as far as reading goes: in this process (World), or at an address."""

    @property
    def api(self) -> Api:
        """The client."""

    @property
    def keys(self) -> dict[str, str]:
        """Who -> key."""

    @property
    def ids(self) -> dict[str, str]:
        """Name -> an id of what is asked for."""


async def read_everything(world: Exchange, who: str, more_ids: Iterable[str] = (), *, of_a_kind_max: int | None = None) -> list[Read]:
    """Read as somebody: every list, then what the lists name, so many of a kind at most, and `more_ids`, which somebody else named."""
    key, reads = world.keys[who], list[Read]()
    own = {"organization_id": world.ids[who]}
    for method, path in READS:
        if "{" not in path and path != "/v1/notifications/stream":
            reads.append(await _read(world, key, method, path, path))
    met = _some({found for one in reads for found in _ID.findall(one.text)}, of_a_kind_max) | set(more_ids)
    for method, path in READS:
        names = re.findall(r"{([^}]*)}", path)
        if not names or method != "GET":
            continue
        last = names[-1]
        if RECIPES[method, path].words:
            given: Iterable[dict[str, str]] = [{last: word} for word in _MEASURES]
        elif last == _OF_ORGANIZATIONS:
            given = [own]
        else:
            given = [own | {last: id_} for id_ in sorted(met) if id_.startswith(f"{_PREFIXES.get(last, 'none')}_")]
        reads += [await _read(world, key, method, path, _fill(path, one)) for one in given]
    return reads


def _some(ids: Iterable[str], of_a_kind_max: int | None) -> set[str]:
    """Give so many ids of each kind."""
    kinds: dict[str, list[str]] = {}
    for one in sorted(ids):
        kinds.setdefault(one.partition("_")[0], []).append(one)
    return {one for listed in kinds.values() for one in listed[:of_a_kind_max]}


def _fill(path: str, given: dict[str, str]) -> str:
    for name, value in given.items():
        path = path.replace(f"{{{name}}}", value)
    return path


async def _read(world: Exchange, key: str, method: str, template: str, path: str) -> Read:
    options = RECIPES[method, template].options(world.ids)
    params: dict[str, Any] = dict(options.pop("params", {}))
    if "identifier" in params:
        params["identifier"] = world.ids.get("identifier", params["identifier"])
    if template.endswith("$evaluate-measure"):
        params["reportType"] = "subject-list"
    elif "{" not in template and any(one["name"] == "limit" for one in contract.operation_of(method, template).get("parameters", ())):
        params["limit"] = 1000
    answer = await world.api.call(method, path, key, params=params, **options)
    headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items() if name != "x-trace-id")
    return Read(template, path, answer.status_code, _whole(answer, headers))


def _whole(answer: httpx.Response, headers: str) -> str:
    """Give body and headers as one text; a JSON body stays one."""
    if answer.headers.get("content-type", "").partition(";")[0].endswith("json") and answer.text.startswith("{"):
        return json.dumps({**answer.json(), "headers-": headers})
    return f"{answer.text}\n{headers}"


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """Serve the exchange on a port of this machine, for what needs a real connection."""
    config = uvicorn.Config(build_application(world.stage.services), port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    async with Server(config).running() as address:
        yield address
        world.stage.services.arrivals.close()
