"""Killed between each pair of steps: whatever happened, in the end every message and row is taken once and the file lies where it belongs.

Each case lets one process die at its n-th call of the file system (before it, or when it was done and nobody learned of it), or right
after a commit; then another takes over. n goes through all of them.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from adapters.files.local_folder import LocalFolder
from app.actions import load_panel as loading
from app.domain.drop import TRIES_MAX, DropSource, DropUnavailableError
from app.domain.inbound import AckCode, Answer, Envelope
from app.domain.panel import UploadMode
from app.drop.watch import Watch
from app.store.panel_stage import Stage
from tests.drop.conftest import QUIET_S, Died, Dying, Yard, batch, message, roster

CALLS_MAX = 80


async def live(yard: Yard, watch: Watch) -> None:
    """Look until the death that was planted, or until all is done."""
    with suppress(Died):
        while yard.left():
            await watch.once()
            await asyncio.sleep(QUIET_S * 1.2)


async def killed_at_every_step(yard: Yard, source: DropSource, contents: dict[str, bytes]) -> int:
    """Die at each call, one file after the other; give how many calls there were."""
    survivor = yard.services()
    for number in range(1, CALLS_MAX):
        for after in (False, True):
            name, content = f"{number}-{after}", contents[f"{number}-{after}"]
            yard.put(name, content)
            dying = Dying(LocalFolder(yard.folder), number, after=after)
            await live(yard, Watch(source, dying, replace(survivor, hold=_held)))
            if not dying.is_dead:
                await yard.until_settled(Watch(source, LocalFolder(yard.folder), survivor))
                return number
            await yard.until_settled(Watch(source, LocalFolder(yard.folder), survivor))
            files = [found for found in yard.names("done") if not found.endswith((".ack", ".json", ".csv"))]
            assert len(files) == len(set(files))
            assert yard.names("taking") == []
    raise AssertionError("there are more steps than were tried")


async def _held(_source: str) -> bool:
    return True


@pytest.mark.timeout(300)
async def test_messages_are_taken_once_wherever_the_process_dies(yard: Yard) -> None:
    contents = {
        f"{number}-{after}": batch([number * 10 + 5 * after + one for one in range(3)])
        for number in range(CALLS_MAX)
        for after in (False, True)
    }
    steps = await killed_at_every_step(yard, yard.source(), contents)
    assert steps > 15, "the faults were not planted"
    files = [name for name in yard.names("done") if not name.endswith((".ack", ".json"))]
    assert len(files) == (steps - 1) * 2 + 1
    for name in files:
        assert (yard.folder / "done" / name).read_bytes() == contents[name]
        assert yard.result(f"done/{name}")["accepted"] == 3
        assert (yard.folder / f"done/{name}.ack").read_bytes().count(b"MSA|AA|") == 3
    stored = await yard.messages()
    assert set(stored.values()) == {1}
    assert len(stored) == len(files) * 3
    assert yard.names("failed") == []
    assert yard.heard.defects == []


@pytest.mark.timeout(300)
async def test_rosters_are_taken_once_wherever_the_process_dies(yard: Yard) -> None:
    contents = {f"{number}-{after}": roster([number * 2 + after], bad=1) for number in range(CALLS_MAX) for after in (False, True)}
    steps = await killed_at_every_step(yard, yard.source(rosters=True), contents)
    assert steps > 15, "the faults were not planted"
    files = [name for name in yard.names("done") if not name.endswith((".csv", ".json"))]
    assert len(files) == (steps - 1) * 2 + 1
    for name in files:
        assert yard.result(f"done/{name}")["upload"]["added"] == 1
        assert b"someday" in (yard.folder / f"done/{name}.rejected.csv").read_bytes()
    assert await yard.scalar("select count(*) from panel_upload") == len(files)
    assert await yard.scalar("select count(*) from panel_member") == len(files)
    assert yard.heard.defects == []


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after another upload"])
async def test_a_roster_whose_process_dies_right_after_its_commit(yard: Yard, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    """It is reported as taken, not as a repetition; the stays that were under way are looked at; a later upload is not undone."""
    source = yard.source(rosters=True, mode=UploadMode.REPLACE)

    async def dies(*_arguments: Any) -> None:
        raise Died

    with monkeypatch.context() as planted:
        planted.setattr(loading, "_settle", dies)
        yard.put("a.csv", roster(range(10), bad=1))
        await live(yard, yard.watch(source))
    await yard.die()
    assert len(yard.left()) == 1
    assert await yard.scalar("select count(*) from panel_member") == 10
    caught_up: list[Any] = []
    catch_up = Stage.catch_up

    async def counted(stage: Stage, *arguments: Any, **named: Any) -> None:
        caught_up.append(named["upload_id"])
        await catch_up(stage, *arguments, **named)

    monkeypatch.setattr(Stage, "catch_up", counted)
    if again:
        yard.world.clock.advance(minutes=5)
        services = yard.services().rosters
        directory = await yard.services().directory()
        home = directory.organizations[yard.world.organizations["Home H"]]
        await loading.load_panel(services.panels, home, roster(range(12)), loading.Upload(UploadMode.REPLACE), now=yard.world.clock.now())
        caught_up.clear()
    await yard.until_settled(yard.watch(source))
    said = yard.result("done/a.csv")
    assert (said["outcome"], said["upload"]["added"], said["upload"]["rejected"]) == ("partly", 10, 1)
    assert "a.csv.rejected.csv" in yard.names("done")
    assert caught_up == [await yard.scalar("select id from panel_upload where file_name = 'a.csv'")]
    assert await yard.scalar("select count(*) from panel_upload") == 1 + again
    assert await yard.scalar("select count(*) from panel_member where retracted_at is null and effective_to is null") == (
        12 if again else 10
    )


async def test_two_that_have_the_drop_at_once_take_everything_once(yard: Yard) -> None:
    """As when the lock's connection was cut: its holder works on beside its successor."""
    for number in range(20):
        yard.put(f"{number}.hl7", batch([number * 10 + one for one in range(10)]))
    watches = [yard.watch(services=replace(yard.services(), hold=_held)) for _ in range(3)]

    for _ in range(100):
        with suppress(DropUnavailableError):
            await asyncio.gather(*(watch.once() for watch in watches))
        if not yard.left():
            break
        await asyncio.sleep(0.03)
    assert yard.left() == []
    stored = await yard.messages()
    assert set(stored.values()) == {1}
    assert len(stored) == 200
    files = [name for name in yard.names("done") if name.endswith(".hl7")]
    assert sorted(files) == sorted(f"{number}.hl7" for number in range(20))


