"""What `$validate` says."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import Document, FeedIdText, Instant, OrganizationIdText
from app.domain.inbound import AckCode, Problem, ProblemCode, Severity


class ProblemOfMessage(Document):
    """One thing that is wrong with a message, and where; never a value of it."""

    code: Annotated[ProblemCode, Field(description="HL7 table 0357")]
    severity: Annotated[Severity, Field(description="HL7 table 0516: E stops the message, W and I do not")]
    location: Annotated[str, Field(description="As in ERR-2: segment^sequence^field^repetition^component", examples=["PID^1^3"])]
    text: Annotated[str, Field(description="What was expected and what to do", examples=["PID-3 holds no identifier."])]


class AckDocument(Document):
    """The acknowledgement the message would get."""

    code: AckCode
    message: Annotated[str | None, Field(description="As ER7; null where none is asked for")]


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


class ValidationDocument(Document):
    """What would become of a message. Nothing of it is stored."""

    feed_id: FeedIdText | None
    ack: AckDocument
    problems: list[ProblemOfMessage]
    outcome: Annotated[str, Field(description="processed, ignored, set_aside or rejected")]
    tree: Annotated[list[Any], Field(description="The message as parsed: segments, their fields, repetitions and components")]
    reaches: list[ReachDocument]
    clocks: list[ClockDocument]


def problem_json(problem: Problem) -> dict[str, str]:
    """Show a problem of a message."""
    return {"code": problem.code.value, "severity": problem.severity.value, "location": problem.location, "text": problem.text}
