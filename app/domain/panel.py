"""A panel: whom an organization claims, as its uploads said it. What an upload changes, and when it changes too much.

A claim is identified by its row key: who (as the roster names the person), program, role and first day. The rules of an upload:

- a row whose key is not on the panel is ADDED; one whose hash or end differs is CHANGED: the old claim is retracted, the new one
  asserted; an equal one is UNCHANGED and left alone;
- `replace` also ENDS what the file no longer holds: the claim is retracted and, unless it begins after today, asserted again with
  today as its end. A claim that is over already is left alone: history does not change because a file stops repeating it;
- a row that says `remove` ENDS the claims it names, in either mode (roster_change);
- a refused row ends nothing: where it can be read whose row it is, that person's claims are KEPT as they are.

So no row is ever changed but for `retracted_at`, and the panel of any day can be asked as it was known at any instant (DESIGN 2.5).
The statements that apply these rules to a million rows are in store/panel_stage. Not here: one row (roster_row), who is responsible
on a day (attribution).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from app.domain.panel_rehearsal import SignedAlike
from app.domain.public_id import Kind, public_id
from app.domain.roster import RowError, RowErrorCode


class UploadMode(StrEnum):
    """What a file means: the whole panel, or only what is new."""

    REPLACE = "replace"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class ShrinkGuard:
    """When an upload is taken for an accident (half a file, another organization's file) and needs to be forced."""

    percent_max: float = 20.0
    """Of the claims in force, this many may end by one upload."""
    claims_min: int = 5
    """Fewer may end whatever their share: a panel of three changes by thirds."""

    def refuses(self, *, ending: int, in_force: int, accepted: int) -> bool:
        """Tell whether so many endings of so many claims need to be forced. A file without one good row always does."""
        if accepted == 0:
            return ending > 0
        return ending >= self.claims_min and ending * 100 > in_force * self.percent_max


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much an upload may be and do. Our policy."""

    file_bytes_max: int = 256 * 1024 * 1024
    guard: ShrinkGuard = field(default_factory=ShrinkGuard)
    chunk_claims: int = 1_000
    """People are looked for in transactions of so many claims; each claim takes some three locks until its chunk commits."""
    newcomers_min: int = 50
    """So many rows of a chunk whose claim is new are first tried as newcomers: for fewer a statement more is not worth it."""
    reconsider_days: int = 45
    """Stays that began or ended within this time are attributed anew; the same as the longest follow-up window and a half."""
    settle_timeout_s: float = 10.0
    """How long to wait, after the commit, for transactions that may have read the old panel."""


@dataclass(frozen=True, slots=True)
class PanelDifference:
    """What an upload changes on a panel, in claims."""

    added: int
    changed: int
    unchanged: int
    removed: int
    kept: int
    """Claims that only a refused row speaks of: neither changed nor ended."""
    in_force: int
    """Claims of the panel before the upload that were not over."""


class PanelWouldShrinkError(Exception):
    """More claims would end than the guard lets pass; nothing was changed. Check the file, or send it again with `force`."""

    def __init__(self, difference: PanelDifference, guard: ShrinkGuard) -> None:
        super().__init__(
            f"The file would end {difference.removed} of the {difference.in_force} claims in force, more than {guard.percent_max:g} %. "
            "Nothing was changed. If the file is right, send it again with force."
        )
        self.difference = difference
        self.guard = guard


class RosterTooLargeError(Exception):
    """The file has more bytes than a roster may have; nothing was changed. Split it into deltas."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"The roster has more than {bytes_max:,} bytes. Nothing was changed. Send it in parts with mode=delta.")
        self.bytes_max = bytes_max


@dataclass(frozen=True, slots=True)
class EarlierUpload:
    """An upload of the same bytes."""

    id: UUID
    uploaded_at: datetime
    file_name: str
    is_latest: bool
    """Nothing was uploaded to this panel since, so the panel is as this file says."""


class RosterTakenBeforeError(Exception):
    """These bytes are on the panel already; nothing was changed. To say the same again after another file, change the file."""

    def __init__(self, earlier: EarlierUpload) -> None:
        super().__init__("The same file was taken before. Nothing was changed.")
        self.earlier = earlier


ERRORS_SHOWN_MAX: Final = 1000
"""Our policy: an answer lists so many errors and warnings; all refused rows are in rejected.csv."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Whose the rows that add or change a claim would be, as far as they were looked at."""

    rows: int = 0
    """Looked at; of a very long file not all are."""
    certain: int = 0
    """Of somebody who is known."""
    possible: int = 0
    """Perhaps of somebody who is known: a person would have to look, and until then they are somebody new."""
    new: int = 0
    refused: int = 0
    """They give the number of a known row to somebody else."""

    def plus(self, other: "Foreseen") -> "Foreseen":
        """Add what another part of the file comes to."""
        return Foreseen(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of an upload; a dry run's is the same but for `dry_run` and the id."""

    id: UUID
    organization_id: UUID
    mode: UploadMode
    dry_run: bool
    uploaded_at: datetime
    file_name: str
    file_hash: bytes
    """SHA-256 of the bytes."""
    header: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    rows: int
    """Rows of the file that are not blank: accepted + rejected + repeated."""
    accepted: int
    rejected: int
    repeated: int
    """Rows that another row of the file repeats or overrides."""
    difference: PanelDifference
    errors: tuple[RowError, ...]
    """The first `ERRORS_SHOWN_MAX`, in the order of the file."""
    warnings: tuple[RowError, ...]
    needs_force: bool
    """The shrink guard refuses the real run (a dry run says it instead of failing)."""
    foreseen: Foreseen | None = None
    """Of a dry run: whose its rows would be."""
    signed: Sequence[SignedAlike] = ()
    """Of a dry run: what those have signed whom the file names, by which it is said who would be silent (panel_rehearsal)."""

    def without(self, refused: Sequence[RowError], added: int, changed: int, warnings: Sequence[RowError]) -> "UploadResult":
        """Give the result when rows were refused after all: of what was to be added and changed, so many are not."""
        difference = self.difference
        return replace(
            self,
            accepted=self.accepted - len(refused),
            rejected=self.rejected + len(refused),
            difference=replace(
                difference, added=difference.added - added, changed=difference.changed - changed, kept=difference.kept + changed
            ),
            errors=first_errors([*self.errors, *refused]),
            warnings=first_errors([*self.warnings, *warnings]),
        )

    def summary(self) -> dict[str, Any]:
        """Give the counts as they are stored and shown."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "repeated": self.repeated,
            "added": self.difference.added,
            "changed": self.difference.changed,
            "unchanged": self.difference.unchanged,
            "removed": self.difference.removed,
            "kept": self.difference.kept,
            "in_force": self.difference.in_force,
            "needs_force": self.needs_force,
            "unknown_columns": list(self.unknown_columns),
            "warnings": [error_document(warning) for warning in self.warnings],
        }

    def document(self) -> dict[str, Any]:
        """Give the JSON of the answer (DESIGN section 6)."""
        return {
            "id": public_id(Kind.UPLOAD, self.id),
            "organization_id": public_id(Kind.ORGANIZATION, self.organization_id),
            "mode": self.mode.value,
            "dry_run": self.dry_run,
            "uploaded_at": self.uploaded_at.isoformat(),
            "file_name": self.file_name,
            "file_hash": self.file_hash.hex(),
            **self.summary(),
            "errors": [error_document(error) for error in self.errors],
            "people": asdict(self.foreseen) if self.foreseen else None,
        }


@dataclass(frozen=True, slots=True)
class PanelMember:
    """One claim as it is stored, for reading."""

    id: UUID
    organization_id: UUID
    person_id: UUID
    program: str
    """As sent; `roster.program_key` compares."""
    role: str
    effective_from: date
    effective_to: date | None
    """The first day on which it no longer holds; None is open."""
    coordinator: str | None
    plan_id: str | None
    cells: dict[str, str]
    """The row as its owner sent it, without its end."""
    upload_id: UUID | None
    asserted_at: datetime
    retracted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Repetition:
    """Two rows of a file with one key: the later one counts."""

    row: int
    counting_row: int
    is_identical: bool

    def warning(self) -> RowError:
        """Say which row counts."""
        if self.is_identical:
            return RowError(self.row, "", RowErrorCode.REPEATED_ROW, f"Row {self.counting_row} says the same. It was counted once.")
        message = (
            f"Row {self.counting_row} is about the same person, program, role and effective_from, and says something else. "
            f"Row {self.counting_row} was taken, this one was not. Keep the right one."
        )
        return RowError(self.row, "", RowErrorCode.OVERRIDDEN_ROW, message)


def error_document(error: RowError) -> dict[str, Any]:
    """Give an error or warning as JSON."""
    return {"row": error.row, "column": error.column or None, "code": error.code.value, "message": error.message}


def first_errors(errors: Sequence[RowError]) -> tuple[RowError, ...]:
    """Give as many as an answer shows, in the order of the file."""
    return tuple(sorted(errors)[:ERRORS_SHOWN_MAX])


_EPOCH: Final = datetime(1800, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def roster_sort_key(uploaded_at: datetime, row: int) -> str:
    """Give a text that takes its place among the sort keys of events (`event_order`): the instant of the upload, then the row.

    What a roster says of a person is as new as its upload; within one file the later row wins.
    """
    return roster_sort_keys(uploaded_at)(row)


def roster_sort_keys(uploaded_at: datetime) -> Callable[[int], str]:
    """Give `roster_sort_key` for the rows of one upload: the instant is written once for a million of them."""
    instant = f"{max(0, (uploaded_at - _EPOCH) // _MICROSECOND):014x}"
    return f"{instant}.0.{instant}.{instant}.8.{{:08x}}".format


CLAIM_ID_DIGITS: Final = 11


def claim_id_prefix(upload_id: UUID) -> str:
    """Give the first 21 hexadecimal digits of the ids of an upload's claims; the other 11 are counted.

    They are UUIDs of version 7 with a counter in their random part (RFC 9562 section 6.2): as new as the upload, distinct from
    those of another upload of the same millisecond by 30 hashed bits. A million ids of their own would cost seconds.
    """
    digest = blake2b(upload_id.bytes, digest_size=8).hexdigest()
    # 48 bits of time, the version, 12 hashed bits, the variant with 2 hashed bits, 16 more hashed bits.
    return f"{upload_id.hex[:12]}7{digest[:3]}{0b1000 | int(digest[3], 16) & 0b11:x}{digest[4:8]}"
