"""`/v1/follow-ups` and `/v1/contacts`: the worklist as data, and recording what was done.

What is recorded is committed first; then the stay is looked at again, so that the answer says what it came to. Not here: the rules of
clocks and measures (domain), and who may work on a follow-up (actions/follow_up_work).
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response

from app.actions.follow_up_work import (
    Author,
    NoSuchContactError,
    NoSuchFollowUpError,
    NothingToCorrectError,
    assign,
    close,
    record_contact,
    void_contact,
)
from app.actions.know_homes import know_homes
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, FromServices
from app.api.changes import ChangedAfter, changes_listing, committed, place_now, read_place
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, read_cursor, read_instant, read_number, read_uuid, spell_cursor
from app.api.problems import FieldError, ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import ContactId, FollowUpId, InstantOfQuery, OrganizationId, Request
from app.api.schemas.follow_ups import (
    CONTACT_EXAMPLE,
    AssignRequest,
    CloseRequest,
    FollowUpDocument,
    FollowUpPage,
    NewContact,
    RecordedContactDocument,
    VoidedContactDocument,
    VoidRequest,
    recorded_json,
)
from app.api.services import Services
from app.domain.commit_order import Position
from app.domain.contact import Contact, ContactEntry
from app.domain.contact_entry import read_contact
from app.domain.directory import Directory
from app.domain.follow_up import FollowUpState
from app.domain.home_day import HomeAt
from app.domain.lateness import LateBy
from app.domain.organization import COVERING_KINDS
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Scope, Viewer
from app.store import follow_up_reads as reads
from app.store.connection import Connection
from app.store.contacts import contact_of
from app.store.engine import raw_connection
from app.store.follow_up_reads import FollowUpCursor, FollowUpFilter
from app.store.follow_ups import opened
from app.store.idempotency import Claim, claim_idempotency_key

router = APIRouter(route_class=GuardedRoute, tags=["follow-ups"])

_BY_DUE: Final = "follow-ups-by-due"
_BY_CHANGE: Final = "follow-ups-by-change"
_BY_COMMIT: Final = "follow-ups-by-commit"
_LAST: Final = datetime.max  # noqa: DTZ901 - what the driver sends as PostgreSQL's infinity, which has no zone

Reader = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_READ))]
Worker = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_WRITE))]


IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="The same key and body again give the same record.", examples=["6f1a4c1e-visit-17"]),
]


def covers(viewer: Viewer, directory: Directory) -> bool:
    """Tell whether the viewer sees the follow-ups of people it covers."""
    organization = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    return organization is not None and organization.kind in COVERING_KINDS


@router.get("/v1/follow-ups", responses=ok(FollowUpPage, "A page of the worklist"))
async def list_follow_ups(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    status: Annotated[list[FollowUpState] | None, Query(description="Only in one of these states.", examples=[["open"]])] = None,
    due_before: Annotated[InstantOfQuery | None, Query(description="Only with a clock due before.")] = None,
    facility: Annotated[OrganizationId | None, Query(description="Only after stays at this hospital.")] = None,
    program: Annotated[
        str | None,
        Query(
            max_length=100, description="Only under this program: its id, or a name that rosters use for it.", examples=["mainecare_bhh"]
        ),
    ] = None,
    assignee: Annotated[str | None, Query(max_length=200, description="Only given to.", examples=["C. Sample"])] = None,
    changed_since: Annotated[InstantOfQuery | None, Query(description="Only changed at or after; ordered by change.")] = None,
    changed_after: ChangedAfter = None,
    home: Annotated[OrganizationId | None, Query(description="Only of this home.")] = None,
    home_at: Annotated[
        HomeAt | None, Query(description="With home: whose it was then, not now, as rates ask (/v1/measures).", examples=["day7"])
    ] = None,
    late_by: Annotated[LateBy | None, Query(description="Only with a clock that is late by the doing of.", examples=["late_by_us"])] = None,
    snoozed: Annotated[bool | None, Query(description="Only those that rest, or only those that do not.")] = None,
) -> Response:
    """List follow-ups, soonest deadline first; with `changed_since` or `changed_after` in the order in which they changed.

    A home sees its own, a plan or agency those of people it covered on the day of the stay: for these, status only.

    A change is seen when it is committed, some seconds after its `updated_at`, so an instant may miss one. Who polls asks once by
    `changed_since`, and from then on by `changed_after` with the `changes` of the answer before: that misses nothing.
    """
    if home_at is not None and home is None:
        raise invalid("/home_at", "says when a home had it, and needs the home: add home, or leave it out", where="query")
    states = [one.value for one in status] if status else None
    program_id = services.follow_ups.rulebook.programs.id_of(program) if program is not None else None
    wanted = FollowUpFilter(
        states, due_before, facility, program_id, assignee, changed_since,
        home_id=home, home_day=home_at.days if home_at else None, late_by=late_by,
    )  # fmt: skip
    if snoozed is not None:
        now = services.clock.now()
        wanted = replace(wanted, snoozed_at=now) if snoozed else replace(wanted, awake_at=now)
    place = read_place(changed_after, changed_since)
    return JsonResponse(await follow_up_page(services, viewer, wanted, page.cursor, page.limit, place))


async def follow_up_page(
    services: Services, viewer: Viewer, wanted: FollowUpFilter, cursor: str | None, limit: int, place: Position | None = None
) -> dict[str, Any]:
    """Give a page of follow-ups as the viewer may see them; of those committed after a place, if one is given."""
    by_change = place is not None or wanted.changed_since is not None
    name = _BY_COMMIT if place is not None else _BY_CHANGE if by_change else _BY_DUE
    read_key = read_number if place is not None else _read_sort
    key = read_cursor(name, cursor, read_key, read_uuid, *([Position.read] if by_change else []))
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        until = await place_now(raw, place, key[2] if key else None) if by_change else None
        wanted = replace(wanted, committed=committed(place, until))
        directory = await services.registry.current(raw)
        after = FollowUpCursor(key[0], key[1]) if key else None
        now, rulebook = services.clock.now(), services.follow_ups.rulebook
        known = await know_homes(raw, viewer, directory, rulebook, now, person_id=wanted.person_id)
        covering = covers(viewer, directory)
        found = await reads.page(raw, viewer, wanted, covers=covering, after=after, limit=limit + 1, known=known)
        rows, more = cut(found, limit)
        shown = await services.follow_ups.present(raw, viewer, rows, directory=directory, now=now)
    walk = [until.spelled()] if until is not None else []
    last = spell_cursor(name, reads.sort_value(rows[-1], wanted), rows[-1].id, *walk) if more else None
    return changes_listing(shown, last, until)


def _read_sort(value: Any) -> datetime:  # noqa: ANN401 - whatever the cursor held
    return _LAST if value is None else read_instant(value)


@router.get("/v1/follow-ups/{follow_up_id}", responses=ok(FollowUpDocument, "The follow-up"))
async def show_follow_up(follow_up_id: FollowUpId, viewer: Reader, services: FromServices) -> Response:
    """Show one follow-up with its clocks, measures, contacts and owners. That its home looks at it the first time is noted."""
    shown = await shown_follow_up(services, viewer, follow_up_id)
    if viewer.organization_id is not None:
        async with services.unit_of_work(viewer) as connection:
            await opened(await raw_connection(connection), follow_up_id, viewer.organization_id, services.clock.now())
    return JsonResponse(shown)


@router.post(
    "/v1/follow-ups/{follow_up_id}/contacts",
    status_code=201,
    responses=ok(RecordedContactDocument, "The contact, what it satisfied and what not, and why", status=201),
    openapi_extra=refused(ProblemType.IDEMPOTENCY_CONFLICT)
    | {"requestBody": {"content": {"application/json": {"examples": {"call": {"value": CONTACT_EXAMPLE}}}}}},
)
async def add_contact(
    follow_up_id: FollowUpId, body: NewContact, viewer: Worker, services: FromServices, idempotency_key: IdempotencyKey = None
) -> Response:
    """Record a contact, reached or not. The answer says at once which clocks it satisfied, which not, and why.

    Send an `Idempotency-Key` so that a repetition after a lost answer records it once.
    """
    now = services.clock.now()
    entry = _entry_or_422(body, now)
    recording = await _record(services, viewer, follow_up_id, body, entry, idempotency_key, now)
    contact = Contact.of(
        entry,
        id=str(recording.contact_id),
        follow_up_id=str(recording.follow_up_id),
        recorded_at=now,
        author=body.author or "",
        source=body.source,
        source_id=body.source_id,
    )
    effects = await services.evaluate(recording.stay_id, contact)
    follow_up = await shown_follow_up(services, viewer, recording.follow_up_id)
    headers = {"Location": f"/v1/follow-ups/{follow_up['id']}"}
    if not recording.is_new:
        headers["Idempotency-Replayed"] = "true"
    return JsonResponse(recorded_json(_contact_in(follow_up, recording.contact_id), follow_up, effects), status_code=201, headers=headers)


@router.post("/v1/contacts/{contact_id}/void", responses=ok(VoidedContactDocument, "The contact, taken back"))
async def void_one_contact(contact_id: ContactId, body: VoidRequest, viewer: Worker, services: FromServices) -> Response:
    """Take a contact back. It stays to be seen, satisfies nothing any more, and the follow-up is looked at again. Twice changes nothing."""
    author = Author(viewer.key_id, body.author or "")
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        try:
            owner = await void_contact(raw, viewer, contact_id, body.reason, author=author, now=services.clock.now())
        except (NoSuchContactError, NoSuchFollowUpError):
            raise not_found("contact") from None
    await services.evaluate(owner.encounter_id, None)
    follow_up = await shown_follow_up(services, viewer, owner.id)
    return JsonResponse({**_contact_in(follow_up, contact_id), "follow_up_id": follow_up["id"], "follow_up": follow_up})


@router.post("/v1/follow-ups/{follow_up_id}/assign", responses=ok(FollowUpDocument, "The follow-up as it stands now"))
async def assign_follow_up(follow_up_id: FollowUpId, body: AssignRequest, viewer: Worker, services: FromServices) -> Response:
    """Give a follow-up to a member of staff, or to nobody. The chain of owners keeps who had it until when."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        try:
            await assign(
                raw,
                viewer,
                follow_up_id,
                body.assignee,
                author=Author(viewer.key_id, body.author or ""),
                reason=body.reason,
                link_id=services.ids.new(),
                log_id=services.ids.new(),
                now=services.clock.now(),
            )
        except NoSuchFollowUpError:
            raise not_found("follow-up") from None
    return JsonResponse(await shown_follow_up(services, viewer, follow_up_id))


