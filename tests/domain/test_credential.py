"""API keys: well formed, unlike each other, and stored only as a keyed hash."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.credential import KEY_LENGTH_MAX, SECRET_OCTETS, KeyEnvironment, is_well_formed, key_digest, same_digest, spell_key

secrets = st.binary(min_size=SECRET_OCTETS, max_size=SECRET_OCTETS)


@given(st.sampled_from(KeyEnvironment), st.uuids(), secrets)
def test_a_key_says_what_it_is_and_which(environment: KeyEnvironment, key_id: UUID, secret: bytes) -> None:
    key = spell_key(environment, key_id, secret)
    assert key.startswith(f"hk_{environment.value}_{key_id.hex}_")
    assert is_well_formed(key)
    assert len(key) <= KEY_LENGTH_MAX


@given(st.uuids(), secrets, secrets)
def test_other_secrets_make_other_keys(key_id: UUID, one: bytes, other: bytes) -> None:
    keys = {spell_key(KeyEnvironment.PRODUCTION, key_id, secret) for secret in (one, other)}
    assert len(keys) == len({one, other})


@given(secrets, st.binary(min_size=16, max_size=64), st.binary(min_size=16, max_size=64))
def test_the_digest_needs_the_pepper(secret: bytes, pepper: bytes, other: bytes) -> None:
    key = spell_key(KeyEnvironment.DEVELOPMENT, UUID(int=1), secret)
    digest = key_digest(pepper, key)
    assert len(digest) == 32
    assert same_digest(digest, key_digest(pepper, key))
    # HMAC pads its key with zeros, so peppers that differ only there are one.
    assert same_digest(digest, key_digest(other, key)) is (pepper.rstrip(b"\x00") == other.rstrip(b"\x00"))


@pytest.mark.parametrize("key", ["", "hk_", "hk_prod_" + "0" * 32 + "_" + "a" * 43, "hk_dev_" + "0" * 32 + "_" + "a" * 42, "x" * 90])
def test_these_are_not_looked_up(key: str) -> None:
    assert not is_well_formed(key)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        spell_key(KeyEnvironment.DEVELOPMENT, UUID(int=1), b"short")
