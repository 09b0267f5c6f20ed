"""Room 5, after the fold: stays whose numbers turned out to be one stay, or somebody else's (C.6: A35, A41-A45, A49-A51).

Every number keeps what its own messages said (`EncounterRow.own`); the stay that stands is the join of all its numbers, worked out
anew whenever one of them changes, so that neither the order of arrival nor a later contradiction can lose anything. The stay keeps its
id under its new number, so that nobody is told of a second one. Most batches end here after one statement that finds nothing.
Not here: folding events (record), and who is told of what changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Any, Final
from uuid import UUID

from app.domain.encounter import EncounterState, account_of, joined
from app.domain.event_order import sort_key
from app.domain.going_live import joined_parts
from app.domain.interpreted import Interpreted
from app.domain.person import Resolved
from app.domain.stay_name import Names, StayKey, StayName, key_at
from app.domain.trigger import CHANGING
from app.ports import Ids
from app.store import encounters, people, stay_names
from app.store.encounters import MODES, EncounterRow
from app.store.raw import Raw

_FOUNDED: Final = "founded"
"""Among what is set apart of a stay: the number under which it began, whichever it has now."""


@dataclass(slots=True)
class Joined:
    """What became of the stays."""

    stays: dict[UUID, EncounterRow] = field(default_factory=dict)
    """Every stay that was worked out anew."""
    folds: dict[UUID, UUID] = field(default_factory=dict)
    """A stay that is part of another now -> that other."""
    standing: dict[StayKey, EncounterRow] = field(default_factory=dict)
    """Number -> the stay that stands for it."""


async def join_stays(
    raw: Raw, batch: Sequence[Interpreted], whose: Sequence[Resolved], stays: Iterable[EncounterRow], *, ids: Ids, now: datetime
) -> Joined:
    """Take in what the batch says of numbers, and work out anew every stay that it concerns. `stays` are those the batch has folded."""
    rows = {_key(row): row for row in stays}
    naming = {key for item in batch for key in _named(item)}
    wanted = set(rows) | naming | {account for row in rows.values() for account in _accounts(row)}
    if not wanted:
        return Joined()
    said = await stay_names.connected(raw, wanted)
    # What was one with a number until now may be left alone by what is said of it now.
    former = Names(said)
    concerned = {member for key in naming for member in former.members(key)}
    changed = _take(batch, whose, said)
    said |= changed
    if not said and all(row.own is None for row in rows.values()):
        return Joined()
    await stay_names.save(raw, list(changed.values()))
    names = Names(said)
    concerned |= {member for key in naming for member in names.members(key)}
    for row in await encounters.by_account(raw, concerned) if concerned else []:
        rows.setdefault(_key(row), row)
    fresh = {key for key in rows if not names.is_said_of(key)}
    if concerned and fresh:
        said = await stay_names.connected(raw, fresh) | said
        names = Names(said)
    await _load(raw, rows, concerned | {member for key in rows for member in names.members(key)})
    return await _work_out(raw, rows, names, ids, now)


def _key(row: EncounterRow) -> StayKey:
    assert row.facility_id is not None  # noqa: S101 - every stay of a message has the facility of its feed
    return row.facility_id, row.visit_authority, row.visit_number


def _named(item: Interpreted) -> list[StayKey]:
    facility, event = item.feed.organization_id, item.event
    named = [one for rename in event.renames for one in (rename.retired, rename.survivor)]
    return [key_at(facility, one) for one in (*named, *((event.moved_account,) if event.moved_account else ()))]


def _accounts(row: EncounterRow) -> list[StayKey]:
    account = account_of(EncounterState.from_json(row.own["state"] if row.own else row.state))
    return [(row.facility_id, *account)] if account is not None and row.facility_id is not None else []


def _take(batch: Sequence[Interpreted], whose: Sequence[Resolved], said: dict[StayKey, StayName]) -> dict[StayKey, StayName]:
    """Learn what the batch says of numbers; give the names that changed."""
    changed: dict[StayKey, StayName] = {}
    for item, resolved in zip(batch, whose, strict=True):
        facility, event, place = item.feed.organization_id, item.event, sort_key(item.event)
        for rename in event.renames:
            retired, survivor = key_at(facility, rename.retired), key_at(facility, rename.survivor)
            if retired != survivor:
                name = changed.get(retired) or said.get(retired) or StayName(retired)
                changed[retired] = (name.renamed if event.trigger in CHANGING else name.retired)(place, survivor)
        if event.moved_account is not None:
            account = key_at(facility, event.moved_account)
            name = changed.get(account) or said.get(account) or StayName(account)
            changed[account] = name.given(place, resolved.record_id)
    return {key: name for key, name in changed.items() if key not in said or said[key].said != name.said}


async def _load(raw: Raw, rows: dict[StayKey, EncounterRow], keys: set[StayKey]) -> None:
    missing = sorted(keys - set(rows))
    if missing:
        rows.update(await encounters.by_visit(raw, missing))


async def _work_out(raw: Raw, rows: dict[StayKey, EncounterRow], names: Names, ids: Ids, now: datetime) -> Joined:
    found = Joined()
    before = {row.id: (row.person_id, row.folded_into) for row in rows.values()}
    standing = sorted(root for root, group in _grouped(rows, names).items() if _is_concerned(root, group, names))
    parked = await _seat(raw, rows, names, standing, ids)
    groups = _grouped(rows, names)
    # Numbers of which no message speaks are no stay.
    effective = [(rows[root], groups[root], _owner_of(groups[root], names)) for root in standing if root in rows]
    persons = await people.persons_of(
        raw,
        {UUID(row.own["record"]) for _, group, _ in effective for row in group if row.own}
        | {owner[1] for _, _, owner in effective if owner},
    )
    for row in parked:
        # Nothing is said under their numbers, unless a stay that stands says so below.
        row.state = EncounterState().to_json()
        row.version += 1
        found.stays[row.id] = row
    for root, group, owner in effective:
        _join(root, group, owner, persons)
        for row in group:
            found.stays[row.id] = row
            found.standing[_key(row)] = root
            if row.folded_into is not None and before.get(row.id, (None, None))[1] != row.folded_into:
                found.folds[row.id] = row.folded_into
    moved_people = {row.id: row.person_id for row in found.stays.values() if row.id in before and before[row.id][0] != row.person_id}
    if moved_people:
        await encounters.move_follow_ups(raw, moved_people, now)
        await people.reconsider_people(raw, {before[stay][0] for stay in moved_people} | set(moved_people.values()), now, "moved")
    return found


def _grouped(rows: Mapping[StayKey, EncounterRow], names: Names) -> dict[StayKey, list[EncounterRow]]:
    groups: dict[StayKey, list[EncounterRow]] = {}
    for key, row in rows.items():
        groups.setdefault(names.root(key), []).append(row)
    return groups


def _owner_of(group: Sequence[EncounterRow], names: Names) -> tuple[str, UUID] | None:
    return names.owner([*(_key(row) for row in group), *(account for row in group for account in _accounts(row))])


def _is_concerned(root: StayKey, group: Sequence[EncounterRow], names: Names) -> bool:
    """Tell whether these are more than one stay under its one number, and set apart what was said under each number if they are."""
    if _owner_of(group, names) is None and [_key(row) for row in group] == [root] and group[0].own is None:
        return False
    for row in group:
        row.own = row.own or _own(row)
    return True


def _own(row: EncounterRow) -> dict[str, Any]:
    """Set apart what the messages under this number said, and that the stay began under it."""
    said = {"state": row.state, "record": str(row.record_id), "feed": str(row.feed_id) if row.feed_id else None, "mode": row.mode}
    return {**said, _FOUNDED: [row.visit_authority, row.visit_number]}


async def _seat(raw: Raw, rows: dict[StayKey, EncounterRow], names: Names, roots: Sequence[StayKey], ids: Ids) -> list[EncounterRow]:
    """Let the stay that is to stand have the number that stands, so that a change of number, and the change back, leave it its id.

    `rows` is every number with the row that has it; afterwards too. What was said under a number goes with the number. Give the rows
    that have another number now.
    """
    said = {key: own for key, row in rows.items() if _state(own := _without_founder(row)).last_key}
    seats = _seats(rows, names, roots, said)
    spare = [row for row in rows.values() if row.id not in {one.id for one in seats.values()}]
    for key in said:
        if key not in seats:
            seats[key] = spare.pop() if spare else replace(rows[key], id=ids.new(), version=0, own={_FOUNDED: None})
    for row in spare:
        seats[next(key for key in rows if key not in seats)] = row
    moved = [(key, row) for key, row in seats.items() if rows.get(key) is not row]
    for key, row in moved if len(moved) > 1 else ():
        # No two may have one number, not for a moment.
        await encounters.renumber(raw, replace(row, visit_authority="", visit_number=f"{row.id} {key[2]}"))
    for key, row in moved:
        empty = {**_without_founder(rows[_key(row)]), "state": EncounterState().to_json()}
        row.own = {**said.get(key, empty), _FOUNDED: (row.own or {}).get(_FOUNDED)}
    for key, row in moved:
        _, row.visit_authority, row.visit_number = key
        await encounters.renumber(raw, row)
    rows.clear()
    rows.update(seats)
    return [row for _, row in moved]


def _seats(
    rows: Mapping[StayKey, EncounterRow], names: Names, roots: Sequence[StayKey], said: Mapping[StayKey, Any]
) -> dict[StayKey, EncounterRow]:
    """Say which row is to have which number; a number that is left out has to be given one, if anything was said under it.

    The stay that stands is the one that began under the number that stands, else the oldest that began under any number that is one
    with it: like the ids of people, a function of what is together and not of how it came about. Who began elsewhere goes home.
    """
    founders = {(key[0], *row.own[_FOUNDED]): row for key, row in rows.items() if row.own and row.own.get(_FOUNDED)}
    seats: dict[StayKey, EncounterRow] = {}
    for root in roots:
        mine = [founders[key] for key in names.members(root) if key in founders]
        bearer = founders.get(root) or min(mine, key=_age, default=None)
        if bearer is None:
            spoken = [key for key in rows if key in said and names.root(key) == root]
            began = root if root in spoken else min(spoken, key=lambda key: _age(rows[key]), default=None)
            bearer = rows[began] if began is not None else None
            if bearer is not None and began is not None and bearer.own is not None:
                bearer.own[_FOUNDED] = [*began[1:]]
        if bearer is not None:
            seats[root] = bearer
    seated = {row.id for row in seats.values()}
    for key, row in founders.items():
        if row.id not in seated:
            seats[key] = row
            seated.add(row.id)
    for key, row in rows.items():
        if row.id not in seated and key not in seats:
            seats[key] = row
    return seats


def _age(row: EncounterRow) -> int:
    return row.id.int


def _state(own: Mapping[str, Any]) -> EncounterState:
    return EncounterState.from_json(own["state"])


def _without_founder(row: EncounterRow) -> dict[str, Any]:
    return {name: said for name, said in (row.own or _own(row)).items() if name != _FOUNDED}


def _join(root: EncounterRow, group: Sequence[EncounterRow], owner: tuple[str, UUID] | None, persons: dict[UUID, UUID]) -> None:
    """Make the one that stands the join of all, and the others part of it."""
    own = [row.own for row in group if row.own is not None]
    states = [EncounterState.from_json(one["state"]) for one in own]
    spoken = [(state.last_key, one) for state, one in zip(states, own, strict=True) if state.last_key]
    for row in group:
        if row is not root and row.own is not None:
            row.state, row.folded_into = EncounterState().to_json(), root.id
            row.record_id = UUID(row.own["record"])
            row.person_id = persons.get(row.record_id, row.person_id)
            row.version += 1
    parts = joined_parts([(one["state"], one["mode"]) for one in own])
    root.state, root.folded_into = {**reduce(joined, states).to_json(), **parts}, None
    root.version += 1
    if spoken:
        last_key, last = max(spoken, key=lambda one: one[0])
        record = owner[1] if owner is not None and owner[0] > last_key else UUID(last["record"])
        root.record_id = record
        root.person_id = persons.get(record, root.person_id)
        root.feed_id = UUID(last["feed"]) if last["feed"] else None
        root.mode = min((one["mode"] for _, one in spoken), key=MODES.index)