async def test_two_that_have_a_roster_at_once_upload_it_once(yard: Yard) -> None:
    source = yard.source(rosters=True, mode=UploadMode.REPLACE)
    for turn in range(4):
        yard.put(f"{turn}.csv", roster(range(40 + turn)))
        watches = [yard.watch(source, services=replace(yard.services(), hold=_held)) for _ in range(2)]
        for _ in range(200):
            await asyncio.gather(*(watch.once() for watch in watches), return_exceptions=True)
            if not yard.left():
                break
            await asyncio.sleep(0.03)
        assert yard.left() == []
        yard.world.clock.advance(minutes=1)
    assert await yard.scalar("select count(*) from panel_upload") == 4
    assert await yard.scalar("select count(*) from panel_member where retracted_at is null") == 43


async def test_only_one_process_has_a_drop_and_another_takes_over_when_it_dies(yard: Yard) -> None:
    first, second = yard.services(), yard.services()
    assert await first.hold("yard")
    assert not await second.hold("yard")
    assert await second.hold("another drop")
    assert await first.hold("yard")
    holder, _ = yard.drops
    await holder.close()
    for _ in range(100):
        if await second.hold("yard"):
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("nobody took over")
    assert not await first.hold("yard")


async def test_a_database_that_is_away_leaves_the_file_and_costs_no_try(yard: Yard) -> None:
    """However long it takes: the file is taken when the database is back."""
    services = yard.services()
    refused = 0

    async def receive(envelope: Envelope) -> tuple[Answer, bytes | None]:
        nonlocal refused
        if refused < TRIES_MAX * 2:
            refused += 1
            return Answer(AckCode.AE), b"MSH|^~\\&|\rMSA|AE|1\r"
        return await services.messages.receive(envelope)

    async def probe() -> None:
        if refused < TRIES_MAX * 2:
            raise ConnectionRefusedError

    watch = yard.watch(services=replace(services, messages=replace(services.messages, receive=receive, probe=probe)))
    path = yard.put("x.hl7", message(1))
    for _ in range(TRIES_MAX * 3):
        with suppress(ConnectionRefusedError):
            await watch.once()
        await asyncio.sleep(0.005)
    assert not path.exists()
    await yard.until_settled(watch)
    assert yard.result("done/x.hl7")["outcome"] == "taken"
    assert yard.heard.reports[0][0].tries == 1


