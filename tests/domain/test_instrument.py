"""Instruments as content of a contact: what is read, what is refused and where, and what is escalated."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contact import Contact, ContactEntry, ContactTopic
from app.domain.contact_entry import FieldProblem, read_contact
from app.domain.safety import findings

NOW = datetime(2026, 3, 6, 20, tzinfo=UTC)
NINE = [1, 2, 1, 0, 0, 1, 0, 0, 0]
CALM = {"q1": False, "q2": False, "q6": False}


def read(content: Any) -> tuple[ContactEntry | None, tuple[FieldProblem, ...]]:
    return read_contact({"occurred_at": NOW.isoformat(), "type": "phone", "outcome": "reached", "content": content}, now=NOW)


def found(content: Any) -> tuple[str, ...]:
    entry, problems = read(content)
    assert entry is not None, problems
    return findings(Contact.of(entry, id="c", follow_up_id="f", recorded_at=NOW, author="", source="api"))


@given(st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_the_phq9_is_the_sum_of_its_nine_items_and_item_9_alone_is_escalated(items: list[int]) -> None:
    entry, _ = read({"phq9": {"items": items}})
    assert entry is not None
    (item,) = entry.content
    assert (item.topic, item.value) == (ContactTopic.PHQ9, sum(items))
    assert found({"phq9": {"items": items}}) == (("phq9_item_9",) if items[8] else ())


@pytest.mark.parametrize(("total", "told"), [(24, ()), (25, ("phq9_item_9",)), (27, ("phq9_item_9",))])
def test_a_total_that_eight_items_cannot_come_to_is_escalated_without_them(total: int, told: tuple[str, ...]) -> None:
    assert found({"phq9": total}) == told


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        (CALM, "none"),
        ({**CALM, "q1": True}, "low"),
        ({**CALM, "q2": True, "q3": False, "q4": False, "q5": False}, "low"),
        ({**CALM, "q2": True, "q3": True, "q4": False, "q5": False}, "moderate"),
        ({**CALM, "q2": True, "q3": False, "q4": True, "q5": False}, "high"),
        ({**CALM, "q2": True, "q3": True, "q4": True, "q5": True}, "high"),
        ({**CALM, "q6": True, "q6_recent": False}, "moderate"),
        ({**CALM, "q6": True, "q6_recent": True}, "high"),
    ],
)
def test_the_screener_comes_to_a_level_and_moderate_and_high_are_escalated(answers: dict[str, bool], level: str) -> None:
    entry, _ = read({"c_ssrs_level": answers})
    assert entry is not None
    assert entry.content[0].value == level
    assert found({"c_ssrs_level": answers}) == ((f"c_ssrs_{level}",) if level in ("moderate", "high") else ())
    assert found({"c_ssrs_level": level}) == found({"c_ssrs_level": answers}), "the short form says as much"


@pytest.mark.parametrize(
    ("content", "pointer", "code"),
    [
        ({"phq9": {"items": NINE[:8]}}, "/content/phq9/items", "not_nine_items"),
        ({"phq9": {"items": "112001000"}}, "/content/phq9/items", "not_nine_items"),
        ({"phq9": {"items": [*NINE[:8], 4]}}, "/content/phq9/items/8", "not_in_range"),
        ({"phq9": {"items": [*NINE[:8], True]}}, "/content/phq9/items/8", "not_in_range"),
        ({"phq9": {"items": NINE, "score": 6}}, "/content/phq9/score", "not_the_sum"),
        ({"phq9": {"items": NINE, "difficulty": 4}}, "/content/phq9/difficulty", "not_in_range"),
        ({"phq9": {"items": NINE, "mood": 1}}, "/content/phq9", "unknown_key"),
        ({"phq9": 28}, "/content/phq9", "not_a_value"),
        ({"phq9": {"done": False, "items": [*NINE[:8], 3]}}, "/content/phq9", "contradiction"),
        ({"c_ssrs_level": {**CALM, "q6": True, "q6_recent": True, "done": False}}, "/content/c_ssrs_level", "contradiction"),
        ({"c_ssrs_level": {"q1": True}}, "/content/c_ssrs_level/q2", "required"),
        ({"c_ssrs_level": {**CALM, "q2": True}}, "/content/c_ssrs_level/q3", "required"),
        ({"c_ssrs_level": {**CALM, "q6": True}}, "/content/c_ssrs_level/q6_recent", "required"),
        ({"c_ssrs_level": {**CALM, "q1": "yes"}}, "/content/c_ssrs_level/q1", "not_a_boolean"),
        ({"c_ssrs_level": {**CALM, "q4": True}}, "/content/c_ssrs_level/q2", "contradiction"),
        ({"c_ssrs_level": {**CALM, "level": "high"}}, "/content/c_ssrs_level/level", "not_the_level"),
        ({"c_ssrs_level": {"level": "grave"}}, "/content/c_ssrs_level", "not_a_value"),
        ({"med_rec": {"discrepancies": 1, "resolved": 2}}, "/content/med_rec/resolved", "more_than_found"),
        ({"med_rec": {"medications": -1}}, "/content/med_rec/medications", "not_in_range"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_and_never_repeated(content: Any, pointer: str, code: str) -> None:
    entry, problems = read(content)
    assert entry is None
    assert (pointer, code) in [(problem.pointer, problem.code) for problem in problems]
    assert not any("mood" in problem.message or "grave" in problem.message for problem in problems)


@pytest.mark.parametrize(("total", "expected"), [(24, ()), (25, ("phq9_item_9",)), (27, ("phq9_item_9",))])
def test_a_total_that_the_other_items_cannot_come_to_says_what_the_ninth_is(total: int, expected: tuple[str, ...]) -> None:
    assert found({"phq9": total}) == found({"phq9": {"score": total}}) == expected


def test_what_was_not_done_is_not_escalated() -> None:
    assert found({"c_ssrs_level": {"done": False, "level": "high"}}) == ()
