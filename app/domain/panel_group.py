"""A panel as Da Vinci ATR sees it (a Group, one for each panel), and what `$member-add` and `$member-remove` ask of it.

Both become rows of a roster with a change type, so that a member added so and one of a file are one thing: the same checks, the same
matching, the same history. A member who is known brings their row along; one who is not needs a Patient with what a roster row needs.
Not here: FHIR (adapters/fhir/groups), loading the rows (actions/load_panel).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import orjson

from app.domain.adt_event import Identifier
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.roster import RawRow, program_key
from app.domain.roster_change import CHANGE_COLUMN, ChangeType

PROVIDER_COLUMN: Final = "provider_npi"
"""The attributed provider, kept with the row like any column that decides nothing."""
DROPPED_SHOWN: Final = timedelta(days=90)
"""Our policy: who left is a member that is inactive and `dropped` for so long; older ends are history, asked for as of a day."""


class MemberChange(StrEnum):
    """What a member is since the last upload (ATR change type)."""

    NEW = "new"
    CHANGED = "changed"
    NO_CHANGE = "nochange"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class PanelGroup:
    """A panel as a whole."""

    organization_id: UUID
    name: str
    npi: str | None
    upload_id: UUID
    updated_at: datetime
    members: int | None
    """People with a claim in force, as last counted."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One claim of the panel."""

    id: UUID
    person_id: UUID
    program: str
    role: str
    effective_from: date
    effective_to: date | None
    plan_id: str | None
    cells: Mapping[str, str]
    upload_id: UUID | None
    has_past: bool
    """The owner said something else of this claim before."""

    def is_over(self, today: date) -> bool:
        """Tell whether the claim no longer holds."""
        return self.effective_to is not None and self.effective_to <= today

    def change(self, last_upload_id: UUID, today: date) -> MemberChange:
        """Tell what became of the claim with the last upload."""
        if self.is_over(today):
            return MemberChange.DROPPED
        if self.upload_id != last_upload_id:
            return MemberChange.NO_CHANGE
        return MemberChange.CHANGED if self.has_past else MemberChange.NEW


@dataclass(frozen=True, slots=True)
class MemberAsk:
    """What an operation names."""

    member: Identifier | None = None
    person_id: UUID | None = None
    provider_npi: str = ""
    plan_id: str = ""
    program: str = ""
    starts_on: date | None = None
    ends_on: date | None = None
    """The last day of the period, itself included (FHIR Period.end)."""
    patient: Mapping[str, str] = field(default_factory=dict)
    """Cells of a roster row, of a Patient that came along."""


def rows_to_add(ask: MemberAsk, held: Sequence[GroupMember], today: date) -> list[dict[str, str]] | Problem:
    """Give the row that puts the member on the panel. `held`: what the panel says of them now, what is over too."""
    if not held and not ask.patient:
        return _problem(
            ProblemCode.UNKNOWN_KEY,
            "Nobody on this panel, now or before, is named so. Send a parameter `patient` with the Patient, so that hospitals' messages "
            "can be matched.",
        )
    if _are_several([claim for claim in held if not claim.is_over(today)] or held):
        return _several("added")
    programs = {program_key(claim.program): claim.program for claim in held}
    program = ask.program or (next(iter(programs.values())) if len(programs) == 1 else "")
    if not program:
        return _problem(
            ProblemCode.REQUIRED_FIELD_MISSING, "Say for which program the member is added: a parameter `program`, valueString."
        )
    same = [claim for claim in held if program_key(claim.program) == program_key(program) and not claim.is_over(today)]
    latest = (same or list(held))[-1] if held else None
    cells = {**(latest.cells if latest is not None else {}), **ask.patient}
    # Added again without a period: the claim that is there.
    starts_on = ask.starts_on or (same[-1].effective_from if same else today)
    ends_on = None if ask.ends_on is None else ask.ends_on + timedelta(days=1)
    more = {PROVIDER_COLUMN: ask.provider_npi, "plan_id": ask.plan_id}
    if not held and ask.member is not None:
        more |= {"member_id": ask.member.value, "member_id_system": ask.member.authority}
    row = cells | {name: text for name, text in more.items() if text} | {"program": program, "effective_from": starts_on.isoformat()}
    change = ChangeType.CHANGE if same else ChangeType.ADD
    return [row | {"effective_to": ends_on.isoformat() if ends_on else "", CHANGE_COLUMN: change.value}]


def rows_to_remove(ask: MemberAsk, held: Sequence[GroupMember], today: date) -> list[dict[str, str]] | Problem:
    """Give the rows that end the member's claims, or those of one provider or program; the last day is the period's, else yesterday."""
    meant = [
        claim
        for claim in held
        if not claim.is_over(today)
        and (not ask.provider_npi or claim.cells.get(PROVIDER_COLUMN, ask.provider_npi) == ask.provider_npi)
        and (not ask.program or program_key(claim.program) == program_key(ask.program))
    ]
    if not meant:
        return _problem(ProblemCode.UNKNOWN_KEY, "Nobody on this panel is named so now. Nothing was removed.")
    if _are_several(meant):
        return _several("removed")
    ends_on = today if ask.ends_on is None else ask.ends_on + timedelta(days=1)
    said = {"effective_to": ends_on.isoformat(), CHANGE_COLUMN: ChangeType.REMOVE.value}
    return [
        {name: text for name, text in claim.cells.items() if name in _NAMING}
        | {"program": claim.program, "role": claim.role, "effective_from": claim.effective_from.isoformat()}
        | said
        for claim in meant
    ]


_NAMING: Final = frozenset(
    {"member_id", "member_id_system", "medicaid_id", "mrn", "mrn_system", "first_name", "last_name", "birth_date", "sex"}
)


class ListedRows:
    """Rows that come as they are, read as if from a file (`PanelReader`)."""

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Take the rows; every column that any of them has is one of the header."""
        self.header: tuple[str, ...] | None = tuple(dict.fromkeys(name for row in rows for name in row))
        self.header_row = 1
        self._rows = [RawRow(number, [row.get(name, "") for name in self.header]) for number, row in enumerate(rows, 2)]

    @staticmethod
    def octets(rows: Sequence[Mapping[str, str]]) -> bytes:
        """Give the bytes by which the upload is known."""
        return orjson.dumps([dict(row) for row in rows])

    def feed(self, _data: bytes) -> list[RawRow]:
        """Give nothing yet: the bytes are for the hash alone."""
        return []

    def close(self) -> list[RawRow]:
        """Give the rows."""
        return self._rows


def _are_several(claims: Sequence[GroupMember]) -> bool:
    return len({claim.person_id for claim in claims}) > 1


def _several(done: str) -> Problem:
    sentence = f"Several members have this number. Nobody was {done}. Give its system, or the patientReference of the one who is meant."
    return _problem(ProblemCode.DUPLICATE_KEY, sentence)


def _problem(code: ProblemCode, sentence: str) -> Problem:
    return Problem(code, Severity.ERROR, "Parameters.parameter", sentence)
