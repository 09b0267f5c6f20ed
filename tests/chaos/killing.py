"""Workers and databases of a running service are killed in turn, each once it is back. Not here: what must have held meanwhile."""

import asyncio
import os
import random
import signal

from tests.support.service import Service


async def kill_again_and_again(
    service: Service, chance: random.Random, *, workers: int, databases: int, pause_s: float, back_within_s: float = 30.0
) -> None:
    """Kill so many of each in a random order, with half to one and a half pauses in between."""
    kills = ["worker"] * workers + ["database"] * databases
    chance.shuffle(kills)
    for kill in kills:
        await asyncio.sleep(pause_s * (0.5 + chance.random()))
        if kill == "worker":
            victims = await service.until(lambda: service.children("work"), "a worker", back_within_s)
            os.kill(chance.choice(victims), signal.SIGKILL)
        else:
            restarts = len(service.events("database.restarted"))
            lock = service.folder / "data/postgresql/data/postmaster.pid"
            os.kill(int(lock.read_text().split()[0]), signal.SIGKILL)
            await service.until(lambda before=restarts: len(service.events("database.restarted")) > before, "the database", back_within_s)
