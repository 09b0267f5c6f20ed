"""A stay that somebody learned of himself, through the same rooms as a message: identify, record, attribute, follow up.

It is told to nobody, opens follow-ups and clocks like any stay, and becomes part of the ADT stay when one is there or arrives.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.actions.fold_reports import fold_reports
from app.actions.identify import IdentityMovedError, identify
from app.domain.adt_event import AdtEvent, Identifier, ProcessingId, VisitFacts
from app.domain.encounter import EncounterState, apply
from app.domain.event_order import sort_key
from app.domain.person import RecordClaim, json_facts
from app.domain.reported_stay import ReportedStay
from app.domain.trigger import Trigger
from app.pipeline.in_hand import in_hand
from app.pipeline.rooms import Batch, OpenTransaction, Rooms
from app.store import encounters
from app.store.directory import RegistryReader
from app.store.encounters import EncounterRow, EventRow
from app.store.raw import Raw

TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Reports:
    """Takes reported stays. One per process that has the HTTP door."""

    rooms: Rooms
    transaction: OpenTransaction
    registry: RegistryReader

    async def report(self, stay: ReportedStay) -> UUID:
        """Store the report and open what it opens; give the encounter: its own, or the ADT stay it became part of."""
        for _ in range(TRIES_MAX):
            try:
                async with self.transaction() as raw:
                    return await self._report(raw, stay)
            except IdentityMovedError:
                continue
        raise IdentityMovedError

    async def _report(self, raw: Raw, stay: ReportedStay) -> UUID:
        now = self.rooms.clock.now()
        directory = await self.registry.current(raw)
        events = _events(stay)
        claim = RecordClaim(
            source=str(stay.reported_by),
            own=stay.identifiers[0],
            identifiers=stay.identifiers,
            sort_key=sort_key(events[-1]),
            facts=json_facts(stay.person),
        )
        (resolved,) = await identify(raw, [claim], ids=self.rooms.ids, now=now)
        state = EncounterState()
        for event in events:
            state = apply(state, event)
        state.said = {**state.said, state.last_key: {**state.said.get(state.last_key, {}), **_told(stay)}}
        row = EncounterRow(
            id=stay.id,
            source="reported",
            feed_id=None,
            facility_id=stay.facility_id,
            visit_authority=f"reported:{stay.reported_by.hex}",
            visit_number=stay.id.hex,
            record_id=resolved.record_id,
            person_id=resolved.person_id,
            mode="reported",
            state=state.to_json(),
            version=1,
            created_at=now,
            reported_by=stay.reported_by,
        )
        kept = await self.rooms.keep(raw, Batch(stays={row.id: row}), directory, now)
        await encounters.save_events(
            raw, [EventRow(stay.id, 0, stay.id, resolved.record_id, sort_key(events[-1]), Trigger.REPORTED, events[-1].occurred_at)]
        )
        confirmed = [
            in_hand(other, directory, self.rooms.rulebook, None, asked_at=now)
            for other in await encounters.of_people(raw, [resolved.person_id])
            if other.source == "adt" and other.mode == "live"
        ]
        await fold_reports(raw, confirmed, directory, now)
        folded = await encounters.folded_into(raw, stay.id)
        if folded is None:
            await self.rooms.tell(raw, kept, directory, now)
            return stay.id
        # It was known already: the reporter's follow-up, if it has one to come, is the ADT stay's.
        await self.rooms.tell(raw, [other for other in confirmed if other.id == folded], directory, now)
        return folded


def _told(stay: ReportedStay) -> dict[str, str]:
    """Facts that only a report has."""
    told = {"told_by": stay.told_by}
    if stay.facility_name:
        told["facility_name"] = stay.facility_name
    if stay.visit_number:
        told["reported_visit_number"] = stay.visit_number
    return told


def _events(stay: ReportedStay) -> list[AdtEvent]:
    """Say the report in the language of events: that it began, and if it did, that it ended."""
    began_at = stay.admitted_at or stay.discharged_at
    if began_at is None:
        message = "a reported stay has an admission or a discharge time"
        raise ValueError(message)
    visit = VisitFacts(visit_number=Identifier("", "VN", stay.id.hex), encounter_class=stay.encounter_class, admitted_at=stay.admitted_at)
    first = _event(stay, Trigger.REPORTED, began_at, visit)
    if stay.discharged_at is None:
        return [first]
    ended = replace(visit, discharged_at=stay.discharged_at, disposition=stay.disposition)
    return [first, _event(stay, Trigger.DISCHARGE, stay.discharged_at, ended)]


def _event(stay: ReportedStay, trigger: Trigger, at: datetime, visit: VisitFacts) -> AdtEvent:
    return AdtEvent(
        trigger=trigger,
        occurred_at=at,
        recorded_at=stay.reported_at,
        sent_at=stay.reported_at,
        content_hash=stay.id.bytes,
        control_id=stay.id.hex,
        processing_id=ProcessingId.PRODUCTION,
        identifiers=stay.identifiers,
        person=stay.person,
        visit=visit,
        diagnoses=stay.diagnoses,
    )
