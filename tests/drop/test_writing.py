"""A file that is still being written is not taken: on this machine the kernel says so, elsewhere its lying still does."""

import asyncio
from pathlib import Path

import pytest

from adapters.files.local_folder import LocalFolder
from app.domain.drop import DropSource
from app.drop.watch import Watch
from tests.drop.conftest import QUIET_S, Yard, batch, message


class Remote(LocalFolder):
    """A folder of a server: who has a file open cannot be asked."""

    async def is_being_written(self, path: str) -> bool:  # noqa: ARG002 - the port's signature
        return False


async def looks(watch: Watch, seconds: float) -> None:
    """Look for a while."""
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends:
        await watch.once()
        await asyncio.sleep(0.02)


async def test_a_writer_that_pauses_for_long_is_waited_for(yard: Yard) -> None:
    whole = batch(range(20))
    watch = yard.watch()
    with (yard.folder / "slow.hl7").open("wb") as file:
        for start in range(0, len(whole), len(whole) // 3):
            file.write(whole[start : start + len(whole) // 3])
            file.flush()
            await looks(watch, QUIET_S * 15)
            assert await yard.messages() == {}
    await yard.until_settled(watch)
    assert len(await yard.messages()) == 20
    assert yard.result("done/slow.hl7")["messages"] == 20


async def test_a_writer_that_comes_back_after_the_claim_is_waited_for(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opened the file between our look and our rename, and writes on into what is ours already."""
    path = yard.put("x.hl7", message(1))
    claimed = asyncio.Event()
    move = LocalFolder.move

    async def opened_meanwhile(folder: LocalFolder, source: str, to: str) -> bool:
        if source == "x.hl7":
            opened.append(path.open("ab"))
            claimed.set()
        return await move(folder, source, to)

    opened: list[object] = []
    monkeypatch.setattr(LocalFolder, "move", opened_meanwhile)
    watch = yard.watch()
    while not claimed.is_set():
        await looks(watch, 0.05)
    await looks(watch, 0.3)
    assert await yard.messages() == {}
    (file,) = opened
    file.write(message(2))  # type: ignore[attr-defined]
    file.close()  # type: ignore[attr-defined]
    await yard.until_settled(watch)
    assert await yard.messages() == {"C1": 1, "C2": 1}
    assert yard.result("done/x.hl7")["messages"] == 2


async def test_what_grows_while_it_is_read_is_read_again(yard: Yard) -> None:
    """On a server nobody can tell that it is still open."""
    grown = False

    class Growing(Remote):
        async def read(self, path: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - of the class above
            nonlocal grown
            async for piece in super().read(path):
                yield piece
            if not grown:
                grown = True
                with (yard.folder / path).open("ab") as file:
                    file.write(message(2))

    yard.put("x.hl7", message(1))
    await yard.until_settled(yard.watch(folder=Growing(yard.folder)))
    assert yard.result("done/x.hl7")["messages"] == 2
    assert await yard.messages() == {"C1": 1, "C2": 1}


@pytest.mark.parametrize(
    ("content", "is_whole"),
    [
        (batch([1, 2]), True),
        (batch([1, 2])[:-40], False),
        (batch([1, 2]).partition(b"FTS")[0], False),
        (message(1), True),
        (message(1)[:-30], False),
        (b"\x0b" + message(1) + b"\x1c\r", True),
    ],
)
async def test_what_does_not_look_whole_has_to_lie_still_for_longer(yard: Yard, content: bytes, is_whole: bool) -> None:
    """Where the kernel cannot be asked. Then it is taken all the same: many senders end their last line without an end."""
    watch = Watch(DropSource("yard", every_s=0.02, quiet_s=0.1), Remote(yard.folder), yard.services())
    path = yard.put("x.hl7", content)
    await looks(watch, 0.6)
    assert path.exists() is not is_whole
    await looks(watch, 1.0)
    assert not path.exists()


async def test_a_file_that_changes_begins_to_lie_anew(yard: Yard) -> None:
    watch = Watch(DropSource("yard", every_s=0.02, quiet_s=0.3), Remote(yard.folder), yard.services())
    path = yard.put("x.hl7", message(0))
    for number in range(1, 6):
        await looks(watch, 0.15)
        with path.open("ab") as file:
            file.write(message(number))
    assert await yard.messages() == {}
    await yard.until_settled(watch)
    assert len(await yard.messages()) == 6


async def test_names_that_senders_give_while_they_write_are_passed_over(yard: Yard) -> None:
    names = [".x.hl7", "x.hl7.part", "x.filepart", "x.TMP", "x.tmp", "~x.hl7", "x.hl7~", "x.partial", "x.writing"]
    for name in names:
        (yard.folder / name).write_bytes(message(1))
    watch = yard.watch()
    await looks(watch, QUIET_S * 5)
    assert sorted(yard.left()) == sorted(names)
    (yard.folder / "x.hl7.part").rename(yard.folder / "x.hl7")
    await looks(watch, QUIET_S * 5)
    assert yard.names("done")[0] == "x.hl7"


def test_the_kernel_is_asked_here(tmp_path: Path) -> None:
    """Otherwise the first test above would pass by luck alone."""
    folder = LocalFolder(tmp_path)
    with (tmp_path / "x").open("wb"):
        assert asyncio.run(folder.is_being_written("x"))
    assert not asyncio.run(folder.is_being_written("x"))
