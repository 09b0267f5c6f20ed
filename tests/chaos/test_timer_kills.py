"""Clocks run out while workers and the database are killed again and again: each step is told once, and none is forgotten (R1).

Clocks of hours are driven by the wall clock, so each discharge is dated so that a half, four fifths or the whole of its three days is over
a few seconds after it is sent; in waves, so that a kill meets a round with many. Which steps are to be told is worked out here, from the
time at which each discharge became known. `TEST_CHAOS=long` kills more often and for longer.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx
import pytest

from adapters.hl7v2.client import MllpClient, MllpError
from adapters.postgresql.embedded import EmbeddedPostgres
from app.store.engine import PoolLimits, connection_settings
from app.store.roles import Network, Role
from tests.chaos.conftest import LONG
from tests.chaos.killing import kill_again_and_again
from tests.support.messages import adt
from tests.support.service import Service, make_exchange, running_service

STAYS, WAVES, WORKER_KILLS, DATABASE_KILLS, PAUSE_S = (2_400, 120, 150, 40, 0.4) if LONG else (144, 8, 4, 3, 0.7)
SENDERS = 4
FIRST = STAYS
"""A discharge that nothing is told of: how long it takes says how long before their first step the others have to be sent."""
LENGTH = timedelta(hours=72)
STEPS = {"mo_cmhc_hch.contact_72h": (50, 80, 100), "mo_cmhc_hch.medication_review": (80, 100)}
"""Clock -> the shares of its time at which somebody is told; the whole is over a second after it is due."""
GRACE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be told, or was: which share of which clock of whose follow-up."""

    follow_up: str
    clock: str
    percent: int


def discharge(number: int, at: datetime) -> bytes:
    """Write a discharge of a patient of their own; of her stay nothing was heard before."""
    said = at.strftime("%Y%m%d%H%M%S+0000")
    admitted = (at - timedelta(days=2)).strftime("%Y%m%d%H%M%S+0000")
    return adt(
        "A03", said, control=f"T{number}", mrn=f"M{number}", visit=f"V{number}", medicaid=f"MT{number}", disposition="01",
        name=f"Alder{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}{chr(97 + number // 676)}^Ann",
        admitted=admitted, discharged=said, diagnoses=(("F32.2", "F"),),
    )  # fmt: skip


