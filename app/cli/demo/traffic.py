"""Sends the story: one MLLP connection or one HTTP client a hospital, at a modest pace, as an interface engine would.

Not here: what is sent (story.py).
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from adapters.hl7v2.client import MllpClient, MllpError
from adapters.hl7v2.er7 import Er7Message, tokenize
from app.cli.demo.cast import HOSPITALS, Hospital
from app.cli.demo.network import Network
from app.cli.demo.numbers import Numbers
from app.cli.demo.story import Message, Story
from app.cli.http_client import HttpError

PAST_PER_S: Final = 40.0
PRESENT_PER_S: Final = 1.5
_AGAIN_S: Final = 0.5
_OK: Final = 200
_ER7: Final = {"Content-Type": "application/hl7-v2"}


class Traffic:
    """The senders of the hospitals."""

    def __init__(self, network: Network, mllp_host: str, mllp_port: int, numbers: Numbers) -> None:
        """Connect to nothing yet."""
        self._network, self._numbers = network, numbers
        self.is_past_sent = False
        """The history is with the senders; what comes now is the present."""
        self._queues: dict[str, asyncio.Queue[Message]] = {hospital.key: asyncio.Queue() for hospital in HOSPITALS}
        self._mllp = {hospital.key: MllpClient(mllp_host, mllp_port) for hospital in HOSPITALS if hospital.door == "mllp"}

    async def run(self, story: Story, now: Callable[[], datetime]) -> None:
        """Send the past, then the present until cancelled."""
        senders = [asyncio.create_task(self._send_all(hospital)) for hospital in HOSPITALS]
        try:
            await self._put(story.past(), PAST_PER_S)
            self.is_past_sent = True
            while True:  # the pace of the present; nothing else ends it than a cancellation
                await self._put(story.present(now()), PRESENT_PER_S)
                await asyncio.sleep(1 / PRESENT_PER_S)
        finally:
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            for client in self._mllp.values():
                await client.close()

    async def _put(self, messages: Sequence[Message], per_s: float) -> None:
        for one in messages:
            self._queues[one.hospital.key].put_nowait(one)
            await asyncio.sleep(1 / per_s)

    @property
    def waiting(self) -> int:
        """How many messages were not sent yet."""
        return sum(queue.qsize() for queue in self._queues.values())

    async def _send_all(self, hospital: Hospital) -> None:
        while True:
            one = await self._queues[hospital.key].get()
            while (code := await self._send(hospital, one.body)) is None:  # noqa: ASYNC110 - each round sends
                # Not answered: the same message again, until it is. It is taken once.
                await asyncio.sleep(_AGAIN_S)
            self._numbers.sent[hospital.key] += 1
            self._numbers.answers[hospital.key, code] += 1
            self._numbers.last = f"{hospital.name}: {one.shows}"

    async def _send(self, hospital: Hospital, body: bytes) -> str | None:
        if hospital.door == "mllp":
            try:
                return (await self._mllp[hospital.key].send(body)).code
            except MllpError:
                return None
        try:
            answer = await self._network.members[hospital.key].client.post("/hl7v2", content=body, headers=_ER7)
        except HttpError:
            return None
        if answer.status != _OK:
            return None
        message = tokenize(answer.body)
        msa = message.first("MSA") if isinstance(message, Er7Message) else None
        return msa.raw(1) if msa is not None else None
