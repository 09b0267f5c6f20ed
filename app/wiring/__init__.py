"""The one file that knows both sides: it builds adapters from settings and hands them to the house as ports.

Nothing happens at import, and nothing here decides anything. The clock, ids and randomness of the process live here.
"""

import os
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg.pgproto import pgproto
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cipher.aes_gcm import AesGcmCipher, derive
from adapters.fhir.reader import FhirReader
from adapters.hl7v2.ack import Er7AckWriter, is_acknowledgement, which_acks
from adapters.hl7v2.fields import Er7FieldReader
from adapters.hl7v2.reader import Hl7v2Reader
from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app.actions.deliver import Delivered, Deliverer, DeliveryLimits
from app.actions.present_notifications import present_notifications
from app.actions.receive import LANES
from app.api.strict_json import read_strict_json
from app.domain.feed_health import Meanings
from app.domain.hanging import Patience
from app.domain.inbound import Acceptance, AckCode, Answer, Format, Header
from app.domain.rulebook import Rulebook
from app.domain.viewer import OPERATOR
from app.intake import Intake, WriteAcks
from app.pipeline import OpenTransaction, Pipeline, Rooms, in_hand
from app.pipeline.feed_watch import FeedWatch
from app.pipeline.panel_watch import PanelWatch
from app.pipeline.presume import Presumptions
from app.pipeline.queue_watch import QueueWatch
from app.ports import Clock, Ids, Readers, Sender, Waker
from app.settings import Settings, read_or_make_secret
from app.standards.attribution_rules import precedence
from app.standards.calendars import holiday_calendar, warm
from app.standards.code_tables import dispositions, hospital_services
from app.standards.completeness_rules import directtrust
from app.standards.definitions import definitions
from app.standards.privacy_rules import privacy_law
from app.standards.program_catalog import calendar_ids
from app.standards.queue_rules import queue_definitions
from app.store.connection import OpenUnitOfWork
from app.store.directory import RegistryReader
from app.store.encounter_reads import ReadStay
from app.store.engine import PoolLimits, make_engine, raw_connection
from app.store.notification_reads import StoredNotification
from app.store.raw import Raw
from app.store.roles import Network, Role
from app.store.unit_of_work import unit_of_work
from app.telemetry.metrics import FOLDER_VARIABLE

_OUTCOMES = {
    AckCode.AA: Acceptance.ACCEPT,
    AckCode.CA: Acceptance.ACCEPT,
    AckCode.AE: Acceptance.ERROR,
    AckCode.CE: Acceptance.ERROR,
    AckCode.AR: Acceptance.REJECT,
    AckCode.CR: Acceptance.REJECT,
}

_ANSWER_MARGIN_S = 5.0
"""Between the end of a statement at the server and the end of our patience with it."""
_ATTEMPT_MARGIN = timedelta(seconds=5)
"""Between the end of an attempt and the end of its lease."""


GARBAGE_AFTER = 50_000
"""Our policy: the collector looks for cycles after so many new objects, not after 700: a batch makes tens of thousands and leaves none,
and looking cost it a third of its time."""

THREAD_TURN_S = 0.001
"""Our policy: a thread that reads a roster lets the loop have its turn after so long, not after Python's 5 ms: whatever comes in
meanwhile, and every answer of the database, waits for that turn."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the present instant."""
        return datetime.now(UTC)


_Id: Callable[[bytes], UUID] = pgproto.UUID
"""The driver's own kind of UUID, as it gives those it reads: hashed, compared and sent several times as fast as the library's."""


class SystemIds:
    """Ids of UUID version 7 (RFC 9562): milliseconds, then a counter that keeps one process's ids in order, then randomness."""

    def __init__(self) -> None:
        """Start the counter anywhere."""
        self._last_ms = 0
        self._counter = 0
        self._random = b""
        self._drawn = 0

    def new(self) -> UUID:
        """Give a new id, greater than every earlier one of this process."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms, self._counter = now_ms, secrets.randbits(10)
        else:
            self._counter += 1
            if self._counter > _COUNTER_MAX:
                self._last_ms, self._counter = self._last_ms + 1, 0
        head = ((self._last_ms << 24) | (0x7 << 20) | ((self._counter >> 6) << 8) | (0b10 << 6) | (self._counter & 0x3F)).to_bytes(9, "big")
        return _Id(head + self._octets())

    def _octets(self) -> bytes:
        """Give seven random octets. A call of the system for each id would be the dearest part of it."""
        start, self._drawn = self._drawn, self._drawn + _OCTETS
        if self._drawn > len(self._random):
            self._random, start, self._drawn = secrets.token_bytes(_OCTETS * 64), 0, _OCTETS
        return self._random[start : self._drawn]

    def fraction(self) -> float:
        """Give a random fraction in [0, 1)."""
        return secrets.randbits(53) / (1 << 53)

    def secret(self, octets: int) -> bytes:
        """Give random bytes."""
        return secrets.token_bytes(octets)


_COUNTER_MAX = (1 << 18) - 1
_OCTETS = 7


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one installation, each derived from its one secret for one purpose."""

    cipher: AesGcmCipher
    pepper: bytes


