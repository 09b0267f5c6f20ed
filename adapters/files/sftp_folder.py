"""A drop on an SFTP server (protocol version 3 and up). Implements `DropFolder` (app/ports.py) on asyncssh, the extra `sftp`.

One connection a round. The server must show the host key that we know and let the account read, write and rename in the folder. No
configuration, agent or key of the account that runs us is used. Not here: which file is taken (app/domain/drop, app/drop).
"""

import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncssh

from app.domain.drop import TAKING, Box, DropUnavailableError, Sighting

PIECE_BYTES: Final = 1 << 20
CONNECT_TIMEOUT_S: Final = 20
KEEPALIVE_S: Final = 15
"""A server that has not answered for three of these is gone."""
_FOLDERS: Final = (TAKING, Box.DONE.value, Box.FAILED.value)
_GONE: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


@dataclass(frozen=True, slots=True)
class SftpAddress:
    """Where the folder is and who we are there."""

    host: str
    port: int
    user: str
    folder: str
    known_hosts_file: Path
    key_file: Path | None = None
    password_file: Path | None = None

    def __str__(self) -> str:
        """Name it in an error."""
        return f"sftp://{self.user}@{self.host}:{self.port}/{self.folder}"


class SftpFolder:
    """One folder."""

    def __init__(self, address: SftpAddress) -> None:
        """Name the folder; nothing connects before `open`."""
        self._address = address
        self._connection: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None

    async def open(self) -> None:
        """Connect, and make the folders of the drop."""
        await self.close()
        try:
            with self._failing():
                await self._connect()
                await self._make()
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> None:
        address = self._address
        password = address.password_file.read_text().strip() if address.password_file is not None else None
        self._connection = await asyncssh.connect(
            address.host,
            address.port,
            username=address.user,
            known_hosts=str(address.known_hosts_file),
            client_keys=[str(address.key_file)] if address.key_file is not None else [],
            password=password,
            agent_path=None,
            config=None,
            gss_host=None,
            connect_timeout=CONNECT_TIMEOUT_S,
            login_timeout=CONNECT_TIMEOUT_S,
            keepalive_interval=KEEPALIVE_S,
        )
        self._sftp = await self._connection.start_sftp_client(path_errors="surrogateescape")

    async def _make(self) -> None:
        sftp = self._client
        for name in _FOLDERS:
            path = self._path(name)
            with suppress(asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
                if await self._permissions(path) is None:
                    await sftp.mkdir(path)
            mode = await self._permissions(path)
            if mode is None or not stat.S_ISDIR(mode):
                reason = "no_permission" if mode is None else "folder_missing"
                raise DropUnavailableError(reason, f"{self._address}: {name}/ is no folder and cannot be made; see the account's rights.")

    async def _permissions(self, path: str) -> int | None:
        try:
            return (await self._client.lstat(path)).permissions
        except _GONE:
            return None

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection, self._sftp = self._connection, None, None
        if connection is not None:
            connection.close()
            with suppress(OSError, asyncssh.Error):
                await connection.wait_closed()

    async def files(self, folder: str) -> Sequence[Sighting]:
        """List the regular files."""
        found = []
        with self._failing():
            for entry in await self._client.readdir(self._path(folder)):
                name = entry.filename.decode(errors="surrogateescape") if isinstance(entry.filename, bytes) else entry.filename
                if entry.attrs.permissions is not None and stat.S_ISREG(entry.attrs.permissions):
                    found.append(_sighting(name, entry.attrs))
        return found

    async def look(self, path: str) -> Sighting | None:
        """Look at one file."""
        with self._failing():
            try:
                return _sighting(path.rpartition("/")[2], await self._client.lstat(self._path(path)))
            except _GONE:
                return None

    async def ends(self, path: str, octets: int) -> tuple[bytes, bytes]:
        """Give the first and the last bytes."""
        head = tail = b""
        with self._failing(), suppress(*_GONE):
            async with await self._client.open(self._path(path), "rb") as file:
                size = (await file.stat()).size or 0
                head, tail = _octets(await file.read(octets, 0)), _octets(await file.read(octets, max(0, size - octets)))
        return head, tail

    async def is_being_written(self, path: str) -> bool:  # noqa: ARG002 - the port's signature
        """Nobody can tell over SFTP: that the file lies still has to do."""
        return False

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """Give the content in pieces."""
        with self._failing():
            file = await self._client.open(self._path(path), "rb")
        try:
            while True:
                with self._failing():
                    piece = _octets(await file.read(PIECE_BYTES))
                if not piece:
                    break
                yield piece
        finally:
            with suppress(OSError, asyncssh.Error):
                await file.close()

    @asynccontextmanager
    async def write(self, path: str) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
        """Write a file anew, flushed where the server can."""
        with self._failing():
            file = await self._client.open(self._path(path), "wb")

        async def write(data: bytes) -> None:
            with self._failing():
                await file.write(data)

        try:
            yield write
            with self._failing():
                with suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()
                await file.close()
        except BaseException:
            with suppress(OSError, asyncssh.Error):
                await file.close()
            raise

    async def move(self, path: str, to: str) -> bool:
        """Rename, in one step where the server can."""
        old, new = self._path(path), self._path(to)
        with self._failing():
            try:
                await self._client.posix_rename(old, new)
            except asyncssh.SFTPOpUnsupported:
                return await self._replace(old, new)
            except _GONE:
                return False
        return True

    async def _replace(self, old: str, new: str) -> bool:
        """Rename on a server that never renames in place of another file (version 3 without OpenSSH's extension)."""
        if await self._permissions(old) is None:
            return False
        with suppress(*_GONE):
            await self._client.remove(new)
        try:
            await self._client.rename(old, new)
        except _GONE:
            return False
        return True

    async def remove(self, path: str) -> None:
        """Remove a file."""
        with self._failing(), suppress(*_GONE):
            await self._client.remove(self._path(path))

    @property
    def _client(self) -> asyncssh.SFTPClient:
        if self._sftp is None:
            raise DropUnavailableError("connection_lost", f"{self._address}: not connected; it is tried again.")
        return self._sftp

    def _path(self, path: str) -> str:
        return f"{self._address.folder}/{path}" if path else self._address.folder

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn every failure of the wire, the server or a key file into one that is tried again."""
        try:
            yield
        except DropUnavailableError:
            raise
        except (asyncssh.Error, asyncssh.KeyImportError, OSError, ValueError) as error:
            reason, remedy = _explained(error)
            raise DropUnavailableError(reason, f"{self._address}: {type(error).__name__}; {remedy}.") from error


_EXPLANATIONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...]] = (
    (asyncssh.HostKeyNotVerifiable, "host_key", "the host key is not the one of known_hosts_file; ask the server's owner, then correct it"),
    (asyncssh.PermissionDenied, "login_refused", "the server refused the login; check user, key_file and password_file"),
    ((asyncssh.KeyImportError, ValueError), "key_file", "key_file or known_hosts_file cannot be read; check path, format and owner"),
    (asyncssh.SFTPPermissionDenied, "no_permission", "the account may not read, write and rename there; ask the server's owner"),
    (_GONE, "folder_missing", "the folder is not there; correct `folder`, or ask the server's owner"),
    (asyncssh.SFTPConnectionLost, "connection_lost", "the connection was lost; it is tried again"),
    (asyncssh.SFTPError, "server", "the server could not do it (disk full, quota); ask its owner"),
    ((FileNotFoundError, PermissionError), "key_file", "key_file, password_file or known_hosts_file cannot be read; check path and owner"),
)


def _explained(error: Exception) -> tuple[str, str]:
    for kinds, reason, remedy in _EXPLANATIONS:
        if isinstance(error, kinds):
            return reason, remedy
    return "host_unreachable", "the server cannot be reached; check host, port and firewall"


def _octets(data: bytes | str) -> bytes:
    # What is opened as bytes is read as bytes; the library's types cannot say so.
    return data if isinstance(data, bytes) else data.encode()


def _sighting(name: str, attrs: asyncssh.SFTPAttrs) -> Sighting:
    return Sighting(name, attrs.size or 0, (attrs.mtime or 0) * 1_000_000_000 + (attrs.mtime_ns or 0))
