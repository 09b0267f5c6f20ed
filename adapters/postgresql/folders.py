"""Where the embedded server keeps its things inside the data folder, and its socket when that path is too long. Not here: processes."""

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from adapters.postgresql.account import Account
from adapters.postgresql.errors import EmbeddedPostgresError
from adapters.postgresql.probe import SOCKET_NAME

_SOCKET_PATH_BYTES_MAX = 100
"""sun_path ends at 103 bytes on macOS and 107 on Linux."""
_PRIVATE = 0o700
_LOG_BYTES_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerFolders:
    """The paths of one embedded server; all of them inside the data folder, but for a socket whose path would be too long."""

    base: Path

    @classmethod
    def inside(cls, data_dir: Path) -> "ServerFolders":
        """Lay the server's folder into the data folder."""
        return cls(data_dir.resolve() / "postgresql")

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        """What the server says; holds no values of rows (see configuration.py)."""
        return self.base / "server.log"

    @property
    def copies(self) -> Path:
        """Copies of the programs for an account that cannot read the wheel."""
        return self.base / "programs"

    @property
    def server_lock(self) -> Path:
        """Held while the server is started, adopted or stopped."""
        return self.base / "server.lock"

    @property
    def users_lock(self) -> Path:
        """Held by every user."""
        return self.base / "users.lock"

    @property
    def _socket_record(self) -> Path:
        return self.base / "socket_folder"

    def make(self) -> None:
        """Make the data folder and the server's folder in it, closed to everybody else."""
        try:
            self.base.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.base.mkdir(mode=0o700, exist_ok=True)
            writable = os.access(self.base, os.W_OK | os.X_OK)
        except OSError as error:
            msg = f"The data folder {self.base.parent} cannot be made or entered ({error.strerror}). Choose another HANDOFF_DATA_DIR."
            raise EmbeddedPostgresError(msg) from None
        if not writable:
            msg = f"This user may not write to {self.base}. Run as the user it belongs to, or choose another HANDOFF_DATA_DIR."
            raise EmbeddedPostgresError(msg)

    def admit(self, account: Account) -> None:
        """Let the server's account through our own two folders, when they are root's."""
        for folder in (self.base.parent, self.base):
            if folder.stat().st_uid == 0:
                account.admit(folder)

    def socket_folder(self, account: Account) -> Path:
        """Give the folder of the socket: inside the data folder, or a private short one whose place is remembered there.

        The place survives a crash, so the address that other processes were given stays true after a restart.
        """
        usual = self.base / "run"
        if len(os.fsencode(usual / SOCKET_NAME)) <= _SOCKET_PATH_BYTES_MAX:
            usual.mkdir(mode=0o700, exist_ok=True)
            account.own(usual)
            return usual
        remembered = self.known_socket_folder()
        # Somebody else could have made a folder of that name after a reboot emptied /tmp: then take a new one.
        if remembered is not None and _is_private(remembered, account.uid):
            return remembered
        short = Path(mkdtemp(prefix="handoff-", dir="/tmp"))
        account.own(short)
        self._socket_record.write_text(str(short))
        return short

    def known_socket_folder(self) -> Path | None:
        """Give the folder where a server's socket would be, if one was ever made."""
        usual = self.base / "run"
        if usual.is_dir():
            return usual
        try:
            return Path(self._socket_record.read_text())
        except FileNotFoundError:
            return None

    def forget_socket_folder(self) -> None:
        """Remove a short socket folder after the server has stopped; the usual one stays."""
        try:
            short = Path(self._socket_record.read_text())
        except FileNotFoundError:
            return
        self._socket_record.unlink()
        if short.name.startswith("handoff-"):
            shutil.rmtree(short, ignore_errors=True)

    def open_log(self) -> int:
        """Open the log for the server to append to; a log past its size is kept once under another name."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _is_private(folder: Path, uid: int) -> bool:
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and stat.S_IMODE(found.st_mode) == _PRIVATE
