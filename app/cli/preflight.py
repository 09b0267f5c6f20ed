"""What is checked before a tree starts, in a process of its own, so that the supervisor stays small. `serve` runs it.

It answers with one JSON line: the revision that the embedded database was brought to (null: it was there), or why nothing can start.
Not here: the checks of `doctor`, which an operator asks for.
"""

import asyncio
import json
import sys
import time

from adapters.process.lifeline import read_assignment
from app import wiring
from app.cli.database import Database, ensure_schema
from app.cli.exits import CommandError, usage
from app.cli.failing import command_error_of
from app.settings import PREFIX, Settings, load_settings
from app.store.roles import Network


def check(settings: Settings) -> None:
    """Load the rules, and read what the workers would stumble over."""
    wiring.rulebook(settings.standards_dir)
    if settings.standards_dir is not None:
        wiring.warm_calendars(settings.standards_dir)
    try:
        wiring.webhook_allowances(settings)
    except ValueError as error:
        raise usage(f"{PREFIX}ENDPOINT_ALLOW: {error}", "Correct the entry and start again.") from None


def main() -> None:
    """Check, and say what was found."""
    asked = read_assignment()
    settings = load_settings()
    started_s = time.monotonic()
    database = Database(asked["database_url"], Network(settings.network), is_embedded=asked["is_embedded"])
    try:
        check(settings)
        revision = asyncio.run(ensure_schema(database))
    except Exception as error:  # noqa: BLE001 - said to the supervisor, which ends with its code
        found: CommandError = command_error_of(error)
        answer = {"code": int(found.code), "text": found.text, "remedy": found.remedy}
    else:
        answer = {"revision": revision, "took_ms": int((time.monotonic() - started_s) * 1000)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
