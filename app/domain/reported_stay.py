"""A stay that a home or plan learned of itself: no message came, somebody told them (source `reported`).

It opens follow-ups and clocks like any stay, stays outside the default rates but shown beside them, and folds into the ADT stay
when one arrives. Not here: how it becomes events (the pipeline does that), nor what a follow-up makes of it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.adt_event import DiagnosisFact, EncounterClass, Identifier, PersonFacts


@dataclass(frozen=True, slots=True)
class ReportedStay:
    """What the reporter says. Exactly one of `facility_id` and `facility_name` is set."""

    id: UUID
    reported_by: UUID
    """The organization of the key."""
    reported_at: datetime
    identifiers: tuple[Identifier, ...]
    """At least one: the reporter's own number for the person, or any other that is known."""
    person: PersonFacts
    encounter_class: EncounterClass
    admitted_at: datetime | None
    discharged_at: datetime | None
    """At least one of the two instants is known."""
    told_by: str
    """Who told the reporter: the patient, a relative, the hospital's social worker, ..."""
    facility_id: UUID | None = None
    facility_name: str | None = None
    disposition: str | None = None
    """UB-04 status as two digits."""
    visit_number: str | None = None
    diagnoses: tuple[DiagnosisFact, ...] = ()
    note: str | None = None
