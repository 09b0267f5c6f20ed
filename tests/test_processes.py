"""The process tree with real processes: it serves, survives the death of each part, and ends in order.

One tree is shared by the tests that leave it whole. "Acknowledged" is what a sender got a positive answer for; it must be told in
the end, whatever was killed meanwhile.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import pytest_asyncio

from adapters.hl7v2.client import MllpClient
from adapters.postgresql.embedded import EmbeddedPostgres
from app.cli.exits import ExitCode
from tests.support.databases import Database
from tests.support.service import (
    Service,
    command_environment,
    is_alive,
    make_exchange,
    run_command,
    running_service,
    send_until_told,
    visit,
    visits_told,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

_next = iter(range(1, 1_000_000))


@pytest.fixture(scope="module")
def module_folder() -> "AsyncIterator[Path]":
    # Short, and open to the account that the embedded server runs as.
    with TemporaryDirectory(prefix="hp-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tree(module_folder: Path) -> AsyncIterator[Service]:
    """A whole tree with an embedded database and an exchange."""
    async with running_service(module_folder) as service:
        await make_exchange(service)
        yield service


async def told_in_spite_of(service: Service, harm: Callable[[], Awaitable[None]], *, senders: int = 4, visits: int = 60) -> None:
    """Send stays while something is harmed in the middle; every one that was acknowledged must be told."""
    numbers = [next(_next) for _ in range(visits)]
    waiting = list(numbers)
    harmed = asyncio.Event()

    async def send() -> None:
        while waiting:
            # Taken before the harm: while one harms, the others may send all that is left.
            number = waiting.pop()
            if len(waiting) < visits // 2 and not harmed.is_set():
                harmed.set()
                await harm()
            await send_until_told(service, visit(number))

    await asyncio.gather(*(send() for _ in range(senders)))
    assert harmed.is_set()
    wanted = {f"V{number}" for number in numbers}
    told: set[str] = set()
    ends_at = time.monotonic() + 60
    while not wanted <= told:
        assert time.monotonic() < ends_at, f"{len(wanted - told)} acknowledged stays were never told"
        told = await visits_told(service, 0)
        await asyncio.sleep(0.2)


async def test_a_message_over_mllp_is_told_over_http(tree: Service) -> None:
    status, parts = await tree.readiness()
    assert (status, parts) == (200, {"schema": "ok", "http": "ok", "mllp": "ok", "work": "ok"})
    number = next(_next)
    async with MllpClient("127.0.0.1", tree.mllp_ports[0]) as sender, tree.client("behavioral_health_home") as home:
        last = max(await _numbers(home), default=0)
        # Asked before it is sent: the answer comes by the hint, not by asking again.
        asked = asyncio.create_task(home.get("/v1/notifications", params={"after": last, "wait": 15}))
        await asyncio.sleep(0.3)
        assert (await sender.send(visit(number))).code == "AA"
        told = (await asked).json()["items"]
        # What another test sent, and did not wait for, may be told first.
        while f"V{number}" not in (visits := [item["encounter"]["visit_number"] for item in told]):
            assert told, "nothing is told within the wait"
            more = await home.get("/v1/notifications", params={"after": told[-1]["sequence"], "wait": 15})
            told = more.json()["items"]
    assert visits.count(f"V{number}") == 1


async def _numbers(home: httpx.AsyncClient) -> list[int]:
    return [item["sequence"] for item in (await home.get("/v1/notifications", params={"limit": 1000})).json()["items"]]


async def test_a_killed_worker_is_replaced_and_loses_nothing(tree: Service) -> None:
    victim = tree.children("work")[0]

    async def harm() -> None:
        os.kill(victim, signal.SIGKILL)

    await told_in_spite_of(tree, harm)
    await tree.until(lambda: len(tree.children("work")) == 2, "the second worker")
    assert victim not in tree.children("work")
    ended = [event for event in tree.events("child.ended") if event["child_pid"] == victim]
    assert [event["exit_code"] for event in ended] == [-signal.SIGKILL]
    await tree.until_ready()


async def test_a_killed_front_refuses_nobody_and_loses_nothing(tree: Service) -> None:
    (victim,) = tree.children("http")

    async def harm() -> None:
        os.kill(victim, signal.SIGKILL)
        await tree.until(lambda: not is_alive(victim), "its end")
        # The port is the supervisor's: who connects now waits for the next front.
        reader, writer = await asyncio.open_connection("127.0.0.1", tree.http_port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(12), 60)) == b"HTTP/1.1 200"
        writer.close()

    await told_in_spite_of(tree, harm)
    await tree.until_ready()
    assert tree.children("http") != [victim]


async def test_a_killed_database_is_started_again_and_loses_nothing(tree: Service) -> None:
    pid = int((tree.folder / "data/postgresql/data/postmaster.pid").read_text().split()[0])
    restarts = len(tree.events("database.restarted"))

    async def harm() -> None:
        os.kill(pid, signal.SIGKILL)

    await told_in_spite_of(tree, harm)
    await tree.until_ready()
    assert len(tree.events("database.restarted")) == restarts + 1
    assert len(tree.children()) == 3, "no process of ours had to be started again"


async def test_a_frozen_worker_shows_and_holds_up_nobody(tree: Service) -> None:
    victim = tree.children("work")[-1]
    os.kill(victim, signal.SIGSTOP)
    try:
        parts = await tree.until_ready(503, timeout_s=15)
        assert parts == {"schema": "ok", "http": "ok", "mllp": "ok", "work": "1 of 2 processes do not serve"}

        async def nothing_more() -> None:
            return

        await told_in_spite_of(tree, nothing_more, visits=20)
    finally:
        os.kill(victim, signal.SIGCONT)
    await tree.until_ready()
    assert victim in tree.children("work")


async def test_metrics_are_those_of_the_whole_tree(tree: Service) -> None:
    await send_until_told(tree, visit(next(_next)))
    ends_at = time.monotonic() + 20
    while True:
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"{tree.url}/metrics")).text
        values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if not line.startswith("#")}
        # Sampled every few seconds.
        if values['handoff_processes_serving{part="work"}'] == 2 and "handoff_queue_depth" in values:
            break
        assert time.monotonic() < ends_at, page
        await asyncio.sleep(0.2)
    assert values['handoff_messages_received_total{answer="AA",door="mllp"}'] >= 1
    # Counted by the workers, shown by the front.
    assert values["handoff_messages_processed_total"] >= 1


async def test_every_line_of_the_log_is_an_event_and_none_is_a_defect(tree: Service) -> None:
    await send_until_told(tree, visit(next(_next)))
    # A worker writes its line after the commit that the test has already seen.
    ends_at = time.monotonic() + 20
    while "batch.worked" not in {event["event"] for event in tree.events()} and time.monotonic() < ends_at:
        await asyncio.sleep(0.05)
    assert {event["event"] for event in tree.events()} >= {"service.started", "process.started", "batch.worked"}
    assert [(event["error"], event["place"]) for event in tree.events("defect.found")] == []
    assert (tree.folder / "err.log").read_text().splitlines() == [
        f"A new private database is made in {tree.folder / 'data'}; HANDOFF_DATA_DIR names another.",
        f"HTTP  {tree.url}   documentation {tree.url}/docs",
        f"MLLP  127.0.0.1:{tree.mllp_ports[0]}",
    ]


MARKER = "Zyxwvutina"
"""A name that nobody has; it must appear nowhere but in what is meant for those who may read it."""


async def test_no_patient_can_be_read_off_logs_metrics_and_refusals(tree: Service) -> None:
    """Good messages and bad ones, over both doors, and requests that put a name where none belongs."""
    number = next(_next)
    good = visit(number).replace(b"Alder^Ann", f"{MARKER}^{MARKER}".encode())
    nameless = visit(next(_next)).replace(b"M1^^^HOSPA^MR", b"").replace(b"~MC1^^^MAINECARE^MA", b"").replace(b"Alder^Ann", MARKER.encode())
    stranger = visit(next(_next)).replace(b"|HOSPA|", b"|NOWHERE|", 1).replace(b"Alder^Ann", MARKER.encode())
    answers: list[bytes] = []
    async with MllpClient("127.0.0.1", tree.mllp_ports[0]) as sender:
        async for reply in sender.send_all([good, nameless, stranger]):
            answers += [one.raw for one in reply.acknowledgements]
    reader, writer = await asyncio.open_connection("127.0.0.1", tree.mllp_ports[0])
    # Without a frame, no message in the frame, and a frame too long, after which the door closes. (MSH-3 itself would be echoed.)
    too_long = visit(next(_next)) + b"NTE|1||" + MARKER.encode() * 200_000
    writer.write(good + b"\x0b" + MARKER.encode() + b"\x1c\r" + b"\x0b" + too_long)
    await writer.drain()
    refusals = (await asyncio.wait_for(reader.read(), 10)).split(b"\x1c\r")
    assert [b"MSA|" in refusal for refusal in refusals] == [True, True, True, False]
    answers += refusals
    writer.close()
    async with tree.client() as operator, tree.client("hospital") as hospital:
        for answer in (
            await hospital.post("/hl7v2", content=nameless, headers={"Content-Type": "application/hl7-v2"}),
            await hospital.post("/hl7v2", content=MARKER.encode(), headers={"Content-Type": "application/hl7-v2"}),
            await operator.get(f"/v1/members?identifier={MARKER}"),
            await operator.get(f"/v1/encounters/{MARKER}"),
            await operator.get(f"/{MARKER}"),
            await operator.post("/v1/organizations", json={"name": "X", "kind": MARKER}),
            await operator.post("/v1/organizations", content=f'{{"name": "{MARKER}'.encode()),
            await operator.request(MARKER, "/readyz"),
        ):
            answers.append(answer.content)
    assert not [answer for answer in answers if MARKER.encode() in answer]
    await visits_told(tree, 0)
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{tree.url}/metrics")).text
    for name, text in (
        ("log", tree.log()),
        ("standard error", (tree.folder / "err.log").read_text()),
        ("metrics", page),
        ("the database's log", (tree.folder / "data/postgresql/server.log").read_text()),
    ):
        assert MARKER.lower() not in text.lower(), name
    assert {event["answer"] for event in tree.events("message.refused")} >= {"AE", "AR"}


async def test_told_to_stop_it_answers_what_came_in_and_ends_with_0(module_folder: Path, fresh_database: Database) -> None:
    variables = {"HANDOFF_DATABASE_URL": fresh_database.url}
    async with running_service(module_folder / "stop", variables=variables) as service:
        await make_exchange(service)
        children = service.children()
        async with MllpClient("127.0.0.1", service.mllp_ports[0], window=30) as sender, service.client("behavioral_health_home") as home:
            long_poll = asyncio.create_task(home.get("/v1/notifications", params={"after": 10_000, "wait": 30}))
            await asyncio.sleep(0.2)
            replies = []
            async for reply in sender.send_all([visit(number) for number in range(30)]):
                if not replies:
                    service.process.send_signal(signal.SIGTERM)
                replies.append(reply.code)
            assert replies == ["AA"] * 30
            assert (await long_poll).json()["items"] == []
        began_s = time.monotonic()
        assert await asyncio.to_thread(service.process.wait, 30) == 0
        assert time.monotonic() - began_s < 20
        assert not [pid for pid in children if is_alive(pid)]
        assert [event["killed"] for event in service.events("service.stopped")] == [0]
        assert not (service.folder / "ready.json").exists()


async def test_a_supervisor_that_is_killed_takes_its_processes_with_it(module_folder: Path, fresh_database: Database) -> None:
    variables = {"HANDOFF_DATABASE_URL": fresh_database.url, "HANDOFF_WORKERS": "1"}
    async with running_service(module_folder / "orphans", variables=variables) as service:
        children = service.children()
        assert len(children) == 2
        # Frozen, it could not even see that its parent is gone.
        os.kill(children[-1], signal.SIGSTOP)
        service.process.kill()
        ends_at = time.monotonic() + 5
        while any(is_alive(pid) for pid in children):
            assert time.monotonic() < ends_at, "processes outlive their supervisor"
            await asyncio.sleep(0.05)


async def test_roles_apart_make_one_service(module_folder: Path, fresh_database: Database) -> None:
    """Three supervisors on one database, as three machines would have it; the door's tree has no HTTP at all."""
    variables = {"HANDOFF_DATABASE_URL": fresh_database.url, "HANDOFF_WORKERS": "1", "HANDOFF_SECRET_KEY": "s" * 40}
    async with (
        running_service(module_folder / "api", "--role", "api", variables=variables) as api,
        running_service(module_folder / "mllp", "--role", "mllp", variables=variables, has_http=False) as mllp,
        running_service(module_folder / "work", "--role", "work", variables=variables, has_http=False),
    ):
        assert (await api.readiness())[1] == {"schema": "ok", "http": "ok"}
        assert mllp.http_port == 0
        await make_exchange(api)
        await send_until_told(mllp, visit(1))
        assert await visits_told(api, 1) == {"V1"}


