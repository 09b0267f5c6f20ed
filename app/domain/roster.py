"""A roster: the file in which an organization lists its panel. Its columns, the words in its cells, and what can be wrong with it.

An error names row, column and remedy and never repeats a value, because values are patient data. Not here: one row as a whole
(roster_row), bytes, delimiters and quotes (adapters/files), what an accepted row changes (panel).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from app.domain.attribution import Role
from app.domain.organization import OrganizationKind

REQUIRED_COLUMNS: Final = ("last_name", "birth_date", "program", "effective_from")

FACT_COLUMNS: Final = (
    "first_name",
    "middle_name",
    "last_name",
    "suffix",
    "birth_date",
    "sex",
    "phone",
    "address",
    "city",
    "state",
    "zip",
    "race",
    "ethnicity",
    "language",
)
"""What a roster says about the person; the names are those of `adt_event.PersonFacts`."""

MEASURE_COLUMNS: Final = ("dual_status", "geography", "hospice_from", "death_date")
"""What a roster says about the person that measures ask for, beside what hospitals say too."""
DATE_COLUMNS: Final = ("hospice_from", "death_date")
"""Optional dates: one that is none is left out with a warning, for it is no reason not to tell of the person."""

COLUMNS: Final = frozenset(
    {
        *FACT_COLUMNS,
        *MEASURE_COLUMNS,
        "member_id",
        "member_id_system",
        "medicaid_id",
        "mrn",
        "mrn_system",
        "ssn4",
        "program",
        "role",
        "basis",
        "effective_from",
        "effective_to",
        "coordinator",
        "plan_id",
        "site",
        "foster_care",
        "medicaid_expansion",
        "mh_benefit",
        "payer_line",
        "phone2",
        "phone_owner",
        "safe_contact",
        "no_voicemail",
        "interpreter",
        "guardian_name",
        "guardian_relation",
        "guardian_phone",
        "risk_tier",
        "consent_type",
        "consent_signed_on",
        "consent_expires_on",
        "consent_scope",
        "consent_document_id",
        "change_type",
    }
)
"""The columns that mean something (DESIGN section 6). Others are reported and kept with the row."""

IGNORED_COLUMN: Final = "errors"
"""What we add to refused rows; it may come back with them."""

ALIASES: Final[Mapping[str, str]] = {
    "dob": "birth_date",
    "date_of_birth": "birth_date",
    "birthdate": "birth_date",
    "firstname": "first_name",
    "given_name": "first_name",
    "middle_initial": "middle_name",
    "lastname": "last_name",
    "family_name": "last_name",
    "surname": "last_name",
    "name_suffix": "suffix",
    "gender": "sex",
    "zip_code": "zip",
    "zipcode": "zip",
    "postal_code": "zip",
    "phone_number": "phone",
    "medicaid_number": "medicaid_id",
    "medical_record_number": "mrn",
    "ssn_last4": "ssn4",
    "start_date": "effective_from",
    "effective_date": "effective_from",
    "end_date": "effective_to",
    "term_date": "effective_to",
    "care_coordinator": "coordinator",
    "action": "change_type",
    "change_code": "change_type",
    "changetype": "change_type",
    "record_action": "change_type",
    "maintenance_type_code": "change_type",
    "attribution_basis": "basis",
    "attribution_source": "basis",
}
"""Names that rosters of the field use for ours (ATR-2); one counts only where the file has no column of the right name."""

IDENTIFIER_COLUMNS: Final = ("member_id", "medicaid_id", "mrn")
IDENTIFIER_CHARACTERS_MAX: Final = 100

SEXES: Final[Mapping[str, str]] = {
    **{code: code for code in ("M", "F", "O", "U", "A", "N")},
    "MALE": "M",
    "FEMALE": "F",
    "OTHER": "O",
    "X": "O",
    "NONBINARY": "O",
    "UNKNOWN": "U",
    "AMBIGUOUS": "A",
    "NOT APPLICABLE": "N",
}
"""HL7 2.5.1 table 0001, and the words for it. X is what driving licences print."""

ROLE_ALIASES: Final[Mapping[str, Role]] = {
    **{role.value: role for role in Role},
    "hh": Role.HEALTH_HOME,
    "bhh": Role.BEHAVIORAL_HEALTH_HOME,
    "bhho": Role.BEHAVIORAL_HEALTH_HOME,
    "behavioural_health_home": Role.BEHAVIORAL_HEALTH_HOME,
    "mco": Role.PLAN,
    "payer": Role.PLAN,
    "primary_care_provider": Role.PCP,
    "primary_care": Role.PCP,
    "cct": Role.CARE_TEAM,
}

DEFAULT_ROLES: Final[Mapping[OrganizationKind, Role]] = {
    OrganizationKind.HEALTH_HOME: Role.HEALTH_HOME,
    OrganizationKind.BEHAVIORAL_HEALTH_HOME: Role.BEHAVIORAL_HEALTH_HOME,
    OrganizationKind.PLAN: Role.PLAN,
    OrganizationKind.HOSPITAL: Role.CARE_TEAM,
    OrganizationKind.AGENCY: Role.CARE_TEAM,
    OrganizationKind.HIE: Role.CARE_TEAM,
}


class RowErrorCode(StrEnum):
    """Why a row, or a whole file, is not taken, or what is odd about it. Never reused for something else."""

    NO_HEADER = "no_header"
    NOT_CSV = "not_csv"
    COLUMN_MISSING = "column_missing"
    COLUMN_TWICE = "column_twice"
    TOO_MANY_COLUMNS = "too_many_columns"
    CELL_COUNT = "cell_count"
    CELL_TOO_LONG = "cell_too_long"
    QUOTE_NOT_CLOSED = "quote_not_closed"
    NUL_BYTE = "nul_byte"
    ENCODING = "encoding"
    MISSING = "missing"
    NOT_A_DATE = "not_a_date"
    DATE_OUT_OF_RANGE = "date_out_of_range"
    ENDS_BEFORE_START = "ends_before_start"
    UNKNOWN_ROLE = "unknown_role"
    NO_IDENTIFIER = "no_identifier"
    BAD_IDENTIFIER = "bad_identifier"
    NOT_A_PHONE = "not_a_phone"
    NOT_YES_OR_NO = "not_yes_or_no"
    BAD_TEXT = "bad_text"
    UNKNOWN_CHANGE = "unknown_change"
    UNKNOWN_CONSENT = "unknown_consent"
    NOT_ON_PANEL = "not_on_panel"
    OTHER_PERSON = "other_person"
    SEVERAL_PEOPLE = "several_people"
    CONTRADICTED = "contradicted"
    NUMBER_OF_ANOTHER = "number_of_another"
    # Of encounter and pharmacy files.
    BAD_CODE = "bad_code"
    BAD_NDC = "bad_ndc"
    BAD_NUMBER = "bad_number"
    UNKNOWN_CLAIM_TYPE = "unknown_claim_type"
    NOTHING_GIVEN = "nothing_given"
    REPLACES_NOTHING = "replaces_nothing"
    VERSION_TAKEN = "version_taken"
    NOT_A_MEMBER = "not_a_member"
    NOT_FHIR = "not_fhir"
    NOT_A_CLAIM = "not_a_claim"
    NOT_PARQUET = "not_parquet"
    # From here on warnings: the row is taken.
    PLACEHOLDER_IDENTIFIER = "placeholder_identifier"
    SYSTEM_MISSING = "system_missing"
    UNKNOWN_SEX = "unknown_sex"
    UNKNOWN_PROGRAM = "unknown_program"
    REPEATED_ROW = "repeated_row"
    OVERRIDDEN_ROW = "overridden_row"
    ADDED_BEFORE = "added_before"
    NOT_YET_ADDED = "not_yet_added"
    MRN_OF_ANOTHER = "mrn_of_another"


_DATE_REMEDY: Final = "Write YYYY-MM-DD; MM/DD/YYYY and YYYYMMDD are read too."

MESSAGES: Final[Mapping[RowErrorCode, str]] = {
    RowErrorCode.UNKNOWN_CONSENT: "Expected tpo, named or refusal; an empty cell asserts nothing.",
    RowErrorCode.CELL_COUNT: (
        "The row has more or fewer cells than the header. Quote cells that contain the delimiter, and send empty cells too."
    ),
    RowErrorCode.CELL_TOO_LONG: "A cell is too long to be one of a roster. Check for a missing line end or delimiter, or shorten it.",
    RowErrorCode.QUOTE_NOT_CLOSED: (
        "A quotation mark opens in this line and does not close where it should. Close it, or double it if it is part of the text."
    ),
    RowErrorCode.NUL_BYTE: "The row contains a NUL byte. Export the file again as plain CSV in UTF-8.",
    RowErrorCode.ENCODING: "The row contains bytes that are no text in this file's encoding. Export the file again in UTF-8.",
    RowErrorCode.MISSING: "The cell is empty and must not be.",
    RowErrorCode.NOT_A_DATE: f"The cell is not a date. {_DATE_REMEDY}",
    RowErrorCode.DATE_OUT_OF_RANGE: "The date cannot be right: check the year.",
    RowErrorCode.ENDS_BEFORE_START: (
        "effective_to is before effective_from. It is the first day on which the claim no longer holds; leave it empty while it holds."
    ),
    RowErrorCode.UNKNOWN_ROLE: f"The role is not one of {', '.join(Role)}. Leave it empty to take the default of your organization.",
    RowErrorCode.NO_IDENTIFIER: "Nothing tells who this is. Give member_id, medicaid_id or mrn, or both first_name and sex.",
    RowErrorCode.BAD_IDENTIFIER: (
        f"The cell is no identifier: it has control characters or more than {IDENTIFIER_CHARACTERS_MAX} characters."
    ),
    RowErrorCode.NOT_A_PHONE: "The cell is no telephone number. Write it with its area code, or none.",
    RowErrorCode.NOT_YES_OR_NO: "The cell is neither yes nor no. Write Y or N, or leave it empty.",
    RowErrorCode.BAD_TEXT: "The cell has control characters or is too long for its column. Shorten it.",
    RowErrorCode.UNKNOWN_CHANGE: "The change type is not add, change, remove or unchanged. Leave it empty where the row adds or changes.",
    RowErrorCode.NOT_ON_PANEL: (
        "The row removes somebody of whom the panel has no such claim. Nothing was ended. Check the number, its system, program, role "
        "and effective_from; leave the last three empty to end every claim on the person."
    ),
    RowErrorCode.OTHER_PERSON: (
        "The row removes somebody with another birth_date than the panel has under this number. Nothing was ended. Check the number."
    ),
    RowErrorCode.SEVERAL_PEOPLE: "The number of this row is that of several people on the panel. Nothing was ended. Give their member_id.",
    RowErrorCode.CONTRADICTED: (
        "The row removes what another row of the file says is on the panel. Nothing was ended. Keep the row that is right."
    ),
    RowErrorCode.NUMBER_OF_ANOTHER: (
        "The number by which the row names the person is that of somebody else by name, birth date and sex, or of a newborn's mother. Give"
        " this person a number of their own; where all of it is a correction of the same person, upload with force."
    ),
    RowErrorCode.MRN_OF_ANOTHER: (
        "The mrn is not this person's by name and birth date: the hospital's stays under it are not told to you. Check the number."
    ),
    RowErrorCode.ADDED_BEFORE: "The row adds a claim that was on the panel already; it was taken as a change.",
    RowErrorCode.NOT_YET_ADDED: "The row changes a claim that was not on the panel; it was added, so that nobody goes untold.",
    RowErrorCode.PLACEHOLDER_IDENTIFIER: "The cell holds a placeholder, not an identifier, and was read as empty. Leave it empty.",
    RowErrorCode.SYSTEM_MISSING: (
        "The number names no assigning authority, so it is taken as your organization's own and equals no hospital's. Give its system."
    ),
    RowErrorCode.UNKNOWN_SEX: "The sex is not M, F, O, U, A or N (HL7 table 0001) and was left out of the facts about the person.",
    RowErrorCode.UNKNOWN_PROGRAM: "The program is not one we know, so the clocks of the default program will run. Check its name.",
}


@dataclass(frozen=True, slots=True, order=True)
class RowError:
    """What is wrong (or odd) where, and what to do. `row` is the line of the file, the header's being 1."""

    row: int
    column: str
    """Name of the column as we know it; empty where it is the whole row."""
    code: RowErrorCode
    message: str


