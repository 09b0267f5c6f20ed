"""The chain over everything that is only added to: a link binds a batch of rows to all before it, so nothing can be changed unseen.

A link covers the rows of a span of transactions, from `from_xid` up to but without `to_xid`, and the next begins where it ends. Its hash
is SHA-256 over the hash of the link before, its own content, and the hashes of its rows; its signature (Ed25519) is by a key derived
from the installation's secret, so whoever holds the database alone cannot make another chain. What retention takes away stays provable:
a copy that was kept has to give the hashes in the link. Not here: which rows, and what of them (store/audit_chain).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

GENESIS: Final = bytes(32)
"""Before the first link."""
FORM: Final = 1
"""Which columns of a row are hashed, and how: a link keeps the number of its form, so that a later one leaves it true."""
LEAF_OCTETS: Final = 8
"""So much of each row's hash is kept, in order: enough to name the row that was changed; the link's hash is what proves."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows of a span come to."""

    count: int
    last_at: datetime | None
    rows_hash: bytes
    """SHA-256 over the SHA-256 of each row, in the order of table and id."""
    leaves: bytes
    """The first octets of each row's hash, in the same order."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link."""

    number: int
    from_xid: int
    to_xid: int
    form: int
    rows: Rows
    link_hash: bytes
    signature: bytes
    linked_at: datetime


def link_hash(before: bytes, number: int, from_xid: int, to_xid: int, rows: Rows, form: int = FORM) -> bytes:
    """Give the hash of a link."""
    content = f"{form}|{number}|{from_xid}|{to_xid}|{rows.count}|".encode()
    return hashlib.sha256(before + content + rows.rows_hash + rows.leaves).digest()


class Break(StrEnum):
    """What is wrong with a link."""

    MISSING = "missing"
    """A link is not there, or does not begin where the one before ended."""
    FORGED = "forged"
    """Its content does not give its hash, or the signature is not by this installation's key."""
    CHANGED = "changed"
    """A row is not what it was."""
    TAKEN = "taken"
    """A row is not there any more, and retention says nothing of it."""
    ADDED = "added"
    """A row was put in afterwards."""
    UNLINKED = "unlinked"
    """The server counts its transactions anew, as after a move by dump and restore: what was written since is in no link."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing that is wrong."""

    link: int
    what: Break
    row: int | None = None
    """Which row of the link, counted from 0."""


def broken_at(expected: Link, before: Link | None, found: Rows | None, *, is_signed: bool) -> Broken | None:
    """Say what is wrong with a link, given the one before and its rows as they are now; `None` rows: retention removed them."""
    number = expected.number
    if (before is None) != (number == 1) or (before is not None and (before.number + 1, before.to_xid) != (number, expected.from_xid)):
        return Broken(before.number + 1 if before else 1, Break.MISSING)
    rows = expected.rows
    hashed = link_hash(before.link_hash if before else GENESIS, number, expected.from_xid, expected.to_xid, rows, expected.form)
    if hashed != expected.link_hash or not is_signed:
        return Broken(number, Break.FORGED)
    if found is None or (found.count, found.rows_hash) == (rows.count, rows.rows_hash):
        return None
    place = _first_difference(_leaves(rows.leaves), _leaves(found.leaves))
    kind = Break.CHANGED if found.count == rows.count else Break.TAKEN if found.count < rows.count else Break.ADDED
    return Broken(number, kind, place)


def _leaves(packed: bytes) -> list[bytes]:
    return [packed[at : at + LEAF_OCTETS] for at in range(0, len(packed), LEAF_OCTETS)]


def _first_difference(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    return next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))
