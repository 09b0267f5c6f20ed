"""The door's group commit: messages that wait share one transaction, and every acknowledgement leaves after its commit.

While one group is being committed the next one gathers, so under load the group grows by itself and the flush is shared
(DESIGN section 2.2). Feeds take turns in a group, so that a flood of one makes no other wait. What cannot be stored is answered AE with
nothing claimed. Not here: what an answer is (`actions/receive`).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar, cast
from uuid import UUID

from app.actions.receive import Arrival, judge, receive
from app.domain.directory import Directory
from app.domain.inbound import AckCode, Answer, Envelope, Format, Header, Problem, ProblemCode, Severity
from app.pipeline import OpenTransaction
from app.ports import Cipher, Ids, Readers, Waker
from app.store.directory import RegistryReader
from app.store.failures import is_unavailable
from app.store.raw import Raw

Key = TypeVar("Key")
Item = TypeVar("Item")

WriteAcks = Callable[[bytes, Header, Answer], tuple[bytes, ...]]
"""Gives the acknowledgements a sender is owed for an answer: none, one, or an accept and an application one (ACK-2)."""

STORED_WITHIN_S: Final = 10.0
"""Senders wait for 30 s as a rule. One that hears nothing cannot tell a slow service from a lost message, and a database that is
frozen or cut off without a word must not keep the committers from those who come after it has been replaced."""

_RELEASE_2: Final = 2
_NOT_STORED: Final = Problem(
    ProblemCode.INTERNAL,
    Severity.ERROR,
    "",
    "The message could not be stored and nothing was kept. Send it again; the service is short of its database.",
)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer and the bytes that say it."""

    answer: Answer
    acks: tuple[bytes, ...]
    """In HL7 v2 only: what another format says to an answer is its door's business."""
    is_of_stranger: bool = False
    """No feed is known for it: the sender is nobody yet, or the bytes are no message."""
    is_release_2: bool = False
    """Its feed speaks MLLP Release 2."""

    @property
    def is_stored(self) -> bool:
        """Tell whether it was committed, however it was answered."""
        return _NOT_STORED not in self.answer.problems


class Turns(Generic[Key, Item]):
    """What waits, in a line for each key; the lines are taken from in turns, and each keeps its order.

    By feed, and one line for all senders without one: whoever floods the door makes those wait who stand in the same line.
    """

    def __init__(self) -> None:
        """Nothing waits."""
        self._lines: dict[Key, deque[Item]] = {}
        self._turns: deque[Key] = deque()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def put(self, key: Key, item: Item) -> None:
        """Stand at the end of a line."""
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = line = deque()
            self._turns.append(key)
        line.append(item)

    def take(self, count_max: int) -> list[Item]:
        """Take the first of each line, round and round."""
        taken: list[Item] = []
        while self._turns and len(taken) < count_max:
            key = self._turns.popleft()
            line = self._lines[key]
            taken.append(line.popleft())
            if line:
                self._turns.append(key)
            else:
                del self._lines[key]
        return taken


