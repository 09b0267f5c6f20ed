"""Builders for measures: services, the status of a stay among others, and the discharge that most examples are about."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from app.domain.course import Course
from app.domain.episode import measure_statuses
from app.domain.measure import MeasureStatus, PersonHistory
from app.domain.service import Service
from app.domain.stay import Stay
from app.standards.measure_rules import measure_catalog
from tests.domain.follow_up_builders import local, make_stay

CATALOG = measure_catalog()
LATER = "2029-12-31"
PSYCHOLOGIST = "103TC0700X"
BORN = date(1980, 5, 5)


def visit(on: str, *codes: str, diagnoses: Sequence[str] = ("F32.2",), provider: str = "", place: str | None = "11") -> Service:
    """A follow-up visit; by default psychotherapy in an office for depression, by nobody in particular."""
    return Service(
        id=f"{on} {codes}",
        on=date.fromisoformat(on),
        visit_codes=codes or ("90834",),
        diagnoses=tuple(diagnoses),
        taxonomies=(provider,) if provider else (),
        place_of_service=place,
    )


def statuses(
    stay: Stay,
    *others: Stay,
    services: Sequence[Service] = (),
    now: str = LATER,
    born: date | None = BORN,
    died: str | None = None,
    hospice: str | None = None,
    coverage: tuple[tuple[date, date | None], ...] | None = None,
) -> dict[str, MeasureStatus]:
    history = PersonHistory(
        birth_on=born,
        died_on=date.fromisoformat(died) if died else None,
        hospice_on=date.fromisoformat(hospice) if hospice else None,
        coverage=coverage,
        stays=Course((stay, *others)),
        services=services,
    )
    return {one.measure: one for one in measure_statuses(stay, history, CATALOG, local(now))}


def fuh(stay: Stay, *others: Stay, **facts: Any) -> MeasureStatus:
    return statuses(stay, *others, **facts)["FUH"]


A = make_stay("A", admitted="2025-03-01", discharged="2025-03-10")
"""A discharge for depression on 10 March 2025: day 7 is the 17th, day 30 is 9 April."""


def back(admitted: str = "2025-03-20", **facts: Any) -> Stay:
    """A stay after A's."""
    return make_stay("B", admitted=admitted, **{"discharged": None, **facts})
