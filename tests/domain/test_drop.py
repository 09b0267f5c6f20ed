"""Names, readiness and where things lie: tables in, tables out."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.drop import NAME_BYTES_MAX, Box, FileOutcome, Patience, Sighting, Taken, clean_name, is_candidate, looks_whole, read_taken

ID = UUID(int=0x0199A4C07C5D7E0FB1D2C3A4E5F60718)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a b.hl7", "a b.hl7"),
        ("Müller.csv", "Müller.csv"),
        ("a\nb\x00c.hl7", "a_b_c.hl7"),
        ("a/b\\c", "a_b_c"),
        ("caf\udce9.hl7", "caf_.hl7"),
        ("x\u202egpj.hl7", "x_gpj.hl7"),
        ("x" * 200 + ".hl7", "x" * (NAME_BYTES_MAX - 4) + ".hl7"),
        ("x" * 200, "x" * NAME_BYTES_MAX),
        ("x." + "y" * 200, ("x." + "y" * 200)[:NAME_BYTES_MAX]),
    ],
)
def test_a_name_is_made_fit_for_every_place(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@given(name=st.text(alphabet=st.characters(), min_size=1, max_size=300))
def test_every_name_can_be_stored_and_read_back(name: str) -> None:
    taken = Taken(ID, 3, clean_name(name))
    assert read_taken(taken.path.partition("/")[2]) == taken
    for path in (taken.path, taken.stamped, taken.growing("rejected.csv")):
        assert all(len(part.encode()) <= 240 for part in path.split("/"))
    assert "/" not in taken.name


@pytest.mark.parametrize("stored", ["x.hl7", f"{ID.hex}.ack", f"{ID.hex}-x", f"{ID.hex}-1-", f"{ID.hex[:-1]}-1-x", ""])
def test_what_is_no_claimed_file_is_not_read_as_one(stored: str) -> None:
    assert read_taken(stored) is None


@pytest.mark.parametrize(("name", "stamped"), [("a.hl7", f"a.{ID.hex}.hl7"), ("a", f"a.{ID.hex}"), ("a.b.c", f"a.b.{ID.hex}.c")])
def test_another_file_of_the_same_name_gets_one_of_its_own(name: str, stamped: str) -> None:
    assert Taken(ID, 1, name).stamped == stamped


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.hl7", True), ("a", True), ("partial.hl7", True), ("temp", True), (".a", False), ("a~", False), ("~a", False),
     ("a.part", False), ("a.PART", False), ("a.hl7.filepart", False), ("a.tmp", False), ("a.tmp.hl7", True)],
)  # fmt: skip
def test_names_of_files_that_are_still_written(name: str, is_one: bool) -> None:
    assert is_candidate(name) is is_one


@pytest.mark.parametrize(
    ("head", "tail", "is_roster", "is_whole"),
    [
        (b"MSH|", b"PV1|1\r", False, True),
        (b"MSH|", b"PV1|1", False, False),
        (b"", b"", False, False),
        (b"FHS|", b"BTS|1\rFTS|1\r", False, True),
        (b"FHS|", b"BTS|1\r", False, False),
        (b"BHS|", b"BTS|1\r\n\r\n", False, True),
        (b"BHS|", b"PV1|1\r", False, False),
        (b"\xef\xbb\xbfBHS|", b"PV1|1\r", False, False),
        (b"\x0bMSH|", b"PV1|1\r\x1c\r", False, True),
        (b"\x0bMSH|", b"PV1|1\r\x1c", False, True),
        (b"<?xml version='1.0'?>\n<!-- a --><ADT_A01 xmlns='u'><MSH>", b"</PV1></ADT_A01>", False, True),
        (b"\xef\xbb\xbf<Bundle xmlns='u'>", b"</Bundle>\r\n", False, True),
        (b"<ADT_A01>", b"</PV1>\n", False, False),
        (b"<?xml version='1.0'?>\n", b"<?xml version='1.0'?>\n", False, False),
        (b"FHS,", b"a,b\n", True, True),
        (b"member_id,", b"a,b", True, False),
    ],
)
def test_whether_a_file_looks_whole(head: bytes, tail: bytes, is_roster: bool, is_whole: bool) -> None:
    assert looks_whole(head, tail, is_roster=is_roster) is is_whole


def test_stillness_is_counted_from_the_last_change_and_the_oldest_comes_first() -> None:
    patience = Patience()
    old, new = Sighting("b", 1, 10), Sighting("a", 1, 20)
    assert patience.still_for_s([new, old], 100.0) == [(old, 0.0), (new, 0.0)]
    assert patience.still_for_s([new, old], 103.0) == [(old, 3.0), (new, 3.0)]
    grown = Sighting("b", 2, 10)
    assert patience.still_for_s([new, grown], 104.0) == [(grown, 0.0), (new, 4.0)]
    assert patience.still_for_s([grown], 105.0) == [(grown, 1.0)]
    assert patience.still_for_s([new, grown], 106.0)[1] == (new, 0.0), "one that went away and came again is another"


def test_only_what_was_refused_has_failed() -> None:
    assert [outcome for outcome in FileOutcome if outcome.box is Box.FAILED] == [FileOutcome.REFUSED]
