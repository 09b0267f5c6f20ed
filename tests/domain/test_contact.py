"""What callers may say of a contact: every code, every refusal with its place and remedy, and what is implied when little is said."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contact import (
    Contact,
    ContactDirection,
    ContactEntry,
    ContactOutcome,
    ContactRole,
    ContactTopic,
    ContactType,
    ContactWith,
    TopicItem,
)
from app.domain.contact_entry import CLOCK_SKEW, read_contact

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SAID = {"occurred_at": "2026-11-22T09:30:00-05:00", "type": "phone", "outcome": "reached"}


def taken(**said: Any) -> ContactEntry:
    entry, problems = read_contact({**SAID, **said}, now=NOW)
    assert problems == ()
    assert entry is not None
    return entry


def refused(**said: Any) -> dict[str, str]:
    """The pointer of each problem with its code."""
    entry, problems = read_contact({**SAID, **said}, now=NOW)
    assert entry is None
    assert problems
    return {problem.pointer: problem.code for problem in problems}


def test_three_fields_are_enough_and_the_rest_is_implied() -> None:
    entry = taken()
    assert entry.occurred_at == datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
    assert (entry.direction, entry.with_whom, entry.role) == (ContactDirection.OUTBOUND, ContactWith.PATIENT, None)
    assert entry.is_live


def test_everything_that_can_be_said_is_kept() -> None:
    entry = taken(
        direction="outbound",
        role="RN",
        npi="1234567893",
        taxonomies=["103TC0700X"],
        live_two_way=True,
        duration_minutes=25,
        content={"med_rec": {"done": True, "discrepancies": 2}, "c_ssrs_level": "Low", "phq9": 11, "transport": False},
        visit_codes=["g9007:u5", "99213"],
        diagnoses=["f32.2", "F1020"],
        place_of_service="2",
        note="spoke about transport",
        next_action="visit at home",
        next_action_due_on="2026-11-25",
        **{"with": "patient"},
    )
    assert entry.content == (
        TopicItem(topic=ContactTopic.MED_REC, value=2),
        TopicItem(topic=ContactTopic.C_SSRS_LEVEL, value="low"),
        TopicItem(topic=ContactTopic.PHQ9, value=11),
        TopicItem(topic=ContactTopic.TRANSPORT, done=False),
    )
    assert entry.did(ContactTopic.MED_REC)
    assert not entry.did(ContactTopic.TRANSPORT)
    assert (entry.visit_codes, entry.diagnoses, entry.place_of_service) == (("G9007-U5", "99213"), ("F32.2", "F1020"), "02")
    assert entry.next_action_due_on == date(2026, 11, 25)
    assert entry.role is ContactRole.RN


@pytest.mark.parametrize(
    ("field", "codes"),
    [("type", ContactType), ("outcome", ContactOutcome), ("direction", ContactDirection), ("with", ContactWith), ("role", ContactRole)],
)
def test_every_code_is_taken_in_any_case_and_others_are_refused_with_the_list(field: str, codes: Any) -> None:
    for code in codes:
        said = {**SAID, "type": "phone", "outcome": "reached", field: code.value.upper()}
        if field == "type" and code in (ContactType.VOICEMAIL, ContactType.LETTER):
            said["outcome"] = "left_message"
        entry, problems = read_contact(said, now=NOW)
        assert (entry is not None, problems) == (True, ()), code
    _, problems = read_contact({**SAID, field: "carrier pigeon"}, now=NOW)
    assert [(problem.pointer, problem.code) for problem in problems] == [(f"/{field}", "unknown_code")]
    assert all(code.value in problems[0].message for code in codes), "the remedy is the list"
    assert "pigeon" not in problems[0].message, "what was said is not repeated"


def test_topics_come_as_a_list_or_as_an_object() -> None:
    assert taken(content=["med_rec", "naloxone"]).content == (TopicItem(topic=ContactTopic.MED_REC), TopicItem(topic=ContactTopic.NALOXONE))
    assert taken(content={"med_rec": True}).content == taken(content=["med_rec"]).content
    assert taken(content=[]).content == ()
    assert taken(content={"housing": None}).content == ()


@pytest.mark.parametrize(
    ("said", "problems"),
    [
        ({"occurred_at": None}, {"/occurred_at": "required"}),
        ({"type": ""}, {"/type": "required"}),
        ({"outcome": None}, {"/outcome": "required"}),
        ({"occurred_at": "2026-11-22T09:30:00"}, {"/occurred_at": "no_offset"}),
        ({"occurred_at": datetime(2026, 11, 22, 9, 30)}, {"/occurred_at": "no_offset"}),  # noqa: DTZ001 - the mistake itself
        ({"occurred_at": "yesterday"}, {"/occurred_at": "not_an_instant"}),
        ({"occurred_at": 1763800000}, {"/occurred_at": "not_an_instant"}),
        ({"occurred_at": "0001-01-01T00:00:00+10:00"}, {"/occurred_at": "not_an_instant"}),
        ({"occurred_at": (NOW + CLOCK_SKEW + timedelta(seconds=1)).isoformat()}, {"/occurred_at": "in_the_future"}),
        ({"type": 7}, {"/type": "unknown_code"}),
        ({"type": "voicemail", "outcome": "left_message", "live_two_way": True}, {"/live_two_way": "not_live"}),
        ({"type": "letter", "outcome": "reached"}, {"/outcome": "not_reached"}),
        ({"outcome": "no_answer", "live_two_way": True}, {"/live_two_way": "not_live"}),
        ({"live_two_way": "yes"}, {"/live_two_way": "not_a_boolean"}),
        ({"npi": "1234567890"}, {"/npi": "not_an_npi"}),
        ({"npi": 1234567893}, {"/npi": "not_text"}),
        ({"duration_minutes": -1}, {"/duration_minutes": "not_in_range"}),
        ({"duration_minutes": 1441}, {"/duration_minutes": "not_in_range"}),
        ({"duration_minutes": True}, {"/duration_minutes": "not_in_range"}),
        ({"duration_minutes": 1.5}, {"/duration_minutes": "not_in_range"}),
        ({"visit_codes": "99213"}, {"/visit_codes": "not_a_list"}),
        ({"visit_codes": ["99213", "9921"]}, {"/visit_codes/1": "not_a_code"}),
        ({"visit_codes": [None]}, {"/visit_codes/0": "not_a_code"}),
        ({"visit_codes": ["99213"] * 51}, {"/visit_codes": "not_a_list"}),
        ({"diagnoses": ["F32.2", "major depression"]}, {"/diagnoses/1": "not_a_code"}),
        ({"taxonomies": ["psychologist"]}, {"/taxonomies/0": "not_a_code"}),
        ({"place_of_service": 11}, {"/place_of_service": "not_a_code"}),
        ({"place_of_service": "111"}, {"/place_of_service": "not_a_code"}),
        ({"content": "med_rec"}, {"/content": "not_a_list"}),
        ({"content": ["med_rec", "weather"]}, {"/content/1": "unknown_code"}),
        ({"content": {"Jane Sample told me": True}}, {"/content": "unknown_code"}),
        ({"content": {"c_ssrs_level": "extreme"}}, {"/content/c_ssrs_level": "not_a_value"}),
        ({"content": {"phq9": 28}}, {"/content/phq9": "not_a_value"}),
        ({"content": {"phq9": {"score": True}}}, {"/content/phq9": "not_a_value"}),
        ({"content": {"med_rec": {"done": "maybe"}}}, {"/content/med_rec": "not_a_boolean"}),
        ({"content": {"transport": 3}}, {"/content/transport": "not_a_value"}),
        ({"note": "n" * 8_001}, {"/note": "too_long"}),
        ({"note": "a\x00b"}, {"/note": "not_storable"}),
        ({"note": "\ud83d"}, {"/note": "not_storable"}),
        ({"note": ["text"]}, {"/note": "not_text"}),
        ({"next_action_due_on": "soon"}, {"/next_action_due_on": "not_a_date"}),
        ({"next_action_due_on": datetime(2026, 11, 25, tzinfo=UTC)}, {"/next_action_due_on": "not_a_date"}),
        (
            {"type": "fax", "outcome": "sent", "role": "boss"},
            {"/type": "unknown_code", "/outcome": "unknown_code", "/role": "unknown_code"},
        ),
    ],
)
def test_refusals_name_the_field(said: dict[str, Any], problems: dict[str, str]) -> None:
    assert refused(**said) == problems


def test_a_clock_that_runs_a_little_fast_is_no_future() -> None:
    assert taken(occurred_at=(NOW + CLOCK_SKEW).isoformat()).occurred_at == NOW + CLOCK_SKEW


@pytest.mark.parametrize(
    ("said", "with_whom"),
    [
        ({}, ContactWith.PATIENT),
        ({"outcome": "reached_caregiver"}, ContactWith.CAREGIVER),
        ({"type": "collateral_pharmacy"}, ContactWith.OTHER),
        ({"type": "collateral", "with": "caregiver"}, ContactWith.CAREGIVER),
    ],
)
def test_whom_it_was_with_is_implied(said: dict[str, Any], with_whom: ContactWith) -> None:
    assert taken(**said).with_whom is with_whom


@pytest.mark.parametrize(
    ("said", "live"),
    [
        ({"type": "phone", "outcome": "reached"}, True),
        ({"type": "video", "outcome": "attended"}, True),
        ({"type": "phone", "outcome": "no_answer"}, False),
        ({"type": "phone", "outcome": "declined"}, False),
        ({"type": "text", "outcome": "reached"}, False),
        ({"type": "text", "outcome": "reached", "live_two_way": True}, True),
        ({"type": "phone", "outcome": "reached", "live_two_way": False}, False),
        ({"type": "voicemail", "outcome": "left_message"}, False),
    ],
)
def test_live_is_what_was_said_else_what_type_and_outcome_imply(said: dict[str, Any], live: bool) -> None:
    assert taken(**said).is_live is live


def test_recording_keeps_what_was_said() -> None:
    entry = taken(content=["med_rec"], visit_codes=["99213"])
    contact = Contact.of(entry, id="c1", follow_up_id="f1", recorded_at=NOW, author="Sample Nurse", source="api", source_id="x-1")
    assert isinstance(contact, ContactEntry)
    assert (contact.occurred_at, contact.visit_codes, contact.content) == (entry.occurred_at, entry.visit_codes, entry.content)
    assert (contact.id, contact.source_id, contact.voided_at) == ("c1", "x-1", None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    "occurred_at", "type", "outcome", "direction", "with", "role", "npi", "taxonomies", "live_two_way", "duration_minutes", "content",
    "visit_codes", "diagnoses", "place_of_service", "note", "next_action", "next_action_due_on",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_is_an_entry_or_problems_never_a_crash(said: dict[str, Any]) -> None:
    entry, problems = read_contact({**SAID, **said}, now=NOW)
    assert (entry is None) is bool(problems)
    assert all(problem.pointer.split("/")[1] in FIELDS for problem in problems)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=12), st.sampled_from(FIELDS))
def test_a_problem_never_repeats_what_was_said(marker: str, field: str) -> None:
    _, problems = read_contact({**SAID, field: marker}, now=NOW)
    told = json.dumps([(problem.pointer, problem.code, problem.message) for problem in problems])
    assert marker not in told
