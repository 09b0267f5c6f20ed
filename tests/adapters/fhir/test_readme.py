"""The README of the adapter: every attribute that is filled, every module and every event is in it, and every path in it exists."""

import re
from dataclasses import fields
from pathlib import Path

from adapters.fhir.codes import EVENTS, V2_EVENT
from app.domain.adt_event import AdtEvent, DiagnosisFact, Identifier, PersonFacts, VisitFacts
from app.domain.document import DocumentPointer

ROOT = Path(__file__).parents[3]
README = (ROOT / "adapters" / "fhir" / "README.md").read_text(encoding="utf-8")
CARRIERS = {"person", "visit", "diagnoses"}


def test_every_attribute_is_in_the_field_table() -> None:
    names = {field.name for noun in (AdtEvent, DocumentPointer, PersonFacts, VisitFacts, DiagnosisFact) for field in fields(noun)}.union(
        Identifier._fields
    ) - CARRIERS
    assert {name for name in names if not re.search(rf"[`.]{name}`", README)} == set()


def test_every_path_exists() -> None:
    here = ROOT / "adapters" / "fhir"
    for path in re.findall(r"`([\w/]+\.py|tests/[\w/]+|app/[\w/.]+)`", README):
        assert (ROOT / path).exists() or (here / path).exists(), path


def test_every_module_is_in_the_table() -> None:
    modules = {path.name for path in (ROOT / "adapters" / "fhir").glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if f"`{name}`" not in README} == set()


def test_every_event_is_in_the_table() -> None:
    assert {code for system, code in EVENTS if system != V2_EVENT and f"`{code}`" not in README} == set()
    assert f"{V2_EVENT}`: A01\u2013A08, A11\u2013A13, A28, A31, T01\u2013T11, R01" in README
    assert {code for system, code in EVENTS if system == V2_EVENT} == {
        *(f"A{n:02}" for n in (*range(1, 9), 11, 12, 13, 28, 31)),
        *(f"T{n:02}" for n in range(1, 12)),
        "R01",
    }
