"""Writes revision 0001 anew from the tables, for as long as nothing is released: `make migration-rebase`.

Refuses as soon as there is a second revision. Needs no server: it starts a private one and removes it. What autogenerate cannot
see (triggers, functions) belongs into `migrations/by_hand_0001.py`, which 0001 calls when it exists.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command

from adapters.postgresql.embedded import EmbeddedPostgres
from app.store.roles import Network
from migrations.run import migrate_up, run_in_alembic

_VERSIONS = Path(__file__).parent / "versions"
_FIRST = "0001"


def rebase() -> Path:
    """Replace revision 0001 and give its file."""
    others = [path.name for path in _VERSIONS.glob("*.py") if not path.name.startswith(f"{_FIRST}_")]
    if others:
        sys.exit(f"0001 is history: {', '.join(sorted(others))} build on it. Write a new revision instead (migrations/README.md).")
    for path in _VERSIONS.glob(f"{_FIRST}_*.py"):
        path.unlink()
    with TemporaryDirectory(prefix="handoff-rebase-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "data", durable=False) as server:
            asyncio.run(_write(server.url))
    (written,) = _VERSIONS.glob(f"{_FIRST}_*.py")
    for arguments in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(written)], check=True)  # noqa: S603 - our own tool on our own file
    return written


async def _write(url: str) -> None:
    network = Network("handoff")
    await migrate_up(url, network)
    await run_in_alembic(
        url,
        network,
        lambda config: command.revision(config, message="The first schema", rev_id=_FIRST, autogenerate=True),
    )


if __name__ == "__main__":
    print(rebase())  # noqa: T201 - a developer's command
