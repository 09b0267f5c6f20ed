"""NK1, GT1, PID-13 and PID-14 as contact persons and telephones (ADT-3). Pure; doubts become warnings.

A message that has NK1 states them all, and one that has GT1 all guarantors (snapshot mode); within a segment, an absent part and one of
two double quotes are alike, because nothing of an earlier set is left. Not here: who of them decides for the patient
(domain/contact_person), PID otherwise (`people`).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from adapters.hl7v2.codes import HOME_ADDRESSES, LEGAL_NAME
from adapters.hl7v2.er7 import Segment, is_segment
from adapters.hl7v2.reading import NULL, Reading
from adapters.hl7v2.timestamps import TimestampFault, parse_date
from app.domain.contact_person import ContactPerson, each_once, joined, relation_code, role_code
from app.domain.inbound import ProblemCode
from app.domain.known import ERASED, Known
from app.domain.telephone import KIND_CODES, KINDS, NOBODYS, USE_CODES, USES, Owner, Telephone, TelephoneKind, TelephoneUse

PEOPLE_MAX: Final = 20
PHONES_MAX: Final = 10
TEXT_CHARACTERS_MAX: Final = 250
"""Our policy, of one list each: what is told of a person is told again with every notification. What is left out is noted."""

_HOME_COUNTRIES: Final = frozenset({"", "1", "01", "001", "+1"})


class ContactFacts(NamedTuple):
    """What a message says about how a patient is reached."""

    home_phones: Known[tuple[Telephone, ...]]
    work_phones: Known[tuple[Telephone, ...]]
    contact_persons: Known[tuple[ContactPerson, ...]]
    guarantors: Known[tuple[ContactPerson, ...]]


def contact_facts(reading: Reading, pid: Segment) -> ContactFacts:
    """Read the numbers of a patient, and the NK1 and GT1 that stand with the PID."""
    return ContactFacts(
        _patient_phones(reading, pid, 13, TelephoneUse.NONE),
        _patient_phones(reading, pid, 14, TelephoneUse.WORK),
        _people(reading, pid, "NK1"),
        _people(reading, pid, "GT1"),
    )


def _patient_phones(reading: Reading, pid: Segment, field: int, use: TelephoneUse) -> Known[tuple[Telephone, ...]]:
    raw = pid.raw(field)
    if not raw:
        return None
    if raw == NULL:
        return ERASED
    return _telephones(reading, pid, field, Owner.PATIENT, use) or None


def _people(reading: Reading, pid: Segment, name: str) -> Known[tuple[ContactPerson, ...]]:
    """Read the segments of a name: None without any that says something, ERASED where they only erase or name the patient again."""
    if not reading.message.count(name):
        return None
    read = _next_of_kin if name == "NK1" else _guarantor
    segments = list(_of_patient(reading, pid, name))
    people = [person for segment in segments if not (person := read(reading, segment)).says_nothing]
    if len(people) > PEOPLE_MAX:
        reading.note(ProblemCode.DATA_TYPE, f"{name}^{PEOPLE_MAX + 1}", f"More than {PEOPLE_MAX} {name} were sent; the rest was left out.")
    found = tuple(person for person in people[:PEOPLE_MAX] if not person.is_patient)
    if found:
        return joined(found)
    return ERASED if people or any(NULL in segment.line for segment in segments) else None


def _of_patient(reading: Reading, pid: Segment, name: str) -> Iterator[Segment]:
    """Give the segments that are this patient's: in a message about several, those between its PID and the next."""
    if reading.message.count("PID") <= 1:
        yield from reading.message.all(name)
        return
    whose = sequence = 0
    # By the beginning of the lines: a message about a hundred patients is walked through a hundred times.
    for line in reading.message.lines:
        if line.startswith("PID") and is_segment(line, pid.delimiters):
            whose += 1
        elif line.startswith(name) and is_segment(line, pid.delimiters):
            sequence += 1
            if whose == pid.sequence:
                yield Segment(line, sequence, pid.delimiters)


