"""What stands in for a number names no record and no stay: two who were registered under UNKNOWN are two people."""

from dataclasses import replace

import pytest

from app.domain.adt_event import AdtEvent, Identifier, Rename, VisitFacts
from app.domain.record_name import names_nobody, rightly_named
from tests.domain.event_builders import event

MRN, STAY = Identifier("HOSPA", "MR", "M1"), Identifier("HOSPA", "VN", "V1")
UNKNOWN = Identifier("HOSPA", "MR", "UNKNOWN")


def admitted(*identifiers: Identifier, visit: VisitFacts | None = None) -> AdtEvent:
    return replace(event("A01", 1), identifiers=identifiers, visit=visit if visit is not None else VisitFacts(STAY))


@pytest.mark.parametrize(
    "value", ["UNKNOWN", "unk", "N/A", "0", "00000", "00000-0000000", "999999", "999-99-9999", "222-22-2222", "XXXXX", "-"]
)
def test_what_stands_in_for_a_number_names_nobody(value: str) -> None:
    assert names_nobody(Identifier("HOSPA", "MR", value))


@pytest.mark.parametrize("value", ["1", "10", "9", "99", "11111", "222222", "M1", "UNKNOWNS", "100000", "V0", "9990999"])
def test_what_may_be_somebodys_does(value: str) -> None:
    assert not names_nobody(Identifier("HOSPA", "MR", value))


def test_who_has_a_number_is_named_by_it_and_the_stand_in_is_left_out() -> None:
    read = admitted(MRN)
    assert rightly_named(read) is read
    named = rightly_named(admitted(UNKNOWN, MRN))
    assert named is not None
    assert named.identifiers == (MRN,)


def test_who_has_none_is_named_by_the_stay_and_waits_where_that_has_none_either() -> None:
    named = rightly_named(admitted(UNKNOWN))
    assert named is not None
    assert named.identifiers == (STAY,)
    for number in (None, Identifier("HOSPA", "VN", "0")):
        assert rightly_named(admitted(UNKNOWN, visit=VisitFacts(number))) is None
    assert rightly_named(replace(admitted(UNKNOWN), visit=None)) is None


def test_a_stay_is_not_named_by_a_stand_in_but_by_its_account_where_it_has_one() -> None:
    account = Identifier("HOSPA", "AN", "A7")
    for beside, number in ((account, account), (None, None), (Identifier("HOSPA", "AN", "N/A"), None)):
        named = rightly_named(admitted(MRN, visit=VisitFacts(Identifier("HOSPA", "VN", "UNKNOWN"), account=beside)))
        assert named is not None
        assert named.visit == VisitFacts(number)


@pytest.mark.parametrize(
    "said",
    [
        {"prior_identifiers": (UNKNOWN,)},
        {"other_patient": (UNKNOWN,)},
        {"parent": UNKNOWN},
        {"renames": (Rename(Identifier("HOSPA", "VN", "0"), STAY),)},
        {"moved_account": Identifier("HOSPA", "AN", "0")},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_merge_a_move_or_a_link_of_nobody_waits(said: dict[str, object]) -> None:
    assert rightly_named(replace(admitted(MRN), **said)) is None  # type: ignore[arg-type]


def test_a_merge_into_nobody_waits() -> None:
    assert rightly_named(replace(admitted(UNKNOWN), prior_identifiers=(MRN,))) is None
