"""Chooses the operating-system account that the embedded server runs as. PostgreSQL refuses to run as root.

Not here: any change outside the data folder, except that, as root on a machine without a fitting account, one system account
without shell, home or password is made. No folder outside the data folder is ever given other permissions.
"""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.postgresql.errors import EmbeddedPostgresError

ACCOUNT_NAME = "warm-handoff"
_FALLBACK_NAME = "postgres"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
"""The whole environment of the server's processes: nothing of ours, secrets least of all."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the server's processes. `switch` is true when we are root and have to become it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(self, command: Sequence[str | Path], *, cwd: Path | str = "/", text_input: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command as this account to its end and give what it said; never raises for its exit code."""
        return subprocess.run(  # noqa: S603 - fixed commands on our own paths
            [str(part) for part in command],
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=ENVIRONMENT,
            input=text_input,
            user=self.process_user,
            group=self.process_group,
            extra_groups=self.process_groups,
        )

    @property
    def process_user(self) -> int | None:
        """The `user` argument of subprocess: who to become, or nobody."""
        return self.uid if self.switch else None

    @property
    def process_group(self) -> int | None:
        """The `group` argument of subprocess."""
        return self.gid if self.switch else None

    @property
    def process_groups(self) -> list[int] | None:
        """The `extra_groups` argument of subprocess: none of root's groups are kept."""
        return [] if self.switch else None

    def own(self, path: Path) -> None:
        """Give the path to the account, when we are root."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def admit(self, folder: Path) -> None:
        """Let the account pass through one of *our* folders that stays root's own; nobody else is let in."""
        if self.switch:
            os.chown(folder, -1, self.gid)
            folder.chmod(0o710)


def choose_account(existing_data: Path) -> Account:
    """Choose who runs the server: the owner of data that exists; else ourselves; as root an unprivileged account."""
    euid = os.geteuid()
    if existing_data.exists():
        owner = existing_data.stat().st_uid
        if euid not in {0, owner}:
            msg = (
                f"{existing_data} belongs to user id {owner}, and this process is user id {euid}. "
                "Run it as that user, or choose another folder with HANDOFF_DATA_DIR."
            )
            raise EmbeddedPostgresError(msg)
        if euid == 0 and owner != 0:
            return _account(_entry_of(owner), switch=True)
    if euid != 0:
        return _account(_entry_of(euid), switch=False)
    return _account(_unprivileged_entry(), switch=True)


def check_way_in(account: Account, folder: Path) -> None:
    """Stop with the remedy when the account cannot pass one of the folders above the data; nothing is loosened for it."""
    if not account.switch:
        return
    steps = [*reversed(folder.resolve().parents), folder.resolve()]
    # Asked as the account itself, so that access lists and mount options count, which permission bits do not show.
    script = 'for folder in "$@"; do test -x "$folder" || { printf %s "$folder"; exit 1; }; done'
    answer = account.run(["/bin/sh", "-c", script, "sh", *steps])
    if answer.returncode == 0:
        return
    msg = (
        f"PostgreSQL runs as the account {account.name!r}, because it refuses to run as root, and that account cannot pass "
        f"{answer.stdout or folder}. Choose a data folder outside it, for example HANDOFF_DATA_DIR=/var/lib/{ACCOUNT_NAME}, "
        f"or run as an ordinary user, or name another server in HANDOFF_DATABASE_URL."
    )
    raise EmbeddedPostgresError(msg)


def _account(entry: pwd.struct_passwd, *, switch: bool) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, switch=switch)


def _entry_of(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        msg = (
            f"User id {uid} has no entry in /etc/passwd, which PostgreSQL needs. Run as a user that has one, "
            "or name another server in HANDOFF_DATABASE_URL."
        )
        raise EmbeddedPostgresError(msg) from None


def _unprivileged_entry() -> pwd.struct_passwd:
    for name in (ACCOUNT_NAME, None, _FALLBACK_NAME):
        if name is None:
            _make_account()
            name = ACCOUNT_NAME  # noqa: PLW2901 - look for what was just made
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    msg = (
        f"PostgreSQL refuses to run as root, and no account for it could be made. Make a system account named {ACCOUNT_NAME!r}, "
        "or run as an ordinary user, or name another server in HANDOFF_DATABASE_URL."
    )
    raise EmbeddedPostgresError(msg)


def _make_account() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return
    shell = next((path for path in ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false") if Path(path).exists()), "/bin/false")
    command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", shell, ACCOUNT_NAME]
    group_exists = any(group.gr_name == ACCOUNT_NAME for group in grp.getgrall())
    command[1:1] = ["--gid", ACCOUNT_NAME] if group_exists else ["--user-group"]
    # Two starts at once may both try; the loser finds the winner's account.
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - fixed command
