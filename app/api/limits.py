"""How much one client may send, and how slowly: body sizes, requests a second. In memory, per process; MLLP has its own limits.

The figures are far above what an honest client needs (our policy); behind several processes a key gets the sum of them.
"""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.types import Message, Receive

from app.api.problems import ProblemError, ProblemType

MEBIBYTE: Final = 1024 * 1024
_BUCKETS_MAX: Final = 10_000


class BodyKind(StrEnum):
    """What a route takes as its body; each kind has its own cap."""

    JSON = "json"
    MESSAGE = "message"
    BATCH = "batch"
    ROSTER = "roster"


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Every figure with its unit in the name."""

    json_octets_max: int = MEBIBYTE
    message_octets_max: int = MEBIBYTE
    batch_octets_max: int = 64 * MEBIBYTE
    roster_octets_max: int = 512 * MEBIBYTE
    body_wait_s_max: float = 30.0
    """How long may be waited for a body in all, beside what its octets are allowed."""
    body_octets_per_s_min: float = 1000.0
    """Each octet that came allows so much more waiting: a slow line is served, a connection that is only held open is not."""
    requests_per_s: float = 1000.0
    """Sustained, per key."""
    requests_burst: float = 5000.0
    """At once, per key, after a pause."""
    unknown_keys_per_s: float = 200.0
    """Look-ups of keys that turned out to be none, per peer address."""
    unknown_keys_burst: float = 1000.0
    key_cache_s: float = 5.0
    """How long a revoked key may still work in a process that did not revoke it."""
    wait_s_max: float = 60.0
    """Longest long-poll."""

    def octets_max(self, kind: BodyKind) -> int:
        """Give the cap of a kind of body."""
        match kind:
            case BodyKind.JSON:
                return self.json_octets_max
            case BodyKind.MESSAGE:
                return self.message_octets_max
            case BodyKind.BATCH:
                return self.batch_octets_max
            case BodyKind.ROSTER:
                return self.roster_octets_max


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at_s: float


class TokenBuckets:
    """One bucket a client: refilled steadily, emptied by requests."""

    def __init__(self, rate_per_s: float, burst: float, monotonic: Callable[[], float]) -> None:
        """Start with no clients; each begins with a full bucket."""
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: dict[Hashable, _Bucket] = {}

    def wait_s(self, client: Hashable, cost: float = 1.0) -> float:
        """Take `cost` tokens and give 0; when there are too few take none and give how long until there are enough."""
        now_s = self._monotonic()
        bucket = self._buckets.get(client)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                self._forget_full(now_s)
            bucket = self._buckets[client] = _Bucket(self._burst, now_s)
        bucket.tokens = min(self._burst, bucket.tokens + (now_s - bucket.filled_at_s) * self._rate_per_s)
        bucket.filled_at_s = now_s
        if bucket.tokens >= cost:
            bucket.tokens -= cost
            return 0.0
        return (cost - bucket.tokens) / self._rate_per_s

    def give_back(self, client: Hashable, cost: float = 1.0) -> None:
        """Return tokens that were taken for something that turned out to be free."""
        bucket = self._buckets.get(client)
        if bucket is not None:
            bucket.tokens = min(self._burst, bucket.tokens + cost)

    def _forget_full(self, now_s: float) -> None:
        """Drop clients whose bucket is full again, and if all are busy, everybody: memory stays bounded, nobody is refused for it."""
        refill_s = self._burst / self._rate_per_s
        self._buckets = {client: bucket for client, bucket in self._buckets.items() if now_s - bucket.filled_at_s < refill_s}
        if len(self._buckets) >= _BUCKETS_MAX:
            self._buckets.clear()


def rate_limited(wait_s: float) -> ProblemError:
    """Give the answer to a client without tokens; Retry-After is in whole seconds (RFC 9110 section 10.2.3)."""
    return ProblemError(
        ProblemType.RATE_LIMITED,
        "This key sends more requests than it may; wait as long as Retry-After says.",
        headers={"Retry-After": str(max(1, round(wait_s + 0.5)))},
    )


def too_large(octets_max: int) -> ProblemError:
    """Give the answer to a body over its cap; the connection is closed instead of reading the rest."""
    return ProblemError(
        ProblemType.TOO_LARGE,
        f"This path takes at most {octets_max} octets; send less, split it, or ask the exchange's operator for more (HANDOFF_…_BYTES_MAX).",
        headers={"Connection": "close"},
    )


def too_slow() -> ProblemError:
    """Give the answer to a body that does not come (RFC 9110 section 15.5.9); the connection is closed, for nothing was stored."""
    return ProblemError(
        ProblemType.TOO_SLOW,
        "The body did not arrive in time and nothing of it was kept; send the request again.",
        headers={"Connection": "close"},
    )


def limited(receive: Receive, octets_max: int, declared: str | None, limits: ApiLimits) -> Receive:
    """Count the octets of a body as they come and stop at the cap; a declared length over it is refused before reading.

    Only the time spent waiting for the client counts against it, and only until the body is whole: after that the same callable
    waits for the client to go away.
    """
    if declared is not None and declared.isascii() and declared.isdigit() and int(declared) > octets_max:
        raise too_large(octets_max)
    seen = 0
    waited_s = 0.0
    is_whole = False
    time_s = asyncio.get_running_loop().time

    async def counted() -> Message:
        nonlocal seen, waited_s, is_whole
        if is_whole:
            return await receive()
        began_s = time_s()
        try:
            async with asyncio.timeout(limits.body_wait_s_max + seen / limits.body_octets_per_s_min - waited_s):
                message = await receive()
        except TimeoutError:
            raise too_slow() from None
        waited_s += time_s() - began_s
        is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > octets_max:
            raise too_large(octets_max)
        return message

    return counted
