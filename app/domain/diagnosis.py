"""What diagnosis codes say about behavioral health: which groups a code is in on a date, and which groups a list of codes makes.

The groups are effective-dated patterns handed in as data (``app.standards.diagnosis_rules``). An unknown code is in no group and is
never refused. Reasons name positions, not codes; even so they say what kind of illness it is, so only who may see the diagnosis
may see them. Not here: what a stay is, given its diagnoses and place (``behavioral``), and who may be told (``consent``).
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final

CODE_SHAPE: Final = re.compile(r"[A-Z][0-9][0-9A-Z]{1,5}")
"""ICD-10-CM without its dot: three to seven characters. Nothing in our sets depends on more."""
CODE_LENGTH_MAX: Final = 16
"""Longer text is no diagnosis code; it is not looked up, so it cannot fill the cache."""
SYSTEM_LENGTH_MAX: Final = 64
CACHED_CODES: Final = 16_384
"""Our policy: about as many distinct codes as a state's feeds send in a month; at 0.3 kB each it stays below 5 MB a period."""
NOT_ALPHANUMERIC: Final = re.compile(r"[^0-9A-Z]")


class DiagnosisGroup(StrEnum):
    """A set of ICD-10-CM codes that some rule asks about. ``reference``: each set's file says its source and how it was checked."""

    MENTAL_ILLNESS = "mental_illness"
    """Index diagnoses of FUH and FUM. Not every mental disorder: dementia, for one, is only in MH_DX."""
    MH_DX = "mh_dx"
    """Any mental-health disorder: makes a readmission or a visit a mental-health one."""
    SELF_HARM = "self_harm"
    """Intentional self-harm. Not suicidal thoughts without an act, which are a mental-illness code from 2025."""
    SUICIDAL_IDEATION = "suicidal_ideation"
    """Thoughts of suicide without an act: for programs of safety, whatever a measure makes of them."""
    OVERDOSE = "overdose"
    """Drug poisoning, unintentional or undetermined. Intentional poisoning is SELF_HARM, never this."""
    SUD_INDEX = "sud_index"
    """Abuse or dependence, tobacco and remission left out."""
    SUD_ANY = "sud_any"
    """Everything that says substance use, remission too: the set that decides sensitivity, not a measure."""
    SUD_TREATED = "sud_treated"
    """Substance use that a visit can be for: SUD_ANY without remission and counselling codes."""
    PREGNANCY = "pregnancy"
    """Pregnancy, childbirth and the perinatal period: neither an event nor a return of the readmission measure."""
    PLANNED_CARE = "planned_care"
    """Chemotherapy and the like: a return for it was planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSet:
    """One group's codes during one period: a pattern over undotted upper-case codes."""

    group: DiagnosisGroup
    version: str
    pattern: str
    effective_from: date | None = None
    effective_to: date | None = None
    """Exclusive."""

    def __post_init__(self) -> None:
        if self.effective_from is not None and self.effective_to is not None and self.effective_from >= self.effective_to:
            message = f"value set {self.group} {self.version} ends before it starts"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class BehavioralHealthClass:
    """The groups that a list of diagnoses touches, each with the position of the first code that says so (1 = first listed)."""

    evidence: tuple[tuple[DiagnosisGroup, int], ...] = ()

    @property
    def groups(self) -> frozenset[DiagnosisGroup]:
        """Every group touched, in any position."""
        return frozenset(group for group, _ in self.evidence)

    @property
    def mental_illness(self) -> bool:
        """Whether any code is an index mental illness."""
        return DiagnosisGroup.MENTAL_ILLNESS in self.groups

    @property
    def mh_dx(self) -> bool:
        """Whether any code is a mental-health disorder."""
        return DiagnosisGroup.MH_DX in self.groups

    @property
    def self_harm(self) -> bool:
        """Whether any code is intentional self-harm."""
        return DiagnosisGroup.SELF_HARM in self.groups

    @property
    def overdose(self) -> bool:
        """Whether any code is an unintentional or undetermined overdose."""
        return DiagnosisGroup.OVERDOSE in self.groups

    @property
    def sud_index(self) -> bool:
        """Whether any code is substance abuse or dependence."""
        return DiagnosisGroup.SUD_INDEX in self.groups

    @property
    def sud_any(self) -> bool:
        """Whether any code mentions substance use at all."""
        return DiagnosisGroup.SUD_ANY in self.groups

    @property
    def reasons(self) -> tuple[str, ...]:
        """One line a group: which diagnosis said so."""
        return tuple(f"{group}: diagnosis {position}" for group, position in self.evidence)


class DiagnosisRules:
    """The value sets and code-system names of one deployment, compiled once; answers are remembered by code and period."""

    def __init__(self, value_sets: Sequence[ValueSet], code_systems: Iterable[str]) -> None:
        self._code_systems = frozenset(normalized_system(system) for system in code_systems)
        edges = {edge for one in value_sets for edge in (one.effective_from, one.effective_to) if edge is not None}
        self._edges = sorted(edges)
        """The dates on which anything changes; between two of them one lookup serves every date."""
        self._lookups = [_lookup(value_sets, None)] + [_lookup(value_sets, start) for start in self._edges]

    def reads(self, system: str | None) -> bool:
        """Whether a coding-system name as sent (DG1-3.3, FHIR system) means ICD-10-CM. Nothing sent is read by the code's shape."""
        return not system or (len(system) <= SYSTEM_LENGTH_MAX and normalized_system(system) in self._code_systems)

    def groups_of(self, code: str, on: date) -> frozenset[DiagnosisGroup]:
        """Give the groups of one code, dotted or not, in any case, on a date."""
        if len(code) > CODE_LENGTH_MAX:
            return frozenset()
        return self._lookups[bisect_right(self._edges, on)](code)

    def classify(self, codes: Iterable[str], on: date) -> BehavioralHealthClass:
        """Give the groups of a list of ICD-10-CM codes on a date. Codes that are in no group, or are no codes, say nothing."""
        first: dict[DiagnosisGroup, int] = {}
        for position, code in enumerate(codes, start=1):
            for group in self.groups_of(code, on):
                first.setdefault(group, position)
        return BehavioralHealthClass(tuple(sorted(first.items())))


def normalized_code(code: str) -> str:
    """Give an ICD-10-CM code as our patterns expect it: upper case, no dot, no surrounding space."""
    return code.strip().replace(".", "").upper()


@lru_cache(maxsize=256)
def normalized_system(system: str) -> str:
    """Give a coding-system name without case and punctuation, so that I10, ICD-10-CM and icd10cm can be listed once each."""
    return NOT_ALPHANUMERIC.sub("", system.upper())


def _in_force(value_set: ValueSet, on: date | None) -> bool:
    """Whether the set holds on a date; ``None`` is the time before the first change."""
    if on is None:
        return value_set.effective_from is None
    starts = value_set.effective_from is None or value_set.effective_from <= on
    return starts and (value_set.effective_to is None or on < value_set.effective_to)


def _lookup(value_sets: Sequence[ValueSet], on: date | None) -> Callable[[str], frozenset[DiagnosisGroup]]:
    """Compile the sets in force on a date into one remembered lookup."""
    patterns = [(one.group, re.compile(one.pattern)) for one in value_sets if _in_force(one, on)]

    @lru_cache(maxsize=CACHED_CODES)
    def groups(code: str) -> frozenset[DiagnosisGroup]:
        undotted = normalized_code(code)
        if CODE_SHAPE.fullmatch(undotted) is None:
            return frozenset()
        return frozenset(group for group, pattern in patterns if pattern.match(undotted))

    return groups
