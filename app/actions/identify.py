"""Room 4: whose record is this, and which person is that.

Load what the claims touch, let `matching.partition` decide over the whole neighbourhood, save what changed. Locks: first the
match keys of what is new, then the people, both in one order for everybody. Not here: what follows for stays that move (they
are queued for reconsideration).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.latest import known, learn
from app.domain.matching import ANY_AUTHORITY, Group, assign_people, match_keys, partition
from app.domain.person import LINK, PatientRecord, RecordClaim, Resolved, demographic_key, linked_in
from app.ports import Ids
from app.store import people
from app.store.raw import Raw

CLOSURE_ROUNDS = 6
"""Our policy: neighbours of neighbours are followed this far; real neighbourhoods end after two."""


class IdentityMovedError(Exception):
    """Another transaction changed what we had read while we waited for its lock. Roll back and do the batch again."""


async def identify(raw: Raw, claims: Sequence[RecordClaim], *, ids: Ids, now: datetime) -> list[Resolved]:
    """Resolve each claim to a record and a person, making and changing them as the claims say.

    Raises `IdentityMovedError` when a concurrent transaction changed the ground; the caller's transaction must be redone.
    """
    named = {(claim.source, own) for claim in claims for own in claim.named}
    plan = _Plan(claims, await people.find_own(raw, sorted(named)), ids)
    if plan.needs_matching:
        await people.lock_keys(raw, plan.lock_keys())
        await _load_neighbourhood(raw, plan)
    await people.lock_people(raw, {record.person_id for record in plan.records.values() if record.id not in plan.new})
    await _check_unmoved(raw, plan)
    moved = plan.match() if plan.needs_matching else {}
    await _save(raw, plan, moved, now)
    return plan.resolved(moved)


@dataclass(slots=True)
class Frontier:
    """By what records are looked for: how their source names them, identifiers, demographics and people.

    Not by merges: a record and the one it was retired into are always one person.
    """

    own: set[people.OwnKey] = field(default_factory=set)
    identifiers: set[tuple[str, str]] = field(default_factory=set)
    demographic_keys: set[int] = field(default_factory=set)
    people: set[UUID] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Nothing left to look for."""
        return not (self.own or self.identifiers or self.demographic_keys or self.people)

    def without(self, other: "Frontier") -> "Frontier":
        """Give what the other has not asked for yet."""
        return Frontier(
            self.own - other.own,
            self.identifiers - other.identifiers,
            self.demographic_keys - other.demographic_keys,
            self.people - other.people,
        )

    def joined(self, other: "Frontier") -> "Frontier":
        """Give both together."""
        return Frontier(
            self.own | other.own,
            self.identifiers | other.identifiers,
            self.demographic_keys | other.demographic_keys,
            self.people | other.people,
        )


