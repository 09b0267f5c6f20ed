"""Are two patient records one person: certain, possible or no, with the reasons field by field. Pure, symmetric, the same at any time.

Weights are added up field by field (`comparison_weights`); guards then hold back what a sum cannot see: twins, junior and senior,
newborns, two numbers of one authority (ONC, "Patient Identification and Matching Final Report", 2014, on overlays being worse than
duplicates). Not here: which pairs are worth comparing (`blocking`), and what follows (`matching`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from math import log2
from typing import Final, Protocol

from app.domain.comparison_weights import Field, FieldGrounds, Ground, Guard, Outcome, Weights
from app.domain.features import Features, issuer_of
from app.domain.name_comparison import edits, first_names, is_one_name_miswritten, last_names, middle_names


class Level(StrEnum):
    """What is done with two records: joined, put before a person, or left apart."""

    CERTAIN = "certain"
    POSSIBLE = "possible"
    NO = "no"


class RarityKind(StrEnum):
    """What several people may share."""

    PHONE = "phone"
    """Value: ten digits."""
    ADDRESS = "address"
    """Value: `Features.address_key`."""


class Rarity(Protocol):
    """Knows how many people have a value."""

    def holders(self, kind: RarityKind, value: str) -> int:
        """Count them; 0 where it is not known."""
        ...


class Unshared:
    """A rarity that knows of no sharing: for a first comparison, and for tests."""

    def holders(self, kind: RarityKind, value: str) -> int:  # noqa: ARG002 -- the protocol's
        """Know nothing."""
        return 0


HOUSEHOLD: Final = 6
"""Our policy: up to so many people may have a phone or an address before agreement on it loses weight."""
SHARED_BY: Final = 12
"""Our policy: what more people have is a shelter's, a group home's or a payee's, and says nothing about who somebody is."""
GENERATION_YEARS: Final = 15
"""Our policy: people of one name born so far apart are taken for parent and child until a person has looked."""
NEIGHBOURING: Final = 3
"""Our policy: numbers of two newborns, or the ends of two SSNs, that lie so near were given at one counter, one after the other."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of comparing two records."""

    level: Level
    weight: float
    """The sum, in bits (log2 of the odds)."""
    grounds: tuple[Ground, ...]


_GUARD_TEXTS: Final = {
    Guard.TWINS: "May be twins or siblings of one household: born on one day, with one last name and another first name or number.",
    Guard.GENERATIONS: "May be parent and child: one name, another suffix or born a generation apart.",
    Guard.NEWBORN: "One is an unnamed newborn: its record may be that of a sibling or of the mother.",
    Guard.IDENTIFIER_CONFLICT: "One authority gave the two different numbers.",
    Guard.SSN_CONFLICT: "The last four digits of the SSN differ.",
    Guard.DEATH: "What the two say about a death does not fit together.",
    Guard.THIN: "Only a name, or a name and what people share, speaks for it.",
}
_GUARDS: Final = {guard: Ground(Field.GUARD, guard, 0.0, text) for guard, text in _GUARD_TEXTS.items()}


def agreements(left: Features, right: Features, weights: Weights) -> tuple[Ground, ...]:
    """Compare field by field, as if each field stood alone: what weights are estimated from."""
    born, last, first, middle, suffix, sex, address, phone, ssn4, identifier = weights.in_order
    return (
        _birth_dates(left, right, born),
        last_names(left, right, last),
        first_names(left, right, first),
        middle_names(left.middle, right.middle, middle),
        _equal(left.suffix, right.suffix, suffix),
        _equal(left.sex, right.sex, sex),
        _addresses(left, right, address),
        _phones(left, right, phone),
        _ssn4(left.ssn4, right.ssn4, ssn4),
        _identifiers(left, right, identifier),
    )


def compare(left: Features, right: Features, weights: Weights, rarity: Rarity) -> Comparison:
    """Compare two records. The same whichever is named first."""
    born, last, first, middle, suffix, sex, address, phone, ssn4, identifier = agreements(left, right, weights)
    if first.outcome is Outcome.DIFFERENT:
        # Whoever lives together shares name, address and phone: to people of different first names that says nothing.
        address, phone = _of_the_household(address, weights), _of_the_household(phone, weights)
    else:
        if first.outcome is Outcome.EXACT:
            first = weights.first_name(left.first)
        if last.outcome is Outcome.EXACT:
            last = weights.last_name(left.last)
        if address.outcome in _THINNED:
            address = _thinned(address, weights, rarity.holders(RarityKind.ADDRESS, max(left.address_key, right.address_key)))
        if phone.outcome is Outcome.EXACT:
            common = left.phones & right.phones
            phone = _thinned(phone, weights, min(rarity.holders(RarityKind.PHONE, number) for number in common))
    grounds = (born, last, first, middle, suffix, sex, address, phone, ssn4, identifier)
    weight = sum([ground.weight for ground in grounds])
    if weight < weights.possible:
        return Comparison(Level.NO, weight, grounds)
    guards = _guards(left, right, {ground.field: ground.outcome for ground in grounds}, weights)
    level = Level.CERTAIN if weight >= weights.certain and not guards else Level.POSSIBLE
    return Comparison(level, weight, (*grounds, *(_GUARDS[guard] for guard in guards)))


