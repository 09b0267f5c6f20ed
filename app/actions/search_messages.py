"""Find messages by what people know of them: those that something was made of by their records and stays, the others by looking in.

Not here: reading what was typed (domain/message_search) and showing what was found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from app.domain.feed import Feed
from app.domain.message_search import MessageQuery
from app.domain.viewer import Viewer
from app.ports import Cipher, FieldReader
from app.store.directory import RegistryReader
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
    registry: RegistryReader = field(default_factory=RegistryReader)
    """Where each feed's profile has the visit's number."""

    async def search(self, raw: Raw, viewer: Viewer, query: MessageQuery, *, before: UUID | None, limit: int) -> dict[UUID, str]:
        """Give the newest messages that the query finds, and how; `raw` is the viewer's own transaction."""
        found = await self.find_ids(viewer, query, before, limit)
        unread = await newest_unread(raw, viewer, before=before)
        feeds = (await self.registry.current(raw)).feeds if unread else {}
        for id_ in await asyncio.to_thread(self._look_into, query, unread, feeds):
            found.setdefault(id_, LOOKED_INTO)
        return dict(sorted(found.items(), reverse=True)[:limit])

    def _look_into(self, query: MessageQuery, unread: Sequence[Unread], feeds: Mapping[UUID, Feed]) -> list[UUID]:
        return [one.id for one in unread if self._says(query, one, feeds.get(one.feed_id) if one.feed_id is not None else None)]

    def _says(self, query: MessageQuery, one: Unread, feed: Feed | None) -> bool:
        places = feed.profile.visit_number_places if feed is not None else ()
        # What does not open says nothing to anybody.
        with suppress(Exception):
            body = self.cipher.decrypt(one.cipher_key_id, one.body, one.id.bytes)
            return any(query.found_in(fields, places) for reader in self.readers if (fields := reader.fields(body)) is not None)
        return False
