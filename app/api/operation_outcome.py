"""OperationOutcome: what a FHIR client is told, of a message and of everything else that goes wrong under `/fhir` (DV-8).

`expression` names the place; no text repeats a value of the request. Not here: what is wrong with a message (adapters/fhir).
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from app.api.problems import ProblemType
from app.domain.inbound import AckCode, Answer, Problem, ProblemCode, Severity
from app.domain.public_id import Kind, public_id

FHIR_JSON: Final = "application/fhir+json"
FACE: Final = "/fhir"

_CONDITIONS: Final = "http://terminology.hl7.org/CodeSystem/v2-0357"
_SEVERITIES: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "information"}
_ISSUES: Final = {
    ProblemCode.ACCEPTED: "informational",
    ProblemCode.SEGMENT_SEQUENCE: "structure",
    ProblemCode.REQUIRED_FIELD_MISSING: "required",
    ProblemCode.DATA_TYPE: "value",
    ProblemCode.TABLE_VALUE: "code-invalid",
    ProblemCode.UNSUPPORTED_MESSAGE_TYPE: "not-supported",
    ProblemCode.UNSUPPORTED_EVENT: "not-supported",
    ProblemCode.UNSUPPORTED_PROCESSING_ID: "not-supported",
    ProblemCode.UNSUPPORTED_VERSION: "not-supported",
    ProblemCode.UNKNOWN_KEY: "not-found",
    ProblemCode.DUPLICATE_KEY: "duplicate",
    ProblemCode.LOCKED: "lock-error",
    ProblemCode.INTERNAL: "exception",
}
"""HL7 table 0357 -> FHIR issue-type."""
_PROBLEMS: Final = {
    ProblemType.MALFORMED_JSON: "structure",
    ProblemType.UNAUTHENTICATED: "login",
    ProblemType.MISSING_SCOPE: "forbidden",
    ProblemType.NOT_PERMITTED: "forbidden",
    ProblemType.NOT_FOUND: "not-found",
    ProblemType.METHOD_NOT_ALLOWED: "not-supported",
    ProblemType.CONFLICT: "conflict",
    ProblemType.IDEMPOTENCY_CONFLICT: "conflict",
    ProblemType.TOO_SLOW: "timeout",
    ProblemType.TOO_LARGE: "too-long",
    ProblemType.UNSUPPORTED_MEDIA_TYPE: "not-supported",
    ProblemType.INVALID: "invalid",
    ProblemType.EMPTY_BODY: "required",
    ProblemType.RATE_LIMITED: "throttled",
    ProblemType.DEFECT: "exception",
    ProblemType.UNAVAILABLE: "transient",
    ProblemType.OTHER: "processing",
}
_BY_URN: Final = {problem.urn: issue for problem, issue in _PROBLEMS.items()}
_UNSUPPORTED: Final = frozenset(
    {
        ProblemCode.UNSUPPORTED_MESSAGE_TYPE,
        ProblemCode.UNSUPPORTED_EVENT,
        ProblemCode.UNSUPPORTED_PROCESSING_ID,
        ProblemCode.UNSUPPORTED_VERSION,
    }
)


def speaks_fhir(path: str) -> bool:
    """Tell whether a path belongs to the FHIR face, whose errors are OperationOutcomes."""
    return path == FACE or path.startswith(f"{FACE}/")


def status_of(answer: Answer) -> HTTPStatus:
    """Give the HTTP status of an answer to a message (DV-8, DV-9): 4xx is not to be sent again before a fix, 5xx may be."""
    if answer.message_id is None:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if answer.code is AckCode.AA:
        return HTTPStatus.OK
    codes = {problem.code for problem in answer.problems if problem.severity is Severity.ERROR}
    if ProblemCode.UNKNOWN_KEY in codes:
        return HTTPStatus.NOT_FOUND
    if answer.code is AckCode.AE or codes & _UNSUPPORTED:
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.BAD_REQUEST


def outcome_of_rehearsal(problems: Sequence[Problem], sentences: Sequence[str]) -> dict[str, Any]:
    """Say what would become of a message: what is wrong with it, then what would follow."""
    issues = [_issue_of(problem, is_transient=False) for problem in problems]
    issues += [{"severity": "information", "code": "informational", "diagnostics": sentence} for sentence in sentences]
    return _outcome(issues)


def outcome_of_answer(answer: Answer) -> dict[str, Any]:
    """Say what became of a message at the door."""
    issues = [_issue_of(problem, is_transient=answer.message_id is None) for problem in answer.problems]
    if answer.message_id is not None:
        known = " It was received before and is not taken twice." if answer.duplicate else ""
        said = "Stored; it is worked on now." if answer.code is AckCode.AA else "Kept, and not worked on."
        sentence = f"{said}{known} It can be looked at under /v1/inbound/{public_id(Kind.MESSAGE, answer.message_id)}."
        issues.append({"severity": "information", "code": "informational", "diagnostics": sentence})
    return _outcome(issues)


def outcome_of_issues(problems: Sequence[Problem]) -> dict[str, Any]:
    """Say problems, or that all is well, as they are."""
    return _outcome([_issue_of(problem, is_transient=False) for problem in problems])


def outcome_of_problem(document: Mapping[str, Any]) -> dict[str, Any]:
    """Say a problem document in FHIR's words."""
    code = _BY_URN.get(document["type"], "processing")
    sentence = f"{document['detail']} Trace id: {document['trace_id']}."
    issues: list[dict[str, Any]] = [{"severity": "error", "code": code, "details": {"text": document["title"]}, "diagnostics": sentence}]
    issues += [
        {
            "severity": "error",
            "code": code,
            "diagnostics": error["message"],
            "expression": [f"http.{error['in']}{error['pointer'].replace('/', '.')}"],
        }
        for error in document.get("errors", ())
    ]
    return _outcome(issues)


def _outcome(issues: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def _issue_of(problem: Problem, *, is_transient: bool) -> dict[str, Any]:
    issue: dict[str, Any] = {
        "severity": _SEVERITIES[problem.severity],
        "code": "transient" if is_transient else _ISSUES[problem.code],
        "details": {"coding": [{"system": _CONDITIONS, "code": problem.code.value}]},
        "diagnostics": problem.text,
    }
    return {**issue, "expression": [problem.location]} if problem.location else issue
