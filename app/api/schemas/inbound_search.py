"""Finding messages, what was set aside and why, and trying it again, as it is asked and shown."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from app.api.schemas.common import Document, FeedId, FeedIdText, Instant, InstantIn, Listing, MessageIdText, Request, ShortText
from app.api.schemas.hl7v2 import ProblemOfMessage, problem_json
from app.api.schemas.inbound import InboundDocument
from app.domain.inbound import Outcome, ProblemCode
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.reinterpretation import Reinterpretation
from app.store.set_aside import AsideFilter

SHOWN_MAX = 100


class InboundSearch(Request):
    """One box: an MSH-10, a number of the patient or the visit, or a name with a birth date."""

    text: Annotated[
        ShortText,
        Field(description="MSH-10, MRN or other patient number, visit or account number, or last name, first name and birth date"),
    ]
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[str | None, StringConstraints(max_length=500), Field(description="`next` of the page before")] = None


class FoundMessage(InboundDocument):
    """A message that was found."""

    found_by: Annotated[
        str,
        Field(
            description="control_id, identifier, visit_number or name_and_birth_date; message_text: nothing was made of it, and it says so",
            examples=["control_id"],
        ),
    ]


FoundPage = Listing[FoundMessage]


class AsideGroup(Document):
    """Messages of one feed that were set aside for one reason at one place."""

    feed_id: FeedIdText | None
    code: Annotated[str, Field(description="HL7 table 0357; empty where no problem was noted", examples=["101"])]
    location: Annotated[str, Field(description="segment^sequence^field^repetition^component", examples=["PID^1^3"])]
    text: Annotated[str, Field(description="What was expected and what to do")]
    messages: int
    first_received_at: Instant
    last_received_at: Instant
    newest_id: MessageIdText


AsideGroups = Listing[AsideGroup]


class ReplayFilter(Request):
    """Which of the messages that were set aside. Without anything: all of them."""

    feed_id: FeedId | None = None
    code: Annotated[ProblemCode | None, Field(description="Only for this reason, HL7 table 0357")] = None
    location: Annotated[ShortText | None, Field(description="Only at this place", examples=["PID^1^3"])] = None
    received_from: InstantIn | None = None
    received_before: InstantIn | None = None
    dry_run: Annotated[bool, Field(description="Only say what would change; false puts the messages on the queue")] = True
    limit: Annotated[int, Field(ge=1, le=1000, description="The oldest so many")] = 1000

    def wanted(self) -> AsideFilter:
        """Give the store's filter."""
        code = None if self.code is None else self.code.value
        return AsideFilter(self.feed_id, code, self.location, self.received_from, self.received_before)


class RereadDocument(Document):
    """What would become of one message."""

    id: MessageIdText
    feed_id: FeedIdText
    outcome: Annotated[Outcome, Field(description="processed: it can be read now")]
    trigger: Annotated[str | None, Field(description="Of the event that it would become", examples=["A03"])]
    problems: list[ProblemOfMessage]


class RepeatedProblem(ProblemOfMessage):
    """Why messages would be set aside again."""

    messages: int


class ReplayResult(Document):
    """What would become of the messages if they were read again now, or what is on the queue."""

    dry_run: bool
    messages: Annotated[int, Field(description="Messages that fit, at most `limit`")]
    more: Annotated[bool, Field(description="More fit than these: ask again when they are done")]
    replayed: Annotated[int, Field(description="Put on the queue; 0 in a dry run")]
    outcomes: Annotated[dict[str, int], Field(description="Outcome -> messages that would have it", examples=[{"processed": 12}])]
    events: Annotated[dict[str, int], Field(description="Trigger -> events there would be", examples=[{"A03": 12}])]
    reasons: Annotated[list[RepeatedProblem], Field(description="Why the others would be set aside again, the most frequent first")]
    items: Annotated[list[RereadDocument], Field(description=f"The oldest {SHOWN_MAX}")]


def group_json(row: dict[str, Any]) -> dict[str, Any]:
    """Show a group."""
    return {
        "feed_id": public_id_or_none(Kind.FEED, row["feed_id"]),
        **{name: row[name] for name in ("code", "location", "text", "messages")},
        "first_received_at": row["first_at"],
        "last_received_at": row["last_at"],
        "newest_id": public_id(Kind.MESSAGE, row["newest_id"]),
    }


def replay_json(found: Reinterpretation, *, more: bool, replayed: int | None) -> dict[str, Any]:
    """Show what would change, or what is on the queue."""
    return {
        "dry_run": replayed is None,
        "messages": len(found.messages),
        "more": more,
        "replayed": replayed or 0,
        "outcomes": {outcome.value: count for outcome, count in sorted(found.outcomes.items())},
        "events": dict(sorted(found.triggers.items())),
        "reasons": [problem_json(problem) | {"messages": count} for problem, count in found.reasons.most_common()],
        "items": [
            {
                "id": public_id(Kind.MESSAGE, one.message_id),
                "feed_id": public_id(Kind.FEED, one.feed_id),
                "outcome": one.outcome.value,
                "trigger": one.trigger,
                "problems": [problem_json(problem) for problem in one.problems],
            }
            for one in found.messages[:SHOWN_MAX]
        ],
    }
