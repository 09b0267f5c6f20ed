"""`/fhir/Measure/{measure}/$evaluate-measure`: the rates of `/v1/measures` as a FHIR MeasureReport. HEDIS-like, uncertified.

Not here: FHIR itself (adapters/fhir/measure_reports), and what is counted (measures.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.api.answers import FhirResponse, refused
from app.api.auth import FromServices
from app.api.guard import GuardedRoute
from app.api.measures import Reader, no_measure, whose
from app.api.operation_outcome import FHIR_JSON
from app.api.problems import ProblemError, ProblemType, invalid
from app.api.readable_lines import readable_lines, withheld
from app.domain.public_id import Kind, read_public_id
from app.store.engine import raw_connection
from app.store.measure_reads import LineFilter

router = APIRouter(route_class=GuardedRoute, tags=["fhir"])

EVENTS_MAX: Final = 1000
"""Our policy: a report names so many events; of more the summary tells, or `/v1/measures/{measure}/events` page by page."""


class ReportType(StrEnum):
    """FHIR R4 measure-report-type, without data collection."""

    SUMMARY = "summary"
    SUBJECT_LIST = "subject-list"
    INDIVIDUAL = "individual"


_EXAMPLE: Final = {
    "resourceType": "MeasureReport",
    "status": "complete",
    "type": "summary",
    "measure": "urn:warm-handoff:measure:FUH|FUH-MY2026",
    "period": {"start": "2026-01-01", "end": "2026-12-31"},
}
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The report",
        "content": {FHIR_JSON: {"schema": {"type": "object"}, "examples": {"typical": {"value": _EXAMPLE}}}},
    }
}


@router.get("/fhir/Measure/{measure}/$evaluate-measure", responses=_ANSWER, openapi_extra=refused(ProblemType.NOT_FOUND))
async def evaluate_measure(
    measure: Annotated[str, Path(max_length=40, examples=["FUH"])],
    viewer: Reader,
    services: FromServices,
    period_start: Annotated[date, Query(alias="periodStart", description="The first day of the anchors.", examples=["2026-01-01"])],
    period_end: Annotated[date, Query(alias="periodEnd", description="The last day, of the same year.", examples=["2026-12-31"])],
    report_type: Annotated[ReportType, Query(alias="reportType", description="How much it names.")] = ReportType.SUMMARY,
    subject: Annotated[
        str | None, Query(max_length=100, description="Patient/ and the id of a person, for an individual report.", examples=[None])
    ] = None,
) -> Response:
    """Give a measure's result for the asker: as a summary, with the list of people behind it, or for one of them."""
    catalog = services.follow_ups.rulebook.measures
    if measure not in catalog.measures:
        raise no_measure(catalog)
    if period_end < period_start or period_end.year != period_start.year:
        raise invalid("/periodEnd", "is before periodStart, or in another year: each year has its own rules", where="query")
    person_id = _person(subject)
    if (report_type is ReportType.INDIVIDUAL) != (person_id is not None):
        raise invalid("/subject", "is for an individual report, and that needs it: Patient/ and the id of a person", where="query")
    rules, now = catalog.rules_for(measure, period_start.year), services.clock.now()
    lines = LineFilter(measure=measure, organizations=whose(viewer, None), from_on=period_start, to_on=period_end, person_id=person_id)
    events: Sequence[Mapping[str, Any]] = ()
    if report_type is not ReportType.SUMMARY:
        events, _ = await readable_lines(services, viewer, lines, after=None, limit=EVENTS_MAX)
    lines = replace(lines, without=await withheld(services, [lines]))
    from app.store import measure_rates  # noqa: PLC0415 - it loads numpy, which a process that nobody asks for rates does without

    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        total, _ = await measure_rates.rates(raw, lines, (), rules.age_bands)
    if len(events) > EVENTS_MAX:
        sentence = (
            f"More than {EVENTS_MAX} events are behind it. Ask for a shorter period, or read the events of /v1/measures page by page."
        )
        raise ProblemError(ProblemType.INVALID, sentence)
    own = directory.organizations.get(next(iter(lines.organizations))) if lines.organizations else None
    return FhirResponse(
        services.measure_reports.report(
            rules,
            total,
            events,
            kind=report_type.value,
            period=(period_start, period_end),
            at=now.astimezone(UTC),
            reporter=(own.id, own.name) if own else None,
            person_id=person_id,
        )
    )


def _person(subject: str | None) -> UUID | None:
    if subject is None:
        return None
    name = subject.removeprefix("Patient/")
    try:
        return UUID(name)
    except ValueError:
        found = read_public_id(Kind.PERSON, name)
        if found is None:
            raise invalid("/subject", "is no Patient/ with the id of a person", where="query") from None
        return found
