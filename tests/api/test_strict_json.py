"""Strict JSON: everything that two parsers could read differently is refused, everything else is read as the standard library does."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.strict_json import DEPTH_MAX, VALUES_MAX, StrictJsonError, read_strict_json

storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False) | storable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(storable, inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans())
def test_what_is_json_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    assert read_strict_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"NaN", "NaN and Infinity"),
        (b"[-Infinity]", "NaN and Infinity"),
        (b"1e999", "too large"),
        (b"1" * 400, "too many digits"),
        (b'{"a": 1, "a": 1}', "same key twice"),
        (b'{"x": {"a": 1, "a": 2}}', "same key twice"),
        (b'{"a": 1, "\\u0061": 2}', "same key twice"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\u0000": 1}', "NUL"),
        (b"\xff\xfe", "UTF-8"),
        (b'"\xc3\x28"', "UTF-8"),
        (b"", "Expecting value"),
        (b"[1,]", "line 1"),
        (b"{} {}", "Extra data"),
        (b"'a'", "Expecting value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "deeper"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), "deeper"),
        (b"[" * 100_000, "deeper"),
        (b"[" + b"1," * VALUES_MAX + b"1]", "values"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:20]),
)
def test_these_are_refused_by_name(body: bytes, says: str) -> None:
    with pytest.raises(StrictJsonError, match=says):
        read_strict_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEPTH_MAX + b"]" * DEPTH_MAX,
        b"[" + b"1," * (VALUES_MAX - 2) + b"1]",
        b'"' + b"[" * 500 + b'"',
        b'"\\ud83d\\ude00"',
    ],
    ids=["as deep as allowed", "as many as allowed", "brackets in a text", "a whole surrogate pair"],
)
def test_these_are_read(body: bytes) -> None:
    assert read_strict_json(body) == json.loads(body)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(StrictJsonError):
        read_strict_json(body)


def test_the_text_of_the_body_does_not_travel_with_the_error() -> None:
    with pytest.raises(StrictJsonError) as refusal:
        read_strict_json(b'{"name": Canary}')
    assert refusal.value.__cause__ is None
    assert "Canary" not in str(refusal.value)
