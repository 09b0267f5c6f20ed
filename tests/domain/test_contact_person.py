"""Who decides for the patient, and when two entries are one person. Table in, table out."""

import pytest

from app.domain.contact_person import (
    RELATIONS,
    ROLES,
    ContactPerson,
    contact_person_json,
    contact_person_of,
    joined,
    relation_code,
    role_code,
)
from app.domain.telephone import Owner, Telephone


@pytest.mark.parametrize(
    ("code", "text", "found"),
    [
        *((code, "", code) for code in RELATIONS),
        *(("", text, code) for code, text in RELATIONS.items()),
        ("mth", "", "MTH"),
        ("Mother", "", "MTH"),
        ("1", "Legal Guardian", "GRD"),
        ("GUARD", "legal guardian", "GRD"),
        ("", "Ward of the State", "WRD"),
        ("", "state custody", "WRD"),
        ("16", "", "16"),
        ("", "neighbour", ""),
    ],
)
def test_a_relation_is_brought_to_table_0063(code: str, text: str, found: str) -> None:
    assert relation_code(code, text) == found


@pytest.mark.parametrize(
    ("code", "text", "found"),
    [
        *((code, "", code) for code in ROLES),
        *(("", text, code) for code, text in ROLES.items()),
        ("NOK", "", "N"),
        ("EC2", "", "C"),
        ("EMC", "", "C"),
        ("ZZ", "next of kin", "N"),
        ("Y", "", "Y"),
    ],
)
def test_a_role_is_brought_to_table_0131(code: str, text: str, found: str) -> None:
    assert role_code(code, text) == found


@pytest.mark.parametrize(
    ("person", "guardian", "custody", "kin", "emergency"),
    [
        (ContactPerson(relation="GRD"), True, False, False, False),
        (ContactPerson(stated_guardian=True, relation="MTH"), True, False, False, False),
        (ContactPerson(relation="WRD"), False, True, False, False),
        (ContactPerson(relation="GRD", roles=("S",)), True, True, False, False),
        (ContactPerson(relation="GRD", roles=("F",)), True, True, False, False),
        (ContactPerson(roles=("S",)), False, False, False, False),
        (ContactPerson(relation="MTH", roles=("N",)), False, False, True, False),
        (ContactPerson(relation="MTH", roles=("C",)), False, False, False, True),
        (ContactPerson(relation="EMC"), False, False, False, True),
        (ContactPerson(relation="MTH"), False, False, False, False),
    ],
)
def test_what_a_source_makes_of_somebody(person: ContactPerson, *, guardian: bool, custody: bool, kin: bool, emergency: bool) -> None:
    assert (person.is_guardian, person.has_state_custody, person.is_next_of_kin, person.is_emergency_contact) == (
        guardian, custody, kin, emergency,
    )  # fmt: skip


MARY = ContactPerson(first_name="Mary", last_name="Zztest", relation="MTH", phones=(Telephone("2075550101", owner=Owner.PERSON),))


def test_one_who_is_named_twice_is_one_with_everything_that_is_said() -> None:
    again = ContactPerson(
        name="ZZTEST, MARY", roles=("N",), guarantor=True, address="1 Elm St", phones=(Telephone("(207) 555-0101"), Telephone("2075550102"))
    )
    (one,) = joined([MARY, again])
    assert (one.full_name, one.relation, one.roles, one.guarantor, one.address) == ("Mary Zztest", "MTH", ("N",), True, "1 Elm St")
    assert [phone.number for phone in one.phones] == ["2075550101", "2075550102"]


def test_two_relations_and_two_nameless_ones_stay_two() -> None:
    assert len(joined([MARY, ContactPerson(first_name="Mary", last_name="Zztest", relation="GRP")])) == 2
    nameless = ContactPerson(phones=(Telephone("2075550103"),))
    assert joined([nameless, nameless]) == (nameless, nameless)


def test_who_decides_comes_first_and_who_pays_last() -> None:
    pays = ContactPerson(last_name="A", guarantor=True)
    friend, kin = ContactPerson(last_name="B"), ContactPerson(last_name="C", roles=("N",))
    called, guardian = ContactPerson(last_name="D", roles=("C",)), ContactPerson(last_name="E", relation="GRD")
    assert joined([pays, friend, kin, called, guardian]) == (guardian, called, kin, friend, pays)


@pytest.mark.parametrize(
    "person",
    [
        ContactPerson(),
        MARY,
        ContactPerson(
            "a", "b", "c", "d", "e", "GRD", "f", ("S", "C"), stated_guardian=True, guarantor=True, address="g", city="h", state="i",
            zip="j", language="k", starts_on="2026-01-01", ends_on="2026-02-01", phones=(Telephone("1"),),
        ),
    ],
)  # fmt: skip
def test_what_is_stored_is_read_again(person: ContactPerson) -> None:
    assert contact_person_of(contact_person_json(person)) == person
