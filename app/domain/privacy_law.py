"""What the law of a place adds to the federal rules, as data: who has to agree before what is told, and the notices that travel along.

A state pack is dated and says whether counsel has signed it; code has no state names. Not here: the decision (privacy), or reading the
files (standards/privacy_rules).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from app.domain.consent import Category, ConsentKind, Purpose
from app.domain.organization import FacilityType


class Default(StrEnum):
    """What happens while the patient has said nothing."""

    ALLOW = "allow"
    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    """Allowed until refused. A refusal is honoured everywhere; this says that the state knows it as a right."""


class Without(StrEnum):
    """What is told while nobody has opted in."""

    SUPPRESS = "suppress"
    MINIMAL = "minimal"


@dataclass(frozen=True, slots=True)
class Notice:
    """A text that accompanies a disclosure, word for word, in the version that was in force."""

    code: str
    version: str
    text: str


@dataclass(frozen=True, slots=True)
class StateRule:
    """One rule of a pack. Of viewing, treatment notices and payer disclosure each may have its own."""

    id: str
    category: Category
    purposes: frozenset[Purpose]
    default: Default
    source: str
    """The statute or policy it rests on."""
    licensed: bool = False
    """Concerns places with a mental-health licence."""
    facility_types: frozenset[FacilityType] = frozenset()
    signal: bool = False
    """Concerns stays anywhere whose diagnoses, unit or service speak of the category."""
    diagnoses: tuple[str, ...] = ()
    """ICD-10-CM beginnings, without the point; for what no signal of ours knows."""
    without: Without = Without.SUPPRESS
    consent_kinds: frozenset[ConsentKind] = frozenset({ConsentKind.TPO, ConsentKind.NAMED, ConsentKind.INTERMEDIARY})
    """Which papers are an agreement here."""
    names_recipient: bool = False
    """A class of recipients is not enough."""
    needs_expiry: bool = False
    days_max: int | None = None
    """A consent is good for so many days after it was signed."""
    verified: bool = False
    """Counsel has signed it."""
    effective_from: date | None = None
    effective_to: date | None = None
    """The first day on which it no longer holds."""

    def holds_on(self, day: date) -> bool:
        """Tell whether it is in force."""
        return (self.effective_from is None or self.effective_from <= day) and (self.effective_to is None or day < self.effective_to)


@dataclass(frozen=True, slots=True)
class MinorRules:
    """Who signs for somebody who is not of age."""

    self_from_years: int = 18
    """From this age the patient signs for themselves."""
    guardian_until_years: int = 18
    """Until this age a parent or guardian may sign."""
    guardian_unless_objection_from_years: int | None = None
    """From this age a guardian's signature counts only while the patient does not object."""


@dataclass(frozen=True, slots=True)
class StatePack:
    """The rules of one state or exchange."""

    id: str
    title: str
    version: str
    rules: tuple[StateRule, ...]
    minors: MinorRules = MinorRules()

    @property
    def is_verified(self) -> bool:
        """Whether counsel has signed every rule."""
        return all(rule.verified for rule in self.rules)


@dataclass(frozen=True, slots=True)
class PrivacyLaw:
    """Everything that a deployment's decisions rest on."""

    version: str = "privacy/2026-11"
    notices: Mapping[str, Notice] = field(default_factory=dict)
    packs: Mapping[str, StatePack] = field(default_factory=dict)
    review_own_assertions: bool = True
    """Who says itself that the patient agreed to its being told waits until a person has looked."""
    emergency_hours_max: int = 24
    break_glass_minutes_max: int = 60


def concerned(
    rule: StateRule, facility_type: FacilityType, *, licensed: bool, signals: Collection[Category], codes: Collection[str]
) -> bool:
    """Tell whether a rule is about a stay: at such a place, or with such a diagnosis."""
    if (rule.licensed and licensed) or facility_type in rule.facility_types or (rule.signal and rule.category in signals):
        return True
    return any(code.startswith(rule.diagnoses) for code in codes) if rule.diagnoses else False


NO_LAW: Final = PrivacyLaw()
"""For what is judged by the federal rules alone and shows no notice."""
