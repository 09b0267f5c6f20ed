"""The demo's story: the same for the same seed, of every kind, readable by the real reader, and about nobody."""

import io
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from adapters.files.roster_csv import RosterCsv
from adapters.hl7v2.reader import Hl7v2Reader
from app.cli.demo.cast import HOSPITALS, RECIPIENTS, people, roster
from app.cli.demo.dice import Dice
from app.cli.demo.numbers import Numbers
from app.cli.demo.screen import picture
from app.cli.demo.story import Message, Story
from app.domain.adt_event import AdtEvent
from app.domain.clock import clock_window
from app.domain.escalation import steps
from app.domain.feed import Feed
from app.domain.inbound import Severity
from app.domain.stay import StayClass
from app.standards.program_catalog import program_catalog
from app.wiring import SystemIds

START = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


def tell(seed: int, moments: int = 200) -> tuple[list[Message], list[Message]]:
    """The past and the first moments of the present."""
    dice = Dice(seed)
    story = Story(people(300, dice), dice, START)
    past = story.past()
    return past, [one for moment in range(moments) for one in story.present(START + timedelta(seconds=moment))]


def trigger(message: Message) -> str:
    return re.findall(rb"(?:ADT|MDM)\^([AT]\d\d)", message.body)[0].decode()


def test_the_same_seed_tells_the_same_story_byte_for_byte() -> None:
    assert tell(1) == tell(1)
    assert tell(1) != tell(2)


def test_dice_are_even_and_repeat() -> None:
    dice = Dice(7)
    drawn = Counter(dice.whole(1, 6) for _ in range(6000))
    assert set(drawn) == {1, 2, 3, 4, 5, 6}
    assert all(850 < count < 1150 for count in drawn.values())
    assert [Dice(7).fraction() for _ in range(2)] == [Dice(7).fraction()] * 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_story_has_everything_that_feeds_bring(seed: int) -> None:
    past, present = tell(seed)
    assert len(past) > 300
    assert {trigger(one) for one in past} >= {"A01", "A02", "A03", "A04", "A06", "A08", "A11", "A13", "A40", "T02"}
    shown = {one.shows for one in [*past, *present]}
    assert shown >= {
        "the same message again",
        "a message without a patient number",
        "a message from an unknown facility",
        "a training message about a test patient",
        "admission after its discharge",
        "discharge that comes days late",
        "admission to a Part 2 program",
        "from the emergency department to a bed",
        "a discharge summary",
        "a visit of somebody much like another",
        "its end: a share of a clock is over soon",
    }
    assert {one.hospital.key for one in past} == {hospital.key for hospital in HOSPITALS}
    assert len(present) >= 150
    control_ids = [one.body.split(b"|")[9] for one in [*past, *present] if one.shows != "the same message again"]
    assert len(set(control_ids)) == len(control_ids)


def test_every_message_reads_but_those_that_must_not() -> None:
    reader = Hl7v2Reader()
    ids = SystemIds()
    feeds = {
        hospital.key: Feed(ids.new(), ids.new(), hospital.application, hospital.facility, "America/New_York", hospital.facility)
        for hospital in HOSPITALS
    }
    past, present = tell(1)
    for one in [*past, *present]:
        feed = feeds[one.hospital.key]
        header = reader.header(one.body)
        problems = [problem for problem in reader.problems(one.body, header, feed) if problem.severity is Severity.ERROR]
        assert bool(problems) == (one.shows == "a message without a patient number"), (one.shows, problems)
        assert isinstance(reader.read(one.body, feed), AdtEvent) != bool(problems)
        if one.shows != "a message from an unknown facility":
            assert header.sending_facility == feed.sending_facility


def test_nothing_has_happened_yet_that_is_in_the_future() -> None:
    past, _ = tell(1)
    stamps = [datetime.strptime(found.decode(), "%Y%m%d%H%M%S%z") for one in past for found in re.findall(rb"\b\d{14}[+-]\d{4}", one.body)]
    assert max(stamps) <= START
    assert min(stamps) >= START - timedelta(days=7)


def test_shares_of_clocks_are_over_while_one_watches_and_not_before_they_are_told() -> None:
    _, present = tell(1)
    ends = [one.body for one in present if one.shows == "its end: a share of a clock is over soon"]
    program = program_catalog().program("suicide_safety", START.date())
    assert program is not None
    clock = program.clocks[0]
    ahead = []
    for body in ends:
        pv1 = next(line for line in body.decode().split("\r") if line.startswith("PV1")).split("|")
        ended_at = datetime.strptime(pv1[45], "%Y%m%d%H%M%S%z")
        told_at = datetime.strptime(body.decode().split("|")[6], "%Y%m%d%H%M%S%z")
        ahead.append([(step.percent, step.at - told_at) for step in steps(clock_window(clock, ended_at, UTC, StayClass.EMERGENCY))])
    soon = [[percent for percent, left in one if timedelta(0) < left < timedelta(minutes=1)] for one in ahead]
    assert soon[:3] == [[50], [80], [100]]
    assert all(len(one) == 1 for one in soon)


def test_the_table_fits_a_terminal() -> None:
    numbers = Numbers(clock="suicide_safety.contact_24h at 80 % of its time", last="Harbor General: from the emergency department to a bed")
    for recipient in RECIPIENTS:
        numbers.told[recipient.key, "encounter.admitted"] = numbers.webhooks[recipient.key, "verified"] = 12_345
        numbers.contacts[recipient.key, "no_answer"] = numbers.contacts[recipient.key, "reached"] = 9_999
        numbers.told[recipient.key, "follow_up.due"] = numbers.follow_ups[recipient.key, "open"] = numbers.clocks[recipient.key, "due"] = (
            999
        )
        numbers.clocks[recipient.key, "overdue"] = 99
    drawn = io.StringIO()
    Console(file=drawn, width=80, force_terminal=False, highlight=False).print(picture(numbers, 999.9))
    lines = drawn.getvalue().splitlines()
    assert len(lines) < 24
    assert [line for line in lines if line.startswith("Northern")] == [
        "Northern Behavioral Health Home  13344  12345  999 999    999   99  9999    9999"
    ]


def test_nobody_is_real() -> None:
    everybody = people(300, Dice(1))
    assert all(person.last_name.startswith("Sample") for person in everybody)
    # 555-0100 to 555-0199 are kept for fiction.
    assert all(re.fullmatch(r"207-555-01\d\d", person.phone) for person in everybody)
    assert all(person.medicaid_id.startswith("DEMO") for person in everybody)
    past, _ = tell(1)
    assert all(b"1 Example Street" in one.body for one in past)


def test_some_people_have_no_home_some_have_two_and_the_plan_covers_most() -> None:
    everybody = people(300, Dice(1))
    homes = Counter(len(person.homes) for person in everybody)
    assert homes[0] > 5
    assert homes[2] > 5
    assert homes[1] > 200
    assert sum(person.in_plan for person in everybody) > 240


def test_rosters_are_of_the_form_that_panels_take() -> None:
    everybody = people(100, Dice(1))
    for recipient in RECIPIENTS:
        reader = RosterCsv()
        rows = [*reader.feed(roster(recipient, everybody)), *reader.close()]
        expected = [person for person in everybody if recipient.key in person.homes or (recipient.kind == "plan" and person.in_plan)]
        assert len(rows) == len(expected)
        assert reader.header is not None
        assert {"last_name", "birth_date", "program", "effective_from", "medicaid_id"} <= set(reader.header)
