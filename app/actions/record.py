"""Room 5: fold events into stays. Load the stays a batch touches, apply, and say what changed; the caller saves later rooms with it.

Not here: whose stays they are (identify has said) and who is told.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.encounter import EncounterState, apply
from app.domain.event_order import sort_key
from app.domain.going_live import parts_after
from app.domain.interpreted import Interpreted
from app.domain.person import Resolved
from app.domain.visit_key import visit_key
from app.ports import Ids
from app.store import encounters, stay_names
from app.store import people as person_store
from app.store.encounters import MODES, EncounterRow, EventRow, VisitKey
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Recorded:
    """The stay a message belongs to (None for events about a person only), and whether the fold changed."""

    stay: EncounterRow | None
    changed: bool


async def record(raw: Raw, batch: Sequence[Interpreted], people: Sequence[Resolved], *, ids: Ids, now: datetime) -> list[Recorded]:
    """Apply each event to its stay and remember which message said it. Stays are not saved yet."""
    keys = [visit_key(item.event, item.feed) for item in batch]
    wanted = sorted({key for key in keys if key is not None})
    naming = {item.feed.organization_id for item in batch if item.event.renames or item.event.moved_account}
    await stay_names.lock(raw, {facility for facility, _, _ in wanted}, naming)
    stays = await encounters.by_visit(raw, wanted) if wanted else {}
    found = {stay.id: stay.person_id for stay in stays.values()}
    recorded: list[Recorded] = []
    order = [sort_key(item.event) for item in batch]
    for item, key, place, resolved in zip(batch, keys, order, people, strict=True):
        if key is None:
            recorded.append(Recorded(None, changed=False))
            continue
        stay = stays.get(key)
        is_new = stay is None
        if stay is None:
            stay = stays[key] = _new_stay(item, key, resolved, ids.new(), now)
        recorded.append(Recorded(stay, changed=_fold(stay, item, place, resolved) or is_new))
    moved = {stay.id: stay.person_id for stay in stays.values() if found.get(stay.id, stay.person_id) != stay.person_id}
    if moved:
        # Whoever lost or got a stay has another history now: their other stays are looked at again.
        await encounters.move_follow_ups(raw, moved, now)
        await person_store.reconsider_people(raw, {found[stay] for stay in moved} | set(moved.values()), now, "moved")
    parts: Counter[UUID] = Counter()
    numbered = []
    for item in batch:
        numbered.append(parts[item.message_id])
        parts[item.message_id] += 1
    await encounters.save_events(
        raw,
        [
            EventRow(
                item.message_id,
                part,
                recording.stay.id if recording.stay else None,
                resolved.record_id,
                place,
                item.event.trigger,
                item.event.occurred_at,
            )
            for item, part, place, resolved, recording in zip(batch, numbered, order, people, recorded, strict=True)
        ],
    )
    return recorded


def _mode(item: Interpreted) -> str:
    if item.is_test:
        return "test"
    return item.mode.value


def _new_stay(item: Interpreted, key: VisitKey, resolved: Resolved, stay_id: UUID, now: datetime) -> EncounterRow:
    facility_id, authority, number = key
    return EncounterRow(
        id=stay_id,
        source="adt",
        feed_id=item.feed.id,
        facility_id=facility_id,
        visit_authority=authority,
        visit_number=number,
        record_id=resolved.record_id,
        person_id=resolved.person_id,
        mode=_mode(item),
        state=EncounterState().to_json(),
        version=0,
        created_at=now,
    )


def _fold(stay: EncounterRow, item: Interpreted, place: str, resolved: Resolved) -> bool:
    """Apply the event; the newest event also says whose stay it is (a corrected PID moves it) and by whose profile it is read."""
    if stay.own is not None:
        return _fold_apart(stay.own, item, place, resolved)
    before = EncounterState.from_json(stay.state)
    after = apply(before, item.event, place)
    parts = parts_after(stay.state, stay.mode if stay.version else None, item.event, place, _mode(item))
    held = (stay.record_id, stay.person_id, stay.feed_id, stay.mode)
    if place >= before.last_key:
        stay.record_id, stay.person_id, stay.feed_id = resolved.record_id, resolved.person_id, item.feed.id
    stay.mode = min(stay.mode, _mode(item), key=MODES.index)
    if after == before and held == (stay.record_id, stay.person_id, stay.feed_id, stay.mode):
        return False
    stay.state = {**after.to_json(), **parts}
    stay.version += 1
    return True


def _fold_apart(own: dict[str, Any], item: Interpreted, place: str, resolved: Resolved) -> bool:
    """Apply the event to what is said under this number alone; what the stay is, is worked out from all its numbers (join_stays)."""
    before = EncounterState.from_json(own["state"])
    held = dict(own)
    if place >= before.last_key:
        own |= {"record": str(resolved.record_id), "feed": str(item.feed.id)}
    # Nobody has spoken under this number yet: its mode is that of the first who does.
    was = own["mode"] if before.last_key else None
    parts = parts_after(own["state"], was, item.event, place, _mode(item))
    own["mode"] = min(was or _mode(item), _mode(item), key=MODES.index)
    own["state"] = {**apply(before, item.event, place).to_json(), **parts}
    return own != held
