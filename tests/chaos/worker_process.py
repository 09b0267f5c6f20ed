"""A worker in a process of its own, with traps in its reader; it works until its standard input ends.

python -m tests.chaos.worker_process DATABASE_URL DATA_DIR IDLE_IN_TRANSACTION_MS
"""

import asyncio
import os
import select
import sys
from dataclasses import replace

from app import wiring
from app.actions.identify import IdentityMovedError
from app.domain.inbound import Format
from app.pipeline import BatchFailedError, Pipeline
from app.settings import load_settings
from app.store.failures import is_unavailable
from app.store.roles import Role
from tests.chaos.traps import TrappedReader
from tests.properties.world import RULES, NoWaker

BATCH = 50


async def work(pipeline: Pipeline) -> None:
    """Do what the service's worker does, without its hints, log and deliveries."""
    most = BATCH
    while not _input_has_ended():
        try:
            worked = await pipeline.work_once(0, suspects=True)
            if worked.idle:
                worked = await pipeline.work_once(0, most)
            await pipeline.reconsider_once()
            most = min(BATCH, most * 2)
        except BatchFailedError as error:
            most = max(1, error.messages // 2)
            continue
        except IdentityMovedError:
            continue
        except Exception as error:
            if not is_unavailable(error):
                raise
            sys.stdout.write("unavailable\n")
            sys.stdout.flush()
            await asyncio.sleep(0.05)
            continue
        if worked.idle:
            await asyncio.sleep(0.02)


def _input_has_ended() -> bool:
    ready, _, _ = select.select([0], [], [], 0)
    return bool(ready) and os.read(0, 1) == b""


async def main() -> None:
    """Be the process."""
    url, folder, idle_ms = sys.argv[1:4]
    settings = load_settings({"HANDOFF_DATA_DIR": folder, "HANDOFF_WORKERS": "1", "HANDOFF_IDLE_IN_TRANSACTION_TIMEOUT_MS": idle_ms})
    keys = wiring.keys_of(settings)
    clock, ids = wiring.SystemClock(), wiring.SystemIds()
    engine = wiring.engine_of(settings, url, Role.WORK, name="chaos worker")
    built = wiring.build_pipeline(settings, engine, keys, RULES, clock=clock, ids=ids, waker=NoWaker())
    await work(replace(built, rooms=replace(built.rooms, readers={Format.ER7: TrappedReader()})))
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
