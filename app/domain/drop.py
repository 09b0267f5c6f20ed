"""A drop: a folder into which others put files, on this machine or on a server. Which file is taken when, and where it ends up.

A file is put down in the folder itself, is renamed to `taking/` while it is worked on, and ends in `done/` or `failed/` with its results
beside it. The rename is the claim: it succeeds once, and what is in `taking/` is known to be ours. Not here: reading and moving
(adapters/files), and what becomes of the content (app/drop).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.panel import UploadMode

TAKING: Final = "taking"
RESULT: Final = "result.json"
ACKS: Final = "ack"
REJECTED: Final = "rejected.csv"

NAME_BYTES_MAX: Final = 150
"""A file name has at most 255 bytes, and ours are longer than the sender's."""
_SUFFIX_BYTES_MAX: Final = 16
_UNFINISHED: Final = re.compile(r"^[.~]|~$|\.(part|partial|tmp|temp|filepart|crdownload|swp|lock|writing|uploading)$", re.IGNORECASE)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_STORED: Final = re.compile(r"([0-9a-f]{32})-([0-9]{1,4})-(.+)", re.DOTALL)
_LINE_ENDS: Final = b"\r\n\x1c"
_TRAILERS: Final = {b"FHS": b"FTS", b"BHS": b"BTS"}
_ROOT: Final = re.compile(rb"<([^\s/>?!]+)")

ENDS_OCTETS: Final = 4096
"""So much of a file's beginning and end is looked at to tell whether it looks whole."""
UNFINISHED_FACTOR: Final = 12
"""Our policy: what does not look whole has to lie still so many times longer. Then it is taken as it is: many senders end a file
without a line end, and a trailer that never comes is reported."""
TRIES_MAX: Final = 20
"""Our policy: a file that was taken up so often without its process living to finish it is put to `failed/`."""


class Box(StrEnum):
    """Where a file ends up."""

    DONE = "done"
    """Taken, wholly or as far as it could be; the results beside it say what was refused."""
    FAILED = "failed"
    """Nothing of it was taken; the result says where and why, and what to do."""


class FileOutcome(StrEnum):
    """What became of a file."""

    TAKEN = "taken"
    PARTLY = "partly"
    """Some messages or rows were refused, the others taken."""
    REPEATED = "repeated"
    """Everything in it had been taken before; nothing was done twice."""
    REFUSED = "refused"
    """Nothing was taken."""

    @property
    def box(self) -> Box:
        """The folder for it."""
        return Box.FAILED if self is FileOutcome.REFUSED else Box.DONE


@dataclass(frozen=True, slots=True)
class DropSource:
    """One configured drop: whose files come there and what they are."""

    name: str
    feed: str | None = None
    """The feed of its messages; None lets MSH-3 and MSH-4 say it."""
    panel_of: UUID | None = None
    """When set, its files are rosters of this organization's panel, not messages."""
    mode: UploadMode = UploadMode.DELTA
    every_s: float = 1.0
    quiet_s: float = 5.0


class DropUnavailableError(Exception):
    """The drop cannot be used now: nothing was lost, and it is tried again. The text says what to do."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        """A word for the log."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as it was seen."""

    name: str
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was claimed."""

    id: UUID
    tries: int
    """How often it was taken up."""
    name: str
    """As the sender called it, as far as that can be printed."""

    @property
    def path(self) -> str:
        """Where it lies while it is worked on. Its name holds all that has to be known after a crash."""
        return f"{TAKING}/{self.id.hex}-{self.tries}-{self.name}"

    def growing(self, result: str) -> str:
        """Where a result lies until it is whole."""
        return f"{TAKING}/{self.id.hex}.{result}"

    @property
    def stamped(self) -> str:
        """A name that no other file has, for when another of the same name lies there already."""
        stem, dot, suffix = self.name.rpartition(".")
        return f"{stem}.{self.id.hex}{dot}{suffix}" if stem else f"{self.name}.{self.id.hex}"


def read_taken(stored: str) -> Taken | None:
    """Read a claimed file's name."""
    found = _STORED.fullmatch(stored)
    return Taken(UUID(found[1]), int(found[2]), found[3]) if found else None


def clean_name(name: str) -> str:
    """Give a name that every file system, JSON and the database can hold, with its suffix."""
    name = _UNPRINTABLE.sub("_", name)
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    stem, dot, suffix = name.rpartition(".")
    suffix = dot + suffix if len(suffix.encode()) <= _SUFFIX_BYTES_MAX else ""
    kept = (stem if suffix else name).encode()[: NAME_BYTES_MAX - len(suffix.encode())]
    return kept.decode(errors="ignore") + suffix


def is_candidate(name: str) -> bool:
    """Tell whether a name may be a delivered file: not hidden, and not one that a sender gives while it still writes."""
    return _UNFINISHED.search(name) is None


def looks_whole(head: bytes, tail: bytes, *, is_roster: bool) -> bool:
    """Tell whether a file ends as a finished one does: with a line end, and a batch with the trailer that its header promises.

    XML ends with the end of its root, after which nothing has to come.
    """
    begun = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\x0b\r\n ")
    if begun[:1] == b"<" and not is_roster:
        root = _ROOT.search(begun)
        return root is not None and tail.rstrip(_LINE_ENDS + b" \t\x00").endswith(b"</" + root[1] + b">")
    if tail[-1:] not in (b"\r", b"\n", b"\x1c"):
        return False
    if is_roster:
        return True
    trailer = _TRAILERS.get(begun[:3])
    last = re.split(rb"[\r\n]", tail.rstrip(_LINE_ENDS + b" \t\x00"))[-1].lstrip(b"\x0b")
    return trailer is None or last.startswith(trailer)


class Patience:
    """Remembers since when each file has lain still. One of these a drop."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[Sighting, float]] = {}

    def still_for_s(self, sightings: Iterable[Sighting], now_s: float) -> list[tuple[Sighting, float]]:
        """Give for each file how long it is known not to have changed, oldest first; a file that was not seen is forgotten."""
        kept: dict[str, tuple[Sighting, float]] = {}
        for sighting in sightings:
            before = self._since.get(sighting.name)
            kept[sighting.name] = before if before is not None and before[0] == sighting else (sighting, now_s)
        self._since = kept
        ordered = sorted(kept.values(), key=lambda one: (one[0].modified_ns, one[0].name))
        return [(sighting, now_s - since_s) for sighting, since_s in ordered]
