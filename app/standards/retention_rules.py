"""How long what is only added to is kept, and how far back accountings reach, as data. Not here: removing it (store/audit_retention)."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources.abc import Traversable

from app.standards.toml_table import read_toml, shipped


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """Years, and where they are from."""

    source: str
    version: str
    kept_years: int
    part2_list_years: int
    """42 CFR 2.24: whom an intermediary disclosed to."""
    accounting_years: int
    """45 CFR 164.528: to whom a covered entity disclosed."""


@cache
def retention_rules() -> RetentionRules:
    """Give the shipped rules."""
    return load_retention(shipped("retention", "audit.toml"))


def load_retention(file: Traversable) -> RetentionRules:
    """Read the rules. What is kept has to reach as far back as any accounting."""
    table = read_toml(file)
    table.text("licence")
    rules = RetentionRules(
        table.text("source"),
        table.text("version"),
        table.integer("kept_years") or 0,
        table.integer("part2_list_years") or 0,
        table.integer("accounting_years") or 0,
    )
    if not 0 < max(rules.part2_list_years, rules.accounting_years) <= rules.kept_years:
        table.fail("kept_years", "must be at least as long as the accountings reach back")
    table.finish()
    return rules


def years_before(now: datetime, years: int) -> datetime:
    """Give the same instant so many years earlier; of a 29 February the day before, so that nothing is lost a day early."""
    try:
        return now.replace(year=now.year - years)
    except ValueError:
        return now.replace(year=now.year - years, day=28)
