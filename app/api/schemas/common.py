"""Pieces that every schema uses: ids, instants, lists, problems, and the base of requests."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from app.domain.public_id import Kind, pattern, read_public_id

_LOST_PLUS: Final = re.compile(r" (\d\d:\d\d)$")
_EXAMPLE_DIGITS: Final = "0199a4c07c5d7e0fb1d2c3a4e5f60718"


class Request(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Document(BaseModel):
    """An answer. Fields are only ever added."""

    model_config = ConfigDict(frozen=True)


def id_reader(kind: Kind) -> Callable[[Any], UUID]:
    """Give what reads an id of a kind, in either form."""

    def read(value: Any) -> UUID:  # noqa: ANN401 - whatever was sent
        found = value if isinstance(value, UUID) else read_public_id(kind, value) if isinstance(value, str) else None
        if found is None:
            msg = f"is not an id of this kind: {kind.value}_ and 32 hexadecimal digits, or a UUID"
            raise ValueError(msg)
        return found

    return read


def id_schema(kind: Kind) -> dict[str, Any]:
    """Give the published schema of an id that is sent to us."""
    return {"type": "string", "pattern": pattern(kind), "examples": [f"{kind.value}_{_EXAMPLE_DIGITS}"]}


def example_id(kind: Kind) -> str:
    """Give an id for examples."""
    return f"{kind.value}_{_EXAMPLE_DIGITS}"


def _given(kind: Kind) -> Any:  # noqa: ANN401 - annotation metadata
    return Field(pattern=f"^{kind.value}_[0-9a-f]{{32}}$", examples=[example_id(kind)])


OrganizationId = Annotated[UUID, BeforeValidator(id_reader(Kind.ORGANIZATION)), WithJsonSchema(id_schema(Kind.ORGANIZATION))]
FeedId = Annotated[UUID, BeforeValidator(id_reader(Kind.FEED)), WithJsonSchema(id_schema(Kind.FEED))]
KeyId = Annotated[UUID, BeforeValidator(id_reader(Kind.KEY)), WithJsonSchema(id_schema(Kind.KEY))]
MessageId = Annotated[UUID, BeforeValidator(id_reader(Kind.MESSAGE)), WithJsonSchema(id_schema(Kind.MESSAGE))]
EncounterId = Annotated[UUID, BeforeValidator(id_reader(Kind.ENCOUNTER)), WithJsonSchema(id_schema(Kind.ENCOUNTER))]
PersonId = Annotated[UUID, BeforeValidator(id_reader(Kind.PERSON)), WithJsonSchema(id_schema(Kind.PERSON))]
NotificationId = Annotated[UUID, BeforeValidator(id_reader(Kind.NOTIFICATION)), WithJsonSchema(id_schema(Kind.NOTIFICATION))]
SubscriptionId = Annotated[UUID, BeforeValidator(id_reader(Kind.SUBSCRIPTION)), WithJsonSchema(id_schema(Kind.SUBSCRIPTION))]
FollowUpId = Annotated[UUID, BeforeValidator(id_reader(Kind.FOLLOW_UP)), WithJsonSchema(id_schema(Kind.FOLLOW_UP))]
ContactId = Annotated[UUID, BeforeValidator(id_reader(Kind.CONTACT)), WithJsonSchema(id_schema(Kind.CONTACT))]
DocumentId = Annotated[UUID, BeforeValidator(id_reader(Kind.DOCUMENT)), WithJsonSchema(id_schema(Kind.DOCUMENT))]
SummaryFactId = Annotated[UUID, BeforeValidator(id_reader(Kind.SUMMARY_FACT)), WithJsonSchema(id_schema(Kind.SUMMARY_FACT))]
UploadId = Annotated[UUID, BeforeValidator(id_reader(Kind.UPLOAD)), WithJsonSchema(id_schema(Kind.UPLOAD))]
MatchId = Annotated[UUID, BeforeValidator(id_reader(Kind.MATCH)), WithJsonSchema(id_schema(Kind.MATCH))]
RecordId = Annotated[UUID, BeforeValidator(id_reader(Kind.RECORD)), WithJsonSchema(id_schema(Kind.RECORD))]
ReviewId = Annotated[UUID, BeforeValidator(id_reader(Kind.REVIEW)), WithJsonSchema(id_schema(Kind.REVIEW))]
"""Ids as they are sent to us: either form is read."""

OrganizationIdText = Annotated[str, _given(Kind.ORGANIZATION)]
FeedIdText = Annotated[str, _given(Kind.FEED)]
KeyIdText = Annotated[str, _given(Kind.KEY)]
MessageIdText = Annotated[str, _given(Kind.MESSAGE)]
EncounterIdText = Annotated[str, _given(Kind.ENCOUNTER)]
PersonIdText = Annotated[str, _given(Kind.PERSON)]
NotificationIdText = Annotated[str, _given(Kind.NOTIFICATION)]
EventIdText = Annotated[str, _given(Kind.EVENT)]
SubscriptionIdText = Annotated[str, _given(Kind.SUBSCRIPTION)]
FollowUpIdText = Annotated[str, _given(Kind.FOLLOW_UP)]
ConsentIdText = Annotated[str, _given(Kind.CONSENT)]
ContactIdText = Annotated[str, _given(Kind.CONTACT)]
DocumentIdText = Annotated[str, _given(Kind.DOCUMENT)]
SummaryFactIdText = Annotated[str, _given(Kind.SUMMARY_FACT)]
UploadIdText = Annotated[str, _given(Kind.UPLOAD)]
AttributionIdText = Annotated[str, _given(Kind.ATTRIBUTION)]
MatchIdText = Annotated[str, _given(Kind.MATCH)]
RecordIdText = Annotated[str, _given(Kind.RECORD)]
"""Ids as we give them: always prefixed."""


def _storable_instant(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        msg = "is outside the calendar"
        raise ValueError(msg) from None


def _with_plus(value: Any) -> Any:  # noqa: ANN401 - whatever was sent
    return _LOST_PLUS.sub(r"+\1", value) if isinstance(value, str) else value


def _no_nul(value: str) -> str:
    if "\x00" in value:
        msg = "contains a NUL"
        raise ValueError(msg)
    return value


InstantIn = Annotated[AwareDatetime, AfterValidator(_storable_instant), Field(examples=["2026-11-18T14:30:00-05:00"])]
"""An instant that is sent: RFC 3339 with an offset; kept in UTC."""
InstantOfQuery = Annotated[InstantIn, BeforeValidator(_with_plus)]
"""The same in an address, where a plus sign that was not escaped arrives as a space; our own instants end in +00:00."""
Instant = Annotated[datetime, Field(examples=["2026-11-18T19:30:00+00:00"])]
Day = Annotated[date, Field(examples=["2026-11-18"])]

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_no_nul)]
LongText = Annotated[str, StringConstraints(max_length=8000), AfterValidator(_no_nul)]

Item = TypeVar("Item")


class Listing(Document, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next: Annotated[str | None, Field(description="Pass it back as `after` for the next page; null on the last.", examples=[None])]


class ChangesListing(Listing[Item]):
    """A page of a list that can be polled for changes."""

    changes: Annotated[
        str | None,
        Field(description="In answers to changed_since and changed_after, the same on every page: the next changed_after", examples=[None]),
    ] = None


class FieldErrorDocument(Document):
    """One field that is wrong."""

    in_: Annotated[str, Field(alias="in", description="body, query, header or path", examples=["body"])]
    pointer: Annotated[str, Field(description="JSON pointer into that part of the request", examples=["/outcome"])]
    message: Annotated[str, Field(description="What was expected. Never repeats what was sent.", examples=["Field required"])]


class RowErrorDocument(Document):
    """What is wrong with a row, and what would be right."""

    row: Annotated[int, Field(description="Line of the file; the header is the first", examples=[3])]
    column: Annotated[str | None, Field(examples=["birth_date"])]
    code: Annotated[str, Field(examples=["not_a_date"])]
    message: str


class ProblemDocument(Document):
    """RFC 9457. `type` is stable and never reused; `trace_id` is what an operator finds the request by."""

    type: Annotated[str, Field(examples=["urn:warm-handoff:problem:invalid"])]
    title: Annotated[str, Field(examples=["The request does not fit the contract"])]
    status: Annotated[int, Field(examples=[422])]
    detail: Annotated[str, Field(examples=["1 field is not acceptable; see errors."])]
    trace_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["4bf92f3577b34da6a3ce929d0e0e4736"])]
    errors: list[FieldErrorDocument] | None = None
    required_scopes: Annotated[list[str] | None, Field(description="Of a 403: any one of these would do")] = None
    rows: Annotated[list[RowErrorDocument] | None, Field(description="Of a roster that could not be read")] = None