async def send_all(service: Service) -> None:
    """Send every discharge, each so that a step of its clocks comes with its wave; wait until the first wave is near."""
    began_s = time.monotonic()
    await send(service, discharge(FIRST, _second() - timedelta(hours=20)))
    async with service.client("behavioral_health_home") as home:
        while not (await home.get("/v1/follow-ups")).json()["items"]:
            assert time.monotonic() < began_s + 60, "no follow-up was opened"
            await asyncio.sleep(0.02)
    ahead = timedelta(seconds=2 + 10 * (time.monotonic() - began_s))
    begins_at = _second() + ahead
    numbers = iter(range(STAYS))

    async def be_one() -> None:
        for number in numbers:
            reached_at = max(begins_at + timedelta(seconds=number % WAVES), _second() + ahead)
            await send(service, discharge(number, reached_at - LENGTH * (50, 80, 100)[number // WAVES % 3] / 100))

    await asyncio.gather(*(be_one() for _ in range(SENDERS)))
    await asyncio.sleep((begins_at - datetime.now(UTC)).total_seconds() - 0.5)


async def send(service: Service, message: bytes) -> None:
    """Send a message until it is taken."""
    ends_s = time.monotonic() + 60
    while True:
        with contextlib.suppress(MllpError):
            async with MllpClient("127.0.0.1", service.mllp_ports[0], answer_timeout_s=15) as client:
                if (await client.send(message)).code == "AA":
                    return
        assert time.monotonic() < ends_s, f"never acknowledged; the log: {service.last_words()}"
        await asyncio.sleep(0.05)


def _second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def claim_everybody(service: Service) -> None:
    """Upload a panel of a program whose clocks count hours."""
    async with service.client() as operator:
        organizations = (await operator.get("/v1/organizations")).json()["items"]
        (home,) = (item["id"] for item in organizations if item["kind"] == "behavioral_health_home")
        rows = [f"MT{number},Ann,Alder,1980-01-02,F,CMHC HCH,2026-01-01" for number in range(STAYS + 1)]
        roster = "\n".join(["medicaid_id,first_name,last_name,birth_date,sex,program,effective_from", *rows, ""])
        sent = {"params": {"mode": "delta"}, "content": roster, "headers": {"Content-Type": "text/csv"}}
        answer = await operator.post(f"/v1/panels/{home}/uploads", **sent)
        assert answer.json()["accepted"] == STAYS + 1, answer.text


@pytest.mark.timeout(3_600 if LONG else 600)
async def test_every_timer_fires_once_however_often_workers_and_databases_are_killed() -> None:
    with TemporaryDirectory(prefix="hk-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        async with running_service(folder) as service:
            await make_exchange(service)
            await claim_everybody(service)
            await send_all(service)
            killing_at = datetime.now(UTC)
            kills = {"workers": WORKER_KILLS, "databases": DATABASE_KILLS, "pause_s": PAUSE_S, "back_within_s": 90.0}
            await kill_again_and_again(service, random.Random(3), **kills)
            killed_at = datetime.now(UTC)
            server = EmbeddedPostgres(folder / "data")
            try:
                settings = connection_settings(Network("handoff"), Role.OWNER, PoolLimits(), name="chaos")
                connection = await asyncpg.connect(server.start(), server_settings=settings)
                wanted = await wanted_steps(connection)
                await until_told(connection, len(wanted), max(wanted.values()))
                await check(connection, set(wanted))
                fired = await connection.fetch("select distinct fired_at from timer_notice where outcome = 'told'")
                beside = [row["fired_at"] for row in fired if killing_at < row["fired_at"] < killed_at]
                assert len(wanted) >= STAYS / 2, "most discharges are known before their clocks run out, or this shows nothing"
                assert beside, "timers fired between the kills, or this shows nothing"
                await connection.close()
            finally:
                server.release()
            await check_reader(service, len(wanted))


async def wanted_steps(connection: asyncpg.Connection) -> dict[Step, datetime]:
    """Give what is to be told and from when on: what lay ahead when the due time became known. Waits until every discharge is known."""
    ends_s = time.monotonic() + 60
    while await connection.fetchval("select count(*) from follow_up where state = 'open'") <= STAYS:
        assert time.monotonic() < ends_s, "the discharges are not worked off"
        await asyncio.sleep(0.1)
    wanted: dict[Step, datetime] = {}
    for row in await connection.fetch("select id, anchor_at, clocks from follow_up"):
        clocks = {one["id"]: one for one in _document(row["clocks"])}
        assert clocks.keys() == STEPS.keys()
        for clock, shares in STEPS.items():
            known_at = datetime.fromisoformat(clocks[clock]["known_at"])
            for percent in shares:
                at = row["anchor_at"] + LENGTH * percent / 100 + (GRACE if percent == 100 else timedelta())
                # The next share of any of these clocks is hours away.
                if known_at < at < datetime.now(UTC) + timedelta(hours=1):
                    wanted[Step(str(row["id"]), clock, percent)] = at
    return wanted


def _document(said: Any) -> Any:
    return json.loads(said) if isinstance(said, str) else said


async def until_told(connection: asyncpg.Connection, count: int, last_at: datetime) -> None:
    """Wait until the last step is reached and so many are told; and then a while, for what is told too often."""
    ends_s = time.monotonic() + 40
    while datetime.now(UTC) < last_at or await connection.fetchval("select count(*) from timer_notice where outcome = 'told'") < count:
        assert time.monotonic() < ends_s, "timers do not fire"
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)


async def check(connection: asyncpg.Connection, wanted: set[Step]) -> None:
    """Each step that was reached is noted and told once, and the home's sequence has no gap."""
    noted = await connection.fetch("select follow_up_id, name, step, outcome from timer_notice")
    assert Counter((Step(str(row["follow_up_id"]), row["name"], row["step"]), row["outcome"]) for row in noted) == Counter(
        (one, "told") for one in wanted
    )
    sent = await connection.fetch("select recipient_id, sequence, type, follow_up_id, payload from notification order by 1, 2")
    assert all(after["sequence"] == before["sequence"] + 1 for before, after in pairwise(sent)), "a gap in the sequence"
    told: Counter[Step] = Counter()
    for row in sent:
        if row["type"].startswith("follow_up."):
            said = _document(row["payload"])
            step = Step(str(row["follow_up_id"]), said["clock"]["id"], said["escalation"]["percent"])
            assert row["type"] == ("follow_up.overdue" if step.percent == 100 else "follow_up.due")
            told[step] += 1
    assert told == Counter(wanted)
    assert {one.percent for one in wanted} == {50, 80, 100}


async def check_reader(service: Service, count: int) -> None:
    """The home reads the same by polling: every number, and each notice once."""
    after, listed = 0, []
    async with service.client("behavioral_health_home") as home:
        while True:
            answer = await _patient_get(home, {"after": after, "limit": 1000})
            listed += answer["items"]
            if len(answer["items"]) < 1000:
                break
            after = answer["items"][-1]["sequence"]
    assert [one["sequence"] for one in listed] == list(range(1, len(listed) + 1))
    assert sum(one["type"] in {"follow_up.due", "follow_up.overdue"} for one in listed) == count


async def _patient_get(home: httpx.AsyncClient, params: dict[str, int]) -> Any:
    """The door may still be finding its database again."""
    for _ in range(100):
        answer = await home.get("/v1/notifications", params=params)
        if answer.status_code == 200:
            return answer.json()
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)
