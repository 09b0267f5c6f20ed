"""Patient records as matching sees them: two of one person unless a test says otherwise."""

from typing import Any

from app.domain.adt_event import Identifier
from app.domain.comparison import Comparison, Rarity, RarityKind, Unshared, compare
from app.domain.features import Features, features
from app.standards.matching_rules import vocabulary, weights

ANNA: dict[str, Any] = {
    "first_name": "Annabel",
    "middle_name": "Ruth",
    "last_name": "Testerman",
    "birth_date": "1976-04-25",
    "sex": "F",
    "address": "12 North Sample Street, Apt 4",
    "city": "Portland",
    "zip": "04101-0001",
    "phone": "(207) 555-2368",
    "ssn4": "6781",
}


def record(*identifiers: Identifier, without: tuple[str, ...] = (), **changes: Any) -> Features:
    """Annabel's record, with changes."""
    return features({name: value for name, value in (ANNA | changes).items() if name not in without}, identifiers, vocabulary())


class Holders(Unshared):
    """A rarity that knows how many people have a phone or an address."""

    def __init__(self, **counts: int) -> None:
        self._counts = counts

    def holders(self, kind: RarityKind, value: str) -> int:
        """Give the same count for each value of a kind."""
        assert value
        return self._counts.get(kind.value, 0)


def compared(left: Features, right: Features, rarity: Rarity | None = None) -> Comparison:
    """Compare with the shipped weights, and hold that it does not matter who is named first."""
    found = compare(left, right, weights(), rarity or Unshared())
    assert compare(right, left, weights(), rarity or Unshared()) == found
    return found


def outcome_of(found: Comparison, field: str) -> str:
    """Give the outcome of one field."""
    return next(ground.outcome.value for ground in found.grounds if ground.field == field)


def guards_of(found: Comparison) -> set[str]:
    """Give the guards that held two records back."""
    return {ground.outcome.value for ground in found.grounds if ground.field == "guard"}
