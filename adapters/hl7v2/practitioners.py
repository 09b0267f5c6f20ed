"""Practitioners in XCN fields: who attends, and whose organizations may have to be told (PD1, ROL, PV1). Pure.

Not here: for whom a practitioner works (the registry), and whether that decides anything (domain/named_provider).
"""

from collections.abc import Iterator
from typing import Final

from adapters.hl7v2.codes import NPI_AUTHORITIES
from adapters.hl7v2.er7 import Segment
from adapters.hl7v2.reading import NULL, Reading
from app.domain.adt_event import NamedAt, Practitioner
from app.domain.known import ERASED, Known

_PV1_FIELDS: Final = (7, 8, 9, 17, 52)
"""Attending, referring, consulting, admitting, other."""
_DELETED: Final = "DE"
"""ROL-2, table 0287."""


def named_practitioners(reading: Reading, pv1: Segment, *, is_of_one: bool) -> tuple[NamedAt, ...]:
    """Give, by place, the NPIs that the message names; an emptied place names none. `is_of_one`: PD1 and ROL are of this patient."""
    named: dict[str, list[str]] = {}
    for place, npis in _places(reading, pv1, is_of_one=is_of_one):
        mine = named.setdefault(place, [])
        for npi in npis:
            if npi not in mine:
                mine.append(npi)
    return tuple(NamedAt(place, tuple(npis)) for place, npis in named.items())


def _places(reading: Reading, pv1: Segment, *, is_of_one: bool) -> Iterator[tuple[str, list[str]]]:
    pd1 = reading.message.first("PD1") if is_of_one else None
    if pd1 is not None and pd1.raw(4):
        yield "PD1-4", _npis(reading, pd1, 4)
    for rol in reading.message.all("ROL") if is_of_one else ():
        role = reading.stated(rol.component(3, 1)).upper()
        if role and rol.raw(4):
            yield f"ROL-{role}", [] if reading.stated(rol.component(2, 1)).upper() == _DELETED else _npis(reading, rol, 4)
    for field in _PV1_FIELDS:
        if pv1.raw(field):
            yield f"PV1-{field}", _npis(reading, pv1, field)


def _npis(reading: Reading, segment: Segment, field: int) -> list[str]:
    if segment.raw(field) == NULL:
        return []
    return [reading.stated(one[0]) for one in _people(segment, field) if _is_npi(reading, one)]


def practitioner(reading: Reading, pv1: Segment, field: int) -> Known[Practitioner]:
    """Read the first practitioner of an XCN field; the NPI from whichever repetition carries it."""
    raw = pv1.raw(field)
    if not raw:
        return None
    if raw == NULL:
        return ERASED
    delimiters, people = pv1.delimiters, _people(pv1, field)
    first = people[0]
    number, family, given = (reading.stated(first[at].split(delimiters.subcomponent, 1)[0]) for at in (0, 1, 2))
    npi = next((reading.stated(one[0]) for one in people if _is_npi(reading, one)), "")
    if not (number or family or given or npi):
        return None
    return Practitioner(identifier=number, family=family, given=given, npi=npi)


def _is_npi(reading: Reading, parts: list[str]) -> bool:
    """XCN-13 or XCN-9 says so; the shape of a number alone is no proof."""
    if parts[12] and reading.stated(parts[12]).upper() == "NPI":
        return True
    authority = parts[8].split(reading.message.delimiters.subcomponent) if parts[8] else ()
    return any(reading.stated(part).upper() in NPI_AUTHORITIES for part in authority)


def _people(segment: Segment, field: int) -> list[list[str]]:
    """Cut an XCN field into its repetitions and their components."""
    delimiters = segment.delimiters
    return [[*one.split(delimiters.component), *[""] * 13] for one in segment.raw(field).split(delimiters.repetition)]
