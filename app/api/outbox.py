"""Reading one recipient's outbox for its routes: whose it is, a page of it, and waiting for more without holding a connection."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.actions.present_notifications import present_notifications
from app.api.problems import invalid, not_found
from app.api.services import Services
from app.domain.viewer import Viewer
from app.store.engine import raw_connection
from app.store.notification_reads import StoredNotification, find_notification, may_read_outbox, read_outbox
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class OutboxPage:
    """What was read: the notifications as they may be read now, and the last number seen."""

    items: Sequence[dict[str, Any]]
    last: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Outbox:
    """One recipient's outbox, opened for a viewer who may read it."""

    services: Services
    recipient_id: UUID
    viewer: Viewer
    """The recipient itself as far as the database is concerned: who was granted its rows sees them as it does."""

    async def read(self, after: int, limit: int) -> OutboxPage:
        """Read a page. Three statements, whatever its length."""
        async with self.services.unit_of_work(self.viewer) as connection:
            raw = await raw_connection(connection)
            rows = await read_outbox(raw, self.viewer, self.recipient_id, after=after, limit=limit + 1)
            shown: list[StoredNotification] = rows[:limit]
            items = []
            if shown:
                directory = await self.services.registry.current(raw)
                items = await present_notifications(raw, self.viewer, shown, directory=directory, read_stay=self.services.read_stay)
        return OutboxPage(items, shown[-1].sequence if shown else after, has_more=len(rows) > limit)

    async def read_or_wait(self, after: int, limit: int, wait_s: float) -> OutboxPage:
        """Read a page; when it is empty wait up to `wait_s` for one. Nothing is held meanwhile."""
        if not wait_s:
            return await self.read(after, limit)
        ends_s = self.services.monotonic() + wait_s
        with self.services.arrivals.watch(self.recipient_id) as watch:
            while True:
                page = await self.read(after, limit)
                left_s = ends_s - self.services.monotonic()
                if page.items or left_s <= 0 or not await watch.news(after, left_s):
                    return page


async def open_outbox(services: Services, viewer: Viewer, organization_id: UUID | None) -> Outbox:
    """Open the outbox that a request asks for: the key's own, one that was granted to it, or any for the operator."""
    recipient_id = organization_id or viewer.organization_id
    if recipient_id is None:
        raise invalid("/organization_id", "is needed: this key belongs to no organization, so say whose notifications", where="query")
    if recipient_id != viewer.organization_id and not viewer.is_operator:
        async with services.unit_of_work(viewer) as connection:
            if not await may_read_outbox(await raw_connection(connection), viewer, recipient_id):
                raise not_found("organization")
    return Outbox(services, recipient_id, _as_recipient(viewer, recipient_id))


@dataclass(frozen=True, slots=True)
class OpenedNotification:
    """One notification inside an open unit of work."""

    raw: Raw
    viewer: Viewer
    found: StoredNotification
    shown: dict[str, Any]
    """As it may be read now."""


@asynccontextmanager
async def opened_notification(services: Services, viewer: Viewer, notification_id: UUID) -> AsyncIterator[OpenedNotification]:
    """Open one notification that the viewer may read, its own or one of an outbox that was granted to it."""
    async with AsyncExitStack() as stack:
        raw = await raw_connection(await stack.enter_async_context(services.unit_of_work(viewer)))
        found = await find_notification(raw, viewer, notification_id)
        if found is None:
            raise not_found("notification")
        reader = _as_recipient(viewer, found.recipient_id)
        if reader != viewer:
            raw = await raw_connection(await stack.enter_async_context(services.unit_of_work(reader)))
        directory = await services.registry.current(raw)
        shown = await present_notifications(raw, reader, [found], directory=directory, read_stay=services.read_stay)
        yield OpenedNotification(raw, reader, found, shown[0])


def _as_recipient(viewer: Viewer, recipient_id: UUID) -> Viewer:
    """Give the recipient's view to whom it granted its rows."""
    return viewer if viewer.is_operator else replace(viewer, organization_id=recipient_id)
