"""The diagnosis groups as data: reads the value sets and the names of the code system, and builds the classifier.

A licensed value-set folder of the same form can be loaded instead. Not here: what a group means (``app.domain.diagnosis``).
"""

import re
from functools import cache
from importlib.resources.abc import Traversable
from itertools import pairwise

from app.domain.diagnosis import CODE_SHAPE, DiagnosisGroup, DiagnosisRules, ValueSet, normalized_code
from app.standards.toml_table import StandardsError, TomlTable, build, no_repetition, read_folder, read_toml, shipped


@cache
def diagnosis_rules() -> DiagnosisRules:
    """Give the shipped rules."""
    return load_diagnosis_rules(shipped("value_sets"))


def load_diagnosis_rules(folder: Traversable) -> DiagnosisRules:
    """Build the classifier from a folder of value sets, one group a file."""
    value_sets = load_value_sets(folder)
    missing = set(DiagnosisGroup) - {one.group for one in value_sets}
    if missing:
        message = f"{folder.name}: has no value set for: {', '.join(sorted(missing))}"
        raise StandardsError(message)
    systems = read_toml(shipped("codes", "diagnosis_code_systems.toml"))
    systems.text("source")
    systems.text("licence")
    names = systems.texts("names", required=True)
    systems.finish()
    return DiagnosisRules(value_sets, names)


def load_value_sets(folder: Traversable) -> tuple[ValueSet, ...]:
    """Read the value sets of a folder."""
    tables = read_folder(folder)
    no_repetition(folder.name, "group", [table.text("group") for table in tables])
    return tuple(one for table in tables for one in _value_sets(table))


def _value_sets(table: TomlTable) -> list[ValueSet]:
    group = table.code("group", DiagnosisGroup)
    for key in ("title", "source", "licence"):
        table.text(key)
    periods = [_period(group, one) for one in table.tables("period")]
    table.finish()
    if not periods:
        table.fail("period", "is missing: a value set needs at least one")
    if periods[0].effective_from is not None or periods[-1].effective_to is not None:
        table.fail("period", "must leave effective_from out of the first and effective_to out of the last: else codes are in no group then")
    for before, after in pairwise(periods):
        if before.effective_to is None or before.effective_to != after.effective_from:
            table.fail("period", "must follow the one before it without gap or overlap, oldest first")
    return periods


def _period(group: DiagnosisGroup, table: TomlTable) -> ValueSet:
    pattern = _listed(table) if table.has("codes") else _pattern(table)
    version = table.text("version")
    effective_from, effective_to = table.day("effective_from"), table.day("effective_to")
    table.integer("leaf_codes", default=0)
    table.finish()
    return build(
        table.place,
        lambda: ValueSet(group=group, version=version, pattern=pattern, effective_from=effective_from, effective_to=effective_to),
    )


def _pattern(table: TomlTable) -> str:
    """Read a rule over codes as they are compared: in capitals and without a dot."""
    pattern = table.text("pattern")
    try:
        re.compile(pattern)
    except re.error as wrong:
        table.fail("pattern", f"is not a regular expression: {wrong}")
    if not pattern.startswith("^"):
        table.fail("pattern", "must begin with ^: a group is told by how codes begin")
    if r"\." in pattern or re.search("[a-z]", re.sub(r"\\.", "", pattern)):
        table.fail("pattern", "must be in capitals and without dots, as codes are compared: F322, not F32.2")
    return pattern


def _listed(table: TomlTable) -> str:
    """Read a list of whole codes, dotted or not, as licensed sets come, instead of a pattern."""
    if table.has("pattern"):
        table.fail("codes", "must not stand beside a pattern; keep one of them")
    codes = [normalized_code(code) for code in table.texts("codes", required=True)]
    if any(CODE_SHAPE.fullmatch(code) is None for code in codes):
        table.fail("codes", "must be whole ICD-10-CM codes, such as F32.2")
    return f"^(?:{'|'.join(sorted(codes))})$"
