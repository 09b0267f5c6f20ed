"""One row of an encounter or pharmacy file: its columns, what its cells mean, and what can be wrong with it.

An error names row, column and remedy and never repeats a value. Not here: bytes and delimiters (adapters/files), which versions of a
claim stand (``claim``), whose member it is (the panel of whoever loads it).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from app.domain.diagnosis import normalized_code
from app.domain.organization import is_valid_npi
from app.domain.roster import RawRow, RosterRefusedError, RowError, RowErrorCode, column_name, read_day

IDENTIFIERS: Final = ("member_id", "medicaid_id", "mrn")
"""By what the member is found on the panel of whoever loads the file; never by name."""
DIAGNOSES_MAX: Final = 12
COLUMNS: Final = frozenset(
    {
        *IDENTIFIERS, "claim_id", "claim_line", "adjustment", "claim_type", "claim_status", "original_claim_id", "service_date",
        "procedure_code", "modifier", "place_of_service", "rendering_npi", "taxonomy", "ndc", "days_supply", "admitted_on",
        "discharged_on",
        *(f"diagnosis_{number}" for number in range(1, DIAGNOSES_MAX + 1)),
    }
)  # fmt: skip
"""The columns that mean something; others are passed over and reported."""
REQUIRED: Final = ("claim_id", "service_date")
ALIASES: Final[Mapping[str, str]] = {
    "claim_number": "claim_id", "claim_control_number": "claim_id", "line_number": "claim_line", "claim_line_number": "claim_line",
    "adjustment_number": "adjustment", "claim_version": "adjustment", "claim_frequency_code": "claim_type",
    "original_reference_number": "original_claim_id", "original_ref_no": "original_claim_id", "original_claim_number": "original_claim_id",
    "replaces_claim_id": "original_claim_id", "replaced_claim_id": "original_claim_id", "prior_claim_id": "original_claim_id",
    "service_from": "service_date", "claim_line_start_date": "service_date", "fill_date": "service_date", "dispensing_date": "service_date",
    "hcpcs_code": "procedure_code", "cpt": "procedure_code", "hcpcs_modifier_1": "modifier", "place_of_service_code": "place_of_service",
    "npi": "rendering_npi", "ndc_code": "ndc", "admission_date": "admitted_on", "discharge_date": "discharged_on",
    "subscriber_id": "member_id", "person_id": "member_id",
}  # fmt: skip
"""Names that files of the field use; one counts only where the file has no column of the right name."""
TEXT_CHARACTERS_MAX: Final = 100
ADJUSTMENT_MAX: Final = 999_999_999
"""Takes a claim back for good, whatever version of it comes when: one that another number replaces, or whose void names no version."""
WHOLE_CLAIM: Final = ""
"""The line of a reversal of everything in a claim."""
REVERSAL_HASH: Final = hashlib.sha256(b"reversal of a claim").digest()
"""Of every reversal of a whole claim: it says nothing else, whichever file it is in."""
EARLIEST: Final = date(2000, 1, 1)


class ClaimType(StrEnum):
    """What a row does to its claim. UB-04 frequency codes 1, 7 and 8 say the same.

    Our policy: what is denied earns nothing, like what is reversed, until a later adjustment pays it.
    """

    ORIGINAL = "original"
    REPLACEMENT = "replacement"
    REVERSAL = "reversal"


DENIED: Final = "denied"
_DENIED_IN_835: Final = "4"
_TYPES: Final[Mapping[str, ClaimType]] = {
    **{one.value: one for one in ClaimType},
    "1": ClaimType.ORIGINAL, "7": ClaimType.REPLACEMENT, "8": ClaimType.REVERSAL, "paid": ClaimType.ORIGINAL,
    "adjusted": ClaimType.REPLACEMENT, "adjustment": ClaimType.REPLACEMENT,
    "void": ClaimType.REVERSAL, "voided": ClaimType.REVERSAL, "reversed": ClaimType.REVERSAL, DENIED: ClaimType.REVERSAL,
}  # fmt: skip
_STATUSES: Final[Mapping[str, ClaimType]] = {
    **_TYPES,
    **dict.fromkeys(("2", "3", "19", "20", "21"), ClaimType.ORIGINAL), _DENIED_IN_835: ClaimType.REVERSAL, "22": ClaimType.REVERSAL,
}  # fmt: skip
"""What became of it, also by the numbers of X12 835 (CLP02): processed as primary, secondary, tertiary; denied; a payment taken back."""
_CODE: Final = re.compile(r"[A-Z0-9]{5}", re.ASCII)
_DIAGNOSIS: Final = re.compile(r"[A-TV-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?", re.ASCII)
_TAXONOMY: Final = re.compile(r"[0-9A-Z]{10}", re.ASCII)
_HYPHENATED: Final = re.compile(r"(\d{4,5})-(\d{3,4})-(\d{1,2})", re.ASCII)

REMEDIES: Final[Mapping[RowErrorCode, str]] = {
    RowErrorCode.BAD_CODE: "The cell is no code of its kind: procedure codes have five characters, places two digits, taxonomies ten "
    "characters, and an NPI a check digit.",
    RowErrorCode.BAD_NDC: "The cell is no NDC. Write eleven digits (5-4-2), or ten with hyphens.",
    RowErrorCode.BAD_NUMBER: "The cell is no whole number of zero or more.",
    RowErrorCode.UNKNOWN_CLAIM_TYPE: "The cell is none of: original, replacement, reversal, denied; as a frequency code 1, 7, 8.",
    RowErrorCode.NOTHING_GIVEN: "The row says nothing that was given: it needs procedure_code, ndc or discharged_on.",
    RowErrorCode.REPLACES_NOTHING: "The row replaces a claim and does not say which. Give original_claim_id (REF*F8; in FHIR the"
    " identifier of the related claim), or adjustment where the claim keeps its number.",
    RowErrorCode.NOT_FHIR: "This is no ExplanationOfBenefit of FHIR R4, at the place that is named. Send one resource a line, or a Bundle.",
    RowErrorCode.NOT_A_CLAIM: "Only adjudicated claims are taken: use claim, status active, cancelled or entered-in-error, outcome complete"
    " or partial.",
    RowErrorCode.VERSION_TAKEN: "Another row has this claim, line and adjustment with other content. Send a correction with a higher "
    "adjustment.",
    RowErrorCode.NOT_A_MEMBER: "No member of your panel has this identifier. Load the member first, or correct the number.",
    RowErrorCode.SEVERAL_PEOPLE: "The identifiers of this row are those of several people on your panel. Give member_id alone.",
    RowErrorCode.NO_IDENTIFIER: "Nothing tells whose claim this is. Give member_id, medicaid_id or mrn.",
    RowErrorCode.MISSING: "The cell is empty and must not be.",
    RowErrorCode.NOT_A_DATE: "The cell is not a date. Write YYYY-MM-DD; MM/DD/YYYY and YYYYMMDD are read too.",
    RowErrorCode.DATE_OUT_OF_RANGE: "The date cannot be right: it is in the future, or before 2000.",
    RowErrorCode.BAD_TEXT: "The cell has control characters or is longer than a hundred characters.",
    RowErrorCode.CELL_COUNT: "The row has more or fewer cells than the header. Quote cells that contain the delimiter.",
}


class ClaimRow(NamedTuple):
    """A row that is taken, in the order of the stage's columns. A tuple, because a file has a million."""

    row: int
    member_id: str | None
    medicaid_id: str | None
    mrn: str | None
    claim_id: str
    line: str
    adjustment: int
    is_reversal: bool
    replaces: str | None
    """The number of another claim that this one replaces or takes back."""
    service_on: date | None
    visit_codes: list[str]
    diagnoses: list[str]
    place_of_service: str | None
    npi: str | None
    taxonomies: list[str]
    ndc: str | None
    days_supply: int | None
    admitted_on: date | None
    discharged_on: date | None
    row_hash: bytes


