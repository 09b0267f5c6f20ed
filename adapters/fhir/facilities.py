"""Which facility of an aggregator a bundle comes from: the codes at the places that the feed's profile names.

A profile names fields of HL7 v2, so that one serves both formats; `FHIR_PLACES` says which element is meant. Not here: what a code
stands for (domain/feed), and messages of a feed of one facility, whose places are never looked at.
"""

from collections.abc import Iterator
from typing import Final

from adapters.fhir.bundle import Entry, MessageBundle
from adapters.fhir.codes import NPI
from adapters.fhir.stays import PARTS, chain, current_place
from adapters.fhir.structure import NAME_CHARACTERS_MAX, encounter_of
from adapters.fhir.values import Json, code, member, objects, text, texts
from app.domain.feed import FHIR_PLACES, Feed

_SPELLINGS_MAX: Final = 20
"""An organization has a handful of identifiers; each is tried as the code of a facility."""
_HEADER: Final = "MessageHeader"


def facility_codes(bundle: MessageBundle, feed: Feed) -> dict[str, tuple[str, ...]]:
    """Give the spellings at each place: identifiers, NPI first, then names, then what the reference shows. {} for what is no message."""
    if bundle.header is None:
        return {}
    return {place: _each_once(_spellings(bundle, *_element(place))) for place in feed.profile.facility_places}


def location_of(bundle: MessageBundle, place: str) -> str:
    """Give where a place of the profile is in this bundle, as FHIRPath."""
    kind, name = _element(place)
    entry = _entry(bundle, kind)
    return f"{entry.path}.{name}" if entry is not None else "Bundle.entry"


def _element(place: str) -> tuple[str, str]:
    """Give resource and element of a place; of a field that has no counterpart, names that nothing has."""
    kind, _, name = FHIR_PLACES.get(place, place).partition(".")
    return kind, name


def _entry(bundle: MessageBundle, kind: str) -> Entry | None:
    return bundle.header if kind == _HEADER else encounter_of(bundle) if kind == "Encounter" else None


def _spellings(bundle: MessageBundle, kind: str, name: str) -> Iterator[str]:
    entry = _entry(bundle, kind)
    if entry is None:
        return
    if name == "source":
        source = entry.resource.get(name)
        yield from (text(member(source, part)) for part in ("endpoint", "name"))
    elif name == "location":
        yield from _of_place(bundle, entry)
    else:
        yield from _of_organization(bundle, entry.resource.get(name), entry.resource)


def _of_place(bundle: MessageBundle, encounter: Entry) -> Iterator[str]:
    """Read the house that the patient is in: a site or building up the chain of the Location, else the organization that manages it."""
    place = current_place(encounter)
    levels = list(chain(bundle, bundle.find(member(place, "location"), encounter.resource)))
    for level in levels:
        if PARTS.get(code(level.resource.get("physicalType")).lower()) == "facility":
            yield from _names(level.resource)
    for level in levels:
        yield from _of_organization(bundle, level.resource.get("managingOrganization"), level.resource)


def _of_organization(bundle: MessageBundle, reference: object, within: Json) -> Iterator[str]:
    found = bundle.find(reference, within)
    if found is not None and found.type == "PractitionerRole":
        yield from _of_organization(bundle, found.resource.get("organization"), found.resource)
    elif found is not None and found.type == "Organization":
        yield from _names(found.resource)
    said = member(reference, "identifier")
    yield text(member(said, "value"))
    yield text(member(reference, "display"))


def _names(resource: Json) -> Iterator[str]:
    numbers = objects(resource.get("identifier"))
    yield from (text(one.get("value")) for one in sorted(numbers, key=lambda one: text(one.get("system")) != NPI))
    yield text(resource.get("name"))
    yield from texts(resource.get("alias"))


def _each_once(said: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in said if 0 < len(one) <= NAME_CHARACTERS_MAX))[:_SPELLINGS_MAX]
