"""The operator's commands: nouns, then verbs, the same names as in the code. `main` is the entry point. Not here: any command."""

import sys
from collections.abc import Sequence

from app.cli.root import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
