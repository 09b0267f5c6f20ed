"""A small HTTP client for commands: one answer at a time, whole, and two kinds of failure. Not for webhooks: nothing is guarded here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson


class HttpError(Exception):
    """There is no answer. The text is the class of the reason."""


class NotReachedError(HttpError):
    """Nothing was sent: the address is wrong, or nobody listens there."""


class NoAnswerError(HttpError):
    """It was sent, in part or whole, and no answer came: nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer."""

    method: str
    path: str
    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110 section 15.3

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Read the body as JSON. Raises ValueError."""
        return orjson.loads(self.body)


class HttpClient:
    """Speaks to one service, with one key. Opened with `async with`."""

    def __init__(self, base_url: str = "", *, key: str = "", timeout_s: float = 30.0) -> None:
        """Take where to; the environment's proxies are not used."""
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, path: str, *, params: Mapping[str, str | int] | None = None) -> HttpAnswer:
        """Ask."""
        return await self._ask("GET", path, params=params)

    async def post(
        self,
        path: str,
        *,
        json: Any = None,  # noqa: ANN401 - any JSON value
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send a document, or bytes."""
        given = dict(headers or {})
        if json is not None:
            content, given = orjson.dumps(json), {"Content-Type": "application/json", **given}
        return await self._ask("POST", path, content=content, params=params, headers=given)

    async def put(self, path: str, *, json: Any) -> HttpAnswer:  # noqa: ANN401 - any JSON value
        """Put a document in the place of what is there."""
        return await self._ask("PUT", path, content=orjson.dumps(json), headers={"Content-Type": "application/json"})

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout, auto_decompress=True)
        try:
            async with self._session.request(
                method, self._base_url + path, data=content, params=params, headers=headers, allow_redirects=False
            ) as answer:
                return HttpAnswer(method, answer.url.path, answer.status, await answer.read())
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.ConnectionTimeoutError) as error:
            raise NotReachedError(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(type(error).__name__) from None
