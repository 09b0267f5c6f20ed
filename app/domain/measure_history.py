"""One person as measures see them, gathered from stays, contacts and what sources say. Which stays a reader may know of, the caller says.

Not here: what a measure makes of it (``episode``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from types import MappingProxyType
from typing import Any

from app.domain.attribution import Attribution
from app.domain.contact import Contact
from app.domain.course import Course
from app.domain.death import death_of
from app.domain.directory import Directory
from app.domain.latest import known, merged
from app.domain.measure import PersonHistory, Receipt
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.provider import Providers
from app.domain.rulebook import Rulebook
from app.domain.service import Service, service_of
from app.domain.stay import Disposition
from app.domain.stay_in_hand import StayInHand

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
    return birth_in(facts_of(records))


def birth_in(facts: Mapping[str, Any]) -> date | None:
    """Give the birth date that facts of a person say."""
    return date.fromisoformat(facts["birth_date"]) if facts.get("birth_date") else None


@dataclass(frozen=True, slots=True)
class Endings:
    """When the person died, and from when hospice care is known: what takes events out whatever was done."""

    died_on: date | None = None
    hospice_on: date | None = None
    doubted: frozenset[date] = frozenset()
    """Days of deaths that a later stay contradicts and nobody has decided: they take nothing out."""
    died_by: str | None = None
    """The stay that tells the death; None where none does."""
    hospice_by: str | None = None
    """The stay that ended in hospice care, likewise."""


def endings(
    stays: Sequence[StayInHand], records: Sequence[PatientRecord], directory: Directory, rulebook: Rulebook, zone: tzinfo
) -> Endings:
    """Gather them from the stays that may show, from messages about the person alone, and from rosters (domain/death).

    What a Part 2 program says of the person is not heard (42 CFR 2.13(c)).
    """
    heard = [record for record in records if record.own.authority.upper() not in directory.part2_authorities]
    hospice: list[tuple[date, str]] = [
        (stay.day_of(stay.view.discharged_at), str(stay.id))
        for stay in stays
        if stay.view.discharged_at is not None
        and stay.view.status != "cancelled"
        and rulebook.dispositions.meaning(stay.view.disposition) is Disposition.HOSPICE
    ]
    for record in heard:
        hospice += [(day, "") for day in _day_said(known(record.said), "hospice_from")]
    death = death_of(stays, heard, zone)
    hospice_on, hospice_by = min(hospice, default=(None, ""))
    told_by = str(death.told_by) if death.told_by else None
    return Endings(death.on, hospice_on, frozenset(death.doubted), told_by, hospice_by or None)


def _day_said(facts: dict[str, Any], name: str) -> list[date]:
    return [date.fromisoformat(facts[name])] if facts.get(name) else []


def enrolment(claims: Iterable[Attribution]) -> Spans:
    """Give the spans of these claims."""
    return tuple(sorted({(claim.effective_from, claim.effective_to) for claim in claims}, key=lambda span: (span[0], str(span[1]))))


def history_of(  # everything that a measure asks of a person
    stays: Course,
    contacts: Iterable[Contact],
    zone: tzinfo,
    *,
    born_on: date | None,
    ended: Endings,
    coverage: Spans | None = None,
    receipts: Iterable[Receipt] = (),
    claimed: Iterable[Service] = (),
    providers: Providers = MappingProxyType({}),
) -> PersonHistory:
    """Gather the history. A contact's day is that of the zone: the facility's whose discharge is asked about."""
    return PersonHistory(
        birth_on=born_on,
        died_on=ended.died_on,
        hospice_on=ended.hospice_on,
        doubted=ended.doubted,
        died_by=ended.died_by,
        hospice_by=ended.hospice_by,
        coverage=coverage,
        stays=stays,
        services=(*(service for contact in contacts if (service := service_of(contact, zone, providers)) is not None), *claimed),
        receipts=tuple(receipts),
    )
