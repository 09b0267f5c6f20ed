"""A frame of MLLP that holds a batch (FHS/BHS): its messages one by one, and one batch of acknowledgements back (BATCH-1).

A bare run of messages in one frame is no batch but a mistake of framing, and is answered as one message (ACK-6). Not here: cutting and
joining (adapters/hl7v2/batch), and what becomes of one message (app/intake).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from adapters.hl7v2.batch import join_acks, split_batch
from adapters.hl7v2.peers import Said, Unwelcome
from app.intake import Received
from app.ports import Clock, Ids

_CONCURRENT_MAX: Final = 64
"""Messages of one frame that are under way at once: they share commits."""
_HEAD_OCTETS: Final = 64


def is_batch(frame: bytes) -> bool:
    """Tell whether a frame begins with the envelope of a batch."""
    return frame[:_HEAD_OCTETS].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t")[:3] in {b"FHS", b"BHS"}


async def answer_batch(frame: bytes, receive: Callable[[bytes], Awaitable[Received]], *, clock: Clock, ids: Ids) -> Said:
    """Take each message; of a batch that a stranger sends, the first alone, whose refusal is the answer.

    What stands outside every message is answered AR, after the messages, so that a batch without a negative one was accepted whole.
    """
    batch = split_batch(frame)
    bodies = batch.messages + batch.strays
    received: list[Received] = []
    if bodies:
        received.append(await receive(bodies[0]))
        if received[0].is_of_stranger:
            return Unwelcome(received[0].acks, received[0].is_stored)
    for start in range(1, len(bodies), _CONCURRENT_MAX):
        received += await asyncio.gather(*map(receive, bodies[start : start + _CONCURRENT_MAX]))
    acks = [one.acks[-1] for one in received if one.acks]
    joined = join_acks(batch, acks, control_id=ids.new().hex[:20], at=clock.now())
    return Said((joined,), all(one.is_stored for one in received), bool(received) and received[0].is_release_2)
