"""What subscribers receive, as the `webhooks` section of the contract. Described here, sent elsewhere (actions/deliver)."""

from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import Field

from app.api.schemas.common import Document, Instant
from app.api.schemas.notifications import NotificationDocument

router = APIRouter()


class WebhookDocument(Document):
    """The body of a webhook (Standard Webhooks 1.0)."""

    type: Annotated[str, Field(description="The notification's type; `subscription.test` for a test", examples=["encounter.discharged"])]
    timestamp: Annotated[Instant, Field(description="When what is told happened")]
    data: Annotated[NotificationDocument, Field(description="The notification, as `GET /v1/notifications` gives it")]


@router.post(
    "notification",
    operation_id="notification",
    response_model=None,
    tags=["subscriptions"],
    responses={200: {"description": "Taken. Any 2xx will do."}},
)
def notification(
    body: WebhookDocument,
    webhook_id: Annotated[str, Header(description="The same over all attempts: ignore what you have seen.")],
    webhook_timestamp: Annotated[int, Header(description="Unix seconds of this attempt; refuse what is more than five minutes off.")],
    webhook_signature: Annotated[
        str, Header(description="`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; more than one while a secret is rotated.")
    ],
) -> None:
    """Receive a notification of the subscription's organization, signed.

    Answer 2xx within 20 seconds. 410 ends the subscription, 429 and 503 with Retry-After slow it down, other 4xx give this notification
    up, everything else is tried again for about three days. Order is kept per person; read the sequence and the version.
    """
