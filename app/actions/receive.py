"""Room 2: commit verbatim bytes together with the answer that will be given, and nothing else.

The answer is decided before the insert from a quick parse (ACK-6); it may leave only after the caller's commit. The same message
again gets the first answer again (ACK-7). Not here: grouping messages into one commit (`intake`), or writing the ACK.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from app.domain.directory import Directory
from app.domain.feed import AckPolicy, Feed, FeedMode
from app.domain.inbound import AckCode, Answer, Door, Envelope, Format, Header, Problem, ProblemCode, Severity
from app.ports import Cipher, Ids, Readers
from app.store import inbound
from app.store.inbound import MessageRow
from app.store.raw import Raw

LANES = 64
"""Our policy: enough that a handful of workers rarely wait for each other, few enough to look through in a millisecond."""

REJECTING = frozenset(
    {
        ProblemCode.UNSUPPORTED_MESSAGE_TYPE,
        ProblemCode.UNSUPPORTED_EVENT,
        ProblemCode.UNSUPPORTED_PROCESSING_ID,
        ProblemCode.UNSUPPORTED_VERSION,
        ProblemCode.UNKNOWN_KEY,
    }
)
"""Table 0357 codes answered AR/CR: nothing in the content would help (ACK-4). Other errors are AE/CE."""

_ENHANCED = {AckCode.AA: AckCode.CA, AckCode.AE: AckCode.CE, AckCode.AR: AckCode.CR}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as room 2 has judged it."""

    envelope: Envelope
    header: Header
    feed: Feed | None
    """As it was when the message came."""
    code: AckCode
    """In original mode: AA, AE or AR. What it is called in enhanced mode is the acknowledgement writer's business."""
    problems: tuple[Problem, ...]


def judge(envelope: Envelope, directory: Directory, readers: Readers) -> Arrival:
    """Decide the answer. Nothing is stored and nothing is raised."""
    reader = readers[envelope.format]
    header = reader.header(envelope.body)
    if header.fault is not None:
        return Arrival(envelope, header, None, AckCode.AR, (header.fault,))
    application, facility = _sender(header, directory)
    feed = directory.feed_of(application, facility, named=envelope.feed_name, organization_id=envelope.organization_id)
    if feed is None:
        return Arrival(envelope, header, None, AckCode.AR, (_no_feed(envelope, header, directory),))
    stranger = _stranger(envelope, header, feed)
    if stranger is not None:
        # It belongs to the feed's organization and not to the feed: the same bytes from who may send them are not answered like these.
        return Arrival(replace(envelope, organization_id=feed.organization_id), header, None, AckCode.AR, (stranger,))
    problems = tuple(reader.problems(envelope.body, header, feed))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if any(problem.code in REJECTING for problem in errors):
        return Arrival(envelope, header, feed, AckCode.AR, problems)
    if errors and feed.profile.ack_policy is AckPolicy.ACCEPT:
        # An ERR of severity E beside an AA stops some senders as an AE does; room 3 finds the errors again and sets the message aside.
        warned = tuple(replace(problem, severity=Severity.WARNING) if problem in errors else problem for problem in problems)
        return Arrival(envelope, header, feed, AckCode.AA, warned)
    return Arrival(envelope, header, feed, AckCode.AE if errors else AckCode.AA, problems)


def _stranger(envelope: Envelope, header: Header, feed: Feed) -> Problem | None:
    """Say why the sender is not one whom the feed's profile lets in, or None. A key that was used has said who it is by itself."""
    accepted = feed.profile.accepted_applications
    names = header.sending_application, *(application for application, _ in header.other_senders)
    own, *said = (text.partition("^")[0].strip().upper() for text in (feed.sending_application, *names))
    if accepted and not {*said} & {*accepted, own}:
        text = "The feed's profile does not list this sending application (accepted_applications)."
        return Problem(ProblemCode.UNKNOWN_KEY, Severity.ERROR, _SENDER_IS_SAID[envelope.format][0], text)
    certificates = feed.profile.client_certificates
    if envelope.door is Door.MLLP and certificates and envelope.certificate not in certificates:
        text = "This feed takes messages only over TLS with a client certificate that its profile lists (client_certificates)."
        return Problem(ProblemCode.UNKNOWN_KEY, Severity.ERROR, "MSH^1^3", text)
    return None


