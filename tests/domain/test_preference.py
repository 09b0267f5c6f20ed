"""What a recipient is told of without having asked, and what its own rules make of that."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from app.domain.adt_event import EncounterClass
from app.domain.preference import Question, wished
from app.domain.public_id import Kind, public_id

HOME, HOSPITAL = UUID(int=1), UUID(int=2)


def question(
    *events: str, encounter_class: str = "inpatient", programs: tuple[str, ...] = ("BHH",), facility: UUID | None = HOSPITAL
) -> Question:
    return Question(frozenset(events or ("discharged",)), encounter_class, frozenset(programs), facility, HOME)


@pytest.mark.parametrize("encounter_class", list(EncounterClass))
def test_outpatient_recurring_and_planned_events_are_told_on_request_only(encounter_class: EncounterClass) -> None:
    on_request = encounter_class in (EncounterClass.OUTPATIENT, EncounterClass.RECURRING, EncounterClass.PREADMIT)
    wish = wished((), question(encounter_class=encounter_class))
    assert wish.wanted is not on_request
    assert encounter_class in wish.reason
    assert wished(({"classes": [encounter_class.value], "tell": True},), question(encounter_class=encounter_class)).wanted


def test_events_at_the_own_facility_are_told_on_request_only() -> None:
    assert not wished((), question(facility=HOME)).wanted
    assert wished(({"facilities": [public_id(Kind.ORGANIZATION, HOME)], "tell": True},), question(facility=HOME)).wanted
    assert wished((), question(facility=None)).wanted


SILENT: list[tuple[str, Mapping[str, Any], Question, bool]] = [
    ("everything", {}, question(), True),
    ("its type", {"event_types": ["encounter.discharged"]}, question(), True),
    ("the last word of its type", {"event_types": ["discharged"]}, question(), True),
    ("another type", {"event_types": ["encounter.admitted", "person.died"]}, question(), False),
    ("its class", {"classes": ["emergency", "inpatient"]}, question(), True),
    ("another class", {"classes": ["emergency"]}, question(), False),
    ("its program, in any case", {"programs": ["bhh"]}, question(), True),
    ("another program", {"programs": ["tcm"]}, question(), False),
    ("its facility", {"facilities": [str(HOSPITAL)]}, question(), True),
    ("another facility", {"facilities": [public_id(Kind.ORGANIZATION, HOME)]}, question(), False),
    ("a facility, of a stay at a place nobody knows", {"facilities": [str(HOSPITAL)]}, question(facility=None), False),
    ("all of several", {"event_types": ["discharged"], "classes": ["inpatient"], "programs": ["BHH"]}, question(), True),
    ("not all of several", {"event_types": ["discharged"], "classes": ["emergency"]}, question(), False),
    ("an admission after an emergency visit", {"event_types": ["encounter.admitted"]}, question("admitted", "converted"), True),
    ("a transfer into the house", {"event_types": ["encounter.transferred"]}, question("transferred", "converted"), True),
    ("both by what they are", {"event_types": ["converted"]}, question("admitted", "converted"), True),
    ("a transfer, of an admission after an emergency visit", {"event_types": ["transferred"]}, question("admitted", "converted"), False),
]


@pytest.mark.parametrize("row", SILENT, ids=[row[0] for row in SILENT])
def test_a_rule_fits_what_it_names(row: tuple[str, Mapping[str, Any], Question, bool]) -> None:
    _, rule, asked, is_silent = row
    assert wished(({**rule, "tell": False},), asked).wanted is not is_silent


def test_the_first_rule_that_fits_decides_and_is_named() -> None:
    rules = ({"classes": ["emergency"], "tell": False}, {"event_types": ["discharged"], "tell": True}, {"tell": False})
    assert wished(rules, question()).wanted
    assert wished(rules, question()).reason == "the recipient's preference 2"
    assert not wished(rules, question("admitted")).wanted
