"""Patient and Coverage as identifiers and facts about a person (HL7-6, ADT-3). Pure; doubts become warnings.

The rules of choice are those of PID, so that both formats of one message give the same facts (tests/adapters/fhir/test_twins.py).
Not here: whose record it is (domain/matching), and what has to be there (`structure`).
"""

from collections.abc import Iterator
from datetime import date, datetime

from adapters.fhir.bundle import Entry
from adapters.fhir.codes import ETHNICITY, NOT_READ_TYPES, RACE, SEX, SSN
from adapters.fhir.contact_persons import contact_facts
from adapters.fhir.reading import OLD, Reading, has_type
from adapters.fhir.structure import NAME_CHARACTERS_MAX
from adapters.fhir.times import read_date, read_moment
from adapters.fhir.values import Json, code_or_words, erased, known, member, objects, text, texts
from app.domain.adt_event import NOT_A_PERSON_TYPES, Identifier, PersonFacts
from app.domain.features import ssn4_of
from app.domain.inbound import ProblemCode
from app.domain.known import ERASED, Erasure, Known
from app.domain.shared_identifier import SOCIAL_SECURITY
from app.domain.social_security import names_somebody

_RECORD_TYPES = ("MR", "PI")
_VOICE = ("phone", "sms")
_PHONE_USES = ("home", "mobile", "", "temp", "work")
_ADDRESS_USES = ("home", "", "temp", "work")
_NAME_USES = ("official", "usual", "")
_FORMER_NAME_USES = ("maiden", OLD)


def patient_identifiers(reading: Reading, patient: Entry) -> tuple[Identifier, ...]:
    """Read who it is: the record number first (MR, else PI), then every other person-level number, then those of the coverages."""
    said = [one for one in objects(patient.resource.get("identifier")) if not _is_not_read(one)]
    ordered = sorted(said, key=_rank)
    found = [reading.identifier(one) for one in ordered] + list(_member_numbers(reading, patient))
    named = tuple(dict.fromkeys(one for one in found if one is not None and one.type not in NOT_A_PERSON_TYPES))
    return named or _social_security_number(reading, patient)


def _social_security_number(reading: Reading, patient: Entry) -> tuple[Identifier, ...]:
    """Where nothing else names the record, the whole number does, for the time of reading only (`app.domain.social_security`)."""
    for said in _ssns(patient):
        if names_somebody(text(said.get("value"))) and (one := reading.identifier(said, SOCIAL_SECURITY)) is not None:
            return (one,)
    return ()


def _ssns(patient: Entry) -> list[Json]:
    """Give the identifiers that are social security numbers and were not retired."""
    return [
        one
        for one in objects(patient.resource.get("identifier"))
        if (text(one.get("system")) in SSN or has_type(one, SOCIAL_SECURITY)) and text(one.get("use")) != OLD
    ]


def _rank(said: Json) -> int:
    return next((place for place, kind in enumerate(_RECORD_TYPES) if has_type(said, kind)), len(_RECORD_TYPES))


def _is_not_read(said: Json) -> bool:
    return text(said.get("system")) in SSN or has_type(said, *NOT_READ_TYPES)


def _member_numbers(reading: Reading, patient: Entry) -> Iterator[Identifier | None]:
    """Read the numbers that active coverages of the patient give; the subscriber's number only where the patient is the subscriber."""
    for coverage in reading.of_patient("Coverage", "beneficiary", patient):
        resource = coverage.resource
        if text(resource.get("status")) != "active":
            continue
        payor = next((name for one in objects(resource.get("payor")) if (name := reading.name_of(one, resource))), "")
        for said in objects(resource.get("identifier")):
            if text(said.get("system")) and has_type(said, "MB", "MA", "MC"):
                yield reading.identifier(said)
        subscriber = text(resource.get("subscriberId"))
        if subscriber and 0 < len(payor) <= NAME_CHARACTERS_MAX and code_or_words(resource.get("relationship")).lower() == "self":
            yield Identifier(reading.authority(payor), "MB", subscriber)


def person_facts(reading: Reading, patient: Entry) -> PersonFacts:
    """Read what the Patient, and whoever is related to them, says about the person."""
    resource = patient.resource
    last, first, middle, suffix = _name(resource)
    street, city, state, zip_code = _address(resource)
    died_at = _died_at(reading, patient)
    reached = contact_facts(reading, patient)
    return PersonFacts(
        first_name=first,
        middle_name=middle,
        last_name=last,
        birth_date=_birth_date(reading, patient),
        sex=_sex(resource),
        phone=_phone(resource),
        address=street,
        city=city,
        state=state,
        zip=zip_code,
        race=_omb(resource, RACE),
        ethnicity=_omb(resource, ETHNICITY),
        language=_language(resource),
        died_at=died_at,
        deceased=_deceased(resource, has_died=isinstance(died_at, datetime)),
        home_phones=reached.home_phones,
        work_phones=reached.work_phones,
        contact_persons=reached.contact_persons,
        guarantors=reached.guarantors,
        interpreter=reached.interpreter,
        # What only stands in for a number says nothing.
        ssn4=next((four for said in _ssns(patient) if (four := ssn4_of(text(said.get("value"))))), None),
        suffix=suffix,
        former_last_name=_former_last_name(resource),
        birth_order=str(order) if isinstance(order := resource.get("multipleBirthInteger"), int) else None,
    )


