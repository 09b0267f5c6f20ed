"""The behavioral-health signal of a stay: final, working and admitting diagnoses against unit, service and facility."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.behavioral import BehavioralKind, BehavioralSignal, Place, behavioral_health_signal
from app.domain.diagnosis import DiagnosisGroup
from app.standards.code_tables import hospital_services
from app.standards.diagnosis_rules import diagnosis_rules
from tests.domain.follow_up_builders import Said

ON = date(2025, 6, 1)
MENTAL, SUBSTANCE, BOTH, NONE = BehavioralKind.MENTAL_HEALTH, BehavioralKind.SUBSTANCE_USE, BehavioralKind.BOTH, BehavioralKind.NONE
UNITS = {"5WEST": MENTAL, "DETOX": SUBSTANCE}


def read(said: str, place: Place = Place()) -> BehavioralSignal:  # noqa: B008 - a frozen value
    """Read ``F1:F32.2 A:J18.9``: use, rank if any, code."""
    diagnoses = []
    for one in said.split():
        head, _, code = one.partition(":")
        use = head[:1] if head[:1].isalpha() else ""
        rank = head.removeprefix(use)
        diagnoses.append(Said(code=code, system="I10", use=use, rank=int(rank) if rank else None))
    return behavioral_health_signal(diagnosis_rules(), diagnoses, ON, place)


def at(unit: str = "", service: str = "", facility: BehavioralKind = NONE) -> Place:
    return Place(
        point_of_care=unit, hospital_service=service, behavioral_units=UNITS, hospital_services=hospital_services(), facility=facility
    )


@pytest.mark.parametrize(
    ("diagnoses", "place", "kind", "provisional"),
    [
        ("", at(), NONE, True),
        ("F1:F32.2", at(), MENTAL, False),
        ("F:F32.2", at(), MENTAL, False),
        ("A:F32.2", at(), MENTAL, True),
        ("W:F10.20", at(), SUBSTANCE, True),
        (":F32.2", at(), MENTAL, True),
        ("F1:J18.9 F2:F32.2", at(), NONE, False),
        ("F1:J18.9 F2:T43.592A", at(), MENTAL, False),
        ("F1:J18.9 F2:T40.1X1A", at(), SUBSTANCE, False),
        ("F1:F33.2 F2:T40.1X1A", at(), BOTH, False),
        ("F1:J18.9 A:F32.2", at(), NONE, False),
        ("F2:F32.2 A:J18.9", at(), NONE, True),
        ("F2:F32.2 F1:J18.9", at(), NONE, False),
        ("F:J18.9 F1:F32.2", at(), MENTAL, False),
        ("F0:F32.2 F:J18.9", at(), NONE, False),
        ("", at(unit="5west"), MENTAL, True),
        ("", at(unit="DETOX"), SUBSTANCE, True),
        ("", at(service="PSY"), MENTAL, True),
        ("", at(facility=MENTAL), MENTAL, True),
        ("A:F10.20", at(unit="5WEST"), BOTH, True),
        ("F1:F10.20", at(unit="5WEST"), SUBSTANCE, False),
        ("F1:J18.9", at(unit="5WEST"), MENTAL, False),
        ("F1:F03.90", at(), MENTAL, False),
        ("", at(unit="4EAST", service="MED"), NONE, True),
    ],
)
def test_kind_and_how_firm(diagnoses: str, place: Place, kind: BehavioralKind, provisional: bool) -> None:
    found = read(diagnoses, place)
    assert (found.kind, found.provisional) == (kind, provisional)


def test_sensitivity_hears_working_and_secondary_diagnoses_too() -> None:
    found = read("F1:J18.9 F2:F10.20 A:F32.2")
    assert found.kind is NONE
    assert (found.mental_health_mentioned, found.substance_use_mentioned) == (True, True)
    assert read("F1:J18.9").substance_use_mentioned is False


def test_a_remission_code_is_no_index_but_still_sensitive() -> None:
    found = read("F1:F11.21")
    assert found.substance_use_mentioned
    assert DiagnosisGroup.SUD_INDEX not in found.principal


def test_an_unread_code_system_says_nothing() -> None:
    snomed = Said(code="F32.2", system="SCT", use="F", rank=1)
    found = behavioral_health_signal(diagnosis_rules(), [snomed], ON)
    assert (found.kind, found.provisional, found.reasons) == (NONE, True, ("no_principal_diagnosis: none has arrived that can be read",))


def test_reasons_say_which_stage_and_which_place_decided() -> None:
    found = read("F1:F32.2 F2:F10.20", at(unit="5WEST", service="PSY"))
    assert found.reasons == (
        "final_principal_diagnosis: mental_illness, mh_dx",
        "final_other_diagnoses: sud_any, sud_index, sud_treated",
        "unit: a place for mental_health",
        "hospital_service: a place for mental_health",
    )


CODES = st.sampled_from(["F32.2", "F10.20", "J18.9", "T40.1X1A", "X71.0XXA", "F11.21", "zzz", ""])
DIAGNOSES = st.lists(st.tuples(CODES, st.sampled_from(["A", "W", "F", "", "D"]), st.none() | st.integers(0, 4)), max_size=6)


@given(DIAGNOSES, st.sampled_from(["", "5WEST", "DETOX"]))
def test_firm_exactly_when_a_final_diagnosis_can_be_the_principal_one(rows: list[tuple[str, str, int | None]], unit: str) -> None:
    diagnoses = [Said(code=code, system="", use=use, rank=rank) for code, use, rank in rows]
    found = behavioral_health_signal(diagnosis_rules(), diagnoses, ON, at(unit=unit))
    firm = any(code and use == "F" and rank in (1, None) for code, use, rank in rows)
    assert found.provisional is not firm
    assert found.kind.parts <= (MENTAL.parts if found.mental_health_mentioned else frozenset()) | (
        SUBSTANCE.parts if found.substance_use_mentioned else frozenset()
    ), "what decides the kind is always mentioned"


@pytest.mark.parametrize("kind", list(BehavioralKind))
def test_kinds_fall_apart_into_parts_and_come_together_again(kind: BehavioralKind) -> None:
    assert BehavioralKind.made_of(kind.parts) is kind
