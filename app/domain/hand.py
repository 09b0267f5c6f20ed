"""What one worker has in hand: how many deliveries of which endpoint, how many more it may take, and how those endpoints fare.

A plain record in memory, without I/O or clock. It makes a worker careful sooner than the stored health could: results that are not
recorded yet already count here. Not here: the stored health, which all workers share (endpoint.py decides, the store keeps it).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.delivery import CONNECTION_FAULTS, AttemptResult
from app.domain.endpoint import BreakerPhase, EndpointHealth, after_attempt


def after_result(health: EndpointHealth, result: AttemptResult, at: datetime) -> EndpointHealth:
    """Fold one attempt's result into an endpoint's health."""
    return after_attempt(
        health, result.outcome, at, is_connection_fault=result.fault in CONNECTION_FAULTS, retry_after_s=result.retry_after_s
    )


@dataclass(slots=True)
class _Held:
    health: EndpointHealth
    count: int = 0


class Hand:
    """Takes deliveries up and puts them down.

    An endpoint's share starts small, doubles with every round that was delivered whole, and falls back to the start with the first
    that was not: many dead endpoints together must not fill the worker's hands.
    """

    def __init__(self, *, deliveries_max: int, share_first: int, share_most: int) -> None:
        """Start with empty hands."""
        self._deliveries_max = deliveries_max
        self._share_first = share_first
        self._share_most = share_most
        self._held: dict[UUID, _Held] = {}
        self._shares: dict[UUID, int] = {}

    def room(self) -> int:
        """Say how many more deliveries fit in all."""
        return self._deliveries_max - sum(held.count for held in self._held.values())

    def room_of(self, endpoint_id: UUID) -> int:
        """Say how many more of this endpoint fit into its share."""
        held = self._held.get(endpoint_id)
        return self._shares.get(endpoint_id, self._share_first) - (held.count if held else 0)

    def full(self) -> list[UUID]:
        """List the endpoints whose share is used up."""
        return [id_ for id_ in self._held if self.room_of(id_) <= 0]

    def take(self, endpoint_id: UUID, stored: EndpointHealth) -> None:
        """Take up one delivery. `stored` is the endpoint's health with this claim noted in it.

        While results are on their way to be recorded, what is known here is newer, except that a probe was let through.
        """
        held = self._held.get(endpoint_id)
        if held is None:
            held = self._held[endpoint_id] = _Held(stored)
        elif stored.phase is not BreakerPhase.CLOSED:
            held.health = stored
        held.count += 1

    def may_send(self, endpoint_id: UUID) -> bool:
        """Say whether what was taken up should still be sent, or given back because the endpoint has failed since."""
        health = self._held[endpoint_id].health
        return health.phase is not BreakerPhase.OPEN and health.disabled is None

    def note(self, endpoint_id: UUID, result: AttemptResult, at: datetime) -> None:
        """Note a result at once, before it is recorded."""
        held = self._held[endpoint_id]
        held.health = after_result(held.health, result, at)

    def put_down(self, results: Iterable[tuple[UUID, bool]]) -> None:
        """Put deliveries down after they were recorded or given back: (endpoint, whether it was delivered)."""
        went_well: dict[UUID, bool] = {}
        for endpoint_id, is_delivered in results:
            went_well[endpoint_id] = went_well.get(endpoint_id, True) and is_delivered
            held = self._held[endpoint_id]
            held.count -= 1
            if held.count == 0:
                del self._held[endpoint_id]
        for endpoint_id, is_well in went_well.items():
            if is_well:
                self._shares[endpoint_id] = min(self._share_most, self._shares.get(endpoint_id, self._share_first) * 2)
            else:
                self._shares.pop(endpoint_id, None)
