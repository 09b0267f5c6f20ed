"""The parts of the embedded server one by one: what a socket says, what the configuration says, who may do what in which folder."""

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgresql import binaries
from adapters.postgresql.account import Account, check_way_in, choose_account
from adapters.postgresql.binaries import find_programs, programs_for
from adapters.postgresql.configuration import access_rules, peer_map, server_configuration
from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.folders import ServerFolders
from adapters.postgresql.locks import UserLock, exclusive
from adapters.postgresql.machine import memory_mebibytes, server_processes
from adapters.postgresql.probe import SOCKET_NAME, ServerState, server_state
from tests.adapters.postgresql.conftest import is_root

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server_folder(empty_folder: Path) -> Path:
    """Not there yet: each test makes of it what it needs."""
    return empty_folder


@contextmanager
def _answering(folder: Path, answer: bytes | None) -> Iterator[None]:
    """Something that listens like a server and says `answer`; None: says nothing and keeps the line open."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET_NAME))
        listener.listen()
        held: list[socket.socket] = []

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(1024)
            if answer is None:
                held.append(connection)
                return
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"R\x00\x00\x00\x08\x00\x00\x00\x00", ServerState.READY),
        (b"E\x00\x00\x00\x30SFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00", ServerState.BUSY),
        (b"E\x00\x00\x00\x30SFATAL\x00VFATAL\x00C53300\x00Msorry, too many clients already\x00\x00", ServerState.READY),
        (b"E\x00\x00\x00\x30SFATAL\x00VFATAL\x00C28000\x00Mno pg_hba.conf entry\x00\x00", ServerState.READY),
        (b"", ServerState.BUSY),
        (None, ServerState.BUSY),
    ],
)
def test_a_socket_says_what_its_server_does(server_folder: Path, answer: bytes | None, state: ServerState) -> None:
    with _answering(server_folder.parent, answer):
        assert server_state(server_folder.parent, timeout_s=0.2) is state


def test_no_socket_no_listener_and_a_path_too_long_are_absence(server_folder: Path) -> None:
    folder = server_folder.parent
    assert server_state(folder / "none") is ServerState.ABSENT
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / SOCKET_NAME))
    assert server_state(folder) is ServerState.ABSENT
    assert server_state(Path("/" + "x" * 200)) is ServerState.ABSENT


@given(memory=st.integers(1, 2**24), durable=st.booleans())
def test_memory_is_shared_within_bounds(memory: int, durable: bool) -> None:
    text = server_configuration(socket_folder="/x", memory_mebibytes=memory, durable=durable)
    shared = int(re.findall(r"^shared_buffers = '(\d+)MB'$", text, re.MULTILINE)[0])
    assert 64 <= shared <= 2048
    assert f"fsync = '{'on' if durable else 'off'}'" in text
    assert "listen_addresses = ''" in text


def test_a_folder_with_a_quote_stays_inside_its_setting() -> None:
    text = server_configuration(socket_folder="/a'b\\c", memory_mebibytes=1000, durable=True)
    assert "unix_socket_directories = '/a''b\\\\c'" in text


def test_only_named_accounts_come_in_and_only_by_the_socket() -> None:
    assert access_rules().split() == ["local", "all", "all", "peer", "map=handoff"]
    lines = [line.split() for line in peer_map(["root", "nobody", "root"]).splitlines()]
    assert lines == [["handoff", f'"{account}"', role] for account in ("root", "nobody") for role in ("handoff", "postgres")]


def test_the_machine_has_memory_and_this_process_works_somewhere(tmp_path: Path) -> None:
    assert 16 < memory_mebibytes() < 2**25
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path, stdin=subprocess.PIPE) as process:
        assert process.pid in server_processes(tmp_path, None).pids
        process.communicate(b"\n")
    assert server_processes(tmp_path, None).pids == frozenset()


def test_the_last_user_knows_that_he_is(tmp_path: Path) -> None:
    path = tmp_path / "users.lock"
    one, two = UserLock(path), UserLock(path)
    assert not one.is_last()
    two.close()
    assert one.is_last()
    one.close()
    one.close()
    assert not one.is_last()


def test_one_at_a_time_may_start_or_stop(tmp_path: Path) -> None:
    """The lock excludes other processes, and ends with one that is killed."""
    path = tmp_path / "server.lock"
    script = (
        "import sys\nfrom pathlib import Path\nfrom adapters.postgresql.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    input()\n"
    )
    taken = threading.Event()

    def take() -> None:
        with exclusive(path):
            taken.set()

    with subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        thread = threading.Thread(target=take)
        thread.start()
        assert not taken.wait(0.2)
        holder.kill()
        assert taken.wait(20)
        thread.join()


def test_the_programs_are_the_wheels_and_its_code_is_not_run() -> None:
    programs = find_programs()
    assert (programs / "postgres").is_file()
    imports = "from adapters.postgresql.embedded import EmbeddedPostgres; from adapters.postgresql.binaries import find_programs"
    script = f"import sys; {imports}; find_programs(); print([name for name in sys.modules if 'pgserver' in name])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_wheel_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_PACKAGE", "no_such_package")
    with pytest.raises(EmbeddedPostgresError, match=r"make setup.*HANDOFF_DATABASE_URL"):
        find_programs()


def test_programs_that_the_account_cannot_read_are_copied_once(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment below /root: the wheel is there, and the server's account cannot reach it."""
    account = choose_account(server_folder / "none")
    copies = server_folder / "programs"
    server_folder.mkdir(mode=0o755)
    if not account.switch:
        assert programs_for(account, copies) == find_programs()
        return
    closed = server_folder.parent / "closed"
    closed.mkdir(mode=0o700)
    installation = find_programs().parent
    wheel = closed / installation.parent.name
    shutil.copytree(installation, wheel / installation.name, symlinks=True)
    libraries = installation.parent.parent / f"{installation.parent.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    monkeypatch.setattr(binaries, "find_programs", lambda: wheel / installation.name / "bin")
    programs = programs_for(account, copies)
    assert programs.is_relative_to(copies)
    made = (programs / "postgres").stat().st_mtime_ns, (programs / "postgres").stat().st_ino
    assert programs_for(account, copies) == programs
    assert ((programs / "postgres").stat().st_mtime_ns, (programs / "postgres").stat().st_ino) == made
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    with EmbeddedPostgres(server_folder, durable=False) as server:
        pid = server.server_pid()
        assert Path(f"/proc/{pid}/exe").readlink().is_relative_to(server_folder / "postgresql" / "programs")


