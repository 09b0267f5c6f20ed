"""The vocabulary of rosters: headers, dates, roles, placeholders. Table in, table out."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.attribution import Role
from app.domain.organization import OrganizationKind
from app.domain.roster import (
    ALIASES,
    COLUMNS,
    DEFAULT_ROLES,
    MESSAGES,
    REQUIRED_COLUMNS,
    RosterRefusedError,
    RowErrorCode,
    column_name,
    layout_of,
    program_key,
    read_day,
    read_role,
    recognised_columns,
)
from app.domain.stand_in import is_no_number

MINIMAL = ("member_id", "last_name", "birth_date", "program", "effective_from")


def _errors(header: list[str] | tuple[str, ...]) -> set[tuple[str, str]]:
    with pytest.raises(RosterRefusedError) as refused:
        layout_of(header)
    return {(error.column, error.code.value) for error in refused.value.errors}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Birth Date", "birth_date"),
        (" BIRTH-DATE ", "birth_date"),
        ("member.id", "member_id"),
        ("SSN4", "ssn4"),
        ("", ""),
        ("\ufeffZip", "zip"),
    ],
)
def test_header_cells_are_read_without_case_and_punctuation(written: str, name: str) -> None:
    assert column_name(written) == name


def test_columns_may_come_in_any_order_and_unknown_ones_are_reported_and_kept() -> None:
    layout = layout_of(["Effective From", "PROGRAM", "favourite colour", "birth_date", "Last_Name", "", "member_id"])
    assert layout.names == ("effective_from", "program", "favourite_colour", "birth_date", "last_name", "column_6", "member_id")
    assert layout.unknown == ("favourite_colour", "column_6")
    assert layout.header[2] == "favourite colour"


def test_the_column_of_errors_that_comes_back_is_ignored() -> None:
    layout = layout_of([*MINIMAL, "errors"])
    assert layout.names[-1] == ""
    assert layout.unknown == ()


def test_an_alias_counts_only_where_the_right_name_is_missing() -> None:
    assert layout_of(["member_id", "surname", "DOB", "program", "start_date"]).names == MINIMAL
    both = layout_of([*MINIMAL, "dob"])
    assert both.names == (*MINIMAL, "dob")
    assert both.unknown == ("dob",)


def test_aliases_lead_to_columns() -> None:
    assert set(ALIASES.values()) <= COLUMNS
    assert not set(ALIASES) & COLUMNS
    assert set(REQUIRED_COLUMNS) <= COLUMNS


@pytest.mark.parametrize("missing", REQUIRED_COLUMNS)
def test_a_header_without_a_required_column_refuses_the_file(missing: str) -> None:
    assert _errors([name for name in MINIMAL if name != missing]) == {(missing, "column_missing")}


def test_a_header_that_names_nobody_refuses_the_file() -> None:
    assert _errors(MINIMAL[1:]) == {("member_id", "column_missing")}
    assert layout_of([*MINIMAL[1:], "first_name", "sex"])


def test_a_column_named_twice_refuses_the_file() -> None:
    assert _errors([*MINIMAL, "Program", "surname", "family name"]) == {("program", "column_twice")}
    assert _errors(["member_id", "surname", "family name", "dob", "program", "effective_from"]) == {("last_name", "column_twice")}


def test_a_header_of_thousands_of_columns_is_refused_in_one_sentence() -> None:
    assert _errors([*MINIMAL, *(f"c{number}" for number in range(5000))]) == {("", "too_many_columns")}


def test_recognised_columns_tell_a_header_from_a_row() -> None:
    assert recognised_columns([*MINIMAL, "dob", "whatever"]) == 6
    assert recognised_columns(["M1", "Sample", "1980-01-01"]) == 0


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1980-02-29", date(1980, 2, 29)),
        ("19800229", date(1980, 2, 29)),
        ("02/29/1980", date(1980, 2, 29)),
        ("2/9/1980", date(1980, 2, 9)),
        ("1980-02-29 00:00:00", date(1980, 2, 29)),
        ("1980-02-29T00:00:00.000", date(1980, 2, 29)),
        ("2/9/1980 0:00", date(1980, 2, 9)),
        ("9999-12-31", date(9999, 12, 31)),
        ("1981-02-29", None),
        ("1980-02-29 13:00:00", None),
        ("29/02/1980", None),
        ("2/9/80", None),
        ("29281", None),
        ("1980-W09-5", None),
        ("1980-2-9", None),
        ("١٩٨٠-٠٢-٢٩", None),
        ("0000-01-01", None),
        ("", None),
        ("soon", None),
    ],
)
def test_dates_are_read_as_rosters_write_them(text: str, day: date | None) -> None:
    assert read_day(text) == day


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_date_is_read_in_the_three_ways(day: date) -> None:
    assert read_day(day.isoformat()) == read_day(day.strftime("%m/%d/%Y")) == read_day(day.strftime("%Y%m%d")) == day


@given(st.text(max_size=20))
def test_no_text_makes_the_reading_of_dates_fail(text: str) -> None:
    read_day(text)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Health Home", Role.HEALTH_HOME),
        ("BHH", Role.BEHAVIORAL_HEALTH_HOME),
        ("behavioral_health_home", Role.BEHAVIORAL_HEALTH_HOME),
        ("MCO", Role.PLAN),
        ("pcp", Role.PCP),
        ("Care-Team", Role.CARE_TEAM),
        ("janitor", None),
    ],
)
def test_roles_are_read_by_name_or_short_form(text: str, role: Role | None) -> None:
    assert read_role(text) == role


def test_every_kind_of_organization_has_a_default_role() -> None:
    assert set(DEFAULT_ROLES) == set(OrganizationKind)
    assert DEFAULT_ROLES[OrganizationKind.PLAN] is Role.PLAN
    assert DEFAULT_ROLES[OrganizationKind.HOSPITAL] is Role.CARE_TEAM


@pytest.mark.parametrize(
    ("text", "key"), [("MaineCare BHH", "MAINECARE_BHH"), (" mainecare-bhh ", "MAINECARE_BHH"), ("tcm", "TCM"), ("桜", "桜")]
)
def test_programs_are_compared_without_case_and_punctuation(text: str, key: str) -> None:
    assert program_key(text) == key


@pytest.mark.parametrize("text", ["N/A", "unknown", "000000000", "999999999", "-----", "0", "tbd"])
def test_placeholders_are_no_identifiers(text: str) -> None:
    assert is_no_number(text)


@pytest.mark.parametrize("text", ["1", "11", "1111", "111112", "MC1", "NA123", "A"])
def test_short_and_plain_numbers_are_identifiers(text: str) -> None:
    assert not is_no_number(text)


def test_every_reason_for_refusing_a_row_says_what_to_do() -> None:
    of_files = {
        RowErrorCode.NO_HEADER,
        RowErrorCode.NOT_CSV,
        RowErrorCode.COLUMN_MISSING,
        RowErrorCode.COLUMN_TWICE,
        RowErrorCode.TOO_MANY_COLUMNS,
    }
    of_repetitions = {RowErrorCode.REPEATED_ROW, RowErrorCode.OVERRIDDEN_ROW}
    of_services = {
        RowErrorCode.BAD_CODE,
        RowErrorCode.BAD_NDC,
        RowErrorCode.BAD_NUMBER,
        RowErrorCode.UNKNOWN_CLAIM_TYPE,
        RowErrorCode.NOTHING_GIVEN,
        RowErrorCode.REPLACES_NOTHING,
        RowErrorCode.VERSION_TAKEN,
        RowErrorCode.NOT_A_MEMBER,
        RowErrorCode.NOT_FHIR,
        RowErrorCode.NOT_A_CLAIM,
        RowErrorCode.NOT_PARQUET,
    }
    assert set(MESSAGES) == set(RowErrorCode) - of_files - of_repetitions - of_services
    assert all(message.endswith(".") for message in MESSAGES.values())
