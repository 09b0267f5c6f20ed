"""`/v1/documents`: the bytes behind a pointer, and pointers without a stay; those with one are shown with the stay and the follow-up."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response

from app.actions.read_document import locate_document
from app.api.answers import JsonResponse, ok
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import not_found
from app.api.schemas.common import DocumentId
from app.api.schemas.unfiled_documents import UnfiledDocumentPage, unfiled_json
from app.domain.document import SERVED_TYPES
from app.domain.privacy import Decision, security_labels
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store.documents import message_of
from app.store.engine import raw_connection
from app.store.unfiled_documents import unfiled_documents

router = APIRouter(route_class=GuardedRoute, tags=["encounters"])

Reader = Annotated[Viewer, Depends(Access(Scope.NOTIFICATIONS_READ, Scope.FOLLOW_UPS_READ, Scope.ADT_WRITE))]

Hospital = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, Scope.ADMIN))]

_LIST = "unfiled"

_SUFFIXES: Final = {
    "application/pdf": ".pdf",
    "application/rtf": ".rtf",
    "application/xml": ".xml",
    "application/dicom": ".dcm",
    "text/plain": ".txt",
    "text/html": ".html",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tiff",
    "image/gif": ".gif",
}
_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""What a hospital sends may be any page or script: nothing of it may run or load here, even if a browser shows it after all."""
_BYTES: Final = {"type": "string", "format": "binary"}


_ANSWER: Final = {
    "description": "The bytes as the hospital sent them, as a file to be saved",
    "content": {media_type.partition(";")[0]: {"schema": _BYTES} for media_type in sorted(SERVED_TYPES)},
}


@router.get("/v1/documents/unfiled", responses=ok(UnfiledDocumentPage, "A page, the newest first"))
async def list_unfiled(viewer: Hospital, services: FromServices, page: PageOfQuery) -> Response:
    """List the documents of the key's facility that found no stay: nobody sees them with one, and no home knows of them.

    A document finds its stay by the visit's number and the person, whichever comes first; correct the number and send it again.
    A page looks at 10,000 documents: it may be short or empty and have a `next` all the same.
    """
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await unfiled_documents(await raw_connection(connection), viewer, after=key[0] if key else None, limit=page.limit)
    return JsonResponse(listing([unfiled_json(one) for one in found.documents], spell_cursor(_LIST, found.below) if found.below else None))


@router.get("/v1/documents/{document_id}/content", responses={200: _ANSWER})
async def read_content(document_id: DocumentId, viewer: Reader, services: FromServices) -> Response:
    """Give the bytes of a document, as a file to be saved, to whoever may see its whole stay. To everybody else there is none.

    They are read out of the message, which is kept verbatim. A document that was taken back, or is not for patient care, has none.
    Where a consent lets it go, Disclosure-Labels, Disclosure-Notice and Disclosure-Scope accompany it (42 CFR 2.32).
    """
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        located = await locate_document(raw, viewer, document_id, directory=directory, read_stay=services.read_stay)
    if located is None:
        raise not_found("document")
    async with services.unit_of_work(OPERATOR) as connection:
        message = await message_of(await raw_connection(connection), located.message_id)
    feed = directory.feeds.get(message.feed_id) if message is not None and message.feed_id is not None else None
    if message is None or feed is None:
        raise not_found("document")
    body = services.cipher.decrypt(message.cipher_key_id, message.body, message.id.bytes)
    content = services.readers[message.format].content(body, feed, located.content.place)
    if content is None:
        raise not_found("document")
    media_type = located.content.media_type
    name = public_id(Kind.DOCUMENT, document_id) + _SUFFIXES.get(media_type.partition(";")[0], ".bin")
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Security-Policy": _POLICY}
    headers |= _travelling(located.decision)
    return Response(content, media_type=media_type, headers=headers)


def _travelling(decision: Decision) -> dict[str, str]:
    """Give what accompanies the bytes (42 CFR 2.32): labels, the notice word for word, and the scope, percent-encoded (RFC 8187)."""
    found = {}
    if decision.notices:
        found["Disclosure-Labels"] = ", ".join(label["code"] for label in security_labels(decision.labels))
        found["Disclosure-Notice"] = " ".join(one.text for one in decision.notices)
        found["Disclosure-Scope"] = f"UTF-8''{quote(decision.scope or '', safe='')}"
    return found
