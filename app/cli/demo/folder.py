"""The demo's own data folder: made empty for every run, and never anybody else's. Not here: what runs in it."""

import shutil
from pathlib import Path
from typing import Final

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.postgresql.folders import ServerFolders
from adapters.postgresql.locks import UserLock, exclusive
from app.cli.exits import refused, unavailable

DEFAULT: Final = Path(".handoff-demo")
_MARK: Final = "this-is-a-demo"


def clear(folder: Path) -> None:
    """Leave an empty folder with our mark. An earlier demo's is removed; anything else is refused."""
    folder = folder.resolve()
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARK).is_file():
            raise refused(
                f"{folder} holds something that is not a demo's; nothing was removed.",
                "Name another folder in HANDOFF_DATA_DIR, or leave it out: the demo then uses .handoff-demo here.",
            )
        _end_leftover(folder)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)
    (folder / _MARK).touch()


def _end_leftover(folder: Path) -> None:
    """Stop a database that a killed demo left running; refuse while a demo runs."""
    folders = ServerFolders.inside(folder)
    if not folders.users_lock.exists():
        return
    with exclusive(folders.server_lock):
        user = UserLock(folders.users_lock)
        is_ours = user.is_last()
        user.close()
    if not is_ours:
        raise unavailable(f"A demo runs already in {folder}.", "End it with Ctrl-C where it runs, or name another HANDOFF_DATA_DIR.")
    leftover = EmbeddedPostgres(folder)
    if leftover.server_pid() is not None:
        leftover.start()
        leftover.release()
