"""Ids for the outside: what is written is read again, and nothing else is read as one."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.public_id import Kind, pattern, public_id, public_id_or_none, read_public_id


@given(st.sampled_from(Kind), st.uuids())
def test_what_is_written_is_read_again_in_every_form(kind: Kind, id_: UUID) -> None:
    text = public_id(kind, id_)
    assert text == f"{kind.value}_{id_.hex}"
    for form in (text, text.upper(), f" {text} ", str(id_), id_.hex, str(id_).upper(), f"{kind.value}_{id_}"):
        assert read_public_id(kind, form) == id_


@given(st.sampled_from(Kind), st.sampled_from(Kind), st.uuids())
def test_an_id_of_something_else_is_not_read(kind: Kind, other: Kind, id_: UUID) -> None:
    assert (read_public_id(kind, public_id(other, id_)) == id_) is (kind is other)


@given(st.text(max_size=60))
def test_what_the_published_pattern_refuses_is_not_read(text: str) -> None:
    if read_public_id(Kind.ENCOUNTER, text) is not None:
        assert re.match(pattern(Kind.ENCOUNTER), text.strip().lower())


@pytest.mark.parametrize(
    "text", ["", "enc_", "enc_1", "{0199a4c07c5d7e0fb1d2c3a4e5f60718}", "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60718", "enc_" + "g" * 32]
)
def test_these_are_no_ids(text: str) -> None:
    assert read_public_id(Kind.ENCOUNTER, text) is None


def test_prefixes_are_distinct_and_none_stays_none() -> None:
    assert len({kind.value for kind in Kind}) == len(Kind)
    assert public_id_or_none(Kind.KEY, None) is None
