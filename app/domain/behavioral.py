"""Whether a stay is a behavioral-health one: decided from its diagnoses, and until they are final also from where it happens.

A discharge often arrives before its final diagnosis, so the answer says whether it is ``provisional``. Not here: whether the stay is
an index event of a measure (``measure``), whether it starts a program's clocks (``program``), what may be disclosed of it.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, Protocol

from app.domain.diagnosis import DiagnosisGroup, DiagnosisRules

MENTAL_GROUPS: Final = frozenset({DiagnosisGroup.MENTAL_ILLNESS, DiagnosisGroup.MH_DX})
SUBSTANCE_GROUPS: Final = frozenset({DiagnosisGroup.SUD_INDEX, DiagnosisGroup.SUD_ANY})
BEHAVIORAL_GROUPS: Final = frozenset(DiagnosisGroup) - {DiagnosisGroup.PREGNANCY, DiagnosisGroup.PLANNED_CARE}
"""What reasons may name: the others are asked about by measures only."""
Groups = frozenset[DiagnosisGroup]
NOTHING: Final[Groups] = frozenset()


class BehavioralKind(StrEnum):
    """What a stay, a unit or a facility is about, as far as behavioral health goes."""

    MENTAL_HEALTH = "mental_health"
    SUBSTANCE_USE = "substance_use"
    BOTH = "both"
    NONE = "none"

    @property
    def parts(self) -> "frozenset[BehavioralKind]":
        """The one or two kinds in it, without BOTH and NONE."""
        return PARTS[self]

    @staticmethod
    def made_of(parts: "AbstractSet[BehavioralKind]") -> "BehavioralKind":
        """Give the kind that says both parts, one, or none."""
        return WHOLE[BehavioralKind.MENTAL_HEALTH in parts, BehavioralKind.SUBSTANCE_USE in parts]


NONE: Final = BehavioralKind.NONE
PARTS: Final[Mapping[BehavioralKind, frozenset[BehavioralKind]]] = {
    BehavioralKind.MENTAL_HEALTH: frozenset({BehavioralKind.MENTAL_HEALTH}),
    BehavioralKind.SUBSTANCE_USE: frozenset({BehavioralKind.SUBSTANCE_USE}),
    BehavioralKind.BOTH: frozenset({BehavioralKind.MENTAL_HEALTH, BehavioralKind.SUBSTANCE_USE}),
    BehavioralKind.NONE: frozenset(),
}


WHOLE: Final[Mapping[tuple[bool, bool], BehavioralKind]] = {
    (True, True): BehavioralKind.BOTH,
    (True, False): BehavioralKind.MENTAL_HEALTH,
    (False, True): BehavioralKind.SUBSTANCE_USE,
    (False, False): BehavioralKind.NONE,
}
FINAL: Final = "F"
UNSTATED: Final = ""
STAGES: Final[Mapping[str, str]] = {FINAL: "final", "W": "working", UNSTATED: "unstated", "A": "admitting"}
"""HL7 table 0052, most settled first. Nothing stated ranks below working and above admitting."""


class StatedDiagnosis(Protocol):
    """A diagnosis as a stay carries it: one DG1 segment, one FHIR Condition of an encounter."""

    @property
    def code(self) -> str:
        """As sent, dotted or not."""

    @property
    def system(self) -> str:
        """As sent: DG1-3.3, or the FHIR system."""

    @property
    def use(self) -> str:
        """HL7 table 0052 (DG1-6): ``F`` final, ``W`` working, ``A`` admitting; anything else says nothing of how settled it is."""

    @property
    def rank(self) -> int | None:
        """HL7 table 0359 (DG1-15): 1 is the principal diagnosis, 0 and above 1 are not. None when not sent: then order decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a stay is, in the words of its feed, with what the profile and the registry say those words mean."""

    point_of_care: str = ""
    """PV1-3.1."""
    hospital_service: str = ""
    """PV1-10."""
    behavioral_units: Mapping[str, BehavioralKind] = field(default_factory=dict)
    """The feed profile's units, by upper-case point of care."""
    hospital_services: Mapping[str, BehavioralKind] = field(default_factory=dict)
    """What PV1-10 values mean, by upper-case value."""
    facility: BehavioralKind = BehavioralKind.NONE
    """What the whole facility is for: MENTAL_HEALTH for a psychiatric hospital."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BehavioralSignal:
    """What is known of a stay's behavioral-health side, and how firmly."""

    kind: BehavioralKind = BehavioralKind.NONE
    provisional: bool = True
    """True until a final principal diagnosis has arrived."""
    principal: Groups = NOTHING
    """The groups of the principal diagnosis: the final one, or the most settled one so far while provisional."""
    any_position: Groups = NOTHING
    """The groups of all diagnoses as settled as the principal one."""
    mental_health_mentioned: bool = False
    substance_use_mentioned: bool = False
    """Any diagnosis of any stage, or the place, says so: for sensitivity, where a working diagnosis discloses as much as a final one."""
    reasons: tuple[str, ...] = ()
    """They disclose what kind of illness it is: for those who may see the diagnosis."""


