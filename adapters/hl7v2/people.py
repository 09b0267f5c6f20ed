"""PID and MRG as identifiers and facts about a person (HL7-6, ADT-2, ADT-3). Pure; doubts become warnings.

Not here: whose record it is (domain/matching), which segments have to be there (`acceptance`).
"""

from datetime import date
from typing import Final

from adapters.hl7v2.codes import BAD_ADDRESS, FORMER_NAMES, HOME_ADDRESSES, LEGAL_NAME, NOT_VOICE, PERSON_LEVEL_SUBSTITUTE
from adapters.hl7v2.contact_persons import contact_facts
from adapters.hl7v2.er7 import Segment
from adapters.hl7v2.reading import NULL, Reading
from adapters.hl7v2.timestamps import TimestampFault, parse_date
from app.domain.adt_event import NOT_A_PERSON_TYPES, Identifier, IdentifierType, PersonFacts
from app.domain.features import ssn4_of
from app.domain.inbound import ProblemCode
from app.domain.known import ERASED, Erasure, Known
from app.domain.shared_identifier import SOCIAL_SECURITY
from app.domain.social_security import names_somebody

IDENTIFIER_OCTETS_MAX: Final = 255
"""Of the number, the authority and the type each, in UTF-8: the standard's longest (HD) has 227 characters. What is longer is damage,
and never cut, because two numbers that begin alike are two."""
_LOCAL_NUMBERS: Final = (("patient_number", IdentifierType.MEDICAL_RECORD), ("medicaid_id", IdentifierType.MEDICAID))


def authority(reading: Reading, raw: str) -> str:
    """Name an assigning authority (HD): by the feed's map, else its namespace, else its universal id, else the feed's own."""
    mapped = reading.feed.profile.authority_map
    separator = reading.message.delimiters.subcomponent
    if not mapped and separator not in raw:
        return (reading.stated(raw) or reading.feed.assigning_authority).upper()
    parts = [reading.stated(part) for part in raw.split(separator)]
    if mapped:
        whole = "&".join(parts)
        for sent in (whole, *parts[:2]):
            if sent and sent.upper() in mapped:
                return mapped[sent.upper()].upper()
    named = next((part for part in parts[:2] if part), reading.feed.assigning_authority)
    return named.upper()


def identifier(reading: Reading, segment: Segment, field: int, raw: str, type_code: str = "") -> Identifier | None:
    """Read one CX of a field; None where it has no number. `type_code` overrides CX-5 for fields that say by their place what they are."""
    parts = raw.split(reading.message.delimiters.component)
    value = reading.stated(parts[0].split(reading.message.delimiters.subcomponent, 1)[0])
    if not value:
        return None
    kind = type_code or (reading.stated(parts[4]).upper() if len(parts) > 4 else "")  # noqa: PLR2004 -- CX-5
    found = Identifier(authority(reading, parts[3] if len(parts) > 3 else ""), kind, value)  # noqa: PLR2004 -- CX-4
    if len(raw) > IDENTIFIER_OCTETS_MAX // 4 and max(len(part.encode()) for part in (value, found.authority, kind)) > IDENTIFIER_OCTETS_MAX:
        text = f"An identifier, its authority or its type is longer than {IDENTIFIER_OCTETS_MAX} octets; it was left out."
        reading.note(ProblemCode.DATA_TYPE, segment.location(field), text)
        return None
    return found


def identifiers(reading: Reading, segment: Segment, field: int) -> tuple[Identifier, ...]:
    """Read every person-level identifier of a repeating CX field, in order, each once."""
    found: dict[Identifier, None] = {}
    for raw in segment.repetitions(field):
        one = identifier(reading, segment, field, raw)
        if one is not None and one.type not in NOT_A_PERSON_TYPES:
            found[one] = None
    return tuple(found)


def patient_identifiers(reading: Reading, pid: Segment) -> tuple[Identifier, ...]:
    """Read PID-3; where it is empty, PID-2, in which senders before 2.3 carried the same number."""
    found = identifiers(reading, pid, 3)
    if SOCIAL_SECURITY in pid.raw(3):
        found = _without_social_security(found)
    if found or pid.raw(3).strip() not in {"", NULL}:
        return found
    return identifiers(reading, pid, PERSON_LEVEL_SUBSTITUTE)


