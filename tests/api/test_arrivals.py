"""Waiting for notifications: a hint wakes at once, the poll wakes without one, and nobody waits for ever."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from app.api.arrivals import Arrivals

SOON_S = 0.02
LONG_S = 30.0


class Numbers:
    """The recipients' highest numbers, as a test sets them."""

    def __init__(self) -> None:
        self.last: dict[UUID, int] = {}
        self.asked: list[list[UUID]] = []
        self.fails = False

    async def __call__(self, recipients: Sequence[UUID]) -> Mapping[UUID, int]:
        self.asked.append(list(recipients))
        if self.fails:
            raise ConnectionError
        return self.last


async def test_a_hint_wakes_only_its_recipient() -> None:
    arrivals, mine, other = Arrivals(Numbers(), poll_interval_s=LONG_S), uuid4(), uuid4()
    with arrivals.watch(mine) as watch, arrivals.watch(other) as another:
        waits = asyncio.create_task(watch.news(0, LONG_S)), asyncio.create_task(another.news(0, SOON_S))
        await asyncio.sleep(0)
        arrivals.wake(mine)
        assert await waits[0]
        assert not await waits[1]
    arrivals.close()


async def test_a_hint_between_the_read_and_the_wait_is_not_lost() -> None:
    arrivals, mine = Arrivals(Numbers(), poll_interval_s=LONG_S), uuid4()
    with arrivals.watch(mine) as watch:
        arrivals.wake(mine)
        assert await watch.news(0, LONG_S)
    arrivals.close()


async def test_without_a_hint_the_poll_finds_it() -> None:
    numbers, mine = Numbers(), uuid4()
    arrivals = Arrivals(numbers, poll_interval_s=0.005)
    with arrivals.watch(mine) as watch:
        waiting = asyncio.create_task(watch.news(7, LONG_S))
        numbers.last = {mine: 7}
        await asyncio.sleep(SOON_S)
        assert not waiting.done()
        numbers.last = {mine: 8}
        assert await waiting
    arrivals.close()


async def test_a_hundred_waiters_cost_one_question_a_round_and_none_when_they_are_gone() -> None:
    numbers, mine = Numbers(), uuid4()
    arrivals = Arrivals(numbers, poll_interval_s=0.005)

    async def wait() -> bool:
        with arrivals.watch(mine) as watch:
            return await watch.news(0, SOON_S)

    assert not any(await asyncio.gather(*(wait() for _ in range(100))))
    assert arrivals.waiting == 0
    rounds = len(numbers.asked)
    assert 1 <= rounds <= 2 + SOON_S / 0.005
    assert all(asked == [mine] for asked in numbers.asked)
    await asyncio.sleep(SOON_S)
    assert len(numbers.asked) <= rounds + 1


async def test_a_database_that_is_away_does_not_end_the_poll() -> None:
    numbers, mine = Numbers(), uuid4()
    numbers.fails = True
    arrivals = Arrivals(numbers, poll_interval_s=0.005)
    with arrivals.watch(mine) as watch:
        waiting = asyncio.create_task(watch.news(0, LONG_S))
        await asyncio.sleep(SOON_S)
        numbers.fails, numbers.last = False, {mine: 1}
        assert await waiting
    arrivals.close()


async def test_closing_ends_every_wait_now_and_later() -> None:
    arrivals, mine = Arrivals(Numbers(), poll_interval_s=LONG_S), uuid4()
    with arrivals.watch(mine) as watch:
        waiting = asyncio.create_task(watch.news(0, LONG_S))
        await asyncio.sleep(0)
        arrivals.close()
        assert not await waiting
        assert not await watch.news(0, LONG_S)