def _next_of_kin(reading: Reading, nk1: Segment) -> ContactPerson:
    """NK1: the person of NK1-2; where only an organization is named (NK1-13), the person there (NK1-30, -31, -32)."""
    named = _name(reading, nk1, 2)
    there = _name(reading, nk1, 30)
    organization = _text(reading, nk1, 13)
    is_through = not any(named) and any((*there, organization))
    relation, relation_text = _coded(reading, nk1, 3)
    role, role_text = _coded(reading, nk1, 7)
    through_name = " ".join(filter(None, (there[1], there[2], there[0])))
    phones = (
        *_telephones(reading, nk1, 5, Owner.PERSON, TelephoneUse.NONE),
        *_telephones(reading, nk1, 6, Owner.PERSON, TelephoneUse.WORK),
        *_telephones(reading, nk1, 31, Owner.PERSON, TelephoneUse.NONE, "" if is_through else through_name),
    )
    last, first, middle = there if is_through else named
    street, city, state, zip_code = _address(reading, nk1, 4)
    if not any((street, city, state, zip_code)):
        street, city, state, zip_code = _address(reading, nk1, 32)
    return ContactPerson(
        first_name=first,
        middle_name=middle,
        last_name=last,
        organization=organization,
        relation=relation_code(relation, relation_text),
        relation_text=relation_text,
        roles=(role_code(role, role_text),) if role or role_text else (),
        address=street,
        city=city,
        state=state,
        zip=zip_code,
        language=_text(reading, nk1, 20),
        starts_on=_day(reading, nk1, 8),
        ends_on=_day(reading, nk1, 9),
        phones=each_once(phones),
    )


def _guarantor(reading: Reading, gt1: Segment) -> ContactPerson:
    last, first, middle = _name(reading, gt1, 3)
    organization = _text(reading, gt1, 21)
    if not (last or first or organization):
        # A guarantor without a name is nobody: account systems send the segment half filled.
        return ContactPerson()
    relation, relation_text = _coded(reading, gt1, 11)
    code = relation_code(relation, relation_text)
    patient = ContactPerson(relation=code)
    if patient.is_patient:
        # The patient again, as in most of them: of PID we know more.
        return patient
    street, city, state, zip_code = _address(reading, gt1, 5)
    phones = (
        *_telephones(reading, gt1, 6, Owner.PERSON, TelephoneUse.NONE),
        *_telephones(reading, gt1, 7, Owner.PERSON, TelephoneUse.WORK),
    )
    return ContactPerson(
        first_name=first,
        middle_name=middle,
        last_name=last,
        organization=organization,
        relation=code,
        relation_text=relation_text,
        guarantor=True,
        address=street,
        city=city,
        state=state,
        zip=zip_code,
        phones=each_once(phones),
    )


def _parts(segment: Segment, repetition: str, least: int) -> list[str]:
    return [*repetition.split(segment.delimiters.component), *[""] * least]


def _short(reading: Reading, segment: Segment, field: int, raw: str) -> str:
    # As `Reading.stated`, which every part of every name and number would call.
    if not raw or raw == NULL:
        return ""
    text = reading.plain(raw) if reading.escape in raw else raw.strip()
    if len(text) > TEXT_CHARACTERS_MAX:
        reading.note(ProblemCode.DATA_TYPE, segment.location(field), f"Longer than {TEXT_CHARACTERS_MAX} characters; it was left out.")
        return ""
    return text


def _text(reading: Reading, segment: Segment, field: int) -> str:
    """Give the first component (its first subcomponent) of a field."""
    raw = segment.first(field)
    if not raw:
        return ""
    component = raw.split(segment.delimiters.component, 1)[0]
    return _short(reading, segment, field, component.split(segment.delimiters.subcomponent, 1)[0])


def _coded(reading: Reading, segment: Segment, field: int) -> tuple[str, str]:
    """Give code and text of a CE or CWE; a text alone is written in either place."""
    raw = segment.first(field)
    if not raw:
        return "", ""
    parts = _parts(segment, raw, 2)
    return _short(reading, segment, field, parts[0]), _short(reading, segment, field, parts[1])


def _day(reading: Reading, segment: Segment, field: int) -> str:
    raw = segment.first(field).split(segment.delimiters.component, 1)[0].strip()
    if not raw or raw == NULL:
        return ""
    day = parse_date(raw)
    if isinstance(day, TimestampFault):
        reading.note(ProblemCode.DATA_TYPE, segment.location(field), day.text)
        return ""
    return day.isoformat()


