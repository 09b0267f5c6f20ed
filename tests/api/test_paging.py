"""Cursors: what was spelled is read again, everything else is refused with 422, never with 500."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.paging import cut, read_cursor, read_instant, read_uuid, spell_cursor
from app.api.problems import ProblemError

instants = st.datetimes(timezones=st.just(UTC))


@given(instants, st.uuids())
def test_a_cursor_is_read_again(at: datetime, id_: UUID) -> None:
    assert read_cursor("list", spell_cursor("list", at, id_), read_instant, read_uuid) == (at, id_)


def test_no_cursor_is_the_first_page() -> None:
    assert read_cursor("list", None, read_uuid) is None


@given(st.uuids())
def test_a_cursor_of_another_list_is_refused(id_: UUID) -> None:
    for cursor in (
        spell_cursor("other", id_),
        spell_cursor("list"),
        spell_cursor("list", id_, id_),
        spell_cursor("list", "x"),
        spell_cursor("list", 1),
    ):
        with pytest.raises(ProblemError, match="422"):
            read_cursor("list", cursor, read_uuid)


@given(st.text(max_size=80))
def test_whatever_is_sent_as_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(ProblemError, match="422"):
        read_cursor("list", text, read_uuid)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ProblemError, match="422"):
        read_cursor("list", spell_cursor("list", "2026-03-02T10:00:00"), read_instant)


def test_one_row_more_than_the_page_says_that_there_is_more() -> None:
    assert cut([1, 2, 3], 2) == ([1, 2], True)
    assert cut([1, 2], 2) == ([1, 2], False)
