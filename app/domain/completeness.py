"""Which fields a message should carry, and which of them it does: the feed-quality profile. Pure, free of the format.

What is asked of a sender is data (app/standards/completeness). A message that lacks a field is accepted all the same: this is for
the talk with the sender, not a gate. Not here: how a field is found in the bytes (the port `FieldReader`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

_OFFSET = re.compile(r"[+-][0-9]{4}$")
_NPI = re.compile(r"[12][0-9]{9}")


class MessageFields(Protocol):
    """The fields of one message, as a reader found them."""

    @property
    def trigger(self) -> str:
        """MSH-9.2, else EVN-1."""
        ...

    def values(self, segment: str, field: int, component: int = 1) -> Sequence[str]:
        """Give the component of each repetition of the field in the first such segment, as people read it; an erased one is empty."""
        ...


class Moment(StrEnum):
    """When a field is asked for."""

    ALWAYS = "always"
    ADMISSION = "admission"
    DISCHARGE = "discharge"


class Check(StrEnum):
    """What a field must be, beside being there."""

    VALUED = "valued"
    """At least one repetition says something, in one of the components asked for."""
    EACH = "each"
    """When the field repeats, every repetition says it; asked of nobody who sends one."""
    OFFSET = "offset"
    """It ends with a UTC offset (HL7 2.5.1 chapter 2.A.77)."""
    NPI = "npi"
    """One of the components asked for is a National Provider Identifier."""
    EQUAL = "equal"
    """It is the text that is given."""


ADMISSIONS = frozenset({"A01", "A04", "A06", "A07"})
DISCHARGES = frozenset({"A03"})


@dataclass(frozen=True, slots=True)
class ExpectedField:
    """One line of the profile. `place` is how people write it: `PV1-36`, `PID-5.1`."""

    place: str
    meaning: str
    segment: str
    field: int
    components: tuple[int, ...] = (1,)
    moment: Moment = Moment.ALWAYS
    check: Check = Check.VALUED
    text: str = ""

    def asked_of(self, fields: MessageFields) -> bool:
        """Tell whether this message should carry it."""
        if self.moment is Moment.ADMISSION:
            return fields.trigger in ADMISSIONS
        if self.moment is Moment.DISCHARGE:
            return fields.trigger in DISCHARGES
        return self.check is not Check.EACH or len(fields.values(self.segment, self.field)) > 1

    def met_by(self, fields: MessageFields) -> bool:
        """Tell whether the message carries it."""
        values = [value for number in self.components for value in fields.values(self.segment, self.field, number)]
        if self.check is Check.NPI:
            return any(_NPI.fullmatch(value) for value in values)
        if self.check is Check.EACH:
            return bool(values) and all(values)
        if self.check is Check.OFFSET:
            return any(_OFFSET.search(value) for value in values)
        if self.check is Check.EQUAL:
            return self.text in values
        return any(values)


def census(profile: Sequence[ExpectedField], fields: MessageFields) -> list[tuple[str, bool]]:
    """List what was asked of the message: the place, and whether it is there."""
    return [(expected.place, expected.met_by(fields)) for expected in profile if expected.asked_of(fields)]
