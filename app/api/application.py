"""The HTTP application: all routes behind one guard, one doorman, one set of handlers. Not here: serving it (main.py)."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.routing import Route

from app.api import (
    agreements,
    attribution,
    audit,
    consents,
    disclosures,
    docs,
    documents,
    encounters,
    escalations,
    facility_units,
    feed_facilities,
    feed_health,
    feeds,
    fhir,
    fhir_consents,
    fhir_groups,
    fhir_measures,
    fhir_validate,
    follow_ups,
    hl7v2,
    holds,
    inbound,
    inbound_search,
    keys,
    matches,
    measures,
    members,
    notifications,
    operations,
    organizations,
    origins,
    panel_consents,
    panel_standings,
    panels,
    people,
    practitioners,
    privacy_rehearsals,
    queues,
    reviews,
    service_uploads,
    snoozes,
    subscriptions,
    summary_facts,
    transfers,
    webhooks,
)
from app.api.auth import Authenticator
from app.api.contract import CONTRACT_VERSION, TITLE, contract
from app.api.doorman import Doorman
from app.api.handlers import install_handlers
from app.api.services import Services

ROUTERS: Final[Sequence[APIRouter]] = (
    hl7v2.router,
    holds.router,
    fhir.router,
    fhir_groups.router,
    fhir_measures.router,
    fhir_consents.router,
    fhir_validate.router,
    notifications.router,
    subscriptions.router,
    follow_ups.router,
    snoozes.router,
    summary_facts.router,
    reviews.router,
    transfers.router,
    members.router,
    measures.router,
    matches.router,
    people.router,
    encounters.router,
    documents.router,
    attribution.router,
    panels.router,
    panel_consents.router,
    panel_standings.router,
    service_uploads.router,
    organizations.router,
    facility_units.router,
    agreements.router,
    origins.router,
    privacy_rehearsals.router,
    consents.router,
    escalations.router,
    practitioners.router,
    # Before the feeds: `health` is no id.
    feed_health.router,
    feeds.router,
    feed_facilities.router,
    keys.router,
    audit.router,
    disclosures.router,
    # Before the messages: `set-aside` is no id.
    inbound_search.router,
    inbound.router,
    queues.router,
    operations.router,
    docs.router,
)

_TAGS: Final = [
    {"name": "hl7v2", "description": "HL7 over HTTP: messages in, acknowledgements out."},
    {"name": "fhir", "description": "The same as FHIR messages (Da Vinci Unsolicited Notifications); errors are OperationOutcomes."},
    {"name": "notifications", "description": "What the key's organization is told, in its own gapless sequence."},
    {"name": "subscriptions", "description": "The same, sent to a URL as signed webhooks."},
    {"name": "follow-ups", "description": "The worklist as data, and recording what was done."},
    {"name": "measures", "description": "Rates of follow-up, and the events behind every number. HEDIS-like, uncertified."},
    {"name": "members", "description": "The plan's question: what became of the discharges of people it covers."},
    {"name": "encounters", "description": "Stays."},
    {"name": "attribution", "description": "Who is responsible, why them and why not them, and who has nobody."},
    {"name": "panels", "description": "Rosters in, and who is on a panel."},
    {"name": "inbound", "description": "Every message ever received, and what became of it."},
    {"name": "organizations", "description": "Who takes part, who may see whose rows, and what each wishes to be told of."},
    {"name": "consents", "description": "What patients signed or refused, and the record of emergencies."},
    {"name": "feeds", "description": "Configured ADT sources."},
    {"name": "keys", "description": "API keys."},
    {"name": "audit", "description": "Who looked at what, who was told what, and the evidence of it."},
    {"name": "operations", "description": "For supervisors and developers; open to everybody, without patient data."},
]


def build_application(services: Services) -> FastAPI:
    """Build the application."""
    application = _routes()
    application.state.services = services
    application.state.authenticator = Authenticator(services)
    application.add_middleware(Doorman, services=lambda: services)
    install_handlers(application, _methods_of())
    return application


def openapi_document() -> dict[str, Any]:
    """Give the published contract; nothing has to run for it. `openapi/openapi.json` is this as committed."""
    return _routes().openapi()


def _routes() -> FastAPI:
    application = FastAPI(
        title=TITLE,
        version=CONTRACT_VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=_TAGS,
        webhooks=webhooks.router,
        # Its spans and log records carry addresses, query strings and the texts of exceptions; what we observe is in doorman.py.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    for router in ROUTERS:
        # The routes themselves, not included routers: matching goes through one list, at a third of the cost.
        application.router.routes.extend(router.routes)
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(contract(application))
        return document

    application.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    return application


def _methods_of() -> Callable[[str], Sequence[str]]:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]

    def methods_of(path: str) -> Sequence[str]:
        return sorted({method for route in routes if route.path_regex.match(path) for method in route.methods or ()})

    return methods_of
