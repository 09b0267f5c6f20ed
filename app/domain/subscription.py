"""A subscription: where an organization wants its notifications sent, which of them, and with whose signature.

Pure. Not here: the endpoint's health (endpoint.py), one delivery (delivery.py), or how a secret is encrypted (a `Cipher`).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.delivery import OrderMode
from app.domain.endpoint import EndpointHealth

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix of every secret, not a secret
SECRET_OCTETS: Final = range(24, 65)
"""Standard Webhooks 1.0: "between 24 bytes (192 bits) and 64 bytes (512 bits)"."""
SECRET_OCTETS_MADE: Final = 32
SECRETS_MAX: Final = 3
"""Our policy: the current secret and two that a rotation still lets through."""
ROTATION_OVERLAP: Final = timedelta(hours=24)
TEST_TYPE: Final = "subscription.test"
"""What `/test` sends. It has no sequence and no person, and is never queued."""


class Channel(StrEnum):
    """By which road notifications leave."""

    WEBHOOK = "webhook"


class SubscriptionStatus(StrEnum):
    """Whether anything is sent. Whatever it is, notifications go on being numbered and can be polled."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Its owner asked for it. Deliveries wait; nothing is lost."""
    DISABLED = "disabled"
    """We gave it up: it answered 410, or nothing for five days. Resuming it starts where it stopped."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A signing secret as it is stored."""

    key_id: int
    body: bytes = field(repr=False)
    expires_at: datetime | None
    """None: the current one."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription with everything that is known of it."""

    id: UUID
    organization_id: UUID
    channel: Channel
    url: str
    description: str
    event_types: tuple[str, ...]
    """Empty: every type. Corrections and retractions follow what they correct, whatever is asked for here."""
    order_mode: OrderMode
    status: SubscriptionStatus
    status_reason: str | None
    health: EndpointHealth
    secrets: tuple[SealedSecret, ...]
    """Newest first."""
    fanned_out_sequence: int
    """The recipient's notifications up to here have their delivery, or were not asked for."""
    created_at: datetime
    last_success_at: datetime | None


def spell_secret(octets: bytes) -> str:
    """Write random octets as the secret that the receiver's owner is shown once."""
    if len(octets) not in SECRET_OCTETS:
        raise ValueError(f"a signing secret has 24 to 64 octets, not {len(octets)}: make it from 32 random ones")
    return SECRET_PREFIX + base64.b64encode(octets).decode("ascii")


def rotated(secrets: Sequence[SealedSecret], fresh: SealedSecret, now: datetime) -> tuple[SealedSecret, ...]:
    """Put a new secret first; what signed until now goes on for a day beside it. Of more than three the oldest ends at once."""
    until = now + ROTATION_OVERLAP
    older = (replace(old, expires_at=min(old.expires_at or until, until)) for old in in_force(secrets, now))
    return (fresh, *older)[:SECRETS_MAX]


def in_force(secrets: Sequence[SealedSecret], now: datetime) -> tuple[SealedSecret, ...]:
    """Give the secrets that sign now, newest first."""
    return tuple(secret for secret in secrets if secret.expires_at is None or secret.expires_at > now)
