"""`handoff demo`: a living network on this machine, from nothing, over the public interface alone. Not here: its parts.

A service of its own runs in a process tree beside it, with a folder of its own; hospitals send, homes are told and work, a plan asks.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.live import Live

from adapters.postgresql.embedded import EmbeddedPostgres
from app import wiring
from app.cli.database import Database, Office
from app.cli.demo import folder as demo_folder
from app.cli.demo.cast import people
from app.cli.demo.dice import Dice
from app.cli.demo.network import Network
from app.cli.demo.numbers import OVER, WARNED, Numbers
from app.cli.demo.people_at_work import everybody_at_work
from app.cli.demo.receiver import Receiver
from app.cli.demo.screen import console, introduction, picture, sums
from app.cli.demo.screen import places as keys_and_places
from app.cli.demo.story import Story, sample_message
from app.cli.demo.traffic import Traffic
from app.cli.environment import demo_environment
from app.cli.exits import CommandError, ExitCode
from app.cli.output import Output
from app.cli.serve import HttpPort, MllpPort
from app.settings import PREFIX, Settings, load_settings
from app.store.failures import is_unavailable
from app.store.roles import Network as StoreNetwork
from app.store.roles import Role
from app.store.tally import decisions

app = typer.Typer(add_completion=False)

_START_TIMEOUT_S: Final = 180.0
_LINE_EVERY_S: Final = 5.0
_DRAWN_EVERY_S: Final = 0.5
_COUNTED_EVERY_S: Final = 2.0
_SETTLED_AFTER_S: Final = 4.0
"""With `--once`: how long to go on after the past was sent."""
_KEY_OCTETS: Final = 24


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed."""

    seed: int
    patients: int
    is_once: bool


@app.command()
def demo(
    http_port: HttpPort = None,
    mllp_port: MllpPort = None,
    seed: Annotated[int, typer.Option(help="Another seed, another story; the same seed, the same.")] = 1,
    patients: Annotated[int, typer.Option(min=40, max=5_000, help="How many synthetic people there are.")] = 300,
    *,
    once: Annotated[bool, typer.Option("--once", hidden=True, help="End after the past was sent and worked on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print numbers as JSON lines instead of a table.")] = False,
) -> int:
    """Run a living network on this machine: hospitals that send, homes that are told and work, a plan that asks.

    Every patient is synthetic. The database is private, in .handoff-demo (or HANDOFF_DATA_DIR), and made anew for each run.
    """
    output = Output(as_json=as_json)
    settings = load_settings()
    folder = settings.data_dir if "data_dir" in settings.model_fields_set else demo_folder.DEFAULT
    demo_folder.clear(folder)
    variables = {f"{PREFIX}{name}": str(port) for name, port in (("HTTP_PORT", http_port), ("MLLP_PORT", mllp_port)) if port is not None}
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(folder, variables, Wishes(seed, patients, once), output))
    return ExitCode.OK


async def _run(folder: Path, variables: dict[str, str], wishes: Wishes, output: Output) -> None:
    clock, ids, numbers = wiring.SystemClock(), wiring.SystemIds(), Numbers()
    admin_key = ids.secret(_KEY_OCTETS).hex()
    async with Receiver(numbers, clock.now) as receiver:
        variables |= {
            f"{PREFIX}DATA_DIR": str(folder),
            f"{PREFIX}ADMIN_KEY": admin_key,
            f"{PREFIX}ENDPOINT_ALLOW": receiver.url,
        }
        environment = demo_environment(variables)
        settings = load_settings({name: value for name, value in environment.items() if name.startswith(PREFIX)})
        output.say(f"Starting a service of its own in {folder} ...")
        with _service(folder, environment) as service:
            places = await _until_ready(service, folder)
            base_url = f"http://{settings.http_host}:{places['http_port']}"
            async with Network(base_url, admin_key) as network, _office(settings, folder) as office:
                dice = Dice(wishes.seed)
                everybody = people(wishes.patients, dice)
                receiver.know(await network.make(everybody, receiver.url))
                mllp = f"{settings.mllp_host}:{places['mllp_ports'][0]}"
                example = next(person for person in everybody if person.in_plan and person.homes)
                log, sample = str(folder / "service.log"), (folder / "admission.hl7").resolve()
                sample.write_bytes(sample_message(example, clock.now()))
                output.result(keys_and_places(network, admin_key, mllp, log), introduction(network, admin_key, mllp, log, example, sample))
                traffic = Traffic(network, settings.mllp_host, places["mllp_ports"][0], numbers)
                began_s = time.monotonic()
                work = everybody_at_work(network, everybody, wishes.seed, numbers, clock.now, began_s)
                runs = [one.run() for one in work]
                runs += [traffic.run(Story(everybody, dice, clock.now()), clock.now), _count(office, numbers), _watch(service)]
                tasks = [asyncio.create_task(run) for run in runs]
                tasks.append(asyncio.create_task(_show(traffic, numbers, output, began_s, is_once=wishes.is_once)))
                await _first_to_end(tasks)


