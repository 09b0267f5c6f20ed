"""What an organization does with its subscriptions: make, revise, pause, resume, and change the signing secret.

Inside the caller's unit of work, as the viewer. A secret leaves here once, to be shown once; stored it is encrypted, bound to its
subscription. Not here: sending anything (deliver, send_test), sending again (redrive).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from app.domain.delivery import OrderMode
from app.domain.endpoint import EndpointHealth
from app.domain.happening import NotificationType
from app.domain.subscription import SECRET_OCTETS_MADE, Channel, SealedSecret, Subscription, SubscriptionStatus, rotated, spell_secret
from app.domain.viewer import Viewer
from app.ports import Cipher, Ids
from app.store import notification_reads, subscriptions
from app.store.raw import Raw

Objection = Callable[[str], str | None]
"""`Sender.objection`: why nothing will ever be sent to a URL."""


class EndpointRefusedError(ValueError):
    """The URL is not one that we send to. The text says why and what to do, for the endpoint's owner."""


@dataclass(frozen=True, slots=True)
class SubscriptionWish:
    """What is asked for."""

    organization_id: UUID
    url: str
    description: str = ""
    event_types: tuple[NotificationType, ...] = ()
    order_mode: OrderMode = OrderMode.ORDERED
    start_after: int | None = None
    """The sequence after which to begin; None begins with what comes from now on, 0 with the first notification ever."""


@dataclass(frozen=True, slots=True)
class SecretShown:
    """A subscription, and its new secret, which nobody can show again."""

    subscription: Subscription
    secret: str = field(repr=False)


async def subscribe(raw: Raw, wish: SubscriptionWish, *, ids: Ids, cipher: Cipher, objection: Objection, now: datetime) -> SecretShown:
    """Make a subscription. Raises EndpointRefusedError for a URL that could never be sent to."""
    _accept(wish.url, objection)
    last = (await notification_reads.last_sequences(raw, [wish.organization_id])).get(wish.organization_id, 0)
    subscription_id = ids.new()
    sealed, secret = _new_secret(subscription_id, ids, cipher)
    made = Subscription(
        id=subscription_id,
        organization_id=wish.organization_id,
        channel=Channel.WEBHOOK,
        url=wish.url,
        description=wish.description,
        event_types=tuple(kind.value for kind in wish.event_types),
        order_mode=wish.order_mode,
        status=SubscriptionStatus.ACTIVE,
        status_reason=None,
        health=EndpointHealth(),
        secrets=(sealed,),
        fanned_out_sequence=last if wish.start_after is None else min(wish.start_after, last),
        created_at=now,
        last_success_at=None,
    )
    await subscriptions.add(raw, made)
    return SecretShown(made, secret)


@dataclass(frozen=True, slots=True)
class Revision:
    """What its owner changes; None leaves as it is."""

    url: str | None = None
    description: str | None = None
    event_types: tuple[NotificationType, ...] | None = None
    order_mode: OrderMode | None = None


async def revise(raw: Raw, viewer: Viewer, subscription_id: UUID, revision: Revision, *, objection: Objection) -> Subscription | None:
    """Change a subscription of the viewer's; None when there is none. A new URL starts with a clean bill of health."""
    found = await subscriptions.find(raw, viewer, subscription_id, lock=True)
    if found is None:
        return None
    moved = revision.url is not None and revision.url != found.url
    if moved:
        _accept(revision.url or "", objection)
    changed = replace(
        found,
        url=revision.url or found.url,
        description=found.description if revision.description is None else revision.description,
        event_types=found.event_types if revision.event_types is None else tuple(kind.value for kind in revision.event_types),
        order_mode=revision.order_mode or found.order_mode,
        health=EndpointHealth() if moved else found.health,
    )
    await subscriptions.save(raw, changed)
    return changed


async def pause(raw: Raw, viewer: Viewer, subscription_id: UUID, *, reason: str | None = None) -> Subscription | None:
    """Send nothing until it is resumed. What is being sent at this moment still arrives."""
    found = await subscriptions.find(raw, viewer, subscription_id, lock=True)
    if found is None:
        return None
    changed = replace(found, status=SubscriptionStatus.PAUSED, status_reason=reason)
    await subscriptions.save(raw, changed)
    return changed


async def resume(raw: Raw, viewer: Viewer, subscription_id: UUID) -> Subscription | None:
    """Go on where it stopped, after a pause or after we gave it up: in order, with everything since."""
    found = await subscriptions.find(raw, viewer, subscription_id, lock=True)
    if found is None:
        return None
    changed = replace(found, status=SubscriptionStatus.ACTIVE, status_reason=None, health=EndpointHealth())
    await subscriptions.save(raw, changed)
    return changed


async def rotate_secret(raw: Raw, viewer: Viewer, subscription_id: UUID, *, ids: Ids, cipher: Cipher, now: datetime) -> SecretShown | None:
    """Make a new secret. What signed until now signs beside it for a day, so the receiver can change over."""
    found = await subscriptions.find(raw, viewer, subscription_id, lock=True)
    if found is None:
        return None
    sealed, secret = _new_secret(found.id, ids, cipher)
    changed = replace(found, secrets=rotated(found.secrets, sealed, now))
    await subscriptions.save(raw, changed)
    return SecretShown(changed, secret)


def _accept(url: str, objection: Objection) -> None:
    refusal = objection(url)
    if refusal is not None:
        raise EndpointRefusedError(refusal)


def _new_secret(subscription_id: UUID, ids: Ids, cipher: Cipher) -> tuple[SealedSecret, str]:
    secret = spell_secret(ids.secret(SECRET_OCTETS_MADE))
    key_id, body = cipher.encrypt(secret.encode("ascii"), subscription_id.bytes)
    return SealedSecret(key_id, body, expires_at=None), secret
