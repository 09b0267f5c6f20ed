"""A drop on a real SFTP server: pulled, answered beside the file, tried again when the wire breaks, and never by a stranger's key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.files.sftp_folder import SftpAddress, SftpFolder
from app.domain.drop import DropUnavailableError
from tests.drop.conftest import Died, Dying, Yard, batch, message, roster
from tests.support.sftp import USER, SftpServer, sftp_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SftpServer]:
    """A server whose folder `drop` is the yard's."""
    async with sftp_server(tmp_path, tmp_path / "keys") as running:
        yield running


def address(server: SftpServer, **other: Path | None) -> SftpAddress:
    credentials = {"key_file": server.client_key, **other}
    return SftpAddress("127.0.0.1", server.port, USER, "drop", server.known_hosts, **credentials)


async def test_messages_and_rosters_are_pulled_and_answered_there(yard: Yard, server: SftpServer) -> None:
    services = yard.services()
    yard.put("monday.hl7", batch(range(300)))
    await yard.until_settled(yard.watch(folder=SftpFolder(address(server)), services=services))
    assert yard.names("done") == ["monday.hl7", "monday.hl7.ack", "monday.hl7.result.json"]
    assert len(await yard.messages()) == 300
    yard.put("panel.csv", roster(range(5), bad=1))
    by_password = SftpFolder(address(server, key_file=None, password_file=server.password_file))
    await yard.until_settled(yard.watch(yard.source(rosters=True), by_password, services))
    assert {"panel.csv", "panel.csv.rejected.csv", "panel.csv.result.json"} < set(yard.names("done"))
    assert yard.result("done/panel.csv")["upload"]["added"] == 5


async def test_a_connection_that_breaks_in_the_middle_costs_nothing(yard: Yard, server: SftpServer) -> None:
    yard.put("large.hl7", batch(range(3_000)))
    watch = yard.watch(folder=SftpFolder(address(server)))
    server.cut_after_octets = 1_000_000
    reasons = []
    for _ in range(20):
        try:
            await watch.once()
        except DropUnavailableError as error:
            reasons.append(error.reason)
        await asyncio.sleep(0.05)
        if not yard.left():
            break
    assert reasons, "the cut was not planted"
    assert set(reasons) <= {"connection_lost", "server", "host_unreachable"}
    assert yard.result("done/large.hl7")["accepted"] == 3_000
    stored = await yard.messages()
    assert (len(stored), set(stored.values())) == (3_000, {1})


@pytest.mark.timeout(240)
async def test_a_process_that_dies_at_any_step(yard: Yard, server: SftpServer) -> None:
    for number in range(3, 30, 2):
        yard.put(f"{number}.hl7", batch([number * 10, number * 10 + 1]))
        dying = Dying(SftpFolder(address(server)), number, after=number % 4 == 1)
        with suppress(Died):
            watch = yard.watch(folder=dying)
            for _ in range(4):
                await watch.once()
                await asyncio.sleep(0.06)
        await yard.die()
        await yard.until_settled(yard.watch(folder=SftpFolder(address(server))))
    stored = await yard.messages()
    assert (len(stored), set(stored.values())) == (28, {1})
    assert len([name for name in yard.names("done") if name.endswith(".hl7")]) == 14


async def test_every_failure_has_a_word_and_a_remedy(yard: Yard, server: SftpServer, tmp_path: Path) -> None:
    """And the server's host key is always checked."""
    cases = {
        "login_refused": SftpFolder(address(server, key_file=server.keys / "stranger")),
        "key_file": SftpFolder(address(server, key_file=tmp_path / "gone")),
        "folder_missing": SftpFolder(SftpAddress("127.0.0.1", server.port, USER, "nowhere", server.known_hosts, server.client_key)),
        "host_unreachable": SftpFolder(SftpAddress("127.0.0.1", 1, USER, "drop", server.known_hosts, server.client_key)),
    }
    services = yard.services()
    for reason, folder in cases.items():
        with pytest.raises(DropUnavailableError) as error:
            await yard.watch(folder=folder, services=services).once()
        assert error.value.reason == reason, str(error.value)
        assert "; " in str(error.value)
    logins = server.logins
    server.write_known_hosts("stranger")
    with pytest.raises(DropUnavailableError) as error:
        await yard.watch(folder=SftpFolder(address(server)), services=services).once()
    assert error.value.reason == "host_key"
    assert server.logins == logins, "nothing is said to a server that is not the one we know"


async def test_an_account_without_rights_is_told_so(yard: Yard, server: SftpServer) -> None:
    server.refuses.add("mkdir")
    yard.put("x.hl7", message(1))
    with pytest.raises(DropUnavailableError) as error:
        await yard.watch(folder=SftpFolder(address(server))).once()
    assert error.value.reason == "no_permission"
    assert (yard.folder / "x.hl7").exists()
