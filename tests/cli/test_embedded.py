"""Commands with the embedded database: they start it for their time or adopt it, and leave nothing running that did not run before."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.postgresql.embedded import EmbeddedPostgres
from app.cli.exits import ExitCode
from tests.support.service import run_command

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, and open to the account that the embedded server runs as."""
    with TemporaryDirectory(prefix="he-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


def test_migrate_up_alone_leaves_nothing_running_and_a_live_server_is_adopted(folder: Path) -> None:
    variables = {"HANDOFF_DATA_DIR": str(folder)}
    ended = run_command("migrate", "up", "--json", variables=variables, timeout_s=120)
    assert ended.returncode == ExitCode.OK, ended.stderr
    said = json.loads(ended.stdout)
    assert said["before"] is None
    server = EmbeddedPostgres(folder)
    assert server.is_made
    assert server.server_pid() is None
    with server:
        pid = server.server_pid()
        listed = run_command("org", "list", "--json", variables=variables, timeout_s=120)
        assert json.loads(listed.stdout) == {"items": []}
        assert server.server_pid() == pid, "it was adopted, and left to its other user"
    assert server.server_pid() is None
