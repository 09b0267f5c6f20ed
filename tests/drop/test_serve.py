"""`handoff serve` with drops here and on an SFTP server: files in, notifications and answers out, nothing of it in the log."""

import json
from pathlib import Path

import pytest

from tests.drop.conftest import batch, roster
from tests.support.service import make_exchange, running_service, visit, visits_told
from tests.support.sftp import USER, sftp_server


@pytest.mark.timeout(150)
async def test_files_become_notifications(empty_folder: Path, tmp_path: Path) -> None:
    """A batch with Ann's admissions, by both ways, is told to the home that claims her; a drop that is away harms nothing."""
    local, root = tmp_path / "local", tmp_path / "root"
    for folder in (local, root / "out", tmp_path / "rosters"):
        folder.mkdir(parents=True)
    async with sftp_server(root, tmp_path / "keys") as server:
        place = {
            "host": "127.0.0.1", "port": server.port, "user": USER, "folder": "out",
            "key_file": str(server.client_key), "known_hosts_file": str(server.known_hosts),
        }  # fmt: skip
        sources = [
            {"name": "local", "folder": str(local), "quiet_s": 0.2},
            {"name": "remote", "sftp": place, "every_s": 0.3, "quiet_s": 0.2},
            {"name": "unreachable", "sftp": {**place, "port": 1}, "every_s": 0.3},
        ]
        variables = {"HANDOFF_FILE_SOURCES": json.dumps(sources), "HANDOFF_LOG_LEVEL": "debug"}
        async with running_service(empty_folder, variables=variables) as service:
            await make_exchange(service)
            (local / "alder ann.hl7").write_bytes(b"".join(visit(number) for number in range(1, 4)))
            (root / "out/alder ann too.hl7").write_bytes(b"".join(visit(number) for number in range(4, 7)))
            told = await visits_told(service, 6)
            assert told == {f"V{number}" for number in range(1, 7)}
            await service.until((local / "done/alder ann.hl7").exists, "the file")
            await service.until((root / "out/done/alder ann too.hl7").exists, "the remote file")
            assert (root / "out/done/alder ann too.hl7.ack").read_bytes().count(b"MSA|AA|") == 3
            taken = {(event["source"], event["outcome"], event["accepted"]) for event in service.events("file.taken")}
            assert taken == {("local", "taken", 3), ("remote", "taken", 3)}
            assert [event["reason"] for event in service.events("source.paused")] == ["host_unreachable"] * 1
            assert "alder" not in service.log().lower()
            assert str(server.client_key) not in service.log()
            status, parts = await service.readiness()
            assert (status, set(parts.values())) == (200, {"ok"})
            assert service.events("library.logged") == []


@pytest.mark.timeout(150)
async def test_a_stop_waits_for_no_file_and_the_next_start_finishes_it(empty_folder: Path, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    variables = {"HANDOFF_FILE_SOURCES": json.dumps([{"name": "x", "folder": str(drop), "quiet_s": 0.2}]), "HANDOFF_SHUTDOWN_GRACE_S": "5"}
    async with running_service(empty_folder, variables=variables) as service:
        await make_exchange(service)
        async with service.client() as operator:
            items = (await operator.get("/v1/organizations")).json()["items"]
            home = next(item["id"] for item in items if item["kind"] == "behavioral_health_home")
            feeds = (await operator.get("/v1/feeds")).json()["items"]
        assert len(feeds) == 1
        (drop / "x.hl7").write_bytes(batch(range(3_000)))
        await service.until(lambda: list(drop.glob("taking/*.hl7")), "the claim")
        assert service.end() == 0
        assert service.events("service.stopped")[0]["killed"] == 0
    assert len(list(drop.glob("taking/*.hl7"))) == 1
    (tmp_path / "rosters").mkdir()
    more = [
        {"name": "x", "folder": str(drop), "quiet_s": 0.2},
        {"name": "y", "folder": str(tmp_path / "rosters"), "quiet_s": 0.2, "panel_of": home},
    ]
    variables["HANDOFF_FILE_SOURCES"] = json.dumps(more)
    (tmp_path / "rosters/y.csv").write_bytes(roster(range(3)))
    async with running_service(
        empty_folder.with_name("again"), variables={**variables, "HANDOFF_DATA_DIR": str(empty_folder / "data")}
    ) as service:
        await service.until((drop / "done/x.hl7").exists, "the file", 60)
        await service.until((tmp_path / "rosters/done/y.csv").exists, "the roster")
    said = json.loads((drop / "done/x.hl7.result.json").read_text())
    assert (said["messages"], said["accepted"]) == (3_000, 3_000)
