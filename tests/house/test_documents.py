"""What documents say about the repository is true: paths exist, settings are listed, every folder of an adapter explains itself."""

import re
from pathlib import Path

import pytest

from app.cli.reference import reference_markdown
from app.settings import settings_table_markdown
from tests.house.conftest import ROOT, files

_PATH = re.compile(
    r"`((?:app|adapters|migrations|tests|openapi|\.ci)/[\w./-]*|[A-Z][\w-]*\.md|Makefile|Dockerfile|compose\.yaml|pyproject\.toml)`"
)
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)\s#]+)")

_COMMAND = re.compile(r"(?:^|`|&& |; |\$\(|-m )handoff ([a-z][^`#|;&\n]*)", re.MULTILINE)
_SECTION = re.compile(r"^## (?!Exit)(.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """Every Markdown file."""
    return files(".md")


@pytest.mark.parametrize("document", documents(), ids=str)
def test_the_paths_in_a_document_exist(document: Path) -> None:
    text = (ROOT / document).read_text()
    missing = [path for path in _PATH.findall(text) if not (ROOT / path).exists() and not (ROOT / document.parent / path).exists()]
    missing += [path for path in _LINK.findall(text) if not (ROOT / document.parent / path).exists()]
    assert missing == []


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    """What the reference says of every command."""
    return dict(_SECTION.findall(reference_markdown()))


@pytest.mark.parametrize("document", [path for path in documents() if path.name != "CHANGELOG.md"], ids=str)
def test_the_commands_in_a_document_can_be_typed(document: Path, known: dict[str, str]) -> None:
    nouns = {name.split()[0] for name in known}
    wrong = []
    for typed in _COMMAND.findall((ROOT / document).read_text()):
        words = typed.split()
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        if name not in known and (words[0] not in nouns or len(words) > 1):
            wrong.append(typed)
        wrong += [f"{name}: {option}" for option in re.findall(r"--[a-z][\w-]*", typed) if f"`{option}" not in known.get(name, "")]
    assert wrong == []


def test_the_readme_lists_every_setting() -> None:
    """Section Configuration of the README holds the table that `settings_table_markdown()` gives, to the letter."""
    assert settings_table_markdown() in (ROOT / "README.md").read_text(), (
        "README.md, section Configuration: put the output of "
        '`.venv/bin/python -c "from app.settings import settings_table_markdown; print(settings_table_markdown())"` there'
    )


def test_every_adapter_explains_itself() -> None:
    folders = sorted({path.parts[1] for path in files(".py") if path.parts[0] == "adapters" and len(path.parts) > 2})
    assert folders
    assert [folder for folder in folders if not (ROOT / "adapters" / folder / "README.md").is_file()] == []


@pytest.mark.parametrize("path", [path for path in files(".py") if path.parts[0] in {"app", "adapters", "migrations"}], ids=str)
def test_every_module_says_what_it_is_responsible_for(path: Path) -> None:
    text = (ROOT / path).read_text()
    assert not text.strip() or text.startswith('"""'), "a module begins with what it is responsible for, then what it is not"
