"""`/fhir/Consent`: consents recorded, read and found in FHIR. The same consents, checks and rights as `/v1/consents`.

Revoking and reviewing are not offered here. Not here: FHIR itself (adapters/fhir/consents), what a form must contain
(domain/consent_form).
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import FhirResponse, refused
from app.api.asserted_consents import record_asserted
from app.api.auth import FromServices
from app.api.consents import ConsentId, Reader, Recorder
from app.api.guard import JSON, GuardedRoute, require_content_type
from app.api.operation_outcome import FACE, FHIR_JSON, outcome_of_issues
from app.api.paging import cut, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemType, not_found
from app.api.services import Services
from app.domain.inbound import Problem
from app.domain.public_id import Kind, read_public_id
from app.store import consent_records
from app.store.consent_records import ConsentRow
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["fhir"])

_LIST: Final = "fhir-consents"
_PAGE: Final = 50
_UNPROCESSABLE: Final = 422
_EXAMPLE: Final[dict[str, Any]] = {
    "resourceType": "Consent",
    "extension": [{"url": "urn:warm-handoff:consent-signature", "valueCode": "written"}],
    "status": "active",
    "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
    "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
    "patient": {"reference": "Patient/0199a4c07c5d7e0fb1d2c3a4e5f60718"},
    "dateTime": "2026-03-01",
    "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
    "provision": {"type": "deny"},
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A Consent of scope patient-privacy. What 42 CFR 2.31 asks of a form and R4 has no element for is in extensions "
        "urn:warm-handoff:consent-… (adapters/fhir/README.md). An element that is not kept here is refused, so that nothing is lost.",
        "content": {
            media_type: {"schema": {"type": "object"}, "examples": {"refusal": {"value": _EXAMPLE}}} for media_type in (FHIR_JSON, JSON)
        },
    }
}


def _answer(description: str, example: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    return {
        status: {
            "description": description,
            "content": {FHIR_JSON: {"schema": {"type": "object"}, "examples": {"typical": {"value": example}}}},
        }
    }


@router.post(
    "/fhir/Consent",
    status_code=201,
    responses=_answer("The consent as it is kept", _EXAMPLE, 201),
    openapi_extra=refused(ProblemType.MALFORMED_JSON, ProblemType.INVALID) | _BODY,
)
async def create_consent(request: Request, viewer: Recorder, services: FromServices) -> Response:
    """Record a consent. What is missing of it is an issue each, with the place where it would be as `expression`.

    The patient is the id of a person here, or a contained Patient with identifier, name and birthDate, who may be unknown here yet.
    As at `POST /v1/consents`, what an organization asserts of records that another holds is answered with status `proposed`.
    """
    require_content_type(request, (FHIR_JSON, JSON))
    asserted = services.consents.read(await request.json())
    if isinstance(asserted, Sequence):
        return _refused(asserted)
    row = await record_asserted(services, viewer, asserted.patient, asserted.form, source="fhir")
    if not isinstance(row, ConsentRow):
        return _refused(services.consents.problems(row))
    return FhirResponse(_resource(row, services), status_code=201, headers={"Location": f"{FACE}/Consent/{row.id.hex}"})


@router.get("/fhir/Consent", responses=_answer("A Bundle of consents, the newest first", {"resourceType": "Bundle", "type": "searchset"}))
async def search_consents(
    request: Request,
    viewer: Reader,
    services: FromServices,
    id_: Annotated[str | None, Query(alias="_id", max_length=100, description="The id of a consent.")] = None,
    patient: Annotated[str | None, Query(max_length=200, description="Patient/ and the id of a person.")] = None,
    status: Annotated[str | None, Query(max_length=50, description="proposed, active, rejected or inactive.")] = None,
    count: Annotated[int | None, Query(alias="_count", ge=1, le=1000, description="How many at most.", examples=[50])] = None,
    page: Annotated[str | None, Query(max_length=512, description="From the next link of the page before.", examples=[None])] = None,
) -> Response:
    """Find consents that the key may read: those its organization recorded, those that let it disclose, those in force that name it."""
    limit = min(count or _PAGE, _PAGE)
    key = read_cursor(_LIST, page, read_uuid)
    person_id = _id(Kind.PERSON, patient)
    found: Sequence[ConsentRow] = ()
    is_nothing = patient is not None and person_id is None
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        states = services.consents.states(status) if status is not None else None
        if id_ is not None:
            named = _id(Kind.CONSENT, id_)
            one = await consent_records.find(raw, viewer, named) if named is not None else None
            fits = one is not None and person_id in (None, one.person_id) and (states is None or one.state in states)
            found = [one] if one is not None and fits and not is_nothing else []
        elif not is_nothing:
            after = key[0] if key else None
            found = await consent_records.page(raw, viewer, person_id=person_id, states=states, after=after, limit=limit + 1)
    shown, more = cut(found, limit)
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    next_url = _path([*asked, ("page", spell_cursor(_LIST, shown[-1].id))]) if more else None
    return FhirResponse(services.consents.bundle([_resource(one, services) for one in shown], self_url=_path(asked), next_url=next_url))


@router.get("/fhir/Consent/{consent_id}", responses=_answer("The consent", _EXAMPLE))
async def read_consent(consent_id: ConsentId, viewer: Reader, services: FromServices) -> Response:
    """Read one consent."""
    async with services.unit_of_work(viewer) as connection:
        found = await consent_records.find(await raw_connection(connection), viewer, consent_id)
    if found is None:
        raise not_found("consent")
    return FhirResponse(_resource(found, services))


def _resource(row: ConsentRow, services: Services) -> dict[str, Any]:
    return services.consents.resource(row.stored(services.clock.now().astimezone(UTC)))


def _refused(problems: Sequence[Problem]) -> Response:
    return FhirResponse(outcome_of_issues(problems), status_code=_UNPROCESSABLE)


def _path(query: Sequence[tuple[str, str]]) -> str:
    return f"{FACE}/Consent" + (f"?{urlencode(query)}" if query else "")


def _id(kind: Kind, said: str | None) -> UUID | None:
    return read_public_id(kind, said.rpartition("/")[2]) if said is not None else None