def keys_of(settings: Settings) -> Keys:
    """Derive the keys from the installation's secret."""
    secret = read_or_make_secret(settings)
    return Keys(AesGcmCipher({1: derive(secret, "stored-body/1")}), derive(secret, "api-key-pepper/1"))


def engine_of(settings: Settings, url: str, role: Role, *, name: str, answer_timeout_s: float = 0.0) -> AsyncEngine:
    """Build the engine of one role. The server cuts off only the API's statements: a batch or a roster may be large.

    We give up a statement a moment after the server should have, or after `answer_timeout_s`: one that is frozen or cut off keeps no
    limit of its own.
    """
    statement_timeout_ms = settings.statement_timeout_ms if role is Role.APP else 0
    limits = PoolLimits(
        connections_max=settings.database_connections_max,
        answer_timeout_s=answer_timeout_s or (statement_timeout_ms and statement_timeout_ms / 1000 + _ANSWER_MARGIN_S),
        statement_timeout_ms=statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
        idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
    )
    return make_engine(url, Network(settings.network), role, limits=limits, name=name)


def open_transaction(engine: AsyncEngine) -> OpenTransaction:
    """Give what opens a transaction for the hot statements."""

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Raw]:
        async with unit_of_work(engine, None) as connection:
            yield await raw_connection(connection)

    return transaction


def open_unit_of_work(engine: AsyncEngine) -> OpenUnitOfWork:
    """Give what opens a transaction as a viewer."""
    return partial(unit_of_work, engine)


def rulebook(own: Path | None = None) -> Rulebook:
    """Load the rules that are data, some of them from a folder of the deployment's own (STANDARDS_DIR).

    Raises StandardsError naming the file and place of what is wrong.
    """
    defined = definitions(own)
    return Rulebook(
        diagnoses=defined.diagnoses,
        dispositions=dispositions(),
        hospital_services=hospital_services(),
        programs=defined.programs,
        calendars=holiday_calendar,
        measures=defined.measures,
        precedence=precedence(),
        privacy=privacy_law(),
    )


def warm_calendars(own: Path | None = None) -> None:
    """Read the holidays of the programs' calendars, so that no batch waits for the first question (half a second).

    Raises StandardsError for a calendar that has none.
    """
    warm(calendar_ids(definitions(own).programs), SystemClock().now().year)


def lock_space_of(network: str) -> int:
    """Give the first half of a lane's lock: networks in one database must not share lanes."""
    return zlib.crc32(f"handoff/{network}/lanes".encode()) - (1 << 31)


def ack_writer(clock: Clock, ids: Ids) -> WriteAcks:
    """Give what writes the acknowledgements a sender is owed, in its own dialect."""
    writer = Er7AckWriter()

    def write(body: bytes, header: Header, answer: Answer) -> tuple[bytes, ...]:
        if is_acknowledgement(header):
            return ()
        due = which_acks(header.accept_ack, header.application_ack, _OUTCOMES[answer.code])
        return tuple(
            writer.write(body, header, code, answer.problems, control_id=ids.new().hex[:20].upper(), at=clock.now()) for code in due.codes
        )

    return write


def warm_models() -> None:
    """Load what the reader of FHIR looks at messages with."""
    FhirReader(read_strict_json).warm()


def readers() -> Readers:
    """Build the reader of each format."""
    return {Format.ER7: Hl7v2Reader(), Format.FHIR: FhirReader(read_strict_json)}


def build_intake(settings: Settings, engine: AsyncEngine, keys: Keys, *, clock: Clock, ids: Ids, waker: Waker) -> Intake:
    """Build the door's group commit."""
    return Intake(
        open_transaction(engine),
        RegistryReader(),
        readers(),
        ack_writer(clock, ids),
        cipher=keys.cipher,
        ids=ids,
        waker=waker,
        group_max=settings.commit_group_max,
    )


