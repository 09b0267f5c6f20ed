"""How a person is reached, as a recipient reads it: numbers with their owner, contact persons, and what to mind when calling.

Drawn from two sources and no other: what the hospitals said, the one that spoke last counting for each list as a whole, and what the
recipient's own roster says. Told at tier full alone (`FIELDS`). A change here is no news of a stay, as a changed telephone of the
patient's is none (happening): it is read with the follow-up and told with the next event, so that a busy front desk floods nobody.
Not here: which records those are (telling), how they were read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

from app.domain.contact_person import (
    RELATIONS,
    ROLES,
    ContactPerson,
    both,
    contact_person_of,
    is_same,
    joined,
    relation_code,
)
from app.domain.telephone import Owner, Telephone, telephone_of

FIELDS: Final = ("phones", "contact_persons", "safe_contact", "no_voicemail", "interpreter")
"""Taken away below tier full: others' names and numbers, and how somebody must not be called, are no minimum (45 CFR 164.502(b))."""


class ReachSource(StrEnum):
    """Who says it."""

    ADT = "adt"
    ROSTER = "roster"
    """The recipient's own."""


Facts = Mapping[str, Any]
Sources = tuple[ReachSource, ...]
Numbers = dict[str, tuple[Telephone, Sources]]
Reached = tuple[ContactPerson, Sources]

_OWN_WORDS: Final = frozenset({"SELF", "PATIENT", "MEMBER", "CLIENT", "OWN", "ME"})
_UNKNOWN_WORDS: Final = frozenset({"UNKNOWN", "UNK", "NOT KNOWN", "?"})


def contact_sheet(said: Facts, own: Facts) -> dict[str, Any]:
    """Give the fields of `FIELDS`. `said` is what is known from ADT, `own` what is known from the recipient's roster."""
    people = _contact_persons(said, own)
    numbers = _numbers(said, own)
    return {
        "phones": [_phone(phone, sources, _others_with(phone, people)) for phone, sources in numbers.values()],
        "contact_persons": [_contact(person, sources) for person, sources in people],
        "safe_contact": own.get("safe_contact"),
        "no_voicemail": _yes_or_no(own.get("no_voicemail")),
        "interpreter": _interpreter(said, own),
    }


def _numbers(said: Facts, own: Facts) -> Numbers:
    numbers: Numbers = {}
    stated = [telephone_of(one) for name in ("home_phones", "work_phones") for one in said.get(name) or ()]
    if not stated and any(map(str.isdigit, said.get("phone") or "")):
        stated = [Telephone(said["phone"])]
    for phone in stated:
        numbers.setdefault(phone.same_as, (phone, (ReachSource.ADT,)))
    for phone in roster_phones(own):
        known, sources = numbers.get(phone.same_as, (phone, ()))
        if phone.owner is Owner.PERSON or (known.owner is Owner.UNKNOWN and phone.owner is Owner.PATIENT):
            # The home knows whose number it is; a hospital's registration desk asks for "a number".
            known = replace(known, owner=phone.owner, owner_name=phone.owner_name)
        numbers[phone.same_as] = (known, (*sources, ReachSource.ROSTER))
    return numbers


def roster_phones(own: Facts) -> list[Telephone]:
    """Read the numbers of a roster. Its phone_owner speaks of `phone`; whose a second number is then, nobody has said."""
    owner_name = own.get("phone_owner") or ""
    owner, second = Owner.PATIENT, Owner.PATIENT
    if owner_name.upper() in _UNKNOWN_WORDS:
        owner, second, owner_name = Owner.UNKNOWN, Owner.UNKNOWN, ""
    elif owner_name and owner_name.upper() not in _OWN_WORDS:
        owner, second = Owner.PERSON, Owner.UNKNOWN
    else:
        owner_name = ""
    found = [Telephone(own["phone"], owner=owner, owner_name=owner_name)] if own.get("phone") else []
    if own.get("phone2"):
        found.append(Telephone(own["phone2"], owner=second))
    return found


