"""Errors as RFC 9457 problem documents: the catalogue of types, and the one exception that routes raise.

Every `type` is a stable URN that is never reused for something else; `detail` names the place and the remedy; `errors` point
at fields. A document never repeats a value of the request and never shows the text of an exception: both may be patient data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

from fastapi import HTTPException

MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:warm-handoff:problem:"


class ProblemType(Enum):
    """The catalogue. Value: slug (the end of the URN), status, title."""

    MALFORMED_JSON = ("malformed-json", HTTPStatus.BAD_REQUEST, "The body is not acceptable JSON")
    UNAUTHENTICATED = ("unauthenticated", HTTPStatus.UNAUTHORIZED, "A valid key is needed")
    MISSING_SCOPE = ("missing-scope", HTTPStatus.FORBIDDEN, "The key lacks a scope")
    NOT_PERMITTED = ("not-permitted", HTTPStatus.FORBIDDEN, "The key may not do this")
    NOT_FOUND = ("not-found", HTTPStatus.NOT_FOUND, "There is no such thing, or it is not yours to see")
    METHOD_NOT_ALLOWED = ("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "This path does not take that method")
    CONFLICT = ("conflict", HTTPStatus.CONFLICT, "The request contradicts what is stored")
    IDEMPOTENCY_CONFLICT = ("idempotency-conflict", HTTPStatus.CONFLICT, "The Idempotency-Key was used for another request")
    TOO_SLOW = ("too-slow", HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time")
    TOO_LARGE = ("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body has another content type than this path takes",
    )
    INVALID = ("invalid", HTTPStatus.UNPROCESSABLE_ENTITY, "The request does not fit the contract")
    EMPTY_BODY = ("empty-body", HTTPStatus.UNPROCESSABLE_ENTITY, "The body is empty")
    RATE_LIMITED = ("rate-limited", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
    DEFECT = ("defect", HTTPStatus.INTERNAL_SERVER_ERROR, "Something is wrong on our side")
    UNAVAILABLE = ("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Not now: the service cannot reach its database or is overloaded")
    OTHER = ("http", HTTPStatus.BAD_REQUEST, "The request was refused")

    def __init__(self, slug: str, status: HTTPStatus, title: str) -> None:
        """Take the parts of the value apart."""
        self.urn = _URN + slug
        self.status = int(status)
        self.title = title


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong: a JSON pointer into the part of the request named by `where`, and what was expected."""

    pointer: str
    message: str
    where: str = "body"
    """body | query | header | path"""


class ProblemError(HTTPException):
    """What a route raises to answer with a problem document."""

    def __init__(
        self,
        problem: ProblemType,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Remember the parts; the handler adds the trace id."""
        super().__init__(problem.status, detail, headers)
        self.problem = problem
        self.errors = tuple(errors)
        self.extra = extra or {}


def problem_document(
    problem: ProblemType,
    detail: str,
    trace_id: str,
    *,
    status: int | None = None,
    errors: Sequence[FieldError] = (),
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Give the document as RFC 9457 section 3 orders its members, ours after them."""
    document: dict[str, Any] = {
        "type": problem.urn,
        "title": problem.title,
        "status": problem.status if status is None else status,
        "detail": detail,
        "trace_id": trace_id,
    }
    if errors:
        document["errors"] = [{"in": error.where, "pointer": error.pointer, "message": error.message} for error in errors]
    return document | (extra or {})


def not_found(what: str) -> ProblemError:
    """Say that there is none; the same words whether it does not exist or belongs to somebody else."""
    return ProblemError(ProblemType.NOT_FOUND, f"No {what} with this id is visible to this key.")


def invalid(pointer: str, message: str, *, where: str = "body") -> ProblemError:
    """Refuse one field."""
    return ProblemError(ProblemType.INVALID, "One field is not acceptable; see errors.", errors=[FieldError(pointer, message, where)])
