"""The diagnosis groups as data: reads the value sets and the names of the code system, and builds the classifier.

A licensed value-set folder of the same form can be loaded instead. Not here: what a group means (``app.domain.diagnosis``).
"""

import re
from functools import cache
from importlib.resources.abc import Traversable
from itertools import pairwise

from app.domain.diagnosis import DiagnosisGroup, DiagnosisRules, ValueSet
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
        message = f"{folder}: has no value set for: {', '.join(sorted(missing))}"
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
    no_repetition(str(folder), "group", [table.text("group") for table in tables])
    return tuple(one for table in tables for one in _value_sets(table))


def _value_sets(table: TomlTable) -> list[ValueSet]:
    group = table.code("group", DiagnosisGroup)
    for key in ("title", "source", "licence"):
        table.text(key)
    periods = [_period(group, one) for one in table.tables("period")]
    table.finish()
    if not periods:
        table.fail("period", "is missing: a value set needs at least one")
    for before, after in pairwise(periods):
        if before.effective_to is None or before.effective_to != after.effective_from:
            table.fail("period", "must follow the one before it without gap or overlap, oldest first")
    return periods


def _period(group: DiagnosisGroup, table: TomlTable) -> ValueSet:
    pattern = table.text("pattern")
    try:
        re.compile(pattern)
    except re.error as wrong:
        table.fail("pattern", f"is not a regular expression: {wrong}")
    if not pattern.startswith("^"):
        table.fail("pattern", "must begin with ^: a group is told by how codes begin")
    version = table.text("version")
    effective_from, effective_to = table.day("effective_from"), table.day("effective_to")
    table.integer("leaf_codes")
    table.finish()
    return build(
        table.place,
        lambda: ValueSet(group=group, version=version, pattern=pattern, effective_from=effective_from, effective_to=effective_to),
    )