def build_rooms(keys: Keys, rules: Rulebook, *, clock: Clock, ids: Ids) -> Rooms:
    """Build rooms 3-7."""
    return Rooms(readers=readers(), cipher=keys.cipher, rulebook=rules, clock=clock, ids=ids)


def build_pipeline(  # what a worker needs, each once
    settings: Settings, engine: AsyncEngine, keys: Keys, rules: Rulebook, *, clock: Clock, ids: Ids, waker: Waker
) -> Pipeline:
    """Build the pipeline of one worker process."""
    workers = settings.worker_count
    return Pipeline(
        rooms=build_rooms(keys, rules, clock=clock, ids=ids),
        transaction=open_transaction(engine),
        registry=RegistryReader(),
        waker=waker,
        lock_space=lock_space_of(settings.network),
        lanes_max=max(1, -(-LANES // max(1, workers))),
    )


def build_feed_watch(settings: Settings, engine: AsyncEngine, keys: Keys, *, clock: Clock, ids: Ids) -> FeedWatch:
    """Build what watches the feeds, for one worker process."""
    return FeedWatch(
        open_transaction(engine),
        RegistryReader(),
        Er7FieldReader(),
        directtrust().fields,
        keys.cipher,
        clock,
        ids,
        lock_space_of(settings.network),
    )


def build_panel_watch(settings: Settings, engine: AsyncEngine, *, clock: Clock) -> PanelWatch:
    """Build what watches the panels, for one worker process."""
    return PanelWatch(open_transaction(engine), clock, lock_space_of(settings.network))


def build_queue_watch(settings: Settings, engine: AsyncEngine, *, clock: Clock) -> QueueWatch:
    """Build what watches the queues of people's work, for one worker process."""
    return QueueWatch(open_transaction(engine), clock, lock_space_of(settings.network), queue_definitions())


def feed_profile() -> Meanings:
    """Give the fields that a feed should fill, with their meanings."""
    return tuple((field.place, field.meaning) for field in directtrust().fields)


def build_presumptions(settings: Settings, engine: AsyncEngine, rooms: Rooms) -> Presumptions:
    """Build what closes the stays that nobody ended, for one worker process."""
    visit_h, stay_days = settings.visit_silence_hours_max, settings.stay_silence_days_max
    patience = Patience(timedelta(hours=visit_h) if visit_h else None, timedelta(days=stay_days) if stay_days else None)
    return Presumptions(rooms, open_transaction(engine), RegistryReader(), patience, lock_space_of(settings.network))


def webhook_allowances(settings: Settings) -> tuple[Allowance, ...]:
    """Read ENDPOINT_ALLOW. Raises AllowanceError for an entry that is none."""
    return tuple(Allowance.parse(entry) for entry in settings.endpoint_allow)


def webhook_sender(settings: Settings) -> WebhookSender:
    """Build the sender of webhooks."""
    return WebhookSender(Guard(webhook_allowances(settings)), deadline_s=settings.delivery_timeout_s)


def read_stay(rules: Rulebook, clock: Clock) -> ReadStay:
    """Give what reads off a stored stay by the rules in force, as it stands now."""
    return lambda row, directory: in_hand(row, directory, rules, None, asked_at=clock.now())


def build_deliverer(
    settings: Settings,
    engine: AsyncEngine,
    keys: Keys,
    rules: Rulebook,
    sender: Sender,
    *,
    clock: Clock,
    ids: Ids,
    on_defect: Callable[[Exception], None],
    on_recorded: Callable[[Delivered], None],
) -> Deliverer:
    """Build room 8 of one worker process."""
    registry, read = RegistryReader(), read_stay(rules, clock)

    async def present(raw: Raw, rows: Sequence[StoredNotification]) -> Sequence[Mapping[str, Any]]:
        directory = await registry.current(raw)
        return await present_notifications(raw, OPERATOR, rows, directory=directory, read_stay=read, sent_at=clock.now())

    return Deliverer(
        open_transaction(engine),
        sender,
        present,
        cipher=keys.cipher,
        clock=clock,
        ids=ids,
        limits=DeliveryLimits(
            deliveries_in_hand=settings.delivery_concurrency_max,
            send_within=timedelta(seconds=settings.delivery_timeout_s) + _ATTEMPT_MARGIN,
        ),
        on_defect=on_defect,
        on_recorded=on_recorded,
    )


def version() -> str:
    """Give the version of the distribution; `0` in a tree that was never installed."""
    try:
        return installed_version("warm-handoff")
    except PackageNotFoundError:
        return "0"


def metrics_folder() -> Path | None:
    """Give the folder that the supervisor made for the counters of the tree, if there is one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None
