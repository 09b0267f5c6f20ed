"""The README of the adapter: every attribute that is filled is in its table, and every path in it exists."""

import re
from dataclasses import fields
from pathlib import Path

from app.domain.adt_event import AdtEvent, DiagnosisFact, Identifier, PersonFacts, VisitFacts
from app.domain.document import DocumentPointer

ROOT = Path(__file__).parents[3]
README = (ROOT / "adapters" / "hl7v2" / "README.md").read_text(encoding="utf-8")
CARRIERS = {"person", "visit", "diagnoses"}


def test_every_attribute_is_in_the_field_table() -> None:
    names = {field.name for noun in (AdtEvent, DocumentPointer, PersonFacts, VisitFacts, DiagnosisFact) for field in fields(noun)}.union(
        Identifier._fields
    ) - CARRIERS
    missing = {name for name in names if not re.search(rf"[`.]{name}`", README)}
    assert missing == set()


def test_every_path_exists() -> None:
    here = ROOT / "adapters" / "hl7v2"
    for path in re.findall(r"`([\w/]+\.py|tests/[\w/]+|app/[\w/.]+)`", README):
        assert (ROOT / path).exists() or (here / path).exists(), path


def test_every_module_is_in_the_table() -> None:
    modules = {path.name for path in (ROOT / "adapters" / "hl7v2").glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if f"`{name}`" not in README} == set()
