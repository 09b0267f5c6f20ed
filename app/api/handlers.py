"""From exceptions to problem documents: ours, FastAPI's validation errors, and Starlette's own refusals."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.answers import problem_response
from app.api.problems import FieldError, ProblemError, ProblemType

_POINTER_PART_MAX: Final = 64
_ERRORS_MAX: Final = 50
_BY_STATUS: Final = {
    HTTPStatus.NOT_FOUND: (ProblemType.NOT_FOUND, "No path of this service is spelled like this; see /docs."),
    HTTPStatus.METHOD_NOT_ALLOWED: (ProblemType.METHOD_NOT_ALLOWED, "Use one of the methods in the Allow header."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (ProblemType.TOO_LARGE, "Send less, or split it."),
}

MethodsOf = Callable[[str], Sequence[str]]
"""Gives the methods that a path takes."""


def install_handlers(application: FastAPI, methods_of: MethodsOf) -> None:
    """Register the handlers."""

    async def on_problem(request: Request, error: Exception) -> Response:
        problem = cast("ProblemError", error)
        return problem_response(
            request, problem.problem, str(problem.detail), headers=problem.headers, errors=problem.errors, extra=problem.extra
        )

    async def on_invalid(request: Request, error: Exception) -> Response:
        found = cast("RequestValidationError", error).errors()
        if any(one["loc"] and one["loc"][0] == "path" for one in found):
            return problem_response(request, ProblemType.NOT_FOUND, "The id in the path is not of a kind that this path has.")
        errors = [_field_error(one) for one in found[:_ERRORS_MAX]]
        detail = f"{len(found)} field{'s are' if len(found) > 1 else ' is'} not acceptable; see errors."
        return problem_response(request, ProblemType.INVALID, detail, errors=errors)

    async def on_http(request: Request, error: Exception) -> Response:
        refused = cast("HTTPException", error)
        headers = dict(refused.headers or {})
        problem, detail = _BY_STATUS.get(HTTPStatus(refused.status_code), (ProblemType.OTHER, "See status."))
        if problem is ProblemType.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(methods_of(request.url.path))
        return problem_response(request, problem, detail, status=refused.status_code, headers=headers)

    application.add_exception_handler(ProblemError, on_problem)
    application.add_exception_handler(RequestValidationError, on_invalid)
    application.add_exception_handler(HTTPException, on_http)


def _field_error(one: dict[str, Any]) -> FieldError:
    """Turn one of pydantic's errors into a pointer and a message. Its `input` is left out: it may be about a patient."""
    where, *path = one["loc"] or ("body",)
    # Positions inside unions and validators are not places in the document.
    parts = [str(part).replace("~", "~0").replace("/", "~1")[:_POINTER_PART_MAX] for part in path if not _is_tag(part)]
    return FieldError("".join(f"/{part}" for part in parts), _message(one), str(where))


def _is_tag(part: object) -> bool:
    return isinstance(part, str) and ("[" in part or part.startswith("function-"))


def _message(one: dict[str, Any]) -> str:
    """Give pydantic's sentence, without its prefix for our own errors; of times and days ours, which shows how one is written."""
    kind = str(one.get("type", ""))
    if kind == "timezone_aware" or kind.startswith("datetime_"):
        return "Expected an instant with an offset, such as 2026-03-18T14:00:00-04:00 or 2026-03-18T18:00:00Z."
    if kind.startswith("date_"):
        return "Expected a day, such as 2026-03-18."
    return str(one["msg"]).removeprefix("Value error, ")
