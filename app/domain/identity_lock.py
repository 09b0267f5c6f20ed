"""What two transactions lock that could meet the same new patient, so that the second finds the record of the first."""

from collections.abc import Collection
from hashlib import blake2b

from app.domain.adt_event import Identifier


def identity_locks(source: str, own: Identifier, names: Collection[tuple[str, str]], demographic_key: int | None) -> list[int]:
    """Hash everything by which a record could meet others, `names` being the keys of its identifiers (`shared_identifier.match_keys`).

    How its source names it is mostly one of them: whoever makes the same record locks that.
    """
    locks = [number_lock(authority, value) for authority, value in names]
    if (own.authority, own.value) not in names:
        locks.append(name_lock(source, own))
    if demographic_key is not None:
        locks.append(demographic_key)
    return locks


def number_lock(authority: str, value: str) -> int:
    """Hash one of the `names`."""
    return _hash64(f"{authority}|{value}")


def name_lock(source: str, own: Identifier) -> int:
    """Hash a name in the source that is none of the `names`."""
    return _hash64(f"own|{source}|{own.authority}|{own.type}|{own.value}")


def _hash64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
