"""PID and MRG (HL7-6, ADT-2, ADT-3): authorities, three-valued facts, and which repetition counts."""

from datetime import UTC, date, datetime

import pytest

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, Identifier, PersonFacts
from app.domain.feed import Feed, FeedProfile
from app.domain.known import ERASED
from tests.adapters.hl7v2.support import EVN, FEED, er7, feed, msh, segment

READER = Hl7v2Reader()


def event(pid: str, of: Feed = FEED, header: str = msh("A31")) -> AdtEvent:
    found = READER.read(er7(header, EVN, pid), of)
    assert isinstance(found, AdtEvent), found
    return found


def person(**fields: str) -> PersonFacts:
    return event(segment("PID", f3="ZZ1", **fields)).person


MAPPED = feed(profile=FeedProfile(authority_map={"ZZLOCAL": "ZZNETWORK", "1.2.3": "ZZBYOID", "A&9.9&ISO": "zzwhole"}))

IDENTIFIERS = [
    ("ZZ1", FEED, [("ZZHOSP", "", "ZZ1")]),
    ("ZZ1^^^ZZAUTH^MR", FEED, [("ZZAUTH", "MR", "ZZ1")]),
    ("ZZ1^^^zzauth^mr", FEED, [("ZZAUTH", "MR", "ZZ1")]),
    ("ZZ1^^^ZZAUTH&1.2&ISO^MR", FEED, [("ZZAUTH", "MR", "ZZ1")]),
    ("ZZ1^^^&1.2&ISO^MR", FEED, [("1.2", "MR", "ZZ1")]),
    ('ZZ1^^^""^MR', FEED, [("ZZHOSP", "MR", "ZZ1")]),
    ("ZZ1^4^M11^ZZAUTH^MR^ZZFAC", FEED, [("ZZAUTH", "MR", "ZZ1")]),
    (" ZZ1 ^^^ ZZAUTH ^ MR ", FEED, [("ZZAUTH", "MR", "ZZ1")]),
    ("ZZ1^^^A~ZZ2^^^B^MA", FEED, [("A", "", "ZZ1"), ("B", "MA", "ZZ2")]),
    ("ZZ1^^^A^AN~ZZ2^^^A^VN~ZZ3^^^A^MR", FEED, [("A", "MR", "ZZ3")]),
    ("ZZ1^^^A^MR~ZZ1^^^A^MR~~^^^A", FEED, [("A", "MR", "ZZ1")]),
    (r"ZZ\T\1^^^A\S\B^MR", FEED, [("A^B", "MR", "ZZ&1")]),
    ("ZZ1^^^ZZLocal^MR", MAPPED, [("ZZNETWORK", "MR", "ZZ1")]),
    ("ZZ1^^^ZZOTHER&1.2.3&ISO^MR", MAPPED, [("ZZBYOID", "MR", "ZZ1")]),
    ("ZZ1^^^A&9.9&ISO^MR", MAPPED, [("ZZWHOLE", "MR", "ZZ1")]),
    ("ZZ1^^^ZZNEW^MR", MAPPED, [("ZZNEW", "MR", "ZZ1")]),
    ("ZZ1", MAPPED, [("ZZHOSP", "", "ZZ1")]),
]


@pytest.mark.parametrize(("raw", "of", "expected"), IDENTIFIERS, ids=range(len(IDENTIFIERS)))
def test_an_identifier_is_authority_type_and_value(raw: str, of: Feed, expected: list[tuple[str, str, str]]) -> None:
    assert event(f"PID|1||{raw}", of).identifiers == tuple(Identifier(*one) for one in expected)


LONG = "Z" * 256


