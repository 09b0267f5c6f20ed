"""Asks a PostgreSQL socket whether its server is there, and whether it is ready. Not here: logging in or SQL.

One start-up packet is sent and one answer is read ("PostgreSQL: Frontend/Backend Protocol", Start-up). No client library is
needed for that, and the answer comes in less than a millisecond, so a running server is adopted at no cost.
"""

import contextlib
import socket
import struct
from enum import StrEnum
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
_PROTOCOL_3_0 = 196608
_CANNOT_CONNECT_NOW = b"C57P03\x00"


class ServerState(StrEnum):
    """What a server's socket says of it."""

    ABSENT = "absent"
    """Nobody listens. Not: the data is damaged, or no process is left over."""
    BUSY = "busy"
    """The server lives and refuses sessions for now: it recovers, or it shuts down."""
    READY = "ready"
    """Sessions are accepted."""


def server_state(socket_folder: Path, *, timeout_s: float = 2.0) -> ServerState:
    """Ask the server behind the socket in the folder. Never raises for a server that is absent or slow."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(socket_folder / SOCKET_NAME))
            connection.sendall(_startup_packet())
            answer = connection.recv(1024)
        except TimeoutError:
            return ServerState.BUSY
        except OSError:
            return ServerState.ABSENT
    if answer.startswith(b"E") and _CANNOT_CONNECT_NOW in answer:
        return ServerState.BUSY
    # An empty answer is a backend that died while the server was going down or coming up.
    return ServerState.READY if answer else ServerState.BUSY


def _startup_packet() -> bytes:
    parameters = b"user\x00handoff\x00database\x00postgres\x00\x00"
    body = struct.pack("!i", _PROTOCOL_3_0) + parameters
    return struct.pack("!i", len(body) + 4) + body
