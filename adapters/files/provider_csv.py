"""A registry of providers as CSV, of the form of NPPES or of five plain columns: row by row, however large. Without a database.

NPPES: `NPI`, `Entity Type Code`, `Healthcare Provider Taxonomy Code_1` to `_15`, `NPI Deactivation Date` and
`NPI Reactivation Date`. Plain: `npi`, `entity_type`,
`taxonomy`, `effective_from`, `effective_to`. Not here: what a taxonomy means (app/standards).
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final, NamedTuple

from app.domain.organization import is_valid_npi
from app.domain.roster import column_name, read_day

_TAXONOMY: Final = re.compile(r"[0-9A-Z]{10}", re.ASCII)
_ENTITIES: Final = frozenset({"1", "2"})
_TAXONOMY_COLUMN: Final = re.compile(r"(?:healthcare_provider_)?taxonomy(?:_code)?(?:_\d+)?", re.ASCII)
ALWAYS: Final = date.min
"""From when a kind of provider holds where the file does not say."""


class ProviderRow(NamedTuple):
    """One kind of one provider."""

    npi: str
    taxonomy: str
    effective_from: date
    effective_to: date | None
    entity: str


class BadRow(NamedTuple):
    """A row that is not taken."""

    row: int
    column: str
    why: str


class NoRegistryError(ValueError):
    """The file has no column of NPIs, or none of taxonomies."""


def read_providers(lines: Iterable[str]) -> Iterator[ProviderRow | BadRow]:
    """Give every kind of every provider; a row that is wrong as what is wrong with it. A provider without a kind has an empty one."""
    reader = csv.reader(lines)
    names = [column_name(cell) for cell in next(reader, [])]
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    taxonomies = [place for place, name in enumerate(names) if _TAXONOMY_COLUMN.fullmatch(name)]
    if "npi" not in places or not taxonomies:
        raise NoRegistryError
    entity_at = places.get("entity_type_code", places.get("entity_type", -1))
    from_at, to_at = places.get("effective_from", -1), places.get("effective_to", places.get("npi_deactivation_date", -1))
    days_at = (from_at, to_at, places.get("npi_reactivation_date", -1))
    for cells in reader:
        if cells:
            yield from _of_row(reader.line_num, cells, names, places["npi"], entity_at, taxonomies, days_at)


def _of_row(  # where each column is
    number: int, cells: list[str], names: list[str], npi_at: int, entity_at: int, taxonomies: list[int], days_at: tuple[int, int, int]
) -> Iterator[ProviderRow | BadRow]:
    if len(cells) != len(names):
        yield BadRow(number, "", "The row has more or fewer cells than the header.")
        return
    npi = cells[npi_at].strip()
    entity = cells[entity_at].strip() if entity_at >= 0 else "1"
    if not is_valid_npi(npi):
        yield BadRow(number, "npi", "The cell is no NPI: ten digits, the last one a check digit.")
        return
    days = [cells[place].strip() if place >= 0 else "" for place in days_at]
    read = [read_day(text) if text else None for text in days]
    wrong_at = [place for place, text, day in zip(days_at, days, read, strict=True) if text and day is None]
    if wrong_at:
        yield BadRow(number, names[wrong_at[0]], "The cell is no date. Write YYYY-MM-DD; MM/DD/YYYY and YYYYMMDD are read too.")
        return
    if entity and entity not in _ENTITIES:
        yield BadRow(number, "entity_type", "The entity type is 1 (individual) or 2 (organization).")
        return
    kinds = dict.fromkeys(text.upper() for place in taxonomies if (text := cells[place].strip()))
    wrong = [kind for kind in kinds if _TAXONOMY.fullmatch(kind) is None]
    if wrong:
        yield BadRow(number, "taxonomy", "The cell is no taxonomy code of ten characters.")
        return
    since, until, again = read
    # NPPES keeps the day of a deactivation that was taken back, and says in another column since when.
    spans = [(since or ALWAYS, until)] if again is None or until is None else [(since or ALWAYS, until), (max(until, again), None)]
    for kind in kinds or [""]:
        for starts_on, ends_on in spans:
            yield ProviderRow(npi, kind, starts_on, ends_on, entity or "1")