@pytest.mark.parametrize("raw", [f"{LONG}^^^ZZHOSP^MR", f"ZZ1^^^{LONG}^MR", f"ZZ1^^^ZZHOSP^{LONG}", "\u00e9" * 128])
def test_what_is_too_long_for_an_identifier_is_left_out_and_named_and_never_cut(raw: str) -> None:
    """No index of the database takes it, so it would stop the message after it was acknowledged."""
    assert event(f"PID|1||{raw}~ZZ2^^^ZZHOSP^MR").identifiers == (Identifier("ZZHOSP", "MR", "ZZ2"),)
    alone = er7(msh("A31"), EVN, f"PID|1||{raw}")
    problems = READER.problems(alone, READER.header(alone), FEED)
    at_pid_3 = [problem for problem in problems if problem.location == "PID^1^3"]
    assert [problem.severity.value for problem in at_pid_3] == ["E", "W"]
    assert "255 octets" in at_pid_3[1].text


def test_the_longest_identifier_is_taken() -> None:
    assert event(f"PID|1||{LONG[1:]}^^^{LONG[1:]}^MR").identifiers == (Identifier(LONG[1:], "MR", LONG[1:]),)


def test_a_nul_is_no_text_whether_sent_or_escaped() -> None:
    """No text of the database can hold one, so it would stop the message after it was acknowledged."""
    found = event("PID|1||ZZ\x001\\X00\\^^^A\x00^MR||ZZ\\X0054\\EST\x00^ALPHA")
    assert found.identifiers == (Identifier("A", "MR", "ZZ1"),)
    assert (found.person.last_name, found.person.first_name) == ("ZZTEST", "ALPHA")


def test_pid_2_stands_in_for_an_empty_pid_3_only() -> None:
    assert event("PID|1|ZZ7^^^ZZOLD|").identifiers == (Identifier("ZZOLD", "", "ZZ7"),)
    assert event("PID|1|ZZ7|ZZ1").identifiers == (Identifier("ZZHOSP", "", "ZZ1"),)


@pytest.mark.parametrize(
    ("raw", "last", "first", "middle"),
    [
        ("ZZTEST^ALPHA^Q", "ZZTEST", "ALPHA", "Q"),
        ("ZZTEST^ALPHA", "ZZTEST", "ALPHA", None),
        ("ZZTEST", "ZZTEST", None, None),
        ('ZZTEST^ALPHA^""', "ZZTEST", "ALPHA", ERASED),
        ('""', ERASED, ERASED, ERASED),
        ("", None, None, None),
        ("^ALPHA", None, "ALPHA", None),
        ("ZZTEST&VAN&OWN^ALPHA", "ZZTEST", "ALPHA", None),
        ("ZZNICK^A^^^^^N~ZZTEST^ALPHA^Q^^^^L", "ZZTEST", "ALPHA", "Q"),
        ("ZZTEST^ALPHA^Q^^^^D~ZZBORN^ALPHA^^^^^M", "ZZTEST", "ALPHA", "Q"),
        ("ZZTEST^ALPHA^^^^^L~ZZOTHER^ALPHA^^^^^L", "ZZTEST", "ALPHA", None),
        (r"O\E\ZZ\T\TEST^ALPHA", r"O\ZZ&TEST", "ALPHA", None),
        (" ZZTEST ^ ALPHA ", "ZZTEST", "ALPHA", None),
        ("ZZÉTEST^ALPHA", "ZZÉTEST", "ALPHA", None),
    ],
)
def test_names(raw: str, last: object, first: object, middle: object) -> None:
    found = person(f5=raw)
    assert (found.last_name, found.first_name, found.middle_name) == (last, first, middle)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1 ST^^TOWN^ME^00000", ("1 ST", "TOWN", "ME", "00000")),
        ("1 ST^APT 2^TOWN^ME^00000", ("1 ST, APT 2", "TOWN", "ME", "00000")),
        ("^APT 2^TOWN", ("APT 2", "TOWN", ERASED, ERASED)),
        ("1 ST&1&ST^^TOWN", ("1 ST", "TOWN", ERASED, ERASED)),
        ("", (None, None, None, None)),
        ("^^^^", (None, None, None, None)),
        ("^^^^^US^H", (None, None, None, None)),
        ('""', (ERASED, ERASED, ERASED, ERASED)),
        ("9 BAD^^TOWN^ME^1^US^BA", (None, None, None, None)),
        ("9 BAD^^TOWN^ME^1^US^BA~1 ST^^TOWN^ME^00000^US^B", ("1 ST", "TOWN", "ME", "00000")),
        ("9 WORK^^TOWN^ME^1^US^B~1 ST^^TOWN^ME^00000^US^H", ("1 ST", "TOWN", "ME", "00000")),
        ("9 OLD^^TOWN^ME^1^US^C~1 ST^^TOWN^ME^00000^US^L", ("1 ST", "TOWN", "ME", "00000")),
    ],
)
def test_addresses_are_replaced_as_a_whole(raw: str, expected: tuple[object, ...]) -> None:
    found = person(f11=raw)
    assert (found.address, found.city, found.state, found.zip) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("(207)555-0100", "(207)555-0100"),
        ("(207)555-0100^PRN^PH", "(207)555-0100"),
        ("^PRN^PH^^1^207^5550100", "2075550100"),
        ("^PRN^PH^^^^^^^^^2075550100", "2075550100"),
        ("zz@example.invalid^NET^Internet~2075550101^PRN^CP", "2075550101"),
        ("^NET^X.400^zz@example.invalid", None),
        ("2075550102^PRN^FX~2075550103^ORN^PH", "2075550103"),
        ('""', ERASED),
        ("", None),
        ("^^^^", None),
    ],
)
def test_telephones_that_a_person_answers(raw: str, expected: object) -> None:
    assert person(f13=raw).phone == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2106-3^White^HL70005", "2106-3"),
        ("2106-3~2054-5", "2106-3~2054-5"),
        ("^Other", "Other"),
        ('""', ERASED),
        ("", None),
        ("^^L", None),
    ],
)
def test_race_and_ethnicity_keep_every_repetition(raw: str, expected: object) -> None:
    assert person(f10=raw).race == expected
    assert person(f22=raw).ethnicity == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("19760425", date(1976, 4, 25)), ("19760425120000", date(1976, 4, 25)), ("1976", None), ("rubbish", None), ('""', ERASED), ("", None)],
)
def test_birth_dates(raw: str, expected: object) -> None:
    assert person(f7=raw).birth_date == expected


