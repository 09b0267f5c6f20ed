"""An MLLP sender: writes messages, reads their acknowledgements, and never takes one message's answer for another's (MLLP-6).

One message is in flight unless a window is asked for. MSA-2 must be the MSH-10 that was sent; on a timeout or a wrong
answer the socket is closed before anything else happens, so that a late answer cannot shift all later ones by one.
Nothing is sent again here: the caller decides, knowing which messages were left unanswered.
"""

import asyncio
import contextlib
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from adapters.hl7v2.encodings import tokenize
from adapters.hl7v2.er7 import Er7Message
from adapters.hl7v2.escapes import unescape
from adapters.hl7v2.framing import COMMIT_ACK, COMMIT_NAK, Frame, MllpFramer, TooLong, wrap
from adapters.hl7v2.xml_form import is_xml

_READ_BYTES: Final = 65_536
_LINE_END: Final = re.compile(rb"[\r\n]")
_POSITIVE = frozenset({"AA", "CA"})
_CONDITIONAL = frozenset({"ER", "SU"})


class MllpError(Exception):
    """Sending failed. `unanswered` are the messages whose fate is not known; sending them again is safe with us as receiver."""

    def __init__(self, text: str, unanswered: tuple[bytes, ...] = ()) -> None:
        super().__init__(text)
        self.unanswered = unanswered


class NotConnectedError(MllpError):
    """The peer could not be reached, or closed the connection before it had answered."""


class AnswerTimeoutError(MllpError):
    """The peer did not answer in time; the connection was closed."""


class AnswerMismatchError(MllpError):
    """The peer answered something else than what was sent; the connection was closed."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """One acknowledgement as it came."""

    code: str
    """MSA-1."""
    control_id: str
    """MSA-2."""
    text: str
    """MSA-3."""
    errors: tuple[tuple[str, str], ...]
    """Location (ERR-2) and user text (ERR-8) of each ERR."""
    raw: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a message was answered. Empty where the message itself asks for no answer (MSH-15 and MSH-16)."""

    control_id: str
    acknowledgements: tuple[Acknowledgement, ...]
    elapsed_s: float

    @property
    def code(self) -> str:
        """The decisive code: the application's where there is one; "" when none was due."""
        return self.acknowledgements[-1].code if self.acknowledgements else ""

    @property
    def is_positive(self) -> bool:
        """True when nothing negative came."""
        return all(one.code in _POSITIVE for one in self.acknowledgements)


@dataclass(slots=True)
class _Sent:
    message: bytes
    control_id: str
    due: int
    """Acknowledgements that must come."""
    may_come: bool
    """One more may come, or not: MSH-15 or MSH-16 is ER or SU."""
    sent_at: float
    received: list[Acknowledgement]


