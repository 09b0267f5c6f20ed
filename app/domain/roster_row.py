"""One row of a roster, checked and brought into one form: taken as a claim of the panel, or refused with every reason at once.

Rows are tuples and each column is touched once, because a roster may have a million of them. Not here: the vocabulary of the
columns (roster), what an accepted row changes (panel), who the person is (matching).
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.features import ssn4_of
from app.domain.organization import Organization
from app.domain.person import NO_AUTHORITY, RecordClaim, normalised
from app.domain.roster import (
    DATE_COLUMNS,
    DEFAULT_ROLES,
    FACT_COLUMNS,
    IDENTIFIER_CHARACTERS_MAX,
    IDENTIFIER_COLUMNS,
    MEASURE_COLUMNS,
    MESSAGES,
    SEXES,
    Layout,
    RawRow,
    RowError,
    RowErrorCode,
    program_key,
    read_day,
    read_role,
)
from app.domain.roster_change import CHANGE_COLUMN, ChangeType, Removal, read_change
from app.domain.roster_consent import CONSENT_COLUMNS, check_consent
from app.domain.roster_contact import CONTACT_COLUMNS, check_contact, contact_facts
from app.domain.stand_in import is_no_number

ROW_TYPE: Final = "ROW"
"""Identifier type of a record that its roster names by nothing but the demographics."""

SYSTEM_OF: Final[Mapping[str, str]] = {"member_id": "member_id_system", "mrn": "mrn_system"}
"""Where the assigning authority of a number stands (CX-4). A Medicaid number needs none: it is the state's."""

AGE_YEARS_MAX: Final = 130
START_YEAR_MIN: Final = 1900
START_YEAR_MAX: Final = 2199
OPEN_YEAR: Final = 2999
"""Our policy: an end in this year or later (`9999-12-31`) is how some systems write that there is none."""


class RosterRow(NamedTuple):
    """A row that is taken."""

    number: int
    row_key: bytes
    """What makes two rows of one panel the same claim: who, program, role and first day."""
    row_hash: bytes
    """Of every cell but effective_to. Equal hash and equal effective_to: nothing changed."""
    program: str
    """As sent; its key is in the row key."""
    role: str
    effective_from: date
    effective_to: date | None
    coordinator: str | None
    plan_id: str | None
    cells: dict[str, str]
    """Column -> text, without empty cells, effective_to and change_type; dates in ISO, systems in upper case, sex as its code."""
    change: ChangeType | None = None
    """What the row said of itself. It decides nothing: who is on the panel, is changed, and who is not, is added."""


class RefusedRow(NamedTuple):
    """A row that is not taken."""

    number: int
    cells: list[str]
    """As sent."""
    errors: tuple[RowError, ...]
    own: Identifier | None
    """Whose row it is, where that can be read: a typing error is no reason to end that person's claims."""


Fault = tuple[str, RowErrorCode]
"""(column, what is wrong with it)."""

KnowsProgram = Callable[[str], bool]
"""Tells whether a program's name as sent leads to a program. One that does not is taken with a warning: a clock always runs."""


_NONE, _MEDICAID, _MEDICAL_RECORD = IdentifierType.NONE.value, IdentifierType.MEDICAID.value, IdentifierType.MEDICAL_RECORD.value
FACTS: Final = frozenset((*FACT_COLUMNS, *MEASURE_COLUMNS))
"""Columns whose cells are facts about the person as they stand."""


def own_id(cells: Mapping[str, str], organization_id: UUID) -> Identifier | None:
    """Give the identifier by which this roster names the person: member_id, else medicaid_id, else mrn, else the demographics.

    A number without its system is the organization's own, so that equal numbers of two organizations join nobody.
    """
    if value := cells.get("member_id"):
        return Identifier(_system(cells, "member_id", organization_id), _NONE, value)
    if value := cells.get("medicaid_id"):
        return Identifier(NO_AUTHORITY, _MEDICAID, value)
    if value := cells.get("mrn"):
        return Identifier(_system(cells, "mrn", organization_id), _MEDICAL_RECORD, value)
    parts = (
        normalised(cells.get("last_name", "")),
        normalised(cells.get("first_name", "")),
        cells.get("birth_date", ""),
        cells.get("sex", ""),
    )
    return Identifier(NO_AUTHORITY, ROW_TYPE, digest("\0".join(parts)).hex()) if all(parts) else None


