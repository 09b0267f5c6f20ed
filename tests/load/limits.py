"""The raw limits that the figures stand beside: cutting text, reading a message, and committing the same rows with nothing around it."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol
from uuid import UUID

from adapters.hl7v2.er7 import tokenize
from adapters.hl7v2.reader import Hl7v2Reader
from app import wiring
from app.domain.feed import FeedMode
from app.domain.inbound import AckCode, Format
from app.store import inbound
from app.store.directory import read
from app.store.inbound import MessageRow
from tests.load.network import MeasuredNetwork
from tests.load.traffic import Mix, messages

SAMPLE = 2_000
GROUP = 64
COMMITTERS = 2


class Say(Protocol):
    """Keeps and prints a figure."""

    def __call__(self, name: str, value: float, unit: str, beside: str = "") -> None:
        """Do it."""


async def measure(say: Say, title: Callable[[str], None], network: MeasuredNetwork, mix: Mix) -> None:
    """Measure them all."""
    sample = list(islice(messages(mix), SAMPLE))
    title(f"Raw limits ({sum(map(len, sample)) / len(sample):,.0f} bytes a message)")
    split_us = _microseconds(sample, lambda body: [line.split("|") for line in body.decode().split("\r")])
    tokenize_us = _microseconds(sample, tokenize)
    reader = Hl7v2Reader()
    async with wiring.open_transaction(network.engine())() as raw:
        feeds = {feed.sending_facility: feed for feed in (await read(raw)).feeds.values()}
    read_us = _microseconds(sample, lambda body: reader.read(body, feeds[reader.header(body).sending_facility]))
    say("split into segments and fields with str.split", 1e6 / split_us, "messages/s", f"{split_us:.1f} us")
    say("tokenizer alone", 1e6 / tokenize_us, "messages/s", f"{tokenize_us:.1f} us, {tokenize_us / split_us:.1f} times split")
    say("whole reading into an event", 1e6 / read_us, "messages/s", f"{read_us:.1f} us")
    say("raw group commit of the same rows", await _group_commit(network, sample), "rows/s", f"{COMMITTERS} at once, {GROUP} rows a commit")


def _microseconds(sample: Sequence[bytes], work: Callable[[bytes], object]) -> float:
    """Give the processor time of one, the best of three rounds."""
    best_s = float("inf")
    for _ in range(3):
        started_s = time.process_time()
        for body in sample:
            work(body)
        best_s = min(best_s, time.process_time() - started_s)
    return best_s / len(sample) * 1e6


async def _group_commit(network: MeasuredNetwork, sample: Sequence[bytes]) -> float:
    """Commit message rows with the statement of the door, without judging, encrypting or answering; then take them away."""
    transaction = wiring.open_transaction(network.engine())
    async with transaction() as raw:
        feed_id = await raw.fetchval("select id from feed limit 1")
    rows = [_row(network.ids.new(), feed_id, body, number) for number in range(3) for body in sample]
    groups = iter([rows[start : start + GROUP] for start in range(0, len(rows), GROUP)])

    async def commit() -> None:
        for group in groups:
            async with transaction() as raw:
                await inbound.store_messages(raw, group)

    await commit_warm(transaction)
    started_s = time.perf_counter()
    await asyncio.gather(*(commit() for _ in range(COMMITTERS)))
    took_s = time.perf_counter() - started_s
    async with transaction() as raw:
        await raw.execute("delete from inbound_queue")
        await raw.execute("delete from inbound_message")
    return len(rows) / took_s


async def commit_warm(transaction: wiring.OpenTransaction) -> None:
    """Open the connections."""

    async def touch() -> None:
        async with transaction() as raw:
            await raw.fetchval("select pg_sleep(0.01)")

    await asyncio.gather(*(touch() for _ in range(COMMITTERS)))


def _row(message_id: UUID, feed_id: UUID, body: bytes, number: int) -> MessageRow:
    return MessageRow(
        id=message_id,
        feed_id=feed_id,
        organization_id=None,
        door="mllp",
        format=Format.ER7.value,
        received_at=datetime.now(UTC),
        cipher_key_id=0,
        body=body,
        control_id=f"{number}",
        trigger="A01",
        content_hash=hashlib.sha256(body).digest(),
        ack_code=AckCode.AA,
        problems=(),
        lane=number,
        mode=FeedMode.LIVE,
    )
