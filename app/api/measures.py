"""`/v1/measures`: rates of follow-up, and the events behind every number. HEDIS-like, uncertified.

A home and a plan read their own; the operator reads anybody's, or the whole exchange's, which counts a discharge once however many
payers cover it. Not here: where one follow-up stands (follow_ups.py).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, FromServices
from app.api.changes import ChangedAfter, changes_listing, committed, place_now, read_place
from app.api.claims_lists import Asked as ClaimsAsked
from app.api.claims_lists import ClaimsList
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.readable_lines import readable_lines, withheld
from app.api.schemas.common import InstantOfQuery, OrganizationId
from app.api.schemas.measures import (
    LABEL,
    STATEMENT,
    MeasureEventPage,
    MeasureGapPage,
    MeasurePage,
    RatesDocument,
    event_json,
    gap_json,
    groups_json,
    measure_json,
    rate_json,
    read_period,
    trust_json,
)
from app.api.services import Services
from app.domain.calendar import last_day_over_before
from app.domain.commit_order import Position
from app.domain.home_day import HomeAt
from app.domain.measure import EvidenceSource, MeasureCatalog, MeasureRules, MeasureState
from app.domain.organization import COVERING_KINDS
from app.domain.own_status import hidden_from
from app.domain.public_id import Kind, public_id_or_none
from app.domain.trust import trust_of
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import measure_reads, measure_trust
from app.store.engine import raw_connection
from app.store.measure_reads import GROUPS, LineFilter, Told

router = APIRouter(route_class=GuardedRoute, tags=["measures"])

_EVENTS = "measure-events"
_CHANGES = "measure-changes"
_GAPS = "measure-gaps"
PAYER = "payer"
Reader = Annotated[Viewer, Depends(Access(Scope.MEASURES_READ))]
_Period = Annotated[
    str | None,
    Query(
        max_length=20,
        description="A year, a quarter or a month of the anchors: 2026, 2026-Q1, 2026-03. Left out: this year.",
        examples=["2026"],
    ),
]
_Whose = Annotated[
    OrganizationId | None,
    Query(description="For whom the events count: the key's own organization. The operator may name any; none: the whole exchange."),
]
_GROUPS_MAX = 5
_GroupBy = Annotated[
    list[str] | None,
    Query(
        max_length=_GROUPS_MAX,
        description=f"Any of {', '.join(GROUPS)}; repeated, or separated by commas; at most {_GROUPS_MAX}.",
        examples=[["month"]],
    ),
]
_Mature = Annotated[bool, Query(description="Only events whose 30 days are over.")]
_AsOf = Annotated[InstantOfQuery | None, Query(description="As it was known then.")]
_Home = Annotated[OrganizationId | None, Query(description="Only of this home; when it was responsible, home_at says.")]
_HomeAt = Annotated[
    HomeAt,
    Query(
        description="Whose home counts where responsibility moved: that of the discharge, or that of the end of day 7 or of day 30 after "
        "it; while that day is to come, whose it is so far.",
        examples=["day7"],
    ),
]
_Facility = Annotated[OrganizationId | None, Query(description="Where the stay was.")]


_ByEvidence = Annotated[
    EvidenceSource,
    Query(description="Whose word of services is heard: contacts of homes, claims that were loaded, or both. Exclusions are the same."),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """What both questions have in common."""

    rules: MeasureRules
    lines: LineFilter
    as_of: datetime
    home_at: HomeAt


def no_measure(catalog: MeasureCatalog) -> ProblemError:
    """Say which there are: their names are no secret, and they are written in capitals."""
    return ProblemError(ProblemType.NOT_FOUND, f"There is no measure of this name; there are: {', '.join(sorted(catalog.measures))}.")


async def asked(  # each is a parameter of the query
    measure: str,
    viewer: Reader,
    services: FromServices,
    *,
    period: _Period = None,
    mature_only: _Mature = False,
    as_of: _AsOf = None,
    organization_id: _Whose = None,
    home_id: _Home = None,
    home_at: _HomeAt = HomeAt.DISCHARGE,
    facility_id: _Facility = None,
) -> Asked:
    """Read which lines of the ledger are asked for."""
    now = services.clock.now()
    catalog = services.follow_ups.rulebook.measures
    if measure not in catalog.measures:
        raise no_measure(catalog)
    days = read_period(period if period is not None else str(now.year))
    if days is None:
        raise invalid("/period", "is no year, quarter or month: 2026, 2026-Q1, 2026-03", where="query")
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    is_past = as_of is not None and as_of < now
    at = as_of if as_of is not None and is_past else now
    lines = LineFilter(
        measure=measure,
        organizations=whose(viewer, organization_id),
        from_on=days[0],
        to_on=days[1],
        mature_before=last_day_over_before(at) if mature_only else None,
        known_at=as_of if is_past else None,
        home_id=home_id,
        home_days=home_at.days,
        facility_id=facility_id,
        reader_id=viewer.organization_id,
        reserved=hidden_from(viewer, directory),
    )
    return Asked(catalog.rules_for(measure, days[0].year), lines, at, home_at)


def whose(viewer: Viewer, organization_id: UUID | None) -> Sequence[UUID]:
    """Say for whom events count: the asker's own; the operator may name any, none is the whole exchange."""
    if viewer.is_operator:
        return () if organization_id is None else (organization_id,)
    if viewer.organization_id is None or organization_id not in (None, viewer.organization_id):
        raise not_found("organization")
    return (viewer.organization_id,)


