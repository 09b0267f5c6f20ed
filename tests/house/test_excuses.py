"""Every exception from a check says why, where it is made: an excuse without a reason is one that nobody can take back."""

import re

import pytest

from tests.house.conftest import ROOT, files

_EXCUSE = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[\w\-, ]*\])?|pragma: no cover|nosec)(?P<reason>.*)$")


def _without_reason(line: str) -> bool:
    found = _EXCUSE.search(line)
    return found is not None and len(re.findall(r"\w+", found["reason"])) < 2


def test_every_excuse_has_its_reason() -> None:
    bare = []
    for path in files(".py"):
        if path.parts[0] not in {"app", "adapters", "migrations"} or str(path).startswith("migrations/versions/"):
            continue
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if _without_reason(line):
                bare.append(f"{path}:{number}: {line.strip()[:100]}")
    assert bare == []


@pytest.mark.parametrize(
    ("line", "is_bare"),
    [
        ("x = 1  # noqa: S603", True),
        ("x = 1  # noqa: S603, D100", True),
        ("x = 1  # noqa: S603 - our own program", False),
        ("x = 1  # type: ignore[arg-type]", True),
        ("x = 1  # type: ignore[arg-type]  # the library has no types", False),
        ("x = 1  # a comment", False),
    ],
)
def test_the_rule_knows_an_excuse(line: str, is_bare: bool) -> None:
    assert _without_reason(line) is is_bare