def _name(reading: Reading, segment: Segment, field: int) -> tuple[str, str, str]:
    """Read an XPN: the legal name, else the first."""
    repetitions = segment.repetitions(field)
    if not repetitions:
        return "", "", ""
    names = [_parts(segment, repetition, 7) for repetition in repetitions]
    parts = next((name for name in names if name[6] == LEGAL_NAME), names[0])
    last = parts[0].split(segment.delimiters.subcomponent, 1)[0]
    return _short(reading, segment, field, last), _short(reading, segment, field, parts[1]), _short(reading, segment, field, parts[2])


def _address(reading: Reading, segment: Segment, field: int) -> tuple[str, str, str, str]:
    """Read an XAD: the home address, else the first."""
    repetitions = segment.repetitions(field)
    if not repetitions:
        return "", "", "", ""
    found = [_parts(segment, repetition, 7) for repetition in repetitions]
    chosen = next((parts for use in HOME_ADDRESSES for parts in found if parts[6] == use), found[0])
    separator = segment.delimiters.subcomponent
    street, other, city, state, zip_code = [
        _short(reading, segment, field, part.split(separator, 1)[0]) if part else "" for part in chosen[:5]
    ]
    return f"{street}, {other}" if street and other else street or other, city, state, zip_code


def _telephones(
    reading: Reading, segment: Segment, field: int, owner: Owner, use: TelephoneUse, owner_name: str = ""
) -> tuple[Telephone, ...]:
    """Read every repetition of an XTN; `use` is what the field itself says."""
    if not segment.raw(field):
        return ()
    component = segment.delimiters.component
    found: list[_Xtn] = []
    for repetition in segment.repetitions(field):
        if repetition:
            _add_xtn(found, [_short(reading, segment, field, part) if part else "" for part in repetition.split(component)[:12]], use)
        if len(found) > PHONES_MAX:
            text = f"More than {PHONES_MAX} numbers were sent; the rest was left out."
            reading.note(ProblemCode.DATA_TYPE, segment.location(field), text)
            break
    return each_once(phone.telephone(owner, owner_name) for phone in found[:PHONES_MAX])


class _Xtn(NamedTuple):
    """What an XTN says, before it is known whose it is."""

    number: str
    kind: TelephoneKind
    use: TelephoneUse
    extension: str = ""
    code: str = ""
    note: str = ""

    def telephone(self, owner: Owner, owner_name: str) -> Telephone:
        """Say whose it is: of an answering service or an emergency number, a list of the patient's own does not say that."""
        if owner is Owner.PATIENT and self.code in NOBODYS:
            owner = Owner.UNKNOWN
        return Telephone(self.number, self.extension, self.kind, self.use, self.code, self.note, owner, owner_name)


def _add_xtn(found: list[_Xtn], sent: list[str], default: TelephoneUse) -> None:
    """Add what one XTN says: XTN-1, else XTN-12, else country, area and local number (XTN-5 to -7); and the address of XTN-4."""
    if len(sent) == 1:
        # Nearly every number of older feeds.
        if "@" in sent[0] or any(map(str.isdigit, sent[0])):
            kind = TelephoneKind.EMAIL if "@" in sent[0] else TelephoneKind.PHONE
            found.append(_Xtn(sent[0], kind, default))
        return
    parts = sent + [""] * (12 - len(sent))
    number = parts[0] or parts[11]
    if not number and (parts[5] or parts[6]):
        number = parts[5] + parts[6] if parts[4] in _HOME_COUNTRIES else f"+{parts[4].lstrip('+0')} {parts[5]}{parts[6]}"
    use_code, equipment = parts[1].upper(), parts[2].upper()
    kind = KINDS.get(equipment) or KINDS.get(use_code) or TelephoneKind.PHONE
    use = TelephoneUse.MOBILE if equipment == "CP" else USES.get(use_code) or (default if use_code not in USE_CODES else TelephoneUse.NONE)
    code = use_code if use_code in USE_CODES else equipment if equipment in KIND_CODES else ""
    address = parts[3]
    if "@" in number:
        kind = TelephoneKind.EMAIL
    elif number and kind is TelephoneKind.EMAIL and address:
        # Both in one repetition, marked as the address: the other is a telephone.
        kind = TelephoneKind.PHONE
    # A code of another field that slipped into this one is no number.
    if "@" in number or any(map(str.isdigit, number)):
        found.append(_Xtn(number, kind, use, parts[7], code, parts[8]))
    if address and address != number:
        where = use if use in (TelephoneUse.HOME, TelephoneUse.WORK) else default
        found.append(_Xtn(address, TelephoneKind.EMAIL if "@" in address else TelephoneKind.OTHER, where))
