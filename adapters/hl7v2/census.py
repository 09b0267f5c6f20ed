"""A census: who is in the house, or who was, as a table that a hospital can export, made the messages its feed would have sent.

Columns (header required, any order, others passed over): `patient_number`, `visit_number`, `class` (as the feed's PV1-2), `admitted_at`,
`last_name`, `first_name`, `birth_date`, `sex`; optional `discharged_at`, `disposition`, `unit`, `medicaid_id`, `diagnosis`. A time without
an offset is the feed's. A row is one A01, and an A03 where it has ended, under control ids made from its content: loaded again, it is
stored once. Not here: that they are history (the door), and HL7 files (`batch`).
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from adapters.hl7v2.er7 import STANDARD
from adapters.hl7v2.escapes import escape
from app.domain.feed import Feed

_NEEDED: Final = ("patient_number", "visit_number", "class", "admitted_at", "last_name", "first_name", "birth_date", "sex")


@dataclass(frozen=True, slots=True)
class CensusError:
    """What is wrong with a row, without repeating a value; row 1 is the header."""

    row: int
    column: str
    text: str


def census_messages(data: bytes, feed: Feed) -> tuple[list[bytes], list[CensusError]]:
    """Make the messages of a whole census, in the order of its rows."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    header = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in rows[0]] if rows else []
    if "PV1-19" not in feed.profile.visit_number_places or (feed.is_aggregator and not feed.sending_facility):
        text = "This feed has visit numbers or facilities where a table has no place for them; load a file of HL7 messages."
        return [], [CensusError(1, "visit_number", text)]
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        return [], [CensusError(1, name, "The column is missing.") for name in missing]
    messages: list[bytes] = []
    errors: list[CensusError] = []
    for number, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        made = _messages_of(number, row, feed)
        if isinstance(made, CensusError):
            errors.append(made)
        else:
            messages += made
    return messages, errors


def _messages_of(number: int, row: Mapping[str, str], feed: Feed) -> list[bytes] | CensusError:
    empty = next((name for name in ("patient_number", "visit_number", "class", "admitted_at") if not row.get(name)), None)
    if empty is not None:
        return CensusError(number, empty, "The cell is empty.")
    times: dict[str, str] = {}
    for name in ("admitted_at", "discharged_at"):
        try:
            times[name] = _timestamp(row.get(name, ""))
        except ValueError:
            return CensusError(number, name, "Expected a time such as 2026-03-06T14:30:00-05:00; without an offset it is the feed's.")
    try:
        born = date.fromisoformat(row["birth_date"]).strftime("%Y%m%d") if row.get("birth_date") else ""
    except ValueError:
        return CensusError(number, "birth_date", "Expected a date such as 1980-01-31.")
    made = [_message("A01", times["admitted_at"], row, times | {"discharged_at": ""}, born, feed)]
    if times["discharged_at"]:
        made.append(_message("A03", times["discharged_at"], row, times, born, feed))
    return made


def _timestamp(text: str) -> str:
    if not text:
        return ""
    read = datetime.fromisoformat(text)
    return read.strftime("%Y%m%d%H%M%S%z" if read.tzinfo is not None else "%Y%m%d%H%M%S")


def _message(trigger: str, at: str, row: Mapping[str, str], times: Mapping[str, str], born: str, feed: Feed) -> bytes:
    def said(name: str) -> str:
        return escape(row.get(name, ""), STANDARD)

    authority = escape(feed.assigning_authority, STANDARD)
    numbers = f"{said('patient_number')}^^^{authority}^MR"
    if row.get("medicaid_id"):
        numbers += f"~{said('medicaid_id')}^^^^MA"
    visit = {2: said("class"), 3: said("unit"), 19: f"{said('visit_number')}^^^{authority}^VN", 44: times["admitted_at"]}
    if trigger == "A03":
        visit |= {36: said("disposition"), 45: times["discharged_at"]}
    segments = [
        f"EVN|{trigger}|{at}",
        f"PID|1||{numbers}||{said('last_name')}^{said('first_name')}||{born}|{said('sex')}",
        "|".join(["PV1", "1", *(visit.get(field, "") for field in range(2, max(visit) + 1))]),
    ]
    if row.get("diagnosis"):
        segments.append(f"DG1|1||{said('diagnosis')}^^I10|||{'F' if trigger == 'A03' else 'A'}")
    body = "\r".join(segments) + "\r"
    control = f"CENSUS{hashlib.sha256(body.encode()).hexdigest()[:14].upper()}"
    header = f"MSH|^~\\&|{feed.sending_application}|{feed.sending_facility}|||{at}||ADT^{trigger}|{control}|P|2.5.1||||||UNICODE UTF-8"
    return f"{header}\r{body}".encode()
