"""The consent columns of a roster: what its owner asserts that the patient signed, row by row.

An assertion of others' records waits for review before it counts; a refusal counts at once (consent_form). Not here: what a consent
lets go (consent, privacy).
"""

from collections.abc import Collection
from typing import Final

from app.domain.consent import ConsentKind
from app.domain.roster import RowErrorCode, read_day

CONSENT_COLUMNS: Final = ("consent_type", "consent_signed_on", "consent_expires_on", "consent_scope", "consent_document_id")
_KINDS: Final = frozenset({ConsentKind.TPO.value, ConsentKind.NAMED.value, ConsentKind.REFUSAL.value})
_SAME: Final = {"opt_out": ConsentKind.REFUSAL.value, "opt-out": ConsentKind.REFUSAL.value, "optout": ConsentKind.REFUSAL.value}
_TEXT_CHARACTERS_MAX: Final = 2_000


def check_consent(cells: dict[str, str], present: Collection[str], faults: list[tuple[str, RowErrorCode]]) -> None:
    """Check the consent cells of a row and bring them into one form. Without a type nothing is asserted."""
    for column in present:
        text = cells.get(column)
        if text is not None and (len(text) > _TEXT_CHARACTERS_MAX or not text.isprintable()):
            faults.append((column, RowErrorCode.BAD_TEXT))
    said = cells.get("consent_type")
    if said is None:
        return
    kind = _SAME.get(said.lower(), said.lower())
    if kind not in _KINDS:
        faults.append(("consent_type", RowErrorCode.UNKNOWN_CONSENT))
    cells["consent_type"] = kind
    if "consent_signed_on" not in cells:
        faults.append(("consent_signed_on", RowErrorCode.MISSING))
    days = {}
    for column in ("consent_signed_on", "consent_expires_on"):
        if column in cells:
            day = days[column] = read_day(cells[column])
            if day is None:
                faults.append((column, RowErrorCode.NOT_A_DATE))
            else:
                cells[column] = day.isoformat()
    signed_on, expires_on = days.get("consent_signed_on"), days.get("consent_expires_on")
    if signed_on and expires_on and expires_on < signed_on:
        faults.append(("consent_expires_on", RowErrorCode.ENDS_BEFORE_START))
    if kind != ConsentKind.REFUSAL and kind in _KINDS and not cells.get("consent_scope", "").strip():
        faults.append(("consent_scope", RowErrorCode.MISSING))
