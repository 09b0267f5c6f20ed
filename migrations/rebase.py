"""Writes revision 0001 anew from the tables, for as long as nothing is released: `make migration-rebase`.

Refuses as soon as there is a second revision.
"""

import sys
from pathlib import Path

from migrations.new import write_revision
from migrations.run import VERSIONS

_FIRST = "0001"
_DOCSTRING = '''"""The first schema.

Why: everything begins here. Written from the tables in app/store/tables by `make migration-rebase`, until the first release.
Phase: expand. Locks and duration: none that matter; the schema is empty, about half a second.
Undo: drop the schema; there is nothing before it.
"""
'''


def rebase() -> Path:
    """Replace revision 0001 and give its file."""
    others = [path.name for path in VERSIONS.glob("*.py") if not path.name.startswith(f"{_FIRST}_")]
    if others:
        sys.exit(f"0001 is history: {', '.join(sorted(others))} build on it. Write a new revision instead (migrations/README.md).")
    kept = {path: path.read_text() for path in VERSIONS.glob(f"{_FIRST}_*.py")}
    for path in kept:
        path.unlink()
    try:
        written = write_revision("the first schema", _FIRST)
    except BaseException:
        for path, text in kept.items():
            path.write_text(text)
        raise
    _, _, body = written.read_text().split('"""', 2)
    written.write_text(_DOCSTRING + body.removeprefix("\n"))
    return written


if __name__ == "__main__":
    print(rebase())  # noqa: T201 - a developer's command
