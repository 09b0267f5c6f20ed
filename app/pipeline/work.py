"""Who works on which message, and what happens when one fails. One transaction a batch.

A batch is whatever waits in the lanes a worker holds. A batch that fails is tried again smaller until the one bad message stands
alone and is set aside; one that kills its worker three times is set aside too. Not here: what a message means (`rooms`), the loop
that calls this (worker), receipt (intake), delivery.
"""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.actions.identify import IdentityMovedError, rematch
from app.actions.match_records import RECORDS_MAX, match_records
from app.domain.inbound import Outcome, Problem, ProblemCode, Severity
from app.domain.late_release import MATCH_ANSWERED
from app.pipeline.rooms import Batch, OpenTransaction, Rooms, Worked
from app.ports import Waker
from app.store import encounters, follow_ups, inbound, matches, measure_lines, measure_segments
from app.store.directory import RegistryReader
from app.store.failures import is_race, is_unavailable
from app.store.inbound import OutcomeRow, Waiting
from app.store.raw import Raw

MESSAGES_MAX = 256
"""Our policy: a batch of this size keeps a commit under a tenth of a second and the cost per message near its floor."""
ATTEMPTS_MAX = 3
"""A message that was taken up this often and never finished has killed its worker each time: it is set aside."""
SUSPECTS_MAX = 16
"""What a dead worker left is taken up in small batches; what was in a small batch that died too, one by one."""
RACES_MAX = 3
"""Another worker may write the same new key first; doing the batch again finds it. More often than this is a defect."""
PUT_OFF = timedelta(hours=1)
"""Our policy: a stay that cannot be looked at again is tried once an hour, so that it holds nobody up and is mended by an update."""

