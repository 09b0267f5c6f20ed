"""One row of a roster: what is taken, what is refused and why, and what makes two rows the same claim. Table in, table out."""

from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.adt_event import Identifier
from app.domain.organization import OrganizationKind
from app.domain.person import demographic_key
from app.domain.roster import RawRow, RowErrorCode, layout_of
from app.domain.roster_row import RefusedRow, RosterRow, RowReader, claim_of_row, own_id
from tests.support.rosters import make_organization

ORGANIZATION = make_organization(7, OrganizationKind.PLAN)
OWN = str(ORGANIZATION.id).upper()
TODAY = date(2026, 3, 2)
GOOD = {
    "member_id": "M1",
    "member_id_system": "acme",
    "first_name": "Testa",
    "last_name": "Sample",
    "birth_date": "1980-02-29",
    "sex": "F",
    "program": "BHH",
    "effective_from": "2026-01-01",
}


def _reader(names: list[str], kind: OrganizationKind = OrganizationKind.PLAN) -> RowReader:
    return RowReader(layout_of(names), make_organization(7, kind), TODAY)


def _read(cells: dict[str, str], kind: OrganizationKind = OrganizationKind.PLAN) -> RosterRow | RefusedRow:
    return _reader([*cells], kind).read(RawRow(2, [*cells.values()]))


def _taken(cells: dict[str, str], kind: OrganizationKind = OrganizationKind.PLAN) -> RosterRow:
    row = _read(cells, kind)
    assert isinstance(row, RosterRow), row
    return row


def _faults(cells: dict[str, str]) -> set[tuple[str, str]]:
    row = _read(cells)
    assert isinstance(row, RefusedRow), row
    assert {error.row for error in row.errors} == {2}
    return {(error.column, error.code.value) for error in row.errors}


def test_a_good_row_is_taken_in_one_form() -> None:
    row = _taken(
        GOOD
        | {
            "birth_date": "2/29/1980",
            "effective_from": "20260101",
            "effective_to": "2026-07-01",
            "role": " bhh ",
            "zip": " 04330 ",
            "city": "",
        }
    )
    assert (row.number, row.program, row.role) == (2, "BHH", "behavioral_health_home")
    assert (row.effective_from, row.effective_to) == (date(2026, 1, 1), date(2026, 7, 1))
    assert row.cells["birth_date"] == "1980-02-29"
    assert row.cells["member_id_system"] == "ACME"
    assert row.cells["zip"] == "04330"
    assert not {"city", "effective_to"} & {*row.cells}


@pytest.mark.parametrize(
    ("kind", "role"),
    [("health_home", "health_home"), ("behavioral_health_home", "behavioral_health_home"), ("plan", "plan"), ("hospital", "care_team")],
)
def test_the_role_defaults_from_the_kind_of_organization(kind: str, role: str) -> None:
    assert _taken(GOOD, OrganizationKind(kind)).role == role


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"last_name": " "}, {("last_name", "missing")}),
        ({"birth_date": ""}, {("birth_date", "missing")}),
        ({"birth_date": "29.02.1980"}, {("birth_date", "not_a_date")}),
        ({"birth_date": "2026-03-03"}, {("birth_date", "date_out_of_range")}),
        ({"birth_date": "1880-01-01"}, {("birth_date", "date_out_of_range")}),
        ({"program": ""}, {("program", "missing")}),
        ({"effective_from": "soon"}, {("effective_from", "not_a_date")}),
        ({"effective_from": "0206-01-01"}, {("effective_from", "date_out_of_range")}),
        ({"effective_to": "2025-12-31"}, {("effective_to", "ends_before_start")}),
        ({"effective_to": "?"}, {("effective_to", "not_a_date")}),
        ({"role": "janitor"}, {("role", "unknown_role")}),
        ({"member_id": "M" * 101}, {("member_id", "bad_identifier")}),
        ({"member_id": "M\n1"}, {("member_id", "bad_identifier")}),
        ({"member_id_system": "A\x07"}, {("member_id_system", "bad_identifier")}),
        ({"member_id": "", "sex": ""}, {("member_id", "no_identifier")}),
        ({"member_id": "n/a", "first_name": ""}, {("member_id", "no_identifier")}),
        ({"member_id": "", "sex": "maybe"}, {("member_id", "no_identifier")}),
        ({"member_id": "", "last_name": "---"}, {("member_id", "no_identifier")}),
        (
            {"last_name": "", "birth_date": "x", "program": "", "effective_from": "", "role": "x"},
            {
                ("last_name", "missing"),
                ("birth_date", "not_a_date"),
                ("program", "missing"),
                ("effective_from", "missing"),
                ("role", "unknown_role"),
            },
        ),
    ],
)
def test_a_bad_row_is_refused_with_every_reason_at_once(change: dict[str, str], faults: set[tuple[str, str]]) -> None:
    assert _faults(GOOD | change) == faults


