"""Cells that a spreadsheet would take for a formula: made harmless in files we write, and taken back from files we read.

The remedy is the usual one, an apostrophe before the cell (OWASP, CSV injection). Both ways together change nothing, so a file of
refused rows can be mended and sent again. Not here: quoting.
"""

from typing import Final

TRIGGERS: Final = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n"
"""Also in their full-width forms, which spreadsheets in East Asian settings read as formulas."""
MARK: Final = "'"
MARKED: Final = tuple(MARK + trigger for trigger in TRIGGERS)
"""How a cell begins that was made harmless."""


def neutralised(cell: str) -> str:
    """Give the cell so that no spreadsheet computes it."""
    return MARK + cell if cell[:1] in TRIGGERS and cell else cell


def restored(cell: str) -> str:
    """Give the cell as it was before `neutralised`."""
    return cell[1:] if cell.startswith(MARKED) else cell
