"""A consent as it is on file: the form that was asserted, and what became of it. What readers of every format are shown.

Not here: what it lets go (consent), or what a form must contain (consent_form).
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID

from app.domain.adt_event import Identifier, PersonFacts
from app.domain.consent_form import ConsentForm
from app.domain.person import NO_AUTHORITY, RecordClaim, json_facts


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """One consent. `state` is proposed, active, refused, revoked or expired."""

    id: UUID
    person_id: UUID
    form: ConsentForm
    state: str
    in_force: bool
    asserted_at: datetime
    ends_at: datetime | None = None
    """Of an emergency or a broken glass, which is sent with `minutes`."""
    reviewed_at: datetime | None = None
    revoked_at: datetime | None = None


NO_ORGANIZATION: Final = UUID(int=0)
"""Whose records those are that the exchange itself names."""
PAPER_TYPE: Final = "PAPER"
"""Identifier type of a record that a paper names: by all it says, so that two names under one number are two records."""


@dataclass(frozen=True, slots=True)
class NamedPatient:
    """Somebody by numbers, name and birth date, whom nobody here may know yet: a paper is often signed before the first message comes.

    The person index says who it is, as of a roster's row: a number that is mistyped meets another name, and joins nobody.
    """

    identifiers: tuple[Identifier, ...]
    person: PersonFacts
    """With last name and birth date."""

    def claim(self, asserter_id: UUID | None, sort_key: str) -> RecordClaim:
        """Give what it says about who somebody is: a record of its asserter's, the same for all papers that say the same."""
        person = self.person
        said = (person.last_name, person.first_name, person.birth_date, person.sex, *sorted(self.identifiers))
        return RecordClaim(
            source=str(asserter_id or NO_ORGANIZATION),
            own=Identifier(NO_AUTHORITY, PAPER_TYPE, blake2b(repr(said).encode(), digest_size=16).hexdigest()),
            identifiers=self.identifiers,
            sort_key=sort_key,
            facts=json_facts(person),
        )


@dataclass(frozen=True, slots=True)
class AssertedConsent:
    """A consent as somebody sends it: of whom, and the form."""

    patient: UUID | NamedPatient
    form: ConsentForm
