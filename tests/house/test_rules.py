"""Every rule of the standards has a test that cites its id, and `tests/rules.tsv` says which: so none is dropped unseen.

A rule that has no test yet stands in `WAITING` with where it is going to be kept; a test may cite it before it leaves that list.
"""

import csv
import re
from pathlib import Path

import pytest

from adapters.hl7v2.acceptance import SUPPORTED
from tests.house.conftest import ROOT

TESTS = ROOT / "tests"
TABLE = TESTS / "rules.tsv"
STANDARDS = ROOT.parent / "shared" / "reference" / "standards.md"
WAITING: dict[str, str] = {}
_SERIES = r"(?:MLLP|ACK|DV|ADT|HL7|BATCH|HOH|DIR|COP)-\d+"


def rules() -> dict[str, list[Path]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE))
    listed = [row["id"] for row in rows]
    assert len(listed) == len(set(listed)), "a rule is listed twice"
    assert all(row["rule"] for row in rows)
    return {row["id"]: [] if row["tests"] == "-" else [TESTS / name for name in row["tests"].split()] for row in rows}


def cites(path: Path, rule: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(rule)}(?![\w-])", path.read_text(encoding="utf-8")) is not None


def test_every_rule_has_a_test_that_cites_it() -> None:
    wrong = [f"{rule}: {path.name}" for rule, paths in rules().items() for path in paths if not path.is_file() or not cites(path, rule)]
    assert wrong == []
    assert {rule for rule, paths in rules().items() if not paths} <= set(WAITING), "a rule without a test, and without a reason"


def test_no_test_cites_a_rule_that_does_not_exist() -> None:
    known = set(rules())
    unknown = {
        f"{path.relative_to(ROOT)}: {rule}"
        for path in TESTS.rglob("*.py")
        if path != Path(__file__)
        for rule in re.findall(rf"(?<![\w-]){_SERIES}(?![\w-])", path.read_text(encoding="utf-8"))
        if rule not in known
    }
    assert unknown == set()


def test_every_trigger_that_changes_something_is_listed() -> None:
    assert set(rules()) >= SUPPORTED


@pytest.mark.skipif(not STANDARDS.exists(), reason="the standards are not part of this repository: ../shared/reference/standards.md")
def test_the_list_has_every_rule_of_these_chapters() -> None:
    text = STANDARDS.read_text(encoding="utf-8")
    chapters = [text.split(f"### {chapter} ", 1)[1].split("\n### ", 1)[0] for chapter in ("C.1", "C.2", "C.6", "C.7")]
    named = {rule for chapter in chapters for rule in re.findall(rf"^- \*\*({_SERIES})", chapter, re.MULTILINE)}
    assert len(named) > 30
    assert named <= set(rules())
