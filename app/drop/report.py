"""What became of a file, as the JSON beside it and as a log event says it. Not here: how it came about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.drop import FileOutcome
from app.domain.inbound import Problem

PROBLEMS_SHOWN_MAX = 1000
"""Our policy: a result lists so many; every refused message is in the acknowledgements and under /v1/inbound."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """The end of one file."""

    outcome: FileOutcome
    reason: str
    """A word for the log."""
    remedy: str = ""
    octets: int = 0
    items: int = 0
    """Messages or rows."""
    accepted: int = 0
    refused: int = 0
    repeated: int = 0
    results: Sequence[str] = ()
    """Suffixes of the result files that were written."""
    document: dict[str, Any] = field(default_factory=dict)
    """What only this kind of file has to say."""


def problem_json(problem: Problem) -> dict[str, Any]:
    """Give a problem as JSON."""
    return {"code": problem.code.value, "severity": problem.severity.value, "location": problem.location or None, "message": problem.text}


def nothing_taken(reason: str, message: str, remedy: str, *, octets: int = 0) -> FileReport:
    """Report a file of which nothing was taken."""
    return FileReport(FileOutcome.REFUSED, reason, remedy, octets, document={"problems": [{"location": None, "message": message}]})