NO_PLACE: Final = Place()


def behavioral_health_signal(
    rules: DiagnosisRules, diagnoses: Sequence[StatedDiagnosis], on: date, place: Place = NO_PLACE
) -> BehavioralSignal:
    """Decide a stay's behavioral-health kind on a date.

    The most settled stage that has a principal diagnosis decides. A final principal diagnosis that is behavioral decides alone; a final
    one that is not leaves the word to the place, for a psychiatric unit treats the mind whatever was coded. While provisional, the
    diagnoses and the place add up.
    """
    readable = [
        (one.use if one.use in STAGES else UNSTATED, one.rank, rules.groups_of(one.code, on))
        for one in diagnoses
        if one.code and rules.reads(one.system)
    ]
    stage, principal = _principal(readable)
    told = NOTHING.union(*(groups for use, _, groups in readable if use == stage))
    everything = NOTHING.union(*(groups for _, _, groups in readable))
    by_diagnosis = _kind(principal, told)
    by_place, place_reasons = _kind_of_place(place)
    final = stage == FINAL
    mentioned = _kind(everything, everything).parts | by_place.parts
    return BehavioralSignal(
        kind=by_diagnosis if final and by_diagnosis is not NONE else BehavioralKind.made_of(by_diagnosis.parts | by_place.parts),
        provisional=not final,
        principal=principal,
        any_position=told,
        mental_health_mentioned=BehavioralKind.MENTAL_HEALTH in mentioned,
        substance_use_mentioned=BehavioralKind.SUBSTANCE_USE in mentioned,
        reasons=(*_diagnosis_reasons(stage, principal, told), *place_reasons),
    )


def _principal(readable: list[tuple[str, int | None, Groups]]) -> tuple[str | None, Groups]:
    """Find the principal diagnosis of the most settled stage that has one: rank 1, else the first without a rank."""
    for stage in STAGES:
        of_stage = [(rank, groups) for use, rank, groups in readable if use == stage]
        for wanted in (1, None):
            for rank, groups in of_stage:
                if rank == wanted:
                    return stage, groups
    return None, NOTHING


def _kind(principal: Groups, told: Groups) -> BehavioralKind:
    """Read groups as a kind: the principal diagnosis decides, but self-harm and overdose count in any position."""
    parts = set()
    if principal & MENTAL_GROUPS or DiagnosisGroup.SELF_HARM in told:
        parts.add(BehavioralKind.MENTAL_HEALTH)
    if principal & SUBSTANCE_GROUPS or DiagnosisGroup.OVERDOSE in told:
        parts.add(BehavioralKind.SUBSTANCE_USE)
    return BehavioralKind.made_of(parts)


def _kind_of_place(place: Place) -> tuple[BehavioralKind, tuple[str, ...]]:
    """Read unit, service and facility as a kind, with a reason for each that says something."""
    unit = place.behavioral_units.get(place.point_of_care.strip().upper(), NONE)
    service = place.hospital_services.get(place.hospital_service.strip().upper(), NONE)
    said = (("unit", unit), ("hospital_service", service), ("facility", place.facility))
    kind = BehavioralKind.made_of(unit.parts | service.parts | place.facility.parts)
    return kind, tuple(f"{what}: a place for {about}" for what, about in said if about is not NONE)


def _diagnosis_reasons(stage: str | None, principal: Groups, told: Groups) -> tuple[str, ...]:
    """Say which diagnoses decided, by stage and group."""
    if stage is None:
        return ("no_principal_diagnosis: none has arrived that can be read",)
    name = STAGES[stage]
    principal, told = principal & BEHAVIORAL_GROUPS, told & BEHAVIORAL_GROUPS
    first = f"{name}_principal_diagnosis: {', '.join(sorted(principal)) or 'in no behavioral-health group'}"
    others = told - principal
    return (first, f"{name}_other_diagnoses: {', '.join(sorted(others))}") if others else (first,)
