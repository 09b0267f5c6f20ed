"""Many rows of a roster read at once, column by column: what nearly every row needs is one look-up a cell.

A roster has a million rows, and few different dates, programs and roles. A row of which anything is odd is read by `roster_row.RowReader`,
alone, which says what; so whatever is read here is exactly what that would make of it. Not here: what a cell means (roster_row).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import repeat
from typing import Final, Generic, TypeVar

from app.domain.organization import Organization
from app.domain.roster import (
    DEFAULT_ROLES,
    IDENTIFIER_CHARACTERS_MAX,
    IDENTIFIER_COLUMNS,
    REQUIRED_COLUMNS,
    SEXES,
    Layout,
    RawRow,
    RowError,
    RowErrorCode,
    program_key,
    read_day,
    read_role,
)
from app.domain.roster_change import CHANGE_COLUMN, Removal
from app.domain.roster_row import (
    OPEN_YEAR,
    START_YEAR_MAX,
    START_YEAR_MIN,
    SYSTEM_OF,
    Fault,
    KnowsProgram,
    RefusedRow,
    RosterRow,
    RowReader,
    digest,
    own_id,
)
from app.domain.stand_in import is_no_number

T = TypeVar("T")

REMEMBERED_MAX: Final = 1 << 16
"""Different texts of one column that are remembered: a roster has some 40,000 different dates."""


class _Remembered(dict[str, T], Generic[T]):
    """What a text comes to, worked out once."""

    def __init__(self, work_out: Callable[[str], T]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, text: str) -> T:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        found = self[text] = self._work_out(text)
        return found

    def of(self, column: Iterable[str]) -> list[T]:
        return [*map(self.__getitem__, column)]


class RosterReader:
    """Reads the rows of one file for one organization, as `RowReader` does."""

    def __init__(self, layout: Layout, organization: Organization, today: date, knows_program: KnowsProgram | None = None) -> None:
        """Prepare for a header. `today` is the organization's."""
        self._careful = careful = RowReader(layout, organization, today, knows_program)
        self._columns = layout.names
        self._width = len(layout.names)
        self._organization_id = organization.id
        self._default_role = DEFAULT_ROLES[organization.kind].value
        # In alphabetical order and without those two, as the cells of a row are kept.
        self._names = tuple(sorted({*layout.names} - {"", "effective_to", CHANGE_COLUMN}))
        self._head = "\0".join((*self._names, "", ""))
        self._identifiers = tuple(name for name in IDENTIFIER_COLUMNS if name in layout.names)
        # A file of removals may lack them; its rows are read one by one.
        self._is_regular = {*REQUIRED_COLUMNS} <= {*layout.names}
        self._forms: dict[str, _Remembered[str | None]] = {
            "birth_date": _Remembered(lambda text: _iso(text, careful.is_birth_date)),
            "effective_from": _Remembered(lambda text: _iso(text, _is_start)),
            "sex": _Remembered(lambda text: SEXES.get(text.upper()) if text else text),
            **{name: _Remembered(lambda text: _iso(text) if text else text) for name in careful.date_columns},
        }
        self._keys: _Remembered[str | None] = _Remembered(
            lambda text: program_key(text) if text and careful.is_known_program(text) else None
        )
        self._roles: _Remembered[str | None] = _Remembered(lambda text: read_role(text) if text else self._default_role)
        self._starts: _Remembered[date | None] = _Remembered(read_day)
        self._ends: _Remembered[date | bool | None] = _Remembered(_end)
        self._systems: _Remembered[str | None] = _Remembered(_system)

    def read(self, raws: Sequence[RawRow]) -> list[RosterRow | RefusedRow | Removal]:
        """Take each row, or say everything that is wrong with it, in their order."""
        careful, width = self._careful.read, self._width
        if not self._is_regular:
            return [*map(careful, raws)]
        cut = [raw for raw in raws if raw.problem is None and len(raw.cells) == width]
        read = self._read(cut) if cut else []
        if len(cut) == len(raws):
            return read
        taken = iter(read)
        return [next(taken) if raw.problem is None and len(raw.cells) == width else careful(raw) for raw in raws]

    def warnings(self) -> list[RowError]:
        """Give what was odd about rows that were taken: one warning a column and reason, at the first such row."""
        return self._careful.warnings()

    def _read(self, raws: Sequence[RawRow]) -> list[RosterRow | RefusedRow | Removal]:
        columns = {
            name: [*map(str.strip, column)]
            for name, column in zip(self._columns, zip(*(raw.cells for raw in raws), strict=True), strict=True)
            if name
        }
        odd = _filled(columns[CHANGE_COLUMN]) if CHANGE_COLUMN in columns else set()
        odd |= _empty(columns["last_name"])
        starts, keys = self._starts.of(columns["effective_from"]), self._keys.of(columns["program"])
        for name, form in self._forms.items():
            if name in columns:
                columns[name] = _formed(form.of(columns[name]), odd)
        _formed(keys, odd)
        ends, roles = self._given_ends(columns, starts, odd), self._given_roles(columns, odd)
        noted = self._check_identifiers(columns, odd)
        taken = self._rows(raws, columns, odd, zip(starts, ends, keys, roles, strict=False))
        for system, places in noted.items():
            for place in places - odd:
                self._careful.note(raws[place].number, system, RowErrorCode.SYSTEM_MISSING)
        return taken

    def _given_ends(self, columns: dict[str, list[str]], starts: list[date | None], odd: set[int]) -> Iterable[date | bool | None]:
        if "effective_to" not in columns:
            return repeat(None)
        ends = self._ends.of(columns["effective_to"])
        odd.update(
            place
            for place, (start, end) in enumerate(zip(starts, ends, strict=True))
            if end is False or (isinstance(end, date) and start is not None and end < start)
        )
        return ends

    def _given_roles(self, columns: dict[str, list[str]], odd: set[int]) -> Iterable[str | None]:
        if "role" not in columns:
            return repeat(self._default_role)
        roles = self._roles.of(columns["role"])
        _formed(roles, odd)
        return roles

    def _check_identifiers(self, columns: dict[str, list[str]], odd: set[int]) -> dict[str, set[int]]:
        """Find rows whose numbers are odd, or that name nobody; give where a number names no system."""
        noted: dict[str, set[int]] = {}
        for column in self._identifiers:
            values = columns[column]
            odd.update(place for place, value in enumerate(values) if value and _is_odd_number(value))
            system = SYSTEM_OF.get(column)
            if system is None:
                continue
            if system not in columns:
                noted[system] = _filled(values)
                continue
            given = columns[system]
            # Of a number that is not there the system is kept as it was sent.
            odd.update(place for place, (value, authority) in enumerate(zip(values, given, strict=True)) if authority and not value)
            noted[system] = _filled(values) & _empty(given)
            columns[system] = _formed(self._systems.of(given), odd)
        empty = [_empty(columns[column]) for column in self._identifiers]
        nameless = set.intersection(*empty) if empty else set(range(len(columns["last_name"])))
        if nameless:
            named = ("first_name", "sex")
            odd |= {place for place in nameless if not all(name in columns and columns[name][place] for name in named)}
        return noted

    def _rows(
        self,
        raws: Sequence[RawRow],
        columns: dict[str, list[str]],
        odd: set[int],
        claims: "Iterable[tuple[date | None, date | bool | None, str | None, str | None]]",
    ) -> list[RosterRow | RefusedRow | Removal]:
        names, head, owner, careful = self._names, self._head, self._organization_id, self._careful
        has_more = careful.has_more
        taken: list[RosterRow | RefusedRow | Removal] = []
        rows = zip(*(columns[name] for name in names), strict=True)
        for place, (raw, texts, (starts_on, ends_on, key, role)) in enumerate(zip(raws, rows, claims, strict=True)):
            cells = dict(zip(names, texts, strict=True))
            is_full = "" not in texts
            if not is_full:
                cells = {name: text for name, text in cells.items() if text}
            faults: list[Fault] = []
            if has_more and place not in odd:
                careful.check_more(cells, faults)
                is_full = False
            own = own_id(cells, owner)
            if place in odd or faults or own is None or key is None or role is None or starts_on is None or isinstance(ends_on, bool):
                # What it notes it notes itself.
                odd.add(place)
                taken.append(careful.read(raw))
                continue
            hashed = digest(head + "\0".join(texts)) if is_full else digest("\0".join((*cells, "", *cells.values())))
            row_key = digest("\0".join((*own, key, role, cells["effective_from"])))
            taken.append(
                RosterRow(
                    raw.number,
                    row_key,
                    hashed,
                    cells["program"],
                    role,
                    starts_on,
                    ends_on,
                    cells.get("coordinator"),
                    cells.get("plan_id"),
                    cells,
                )
            )
        return taken