def claim_of_row(cells: Mapping[str, str], organization_id: UUID, sort_key: str, *, is_doubted: bool = False) -> RecordClaim:
    """Say whom an accepted row is about."""
    own = own_id(cells, organization_id)
    if own is None:
        message = "only an accepted row makes a claim"
        raise ValueError(message)
    identifiers: tuple[Identifier, ...] = (own,) if own.type != ROW_TYPE else ()
    if own.type != _MEDICAID and (value := cells.get("medicaid_id")):
        identifiers += (Identifier(NO_AUTHORITY, _MEDICAID, value),)
    if own.type != _MEDICAL_RECORD and (value := cells.get("mrn")):
        identifiers += (Identifier(_system(cells, "mrn", organization_id), _MEDICAL_RECORD, value),)
    facts: dict[str, Any] = {name: text for name, text in cells.items() if name in FACTS}
    facts |= contact_facts(cells)
    if four := ssn4_of(cells.get("ssn4")):
        facts["ssn4"] = four
    return RecordClaim(_written(organization_id), own, identifiers, sort_key, facts, is_doubted=is_doubted)


class RowReader:
    """Reads the rows of one file for one organization. Counts what is odd, so that a million odd rows are one warning."""

    def __init__(self, layout: Layout, organization: Organization, today: date, knows_program: KnowsProgram | None = None) -> None:
        """Prepare for a header. `today` is the organization's: nobody is born after it."""
        places = sorted((name, place) for place, name in enumerate(layout.names) if name)
        self._width = len(layout.names)
        # In alphabetical order, so that the order of the columns changes no hash.
        self._names = tuple(name for name, _ in places)
        self._pick = itemgetter(*(place for _, place in places))
        self._contact_columns = tuple(name for name in CONTACT_COLUMNS if name in layout.names)
        self._consent_columns = tuple(name for name in CONSENT_COLUMNS if name in layout.names)
        self._organization_id = organization.id
        self._default_role = DEFAULT_ROLES[organization.kind].value
        self._has_changes = CHANGE_COLUMN in self._names
        self.date_columns = tuple(name for name in DATE_COLUMNS if name in self._names)
        self._born_first = date(today.year - AGE_YEARS_MAX, 1, 1)
        self._born_last = self._today = today
        self.is_known_program = lru_cache(maxsize=1 << 10)(knows_program or _any_program)
        self._oddities: dict[Fault, tuple[int, int]] = {}

    def read(self, raw: RawRow) -> RosterRow | RefusedRow | Removal:
        """Take a row or say everything that is wrong with it."""
        cells = self._named(raw)
        faults: list[Fault] = [] if raw.problem is None else [("", raw.problem)]
        change = _change(cells, faults) if self._has_changes else None
        if raw.problem is None or cells:
            self._identifiers(raw.number, cells, faults)
        if raw.problem is not None:
            return self._refused(raw, cells, faults)
        if change is ChangeType.REMOVE:
            return self._removal(raw, cells, faults)
        self._person(raw.number, cells, faults)
        self.check_more(cells, faults)
        program, starts_on, ends_on, role = self._claim(raw.number, cells, faults)
        own = own_id(cells, self._organization_id)
        if faults or own is None or program is None or starts_on is None or role is None:
            if own is None and not faults:
                faults.append(("member_id", RowErrorCode.NO_IDENTIFIER))
            return self._refused(raw, cells, faults)
        return RosterRow(
            number=raw.number,
            row_key=digest("\0".join((*own, program_key(program), role, cells["effective_from"]))),
            row_hash=digest("\0".join((*cells, "", *cells.values()))),
            program=program,
            role=role,
            effective_from=starts_on,
            effective_to=ends_on,
            coordinator=cells.get("coordinator"),
            plan_id=cells.get("plan_id"),
            cells=cells,
            change=change,
        )

    def is_birth_date(self, day: date) -> bool:
        """Tell whether somebody who lives may have been born then."""
        return self._born_first <= day <= self._born_last

    @property
    def has_more(self) -> bool:
        """Tell whether the file has columns that `check_more` looks at."""
        return bool(self._contact_columns or self._consent_columns)

    def check_more(self, cells: dict[str, str], faults: list[Fault]) -> None:
        """Check how the person is reached and what was signed, and bring it into one form."""
        if self._contact_columns:
            check_contact(cells, self._contact_columns, faults)
        if self._consent_columns:
            check_consent(cells, self._consent_columns, faults)

    def _removal(self, raw: RawRow, cells: dict[str, str], faults: list[Fault]) -> Removal | RefusedRow:
        """Read a row that ends claims: it has to name the person, and may name the claim."""
        self._sex(raw.number, cells)
        days = {name: _day(cells, name, faults) for name in ("birth_date", "effective_from", "effective_to") if name in cells}
        starts_on, ends_on, role = days.get("effective_from"), days.get("effective_to"), None
        if starts_on is not None and ends_on is not None and ends_on < starts_on:
            faults.append(("effective_to", RowErrorCode.ENDS_BEFORE_START))
        if (text := cells.get("role")) is not None and (role := read_role(text)) is None:
            faults.append(("role", RowErrorCode.UNKNOWN_ROLE))
        own = own_id(cells, self._organization_id)
        if own is None and not faults:
            faults.append(("member_id", RowErrorCode.NO_IDENTIFIER))
        if faults or own is None:
            return self._refused(raw, cells, faults)
        if ends_on is None or ends_on.year >= OPEN_YEAR:
            ends_on = self._today
        program = program_key(cells["program"]) if "program" in cells else None
        return Removal(raw.number, *own, program, role, starts_on, ends_on, cells.get("birth_date"), raw.cells)

    def warnings(self) -> list[RowError]:
        """Give what was odd about rows that were taken: one warning a column and reason, at the first such row."""
        return sorted(
            RowError(first, column, code, f"{MESSAGES[code]} Rows: {count}; the first is named.")
            for (column, code), (first, count) in self._oddities.items()
        )

    def _named(self, raw: RawRow) -> dict[str, str]:
        if len(raw.cells) != self._width:
            return {}
        return {name: text for name, cell in zip(self._names, self._pick(raw.cells), strict=True) if (text := cell.strip())}

    def _identifiers(self, number: int, cells: dict[str, str], faults: list[Fault]) -> None:
        for column in IDENTIFIER_COLUMNS:
            value = cells.get(column)
            if value is None:
                continue
            if len(value) > IDENTIFIER_CHARACTERS_MAX or not value.isprintable():
                faults.append((column, RowErrorCode.BAD_IDENTIFIER))
            elif is_no_number(value):
                del cells[column]
                self.note(number, column, RowErrorCode.PLACEHOLDER_IDENTIFIER)
            elif (system := SYSTEM_OF.get(column)) is None:
                continue
            elif (authority := cells.get(system)) is None:
                self.note(number, system, RowErrorCode.SYSTEM_MISSING)
            elif len(authority) > IDENTIFIER_CHARACTERS_MAX or not authority.isprintable():
                faults.append((system, RowErrorCode.BAD_IDENTIFIER))
            else:
                cells[system] = authority.upper()

    def _person(self, number: int, cells: dict[str, str], faults: list[Fault]) -> None:
        if "last_name" not in cells:
            faults.append(("last_name", RowErrorCode.MISSING))
        born_on = _day(cells, "birth_date", faults)
        if born_on is not None and not self.is_birth_date(born_on):
            faults.append(("birth_date", RowErrorCode.DATE_OUT_OF_RANGE))
        self._sex(number, cells)
        for column in self.date_columns:
            if column in cells and (day := read_day(cells[column])) is None:
                del cells[column]
                self.note(number, column, RowErrorCode.NOT_A_DATE)
            elif column in cells and day is not None:
                cells[column] = day.isoformat()
        has_identifier = "member_id" in cells or "medicaid_id" in cells or "mrn" in cells
        if not has_identifier and not ("first_name" in cells and "sex" in cells):
            faults.append(("member_id", RowErrorCode.NO_IDENTIFIER))

    def _sex(self, number: int, cells: dict[str, str]) -> None:
        sex = cells.get("sex")
        if sex is not None:
            code = SEXES.get(sex.upper())
            if code is None:
                del cells["sex"]
                self.note(number, "sex", RowErrorCode.UNKNOWN_SEX)
            else:
                cells["sex"] = code

    def _claim(self, number: int, cells: dict[str, str], faults: list[Fault]) -> tuple[str | None, date | None, date | None, str | None]:
        program = cells.get("program")
        if program is None:
            faults.append(("program", RowErrorCode.MISSING))
        elif not self.is_known_program(program):
            self.note(number, "program", RowErrorCode.UNKNOWN_PROGRAM)
        starts_on = _day(cells, "effective_from", faults)
        if starts_on is not None and not START_YEAR_MIN <= starts_on.year <= START_YEAR_MAX:
            faults.append(("effective_from", RowErrorCode.DATE_OUT_OF_RANGE))
        ends_on = _day(cells, "effective_to", faults) if "effective_to" in cells else None
        # The end is a column of its own beside the row, because it is what changes when a claim ends.
        cells.pop("effective_to", None)
        if ends_on is not None and starts_on is not None and ends_on < starts_on:
            faults.append(("effective_to", RowErrorCode.ENDS_BEFORE_START))
        if ends_on is not None and ends_on.year >= OPEN_YEAR:
            ends_on = None
        role: str | None = self._default_role
        if (text := cells.get("role")) is not None:
            role = read_role(text)
            if role is None:
                faults.append(("role", RowErrorCode.UNKNOWN_ROLE))
        return program, starts_on, ends_on, role

    def _refused(self, raw: RawRow, cells: Mapping[str, str], faults: list[Fault]) -> RefusedRow:
        errors = tuple(RowError(raw.number, column, code, MESSAGES[code]) for column, code in faults)
        return RefusedRow(raw.number, raw.cells, errors, own_id(cells, self._organization_id))

    def note(self, number: int, column: str, code: RowErrorCode) -> None:
        """Remember what is odd about a row that is taken all the same."""
        first, count = self._oddities.get((column, code), (number, 0))
        self._oddities[column, code] = (min(first, number), count + 1)


