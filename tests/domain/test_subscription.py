"""Rules of a subscription: how a secret is spelled, and what a rotation does to those before it."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.subscription import SealedSecret, in_force, rotated, spell_secret

NOW = datetime(2026, 3, 8, 6, 30, tzinfo=UTC)
DAY = timedelta(hours=24)


def secret(name: int, expires_in: timedelta | None = None) -> SealedSecret:
    """Give a secret that is told apart by its key id."""
    return SealedSecret(name, b"sealed", None if expires_in is None else NOW + expires_in)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [(9, None)]),
        ([secret(1)], [(9, None), (1, DAY)]),
        ([secret(2), secret(1, timedelta(hours=5))], [(9, None), (2, DAY), (1, timedelta(hours=5))]),
        ([secret(3), secret(2, timedelta(hours=9)), secret(1, timedelta(hours=5))], [(9, None), (3, DAY), (2, timedelta(hours=9))]),
        ([secret(2), secret(1, timedelta(0))], [(9, None), (2, DAY)]),
        ([secret(2), secret(1, timedelta(hours=-1))], [(9, None), (2, DAY)]),
        ([secret(1, timedelta(days=9))], [(9, None), (1, DAY)]),
    ],
)
def test_rotation(before: list[SealedSecret], after: list[tuple[int, timedelta | None]]) -> None:
    found = [(one.key_id, None if one.expires_at is None else one.expires_at - NOW) for one in rotated(before, secret(9), NOW)]
    assert found == after


@given(st.lists(st.timedeltas(timedelta(0), timedelta(hours=40)), max_size=8))
def test_however_often_one_rotates_the_newest_is_first_and_three_at_most_sign(waits: list[timedelta]) -> None:
    """And whatever signed a moment ago signs still, unless two newer ones have come since."""
    secrets: tuple[SealedSecret, ...] = (secret(0),)
    now = NOW
    for number, wait in enumerate(waits, start=1):
        now += wait
        signed_before = in_force(secrets, now)
        secrets = rotated(secrets, secret(number), now)
        signing = in_force(secrets, now)
        assert signing == secrets
        assert 1 <= len(signing) <= 3
        assert signing[0].key_id == number
        assert signing[0].expires_at is None
        assert [one.key_id for one in signing[1:]] == [one.key_id for one in signed_before][:2]
        assert in_force(secrets, now + DAY) == signing[:1]


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_is_its_octets(octets: bytes) -> None:
    assert base64.b64decode(spell_secret(octets).removeprefix("whsec_"), validate=True) == octets


@pytest.mark.parametrize("octets", [0, 23, 65])
def test_a_secret_has_the_length_the_standard_asks(octets: int) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        spell_secret(b"x" * octets)


def test_a_secret_cannot_be_spelled_into_a_log() -> None:
    assert "sealed" not in repr(secret(1))
