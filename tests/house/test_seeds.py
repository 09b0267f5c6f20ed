"""A seed says what happens: nothing is drawn for each element of a set, whose order differs from run to run.

A test that does so compares something else each time, and fails where nobody can see it again.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.house.conftest import ROOT

_DRAWS = {"random", "choice", "choices", "sample", "shuffle", "randint", "randrange", "uniform", "gauss", "getrandbits"}
_LOOPS = (ast.For, ast.AsyncFor, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def _draws(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in _DRAWS for one in ast.walk(node))


def _is_set(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Name(id=name):
            return name in names
        case ast.BinOp(left=left, op=ast.Sub() | ast.BitOr() | ast.BitAnd() | ast.BitXor()):
            return _is_set(left, names)
        case ast.Call(func=ast.Name(id="list" | "tuple" | "enumerate"), args=[first, *_]):
            return _is_set(first, names)
    return False


def drawn_by_set(code: str) -> Iterator[int]:
    """Give the lines of loops over a set that draw, and of draws from a set."""
    for function in ast.walk(ast.parse(code)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names: set[str] = set()
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_set(value, names):
                    names.add(name)
                case ast.arg(arg=name, annotation=annotation) | ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    if annotation is not None and ast.unparse(annotation).lower().startswith(("set[", "frozenset[", "abstractset[")):
                        names.add(name)
        for node in ast.walk(function):
            if isinstance(node, _LOOPS) and _draws(node):
                over = [node.iter] if isinstance(node, ast.For | ast.AsyncFor) else [one.iter for one in node.generators]
            elif isinstance(node, ast.Call) and _draws(ast.Expression(node)) and isinstance(node.func, ast.Attribute):
                over = list(node.args) if node.func.attr in _DRAWS else []
            else:
                continue
            if any(_is_set(one, names) for one in over):
                yield node.lineno


@pytest.mark.parametrize(
    "body",
    [
        "kept = {one for one in range(9)}\n    return [one for one in kept if chance.random() < 0.5]",
        "kept = set(range(9))\n    for one in kept - {3}:\n        chance.shuffle(one)",
        "return chance.choice(list({1, 2}))",
    ],
)
def test_a_draw_for_each_of_a_set_is_found(body: str) -> None:
    assert list(drawn_by_set(f"def some(chance):\n    {body}\n"))


def test_a_draw_in_an_order_that_is_the_same_every_time_is_not() -> None:
    code = "def some(chance, kept: set[str]):\n    return [one for one in sorted(kept) if chance.random() < 0.5]\n"
    assert list(drawn_by_set(code)) == []


def test_nothing_is_drawn_for_each_of_a_set() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / "tests").rglob("*.py")
        for line in drawn_by_set(path.read_text(encoding="utf-8"))
    ]
    assert found == []
