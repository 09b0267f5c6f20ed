"""Takes a file of HL7 v2 messages: FHS/BHS batch, bare run or single message. Each goes through the door; their ACKs lie beside the file.

Read as a stream: one wave of messages is in memory at a time. Done again after a crash, every message gets its first answer again.
Not here: how a file is cut (adapters/hl7v2/batch), what a message is answered (app/intake).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from app.domain.drop import ACKS, DropSource, FileOutcome, Taken
from app.domain.inbound import AckCode, Answer, Door, Envelope, Header, Problem, ProblemCode, Severity
from app.domain.public_id import Kind, public_id
from app.drop.report import PROBLEMS_SHOWN_MAX, FileReport, nothing_taken, problem_json
from app.ports import Clock, DropFolder

TRIES: Final = 3
_POSITIVE: Final = frozenset({AckCode.AA, AckCode.CA})


class DropStoppedError(Exception):
    """The process is to end; the file is taken up again by the next."""


class TooLong(Protocol):
    """In place of a message that has more bytes than one may have."""

    @property
    def head(self) -> bytes:
        """Its beginning."""
        ...


class MessageCutter(Protocol):
    """Cuts one file into messages."""

    header: str | None
    warnings: list[Problem]
    unended: int

    def feed(self, data: bytes) -> Sequence[bytes | TooLong]:
        """Give the messages that are complete."""
        ...

    def close(self) -> Sequence[bytes | TooLong]:
        """Give the last one."""
        ...


@dataclass(frozen=True, slots=True)
class MessageServices:
    """What taking messages needs from the wiring."""

    open_cutter: Callable[[], MessageCutter]
    receive: Callable[[Envelope], Awaitable[tuple[Answer, bytes | None]]]
    """The door: the answer, after the commit, and the acknowledgement if one is due."""
    probe: Callable[[], Awaitable[None]]
    """Raises when the database is away."""
    header: Callable[[bytes], Header]
    write_ack: Callable[[bytes, Header, Answer], bytes | None]
    envelope: Callable[[str | None, datetime], tuple[bytes, Callable[[int], bytes]]]
    """For the file's header: the beginning of the batch of acknowledgements, and its end for their number."""
    clock: Clock
    is_stopping: Callable[[], bool]
    wave: int
    """Messages under way at once. Those of one wave share a commit, so what is stored keeps the order of the file."""


async def take_messages(services: MessageServices, folder: DropFolder, source: DropSource, taken: Taken) -> FileReport:
    """Take every message of the file and write their acknowledgements. Raises what a database that is away raises."""
    count = _Count(services, source)
    async with folder.write(taken.growing(ACKS)) as write:
        acks = _Acks(services, write)
        async for wave in count.waves(folder.read(taken.path)):
            if services.is_stopping():
                raise DropStoppedError
            await acks.add([ack for ack in await count.answer(wave) if ack is not None], count.header)
        await acks.end(count.header, count.messages)
    return count.report()


