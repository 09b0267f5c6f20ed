"""`handoff demo` as it is typed: from nothing to a living network, with its own database, and nothing left running."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from adapters.postgresql.embedded import EmbeddedPostgres
from app.cli.demo import folder as demo_folder
from app.cli.exits import CommandError, ExitCode
from tests.support.service import ROOT, command_environment, is_alive, run_command

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, and open to the account that the embedded server runs as."""
    with TemporaryDirectory(prefix="hd-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "demo"


def _pids(folder: Path) -> list[int]:
    lines = [json.loads(line) for line in (folder / "service.log").read_text().splitlines()]
    return [line["pid"] for line in lines if line["event"] == "process.started"]


def test_a_demo_comes_to_life_shows_everything_and_leaves_nothing_running(folder: Path) -> None:
    variables = {"HANDOFF_DATA_DIR": str(folder), "HANDOFF_WORKERS": "1", "HANDOFF_DATABASE_URL": "postgresql://not.to.be.touched/at_all"}
    arguments = ["demo", "--once", "--json", "--patients", "80", "--http-port", "0", "--mllp-port", "0"]
    ended = run_command(*arguments, variables=variables, timeout_s=240)
    assert ended.returncode == ExitCode.OK, ended.stderr[-3000:]
    places, *lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert places["http"].startswith("http://127.0.0.1:")
    assert set(places["keys"]) == {"harbor", "pinewood", "riverside", "coastal", "northern", "tidewater", "plan"}
    last = lines[-1]
    assert last["answers"]["AA"] > 60
    assert last["answers"]["AE"] >= 1
    assert last["answers"]["AR"] >= 1
    assert last["notifications"] > 30
    assert last["decisions"]["suppress"] > 0, "the Part 2 program's stays are told to nobody"
    assert last["contacts"] > 0
    assert last["questions"] > 0
    assert last["webhooks"]["verified"] > 0
    assert last["webhooks"]["refused"] == 0
    events = [json.loads(line) for line in (folder / "service.log").read_text().splitlines()]
    assert [event for event in events if event["level"] == "error"] == []
    assert not [pid for pid in _pids(folder) if is_alive(pid)]
    assert EmbeddedPostgres(folder).server_pid() is None


def _until_introduced(process: "subprocess.Popen[str]", patience_s: float = 200) -> str:
    said: list[str] = []
    ends_at = time.monotonic() + patience_s
    assert process.stdout is not None
    while not any("send it" in line for line in said):
        assert time.monotonic() < ends_at
        line = process.stdout.readline()
        assert line, "the demo ended: " + "".join(said)
        said.append(line)
    return "".join(said)


def _commands(said: str) -> dict[str, str]:
    """Read what the demo gives to paste: what for, and the command, which may go on in the next line."""
    lines = said.partition("Commands to paste\n")[2].replace("\\\n", " ").splitlines()
    return {found[1]: found[2] for line in lines if (found := re.fullmatch(r"  (\S.*?)  +(.*)", line)) is not None}


def _pasted(command: str) -> str:
    return subprocess.run(["bash", "-c", command], cwd=ROOT, env=command_environment({}), capture_output=True, text=True, check=True).stdout


def _pasted_items(command: str) -> list[dict[str, Any]]:
    return list(json.loads(_pasted(command))["items"])


def _wait_for(shows: Callable[[], bool], patience_s: float = 60) -> None:
    ends_at = time.monotonic() + patience_s
    while not shows():
        assert time.monotonic() < ends_at
        time.sleep(0.5)


def test_ctrl_c_ends_a_demo_in_order_and_its_commands_work_as_printed(folder: Path) -> None:
    variables = {"HANDOFF_DATA_DIR": str(folder), "HANDOFF_WORKERS": "1"}
    # What a shell starts in the background inherits that Ctrl-C is not for it, and hands it on; this one is in front.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", "--patients", "120", "--http-port", "0", "--mllp-port", "0"],
        env=command_environment(variables),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        said = _until_introduced(process)
        commands = _commands(said)
        assert len(commands) == 15
        # It waits for a clock to warn, while the rest of the test goes on.
        warned = subprocess.Popen(["bash", "-c", commands["the next clock that warns"]], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        _wait_for(lambda: bool(_pasted_items(commands["its worklist"])))
        assert json.loads(_pasted(commands["what the northern home was told"]))["items"]
        assert json.loads(_pasted(commands["a contact for the first on it"]))["outcome"] == "reached"
        assert json.loads(_pasted(commands["the plan asks about a member"]))["items"]
        _wait_for(lambda: _pasted(commands["a discharge summary on it"]).startswith("Discharge summary of a person who does not exist."))
        (listed,) = json.loads(_pasted(commands["its worklist"]))["items"]
        assert listed["person"]["contact_persons"][0]["phones"]
        assert listed["encounter"]["facility"]["call_back"].startswith("207-555-01")
        _wait_for(lambda: json.loads(_pasted(commands["its rates, and why they are so"]))["total"]["denominator"] > 0)
        why = json.loads(_pasted(commands["why them, and why not them"]))["candidates"]
        assert any(one["told"] for one in why)
        assert all(one["why"] for one in why)
        _wait_for(lambda: bool(_pasted_items(commands["is it one person? both sides"])))
        _wait_for(lambda: bool(_pasted_items(commands["what homes answered, claimed twice"])))
        assert len(_pasted_items(commands["what waits for a person, how long"])) > 5
        assert {one["state"] for one in _pasted_items(commands["how the panels stand"])} == {"fresh"}
        _wait_for(lambda: [one["state"] for one in _pasted_items(commands["follow-ups given to another home"])][:1] == ["accepted"])
        assert json.loads(_pasted(commands["every message, newest first"]))["items"]
        assert _pasted(commands["an admission: change it, send it"]).startswith("SAMPLE1  AA")
        told = json.loads(warned.communicate(timeout=60)[0].partition("data: ")[2])
        assert told["type"] == "follow_up.due"
        assert told["escalation"]["percent"] in (50, 80)
        assert told["clock"]["state"] == "pending"
        second = run_command("demo", "--http-port", "0", "--mllp-port", "0", "--json", variables=variables, timeout_s=60)
        assert second.returncode == ExitCode.UNAVAILABLE
        assert "A demo runs already" in json.loads(second.stderr)["error"]
        os.kill(process.pid, signal.SIGINT)
        process.stdout.read() if process.stdout is not None else None
        assert process.wait(60) == ExitCode.OK
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
    assert not [pid for pid in _pids(folder) if is_alive(pid)]


def test_a_demo_whose_process_is_killed_leaves_no_service(folder: Path) -> None:
    variables = {"HANDOFF_DATA_DIR": str(folder), "HANDOFF_WORKERS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", "--patients", "40", "--http-port", "0", "--mllp-port", "0"],
        env=command_environment(variables),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _until_introduced(process)
    finally:
        process.kill()
        process.communicate()
    pids = _pids(folder)
    assert pids
    ends_at = time.monotonic() + 40
    while [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < ends_at, "the service outlives its demo"
        time.sleep(0.1)


def test_a_folder_that_is_not_a_demos_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "precious.txt").write_text("keep me")
    with pytest.raises(CommandError) as raised:
        demo_folder.clear(folder)
    assert raised.value.code is ExitCode.REFUSED
    assert (folder / "precious.txt").read_text() == "keep me"


def test_an_earlier_demos_folder_is_made_anew(folder: Path) -> None:
    demo_folder.clear(folder)
    (folder / "left").write_text("over")
    demo_folder.clear(folder)
    assert [path.name for path in folder.iterdir()] == ["this-is-a-demo"]
