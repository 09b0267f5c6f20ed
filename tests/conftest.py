"""Fixtures for every test: real PostgreSQL, engines of the three roles, a clock and ids that are held. Nothing is ever skipped."""

import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from app.store.engine import make_engine
from app.store.roles import Role
from tests.support import databases
from tests.support.databases import Database
from tests.support.fakes import FakeClock, FakeIds
from tests.support.order import long_ones_early
from tests.support.queries import QueryRecorder
from tests.support.servers import server_of_run

# How fast examples are made is a property of a machine under load, not of the code.
settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin what takes long in the first half; see order.py."""
    items[:] = long_ones_early(items, lambda item: item.nodeid.partition("::")[0])


@pytest.fixture(scope="session")
def run_id() -> str:
    """What the workers of this run share and no other run has."""
    shared = os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(8)
    return re.sub(r"[^a-z0-9]", "", shared.lower())[:12]


@pytest.fixture(scope="session")
def server_url(run_id: str) -> Iterator[str]:
    """The run's PostgreSQL."""
    with server_of_run(run_id) as url:
        yield url
        databases.close_warm_connections()


@pytest.fixture(scope="session")
def template(run_id: str) -> str:
    """The name of the migrated template database; made by whichever worker needs it first."""
    return f"handoff_test_{run_id}"


@pytest.fixture(scope="session")
def worker_database_name(template: str) -> str:
    """This worker's own database."""
    return f"{template}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@pytest.fixture
async def database(request: pytest.FixtureRequest, server_url: str, template: str, worker_database_name: str) -> AsyncIterator[Database]:
    """A migrated database without a row. It is this worker's, and is emptied after the test; one that asks for plans has its own."""
    # Emptied tables keep their pages and statistics, and what an earlier test left would choose the plan.
    if request.node.get_closest_marker("plans"):
        await databases.make_template(server_url, template)
        found = databases.copied(server_url, template)
    else:
        found = databases.of_worker(server_url, template, worker_database_name)
    async for one in found:
        yield one


@pytest.fixture
async def fresh_database(server_url: str, template: str) -> AsyncIterator[Database]:
    """A migrated database of this test alone, removed afterwards: for tests that change the schema or break things."""
    await databases.make_template(server_url, template)
    async for own in databases.copied(server_url, template):
        yield own


@pytest.fixture
def queries() -> QueryRecorder:
    """Counts the statements of `engine_owner`, `engine_work` and `engine_app`."""
    return QueryRecorder()


async def _engine(database: Database, role: Role, queries: QueryRecorder) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(database.url, database.network, role, name="tests")
    queries.watch(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine_owner(database: Database, queries: QueryRecorder) -> AsyncIterator[AsyncEngine]:
    """Connections as the owner of the schema."""
    async for engine in _engine(database, Role.OWNER, queries):
        yield engine


@pytest.fixture
async def engine_work(database: Database, queries: QueryRecorder) -> AsyncIterator[AsyncEngine]:
    """Connections as the pipeline has them: every row is visible."""
    async for engine in _engine(database, Role.WORK, queries):
        yield engine


@pytest.fixture
async def engine_app(database: Database, queries: QueryRecorder) -> AsyncIterator[AsyncEngine]:
    """Connections as the API has them: the viewer's rows are visible."""
    async for engine in _engine(database, Role.APP, queries):
        yield engine


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands until the test moves it."""
    return FakeClock()


@pytest.fixture
def ids() -> FakeIds:
    """Ids that are the same in every run."""
    return FakeIds()


@pytest.fixture
def server_folder(empty_folder: Path) -> Path:
    """A data folder for a test that runs an embedded server of its own."""
    return empty_folder


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    """The name of a short data folder that does not exist yet."""
    # Not pytest's tmp_path: as root it is closed to the server's account, and its names are long for a socket.
    with TemporaryDirectory(prefix="handoff-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"
