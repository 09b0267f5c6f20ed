"""The notice list of another service: CSV in, notices or the errors of its rows out. For `handoff feed compare`.

Columns (header required, any order, others passed over): `event`, `occurred_at`, and one of `patient_number` (`mrn`) and `visit_number`;
`recipient` and `told_at` where the list has them. Not here: what is compared (domain/notice_comparison).
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from adapters.files.roster_text import TextDecoder
from app.domain.notice_comparison import KINDS, PresentNotice

_OTHER_NAMES: Final = {"mrn": "patient_number", "visit": "visit_number", "csn": "visit_number", "type": "event", "event_at": "occurred_at",
                       "notified_at": "told_at", "sent_at": "told_at"}  # fmt: skip
_NEEDED: Final = ("event", "occurred_at")


@dataclass(frozen=True, slots=True)
class NoticeError:
    """What is wrong with a row, without repeating a value; row 1 is the header."""

    row: int
    column: str
    text: str


def read_notices(data: bytes, zone: tzinfo) -> tuple[list[PresentNotice], list[NoticeError]]:
    """Read a whole list; times without an offset are the zone's."""
    reader = csv.reader(io.StringIO(TextDecoder().feed(data, final=True), newline=""))
    rows = list(reader)
    header = [_name(cell) for cell in rows[0]] if rows else []
    missing = [name for name in _NEEDED if name not in header]
    if not {"patient_number", "visit_number"} & set(header):
        missing.append("patient_number or visit_number")
    if missing:
        return [], [NoticeError(1, name, "The column is missing.") for name in missing]
    notices: list[PresentNotice] = []
    errors: list[NoticeError] = []
    for number, cells in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in cells):
            read = _notice(number, dict(zip(header, (cell.strip() for cell in cells), strict=False)), zone)
            (notices if isinstance(read, PresentNotice) else errors).append(read)  # type: ignore[arg-type]  # each to its own list
    return notices, errors


def _name(cell: str) -> str:
    name = cell.strip().lower().replace(" ", "_").replace("-", "_")
    return _OTHER_NAMES.get(name, name)


def _notice(row: int, cells: Mapping[str, str], zone: tzinfo) -> PresentNotice | NoticeError:
    kind = KINDS.get(cells.get("event", "").lower())
    if kind is None:
        return NoticeError(row, "event", f"Expected one of {', '.join(sorted(set(KINDS.values())))}, or a usual other name of it.")
    patient, visit = cells.get("patient_number", ""), cells.get("visit_number", "")
    if not patient and not visit:
        return NoticeError(row, "patient_number", "The row names neither a patient nor a visit.")
    try:
        occurred_at = _instant(cells["occurred_at"], zone)
    except (KeyError, ValueError):
        return NoticeError(row, "occurred_at", "Expected a time such as 2026-03-06T14:30:00-05:00; without an offset it is the feed's.")
    try:
        told_at = _instant(cells["told_at"], zone) if cells.get("told_at") else None
    except ValueError:
        return NoticeError(row, "told_at", "Expected a time such as 2026-03-06T14:30:00-05:00, or nothing.")
    return PresentNotice(row, kind, occurred_at, patient, visit, cells.get("recipient", ""), told_at)


def _instant(text: str, zone: tzinfo) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is not None else read.replace(tzinfo=zone)