def roster_guardian(own: Facts) -> ContactPerson | None:
    """Read the guardian of a roster."""
    name, relation, phone = (own.get(column) or "" for column in ("guardian_name", "guardian_relation", "guardian_phone"))
    if not (name or relation or phone):
        return None
    return ContactPerson(
        name=name,
        relation=relation_code("", relation),
        relation_text=relation,
        stated_guardian=True,
        phones=(Telephone(phone, owner=Owner.PERSON),) if phone else (),
    )


def _contact_persons(said: Facts, own: Facts) -> list[Reached]:
    """Give who is to be reached, and who says so. One whom both name is one; the hospital's spelling and numbers come first."""
    stated = [contact_person_of(one) for name in ("contact_persons", "guarantors") for one in said.get(name) or ()]
    people: list[Reached] = [(person, (ReachSource.ADT,)) for person in joined(stated)]
    guardian = roster_guardian(own)
    if guardian is None:
        return people
    place = next((at for at, (person, _) in enumerate(people) if is_same(person, guardian)), None)
    found: Reached = (guardian, (ReachSource.ROSTER,))
    if place is not None:
        person, sources = people.pop(place)
        found = (both(person, guardian), (*sources, ReachSource.ROSTER))
    # Guardians come first, the roster's before any other: the recipient's own people wrote it.
    return [found, *people]


def _others_with(phone: Telephone, people: Iterable[Reached]) -> list[str]:
    return [person.full_name for person, _ in people if person.full_name and any(one.same_as == phone.same_as for one in person.phones)]


def _phone(phone: Telephone, sources: Sources, shared_with: list[str]) -> dict[str, Any]:
    return {
        "number": phone.number,
        "normalised": phone.normalised,
        "extension": phone.extension or None,
        "kind": phone.kind.value,
        "use": phone.use.value or None,
        "code": phone.code or None,
        "note": phone.note or None,
        "owner": phone.owner.value,
        "owner_name": phone.owner_name or None,
        "shared_with": shared_with,
        "sources": [source.value for source in sources],
    }


def _contact(person: ContactPerson, sources: Sources) -> dict[str, Any]:
    return {
        "name": person.full_name or None,
        "first_name": person.first_name or None,
        "middle_name": person.middle_name or None,
        "last_name": person.last_name or None,
        "organization": person.organization or None,
        "relation": {"code": person.relation or None, "text": person.relation_text or RELATIONS.get(person.relation)},
        "roles": [{"code": role, "text": ROLES.get(role)} for role in person.roles],
        "is_legal_guardian": person.is_guardian,
        "state_custody": person.has_state_custody,
        "is_next_of_kin": person.is_next_of_kin,
        "is_emergency_contact": person.is_emergency_contact,
        "is_guarantor": person.guarantor,
        "phones": [_phone(replace(phone, owner_name=phone.owner_name or person.full_name), sources, []) for phone in person.phones],
        "address": person.address or None,
        "city": person.city or None,
        "state": person.state or None,
        "zip": person.zip or None,
        "language": person.language or None,
        "starts_on": person.starts_on or None,
        "ends_on": person.ends_on or None,
        "sources": [source.value for source in sources],
    }


def _yes_or_no(said: Any) -> bool | None:  # noqa: ANN401 - a stored JSON value
    return None if said is None else said in (True, "yes")


def _interpreter(said: Facts, own: Facts) -> dict[str, Any]:
    """Say whether an interpreter is needed, and for which language: a roster's cell may say either."""
    stated = own.get("interpreter")
    is_word = stated in ("yes", "no")
    needed = said["interpreter"] if said.get("interpreter") is not None else None if stated is None else stated != "no"
    language = (None if is_word else stated) or said.get("language") or own.get("language")
    return {"needed": needed, "language": language}
