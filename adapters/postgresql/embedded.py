"""Runs the private PostgreSQL: adopts a live server or starts one, waits for it, and stops it when its last user goes (DESIGN 2.1).

Not here: SQL, roles, migrations (app/store, migrations) and the processes of the service, which end by themselves.

What is promised, and kept by tests/adapters/postgresql:
- users are counted by the kernel (locks.py), so a `kill -9` of any of them loses no count;
- a server left over from a crash is adopted, one that was killed is started again under the same address;
- recovery may take as long as it makes progress; only a standstill is an error;
- nothing outside the data folder gets other permissions.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self
from urllib.parse import quote

from adapters.postgresql.account import ENVIRONMENT, Account, check_way_in, choose_account
from adapters.postgresql.binaries import MAJOR_VERSION, programs_for
from adapters.postgresql.configuration import LOGIN, SUPERUSER, access_rules, bootstrap_statements, peer_map, server_configuration
from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.folders import ServerFolders
from adapters.postgresql.locks import UserLock, exclusive
from adapters.postgresql.machine import ServerProcesses, flushes_whole_filesystems, memory_mebibytes, server_processes
from adapters.postgresql.patience import LOG_TAIL_BYTES, Patience, log_tail
from adapters.postgresql.probe import SOCKET_NAME, ServerState, server_state


class EmbeddedPostgres:
    """One user of the private server in `data_dir`. Blocking: from a running event loop call it in a thread.

    `durable=False` is for tests: a power cut loses the data. `stalled_after_s` is how long the server may do nothing at all
    before its start or stop is given up; after `quit_after_s` of that a stop in order becomes an immediate one, which loses nothing.
    `on_wait` is called about once a second with the seconds waited, for a progress line.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        stalled_after_s: float = 120.0,
        quit_after_s: float = 4.0,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self._folders = ServerFolders.inside(Path(data_dir))
        self._durable = durable
        self._stalled_after_s = stalled_after_s
        self._quit_after_s = quit_after_s
        self._on_wait = on_wait
        self._user: UserLock | None = None
        self._owner_pid = os.getpid()
        self._child: _Server | None = None
        self.adopted = False
        """True when `start` found a server alive."""

    def __enter__(self) -> Self:
        """Start or adopt."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release."""
        self.release()

    @property
    def is_made(self) -> bool:
        """True when a start finds a database, and does not make one."""
        return self._folders.data.exists()

    @property
    def log_path(self) -> Path:
        """Where the server writes what it has to say."""
        return self._folders.log

    @property
    def url(self) -> str:
        """The address of the service's own database. The same for the life of the data folder's server."""
        folder = self._folders.known_socket_folder()
        if folder is None:
            msg = f"No server was ever started in {self._folders.base}; call start() first."
            raise EmbeddedPostgresError(msg)
        return f"postgresql://{LOGIN}@/{LOGIN}?host={quote(str(folder), safe='')}"

    def start(self) -> str:
        """Become a user of the server, starting it when none lives, and give its address once it accepts sessions."""
        if self._user is not None:
            return self.url
        self._folders.make()
        with exclusive(self._folders.server_lock):
            self._owner_pid = os.getpid()
            self._user = UserLock(self._folders.users_lock)
            try:
                self.adopted = not self._bring_up()
            except BaseException:
                self._leave()
                raise
        return self.url

    def ensure_running(self) -> bool:
        """Start the server again if it has died while we use it (a crash, a `kill -9`); True when it had to be started.

        Cheap when it lives: one packet over the socket. The supervisor of `serve` calls it about every half second.
        """
        folder = self._folders.known_socket_folder()
        if folder is not None and server_state(folder) is not ServerState.ABSENT:
            return False
        if self._user is None:
            msg = "start() first: whoever does not use the server does not restart it."
            raise EmbeddedPostgresError(msg)
        with exclusive(self._folders.server_lock):
            return self._bring_up()

    def release(self) -> None:
        """Stop using the server; the last user stops it. Harmless when done twice, or in a forked child."""
        if self._user is None:
            return
        if os.getpid() != self._owner_pid:
            self._user.close()
            self._user = None
            return
        with exclusive(self._folders.server_lock):
            self._leave()

    def server_pid(self) -> int | None:
        """Give the process id of the living server, for tests and `doctor`."""
        pid = self._recorded_pid()
        return pid if pid is not None and pid in self._processes().pids else None

    # Everything below runs while server.lock is held.

    def _leave(self) -> None:
        user, self._user = self._user, None
        if user is None:
            return
        try:
            if user.is_last():
                self._stop()
        finally:
            user.close()

    def _bring_up(self) -> bool:
        """Leave a server behind that accepts sessions; True when it had to be started."""
        known = self._folders.known_socket_folder()
        if known is not None and server_state(known) is ServerState.READY:
            return False
        account = choose_account(self._folders.data)
        self._folders.admit(account)
        check_way_in(account, self._folders.base)
        socket_folder = self._folders.socket_folder(account)
        if self._await_leftover(socket_folder):
            return False
        programs = programs_for(account, self._folders.copies)
        if not self._folders.data.exists():
            self._initialise(account, programs)
        self._check_version()
        self._remove_traces(socket_folder)
        self._write_configuration(account, socket_folder)
        self._launch(account, programs, socket_folder)
        return True

    def _await_leftover(self, socket_folder: Path) -> bool:
        """Deal with what an earlier user left: True when its server accepts sessions, False when nothing of it lives any more."""
        waiting = self._patience("A server left over from an earlier run neither answers nor ends")
        while True:
            if server_state(socket_folder) is ServerState.READY:
                return True
            processes = self._processes()
            if not processes.pids:
                return False
            if self._recorded_pid() not in processes.pids:
                # Their server is dead; they would only notice after their present statement. The log is safe without them.
                _signal(processes.pids, signal.SIGQUIT)
            waiting.pause()

    def _remove_traces(self, socket_folder: Path) -> None:
        """Remove the lock files of a dead server. PostgreSQL believes their process ids, which may be anybody's by now."""
        for trace in (self._folders.data / "postmaster.pid", socket_folder / f"{SOCKET_NAME}.lock", socket_folder / SOCKET_NAME):
            trace.unlink(missing_ok=True)

    def _initialise(self, account: Account, programs: Path) -> None:
        """Make a new data folder under another name and rename it when it is whole, so a crash leaves no half of one."""
        for leftover in self._folders.base.glob("initialising-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        growing = Path(mkdtemp(prefix="initialising-", dir=self._folders.base))
        account.own(growing)
        options = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        options += ["--username=postgres", "--auth=peer", "--no-instructions", "--no-sync"]
        single = ["--single", "-D", str(growing), "-c", "fsync=off", SUPERUSER]
        # Nothing needs to be durable before all of it is: one flush at the end, of a thousand files at once where that is possible.
        method = f"--sync-method={'syncfs' if flushes_whole_filesystems() else 'fsync'}"
        steps: list[tuple[list[str], str]] = [
            ([str(programs / "initdb"), "-D", str(growing), *options], ""),
            ([str(programs / "postgres"), *single], bootstrap_statements()),
        ]
        if self._durable:
            steps.append(([str(programs / "initdb"), "--sync-only", method, "-D", str(growing)], ""))
        for command, text_input in steps:
            made = account.run(command, cwd=growing, text_input=text_input)
            if made.returncode != 0 or "ERROR:" in made.stderr:
                shutil.rmtree(growing, ignore_errors=True)
                said = (made.stderr or made.stdout).strip()[-LOG_TAIL_BYTES:]
                msg = f"A new database could not be made in {self._folders.base}: {said}"
                raise EmbeddedPostgresError(msg)
        growing.rename(self._folders.data)
        _flush_folder(self._folders.base)

    def _check_version(self) -> None:
        found = (self._folders.data / "PG_VERSION").read_text().strip()
        if found != str(MAJOR_VERSION):
            msg = (
                f"{self._folders.data} was written by PostgreSQL {found}; this release runs {MAJOR_VERSION}. Dump it with the release "
                "that wrote it and load it into a new HANDOFF_DATA_DIR."
            )
            raise EmbeddedPostgresError(msg)

    def _write_configuration(self, account: Account, socket_folder: Path) -> None:
        accounts = ["root", account.name]
        texts = {
            "postgresql.conf": server_configuration(
                socket_folder=str(socket_folder),
                memory_mebibytes=memory_mebibytes(),
                durable=self._durable,
                syncfs=flushes_whole_filesystems(),
            ),
            "pg_hba.conf": access_rules(),
            "pg_ident.conf": peer_map(accounts),
        }
        for name, text in texts.items():
            path = self._folders.data / name
            growing = path.with_suffix(".new")
            growing.write_text(text)
            growing.chmod(0o600)
            account.own(growing)
            growing.replace(path)

    def _launch(self, account: Account, programs: Path, socket_folder: Path) -> None:
        log = self._folders.open_log()
        log_start = os.lseek(log, 0, os.SEEK_END)
        try:
            # Its own session: neither Ctrl-C nor the end of our terminal reaches it.
            self._child = _Server(
                [str(programs / "postgres"), "-D", str(self._folders.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folders.data,
                env=ENVIRONMENT,
                start_new_session=True,
                user=account.process_user,
                group=account.process_group,
                extra_groups=account.process_groups,
            )
        finally:
            os.close(log)
        waiting = self._patience("The server does not come up")
        while (state := server_state(socket_folder)) is not ServerState.READY:
            if state is ServerState.ABSENT and self._child.poll() is not None:
                msg = f"PostgreSQL ended at its start with code {self._child.returncode}. It said: {log_tail(self._folders.log, log_start)}"
                raise EmbeddedPostgresError(msg)
            waiting.pause()

    def _stop(self) -> None:
        """Stop the server in order (sessions ended, checkpoint written) and wait for the end of its last process.

        A stop in order may come to a standstill: told of it while it starts its processes again after the crash of one, PostgreSQL 18
        waits for ever for its checkpointer, which it has told nothing. The log is safe, and the next start recovers from it.
        """
        pid = self.server_pid()
        waiting = self._patience("The server does not stop")
        if pid is not None:
            _signal([pid], signal.SIGINT)
        while True:
            if self._child is not None:
                self._child.poll()  # reaped, or it would stay in the process table as long as we live
            processes = self._processes()
            if not processes.pids:
                break
            if pid is None or pid not in processes.pids:
                _signal(processes.pids, signal.SIGQUIT)
            elif waiting.still_for_s >= self._quit_after_s:
                _signal([pid], signal.SIGQUIT)
            waiting.pause()
        self._child = None
        self._folders.forget_socket_folder()

    def _recorded_pid(self) -> int | None:
        try:
            first = (self._folders.data / "postmaster.pid").read_text().split("\n", 1)[0].strip()
        except OSError:
            return None
        return int(first) if first.isdigit() else None

    def _processes(self) -> ServerProcesses:
        return server_processes(self._folders.data, self._recorded_pid())

    def _patience(self, complaint: str) -> Patience:
        return Patience(complaint, self._processes, self._folders.log, stalled_after_s=self._stalled_after_s, on_wait=self._on_wait)


class _Server(subprocess.Popen[bytes]):
    """The server's first process. It outlives whoever started it, on purpose, so being forgotten is nothing to warn of."""

    def __del__(self) -> None:
        if self.poll() is None:
            self.returncode = 0
        super().__del__()


def _signal(pids: "frozenset[int] | list[int]", number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
