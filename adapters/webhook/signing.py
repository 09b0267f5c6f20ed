"""Signs and verifies webhooks as Standard Webhooks 1.0 says, scheme `v1` (HMAC-SHA256). Pure: times come in.

Not here: when a secret is made, kept or replaced (the subscription), and the asymmetric scheme `v1a`, whose signatures a
verifier here passes over as the specification asks.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from app.domain.subscription import SECRET_OCTETS, SECRET_PREFIX, SECRETS_MAX

TOLERANCE: Final = timedelta(minutes=5)
"""Both ways, as in the reference libraries."""

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

_VERSION: Final = "v1"
_WEBHOOK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Never a dot: the id ends at the first one in the signed content. Never a line end: it becomes a header."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


class SigningError(ValueError):
    """A webhook cannot be signed with what was given. The text never holds the secret."""


class VerificationError(Exception):
    """A webhook did not verify: do not act on it."""


def sign(webhook_id: str, attempted_at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Give the three headers of one attempt; the signature list has one entry for each secret, in the order given.

    The timestamp is that of the attempt, not of the event: a retry of yesterday's notification is signed today.
    """
    if not 1 <= len(secrets) <= SECRETS_MAX:
        raise SigningError(f"an endpoint signs with 1 to {SECRETS_MAX} secrets, not {len(secrets)}: end a rotation before the next")
    if _WEBHOOK_ID.fullmatch(webhook_id) is None:
        raise SigningError("a webhook-id is 1 to 255 letters, digits, hyphens and underscores: take the notification's id")
    if attempted_at.tzinfo is None:
        raise SigningError("the time of an attempt needs its offset: pass an aware datetime")
    timestamp = str(int(attempted_at.timestamp()))
    content = _signed_content(webhook_id, timestamp, body)
    signatures = " ".join(f"{_VERSION},{_signature(_key(secret), content)}" for secret in secrets)
    return {ID_HEADER: webhook_id, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signatures}


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Return if any of the secrets signed exactly this id, time and body within the tolerance; raise VerificationError otherwise.

    Header names are compared without case. Anything malformed is a VerificationError, never another exception: a receiver's
    answer to garbage must be 4xx.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        webhook_id, timestamp, listed = (lower[name] for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
    except KeyError as error:
        raise VerificationError(f"the header {error.args[0]} is missing") from None
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise VerificationError("webhook-timestamp is not a whole number of seconds since 1970")
    if abs(now.timestamp() - int(timestamp)) > tolerance.total_seconds():
        raise VerificationError("webhook-timestamp is too far from now: an old attempt was replayed, or a clock is wrong")
    offered = [value for version, _, value in (entry.partition(",") for entry in listed.split()) if version == _VERSION]
    content = _signed_content(webhook_id, timestamp, body)
    expected = [_signature(_key(secret), content) for secret in secrets]
    # Every pair is compared, each in constant time, so that the time taken does not say which secret matched.
    matches = [hmac.compare_digest(own.encode(), other.encode()) for own in expected for other in offered]
    if not any(matches):
        raise VerificationError("no signature matches: wrong secret, or the body was changed (verify the raw bytes, before any parsing)")


def _signed_content(webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return b"%b.%b.%b" % (webhook_id.encode(), timestamp.encode(), body)


def _signature(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode("ascii")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SigningError("a signing secret is whsec_ and base64: this one is not") from None
    if len(key) not in SECRET_OCTETS:
        raise SigningError(f"a signing secret has 24 to 64 octets, not {len(key)}: rotate it")
    return key
