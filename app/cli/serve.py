"""`handoff serve`: takes the ports, the database and the settings, and hands them to the process tree. Not here: the tree (tree.py)."""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from adapters.hl7v2.tls import server_context
from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.process.lifeline import assignment_line
from app.cli.environment import child_environment, settings_with
from app.cli.exits import CommandError, ExitCode, unavailable, usage
from app.cli.new_database import say_if_new
from app.cli.output import JsonFlag, Output
from app.cli.tree import Ground, Plan, Sockets, Tree
from app.settings import PREFIX, LogFormat, Settings, read_or_make_secret, warnings
from app.telemetry.events import DatabaseMigrated
from app.telemetry.log import EventLog, process_log
from app.telemetry.metrics import FOLDER_VARIABLE
from app.telemetry.words import Part

app = typer.Typer(add_completion=False)


class ServeRole(StrEnum):
    """Which parts of the service this tree has."""

    ALL = "all"
    API = "api"
    MLLP = "mllp"
    WORK = "work"


HttpPort = Annotated[int | None, typer.Option("--http-port", min=0, max=65535, help="In place of HANDOFF_HTTP_PORT; 0 takes a free one.")]
MllpPort = Annotated[int | None, typer.Option("--mllp-port", min=0, max=65535, help="In place of HANDOFF_MLLP_PORT; 0 takes a free one.")]


