"""Putting a stored message back on the queue. The message row itself is never changed."""

from uuid import UUID

from app.store.raw import Raw


async def requeue(raw: Raw, message_id: UUID, lane: int) -> None:
    """Queue the message in its lane with its attempts forgotten; one that already waits keeps its place."""
    await raw.execute(
        "insert into inbound_queue (message_id, lane) values ($1, $2) on conflict (message_id) do update set attempts = 0", message_id, lane
    )
