"""Short files, short functions: past the limit a file is a question to answer. The exceptions are named here, and may only shrink.

A file that needs an exception gets a line with its reason and its present length; one that has become shorter gets the new length.
"""

import ast
from pathlib import Path

import pytest

from tests.house.conftest import ROOT, files

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

LONG_FILES: dict[str, tuple[int, str]] = {}
"""Path -> (lines, reason)."""

LONG_FUNCTIONS: dict[str, tuple[int, str]] = {}
"""Path::function -> (lines, reason)."""

GENERATED = ("migrations/versions/",)


def source_files() -> list[Path]:
    """Our Python, without what a program writes."""
    return [path for path in files(".py") if path.parts[0] in {"app", "adapters", "migrations"} and not str(path).startswith(GENERATED)]


def functions(path: Path) -> list[tuple[str, int]]:
    """Every function of a file with its length, decorators and docstring left out: a rule's source is no complexity."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
            documented = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
            found.append((f"{path}::{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1 - documented))
    return found


def _ratchet(found: dict[str, int], limit: int, allowed: dict[str, tuple[int, str]]) -> list[str]:
    problems = [
        f"{name}: {lines} lines, at most {limit}: split it by noun"
        for name, lines in found.items()
        if lines > max(limit, allowed.get(name, (0, ""))[0])
    ]
    problems += [
        f"{name}: now {found.get(name, 0)} lines, the exception says {lines}: lower or remove it"
        for name, (lines, _) in allowed.items()
        if found.get(name, 0) < lines
    ]
    return problems


def test_no_file_is_longer_than_a_reader_holds() -> None:
    found = {str(path): len((ROOT / path).read_text().splitlines()) for path in source_files()}
    assert len(found) > 20
    assert _ratchet(found, FILE_LINES_MAX, LONG_FILES) == []


def test_no_function_is_longer_than_a_screen() -> None:
    found = {name: lines for path in source_files() for name, lines in functions(path)}
    assert _ratchet(found, FUNCTION_LINES_MAX, LONG_FUNCTIONS) == []


@pytest.mark.parametrize(
    ("found", "allowed", "problems"),
    [
        ({"a": 70}, {}, 0),
        ({"a": 71}, {}, 1),
        ({"a": 90}, {"a": (90, "why")}, 0),
        ({"a": 91}, {"a": (90, "why")}, 1),
        ({"a": 80}, {"a": (90, "why")}, 1),
        ({}, {"a": (90, "why")}, 1),
    ],
)
def test_the_ratchet_only_tightens(found: dict[str, int], allowed: dict[str, tuple[int, str]], problems: int) -> None:
    assert len(_ratchet(found, 70, allowed)) == problems
