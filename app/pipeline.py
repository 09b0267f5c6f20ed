"""Rooms 3-7 in reading order, one transaction per batch: interpret, identify, record, attribute, notify. Commit 2 is here.

A batch is whatever waits in the lanes a worker holds. A batch that fails is halved until the one bad message stands alone and is
set aside. The batch loads, decides in memory and saves with a fixed number of statements, however many messages it has.
Not here: the loop that calls it (worker), receipt (intake), delivery.
"""

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.actions.attribute import attribute, claims_on
from app.actions.identify import IdentityMovedError, identify
from app.actions.interpret import interpret
from app.actions.keep_follow_ups import keep_follow_ups
from app.actions.notify import notify
from app.actions.record import record
from app.domain.directory import Directory
from app.domain.encounter import EncounterState, view
from app.domain.event_order import sort_key
from app.domain.inbound import Outcome, Problem, ProblemCode, Severity
from app.domain.interpreted import Interpreted
from app.domain.person import Resolved, claim_of
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand, signal_of
from app.ports import AdtReader, Cipher, Clock, Ids, Waker
from app.store import encounters, inbound, notifications
from app.store.directory import RegistryReader
from app.store.encounters import EncounterRow
from app.store.failures import is_unavailable
from app.store.inbound import OutcomeRow, Waiting
from app.store.raw import Raw

MESSAGES_MAX = 256
"""Our policy: a batch of this size keeps a commit under a tenth of a second and the cost per message near its floor."""
ATTEMPTS_MAX = 3
"""A message that was taken up this often and never finished has killed its worker each time: it is set aside."""

OpenTransaction = Callable[[], AbstractAsyncContextManager[Raw]]
"""Opens a transaction as the `work` role; commits when the block ends."""


class BatchFailedError(Exception):
    """A batch of several messages failed: one of them is bad. Try again with half as many."""

    def __init__(self, messages: int) -> None:
        super().__init__(f"a batch of {messages} messages failed")
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Worked:
    """What one round did, for the worker's loop and the log line."""

    messages: int = 0
    reconsidered: int = 0
    notifications: int = 0
    set_aside: int = 0
    recipients: tuple[UUID, ...] = ()

    @property
    def idle(self) -> bool:
        """Nothing was waiting."""
        return not self.messages and not self.reconsidered


