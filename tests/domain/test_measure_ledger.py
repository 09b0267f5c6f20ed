"""The lines of a person, which share what readers and stays have in common, against each status worked out alone.

Not here: what a status is (test_measure, test_slow_measures), or for whom a stay counts (tests/api/test_measures).
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from app import wiring
from app.domain.adt_event import EncounterClass, Identifier
from app.domain.attribution import Attribution, Learned, Role
from app.domain.course import Course
from app.domain.directory import Directory
from app.domain.encounter import EncounterStatus, EncounterView
from app.domain.episode import measure_statuses
from app.domain.home_day import Owner
from app.domain.measure import MeasureStatus
from app.domain.measure_history import Endings, birth_on, enrolment, history_of
from app.domain.measure_ledger import Measured, lines_of
from app.domain.measure_line import NO_LINE, MeasureLine
from app.domain.organization import FacilityType, Organization, OrganizationKind, Part2Status
from app.domain.origin_registry import UNKNOWN_PLACE
from app.domain.person import PatientRecord
from app.domain.stay import CareLevel, Stay, StayClass
from app.domain.stay_in_hand import StayInHand, stay_for_rules
from tests.domain.follow_up_builders import EASTERN
from tests.domain.test_slow_measures import drawn, history

HISTORIES = 300
RULES = wiring.rulebook()
LONG_AGO, PERSON = datetime(2020, 1, 1, tzinfo=UTC), UUID(int=9)
HOME = Organization(UUID(int=1), "Home H", OrganizationKind.BEHAVIORAL_HEALTH_HOME, LONG_AGO)
PLAN, OTHER_PLAN = (Organization(UUID(int=number), f"Plan {number}", OrganizationKind.PLAN, LONG_AGO) for number in (2, 3))
KINDS = {
    CareLevel.ACUTE: FacilityType.UNKNOWN,
    CareLevel.NONACUTE: FacilityType.NONACUTE,
    CareLevel.PSYCHIATRIC_RESIDENTIAL: FacilityType.RESIDENTIAL,
}
PLACES = {
    level: Organization(
        UUID(int=number), f"Hospital {number}", OrganizationKind.HOSPITAL, LONG_AGO,
        facility_type=kind,
    )
    for number, (level, kind) in enumerate(KINDS.items(), start=4)
}  # fmt: skip
KNOWN_PLACE = UNKNOWN_PLACE._replace(part2_status=Part2Status.NOT_PROGRAM)
"""Everybody may know of its stays: who may not is not asked here."""
DIRECTORY = Directory.of([HOME, PLAN, OTHER_PLAN, *PLACES.values()], [], {})
CODES = {"home": "01", "died": "20", "hospice": "50", "nonacute": "03"}


def in_hand(number: int, stay: Stay) -> StayInHand:
    """The stay as the ledger takes it."""
    is_emergency = stay.stay_class is StayClass.EMERGENCY
    view = EncounterView(
        status=EncounterStatus.FINISHED if stay.discharged_at else EncounterStatus.IN_PROGRESS,
        encounter_class=EncounterClass.EMERGENCY if is_emergency else EncounterClass.INPATIENT,
        phases=(),
        admitted_at=stay.admitted_at,
        discharged_at=stay.discharged_at,
        disposition=CODES[stay.disposition.value],
        inferred_discharge=False,
        diagnoses=(),
        facts={},
        deceased_at=None,
    )
    return StayInHand(
        id=UUID(int=100 + number), person_id=PERSON, record_id=PERSON, visit_number=stay.id, mode="live", source="adt", view=view,
        signal=stay.signal, facility=PLACES[stay.care_level], place=KNOWN_PLACE,
        asked_at=LONG_AGO,
    )  # fmt: skip


def claim(number: int, whose: Organization, role: Role, first_on: date, last_on: date | None) -> Attribution:
    """A claim that was known before anything happened."""
    learned = (Learned(LONG_AGO, first_on, last_on),)
    return Attribution(UUID(int=200 + number), whose.id, PERSON, "BHH", role, first_on, last_on, learned=learned)


def a_person(seed: int) -> tuple[Measured, datetime]:
    """Draw a person with a home and two plans, enrolled all the while, with a gap, or until some day."""
    dice = random.Random(seed)
    slow, today = drawn(seed)
    stays = [in_hand(number, stay) for number, stay in enumerate(history(slow).stays)]
    begin = slow.stays[0].came
    middle = begin + timedelta(days=dice.randint(0, 150))
    claims = [claim(0, HOME, Role.BEHAVIORAL_HEALTH_HOME, begin - timedelta(days=400), None)]
    spans = {
        "all the while": [(begin - timedelta(days=400), None)],
        "gap": [(begin - timedelta(days=400), middle), (middle + timedelta(days=dice.choice((0, 1, 40))), None)],
        "ends": [(begin - timedelta(days=400), middle)],
    }
    for plan in (PLAN, OTHER_PLAN):
        claims += [claim(len(claims), plan, Role.PLAN, *span) for span in dice.choice(list(spans.values()))]
    dice.shuffle(claims)
    born = {"key": {"birth_date": slow.born.isoformat()}}
    record = PatientRecord(PERSON, "adt", Identifier("A", "MR", "1"), PERSON, frozenset(), born, None)
    return Measured(stays=stays, claims=claims, records=[record]), datetime(today.year, today.month, today.day, 23, tzinfo=EASTERN)


def alone(person: Measured, stay: StayInHand, reader: UUID | None, now: datetime) -> dict[str, MeasureStatus]:
    """Work out the statuses of one stay for one reader, with nothing shared."""
    ended = {one.id: one.day_of(one.view.discharged_at) for one in person.stays if one.view.discharged_at is not None}
    plans = {one.organization_id for one in person.claims if one.role == Role.PLAN}
    # The exchange knows the enrolment with whoever covers the person on the day of the discharge.
    payers = {one.organization_id for one in person.claims if one.holds_on(ended[stay.id])} if reader is None else {reader}
    enrolled = [one for one in person.claims if one.organization_id in payers & plans]
    died_on, died_by = _first(person, ended, CODES["died"])
    hospice_on, hospice_by = _first(person, ended, CODES["hospice"])
    known = history_of(
        Course(stay_for_rules(one, RULES) for one in person.stays),
        (),
        stay.zone,
        born_on=birth_on(person.records),
        ended=Endings(died_on, hospice_on, died_by=died_by, hospice_by=hospice_by),
        coverage=enrolment(enrolled) if enrolled else None,
    )
    found = measure_statuses(stay_for_rules(stay, RULES), known, RULES.measures, now)
    return {one.measure: one for one in found if one.status not in NO_LINE}


def _first(person: Measured, ended: Mapping[UUID, date], code: str) -> tuple[date | None, str | None]:
    """Give the first day on which a stay ended so, and which stay that was."""
    return min(
        ((ended[one.id], str(one.id)) for one in person.stays if one.view.disposition == code and one.id in ended), default=(None, None)
    )


def test_what_readers_share_is_what_each_would_be_told_alone() -> None:
    told: Counter[tuple[UUID | None, bool]] = Counter()
    for seed in range(HISTORIES):
        person, now = a_person(seed)
        lines = lines_of(person, DIRECTORY, RULES, RULES.measures, now)
        of_stay: dict[tuple[UUID, UUID | None], list[MeasureLine]] = {}
        for line in lines:
            of_stay.setdefault((line.encounter_id, line.organization_id), []).append(line)
        for (stay, reader), mine in of_stay.items():
            wanted = alone(person, next(one for one in person.stays if one.id == stay), reader, now)
            assert {line.measure for line in mine} == wanted.keys(), seed
            for line in mine:
                one = wanted[line.measure]
                assert (line.status_7, line.status_30, line.reason, line.reasons) == (one.status_7, one.status_30, one.reason, one.reasons)
                assert (line.anchor_on, line.due_7_on, line.due_30_on) == (one.anchor_on, one.due_7_on, one.due_30_on)
                assert (line.met_7_on, line.met_30_on, line.rule_version) == (one.met_7_on, one.met_30_on, one.rule_version)
                told[reader, any(reason.startswith("enrolment_unknown") for reason in line.reasons)] += 1
    assert all(told[reader, False] > HISTORIES for reader in (PLAN.id, OTHER_PLAN.id, None)), told
    assert told[HOME.id, True] > HISTORIES, "of a home no enrolment is known"
    assert not told[PLAN.id, True], "a plan knows whom it has"


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_which_things_are_read_makes_no_line(seed: int) -> None:
    person, now = a_person(seed)
    turned = replace(person, stays=person.stays[::-1], claims=person.claims[::-1])
    lines, again = (lines_of(one, DIRECTORY, RULES, RULES.measures, now) for one in (person, turned))
    assert {line.key: line for line in lines} == {line.key: line for line in again}


NEXT = replace(HOME, id=UUID(int=11), name="Home N")
HIDDEN = replace(HOME, id=UUID(int=12), name="Home P", part2_status=Part2Status.PROGRAM)
"""A program of Part 2: whose patient somebody is, it alone may know."""
MOVING = Directory.of([HOME, NEXT, HIDDEN, PLAN, OTHER_PLAN, *PLACES.values()], [], {})


def moving(person: Measured, dice: random.Random) -> dict[tuple[UUID, UUID], list[Owner]]:
    """Let follow-ups go from home to home, many of them about the end of a day that counts."""
    chains = {}
    for stay in person.stays:
        at = stay.view.discharged_at
        if at is None or dice.random() < 0.3:
            continue
        midnight = datetime.combine(stay.day_of(at), datetime.min.time(), stay.zone)
        days = (dice.choice((1, 3, 8, 8, 31, 31, 40)) for _ in range(dice.randint(1, 4)))
        begun = sorted((midnight + timedelta(days=day, seconds=dice.choice((-1, 0)))).astimezone(UTC) for day in days)
        chains[stay.id, HOME.id] = [Owner(HOME.id, at)] + [Owner(dice.choice((HOME, NEXT, HIDDEN)).id, one) for one in begun]
    return chains


def test_a_line_says_whose_a_stay_was_on_each_day_as_far_as_its_reader_may_know() -> None:
    told: Counter[tuple[str, int, str]] = Counter()
    names = {HOME.id: "home", NEXT.id: "next", HIDDEN.id: "hidden", None: "none"}
    for seed in range(60):
        person, now = a_person(seed)
        owners = moving(person, random.Random(seed))
        plain = {line.key: line for line in lines_of(person, MOVING, RULES, RULES.measures, now)}
        lines = {line.key: line for line in lines_of(replace(person, owners=owners), MOVING, RULES, RULES.measures, now)}
        wanted: dict[tuple[UUID, str, UUID | None], list[UUID | None]] = {}
        for (stay_id, measure, reader), line in plain.items():
            stay = next(one for one in person.stays if one.id == stay_id)
            whose: list[UUID] = []
            for days in (0, 7, 30):
                holder = HOME.id
                for owner in owners.get((stay_id, HOME.id), []) if days else ():
                    over = datetime.combine(stay.day_of(stay.view.discharged_at or now) + timedelta(days=days + 1), datetime.min.time())
                    if owner.starts_at < over.replace(tzinfo=stay.zone).astimezone(UTC):
                        holder = owner.organization_id
                whose.append(holder)
            for one in dict.fromkeys(whose) if reader == HOME.id else ():
                wanted[stay_id, measure, one] = [one if on == one else None for on in whose]
            if reader != HOME.id:
                assert line.home_id == HOME.id
                wanted[stay_id, measure, reader] = [None if on == HIDDEN.id else on for on in whose]
        assert lines.keys() == wanted.keys(), seed
        for key, line in lines.items():
            found = [line.home_id, *((line.home_7_id, line.home_30_id) if line.moved else (line.home_id,) * 2)]
            assert (found, line.of_home) == (wanted[key], key[2] in {HOME.id, NEXT.id, HIDDEN.id}), seed
            assert line.moved == (len(set(found)) > 1)
            told.update((names.get(line.organization_id, "payer"), days, names[one]) for days, one in zip((0, 7, 30), found, strict=True))
    assert all(told[who, days, who] > 30 for who in ("home", "next", "hidden") for days in (7, 30)), told
    assert all(told["payer", days, who] > 30 for who in ("home", "next", "none") for days in (7, 30)), told
