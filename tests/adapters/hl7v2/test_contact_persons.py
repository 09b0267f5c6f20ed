"""NK1, GT1, PID-13 and PID-14 (ADT-3): what is read, what erases, and that any order of the messages ends in the same contact persons."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.contact_persons import PEOPLE_MAX, PHONES_MAX, TEXT_CHARACTERS_MAX
from adapters.hl7v2.er7 import Er7Message, tokenize
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, PersonFacts
from app.domain.contact_person import ContactPerson
from app.domain.contact_sheet import contact_sheet
from app.domain.event_order import sort_key
from app.domain.known import ERASED, Known
from app.domain.latest import Said, known, learn, merged
from app.domain.person import json_facts
from app.domain.telephone import Owner, Telephone, TelephoneKind, TelephoneUse
from tests.adapters.hl7v2 import test_corpora
from tests.adapters.hl7v2.support import FEED, er7, msh, segment
from tests.support.cost import within

READER = Hl7v2Reader()
MOTHER = "NK1|1|ZZTEST^BETA^Q|MTH^Mother^HL70063|1 Elm St^^Bangor^ME^04401|(207)555-0101^PRN^PH|(207)555-0102|N^Next of kin^HL70131"
GUARDIAN = "NK1|2||GRD^Guardian|||^WPN^PH^^^207^5550103^12^duty desk|S^State agency|20260101|||||ZZ OFFICE^L"


def event(*more: str, pid: str = "", at: str = "20260105142500", trigger: str = "A31") -> AdtEvent:
    found = READER.read(er7(msh(trigger), segment("EVN", f1=trigger, f2=at), pid or "PID|1||ZZ100^^^ZZHOSP^MR||ZZTEST^ALPHA", *more), FEED)
    assert isinstance(found, AdtEvent), found
    return found


def people(*more: str) -> Known[tuple[ContactPerson, ...]]:
    return event(*more).person.contact_persons


def phones(field: str, number: int = 13) -> Known[tuple[Telephone, ...]]:
    said = event(pid=f"PID|1||ZZ100^^^ZZHOSP^MR{'|' * (number - 3)}{field}").person
    return said.home_phones if number == 13 else said.work_phones


def test_a_next_of_kin_is_read_whole() -> None:
    assert people(MOTHER) == (
        ContactPerson(
            first_name="BETA",
            middle_name="Q",
            last_name="ZZTEST",
            relation="MTH",
            relation_text="Mother",
            roles=("N",),
            address="1 Elm St",
            city="Bangor",
            state="ME",
            zip="04401",
            phones=(
                Telephone("(207)555-0101", use=TelephoneUse.HOME, owner=Owner.PERSON),
                Telephone("(207)555-0102", use=TelephoneUse.WORK, owner=Owner.PERSON),
            ),
        ),
    )


def test_an_agency_that_is_the_guardian_comes_first_and_has_custody() -> None:
    found = people(MOTHER, GUARDIAN)
    assert isinstance(found, tuple)
    office, mother = found
    assert (office.organization, office.is_guardian, office.has_state_custody, office.starts_on) == ("ZZ OFFICE", True, True, "2026-01-01")
    assert office.phones == (Telephone("2075550103", "12", use=TelephoneUse.WORK, note="duty desk", owner=Owner.PERSON),)
    assert mother.last_name == "ZZTEST"


def test_the_person_at_an_organization_is_named_by_nk1_30() -> None:
    nk1 = segment("NK1", f3="GRD", f13="ZZ OFFICE", f30="ZZWORKER^OLIVE", f31="2075550104", f32="2 Elm St")
    (found,) = people(nk1) or ()
    assert (found.full_name, found.organization, found.address) == ("OLIVE ZZWORKER", "ZZ OFFICE", "2 Elm St")
    assert [(phone.number, phone.owner_name) for phone in found.phones] == [("2075550104", "")]
    (beside,) = people(segment("NK1", f2="ZZTEST^BETA", f30="ZZWORKER^OLIVE", f31="2075550104")) or ()
    assert [(phone.number, phone.owner_name) for phone in beside.phones] == [("2075550104", "OLIVE ZZWORKER")]


@pytest.mark.parametrize(
    ("segments", "found"),
    [
        ((), None),
        (("NK1|1",), None),
        (("NK1|1||1",), None),
        (('NK1|1|""',), ERASED),
        (('NK1||^^^^^|""|""^^""^""^""^|',), ERASED),
        (("NK1|1|ZZTEST^ALPHA|SEL",), ERASED),
        (("NK1|1||WRD",), (ContactPerson(relation="WRD"),)),
        (('NK1|1|ZZTEST^BETA|""|""|""',), (ContactPerson(first_name="BETA", last_name="ZZTEST"),)),
    ],
)
def test_absent_erased_and_stated(segments: tuple[str, ...], found: Known[tuple[ContactPerson, ...]]) -> None:
    assert people(*segments) == found


@pytest.mark.parametrize(
    ("gt1", "found"),
    [
        ("GT1|1||ZZTEST^BETA||1 Elm St|2075550101|2075550102||||MTH", "MTH"),
        ("GT1|1||ZZTEST^BETA||||||||", ""),
        ("GT1|1||ZZTEST^ALPHA||||||||SE^SELF", ERASED),
        ('GT1|1||""', ERASED),
        ("GT1|1||||||||||MTH", None),
    ],
)
def test_a_guarantor_is_somebody_else_with_a_name(gt1: str, found: Any) -> None:
    said = event(gt1).person.guarantors
    if not isinstance(said, tuple):
        assert said == found
    else:
        assert [(one.guarantor, one.relation, one.full_name) for one in said] == [(True, found, "BETA ZZTEST")]
    assert event(gt1).person.contact_persons is None


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("", None),
        ('""', ERASED),
        ("^^^", None),
        ("none", None),
        ("2075550101", (Telephone("2075550101"),)),
        ("(207)555-0101^PRN^PH", (Telephone("(207)555-0101", use=TelephoneUse.HOME),)),
        ("^PRN^CP^^1^207^5550101", (Telephone("2075550101", use=TelephoneUse.MOBILE),)),
        ("^PRN^PH^^44^1234^567890", (Telephone("+44 1234567890", use=TelephoneUse.HOME),)),
        ("^WPN^PH^^^207^5550101^7^mother", (Telephone("2075550101", "7", use=TelephoneUse.WORK, note="mother"),)),
        ("^ORN^FX^^^^^^^^^2075550101", (Telephone("2075550101", kind=TelephoneKind.FAX, code="ORN"),)),
        ("2075550101^EMR^PH", (Telephone("2075550101", code="EMR", owner=Owner.UNKNOWN),)),
        ("2075550101^PRN^TTY", (Telephone("2075550101", kind=TelephoneKind.OTHER, use=TelephoneUse.HOME, code="TTY"),)),
        ("^NET^Internet^a@b.example.org", (Telephone("a@b.example.org", kind=TelephoneKind.EMAIL),)),
        ("a@b.example.org^NET", (Telephone("a@b.example.org", kind=TelephoneKind.EMAIL),)),
        (
            "2075550101^^Internet^a@b.example.org",
            (Telephone("2075550101"), Telephone("a@b.example.org", kind=TelephoneKind.EMAIL)),
        ),
        ("2075550101~(207)555-0101~2075550102", (Telephone("2075550101"), Telephone("2075550102"))),
        ('""~2075550101', (Telephone("2075550101"),)),
    ],
)  # fmt: skip
def test_every_repetition_of_a_telephone_is_read(field: str, found: Any) -> None:
    assert phones(field) == found


def test_the_work_number_is_a_list_of_its_own() -> None:
    assert phones("2075550101", 14) == (Telephone("2075550101", use=TelephoneUse.WORK),)
    assert phones('""', 14) is ERASED
    assert event().person.home_phones is None


def test_what_is_too_much_is_left_out_and_noted() -> None:
    many = [f"NK1|{number}|ZZTEST{number}^BETA" for number in range(PEOPLE_MAX + 5)]
    assert len(people(*many) or ()) == PEOPLE_MAX
    assert len(phones("~".join(f"20755501{number:02}" for number in range(PHONES_MAX + 5))) or ()) == PHONES_MAX
    body = er7(msh("A31"), segment("EVN", f2="20260105142500"), "PID|1||ZZ1", *many, f"NK1|99|{'Z' * (TEXT_CHARACTERS_MAX + 1)}")
    notes = [(problem.location, problem.text) for problem in READER.notes(body, FEED)]
    assert any(location == f"NK1^{PEOPLE_MAX + 1}" for location, _ in notes)
    assert any("250 characters" in text for _, text in notes)


def test_in_a_message_about_several_each_has_the_segments_after_its_own_pid() -> None:
    """A link (A24) names two patients; the standard has no NK1 there, senders do."""
    body = er7(msh("A24"), segment("EVN", f2="20260105142500"), "PID|1||ZZ1^^^ZZHOSP^MR", MOTHER, "PID|2||ZZ2^^^ZZHOSP^MR", GUARDIAN)
    found = READER.read(body, FEED)
    assert isinstance(found, AdtEvent)
    (other,) = found.others
    names = [[one.full_name or one.organization for one in said.person.contact_persons or ()] for said in (found, other)]
    assert names == [["BETA Q ZZTEST"], ["ZZ OFFICE"]]


def test_a_merge_of_many_patients_with_relatives_costs_no_more_than_its_length() -> None:
    """Each patient's own are looked for; the bound is a second a megabyte."""
    wide = "Z" * 1900
    groups = [line for one in range(160) for line in (f"PID|1||ZZ{one}^^^ZZHOSP^MR|{wide}", f"MRG|ZY{one}^^^ZZHOSP^MR", f"NK1|1|{wide}^B")]
    body = er7(msh("A40"), segment("EVN", f2="20260105142500"), *groups)
    found = within(1.0, lambda: READER.read(body, FEED))
    assert isinstance(found, AdtEvent)
    assert len(found.others) == 159


