"""What the house asks of the outside: the protocols that adapters implement. No implementation lives here."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from app.domain.adt_event import AdtEvent
from app.domain.completeness import MessageFields
from app.domain.delivery import AttemptResult, WebhookRequest
from app.domain.drop import Sighting
from app.domain.feed import Feed
from app.domain.inbound import AckCode, Format, Header, Problem


class Clock(Protocol):
    """The wall clock, injected so that tests can hold it."""

    def now(self) -> datetime:
        """Give the present instant, aware, UTC."""
        ...


class Ids(Protocol):
    """New identities, injected so that tests can repeat a run."""

    def new(self) -> UUID:
        """Give a new time-ordered id (UUID version 7)."""
        ...

    def fraction(self) -> float:
        """Give a random fraction in [0, 1), for jitter."""
        ...

    def secret(self, octets: int) -> bytes:
        """Give cryptographically random bytes."""
        ...


class AdtReader(Protocol):
    """Bytes of one message to its meaning. Pure: the same bytes and feed give the same result, and nothing is raised."""

    def header(self, body: bytes) -> Header:
        """Read MSH (and PID-3 for the lane) without splitting the rest. `fault` where there is no usable MSH."""
        ...

    def problems(self, body: bytes, header: Header, feed: Feed) -> Sequence[Problem]:
        """Check what decides acceptance (room 2): everything of severity E means the message cannot be interpreted.

        Codes 200-203 mean reject (AR/CR), other errors mean AE/CE. Warnings do not stop a message.
        """
        ...

    def facilities(self, body: bytes, feed: Feed) -> Mapping[str, tuple[str, ...]]:
        """Give, by place of the profile's `facility_places`, the spellings of the facility's code. Asked for aggregators only."""
        ...

    def facility_location(self, body: bytes, place: str) -> str:
        """Give where a place of the profile is in this message, as `Problem.location` names it in this format."""
        ...

    def read(self, body: bytes, feed: Feed) -> AdtEvent | Sequence[Problem]:
        """Interpret the whole message (room 3), or say why not."""
        ...

    def notes(self, body: bytes, feed: Feed) -> Sequence[Problem]:
        """Give every problem and every doubt of a full reading, for who asks what is wrong with a message. Off the hot path."""
        ...

    def content(self, body: bytes, feed: Feed, place: str) -> bytes | None:
        """Give the bytes of a document at a place that a pointer named when the message was read; None where there are none."""
        ...

    def is_supported(self, trigger: str) -> bool:
        """Tell whether the trigger changes anything here; others are stored, answered AA and marked ignored (ACK-4)."""
        ...


Readers: TypeAlias = Mapping[Format, AdtReader]
"""The reader of each format."""


class FieldReader(Protocol):
    """Bytes of one message to its single fields, also when it cannot be interpreted. Pure, and nothing is raised."""

    def fields(self, body: bytes, charset: str | None = None) -> MessageFields | None:
        """Give what finds fields, or None for what is not of this format. `charset` is used where the message names none."""
        ...


class AckWriter(Protocol):
    """Writes the acknowledgement of one message in the sender's own dialect (ACK-1..7)."""

    def write(self, body: bytes, header: Header, code: AckCode, problems: Sequence[Problem], *, control_id: str, at: datetime) -> bytes:
        """Give the ER7 acknowledgement with our own `control_id`, ERR for every problem and MSA-3 for older senders."""
        ...


class Cipher(Protocol):
    """Encrypts what is stored verbatim. The key id travels with the ciphertext, so keys can be rotated."""

    def encrypt(self, clear: bytes, context: bytes) -> tuple[int, bytes]:
        """Give the key id and the ciphertext; `context` is bound to it and must be given again to read it."""
        ...

    def decrypt(self, key_id: int, body: bytes, context: bytes) -> bytes:
        """Give the clear bytes. Key id 0 is clear text."""
        ...

    def pseudonym(self, number: str) -> str:
        """Give a name that stands for a number, always the same one, from which nobody without the key finds the number."""
        ...


class Signer(Protocol):
    """Signs what must be known as ours later on."""

    @property
    def public_key(self) -> bytes:
        """With which anybody can check."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Give the signature."""
        ...

    def is_signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether it is ours."""
        ...


class Waker(Protocol):
    """A hint that there is work, never the truth: polling once a second is the truth."""

    def wake(self, topic: str) -> None:
        """Say that the topic (`inbound`, `delivery`, `notification:<organization>`) has news. Returns at once."""
        ...


class Sender(Protocol):
    """Sends one attempt to one receiver. `tests/contracts/test_sender.py` says what every implementation must do."""

    async def send(self, request: WebhookRequest) -> AttemptResult:
        """Make one attempt. Whatever the receiver or the network does is a result; only a defect of ours raises."""
        ...

    def objection(self, url: str) -> str | None:
        """Say why nothing will ever be sent to the URL, in words for its owner, or None: asked when a subscription is made."""
        ...

    async def close(self) -> None:
        """Close every connection, after the last `send` has returned."""
        ...


class DropFolder(Protocol):
    """A folder into which others put files. `tests/contracts/test_drop_folder.py` says what every implementation must do.

    Paths are relative to the folder and have at most one slash. Whatever makes the folder unusable now (it is gone, the disk is full,
    the server is away) raises `DropUnavailableError`.
    """

    async def open(self) -> None:
        """Connect where that is needed, and make the folders `taking`, `done` and `failed`. Called before each round."""
        ...

    async def close(self) -> None:
        """Let go of what `open` took. Called after each round."""
        ...

    async def files(self, folder: str) -> Sequence[Sighting]:
        """List the regular files of the folder ("" is the drop itself). Links, folders and pipes are passed over."""
        ...

    async def look(self, path: str) -> Sighting | None:
        """Look at one file; None when it is not there."""
        ...

    async def ends(self, path: str, octets: int) -> tuple[bytes, bytes]:
        """Give the first and the last bytes, at most so many of each. Nothing when it is gone."""
        ...

    async def is_being_written(self, path: str) -> bool:
        """Tell whether somebody has the file open to write, as far as that can be known."""
        ...

    def read(self, path: str) -> AsyncIterator[bytes]:
        """Give the content in pieces."""
        ...

    def write(self, path: str) -> AbstractAsyncContextManager[Callable[[bytes], Awaitable[None]]]:
        """Write a file anew. When the block ends without an error its content has been flushed."""
        ...

    async def move(self, path: str, to: str) -> bool:
        """Rename, in place of what was there; False when there is no such file any more."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file; nothing happens when it is gone."""
        ...
