"""`handoff files check`: what an operator learns of a drop before the first file comes."""

import asyncio
import json
from pathlib import Path

from app.cli.exits import ExitCode
from tests.cli.conftest import Handoff
from tests.support.sftp import USER, sftp_server


def sources(*found: dict[str, object]) -> dict[str, str]:
    return {"HANDOFF_FILE_SOURCES": json.dumps(found)}


def test_without_drops_there_is_nothing_to_check(operator: Handoff) -> None:
    assert operator("files", "check", "--json").json == {"items": []}
    assert "names no drop" in operator("files", "check").err


def test_a_folder_that_can_be_used(operator: Handoff, tmp_path: Path) -> None:
    home = operator("org", "add", "Harbor Home", "--kind", "behavioral_health_home", "--json").json["id"]
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "waits.csv").write_bytes(b"x")
    (drop / ".hidden").write_bytes(b"x")
    ended = operator("files", "check", "--json", settings=sources({"name": "home", "folder": str(drop), "panel_of": home}))
    assert ended.code == ExitCode.OK, ended.err
    (found,) = ended.json["items"]
    assert (found["state"], found["waiting"], found["taking"], found["done"]) == ("ok", 1, 0, 0)
    assert found["files"] == "roster of Harbor Home (delta)"
    assert (drop / "waits.csv").exists()


def test_what_is_wrong_is_named_with_its_remedy(operator: Handoff, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    broken = sources(
        {"name": "a", "folder": str(tmp_path / "missing")},
        {"name": "b", "folder": str(drop), "panel_of": "org_" + "0" * 32},
        {"name": "c", "folder": str(tmp_path / "other"), "feed": "feed_" + "0" * 32},
    )
    ended = operator("files", "check", "--json", settings=broken)
    assert ended.code == ExitCode.FOUND
    assert [one["state"] for one in ended.json["items"]] == ["folder_missing", "no_organization", "no_feed"]
    assert all(one["remedy"] for one in ended.json["items"])
    assert not (tmp_path / "missing").exists()
    assert "handoff feed list" in operator("files", "check").err


def test_a_server_that_can_be_used(operator: Handoff, tmp_path: Path) -> None:
    """The server runs in a loop of its own thread, because the command has its own."""
    import threading  # noqa: PLC0415 - of this test alone

    ready, done = threading.Event(), threading.Event()
    found: dict[str, object] = {}

    async def serve() -> None:
        async with sftp_server(tmp_path / "root", tmp_path / "keys") as server:
            (tmp_path / "root/out").mkdir()
            found.update(
                host="127.0.0.1", port=server.port, user=USER, folder="out",
                key_file=str(server.client_key), known_hosts_file=str(server.known_hosts),
            )  # fmt: skip
            ready.set()
            await asyncio.to_thread(done.wait, 30)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(20)
        ended = operator("files", "check", "--json", settings=sources({"name": "s", "sftp": found}))
    finally:
        done.set()
        thread.join()
    assert ended.code == ExitCode.OK, ended.out
    assert ended.json["items"][0]["waiting"] == 0
