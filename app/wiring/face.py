"""What the front process is built from: listeners, and everything that the HTTP routes call. Not here: serving it (app/main.py)."""

import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.fhir.audit_events import AuditEvents
from adapters.fhir.capability import capability_statement
from adapters.fhir.consents import Consents
from adapters.fhir.groups import Groups
from adapters.fhir.measure_reports import MeasureReports
from adapters.files.refused_rows_csv import RefusedRowsCsv
from adapters.files.table_csv import table_csv
from adapters.hl7v2.batch import Batch, join_acks, split_batch
from adapters.hl7v2.encodings import as_er7, as_xml, tokenize
from adapters.hl7v2.er7 import Er7Message, field_tree
from adapters.hl7v2.listener import MllpListener
from adapters.hl7v2.peers import Answer as AnswerFrame
from adapters.hl7v2.peers import ConnectionReport, Failure, Limits, Peer, Refuse, Said, Unwelcome
from adapters.hl7v2.reader import Hl7v2Reader
from adapters.hl7v2.room import Room
from adapters.hl7v2.tls import server_context
from adapters.hl7v2.xml_form import is_xml
from app.actions.present_follow_ups import FollowUpPresenter
from app.api.arrivals import Arrivals, LastSequences
from app.api.claims_lists import ClaimsLists
from app.api.limits import ApiLimits
from app.api.services import KeySecrets, ReadAudit, Readiness, Receive, Rehearsed, RequestAnswered, Services, Validate
from app.domain.audit import AuditLine
from app.domain.credential import KeyEnvironment, key_digest
from app.domain.inbound import AckCode, Answer, Door, Envelope, Format, Outcome, Problem, ProblemCode, Severity
from app.domain.rulebook import Rulebook
from app.domain.viewer import OPERATOR, Viewer
from app.intake import Received, WriteAcks
from app.pipeline import OpenTransaction
from app.pipeline.desk import Desk
from app.pipeline.rehearse import Rehearsal, Rehearsals, every_problem
from app.pipeline.report import Reports
from app.places import Listener
from app.ports import Clock, Ids, Readers, Sender, Waker
from app.settings import Environment, Settings
from app.store.audit_reads import AuditFilter, read_lines
from app.store.directory import RegistryReader
from app.store.engine import raw_connection
from app.store.feed_moves import go_live
from app.store.notification_reads import last_sequences
from app.store.unit_of_work import unit_of_work
from app.telemetry.events import ConnectionClosed
from app.wiring import Keys, ack_writer, build_rooms, feed_profile, open_transaction, open_unit_of_work, read_stay, version
from app.wiring.diagnosis import advice, message_search, place_namer, reinterpreter
from app.wiring.panels import panel_services
from app.wiring.services import service_loading

_REFUSALS = {
    Failure.ANSWER_FAILED: (AckCode.AE, "The message could not be taken and nothing was kept. Send it again."),
    Failure.ANSWER_TIMED_OUT: (AckCode.AE, "The message could not be stored in time. Send it again; it is taken once."),
    Failure.TOO_LONG: (AckCode.AR, "The frame is larger than this listener takes (HANDOFF_MESSAGE_BYTES_MAX). Send it in parts."),
    Failure.NO_ROOM: (AckCode.AE, "All connections together hold as much as the door takes (HANDOFF_MLLP_BYTES_MAX). Send it again."),
    Failure.UNFRAMED: (AckCode.AR, "The message came without its MLLP start byte (0x0B); nothing was taken. Check the sender's framing."),
}


_KEPT_FAILURES = frozenset({Failure.TOO_LONG, Failure.UNFRAMED})
"""What will not come again as it was, so that it must be found here; the others were told to send again."""


def refuse_frame(write: WriteAcks, keep: Callable[[Envelope, Problem], None], clock: Clock) -> Refuse:
    """Give what answers a frame that never became a message, so that no peer is left waiting, and has its beginning kept."""
    reader = Hl7v2Reader()

    def refuse(head: bytes, peer: Peer, failure: Failure) -> bytes | None:
        code, text = _REFUSALS[failure]
        problem = Problem(ProblemCode.INTERNAL, Severity.ERROR, "", text)
        if failure in _KEPT_FAILURES:
            keep(Envelope(head, Door.MLLP, clock.now(), peer=peer.host), problem)
        acks = write(head, reader.header(head), Answer(code, (problem,)))
        return acks[-1] if acks else None

    return refuse


