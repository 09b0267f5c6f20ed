"""The life of the embedded server with its users, kills included. Real processes; simulated is only what servers do too seldom."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from adapters.postgresql import embedded as embedded_module
from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.folders import ServerFolders
from tests.adapters.postgresql.conftest import User, ask, running, until_gone

Make = Callable[..., EmbeddedPostgres]
Start = Callable[..., User]


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
    await until_gone(pid)
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


async def test_a_stop_that_comes_to_a_standstill_ends_at_once_and_loses_nothing(
    embedded: Make, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does nothing about the order to stop, as one does that gets it while it recovers from a crash."""

    def unheard(pids: "frozenset[int] | list[int]", number: signal.Signals) -> None:
        if number is not signal.SIGINT:
            signalled(pids, number)

    server = embedded(stalled_after_s=10.0, quit_after_s=0.5)
    signalled = embedded_module._signal
    await ask(server.start(), "CREATE TABLE kept AS SELECT 7 AS n")
    monkeypatch.setattr(embedded_module, "_signal", unheard)
    await asyncio.to_thread(server.release)
    assert running(server_folder) == frozenset()
    assert "received immediate shutdown request" in server.log_path.read_text()
    monkeypatch.undo()
    assert await ask(server.start(), "SELECT n FROM kept") == 7


async def test_a_stop_just_after_a_crash_ends(embedded: Make, server_folder: Path) -> None:
    """The order to stop meets the moment in which the server starts its processes again; see `_stop`."""
    server = embedded(stalled_after_s=20.0, quit_after_s=0.5)
    victim = await asyncpg.connect(server.start())
    before = server.log_path.stat().st_size
    os.kill(victim.get_server_pid(), signal.SIGKILL)
    async with asyncio.timeout(20):
        while b"reinitializing" not in server.log_path.read_bytes()[before:]:
            await asyncio.sleep(0.001)
    await asyncio.to_thread(server.release)
    assert running(server_folder) == frozenset()
    victim.terminate()


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


async def _until_active(url: str, part: str) -> None:
    async with asyncio.timeout(20):
        while not await ask(
            url, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()", f"%{part}%"
        ):
            await asyncio.sleep(0.005)
