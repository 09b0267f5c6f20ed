"""Send a test webhook at once and say what came of it, so that an owner can try an endpoint before anything depends on it.

No transaction is open: the caller has read the subscription in one that is over. It is never queued or tried again, and leaves the
endpoint's health alone. It goes out in every status, so an endpoint can be tried before it is resumed.
"""

from datetime import datetime

import orjson

from app.domain.delivery import AttemptResult, WebhookRequest
from app.domain.public_id import Kind, public_id
from app.domain.subscription import TEST_TYPE, Subscription, in_force
from app.ports import Cipher, Ids, Sender


async def send_test(subscription: Subscription, sender: Sender, *, ids: Ids, cipher: Cipher, now: datetime) -> AttemptResult:
    """Send `subscription.test`, signed like everything else."""
    data = {"subscription_id": public_id(Kind.SUBSCRIPTION, subscription.id), "sent_at": now.isoformat()}
    return await sender.send(
        WebhookRequest(
            endpoint_id=subscription.id,
            url=subscription.url,
            webhook_id=public_id(Kind.NOTIFICATION, ids.new()),
            attempted_at=now,
            body=orjson.dumps({"type": TEST_TYPE, "timestamp": now.isoformat(), "data": data}),
            secrets=tuple(
                cipher.decrypt(secret.key_id, secret.body, subscription.id.bytes).decode("ascii")
                for secret in in_force(subscription.secrets, now)
            ),
        ),
    )