class ClaimFileReader:
    """Reads the rows of one file whose header is known. Raises `RosterRefusedError` where the header is of no use."""

    def __init__(self, header: Sequence[str], header_row: int, today: date) -> None:
        """Understand the header."""
        names = [column_name(cell) for cell in header]
        self._names = [alias if (alias := ALIASES.get(name)) is not None and alias not in names else name for name in names]
        self._today = today
        twice = [name for name, times in Counter(self._names).items() if times > 1 and name in COLUMNS]
        errors = [RowError(header_row, name, RowErrorCode.COLUMN_TWICE, "The header names it more than once. Keep one.") for name in twice]
        lacking = [name for name in REQUIRED if name not in self._names]
        lacking += [] if {*IDENTIFIERS} & {*self._names} else ["member_id"]
        errors += [RowError(header_row, name, RowErrorCode.COLUMN_MISSING, "The header lacks it. Add it.") for name in lacking]
        if errors:
            raise RosterRefusedError(errors)
        self.unknown = [name for name in self._names if name not in COLUMNS]

    def read(self, raw: RawRow) -> ClaimRow | list[RowError]:
        """Read a row, or say everything that is wrong with it."""
        if raw.problem is not None or len(raw.cells) != len(self._names):
            return [row_error(raw.number, raw.where, raw.problem or RowErrorCode.CELL_COUNT)]
        cells = {name: text for name, cell in zip(self._names, raw.cells, strict=True) if name in COLUMNS and (text := cell.strip())}
        faults: list[tuple[str, RowErrorCode]] = []
        row = _row_of(raw.number, cells, self._today, faults)
        return [row_error(raw.number, column, code) for column, code in faults] if faults else row


