"""Senders of FHIR messages over real HTTP in a process of their own, each connection with one request in flight.

    python -m tests.load.fhir_sender PORT CONNECTIONS < requests > answers

Reads a line for each message: the API key, a blank, the Bundle. Writes one for each answered message: its place in the input, when it was
sent and when it was answered (monotonic seconds). Its own HTTP, because a client library would cost more than what it measures.
"""

import asyncio
import itertools
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import uvloop

from tests.load.townsfolk import medicaid_of
from tests.load.traffic import (
    CODES,
    DISPOSITIONS,
    MESSAGES_PER_STAY,
    Mix,
    events,
    stamp_of,
    trigger_of,
    visit,
)
from tests.support.bundles import bundle, written
from tests.support.service import Service

ROOT: Final = Path(__file__).parents[2]
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_HEAD: Final = (
    "POST /fhir/$process-message HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    "Content-Type: application/fhir+json\r\nContent-Length: {length}\r\n\r\n"
)


class Poster(asyncio.Protocol):
    """One connection. Every answer has to be 200."""

    def __init__(self, work: Iterator[tuple[int, bytes]], answers: list[str]) -> None:
        self._work, self._answers = work, answers
        self._buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        for number, request in self._work:
            self._number, self._sent_s = number, time.monotonic()
            self._transport.write(request)  # type: ignore[attr-defined]
            return
        self._transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head + b"\r\n")
        if length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"message {self._number} was answered {head[:15]!r}")
        self._buffer = b""
        self._answers.append(f"{self._number} {self._sent_s:.6f} {time.monotonic():.6f}")
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or RuntimeError("the connection was closed"))


def bundles(mix: Mix) -> Iterator[tuple[int, bytes]]:
    """Write the FHIR twins of `traffic.messages`, each with the number of its hospital."""
    for at, stay, position, began_at in events(mix):
        whose = visit(mix, stay)
        facts = whose.facts
        is_end = position == MESSAGES_PER_STAY - 1
        made = bundle(
            trigger_of(mix, stay, position),
            stamp_of(at),
            control=f"F{mix.serial}-{stay:08d}-{position}",
            mrn=whose.mrn,
            visit=f"V{mix.serial}{stay:08d}",
            facility=f"HOSP{whose.hospital}",
            medicaid=medicaid_of(whose.person),
            name=f"{facts['last_name']}^{facts['first_name']}",
            born=facts["birth_date"].replace("-", ""),
            sex=facts["sex"],
            patient_class="E" if mix.is_emergency(stay) else "I",
            admitted=stamp_of(began_at),
            discharged=stamp_of(at) if is_end else "",
            disposition=DISPOSITIONS[stay % len(DISPOSITIONS)] if is_end else "",
            diagnoses=((CODES[stay % len(CODES)], "AWWF"[position]), ("I10", "W")),
            application="ADTSYS",
        )
        yield whose.hospital, written(made).replace(b"\n", b" ")


async def post(port: int, connections: int, batch: Sequence[tuple[str, bytes]]) -> list[tuple[float, float]]:
    """Let a process of its own send (key, Bundle); give when each was sent and answered, in their order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.fhir_sender", str(port), str(connections),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    out, _ = await process.communicate(b"".join(key.encode() + b" " + body + b"\n" for key, body in batch))
    assert process.returncode == 0
    lines = sorted(tuple(map(float, line.split())) for line in out.decode().splitlines())
    assert len(lines) == len(batch)
    return [(began, ended) for _, began, ended in lines]


async def run(port: int, connections: int, requests: list[bytes]) -> list[str]:
    """Send everything; give the lines."""
    answers: list[str] = []
    work = iter(zip(itertools.count(), requests, strict=False))
    loop = asyncio.get_running_loop()
    posters = [(await loop.create_connection(lambda: Poster(work, answers), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(poster.done for poster in posters))
    return answers


def main() -> None:
    """Be the process."""
    requests = []
    for line in sys.stdin.buffer.read().splitlines():
        key, _, body = line.partition(b" ")
        requests.append(_HEAD.format(key=key.decode(), length=len(body)).encode() + body)
    answers = uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), requests))
    sys.stdout.write("\n".join(answers) + "\n")


if __name__ == "__main__":
    main()


async def keys_of_hospitals(service: Service) -> list[str]:
    """Make a key for each hospital, in the order of their feeds."""
    async with service.client() as operator:
        listed = (await operator.get("/v1/organizations", params={"limit": 1000})).raise_for_status().json()["items"]
        hospitals = sorted((one["name"], one["id"]) for one in listed if one["kind"] == "hospital")
        made = [await operator.post("/v1/keys", json={"organization_id": found, "scopes": ["adt.write"]}) for _, found in hospitals]
    return [one.raise_for_status().json()["key"] for one in made]
