"""What the HTTP face needs from the wiring, and nothing more. Not here: how any of it is built."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from prometheus_client import CollectorRegistry

from app.actions.load_panel import PanelServices
from app.actions.load_services import ServiceLoading
from app.actions.present_follow_ups import FollowUpPresenter
from app.actions.search_messages import MessageSearch
from app.api.arrivals import Arrivals
from app.api.claims_lists import ClaimsLists
from app.api.limits import ApiLimits
from app.domain.audit import AuditLine, Disclosed
from app.domain.consent_form import Fault
from app.domain.contact import Contact
from app.domain.credential import KeyEnvironment
from app.domain.directory import Directory
from app.domain.feed_health import Meanings
from app.domain.follow_up import ContactEffect
from app.domain.inbound import AckCode, Answer, Envelope, Outcome, Problem
from app.domain.measure import MeasureRules
from app.domain.notification import Desired
from app.domain.panel_group import GroupMember, MemberAsk, PanelGroup
from app.domain.rate import Rate
from app.domain.reinterpretation import Reinterpretation
from app.domain.reported_stay import ReportedStay
from app.domain.roster import RowError
from app.domain.stored_consent import AssertedConsent, StoredConsent
from app.domain.viewer import Viewer
from app.ports import Cipher, Clock, Ids, Readers, Sender, Waker
from app.store.audit_reads import AuditFilter
from app.store.connection import OpenUnitOfWork
from app.store.directory import RegistryReader
from app.store.encounter_reads import ReadStay
from app.store.follow_ups import FollowUpRow
from app.store.inbound import Waiting


class SplitBatch(Protocol):
    """A batch file, cut into its messages."""

    @property
    def messages(self) -> tuple[bytes, ...]:
        """Each message verbatim, in order."""
        ...

    @property
    def strays(self) -> tuple[bytes, ...]:
        """What stands outside every message and is no envelope."""
        ...

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd about the envelopes; never a reason to refuse."""
        ...


class BatchCodec(Protocol):
    """Cuts batch files and writes batches of acknowledgements (BATCH-1)."""

    def split(self, *bodies: bytes) -> SplitBatch:
        """Cut one body, or several one after the other. Nothing is raised; no messages is legal."""
        ...

    def join(self, batch: Any, acks: Sequence[bytes], *, control_id: str, at: datetime) -> bytes:  # noqa: ANN401 - what `split` gave
        """Write one batch of the acknowledgements, in order; in ER7, whatever they are in."""
        ...

    def is_xml(self, ack: bytes) -> bool:
        """Tell whether it is in XML."""
        ...

    def in_xml(self, ack: bytes) -> bytes:
        """Give an acknowledgement in XML."""
        ...

    def in_er7(self, ack: bytes) -> bytes:
        """Give an acknowledgement in ER7."""
        ...


class RefusedRowsWriter(Protocol):
    """Writes the refused rows of an upload as a file."""

    def begin(self) -> bytes:
        """Give the header line."""
        ...

    def rows(self, refused: Iterable[tuple[Sequence[str], Sequence[RowError]]]) -> bytes:
        """Give a line for each (cells as sent, errors)."""
        ...


class GroupFormat(Protocol):
    """Panels as FHIR groups (ATR-1)."""

    def group(self, panel: PanelGroup, members: Sequence[GroupMember], today: date, *, is_whole: bool) -> dict[str, Any]:
        """Write a group; one that does not show all of its members says so."""
        ...

    def bundle(self, groups: Sequence[dict[str, Any]], *, self_url: str, next_url: str | None) -> dict[str, Any]:
        """Write a page of search results."""
        ...

    def ask(self, document: object) -> MemberAsk | Sequence[Problem]:
        """Read the Parameters of an operation."""
        ...


class MeasureReportFormat(Protocol):
    """Results of measures as FHIR reports."""

    def report(
        self,
        rules: MeasureRules,
        rate: Rate,
        events: Sequence[Mapping[str, Any]],
        *,
        kind: str,
        period: tuple[date, date],
        at: datetime,
        reporter: tuple[UUID, str] | None,
        person_id: UUID | None,
    ) -> dict[str, Any]:
        """Write a report; `kind` is summary, subject-list or individual."""
        ...


class AuditFormat(Protocol):
    """The audit as FHIR AuditEvents (AUD-1)."""

    def event(self, line: AuditLine | Disclosed) -> dict[str, Any]:
        """Write one."""
        ...

    def bundle(self, lines: Sequence[AuditLine | Disclosed], *, self_url: str, next_url: str | None) -> dict[str, Any]:
        """Write a page of search results."""
        ...


ReadAudit = Callable[[Viewer, AuditFilter, UUID | None, int], Awaitable[list[AuditLine]]]
"""Gives a page of the lines that the viewer may see, newest first, before an id."""


