"""The discharge summary on its way: that a home requested it, received it, reviewed it. Facts with their times, never changed.

They satisfy no clock by themselves (programs ask for contacts); they show what the home waits for, and that somebody has read it. A
discharge summary that comes in a message (domain/document) is received by that. A mistake is taken back and said again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.contact_entry import CLOCK_SKEW
from app.domain.public_id import Kind, public_id, public_id_or_none


class SummaryStep(StrEnum):
    """What happened."""

    REQUESTED = "requested"
    RECEIVED = "received"
    REVIEWED = "reviewed"
    """Somebody of the team has read it."""


class Via(StrEnum):
    """By which way."""

    PHONE = "phone"
    FAX = "fax"
    DIRECT = "direct"
    """Direct secure messaging."""
    PORTAL = "portal"
    EXCHANGE = "exchange"
    MAIL = "mail"
    IN_PERSON = "in_person"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SummaryFact:
    """A fact as recorded, or as a document brings it (`document_id`)."""

    id: UUID
    fact: SummaryStep
    at: datetime
    recorded_at: datetime
    via: Via
    author: str = ""
    note: str | None = None
    voided_at: datetime | None = None
    document_id: UUID | None = None


def is_yet_to_come(at: datetime, now: datetime) -> bool:
    """Tell whether a fact is said of the future: it is recorded once it has happened."""
    return at > now + CLOCK_SKEW


def first_at(facts: Iterable[SummaryFact], step: SummaryStep) -> datetime | None:
    """Give when a step was first taken, by what has not been taken back."""
    return min((one.at for one in facts if one.fact is step and one.voided_at is None), default=None)


def summary_content(facts: Iterable[SummaryFact]) -> dict[str, Any]:
    """Give the steps as the API shows them, in the order in which they were taken."""
    ordered = sorted(facts, key=lambda one: (one.at, one.id))
    return {
        "requested_at": _text(first_at(ordered, SummaryStep.REQUESTED)),
        "received_at": _text(first_at(ordered, SummaryStep.RECEIVED)),
        "reviewed_at": _text(first_at(ordered, SummaryStep.REVIEWED)),
        "facts": [fact_content(one) for one in ordered],
    }


def fact_content(fact: SummaryFact) -> dict[str, Any]:
    """Give one fact as the API shows it."""
    return {
        "id": None if fact.document_id else public_id(Kind.SUMMARY_FACT, fact.id),
        "fact": fact.fact.value,
        "at": fact.at.isoformat(),
        "recorded_at": fact.recorded_at.isoformat(),
        "via": fact.via.value,
        "author": fact.author,
        "note": fact.note,
        "document_id": public_id_or_none(Kind.DOCUMENT, fact.document_id),
        "voided_at": _text(fact.voided_at),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
