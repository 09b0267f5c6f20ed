"""Patient records (what one source says) and the person we think they are. Matching is in `matching`."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from app.domain.adt_event import NOT_A_PERSON_TYPES, AdtEvent, Identifier, PersonFacts
from app.domain.contact_person import ContactPerson, contact_person_json
from app.domain.known import Erasure
from app.domain.latest import Said
from app.domain.newborn import identifiers_of, is_under_mothers_number
from app.domain.stand_in import NO_NAMES, NOBODY, may_be_newborns
from app.domain.telephone import Telephone, telephone_json
from app.domain.trigger import CHANGING, Trigger

ADT_SOURCE = "adt"
"""Records of hospitals share one source: an assigning authority names a patient once, by whichever feed it comes."""

NO_AUTHORITY = ""


class RecordClaim(NamedTuple):
    """What a message, a roster row or a report says about who somebody is. A tuple, because a roster has a million.

    `own` is the identifier by which this source names its record; `identifiers` are all person-level ones, `own` included
    when it is a real identifier. `retires` are identifiers that the source merged away into this record (MRG-1), `formerly` those that
    the same record had until now (A46, A47). `belongs_to` is the record into which the source moved this one, out of those of
    `parts_from` (A43). `links` are records that the source calls the same patient without merging them (A24), `parts_from` also those of
    which it takes that back (A37).
    """

    source: str
    own: Identifier
    identifiers: tuple[Identifier, ...]
    sort_key: str
    facts: dict[str, Any]
    retires: tuple[Identifier, ...] = ()
    belongs_to: Identifier | None = None
    links: tuple[Identifier, ...] = ()
    parts_from: tuple[Identifier, ...] = ()
    is_under_mothers_number: bool = False
    """Whether it says itself that its number is that of the newborn's mother (PID-21): then it is about nobody known by the number."""
    is_doubted: bool = False
    """Whether it is refused where it is plainly about somebody else than what is known of the record; not once a person has looked."""
    formerly: tuple[Identifier, ...] = ()
    part_of: UUID | None = None
    """The message whose other claims stand and fall with it; they follow each other."""

    @property
    def named(self) -> tuple[Identifier, ...]:
        """Give every record of the source that the claim is about."""
        return (self.own, *self.retires, *self.formerly, *((self.belongs_to,) if self.belongs_to else ()), *self.links, *self.parts_from)


OwnKey = tuple[str, Identifier]
"""(source, own identifier): how a source names its record."""


@dataclass(slots=True)
class PatientRecord:
    """A stored record, as matching needs it."""

    id: UUID
    source: str
    own: Identifier
    person_id: UUID
    identifiers: frozenset[Identifier]
    said: Said
    demographic_key: int | None
    retired_into: UUID | None = None
    renamed_to: UUID | None = None
    """The record under whose number its source goes on with this one."""
    linked: frozenset[UUID] = frozenset()
    """Records that the source calls the same patient; the link is kept on one side only."""
    founded: UUID | None = None
    """The person that began with this record, whoever it belongs to now (`person_ids`)."""
    revision: int = 0
    """What the store calls this version of the row as it was read; 0 for a new record."""

    @property
    def others(self) -> tuple[UUID, ...]:
        """Give every record that its source names with it: merged into, renamed to, linked."""
        if self.retired_into is None and self.renamed_to is None and not self.linked:
            return ()
        return tuple(other for other in (self.retired_into, self.renamed_to, *self.linked) if other is not None)


TEST_MARK = "TEST!"
"""Put before every authority of a test message: no live identifier begins so."""

RETIRED_INTO = "retired_into"
"""Among the facts of a record, beside the column, for its sort key: the record that a merge or a move named as the survivor."""

RENAMED_TO = "renamed_to"
"""Among the facts of a record: the record that has the number under which this one goes on. No merge, and it takes none back."""

LEFT = "left:"
"""Before the id of another record among a record's facts: that the source moved it away from there."""

LINK = "link:"
"""Before the id of the other record among a record's facts: that the source links the two, or took it back."""


def linked_in(facts: dict[str, Any]) -> frozenset[UUID]:
    """Read the links that stand out of what is known of a record."""
    return frozenset(UUID(name.removeprefix(LINK)) for name in facts if name.startswith(LINK))