class _Plan:
    """The records in play and what the claims change about them. Lives for one call."""

    def __init__(self, claims: Sequence[RecordClaim], known_records: dict[people.OwnKey, PatientRecord], ids: Ids) -> None:
        self._ids = ids
        self._claims = claims
        self.records: dict[UUID, PatientRecord] = {record.id: record for record in known_records.values()}
        self._by_own = dict(known_records)
        self.new: set[UUID] = set()
        self.changed: set[UUID] = set()
        self.identity_changed: set[UUID] = set()
        self._former_keys: set[int] = set()
        """Demographics that a record no longer has: without it, those who are left may have become one person."""
        self.added: list[tuple[Identifier, UUID]] = []
        self.new_people: list[UUID] = []
        self.reasons: dict[UUID, tuple[str, ...]] = {}
        self._stored_person = {record.id: record.person_id for record in known_records.values()}
        self._revisions = {record.id: record.revision for record in known_records.values()}
        self._neighbours: set[UUID] = set()
        for claim in claims:
            self._take(claim)

    @property
    def needs_matching(self) -> bool:
        return bool(self.identity_changed)

    def _record_named(self, source: str, own: Identifier) -> PatientRecord:
        record = self._by_own.get((source, own))
        if record is None:
            record = PatientRecord(self._ids.new(), source, own, UUID(int=0), frozenset(), {}, None)
            self._by_own[(source, own)] = record
            self.records[record.id] = record
            self.new.add(record.id)
            self.identity_changed.add(record.id)
        return record

    def _take(self, claim: RecordClaim) -> None:
        record = self._record_named(claim.source, claim.own)
        self._add_identifiers(record, claim.identifiers)
        self._learn(record, claim.sort_key, claim.facts)
        for retired in claim.retires:
            loser = self._record_named(claim.source, retired)
            self._add_identifiers(loser, (retired,))
            if loser.id != record.id:
                # The latest merge counts, like any other fact: two merges of one record may arrive in either order.
                self._learn(loser, claim.sort_key, {_RETIRED_INTO: str(record.id)})
                self.identity_changed.update((loser.id, record.id))
        if claim.belongs_to is not None:
            parent = self._counterpart(claim.source, claim.belongs_to, record)
            if parent.id != record.id:
                # A move is told of the child alone: it leaves whatever it was merged into, and is at home here.
                self._learn(record, claim.sort_key, {_RETIRED_INTO: str(parent.id)})
        for other in claim.links:
            self._link(claim, record, self._counterpart(claim.source, other, record), holds=True)
        for other in claim.parts_from:
            self._link(claim, record, self._counterpart(claim.source, other, record), holds=False)

    def _counterpart(self, source: str, own: Identifier, record: PatientRecord) -> PatientRecord:
        other = self._record_named(source, own)
        self._add_identifiers(other, (own,))
        self.identity_changed.update((record.id, other.id))
        return other

    def _link(self, claim: RecordClaim, record: PatientRecord, other: PatientRecord, *, holds: bool) -> None:
        """Note on the one of the two that is named first that they are linked, or are not any more: the latest message counts."""
        if record.id != other.id:
            first, second = (record, other) if record.own <= other.own else (other, record)
            self._learn(first, claim.sort_key, {f"{LINK}{second.id}": True if holds else None})

    def _learn(self, record: PatientRecord, key: str, facts: Mapping[str, Any]) -> None:
        said = learn(record.said, key, facts)
        if said == record.said:
            return
        before, after = known(record.said), known(said)
        record.said = said
        self.changed.add(record.id)
        if all(before.get(name) == after.get(name) for name in _MATCHED_BY) and linked_in(before) == linked_in(after):
            return
        if record.demographic_key is not None:
            self._former_keys.add(record.demographic_key)
        record.demographic_key = demographic_key(after)
        winner = after.get(_RETIRED_INTO)
        record.retired_into = UUID(winner) if winner is not None else None
        record.linked = linked_in(after)
        self.identity_changed.add(record.id)

    def _add_identifiers(self, record: PatientRecord, identifiers: Iterable[Identifier]) -> None:
        wanted = set(identifiers)
        # A Medicaid number also counts without the authority that wrote it: rosters do not name one.
        wanted |= {Identifier(ANY_AUTHORITY, item.type, item.value) for item in wanted if item.type == IdentifierType.MEDICAID}
        missing = wanted - record.identifiers
        if missing:
            record.identifiers |= missing
            self.changed.add(record.id)
            self.added.extend((identifier, record.id) for identifier in sorted(missing))
            self.identity_changed.add(record.id)

    def lock_keys(self) -> set[int]:
        """Hash everything by which the changed records could meet others."""
        keys = set(self._former_keys)
        for record_id in self.identity_changed:
            record = self.records[record_id]
            keys.update(_hash64(f"{authority}|{value}") for authority, value in match_keys(record.identifiers))
            keys.add(_hash64(f"own|{record.source}|{record.own}"))
            if record.demographic_key is not None:
                keys.add(record.demographic_key)
        return keys

    def frontier(self) -> "Frontier":
        """Give by what everything in play could meet other records."""
        found = Frontier(demographic_keys=set(self._former_keys))
        for record_id in self._in_play():
            record = self.records[record_id]
            found.identifiers.update(match_keys(record.identifiers))
            if record.demographic_key is not None:
                found.demographic_keys.add(record.demographic_key)
            if record_id in self.new:
                found.own.add((record.source, record.own))
            else:
                found.people.add(record.person_id)
        return found

    def _in_play(self) -> set[UUID]:
        return self.identity_changed | self._neighbours

    def meet(self, found: Sequence[PatientRecord]) -> None:
        """Add neighbours. Raises `IdentityMovedError` when one is there by now that we were going to make."""
        for record in found:
            if record.id not in self.records:
                if (record.source, record.own) in self._by_own:
                    raise IdentityMovedError
                self.records[record.id] = record
                self._by_own[(record.source, record.own)] = record
                self._stored_person[record.id] = record.person_id
                self._revisions[record.id] = record.revision
        self._neighbours |= {record.id for record in found}

    def match(self) -> dict[UUID, UUID]:
        """Divide everything in play into people; give record -> person for stored records that change theirs."""
        in_play = [self.records[record_id] for record_id in sorted(self._in_play())]
        groups: list[Group] = partition(in_play)
        before = {record.id: (None if record.id in self.new else record.person_id) for record in in_play}
        fresh = [self._ids.new() for _ in groups]
        people_now = assign_people(groups, before, fresh)
        used = set(people_now.values())
        self.new_people = [person for person in fresh if person in used]
        for group in groups:
            for record_id in group.records:
                self.reasons[record_id] = group.reasons
        moved = {}
        for record in in_play:
            person = people_now[record.id]
            if record.id not in self.new and record.person_id != person:
                moved[record.id] = person
                self.changed.add(record.id)
            record.person_id = person
        return moved

    def stored_people(self) -> dict[UUID, UUID]:
        """Give record -> person as we read it."""
        return self._stored_person

    def revisions(self) -> dict[UUID, int]:
        """Give the version of each stored record as we read it, for the check after the locks."""
        return self._revisions

    def resolved(self, moved: dict[UUID, UUID]) -> list[Resolved]:
        touched: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for record_id, person in moved.items():
            touched[person].update((person, self._stored_person[record_id]))
        results = []
        for claim in self._claims:
            record = self._by_own[(claim.source, claim.own)]
            reasons = self.reasons.get(record.id, ())
            results.append(Resolved(record.id, record.person_id, reasons, frozenset(touched.get(record.person_id, ()))))
        return results


