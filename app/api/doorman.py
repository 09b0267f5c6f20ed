"""The outermost ASGI layer: trace id, headers, one observation a request, and the last net under every error.

An exception that nobody handled becomes a problem document here and goes no further, so no server prints its text: a text can hold
a patient's data. What is observed is the class of the error and the line that raised it. Query strings are never looked at here.
"""

import re
import traceback
from collections.abc import Callable
from typing import Final

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.operation_outcome import FHIR_JSON, outcome_of_problem, speaks_fhir
from app.api.problems import MEDIA_TYPE, ProblemType, problem_document
from app.api.services import RequestAnswered, Services
from app.domain.viewer import Viewer
from app.store.audit import close_sheet, open_sheet
from app.store.failures import is_unavailable

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_NO_TRACE: Final = "0" * 32
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_RETRY_AFTER_S: Final = "2"
_CLIENT_GONE: Final = 499
"""Logged, never sent: the client left before an answer began."""


class Doorman:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, services: Callable[[], Services]) -> None:
        """Take the application and where its services will be."""
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        services = self._services()
        started_s = services.monotonic()
        trace_id = scope["handoff.trace_id"] = _trace_id(scope, services)
        status = _CLIENT_GONE
        failure: str | None = None
        # Whatever this task noted before is not this request's.
        before = open_sheet(None)

        async def labelled(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Trace-Id"] = trace_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, labelled)
        except ClientDisconnect:
            # Nobody is left to answer, and nothing of ours is wrong: a body that broke off was never looked at.
            status = _CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, its text must not reach a log or a client
            failure = _where(error)
            if status == _CLIENT_GONE:
                problem = ProblemType.UNAVAILABLE if is_unavailable(error) else ProblemType.DEFECT
                await _send_problem(labelled, problem, trace_id, in_fhir=speaks_fhir(scope["path"]))
        finally:
            close_sheet(before)
            viewer: Viewer | None = scope.get("handoff.viewer")
            services.observe(
                RequestAnswered(
                    trace_id=trace_id,
                    method=scope["method"],
                    route=scope.get("handoff.route", "unmatched"),
                    status=status,
                    duration_ms=(services.monotonic() - started_s) * 1000,
                    organization_id=viewer.organization_id if viewer else None,
                    key_id=viewer.key_id if viewer else None,
                    failure=failure,
                )
            )


_DETAILS: Final = {
    ProblemType.UNAVAILABLE: "Nothing was done. Ask again after the time in Retry-After.",
    ProblemType.DEFECT: "This is a defect of the service. Report the trace_id to its operator.",
}


def _trace_id(scope: Scope, services: Services) -> str:
    """Take over the caller's trace (W3C Trace Context), else begin one."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            match = _TRACEPARENT.fullmatch(value.decode("latin-1").lower())
            if match and match[1] != _NO_TRACE:
                return match[1]
    return services.ids.new().hex


def _where(error: BaseException) -> str:
    """Name the class and the innermost line of ours, nothing of the text."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/app/" in frame.filename or "/adapters/" in frame.filename] or frames
    if not ours:
        return type(error).__name__
    last = ours[-1]
    return f"{type(error).__name__} at {last.filename.rsplit('/', 2)[-2]}/{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"


async def _send_problem(send: Send, problem: ProblemType, trace_id: str, *, in_fhir: bool) -> None:
    document = problem_document(problem, _DETAILS[problem], trace_id)
    body = orjson.dumps(outcome_of_problem(document) if in_fhir else document)
    headers = [(b"content-type", (FHIR_JSON if in_fhir else MEDIA_TYPE).encode()), (b"content-length", str(len(body)).encode())]
    if problem is ProblemType.UNAVAILABLE:
        headers.append((b"retry-after", _RETRY_AFTER_S.encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