def _equal(left: str, right: str, grounds: FieldGrounds) -> Ground:
    if not left or not right:
        return grounds.missing
    return grounds.exact if left == right else grounds.different


def _birth_dates(left: Features, right: Features, grounds: FieldGrounds) -> Ground:
    mine, theirs = left.birth_digits, right.birth_digits
    if not mine or not theirs:
        return grounds.missing
    if mine == theirs:
        return grounds.exact
    if mine[:4] == theirs[:4] and mine[4:6] == theirs[6:] and mine[6:] == theirs[4:6]:
        return grounds.swapped
    if edits(mine, theirs, 1) == 1:
        return grounds.typo
    same = (mine[:4] == theirs[:4]) + (mine[4:6] == theirs[4:6]) + (mine[6:] == theirs[6:])
    return grounds.part if same == 2 else grounds.different  # noqa: PLR2004 -- two of year, month and day


def _addresses(left: Features, right: Features, grounds: FieldGrounds) -> Ground:
    """Compare street and ZIP (the town, where a ZIP is missing). People move: a different address says little."""
    if not ((left.address and right.address) or (left.zip5 and right.zip5)):
        return grounds.missing
    if left.zip5 and right.zip5:
        if left.zip5 != right.zip5:
            return grounds.different
    elif left.city != right.city or not left.city:
        return grounds.different if left.city and right.city else grounds.missing
    mine, theirs = left.address, right.address
    if not mine or not theirs:
        return grounds.part
    if mine == theirs:
        return grounds.exact
    same_house = mine.split(" ", 1)[0] == theirs.split(" ", 1)[0]
    return grounds.typo if same_house and edits(mine, theirs) <= 2 else grounds.part  # noqa: PLR2004 -- two edits


def _phones(left: Features, right: Features, grounds: FieldGrounds) -> Ground:
    if not left.phones or not right.phones:
        return grounds.missing
    if not left.phones.isdisjoint(right.phones):
        return grounds.exact
    return grounds.typo if any(edits(mine, theirs, 1) == 1 for mine in left.phones for theirs in right.phones) else grounds.different


_THINNED: Final = (Outcome.EXACT, Outcome.TYPO)


def _of_the_household(found: Ground, weights: Weights) -> Ground:
    return weights.of[found.field].shared if found.outcome in _THINNED else found


def _thinned(found: Ground, weights: Weights, holders: int) -> Ground:
    """Take from an agreement what its number of holders explains."""
    if holders > SHARED_BY:
        return weights.of[found.field].shared
    if holders <= HOUSEHOLD:
        return found
    return Ground(found.field, found.outcome, max(0.0, found.weight - log2(holders / HOUSEHOLD)), found.text)


def _ssn4(left: str, right: str, grounds: FieldGrounds) -> Ground:
    if not left or not right:
        return grounds.missing
    if left == right:
        return grounds.exact
    return grounds.typo if edits(left, right, 1) == 1 else grounds.different


def _identifiers(left: Features, right: Features, grounds: FieldGrounds) -> Ground:
    """Compare numbers of one authority; a type that one side leaves out fits every type."""
    if not left.identifiers or not right.identifiers:
        return grounds.missing
    if not left.identifiers.isdisjoint(right.identifiers):
        return grounds.exact
    conflict = False
    others = [(issuer_of(theirs), theirs) for theirs in right.identifiers]
    for mine in left.identifiers:
        issuer = issuer_of(mine)
        for other, theirs in others:
            if issuer == other:
                if mine[2] == theirs[2]:
                    return grounds.exact
                conflict = True
            elif mine[0] == theirs[0] and mine[2] == theirs[2] and "" in (mine[1], theirs[1]):
                return grounds.exact
    return grounds.different if conflict else grounds.missing


_AGREED_NAMES: Final = frozenset({Outcome.EXACT, Outcome.NICKNAME, Outcome.SWAPPED, Outcome.PART, Outcome.TYPO, Outcome.SIMILAR})
_SURE_DATES: Final = frozenset({Outcome.EXACT, Outcome.SWAPPED, Outcome.TYPO})


def _guards(left: Features, right: Features, found: dict[Field, Outcome | Guard], weights: Weights) -> list[Guard]:
    """Say why a person must look, whatever the weight."""
    guards = []
    numbered = Outcome.EXACT in (found[Field.SSN4], found[Field.IDENTIFIER])
    if _may_be_twins(left, right, found, numbered=numbered, known=weights.first_names):
        guards.append(Guard.TWINS)
    if _may_be_generations(left, right, found, numbered=numbered):
        guards.append(Guard.GENERATIONS)
    if left.is_newborn or right.is_newborn:
        guards.append(Guard.NEWBORN)
    if found[Field.IDENTIFIER] is Outcome.DIFFERENT:
        guards.append(Guard.IDENTIFIER_CONFLICT)
    if found[Field.SSN4] is Outcome.DIFFERENT or (found[Field.SSN4] is Outcome.TYPO and not _is_alike_but_for_a_number(found)):
        guards.append(Guard.SSN_CONFLICT)
    if _deaths_differ(left, right):
        guards.append(Guard.DEATH)
    if not _is_supported(found):
        guards.append(Guard.THIN)
    return guards


