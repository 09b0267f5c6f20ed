"""The class of every route: who asks, how often, how much, and in which content type, before the route itself sees anything.

Who asks for people, or changes rights, leaves a line in the audit (api/audited).
Order: key (401, 429), scope (403), content type (415), size (413), time (408), strict JSON (400), then the contract (422) and the route.
"""

import re
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.api.audited import close_line, sheet_of
from app.api.auth import Authenticator, access_of
from app.api.limits import BodyKind, limited
from app.api.problems import ProblemError, ProblemType, invalid
from app.api.services import Services
from app.api.strict_json import StrictJsonError, read_strict_json
from app.store.audit import open_sheet

JSON: Final = "application/json"
_NAME: Final = re.compile(r"[a-z_]{1,40}", re.ASCII)


class StrictRequest(Request):
    """A request whose JSON is read strictly, once."""

    async def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Read the body as strict JSON."""
        if not hasattr(self, "_strict"):
            try:
                self._strict = read_strict_json(await self.body())
            except StrictJsonError as error:
                raise ProblemError(ProblemType.MALFORMED_JSON, f"The body was not read: {error}.") from None
        return self._strict


class GuardedRoute(APIRoute):
    """A route that lets in only whom its `Access` dependency allows. A route without one is open to everybody."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's own signature
        """Find the demand and publish it in the contract."""
        super().__init__(*args, **kwargs)
        self.operation_id = self.unique_id = self.operation_id or self.name
        self.access = access_of([dependency.call for dependency in self.dependant.dependencies])
        if self.access is not None:
            scopes = [scope.value for scope in self.access.any_of]
            self.openapi_extra = {**(self.openapi_extra or {}), "security": [{"bearer": []}], "x-required-scopes": scopes}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guard before FastAPI's handler."""
        handle = super().get_route_handler()
        access = access_of([dependency.call for dependency in self.dependant.dependencies])
        takes_json = self.body_field is not None
        parameters = _parameters(self.dependant)
        template = self.path_format
        operation = self.operation_id or self.name

        async def admitted(request: Request) -> Response:
            if parameters:
                _check_query(request, parameters)
            if takes_json and _has_body(request):
                require_content_type(request, (JSON,))
            limits = request.app.state.services.limits
            body = access.body if access is not None else BodyKind.JSON
            receive = limited(request.receive, limits.octets_max(body), request.headers.get("content-length"), limits)
            strict = request.scope["handoff.asked"] = StrictRequest(request.scope, receive)
            return await handle(strict)

        async def guarded(request: Request) -> Response:
            request.scope["handoff.route"] = template
            if access is None:
                return await admitted(request)
            authenticator: Authenticator = request.app.state.authenticator
            services: Services = request.app.state.services
            peer = request.client.host if request.client else None
            viewer = await authenticator.viewer(request.headers.get("authorization"), peer)
            request.scope["handoff.viewer"] = viewer
            request.state.viewer = viewer
            sheet = sheet_of(request, operation, viewer, services)
            if sheet is None:
                access.check(viewer)
                return await admitted(request)
            open_sheet(sheet)
            try:
                access.check(viewer)
                response = await admitted(request)
            except ProblemError as problem:
                await close_line(services, viewer, sheet, problem.status_code)
                raise
            await close_line(services, viewer, sheet, response.status_code)
            return response

        return guarded


def _parameters(dependant: Dependant) -> frozenset[str]:
    own = {parameter.alias for parameter in dependant.query_params}
    return frozenset(own.union(*(_parameters(inner) for inner in dependant.dependencies)))


def _check_query(request: Request, parameters: frozenset[str]) -> None:
    """Refuse what would be passed over: a misspelt filter gives an answer that looks right. FHIR's searches are lenient by its rules."""
    if b"%00" in request.scope["query_string"]:
        # PostgreSQL stores no NUL, and no honest value has one.
        raise ProblemError(ProblemType.INVALID, "A parameter contains a NUL.")
    unknown = sorted(set(request.query_params) - parameters)
    if unknown and request.url.path.startswith("/v1/"):
        # Whoever forgot the name of a value finds the value here: only what looks like a name is repeated.
        pointer = f"/{unknown[0]}" if _NAME.fullmatch(unknown[0]) else ""
        raise invalid(pointer, f"is no parameter here; there are: {', '.join(sorted(parameters))}", where="query")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def media_type_of(request: Request) -> str:
    """Give the content type without its parameters, lower case; empty when there is none."""
    value = request.headers.get("content-type")
    if not value:
        return ""
    message = Message()
    message["content-type"] = value
    return message.get_content_type() if "/" in value else ""


def require_content_type(request: Request, accepted: tuple[str, ...]) -> str:
    """Give the content type, or raise 415 with what is taken instead (RFC 9110 section 15.5.16, also for codings)."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ProblemError(
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            "Send the body without a content coding: it is kept as it comes.",
            headers={"Accept-Encoding": "identity", "Connection": "close"},
        )
    media_type = media_type_of(request)
    if media_type not in accepted:
        raise ProblemError(
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            f"Send the body as {' or '.join(accepted)}.",
            headers={"Accept-Post": ", ".join(accepted), "Connection": "close"},
        )
    return media_type
