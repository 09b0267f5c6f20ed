"""Users of an embedded server as real processes, and what is left of a server when they are gone."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.folders import ServerFolders
from adapters.postgresql.machine import server_processes

USER_PROCESS = Path(__file__).with_name("user_process.py")


class User:
    """A process that uses the server until it is told to release it, or is killed."""

    def __init__(self, folder: Path, *, command: list[str] | None = None, **options: Any) -> None:
        self.process = subprocess.Popen(
            [*(command or [sys.executable]), str(USER_PROCESS), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def found(self) -> dict[str, Any]:
        """Wait until it uses the server, and give what it says."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, word: str) -> dict[str, Any]:
        """Say what to do and wait until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.found()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.end()

    def end(self) -> None:
        """Reap it, alive or not."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def initialised() -> Iterator[Path]:
    """A data folder that was started once: copying it costs a fifth of making one."""
    with TemporaryDirectory(prefix="handoff-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "data", durable=False):
            pass
        yield Path(folder) / "data"


@pytest.fixture
def server_folder(empty_folder: Path, initialised: Path) -> Path:
    """A data folder with a database in it. Tests of the first start override this with `empty_folder`."""
    subprocess.run(["cp", "-a", str(initialised), str(empty_folder)], check=True)
    return empty_folder


@pytest.fixture
def start_user(server_folder: Path) -> Iterator[Callable[..., User]]:
    """Starts users of `server_folder`; whatever they leave behind is ended after the test."""
    users: list[User] = []

    def start(**options: Any) -> User:
        users.append(User(server_folder, **options))
        return users[-1]

    yield start
    for user in users:
        user.end()


@pytest.fixture
def embedded(server_folder: Path) -> Iterator[Callable[..., EmbeddedPostgres]]:
    """Makes users of `server_folder` in this process; all are released after the test, and the server with them."""
    made: list[EmbeddedPostgres] = []

    def make(**options: Any) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(server_folder, **{"durable": False, **options}))
        return made[-1]

    yield make
    for server in made:
        server.release()
    if running(server_folder):
        leftover = EmbeddedPostgres(server_folder, durable=False)
        leftover.start()
        leftover.release()


def running(folder: Path) -> frozenset[int]:
    """Every process of the folder's server."""
    return server_processes(ServerFolders.inside(folder).data, None).pids


async def ask(url: str, query: str, *arguments: object, database: str | None = None) -> Any:
    """One question to the server."""
    connection = await asyncpg.connect(url, **({"database": database} if database else {}))
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


def is_root() -> bool:
    """Whether the tests run as root, where the server must not."""
    return os.geteuid() == 0


async def until_gone(pid: int) -> None:
    """Wait for the end of a process that may be our own child (a zombie until it is reaped)."""
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            await asyncio.sleep(0.005)
