"""The order of commits: whatever is committed, however late, is between two places that are asked one after the other, and once."""

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.domain.commit_order import Between, Position
from app.domain.viewer import OPERATOR
from app.store import commits, follow_up_reads
from app.store.engine import raw_connection
from app.store.follow_up_reads import FollowUpCursor, FollowUpFilter
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.house.conftest import ROOT
from tests.store.test_timer_plans import PENDING_CLOCKS

STEPS, AT_ONCE = 80, 3
AT = datetime(2026, 3, 6, tzinfo=UTC)
CHANGE = "update follow_up set updated_at = $2, version = version + 1, xid = default where id = $1 returning version"
Version = tuple[UUID, int]


class Writers:
    """Transactions that change rows at a time of their own, and end in any order."""

    def __init__(self, engine: AsyncEngine, ids: list[UUID], chance: random.Random) -> None:
        self.engine, self.ids, self.chance = engine, ids, chance
        self.running: list[tuple[AsyncConnection, Raw, datetime, list[Version]]] = []
        self.committed: set[Version] = set()

    async def begin(self, now: datetime) -> None:
        """Change two rows that nobody else is at."""
        connection = await self.engine.connect()
        raw = await raw_connection(connection)
        await raw.execute("BEGIN")
        taken = {one for _, _, _, changed in self.running for one, _ in changed}
        chosen = self.chance.sample([one for one in self.ids if one not in taken], 2)
        self.running.append((connection, raw, now, [(one, await raw.fetchval(CHANGE, one, now)) for one in chosen]))

    async def end(self) -> datetime:
        """Let one of them commit, or not; give the time that it wrote."""
        connection, raw, at, changed = self.running.pop(self.chance.randrange(len(self.running)))
        rolls_back = self.chance.random() < 0.2
        await raw.execute("ROLLBACK" if rolls_back else "COMMIT")
        await connection.close()
        self.committed |= set() if rolls_back else set(changed)
        return AT if rolls_back else at


async def poll(engine: AsyncEngine, after: Position, writers: Writers) -> tuple[Position, list[Version]]:
    """Ask for what was committed since a place, in pages of two, as the API does; others commit meanwhile."""
    until: Position | None = None
    cursor: FollowUpCursor | None = None
    seen: list[Version] = []
    while True:
        async with unit_of_work(engine, None) as connection:
            raw = await raw_connection(connection)
            until = until or await commits.position(raw)
            if writers.running and writers.chance.random() < 0.5:
                await writers.end()
            wanted = FollowUpFilter(committed=Between(after, until))
            rows = await follow_up_reads.page(raw, OPERATOR, wanted, covers=False, after=cursor, limit=2)
        seen += [(row.id, row.version) for row in rows]
        if len(rows) < 2:
            return until, seen
        cursor = FollowUpCursor(rows[-1].xid, rows[-1].id)


@pytest.mark.parametrize("seed", range(3))
async def test_every_commit_is_seen_once_however_late_it_is(engine_work: AsyncEngine, seed: int) -> None:
    chance = random.Random(seed)
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(PENDING_CLOCKS.replace("20000", "9"))
        writers = Writers(engine_work, [row["id"] for row in await raw.fetch("select id from follow_up order by id")], chance)
    async with unit_of_work(engine_work, None) as connection:
        place = await commits.position(await raw_connection(connection))
    told: list[Version] = []
    missed = set()
    polled_at = AT
    for step in range(STEPS):
        now = AT + timedelta(minutes=step)
        what = chance.choice(["begin", "end", "poll"])
        if what == "begin" and len(writers.running) < AT_ONCE:
            await writers.begin(now)
        elif what == "end" and writers.running:
            before = set(writers.committed)
            if await writers.end() < polled_at:
                missed |= writers.committed - before
        elif what == "poll":
            standing = _newest(writers.committed)
            place, seen = await poll(engine_work, place, writers)
            told += seen
            still = standing & _newest(writers.committed)
            assert still <= set(told), "what was committed before the question, and is not changed since, is in an answer"
            polled_at = now
    while writers.running:
        await writers.end()
    told += (await poll(engine_work, place, writers))[1]
    assert _newest(writers.committed) <= set(told) <= writers.committed
    assert max(Counter(told).values()) == 1, "nothing comes twice"
    assert missed, "who asks by the instant of the last answer misses some, or this shows nothing"


def _newest(versions: set[Version]) -> set[Version]:
    return set({one: max(version for row, version in versions if row == one) for one, _ in versions}.items())


NUMBERS = st.integers(1, 2**62)


@given(NUMBERS, st.lists(st.integers(0, 400), unique=True).map(sorted))
def test_a_place_is_spelled_and_read_again(lowest: int, running: list[int]) -> None:
    said = [lowest + one for one in running]
    past = said[-1] + 1 if said else lowest
    place = Position.of_snapshot(f"{lowest}:{past}:{','.join(map(str, said))}")
    assert place in (Position(lowest, past, tuple(said)), Position(lowest, lowest))
    assert Position.read(place.spelled()) == place
    assert len(place.spelled()) <= 240
    assert place.running == tuple(said) or len(said) > 50, "only with many at once is it less exact"


@pytest.mark.parametrize("said", [None, 7, "", "1:2", "a:b:c", "1:2:3,", "-1:2:", "9223372036854775807:1:", "1:2:;drop"])
def test_what_is_no_place_is_refused(said: Any) -> None:
    with pytest.raises(ValueError, match="position"):
        Position.read(said)


_UPDATE = re.compile(
    r"update (follow_up|encounter|measure_line)( [a-z])? set (.*?)(?= where | from |\n *from |\n *where |\nfrom )", re.DOTALL
)
_UPSERT = re.compile(r"insert into (follow_up|encounter) .*?do update set (.*?)\"\"\"", re.DOTALL)
_SHOWN = re.compile(r"\b(updated_at|known_to) = ")


def test_every_statement_that_says_that_something_changed_writes_its_number() -> None:
    """One that does not is seen by nobody who polls: nothing else would notice."""
    found, silent = 0, []
    for path in sorted((ROOT / "app" / "store").rglob("*.py")):
        # Joined, as the parts of a text over several lines are.
        text = re.sub(r'"\s*\n\s*f?"', "", Path(path).read_text())
        for said in [match[3] for match in _UPDATE.finditer(text)] + [match[2] for match in _UPSERT.finditer(text)]:
            if _SHOWN.search(said):
                found += 1
                silent += [] if re.search(r"\bxid = (default|excluded\.xid)", said) else [f"{path.name}: {said[:80]}"]
    assert silent == []
    assert found >= 16
