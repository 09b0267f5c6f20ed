"""Rows of a roster about people whom perhaps nobody knows yet: what is stored of them where nobody does, which needs no thought.

Nearly all of a first roster. Who shares a number or the demographics with another row, or with anybody stored, is divided with the
others as ever (identity_plan): a newcomer is who meets nobody. Not here: the statement that finds whom they meet (store/newcomers).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from app.domain.adt_event import Identifier
from app.domain.identity_lock import identity_locks
from app.domain.person import RecordClaim, demographic_key
from app.domain.shared_identifier import match_keys, names_a_person, stored_identifiers


class Newcomer(NamedTuple):
    """One who meets nobody of the batch."""

    number: int
    """Of the row."""
    claim: RecordClaim
    identifiers: Collection[Identifier]
    """As they are stored."""
    names: AbstractSet[tuple[str, str]]
    """Under which others would have the same identifier (`match_keys`)."""
    demographic_key: int | None
    is_named_by_number: bool
    """Whether the name in the source is one of `names`: whoever else has it is met under that."""
    is_numbered: bool
    """Whether the name in the source is one of the identifiers."""
    further: Collection[Identifier]
    """The identifiers that are not that name."""

    def locks(self) -> list[int]:
        """Give what to lock, so that nobody makes a record meanwhile that this one would meet."""
        return identity_locks(self.claim.source, self.claim.own, self.names, self.demographic_key)


def newcomers_among(claims: Iterable[tuple[int, RecordClaim]]) -> list[Newcomer]:
    """Give those who share neither their name in the source nor a number nor the demographics with another of the batch."""
    batch = [_newcomer(number, claim) for number, claim in claims]
    own = Counter([one.claim.own for one in batch if not one.is_named_by_number])
    names = Counter([name for one in batch for name in one.names])
    keys = Counter([one.demographic_key for one in batch])
    return [one for one in batch if (one.is_named_by_number or own[one.claim.own] == 1) and _is_alone(one, names, keys)]


def _newcomer(number: int, claim: RecordClaim) -> Newcomer:
    own, identifiers, key = claim.own, claim.identifiers, demographic_key(claim.facts)
    if not own.authority and identifiers == (own,):
        # Nearly every row of a Medicaid plan, of which no more is stored than that one number.
        is_name = names_a_person(own)
        name = {(own.authority, own.value)} if is_name else set()
        return Newcomer(number, claim, identifiers, name, key, is_named_by_number=is_name, is_numbered=True, further=())
    stored = stored_identifiers(identifiers)
    names = match_keys(stored)
    return Newcomer(number, claim, stored, names, key, (own.authority, own.value) in names, own in stored, stored - {own})


def _is_alone(one: Newcomer, names: Counter[tuple[str, str]], keys: Counter[int | None]) -> bool:
    if one.demographic_key is not None and keys[one.demographic_key] != 1:
        return False
    return all(names[name] == 1 for name in one.names)


def locks_of(newcomers: Sequence[Newcomer]) -> set[int]:
    """Give what to lock for all of them."""
    return {lock for one in newcomers for lock in one.locks()}
