"""What each agreement or disagreement between two patient records is worth, and the words for it. Built from data (app/standards/matching).

The model is Fellegi and Sunter, "A Theory for Record Linkage", JASA 64 (1969) 1183-1210: of each field, `m` is how often a level of
agreement is seen in two records of one person, `u` how often in two records of different people; log2(m/u) are added up. Not here:
which level two values reach (`name_comparison`, `comparison`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import log2
from typing import Final


class Field(StrEnum):
    """What is compared; GUARD is no field but a reason why a person must look."""

    BIRTH_DATE = "birth_date"
    LAST_NAME = "last_name"
    FIRST_NAME = "first_name"
    MIDDLE_NAME = "middle_name"
    SUFFIX = "suffix"
    SEX = "sex"
    ADDRESS = "address"
    PHONE = "phone"
    SSN4 = "ssn4"
    IDENTIFIER = "identifier"
    GUARD = "guard"


class Outcome(StrEnum):
    """How two values of one field compare, best first."""

    EXACT = "exact"
    NICKNAME = "nickname"
    """Two forms of one first name."""
    SWAPPED = "swapped"
    """First and last name, first and middle name, or day and month are exchanged."""
    PART = "part"
    """One contains the other or they share a part: an initial, half of a double name, the ZIP, two of year, month and day."""
    TYPO = "typo"
    """One letter or digit more, less, other, or two neighbours exchanged."""
    SIMILAR = "similar"
    """Two such errors, or spelt differently and sounding alike."""
    SHARED = "shared"
    """Equal, and so common (a shelter, a payee) or so explained by the household that it says nothing."""
    DIFFERENT = "different"
    MISSING = "missing"
    """At least one side does not say: neither for nor against."""


class Guard(StrEnum):
    """Why two records are not joined without a person, whatever their weight."""

    TWINS = "twins"
    GENERATIONS = "generations"
    NEWBORN = "newborn"
    IDENTIFIER_CONFLICT = "identifier_conflict"
    SSN_CONFLICT = "ssn_conflict"
    DEATH = "death"
    THIN = "thin"
    """Nothing but a name, a shared address or a shared phone speaks for it."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason for or against. The text names the field and the outcome, never a value: values are shown to those who may see them."""

    field: Field
    outcome: Outcome | Guard
    weight: float
    """log2(m/u); 0 of a guard."""
    text: str


@dataclass(frozen=True, slots=True)
class Odds:
    """How often an outcome is seen in two records of one person (m) and of two people (u)."""

    m: float
    u: float

    def __post_init__(self) -> None:
        if not (0 < self.m < 1 and 0 < self.u < 1):
            raise ValueError("m and u must lie between 0 and 1, both exclusive")

    @property
    def weight(self) -> float:
        """What it is worth, in bits."""
        return log2(self.m / self.u)


@dataclass(slots=True)
class FieldGrounds:
    """The ready-made grounds of one field: one attribute an outcome, because this is looked up ten times a comparison."""

    exact: Ground
    nickname: Ground
    swapped: Ground
    part: Ground
    typo: Ground
    similar: Ground
    shared: Ground
    different: Ground
    missing: Ground


OUTCOMES: Final[Mapping[Field, tuple[Outcome, ...]]] = {
    Field.BIRTH_DATE: (Outcome.EXACT, Outcome.SWAPPED, Outcome.TYPO, Outcome.PART, Outcome.DIFFERENT),
    Field.LAST_NAME: (Outcome.EXACT, Outcome.SWAPPED, Outcome.PART, Outcome.TYPO, Outcome.SIMILAR, Outcome.DIFFERENT),
    Field.FIRST_NAME: (
        Outcome.EXACT,
        Outcome.NICKNAME,
        Outcome.SWAPPED,
        Outcome.PART,
        Outcome.TYPO,
        Outcome.SIMILAR,
        Outcome.DIFFERENT,
    ),
    Field.MIDDLE_NAME: (Outcome.EXACT, Outcome.PART, Outcome.TYPO, Outcome.DIFFERENT),
    Field.SUFFIX: (Outcome.EXACT, Outcome.DIFFERENT),
    Field.SEX: (Outcome.EXACT, Outcome.DIFFERENT),
    Field.ADDRESS: (Outcome.EXACT, Outcome.TYPO, Outcome.PART, Outcome.DIFFERENT),
    Field.PHONE: (Outcome.EXACT, Outcome.TYPO, Outcome.DIFFERENT),
    Field.SSN4: (Outcome.EXACT, Outcome.TYPO, Outcome.DIFFERENT),
    Field.IDENTIFIER: (Outcome.EXACT, Outcome.DIFFERENT),
}
"""The outcomes a field can have, each of which the weights must give; beside them MISSING and SHARED, which weigh nothing."""