@given(st.dictionaries(st.sampled_from([*GOOD, "effective_to", "role", "mrn"]), st.text(max_size=12)))
def test_no_error_repeats_a_value(change: dict[str, str]) -> None:
    marked = {name: f"Zq7{text}" for name, text in change.items()}
    row = _read(GOOD | marked)
    if isinstance(row, RefusedRow):
        assert "Zq7" not in "".join(f"{error.column}{error.code}{error.message}" for error in row.errors)


@pytest.mark.parametrize("ending", ["2026-01-01", "2099-01-01"])
def test_an_end_on_the_first_day_is_an_empty_span_and_allowed(ending: str) -> None:
    """By delta, that is how a claim made by mistake is taken back."""
    assert _taken(GOOD | {"effective_to": ending}).effective_to == date.fromisoformat(ending)


def test_an_end_in_the_far_future_is_none() -> None:
    assert _taken(GOOD | {"effective_to": "12/31/9999"}).effective_to is None


@pytest.mark.parametrize(
    ("cells", "own"),
    [
        ({"member_id": "M1", "member_id_system": "ACME", "medicaid_id": "MC1"}, Identifier("ACME", "", "M1")),
        ({"member_id": "M1"}, Identifier(OWN, "", "M1")),
        ({"medicaid_id": "MC1", "mrn": "5"}, Identifier("", "MA", "MC1")),
        ({"mrn": "5", "mrn_system": "HOSPA"}, Identifier("HOSPA", "MR", "5")),
        ({"mrn": "5"}, Identifier(OWN, "MR", "5")),
        ({"last_name": "Sample", "first_name": "Testa", "birth_date": "1980-01-01"}, None),
    ],
)
def test_the_first_identifier_names_the_record(cells: dict[str, str], own: Identifier | None) -> None:
    assert own_id(cells, ORGANIZATION.id) == own


def test_without_an_identifier_the_demographics_name_the_record() -> None:
    cells = {"first_name": "José", "last_name": "O'Sample", "birth_date": "1980-01-01", "sex": "M"}
    own = own_id(cells, ORGANIZATION.id)
    assert own is not None
    assert own.type == "ROW"
    assert own == own_id(cells | {"first_name": "JOSE", "last_name": "o sample"}, ORGANIZATION.id)
    for name in cells:
        assert own_id(cells | {name: "1980-01-02" if name == "birth_date" else "X"}, ORGANIZATION.id) != own


def test_a_claim_carries_every_identifier_and_the_facts() -> None:
    row = _taken(
        GOOD | {"medicaid_id": "MC1", "mrn": "77", "mrn_system": "hospa", "phone": "207-555-0100", "ssn4": "219-45-6781", "suffix": "Jr"}
    )
    claim = claim_of_row(row.cells, ORGANIZATION.id, "key")
    assert claim.source == str(ORGANIZATION.id)
    assert claim.own == Identifier("ACME", "", "M1")
    assert claim.identifiers == (Identifier("ACME", "", "M1"), Identifier("", "MA", "MC1"), Identifier("HOSPA", "MR", "77"))
    assert claim.facts == {
        "first_name": "Testa",
        "last_name": "Sample",
        "birth_date": "1980-02-29",
        "sex": "F",
        "phone": "207-555-0100",
        "suffix": "Jr",
        "ssn4": "6781",
    }
    assert "ssn4" not in claim_of_row(row.cells | {"ssn4": "9999"}, ORGANIZATION.id, "key").facts
    assert demographic_key(claim.facts) == demographic_key(
        {"first_name": "TESTA", "last_name": "sample", "birth_date": "1980-02-29", "sex": "F"}
    )


def test_a_record_named_by_its_demographics_has_no_identifier() -> None:
    row = _taken({name: text for name, text in GOOD.items() if not name.startswith("member_id")})
    claim = claim_of_row(row.cells, ORGANIZATION.id, "key")
    assert claim.identifiers == ()
    assert claim.own.type == "ROW"


def test_only_an_accepted_row_makes_a_claim() -> None:
    with pytest.raises(ValueError, match="accepted"):
        claim_of_row({"last_name": "Sample"}, ORGANIZATION.id, "key")