class ConsentFormat(Protocol):
    """Consents in FHIR."""

    def resource(self, one: StoredConsent) -> dict[str, Any]:
        """Write a consent."""
        ...

    def bundle(self, resources: Sequence[dict[str, Any]], *, self_url: str, next_url: str | None) -> dict[str, Any]:
        """Write a page of search results."""
        ...

    def states(self, status: str) -> Sequence[str]:
        """Give what a status is in our words."""
        ...

    def read(self, document: object) -> AssertedConsent | Sequence[Problem]:
        """Read a consent."""
        ...

    def problems(self, faults: Iterable[Fault]) -> Sequence[Problem]:
        """Say what a form lacks, each at its place."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process tree can serve, and each part of it by name: `schema`, `http`, `mllp`, `work`, ..."""

    ready: bool
    parts: Mapping[str, str] = field(default_factory=dict)
    """Name of the part -> `ok`, or a few words that say what is missing. Never a secret, never patient data."""


@dataclass(frozen=True, slots=True)
class KeySecrets:
    """What keys are checked against."""

    pepper: bytes = field(repr=False)
    environment: KeyEnvironment
    operator_digest: bytes | None = field(default=None, repr=False)
    """`key_digest(pepper, ADMIN_KEY)`; None when no ADMIN_KEY is configured."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of a message: the rooms' own results, nothing of it stored."""

    feed_id: UUID | None
    code: AckCode
    acks: Sequence[bytes]
    """As the sender would get them; none where none is asked for, and none in FHIR, which has HTTP for them."""
    problems: Sequence[Problem]
    advice: Sequence[Problem]
    """What the standard says besides; decides nothing."""
    name: Callable[[str], str]
    """Says a place in the words of the standard."""
    outcome: Outcome
    tree: Sequence[Mapping[str, Any]]
    """A message in ER7 as parsed, segment by segment."""
    reaches: Sequence[Desired] = ()
    follow_ups: Sequence[FollowUpRow] = ()


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """One request as it may be logged: no path values, no query string, no body."""

    trace_id: str
    method: str
    route: str
    """The path template (`/v1/encounters/{id}`), or `unmatched`."""
    status: int
    duration_ms: float
    organization_id: UUID | None
    key_id: UUID | None
    failure: str | None = None
    """For a status of 500 and above: the class of the error and where it was raised, never its text."""


Evaluate = Callable[[UUID, Contact | None], Awaitable[tuple[ContactEffect, ...]]]
"""Looks at a stay again now, after a contact was recorded or taken back; gives what the contact did to each clock."""

Receive = Callable[[Envelope], Awaitable[tuple[Answer, bytes | None]]]
"""Room 1 to room 2: stores the message and gives the answer and its ER7 bytes, None when the sender wants none."""

Validate = Callable[[Envelope], Awaitable[Rehearsed]]
"""Says what would become of a message, and stores nothing."""

GoLive = Callable[[UUID], Awaitable[int]]
"""Makes the stays of people in the house live whom a feed heard of while it told nobody; gives how many."""

ReportStay = Callable[[ReportedStay], Awaitable[UUID]]
"""Takes a reported stay through the rooms; gives its encounter, or the ADT one that it became part of."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes call."""

    unit_of_work: OpenUnitOfWork
    """As the `app` role: row-level security is on."""
    clock: Clock
    ids: Ids
    monotonic: Callable[[], float]
    """Seconds that never go back, for rate limits and caches."""
    secrets: KeySecrets
    receive: Receive
    validate: Validate
    batches: BatchCodec
    capabilities: Callable[[], Mapping[str, Any]]
    """Gives the CapabilityStatement of the FHIR face."""
    groups: GroupFormat
    measure_reports: MeasureReportFormat
    audit: ReadAudit
    audit_events: AuditFormat
    consents: ConsentFormat
    registry: RegistryReader
    """The registry as the API reads it; one for the process."""
    claims_lists: ClaimsLists
    """How rates compare with claims; one for the process."""
    read_stay: ReadStay
    report_stay: ReportStay
    go_live: GoLive
    follow_ups: FollowUpPresenter
    evaluate: Evaluate
    panels: PanelServices
    service_loading: ServiceLoading
    write_refused: Callable[[Sequence[str]], RefusedRowsWriter]
    """Gives a writer for a roster's header."""
    write_table: Callable[[Iterable[Sequence[str]]], bytes]
    """Writes a small table as a CSV file."""
    feed_profile: Meanings
    """The fields that a feed should fill."""
    messages: MessageSearch
    reinterpret: Callable[[Directory, Sequence[Waiting]], Awaitable[Reinterpretation]]
    """Says what would become of stored messages if they were read again now."""
    sender: Sender
    """For test webhooks, and to say why a URL is refused."""
    cipher: Cipher
    readers: Readers
    """For the bytes of documents, which are in the messages."""
    waker: Waker
    arrivals: Arrivals
    readiness: Callable[[], Awaitable[Readiness]]
    metrics: CollectorRegistry
    observe: Callable[[RequestAnswered], None]
    limits: ApiLimits = field(default_factory=ApiLimits)
    version: str = "0"
