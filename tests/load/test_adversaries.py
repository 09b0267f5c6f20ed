"""Whatever hostile peers do, every good one is answered and the door stays small (R14); how fast is for `make bench` to say."""

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.load import adversaries
from tests.load.hostile import KINDS
from tests.load.machine import memory_megabytes
from tests.support.service import make_exchange, running_service, visit, visits_told

SECONDS, RATE = 1.0, 20
GROWTH_MEGABYTES_MAX = 150.0
"""A hundred for a thousand idle peers, and what the others leave in flight."""


@pytest.mark.timeout(240)
async def test_every_good_peer_is_answered_and_the_door_stays_small() -> None:
    """R14, and the list of the reliability reference: each kind beside eight good peers, whose every message must be accepted."""
    with TemporaryDirectory(prefix="hb-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        async with running_service(Path(folder)) as service:
            await make_exchange(service)
            door, port = service.children("http")[0], service.mllp_ports[0]
            good = (visit(number)[:-1] for number in itertools.count(1))
            await adversaries.undisturbed(port, door, good, SECONDS, RATE)
            before = memory_megabytes(door)
            felt = [await adversaries.beside(kind, port, door, good, SECONDS, RATE) for kind in KINDS]
            assert [one.answered for one in felt] == [int(SECONDS * RATE)] * len(KINDS)
            assert {one.kind: one.held_megabytes for one in felt if one.held_megabytes - before > GROWTH_MEGABYTES_MAX} == {}
            assert service.children("http") == [door], "the door is the process that it was"
            # What was answered is told, too: the pipeline worked on beside them.
            assert len(await visits_told(service, int(SECONDS * RATE) * (1 + len(KINDS)))) == int(SECONDS * RATE) * (1 + len(KINDS))
