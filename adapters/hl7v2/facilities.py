"""Which facility of an aggregator a message comes from: the codes at the places that the feed's profile names.

Not here: what a code stands for (domain/feed), and messages of a feed of one facility, whose places are never looked at.
"""

from adapters.hl7v2.reading import Reading
from app.domain.feed import FHIR_ELEMENTS
from app.domain.field_place import FieldPlace, field_place


def facility_codes(reading: Reading) -> dict[str, tuple[str, ...]]:
    """Give the spellings at each place: of an HD the namespace, then the universal id; else the code itself."""
    places = (place for place in reading.feed.profile.facility_places if place not in FHIR_ELEMENTS)
    return {place: _spellings(reading, field_place(place)) for place in places}


def location_of(place: str) -> str:
    """Give a place as ERR-2 writes it; of an element of FHIR, which no message has, nothing."""
    if place in FHIR_ELEMENTS:
        return ""
    found = field_place(place)
    return f"{found.segment}^1^{found.field}" + (f"^1^{found.component}" if found.component else "")


def _spellings(reading: Reading, place: FieldPlace) -> tuple[str, ...]:
    segment = reading.message.first(place.segment)
    if segment is None:
        return ()
    delimiters = segment.delimiters
    if place.component is None:
        parts = segment.first(place.field).split(delimiters.component)
    else:
        # HD in a component of PL: its parts are subcomponents.
        parts = segment.component(place.field, place.component).split(delimiters.subcomponent)
    return tuple(code for part in parts[:2] if (code := reading.stated(part.split(delimiters.subcomponent, 1)[0])))
