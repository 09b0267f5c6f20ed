"""Encryption at rest of what is stored verbatim: AES-256-GCM, the key id beside the ciphertext. Implements the port `Cipher`.

Keys are derived from one secret with HKDF (RFC 5869), one per purpose, so that no key serves two ends. Not here: where the secret
comes from (settings), and which columns are encrypted (actions).
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CLEAR: Final = 0
_NONCE_OCTETS: Final = 12
_KEY_OCTETS: Final = 32
_PSEUDONYM_OCTETS: Final = 12
_LETTERS: Final = str.maketrans("0123456789abcdef", "ABCDEFGHJKLMNPQR")
"""No digits, so that nothing reads a number out of it."""


class UnreadableError(Exception):
    """A stored body does not open: its key is not configured, or it is not the body that was stored under this id."""


def derive(secret: bytes, purpose: str, octets: int = _KEY_OCTETS) -> bytes:
    """Give the key of one purpose."""
    return HKDF(algorithm=SHA256(), length=octets, salt=None, info=f"warm-handoff/{purpose}".encode()).derive(secret)


class AesGcmCipher:
    """Encrypts with the newest key and decrypts with whichever wrote the body."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Take the keys by id (1 and above); the highest encrypts."""
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = max(keys)
        self._pseudonyms = derive(keys[min(keys)], "pseudonym/1")

    def encrypt(self, clear: bytes, context: bytes) -> tuple[int, bytes]:
        """Give the key id and nonce + ciphertext; the context is authenticated with it."""
        nonce = os.urandom(_NONCE_OCTETS)  # noqa: TID251  # a nonce is no id: it need not repeat in tests, and must not
        return self._newest, nonce + self._keys[self._newest].encrypt(nonce, clear, context)

    def decrypt(self, key_id: int, body: bytes, context: bytes) -> bytes:
        """Give the clear bytes. Raises UnreadableError."""
        if key_id == CLEAR:
            return body
        key = self._keys.get(key_id)
        if key is None:
            message = f"no key {key_id} is configured; give the HANDOFF_SECRET_KEY with which the body was stored"
            raise UnreadableError(message)
        try:
            return key.decrypt(body[:_NONCE_OCTETS], body[_NONCE_OCTETS:], context)
        except InvalidTag as error:
            message = f"a stored body does not open with key {key_id}; is HANDOFF_SECRET_KEY the one it was stored with?"
            raise UnreadableError(message) from error

    def pseudonym(self, number: str) -> str:
        """Give letters that stand for a number. By the oldest key, for a newer one must not give a known person another name."""
        return hmac.digest(self._pseudonyms, number.encode(), hashlib.sha256)[:_PSEUDONYM_OCTETS].hex().translate(_LETTERS)