async def test_a_message_that_cannot_be_stored_is_refused_and_the_others_are_taken(yard: Yard) -> None:
    """The database is there, so it is this message: it must not hold up the rest for ever."""
    services = yard.services()

    async def receive(envelope: Envelope) -> tuple[Answer, bytes | None]:
        if b"|C1|" in envelope.body:
            return Answer(AckCode.AE), b"MSH|^~\\&|\rMSA|AE|C1\r"
        return await services.messages.receive(envelope)

    watch = yard.watch(services=replace(services, messages=replace(services.messages, receive=receive)))
    yard.put("x.hl7", batch(range(3)))
    await yard.until_settled(watch)
    said = yard.result("done/x.hl7")
    assert (said["accepted"], said["refused"], said["problems"][0]["control_id"]) == (2, 1, "C1")


async def test_a_file_that_kills_its_process_every_time_is_set_aside(yard: Yard) -> None:
    services = yard.services()

    async def kills(_envelope: Envelope) -> tuple[Answer, bytes | None]:
        raise Died

    yard.put("x.hl7", message(1))
    deadly = replace(services, messages=replace(services.messages, receive=kills))
    for _ in range(TRIES_MAX * 3):
        with suppress(Died):
            await yard.watch(services=deadly).once()
        await asyncio.sleep(0)
        if "taking" in {path.name for path in yard.folder.iterdir()} and not yard.left():
            break
        watch = yard.watch(services=deadly)
        with suppress(Died):
            await watch.once()
            await asyncio.sleep(0.06)
            await watch.once()
    assert yard.result("failed/x.hl7")["reason"] == "killed"


async def test_a_defect_of_ours_is_tried_again_and_then_said(yard: Yard) -> None:
    services = yard.services()

    async def breaks(_envelope: Envelope) -> tuple[Answer, bytes | None]:
        raise ZeroDivisionError("quotes the file")

    watch = yard.watch(services=replace(services, messages=replace(services.messages, receive=breaks)))
    yard.put("x.hl7", message(1))
    for _ in range(20):
        with suppress(ZeroDivisionError):
            await watch.once()
        await asyncio.sleep(0.02)
    assert len(yard.heard.defects) == 3
    said = yard.result("failed/x.hl7")
    assert said["reason"] == "defect"
    assert "quotes" not in str(said)


async def test_a_stop_in_the_middle_of_a_file_leaves_it_to_the_next_process(yard: Yard) -> None:
    services = yard.services()
    seen = 0

    async def receive(envelope: Envelope) -> tuple[Answer, bytes | None]:
        nonlocal seen
        seen += 1
        yard.is_stopping = seen > 300
        return await services.messages.receive(envelope)

    yard.put("x.hl7", batch(range(2_000)))
    stopping = asyncio.Event()
    await asyncio.wait_for(yard.watch(services=replace(services, messages=replace(services.messages, receive=receive))).run(stopping), 20)
    assert 300 < len(await yard.messages()) < 1_000
    assert yard.left() != []
    yard.is_stopping = False
    await yard.die()
    await yard.until_settled(yard.watch())
    assert len(await yard.messages()) == 2_000
    said = yard.result("done/x.hl7")
    assert (said["accepted"], said["refused"]) == (2_000, 0)
    assert said["repeated"] > 300


async def test_a_full_disk_or_a_folder_that_goes_away_is_waited_for(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once when it begins and once when it ends, and no try is counted."""
    monkeypatch.setattr("app.drop.watch.PAUSES_S", (0.02,))
    watch = yard.watch()
    stopping = asyncio.Event()
    running = asyncio.create_task(watch.run(stopping))
    elsewhere = yard.folder.with_name("elsewhere")
    yard.folder.rename(elsewhere)
    await _until(lambda: yard.heard.pauses == ["folder_missing"])
    await asyncio.sleep(0.2)
    elsewhere.rename(yard.folder)
    await _until(lambda: yard.heard.resumed_after == 1)
    yard.put("x.hl7", message(1))
    await _until(lambda: len(yard.heard.reports) == 1)
    assert yard.heard.pauses == ["folder_missing"]
    stopping.set()
    await running


async def test_no_room_for_the_result_is_waited_for(yard: Yard) -> None:
    class Full(LocalFolder):
        """No result can be written."""

        is_full = True

        def write(self, path: str) -> Any:
            if self.is_full and path.endswith("result.json"):
                raise DropUnavailableError("disk", "No space left on device.")
            return super().write(path)

    full = Full(yard.folder)
    watch = yard.watch(folder=full)
    yard.put("x.hl7", message(1))
    for _ in range(TRIES_MAX * 2):
        with suppress(DropUnavailableError):
            await watch.once()
        await asyncio.sleep(0.01)
    assert len(yard.left()) >= 1
    full.is_full = False
    await yard.until_settled(watch)
    assert yard.result("done/x.hl7")["outcome"] == "repeated"
    assert await yard.messages() == {"C1": 1}


async def _until(holds: Any) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")
