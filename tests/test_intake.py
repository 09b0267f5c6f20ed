"""The door's group commit against a database that says nothing: every sender is answered, and nobody waits behind the one before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import pytest

from adapters.hl7v2.peers import Said
from adapters.hl7v2.reader import Hl7v2Reader
from app.actions.receive import Arrival
from app.domain.directory import Directory
from app.domain.feed import Feed, FeedProfile
from app.domain.inbound import AckCode, Answer, Door, Envelope, Format
from app.intake import Intake, Turns
from app.ports import Cipher, Ids, Waker
from app.store.directory import RegistryReader
from app.store.raw import Raw
from app.wiring.face import reply_of
from tests.support.fakes import FakeClock, FakeIds
from tests.support.messages import adt


@asynccontextmanager
async def mute() -> AsyncIterator[Raw]:
    """A transaction whose BEGIN nobody answers."""
    await asyncio.Event().wait()
    yield cast("Raw", None)


async def test_a_sender_is_answered_although_the_database_never_is(clock: FakeClock, ids: FakeIds) -> None:
    intake = Intake(
        mute,
        RegistryReader(),
        {Format.ER7: Hl7v2Reader()},
        lambda _body, _header, answer: (answer.code.value.encode(),),
        cipher=cast("Cipher", None),
        ids=cast("Ids", ids),
        waker=cast("Waker", None),
        group_max=64,
        stored_within_s=0.05,
    )
    envelopes = [Envelope(adt("A01", "20260302100000-0500", control=str(number)), Door.MLLP, clock.now()) for number in range(20)]
    async with asyncio.timeout(20):
        said = await asyncio.gather(*(intake.receive(envelope) for envelope in envelopes))
        await intake.close()
    assert {(one.answer.code, one.is_stored) for one in said} == {(AckCode.AE, False)}


class QuickIntake(Intake):
    """Commits at once."""

    async def _commit(self, arrivals: list[Arrival]) -> list[Answer]:
        await asyncio.sleep(0)
        return [Answer(arrival.code) for arrival in arrivals]


@pytest.mark.parametrize("committers", [1, 2])
async def test_who_sends_again_in_the_moment_of_the_answer_is_heard(committers: int, clock: FakeClock) -> None:
    """The committer has seen that nothing waits and is not gone yet: it must not be counted on."""
    intake = QuickIntake(
        mute,
        RegistryReader(),
        {Format.ER7: Hl7v2Reader()},
        lambda _body, _header, answer: (answer.code.value.encode(),),
        cipher=cast("Cipher", None),
        ids=cast("Ids", None),
        waker=cast("Waker", None),
        group_max=1,
        committers=committers,
    )
    intake._directory = Directory({}, {}, {})

    async def send() -> None:
        for _ in range(3):
            assert (await intake.receive(Envelope(b"no message", Door.MLLP, clock.now()))).answer.code is AckCode.AR

    async with asyncio.timeout(20):
        await asyncio.gather(*(send() for _ in range(committers)))
        await intake.close()


@pytest.mark.parametrize("release", [1, 2])
async def test_a_sender_of_release_2_is_known_by_its_feed(release: int, clock: FakeClock) -> None:
    """MLLP-5, for each feed; what is not stored is said to be not, in the release of whoever sent it."""
    intake = QuickIntake(
        mute,
        RegistryReader(),
        {Format.ER7: Hl7v2Reader()},
        lambda _body, _header, answer: (answer.code.value.encode(),),
        cipher=cast("Cipher", None),
        ids=cast("Ids", None),
        waker=cast("Waker", None),
        group_max=1,
    )
    profile = FeedProfile(mllp_release=release)
    feed = Feed(UUID(int=1), UUID(int=2), "EPIC", "HOSPA", "America/New_York", "HOSPA", profile=profile)
    intake._directory = Directory.of([], [feed], {})
    envelope = Envelope(adt("A01", "20260302100000-0500", control="1"), Door.MLLP, clock.now())
    said = await intake.receive(envelope)
    assert reply_of(said) == Said((b"AA",), is_stored=True, is_release_2=release == 2)
    intake._commit = lost  # type: ignore[method-assign]
    assert reply_of(await intake.receive(envelope)) == Said((b"AE",), is_stored=False, is_release_2=release == 2)


async def lost(_: list[Arrival]) -> list[Answer]:
    raise ConnectionError


def test_a_flood_of_one_feed_makes_no_other_wait() -> None:
    """R14: with thousands of messages of one sender before it, the first of another is in the next group."""
    waiting: Turns[str, tuple[str, int]] = Turns()
    for number in range(3_000):
        waiting.put("flood", ("flood", number))
    assert len(waiting.take(64)) == 64
    for number in range(3):
        waiting.put("calm", ("calm", number))
    group = waiting.take(64)
    assert [one for one in group if one[0] == "calm"] == [("calm", 0), ("calm", 1), ("calm", 2)]
    assert len(group) == 64


def test_every_line_keeps_its_order_and_nothing_is_lost() -> None:
    waiting: Turns[int, tuple[int, int]] = Turns()
    put = [(number % 7 % 3, number) for number in range(500)]
    for one in put[:300]:
        waiting.put(one[0], one)
    taken = waiting.take(100)
    for one in put[300:]:
        waiting.put(one[0], one)
    while waiting:
        taken += waiting.take(64)
    assert [[one for one in taken if one[0] == key] for key in range(3)] == [[one for one in put if one[0] == key] for key in range(3)]
    assert waiting.take(64) == []
