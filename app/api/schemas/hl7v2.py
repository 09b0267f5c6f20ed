"""What `$validate` says."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import Document, FeedIdText, Instant, OrganizationIdText
from app.api.services import Rehearsed
from app.domain.directory import Directory
from app.domain.inbound import AckCode, Problem, ProblemCode, Severity
from app.domain.public_id import Kind, public_id, public_id_or_none


class ProblemOfMessage(Document):
    """One thing that is wrong with a message, and where; never a value of it."""

    code: Annotated[ProblemCode, Field(description="HL7 table 0357")]
    severity: Annotated[Severity, Field(description="HL7 table 0516: E stops the message, W and I do not")]
    location: Annotated[
        str, Field(description="As in ERR-2: segment^sequence^field^repetition^component; in FHIR FHIRPath", examples=["PID^1^3"])
    ]
    text: Annotated[str, Field(description="What was expected and what to do", examples=["PID-3 holds no identifier."])]


class NamedProblem(ProblemOfMessage):
    """The same, with the place in words."""

    name: Annotated[str, Field(description="The place in the standard's words", examples=["PID-3 patient identifier list"])]


class AckDocument(Document):
    """The acknowledgement the message would get."""

    code: AckCode
    message: Annotated[str | None, Field(description="In the encoding of the message; null where none is asked for, and for FHIR")]
    http_status: Annotated[int, Field(description="The status of the HTTP answer", examples=[200])]


class ReachDocument(Document):
    """Somebody who is responsible for the person, and whether they would be told."""

    organization_id: OrganizationIdText
    name: str
    event: Annotated[str, Field(description="Which event of the stay", examples=["discharged"])]
    decision: Annotated[str, Field(description="full, minimal, id_only, suppress, hold, preference or not_live")]
    reasons: list[str]


class ClockDocument(Document):
    """A clock that would run."""

    organization_id: OrganizationIdText | None
    id: Annotated[str, Field(examples=["mainecare_bhh.contact_2bd"])]
    due_at: Instant
    state: str


class SegmentDocument(Document):
    """One segment as parsed. Fields by their number; each a list of repetitions of components of subcomponents, as sent."""

    segment: Annotated[str, Field(examples=["PID"])]
    sequence: Annotated[int, Field(description="Which one of this name in the message, from 1", examples=[1])]
    fields: Annotated[dict[str, list[list[list[str]]]], Field(examples=[{"5": [[["TESTPERSON"], ["ANN"]]]}])]


class ValidationDocument(Document):
    """What would become of a message. Nothing of it is stored."""

    feed_id: FeedIdText | None
    ack: AckDocument
    problems: Annotated[list[NamedProblem], Field(description="What decides, and what was doubtful in reading")]
    advice: Annotated[
        list[NamedProblem],
        Field(description="Fields against the version, order against the event's structure. Decides nothing; none for FHIR"),
    ]
    outcome: Annotated[str, Field(description="processed, ignored, set_aside or rejected")]
    tree: Annotated[list[SegmentDocument], Field(description="The message as parsed; empty for FHIR")]
    reaches: list[ReachDocument]
    clocks: list[ClockDocument]


def validation_json(rehearsed: Rehearsed, directory: Directory, http_status: int) -> dict[str, Any]:
    """Show what would become of a message."""
    return {
        "feed_id": public_id_or_none(Kind.FEED, rehearsed.feed_id),
        "ack": {
            "code": rehearsed.code.value,
            "message": b"".join(rehearsed.acks).decode("utf-8", "replace") if rehearsed.acks else None,
            "http_status": http_status,
        },
        "problems": [problem_json(problem) | {"name": rehearsed.name(problem.location)} for problem in rehearsed.problems],
        "advice": [problem_json(problem) | {"name": rehearsed.name(problem.location)} for problem in rehearsed.advice],
        "outcome": rehearsed.outcome.value,
        "tree": list(rehearsed.tree),
        "reaches": [
            {
                "organization_id": public_id(Kind.ORGANIZATION, item.recipient_id),
                "name": directory.organizations[item.recipient_id].name if item.recipient_id in directory.organizations else "",
                "event": item.kind.value,
                "decision": str(item.decision),
                "reasons": list(item.reasons),
            }
            for item in rehearsed.reaches
        ],
        "clocks": [
            {
                "organization_id": public_id_or_none(Kind.ORGANIZATION, follow_up.home_id),
                "id": clock["id"],
                "due_at": clock["due_at"],
                "state": clock["state"],
            }
            for follow_up in rehearsed.follow_ups
            for clock in follow_up.clocks
        ],
    }


def problem_json(problem: Problem) -> dict[str, str]:
    """Show a problem of a message."""
    return {"code": problem.code.value, "severity": problem.severity.value, "location": problem.location, "text": problem.text}
