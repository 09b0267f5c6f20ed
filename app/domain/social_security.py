"""A social security number that is all by which a sender names its patient: never kept whole, shown or logged.

Everybody has one number, and it opens bank accounts; where a sender names its record by nothing else, a keyed pseudonym does so
instead. Of a number beside others only the last four digits are read (readers, `features.ssn4_of`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from app.domain.adt_event import AdtEvent, Identifier, Rename
from app.domain.features import ssn4_of
from app.domain.shared_identifier import SOCIAL_SECURITY

DIGITS: Final = 9

Pseudonym = Callable[[str], str]
"""Gives what stands for a number: always the same, and of no use to whoever has no key."""


def names_somebody(number: str) -> bool:
    """Tell whether it is a whole number of somebody: the last four digits alone, and what only stands in for a number, name nobody."""
    return sum(letter.isdigit() for letter in number) == DIGITS and bool(ssn4_of(number))


def veiled(event: AdtEvent, pseudonym: Pseudonym) -> AdtEvent:
    """Put pseudonyms in the place of whole numbers, wherever the event names a patient."""
    named = (*event.identifiers, *event.prior_identifiers, *event.other_patient, *((event.parent,) if event.parent else ()))
    named += tuple(one for rename in event.renames for one in (rename.retired, rename.survivor))
    if not any(one.type == SOCIAL_SECURITY for one in named):
        return event

    def instead(one: Identifier) -> Identifier:
        if one.type != SOCIAL_SECURITY:
            return one
        return one._replace(value=pseudonym("".join(letter for letter in one.value if letter.isalnum()).upper()))

    return replace(
        event,
        identifiers=tuple(map(instead, event.identifiers)),
        prior_identifiers=tuple(map(instead, event.prior_identifiers)),
        other_patient=tuple(map(instead, event.other_patient)),
        mothers=tuple(map(instead, event.mothers)),
        parent=instead(event.parent) if event.parent else None,
        renames=tuple(Rename(instead(one.retired), instead(one.survivor)) for one in event.renames),
    )