def _chosen(said: list[Json], uses: tuple[str, ...]) -> Json | None:
    """Take the first of the best use; one that is old only serves nobody."""
    current = [one for one in said if text(one.get("use")) != OLD]
    ranked = (one for use in uses for one in current if text(one.get("use")) == use)
    return next(ranked, current[0] if current else None)


def _name(resource: Json) -> tuple[Known[str], Known[str], Known[str], Known[str]]:
    """Read the official name, else the usual one, else the first, with its suffix. A part that is left out says nothing."""
    if erased(resource, "name"):
        return ERASED, ERASED, ERASED, ERASED
    name = _chosen(objects(resource.get("name")), _NAME_USES)
    if name is None:
        return None, None, None, None
    given = texts(name.get("given"))
    return known(name, "family"), given[0] if given else None, " ".join(given[1:]) or None, " ".join(texts(name.get("suffix"))) or None


def _former_last_name(resource: Json) -> Known[str]:
    """Read the maiden name, else one that is old: by what others may still call them."""
    names = objects(resource.get("name"))
    former = (text(one.get("family")) for use in _FORMER_NAME_USES for one in names if text(one.get("use")) == use)
    return next(filter(None, former), None)


def _address(resource: Json) -> tuple[Known[str], Known[str], Known[str], Known[str]]:
    """Read the home address, else another. It is replaced as a whole: half an old one is wrong."""
    if erased(resource, "address"):
        return ERASED, ERASED, ERASED, ERASED
    said = [one for one in objects(resource.get("address")) if text(one.get("use")) != "billing"]
    chosen = _chosen(said, _ADDRESS_USES)
    parts = (", ".join(texts(member(chosen, "line"))), *(text(member(chosen, name)) for name in ("city", "state", "postalCode")))
    if not any(parts):
        return None, None, None, None
    street, city, state, zip_code = (part or ERASED for part in parts)
    return street, city, state, zip_code


def _phone(resource: Json) -> Known[str]:
    """Read the telephone that reaches the person: home, else mobile, else any but work, else work."""
    if erased(resource, "telecom"):
        return ERASED
    numbers = [one for one in objects(resource.get("telecom")) if text(one.get("system")) in _VOICE and text(one.get("value"))]
    return text(member(_chosen(numbers, _PHONE_USES), "value")) or None


def _sex(resource: Json) -> Known[str]:
    said = known(resource, "gender")
    return SEX.get(said) if isinstance(said, str) else said


def _birth_date(reading: Reading, patient: Entry) -> Known[date]:
    """Read a whole date; a year or month alone is noted and left out."""
    said = known(patient.resource, "birthDate")
    if said is None or isinstance(said, Erasure):
        return said
    born = read_date(said)
    if born is None:
        reading.note(ProblemCode.DATA_TYPE, f"{patient.path}.birthDate", "Expected a whole date as YYYY-MM-DD; it was left out.")
    return born


def _died_at(reading: Reading, patient: Entry) -> Known[datetime]:
    said = known(patient.resource, "deceasedDateTime")
    if said is None or isinstance(said, Erasure):
        return said
    moment = read_moment(said, reading.zone)
    return moment.at if moment is not None else None


def _deceased(resource: Json, *, has_died: bool) -> Known[bool]:
    if has_died or text(resource.get("deceasedDateTime")):
        return True
    said = resource.get("deceasedBoolean")
    return said if isinstance(said, bool) else ERASED if erased(resource, "deceasedBoolean") else None


def _omb(resource: Json, url: str) -> Known[str]:
    """Read a US Core race or ethnicity: the OMB categories, else the detailed codes, joined by ~; else the text."""
    held = [part for one in objects(resource.get("extension")) if one.get("url") == url for part in objects(one.get("extension"))]
    for name in ("ombCategory", "detailed"):
        codes = [text(member(part, "valueCoding", "code")) for part in held if part.get("url") == name]
        if any(codes):
            return "~".join(one for one in codes if one)
    return next((text(part.get("valueString")) for part in held if part.get("url") == "text"), "") or None


def _language(resource: Json) -> Known[str]:
    if erased(resource, "communication"):
        return ERASED
    said = objects(resource.get("communication"))
    chosen = next((one for one in said if one.get("preferred") is True), said[0] if said else None)
    return code_or_words(member(chosen, "language")) or None
