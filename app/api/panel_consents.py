"""`/v1/panels/{id}/consents` and `…/rehearsal`: what many members signed, its review, and of whom a state pack would make silence.

Not here: consents one by one (consents), those of a roster's rows (panels), what a pack does to a facility's stays (privacy_rehearsals).
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from pydantic import StringConstraints

from app.actions.assert_panel_consents import assert_panel_consents
from app.actions.review_panel_consents import review_panel_consents
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, Administrator, FromServices
from app.api.consents import unacceptable
from app.api.guard import GuardedRoute
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import OrganizationId
from app.api.schemas.panel_consents import (
    NewPanelConsents,
    PanelConsentReview,
    PanelConsentsDocument,
    PanelRehearsalDocument,
    PanelReviewDocument,
    panel_rehearsal_json,
)
from app.api.services import Services
from app.domain.calendar import local_date
from app.domain.organization import Organization
from app.domain.panel_rehearsal import SignedAlike, read_alike, rehearse_panel
from app.domain.privacy_law import StatePack
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import panel_consents
from app.store.engine import raw_connection
from app.store.organizations import find_organization, manages
from app.store.raw import Raw

router = APIRouter(route_class=GuardedRoute, tags=["panels"])

Keeper = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE))]
DryRun = Annotated[bool, Query(description="Count, and change nothing.")]


@router.post(
    "/v1/panels/{organization_id}/consents",
    status_code=201,
    responses=ok(PanelConsentsDocument, "Recorded", status=201) | ok(PanelConsentsDocument, "Dry run: what would be recorded"),
)
async def assert_consents(
    organization_id: OrganizationId,
    body: NewPanelConsents,
    viewer: Keeper,
    services: FromServices,
    dry_run: DryRun = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Assert of many members of a panel that they signed one form: of all, or of those whom the roster names so.

    As the consent columns of a roster: it lets whoever holds such records tell the panel's owner, and waits for review before it counts. A
    refusal counts at once. The same form asserted again is on file already.
    """
    if body.all_members is bool(body.member_ids):
        raise invalid("/member_ids", "name members, or say all_members: one of the two")
    owner = await _managed(services, viewer, organization_id)
    now, paper = services.clock.now(), body.paper()
    today = local_date(now, ZoneInfo(owner.time_zone))
    if wrong := paper.faults(today):
        raise unacceptable(wrong)
    found = await assert_panel_consents(
        partial(_operator, services),
        owner.id,
        paper,
        None if body.all_members else list(dict.fromkeys(body.member_ids)),
        law=services.follow_ups.rulebook.privacy,
        dry_run=dry_run,
        today=today,
        ids=services.ids,
        now=now,
    )
    if found.active and not dry_run:
        services.waker.wake("inbound")
    return JsonResponse({"dry_run": dry_run, **found.document()}, status_code=200 if dry_run else 201)


@router.post(
    "/v1/panels/{organization_id}/consents/review",
    responses=ok(PanelReviewDocument, "How many were decided"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def review_consents(
    organization_id: OrganizationId,
    body: PanelConsentReview,
    viewer: Administrator,
    services: FromServices,
    dry_run: DryRun = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Accept or refuse the papers that a panel's owner asserted and that wait for review, all at once. For the operator.

    What is accepted counts from now on, and every stay of these members is decided anew. Count first, with `dry_run=true`.
    """
    owner = await _managed(services, viewer, organization_id)
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange reviews consents.")
    decided = await review_panel_consents(
        partial(_operator, services),
        owner.id,
        body.wanted(),
        accept=body.decision == "accept",
        note=body.note,
        dry_run=dry_run,
        now=services.clock.now(),
    )
    if decided and not dry_run:
        services.waker.wake("inbound")
    return JsonResponse({"dry_run": dry_run, "decided": decided})


@router.get("/v1/panels/{organization_id}/rehearsal", responses=ok(PanelRehearsalDocument, "What the pack would do"))
async def rehearse_consents(
    organization_id: OrganizationId,
    viewer: Keeper,
    services: FromServices,
    privacy_pack: Annotated[
        str | None, StringConstraints(max_length=80), Query(description="Left out: the federal rules alone", examples=["us-me"])
    ] = None,
    facility_id: Annotated[
        OrganizationId | None, Query(description="As at this house, which some papers name; left out: papers that let any house disclose")
    ] = None,
) -> Response:
    """Say of how many members the panel's owner would be told nothing if a state pack applied where they are, and why.

    By what the members have signed, for each sort of stay that the pack's rules concern and for one at a Part 2 program; nobody needs to
    have had such a stay, and nothing is changed. The operator is told by every paper; the owner by those that it may read.
    """
    pack = known_pack(services, privacy_pack)
    owner = await _managed(services, viewer, organization_id)
    day = local_date(services.clock.now(), ZoneInfo(owner.time_zone))
    async with _operator(services) as raw:
        signed = await panel_consents.signed_alike(raw, owner.id, day, None if viewer.is_operator else viewer.organization_id)
    alike = [read_alike(papers, members) for papers, members in signed]
    return JsonResponse(await rehearsed(services, owner, alike, pack, facility_id))


def known_pack(services: Services, name: str | None) -> StatePack | None:
    """Give a state's pack by its name in a query; none means the federal rules alone."""
    packs = services.follow_ups.rulebook.privacy.packs
    if name is not None and name not in packs:
        raise invalid("/privacy_pack", f"is no pack of this exchange; there are: {', '.join(sorted(packs))}", where="query")
    return packs[name] if name is not None else None


async def rehearsed(
    services: Services, owner: Organization, signed: Iterable[SignedAlike], pack: StatePack | None, facility_id: UUID | None = None
) -> dict[str, Any]:
    """Show of how many members who have signed so the panel's owner would be told nothing, and why."""
    now = services.clock.now()
    async with _operator(services) as raw:
        directory = await services.registry.current(raw)
    # As the registry has it: with its agreements.
    recipient = directory.organizations.get(owner.id, owner)
    day, law = local_date(now, ZoneInfo(owner.time_zone)), services.follow_ups.rulebook.privacy
    return panel_rehearsal_json(owner, pack, rehearse_panel(recipient, signed, pack, law, day=day, now=now, facility_id=facility_id))


@asynccontextmanager
async def _operator(services: Services) -> AsyncIterator[Raw]:
    """Open one transaction as the operator: papers of others decide too."""
    async with services.unit_of_work(OPERATOR) as connection:
        yield await raw_connection(connection)


async def _managed(services: Services, viewer: Viewer, organization_id: UUID) -> Organization:
    async with services.unit_of_work(viewer) as connection:
        owner = await find_organization(connection, viewer, organization_id)
    if owner is None or not manages(viewer, organization_id):
        raise not_found("organization")
    return owner
