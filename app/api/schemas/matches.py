"""Questions about who is one person, as they are shown and answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from app.api.schemas.common import Document, Listing, MatchIdText, PersonIdText, RecordId, RecordIdText, Request
from app.domain.latest import known
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.public_id import Kind, public_id
from app.domain.side_by_side import SHOWN, side_by_side
from app.domain.tie import TieKind, TieLevel, TieOutcome, TieState
from app.store.match_reads import Decision, MatchRow

REASON_LENGTH_MAX = 1000
OutcomeText = Annotated[Literal["same", "different", "later"], Field(description="same person, different people, or not decided yet")]
Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=REASON_LENGTH_MAX),
    Field(description="Kept with the answer", examples=["Asked the hospital"]),
]


class MatchAnswer(Request):
    """An answer to a question."""

    outcome: OutcomeText
    reason: Reason


class MatchReopening(Request):
    """Why it is asked again."""

    reason: Reason


class NewMatchAnswer(Request):
    """A decision about two records that nothing was asked about: a link, a separation, or the undoing of a hospital's merge."""

    left_record_id: RecordId
    right_record_id: RecordId
    outcome: OutcomeText
    reason: Reason


class GroundDocument(Document):
    """One reason; the text names fields, never what is in them."""

    field: str
    text: str
    outcome: str | None = None
    weight: float | None = None


class SideDocument(Document):
    """One of the two records."""

    record_id: RecordIdText
    person_id: PersonIdText


class MatchDocument(Document):
    """A question, without what the two records say."""

    id: MatchIdText
    kind: TieKind
    state: TieState
    level: Annotated[TieLevel, Field(description="How alike; no: not asked because of a score")]
    weight: Annotated[float, Field(description="Bits of evidence that they are one; 0 where there is no score")]
    weights_version: str
    grounds: list[GroundDocument]
    outcome: TieOutcome | None
    opened_at: datetime
    updated_at: datetime
    left: SideDocument
    right: SideDocument


class NumberDocument(Document):
    """An identifier."""

    system: str
    type: str
    value: str


class RecordDocument(SideDocument):
    """One of the two records, with what its source says."""

    source: Annotated[str, Field(description="adt, or the organization whose panel or report says it")]
    identifiers: list[NumberDocument]
    facts: Annotated[dict[str, str], Field(description="Text as sent")]


class DifferenceDocument(Document):
    """One field of both."""

    field: str
    left: str | None
    right: str | None
    same: Annotated[bool | None, Field(description="null: one of the two does not say")]


class DecisionDocument(Document):
    """One answer that was given; the last one counts."""

    outcome: Annotated[TieOutcome | None, Field(description="null: asked again")]
    decided_by: Annotated[str, Field(description="the key, or operator")]
    reason: str
    decided_at: datetime


class MatchDetailDocument(MatchDocument):
    """A question with both sides, the difference field by field, and every answer it ever had."""

    left: RecordDocument
    right: RecordDocument
    differences: list[DifferenceDocument]
    decisions: list[DecisionDocument]


MatchPage = Listing[MatchDocument]


class NewIndexAuthority(Request):
    """An assigning authority that is the exchange's own person index."""

    authority: Annotated[
        str,
        StringConstraints(min_length=1, max_length=227, to_upper=True),
        Field(description="as CX-4 of the messages writes it", examples=["EMPI"]),
    ]


class IndexAuthorityDocument(Document):
    """An authority whose ids and links decide before our matcher."""

    authority: str
    marked_at: datetime


IndexPage = Listing[IndexAuthorityDocument]


def match_json(row: MatchRow) -> dict[str, Any]:
    """Show a question."""
    tie = row.tie
    sides = [{"record_id": public_id(Kind.RECORD, record), "person_id": public_id(Kind.PERSON, whose)} for record, whose in _sides(row)]
    return {
        "id": public_id(Kind.MATCH, row.id),
        "kind": tie.kind.value,
        "state": tie.state.value,
        "level": tie.level.value,
        "weight": tie.weight,
        "weights_version": tie.weights_version,
        "grounds": [{"outcome": None, "weight": None} | ground for ground in tie.grounds],
        "outcome": tie.outcome.value if tie.outcome else None,
        "opened_at": row.opened_at,
        "updated_at": row.updated_at,
        "left": sides[0],
        "right": sides[1],
    }


def match_detail_json(row: MatchRow, left: PatientRecord, right: PatientRecord, decisions: Sequence[Decision]) -> dict[str, Any]:
    """Show a question with everything that speaks for either answer."""
    shown = match_json(row)
    return shown | {
        "left": shown["left"] | record_json(left),
        "right": shown["right"] | record_json(right),
        "differences": [
            {"field": one.field, "left": one.left, "right": one.right, "same": one.is_same} for one in side_by_side(left, right)
        ],
        "decisions": [decision_json(one) for one in decisions],
    }


def record_json(record: PatientRecord) -> dict[str, Any]:
    """Show what a source says."""
    facts = known(record.said)
    return {
        "source": record.source if record.source == ADT_SOURCE else f"{Kind.ORGANIZATION.value}_{record.source.replace('-', '')}",
        "identifiers": [{"system": item.authority, "type": item.type, "value": item.value} for item in sorted(record.identifiers)],
        "facts": {name: str(facts[name]) for name in SHOWN if facts.get(name)},
    }


def decision_json(one: Decision) -> dict[str, Any]:
    """Show an answer."""
    return {
        "outcome": one.outcome.value if one.outcome else None,
        "decided_by": one.decided_by,
        "reason": one.reason,
        "decided_at": one.decided_at,
    }


def _sides(row: MatchRow) -> list[tuple[Any, Any]]:
    return [(row.tie.left, row.people[0]), (row.tie.right, row.people[1])]