SEGMENTS = st.sampled_from([(), (MOTHER,), (GUARDIAN,), (MOTHER, GUARDIAN), ('NK1|1|""',), ("GT1|1||ZZTEST^BETA",), ('GT1|1||""',)])
NUMBERS = st.sampled_from(["", '""', "2075550101", "2075550101^PRN^PH~2075550102^EMR", "2075550103^PRN^CP"])


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[str, PersonFacts]]:
    """Some messages about one patient at different times: sort key and what is read of each."""
    drawn = []
    for minute in range(draw(st.integers(2, 5))):
        pid = f"PID|1||ZZ100^^^ZZHOSP^MR||ZZTEST^ALPHA{'|' * 8}{draw(NUMBERS)}|{draw(NUMBERS)}"
        said = event(*draw(SEGMENTS), *draw(SEGMENTS), pid=pid, at=f"202601051425{minute:02}")
        drawn.append((sort_key(said), said.person))
    return drawn


def sheet(arrived: list[tuple[str, PersonFacts]]) -> dict[str, Any]:
    said: Said = {}
    for key, facts in arrived:
        said = learn(said, key, json_facts(facts))
    return contact_sheet(known(said), {})


@given(messages(), st.data())
def test_any_order_and_repetition_ends_in_the_same_contact_persons(sent: list[tuple[str, PersonFacts]], data: st.DataObject) -> None:
    """ADT-4 for contact persons: each list is the one that the latest event stated, whole; what it leaves out, it leaves alone."""
    expected = sheet(sent)
    arrived = data.draw(st.permutations([*sent, *data.draw(st.lists(st.sampled_from(sent), max_size=2))]))
    assert sheet(arrived) == expected
    # Two records of one patient that are joined later are one as well.
    halves: list[Said] = [{}, {}]
    for number, (key, facts) in enumerate(arrived):
        halves[number % 2] = learn(halves[number % 2], key, json_facts(facts))
    assert contact_sheet(known(merged(*halves)), {}) == expected
    lists = {"home_phones", "work_phones", "contact_persons", "guarantors"}
    latest: dict[str, Any] = {}
    for _, facts in sent:
        latest.update({name: value for name in lists if (value := getattr(facts, name)) is not None})
    stated = {name: value for name, value in latest.items() if value is not ERASED}
    assert contact_sheet(json_facts(PersonFacts(**stated)), {})["contact_persons"] == expected["contact_persons"]


