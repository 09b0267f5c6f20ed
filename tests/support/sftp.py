"""A real SFTP server on loopback (asyncssh), for drops: keys, a password, a folder that is its root, and faults that are planted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER = "drop"
PASSWORD = "made up for tests"


@dataclass
class SftpServer:
    """A running server, and where its keys are."""

    folder: Path
    keys: Path
    port: int = 0
    logins: int = 0
    refuses: set[str] = field(default_factory=set)
    """Requests that fail: `posix_rename`, `mkdir`."""
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    read_octets: int = 0
    cut_after_octets: int | None = None
    """The connection is cut when so much was read."""

    @property
    def known_hosts(self) -> Path:
        return self.keys / "known_hosts"

    @property
    def client_key(self) -> Path:
        return self.keys / "client"

    @property
    def password_file(self) -> Path:
        return self.keys / "password"

    def write_keys(self) -> None:
        """Make the host's and the client's key."""
        self.keys.mkdir(parents=True, exist_ok=True)
        for name in ("host", "client", "stranger"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(self.keys / name)
            key.write_public_key(self.keys / f"{name}.pub")
        self.password_file.write_text(PASSWORD + "\n")

    def write_known_hosts(self, name: str = "host") -> None:
        """Say which host key the client is to see."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {(self.keys / f'{name}.pub').read_text()}")


def _door(server: SftpServer) -> type[asyncssh.SSHServer]:
    class Door(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            server.connections.add(conn)
            self._connection = conn

        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the library's signature
            server.connections.discard(self._connection)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

        def auth_completed(self) -> None:
            server.logins += 1

    return Door


def _files(server: SftpServer) -> type[asyncssh.SFTPServer]:
    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(channel, chroot=str(server.folder))

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
            if "posix_rename" in server.refuses:
                raise asyncssh.SFTPOpUnsupported("not here")
            return super().posix_rename(oldpath, newpath)

        def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
            if "mkdir" in server.refuses:
                raise asyncssh.SFTPPermissionDenied("not here")
            return super().mkdir(path, attrs)

        def read(self, file_obj: Any, offset: int, size: int) -> Any:
            server.read_octets += size
            if server.cut_after_octets is not None and server.read_octets > server.cut_after_octets:
                server.cut_after_octets = None
                for connection in list(server.connections):
                    connection.abort()
            return super().read(file_obj, offset, size)

    return Files


@asynccontextmanager
async def sftp_server(folder: Path, keys: Path, port: int = 0) -> AsyncIterator[SftpServer]:
    """Run a server whose root is the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    server = SftpServer(folder, keys)
    if not (keys / "host").exists():
        server.write_keys()
    listener = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=_door(server),
        server_host_keys=[str(keys / "host")],
        authorized_client_keys=str(keys / "client.pub"),
        sftp_factory=_files(server),
        allow_scp=False,
    )
    server.port = listener.get_port()
    server.write_known_hosts()
    try:
        yield server
    finally:
        listener.close()
        for connection in list(server.connections):
            connection.abort()
        await listener.wait_closed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while server.connections:
                    await asyncio.sleep(0.01)