@pytest.mark.parametrize(
    ("change", "is_same_claim", "is_same_content"),
    [
        ({}, True, True),
        ({"program": "bhh "}, True, False),
        ({"birth_date": "02/29/1980"}, True, True),
        ({"birth_date": "1980-02-28"}, True, False),
        ({"coordinator": "Somebody Else"}, True, False),
        ({"favourite_colour": "green"}, True, False),
        ({"effective_to": "2026-07-01"}, True, True),
        ({"sex": "female"}, True, True),
        ({"member_id_system": "ACME"}, True, True),
        ({"effective_from": "2026-01-02"}, False, False),
        ({"program": "HH"}, False, False),
        ({"role": "pcp"}, False, False),
        ({"member_id": "M2"}, False, False),
        ({"member_id_system": "OTHER"}, False, False),
    ],
)
def test_what_makes_two_rows_the_same_claim_and_the_same_content(
    change: dict[str, str], is_same_claim: bool, is_same_content: bool
) -> None:
    names = [*GOOD, "coordinator", "favourite_colour", "effective_to", "role"]
    reader = _reader(names)
    one, other = (reader.read(RawRow(2, [cells.get(name, "") for name in names])) for cells in (GOOD, GOOD | change))
    assert isinstance(one, RosterRow)
    assert isinstance(other, RosterRow)
    assert (one.row_key == other.row_key, one.row_hash == other.row_hash) == (is_same_claim, is_same_content)


def test_the_order_of_the_columns_and_empty_columns_change_nothing() -> None:
    first = _taken(GOOD)
    for names in [*permutations(GOOD)][::5039]:
        again = _taken({name: GOOD[name] for name in names} | {"coordinator": "", "something_else": " "})
        assert (again.row_key, again.row_hash, again.cells) == (first.row_key, first.row_hash, first.cells)


@given(
    st.lists(st.text(alphabet="ab|\x1f\x1e,", max_size=4), min_size=2, max_size=2),
    st.lists(st.text(alphabet="ab|\x1f\x1e,", max_size=4), min_size=2, max_size=2),
)
def test_cells_cannot_run_into_each_other(left: list[str], right: list[str]) -> None:
    one = _taken(GOOD | {"city": left[0], "state": left[1]})
    other = _taken(GOOD | {"city": right[0], "state": right[1]})
    assert (one.row_hash == other.row_hash) == (one.cells == other.cells)


def test_odd_things_are_one_warning_each_with_their_number() -> None:
    names = [*GOOD, "medicaid_id", "mrn"]
    reader = _reader(names)
    for number in range(2, 7):
        cells: dict[str, Any] = GOOD | {"medicaid_id": "999999999", "sex": "?", "mrn": "5" if number > 4 else ""}
        assert isinstance(reader.read(RawRow(number, [cells[name] for name in names])), RosterRow)
    assert [(warning.row, warning.column, warning.code.value) for warning in reader.warnings()] == [
        (2, "medicaid_id", "placeholder_identifier"),
        (2, "sex", "unknown_sex"),
        (5, "mrn_system", "system_missing"),
    ]
    assert "Rows: 5;" in reader.warnings()[0].message
    assert "Rows: 2;" in reader.warnings()[2].message


def test_a_program_nobody_knows_is_taken_with_a_warning() -> None:
    reader = RowReader(layout_of([*GOOD]), ORGANIZATION, TODAY, {"BHH", "TCM"}.__contains__)
    for number, program in enumerate(["BHH", "BHX", "TCM", "BHX"], 2):
        assert isinstance(reader.read(RawRow(number, [*(GOOD | {"program": program}).values()])), RosterRow)
    assert [(warning.row, warning.column, warning.code.value) for warning in reader.warnings()] == [(3, "program", "unknown_program")]
    assert "Rows: 2;" in reader.warnings()[0].message


def test_a_refused_row_still_tells_whose_it_is_where_that_can_be_read() -> None:
    row = _read(GOOD | {"birth_date": "?"})
    assert isinstance(row, RefusedRow)
    assert row.own == Identifier("ACME", "", "M1")
    assert row.cells[0] == "M1"


@pytest.mark.parametrize("problem", [RowErrorCode.ENCODING, RowErrorCode.NUL_BYTE, RowErrorCode.CELL_COUNT])
def test_what_the_reader_could_not_cut_is_refused_for_that_reason_alone(problem: RowErrorCode) -> None:
    cells = [*GOOD.values()] if problem is not RowErrorCode.CELL_COUNT else ["M1"]
    row = _reader([*GOOD]).read(RawRow(9, cells, problem))
    assert isinstance(row, RefusedRow)
    assert [(error.row, error.column, error.code) for error in row.errors] == [(9, "", problem)]
    assert (row.own is None) == (problem is RowErrorCode.CELL_COUNT)
