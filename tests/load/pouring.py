"""What is done to the measured network in this process: messages stored through the real door, records compared."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from app.domain.inbound import Door, Envelope
from tests.load.machine import processor_s
from tests.load.network import MeasuredNetwork


async def pour(network: MeasuredNetwork, batch: Sequence[bytes]) -> None:
    """Store messages through the real door, in this process."""
    intake = network.intake()
    at_once = asyncio.Semaphore(256)

    async def one(message: bytes) -> None:
        async with at_once:
            await intake.receive(Envelope(message, Door.MLLP, datetime.now(UTC)))

    await asyncio.gather(*(one(message) for message in batch))
    await intake.close()


async def compare_all(network: MeasuredNetwork) -> tuple[int, float]:
    """Compare every record that waits for it; give how many, and the processor time of this process and of PostgreSQL."""
    server = network.server.server_pid()
    assert server is not None
    pipeline, records, spent_s = network.pipeline(), 0, processor_s([server]) + time.process_time()
    while not (worked := await pipeline.match_once()).idle:
        records += worked.reconsidered
    return records, processor_s([server]) + time.process_time() - spent_s


async def compare_as_new(network: MeasuredNetwork, connection: asyncpg.Connection, newest: int) -> tuple[int, float]:
    """Forget by what the newest records are found, and compare them as when they came; give as `compare_all`."""
    await connection.execute(
        "with newest as (select id from patient_record order by id desc limit $1),"
        " blocks as (delete from record_block where record_id in (select id from newest)),"
        " keys as (delete from record_keys where record_id in (select id from newest))"
        " insert into match_pending (record_id, has_question) select id, false from newest order by id",
        newest,
    )
    return await compare_all(network)
