"""Somebody beside the patient whom one may have to reach: next of kin, guardian, emergency contact, guarantor.

What a source says is kept as sent; what it makes of somebody (guardian, state custody, ...) is read off it here, so that a better rule
holds for what was said before. Not here: how a message writes one (adapters), which of them a recipient reads (contact_sheet).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.domain.telephone import Telephone, telephone_json, telephone_of

RELATIONS: Final[Mapping[str, str]] = {
    "SEL": "Self",
    "SPO": "Spouse",
    "DOM": "Life partner",
    "CHD": "Child",
    "GCH": "Grandchild",
    "NCH": "Natural child",
    "SCH": "Stepchild",
    "FCH": "Foster child",
    "DEP": "Handicapped dependent",
    "WRD": "Ward of court",
    "PAR": "Parent",
    "MTH": "Mother",
    "FTH": "Father",
    "CGV": "Care giver",
    "GRD": "Guardian",
    "GRP": "Grandparent",
    "EXF": "Extended family",
    "SIB": "Sibling",
    "BRO": "Brother",
    "SIS": "Sister",
    "FND": "Friend",
    "OAD": "Other adult",
    "EME": "Employee",
    "EMR": "Employer",
    "ASC": "Associate",
    "EMC": "Emergency contact",
    "OWN": "Owner",
    "TRA": "Trainer",
    "MGR": "Manager",
    "NON": "None",
    "UNK": "Unknown",
    "OTH": "Other",
}
"""HL7 2.5.1 table 0063, relationship."""
_RELATION_WORDS: Final[Mapping[str, str]] = {
    **{"".join(filter(str.isalnum, text.upper())): code for code, text in RELATIONS.items()},
    "LEGALGUARDIAN": "GRD",
    "GUARD": "GRD",
    "COURTAPPOINTEDGUARDIAN": "GRD",
    "WARDOFTHECOURT": "WRD",
    "WARDOFTHESTATE": "WRD",
    "WARDOFSTATE": "WRD",
    "STATEWARD": "WRD",
    "STATECUSTODY": "WRD",
    "CAREGIVER": "CGV",
    "HUSBAND": "SPO",
    "WIFE": "SPO",
    "SPS": "SPO",
    "LIFEPARTNER": "DOM",
    "DOMPART": "DOM",
    "SON": "CHD",
    "DAUGHTER": "CHD",
    "CHILD": "CHD",
    "GRANDMOTHER": "GRP",
    "GRANDFATHER": "GRP",
    "GRPRN": "GRP",
    "PRN": "PAR",
    "FRND": "FND",
    "FMEMB": "EXF",
    "ONESELF": "SEL",
    "PATIENT": "SEL",
}
"""The table's own words, what people write for them, and the codes of HL7 v3 RoleCode that FHIR senders use for the same."""

ROLES: Final[Mapping[str, str]] = {
    "C": "Emergency contact",
    "E": "Employer",
    "F": "Federal agency",
    "I": "Insurance company",
    "N": "Next of kin",
    "O": "Other",
    "S": "State agency",
    "U": "Unknown",
}
"""HL7 2.5.1 table 0131, contact role; FHIR's v2-0131 has the same codes."""
_ROLE_WORDS: Final[Mapping[str, str]] = {
    **{"".join(filter(str.isalnum, text.upper())): code for code, text in ROLES.items()},
    "NOK": "N",
    "NK": "N",
    "EC": "C",
    "EMC": "C",
    "EP": "C",
    "EMERGENCYCONTACTPERSON": "C",
    "EMERGENCY": "C",
    "EM": "E",
}
"""The table's own words and what senders write for them; EP is of 2.7."""
_SELF: Final = "SEL"
_STATE_AGENCIES: Final = frozenset({"S", "F"})


def _word(text: str) -> str:
    return "".join(filter(str.isalnum, text.upper()))


def relation_code(code: str, text: str = "") -> str:
    """Give the code of table 0063 for what was sent; what is no such code, nor a word for one, stays as it is."""
    if code.upper() in RELATIONS:
        return code.upper()
    return _RELATION_WORDS.get(_word(code)) or _RELATION_WORDS.get(_word(text)) or code