FromQuery = Annotated[Asked, Depends(asked)]


@router.get("/v1/measures", responses=ok(MeasurePage, "The measures"))
async def list_measures(viewer: Reader, services: FromServices, organization_id: _Whose = None) -> Response:
    """List the measures, the versions of their rules, and from when to when there are events of them."""
    catalog = services.follow_ups.rulebook.measures
    organizations = whose(viewer, organization_id)
    every = [LineFilter(measure=name, organizations=organizations, from_on=date.min, to_on=date.max) for name in catalog.measures]
    without = await withheld(services, every)
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        spans = await measure_reads.spans(raw, catalog.measures, next(iter(organizations), None), without)
    return JsonResponse(listing([measure_json(catalog.versions_of(name), spans[name]) for name in catalog.measures], None))


@router.get(
    "/v1/measures/{measure}",  # noqa: FAST003 - read by `asked`
    responses=ok(RatesDocument, "The rates"),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def show_rates(
    wanted: FromQuery,
    viewer: Reader,
    services: FromServices,
    group_by: _GroupBy = None,
    evidence: _ByEvidence = EvidenceSource.COMBINED,
) -> Response:
    """Give numerator, denominator, exclusions and rates of a measure, as a whole and by groups.

    Totals are never sums of payers: a discharge that two plans cover is in the group of each, and once in the total.
    """
    rules, lines = wanted.rules, wanted.lines
    groups = _groups(group_by)
    if PAYER in groups and lines.organizations:
        raise invalid("/group_by", "payer is for the whole exchange: an organization's own rates are its total", where="query")
    lines = replace(lines, without=await withheld(services, [lines]))
    of_payers = replace(lines, organizations=await _payers(services), without=()) if PAYER in groups else None
    if of_payers is not None:
        of_payers = replace(of_payers, without=await withheld(services, [of_payers]))
    told = (
        None
        if evidence is EvidenceSource.COMBINED
        else Told(source=evidence, today=last_day_over_before(wanted.as_of), window_days=rules.window_days)
    )
    from app.store import measure_rates  # noqa: PLC0415 - it loads numpy, which a process that nobody asks for rates does without

    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        total, by_group = await measure_rates.rates(raw, lines, [] if PAYER in groups else groups, rules.age_bands, told)
        if of_payers is not None:
            by_group = (await measure_rates.rates(raw, of_payers, groups, rules.age_bands, told))[1] if of_payers.organizations else {}
        owner = next(iter(lines.organizations), None)
        compared = ClaimsList(None)
        if owner is not None:
            against = ClaimsAsked(viewer, owner, rules.measure, lines.from_on, lines.to_on)
            compared = await services.claims_lists.of(raw, against, total.lines)
    months = await _facility_months(services, wanted)
    # Of thousands of groups it takes a while, in which others want to be answered.
    return await asyncio.get_running_loop().run_in_executor(
        measure_rates.SUMMING,
        lambda: JsonResponse(
            {
                "measure": rules.measure,
                "label": LABEL,
                "organization_id": public_id_or_none(Kind.ORGANIZATION, next(iter(lines.organizations), None)),
                "from_on": lines.from_on,
                "to_on": lines.to_on,
                "as_of": wanted.as_of,
                "mature_only": lines.mature_before is not None,
                "home_at": wanted.home_at.value,
                "evidence": evidence.value,
                "rule_version": rules.version,
                "total": rate_json(total),
                "trust": trust_json(
                    trust_of(total, months), compared.counts, compared.counted_at, is_being_counted=compared.is_being_counted
                ),
                "groups": groups_json(groups, by_group, rules, directory) if groups else [],
                "statement": STATEMENT,
            }
        ),
    )


@router.get(
    "/v1/measures/{measure}/events",  # noqa: FAST003 - read by `asked`
    responses=ok(MeasureEventPage, "A page of the events behind the rates"),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def list_measure_events(  # each is a parameter of the query
    wanted: FromQuery,
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    status: Annotated[MeasureState | None, Query(description="Of the 30 days.")] = None,
    changed_since: Annotated[InstantOfQuery | None, Query(description="Only what we learned since.")] = None,
    changed_after: ChangedAfter = None,
) -> Response:
    """List the events behind the rates, each with its status and why, by the day of the discharge or visit.

    What is learned is seen when it is committed, some seconds after its `known_from`, so an instant may miss some. Who polls asks once by
    `changed_since`, and from then on by `changed_after` with the `changes` of the answer before: that misses nothing.
    """
    place = read_place(changed_after, changed_since, wanted.lines.known_at)
    by_change = place is not None or changed_since is not None
    name = _CHANGES if by_change else _EVENTS
    key = read_cursor(name, page.cursor, date.fromisoformat, int, *([Position.read] if by_change else []))
    until = await _until(services, viewer, place, key[2] if key else None) if by_change else None
    lines = replace(wanted.lines, status=status.value if status else None, changed_since=changed_since, committed=committed(place, until))
    found, directory = await readable_lines(services, viewer, lines, after=(key[0], key[1]) if key else None, limit=page.limit)
    shown, more = cut(found, page.limit)
    walk = [until.spelled()] if until is not None else []
    cursor = spell_cursor(name, shown[-1]["anchor_on"], shown[-1]["id"], *walk) if more else None
    was_then = lines.known_at is not None
    return JsonResponse(changes_listing([event_json(row, directory, wanted.as_of, was_then=was_then) for row in shown], cursor, until))


async def _until(services: Services, viewer: Viewer, place: Position | None, of_walk: Position | None) -> Position:
    async with services.unit_of_work(viewer) as connection:
        return await place_now(await raw_connection(connection), place, of_walk)


@router.get(
    "/v1/measures/{measure}/gaps",  # noqa: FAST003 - read by `asked`
    responses=ok(MeasureGapPage, "A page of open events"),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def list_measure_gaps(wanted: FromQuery, viewer: Reader, services: FromServices, page: PageOfQuery) -> Response:
    """List the events that are still open and what is missing, with the days left; the one with the fewest first."""
    lines = replace(wanted.lines, status=MeasureState.PENDING.value, mature_before=None)
    key = read_cursor(_GAPS, page.cursor, date.fromisoformat, int)
    found, directory = await readable_lines(services, viewer, lines, after=(key[0], key[1]) if key else None, limit=page.limit)
    shown, more = cut(found, page.limit)
    cursor = spell_cursor(_GAPS, shown[-1]["anchor_on"], shown[-1]["id"]) if more else None
    was_then = lines.known_at is not None
    return JsonResponse(listing([gap_json(row, directory, wanted.rules, wanted.as_of, was_then=was_then) for row in shown], cursor))


async def _facility_months(services: Services, wanted: Asked) -> tuple[int, int]:
    """Count as the operator: whether feeds were heard is nobody's patient data, and says how far a rate can be trusted."""
    last = datetime.combine(wanted.lines.to_on, time.max, UTC)
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        until, at = min(last, wanted.as_of), wanted.as_of
        return await measure_trust.facility_months(raw, wanted.lines.from_on, until, wanted.lines.facility_id, known_at=at)


async def _payers(services: Services) -> list[UUID]:
    async with services.unit_of_work(OPERATOR) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    return [one.id for one in directory.organizations.values() if one.kind in COVERING_KINDS]


def _groups(asked_by: Sequence[str] | None) -> list[str]:
    names = list(dict.fromkeys(part.strip() for one in asked_by or () for part in one.split(",") if part.strip()))
    if any(name not in GROUPS for name in names):
        raise invalid("/group_by", f"must be of {', '.join(GROUPS)}", where="query")
    if len(names) > _GROUPS_MAX:
        raise invalid("/group_by", f"names {len(names)} words: at most {_GROUPS_MAX} at once", where="query")
    return names