_LABELS: Final = {
    Field.BIRTH_DATE: "Birth date",
    Field.LAST_NAME: "Last name",
    Field.FIRST_NAME: "First name",
    Field.MIDDLE_NAME: "Middle name",
    Field.SUFFIX: "Suffix (Jr., Sr., III)",
    Field.SEX: "Sex",
    Field.ADDRESS: "Address",
    Field.PHONE: "Phone",
    Field.SSN4: "Last four digits of the SSN",
    Field.IDENTIFIER: "Identifier of one authority",
}
_TEXTS: Final = {
    Outcome.EXACT: "the same",
    Outcome.NICKNAME: "two forms of one name",
    Outcome.SWAPPED: "the parts are exchanged",
    Outcome.PART: "the same in part",
    Outcome.TYPO: "one letter or digit apart",
    Outcome.SIMILAR: "similar",
    Outcome.SHARED: "the same, but shared by several people; not counted",
    Outcome.DIFFERENT: "different",
    Outcome.MISSING: "not given on both sides",
}


def worded(of: Field, outcome: Outcome, weight: float) -> Ground:
    """Put an outcome into words."""
    return Ground(of, outcome, weight, f"{_LABELS[of]}: {_TEXTS[outcome]}.")


@dataclass(frozen=True, slots=True)
class Weights:
    """One version of the weights, whole. What is wrong in it is refused when it is built.

    `last_names` and `first_names` give the share of the population that has a common name: agreement on Smith says less than on a rare
    name. `rare_last_share` and `rare_first_share` are what a name counts as that is not among them: a cautious share, not the true one.
    """

    version: str
    source: str
    effective_on: date
    certain: float
    """From this weight on, without a guard, two records are one person."""
    possible: float
    """From this weight on, a person should look."""
    odds: Mapping[Field, Mapping[Outcome, Odds]]
    last_names: Mapping[str, float]
    first_names: Mapping[str, float]
    rare_last_share: float
    rare_first_share: float
    of: Mapping[Field, FieldGrounds] = field(init=False, repr=False, compare=False)
    in_order: tuple[FieldGrounds, ...] = field(init=False, repr=False, compare=False)
    """The same in the order of OUTCOMES: an enumeration as a key is hashed anew at every look."""
    _last: Mapping[str, Ground] = field(init=False, repr=False, compare=False)
    _first: Mapping[str, Ground] = field(init=False, repr=False, compare=False)
    _rare_last: Ground = field(init=False, repr=False, compare=False)
    _rare_first: Ground = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.possible < self.certain:
            raise ValueError("possible must be below certain")
        grounds: dict[Field, FieldGrounds] = {}
        for of, outcomes in OUTCOMES.items():
            odds = self.odds.get(of, {})
            if set(odds) != set(outcomes):
                raise ValueError(f"{of}: expected exactly the outcomes {', '.join(outcomes)}")
            for side in ("m", "u"):
                if sum(getattr(one, side) for one in odds.values()) > 1.001:  # noqa: PLR2004 -- rounded figures
                    raise ValueError(f"{of}: the {side} of all outcomes add up to more than 1")
            if odds[Outcome.EXACT].weight < max(one.weight for one in odds.values()):
                raise ValueError(f"{of}: no outcome may weigh more than exact")
            if odds[Outcome.DIFFERENT].weight > 0:
                raise ValueError(f"{of}: different must not speak for a match")
            weights = {outcome: one.weight for outcome, one in odds.items()}
            grounds[of] = FieldGrounds(**{outcome.value: worded(of, outcome, weights.get(outcome, 0.0)) for outcome in Outcome})
        for share in (self.rare_last_share, self.rare_first_share, *self.last_names.values(), *self.first_names.values()):
            if not 0 < share < 1:
                raise ValueError("the share of a name must lie between 0 and 1, both exclusive")
        object.__setattr__(self, "of", grounds)
        object.__setattr__(self, "in_order", tuple(grounds[of] for of in OUTCOMES))
        for of, side, shares, rare in (
            (Field.LAST_NAME, "last", self.last_names, self.rare_last_share),
            (Field.FIRST_NAME, "first", self.first_names, self.rare_first_share),
        ):
            m = self.odds[of][Outcome.EXACT].m
            object.__setattr__(self, f"_{side}", {name: worded(of, Outcome.EXACT, log2(m / share)) for name, share in shares.items()})
            object.__setattr__(self, f"_rare_{side}", worded(of, Outcome.EXACT, log2(m / rare)))

    def last_name(self, name: str) -> Ground:
        """Give the ground for agreement on this last name."""
        return self._last.get(name, self._rare_last)

    def first_name(self, name: str) -> Ground:
        """Give the ground for agreement on this first name."""
        return self._first.get(name, self._rare_first)

    def of_last_name(self, name: str) -> float:
        """Weigh agreement on this last name."""
        return self.last_name(name).weight

    def of_first_name(self, name: str) -> float:
        """Weigh agreement on this first name."""
        return self.first_name(name).weight
