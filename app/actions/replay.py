"""Have a stored message read again with its feed's present settings. Its outcome is replaced when the pipeline has worked on it.

Replaying changes nothing that still holds: every rule is a function of what happened, not of how often it was heard.
"""

from collections.abc import Callable
from uuid import UUID

from app.domain.viewer import Viewer
from app.ports import AdtReader, Cipher
from app.store.inbound_reads import find_message
from app.store.inbound_replay import requeue
from app.store.raw import Raw

LaneOf = Callable[[UUID, str], int]
"""Feed and patient record number to lane: the same as at the door, so a replay keeps to the order of its lane."""


async def replay(raw: Raw, viewer: Viewer, message_id: UUID, *, reader: AdtReader, cipher: Cipher, lane_of: LaneOf) -> bool:
    """Queue a message of the viewer's; False when there is none, or no feed claims it and so nobody can interpret it."""
    found = await find_message(raw, viewer, message_id)
    if found is None:
        return False
    message, stored = found
    if message.feed_id is None:
        return False
    header = reader.header(cipher.decrypt(stored.cipher_key_id, stored.body, message.id.bytes))
    await requeue(raw, message.id, lane_of(message.feed_id, header.lane_key))
    return True