class RosterRefusedError(Exception):
    """The file as a whole cannot be read as a roster; nothing of it was taken. `errors` say why and what to do."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("; ".join(f"{error.code}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class RawRow(NamedTuple):
    """The cells of one row as they stand in the file. A tuple, because a roster has a million."""

    number: int
    """The line of the file on which the row begins."""
    cells: list[str]
    problem: RowErrorCode | None = None
    where: str = ""
    """Why the reader could not cut it into cells, and in which part of a form without columns."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The header, understood."""

    header: tuple[str, ...]
    """As sent."""
    names: tuple[str, ...]
    """Our name of each column; empty for one that is ignored."""
    unknown: tuple[str, ...]


def column_name(text: str) -> str:
    """Give the name of a header cell without case, punctuation and control characters: `Birth Date` is `birth_date`."""
    return re.sub(r"[^0-9a-z]+", "_", text.casefold()).strip("_")


def recognised_columns(header: Sequence[str]) -> int:
    """Count the header cells that mean something: how the delimiter is guessed, and whether this is a header at all."""
    return sum(1 for name in map(column_name, header) if name in COLUMNS or name in ALIASES)


COLUMNS_MAX: Final = 250


def layout_of(header: Sequence[str], *, row: int = 1) -> Layout:
    """Understand a header, or refuse the file. Unknown columns are kept; an empty name becomes `column_7`."""
    names = [column_name(cell) or f"column_{place}" for place, cell in enumerate(header, 1)]
    names = [alias if (alias := ALIASES.get(name)) is not None and alias not in names else name for name in names]
    errors = [
        RowError(row, name, RowErrorCode.COLUMN_TWICE, f"The header names {name} more than once. Keep one column of that name.")
        for name, times in Counter(names).items()
        if times > 1
    ]
    errors += [
        RowError(row, name, RowErrorCode.COLUMN_MISSING, f"The header has no column {name}. Add it: every row needs one.")
        for name in REQUIRED_COLUMNS
        # A file of removals names people and no more; its other rows say themselves what they lack.
        if name not in names and "change_type" not in names
    ]
    if not {*IDENTIFIER_COLUMNS} & {*names} and not {"first_name", "sex"} <= {*names}:
        message = "The header has no column that tells who a row is about. Add member_id, medicaid_id or mrn, or both first_name and sex."
        errors.append(RowError(row, "member_id", RowErrorCode.COLUMN_MISSING, message))
    if len(names) > COLUMNS_MAX:
        errors = [
            RowError(
                row, "", RowErrorCode.TOO_MANY_COLUMNS, f"The header has more than {COLUMNS_MAX} columns. Send only those of a roster."
            )
        ]
    if errors:
        raise RosterRefusedError(errors)
    unknown = tuple(name for name in names if name not in COLUMNS and name != IGNORED_COLUMN)
    return Layout(tuple(header), tuple("" if name == IGNORED_COLUMN else name for name in names), unknown)


_DAY_ISO: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
_DAY_US: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: 0?0:00(?::00)?)?", re.ASCII)
_DAY_DIGITS: Final = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)


@lru_cache(maxsize=1 << 16)
def read_day(text: str) -> date | None:
    """Read a date as rosters write them; None when it is none. A time of midnight, which exports add, is let pass.

    Cached: a roster of a million rows has some 40,000 different dates.
    """
    if found := _DAY_ISO.fullmatch(text) or _DAY_DIGITS.fullmatch(text):
        year, month, day = found.groups()
    elif found := _DAY_US.fullmatch(text):
        month, day, year = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 12)
def program_key(text: str) -> str:
    """Give a program's name for comparing: upper case, words joined by one underscore (`MaineCare BHH` -> `MAINECARE_BHH`)."""
    return re.sub(r"[^0-9A-Z]+", "_", text.upper()).strip("_") or text.upper()


@lru_cache(maxsize=1 << 10)
def read_role(text: str) -> Role | None:
    """Read a role by its name or a usual short form."""
    return ROLE_ALIASES.get(column_name(text))
