"""Who of a batch meets nobody of it, and so may be a newcomer."""

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.newcomer import locks_of, newcomers_among
from app.domain.person import RecordClaim, demographic_key
from app.domain.shared_identifier import ANY_AUTHORITY

ANN = {"first_name": "Ann", "last_name": "Alder", "birth_date": "1980-01-02", "sex": "F"}
BEN = {"first_name": "Ben", "last_name": "Birch", "birth_date": "1981-02-03", "sex": "M"}
CLEO = {"first_name": "Cleo", "last_name": "Cedar", "birth_date": "1982-03-04", "sex": "F"}
MEDICAID = IdentifierType.MEDICAID.value


def _claim(own: Identifier, facts: dict[str, str], *more: Identifier) -> RecordClaim:
    return RecordClaim("home", own, (own, *more), "1", facts)


def _numbers(*claims: RecordClaim) -> list[int]:
    return [one.number for one in newcomers_among(enumerate(claims, 2))]


def test_who_shares_nothing_is_one() -> None:
    assert _numbers(_claim(Identifier("A", "", "1"), ANN), _claim(Identifier("A", "", "2"), BEN)) == [2, 3]


def test_two_rows_of_one_number_are_none_and_the_third_is() -> None:
    twice = _claim(Identifier("A", "", "1"), ANN)
    assert _numbers(twice, twice._replace(facts=BEN), _claim(Identifier("A", "", "2"), CLEO)) == [4]


def test_a_shared_medicaid_number_counts_whichever_authority_writes_it() -> None:
    one = _claim(Identifier("A", "", "1"), ANN, Identifier("STATE", MEDICAID, "M1"))
    other = _claim(Identifier("A", "", "2"), BEN, Identifier(ANY_AUTHORITY, MEDICAID, "M1"))
    assert _numbers(one, other) == []


def test_shared_demographics_count_and_missing_ones_do_not() -> None:
    nameless = {"last_name": "Cedar"}
    same = [_claim(Identifier("A", "", "1"), ANN), _claim(Identifier("A", "", "2"), {**ANN, "first_name": "ANN"})]
    assert _numbers(*same, _claim(Identifier("A", "", "3"), nameless), _claim(Identifier("A", "", "4"), nameless)) == [4, 5]


def test_a_placeholder_is_shared_by_everybody_and_is_no_ground() -> None:
    nines = Identifier("A", "SS", "999-99-9999")
    found = newcomers_among(enumerate([_claim(Identifier("A", "", "1"), ANN, nines), _claim(Identifier("A", "", "2"), BEN, nines)]))
    assert len(found) == 2
    assert all(nines in one.identifiers and ("A", "999-99-9999") not in one.names for one in found)


def test_what_is_locked_is_what_others_would_lock_for_the_same_patient() -> None:
    """The number, whatever its type and source, and the demographics."""
    (mine,) = newcomers_among([(2, _claim(Identifier("A", "MR", "1"), ANN))])
    (theirs,) = newcomers_among([(2, RecordClaim("adt", Identifier("A", "PI", "1"), (Identifier("A", "PI", "1"),), "1", BEN))])
    assert len(set(mine.locks()) & set(theirs.locks())) == 1
    assert demographic_key(ANN) in mine.locks()
    assert locks_of([mine, theirs]) == {*mine.locks(), *theirs.locks()}


def test_who_is_named_by_no_number_is_locked_by_the_name() -> None:
    named_by_the_row = RecordClaim("home", Identifier("", "ROW", "0123"), (), "1", {"last_name": "Cedar"})
    (one,) = newcomers_among([(2, named_by_the_row)])
    assert len(one.locks()) == 1
    assert one.locks() != newcomers_among([(2, named_by_the_row._replace(source="other"))])[0].locks()
