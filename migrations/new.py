"""Writes a new revision from the difference between the tables and the migrations: `python -m migrations.new "expand contact npi"`.

Needs no server: it starts a private one, migrates it to head, and removes it. Read what it wrote; fill in its docstring.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command

from adapters.postgresql.embedded import EmbeddedPostgres
from app.store.roles import Network
from migrations.run import VERSIONS, migrate_up, run_in_alembic


def write_revision(message: str, number: str) -> Path:
    """Write the revision with this number, and format it."""
    with TemporaryDirectory(prefix="handoff-revision-") as folder:
        Path(folder).chmod(0o755)  # the server's account has to pass it; it holds nothing but the throwaway database
        with EmbeddedPostgres(Path(folder) / "data", durable=False) as server:
            asyncio.run(_write(server.url, message, number))
    (written,) = VERSIONS.glob(f"{number}_*.py")
    for arguments in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(written)], check=True)  # noqa: S603 - our own tool on our own file
    return written


async def _write(url: str, message: str, number: str) -> None:
    network = Network("handoff")
    await migrate_up(url, network)
    await run_in_alembic(url, network, lambda config: command.revision(config, message=message, rev_id=number, autogenerate=True))


def main(arguments: list[str]) -> None:
    """Write the next number."""
    if len(arguments) != 1 or arguments[0].split()[0] not in {"expand", "backfill", "contract"}:
        sys.exit('Say the phase and what: python -m migrations.new "expand contact npi" (phases: expand, backfill, contract)')
    number = 1 + max((int(path.name[:4]) for path in VERSIONS.glob("[0-9]*.py")), default=0)
    print(write_revision(arguments[0], f"{number:04d}"))  # noqa: T201 - a developer's command


if __name__ == "__main__":
    main(sys.argv[1:])
