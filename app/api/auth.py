"""From the Authorization header to a Viewer, and what a route demands of it.

Keys are looked up by their keyed hash and remembered for at most five seconds, so a revoked key ends soon everywhere and at once in
the process that revoked it. Authentication and the rate limit come before the body is read. Not here: which rows a viewer sees
(store, row-level security).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request

from app.api.limits import BodyKind, TokenBuckets, rate_limited
from app.api.problems import ProblemError, ProblemType
from app.api.services import Services
from app.domain.credential import KEY_LENGTH_MAX, is_well_formed, key_digest, same_digest
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store.api_keys import find_key_holder

_CHALLENGE: Final = 'Bearer realm="warm-handoff"'
_OF_OTHERS: Final = frozenset({Scope.FOLLOW_UPS_READ, Scope.FOLLOW_UPS_WRITE, Scope.MEMBERS_READ, Scope.MEASURES_READ})
"""What is read with these needs an agreement. The outbox may be read without: its numbers are proof, and what they said is withdrawn."""
_REMEMBERED_MAX: Final = 20_000
_OPERATOR_CLIENT: Final = "operator"


@dataclass(frozen=True, slots=True)
class _Remembered:
    viewer: Viewer | None
    until_s: float


class Authenticator:
    """Knows who presents a key, and how much each may ask."""

    def __init__(self, services: Services) -> None:
        """Start with nobody known."""
        limits = services.limits
        self._services = services
        self._remembered: dict[bytes, _Remembered] = {}
        self._asking: dict[bytes, asyncio.Future[Viewer | None]] = {}
        self._requests = TokenBuckets(limits.requests_per_s, limits.requests_burst, services.monotonic)
        self._strangers = TokenBuckets(limits.unknown_keys_per_s, limits.unknown_keys_burst, services.monotonic)

    async def viewer(self, authorization: str | None, peer: str | None) -> Viewer:
        """Give the viewer of a request that may go on; raise 401 or 429 otherwise."""
        key = _bearer(authorization)
        digest = key_digest(self._services.secrets.pepper, key)
        operator_digest = self._services.secrets.operator_digest
        if operator_digest is not None and same_digest(digest, operator_digest):
            viewer: Viewer | None = OPERATOR
        else:
            viewer = await self._holder(digest, peer) if is_well_formed(key) else None
        if viewer is None:
            raise unauthenticated("The key is unknown, expired or revoked; ask whoever gave it to you for a new one.", is_token_wrong=True)
        wait_s = self._requests.wait_s(viewer.key_id or _OPERATOR_CLIENT)
        if wait_s:
            raise rate_limited(wait_s)
        return viewer

    async def still_valid(self, authorization: str | None, peer: str | None) -> bool:
        """Tell whether the key of a long answer still stands; costs no token."""
        try:
            digest = key_digest(self._services.secrets.pepper, _bearer(authorization))
            operator_digest = self._services.secrets.operator_digest
            if operator_digest is not None and same_digest(digest, operator_digest):
                return True
            return await self._holder(digest, peer) is not None
        except ProblemError:
            return False

    def forget(self, key_id: UUID) -> None:
        """Drop what is remembered of a key that was just revoked here."""
        self._remembered = {
            digest: entry for digest, entry in self._remembered.items() if entry.viewer is None or entry.viewer.key_id != key_id
        }

    async def _holder(self, digest: bytes, peer: str | None) -> Viewer | None:
        now_s = self._services.monotonic()
        remembered = self._remembered.get(digest)
        if remembered is not None and remembered.until_s > now_s:
            return remembered.viewer
        asking = self._asking.get(digest)
        if asking is not None:
            # One look-up for everybody who asks at the same moment.
            return await asyncio.shield(asking)
        wait_s = self._strangers.wait_s(peer, cost=0.0 if remembered is not None and remembered.viewer is not None else 1.0)
        if wait_s:
            raise rate_limited(wait_s)
        task = asyncio.ensure_future(self._look_up(digest))
        self._asking[digest] = task
        task.add_done_callback(lambda done: self._asked(digest, done))
        viewer = await asyncio.shield(task)
        if viewer is not None:
            self._strangers.give_back(peer)
        return viewer

    def _asked(self, digest: bytes, done: "asyncio.Future[Viewer | None]") -> None:
        self._asking.pop(digest, None)
        if done.cancelled() or done.exception() is not None:
            return
        if len(self._remembered) >= _REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[digest] = _Remembered(done.result(), self._services.monotonic() + self._services.limits.key_cache_s)

    async def _look_up(self, digest: bytes) -> Viewer | None:
        # Nobody is known yet, so the one row is read as the exchange itself.
        async with self._services.unit_of_work(OPERATOR) as connection:
            return await find_key_holder(connection, OPERATOR, digest, self._services.clock.now())


def unauthenticated(detail: str, *, is_token_wrong: bool = False) -> ProblemError:
    """Give the answer to a request without a good key (RFC 6750 section 3)."""
    challenge = f'{_CHALLENGE}, error="invalid_token"' if is_token_wrong else _CHALLENGE
    return ProblemError(ProblemType.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})


def _bearer(authorization: str | None) -> str:
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise unauthenticated("Send the key as `Authorization: Bearer <key>`.")
    if len(key) > KEY_LENGTH_MAX or not key.isascii():
        raise unauthenticated("This is not a key.", is_token_wrong=True)
    return key


class Access:
    """What a route demands, as its dependency: any one of the scopes, or none but a valid key. Gives the viewer.

    `GuardedRoute` finds it among the route's dependencies and checks it before the body is read.
    """

    def __init__(self, *any_of: Scope, body: BodyKind = BodyKind.JSON) -> None:
        """Name the scopes, and the kind of body for its cap."""
        self.any_of = any_of
        self.body = body

    async def __call__(self, request: Request) -> Viewer:
        """Give the viewer that the guard let in."""
        viewer: Viewer = request.state.viewer
        return viewer

    def check(self, viewer: Viewer) -> None:
        """Raise 403 with the missing scope named."""
        if self.any_of and not any(viewer.may(scope) for scope in self.any_of):
            wanted = " or ".join(scope.value for scope in self.any_of)
            raise ProblemError(
                ProblemType.MISSING_SCOPE,
                f"The key needs the scope {wanted}.",
                headers={"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{self.any_of[0].value}"'},
                extra={"required_scopes": [scope.value for scope in self.any_of]},
            )
        if not viewer.is_agreed and not viewer.is_operator and not _OF_OTHERS.isdisjoint(self.any_of):
            raise ProblemError(
                ProblemType.NOT_PERMITTED,
                "No agreement of your organization is in force today, so nothing may be read; GET /v1/agreements lists what is on file.",
            )


def access_of(dependencies: list[Callable[..., Any] | None]) -> Access | None:
    """Find what a route demands among its dependencies."""
    return next((call for call in dependencies if isinstance(call, Access)), None)


async def services_of(request: Request) -> Services:
    """Give what the wiring put in."""
    services: Services = request.app.state.services
    return services


async def authenticator_of(request: Request) -> Authenticator:
    """Give the process's authenticator."""
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


FromServices = Annotated[Services, Depends(services_of)]
FromAuthenticator = Annotated[Authenticator, Depends(authenticator_of)]

AnyKey = Annotated[Viewer, Depends(Access())]
Administrator = Annotated[Viewer, Depends(Access(Scope.ADMIN))]
