"""Rooms 3-7 in reading order on one open transaction: interpret, identify, record, attribute, notify. The caller commits (commit 2).

A batch loads, decides in memory and saves with a fixed number of statements, however many messages it has. Not here: which
messages (`work`), what happens when one fails, and the stays that nobody sent a message for (`report`).
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from app.actions.attribute import attribute, claims_on
from app.actions.file_documents import file_documents
from app.actions.fold_reports import fold_reports
from app.actions.identify import IdentityMovedError, identify
from app.actions.interpret import interpret
from app.actions.join_stays import Joined, join_stays
from app.actions.keep_follow_ups import Kept, keep_follow_ups
from app.actions.measure import measure
from app.actions.move_follow_ups import Moving, move_follow_ups
from app.actions.notify import notify
from app.actions.receive import LANES
from app.actions.record import record
from app.actions.tell_follow_ups import tell_follow_ups
from app.actions.tell_owners import tell_owners_of
from app.domain.attribution import Attribution
from app.domain.death_judged import NOTHING_JUDGED
from app.domain.directory import Directory
from app.domain.encounter import EncounterState, account_of
from app.domain.event_order import sort_key
from app.domain.follow_up import FollowUpView
from app.domain.going_live import mode_now
from app.domain.happening import DEATH_DISPOSITIONS, Kind
from app.domain.inbound import Outcome
from app.domain.interpreted import OF_ANOTHER_PERSON, Held, Interpreted
from app.domain.known import Known
from app.domain.late_release import LateCause, Release, release_of
from app.domain.measure_ledger import PERSON_FACTS
from app.domain.notification import Desired
from app.domain.person import Resolved, claim_of
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand
from app.domain.stay_name import key_at
from app.pipeline.in_hand import in_hand
from app.ports import Cipher, Clock, Ids, Readers
from app.store import (
    answers,
    consents,
    death_doubts,
    documents,
    encounters,
    feed_facilities,
    follow_ups,
    inbound,
    measure_lines,
    notifications,
    people,
)
from app.store.answers import Answers
from app.store.encounters import EncounterRow
from app.store.feed_facilities import HeldRow
from app.store.inbound import OutcomeRow, Waiting
from app.store.raw import Raw

OpenTransaction = Callable[[], AbstractAsyncContextManager[Raw]]
"""Opens a transaction as the `work` role; commits when the block ends."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What one round did, for the worker's loop and the log line."""

    messages: int = 0
    reconsidered: int = 0
    notifications: int = 0
    set_aside: int = 0
    late: int = 0
    """Notifications of what had waited for a person."""
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
    held: list[HeldRow] = field(default_factory=list)
    waited: list[UUID] = field(default_factory=list)
    """Messages of aggregators, which may have been held before."""
    stays: dict[UUID, EncounterRow] = field(default_factory=dict)
    causes: dict[UUID, UUID] = field(default_factory=dict)
    """Stay -> the message that changed it last."""
    received: dict[UUID, datetime] = field(default_factory=dict)
    """Message -> when it came here."""
    releases: dict[UUID, Release] = field(default_factory=dict)
    """Stay -> what had waited for a person before it came to the stay."""
    folds: dict[UUID, UUID] = field(default_factory=dict)
    """A stay that became part of another -> that other."""