_RETIRED_INTO = "retired_into"
"""Kept among the facts of a record, beside the column, for its sort key."""
_MATCHED_BY = ("first_name", "last_name", "birth_date", "sex", _RETIRED_INTO)


def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


async def _load_neighbourhood(raw: Raw, plan: _Plan) -> None:
    asked = Frontier()
    for _ in range(CLOSURE_ROUNDS):
        fresh = plan.frontier().without(asked)
        if fresh.is_empty:
            return
        found = await people.neighbours(raw, fresh.own, fresh.identifiers, fresh.demographic_keys, fresh.people)
        plan.meet(found)
        # People come whole.
        asked = asked.joined(fresh).joined(Frontier(people={record.person_id for record in found}))


async def _check_unmoved(raw: Raw, plan: _Plan) -> None:
    """Make sure that what we read before we had the locks is still so: neither whose a record is, nor what is known of it.

    What is going to be stored anew is looked at when it is stored.
    """
    read = {record: revision for record, revision in plan.revisions().items() if plan.needs_matching or record not in plan.changed}
    if read and await people.revisions(raw, list(read)) != read:
        raise IdentityMovedError


async def _save(raw: Raw, plan: _Plan, moved: dict[UUID, UUID], now: datetime) -> None:
    await people.insert_people(raw, plan.new_people, now)
    await people.insert_records(raw, [plan.records[item] for item in sorted(plan.new)], plan.reasons, now)
    if not await people.update_records(raw, [plan.records[item] for item in sorted(plan.changed - plan.new)], plan.reasons, now):
        raise IdentityMovedError
    await people.insert_identifiers(raw, plan.added)
    if not moved:
        return
    await people.move_records(raw, moved, now)
    emptied = {plan.stored_people()[record]: person for record, person in moved.items()}
    still_used = {record.person_id for record in plan.records.values()}
    await people.mark_merged(raw, {loser: winner for loser, winner in emptied.items() if loser not in still_used})
    await people.reconsider_people(raw, set(moved.values()) | set(emptied), now, "merge")