def named_in(facts: Mapping[str, Any], fact: str) -> UUID | None:
    """Read which record a fact names, if any."""
    named = facts.get(fact)
    return UUID(named) if named is not None else None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which record and person a claim turned out to be."""

    record_id: UUID
    person_id: UUID
    reasons: tuple[str, ...]
    moved_people: frozenset[UUID] = frozenset()
    """People whose records were joined or parted by this claim: their stays must be reconsidered."""
    is_refused: bool = False
    """Nothing was learned: the number is that of somebody else, and the claim is about nobody yet."""


def json_facts(facts: PersonFacts) -> dict[str, Any]:
    """Give the stated fields as JSON values; an erased one as None (see `latest`)."""
    stated: dict[str, Any] = {}
    for item in fields(facts):
        value = getattr(facts, item.name)
        if value is None:
            continue
        if isinstance(value, Erasure):
            stated[item.name] = None
        elif isinstance(value, tuple):
            stated[item.name] = [_listed(one) for one in value]
        elif isinstance(value, datetime | date):
            stated[item.name] = value.isoformat()
        else:
            stated[item.name] = value
    return stated


def _listed(value: Telephone | ContactPerson) -> dict[str, Any]:
    return telephone_json(value) if isinstance(value, Telephone) else contact_person_json(value)


_NO_NAME_SIGNS = dict.fromkeys(code for code in range(128) if not chr(code).isalnum())


def _normalised(text: str) -> str:
    if text.isascii():
        return text.upper().translate(_NO_NAME_SIGNS)
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain.upper() if letter.isalnum())


normalised: Callable[[str], str] = lru_cache(maxsize=1 << 14)(_normalised)
"""Folds case, accents, punctuation and spaces: O'Brien, OBRIEN and o brien are one name.

Cached: of a million people nearly all have one of some ten thousand names.
"""

PLACEHOLDER_BIRTH_DATES = frozenset({"1900-01-01", "1901-01-01", "1111-11-11", "1800-01-01"})


_SEXES = frozenset("MFOAN")


def demographic_key(facts: Mapping[str, Any]) -> int | None:
    """Hash the exact normalised first name, last name, birth date and sex to 64 bits; None when one is missing or only stands in for one.

    Exact equality of all four is the only demographic ground of the first matcher (issue text, "identify").
    """
    first, last = _given_name(str(facts.get("first_name") or "")), _family_name(str(facts.get("last_name") or ""))
    if not first or not last or (first, last) in NOBODY:
        return None
    born = str(facts.get("birth_date") or "")
    if len(born) != len("1976-04-25") or born in PLACEHOLDER_BIRTH_DATES:
        return None
    sex = str(facts.get("sex") or "").upper()[:1]
    if sex not in _SEXES:
        return None
    return int.from_bytes(blake2b(f"{last}|{first}|{born}|{sex}".encode(), digest_size=8).digest(), "big", signed=True)


@lru_cache(maxsize=1 << 14)
def _given_name(text: str) -> str:
    """Give the normalised name, empty where it only stands in for one."""
    name = normalised(text)
    return "" if name in NO_NAMES or may_be_newborns(name, text) else name


@lru_cache(maxsize=1 << 14)
def _family_name(text: str) -> str:
    name = normalised(text)
    return "" if name in NO_NAMES else name


def claim_of(event: AdtEvent, sort_key: str, *, is_doubted: bool = False, part_of: UUID | None = None) -> RecordClaim:
    """Say whom an ADT event is about. The event has at least one identifier: the reader refuses one without."""
    other = event.other_patient[:1]
    is_change = event.trigger in CHANGING
    return RecordClaim(
        source=ADT_SOURCE,
        own=event.identifiers[0],
        identifiers=identifiers_of(event) if event.identifiers[0].type not in NOT_A_PERSON_TYPES else (),
        sort_key=sort_key,
        facts=json_facts(event.person),
        is_under_mothers_number=is_under_mothers_number(event),
        retires=() if is_change else event.prior_identifiers,
        formerly=event.prior_identifiers if is_change else (),
        belongs_to=event.parent,
        links=other if event.trigger == Trigger.LINK else (),
        parts_from=other if event.trigger != Trigger.LINK else (),
        is_doubted=is_doubted,
        part_of=part_of,
    )
