"""Patient.contact, RelatedPerson and Patient.telecom as contact persons and telephones (ADT-3). Pure.

A bundle that names contact persons states them all, and one that names guarantors states those: the rules are those of NK1, GT1, PID-13
and PID-14, so that both formats of one message say the same (tests/adapters/fhir/test_contact_persons.py). Not here: who of them decides
for the patient (domain/contact_person), Patient otherwise (`people`).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from adapters.fhir.bundle import Entry
from adapters.fhir.codes import INTERPRETER_EXTENSIONS, NO_CODES, YES_CODES
from adapters.fhir.reading import OLD, Reading
from adapters.fhir.times import read_date
from adapters.fhir.values import Json, code_or_words, erased, member, objects, text, texts
from app.domain.contact_person import RELATIONS, ContactPerson, each_once, joined, relation_code, role_code
from app.domain.inbound import ProblemCode
from app.domain.known import ERASED, Known
from app.domain.telephone import Owner, Telephone, TelephoneKind, TelephoneUse

PEOPLE_MAX: Final = 20
PHONES_MAX: Final = 10
TEXT_CHARACTERS_MAX: Final = 250
"""Our policy, of one list each, the same as of HL7 v2: what is told of a person is told again with every notification."""

_ROLE_SYSTEM: Final = "v2-0131"
_GUARANTOR_CODES: Final = frozenset({"GUAR", "GT"})
"""HL7 v3 RoleClass; and what a translation of GT1 writes."""
_NAME_USES: Final = ("official", "usual", "")
_KINDS: Final = {kind.value: kind for kind in TelephoneKind}
_USES: Final = {use.value: use for use in TelephoneUse}


class ContactFacts(NamedTuple):
    """What a bundle says about how a patient is reached."""

    home_phones: Known[tuple[Telephone, ...]]
    work_phones: Known[tuple[Telephone, ...]]
    contact_persons: Known[tuple[ContactPerson, ...]]
    guarantors: Known[tuple[ContactPerson, ...]]
    interpreter: Known[bool]


def contact_facts(reading: Reading, patient: Entry) -> ContactFacts:
    """Read the numbers of a patient, and everybody who is related to them."""
    home, work = _patient_phones(reading, patient)
    people, guarantors = _people(reading, patient)
    return ContactFacts(home, work, people, guarantors, _interpreter(patient.resource))


def _patient_phones(reading: Reading, patient: Entry) -> tuple[Known[tuple[Telephone, ...]], Known[tuple[Telephone, ...]]]:
    """Give the numbers at work (PID-14) and all others (PID-13): a bundle without one of the two says nothing about it."""
    if erased(patient.resource, "telecom"):
        return ERASED, ERASED
    found = _telephones(reading, patient.resource, f"{patient.path}.telecom", Owner.PATIENT)
    home = tuple(phone for phone in found if phone.use is not TelephoneUse.WORK)
    work = tuple(phone for phone in found if phone.use is TelephoneUse.WORK)
    return home or None, work or None


def _people(reading: Reading, patient: Entry) -> tuple[Known[tuple[ContactPerson, ...]], Known[tuple[ContactPerson, ...]]]:
    """Read Patient.contact and the RelatedPerson entries; one that both name is one. A related person who is not active counts not."""
    resource = patient.resource
    guarantor_entries = _guarantors(reading)
    related = [entry for entry in reading.of_patient("RelatedPerson", "patient", patient) if entry.resource.get("active") is not False]
    listed = [_person(reading, one, f"{patient.path}.contact[{at}]") for at, one in enumerate(objects(resource.get("contact")))]
    listed += [_related(reading, entry, guarantor_entries) for entry in related]
    kept = [person for person in listed if not person.says_nothing]
    if len(kept) > PEOPLE_MAX:
        sentence = f"More than {PEOPLE_MAX} contact persons were sent; the rest was left out."
        reading.note(ProblemCode.DATA_TYPE, f"{patient.path}.contact", sentence)
    others = [person for person in kept[:PEOPLE_MAX] if not person.is_patient]
    people = joined(person for person in others if not person.guarantor)
    guarantors = joined(person for person in others if person.guarantor)
    is_erased = erased(resource, "contact") or any(person.is_patient and not person.guarantor for person in kept)
    only_self = any(person.is_patient and person.guarantor for person in kept)
    return people or (ERASED if is_erased else None), guarantors or (ERASED if only_self else None)


def _guarantors(reading: Reading) -> frozenset[int]:
    """Find the entries that an Account of the bundle names as its guarantor."""
    parties = (
        reading.bundle.find(guarantor.get("party"), account.resource)
        for account in reading.bundle.of_type("Account")
        for guarantor in objects(account.resource.get("guarantor"))
        if guarantor.get("onHold") is not True
    )
    return frozenset(entry.index for entry in parties if entry is not None)


def _related(reading: Reading, entry: Entry, guarantor_entries: frozenset[int]) -> ContactPerson:
    return _person(reading, entry.resource, entry.path, is_guarantor=entry.index in guarantor_entries)


def _person(reading: Reading, said: Json, path: str, *, is_guarantor: bool = False) -> ContactPerson:
    """Read a contact of a Patient or a RelatedPerson: they differ in how often a name and an address may stand."""
    relation, relation_text, roles, calls_guarantor = _relationship(said)
    last, first, middle, whole = _name(said)
    street, city, state, zip_code = _address(said)
    period = member(said, "period")
    languages = objects(said.get("communication"))
    spoken = next((one for one in languages if one.get("preferred") is True), languages[0] if languages else None)
    return ContactPerson(
        first_name=first,
        middle_name=middle,
        last_name=last,
        name=whole,
        organization=_short(reading.name_of(said.get("organization"), said)),
        relation=relation,
        relation_text=relation_text,
        roles=roles,
        guarantor=is_guarantor or calls_guarantor,
        address=street,
        city=city,
        state=state,
        zip=zip_code,
        language=_short(code_or_words(member(spoken, "language"))),
        starts_on=_day(member(period, "start")),
        ends_on=_day(member(period, "end")),
        phones=_telephones(reading, said, f"{path}.telecom", Owner.PERSON),
    )


def _relationship(said: Json) -> tuple[str, str, tuple[str, ...], bool]:
    """Tell roles (table 0131) from the relation (table 0063, v3 RoleCode): FHIR writes both in one list.

    The codes of the two overlap by their letters only, so the system decides; without one, a single letter is a role.
    """
    relation, relation_text, is_guarantor = "", "", False
    roles: list[str] = []
    for concept in objects(said.get("relationship")):
        codings = objects(concept.get("coding"))
        words = _short(text(concept.get("text")))
        for coding in codings or [{}]:
            code, display, system = _short(text(coding.get("code"))), _short(text(coding.get("display"))), text(coding.get("system"))
            if code.upper() in _GUARANTOR_CODES:
                is_guarantor = True
            elif system.endswith(_ROLE_SYSTEM) or (not system and len(code) == 1):
                roles.append(role_code(code, display))
            elif code or display or words:
                found = relation_code(code, words or display)
                # Of several codings of one concept, the one that the table knows.
                if not relation or (relation not in RELATIONS and found in RELATIONS):
                    relation, relation_text = found, words or display
    return relation, relation_text, tuple(dict.fromkeys(roles)), is_guarantor


def _short(value: str) -> str:
    return value if len(value) <= TEXT_CHARACTERS_MAX else ""


def _chosen(said: object, uses: Iterable[str]) -> Json | None:
    current = [one for one in objects(said) if text(one.get("use")) != OLD]
    return next((one for use in uses for one in current if text(one.get("use")) == use), current[0] if current else None)


def _name(said: Json) -> tuple[str, str, str, str]:
    """Read a HumanName: its parts, and the whole only where there are none."""
    name = _chosen(said.get("name"), _NAME_USES)
    if name is None:
        return "", "", "", ""
    given = texts(name.get("given"))
    last, first, middle = _short(text(name.get("family"))), _short(given[0] if given else ""), _short(" ".join(given[1:]))
    return last, first, middle, "" if last or first else _short(text(name.get("text")))


def _address(said: Json) -> tuple[str, str, str, str]:
    chosen = _chosen(said.get("address"), ("home", ""))
    parts = (", ".join(texts(member(chosen, "line"))), *(text(member(chosen, name)) for name in ("city", "state", "postalCode")))
    street, city, state, zip_code = map(_short, parts)
    return street, city, state, zip_code


def _day(moment: object) -> str:
    day = read_date(text(moment)[:10])
    return day.isoformat() if day is not None else ""


def _telephones(reading: Reading, said: Json, path: str, owner: Owner) -> tuple[Telephone, ...]:
    phones = each_once(_telephone(one, owner) for one in objects(said.get("telecom")) if _is_current(one))
    if len(phones) > PHONES_MAX:
        reading.note(ProblemCode.DATA_TYPE, path, f"More than {PHONES_MAX} numbers were sent; the rest was left out.")
    return phones[:PHONES_MAX]


def _is_current(said: Json) -> bool:
    value = text(said.get("value"))
    return text(said.get("use")) != OLD and 0 < len(value) <= TEXT_CHARACTERS_MAX


def _telephone(said: Json, owner: Owner) -> Telephone:
    system = text(said.get("system"))
    return Telephone(
        text(said.get("value")),
        kind=_KINDS.get(system, TelephoneKind.OTHER) if system else TelephoneKind.PHONE,
        use=_USES.get(text(said.get("use")), TelephoneUse.NONE),
        owner=owner,
    )


def _interpreter(patient: Json) -> Known[bool]:
    """Read whether an interpreter is needed: US Core's extension (a coding), else that of FHIR R4 (a boolean)."""
    for extension in objects(patient.get("extension")):
        if extension.get("url") in INTERPRETER_EXTENSIONS:
            said = extension.get("valueBoolean")
            if isinstance(said, bool):
                return said
            code = text(member(extension, "valueCoding", "code")) or code_or_words(extension.get("valueCodeableConcept"))
            if code in YES_CODES or code in NO_CODES:
                return code in YES_CODES
    return None
