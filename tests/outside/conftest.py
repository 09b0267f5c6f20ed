"""A real service from outside: `handoff serve` with its own database, on free ports; tests use nothing but its public interface."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

READY_WITHIN_S = 90.0
ANSWER_WITHIN_S = 30.0


def free_port() -> int:
    """Give a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """A running service and an operator's client."""

    base_url: str
    mllp_port: int
    admin_key: str
    operator: httpx.Client = field(repr=False)
    release_2_port: int = 0
    """The listener that speaks MLLP release 2."""
    clients: list[httpx.Client] = field(default_factory=list, repr=False)

    def client(self, key: str) -> httpx.Client:
        """Give a client that speaks with a key; closed with the service."""
        made = httpx.Client(base_url=self.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=ANSWER_WITHIN_S)
        self.clients.append(made)
        return made

    def organization(self, name: str, kind: str, **more: Any) -> "Member":
        """Add an organization and a key with every scope that it could use."""
        made = self.operator.post("/v1/organizations", json={"name": name, "kind": kind, **more})
        assert made.status_code == 201, made.text
        organization_id = made.json()["id"]
        scopes = ["adt.write", "notifications.read", "subscriptions.write", "follow-ups.read", "follow-ups.write", "panels.write",
                  "members.read", "measures.read"]  # fmt: skip
        key = self.operator.post("/v1/keys", json={"organization_id": organization_id, "scopes": scopes})
        assert key.status_code == 201, key.text
        return Member(organization_id, self.client(key.json()["key"]), self)

    def send_mllp(self, *messages: bytes) -> list[bytes]:
        """Send messages on one connection, one after the other; give the replies."""
        replies = []
        with socket.create_connection(("127.0.0.1", self.mllp_port), timeout=ANSWER_WITHIN_S) as connection:
            for message in messages:
                connection.sendall(b"\x0b" + message + b"\x1c\r")
                reply = b""
                while not reply.endswith(b"\x1c\r"):
                    piece = connection.recv(65536)
                    assert piece, "the listener closed the connection"
                    reply += piece
                replies.append(reply[1:-2])
        return replies


@dataclass
class Member:
    """An organization of the exchange as it uses the service."""

    id: str
    http: httpx.Client = field(repr=False)
    service: Service = field(repr=False)

    def feed(self, application: str, facility: str, **more: Any) -> str:
        """Register an ADT source."""
        made = self.service.operator.post(
            "/v1/feeds",
            json={"organization_id": self.id, "sending_application": application, "sending_facility": facility,
                  "time_zone": "America/New_York", "assigning_authority": facility, **more},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def roster(self, *rows: dict[str, str], mode: str = "delta") -> dict[str, Any]:
        """Upload a roster."""
        columns = sorted({column for row in rows for column in row})
        lines = [",".join(columns), *(",".join(row.get(column, "") for column in columns) for row in rows)]
        answer = self.http.post(
            f"/v1/panels/{self.id}/uploads", params={"mode": mode}, content="\n".join(lines).encode(), headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def notifications(self, count: int, after: int = 0) -> list[dict[str, Any]]:
        """Wait until there are so many notifications; give all of them."""
        ends_at = time.monotonic() + ANSWER_WITHIN_S
        found: list[dict[str, Any]] = []
        while time.monotonic() < ends_at:
            answer = self.http.get("/v1/notifications", params={"after": after, "limit": 1000, "wait": 1})
            assert answer.status_code == 200, answer.text
            found = answer.json()["items"]
            if len(found) >= count:
                return found
        pytest.fail(f"{len(found)} of {count} notifications: {[item['type'] for item in found]}")

    def follow_ups(self, count: int = 1, **query: str) -> list[dict[str, Any]]:
        """Wait until there are so many follow-ups."""
        ends_at = time.monotonic() + ANSWER_WITHIN_S
        found: list[dict[str, Any]] = []
        while time.monotonic() < ends_at:
            answer = self.http.get("/v1/follow-ups", params=query)
            assert answer.status_code == 200, answer.text
            found = answer.json()["items"]
            if len(found) >= count:
                return found
            time.sleep(0.1)
        pytest.fail(f"{len(found)} of {count} follow-ups")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder of this worker that the database's account may enter: pytest's own is closed to it."""
    with TemporaryDirectory(prefix="handoff-outside-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def service(folder: Path) -> Iterator[Service]:
    """The service, started once for the session of this worker."""
    http_port, mllp_port, release_2_port, admin_key = free_port(), free_port(), free_port(), secrets.token_hex(24)
    listeners = [{"host": "127.0.0.1", "port": mllp_port}, {"host": "127.0.0.1", "port": release_2_port, "release": 2}]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HANDOFF_")}
    environment |= {
        "HANDOFF_DATA_DIR": str(folder / "data"),
        "HANDOFF_HTTP_PORT": str(http_port),
        "HANDOFF_MLLP_LISTENERS": json.dumps(listeners),
        "HANDOFF_ADMIN_KEY": admin_key,
        "HANDOFF_ENDPOINT_ALLOW": "http://127.0.0.0/8",
        "HANDOFF_WORKERS": "2",
    }
    log = (folder / "service.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"], cwd=Path(__file__).parents[2], env=environment, stdout=log, stderr=log
    )
    base_url = f"http://127.0.0.1:{http_port}"
    try:
        _wait_until_ready(base_url, process, folder / "service.log")
        headers = {"Authorization": f"Bearer {admin_key}"}
        with httpx.Client(base_url=base_url, headers=headers, timeout=ANSWER_WITHIN_S) as operator:
            running = Service(base_url, mllp_port, admin_key, operator, release_2_port)
            yield running
            for client in running.clients:
                client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        log.close()
        assert code == 0, (folder / "service.log").read_text()[-3000:]


def _wait_until_ready(base_url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < ends_at:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{base_url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(log.read_text()[-3000:])