def role_code(code: str, text: str = "") -> str:
    """Give the code of table 0131 for what was sent (EC2 is the second of EC); what is no word for one stays as it is."""
    if code.upper() in ROLES:
        return code.upper()
    return _ROLE_WORDS.get(_word(code).rstrip("0123456789")) or _ROLE_WORDS.get(_word(text)) or code


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """One person or office, as one source states it. Texts as sent, "" where it says nothing."""

    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    name: str = ""
    """Where the source gives the name as one text."""
    organization: str = ""
    relation: str = ""
    """Code of table 0063 (`relation_code`), else as sent: what the contact is to the patient."""
    relation_text: str = ""
    roles: tuple[str, ...] = ()
    """Codes of table 0131 (`role_code`), else as sent: what for the contact is to be reached."""
    stated_guardian: bool = False
    """The place where it stands says that this is the guardian, whatever the relation."""
    guarantor: bool = False
    address: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    language: str = ""
    starts_on: str = ""
    ends_on: str = ""
    """First and last day of this role, ISO."""
    phones: tuple[Telephone, ...] = ()

    @property
    def full_name(self) -> str:
        """Give the name as people say it."""
        return self.name or " ".join(part for part in (self.first_name, self.middle_name, self.last_name) if part)

    @property
    def is_patient(self) -> bool:
        """The patient named again: senders fill the guarantor in so."""
        return self.relation == _SELF

    @property
    def says_nothing(self) -> bool:
        """Nobody is named, no office, no number, and not even that there is a guardian."""
        return not (self.full_name or self.organization or self.phones or self.is_guardian or self.has_state_custody or self.is_patient)

    @property
    def is_guardian(self) -> bool:
        """Who decides for the patient: called so by the relation (GRD), or by the place where it stands."""
        return self.stated_guardian or self.relation == "GRD"

    @property
    def has_state_custody(self) -> bool:
        """Our policy: the source says ward of court or of the state, or the guardian is a state or federal agency (0131 S, F).

        An agency alone is not enough: a case worker is one too.
        """
        return self.relation == "WRD" or (self.is_guardian and not _STATE_AGENCIES.isdisjoint(self.roles))

    @property
    def is_next_of_kin(self) -> bool:
        """Called so by the role; an NK1 alone does not say it: the segment also holds employers and agencies."""
        return "N" in self.roles

    @property
    def is_emergency_contact(self) -> bool:
        """Called so by the role or by the relation."""
        return "C" in self.roles or self.relation == "EMC"


def _rank(person: ContactPerson) -> tuple[bool, ...]:
    """Who decides for the patient first, then whom to call; the order of the source within."""
    return (
        not person.is_guardian,
        not person.has_state_custody,
        not person.is_emergency_contact,
        not person.is_next_of_kin,
        person.guarantor,
    )


def joined(people: Iterable[ContactPerson]) -> tuple[ContactPerson, ...]:
    """Make one of entries with the same name whose relations do not contradict each other, and put those who decide first."""
    kept: list[ContactPerson] = []
    for person in people:
        place = next((at for at, other in enumerate(kept) if is_same(other, person)), None)
        if place is None:
            kept.append(person)
        else:
            kept[place] = both(kept[place], person)
    return tuple(sorted(kept, key=_rank)) if len(kept) > 1 else tuple(kept)


def is_same(one: ContactPerson, other: ContactPerson) -> bool:
    """Tell whether two entries are about one person: the same words in the name, and no two relations."""
    if one.relation and other.relation and one.relation != other.relation:
        return False
    words = _name_words(one)
    return bool(words) and words == _name_words(other)


_WORDS: Final = re.compile(r"[^\W_]+")


def _name_words(person: ContactPerson) -> tuple[str, ...]:
    text = person.full_name or person.organization
    return tuple(sorted(_WORDS.findall(text.upper())))


def both(one: ContactPerson, other: ContactPerson) -> ContactPerson:
    """Give what two entries about one person say together; where both say something, the first counts."""
    texts = {
        name: getattr(one, name) or getattr(other, name)
        for name in ("organization", "relation", "relation_text", "language", "starts_on", "ends_on")
    }
    names = one if one.first_name or one.last_name or not (other.first_name or other.last_name) else other
    place = one if one.address or one.city or one.zip else other
    return replace(
        one,
        **texts,
        first_name=names.first_name,
        middle_name=names.middle_name,
        last_name=names.last_name,
        name=names.name,
        address=place.address,
        city=place.city,
        state=place.state,
        zip=place.zip,
        roles=tuple(dict.fromkeys((*one.roles, *other.roles))),
        stated_guardian=one.stated_guardian or other.stated_guardian,
        guarantor=one.guarantor or other.guarantor,
        phones=each_once((*one.phones, *other.phones)),
    )


def each_once(phones: Iterable[Telephone]) -> tuple[Telephone, ...]:
    """Leave out what repeats a number, however it is written."""
    phones = tuple(phones)
    if len(phones) <= 1:
        return phones
    kept: dict[str, Telephone] = {}
    for phone in phones:
        kept.setdefault(phone.same_as, phone)
    return tuple(kept.values())


_TEXTS: Final = (
    "first_name", "middle_name", "last_name", "name", "organization", "relation", "relation_text", "address", "city", "state", "zip",
    "language", "starts_on", "ends_on",
)  # fmt: skip


def contact_person_json(person: ContactPerson) -> dict[str, Any]:
    """Give what is said of the person as a JSON value, as it is stored among the facts about the patient."""
    stored: dict[str, Any] = {name: value for name in _TEXTS if (value := getattr(person, name))}
    if person.roles:
        stored["roles"] = list(person.roles)
    if person.stated_guardian:
        stored["stated_guardian"] = True
    if person.guarantor:
        stored["guarantor"] = True
    if person.phones:
        stored["phones"] = [telephone_json(phone) for phone in person.phones]
    return stored


def contact_person_of(stored: Mapping[str, Any]) -> ContactPerson:
    """Undo `contact_person_json`."""
    return ContactPerson(
        **{name: stored[name] for name in _TEXTS if name in stored},
        roles=tuple(stored.get("roles", ())),
        stated_guardian=stored.get("stated_guardian", False),
        guarantor=stored.get("guarantor", False),
        phones=tuple(telephone_of(phone) for phone in stored.get("phones", ())),
    )
