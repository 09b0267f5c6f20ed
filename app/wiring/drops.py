"""What the drops of HANDOFF_FILE_SOURCES are built from. Not here: watching them (app/drop), and in which process (app/worker.py)."""

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.files.local_folder import LocalFolder
from adapters.files.refused_rows_csv import RefusedRowsCsv
from adapters.hl7v2.batch import Batch, BatchReader, join_acks
from adapters.hl7v2.reader import Hl7v2Reader
from app import wiring
from app.domain.directory import Directory
from app.domain.drop import DropSource
from app.domain.inbound import Answer, Envelope, Header
from app.domain.public_id import Kind, read_public_id
from app.drop.messages import MessageServices
from app.drop.rosters import RosterServices
from app.drop.watch import DropObserver, DropServices, Watch
from app.intake import Intake, Received
from app.places import FileSource
from app.ports import Clock, DropFolder, Ids, Waker
from app.settings import Settings
from app.store.directory import RegistryReader
from app.store.roles import Network
from app.store.source_locks import SourceLocks
from app.wiring.panels import panel_services

EVERY_S_LOCAL: Final = 1.0
EVERY_S_SFTP: Final = 60.0


def drop_source(source: FileSource) -> DropSource:
    """Read a drop from the settings."""
    panel_of = read_public_id(Kind.ORGANIZATION, source.panel_of) if source.panel_of is not None else None
    every_s = source.every_s or (EVERY_S_LOCAL if source.sftp is None else EVERY_S_SFTP)
    return DropSource(source.name, source.feed, panel_of, source.mode, every_s, source.quiet_s)


def drop_folder(source: FileSource) -> DropFolder:
    """Build the folder of a drop."""
    if source.folder is not None:
        return LocalFolder(source.folder)
    place = source.sftp
    if place is None:
        raise AssertionError(source.name)
    # Only with the extra, and only for those who use it: the library takes a fifth of a second to load.
    from adapters.files.sftp_folder import SftpAddress, SftpFolder  # noqa: PLC0415 - see above

    return SftpFolder(
        SftpAddress(place.host, place.port, place.user, place.folder, place.known_hosts_file, place.key_file, place.password_file)
    )


def lock_space_of(network: str) -> int:
    """Give the first half of a drop's lock: networks in one database have drops of their own."""
    return zlib.crc32(f"handoff/{network}/drops".encode()) - (1 << 31)


@dataclass(frozen=True, slots=True)
class Drops:
    """The drops of one process, and what they hold."""

    watches: Sequence[Watch]
    services: DropServices
    intake: Intake
    locks: SourceLocks

    async def close(self) -> None:
        """Let go."""
        await self.intake.close()
        await self.locks.close()


def build_drops(
    settings: Settings,
    url: str,
    engine: AsyncEngine,
    keys: wiring.Keys,
    *,
    clock: Clock,
    ids: Ids,
    waker: Waker,
    observer: DropObserver,
    on_received: Callable[[Received, float], None],
    is_stopping: Callable[[], bool],
) -> Drops:
    """Build the watches, the door behind them, and the locks that give each drop to one process."""
    intake = wiring.build_intake(settings, engine, keys, clock=clock, ids=ids, waker=waker)
    locks = SourceLocks(url, Network(settings.network), lock_space_of(settings.network), name="handoff drops")
    transaction = wiring.open_transaction(engine)
    registry = RegistryReader()
    write = wiring.ack_writer(clock, ids)

    async def receive(envelope: Envelope) -> tuple[Answer, bytes | None]:
        started_s = time.perf_counter()
        received = await intake.receive(envelope)
        on_received(received, time.perf_counter() - started_s)
        return received.answer, received.acks[-1] if received.acks else None

    async def directory() -> Directory:
        async with transaction() as raw:
            return await registry.current(raw)

    async def probe() -> None:
        async with transaction() as raw:
            await raw.fetchval("select 1")

    def write_ack(head: bytes, header: Header, answer: Answer) -> bytes | None:
        acks = write(head, header, answer)
        return acks[-1] if acks else None

    def envelope(header: str | None, at: datetime) -> tuple[bytes, Callable[[int], bytes]]:
        whole = join_acks(Batch((), (), header, ()), [], control_id=ids.new().hex[:20], at=at)
        beginning, _, trailer = whole.rpartition(b"BTS")
        return beginning, lambda count: b"BTS" + trailer[:1] + str(count).encode() + b"\r"

    messages = MessageServices(
        open_cutter=partial(BatchReader, settings.message_bytes_max),
        receive=receive,
        probe=probe,
        header=Hl7v2Reader().header,
        write_ack=write_ack,
        envelope=envelope,
        clock=clock,
        is_stopping=is_stopping,
        wave=settings.commit_group_max,
    )
    rosters = RosterServices(
        panels=panel_services(settings, engine, ids),
        unit_of_work=wiring.open_unit_of_work(engine),
        write_refused=RefusedRowsCsv,
        clock=clock,
        waker=waker,
    )
    services = DropServices(messages, rosters, directory, locks.hold, clock, ids, observer)
    watches = [Watch(drop_source(source), drop_folder(source), services) for source in settings.file_sources]
    return Drops(watches, services, intake, locks)