def test_all_permutations_of_a_small_life_are_one() -> None:
    said = [event(MOTHER, at="20260105142500"), event(at="20260105142600"), event(GUARDIAN, at="20260105142700")]
    sent = [(sort_key(one), one.person) for one in said]
    assert {str(sheet(list(order))) for order in permutations(sent)} == {str(sheet(sent))}
    assert [one["organization"] for one in sheet(sent)["contact_persons"]] == ["ZZ OFFICE"]


@test_corpora.pytestmark
def test_the_corpora_are_read_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    counts = dict.fromkeys(("ADT messages read", "with NK1", "with GT1", "contact persons", "guarantors", "with a number", "numbers"), 0)
    for path, body in test_corpora.messages():
        found = READER.read(body, FEED) if READER.is_supported(READER.header(body).trigger) else None
        message = tokenize(body)
        if not isinstance(found, AdtEvent) or not isinstance(message, Er7Message):
            continue
        person = found.person
        counts["ADT messages read"] += 1
        counts["with NK1"] += bool(message.count("NK1"))
        counts["with GT1"] += bool(message.count("GT1"))
        for name, said in (
            ("contact persons", person.contact_persons),
            ("guarantors", person.guarantors),
            ("numbers", (*_listed(person.home_phones), *_listed(person.work_phones))),
        ):
            counts[name] += len(_listed(said))
        counts["with a number"] += bool(_listed(person.home_phones))
        if isinstance(person.phone, str) and any(map(str.isdigit, person.phone)):
            assert person.phone in [phone.number for phone in _listed(person.home_phones)], path
        if not message.count("NK1"):
            assert person.contact_persons is None, path
        assert contact_sheet(json_facts(person), {})["phones"] is not None
    with capsys.disabled():
        print(f"\n{counts}")
    assert counts["with NK1"] > 150
    assert counts["contact persons"] > 150
    assert counts["guarantors"] > 80


def _listed(said: Known[tuple[Any, ...]]) -> tuple[Any, ...]:
    return said if isinstance(said, tuple) else ()