def connection_closed(report: ConnectionReport) -> ConnectionClosed:
    """Give the event of a connection that ended."""
    counters = report.counters
    return ConnectionClosed(
        report.peer.listener,
        report.peer.connection_id,
        report.reason.value if report.reason is not None else "unknown",
        int(report.open_for_s),
        counters.frames,
        counters.replies,
        counters.garbage_bytes,
        counters.failures,
    )


def reply_of(received: Received) -> Said:
    """Give what the listener says, and whether it may listen less to who is told so."""
    kind = Unwelcome if received.is_of_stranger else Said
    return kind(received.acks, received.is_stored, received.is_release_2)


def mllp_listener(
    settings: Settings,
    listener: Listener,
    answer: AnswerFrame,
    refuse: Refuse,
    sock: socket.socket,
    room: Room,
    *,
    on_closed: Callable[[ConnectionReport], None],
) -> MllpListener:
    """Build one listener on a socket that is bound already."""
    tls = listener.tls
    limits = Limits(
        frame_bytes_max=settings.message_bytes_max,
        idle_timeout_s=settings.mllp_idle_timeout_s,
        frame_timeout_s=settings.mllp_frame_timeout_s,
        connections_max=settings.mllp_connections_max,
        is_release_2=listener.release == 2,  # noqa: PLR2004 - the name of the release
    )
    return MllpListener(
        answer,
        refuse,
        host=listener.host,
        port=listener.port,
        name=listener.name or f"{listener.host}:{listener.port}",
        limits=limits,
        room=room,
        tls=server_context(tls.certificate_file, tls.key_file, tls.client_authority_file) if tls is not None else None,
        sock=sock,
        on_closed=on_closed,
    )


@dataclass(frozen=True, slots=True)
class Engines:
    """The two engines of a process with the HTTP door."""

    work: AsyncEngine
    app: AsyncEngine


@dataclass(frozen=True, slots=True)
class Face:
    """What the HTTP face gets from the process that serves it."""

    receive: Receive
    arrivals: Arrivals
    readiness: Callable[[], Awaitable[Readiness]]
    metrics: CollectorRegistry
    observe: Callable[[RequestAnswered], None]


def build_services(
    settings: Settings, engines: Engines, keys: Keys, rules: Rulebook, face: Face, *, clock: Clock, ids: Ids, waker: Waker, sender: Sender
) -> Services:
    """Build everything the routes call."""
    rooms = build_rooms(keys, rules, clock=clock, ids=ids)
    transaction = open_transaction(engines.work)
    return Services(
        unit_of_work=open_unit_of_work(engines.app),
        clock=clock,
        ids=ids,
        monotonic=time.monotonic,
        secrets=key_secrets(settings, keys),
        receive=face.receive,
        validate=validator(Rehearsals(rooms, transaction, RegistryReader()), ack_writer(clock, ids), rooms.readers),
        batches=_Batches(),
        capabilities=partial(capability_statement, version=version(), url=_fhir_base(settings)),
        groups=Groups(),
        measure_reports=MeasureReports(),
        audit=audit_reader(transaction),
        audit_events=AuditEvents(),
        consents=Consents(),
        registry=RegistryReader(),
        claims_lists=ClaimsLists(open_unit_of_work(engines.app), clock),
        read_stay=read_stay(rules, clock),
        go_live=partial(take_over, transaction, clock),
        report_stay=Reports(rooms, transaction, RegistryReader()).report,
        follow_ups=FollowUpPresenter(read_stay(rules, clock), rules),
        evaluate=Desk(rooms, transaction, RegistryReader(), waker).evaluate,
        panels=panel_services(settings, engines.work, ids),
        service_loading=service_loading(settings, engines.work, ids),
        write_refused=RefusedRowsCsv,
        write_table=table_csv,
        feed_profile=feed_profile(),
        messages=message_search(engines.work, keys),
        reinterpret=reinterpreter(rooms),
        sender=sender,
        cipher=keys.cipher,
        readers=rooms.readers,
        waker=waker,
        arrivals=face.arrivals,
        readiness=face.readiness,
        metrics=face.metrics,
        observe=face.observe,
        limits=ApiLimits(
            json_octets_max=settings.json_bytes_max,
            message_octets_max=settings.message_bytes_max,
            batch_octets_max=settings.upload_bytes_max,
            roster_octets_max=settings.roster_bytes_max,
            requests_per_s=settings.requests_per_key_per_s,
            requests_burst=settings.requests_per_key_burst,
        ),
        version=version(),
    )


def _fhir_base(settings: Settings) -> str | None:
    """Give the address of the FHIR face; None where only the machine knows the port."""
    return f"{settings.public_url}/fhir" if settings.base_url or settings.http_port else None


