"""`/healthz`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus. Open to everybody, without patient data.

Load balancers ask the first two by HEAD too.
"""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from app.api.answers import JsonResponse, ok, plain
from app.api.auth import FromServices
from app.api.guard import GuardedRoute
from app.api.schemas.operations import HealthDocument, ReadinessDocument

router = APIRouter(route_class=GuardedRoute, tags=["operations"])

_NOT_READY = 503


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", responses=ok(HealthDocument, "The process runs"))
async def healthz(services: FromServices) -> Response:
    """Tell whether the process runs. Touches nothing else: a database that is away is no reason to restart this process."""
    return JsonResponse({"status": "ok", "version": services.version})


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    responses=ok(ReadinessDocument, "Everything serves") | ok(ReadinessDocument, "Something does not serve; see parts", status=_NOT_READY),
)
async def readyz(services: FromServices) -> Response:
    """Tell whether requests should come here: the schema is current and every role of this process tree, MLLP included, serves."""
    found = await services.readiness()
    document: dict[str, Any] = {"ready": found.ready, "parts": dict(found.parts)}
    return JsonResponse(document, status_code=200 if found.ready else _NOT_READY)


@router.get("/metrics", responses=plain("Prometheus text format", media_type="text/plain"))
async def metrics(services: FromServices) -> Response:
    """Give the metrics. Labels are route templates, codes and kinds, never anything of a message."""
    return Response(generate_latest(services.metrics), media_type=CONTENT_TYPE_LATEST)