@pytest.mark.parametrize(
    ("died", "indicator", "died_at", "deceased"),
    [
        ("", "", None, None),
        ("", "N", None, False),
        ("", "Y", None, True),
        ("20260503033000", "", datetime(2026, 5, 3, 7, 30, tzinfo=UTC), True),
        ("20260503033000", "Y", datetime(2026, 5, 3, 7, 30, tzinfo=UTC), True),
        ("20260503033000", "N", datetime(2026, 5, 3, 7, 30, tzinfo=UTC), False),
        ("20260503033000", "maybe", datetime(2026, 5, 3, 7, 30, tzinfo=UTC), True),
        ("", "maybe", None, None),
        ('""', '""', ERASED, ERASED),
        ("rubbish", "", None, None),
    ],
)
def test_death(died: str, indicator: str, died_at: object, deceased: object) -> None:
    found = person(f29=died, f30=indicator)
    assert (found.died_at, found.deceased) == (died_at, deceased)


def test_sex_and_language_are_as_sent() -> None:
    found = person(f8="A^Ambiguous", f15="spa^Spanish^ISO639")
    assert (found.sex, found.language) == ("A", "spa")
    assert person(f8='""', f15='""').sex is ERASED


def test_an_absent_field_says_nothing_at_all() -> None:
    assert event("PID|1||ZZ1").person == PersonFacts()