def _sender(header: Header, directory: Directory) -> tuple[str, str]:
    """Give the name of the sender that a feed is registered under, else the one that the message puts first."""
    first = header.sending_application, header.sending_facility
    exact = (pair for pair in header.other_senders if pair in directory.by_sender)
    # An aggregator, or a feed that accepts more than one application, is registered under none of the pairs.
    return next(exact, None) or next((pair for pair in header.other_senders if directory.knows(*pair)), first)


_SENDER_IS_SAID: Final = {
    Format.ER7: ("MSH^1^3", "MSH-3 (sending application) and MSH-4 (sending facility)"),
    Format.FHIR: ("Bundle.entry[0].resource.source", "MessageHeader.source (endpoint or name) and sender (name or identifier)"),
}


def _no_feed(envelope: Envelope, header: Header, directory: Directory) -> Problem:
    location, names = _SENDER_IS_SAID[envelope.format]
    if envelope.feed_name is not None:
        remedy = "The feed named in the request does not exist or is another organization's. See GET /v1/feeds."
    elif envelope.format is Format.ER7 and directory.knows_application(header.sending_application):
        location = "MSH^1^4"
        remedy = "Feeds of this MSH-3 (sending application) are registered, and none for this MSH-4 (sending facility): handoff feed list."
    else:
        remedy = f"No feed is registered for this {names}. Register it: handoff feed add."
    return Problem(ProblemCode.UNKNOWN_KEY, Severity.ERROR, location, remedy)


def enhanced(code: AckCode) -> AckCode:
    """Give the accept-acknowledgement code of enhanced mode (table 0008)."""
    return _ENHANCED.get(code, code)


def lane_of(feed_id: UUID, patient: str) -> int:
    """Give the lane: messages of one patient of one feed keep their order of arrival."""
    return int.from_bytes(hashlib.blake2b(feed_id.bytes + patient.encode(), digest_size=4).digest(), "big") % LANES


async def receive(raw: Raw, arrivals: Sequence[Arrival], *, ids: Ids, cipher: Cipher) -> list[Answer]:
    """Store the messages and queue the acceptable ones; give each its answer, valid once the caller has committed."""
    rows = [_row(arrival, ids.new(), cipher) for arrival in arrivals]
    stored = await inbound.store_messages(raw, rows)
    again = [row for row in rows if row.id not in stored]
    first = dict(zip((row.id for row in again), await inbound.first_answers(raw, again), strict=True)) if again else {}
    answers = []
    for row in rows:
        earlier = first.get(row.id)
        if earlier is None:
            answers.append(Answer(row.ack_code, tuple(row.problems), row.id))
        else:
            answers.append(Answer(earlier.ack_code, earlier.problems, earlier.id, duplicate=True))
    return answers


def _row(arrival: Arrival, message_id: UUID, cipher: Cipher) -> MessageRow:
    envelope, header, feed = arrival.envelope, arrival.header, arrival.feed
    key_id, body = cipher.encrypt(envelope.body, message_id.bytes)
    accepted = feed is not None and arrival.code is AckCode.AA
    return MessageRow(
        id=message_id,
        feed_id=feed.id if feed else None,
        organization_id=feed.organization_id if feed else envelope.organization_id,
        door=envelope.door.value,
        format=envelope.format.value,
        received_at=envelope.received_at,
        cipher_key_id=key_id,
        body=body,
        control_id=_column(header.control_id),
        trigger=_column(header.trigger),
        content_hash=hashlib.sha256(envelope.body).digest(),
        ack_code=arrival.code,
        problems=arrival.problems,
        lane=lane_of(feed.id, header.lane_key) if feed and accepted else None,
        mode=(FeedMode.BACKFILL if envelope.as_history else feed.mode) if feed else None,
    )


CONTROL_ID_CHARACTERS_MAX = 200
"""MSH-10 has 20 to 199 characters by version; what is longer is cut in our index, never in the message."""


def _column(text: str) -> str:
    """Cut to what a column takes; PostgreSQL's text has no NUL."""
    return text.replace("\x00", "")[:CONTROL_ID_CHARACTERS_MAX]
