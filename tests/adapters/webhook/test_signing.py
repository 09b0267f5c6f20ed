"""Signatures against the published vector and against the reference library as an independent oracle."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.webhook.signing import SigningError, VerificationError, sign, verify
from app.domain.subscription import spell_secret

VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
VECTOR_AT = datetime.fromtimestamp(1614265330, tz=UTC)
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

SECRETS = st.binary(min_size=24, max_size=64).map(spell_secret)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
OTHER = spell_secret(b"o" * 32)
NOW = datetime.now(tz=UTC).replace(microsecond=0)
"""The reference library reads the machine's clock and cannot be given another, so its tests are about the present."""


def test_published_vector() -> None:
    assert sign(VECTOR_ID, VECTOR_AT, VECTOR_BODY, [VECTOR_SECRET]) == {
        "webhook-id": VECTOR_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": VECTOR_SIGNATURE,
    }


@given(SECRETS, IDS, st.dictionaries(st.text(), st.text() | st.integers()))
def test_the_reference_library_accepts_what_we_sign(secret: str, webhook_id: str, document: dict[str, object]) -> None:
    body = json.dumps(document).encode()
    # The library compares with the machine's clock: NOW is as old as this run.
    headers = sign(webhook_id, datetime.now(tz=UTC), body, [secret])
    assert Webhook(secret).verify(body, headers) == document
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, headers)


@given(SECRETS, IDS, st.text())
def test_we_accept_what_the_reference_library_signs(secret: str, webhook_id: str, text: str) -> None:
    signature = Webhook(secret).sign(webhook_id, NOW, text)
    headers = {"Webhook-Id": webhook_id, "WEBHOOK-TIMESTAMP": str(int(NOW.timestamp())), "webhook-signature": signature}
    verify(headers, text.encode(), [secret], NOW)
    assert sign(webhook_id, NOW, text.encode(), [secret])["webhook-signature"] == signature


@given(st.lists(SECRETS, min_size=1, max_size=3, unique=True), st.binary(), st.integers(0, 2))
def test_during_a_rotation_each_secret_verifies(secrets: list[str], body: bytes, which: int) -> None:
    headers = sign("ntf_1", NOW, body, secrets)
    one = secrets[which % len(secrets)]
    verify(headers, body, [one], NOW)
    verify(headers, body, [OTHER, one], NOW)
    assert headers["webhook-signature"].count("v1,") == len(secrets)
    assert headers["webhook-signature"].split()[0] == sign("ntf_1", NOW, body, secrets[:1])["webhook-signature"]


def test_the_reference_library_accepts_any_secret_of_a_rotation() -> None:
    secrets = [spell_secret(bytes([index]) * 32) for index in range(3)]
    headers = sign("ntf_1", datetime.now(tz=UTC), b"{}", secrets)
    for secret in secrets:
        assert Webhook(secret).verify(b"{}", headers) == {}


def changed(headers: dict[str, str], **changes: str | None) -> dict[str, str]:
    """Give the same headers with some replaced, or taken away by None."""
    merged: dict[str, str | None] = {**headers, **{f"webhook-{name}": value for name, value in changes.items()}}
    return {name: value for name, value in merged.items() if value is not None}


HEADERS = sign("ntf_1", NOW, b'{"a": 1}', [VECTOR_SECRET])
GOOD = HEADERS["webhook-signature"]


@pytest.mark.parametrize(
    ("headers", "body", "says"),
    [
        (changed(HEADERS, id=None), b'{"a": 1}', "webhook-id is missing"),
        (changed(HEADERS, timestamp=None), b'{"a": 1}', "webhook-timestamp is missing"),
        (changed(HEADERS, signature=None), b'{"a": 1}', "webhook-signature is missing"),
        (changed(HEADERS, id="ntf_2"), b'{"a": 1}', "no signature matches"),
        (HEADERS, b'{"a":1}', "no signature matches"),
        (HEADERS, b"\xff\xfe", "no signature matches"),
        (changed(HEADERS, timestamp=str(int(NOW.timestamp()) + 1)), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, timestamp="soon"), b'{"a": 1}', "whole number"),
        (changed(HEADERS, timestamp="1e9"), b'{"a": 1}', "whole number"),
        (changed(HEADERS, timestamp="-1"), b'{"a": 1}', "whole number"),
        (changed(HEADERS, timestamp="9" * 400), b'{"a": 1}', "whole number"),
        (changed(HEADERS, timestamp="\u0661\u0662"), b'{"a": 1}', "whole number"),
        (changed(HEADERS, timestamp=""), b'{"a": 1}', "whole number"),
        (changed(HEADERS, signature=""), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature="garbage"), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature="v1,"), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature="v1,\u20ac"), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature=GOOD.removeprefix("v1,")), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature=GOOD.replace("v1,", "v1a,")), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature=GOOD.replace("v1,", "v2,")), b'{"a": 1}', "no signature matches"),
        (changed(HEADERS, signature=GOOD[:-1]), b'{"a": 1}', "no signature matches"),
    ],
)
def test_what_is_not_accepted(headers: dict[str, str], body: bytes, says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        verify(headers, body, [VECTOR_SECRET], NOW)


def test_signatures_of_other_schemes_are_passed_over() -> None:
    verify(changed(HEADERS, signature=f"v1a,abc v9 {GOOD} v1,AAAA"), b'{"a": 1}', [VECTOR_SECRET], NOW)


@pytest.mark.parametrize(("off_s", "accepted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (10**6, False)])
def test_tolerance_is_five_minutes_both_ways(off_s: int, *, accepted: bool) -> None:
    if accepted:
        verify(HEADERS, b'{"a": 1}', [VECTOR_SECRET], NOW + timedelta(seconds=off_s))
    else:
        with pytest.raises(VerificationError, match="too far"):
            verify(HEADERS, b'{"a": 1}', [VECTOR_SECRET], NOW + timedelta(seconds=off_s))


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]) | st.text(), st.text()), st.binary())
def test_garbage_is_always_a_verification_error(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(headers, body, [VECTOR_SECRET], NOW)


@pytest.mark.parametrize(
    ("webhook_id", "at", "secrets", "says"),
    [
        ("ntf.1", NOW, [OTHER], "webhook-id"),
        ("", NOW, [OTHER], "webhook-id"),
        ("ntf\r\nx-evil: 1", NOW, [OTHER], "webhook-id"),
        ("ntf_1\n", NOW, [OTHER], "webhook-id"),
        ("n" * 256, NOW, [OTHER], "webhook-id"),
        ("ntf_1", NOW.replace(tzinfo=None), [OTHER], "aware"),
        ("ntf_1", NOW, [], "1 to 3 secrets"),
        ("ntf_1", NOW, [OTHER] * 4, "1 to 3 secrets"),
        ("ntf_1", NOW, ["whsec_not base64"], "base64"),
        ("ntf_1", NOW, ["whsec_\u20ac"], "base64"),
        ("ntf_1", NOW, ["whsec_" + base64.b64encode(b"short").decode()], "24 to 64 octets, not 5"),
        ("ntf_1", NOW, ["whsec_" + base64.b64encode(b"l" * 65).decode()], "24 to 64 octets, not 65"),
    ],
)
def test_what_cannot_be_signed(webhook_id: str, at: datetime, secrets: list[str], says: str) -> None:
    with pytest.raises(SigningError, match=says) as caught:
        sign(webhook_id, at, b"{}", secrets)
    assert not any(secret.removeprefix("whsec_") in str(caught.value) for secret in secrets)
