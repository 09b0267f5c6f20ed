"""Ed25519 (RFC 8032): signs the head of the audit chain. The key is derived from the installation's secret, so it is kept nowhere."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Ed25519Signer:
    """Signs with one key, and knows its own signatures."""

    def __init__(self, seed: bytes) -> None:
        """Take the 32 octets of the private key."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        """The 32 octets with which anybody can check."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Give the signature."""
        return self._key.sign(message)

    def is_signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether it is this key's signature."""
        return is_signed(self.public_key, message, signature)


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature is by the owner of the key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