async def take_over(transaction: OpenTransaction, clock: Clock, feed_id: UUID) -> int:
    """Make the stays of people in the house live whom a feed heard of while it told nobody; give how many."""
    async with transaction() as raw:
        return await go_live(raw, feed_id, clock.now())


def key_secrets(settings: Settings, keys: Keys) -> KeySecrets:
    """Give what API keys are made and checked with."""
    admin = settings.admin_key
    return KeySecrets(
        keys.pepper,
        KeyEnvironment.PRODUCTION if settings.environment is Environment.PRODUCTION else KeyEnvironment.DEVELOPMENT,
        key_digest(keys.pepper, admin.get_secret_value()) if admin is not None else None,
    )


def audit_reader(transaction: OpenTransaction) -> ReadAudit:
    """Give what reads the audit for a viewer (store/audit_reads says why not under the policy)."""

    async def read(viewer: Viewer, wanted: AuditFilter, before: UUID | None, limit: int) -> list[AuditLine]:
        async with transaction() as raw:
            return await read_lines(raw, viewer, wanted, before=before, limit=limit)

    return read


def newest_numbers(engine: AsyncEngine) -> LastSequences:
    """Give what reads the highest sequence number of recipients, for whoever waits for the next."""

    async def newest(recipients: Sequence[UUID]) -> Mapping[UUID, int]:
        async with unit_of_work(engine, OPERATOR) as connection:
            return await last_sequences(await raw_connection(connection), recipients)

    return newest


def validator(rehearsals: Rehearsals, write: WriteAcks, readers: Readers) -> Validate:
    """Give what says what would become of a message: of one in ER7 with its acknowledgement and its tree."""
    outcomes = {AckCode.AA: Outcome.PROCESSED, AckCode.AE: Outcome.SET_ASIDE, AckCode.AR: Outcome.REJECTED}

    async def validate(envelope: Envelope) -> Rehearsed:
        rehearsal = await rehearsals.rehearse(envelope)
        arrival = rehearsal.arrival
        is_er7 = envelope.format is Format.ER7
        problems = every_problem(rehearsal, readers[envelope.format])
        return Rehearsed(
            feed_id=arrival.feed.id if arrival.feed else None,
            code=arrival.code,
            acks=write(envelope.body, arrival.header, Answer(arrival.code, arrival.problems)) if is_er7 else (),
            problems=problems,
            advice=await advice(envelope, arrival.feed, arrival.header, problems),
            name=place_namer(envelope.format, arrival.header),
            outcome=Outcome.SET_ASIDE if _is_set_aside(rehearsal) else outcomes[arrival.code],
            tree=message_tree(envelope.body) if is_er7 else (),
            reaches=rehearsal.reaches,
            follow_ups=rehearsal.follow_ups,
        )

    return validate


def _is_set_aside(rehearsal: Rehearsal) -> bool:
    """Tell whether a message that is acknowledged could not be read, or waits for a person or for its facility to be mapped."""
    reasons = (problem.severity is Severity.ERROR or problem.code is ProblemCode.ACCEPTED for problem in rehearsal.problems)
    return rehearsal.arrival.code is AckCode.AA and rehearsal.event is None and any(reasons)


def message_tree(body: bytes) -> list[dict[str, Any]]:
    """Give a message as it is parsed, segment by segment."""
    message = tokenize(body)
    if not isinstance(message, Er7Message):
        return []
    return [
        {
            "segment": segment.name,
            "sequence": segment.sequence,
            "fields": {str(number): field_tree(raw, segment.delimiters) for number, raw in enumerate(segment.fields) if number and raw},
        }
        for segment in message.segments()
    ]


class _Batches:
    """The codec of batch files and of the two encodings."""

    is_xml = staticmethod(is_xml)
    in_xml = staticmethod(as_xml)

    def split(self, *bodies: bytes) -> Batch:
        """Cut each body; their messages are one batch, under the first header."""
        cut = [split_batch(body) for body in bodies]
        return Batch(
            tuple(message for one in cut for message in one.messages),
            tuple(stray for one in cut for stray in one.strays),
            next((one.header for one in cut if one.header is not None), None),
            tuple(warning for one in cut for warning in one.warnings),
        )

    def join(self, batch: Batch, acks: Sequence[bytes], *, control_id: str, at: datetime) -> bytes:
        """Write the batch in ER7."""
        return join_acks(batch, [self.in_er7(ack) for ack in acks], control_id=control_id, at=at)

    def in_er7(self, ack: bytes) -> bytes:
        """Give an acknowledgement of our own, which can be read, in ER7."""
        found = as_er7(ack)
        return found if isinstance(found, bytes) else ack
