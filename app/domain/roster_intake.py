"""A roster while it is read: bytes become rows that are taken or refused, and what the answer tells of them is counted.

Not here: what a row means (roster_row), what the rows change (panel), where they go meanwhile (store/panel_stage).
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, Protocol

from app.domain.organization import Organization
from app.domain.panel import ERRORS_SHOWN_MAX
from app.domain.roster import Layout, RawRow, RowError, layout_of
from app.domain.roster_change import Removal
from app.domain.roster_columns import RosterReader
from app.domain.roster_row import KnowsProgram, RefusedRow, RosterRow


class PanelReader(Protocol):
    """Reads one roster, in pieces."""

    header: tuple[str, ...] | None
    """As sent; there as soon as its line was fed."""
    header_row: int

    def feed(self, data: bytes) -> list[RawRow]:
        """Give the rows that are complete. Raises `RosterRefusedError` when the file is no roster."""
        ...

    def close(self) -> list[RawRow]:
        """Give the last rows."""
        ...


class RosterPiece(NamedTuple):
    """What came of a piece of the file."""

    taken: Sequence[RosterRow]
    """Rows that say who is on the panel."""
    refused: Sequence[RefusedRow]
    removals: Sequence[Removal]
    """Rows that say who no longer is."""


class RosterIntake:
    """What is counted and remembered while a file is read."""

    def __init__(self, reader: PanelReader, organization: Organization, today: date, knows_program: KnowsProgram | None) -> None:
        """Begin a file. `today` is the organization's; `knows_program` as in `RosterReader`."""
        self._reader = reader
        self._knows_program = knows_program
        self._organization = organization
        self._today = today
        self._hash = hashlib.sha256()
        self._rows: RosterReader | None = None
        self.layout = Layout((), (), ())
        self.taken = 0
        self.refused = 0
        self.errors: list[RowError] = []
        """The first `ERRORS_SHOWN_MAX`."""
        self.repeated = 0
        self.warnings: list[RowError] = []

    @property
    def file_hash(self) -> bytes:
        """SHA-256 of what was read."""
        return self._hash.digest()

    @property
    def has_mrns(self) -> bool:
        """Tell whether the roster has a column of hospitals' numbers."""
        return "mrn" in self.layout.names

    def feed(self, piece: bytes) -> RosterPiece:
        """Read a piece of the file. In a thread; raises `RosterRefusedError`."""
        self._hash.update(piece)
        return self._sorted(self._reader.feed(piece))

    def close(self) -> RosterPiece:
        """Read what is left."""
        rows = self._sorted(self._reader.close())
        if self._rows is not None:
            self.warnings += self._rows.warnings()
        return rows

    def _sorted(self, raws: Sequence[RawRow]) -> RosterPiece:
        if self._rows is None:
            if self._reader.header is None:
                return RosterPiece((), (), ())
            self.layout = layout_of(self._reader.header, row=self._reader.header_row)
            self._rows = RosterReader(self.layout, self._organization, self._today, self._knows_program)
        taken: list[RosterRow] = []
        refused: list[RefusedRow] = []
        removals: list[Removal] = []
        for row in self._rows.read(raws):
            if isinstance(row, RosterRow):
                taken.append(row)
            elif isinstance(row, Removal):
                removals.append(row)
            else:
                refused.append(row)
                if len(self.errors) < ERRORS_SHOWN_MAX:
                    self.errors += row.errors
        self.taken += len(taken) + len(removals)
        self.refused += len(refused)
        return RosterPiece(taken, refused, removals)
