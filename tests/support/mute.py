"""A way to the database that can go mute: what stands then neither moves nor ends, as when a host freezes or a network forgets.

What is opened later works, as when another server has taken its place. Not here: resets and refusals, which sockets tell by themselves.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

_SOCKET = ".s.PGSQL.5432"


class Way:
    """The way, as a database address that leads through it."""

    def __init__(self, url: str) -> None:
        """Lead through a socket in another folder."""
        self.url = url
        self._standing: list[asyncio.Event] = []

    def go_mute(self) -> None:
        """Let no octet through any more on what stands now."""
        for moves in self._standing:
            moves.clear()
        self._standing.clear()

    def opened(self) -> asyncio.Event:
        """Give what lets the octets of a new connection through."""
        moves = asyncio.Event()
        moves.set()
        self._standing.append(moves)
        return moves


@asynccontextmanager
async def way_to(url: str, folder: Path) -> AsyncIterator[Way]:
    """Open a way to a server on this machine, whose address names the folder of its socket."""
    parts = urlsplit(url)
    server = Path(parse_qs(parts.query)["host"][0]) / _SOCKET
    way = Way(urlunsplit(parts._replace(query=f"host={quote(str(folder), safe='')}")))
    pumps: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def pump(moves: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            await moves.wait()
            writer.write(octets)
            await writer.drain()
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(str(server))
        writers.extend((writer, there_writer))
        moves = way.opened()
        pumps.update(asyncio.create_task(pump(moves, *ends)) for ends in ((reader, there_writer), (there_reader, writer)))

    listening = await asyncio.start_unix_server(lead, str(folder / _SOCKET))
    try:
        yield way
    finally:
        listening.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)