@router.post("/v1/follow-ups/{follow_up_id}/close", responses=ok(FollowUpDocument, "The follow-up as it stands now"))
async def close_follow_up(follow_up_id: FollowUpId, body: CloseRequest, viewer: Worker, services: FromServices) -> Response:
    """Close a follow-up. Clocks that were not met are missed from now on; a contact that was made in time still counts."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        try:
            author = Author(viewer.key_id, body.author or "")
            log_id, now = services.ids.new(), services.clock.now()
            owner = await close(raw, viewer, follow_up_id, body.reason, author=author, log_id=log_id, now=now)
        except NoSuchFollowUpError:
            raise not_found("follow-up") from None
    await services.evaluate(owner.encounter_id, None)
    return JsonResponse(await shown_follow_up(services, viewer, follow_up_id))


@dataclass(frozen=True, slots=True)
class _Recording:
    contact_id: UUID
    follow_up_id: UUID
    stay_id: UUID
    is_new: bool


def _entry_or_422(body: NewContact, now: datetime) -> ContactEntry:
    entry, problems = read_contact(body.said(), now=now)
    if entry is None:
        errors = [FieldError(problem.pointer, problem.message) for problem in problems]
        raise ProblemError(ProblemType.INVALID, "Some of the contact's fields are not acceptable; see errors.", errors=errors)
    return entry


async def _record(
    services: Services, viewer: Viewer, follow_up_id: UUID, body: NewContact, entry: ContactEntry, key: str | None, now: datetime
) -> _Recording:
    """Store the contact, or find the one that the same request made before."""
    contact_id = services.ids.new()
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        if key is not None:
            claim = await claim_key(connection, viewer, follow_up_id, body, key, contact_id, now)
            if not claim.is_new:
                # Where the contact is now: its follow-up may have become part of another meanwhile.
                recorded = await contact_of(raw, claim.resource_id)
                known = await reads.one(raw, viewer, recorded.follow_up_id, covers=False) if recorded is not None else None
                if known is None:
                    raise not_found("follow-up")
                return _Recording(claim.resource_id, known.id, known.encounter_id, is_new=False)
        try:
            stay_id = await record_contact(
                raw,
                viewer,
                follow_up_id,
                entry,
                body.said(),
                contact_id=contact_id,
                author=Author(viewer.key_id, body.author or ""),
                source=body.source,
                source_id=body.source_id,
                corrected_of=body.corrected_of,
                now=now,
            )
        except NoSuchFollowUpError:
            raise not_found("follow-up") from None
        except NothingToCorrectError:
            raise invalid("/corrected_of", "is no voided contact of this follow-up; take the wrong one back first") from None
    return _Recording(contact_id, follow_up_id, stay_id, is_new=True)


async def claim_key(
    connection: Connection, viewer: Viewer, follow_up_id: UUID, body: Request, key: str, contact_id: UUID, now: datetime
) -> Claim:
    """Claim an Idempotency-Key for this request; 409 when it was used for another."""
    asked = orjson.dumps([follow_up_id, body.model_dump(mode="json", by_alias=True)], option=orjson.OPT_SORT_KEYS)
    # The operator speaks for no organization: its keys share one space.
    owner = viewer.organization_id or UUID(int=0)
    claim = await claim_idempotency_key(connection, owner, key, hashlib.sha256(asked).digest(), contact_id, now)
    if not claim.is_same_request:
        raise ProblemError(
            ProblemType.IDEMPOTENCY_CONFLICT, "This Idempotency-Key was used for something else; give every record a key of its own."
        )
    return claim


async def shown_follow_up(services: Services, viewer: Viewer, follow_up_id: UUID) -> dict[str, Any]:
    """Give one follow-up as the viewer may see it; 404 when it may not."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        now = services.clock.now()
        known = await know_homes(raw, viewer, directory, services.follow_ups.rulebook, now)
        found = await reads.one(raw, viewer, follow_up_id, covers=covers(viewer, directory), known=known)
        rows = [] if found is None else [found]
        shown = await services.follow_ups.present(raw, viewer, rows, directory=directory, now=now)
    if not shown:
        raise not_found("follow-up")
    return shown[0]


def _contact_in(follow_up: dict[str, Any], contact_id: UUID) -> dict[str, Any]:
    wanted = public_id(Kind.CONTACT, contact_id)
    found: dict[str, Any] = next(contact for contact in follow_up["contacts"] if contact["id"] == wanted)
    return found
