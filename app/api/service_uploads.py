"""`/v1/services/uploads`: encounter and pharmacy files in. Not here: what a row means (app/domain/claim_row)."""

from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from app.actions.load_services import load_services
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute, require_content_type
from app.api.limits import BodyKind, too_large
from app.api.panels import CONTENT_TYPES as TABLE_TYPES
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import OrganizationId
from app.api.schemas.panels import row_errors_json
from app.api.schemas.services import ServiceUploadDocument
from app.domain.organization import COVERING_KINDS
from app.domain.panel import RosterTooLargeError
from app.domain.roster import RosterRefusedError
from app.domain.viewer import Scope, Viewer
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["measures"])

CONTENT_TYPES: Final = (
    *TABLE_TYPES,
    "application/fhir+ndjson",
    "application/x-ndjson",
    "application/ndjson",
    "application/fhir+json",
    "application/json",
    "application/vnd.apache.parquet",
)
"""The first bytes of the file decide what it is; most senders name no type for half of these."""
_EXAMPLE: Final = (
    "member_id,claim_id,claim_line,adjustment,claim_type,service_date,procedure_code,diagnosis_1,place_of_service,rendering_npi\n"
    "P-77,CLM-1,1,0,original,2026-03-09,90834,F32.2,11,1234567893\n"
)
_CARIN: Final = "http://hl7.org/fhir/us/carin-bb/CodeSystem"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem"


def _coded(system: str, code: str) -> dict[str, object]:
    return {"coding": [{"system": system, "code": code}]}


_BENEFIT: Final = {
    "resourceType": "ExplanationOfBenefit",
    "id": "CLM-1-0",
    "identifier": [{"type": _coded(f"{_CARIN}/C4BBIdentifierType", "uc"), "value": "CLM-1"}],
    "status": "active",
    "type": _coded(f"{_TERMS}/claim-type", "professional"),
    "use": "claim",
    "patient": {"identifier": {"type": _coded(f"{_TERMS}/v2-0203", "MB"), "value": "P-77"}},
    "created": "2026-03-31",
    "insurer": {"display": "Plan C"},
    "provider": {"display": "Practice"},
    "outcome": "complete",
    "insurance": [{"focal": True, "coverage": {"display": "Plan C"}}],
    "careTeam": [
        {
            "sequence": 1,
            "provider": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}},
            "role": _coded(f"{_TERMS}/claimcareteamrole", "performing"),
        }
    ],
    "diagnosis": [
        {
            "sequence": 1,
            "diagnosisCodeableConcept": _coded("http://hl7.org/fhir/sid/icd-10-cm", "F32.2"),
            "type": [_coded(f"{_TERMS}/ex-diagnosistype", "principal")],
        }
    ],
    "item": [
        {
            "sequence": 1,
            "productOrService": _coded("http://www.ama-assn.org/go/cpt", "90834"),
            "servicedDate": "2026-03-09",
            "locationCodeableConcept": _coded("https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set", "11"),
        }
    ],
}
"""The same claim as in the CSV."""
_BUNDLE: Final = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _BENEFIT}]}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": (
            "CSV with a header. claim_id and service_date are required, and one of member_id, medicaid_id and mrn, by which the member is"
            " found on the panel of whoever loads the file. Also read: claim_line, adjustment (a higher one corrects a lower one),"
            " claim_type (original, replacement, reversal; 1, 7, 8), claim_status (paid, denied, reversed; CLP02), original_claim_id"
            " (REF*F8: the claim of another number that this one replaces or voids, in whichever file it is), procedure_code, modifier,"
            " diagnosis_1 to diagnosis_12, place_of_service, rendering_npi, taxonomy, ndc, days_supply, admitted_on, discharged_on."
            " A denied line is a reversal. The same in Parquet, where the extra is installed; or ExplanationOfBenefit resources of"
            " FHIR R4 (CARIN Blue Button), one a line or in a Bundle. There `row` in an error counts the claim lines from 1."
        ),
        "content": {
            "text/csv": {"schema": {"type": "string"}, "examples": {"claims": {"value": _EXAMPLE}}},
            "application/fhir+ndjson": {
                "schema": {"type": "string"},
                "examples": {"claims": {"value": f"{orjson.dumps(_BENEFIT).decode()}\n"}},
            },
            "application/fhir+json": {"schema": {"type": "object"}, "examples": {"claims": {"value": _BUNDLE}}},
            "application/vnd.apache.parquet": {
                "schema": {"type": "string", "format": "binary"},
                "examples": {"claims": {"summary": "The columns of the CSV, as strings", "value": "PAR1 … PAR1"}},
            },
        },
    }
}

Uploader = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE, body=BodyKind.ROSTER))]


@router.post(
    "/v1/services/uploads",
    status_code=201,
    responses=ok(ServiceUploadDocument, "Taken: what was added", status=201) | ok(ServiceUploadDocument, "Dry run: what would be added"),
    openapi_extra=refused(ProblemType.INVALID, ProblemType.NOT_FOUND) | _BODY,
)
async def upload_services(
    request: Request,
    viewer: Uploader,
    services: FromServices,
    organization_id: Annotated[OrganizationId | None, Query(description="Whose file: the key's own; the operator names one.")] = None,
    dry_run: Annotated[bool, Query(description="Say what would be added, and add nothing.")] = False,  # noqa: FBT002 - a query parameter
    file_name: Annotated[str, Query(max_length=200, description="For people.", examples=["claims-march.csv"])] = "",
) -> Response:
    """Load services from an encounter or pharmacy file of a plan or an agency.

    Good rows are taken although others are bad. The same file again adds nothing, and the order of files does not matter: a claim is
    corrected by its next adjustment or by one that names it, and a reversal takes it back. The services count for the measures of whoever
    loaded them and of the exchange, never for a home's.
    """
    if "content-type" in request.headers:
        require_content_type(request, CONTENT_TYPES)
    owner = organization_id or viewer.organization_id
    if owner is None:
        raise invalid("/organization_id", "must say whose file this is", where="query")
    async with services.unit_of_work(viewer) as connection:
        organization = await find_organization(connection, viewer, owner)
    if organization is None or not manages(viewer, owner):
        raise not_found("organization")
    if organization.kind not in COVERING_KINDS:
        raise ProblemError(ProblemType.INVALID, "Only plans and agencies load services: they count for those who pay and report.")
    try:
        upload = await load_services(
            services.service_loading, organization, request.stream(), file_name=file_name, dry_run=dry_run, now=services.clock.now()
        )
    except RosterRefusedError as refusal:
        extra = {"rows": row_errors_json(refusal.errors)}
        raise ProblemError(ProblemType.INVALID, "The file cannot be read as claims; nothing was taken. See rows.", extra=extra) from None
    except RosterTooLargeError as error:
        raise too_large(error.bytes_max) from None
    if not dry_run:
        services.waker.wake("inbound")
    return JsonResponse(upload.document(), status_code=200 if dry_run else 201)
