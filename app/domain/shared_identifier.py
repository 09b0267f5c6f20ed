"""Which records one authority names alike, and where that is no ground because the holders are plainly two people.

Not here: what follows for who is one person (matching).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.domain.adt_event import NOT_A_PERSON_TYPES, Identifier, IdentifierType
from app.domain.person import PatientRecord, normalised
from app.domain.stand_in import NOBODYS_SSNS, is_no_number

SHARED_IDENTIFIER_LIMIT = 50
"""Our policy: an identifier on more records than this is no identifier (a payee's, a group home's, all nines)."""

ANY_AUTHORITY = ""
"""A roster's Medicaid number names no authority: it is the state's, whichever authority writes it into the CX."""

SOCIAL_SECURITY = "SS"
"""HL7 table 0203."""

_MEDICAID = IdentifierType.MEDICAID.value

Facts = Mapping[UUID, Mapping[str, Any]]
"""What is known of each record (see `latest.known`)."""


def names_a_person(identifier: Identifier) -> bool:
    """Tell whether two records with it may be one person: it is no account's, no visit's, and not written for want of one."""
    if identifier.type in NOT_A_PERSON_TYPES or not identifier.value or is_no_number(identifier.value):
        return False
    return identifier.type != SOCIAL_SECURITY or identifier.value.replace("-", "") not in NOBODYS_SSNS


def match_keys(identifiers: Iterable[Identifier]) -> set[tuple[str, str]]:
    """Give the (authority, value) pairs under which an identifier is looked up.

    A Medicaid number (table 0203 MA) also counts without its authority.
    """
    keys: set[tuple[str, str]] = set()
    for identifier in identifiers:
        if not names_a_person(identifier):
            continue
        keys.add((identifier.authority, identifier.value))
        if identifier.type == _MEDICAID:
            keys.add((ANY_AUTHORITY, identifier.value))
    return keys


def stored_identifiers(identifiers: Iterable[Identifier]) -> set[Identifier]:
    """Give what is stored of a record's identifiers: a Medicaid number also without the authority that wrote it, to be found."""
    found = set(identifiers)
    found.update([Identifier(ANY_AUTHORITY, item.type, item.value) for item in found if item.type == _MEDICAID and item.authority])
    return found


def _same(left: Identifier, right: Identifier) -> bool:
    if left.value != right.value:
        return False
    if left.authority == right.authority:
        return left.type == right.type or IdentifierType.NONE in (left.type, right.type)
    medicaid = left.type == right.type == IdentifierType.MEDICAID
    return medicaid and ANY_AUTHORITY in (left.authority, right.authority)


def contradict(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Tell whether two records sharing an identifier are plainly two people: a newborn under the mother's number."""
    born = left.get("birth_date"), right.get("birth_date")
    first = normalised(left.get("first_name") or ""), normalised(right.get("first_name") or "")
    return None not in born and born[0] != born[1] and "" not in first and first[0] != first[1]


def shared_identifiers(records: Sequence[PatientRecord], facts: Facts) -> list[tuple[UUID, UUID, str]]:
    """Give the pairs of records that one authority names alike, and that authority.

    Where the holders of a number contradict each other (a mother, and her newborn under her number), a third who contradicts
    neither, because it says too little of itself, is joined to neither: there is no telling whose record it is.
    """
    edges: list[tuple[UUID, UUID, str]] = []
    for (authority, _), found in holders(records).items():
        alike_by: dict[UUID, list[Identifier]] = defaultdict(list)
        for record, identifier in found:
            alike_by[record].append(identifier)
        if not 1 < len(alike_by) <= SHARED_IDENTIFIER_LIMIT:
            continue
        alike = _alike(alike_by)
        apart = {pair for pair in alike if contradict(facts[pair[0]], facts[pair[1]])}
        joined = alike - apart
        edges.extend((left, right, authority) for left, right in joined if not _bridges(left, right, joined, apart))
    return edges


def holders(records: Sequence[PatientRecord]) -> dict[tuple[str, str], list[tuple[UUID, Identifier]]]:
    """Give who has which number, of those that are there more than once: in a roster nearly none are."""
    seen: dict[tuple[str, str], list[tuple[UUID, Identifier]]] = {}
    several: dict[tuple[str, str], list[tuple[UUID, Identifier]]] = {}
    for record in records:
        for identifier in _own_identifiers(record):
            if not names_a_person(identifier):
                continue
            here = (record.id, identifier)
            keys = [(identifier.authority, identifier.value)]
            if identifier.type == IdentifierType.MEDICAID and identifier.authority != ANY_AUTHORITY:
                keys.append((ANY_AUTHORITY, identifier.value))
            for key in keys:
                if (found := seen.get(key)) is None:
                    seen[key] = [here]
                else:
                    found.append(here)
                    several[key] = found
    return several


def _own_identifiers(record: PatientRecord) -> list[Identifier]:
    """Leave out the copy of a Medicaid number without its authority, which is stored to be found: two states may give one number."""
    if not any(item.type == IdentifierType.MEDICAID for item in record.identifiers):
        return list(record.identifiers)
    named = {item.value for item in record.identifiers if item.type == IdentifierType.MEDICAID and item.authority != ANY_AUTHORITY}
    return [
        item
        for item in record.identifiers
        if not (item.type == IdentifierType.MEDICAID and item.authority == ANY_AUTHORITY and item.value in named)
    ]


def _alike(holders: dict[UUID, list[Identifier]]) -> set[tuple[UUID, UUID]]:
    ordered = sorted(holders)
    return {
        (left, right)
        for position, left in enumerate(ordered)
        for right in ordered[position + 1 :]
        if any(_same(mine, theirs) for mine in holders[left] for theirs in holders[right])
    }


def _bridges(left: UUID, right: UUID, joined: set[tuple[UUID, UUID]], apart: set[tuple[UUID, UUID]]) -> bool:
    """Tell whether one of the two is alike with two who contradict each other."""
    if not apart:
        return False
    for middle in (left, right):
        beside = {one if other == middle else other for one, other in joined if middle in (one, other)}
        if any(one in beside and other in beside for one, other in apart):
            return True
    return False
