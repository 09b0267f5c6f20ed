"""What a recipient reads of how somebody is reached: the hospitals' facts, its own roster's, and whose number it is."""

from typing import Any

import pytest

from app.domain.contact_person import ContactPerson, contact_person_json
from app.domain.contact_sheet import FIELDS, contact_sheet
from app.domain.telephone import Owner, Telephone, TelephoneUse, telephone_json

HOME = telephone_json(Telephone("2075550101", use=TelephoneUse.HOME))
WORK = telephone_json(Telephone("(207) 555-0102", use=TelephoneUse.WORK))
MOTHER = contact_person_json(
    ContactPerson(first_name="Mary", last_name="Zztest", relation="MTH", phones=(Telephone("207-555-0101", owner=Owner.PERSON),))
)


def _numbers(sheet: dict[str, Any]) -> list[tuple[str, str, str | None, list[str]]]:
    return [(one["number"], one["owner"], one["owner_name"], one["sources"]) for one in sheet["phones"]]


def test_nothing_said_is_a_sheet_of_the_same_shape() -> None:
    assert contact_sheet({}, {}) == {
        "phones": [],
        "contact_persons": [],
        "safe_contact": None,
        "no_voicemail": None,
        "interpreter": {"needed": None, "language": None},
    }
    assert (*contact_sheet({}, {}),) == FIELDS


def test_numbers_of_both_lists_and_of_the_roster_are_listed_once() -> None:
    sheet = contact_sheet({"home_phones": [HOME], "work_phones": [WORK]}, {"phone": "(207) 555-0101", "phone2": "2075550103"})
    assert _numbers(sheet) == [
        ("2075550101", "patient", None, ["adt", "roster"]),
        ("(207) 555-0102", "patient", None, ["adt"]),
        ("2075550103", "patient", None, ["roster"]),
    ]
    assert [one["normalised"] for one in sheet["phones"]] == ["+12075550101", "+12075550102", "+12075550103"]


def test_a_number_of_a_contact_person_says_whose_else_it_is() -> None:
    sheet = contact_sheet({"home_phones": [HOME], "contact_persons": [MOTHER]}, {})
    assert [one["shared_with"] for one in sheet["phones"]] == [["Mary Zztest"]]
    assert sheet["contact_persons"][0]["phones"][0]["owner_name"] == "Mary Zztest"


@pytest.mark.parametrize(
    ("owner", "first", "second"),
    [
        (None, ("patient", None), ("patient", None)),
        ("Self", ("patient", None), ("patient", None)),
        ("unknown", ("unknown", None), ("unknown", None)),
        ("Grandmother", ("person", "Grandmother"), ("unknown", None)),
    ],
)
def test_the_roster_says_whose_its_number_is(owner: str | None, first: tuple[str, str | None], second: tuple[str, str | None]) -> None:
    own = {"phone": "2075550101", "phone2": "2075550102"} | ({"phone_owner": owner} if owner else {})
    assert [(one["owner"], one["owner_name"]) for one in contact_sheet({}, own)["phones"]] == [first, second]
    # Where the home does not know, the hospital's list of the patient's own numbers counts.
    beside = contact_sheet({"home_phones": [HOME]}, own)["phones"]
    assert [(one["owner"], one["owner_name"]) for one in beside] == [("patient", None) if first[0] == "unknown" else first, second]


def test_a_number_without_a_list_is_still_shown_and_a_word_is_none() -> None:
    assert _numbers(contact_sheet({"phone": "2075550109"}, {})) == [("2075550109", "patient", None, ["adt"])]
    assert _numbers(contact_sheet({"phone": "none"}, {})) == []


def test_a_guardian_of_the_roster_comes_first_and_is_one_with_the_hospitals() -> None:
    said = {"contact_persons": [MOTHER, contact_person_json(ContactPerson(last_name="Aunt", roles=("C",)))]}
    sheet = contact_sheet(said, {"guardian_name": "Zztest, Mary", "guardian_phone": "2075550104"})
    mother, aunt = sheet["contact_persons"]
    assert (mother["name"], mother["is_legal_guardian"], mother["relation"]["code"]) == ("Mary Zztest", True, "MTH")
    assert (mother["sources"], aunt["sources"]) == (["adt", "roster"], ["adt"])
    assert [one["number"] for one in mother["phones"]] == ["207-555-0101", "2075550104"]
    (other, *_) = contact_sheet(said, {"guardian_name": "Zztest Office", "guardian_relation": "Ward of the State"})["contact_persons"]
    assert (other["name"], other["is_legal_guardian"], other["state_custody"], other["sources"]) == (
        "Zztest Office",
        True,
        True,
        ["roster"],
    )


def test_next_of_kin_and_guarantor_who_are_one_are_shown_once() -> None:
    pays = contact_person_json(ContactPerson(first_name="MARY", last_name="ZZTEST", guarantor=True))
    (one,) = contact_sheet({"contact_persons": [MOTHER], "guarantors": [pays]}, {})["contact_persons"]
    assert (one["is_guarantor"], one["relation"]) == (True, {"code": "MTH", "text": "Mother"})


@pytest.mark.parametrize(
    ("said", "own", "needed", "language"),
    [
        ({"interpreter": True, "language": "spa"}, {}, True, "spa"),
        ({"interpreter": False}, {"interpreter": "yes"}, False, None),
        ({}, {"interpreter": "no", "language": "eng"}, False, "eng"),
        ({"language": "eng"}, {"interpreter": "Somali"}, True, "Somali"),
        ({"language": "eng"}, {}, None, "eng"),
    ],
)
def test_an_interpreter_is_needed_where_somebody_says_so(
    said: dict[str, Any], own: dict[str, Any], *, needed: bool | None, language: str | None
) -> None:
    assert contact_sheet(said, own)["interpreter"] == {"needed": needed, "language": language}