def row_error(row: int, column: str, code: RowErrorCode) -> RowError:
    """Say what is wrong, and what to do."""
    return RowError(row, column, code, REMEDIES.get(code, "The row cannot be read. Export the file again as plain CSV in UTF-8."))


def _row_of(number: int, cells: Mapping[str, str], today: date, faults: list[tuple[str, RowErrorCode]]) -> ClaimRow:
    texts = [column for column in (*IDENTIFIERS, "claim_id", "claim_line", "original_claim_id", "modifier") if column in cells]
    faults += [
        (column, RowErrorCode.BAD_TEXT) for column in texts if len(cells[column]) > TEXT_CHARACTERS_MAX or not cells[column].isprintable()
    ]
    if not any(column in cells for column in IDENTIFIERS):
        faults.append(("member_id", RowErrorCode.NO_IDENTIFIER))
    if "claim_id" not in cells:
        faults.append(("claim_id", RowErrorCode.MISSING))
    does = _does(cells, faults)
    is_reversal = ClaimType.REVERSAL in does.values()
    adjustment, replaces = _version(cells, does, faults)
    days = {column: _day(cells, column, today, faults) for column in ("service_date", "admitted_on", "discharged_on")}
    if not is_reversal:
        if "service_date" not in cells:
            faults.append(("service_date", RowErrorCode.MISSING))
        if not cells.keys() & {"procedure_code", "ndc", "discharged_on"}:
            faults.append(("procedure_code", RowErrorCode.NOTHING_GIVEN))
    npi = cells.get("rendering_npi")
    if npi is not None and not is_valid_npi(npi):
        faults.append(("rendering_npi", RowErrorCode.BAD_CODE))
    said = (
        _code(cells, "procedure_code", _CODE, faults),
        [
            normalized_code(code)
            for place in range(1, DIAGNOSES_MAX + 1)
            if (code := _code(cells, f"diagnosis_{place}", _DIAGNOSIS, faults)) is not None
        ],
        _place(cells, faults),
        npi,
        _code(cells, "taxonomy", _TAXONOMY, faults),
        _ndc(cells, faults),
        _count(cells, "days_supply", faults),
    )
    code, diagnoses, place, _, taxonomy, ndc, supply = said
    modifier = f"-{cells['modifier'].upper()}" if "modifier" in cells else ""
    line = cells.get("claim_line", WHOLE_CLAIM if is_reversal else "1")
    hashed = repr((said, modifier, sorted(days.items()), [cells.get(one) for one in IDENTIFIERS])).encode()
    return ClaimRow(
        row=number,
        member_id=cells.get("member_id"),
        medicaid_id=cells.get("medicaid_id"),
        mrn=cells.get("mrn"),
        claim_id=cells.get("claim_id", ""),
        line=line,
        adjustment=adjustment,
        is_reversal=is_reversal,
        replaces=replaces,
        service_on=days["service_date"],
        visit_codes=[f"{code}{modifier}"] if code else [],
        diagnoses=diagnoses,
        place_of_service=place,
        npi=npi,
        taxonomies=[taxonomy] if taxonomy else [],
        ndc=ndc,
        days_supply=supply,
        admitted_on=days["admitted_on"],
        discharged_on=days["discharged_on"],
        row_hash=REVERSAL_HASH if is_reversal and line == WHOLE_CLAIM else hashlib.sha256(hashed).digest(),
    )


