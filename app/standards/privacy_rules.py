"""Privacy law as data: the federal notices and limits, and the state packs. Not here: the decision (domain/privacy)."""

from functools import cache
from importlib.resources.abc import Traversable

from app.domain.consent import OVERRIDING, Category, ConsentKind, Purpose
from app.domain.organization import FacilityType
from app.domain.privacy import PART2_NOTICE
from app.domain.privacy_law import Default, MinorRules, Notice, PrivacyLaw, StatePack, StateRule, Without
from app.standards.toml_table import TomlTable, no_repetition, read_folder, shipped

FEDERAL = "federal.toml"
_PAPERS = frozenset({ConsentKind.TPO, ConsentKind.NAMED, ConsentKind.INTERMEDIARY})


@cache
def privacy_law() -> PrivacyLaw:
    """Give the shipped law."""
    return load_privacy_law(shipped("privacy"))


def load_privacy_law(folder: Traversable) -> PrivacyLaw:
    """Read the federal file and every pack beside it."""
    tables = read_folder(folder)
    federal = next((table for table in tables if table.file == FEDERAL), None)
    if federal is None:
        TomlTable(str(folder), {}).fail(FEDERAL, "must be there: it has the notices")
    packs = tuple(_pack(table) for table in tables if table is not federal)
    no_repetition("privacy", "pack", (pack.id for pack in packs))
    no_repetition("privacy", "rule", (rule.id for pack in packs for rule in pack.rules))
    return _federal(federal, {pack.id: pack for pack in packs})


def _federal(table: TomlTable, packs: dict[str, StatePack]) -> PrivacyLaw:
    for name in ("source", "licence"):
        table.text(name)
    table.boolean("verified")
    notices = []
    for one in table.tables("notice"):
        notices.append(Notice(one.text("code"), one.text("version"), one.text("text").strip()))
        one.finish()
    no_repetition(table.place, "notice", (one.code for one in notices))
    if PART2_NOTICE not in {one.code for one in notices}:
        table.fail("notice", f"must have one with the code {PART2_NOTICE}: it accompanies every disclosure under 42 CFR part 2")
    law = PrivacyLaw(
        version=table.text("version"),
        notices={one.code: one for one in notices},
        packs=packs,
        review_own_assertions=table.boolean("review_own_assertions", default=True),
        emergency_hours_max=_positive(table, "emergency_hours_max"),
        break_glass_minutes_max=_positive(table, "break_glass_minutes_max"),
    )
    table.finish()
    return law


def _pack(table: TomlTable) -> StatePack:
    for name in ("source", "licence"):
        table.text(name)
    pack = StatePack(
        id=table.text("id"),
        title=table.text("title"),
        version=table.text("version"),
        rules=tuple(_rule(one) for one in table.tables("rule")),
        minors=_minors(table.table("minors")),
    )
    if f"{pack.id}.toml" != table.file:
        table.fail("id", f"must be the name of the file without .toml, so that a pack is found by its id: {table.file}")
    if not pack.rules:
        table.fail("rule", "must not be empty: a pack without rules says nothing")
    table.finish()
    return pack


def _minors(table: TomlTable) -> MinorRules:
    objection = table.integer("guardian_unless_objection_from_years") if table.has("guardian_unless_objection_from_years") else None
    rules = MinorRules(
        self_from_years=table.integer("self_from_years", 18),
        guardian_until_years=table.integer("guardian_until_years", 18),
        guardian_unless_objection_from_years=objection,
    )
    if rules.self_from_years > rules.guardian_until_years:
        table.fail("self_from_years", "must not be later than guardian_until_years: between them nobody could sign")
    table.finish()
    return rules


def _rule(table: TomlTable) -> StateRule:
    days_max = _positive(table, "days_max") if table.has("days_max") else None
    rule = StateRule(
        id=table.text("id"),
        category=table.code("category", Category),
        purposes=table.codes("purposes", Purpose, required=True),
        default=table.code("default", Default),
        source=table.text("source"),
        licensed=table.boolean("licensed"),
        facility_types=table.codes("facility_types", FacilityType),
        signal=table.boolean("signal"),
        diagnoses=table.texts("diagnoses"),
        without=table.code("without", Without, Without.SUPPRESS),
        consent_kinds=table.codes("consent_kinds", ConsentKind) or _PAPERS,
        names_recipient=table.boolean("names_recipient"),
        needs_expiry=table.boolean("needs_expiry"),
        days_max=days_max,
        verified=table.boolean("verified"),
        effective_from=table.day("effective_from"),
        effective_to=table.day("effective_to"),
    )
    if rule.consent_kinds & (OVERRIDING | {ConsentKind.REFUSAL}):
        table.fail("consent_kinds", f"must be papers: {', '.join(sorted(_PAPERS))}")
    if not (rule.licensed or rule.facility_types or rule.signal or rule.diagnoses):
        table.fail("licensed", "or facility_types, signal or diagnoses must say which stays the rule concerns")
    if rule.effective_from and rule.effective_to and rule.effective_to <= rule.effective_from:
        table.fail("effective_to", "must be after effective_from")
    table.finish()
    return rule


def _positive(table: TomlTable, key: str) -> int:
    found = table.integer(key)
    if not found:
        table.fail(key, "must be at least 1")
    return found
