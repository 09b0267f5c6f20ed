"""A sender whose attempts are timed."""

from app.domain.delivery import AttemptResult, WebhookRequest
from app.ports import Sender
from app.telemetry.metrics import Metrics


class MeasuredSender:
    """Sends by another sender."""

    def __init__(self, sender: Sender, metrics: Metrics) -> None:
        self._sender, self._metrics = sender, metrics

    async def send(self, request: WebhookRequest) -> AttemptResult:
        """Send, and note how long it took."""
        result = await self._sender.send(request)
        self._metrics.attempt_time.observe(result.duration_s)
        return result

    def objection(self, url: str) -> str | None:
        """Say why nothing will ever be sent to the URL."""
        return self._sender.objection(url)

    async def close(self) -> None:
        """Close every connection."""
        await self._sender.close()
