"""Which fields are asked of a message and which it carries (standards DIR-1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from app.domain.completeness import Check, ExpectedField, Moment, census


@dataclass(frozen=True)
class Fields:
    trigger: str
    said: Mapping[tuple[str, int, int], Sequence[str]]

    def values(self, segment: str, field: int, component: int = 1) -> Sequence[str]:
        return self.said.get((segment, field, component), [])


def _one(check: Check = Check.VALUED, *, text: str = "", components: tuple[int, ...] = (1,)) -> ExpectedField:
    return ExpectedField("PID-3", "A field", "PID", 3, components, check=check, text=text)


@pytest.mark.parametrize(
    ("check", "values", "asked", "met"),
    [
        (Check.VALUED, [], True, False),
        (Check.VALUED, [""], True, False),
        (Check.VALUED, ["", "x"], True, True),
        (Check.EACH, ["x"], False, True),
        (Check.EACH, ["x", ""], True, False),
        (Check.EACH, ["x", "y"], True, True),
        (Check.OFFSET, ["20260302100000"], True, False),
        (Check.OFFSET, ["20260302100000-0500"], True, True),
        (Check.OFFSET, ["20260302100000.123+0000"], True, True),
        (Check.OFFSET, [""], True, False),
        (Check.EQUAL, ["2.5.1"], True, True),
        (Check.EQUAL, ["2.3"], True, False),
        (Check.NPI, ["1234567893"], True, True),
        (Check.NPI, ["HOSPA"], True, False),
        (Check.NPI, ["91234567893"], True, False),
    ],
)
def test_what_each_check_asks(check: Check, values: list[str], asked: bool, met: bool) -> None:
    field = _one(check, text="2.5.1" if check is Check.EQUAL else "")
    fields = Fields("A08", {("PID", 3, 1): values})
    assert (field.asked_of(fields), field.met_by(fields)) == (asked, met)


def test_an_npi_may_be_in_either_component() -> None:
    field = _one(Check.NPI, components=(2, 3))
    assert field.met_by(Fields("A01", {("PID", 3, 2): ["HOSPA"], ("PID", 3, 3): ["1234567893"]}))
    assert not field.met_by(Fields("A01", {("PID", 3, 1): ["1234567893"]}))


@pytest.mark.parametrize(("trigger", "asked"), [("A01", ["PV2-3"]), ("A04", ["PV2-3"]), ("A03", ["PV1-36"]), ("A08", []), ("", [])])
def test_some_fields_belong_to_a_moment(trigger: str, asked: list[str]) -> None:
    profile = [
        ExpectedField("PV2-3", "Admit reason", "PV2", 3, moment=Moment.ADMISSION),
        ExpectedField("PV1-36", "Disposition", "PV1", 36, moment=Moment.DISCHARGE),
    ]
    assert census(profile, Fields(trigger, {})) == [(place, False) for place in asked]