@pytest.mark.parametrize(
    ("trigger", "mrg", "expected"),
    [
        ("A40", "MRG|ZZ9^^^ZZHOSP^MR", [("ZZHOSP", "MR", "ZZ9")]),
        ("A40", "MRG|ZZ9~ZZ8^^^B^PI", [("ZZHOSP", "", "ZZ9")]),
        ("A40", "MRG|ZZ9^^^ZZHOSP^MR~ZZ7^^^ZZHOSP^AN", [("ZZHOSP", "MR", "ZZ9")]),
        ("A40", "MRG|ZZ9^^^ZZHOSP~ZZ1^^^ZZHOSP^MR", [("ZZHOSP", "", "ZZ9")]),
        ("A34", "MRG|ZZ9^^^ZZHOSP^MR|||ZZ7", [("ZZHOSP", "MR", "ZZ9"), ("ZZHOSP", "", "ZZ7")]),
        ("A30", "MRG||||ZZ7", [("ZZHOSP", "", "ZZ7")]),
        ("A47", "MRG|ZZ9", [("ZZHOSP", "", "ZZ9")]),
        ("A34", "MRG||||ZZ7", [("ZZHOSP", "", "ZZ7")]),
        ("A31", "MRG|ZZ9", []),
    ],
)
def test_what_a_merge_retires(trigger: str, mrg: str, expected: list[tuple[str, str, str]]) -> None:
    found = READER.read(er7(msh(trigger), EVN, "PID|1||ZZ1^^^ZZHOSP^MR", mrg), FEED)
    assert isinstance(found, AdtEvent), found
    assert found.prior_identifiers == tuple(Identifier(*one) for one in expected)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("219-45-6781", "6781"),
        ("219456781^^^SSA^SS", "6781"),
        ("6781", "6781"),
        ("999-99-9999", None),
        ("000-00-0000", None),
        ("123-45-6789", None),
        ("UNKNOWN", None),
        ("", None),
        ('""', ERASED),
    ],
)
def test_of_a_social_security_number_the_last_four_digits_are_read(said: str, ends: object) -> None:
    assert person(f19=said).ssn4 == ends


@pytest.mark.parametrize(
    ("name", "alias", "suffix", "former"),
    [
        ("Alder^Carl^Q^Jr", "", "Jr", None),
        ("Alder^Carl", "", None, None),
        ('Alder^Carl^Q^""', "", ERASED, None),
        ('""', "", ERASED, None),
        ("Alder^Ann^^^^^L~Birch^Ann^^^^^M", "", None, "Birch"),
        ("Birch^Ann^^^^^A~Alder^Ann^^III^^^L~Cedar&van^Ann^^^^^B", "", "III", "Cedar"),
        ("Alder^Ann^^^^^L~Zz^Q^^^^^S", "Birch^Ann", None, "Birch"),
        ("Alder^Ann", '""', None, ERASED),
    ],
)
def test_what_tells_father_and_son_apart_and_what_somebody_was_called_before(name: str, alias: str, suffix: object, former: object) -> None:
    said = person(f5=name, f9=alias)
    assert (said.suffix, said.former_last_name) == (suffix, former)


def test_the_order_of_a_multiple_birth_is_read() -> None:
    assert [person(f25=said).birth_order for said in ("2", "")] == ["2", None]


def test_a_social_security_number_among_the_identifiers_is_no_identifier() -> None:
    found = event(segment("PID", f3="219456781^^^SSA^SS~ZZ1^^^ZZAUTH^MR"))
    assert found.identifiers == (Identifier("ZZAUTH", "MR", "ZZ1"),)
    assert found.person.ssn4 == "6781"
    assert "21945" not in repr(found)


def test_a_social_security_number_names_a_record_only_where_nothing_else_does_and_it_is_whole() -> None:
    assert event(segment("PID", f3="219456781^^^SSA^SS")).identifiers == (Identifier("SSA", "SS", "219456781"),)
    for value in ("6781", "999-99-9999"):
        found = READER.read(er7(msh("A31"), EVN, segment("PID", f3=f"{value}^^^SSA^SS")), FEED)
        assert [one.location for one in found] == ["PID^1^3"]


def test_a_merge_names_no_social_security_number_beside_another() -> None:
    found = READER.read(er7(msh("A40"), EVN, "PID|1||ZZ1^^^ZZHOSP^MR", "MRG|219456781^^^SSA^SS~ZZ9^^^ZZHOSP^MR"), FEED)
    assert isinstance(found, AdtEvent)
    assert found.prior_identifiers == (Identifier("ZZHOSP", "MR", "ZZ9"),)