def _formed(column: list[str | None], odd: set[int]) -> list[str]:
    """Give a column in which nothing is None, and say where it was."""
    if None not in column:
        return column  # type: ignore[return-value]  # just looked at
    odd.update(place for place, text in enumerate(column) if text is None)
    return [text or "" for text in column]


def _filled(column: Sequence[str]) -> set[int]:
    return {place for place, text in enumerate(column) if text} if any(column) else set()


def _empty(column: Sequence[str]) -> set[int]:
    return {place for place, text in enumerate(column) if not text} if "" in column else set()


def _is_odd_number(value: str) -> bool:
    return len(value) > IDENTIFIER_CHARACTERS_MAX or not value.isprintable() or is_no_number(value)


def _system(text: str) -> str | None:
    return text.upper() if len(text) <= IDENTIFIER_CHARACTERS_MAX and text.isprintable() else None


def _is_start(day: date) -> bool:
    return START_YEAR_MIN <= day.year <= START_YEAR_MAX


def _iso(text: str, is_right: Callable[[date], bool] | None = None) -> str | None:
    day = read_day(text)
    return None if day is None or (is_right is not None and not is_right(day)) else day.isoformat()


def _end(text: str) -> date | bool | None:
    """Give the end, None where there is none, and False where it is no date."""
    if not text:
        return None
    day = read_day(text)
    if day is None:
        return False
    return None if day.year >= OPEN_YEAR else day