@app.command()
def serve(
    role: Annotated[ServeRole, typer.Option(help="`all`, or one role of several on a shared database.")] = ServeRole.ALL,
    http_port: HttpPort = None,
    mllp_port: MllpPort = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written when everything serves: the ports, as JSON.")] = None,
    *,
    end_with_input: Annotated[bool, typer.Option("--end-with-input", hidden=True, help="Stop when the standard input ends.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the service until it is told to stop.

    Without HANDOFF_DATABASE_URL a private PostgreSQL runs in HANDOFF_DATA_DIR. SIGTERM or Ctrl-C: accept nothing more, finish what is
    under way, end with code 0. A second Ctrl-C ends at once; nothing that was acknowledged is lost.
    """
    overrides = {PREFIX + name: str(port) for name, port in (("HTTP_PORT", http_port), ("MLLP_PORT", mllp_port)) if port is not None}
    if as_json:
        overrides[f"{PREFIX}LOG_FORMAT"] = LogFormat.JSON.value
    settings = settings_with(overrides)
    output = Output(as_json=as_json)
    for warning in warnings(settings):
        output.say(f"Warning: {warning}")
    check_listeners(settings)
    check_drops(settings, role)
    sockets = bind(settings, role)
    say_if_new(settings, output)
    overrides |= _taken(settings, sockets)
    # Small and written all the time, so not on the disk of the database; nothing of it is needed after the end.
    metrics_folder = Path(tempfile.mkdtemp(prefix="handoff-metrics-"))
    workers = settings.worker_count if role in {ServeRole.ALL, ServeRole.WORK} else 0
    plan = Plan(sockets, workers, child_environment({FOLDER_VARIABLE: str(metrics_folder), **overrides}), metrics_folder)

    def on_started(http: int, mllp: tuple[int, ...]) -> None:
        if ready_file is not None:
            try:
                write_whole(ready_file, {"http_port": http, "mllp_ports": list(mllp), "workers": workers})
            except OSError as error:
                raise usage(f"{ready_file} cannot be written ({error.strerror}).", "Name a file in a folder that is there.") from None
        for line in places(settings, http, mllp):
            output.say(line)

    try:
        asyncio.run(_serve(settings, plan, 0 if end_with_input else None, on_started))
    finally:
        sockets.close()
        shutil.rmtree(metrics_folder, ignore_errors=True)
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


async def _serve(settings: Settings, plan: Plan, watch: int | None, on_started: Callable[[int, tuple[int, ...]], None]) -> None:
    log = process_log(Part.SUPERVISOR, 0, is_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    read_or_make_secret(settings)
    server = EmbeddedPostgres(settings.data_dir) if settings.database_url is None else None
    # A start cannot be taken back half way: told to stop meanwhile, it is waited for and then undone.
    starting = asyncio.create_task(asyncio.to_thread(server.start)) if server is not None else None

    async def prepare() -> Ground:
        if starting is None:
            url = settings.database_url.get_secret_value() if settings.database_url is not None else ""
        else:
            url = await asyncio.shield(starting)
        await _preflight(url, plan, log, is_embedded=server is not None)
        return Ground(url, server)

    try:
        await Tree(settings, plan, log).run(prepare, watch=watch, on_started=on_started)
    finally:
        if server is not None and starting is not None:
            await asyncio.wait({starting})
            await asyncio.to_thread(server.release)


async def _preflight(url: str, plan: Plan, log: EventLog, *, is_embedded: bool) -> None:
    """Check everything that is heavy to load in a process of its own, which brings the embedded database to this release too."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "app.cli.preflight",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=plan.environment,
    )
    try:
        said, _ = await process.communicate(assignment_line({"database_url": url, "is_embedded": is_embedded}))
    except asyncio.CancelledError:
        process.kill()
        await process.wait()  # its end would find the loop closed, and be logged as a defect
        raise
    try:
        found = json.loads(said)
    except ValueError:
        found = {"code": ExitCode.DEFECT, "text": f"The checks before the start ended with code {process.returncode}."}
    if "code" in found:
        remedy = found.get("remedy", "This is a defect; please report it with the lines above.")
        raise CommandError(ExitCode(found["code"]), found["text"], remedy)
    if found["revision"] is not None:
        log.emit(DatabaseMigrated(found["revision"], found["took_ms"]))


def _taken(settings: Settings, sockets: Sockets) -> dict[str, str]:
    """Name the ports that were taken where 0 was asked for, so that every process knows where it is reached."""
    http_port, mllp_ports = sockets.ports()
    taken = {f"{PREFIX}HTTP_PORT": str(http_port)} if http_port else {}
    if mllp_ports and not settings.mllp_listeners:
        taken[f"{PREFIX}MLLP_PORT"] = str(mllp_ports[0])
    return taken


def check_listeners(settings: Settings) -> None:
    """Find TLS files that would keep the door from starting, and name them here, where it can be read."""
    for listener in settings.listeners:
        if listener.tls is not None:
            try:
                server_context(listener.tls.certificate_file, listener.tls.key_file, listener.tls.client_authority_file)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise usage(
                    f"{PREFIX}MLLP_LISTENERS: the TLS files of {listener.host}:{listener.port} cannot be used ({why}).",
                    "Check that the certificate and its key are PEM, belong together and can be read.",
                ) from None


def check_drops(settings: Settings, role: ServeRole) -> None:
    """Find what would keep a worker from starting. A folder or server that is away is waited for, and no reason not to start."""
    has_sftp = role in {ServeRole.ALL, ServeRole.WORK} and any(source.sftp is not None for source in settings.file_sources)
    if has_sftp and find_spec("asyncssh") is None:
        raise usage(
            f"{PREFIX}FILE_SOURCES names an SFTP server, and the extra for it is not installed.",
            "Install it: pip install 'warm-handoff[sftp]'.",
        )


def bind(settings: Settings, role: ServeRole) -> Sockets:
    """Take the ports of a role before anything is started."""
    http: socket.socket | None = None
    mllp: dict[int, socket.socket] = {}
    try:
        if role in {ServeRole.ALL, ServeRole.API}:
            http = _bound(settings.http_host, settings.http_port, "HTTP_HOST", "HTTP_PORT")
        if role in {ServeRole.ALL, ServeRole.MLLP}:
            for index, listener in enumerate(settings.listeners):
                mllp[index] = _bound(listener.host, listener.port, "MLLP_HOST", "MLLP_PORT")
    except BaseException:
        Sockets(http, mllp).close()
        raise
    return Sockets(http, mllp)


def _bound(host: str, port: int, host_name: str, port_name: str) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except OSError as error:
        raise unavailable(
            f"{host}:{port} cannot be listened on ({_why(error)}).",
            f"Stop what uses it (`ss -ltnp 'sport = :{port}'` names it), or set {PREFIX}{host_name} and {PREFIX}{port_name}; "
            "port 0 takes a free one.",
        ) from None


def _why(error: OSError) -> str:
    """Give the system's own words; `socket.create_server` adds the address to them, which stands before them already."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else type(error).__name__


def places(settings: Settings, http_port: int, mllp_ports: tuple[int, ...]) -> list[str]:
    """Say where the service is reached."""
    lines = []
    if http_port:
        host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
        url = settings.base_url or f"http://{host}:{http_port}"
        lines.append(f"HTTP  {url}   documentation {url}/docs")
    for listener, port in zip(settings.listeners, mllp_ports, strict=True) if mllp_ports else ():
        lines.append(f"MLLP  {listener.host}:{port}{' (TLS)' if listener.tls is not None else ''}")
    return lines


def write_whole(path: Path, value: Mapping[str, object]) -> None:
    """Write a file that is there whole or not at all."""
    growing = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        growing.unlink()
    growing.write_text(json.dumps(value) + "\n")
    growing.replace(path)
