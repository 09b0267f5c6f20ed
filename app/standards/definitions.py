"""The definitions of one deployment: the shipped programs, measures, visit codes and value sets, or those of a folder of its own.

A part that the folder has takes the place of the whole shipped part, never of single files: half of a licensed set beside half of ours
would be neither. Not here: what is in a file (the loaders beside).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from app.domain.diagnosis import DiagnosisRules
from app.domain.measure import MeasureCatalog
from app.domain.program import ProgramCatalog
from app.standards.diagnosis_rules import diagnosis_rules, load_diagnosis_rules
from app.standards.measure_rules import load_measures, measure_catalog
from app.standards.program_catalog import load_programs, program_catalog
from app.standards.toml_table import StandardsError, shipped

VISIT_CODES: Final = "visit_codes.toml"
MEASURED: Final = ("codes", "measures", "value_sets")
"""The parts by which statuses of measures change."""
PARTS: Final = (*MEASURED, "programs")
_EDITION_OCTETS: Final = 4


@dataclass(frozen=True, slots=True)
class Definitions:
    """What a deployment may bring itself."""

    diagnoses: DiagnosisRules
    programs: ProgramCatalog
    measures: MeasureCatalog


@cache
def definitions(own: Path | None = None) -> Definitions:
    """Give the shipped definitions, with those of a folder in their place. Raises StandardsError naming folder, file, key and remedy.

    Statuses made by own value sets, codes or measures say so: their rule version ends with + and a digest of these files.
    """
    if own is None:
        return Definitions(diagnosis_rules(), program_catalog(), measure_catalog())
    parts = _parts_of(own)

    def part(name: str) -> Traversable:
        return own / name if name in parts else shipped(name)

    try:
        diagnoses = load_diagnosis_rules(part("value_sets"))
        edition = _edition(own / name for name in MEASURED if name in parts)
        measures = load_measures(part("measures"), part("codes") / VISIT_CODES, diagnoses, edition)
        return Definitions(diagnoses, load_programs(part("programs")), measures)
    except StandardsError as wrong:
        message = f"{own}: {wrong}"
        raise StandardsError(message) from wrong


def _parts_of(own: Path) -> frozenset[str]:
    """Give the parts that a folder has. One that is misspelt would be passed over, and the shipped part go on counting."""
    try:
        there = [one for one in own.iterdir() if not one.name.startswith(".")]
    except OSError as wrong:
        message = f"{own}: cannot be read ({wrong.strerror}); it must be a folder that this account may read"
        raise StandardsError(message) from wrong
    # A definition beside the folders would be passed over; a README there says something to people.
    parts = frozenset(one.name for one in there if one.is_dir() or one.suffix == ".toml")
    if not parts or not parts <= {*PARTS}:
        odd = f"; {', '.join(sorted(parts - {*PARTS}))} is none of them" if parts else " and has none of them"
        message = f"{own}: must hold folders of the names {', '.join(sorted(PARTS))}{odd}"
        raise StandardsError(message)
    if "codes" in parts and [one.name for one in (own / "codes").glob("*.toml")] != [VISIT_CODES]:
        message = f"{own}: codes must hold {VISIT_CODES} and no other .toml file: the other code tables are those of this release"
        raise StandardsError(message)
    return parts


def _edition(folders: Iterable[Path]) -> str:
    """Give a digest of every file by which measures go; nothing where they are all shipped."""
    digest, has_own = hashlib.blake2b(digest_size=_EDITION_OCTETS), False
    for folder in folders:
        for file in sorted(folder.glob("*.toml")):
            has_own = True
            digest.update(f"{folder.name}/{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest() if has_own else ""