@dataclass(slots=True)
class Batch:
    """What one transaction works on."""

    messages: Sequence[Waiting] = ()
    outcomes: list[OutcomeRow] = field(default_factory=list)
    stays: dict[UUID, EncounterRow] = field(default_factory=dict)
    causes: dict[UUID, UUID] = field(default_factory=dict)
    """Stay -> the message that changed it last."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Works off what was received. One instance per worker process; its methods are called by the worker's loop."""

    transaction: OpenTransaction
    registry: RegistryReader
    reader: AdtReader
    cipher: Cipher
    rulebook: Rulebook
    clock: Clock
    ids: Ids
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
        for recipient in worked.recipients:
            self.waker.wake(f"notification:{recipient}")
        return worked

    async def _claim_and_work(self, start_lane: int, messages_max: int, claimed: list[UUID], *, suspects: bool) -> Worked:
        async with self.transaction() as raw:
            directory = await self.registry.current(raw)
            lanes = await inbound.claim_lanes(raw, self.lock_space, self.lanes_max, start_lane)
            if start_lane and not lanes:
                lanes = await inbound.claim_lanes(raw, self.lock_space, self.lanes_max, 0)
            messages = await inbound.claim(raw, lanes, 1 if suspects else messages_max, tried_before=suspects) if lanes else []
            stays = [] if suspects else await encounters.claim_reconsiderations(raw, messages_max)
            if not messages and not stays:
                return Worked()
            claimed.extend(message.id for message in messages)
            if messages:
                # Committed on its own before the work begins, so that a message that kills its worker is known.
                async with self.transaction() as counting:
                    await inbound.count_attempt(counting, claimed)
            batch = Batch([message for message in messages if message.attempts < ATTEMPTS_MAX])
            batch.outcomes.extend(_aside(message.id, _KILLED) for message in messages if message.attempts >= ATTEMPTS_MAX)
            return await self._work(raw, batch, stays, directory)

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
            await inbound.finish(raw, [_aside(message_id, f"Our defect ({where}). Report it; replay the message after an update.")], self.clock.now())

    async def _work(self, raw: Raw, batch: Batch, reconsidered: Sequence[UUID], directory: Directory) -> Worked:
        now = self.clock.now()
        understood = self._interpret(batch, directory)
        if understood:
            people = await identify(raw, [claim_of(item.event, sort_key(item.event)) for item in understood], ids=self.ids, now=now)
            await self._record(raw, batch, understood, people, now)
        await self._reload(raw, batch, reconsidered)
        in_hand = [self._in_hand(row, batch, directory) for row in batch.stays.values()]
        await encounters.save(raw, list(batch.stays.values()), now)
        told = await self._tell(raw, in_hand, directory, now)
        await inbound.finish(raw, batch.outcomes, now)
        return Worked(
            messages=len(batch.messages),
            reconsidered=len(reconsidered),
            notifications=told[0],
            set_aside=sum(outcome.outcome is Outcome.SET_ASIDE for outcome in batch.outcomes),
            recipients=told[1],
        )

    def _interpret(self, batch: Batch, directory: Directory) -> list[Interpreted]:
        """Room 3. What cannot be read is set aside; what means nothing here is marked ignored."""
        understood: list[Interpreted] = []
        for message in batch.messages:
            feed = directory.feeds.get(message.feed_id)
            body = self.cipher.decrypt(message.cipher_key_id, message.body, message.id.bytes)
            trigger = self.reader.header(body).trigger
            if feed is None or not self.reader.is_supported(trigger):
                batch.outcomes.append(OutcomeRow(message.id, Outcome.IGNORED))
                continue
            result = interpret(message.id, body, feed, self.reader)
            if isinstance(result, Interpreted):
                understood.append(result)
            else:
                batch.outcomes.append(OutcomeRow(message.id, Outcome.SET_ASIDE, tuple(result)))
        return understood

    async def _record(self, raw: Raw, batch: Batch, understood: Sequence[Interpreted], people: Sequence[Resolved], now: datetime) -> None:
        """Room 5, and what became of each message."""
        recorded = await record(raw, understood, people, ids=self.ids, now=now)
        for item, resolved, recording in zip(understood, people, recorded, strict=True):
            stay = recording.stay
            if stay is not None and (recording.changed or resolved.moved_people):
                batch.stays[stay.id] = stay
                batch.causes[stay.id] = item.message_id
            batch.outcomes.append(
                OutcomeRow(item.message_id, Outcome.PROCESSED, (), resolved.person_id, stay.id if stay is not None else None)
            )

    async def _reload(self, raw: Raw, batch: Batch, reconsidered: Sequence[UUID]) -> None:
        """Add the stays that were asked to be looked at again."""
        missing = [stay_id for stay_id in reconsidered if stay_id not in batch.stays]
        if missing:
            batch.stays.update({row.id: row for row in await encounters.by_id(raw, missing)})

    def _in_hand(self, row: EncounterRow, batch: Batch, directory: Directory) -> StayInHand:
        """Read off what the stay is, into its columns and for rooms 6 and 7."""
        stay = in_hand(row, directory, self.rulebook, batch.causes.get(row.id))
        view_now = stay.view
        row.status = view_now.status.value
        row.encounter_class = view_now.encounter_class.value
        row.admitted_at = view_now.admitted_at
        row.discharged_at = view_now.discharged_at
        row.discharged_on = stay.day_of(view_now.discharged_at) if view_now.discharged_at else None
        row.disposition = view_now.disposition
        row.behavioral_kind = stay.signal.kind.value
        row.provisional = stay.signal.provisional
        return stay

    async def _tell(self, raw: Raw, stays: Sequence[StayInHand], directory: Directory, now: datetime) -> tuple[int, tuple[UUID, ...]]:
        """Rooms 6 and 7. Numbers are given in the last statements before the commit."""
        if not stays:
            return 0, ()
        claimed = await claims_on(raw, stays)
        desired = [(stay, attribute(stay, claimed.get(stay.person_id, ()), directory), claimed.get(stay.person_id, ())) for stay in stays]
        follow_ups = await keep_follow_ups(
            raw, stays, claimed, directory, self.rulebook, read=lambda row: in_hand(row, directory, self.rulebook, None), ids=self.ids, now=now
        )
        rows = await notify(raw, desired, follow_ups.ids, ids=self.ids, now=now)
        rows.extend(follow_ups.notices)
        recipients = await notifications.number_and_insert(raw, rows, now)
        return len(rows), tuple(recipients)


def in_hand(row: EncounterRow, directory: Directory, rulebook: Rulebook, cause_id: UUID | None) -> StayInHand:
    """Read off what a stored stay is."""
    seen = view(EncounterState.from_json(row.state))
    facility = directory.organizations.get(row.facility_id) if row.facility_id else None
    feed = directory.feeds.get(row.feed_id) if row.feed_id else None
    on = (seen.discharged_at or seen.admitted_at or row.created_at).date()
    return StayInHand(
        id=row.id,
        person_id=row.person_id,
        record_id=row.record_id,
        visit_number=row.visit_number,
        mode=row.mode,
        source=row.source,
        view=seen,
        signal=signal_of(seen, facility, feed.profile if feed else None, rulebook, on),
        facility=facility,
        facility_text=seen.facts.get("facility_name"),
        reported_by=row.reported_by,
        cause_id=cause_id,
    )


_KILLED = f"The message was taken up {ATTEMPTS_MAX} times and never finished. Report it as a defect; replay it after an update."


def _aside(message_id: UUID, text: str) -> OutcomeRow:
    return OutcomeRow(message_id, Outcome.SET_ASIDE, (Problem(ProblemCode.INTERNAL, Severity.ERROR, "", text),))
