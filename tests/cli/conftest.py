"""Commands run inside the test's process, on the database of the test."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli.root import run
from tests.support.databases import Database


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The one document on standard error, of a command with --json that failed."""
        return json.loads(self.err)


Handoff = Callable[..., Ended]


@pytest.fixture
def handoff(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Handoff:
    """Run a command without a database; settings are those that the test gives."""
    for name in [name for name in __import__("os").environ if name.startswith("HANDOFF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HANDOFF_DATA_DIR", str(tmp_path / "data"))

    def command(*arguments: object, settings: Mapping[str, str] | None = None) -> Ended:
        for name, value in (settings or {}).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return command


@pytest.fixture
def operator(handoff: Handoff, database: Database, monkeypatch: pytest.MonkeyPatch) -> Handoff:
    """Run a command on the test's database."""
    monkeypatch.setenv("HANDOFF_DATABASE_URL", database.url)
    monkeypatch.setenv("HANDOFF_SECRET_KEY", "a-secret-of-the-tests-0123456789-abcdef")
    return handoff