class _Acks:
    """Writes the acknowledgements: a batch of them, or, for a single message without an envelope, just the one."""

    def __init__(self, services: MessageServices, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._services, self._write = services, write
        self._first: bytes | None = None
        self._end: Callable[[int], bytes] | None = None
        self._written = 0

    async def add(self, acks: Sequence[bytes], header: str | None) -> None:
        """Take the next ones; the very first waits, for it may be the only one."""
        if self._end is None and self._first is None and acks:
            self._first, acks = acks[0], acks[1:]
        if acks:
            await self._begin(header)
            await self._several(acks)

    async def end(self, header: str | None, messages: int) -> None:
        """Write what is left."""
        if header is None and messages == 1:
            await self._write(self._first or b"")
            return
        end = await self._begin(header)
        await self._write(end(self._written))

    async def _begin(self, header: str | None) -> Callable[[int], bytes]:
        if self._end is None:
            beginning, self._end = self._services.envelope(header, self._services.clock.now())
            await self._write(beginning)
            if self._first is not None:
                await self._several([self._first])
        return self._end

    async def _several(self, acks: Sequence[bytes]) -> None:
        self._written += len(acks)
        await self._write(b"".join(ack.rstrip(b"\r") + b"\r" for ack in acks))


@dataclass(slots=True)
class _Count:
    """What is counted and remembered while a file is read."""

    services: MessageServices
    source: DropSource
    cutter: MessageCutter = field(init=False)
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    octets: int = 0
    messages: int = 0
    accepted: int = 0
    refused: int = 0
    repeated: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    head: bytes = b""

    def __post_init__(self) -> None:
        self.cutter = self.services.open_cutter()

    @property
    def header(self) -> str | None:
        """The file's own BHS or FHS."""
        return self.cutter.header

    async def waves(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Sequence[bytes | TooLong]]:
        """Give the messages, a wave at a time."""
        async for piece in pieces:
            self.digest.update(piece)
            self.octets += len(piece)
            self.head = self.head or piece[:16]
            found = self.cutter.feed(piece)
            for start in range(0, len(found), self.services.wave):
                yield found[start : start + self.services.wave]
        yield self.cutter.close()

    async def answer(self, wave: Sequence[bytes | TooLong]) -> list[bytes | None]:
        """Give each message to the door, and count what it says."""
        at = self.services.clock.now()
        answered = await asyncio.gather(*(self._one(message, at) for message in wave))
        for message, (answer, _) in zip(wave, answered, strict=True):
            self.messages += 1
            self.repeated += answer.duplicate
            if answer.code in _POSITIVE:
                self.accepted += 1
            else:
                self.refused += 1
                self._note(message, answer)
        return [ack for _, ack in answered]

    async def _one(self, message: bytes | TooLong, at: datetime) -> tuple[Answer, bytes | None]:
        if not isinstance(message, bytes):
            answer = Answer(AckCode.AR, (_TOO_LONG,))
            return answer, self.services.write_ack(message.head, self.services.header(message.head), answer)
        envelope = Envelope(message, Door.FILE, at, feed_name=self.source.feed)
        answer, ack = await self.services.receive(envelope)
        for _ in range(TRIES - 1):
            if answer.message_id is not None:
                break
            # It was not stored. Is it the database, or is it the message?
            await self.services.probe()
            answer, ack = await self.services.receive(envelope)
        return answer, ack

    def _note(self, message: bytes | TooLong, answer: Answer) -> None:
        if len(self.problems) >= PROBLEMS_SHOWN_MAX:
            return
        header = self.services.header(message if isinstance(message, bytes) else message.head)
        self.problems.append(
            {
                "message": self.messages,
                "control_id": header.control_id.encode("utf-8", "replace").decode() or None,
                "answer": answer.code.value,
                "id": public_id(Kind.MESSAGE, answer.message_id) if answer.message_id is not None else None,
                "problems": [problem_json(problem) for problem in answer.problems],
            }
        )

    def report(self) -> FileReport:
        """Say what became of the file."""
        if not self.messages and self.header is None:
            return self._no_message()
        outcome, reason, remedy = self._outcome()
        warnings = [problem_json(problem) for problem in self.cutter.warnings]
        if self.cutter.unended:
            warnings.append(_warning("A trailer (BTS or FTS) is missing. Ask the sender whether this is the whole file."))
        document = {
            "sha256": self.digest.hexdigest(),
            "messages": self.messages,
            "accepted": self.accepted,
            "refused": self.refused,
            "repeated": self.repeated,
            "warnings": warnings,
            "problems": self.problems,
        }
        return FileReport(
            outcome, reason, remedy, self.octets, self.messages, self.accepted, self.refused, self.repeated, (ACKS,), document
        )

    def _outcome(self) -> tuple[FileOutcome, str, str]:
        if self.messages and not self.accepted:
            return FileOutcome.REFUSED, "all_refused", f"{_MEND} Put the file into the drop again when its source is mended."
        if self.refused:
            return FileOutcome.PARTLY, "some_refused", _MEND
        if self.messages and self.repeated == self.messages:
            return FileOutcome.REPEATED, "repeated", "Every message had been taken before; nothing was done twice."
        return FileOutcome.TAKEN, "taken", ""

    def _no_message(self) -> FileReport:
        if not self.octets:
            return nothing_taken("empty", "The file is empty.", "Find out why the sender wrote an empty file, and put it here again.")
        message = "No line of the file begins with MSH, FHS or BHS."
        remedy = "HL7 v2 messages in a text file of one octet a character are expected; archives are to be unpacked, rosters go elsewhere."
        if self.head.startswith((b"\xff\xfe", b"\xfe\xff")):
            message, remedy = "The file is UTF-16.", "Write it as UTF-8 or in the character set that MSH-18 names."
        return nothing_taken("no_message", message, remedy, octets=self.octets)


def _warning(text: str) -> dict[str, Any]:
    return {"code": None, "severity": Severity.WARNING.value, "location": None, "message": text}


_MEND: Final = (
    "Each refused message is named under problems with place and reason, and is kept: `handoff inbound show ID`. "
    "What the feed's profile puts right is taken with `handoff inbound replay ID`."
)
_TOO_LONG: Final = Problem(
    ProblemCode.INTERNAL,
    Severity.ERROR,
    "",
    "The message is larger than one may be (HANDOFF_MESSAGE_BYTES_MAX); it is kept only in this file. Send it in parts.",
)
