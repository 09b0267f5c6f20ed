"""Rows of a roster about people whom perhaps nobody knows yet: what is stored of them where nobody does, which needs no thought.

Nearly all of a first roster. Who shares a number or the demographics with another row, or with anybody stored, is divided with the
others as ever (identity_plan): a newcomer is who meets nobody. Not here: the statements that find whom they meet (store/newcomers).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.identity_lock import identity_locks, name_lock, number_lock
from app.domain.latest import Said
from app.domain.panel import roster_sort_keys
from app.domain.person import RecordClaim, demographic_key
from app.domain.roster_contact import CONTACT_COLUMNS
from app.domain.roster_row import FACTS, claim_of_row, own_id
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

    def own_lock(self) -> int:
        """Give the one of the locks that the name in the source comes to."""
        own = self.claim.own
        return number_lock(own.authority, own.value) if self.is_named_by_number else name_lock(self.claim.source, own)

    def further_locks(self) -> Iterable[tuple[Identifier, int | None]]:
        """Give the further identifiers, and the lock of each that is one of `names`."""
        for one in self.further:
            yield one, number_lock(one.authority, one.value) if (one.authority, one.value) in self.names else None


def newcomers_among(claims: Iterable[tuple[int, RecordClaim]]) -> list[Newcomer]:
    """Give those who share neither their name in the source nor a number nor the demographics with another of the batch."""
    batch = [newcomer_of(number, claim) for number, claim in claims]
    own = Counter([one.claim.own for one in batch if not one.is_named_by_number])
    names = Counter([name for one in batch for name in one.names])
    keys = Counter([one.demographic_key for one in batch])
    return [one for one in batch if (one.is_named_by_number or own[one.claim.own] == 1) and _is_alone(one, names, keys)]


def newcomer_of(number: int, claim: RecordClaim) -> Newcomer:
    """Give what would be stored of a row's person."""
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


PlainClaim = tuple[Identifier, int, int | None, Said]
"""Of one who has no identifier but the number that is the name in the source: it, its lock, the demographic key, and what is said."""


class ClaimsOfRows:
    """The claims that the rows of one upload make."""

    def __init__(self, organization_id: UUID, uploaded_at: datetime, columns: Collection[str], *, is_doubted: bool) -> None:
        """Prepare for a file with these columns; `is_doubted` as in `RecordClaim`."""
        self._organization_id = organization_id
        self._sort_key = roster_sort_keys(uploaded_at)
        self._is_doubted = is_doubted
        self._has_contacts = not set(columns).isdisjoint(CONTACT_COLUMNS)
        # As `claim_of_row` finds them: cells are in the order of their names.
        self._facts = sorted(FACTS.intersection(columns))

    def whole(self, number: int, cells: Mapping[str, str]) -> RecordClaim:
        """Give the claim of a row."""
        return claim_of_row(cells, self._organization_id, self._sort_key(number), is_doubted=self._is_doubted)

    def plain(self, number: int, cells: Mapping[str, str]) -> PlainClaim | None:
        """Give what is stored of nearly every row's person, without what the others need; None where there is more to it."""
        if self._has_contacts or ("member_id" in cells) + ("medicaid_id" in cells) + ("mrn" in cells) != 1:
            return None
        own = own_id(cells, self._organization_id)
        if own is None or not names_a_person(own):
            return None
        facts = {name: cells[name] for name in self._facts if name in cells}
        return own, number_lock(own.authority, own.value), demographic_key(facts), {self._sort_key(number): facts}
