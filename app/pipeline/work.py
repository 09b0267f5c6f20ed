"""Who works on which message, and what happens when one fails. One transaction a batch.

A batch is whatever waits in the lanes a worker holds. A batch that fails is tried again smaller until the one bad message stands
alone and is set aside; one that kills its worker three times is set aside too. Not here: what a message means (`rooms`), the loop
that calls this (worker), receipt (intake), delivery.
"""

import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from app.actions.identify import IdentityMovedError
from app.domain.inbound import Outcome, Problem, ProblemCode, Severity
from app.pipeline.rooms import Batch, OpenTransaction, Rooms, Worked
from app.ports import Waker
from app.store import encounters, follow_ups, inbound
from app.store.directory import RegistryReader
from app.store.failures import is_unavailable
from app.store.inbound import OutcomeRow
from app.store.raw import Raw

MESSAGES_MAX = 256
"""Our policy: a batch of this size keeps a commit under a tenth of a second and the cost per message near its floor."""
ATTEMPTS_MAX = 3
"""A message that was taken up this often and never finished has killed its worker each time: it is set aside."""


TIMER_LOCK = -1
"""Beside the lanes, which count from 0."""


class BatchFailedError(Exception):
    """A batch of several messages failed: one of them is bad. Try again with half as many."""

    def __init__(self, messages: int) -> None:
        super().__init__(f"a batch of {messages} messages failed")
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Works off what was received. One instance per worker process; its methods are called by the worker's loop."""

    rooms: Rooms
    transaction: OpenTransaction
    registry: RegistryReader
    waker: Waker
    lock_space: int
    """The first half of a lane's lock: a hash of the network's name."""
    lanes_max: int
    on_defect: Callable[[Exception], None] = lambda _error: None
    """Told of an error that no rule expects; it may log the class and the places in the code, never the text."""

    async def work_once(self, start_lane: int, messages_max: int = MESSAGES_MAX, *, suspects: bool = False) -> Worked:
        """Take one batch through rooms 3-7.

        With `suspects`, take up what was taken up before and not finished: its worker died. Raises `BatchFailedError` when the
        batch must be tried again smaller; a batch of one that fails is set aside. What means "the database is unavailable", or
        that people moved under us, is raised as it is.
        """
        claimed: list[UUID] = []
        try:
            worked = await self._claim_and_work(start_lane, messages_max, claimed, suspects=suspects)
        except Exception as error:
            await self._give_back(claimed)
            if isinstance(error, IdentityMovedError) or is_unavailable(error):
                raise
            self.on_defect(error)
            if len(claimed) == 1:
                await self._set_aside(claimed[0], error)
                return Worked(messages=1, set_aside=1)
            raise BatchFailedError(len(claimed)) from error
        self._hint(worked)
        return worked

    async def reconsider_once(self, stays_max: int = MESSAGES_MAX) -> Worked:
        """Attribute and tell anew what a panel, a merge, a contact or an operator asked to be looked at again."""
        async with self.transaction() as raw:
            stays = await encounters.claim_reconsiderations(raw, stays_max)
            worked = await self._reconsider(raw, stays)
        self._hint(worked)
        return worked

    async def time_once(self, stays_max: int = MESSAGES_MAX) -> Worked:
        """Evaluate the follow-ups that the passing of time changes. Exactly once: the change and its notice are one transaction."""
        async with self.transaction() as raw:
            # One worker at a time; which one does not matter, so there is no leader to lose.
            stays = []
            if await inbound.try_lock(raw, self.lock_space, TIMER_LOCK):
                stays = await follow_ups.due_for_change(raw, self.rooms.clock.now(), stays_max)
            worked = await self._reconsider(raw, stays)
        self._hint(worked)
        return worked

    async def _reconsider(self, raw: Raw, stays: Sequence[UUID]) -> Worked:
        if not stays:
            return Worked()
        return (await self.rooms.reconsider(raw, stays, await self.registry.current(raw))).worked

    def _hint(self, worked: Worked) -> None:
        for recipient in worked.recipients:
            self.waker.wake(f"notification:{recipient}")
        if worked.notifications:
            self.waker.wake("delivery")

    async def _claim_and_work(self, start_lane: int, messages_max: int, claimed: list[UUID], *, suspects: bool) -> Worked:
        async with self.transaction() as raw:
            directory = await self.registry.current(raw)
            lanes = await inbound.claim_lanes(raw, self.lock_space, self.lanes_max, start_lane)
            if start_lane and not lanes:
                lanes = await inbound.claim_lanes(raw, self.lock_space, self.lanes_max, 0)
            messages = await inbound.claim(raw, lanes, 1 if suspects else messages_max, tried_before=suspects) if lanes else []
            if not messages:
                return Worked()
            claimed.extend(message.id for message in messages)
            # Committed on its own before the work begins, so that a message that kills its worker is known.
            async with self.transaction() as counting:
                await inbound.count_attempt(counting, claimed)
            batch = Batch([message for message in messages if message.attempts < ATTEMPTS_MAX])
            batch.outcomes.extend(_aside(message.id, _KILLED) for message in messages if message.attempts >= ATTEMPTS_MAX)
            return await self.rooms.work(raw, batch, directory)

    async def _give_back(self, claimed: Sequence[UUID]) -> None:
        """Take the attempt back: these did not kill us, we are still here. Without a database the count stands and the next try is single."""
        if claimed:
            with suppress(Exception):
                async with self.transaction() as raw:
                    await inbound.forget_attempt(raw, claimed)

    async def _set_aside(self, message_id: UUID, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        # The place in our code, never the error's text: that may quote the message.
        where = f"{type(error).__name__} at {frame.filename.rpartition('/')[2]}:{frame.lineno}"
        async with self.transaction() as raw:
            await inbound.finish(raw, [_aside(message_id, f"Our defect ({where}). Report it; replay the message after an update.")], self.rooms.clock.now())


_KILLED = f"The message was taken up {ATTEMPTS_MAX} times and never finished. Report it as a defect; replay it after an update."


def _aside(message_id: UUID, text: str) -> OutcomeRow:
    return OutcomeRow(message_id, Outcome.SET_ASIDE, (Problem(ProblemCode.INTERNAL, Severity.ERROR, "", text),))
