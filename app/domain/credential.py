"""API keys: how one is spelled, and the keyed hash under which it is stored. Not here: what a key may do (viewer.py).

A key is `hk_<environment>_<key id>_<secret>`: the prefix lets secret scanners find a leaked one, the id says which to revoke, and
the secret has 256 random bits. Only HMAC-SHA256(pepper, key) is stored, so neither the table nor the pepper alone gives a key.
"""

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Final
from uuid import UUID

SECRET_OCTETS: Final = 32
OPERATOR_KEY_LENGTH_MIN: Final = 32
KEY_LENGTH_MAX: Final = 512
"""Longer than any key of ours or of an operator: what is longer is not hashed."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43
"""62 to the 43rd is just above 2 to the 256th."""
_FORM: Final = re.compile(rf"hk_(dev|live)_[0-9a-f]{{32}}_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")


class KeyEnvironment(StrEnum):
    """Where a key is good, readable in the key, so that a production key in a test script is seen."""

    DEVELOPMENT = "dev"
    PRODUCTION = "live"


def spell_key(environment: KeyEnvironment, key_id: UUID, secret: bytes) -> str:
    """Spell a key from 32 random bytes."""
    if len(secret) != SECRET_OCTETS:
        msg = f"a key needs {SECRET_OCTETS} random bytes, not {len(secret)}"
        raise ValueError(msg)
    return f"hk_{environment.value}_{key_id.hex}_{_base62(int.from_bytes(secret, 'big'))}"


def is_well_formed(key: str) -> bool:
    """Tell whether this can be a key that we spelled, before anything is looked up."""
    return _FORM.fullmatch(key) is not None


def key_digest(pepper: bytes, key: str) -> bytes:
    """Give what is stored and looked up in place of the key."""
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


def same_digest(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)


def _base62(number: int) -> str:
    letters: list[str] = []
    for _ in range(_SECRET_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(reversed(letters))
