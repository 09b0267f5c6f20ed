"""Refusals that hospitals signal: PD1-12 everywhere, and CON, ARV or a Z segment where the feed's profile points."""

from dataclasses import replace

import pytest

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent
from app.domain.feed import FeedProfile
from app.domain.known import ERASED, Known
from tests.adapters.hl7v2.support import FEED
from tests.support.messages import adt


def read(place: str | None, *segments: str) -> tuple[Known[bool], int]:
    """Give the fact, and how many doubts there were."""
    profile = FeedProfile(local_reads={"protected": place} if place else {})
    feed = replace(FEED, sending_application="EPIC", sending_facility="HOSPA", assigning_authority="HOSPA", profile=profile)
    body = adt("A01", "20260302100000-0500", control="C1", admitted="20260302100000-0500", extra=segments)
    event = Hl7v2Reader().read(body, feed)
    assert isinstance(event, AdtEvent)
    assert event.visit is not None
    return event.visit.protected, len(Hl7v2Reader().notes(body, feed))


@pytest.mark.parametrize(
    ("place", "segments", "said"),
    [
        (None, (), None),
        (None, ("PD1||||||||||||Y",), True),
        (None, ("PD1||||||||||||N",), False),
        (None, ('PD1||||||||||||""',), ERASED),
        # Only where the profile says that this sender means something by it.
        (None, ("CON|1|001|||||||||R",), None),
        ("CON-11", ("CON|1|001|||||||||R",), True),
        ("CON-11", ("CON|1|001|||||||||X",), True),
        ("CON-11", ("CON|1|001|||||||||A",), False),
        ("CON-11", ("CON|1|001|||||||||A", "CON|2|002|||||||||R"), True),
        ("ARV-3", ("ARV|1|A|ALL",), True),
        ("ARV-3", ("ARV|1|A|PSY^Psychiatric^HL70717",), True),
        ("ARV-3", ("ARV|1|A|OO",), True),
        ("ARV-3", ("ARV|1|A|OI",), False),
        ("ARV-3", ("ARV|1|D|ALL",), False),
        ("ZPV-7", ("ZPV|||||||Opt-Out",), True),
        ("ZPV-7", ("ZPV|||||||Y",), True),
        ("ZPV-7", ("ZPV|||||||optin",), False),
        # One yes is enough: the error is on the side of silence.
        ("ZPV-7", ("PD1||||||||||||Y", "ZPV|||||||N"), True),
        ("ZPV-7", ("PD1||||||||||||N", "ZPV|||||||Y"), True),
        ("ZPV-7", ("PD1||||||||||||N",), False),
    ],
)
def test_one_yes_protects(place: str | None, segments: tuple[str, ...], said: Known[bool]) -> None:
    assert read(place, *segments)[0] is said


@pytest.mark.parametrize(
    ("place", "segment"),
    [(None, "PD1||||||||||||maybe"), ("CON-11", "CON|1|001|||||||||L"), ("ARV-3", "ARV|1|A|PID-7"), ("ZPV-7", "ZPV|||||||?")],
)
def test_what_says_neither_yes_nor_no_is_noted_and_says_nothing(place: str | None, segment: str) -> None:
    said, doubts = read(place, segment)
    assert (said, doubts - read(place)[1]) == (None, 1)