async def test_a_port_that_is_taken_is_named_before_anything_starts(module_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        data = module_folder / "taken"
        ended = run_command("serve", "--mllp-port", str(port), "--http-port", "0", variables={"HANDOFF_DATA_DIR": str(data)})
    assert ended.returncode == ExitCode.UNAVAILABLE
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use)." in ended.stderr
    assert "HANDOFF_MLLP_PORT" in ended.stderr
    assert not data.exists()


async def test_a_database_of_somebody_else_is_never_migrated_unasked(server_url: str, module_folder: Path) -> None:
    variables = {"HANDOFF_DATABASE_URL": server_url, "HANDOFF_NETWORK": "never_made", "HANDOFF_DATA_DIR": str(module_folder / "none")}
    ended = run_command("serve", "--mllp-port", "0", "--http-port", "0", "--json", variables=variables)
    assert ended.returncode == ExitCode.REFUSED
    said = json.loads(ended.stderr.splitlines()[-1])
    assert said["kind"] == "refused"
    assert "revision none" in said["error"]
    assert "handoff migrate up" in said["remedy"]


async def test_a_setting_that_no_worker_could_use_is_named_at_the_start(module_folder: Path) -> None:
    variables = {"HANDOFF_DATA_DIR": str(module_folder / "allow"), "HANDOFF_ENDPOINT_ALLOW": "http://10.0.0.0/99"}
    ended = run_command("serve", "--mllp-port", "0", "--http-port", "0", variables=variables)
    assert ended.returncode == ExitCode.USAGE
    assert "HANDOFF_ENDPOINT_ALLOW" in ended.stderr