def _without_social_security(found: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    """Leave out social security numbers, whose last four digits are among the facts; where there is nothing else, one names the record.

    It is a name for the time of reading only (`app.domain.social_security`).
    """
    return tuple(one for one in found if one.type != SOCIAL_SECURITY) or tuple(one for one in found if names_somebody(one.value))[:1]


def local_identifiers(reading: Reading) -> tuple[Identifier, ...]:
    """Read the person's numbers that the sender has in segments of its own: the patient number and the Medicaid number."""
    places = reading.feed.profile.local_reads
    found = [(kind, reading.at(places[name])) for name, kind in _LOCAL_NUMBERS if name in places] if places else []
    authority_name = reading.feed.assigning_authority.upper()
    return tuple(
        Identifier(authority_name, kind, said)
        for kind, said in found
        if isinstance(said, str) and len(said.encode()) <= IDENTIFIER_OCTETS_MAX
    )


def prior_identifiers(reading: Reading, mrg: Segment) -> tuple[Identifier, ...]:
    """Read the ids that a merge retires: MRG-1, and MRG-4 where senders up to 2.3 put the internal id."""
    return _without_social_security(tuple(dict.fromkeys([*identifiers(reading, mrg, 1), *identifiers(reading, mrg, 4)])))


def person_facts(reading: Reading, pid: Segment) -> PersonFacts:
    """Read what PID, and the NK1 and GT1 beside it, say about the person."""
    last, first, middle, suffix = _name(reading, pid)
    street, city, state, zip_code = _address(reading, pid)
    died = reading.time(pid, 29)
    died_at = died if died is None or isinstance(died, Erasure) else died.at
    reached = contact_facts(reading, pid)
    return PersonFacts(
        first_name=first,
        middle_name=middle,
        last_name=last,
        birth_date=_birth_date(reading, pid),
        sex=reading.part(pid, 8),
        phone=_phone(reading, pid),
        address=street,
        city=city,
        state=state,
        zip=zip_code,
        race=_codes(reading, pid, 10),
        ethnicity=_codes(reading, pid, 22),
        language=reading.part(pid, 15),
        died_at=died_at,
        deceased=_deceased(reading, pid, has_died=died_at is not None and not isinstance(died_at, Erasure)),
        home_phones=reached.home_phones,
        work_phones=reached.work_phones,
        contact_persons=reached.contact_persons,
        guarantors=reached.guarantors,
        ssn4=_ssn4(reading, pid),
        suffix=suffix,
        former_last_name=_former_last_name(reading, pid),
        birth_order=reading.part(pid, 25),
    )


def _ssn4(reading: Reading, pid: Segment) -> Known[str]:
    """PID-19, or a number of that type in PID-3: the last four digits of it. What only stands in for a number says nothing."""
    raw = pid.raw(19)
    if raw == NULL:
        return ERASED
    if raw:
        return ssn4_of(reading.stated(raw.split(pid.delimiters.component, 1)[0])) or None
    if SOCIAL_SECURITY not in pid.raw(3):
        return None
    said = (one.value for one in identifiers(reading, pid, 3) if one.type == SOCIAL_SECURITY)
    return next((four for value in said if (four := ssn4_of(value))), None)


def _name(reading: Reading, pid: Segment) -> tuple[Known[str], Known[str], Known[str], Known[str]]:
    """PID-5 (XPN): the legal name, else the first, with its suffix. A part that is left out says nothing; "" erases it."""
    raw = pid.raw(5)
    if raw == NULL:
        return ERASED, ERASED, ERASED, ERASED
    delimiters = pid.delimiters
    names = [[*repetition.split(delimiters.component), *[""] * 7] for repetition in raw.split(delimiters.repetition)]
    parts = next((name for name in names if name[6] == LEGAL_NAME), names[0])
    # The surname may carry subcomponents (FN): own surname with prefix first.
    last = reading.known(parts[0].split(delimiters.subcomponent, 1)[0])
    return last, reading.known(parts[1]), reading.known(parts[2]), reading.known(parts[3])


def _former_last_name(reading: Reading, pid: Segment) -> Known[str]:
    """PID-5, another name than the legal one, else PID-9 (alias, to 2.3): by what others may still call them."""
    delimiters = pid.delimiters
    if delimiters.repetition in pid.raw(5):
        by_use: dict[str, str] = {}
        for repetition in pid.repetitions(5):
            parts = [*repetition.split(delimiters.component), *[""] * 7]
            by_use.setdefault(reading.stated(parts[6]).upper(), parts[0])
        for use in FORMER_NAMES:
            if former := reading.stated(by_use.get(use, "").split(delimiters.subcomponent, 1)[0]):
                return former
    return reading.part(pid, 9)


def _address(reading: Reading, pid: Segment) -> tuple[Known[str], Known[str], Known[str], Known[str]]:
    """PID-11 (XAD): the home address, else another that is not marked bad. An address is replaced as a whole: half an old one is wrong."""
    raw = pid.raw(11)
    if not raw:
        return None, None, None, None
    if raw == NULL:
        return ERASED, ERASED, ERASED, ERASED
    delimiters = pid.delimiters
    by_use: dict[str, list[str]] = {}
    for repetition in raw.split(delimiters.repetition):
        parts = [*repetition.split(delimiters.component), *[""] * 7]
        by_use.setdefault(reading.stated(parts[6]).upper(), parts)
    by_use.pop(BAD_ADDRESS, None)
    chosen = next((by_use[use] for use in HOME_ADDRESSES if use in by_use), next(iter(by_use.values()), None))
    if chosen is None or not any(map(reading.stated, chosen[:5])):
        return None, None, None, None
    street, city, state, zip_code = (reading.stated(chosen[at].split(delimiters.subcomponent, 1)[0]) for at in (0, 2, 3, 4))
    other = reading.stated(chosen[1])
    street = f"{street}, {other}" if street and other else street or other
    return street or ERASED, city or ERASED, state or ERASED, zip_code or ERASED


def _phone(reading: Reading, pid: Segment) -> Known[str]:
    """PID-13 (XTN): the first that a person answers; XTN-1, else XTN-12, else area code and number."""
    raw = pid.raw(13)
    if not raw:
        return None
    if raw == NULL:
        return ERASED
    for repetition in raw.split(pid.delimiters.repetition):
        parts = [reading.stated(part) if part else "" for part in repetition.split(pid.delimiters.component)] + [""] * 12
        if parts[1].upper() in NOT_VOICE or parts[2].upper() in NOT_VOICE or "@" in parts[0]:
            continue
        number = parts[0] or parts[11] or (parts[5] + parts[6])
        if number:
            return number
    return None


def _codes(reading: Reading, pid: Segment, field: int) -> Known[str]:
    """Read a repeating coded field: the codes (else the texts) of all repetitions, joined by ~ as they were sent."""
    raw = pid.raw(field)
    if not raw:
        return None
    if raw == NULL:
        return ERASED
    codes = []
    for repetition in raw.split(pid.delimiters.repetition):
        parts = repetition.split(pid.delimiters.component, 2)
        codes.append(reading.stated(parts[0]) or (reading.stated(parts[1]) if len(parts) > 1 else ""))
    return "~".join(code for code in codes if code) or None


def _birth_date(reading: Reading, pid: Segment) -> Known[date]:
    """PID-7: a date, whatever time part or zone is written behind it (HL7-5)."""
    raw = pid.first(7).split(pid.delimiters.component, 1)[0].strip()
    if not raw:
        return None
    if raw == NULL:
        return ERASED
    born = parse_date(raw)
    if isinstance(born, TimestampFault):
        reading.note(ProblemCode.DATA_TYPE, pid.location(7), born.text)
        return None
    return born


def _deceased(reading: Reading, pid: Segment, *, has_died: bool) -> Known[bool]:
    """PID-30 (table 0136); a date of death without it says the same."""
    value = reading.part(pid, 30)
    if isinstance(value, Erasure):
        return ERASED
    if value is None:
        return True if has_died else None
    if value.upper() in {"Y", "N"}:
        return value.upper() == "Y"
    reading.note(ProblemCode.TABLE_VALUE, pid.location(30), "Expected Y or N (table 0136).")
    return True if has_died else None
