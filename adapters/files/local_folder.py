"""A drop on this machine. Implements `DropFolder` (app/ports.py). Every call of the file system is made in a thread.

Nothing but regular files is touched, and no link is followed: who may put files here must not be able to name others. Not here: which
file is taken (app/domain/drop, app/drop).
"""

import asyncio
import fcntl
import os
import signal
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from app.domain.drop import TAKING, Box, DropUnavailableError, Sighting

P = ParamSpec("P")
T = TypeVar("T")

PIECE_BYTES: Final = 256 * 1024
_FOLDERS: Final = (TAKING, Box.DONE.value, Box.FAILED.value)
_REASONS: Final[dict[type[OSError], tuple[str, str]]] = {
    FileNotFoundError: ("folder_missing", "the folder is not there; make it, or mount it"),
    NotADirectoryError: ("folder_missing", "this is no folder; remove what has its name"),
    PermissionError: ("no_permission", "this account may not read, write and rename there; change the folder's owner or mode"),
}


class LocalFolder:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is touched before `open`."""
        self._folder = folder

    async def open(self) -> None:
        """Make the folders of the drop, and see that they are folders and not links to somewhere else."""
        await self._do(self._make)

    async def close(self) -> None:
        """Nothing is held."""

    def _make(self) -> None:
        # The drop itself is the operator's to make: a mount that is missing must not be covered by a folder of ours.
        if not self._folder.is_dir():
            raise FileNotFoundError
        for name in _FOLDERS:
            path = self._folder / name
            with suppress(FileExistsError):
                path.mkdir(mode=0o770)
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise NotADirectoryError
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError

    async def files(self, folder: str) -> Sequence[Sighting]:
        """List the regular files."""
        return await self._do(self._list, folder)

    def _list(self, folder: str) -> list[Sighting]:
        found = []
        with os.scandir(self._folder / folder) as entries:
            for entry in entries:
                # One that went away while we looked is no finding.
                with suppress(FileNotFoundError):
                    said = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(said.st_mode):
                        found.append(Sighting(entry.name, said.st_size, said.st_mtime_ns))
        return found

    async def look(self, path: str) -> Sighting | None:
        """Look at one file."""
        return await self._do(self._look, path)

    def _look(self, path: str) -> Sighting | None:
        try:
            said = (self._folder / path).lstat()
        except FileNotFoundError:
            return None
        return Sighting(path.rpartition("/")[2], said.st_size, said.st_mtime_ns)

    async def ends(self, path: str, octets: int) -> tuple[bytes, bytes]:
        """Give the first and the last bytes."""
        return await self._do(self._ends, path, octets)

    def _ends(self, path: str, octets: int) -> tuple[bytes, bytes]:
        try:
            descriptor = self._open(path)
        except FileNotFoundError:
            return b"", b""
        with os.fdopen(descriptor, "rb") as file:
            head = file.read(octets)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - octets))
            return head, file.read(octets)

    async def is_being_written(self, path: str) -> bool:
        """Ask the kernel: a lease to read is granted only while nobody on this machine has the file open to write (fcntl(2))."""
        return await self._do(self._has_writer, path)

    def _has_writer(self, path: str) -> bool:
        if not hasattr(fcntl, "F_SETLEASE"):
            return False
        try:
            descriptor = self._open(path)
        except FileNotFoundError:
            return False
        try:
            # Somebody who opens the file this very moment breaks the lease; the signal for that must be one that is ignored.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:
            # Another file system, or another's file: then only its lying still says that it is finished.
            return False
        finally:
            os.close(descriptor)
        return False

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """Give the content in pieces."""
        descriptor = await self._do(self._open, path)
        try:
            while piece := await self._do(os.read, descriptor, PIECE_BYTES):
                yield piece
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int:
        # Without waiting, should it be a pipe by now.
        return os.open(self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    @asynccontextmanager
    async def write(self, path: str) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
        """Write a file anew and flush it."""
        await self.remove(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor: int = await self._do(os.open, self._folder / path, flags, 0o640)
        try:

            async def write(data: bytes) -> None:
                await self._do(_write_all, descriptor, data)

            yield write
            await self._do(os.fsync, descriptor)
        finally:
            os.close(descriptor)

    async def move(self, path: str, to: str) -> bool:
        """Rename."""
        try:
            await self._do(os.replace, self._folder / path, self._folder / to)
        except DropUnavailableError:
            if await self.look(path) is None and await self._do(self._folder.is_dir):
                return False
            raise
        return True

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await self._do((self._folder / path).unlink, True)  # noqa: FBT003 - missing_ok, the library's only parameter

    async def _do(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(call, *arguments, **named)
        except OSError as error:
            reason, remedy = _REASONS.get(type(error), ("disk", "see what the system log says of the disk or mount"))
            why = error.strerror or type(error).__name__
            raise DropUnavailableError(reason, f"{self._folder}: {why}; {remedy}.") from error


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
