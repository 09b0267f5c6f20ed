"""The checks of `doctor`, each with what it found and, where something is wrong, what to do. Not here: printing them.

A check looks and changes nothing. One that cannot be made says so and the others go on.
"""

import shutil
import socket
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters.postgresql.binaries import MAJOR_VERSION, find_programs
from adapters.postgresql.errors import EmbeddedPostgresError
from app import wiring
from app.cli.database import Database
from app.cli.failing import STANDARDS_REMEDY
from app.cli.http_client import HttpClient, NoAnswerError, NotReachedError
from app.settings import PREFIX, Settings, warnings
from app.store import agreements, audit_chain, measure_lines
from app.store.backlog import Backlog, read_backlog
from app.store.inspection import Inspection, inspect
from app.store.roles import Role
from migrations.run import migrate_verify

VERSION_MIN: Final = 160_000
SKEW_MAX: Final = timedelta(seconds=2)
FLUSHES_PER_S_MIN: Final = 50
"""Below it even group commit makes a sender wait; a spinning disk does about 100."""
OLDEST_MAX: Final = timedelta(minutes=2)
COMPARED_WITHIN: Final = timedelta(hours=1)
"""Our policy: who is alike is found by then, or somebody should know that it is not."""
LINKED_WITHIN: Final = timedelta(minutes=10)
"""Our policy: the chain is minutes behind at most, or somebody should know what holds it."""
CONNECTIONS_SHARE_MAX: Final = 0.8
FREE_SHARE_MIN: Final = 0.1
FREE_BYTES_MIN: Final = 256_000_000
"""Below it PostgreSQL's next segments of log may find no place."""
_PORT_TIMEOUT_S: Final = 3.0
_READY: Final = 200
_SAID_MAX: Final = 200
"""`handoff migrate verify` prints the whole of a difference."""


