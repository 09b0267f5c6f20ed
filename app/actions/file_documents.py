"""Room 5, after the stays: fold what a batch says of documents. Documents change no stay; those who may see them find them with it.

Most batches tell of none and end here without a statement. Not here: what a document is (domain/document), and who is told of a
discharge summary (attribute, by `StayInHand.has_summary`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app.domain.document import READABLE, DocumentKey, document_key, heard, own_key, replaced, view
from app.domain.event_order import sort_key
from app.domain.interpreted import Interpreted
from app.domain.person import Resolved
from app.domain.visit_key import named_visit, visit_key
from app.ports import Ids
from app.store import documents
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
    before = {key: (row.said, row.mode) for key, row in rows.items()}
    persons = {resolved.record_id: resolved.person_id for resolved in whose}
    for item, resolved in told:
        _take(rows, item, resolved, received.get(item.message_id, now), ids)
    changed = [row for key, row in rows.items() if before.get(key) != (row.said, row.mode)]
    touched: list[Touched] = []
    for row in changed:
        was_summary, was_restricted = row.is_summary, row.is_restricted
        visit = _read_off(row, persons)
        # What nobody may know of, before and now, changes nothing that anybody could see.
        if visit is not None and row.person_id is not None and not (row.is_restricted and (was_restricted or row.key not in before)):
            was_live = row.key in before and before[row.key][1] == "live"
            is_news = row.mode == "live" and (was_summary and was_live) != row.is_summary
            touched.append(Touched(row.facility_id, visit, row.person_id, is_news))
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
    row.received_at = min(row.received_at, received_at)
    row.mode = min(row.mode, mode, key=MODES.index)
    return row


def _read_off(row: DocumentRow, persons: Mapping[UUID, UUID]) -> tuple[str, str] | None:
    """Put what the document is by now into the columns by which it is found; give the stay's number."""
    seen = view(row.said)
    if seen is None:
        return None
    if row.record_id != seen.record_id:
        row.record_id = seen.record_id
        row.person_id = persons.get(seen.record_id, row.person_id)
    row.visit_key = documents.visit_key(*seen.visit) if seen.visit else None
    row.is_restricted = seen.is_restricted
    row.is_summary = seen.is_summary and not seen.is_restricted and seen.status in READABLE
    return seen.visit
