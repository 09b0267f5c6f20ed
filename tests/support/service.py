"""A real process tree for tests: `handoff serve` on free ports, with its log, its processes, and an exchange made over its API.

Not here: what is asserted. `tests/outside` has its own, which sees nothing but the public interface.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from adapters.hl7v2.client import MllpClient, MllpError
from tests.support.messages import adt

ROOT = Path(__file__).resolve().parents[2]
SCOPES = ["adt.write", "notifications.read", "subscriptions.write", "follow-ups.read", "follow-ups.write", "panels.write", "members.read"]


def command_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: ours without its settings, and these."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("HANDOFF_")}
    return {**known, "PYTHONPATH": str(ROOT), **variables}


def run_command(*arguments: str, variables: Mapping[str, str], timeout_s: float = 60, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env=command_environment(variables),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        input=stdin,
        check=False,
    )


@dataclass
class Service:
    """A running tree."""

    process: subprocess.Popen[bytes]
    folder: Path
    admin_key: str
    http_port: int = 0
    mllp_ports: Sequence[int] = ()
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def log(self) -> str:
        return (self.folder / "out.log").read_text()

    def last_words(self) -> str:
        """What a failing test shows of the log."""
        return f"{self.log()[-3000:]}\n{(self.folder / 'err.log').read_text()[-2000:]}"

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log so far; every line must be an event."""
        lines = self.log().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in found if name is None or event["event"] == name]

    def children(self, part: str | None = None) -> list[int]:
        """The processes of a part that started last, by their own word."""
        latest: dict[tuple[str, int], int] = {}
        for event in self.events("process.started"):
            latest[event["part"], event["number"]] = event["pid"]
        return [pid for (of, _), pid in sorted(latest.items()) if part in {None, of} and is_alive(pid)]

    async def until(self, holds: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
        """Wait until something holds."""
        ends_at = time.monotonic() + timeout_s
        while not (found := holds()):
            assert time.monotonic() < ends_at, f"{what} did not come about; the log: {self.last_words()}"
            assert self.process.poll() is None, f"the service ended; the log: {self.last_words()}"
            await asyncio.sleep(0.05)
        return found

    async def readiness(self) -> tuple[int, dict[str, str]]:
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(f"{self.url}/readyz")
        return answer.status_code, answer.json()["parts"]

    async def until_ready(self, status: int = 200, timeout_s: float = 30.0) -> dict[str, str]:
        """Wait for an answer of /readyz."""
        ends_at = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(httpx.HTTPError):
                found, parts = await self.readiness()
                if found == status:
                    return parts
            assert time.monotonic() < ends_at, f"/readyz did not become {status}; the log: {self.last_words()}"
            await asyncio.sleep(0.1)

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.keys[key] if key else self.admin_key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20)

    def end(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 40) -> int:
        """Tell it to stop and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is not only waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@asynccontextmanager
async def running_service(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None, has_http: bool = True
) -> AsyncIterator[Service]:
    """Start a tree on free ports, wait until it serves, and end it afterwards, whatever became of it."""
    folder.mkdir(parents=True, exist_ok=True)
    admin_key = secrets.token_hex(24)
    ready = folder / "ready.json"
    given = {
        "HANDOFF_DATA_DIR": str(folder / "data"),
        "HANDOFF_WORKERS": "2",
        "HANDOFF_HTTP_PORT": "0",
        "HANDOFF_MLLP_PORT": "0",
        "HANDOFF_ADMIN_KEY": admin_key,
        "HANDOFF_ENDPOINT_ALLOW": "http://127.0.0.0/8",
        **(variables or {}),
    }
    with (folder / "out.log").open("wb") as out, (folder / "err.log").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--ready-file", str(ready), *arguments],
            cwd=ROOT,
            env=command_environment(given),
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
        )
    service = Service(process, folder, admin_key)
    try:
        await service.until(ready.exists, "the start", 150)
        places = json.loads(ready.read_text())
        service.http_port, service.mllp_ports = places["http_port"], places["mllp_ports"]
        if has_http:
            await service.until_ready()
        yield service
    finally:
        pids = service.children()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def make_exchange(service: Service) -> None:
    """A hospital with a feed, and a home that claims Ann by her Medicaid number, made over the API."""
    async with service.client() as operator:
        made: dict[str, str] = {}
        for name, kind, more in (
            ("Hospital A", "hospital", {"part2_status": "not_program"}),
            ("Home B", "behavioral_health_home", {}),
        ):
            answer = await operator.post("/v1/organizations", json={"name": name, "kind": kind, **more})
            assert answer.status_code == 201, answer.text
            made[kind] = answer.json()["id"]
            key = await operator.post("/v1/keys", json={"organization_id": made[kind], "scopes": SCOPES})
            assert key.status_code == 201, key.text
            service.keys[kind] = key.json()["key"]
        feed = {
            "organization_id": made["hospital"],
            "sending_application": "EPIC",
            "sending_facility": "HOSPA",
            "time_zone": "America/New_York",
            "assigning_authority": "HOSPA",
        }
        answer = await operator.post("/v1/feeds", json=feed)
        assert answer.status_code == 201, answer.text
        roster = "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from\nMC1,Ann,Alder,1980-01-02,F,BHH,2026-01-01\n"
        home = made["behavioral_health_home"]
        answer = await operator.post(
            f"/v1/panels/{home}/uploads", params={"mode": "delta"}, content=roster, headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code in {200, 201}, answer.text


def visit(number: int) -> bytes:
    """An admission of Ann's; each is a stay of its own and one notification to the home."""
    return adt(
        "A01", "20260302100000-0500", control=f"C{number}", visit=f"V{number}", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),)
    )


async def send_until_told(service: Service, message: bytes, timeout_s: float = 40.0) -> None:
    """Send as a careful sender does: the same message again until a positive acknowledgement comes."""
    ends_at = time.monotonic() + timeout_s
    while True:
        try:
            async with MllpClient("127.0.0.1", service.mllp_ports[0], answer_timeout_s=15) as client:
                reply = await client.send(message)
            if reply.code == "AA":
                return
        except MllpError:
            pass
        assert time.monotonic() < ends_at, f"never acknowledged; the log: {service.last_words()}"
        await asyncio.sleep(0.1)


async def visits_told(service: Service, count: int, timeout_s: float = 40.0) -> set[str]:
    """Wait until the home was told of so many stays; their visit numbers."""
    ends_at = time.monotonic() + timeout_s
    told: set[str] = set()
    async with service.client("behavioral_health_home") as home:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                after: int | None = 0
                told = set()
                while after is not None:
                    answer = await home.get("/v1/notifications", params={"after": after, "limit": 1000})
                    if answer.status_code != 200:
                        break
                    page = answer.json()
                    told |= {item["encounter"]["visit_number"] for item in page["items"] if item["type"] == "encounter.admitted"}
                    after = page["items"][-1]["sequence"] if len(page["items"]) == 1000 else None
                if len(told) >= count:
                    return told
            assert time.monotonic() < ends_at, f"{len(told)} of {count} stays told; the log: {service.last_words()}"
            await asyncio.sleep(0.1)