class Grade(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    """It works, and deserves a look."""
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    grade: Grade
    said: str
    remedy: str = ""


def check_settings(settings: Settings) -> list[Check]:
    """Look at the settings and the rules that are data."""
    checks = [Check("settings", Grade.GOOD, f"read; network {settings.network}, {settings.environment.value}")]
    checks += [Check("settings", Grade.WARNING, warning, "See the section Configuration of the README.") for warning in warnings(settings)]
    try:
        wiring.webhook_allowances(settings)
    except ValueError as error:
        checks.append(Check("settings", Grade.BAD, f"{PREFIX}ENDPOINT_ALLOW: {error}", "Correct the entry."))
    try:
        wiring.rulebook(settings.standards_dir)
        wiring.warm_calendars(settings.standards_dir)
    except ValueError as error:
        checks.append(Check("rules", Grade.BAD, str(error), STANDARDS_REMEDY))
    else:
        own = f"; some of them in {settings.standards_dir}" if settings.standards_dir is not None else ""
        checks.append(Check("rules", Grade.GOOD, f"every program, measure and code table reads{own}"))
    return checks


def check_programs(settings: Settings) -> Check:
    """Look for the embedded PostgreSQL, where it is used."""
    if settings.database_url is not None:
        return Check("embedded PostgreSQL", Grade.GOOD, f"not used: {PREFIX}DATABASE_URL is set")
    try:
        folder = find_programs()
    except EmbeddedPostgresError as error:
        return Check("embedded PostgreSQL", Grade.BAD, str(error), "Run `make setup` again.")
    return Check("embedded PostgreSQL", Grade.GOOD, f"version {MAJOR_VERSION} in {folder}")


def check_room(settings: Settings) -> list[Check]:
    """Look at how much room the embedded database has; where a server of somebody else keeps its data is not known here."""
    if settings.database_url is not None:
        return []
    folder = next(one for one in (settings.data_dir.absolute(), *settings.data_dir.absolute().parents) if one.exists())
    found = shutil.disk_usage(folder)
    return [_room(found.free, found.total, folder)]


def _room(free_bytes: int, total_bytes: int, folder: Path) -> Check:
    said = f"{free_bytes / 1e9:,.1f} of {total_bytes / 1e9:,.1f} GB are free in {folder}"
    if free_bytes >= max(total_bytes * FREE_SHARE_MIN, FREE_BYTES_MIN):
        return Check("room", Grade.GOOD, said)
    grade = Grade.WARNING if free_bytes >= FREE_BYTES_MIN else Grade.BAD
    return Check("room", grade, said, "Make room: what finds none is answered AE, kept by its sender, and taken as soon as there is some.")


async def check_database(database: Database, clock: wiring.SystemClock) -> list[Check]:
    """Look at the server: version, roles, clock, disk, room for connections."""
    before_s, before = time.monotonic(), clock.now()
    found = await inspect(database.url, database.network)
    skew = found.now - (before + timedelta(seconds=found.asked_at_s - before_s))
    return [_version(found), _roles(found, database), _skew(skew), _flushes(found), _connections(found)]


def _version(found: Inspection) -> Check:
    said = f"version {found.version // 10_000}.{found.version % 10_000}"
    if found.version < VERSION_MIN:
        return Check("database", Grade.BAD, said, "PostgreSQL 16 or newer is needed; upgrade the server.")
    return Check("database", Grade.GOOD, said)


def _roles(found: Inspection, database: Database) -> Check:
    if found.roles_missing:
        said = f"missing, or not grantable to this login: {', '.join(found.roles_missing)}"
        return Check("roles", Grade.BAD, said, "Run `handoff migrate up` with a login that may create roles.")
    roles = ", ".join(database.network.role(role) for role in Role)
    if found.is_superuser and not database.is_embedded:
        said = f"{roles}; the login is a superuser"
        return Check("roles", Grade.WARNING, said, "Give the service a login of its own that is a member of the three roles and no more.")
    return Check("roles", Grade.GOOD, roles)


def _skew(skew: timedelta) -> Check:
    said = f"{abs(skew.total_seconds()) * 1000:.0f} ms between this machine and the database"
    if abs(skew) > SKEW_MAX:
        return Check("clock", Grade.BAD, said, "Set both by NTP: due times are judged by one clock and leases by the other.")
    return Check("clock", Grade.GOOD, said)


def _flushes(found: Inspection) -> Check:
    said = f"{found.flushes_per_s:,.0f} commits a second, one after the other"
    if not found.durable:
        return Check(
            "disk",
            Grade.BAD,
            f"{said}; fsync or synchronous_commit is off",
            "Turn both on: an acknowledged message must outlive a power cut.",
        )
    if found.flushes_per_s < FLUSHES_PER_S_MIN:
        return Check("disk", Grade.WARNING, said, "A disk with a battery-backed or solid-state cache flushes a hundred times faster.")
    return Check("disk", Grade.GOOD, said)


def _connections(found: Inspection) -> Check:
    said = f"{found.connections} of {found.connections_max}"
    if found.connections > found.connections_max * CONNECTIONS_SHARE_MAX:
        return Check("connections", Grade.WARNING, said, f"Raise max_connections, or lower {PREFIX}DATABASE_CONNECTIONS_MAX.")
    return Check("connections", Grade.GOOD, said)


async def check_schema(database: Database) -> tuple[list[Check], bool]:
    """Compare revision, tables, grants and row-level security with this release; tell whether the tables can be read."""
    found = await migrate_verify(database.url, database.network)
    if not found:
        return [Check("schema", Grade.GOOD, "revision, tables, grants and row-level security are those of this release")], True
    is_old = "needs" in found[0] and len(found) == 1
    remedy = "Run `handoff migrate up`." if is_old else "Somebody changed the schema by hand; change it back, or report it."
    return [Check("schema", Grade.BAD, difference[:_SAID_MAX], remedy) for difference in found], not is_old


async def check_backlog(settings: Settings, database: Database, clock: wiring.SystemClock) -> list[Check]:
    """Look at what waits."""
    engine = wiring.engine_of(settings, database.url, Role.WORK, name="handoff doctor")
    try:
        async with wiring.open_transaction(engine)() as raw:
            waiting = await read_backlog(raw)
            unlinked = await audit_chain.unlinked(raw)
            ending = await agreements.days_left(raw, clock.now())
            year, judged = await measure_lines.rules_of_the_newest_year(raw)
    finally:
        await engine.dispose()
    return [
        _queue(waiting, clock),
        _comparisons(waiting, clock),
        _deliveries(waiting),
        _chain(*unlinked, clock),
        _agreements(ending),
        *_judged(year, judged, settings),
    ]


def _judged(year: int, judged: Collection[tuple[str, str]], settings: Settings) -> list[Check]:
    """Rates are sums of what is stored: after other rules were put in force, of what the old ones said until the year is computed anew."""
    try:
        catalog = wiring.rulebook(settings.standards_dir).measures
    except ValueError:
        return []  # what is wrong with the rules has its own line
    others = {said for measure, said in judged if measure not in catalog.measures or catalog.rules_for(measure, year).version != said}
    if not others:
        return [Check("measures", Grade.GOOD, "what is stored of the newest year was judged by the rules of this service")]
    said = f"statuses of {year} were judged by other rules than those of this service: {', '.join(sorted(others))}"
    return [Check("measures", Grade.WARNING, said, f"`handoff measure recompute --year {year}` says what these would change, and asks.")]


def _agreements(ending: Sequence[tuple[UUID, str, int]]) -> Check:
    if not ending:
        return Check("agreements", Grade.GOOD, "none expires within 60 days without another that goes on")
    soonest = min(days for _, _, days in ending)
    when = f"the first in {soonest} days" if soonest >= 0 else f"the first {-soonest} days ago"
    remedy = "`handoff agreement list` shows them: sign anew (`handoff agreement add`), or their organizations are told nothing more."
    return Check("agreements", Grade.WARNING, f"{len(ending)} expire or have expired, {when}", remedy)


def _chain(rows: int, oldest_at: datetime | None, clock: wiring.SystemClock) -> Check:
    if oldest_at is None:
        return Check("audit", Grade.GOOD, "every row of the audit and the ledger is in the chain")
    age = clock.now() - oldest_at
    said = f"{rows:,} rows of the audit and the ledger are in no link of the chain, the oldest for {age.total_seconds():.0f} s"
    if age > LINKED_WITHIN:
        remedy = "See that workers run, and that no transaction was left open (pg_stat_activity): one holds the chain back."
        return Check("audit", Grade.WARNING, said, remedy)
    return Check("audit", Grade.GOOD, said)


def _queue(waiting: Backlog, clock: wiring.SystemClock) -> Check:
    if waiting.oldest_at is None:
        return Check("queue", Grade.GOOD, "no message waits")
    age = clock.now() - waiting.oldest_at
    said = f"{waiting.messages:,} messages wait, the oldest for {age.total_seconds():.0f} s; {waiting.taken_up} were taken up before"
    if age > OLDEST_MAX:
        remedy = "See that workers run (`handoff serve --role work`) and what their log says; more workers work off a backlog faster."
        return Check("queue", Grade.BAD, said, remedy)
    return Check("queue", Grade.GOOD, said)


def _comparisons(waiting: Backlog, clock: wiring.SystemClock) -> Check:
    if not waiting.comparisons:
        return Check("comparisons", Grade.GOOD, "no patient record waits to be compared with others")
    age_s = waiting.oldest_comparison_s(clock.now())
    said = f"{waiting.comparisons:,} patient records wait to be compared with others, the oldest for {age_s:.0f} s"
    if age_s > COMPARED_WITHIN.total_seconds():
        remedy = "Messages come first; it is caught up when they are fewer. If it grows day by day, more workers on more cores help."
        return Check("comparisons", Grade.WARNING, said, remedy)
    return Check("comparisons", Grade.GOOD, said)


def _deliveries(waiting: Backlog) -> Check:
    said = f"{waiting.deliveries:,} wait, {waiting.stalled} with a lease that ran out, {waiting.disabled} endpoints given up"
    if waiting.stalled:
        return Check("deliveries", Grade.BAD, said, "No worker takes them up: see that workers run, and what their log says.")
    if waiting.disabled:
        remedy = "Ask the owners of these endpoints; they take them up again with POST /v1/subscriptions/{id}/resume."
        return Check("deliveries", Grade.WARNING, said, remedy)
    return Check("deliveries", Grade.GOOD, said)


async def check_ports(settings: Settings) -> AsyncIterator[Check]:
    """See whether the service answers where it should; that it does not run is no fault by itself."""
    url = f"http://{_reachable(settings.http_host)}:{settings.http_port}/readyz"
    try:
        async with HttpClient(timeout_s=_PORT_TIMEOUT_S) as client:
            answer = await client.get(url)
        parts = answer.json()["parts"]
    except NotReachedError:
        yield Check(
            "HTTP", Grade.WARNING, f"nothing listens on {settings.http_host}:{settings.http_port}", "Start it with `handoff serve`."
        )
    except (NoAnswerError, ValueError, KeyError, TypeError):
        yield Check(
            "HTTP", Grade.BAD, f"{url} is answered by something else", f"Stop that program, or set {PREFIX}HTTP_PORT to another port."
        )
    else:
        wrong = ", ".join(f"{part}: {said}" for part, said in parts.items() if said != "ok")
        good = answer.status == _READY
        remedy = "" if good else "Look at the log of the part that is named; a process that is away is started again by itself."
        yield Check("HTTP", Grade.GOOD if good else Grade.BAD, wrong or f"ready: {', '.join(parts)}", remedy)
    for listener in settings.listeners:
        try:
            socket.create_connection((_reachable(listener.host), listener.port), timeout=_PORT_TIMEOUT_S).close()
        except OSError:
            yield Check("MLLP", Grade.WARNING, f"nothing listens on {listener.host}:{listener.port}", "Start it with `handoff serve`.")
        else:
            yield Check("MLLP", Grade.GOOD, f"{listener.host}:{listener.port} accepts connections")


def _reachable(host: str) -> str:
    """Give an address by which a listener on every address is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - looked for, not bound
