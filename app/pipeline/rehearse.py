"""What would become of a message: the real rooms on a transaction that is rolled back. Nothing is stored, numbered or told.

For `POST /hl7v2/$validate`, `handoff lint` and `handoff feed check`. Not here: how the result is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.actions.identify import IdentityMovedError, identify
from app.actions.interpret import interpret
from app.actions.receive import Arrival, judge
from app.domain.adt_event import AdtEvent
from app.domain.event_order import sort_key
from app.domain.inbound import AckCode, Envelope, Problem
from app.domain.interpreted import KEPT_APART, OF_ANOTHER_PERSON, Held
from app.domain.notification import Desired
from app.domain.person import claim_of
from app.domain.stay_in_hand import StayInHand
from app.pipeline.rooms import Batch, OpenTransaction, Rooms
from app.ports import AdtReader
from app.store import encounters, follow_ups
from app.store.directory import RegistryReader
from app.store.follow_ups import FollowUpRow
from app.store.raw import Raw

TRIES_MAX = 5
"""The pipeline may be at work on the same person; it commits within a batch."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would have happened."""

    arrival: Arrival
    problems: Sequence[Problem]
    event: AdtEvent | None = None
    is_test: bool = False
    stay: StayInHand | None = None
    reaches: Sequence[Desired] = ()
    follow_ups: Sequence[FollowUpRow] = ()


class _RolledBackError(Exception):
    """Ends the transaction of a rehearsal, and carries out what it came to."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__("a rehearsal ends by rolling back")
        self.rehearsal = rehearsal


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """Rehearses messages. One per process that has the HTTP door."""

    rooms: Rooms
    transaction: OpenTransaction
    registry: RegistryReader

    async def rehearse(self, envelope: Envelope) -> Rehearsal:
        """Judge, interpret and run the message through the rooms, and take everything back."""
        for _ in range(TRIES_MAX):
            try:
                async with self.transaction() as raw:
                    raise _RolledBackError(await self._rehearse(raw, envelope))  # noqa: TRY301  # raising is how the block rolls back
            except _RolledBackError as ended:
                return ended.rehearsal
            except IdentityMovedError:
                continue
        raise IdentityMovedError

    async def _rehearse(self, raw: Raw, envelope: Envelope) -> Rehearsal:
        directory = await self.registry.current(raw)
        reader = self.rooms.readers[envelope.format]
        arrival = judge(envelope, directory, self.rooms.readers)
        if arrival.feed is None or arrival.code is not AckCode.AA or not reader.is_supported(arrival.header.trigger):
            return Rehearsal(arrival, arrival.problems)
        message_id = self.rooms.ids.new()
        read = interpret(message_id, envelope.body, arrival.feed, reader, self.rooms.cipher.pseudonym)
        if isinstance(read, Held):
            return Rehearsal(arrival, (*arrival.problems, read.problem))
        told, problems = read
        if not told:
            return Rehearsal(arrival, tuple(problems))
        now = self.rooms.clock.now()
        understood, event = told[0], told[0].event
        claims = [claim_of(item.event, sort_key(item.event), is_doubted=True) for item in told]
        resolved = await identify(raw, claims, ids=self.rooms.ids, now=now)
        if any(whose.is_refused for whose in resolved):
            return Rehearsal(arrival, (*arrival.problems, OF_ANOTHER_PERSON), event, understood.is_test)
        batch = Batch()
        await self.rooms.record(raw, batch, told, resolved, now)
        (outcome,) = batch.outcomes
        if outcome.encounter_id is not None and outcome.encounter_id not in batch.stays:
            # It changes nothing, and is about this stay all the same.
            batch.stays |= {row.id: row for row in await encounters.by_id(raw, [outcome.encounter_id])}
        stays = await self.rooms.keep(raw, batch, directory, now)
        if outcome.encounter_id is None:
            return Rehearsal(arrival, arrival.problems, event, understood.is_test)
        desired = (await self.rooms.tell(raw, stays, directory, now)).desired
        stay, reaches = next((stay, reaches) for stay, reaches in desired if stay.id == outcome.encounter_id)
        kept = [row for row in await follow_ups.of_people(raw, [stay.person_id]) if row.encounter_id == stay.id]
        return Rehearsal(arrival, arrival.problems, event, understood.is_test, stay, reaches, kept)


def every_problem(rehearsal: Rehearsal, reader: AdtReader) -> list[Problem]:
    """Add the doubts of a full reading to what decided, and that it is a test; what was said is not said again with another severity."""
    arrival = rehearsal.arrival
    found = [*rehearsal.problems, *([KEPT_APART] if rehearsal.is_test else [])]
    if arrival.feed is not None and reader.is_supported(arrival.header.trigger):
        said = {(one.code, one.location, one.text) for one in found}
        found += [one for one in reader.notes(arrival.envelope.body, arrival.feed) if (one.code, one.location, one.text) not in said]
    return found