def _any_program(_name: str) -> bool:
    return True


def _change(cells: dict[str, str], faults: list[Fault]) -> ChangeType | None:
    """Take the change type out of the cells: it is about this file, not about the claim, and is no part of the claim's hash."""
    text = cells.pop(CHANGE_COLUMN, None)
    if text is None:
        return None
    change = read_change(text)
    if change is None:
        faults.append((CHANGE_COLUMN, RowErrorCode.UNKNOWN_CHANGE))
    return change


def _system(cells: Mapping[str, str], column: str, organization_id: UUID) -> str:
    return cells.get(SYSTEM_OF[column]) or _written(organization_id).upper()


@lru_cache(maxsize=64)
def _written(organization_id: UUID) -> str:
    return str(organization_id)


def _day(cells: dict[str, str], column: str, faults: list[Fault]) -> date | None:
    """Read a date and put it into the cells as ISO."""
    text = cells.get(column)
    if text is None:
        faults.append((column, RowErrorCode.MISSING))
        return None
    day = read_day(text)
    if day is None:
        faults.append((column, RowErrorCode.NOT_A_DATE))
    else:
        cells[column] = day.isoformat()
    return day


def digest(text: str) -> bytes:
    """Hash texts joined by NUL, which none of them can contain: a row with a NUL byte was refused."""
    return blake2b(text.encode(), digest_size=16).digest()
