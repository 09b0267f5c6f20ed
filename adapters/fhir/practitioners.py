"""Practitioners of an Encounter and of its Patient: who attends, and whose organizations may have to be told. Pure.

A participant is read as the place at which an HL7 v2 message would name it, so that both formats say the same. Not here: for whom a
practitioner works (the registry), and whether that decides anything (domain/named_provider).
"""

from collections.abc import Iterator
from typing import Final

from adapters.fhir.bundle import Entry
from adapters.fhir.codes import NPI
from adapters.fhir.reading import Reading, has_type
from adapters.fhir.values import Json, code, erased, member, objects, text, texts
from app.domain.adt_event import NamedAt, Practitioner
from app.domain.known import ERASED, Known

_PLACES: Final = {"ATND": "PV1-7", "REF": "PV1-8", "CON": "PV1-9", "ADM": "PV1-17", "PPRF": "ROL-PP"}
"""v3 ParticipationType -> where HL7 v2 names the same; a participant of another type is named at PV1-52."""
_OTHER: Final = "PV1-52"
_GENERAL: Final = "PD1-4"


def attending(reading: Reading, encounter: Entry) -> Known[Practitioner]:
    """Read the participant of type ATND, else the first without a type."""
    if erased(encounter.resource, "participant"):
        return ERASED
    chosen = _attending(encounter)
    if chosen is None:
        return None
    found, shown = _behind(reading, chosen.get("individual"), encounter)
    if found is None or found.type != "Practitioner":
        return Practitioner(family=shown) if shown else None
    names = objects(found.resource.get("name"))
    family, given = (text(names[0].get("family")), " ".join(texts(names[0].get("given"))[:1])) if names else ("", "")
    return Practitioner(next(iter(_numbers(found)), ""), family, given, _npi(found))


def named_practitioners(reading: Reading, encounter: Entry, patient: Entry) -> tuple[NamedAt, ...]:
    """Give, by place, the NPIs that the message names; a place where nobody has one names none."""
    named: dict[str, list[str]] = {}
    for place, npi in _named(reading, encounter, patient):
        held = named.setdefault(place, [])
        if npi and npi not in held:
            held.append(npi)
    return tuple(NamedAt(place, tuple(npis)) for place, npis in named.items())


def _named(reading: Reading, encounter: Entry, patient: Entry) -> Iterator[tuple[str, str]]:
    for reference in objects(patient.resource.get("generalPractitioner")):
        yield _GENERAL, _npi(_behind(reading, reference, patient)[0])
    if erased(encounter.resource, "participant"):
        yield "PV1-7", ""
    attends = _attending(encounter)
    for one in objects(encounter.resource.get("participant")):
        kinds = [code(kind).upper() for kind in objects(one.get("type"))] or ["ATND" if one is attends else ""]
        npi = _npi(_behind(reading, one.get("individual"), encounter)[0])
        for kind in kinds:
            yield _PLACES.get(kind, _OTHER), npi


def _attending(encounter: Entry) -> Json | None:
    said = objects(encounter.resource.get("participant"))
    typed = (one for one in said if any(code(kind).upper() == "ATND" for kind in objects(one.get("type"))))
    return next(typed, None) or next((one for one in said if not one.get("type")), None)


def _behind(reading: Reading, reference: object, where: Entry) -> tuple[Entry | None, str]:
    """Find what a reference names, through a PractitionerRole, and how the last reference calls it."""
    found = reading.bundle.find(reference, where.resource)
    if found is not None and found.type == "PractitionerRole":
        reference = found.resource.get("practitioner")
        found = reading.bundle.find(reference, found.resource)
    return found, text(member(reference, "display"))


def _npi(found: Entry | None) -> str:
    numbers = objects(found.resource.get("identifier")) if found is not None else []
    return next((text(one.get("value")) for one in numbers if text(one.get("system")) == NPI or has_type(one, "NPI")), "")


def _numbers(entry: Entry) -> list[str]:
    return [value for one in objects(entry.resource.get("identifier")) if (value := text(one.get("value")))]