TIMER_LOCK = -1
"""Beside the lanes, which count from 0."""
RECONSIDER_LOCK = -2
MATCH_LOCK = -7
FOLD_LOCK = -9


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
    unforgotten: set[UUID] = field(default_factory=set)
    """Messages whose attempt could not be taken back because the database was away: it was not their fault either."""

    async def work_once(self, start_lane: int, messages_max: int = MESSAGES_MAX, *, suspects: bool = False) -> Worked:
        """Take one batch through rooms 3-7.

        With `suspects`, take up what was taken up before and not finished: its worker died. Raises `BatchFailedError` when the
        batch must be tried again smaller; a batch of one that fails is set aside. What means "the database is unavailable", or
        that people moved under us, is raised as it is.
        """
        races = 0
        while True:
            claimed: list[UUID] = []
            try:
                worked = await self._claim_and_work(start_lane, messages_max, claimed, suspects=suspects)
            except Exception as error:
                races += is_race(error)
                if isinstance(error, IdentityMovedError) or is_unavailable(error):
                    await self._give_back(claimed)
                    raise
                if is_race(error) and races <= RACES_MAX:
                    await self._give_back(claimed)
                    continue
                return await self._after_defect(error, claimed, suspects=suspects)
            self._hint(worked)
            return worked

    async def match_once(self, records_max: int = RECORDS_MAX) -> Worked:
        """Compare records that are new or say something else with those they may be, and join whom a score or an answer joins.

        A round that fails is tried smaller until the one bad record stands alone: it waits no more, and is compared when it changes.
        """
        races = 0
        while True:
            compared = 0
            try:
                async with self.transaction() as raw:
                    if not await inbound.try_lock(raw, self.lock_space, MATCH_LOCK):
                        return Worked()
                    now = self.rooms.clock.now()
                    matched = await match_records(raw, ids=self.rooms.ids, now=now, most=records_max)
                    compared = matched.records
                    if matched.touched:
                        await rematch(raw, sorted(matched.touched), ids=self.rooms.ids, now=now)
            except Exception as error:
                races += is_race(error)
                if isinstance(error, IdentityMovedError) or is_unavailable(error):
                    raise
                if is_race(error) and races <= RACES_MAX:
                    # No record is bad: a message made the same row first.
                    continue
                self.on_defect(error)
                if records_max == 1:
                    async with self.transaction() as raw:
                        await matches.take_pending(raw, 1)
                    return Worked(reconsidered=1)
                records_max = max(1, records_max // 2)
                continue
            return Worked(reconsidered=compared)

    async def reconsider_once(self, stays_max: int = MESSAGES_MAX) -> Worked:
        """Attribute and tell anew what a panel, a merge, a contact or an operator asked to be looked at again."""

        async def look(raw: Raw, most: int, taken: list[UUID]) -> Worked:
            if not await inbound.try_lock(raw, self.lock_space, RECONSIDER_LOCK):
                return Worked()
            asked = await encounters.asked_to_reconsider(raw, self.rooms.clock.now(), most)
            taken.extend(item.encounter_id for item in asked)
            worked = await self._reconsider(raw, taken, {item.encounter_id for item in asked if item.cause == MATCH_ANSWERED})
            if asked:
                await encounters.reconsidered(raw, asked)
            return worked

        return await self._look_again(look, encounters.put_off, stays_max)

    async def time_once(self, stays_max: int = MESSAGES_MAX) -> Worked:
        """Evaluate what the passing of time changes: follow-ups, measures. Exactly once: the change and its notice are one transaction."""

        async def look(raw: Raw, most: int, taken: list[UUID]) -> Worked:
            if not await inbound.try_lock(raw, self.lock_space, TIMER_LOCK):
                return Worked()
            now = self.rooms.clock.now()
            due = {*await follow_ups.due_for_change(raw, now, most), *await measure_lines.due_for_change(raw, now, most)}
            taken.extend(sorted(due)[:most])
            return await self._reconsider(raw, taken)

        async def put_off(raw: Raw, stay: UUID, until: datetime) -> None:
            await follow_ups.put_off(raw, stay, until)
            await measure_lines.put_off(raw, stay, until)

        return await self._look_again(look, put_off, stays_max)

    async def fold_once(self) -> bool:
        """Fold changes of the measure ledger into segments, where so many wait that rates notice; tell whether more may."""
        async with self.transaction() as raw:
            return await inbound.try_lock(raw, self.lock_space, FOLD_LOCK) and await measure_segments.fold(raw)

    async def _look_again(
        self,
        look: Callable[[Raw, int, list[UUID]], Awaitable[Worked]],
        put_off: Callable[[Raw, UUID, datetime], Awaitable[None]],
        stays_max: int,
    ) -> Worked:
        """Do one round over stays, one worker at a time; which one does not matter, so there is no leader to lose.

        A round that fails is tried smaller until the one bad stay stands alone and is put off.
        """
        while True:
            taken: list[UUID] = []
            try:
                async with self.transaction() as raw:
                    worked = await look(raw, stays_max, taken)
            except Exception as error:
                if isinstance(error, IdentityMovedError) or is_unavailable(error) or not taken:
                    raise
                self.on_defect(error)
                if len(taken) == 1:
                    async with self.transaction() as raw:
                        await put_off(raw, taken[0], self.rooms.clock.now() + PUT_OFF)
                    return Worked(reconsidered=1)
                stays_max = len(taken) // 2
                continue
            self._hint(worked)
            return worked

    async def _reconsider(self, raw: Raw, stays: Sequence[UUID], released: AbstractSet[UUID] = frozenset()) -> Worked:
        if not stays:
            return Worked()
        return (await self.rooms.reconsider(raw, stays, await self.registry.current(raw), released=released)).worked

    def _hint(self, worked: Worked) -> None:
        for recipient in worked.recipients:
            self.waker.wake(f"notification:{recipient}")
        if worked.notifications:
            self.waker.wake("delivery")

    async def _claim_and_work(self, start_lane: int, messages_max: int, claimed: list[UUID], *, suspects: bool) -> Worked:
        if self.unforgotten:
            async with self.transaction() as raw:
                await inbound.forget_attempt(raw, list(self.unforgotten))
            self.unforgotten.clear()
        async with self.transaction() as raw:
            lanes = await inbound.claim_lanes(raw, self.lock_space, self.lanes_max, start_lane)
            messages: list[Waiting] = []
            for attempts, most in _SUSPECTS if suspects else (((0, 0), messages_max),):
                messages = messages or (await inbound.claim(raw, lanes, most, attempts) if lanes else [])
            if not messages:
                return Worked()
            claimed.extend(message.id for message in messages)
            # Committed on its own before the work begins, so that a message that kills its worker is known.
            async with self.transaction() as counting:
                await inbound.count_attempt(counting, claimed)
            batch = Batch([message for message in messages if message.attempts < ATTEMPTS_MAX])
            batch.outcomes.extend(_aside(message.id, _KILLED) for message in messages if message.attempts >= ATTEMPTS_MAX)
            return await self.rooms.work(raw, batch, await self.registry.current(raw))

    async def _give_back(self, claimed: Sequence[UUID]) -> None:
        """Take the attempt back: these did not kill us, we are still here. Without a database it is done when that is back."""
        if claimed:
            self.unforgotten.update(claimed)
            with suppress(Exception):
                async with self.transaction() as raw:
                    await inbound.forget_attempt(raw, claimed)
                self.unforgotten.difference_update(claimed)

    async def _after_defect(self, error: Exception, claimed: Sequence[UUID], *, suspects: bool) -> Worked:
        self.on_defect(error)
        if suspects and len(claimed) > 1:
            # They stay counted, and are taken up one by one from now on.
            return Worked()
        await self._give_back(claimed)
        if len(claimed) == 1:
            await self._set_aside(claimed[0], error)
            return Worked(messages=1, set_aside=1)
        raise BatchFailedError(len(claimed)) from error

    async def _set_aside(self, message_id: UUID, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        # The place in our code, never the error's text: that may quote the message.
        where = f"{type(error).__name__} at {frame.filename.rpartition('/')[2]}:{frame.lineno}"
        async with self.transaction() as raw:
            await inbound.finish(
                raw, [_aside(message_id, f"Our defect ({where}). Report it; replay the message after an update.")], self.rooms.clock.now()
            )


_SMALLINT_MAX = 32_767
_SUSPECTS = (((1, 1), SUSPECTS_MAX), ((2, _SMALLINT_MAX), 1))
"""(attempts from and to, messages) of the batches in which suspects are taken up."""
_KILLED = f"The message was taken up {ATTEMPTS_MAX} times and never finished. Report it as a defect; replay it after an update."


def _aside(message_id: UUID, text: str) -> OutcomeRow:
    return OutcomeRow(message_id, Outcome.SET_ASIDE, (Problem(ProblemCode.INTERNAL, Severity.ERROR, "", text),))
