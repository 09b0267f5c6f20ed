"""Whether the hospital says that a patient's data must not go further: PD1-12, and where its profile points, CON, ARV or a Z segment.

A fact of the message like any other, so that it does not matter in which order messages come. One place that says yes is enough: the
error is on the side of silence. Not here: what follows (domain/privacy), the fold (domain/encounter).
"""

from collections.abc import Iterator
from typing import Final

from adapters.hl7v2.er7 import Segment
from adapters.hl7v2.reading import Reading
from app.domain.field_place import FieldPlace, field_place
from app.domain.inbound import ProblemCode
from app.domain.known import Erasure, Known

FACT: Final = "protected"
YES_NO: Final = {"Y": True, "N": False}
"""Table 0136."""
_CON: Final = YES_NO | {"R": True, "X": True, "A": False}
"""CON-11, table 0498: refused, rescinded, active. Limited, pending and bypassed (L, P, B) do not say how far it goes."""
_ARV: Final = {
    **dict.fromkeys(("ALL", "OO", "PSY", "HIV", "STD", "DRG", "SMD", "LOC", "NO"), True),
    "OI": False,
}
"""ARV-3, table 0717: what access is restricted to, or all of it; OO opted out of and OI into every registry. Restrictions of single
demographic fields (DEM, PID-7, PID-17) are none of the stay."""
_WORDS: Final = YES_NO | {
    **dict.fromkeys(("OPTOUT", "OPT-OUT", "OPT_OUT", "OUT", "DENY", "DENIED", "REFUSED", "NO CONSENT", "1"), True),
    **dict.fromkeys(("OPTIN", "OPT-IN", "OPT_IN", "IN", "PERMIT", "GRANTED", "CONSENT", "0"), False),
}
"""In a segment of the sender's own."""
_TABLES: Final = {("CON", 11): (_CON, "0498"), ("ARV", 3): (_ARV, "0717"), ("PD1", 12): (YES_NO, "0136")}
_DELETED: Final = frozenset({"D"})
"""ARV-2, table 0206: the restriction is taken back."""
_STANDARD: Final = "PD1-12"


def protected(reading: Reading) -> Known[bool]:
    """Read whether access is protected, by the standard's place and the profile's."""
    own = reading.feed.profile.local_reads.get(FACT)
    places = dict.fromkeys((_STANDARD, own) if own is not None else (_STANDARD,))
    said = [one for place in places for one in _said(reading, field_place(place))]
    if True in said:
        return True
    return next((one for one in said if isinstance(one, Erasure)), False) if said else None


def _said(reading: Reading, place: FieldPlace) -> Iterator[bool | Erasure]:
    """Give what each segment of the name says at a place; a restriction that is taken back says that there is none."""
    table, number = _TABLES.get((place.segment, place.field), (_WORDS, None))
    for segment in reading.message.all(place.segment):
        value = reading.part(segment, place.field, place.component or 1)
        if value is None or isinstance(value, Erasure):
            yield from () if value is None else (value,)
            continue
        meaning = table.get(value.upper())
        if meaning is None:
            _note(reading, segment, place, number)
        else:
            yield meaning and not (place.segment == "ARV" and reading.text(segment, 2).upper() in _DELETED)


def _note(reading: Reading, segment: Segment, place: FieldPlace, table: str | None) -> None:
    expected = f"Expected Y or N (table {table})." if table == "0136" else f"Not a code of table {table} that says yes or no to the stay." \
        if table else "Neither Y, N, nor a word for opting in or out."  # fmt: skip
    reading.note(ProblemCode.TABLE_VALUE, segment.location(place.field), expected)