class MllpClient:
    """A connection to one MLLP receiver, opened when it is first needed and again after it was closed."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        connect_timeout_s: float = 10.0,
        answer_timeout_s: float = 30.0,
        conditional_timeout_s: float = 0.5,
        frame_bytes_max: int = 1_048_576,
        window: int = 1,
        is_release_2: bool = False,
    ) -> None:
        """Take where to send. `window` is how many messages may be unanswered: more than one only for a peer known to pipeline."""
        self._host, self._port, self._tls = host, port, tls
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._conditional_timeout_s = conditional_timeout_s
        self._frame_bytes_max = frame_bytes_max
        self._window = max(1, window)
        self._is_release_2 = is_release_2
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._framer = MllpFramer(frame_bytes_max)
        self._frames: deque[bytes] = deque()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the connection unless it is open."""
        if not self._is_lost():
            return
        await self.close()
        try:
            self._reader, self._writer = await asyncio.wait_for(
                asyncio.open_connection(self._host, self._port, ssl=self._tls), self._connect_timeout_s
            )
        except (OSError, TimeoutError) as error:
            message = f"Cannot reach {self._host}:{self._port} ({type(error).__name__}); check host, port and TLS."
            raise NotConnectedError(message) from error
        self._framer = MllpFramer(self._frame_bytes_max)
        self._frames.clear()

    def _is_lost(self) -> bool:
        return self._writer is None or self._writer.is_closing() or self._reader is None or self._reader.at_eof()

    async def close(self) -> None:
        """Close the connection if it is open."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def send(self, message: bytes) -> Reply:
        """Send one message and give its answer."""
        replies = [reply async for reply in self.send_all([message])]
        return replies[0]

    async def send_all(self, messages: Iterable[bytes]) -> AsyncIterator[Reply]:
        """Send messages in order and give their answers in the same order, with up to the window unanswered.

        On an error, what was not yet taken from `messages` was not sent; `unanswered` names the rest.
        """
        waiting: deque[_Sent] = deque()
        taken: tuple[bytes, ...] = ()
        try:
            for message in messages:
                taken = (message,)
                while len(waiting) >= self._window or (waiting and (waiting[-1].may_come or self._is_lost())):
                    # A lost connection is only opened anew when nothing waits for an answer on the old one.
                    yield await self._next_reply(waiting)
                sent, taken = await self._write(message), ()
                waiting.append(sent)
            while waiting:
                yield await self._next_reply(waiting)
        except MllpError as error:
            await self.close()
            error.unanswered = (*(sent.message for sent in waiting), *taken)
            raise
        except BaseException:
            # Also when the caller stops listening: an answer left in the stream would be taken for the next message's.
            if waiting:
                await self.close()
            raise

    async def _write(self, message: bytes) -> _Sent:
        await self.connect()
        sent = _sent(message, asyncio.get_running_loop().time())
        try:
            assert self._writer is not None  # noqa: S101 -- connected just before
            self._writer.write(wrap(message))
            await asyncio.wait_for(self._writer.drain(), self._answer_timeout_s)
        except TimeoutError as error:
            raise AnswerTimeoutError("The peer does not read what is sent to it; the connection was closed.") from error
        except OSError as error:
            raise NotConnectedError("The peer closed the connection.") from error
        return sent

    async def _next_reply(self, waiting: deque[_Sent]) -> Reply:
        """Collect what the oldest unanswered message is owed."""
        sent = waiting[0]
        while len(sent.received) < sent.due or sent.may_come:
            is_certain = len(sent.received) < sent.due
            timeout_s = self._answer_timeout_s if is_certain else self._conditional_timeout_s
            try:
                one = await asyncio.wait_for(self._next_acknowledgement(), timeout_s)
            except TimeoutError as error:
                if is_certain:
                    text = f"No acknowledgement within {timeout_s:g} s; the connection was closed."
                    raise AnswerTimeoutError(text) from error
                break
            if one.control_id != sent.control_id and (one.control_id or one.code in _POSITIVE):
                raise AnswerMismatchError("The acknowledgement names another message (MSA-2); the connection was closed.")
            sent.received.append(one)
            if not is_certain:
                sent.may_come = False
            elif one.code in {"CE", "CR"} and len(sent.received) < sent.due:
                # A message that was not accepted need not get an application answer.
                sent.due, sent.may_come = len(sent.received), True
        waiting.popleft()
        return Reply(sent.control_id, tuple(sent.received), asyncio.get_running_loop().time() - sent.sent_at)

    async def _next_acknowledgement(self) -> Acknowledgement:
        while True:
            while self._frames:
                payload = self._frames.popleft()
                if payload == COMMIT_NAK and self._is_release_2:
                    raise AnswerMismatchError("The peer could not store the message (MLLP Release 2); the connection was closed.")
                if payload not in {COMMIT_ACK, COMMIT_NAK}:
                    return _acknowledgement(payload)
            if self._reader is None:
                raise NotConnectedError("The connection is closed.")
            try:
                data = await self._reader.read(_READ_BYTES)
            except OSError as error:
                raise NotConnectedError("The peer reset the connection before it had answered.") from error
            events = self._framer.feed(data) if data else self._framer.end_of_grace()
            if any(isinstance(event, TooLong) for event in events):
                raise AnswerMismatchError(f"The acknowledgement is larger than {self._frame_bytes_max} bytes; the connection was closed.")
            self._frames.extend(event.payload for event in events if isinstance(event, Frame))
            if not data and not self._frames:
                raise NotConnectedError("The peer closed the connection before it had answered.")


def _sent(message: bytes, now: float) -> _Sent:
    """Read from MSH what the message will be answered."""
    # The first segment alone: what our own reader would refuse, a document of 2 MB, may be sent all the same and has its MSH-10.
    cut = tokenize(message if is_xml(message) else _LINE_END.split(message.lstrip(), maxsplit=1)[0])
    header = cut.first("MSH") if isinstance(cut, Er7Message) else None
    if header is None:
        return _Sent(message, "", 1, may_come=False, sent_at=now, received=[])
    asked = [header.raw(15).strip().upper(), header.raw(16).strip().upper()]
    if not any(asked):
        due, may_come = 1, False
    else:
        certain = [condition for condition in asked if condition not in {"", "NE", *_CONDITIONAL}]
        due, may_come = len(certain), any(condition in _CONDITIONAL for condition in asked)
    return _Sent(message, header.raw(10), due, may_come=may_come, sent_at=now, received=[])


def _acknowledgement(payload: bytes) -> Acknowledgement:
    message = tokenize(payload)
    msa = message.first("MSA") if isinstance(message, Er7Message) else None
    if not isinstance(message, Er7Message) or msa is None:
        raise AnswerMismatchError("The peer answered something that is no acknowledgement; the connection was closed.")
    delimiters, codec = message.delimiters, message.decoded.codec
    errors = tuple((error.raw(2), unescape(error.raw(8), delimiters, codec)) for error in message.all("ERR"))
    return Acknowledgement(msa.raw(1).strip().upper(), msa.raw(2), unescape(msa.raw(3), delimiters, codec), errors, payload)
