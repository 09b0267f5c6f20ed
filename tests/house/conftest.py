"""What the house rules look at: the files that git knows, and those that are about to be known."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_MADE = {".venv", "__pycache__", "build", "secrets", "node_modules"}


def files(*suffixes: str) -> list[Path]:
    """Give the repository's own files, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        found = [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    else:  # an unpacked archive
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file() and not _MADE & set(path.relative_to(ROOT).parts)]
        found = [path for path in found if not path.parts[0].startswith(".") or path.parts[0] == ".ci"]
    return sorted(path for path in found if not suffixes or path.suffix in suffixes)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
