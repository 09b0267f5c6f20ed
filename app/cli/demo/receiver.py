"""The demo's receiver of webhooks: verifies every signature, and now and then is unavailable for a moment, as receivers are.

Not here: what a webhook says (adapters/webhook).
"""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from adapters.webhook.signing import ID_HEADER, VerificationError, verify
from app.cli.demo.numbers import Numbers

_UNAVAILABLE_EVERY: Final = 25
_HOST: Final = "127.0.0.1"


class Receiver:
    """Listens on loopback, one path a recipient."""

    def __init__(self, numbers: Numbers, now: Callable[[], datetime]) -> None:
        """Take where to count; secrets come when the subscriptions are made."""
        self._numbers, self._now = numbers, now
        self._secrets: dict[str, str] = {}
        self._seen: set[str] = set()
        self._taken = 0
        self._are_there_secrets = asyncio.Event()
        application = web.Application()
        application.router.add_post("/{recipient}", self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{_HOST}:{port}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()

    def know(self, secrets: dict[str, str]) -> None:
        """Learn the secret of each recipient's subscription."""
        self._secrets = secrets
        self._are_there_secrets.set()

    async def _receive(self, request: web.Request) -> web.Response:
        recipient, body = request.match_info["recipient"], await request.read()
        await self._are_there_secrets.wait()
        if not self._is_genuine(recipient, request, body):
            self._numbers.webhooks[recipient, "refused"] += 1
            return web.Response(status=401)
        self._taken += 1
        webhook_id = request.headers[ID_HEADER]
        if self._taken % _UNAVAILABLE_EVERY == 0 and webhook_id not in self._seen:
            # The sender keeps it and tries again in a few seconds, under the same id.
            self._seen.add(webhook_id)
            self._numbers.webhooks[recipient, "turned_away"] += 1
            return web.Response(status=503)
        json.loads(body)
        self._numbers.webhooks[recipient, "verified"] += 1
        return web.Response(status=204)

    def _is_genuine(self, recipient: str, request: web.Request, body: bytes) -> bool:
        try:
            verify(request.headers, body, [self._secrets[recipient]], self._now())
        except (KeyError, VerificationError):
            return False
        return True
