"""One person as measures see them, gathered from stays, contacts and what sources say. Which stays a reader may know of, the caller says.

Not here: what a measure makes of it (``episode``).
"""

from collections.abc import Iterable, Sequence
from datetime import date, tzinfo
from typing import Any

from app.domain.attribution import Attribution
from app.domain.contact import Contact
from app.domain.latest import known, merged
from app.domain.measure import PersonHistory
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.rulebook import Rulebook
from app.domain.service import service_of
from app.domain.stay_in_hand import StayInHand, stay_for_rules

Spans = tuple[tuple[date, date | None], ...]
"""Enrolment, ends exclusive."""


def facts_of(records: Sequence[PatientRecord]) -> dict[str, Any]:
    """Give what is known of the person: hospitals speak last."""
    said: dict[str, dict[str, Any]] = {}
    for record in sorted(records, key=lambda item: item.source == ADT_SOURCE):
        said = merged(said, record.said)
    return known(said)


def birth_on(records: Sequence[PatientRecord]) -> date | None:
    """Give the birth date, if anybody says one."""
    born = facts_of(records).get("birth_date")
    return date.fromisoformat(born) if born else None


def died_on(stays: Iterable[StayInHand]) -> date | None:
    """Give the local date of death as the stays tell it."""
    return min((stay.day_of(stay.view.deceased_at) for stay in stays if stay.view.deceased_at is not None), default=None)


def enrolment(claims: Iterable[Attribution]) -> Spans:
    """Give the spans of these claims."""
    return tuple(sorted({(claim.effective_from, claim.effective_to) for claim in claims}, key=lambda span: (span[0], str(span[1]))))


def history_of(  # everything that a measure asks of a person
    stays: Sequence[StayInHand],
    contacts: Iterable[Contact],
    records: Sequence[PatientRecord],
    rulebook: Rulebook,
    zone: tzinfo,
    coverage: Spans | None = None,
) -> PersonHistory:
    """Gather the history. A contact's day is that of the zone: the facility's whose discharge is asked about."""
    return PersonHistory(
        birth_on=birth_on(records),
        died_on=died_on(stays),
        coverage=coverage,
        stays=tuple(stay_for_rules(stay, rulebook) for stay in stays),
        services=tuple(service for contact in contacts if (service := service_of(contact, zone)) is not None),
    )
