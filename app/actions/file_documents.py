"""Room 5, after the stays: fold what a batch says of documents. Documents change no stay; those who may see them find them with it.

Most batches tell of none and end here without a statement. Not here: what a document is (domain/document), and who is told of a
discharge summary (attribute, by `StayInHand.has_summary`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.domain.document import DocumentKey, DocumentPointer, document_key, heard, own_key, replaced, view
from app.domain.event_order import sort_key
from app.domain.interpreted import Interpreted
from app.domain.person import Resolved
from app.domain.visit_key import named_visit, visit_key
from app.ports import Ids
from app.store import documents, people
from app.store.documents import DocumentRow, Touched
from app.store.encounters import MODES
from app.store.raw import Raw


async def file_documents(
    raw: Raw, batch: Sequence[Interpreted], whose: Sequence[Resolved], *, received: Mapping[UUID, datetime], ids: Ids, now: datetime
) -> None:
    """Take in what the messages say of documents, whatever came first. `received` is when each message came."""
    told = [(item, resolved) for item, resolved in zip(batch, whose, strict=True) if item.event.documents]
    if not told:
        return
    keys = {key for item, _ in told for key in _keys(item)}
    rows = await documents.by_key(raw, sorted(keys))
    before = {key: replace(row) for key, row in rows.items()}
    persons = {resolved.record_id: resolved.person_id for resolved in whose}
    for item, resolved in told:
        _take(rows, item, resolved, received.get(item.message_id, now), ids)
    changed = [row for key, row in rows.items() if key not in before or (before[key].said, before[key].mode) != (row.said, row.mode)]
    touched: list[Touched] = []
    for row in changed:
        _read_off(row, persons)
        touched.extend(_touched(before.get(row.key), row))
    losing = {one.person_id for one in touched} - set(persons.values())
    if losing:
        # It was filed with somebody else until now: their follow-ups show it no more.
        await people.lock_people(raw, losing)
    await documents.save(raw, changed, now)
    await documents.touch_stays(raw, touched, now)


def _keys(item: Interpreted) -> list[DocumentKey]:
    facility, event = item.feed.organization_id, item.event
    named = [own_key(facility, pointer, event.content_hash) for pointer in event.documents]
    return named + [document_key(facility, one.parent) for one in event.documents if one.parent and one.replaces_parent]


def _take(rows: dict[DocumentKey, DocumentRow], item: Interpreted, resolved: Resolved, received_at: datetime, ids: Ids) -> None:
    """Fold the documents of one message."""
    facility, event, place = item.feed.organization_id, item.event, sort_key(item.event)
    mode = "test" if item.is_test else item.mode.value
    named = named_visit(event, item.feed) or visit_key(event, item.feed)
    visit = (named[1], named[2]) if named else None
    for pointer in event.documents:
        key = own_key(facility, pointer, event.content_hash)
        row = _row_of(rows, key, received_at, mode, ids)
        row.received_at = _since(row, pointer, received_at)
        row.said = heard(row.said, place, pointer, message_id=item.message_id, record_id=resolved.record_id, visit=visit)
        if pointer.parent is not None and pointer.replaces_parent:
            of_old = document_key(facility, pointer.parent)
            if of_old != key:
                old = _row_of(rows, of_old, received_at, mode, ids)
                old.said = replaced(old.said, place, key)


def _row_of(rows: dict[DocumentKey, DocumentRow], key: DocumentKey, received_at: datetime, mode: str, ids: Ids) -> DocumentRow:
    row = rows.get(key)
    if row is None:
        row = rows[key] = DocumentRow(ids.new(), *key, said={}, received_at=received_at, mode=mode)
    row.mode = min(row.mode, mode, key=MODES.index)
    return row


def _since(row: DocumentRow, pointer: DocumentPointer, received_at: datetime) -> datetime:
    """Say when something to read first came; until then, when it was first heard of. An announcement (T01) is nothing received."""
    seen = view(row.said)
    had = seen is not None and (seen.content is not None or seen.link is not None)
    brings = pointer.content is not None or pointer.link is not None
    if brings == had:
        return min(row.received_at, received_at)
    return received_at if brings else row.received_at


def _read_off(row: DocumentRow, persons: Mapping[UUID, UUID]) -> None:
    """Put what the document is by now into the columns by which it is found."""
    seen = view(row.said)
    if seen is None:
        return
    if row.record_id != seen.record_id:
        row.record_id = seen.record_id
        row.person_id = persons.get(seen.record_id, row.person_id)
    row.visit_key = documents.visit_key(*seen.visit) if seen.visit else None
    row.is_restricted = seen.is_restricted
    row.is_summary = seen.is_received_summary


def _touched(before: DocumentRow | None, now: DocumentRow) -> list[Touched]:
    """Give the stays that show the document, and the one that showed it until now: a corrected number takes it from one to another."""
    places: dict[tuple[tuple[str, str], UUID], tuple[bool, bool]] = {}
    for row in (before, now):
        seen = view(row.said) if row is not None else None
        if row is None or seen is None or seen.visit is None or row.person_id is None:
            continue
        # What nobody may know of, before and now, changes nothing that anybody could see.
        is_seen, is_news = places.get((seen.visit, row.person_id), (False, False))
        is_told = row.is_summary and row.mode == "live"
        places[seen.visit, row.person_id] = (is_seen or not row.is_restricted, is_news != is_told)
    return [Touched(now.facility_id, visit, person_id, is_news) for (visit, person_id), (is_seen, is_news) in places.items() if is_seen]
