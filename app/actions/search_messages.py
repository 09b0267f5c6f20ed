"""Find messages by what people know of them: those that something was made of by their records and stays, the others by looking in.

Not here: reading what was typed (domain/message_search) and showing what was found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from app.domain.message_search import MessageQuery
from app.domain.viewer import Viewer
from app.ports import Cipher, FieldReader
from app.store.inbound_search import Unread, newest_unread
from app.store.raw import Raw

LOOKED_INTO = "message_text"

FindIds = Callable[[Viewer, MessageQuery, UUID | None, int], Awaitable[dict[UUID, str]]]
"""Gives the ids that records and stays lead to, as the work role: see store/inbound_search."""


@dataclass(frozen=True, slots=True)
class MessageSearch:
    """Searches. One per process."""

    find_ids: FindIds
    cipher: Cipher
    readers: Sequence[FieldReader]
    """One of each format; who is not asked for its own gives nothing."""

    async def search(self, raw: Raw, viewer: Viewer, query: MessageQuery, *, before: UUID | None, limit: int) -> dict[UUID, str]:
        """Give the newest messages that the query finds, and how; `raw` is the viewer's own transaction."""
        found = await self.find_ids(viewer, query, before, limit)
        unread = await newest_unread(raw, viewer, before=before)
        for id_ in await asyncio.to_thread(self._look_into, query, unread):
            found.setdefault(id_, LOOKED_INTO)
        return dict(sorted(found.items(), reverse=True)[:limit])

    def _look_into(self, query: MessageQuery, unread: Sequence[Unread]) -> list[UUID]:
        return [one.id for one in unread if self._says(query, one)]

    def _says(self, query: MessageQuery, one: Unread) -> bool:
        # What does not open says nothing to anybody.
        with suppress(Exception):
            body = self.cipher.decrypt(one.cipher_key_id, one.body, one.id.bytes)
            return any(query.found_in(fields) for reader in self.readers if (fields := reader.fields(body)) is not None)
        return False