def _does(cells: Mapping[str, str], faults: list[tuple[str, RowErrorCode]]) -> dict[str, ClaimType]:
    """Read what a row does to its claim, by its type and by its status, by the word that says so; denied is the status of a version."""
    found = {}
    for column, meanings in (("claim_type", _TYPES), ("claim_status", _STATUSES)):
        word = cells.get(column, "original").casefold()
        if word in meanings:
            found[DENIED if column == "claim_status" and word == _DENIED_IN_835 else word] = meanings[word]
        else:
            faults.append((column, RowErrorCode.UNKNOWN_CLAIM_TYPE))
    return found


def _version(cells: Mapping[str, str], does: Mapping[str, ClaimType], faults: list[tuple[str, RowErrorCode]]) -> tuple[int, str | None]:
    """Read which version of its claim this is, and which other claim it takes the place of.

    A void that names no version means whichever there is. A replacement that names neither a version nor a claim would stand beside what
    it replaces, or in its place, by which came first: it is refused.
    """
    prior = cells.get("original_claim_id")
    replaces = None if prior == cells.get("claim_id") else prior
    said = _count(cells, "adjustment", faults)
    if ClaimType.REPLACEMENT in does.values() and replaces is None and not said:
        faults.append(("original_claim_id", RowErrorCode.REPLACES_NOTHING))
    is_void = any(kind is ClaimType.REVERSAL and word != DENIED for word, kind in does.items())
    return ADJUSTMENT_MAX if said is None and is_void else said or 0, replaces


def _day(cells: Mapping[str, str], column: str, today: date, faults: list[tuple[str, RowErrorCode]]) -> date | None:
    if column not in cells:
        return None
    day = read_day(cells[column])
    if day is None:
        faults.append((column, RowErrorCode.NOT_A_DATE))
    elif not EARLIEST <= day <= today:
        faults.append((column, RowErrorCode.DATE_OUT_OF_RANGE))
    return day


def _code(cells: Mapping[str, str], column: str, form: re.Pattern[str], faults: list[tuple[str, RowErrorCode]]) -> str | None:
    text = cells[column].upper() if column in cells else None
    if text is not None and form.fullmatch(text) is None:
        faults.append((column, RowErrorCode.BAD_CODE))
    return text


def _place(cells: Mapping[str, str], faults: list[tuple[str, RowErrorCode]]) -> str | None:
    text = cells.get("place_of_service")
    if text is not None and not (text.isascii() and text.isdigit() and len(text) <= 2):  # noqa: PLR2004 - two digits
        faults.append(("place_of_service", RowErrorCode.BAD_CODE))
    return None if text is None else text.zfill(2)


def _count(cells: Mapping[str, str], column: str, faults: list[tuple[str, RowErrorCode]]) -> int | None:
    text = cells.get(column)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - what the column of the database holds
        faults.append((column, RowErrorCode.BAD_NUMBER))
        return None
    return int(text)


def _ndc(cells: Mapping[str, str], faults: list[tuple[str, RowErrorCode]]) -> str | None:
    text = cells.get("ndc")
    if text is None:
        return None
    written = _HYPHENATED.fullmatch(text)
    digits = f"{written[1].zfill(5)}{written[2].zfill(4)}{written[3].zfill(2)}" if written else text
    if not (digits.isascii() and digits.isdigit() and len(digits) == 11):  # noqa: PLR2004 - 5-4-2
        faults.append(("ndc", RowErrorCode.BAD_NDC))
        return None
    return digits


def recognised(header: Sequence[str]) -> int:
    """Count the header cells that mean something: how the delimiter is guessed."""
    return sum(1 for name in map(column_name, header) if name in COLUMNS or name in ALIASES)
