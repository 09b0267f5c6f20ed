"""What every `DropFolder` does (app/ports.py): real folders, and a real SFTP server on loopback."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.files.local_folder import LocalFolder
from adapters.files.sftp_folder import SftpAddress, SftpFolder
from app.domain.drop import DropUnavailableError
from app.ports import DropFolder
from tests.support.sftp import USER, sftp_server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the files really are."""
    found = tmp_path / "drop"
    found.mkdir()
    return found


@pytest.fixture(params=["local", "sftp", "sftp without posix-rename"])
async def folder(request: pytest.FixtureRequest, place: Path, tmp_path: Path) -> AsyncIterator[DropFolder]:
    """Each implementation in turn, opened."""
    if request.param == "local":
        local = LocalFolder(place)
        await local.open()
        yield local
        await local.close()
        return
    async with sftp_server(tmp_path, tmp_path / "keys") as server:
        if "without" in request.param:
            server.refuses.add("posix_rename")
        remote = SftpFolder(SftpAddress("127.0.0.1", server.port, USER, "drop", server.known_hosts, server.client_key))
        await remote.open()
        yield remote
        await remote.close()


async def content(folder: DropFolder, path: str) -> bytes:
    return b"".join([piece async for piece in folder.read(path)])


async def test_opening_makes_the_folders_and_opening_again_changes_nothing(folder: DropFolder, place: Path) -> None:
    assert sorted(path.name for path in place.iterdir()) == ["done", "failed", "taking"]
    (place / "done/kept").write_bytes(b"1")
    await folder.open()
    assert (place / "done/kept").read_bytes() == b"1"


async def test_regular_files_are_listed_and_nothing_else(folder: DropFolder, place: Path) -> None:
    (place / "a b.hl7").write_bytes(b"12345")
    (place / "empty").touch()
    (place / "link").symlink_to(place / "a b.hl7")
    os.mkfifo(place / "pipe")
    found = {sighting.name: sighting.size for sighting in await folder.files("")}
    assert found == {"a b.hl7": 5, "empty": 0}
    assert await folder.files("taking") == []


async def test_a_name_that_is_no_text_can_be_moved(folder: DropFolder, place: Path) -> None:
    (place / os.fsdecode(b"caf\xe9.hl7")).write_bytes(b"1")
    (sighting,) = await folder.files("")
    assert await folder.move(sighting.name, "taking/cafe.hl7")
    assert (place / "taking/cafe.hl7").read_bytes() == b"1"


async def test_a_file_is_looked_at(folder: DropFolder, place: Path) -> None:
    assert await folder.look("x") is None
    assert await folder.look("taking/x") is None
    (place / "x").write_bytes(b"123")
    before = await folder.look("x")
    assert before is not None
    assert (before.name, before.size) == ("x", 3)
    os.utime(place / "x", (1_000_000_000, 1_000_000_000))
    after = await folder.look("x")
    assert after is not None
    assert (after.modified_ns, after == before) == (1_000_000_000_000_000_000, False)


async def test_both_ends_of_a_file(folder: DropFolder, place: Path) -> None:
    (place / "x").write_bytes(b"0123456789")
    assert await folder.ends("x", 3) == (b"012", b"789")
    assert await folder.ends("x", 100) == (b"0123456789", b"0123456789")
    assert await folder.ends("gone", 3) == (b"", b"")


@pytest.mark.parametrize("octets", [0, 1, 5_000_000])
async def test_what_is_written_is_read(folder: DropFolder, place: Path, octets: int) -> None:
    said = bytes(number % 251 for number in range(octets))
    async with folder.write("done/x") as write:
        for start in range(0, octets, 1_000_000):
            await write(said[start : start + 1_000_000])
    assert (place / "done/x").read_bytes() == said
    assert await content(folder, "done/x") == said


async def test_writing_again_leaves_nothing_of_before(folder: DropFolder, place: Path) -> None:
    (place / "taking/x").write_bytes(b"longer than what comes")
    async with folder.write("taking/x") as write:
        await write(b"short")
    assert (place / "taking/x").read_bytes() == b"short"


async def test_moving_replaces_and_says_when_there_is_nothing_to_move(folder: DropFolder, place: Path) -> None:
    (place / "x").write_bytes(b"new")
    (place / "done/x").write_bytes(b"old")
    assert await folder.move("x", "done/x") is True
    assert (place / "done/x").read_bytes() == b"new"
    assert await folder.move("x", "done/x") is False
    assert (place / "done/x").read_bytes() == b"new"


async def test_of_two_that_move_one_file_one_succeeds(folder: DropFolder, place: Path) -> None:
    for number in range(10):
        (place / "x").write_bytes(b"1")
        moved = await asyncio.gather(*(folder.move("x", f"taking/{number}-{who}") for who in range(4)))
        assert sorted(moved) == [False, False, False, True]
    assert len(list((place / "taking").iterdir())) == 10


async def test_removing_twice_is_no_error(folder: DropFolder, place: Path) -> None:
    (place / "x").write_bytes(b"1")
    await folder.remove("x")
    await folder.remove("x")
    assert not (place / "x").exists()


async def test_a_folder_that_went_away_is_unavailable_and_says_so(folder: DropFolder, place: Path) -> None:
    place.rename(place.with_name("elsewhere"))
    for use in (folder.open(), folder.files(""), folder.move("x", "done/x"), content(folder, "x")):
        with pytest.raises(DropUnavailableError) as error:
            await use
        assert error.value.reason in {"folder_missing", "connection_lost"}
    assert not place.exists(), "a folder that is missing may be a mount; it is not made anew"


@pytest.mark.parametrize("name", ["taking", "done", "failed"])
async def test_a_link_in_place_of_a_folder_is_refused(folder: DropFolder, place: Path, tmp_path: Path, name: str) -> None:
    """Whoever may write into the drop could otherwise send our files elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (place / name).rmdir()
    (place / name).symlink_to(elsewhere)
    with pytest.raises(DropUnavailableError):
        await folder.open()