def test_root_gives_way_to_an_account_and_others_stay_themselves(server_folder: Path) -> None:
    account = choose_account(server_folder / "none")
    if is_root():
        assert account.switch
        assert account.uid != 0
        assert account.run(["/bin/sh", "-c", "id -u; id -G"]).stdout.split() == [str(account.uid), str(account.gid)]
    else:
        assert (account.switch, account.uid) == (False, os.geteuid())


def test_existing_data_keeps_its_owner(server_folder: Path) -> None:
    server_folder.mkdir()
    if is_root():
        os.chown(server_folder, 65534, 65534)
        assert choose_account(server_folder).uid == 65534
    else:
        assert choose_account(server_folder).uid == os.geteuid()
        other = Path("/")  # root's
        with pytest.raises(EmbeddedPostgresError, match=r"belongs to user id 0.*HANDOFF_DATA_DIR"):
            choose_account(other)


def test_the_way_in_is_asked_of_the_account_itself(server_folder: Path) -> None:
    here = Account(name="somebody", uid=os.geteuid(), gid=os.getegid(), switch=False)
    check_way_in(here, server_folder.parent)
    if is_root():
        nobody = Account(name="nobody", uid=65534, gid=65534, switch=True)
        check_way_in(nobody, server_folder.parent)
        server_folder.mkdir(mode=0o700)
        with pytest.raises(EmbeddedPostgresError, match=str(server_folder)):
            check_way_in(nobody, server_folder)


def test_a_data_folder_that_is_a_file_is_named(server_folder: Path) -> None:
    server_folder.write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be made or entered.*HANDOFF_DATA_DIR"):
        EmbeddedPostgres(server_folder).start()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system in which nobody makes a folder is that of Linux")
def test_a_data_folder_that_nobody_can_make_is_named() -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"The data folder /proc/none cannot be made or entered.*HANDOFF_DATA_DIR"):
        EmbeddedPostgres(Path("/proc/none")).start()


def test_a_short_socket_folder_of_somebody_else_is_not_used(server_folder: Path) -> None:
    """After a reboot emptied /tmp anybody may have made a folder of the remembered name."""
    deep = server_folder / ("x" * 90)
    deep.mkdir(parents=True)
    folders = ServerFolders.inside(deep)
    folders.make()
    account = choose_account(folders.data)
    first = folders.socket_folder(account)
    try:
        assert folders.socket_folder(account) == first
        first.chmod(0o755)
        second = folders.socket_folder(account)
        assert second != first
        shutil.rmtree(second)
        second.symlink_to("/tmp")
        third = folders.socket_folder(account)
        assert third not in {first, second}
        second.unlink()
    finally:
        shutil.rmtree(first)
        folders.forget_socket_folder()
    assert not third.exists()


def test_the_log_is_kept_within_its_size(server_folder: Path) -> None:
    folders = ServerFolders.inside(server_folder)
    folders.make()
    folders.log.write_bytes(b"x" * (8 * 1024 * 1024 + 1))
    os.close(folders.open_log())
    assert folders.log.stat().st_size == 0
    assert folders.log.with_suffix(".log.1").stat().st_size > 8 * 1024 * 1024


def test_an_address_is_asked_for_too_early(server_folder: Path) -> None:
    server = EmbeddedPostgres(server_folder)
    with pytest.raises(EmbeddedPostgresError, match="call start"):
        _ = server.url
    with pytest.raises(EmbeddedPostgresError, match=r"start\(\) first"):
        server.ensure_running()