async def test_told_to_stop_while_it_starts_it_undoes_the_start(module_folder: Path) -> None:
    folder = module_folder / "early"
    variables = {"HANDOFF_DATA_DIR": str(folder), "HANDOFF_HTTP_PORT": "0", "HANDOFF_MLLP_PORT": "0", "HANDOFF_WORKERS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"], env=command_environment(variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        ends_at = time.monotonic() + 60
        while not (folder / "postgresql").exists():
            assert time.monotonic() < ends_at
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.to_thread(process.communicate, timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, said.decode()[-2000:]
    assert EmbeddedPostgres(folder).server_pid() is None


async def test_a_place_that_cannot_be_announced_ends_the_start(module_folder: Path, fresh_database: Database) -> None:
    variables = {"HANDOFF_DATABASE_URL": fresh_database.url, "HANDOFF_WORKERS": "1", "HANDOFF_DATA_DIR": str(module_folder / "announce")}
    arguments = ["--http-port", "0", "--mllp-port", "0", "--ready-file", "/nonexistent/ready.json", "--json"]
    ended = await asyncio.to_thread(run_command, "serve", *arguments, variables=variables, timeout_s=120)
    assert ended.returncode == ExitCode.USAGE
    assert "/nonexistent/ready.json" in ended.stderr


@pytest.mark.parametrize("module", ["app.main", "app.worker"])
async def test_a_process_of_the_tree_is_not_started_by_hand(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module], env=command_environment({}), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert ended.returncode == 2
    assert "handoff serve" in ended.stderr
    assert "Traceback" not in ended.stderr
