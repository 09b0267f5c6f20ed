"""Nothing in the repository depends on the machine it was written on, on a registry, or on one schema of one database."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.house.conftest import ROOT, files

_TEXT = (".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".sql", ".csv", ".mako", ".html", ".css", ".js", "")
_HOME = re.compile(r"(?<![\w.-])/(?:home|Users)/[a-z]\w+")
_REGISTRY = re.compile(r"--index-url|--extra-index-url|--find-links|https?://[^/\s\"]+/(simple|packages|debian|npm)/", re.IGNORECASE)
_PUBLIC = re.compile(r"(?<![\w.])public\.\"?[a-z_]|schema\s*=\s*[\"']public[\"']|SCHEMA\s+public\b", re.IGNORECASE)
_EXTENSION = re.compile(r"CREATE\s+EXTENSION", re.IGNORECASE)
_REQUIREMENTS = ("requirements.txt", "requirements-run.txt", "requirements-outside.txt")


def _texts() -> list[tuple[Path, str]]:
    found = []
    for path in files(*_TEXT):
        try:
            found.append((path, (ROOT / path).read_text()))
        except UnicodeDecodeError:
            continue  # a sample in another character set
    return found


def test_no_file_names_a_folder_of_this_machine() -> None:
    here = str(ROOT)
    # A checkout directly below the root (a container's /app) is a name that documents may use for other things.
    patterns = [_HOME] if here.count("/") < 2 else [_HOME, re.compile(re.escape(here) + r"(?![\w-])")]
    assert [f"{path}: {found[0]}" for path, text in _texts() for pattern in patterns if (found := pattern.search(text))] == []


def test_no_file_names_a_registry() -> None:
    ours = Path(__file__).relative_to(ROOT)
    assert [f"{path}: {found[0]}" for path, text in _texts() if path != ours and (found := _REGISTRY.search(text))] == []


@pytest.mark.parametrize("kind", ["public", "extension"])
def test_no_statement_names_public_or_needs_an_extension(kind: str) -> None:
    pattern = {"public": _PUBLIC, "extension": _EXTENSION}[kind]
    code = [
        (path, text) for path, text in _texts() if path.parts[0] in {"app", "migrations", "adapters"} and path.suffix in {".py", ".sql"}
    ]
    assert len(code) > 20
    assert [f"{path}: {found[0]}" for path, text in code if (found := pattern.search(text))] == []


@pytest.mark.parametrize(
    ("text", "is_public"),
    [
        ("SELECT * FROM public.person", True),
        ('FROM public."person"', True),
        ('Table("t", metadata, schema="public")', True),
        ("GRANT USAGE ON SCHEMA public TO x", True),
        ("the public.", False),
        ("self.public.address", False),
        ("is_public(address)", False),
    ],
)
def test_the_rule_knows_public_when_it_sees_it(text: str, is_public: bool) -> None:
    assert bool(_PUBLIC.search(text)) is is_public


def _pins(name: str) -> dict[str, str]:
    pins = {}
    for line in (ROOT / name).read_text().replace("\\\n", "").splitlines():
        if line and not line.startswith((" ", "#")):
            found = re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==(\S+)", line)
            assert found, f"{name}: {line[:60]} is not pinned"
            assert "--hash=sha256:" in line, f"{name}: {found[1]} has no hash"
            pins[found[1].lower()] = found[2]
    return pins


def test_the_requirements_are_pinned_hashed_and_hold_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    run = [*project["project"]["dependencies"], *groups["build"]]
    everything = [*run, *(entry for entry in groups["dev"] if isinstance(entry, str))]
    for name, asked in zip(_REQUIREMENTS, (everything, run, groups["outside"]), strict=True):
        pins = _pins(name)
        wanted = {re.split(r"[\[<>=;!~ ]", entry)[0].lower().replace("_", "-") for entry in asked}
        assert wanted - set(pins) == set(), f"{name}: run `make lock`"


def test_the_image_runs_the_versions_that_were_tested() -> None:
    tested, run, _ = (_pins(name) for name in _REQUIREMENTS)
    assert run
    assert {name: version for name, version in run.items() if tested.get(name) != version} == {}
