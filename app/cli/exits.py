"""How a command ends: the exit codes, whose numbers are never used again for another meaning, and the error that carries one.

Every error of a command says what was expected and what to do next. Not here: printing it (output.py), other errors (failing.py).
"""

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What an exit code means; README.md of this folder has the same table, held by a test."""

    OK = 0
    DEFECT = 1
    USAGE = 2
    REFUSED = 3
    UNAVAILABLE = 4
    UNKNOWN = 5
    FOUND = 6
    INTERRUPTED = 130


MEANINGS: Final = {
    ExitCode.OK: "Done.",
    ExitCode.DEFECT: "A defect of this program. Report the class and place that are printed.",
    ExitCode.USAGE: "The command line or a setting is wrong; nothing was done.",
    ExitCode.REFUSED: "It cannot be done as asked: not found, in conflict, or answered negatively. Asking again changes nothing.",
    ExitCode.UNAVAILABLE: "Something that is needed is away or taken: a database, a peer, a port. Nothing was done; try again later.",
    ExitCode.UNKNOWN: "It was sent and no answer came, so nobody knows whether it was done. Sending it again is safe.",
    ExitCode.FOUND: "`doctor`, `lint`, `files check`, `migrate verify` or `openapi --check` found something, or roster rows were refused.",
    ExitCode.INTERRUPTED: "Interrupted with Ctrl-C.",
}


class CommandError(Exception):
    """Why a command cannot do what it was asked, and what to do next."""

    def __init__(self, code: ExitCode, text: str, remedy: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.remedy = remedy


def refused(text: str, remedy: str) -> CommandError:
    """Make the error of something that cannot be done as asked."""
    return CommandError(ExitCode.REFUSED, text, remedy)


def unavailable(text: str, remedy: str) -> CommandError:
    """Make the error of something that is away or taken."""
    return CommandError(ExitCode.UNAVAILABLE, text, remedy)


def usage(text: str, remedy: str) -> CommandError:
    """Make the error of a wrong command line."""
    return CommandError(ExitCode.USAGE, text, remedy)
