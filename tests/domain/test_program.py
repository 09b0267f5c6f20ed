"""Which programs a panel's words mean, for whom, and which discharges start their clocks."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.behavioral import BehavioralKind
from app.domain.calendar import ClockUnit
from app.domain.program import (
    ClockDefinition,
    ProgramCatalog,
    ProgramDefinition,
    ProgramError,
    Satisfaction,
    TriggerFilter,
    normalized_program,
)
from app.domain.stay import Disposition, StayClass
from app.standards.program_catalog import program_catalog
from tests.domain.follow_up_builders import make_stay

CATALOG = program_catalog()
ON = date(2026, 11, 20)
CLOCK = ClockDefinition(id="sample.contact", title="Contact", unit=ClockUnit.HOURS, count=24, satisfied_by=Satisfaction())
SAMPLE = ProgramDefinition(
    id="sample",
    title="Sample",
    version="1",
    basis="made up",
    trigger=TriggerFilter(classes=frozenset({StayClass.INPATIENT})),
    clocks=(CLOCK,),
    organization_kinds=frozenset({"health_home"}),
)


@pytest.mark.parametrize(
    ("named", "kind", "programs"),
    [
        ("BHH", "behavioral_health_home", ["mainecare_bhh"]),
        ("bhho", "behavioral_health_home", ["mainecare_bhh"]),
        ("Behavioral  Health-Home", "behavioral_health_home", ["mainecare_bhh"]),
        ("mainecare_bhh", "behavioral_health_home", ["mainecare_bhh"]),
        ("BHH", "health_home", ["mainecare_bhh"]),
        ("HH", "health_home", ["health_home"]),
        ("CCT", "health_home", ["health_home"]),
        ("health home", "health_home", ["health_home"]),
        ("TCM", "health_home", ["tcm"]),
        ("BHH; TCM", "behavioral_health_home", ["mainecare_bhh", "tcm"]),
        ("BHH/TCM/BHH", "behavioral_health_home", ["mainecare_bhh", "tcm"]),
        ("something new", "health_home", ["default"]),
        ("", "health_home", ["default"]),
        (" ; ", "health_home", ["default"]),
        ("BHH + something new", "behavioral_health_home", ["mainecare_bhh", "default"]),
        ("BHH", "plan", []),
        ("something new", "plan", []),
        ("BHH", "hospital", []),
        ("HH", "agency", ["health_home"]),
        ("something new", "agency", []),
    ],
)
def test_a_panels_words_choose_programs(named: str, kind: str, programs: list[str]) -> None:
    choice = CATALOG.choose(named, ON, organization_kind=kind)
    assert [program.id for program in choice.programs] == programs
    assert choice.reasons


def test_a_role_opens_a_program_to_another_kind_of_organization() -> None:
    assert CATALOG.choose("HH", ON, organization_kind="hospital").programs == ()
    chosen = CATALOG.choose("HH", ON, organization_kind="hospital", organization_roles=["community_care_team"])
    assert [program.id for program in chosen.programs] == ["health_home"]


def test_a_name_with_a_separator_in_it_is_one_name_where_it_is_known() -> None:
    catalog = replace(CATALOG, aliases={**CATALOG.aliases, normalized_program("HH/CCT"): "tcm"})
    assert [one.id for one in catalog.choose("hh/cct", ON, organization_kind="health_home").programs] == ["tcm"]
    assert [one.id for one in CATALOG.choose("hh/cct", ON, organization_kind="health_home").programs] == ["health_home"]


def test_before_a_program_began_the_default_runs_and_says_why() -> None:
    choice = CATALOG.choose("BHH", date(2014, 3, 31), organization_kind="behavioral_health_home")
    assert [program.id for program in choice.programs] == ["default"]
    assert "program_not_in_force: mainecare_bhh" in choice.reasons


@given(st.text(max_size=40), st.sampled_from(["health_home", "behavioral_health_home"]))
def test_a_home_always_has_a_clock_that_runs(named: str, kind: str) -> None:
    choice = CATALOG.choose(named, ON, organization_kind=kind)
    assert choice.programs
    stay = make_stay(admitted="2026-11-10", discharged="2026-11-20")
    assert any(program.clocks_for(stay) for program in choice.programs)


@pytest.mark.parametrize(
    ("trigger", "fits"),
    [
        (TriggerFilter(classes=frozenset({StayClass.INPATIENT})), True),
        (TriggerFilter(classes=frozenset({StayClass.EMERGENCY})), False),
        (TriggerFilter(classes=frozenset({StayClass.INPATIENT}), behavioral=frozenset({BehavioralKind.MENTAL_HEALTH})), True),
        (TriggerFilter(classes=frozenset({StayClass.INPATIENT}), behavioral=frozenset({BehavioralKind.SUBSTANCE_USE})), False),
        (TriggerFilter(classes=frozenset({StayClass.INPATIENT}), dispositions=frozenset({Disposition.HOME})), True),
        (TriggerFilter(classes=frozenset({StayClass.INPATIENT}), dispositions=frozenset({Disposition.AGAINST_ADVICE})), False),
    ],
)
def test_a_trigger_says_why_a_stay_does_not_fit(trigger: TriggerFilter, fits: bool) -> None:
    stay = make_stay()
    assert bool(trigger.misfits(stay)) is not fits
    assert bool(replace(SAMPLE, trigger=trigger).clocks_for(stay)) is fits


def test_a_clock_can_be_narrower_than_its_program() -> None:
    program = CATALOG.program("masshealth_bhcp", ON)
    assert program is not None
    inpatient = make_stay(discharged="2026-11-20", admitted="2026-11-10")
    emergency = replace(inpatient, stay_class=StayClass.EMERGENCY)
    assert [clock.id for clock in program.clocks_for(inpatient)] == ["masshealth_bhcp.face_to_face_3bd"]
    assert [clock.id for clock in program.clocks_for(emergency)] == ["masshealth_bhcp.follow_up_ed_7d"]


@pytest.mark.parametrize(("born", "starts"), [(date(2008, 11, 21), False), (date(2008, 11, 20), True), (date(1961, 11, 21), True),
                                              (date(1961, 11, 20), False), (None, True)])  # fmt: skip
def test_the_clock_of_masshealth_is_for_18_to_64_on_the_day_of_the_discharge(born: date | None, starts: bool) -> None:
    """Domain 3.3; the clock after an emergency visit runs for everybody."""
    program = CATALOG.program("masshealth_bhcp", ON)
    assert program is not None
    inpatient = replace(make_stay(discharged="2026-11-20", admitted="2026-11-10"), born_on=born)
    assert [clock.id for clock in program.clocks_for(inpatient)] == ["masshealth_bhcp.face_to_face_3bd"] * starts
    assert len(program.clocks_for(replace(inpatient, stay_class=StayClass.EMERGENCY))) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age_min": 65, "age_max": 64}, "age_min"),
        ({"count": 0}, "at least 1"),
        ({"unit": ClockUnit.BUSINESS_DAYS}, "holiday_calendar"),
        ({"escalate_at_percent": (80, 50)}, "ascend"),
        ({"escalate_at_percent": (0,)}, "between 1 and 100"),
        ({"escalate_at_percent": (101,)}, "between 1 and 100"),
    ],
)
def test_a_clock_that_contradicts_itself_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        replace(CLOCK, **changes)  # type: ignore[arg-type]  # one wrong value a row


def test_clock_ids_belong_to_their_program_and_are_unique() -> None:
    with pytest.raises(ProgramError, match="must begin with other"):
        replace(SAMPLE, id="other")
    other = replace(SAMPLE, id="sample.more", clocks=(replace(CLOCK, id="sample.more.contact"),))
    wide = replace(SAMPLE, clocks=(CLOCK, replace(CLOCK, id="sample.more.contact")))
    with pytest.raises(ProgramError, match="ids are unique"):
        ProgramCatalog(programs=(other, wide), aliases={}, default_id="sample")


def test_an_alias_of_nothing_is_refused() -> None:
    with pytest.raises(ProgramError, match="not defined"):
        ProgramCatalog(programs=(SAMPLE,), aliases={"x": "nowhere"}, default_id="sample")
    with pytest.raises(ProgramError, match="not defined"):
        ProgramCatalog(programs=(SAMPLE,), aliases={}, default_id="nowhere")


def test_a_version_holds_from_its_first_day_to_the_day_before_its_end() -> None:
    first = replace(SAMPLE, effective_to=date(2026, 1, 1))
    second = replace(SAMPLE, version="2", effective_from=date(2026, 1, 1))
    catalog = ProgramCatalog(programs=(first, second), aliases={"sample": "sample"}, default_id="sample")
    versions = [program.version for day in (date(2025, 12, 31), date(2026, 1, 1)) if (program := catalog.program("sample", day))]
    assert versions == ["1", "2"]


def test_names_are_compared_without_case_and_punctuation() -> None:
    assert normalized_program(" Mainecare-BHH. ") == normalized_program("MAINECARE BHH") == "mainecarebhh"