@dataclass(frozen=True, slots=True)
class Told:
    """What rooms 6 and 7 came to: what should stand with whom, and what was numbered."""

    desired: Sequence[tuple[StayInHand, Sequence[Desired]]] = ()
    notifications: int = 0
    late: int = 0
    recipients: tuple[UUID, ...] = ()
    follow_ups: Mapping[UUID, FollowUpView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconsidered:
    """What looking again came to."""

    worked: Worked
    follow_ups: Mapping[UUID, FollowUpView]


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms with what is injected into them."""

    readers: Readers
    cipher: Cipher
    rulebook: Rulebook
    clock: Clock
    ids: Ids

    async def work(self, raw: Raw, batch: Batch, directory: Directory) -> Worked:
        """Take the messages of a batch through rooms 3-7."""
        now = self.clock.now()
        understood = self.interpret(batch, directory)
        if understood:
            looked_at = {one.id for one in batch.messages if one.was_aside == OF_ANOTHER_PERSON.code}
            claims = [
                claim_of(one.event, sort_key(one.event), is_doubted=one.message_id not in looked_at, part_of=one.message_id)
                for one in understood
            ]
            resolved = await identify(raw, claims, ids=self.ids, now=now)
            understood, resolved = _without_refused(batch, understood, resolved)
            await self.record(raw, batch, understood, resolved, now)
        stays = await self.keep(raw, batch, directory, now)
        await inbound.finish(raw, batch.outcomes, now)
        if batch.waited:
            await feed_facilities.hold(raw, batch.waited, batch.held, LANES, now)
        told = await self.tell(raw, stays, directory, now)
        return Worked(
            messages=len(batch.messages),
            notifications=told.notifications,
            late=told.late,
            set_aside=sum(outcome.outcome is Outcome.SET_ASIDE for outcome in batch.outcomes),
            recipients=told.recipients,
        )

    async def reconsider(
        self, raw: Raw, stays: Sequence[UUID], directory: Directory, *, released: AbstractSet[UUID] = frozenset()
    ) -> Reconsidered:
        """Attribute and tell stays anew: a panel, a merge, a clock or the registry changed something about them.

        `released`: those that waited for a person's decision.
        """
        now = self.clock.now()
        # The same order of locks as a batch of messages: people, then stays.
        whose = await encounters.people_of(raw, stays)
        await people.lock_people(raw, whose)
        batch = Batch(stays={row.id: row for row in await encounters.by_id(raw, stays)})
        batch.releases = dict.fromkeys(released, Release(LateCause.REVIEW))
        if not {row.person_id for row in batch.stays.values()} <= set(whose):
            raise IdentityMovedError
        told = await self.tell(raw, await self.keep(raw, batch, directory, now), directory, now, looks_again=True)
        worked = Worked(reconsidered=len(stays), notifications=told.notifications, late=told.late, recipients=told.recipients)
        return Reconsidered(worked, told.follow_ups)

    def interpret(self, batch: Batch, directory: Directory) -> list[Interpreted]:
        """Room 3. What cannot be read is set aside; what means nothing here is marked ignored."""
        understood: list[Interpreted] = []
        for message in batch.messages:
            feed = directory.feeds.get(message.feed_id)
            body = self.cipher.decrypt(message.cipher_key_id, message.body, message.id.bytes)
            reader = self.readers[message.format]
            if feed is None or not reader.is_supported(reader.header(body).trigger):
                batch.outcomes.append(OutcomeRow(message.id, Outcome.IGNORED))
                continue
            read = interpret(message.id, body, feed, reader, self.cipher.pseudonym, message.mode)
            if feed.is_aggregator:
                batch.waited.append(message.id)
            if isinstance(read, Held):
                batch.outcomes.append(OutcomeRow(message.id, Outcome.SET_ASIDE, (read.problem,)))
                batch.held.append(HeldRow(message.id, feed.id, read.unmapped.code, read.unmapped.place))
                continue
            told, problems = read
            understood.extend(told)
            if not told:
                batch.outcomes.append(OutcomeRow(message.id, Outcome.SET_ASIDE, tuple(problems)))
        return understood

    async def record(self, raw: Raw, batch: Batch, understood: Sequence[Interpreted], resolved: Sequence[Resolved], now: datetime) -> None:
        """Room 5, and what became of each message."""
        recorded = await record(raw, understood, resolved, ids=self.ids, now=now)
        folded = {item.stay.id: item.stay for item in recorded if item.stay is not None}
        joined = await join_stays(raw, understood, resolved, folded.values(), ids=self.ids, now=now)
        batch.folds = joined.folds
        received = {message.id: message.received_at for message in batch.messages}
        await file_documents(raw, understood, resolved, received=received, ids=self.ids, now=now)
        # A late message under another number does not move its stay: that person's history is worked on too.
        touched = [*folded.values(), *joined.stays.values()]
        others = {stay.person_id for stay in touched} - {whose.person_id for whose in resolved}
        if others:
            await people.lock_people(raw, others)
        # A death is told of the person alone too (A31, PID-30): it ends the follow-ups of every stay. And it is taken back so.
        of_person_alone = [
            (whose.person_id, item.event.person.deceased)
            for item, whose, recording in zip(understood, resolved, recorded, strict=True)
            if not item.is_test and (recording.stay is None or _once_called_dead(recording.stay, item.event.person.deceased))
        ]
        dead = {person for person, deceased in of_person_alone if deceased is True}
        alive = {person for person, deceased in of_person_alone if deceased not in (None, True)}
        if alive:
            dead |= await follow_ups.with_closed(raw, alive) | await death_doubts.asked_about(raw, alive)
        if dead:
            await people.reconsider_people(raw, dead, now, "died")
        # What measures ask of a person (age, strata) comes in messages about the person alone too.
        described = {
            whose.person_id
            for item, whose, recording in zip(understood, resolved, recorded, strict=True)
            if recording.stay is None and not item.is_test and any(getattr(item.event.person, name) is not None for name in PERSON_FACTS)
        }
        counted = await measure_lines.with_lines(raw, described - dead) if described - dead else set()
        if counted:
            await people.reconsider_people(raw, counted, now, "described")
        told: set[UUID] = set()
        waited = {one.id: release_of(one.was_aside, one.received_at) for one in batch.messages if one.was_aside is not None}
        for item, whose, recording in zip(understood, resolved, recorded, strict=True):
            stay = recording.stay
            if stay is not None and (recording.changed or whose.moved_people):
                batch.stays[stay.id] = stay
                batch.causes[stay.id] = item.message_id
                if item.message_id in waited:
                    batch.releases[stay.id] = waited[item.message_id]
            standing = _standing(item, stay, joined)
            if standing is not None and standing.id in joined.stays:
                batch.causes[standing.id] = item.message_id
            if item.message_id not in told:
                told.add(item.message_id)
                batch.outcomes.append(
                    OutcomeRow(
                        item.message_id,
                        Outcome.PROCESSED,
                        item.event.unmapped,
                        whose.person_id,
                        standing.id if standing is not None else None,
                    )
                )
        for stay in joined.stays.values():
            batch.stays[stay.id] = stay
            if stay.folded_into is not None and stay.folded_into in batch.causes:
                batch.causes.setdefault(stay.id, batch.causes[stay.folded_into])

    async def keep(self, raw: Raw, batch: Batch, directory: Directory, now: datetime) -> list[StayInHand]:
        """Read off what each stay is, store it, and let reported stays become part of the ones that messages made."""
        accounts = {row.id: row.account for row in batch.stays.values()}
        people_of = {row.person_id for row in batch.stays.values()}
        signed, judged = await consents.of_people(raw, people_of), await death_doubts.of_people(raw, people_of)
        for row in batch.stays.values():
            row.consents, row.deaths = signed.get(row.person_id, ()), judged.get(row.person_id, NOTHING_JUDGED)
        batch.received = {message.id: message.received_at for message in batch.messages}
        stays = [self._in_hand(row, batch, directory, now) for row in batch.stays.values()]
        await encounters.save(raw, list(batch.stays.values()), now)
        # A stay of several numbers may have left an account by being folded, too.
        moved = [row for row in batch.stays.values() if row.own is not None or row.account != accounts[row.id]]
        await documents.touch_accounts(
            raw, ((row.facility_id, one) for row in moved for one in (accounts[row.id], row.account) if one and row.facility_id), now
        )
        if batch.folds:
            await encounters.fold_into(raw, batch.folds, now, encounters.NUMBER_RETIRED)
            await encounters.move_follow_ups(raw, {root: batch.stays[root].person_id for root in set(batch.folds.values())}, now)
        await fold_reports(raw, stays, directory, now)
        return stays

    def _in_hand(self, row: EncounterRow, batch: Batch, directory: Directory, now: datetime) -> StayInHand:
        """Read off what the stay is, into its columns and for rooms 6 and 7."""
        feed = directory.feeds.get(row.feed_id) if row.feed_id else None
        row.mode = mode_now(row.mode, feed.mode if feed else None)
        cause = batch.causes.get(row.id)
        received_at = batch.received.get(cause) if cause else None
        in_it = in_hand(row, directory, self.rulebook, cause, now, asked_at=now)
        release = batch.releases.get(row.id)
        if in_it.deaths.dismissed and row.disposition in DEATH_DISPOSITIONS and in_it.view.disposition is None:
            # Told as a death so far, and now as a discharge: late by all the time since.
            release = Release(LateCause.REVIEW, in_it.heard.get(Kind.DISCHARGED))
        stay = replace(in_it, release=release, received_at=received_at)
        view_now = stay.view
        row.status = view_now.status.value
        row.encounter_class = view_now.encounter_class.value
        row.admitted_at, row.discharged_at = view_now.admitted_at, view_now.discharged_at
        row.discharged_on = stay.day_of(view_now.discharged_at) if view_now.discharged_at else None
        row.disposition = view_now.disposition
        row.behavioral_kind = stay.signal.kind.value
        row.provisional = stay.signal.provisional
        # By its own number's messages, for that number alone is on the account.
        account = account_of(EncounterState.from_json(row.own["state"] if row.own is not None else row.state))
        row.account = f"{account[0]}|{account[1]}" if account else None
        return stay

    async def tell(self, raw: Raw, stays: Sequence[StayInHand], directory: Directory, now: datetime, *, looks_again: bool = False) -> Told:
        """Rooms 6 and 7. Numbers are given in the last statements before the commit."""
        if not stays:
            return Told()

        def read(row: EncounterRow, registry: Directory) -> StayInHand:
            return in_hand(row, registry, self.rulebook, None, asked_at=now)

        with_summary = await documents.summarised(raw, [stay.id for stay in stays])
        stays = [replace(stay, has_summary=stay.id in with_summary) for stay in stays]
        claimed = await claims_on(raw, stays)
        answered = await answers.of_people(raw, {stay.person_id for stay in stays})
        desired = [(stay, attribute(stay, claimed.get(stay.person_id, ()), directory, self.rulebook, answered)) for stay in stays]
        kept = await keep_follow_ups(
            raw,
            stays,
            claimed,
            directory,
            self.rulebook,
            read=lambda row: read(row, directory),
            telling={
                (stay.id, one.recipient_id) for stay, wanted in desired for one in wanted if one.tells and one.kind is Kind.DISCHARGED
            },
            answers=answered,
            ids=self.ids,
            now=now,
        )
        rows = await notify(raw, desired, kept.ids, directory, read_stay=read, ids=self.ids, now=now)
        late = sum(row.payload["late"] is not None for row in rows)
        rows.extend(await tell_follow_ups(raw, kept.standing, directory, read_stay=read, ids=self.ids, now=now))
        conflicts = [(stay.person_id, stay.id, led) for stay, led in kept.conflicts]
        await answers.open_conflicts(raw, conflicts, [self.ids.new() for _ in conflicts], now)
        if looks_again:
            await answers.close_conflicts(raw, [stay.id for stay in stays], conflicts, now)
        await death_doubts.ask(raw, kept.doubts, [self.ids.new() for _ in kept.doubts], now)
        if looks_again:
            await death_doubts.close(raw, [stay.id for stay in stays], kept.doubts, now)
        moving = _moving(kept, claimed, answered)
        rows.extend(await move_follow_ups(raw, moving, directory, self.rulebook, read_stay=read, ids=self.ids, now=now))
        # Whose a stay is on which day, measures ask: after what goes over now.
        await measure(raw, {stay.person_id for stay in stays}, kept.people, directory, self.rulebook, now)
        rows.extend(await tell_owners_of(raw, stays, directory, ids=self.ids, now=now))
        recipients = await notifications.number_and_insert(raw, rows, now)
        return Told(desired, len(rows), late, tuple(recipients), kept.views)


def _without_refused(
    batch: Batch, understood: Sequence[Interpreted], resolved: Sequence[Resolved]
) -> tuple[list[Interpreted], list[Resolved]]:
    """Set aside the messages that give a known person's number to somebody else: each waits whole for a person to look."""
    refused = {item.message_id for item, whose in zip(understood, resolved, strict=True) if whose.is_refused}
    batch.outcomes.extend(OutcomeRow(message, Outcome.SET_ASIDE, (OF_ANOTHER_PERSON,)) for message in sorted(refused))
    kept = [pair for pair in zip(understood, resolved, strict=True) if pair[0].message_id not in refused]
    return [item for item, _ in kept], [whose for _, whose in kept]


def _once_called_dead(stay: EncounterRow, deceased: Known[bool]) -> bool:
    """Tell whether the message takes back what an earlier one of its stay said. Many feeds deny a death in every message."""
    return deceased is not None and deceased is not True and "dead_since" in stay.state


def _moving(kept: Kept, claimed: Mapping[UUID, Sequence[Attribution]], answered: Answers) -> list[Moving]:
    """Give the follow-ups that may have to move, each with the other homes of its stay, and who said that it is not theirs."""
    disowning: dict[UUID, set[UUID]] = {}
    for stay_id, recipient_id in answered:
        disowning.setdefault(stay_id, set()).add(recipient_id)
    homes: dict[UUID, set[UUID]] = {}
    of_homes = [(one.row, one.stay) for one in kept.standing if one.row.home_id is not None]
    for row, stay in of_homes:
        if row.home_id is not None:
            homes.setdefault(stay.id, set()).add(row.home_id)
    return [
        Moving(row, stay, claimed.get(stay.person_id, ()), frozenset(homes[stay.id]), frozenset(disowning.get(stay.id, ())))
        for row, stay in of_homes
    ]


def _standing(item: Interpreted, stay: EncounterRow | None, joined: Joined) -> EncounterRow | None:
    """Give the stay that a message came to: its own, or the one that its number, or the number it names, is part of."""
    if stay is not None and stay.facility_id is not None:
        return joined.standing.get((stay.facility_id, stay.visit_authority, stay.visit_number), stay)
    named = [one.survivor for one in item.event.renames] + ([item.event.moved_account] if item.event.moved_account else [])
    return next((found for one in named if (found := joined.standing.get(key_at(item.feed.organization_id, one)))), None)
