"""Put stored messages through rooms 3-7 again, for example after a profile was corrected. The fold makes it harmless to repeat.

Called inside the caller's unit of work, as the caller: row-level security decides which messages are its own to replay.
"""

from collections.abc import Sequence
from uuid import UUID

from app.store import inbound
from app.store.raw import Raw


async def replay(raw: Raw, messages: Sequence[UUID], lanes: int) -> int:
    """Queue the messages; give how many were found and can be interpreted (a message without a feed cannot)."""
    return await inbound.requeue(raw, messages, lanes)
