"""The measures as data: reads one file a measure with all its versions, the visit codes and provider types, and builds the catalog.

A licensed folder of the same form can be loaded instead. Every rate made from the shipped ones is ``UNCERTIFIED``. Not here: what a
rule does (``app.domain.measure``, ``episode``, ``service``).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources.abc import Traversable
from typing import Final

from app.domain.behavioral import BehavioralKind
from app.domain.diagnosis import DiagnosisGroup, DiagnosisRules
from app.domain.measure import LONG_DAYS, Evidence, MeasureCatalog, MeasureRules
from app.domain.service import (
    MEDICATION_DISPENSED,
    MEDICATION_RECONCILED,
    UNCODED_VISIT,
    CodeGroup,
    ServiceNeed,
    ServiceReader,
    ServiceRule,
)
from app.domain.stay import CareLevel, StayClass
from app.standards.diagnosis_rules import diagnosis_rules
from app.standards.toml_table import TomlTable, no_repetition, read_folder, read_toml, shipped

UNCERTIFIED: Final = "HEDIS-like, uncertified"


@cache
def measure_catalog() -> MeasureCatalog:
    """Give the shipped measures."""
    return load_measures(shipped("measures"), shipped("codes", "visit_codes.toml"), diagnosis_rules())


def load_measures(folder: Traversable, visit_codes: Traversable, diagnoses: DiagnosisRules, edition: str = "") -> MeasureCatalog:
    """Build the catalog from a folder of measures and a file of visit codes. The edition is added to the name of every version."""
    table = read_toml(visit_codes, "codes")
    table.text("source")
    table.text("licence")
    groups = tuple(_code_group(one) for one in table.tables("group"))
    medications = table.texts("addiction_medication_ndcs")
    if any(len(ndc) != 9 or not ndc.isdigit() for ndc in medications):  # noqa: PLR2004 - labeler and product
        table.fail("addiction_medication_ndcs", "must be labelers and products: the first nine digits of an NDC of eleven")
    providers = table.texts("mental_health_providers", required=True)
    reader = ServiceReader(groups, providers, table.texts("no_visit_places"), diagnoses, medications)
    table.finish()
    names = {group.name for group in groups} | {UNCODED_VISIT, MEDICATION_DISPENSED, MEDICATION_RECONCILED}
    measures = read_folder(folder)
    no_repetition(folder.name, "measure", [one.text("measure") for one in measures])
    found = [rules for one in measures for rules in _measure(one, names)]
    return MeasureCatalog([replace(one, version=f"{one.version}+{edition}") for one in found] if edition else found, reader)


def _code_group(table: TomlTable) -> CodeGroup:
    group = CodeGroup(
        name=table.text("name"),
        codes=frozenset(table.texts("codes", required=True)),
        effective_from=table.day("effective_from"),
        effective_to=table.day("effective_to"),
    )
    table.finish()
    if group.effective_from is not None and group.effective_to is not None and group.effective_from >= group.effective_to:
        table.fail("effective_to", "must be after effective_from: it is the first day on which the codes are no longer valid")
    wrong = [code for code in group.codes if len(code) != 5 or not code.isalnum() or code != code.upper()]  # noqa: PLR2004 - CPT, HCPCS
    if wrong:
        table.fail("codes", "must be CPT or HCPCS codes of five characters")
    return group


def _measure(table: TomlTable, code_groups: set[str]) -> list[MeasureRules]:
    title = table.text("title")
    for key in ("source", "licence"):
        table.text(key)
    services = _services(table.table("service"), code_groups)
    common = {key: table.integer(key, default=0) for key in ("age_min", "first_day", "visit_gap_days", "return_days", "window_days")}
    evidence = table.code("evidence", Evidence, Evidence.SERVICE)
    from_admission, survivors_only = table.boolean("from_admission"), table.boolean("death_excludes", default=True)
    also_classes = table.codes("also_classes", StayClass)
    name, stay_class, about = table.text("measure"), table.code("stay_class", StayClass), table.code("about", BehavioralKind)
    bands = tuple(table.integers("age_bands"))
    if not bands or bands[0] != common["age_min"] or list(bands) != sorted(set(bands)):
        table.fail("age_bands", "must begin at age_min and rise")
    versions = []
    for one in table.tables("version"):
        versions.append(
            MeasureRules(
                measure=name,
                title=title,
                version=one.text("name"),
                first_year=one.integer("first_year"),
                stay_class=stay_class,
                about=about,
                age_min=common["age_min"],
                age_bands=bands,
                first_day=common["first_day"],
                visit_gap_days=common["visit_gap_days"],
                evidence=evidence,
                window_days=common["window_days"],
                from_admission=from_admission,
                death_excludes=survivors_only,
                also_classes=also_classes,
                no_index_principal=one.codes("no_index_principal", DiagnosisGroup),
                planned_principal=one.codes("planned_principal", DiagnosisGroup),
                index_principal=one.codes("index_principal", DiagnosisGroup, required=about is not BehavioralKind.NONE),
                index_any=one.codes("index_any", DiagnosisGroup),
                readmission_principal=one.codes("readmission_principal", DiagnosisGroup),
                readmission_any=one.codes("readmission_any", DiagnosisGroup),
                index_levels=one.codes("index_levels", CareLevel) or frozenset({CareLevel.ACUTE}),
                return_days=common["return_days"] or LONG_DAYS,
                ignored_levels=one.codes("ignored_levels", CareLevel),
                counted_levels=one.codes("counted_levels", CareLevel),
                counted_principal=one.codes("counted_principal", DiagnosisGroup),
                services=_named(one, services, required=evidence is Evidence.SERVICE),
            )
        )
        one.finish()
    table.finish()
    if not versions:
        table.fail("version", "is missing: a measure needs at least one")
    no_repetition(table.place, "first_year", [str(one.first_year) for one in versions])
    return versions


def _services(table: TomlTable, code_groups: set[str]) -> Mapping[str, ServiceRule]:
    services = {}
    for name in table.keys():  # noqa: SIM118 - a TomlTable, not a dict
        one = table.table(name)
        rule = ServiceRule(
            name=name,
            code_groups=frozenset(one.texts("code_groups", required=True)),
            places=frozenset(one.texts("places")),
            needs_any=one.codes("needs_any", ServiceNeed),
            needs_all=one.codes("needs_all", ServiceNeed),
            long_window_only=one.boolean("long_window_only"),
        )
        one.finish()
        unknown = rule.code_groups - code_groups
        if unknown:
            one.fail("code_groups", f"names groups that do not exist: {', '.join(sorted(unknown))}")
        services[name] = rule
    return services


def _named(version: TomlTable, services: Mapping[str, ServiceRule], *, required: bool) -> tuple[ServiceRule, ...]:
    names = version.texts("services", required=required)
    unknown = [name for name in names if name not in services]
    if unknown:
        version.fail("services", f"names rules that this file does not define: {', '.join(unknown)}")
    return tuple(services[name] for name in names)
