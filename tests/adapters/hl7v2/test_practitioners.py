"""Practitioners whom messages name, by place: NPIs only, emptied places, ended roles, and who attends when two patients swap beds."""

import pytest

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, NamedAt
from tests.adapters.hl7v2.support import EVN, FEED, PID, er7, msh

ELM = "1245319599^Elm^Erin^^^^^^NPI&2.16.840.1.113883.4.6&ISO^L^^^NPI"
OAK = "1234567893^Oak^Olive^^^^^^&2.16.840.1.113883.4.6&ISO"
LOCAL = "4711^Local^Lee^^^^^^HOSPA"


def named(*segments: str, header: str | None = None) -> tuple[NamedAt, ...]:
    found = Hl7v2Reader().read(er7(header or msh("A01"), EVN, PID, *segments), FEED)
    assert isinstance(found, AdtEvent), found
    assert found.visit is not None
    return found.visit.named


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (["PV1|1|I"], ()),
        ([f"PD1||||{ELM}", "PV1|1|I"], (NamedAt("PD1-4", ("1245319599",)),)),
        ([f"PD1||||{LOCAL}~{ELM}~{ELM}", "PV1|1|I"], (NamedAt("PD1-4", ("1245319599",)),)),
        # A place that is emptied, or that names somebody without an NPI by now, names nobody.
        (['PD1||||""', "PV1|1|I"], (NamedAt("PD1-4"),)),
        ([f"PV1|1|I|||||{LOCAL}"], (NamedAt("PV1-7"),)),
        ([f"PV1|1|I|||||{OAK}|{ELM}"], (NamedAt("PV1-7", ("1234567893",)), NamedAt("PV1-8", ("1245319599",)))),
        ([f"PV1|1|I|||||||||||||||{ELM}"], (NamedAt("PV1-17", ("1245319599",)),)),
        (["PV1|1|I", f"ROL|1|AD|PP|{ELM}"], (NamedAt("ROL-PP", ("1245319599",)),)),
        (["PV1|1|I", f"ROL|1|AD|PP^Primary^HL70443|{ELM}", f"ROL|2|AD|pp|{OAK}"], (NamedAt("ROL-PP", ("1245319599", "1234567893")),)),
        (["PV1|1|I", f"ROL|1|DE|PP|{ELM}"], (NamedAt("ROL-PP"),)),
        (["PV1|1|I", f"ROL|1|AD||{ELM}", "ROL|2|AD|PP|"], ()),
    ],
)
def test_practitioners_are_named_by_place(segments: list[str], expected: tuple[NamedAt, ...]) -> None:
    assert named(*segments) == expected
