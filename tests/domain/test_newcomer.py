"""Who of a batch meets nobody of it, and so may be a newcomer."""

import json
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.newcomer import ClaimsOfRows, locks_of, newcomer_of, newcomers_among
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


CELL = {
    "birth_date": st.sampled_from(["1980-01-02", "1900-01-01"]),
    "coordinator": st.just("Doe"),
    "first_name": st.sampled_from(["Ann", "Baby", "José", '"A"']),
    "hospice_from": st.just("2026-01-02"),
    "last_name": st.sampled_from(["Alder", "Doe", "Unknown"]),
    "medicaid_id": st.sampled_from(["1", "80001"]),
    "member_id": st.sampled_from(["1", "M1"]),
    "member_id_system": st.sampled_from(["ACME", "STATE"]),
    "mrn": st.sampled_from(["1", "C1"]),
    "mrn_system": st.sampled_from(["ACME", "HOSP"]),
    "phone": st.just("207-555-0101"),
    "phone2": st.sampled_from(["207-555-0102", "none"]),
    "program": st.just("BHH"),
    "sex": st.sampled_from("FMU"),
}
NUMBERS = ("medicaid_id", "member_id", "mrn")
NAMED = ("last_name", "first_name", "birth_date", "sex")


@given(cells=st.fixed_dictionaries({}, optional=CELL), columns=st.sampled_from([frozenset(CELL), frozenset(CELL) - {"phone2"}]))
def test_a_plain_row_comes_to_what_any_other_would(cells: dict[str, str], columns: frozenset[str]) -> None:
    """Without a claim made of it; and which rows are plain."""
    cells = {name: cells[name] for name in sorted(columns.intersection(cells))}
    if not any(name in cells for name in (*NUMBERS, "sex")):
        return
    cells = {name: cells.get(name, "F") for name in sorted({*cells, *NAMED})}
    claims = ClaimsOfRows(UUID(int=7), datetime(2026, 3, 2, tzinfo=UTC), columns, is_doubted=True)
    found, one = claims.plain(9, cells), newcomer_of(9, claims.whole(9, cells))
    own_lock, *further = (lock for lock in (one.own_lock(), *(lock for _, lock in one.further_locks())) if lock is not None)
    assert {own_lock, *further, *({one.demographic_key} - {None})} == set(one.locks())
    assert (found is not None) == ("phone2" not in columns and sum(name in cells for name in NUMBERS) == 1)
    if found is not None:
        own, lock, key, said = found
        assert (own, lock, key) == (one.claim.own, one.own_lock(), one.demographic_key)
        assert (one.is_numbered, one.is_named_by_number, [*one.further]) == (True, True, [])
        # As a text, because the order of the facts is stored too.
        assert json.dumps(said) == json.dumps({one.claim.sort_key: one.claim.facts})