async def _first_to_end(tasks: "list[asyncio.Task[None]]") -> None:
    """Wait for the first that ends, whichever way; end the others; pass on its error."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


# The service beside us.


@contextmanager
def _service(folder: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `handoff serve` for the length of the block. It ends with us, whatever becomes of us: its input is ours."""
    with (folder / "service.log").open("wb") as log:
        arguments = ["serve", "--ready-file", str(folder / "ready.json"), "--end-with-input"]
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "app.cli", *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.PIPE,
            # Ctrl-C is for us; we tell it to end.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()


async def _until_ready(service: "subprocess.Popen[bytes]", folder: Path) -> dict[str, Any]:
    ready = folder / "ready.json"
    ends_at_s = time.monotonic() + _START_TIMEOUT_S
    while not ready.exists():
        if service.poll() is not None or time.monotonic() > ends_at_s:
            raise _ended(service)
        await asyncio.sleep(0.05)
    found: dict[str, Any] = json.loads(ready.read_text())
    return found


async def _watch(service: "subprocess.Popen[bytes]") -> None:
    while service.poll() is None:  # noqa: ASYNC110 - a process is asked, it does not tell
        await asyncio.sleep(1)
    raise _ended(service)


def _ended(service: "subprocess.Popen[bytes]") -> CommandError:
    """Say why the service ended, in its own words."""
    service.terminate()
    _, said = service.communicate()
    lines = [line.removeprefix("handoff: ") for line in said.decode(errors="replace").splitlines() if line.strip()] or ["It said nothing."]
    try:
        code = ExitCode(service.returncode)
    except ValueError:
        code = ExitCode.DEFECT
    return CommandError(code, f"The demo's service ended: {lines[0]}", " ".join(lines[1:]) or "Look at service.log in the demo's folder.")


# What is seen.


@asynccontextmanager
async def _office(settings: Settings, folder: Path) -> AsyncIterator[Office]:
    """Look into the database of the running service, for what no single organization may be told: what was withheld."""
    database = Database(EmbeddedPostgres(folder).url, StoreNetwork(settings.network), is_embedded=True)
    app_engine = wiring.engine_of(settings, database.url, Role.APP, name="handoff demo")
    work_engine = wiring.engine_of(settings, database.url, Role.WORK, name="handoff demo")
    try:
        yield Office(settings, database, app_engine, work_engine, wiring.keys_of(settings), wiring.SystemClock(), wiring.SystemIds())
    finally:
        await app_engine.dispose()
        await work_engine.dispose()


async def _count(office: Office, numbers: Numbers) -> None:
    while True:
        try:
            async with office.raw() as raw:
                numbers.decisions = await decisions(raw)
        except Exception as error:
            if not is_unavailable(error):
                raise
        await asyncio.sleep(_COUNTED_EVERY_S)


async def _show(traffic: Traffic, numbers: Numbers, output: Output, began_s: float, *, is_once: bool) -> None:
    """Draw until cancelled; with `is_once` until the past was sent and a moment has passed."""
    screen = console()
    settled_s: float | None = None
    last_line_s = began_s
    with Live(console=screen, refresh_per_second=2, transient=False) if screen.is_terminal and not output.as_json else _nothing() as live:
        while True:
            now_s = time.monotonic()
            if live is not None:
                live.update(picture(numbers, now_s - began_s))
            elif now_s - last_line_s >= _LINE_EVERY_S:
                last_line_s = now_s
                _line(numbers, output, now_s - began_s)
            if is_once and traffic.is_past_sent and not traffic.waiting:
                settled_s = settled_s or now_s
                if now_s - settled_s >= _SETTLED_AFTER_S:
                    _line(numbers, output, now_s - began_s)
                    return
            await asyncio.sleep(_DRAWN_EVERY_S)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _line(numbers: Numbers, output: Output, running_s: float) -> None:
    document = {
        "running_s": round(running_s, 1),
        "sent": dict(numbers.sent),
        "answers": {code: sum(count for (_, of), count in numbers.answers.items() if of == code) for code in ("AA", "AE", "AR")},
        "notifications": sum(numbers.told.values()),
        "first_told_after_s": numbers.first_told_after_s,
        "decisions": dict(numbers.decisions),
        "contacts": sum(numbers.contacts.values()),
        "clocks": {"warned": numbers.told_of(WARNED), "over": numbers.told_of(OVER), "met": numbers.met},
        "webhooks": {
            what: sum(n for (_, of), n in numbers.webhooks.items() if of == what) for what in ("verified", "turned_away", "refused")
        },
        "questions": numbers.questions,
        "answered": numbers.answered,
    }
    output.result(document, sums(numbers, running_s))
    sys.stdout.flush()