class Intake:
    """One per process that has a door. `close` waits for what is in flight."""

    def __init__(  # what the door needs, each once
        self,
        transaction: OpenTransaction,
        registry: RegistryReader,
        readers: Readers,
        write_acks: WriteAcks,
        *,
        cipher: Cipher,
        ids: Ids,
        waker: Waker,
        group_max: int,
        committers: int = 2,
        stored_within_s: float = STORED_WITHIN_S,
    ) -> None:
        """Take what is needed; nothing runs before the first message."""
        self._open, self._stored_within_s = transaction, stored_within_s
        self._registry = registry
        self._directory: Directory | None = None
        self._reading: asyncio.Task[Directory] | None = None
        self._readers = readers
        self._write_acks = write_acks
        self._cipher, self._ids, self._waker = cipher, ids, waker
        self._group_max = group_max
        self._committers = committers
        self._waiting: Turns[UUID | None, tuple[Arrival, asyncio.Future[Answer]]] = Turns()
        self._running: set[asyncio.Task[None]] = set()
        self._keeping: set[asyncio.Task[None]] = set()
        self.groups = 0
        """Groups committed; with `messages` the mean size of a group."""
        self.messages = 0

    async def receive(self, envelope: Envelope) -> Received:
        """Store the message and give its answer after the commit."""
        try:
            arrival = await self._judge(envelope)
        except Exception as error:
            if not is_unavailable(error):
                raise
            header = self._readers[envelope.format].header(envelope.body)
            return self._said(envelope, header, Answer(AckCode.AE, (_NOT_STORED,)))
        said = self._said(envelope, arrival.header, await self._stored(arrival))
        feed = arrival.feed
        return replace(said, is_of_stranger=feed is None, is_release_2=feed is not None and feed.profile.mllp_release == _RELEASE_2)

    def keep(self, envelope: Envelope, problem: Problem) -> None:
        """Store what was refused before it was a message, as far as it came: it can be looked up, and never be worked on.

        Its sender has its answer already, so nobody waits, and a database that is away costs nothing but the copy.
        """
        task = asyncio.create_task(self._keep(envelope, problem))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, envelope: Envelope, problem: Problem) -> None:
        try:
            arrival = await self._judge(envelope)
        except Exception as error:
            if not is_unavailable(error):
                raise
            return
        # It belongs to the organization of its feed and not to the feed: half a message that is replayed would be a false one.
        whose = replace(envelope, organization_id=arrival.feed.organization_id if arrival.feed is not None else None)
        await self._stored(Arrival(whose, arrival.header, None, AckCode.AR, (problem,)))

    def _stored(self, arrival: Arrival) -> asyncio.Future[Answer]:
        """Put the message into the next group; the future has its answer after the commit."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.put(arrival.feed.id if arrival.feed is not None else None, (arrival, answered))
        if len(self._running) < self._committers:
            self._running.add(asyncio.create_task(self._commit_groups()))
        return answered

    async def _judge(self, envelope: Envelope) -> Arrival:
        """Judge by the registry in memory; a source that it does not know is looked up anew, for it may have been added just now."""
        if self._directory is not None:
            arrival = judge(envelope, self._directory, self._readers)
            if arrival.feed is not None or not arrival.header.readable:
                return arrival
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_registry())
        else:
            # One that began before this message may have read the registry before the source was added: wait, then read again.
            await asyncio.wait({self._reading})
            if self._reading.done():
                self._reading = asyncio.create_task(self._read_registry())
        self._directory = await asyncio.shield(self._reading)
        return judge(envelope, self._directory, self._readers)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Raw]:
        async with asyncio.timeout(self._stored_within_s), self._open() as raw:
            yield raw

    async def _read_registry(self) -> Directory:
        async with self._transaction() as raw:
            return await self._registry.current(raw)

    async def close(self) -> None:
        """Wait until everything that came in is answered."""
        while waited_for := self._running | self._keeping:
            await asyncio.gather(*waited_for, return_exceptions=True)

    def _said(self, envelope: Envelope, header: Header, answer: Answer) -> Received:
        acks = self._write_acks(envelope.body, header, answer) if envelope.format is Format.ER7 else ()
        return Received(answer, acks)

    async def _commit_groups(self) -> None:
        try:
            while self._waiting:
                await self._commit_group(self._waiting.take(self._group_max))
        finally:
            # In the moment in which nothing waited: a done callback comes later, and whoever came between would wait for nobody.
            self._running.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _commit_group(self, group: list[tuple[Arrival, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._commit([arrival for arrival, _ in group])
        except Exception as error:  # noqa: BLE001  # every sender must get an answer, whatever happened
            answers = await self._one_by_one(group, error)
        for (_, answered), answer in zip(group, answers, strict=True):
            if not answered.done():
                answered.set_result(answer)

    async def _commit(self, arrivals: list[Arrival]) -> list[Answer]:
        async with self._transaction() as raw:
            directory = self._directory = await self._registry.current(raw)
            # A feed may have changed since the last group, which may be hours ago: gone live, or closed to this sender.
            arrivals = [self._as_it_is_now(arrival, directory) for arrival in arrivals]
            answers = await receive(raw, arrivals, ids=self._ids, cipher=self._cipher)
        self.groups += 1
        self.messages += len(arrivals)
        self._waker.wake("inbound")
        return answers

    def _as_it_is_now(self, arrival: Arrival, directory: Directory) -> Arrival:
        """Judge again what was judged by a feed that has changed."""
        if arrival.feed is None or directory.feeds.get(arrival.feed.id) is arrival.feed:
            return arrival
        return judge(arrival.envelope, directory, self._readers)

    async def _one_by_one(self, group: list[tuple[Arrival, asyncio.Future[Answer]]], error: Exception) -> list[Answer]:
        """One bad message must not cost the others their place: try each alone, unless the database is simply away."""
        refused = Answer(AckCode.AE, (_NOT_STORED,))
        if is_unavailable(error) or len(group) == 1:
            return [refused] * len(group)
        answers = []
        for arrival, _ in group:
            try:
                answers.extend(await self._commit([arrival]))
            except Exception:  # noqa: BLE001  # this one cannot be stored; its sender is told so
                answers.append(refused)
        return answers
