"""What `may_be_told` costs a message: the same pipeline with it, and with one that lets everything be told without asking.

In turn on batches of one stream, in one process, so that whatever else the machine does meets both alike. With it: what people signed is
read, and every recipient is decided. Without: nothing is read and everything is full. Reading off what a place is belongs to both.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from unittest.mock import patch

from app.actions import attribute, fold_reports, move_follow_ups, tell_follow_ups
from app.domain import own_status, responsible_home, seeing
from app.domain.inbound import Door, Envelope
from app.domain.privacy import Decision, Tier
from app.store import consents
from tests.load.limits import Say
from tests.load.machine import processor_s
from tests.load.network import MeasuredNetwork
from tests.load.traffic import Mix, messages

BATCHES: Final = 16
SHARE_MAX: Final = 10.0
"""Percent of what rooms 3-7 cost a message."""
_PLACES: Final = (attribute, fold_reports, move_follow_ups, tell_follow_ups, own_status, responsible_home, seeing)
_FULL: Final = Decision(Tier.FULL, ("nobody was asked",), ("N",))


def _full(*_: object, **__: object) -> Decision:
    return _FULL


async def _nothing_signed(*_: object) -> dict[Any, Any]:
    return {}


@contextmanager
def _decided(*, is_asked: bool) -> Iterator[None]:
    if is_asked:
        yield
        return
    with patch.object(consents, "of_people", _nothing_signed):
        patches = [patch.object(place, "may_be_told", _full) for place in _PLACES]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


async def measure(say: Say, title: Callable[[str], None], network: MeasuredNetwork, mix: Mix, count: int) -> None:
    """Measure it over so many messages."""
    title(f"The decision, {count:,} messages in turn with it and without")
    server = network.server.server_pid()
    assert server is not None
    pipeline, intake, stream = network.pipeline(), network.intake(), messages(mix)
    size = count // BATCHES
    spent = {True: 0.0, False: 0.0}
    # The first batch warms both; then with, without, without, with: what grows meanwhile meets both alike.
    for turn in range(-1, BATCHES):
        is_asked = turn % 4 in (0, 3)
        await asyncio.gather(*(intake.receive(Envelope(one, Door.MLLP, datetime.now(UTC))) for one in islice(stream, size)))
        with _decided(is_asked=is_asked):
            began_s, server_s = time.process_time(), processor_s([server])
            while not (await pipeline.work_once(0, size)).idle:
                pass
            took_s = time.process_time() - began_s + processor_s([server]) - server_s
        if turn >= 0:
            spent[is_asked] += took_s
    await intake.close()
    each_ms = {asked: total / (size * BATCHES / 2) * 1000 for asked, total in spent.items()}
    share = (each_ms[True] - each_ms[False]) / each_ms[True] * 100
    say("rooms 3-7 with the decision, processor time a message", each_ms[True], "ms", f"without it {each_ms[False]:.2f} ms")
    say("the decision, of what a message costs", share, "%", f"must {SHARE_MAX:.0f}")