def _is_alike_but_for_a_number(found: dict[Field, Outcome | Guard]) -> bool:
    """Say whether one digit is all that tells two apart whose names and birth date are the same: without the numbers they would be one.

    Twins have other first names, father and son other birth dates.
    """
    same = found[Field.BIRTH_DATE] is Outcome.EXACT and found[Field.LAST_NAME] is Outcome.EXACT
    return same and found[Field.FIRST_NAME] in (Outcome.EXACT, Outcome.NICKNAME) and found[Field.SEX] is not Outcome.DIFFERENT


def _may_be_twins(left: Features, right: Features, found: dict[Field, Outcome | Guard], *, numbered: bool, known: Collection[str]) -> bool:
    """One birth date (perhaps miswritten) and one last name: another first name, another birth order, or numbers given one after the other.

    First names of twins are often alike (Jayden, Hayden): a typo is believed only with a number, or where nothing speaks of two children.
    """
    if found[Field.BIRTH_DATE] in (Outcome.DIFFERENT, Outcome.MISSING) or found[Field.LAST_NAME] not in _AGREED_NAMES:
        return False
    if left.birth_order and right.birth_order and left.birth_order != right.birth_order:
        return True
    first = found[Field.FIRST_NAME]
    confirmed = numbered or (found[Field.SEX] is not Outcome.DIFFERENT and _is_one_name(left, right, found, known))
    # The middle name of one may be the first name of the other; whole names that are exchanged are one person's.
    doubtful = first in (Outcome.TYPO, Outcome.SIMILAR) or (first is Outcome.SWAPPED and found[Field.LAST_NAME] is not Outcome.SWAPPED)
    if first is Outcome.DIFFERENT or (doubtful and not confirmed):
        return True
    return first is not Outcome.EXACT and bool(left.ssn4 and right.ssn4) and 0 < abs(int(left.ssn4) - int(right.ssn4)) <= NEIGHBOURING


def _is_one_name(left: Features, right: Features, found: dict[Field, Outcome | Guard], known: Collection[str]) -> bool:
    """Say whether two first names that differ are one: both have one middle name, first and middle are exchanged, or it is a slip.

    It is no slip where both spellings are among `known`, the common first names.
    """
    if found[Field.MIDDLE_NAME] is Outcome.EXACT or (len(left.middle) > 1 and (left.first, left.middle) == (right.middle, right.first)):
        return True
    return is_one_name_miswritten(left.first, right.first) and not (left.first in known and right.first in known)


def _may_be_generations(left: Features, right: Features, found: dict[Field, Outcome | Guard], *, numbered: bool) -> bool:
    """Another suffix; or one name and birth dates a generation apart, unless a number says that one of the dates is wrong."""
    if found[Field.SUFFIX] is Outcome.DIFFERENT:
        return True
    if left.birth_date is None or right.birth_date is None or abs(left.birth_date.year - right.birth_date.year) < GENERATION_YEARS:
        return False
    return found[Field.LAST_NAME] in _AGREED_NAMES and not (numbered and found[Field.BIRTH_DATE] is Outcome.TYPO)


def _deaths_differ(left: Features, right: Features) -> bool:
    """Say whether two days of death, a death and its denial, or a death before a birth are told of them.

    A record that is silent about it denies nothing: where somebody died is often the only place that knows.
    """
    if left.died_on and right.died_on and left.died_on != right.died_on:
        return True
    if {left.is_deceased, right.is_deceased} == {True, False}:
        return True
    return any(
        one.died_on and other.birth_digits and one.died_on.replace("-", "") < other.birth_digits
        for one, other in ((left, right), (right, left))
    )


def _is_supported(found: dict[Field, Outcome | Guard]) -> bool:
    """Say whether anything but a name, a household and what many share speaks for it.

    Either both names and the birth date; or the birth date, one of the names and a number that both have; or, where somebody married, the
    birth date, the first name and a phone or an address of their own; or, where the birth date agrees in part, both names and a number, a
    phone or an address; or, where it is not known, both names and a number: father and son may share name, phone and address.
    """
    last, first = found[Field.LAST_NAME] in _AGREED_NAMES, found[Field.FIRST_NAME] in _AGREED_NAMES
    born = found[Field.BIRTH_DATE]
    numbered = Outcome.EXACT in (found[Field.SSN4], found[Field.IDENTIFIER])
    reached = Outcome.EXACT in (found[Field.PHONE], found[Field.ADDRESS])
    if born in _SURE_DATES:
        if (last and first) or (numbered and (first or (last and found[Field.FIRST_NAME] is Outcome.MISSING))):
            return True
        return born is Outcome.EXACT and found[Field.FIRST_NAME] in (Outcome.EXACT, Outcome.NICKNAME) and reached
    if not (last and first) or born is Outcome.DIFFERENT:
        return False
    return numbered or (born is Outcome.PART and reached)
