"""Reading a contact as a caller wrote it: an entry, or every problem at once, each with the field it is in and what would be right.

A problem never repeats what was said, for that may be about a patient. Not here: the vocabulary (``contact``), HTTP status, storing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from app.domain.contact import (
    NOBODY_OUTCOMES,
    ONE_WAY_TYPES,
    REACHED_OUTCOMES,
    ContactDirection,
    ContactEntry,
    ContactOutcome,
    ContactRole,
    ContactTopic,
    ContactType,
    ContactWith,
    TopicItem,
)
from app.domain.instrument import C_SSRS_LEVELS, COUNT_MAX, PHQ9_MAX, is_structured, read_structured
from app.domain.organization import is_valid_npi

CLOCK_SKEW: Final = timedelta(minutes=5)
"""Our policy: a caller's clock may run this much ahead of ours before its "now" counts as the future."""
TEXT_LENGTH_MAX: Final = 8_000
LIST_LENGTH_MAX: Final = 50
REVIEW_WITHIN: Final = timedelta(days=366)
BEHIND_UTC_MAX: Final = timedelta(hours=12)
MINUTES_A_DAY: Final = 24 * 60
TAXONOMY: Final = re.compile(r"[0-9A-Z]{10}")
VISIT_CODE: Final = re.compile(r"[0-9A-Z]{5}(?:-[0-9A-Z]{2}){0,4}")
DIAGNOSIS: Final = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?")
PLACE: Final = re.compile(r"[0-9]{2}")
SCORE_MAX: Final[Mapping[ContactTopic, int]] = {ContactTopic.PHQ9: PHQ9_MAX, ContactTopic.MED_REC: COUNT_MAX}
CARRIES: Final[Mapping[ContactTopic, str]] = {
    ContactTopic.C_SSRS_LEVEL: f"carries a level, one of: {', '.join(C_SSRS_LEVELS)}",
    ContactTopic.PHQ9: "carries the PHQ-9 total, 0 to 27",
    ContactTopic.MED_REC: "carries the number of discrepancies found, 0 to 999",
}

Code = TypeVar("Code", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a request: JSON pointer, stable code, and a sentence that says what would be right."""

    pointer: str
    code: str
    message: str


@dataclass(slots=True)
class FieldReader:
    """Reads typed values out of a mapping of unknown values and collects what is wrong on the way."""

    said: Mapping[str, object]
    problems: list[FieldProblem] = field(default_factory=list)

    def problem(self, pointer: str, code: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(FieldProblem(pointer, code, message))

    def value(self, key: str, *, required: bool = False) -> object | None:
        """Give a raw value; null, empty text and absent are the same."""
        found = self.said.get(key)
        if found is None or found == "":
            if required:
                self.problem(f"/{key}", "required", "is required")
            return None
        return found

    def instant(self, key: str) -> datetime | None:
        """Read a required instant: RFC 3339 with an offset, or an aware datetime."""
        found = self.value(key, required=True)
        if isinstance(found, str):
            try:
                found = datetime.fromisoformat(found)
            except ValueError:
                found = False
        if found is None:
            return None
        if not isinstance(found, datetime):
            self.problem(f"/{key}", "not_an_instant", "is not a date and time; write it as 2026-11-18T14:30:00-05:00")
            return None
        if found.utcoffset() is None:
            self.problem(f"/{key}", "no_offset", "has no offset from UTC; write it as 2026-11-18T14:30:00-05:00")
            return None
        try:
            return found.astimezone(UTC)
        except OverflowError:
            self.problem(f"/{key}", "not_an_instant", "is outside the calendar")
            return None

    def day(self, key: str) -> date | None:
        """Read a date."""
        found = self.value(key)
        if isinstance(found, str):
            try:
                return date.fromisoformat(found)
            except ValueError:
                found = False
        if found is None or (isinstance(found, date) and not isinstance(found, datetime)):
            return found
        self.problem(f"/{key}", "not_a_date", "is not a date; write it as 2026-11-18")
        return None

    def code(self, key: str, codes: type[Code], *, required: bool = False) -> Code | None:
        """Read one code of a list, in any case."""
        found = self.value(key, required=required)
        return None if found is None else self.member(f"/{key}", found, codes)

    def member(self, pointer: str, found: object, codes: type[Code]) -> Code | None:
        """Find one code of a list, or note the list."""
        if isinstance(found, str):
            wanted = found.strip().casefold()
            for one in codes:
                if one.value.casefold() == wanted:
                    return one
        self.problem(pointer, "unknown_code", f"is not one of: {', '.join(codes)}")
        return None

    def text(self, key: str) -> str | None:
        """Read free text: bounded, and storable (no NUL, no half of a surrogate pair)."""
        found = self.value(key)
        if found is None:
            return None
        if not isinstance(found, str):
            self.problem(f"/{key}", "not_text", "is not text")
        elif len(found) > TEXT_LENGTH_MAX:
            self.problem(f"/{key}", "too_long", f"is longer than {TEXT_LENGTH_MAX} characters")
        elif "\x00" in found or any("\ud800" <= character <= "\udfff" for character in found):
            self.problem(f"/{key}", "not_storable", "contains a NUL or half of a character; send it as plain UTF-8 text")
        else:
            return found
        return None

    def boolean(self, key: str) -> bool | None:
        """Read true or false."""
        found = self.value(key)
        if found is None or isinstance(found, bool):
            return found
        self.problem(f"/{key}", "not_a_boolean", "is neither true nor false")
        return None

    def integer(self, key: str, high: int) -> int | None:
        """Read a whole number from 0 to high."""
        found = self.value(key)
        if found is None or (isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= high):
            return found
        self.problem(f"/{key}", "not_in_range", f"is not a whole number from 0 to {high}")
        return None

    def shaped(self, key: str, shape: re.Pattern[str], expected: str) -> tuple[str, ...]:
        """Read a list of codes by their shape alone: a code we do not know is still a code."""
        found = self.value(key)
        if found is None:
            return ()
        if not isinstance(found, Sequence) or isinstance(found, str | bytes) or len(found) > LIST_LENGTH_MAX:
            self.problem(f"/{key}", "not_a_list", f"is not a list of at most {LIST_LENGTH_MAX} codes")
            return ()
        codes = []
        for index, one in enumerate(found):
            code = re.sub(r"[-:\s]+", "-", one.strip().upper()) if isinstance(one, str) else ""
            if shape.fullmatch(code) is None:
                self.problem(f"/{key}/{index}", "not_a_code", expected)
            codes.append(code)
        return tuple(codes)


def read_contact(said: Mapping[str, object], *, now: datetime) -> tuple[ContactEntry | None, tuple[FieldProblem, ...]]:
    """Read a contact: an entry, or every problem with it. Codes are read in any case; unknown keys are left to the caller's schema."""
    reader = FieldReader(said)
    occurred_at = reader.instant("occurred_at")
    kind = reader.code("type", ContactType, required=True)
    outcome = reader.code("outcome", ContactOutcome, required=True)
    direction = reader.code("direction", ContactDirection)
    with_whom = reader.code("with", ContactWith)
    role = reader.code("role", ContactRole)
    live_two_way = reader.boolean("live_two_way")
    npi = _npi(reader)
    taxonomies = reader.shaped("taxonomies", TAXONOMY, "is not a NUCC taxonomy code: ten letters and digits")
    duration_minutes = reader.integer("duration_minutes", MINUTES_A_DAY)
    content = _content(reader)
    visit_codes = reader.shaped("visit_codes", VISIT_CODE, "is not a CPT or HCPCS code: five characters, then modifiers as in G9007-U5")
    diagnoses = reader.shaped("diagnoses", DIAGNOSIS, "is not an ICD-10-CM code: three to seven characters, dotted or not")
    place_of_service = _place_of_service(reader)
    note = reader.text("note")
    place = reader.text("place")
    review_on = _review_on(reader, occurred_at, outcome, place)
    next_action = reader.text("next_action")
    next_action_due_on = reader.day("next_action_due_on")
    _check_sense(reader, occurred_at, kind, outcome, now=now, live_two_way=live_two_way)
    if reader.problems or occurred_at is None or kind is None or outcome is None:
        return None, tuple(reader.problems)
    implied = ContactWith.CAREGIVER if outcome is ContactOutcome.REACHED_CAREGIVER else ContactWith.PATIENT
    return (
        ContactEntry(
            occurred_at=occurred_at,
            type=kind,
            outcome=outcome,
            direction=direction or ContactDirection.OUTBOUND,
            with_whom=with_whom or (ContactWith.OTHER if kind.is_collateral else implied),
            role=role,
            npi=npi,
            taxonomies=taxonomies,
            live_two_way=live_two_way,
            duration_minutes=duration_minutes,
            content=content,
            visit_codes=visit_codes,
            diagnoses=diagnoses,
            place_of_service=place_of_service,
            note=note,
            place=place,
            review_on=review_on,
            next_action=next_action,
            next_action_due_on=next_action_due_on,
        ),
        (),
    )


def _review_on(reader: FieldReader, occurred_at: datetime | None, outcome: ContactOutcome | None, place: str | None) -> date | None:
    """Read when to ask again where the person is; it belongs to the two outcomes that say so, and lies ahead, within a year."""
    review_on = reader.day("review_on")
    if outcome is not None and outcome not in (ContactOutcome.IN_FACILITY, ContactOutcome.INCARCERATED):
        for key, said in (("place", place), ("review_on", review_on)):
            if said is not None:
                reader.problem(f"/{key}", "not_for_this_outcome", "belongs to the outcomes in_facility and incarcerated")
    elif review_on is not None and occurred_at is not None and not (on := _said_on(reader, occurred_at)) < review_on <= on + REVIEW_WITHIN:
        reader.problem("/review_on", "not_in_range", "is not a day after the contact, within a year of it")
    return review_on


def _said_on(reader: FieldReader, occurred_at: datetime) -> date:
    """Give the day of the contact where it was: by the offset it was said with. Said in UTC, it may be the day before that is not over."""
    said = reader.said["occurred_at"]
    at = said if isinstance(said, datetime) else datetime.fromisoformat(str(said))
    return at.date() if at.utcoffset() else (occurred_at - BEHIND_UTC_MAX).date()


def _npi(reader: FieldReader) -> str | None:
    """Read an NPI and check its digit, so that a slip of the finger is seen while the caller still knows the person."""
    npi = reader.text("npi")
    if npi is not None and not is_valid_npi(npi):
        reader.problem("/npi", "not_an_npi", "is not a National Provider Identifier: ten digits, the last a check digit")
    return npi


def _place_of_service(reader: FieldReader) -> str | None:
    """Read a CMS place-of-service code: two digits; one digit gets its zero back."""
    found = reader.value("place_of_service")
    if found is None:
        return None
    code = found.strip().zfill(2) if isinstance(found, str) else ""
    if PLACE.fullmatch(code) is None:
        reader.problem("/place_of_service", "not_a_code", "is not a CMS place-of-service code: two digits as text, such as 11")
        return None
    return code


def _content(reader: FieldReader) -> tuple[TopicItem, ...]:
    """Read what was done: a list of topics, or an object of topic and true, level, score, or {done, discrepancies}."""
    found = reader.value("content")
    if found is None:
        return ()
    pairs: list[tuple[str, object, object]]
    if isinstance(found, Mapping):
        # An unknown key is the caller's own text and may be about a patient: the pointer names it only when it is one of ours.
        known = {topic.value for topic in ContactTopic}
        pairs = [(f"/content/{key}" if key in known else "/content", key, value) for key, value in found.items() if value is not None]
    elif isinstance(found, Sequence) and not isinstance(found, str | bytes) and len(found) <= LIST_LENGTH_MAX:
        pairs = [(f"/content/{index}", key, True) for index, key in enumerate(found)]
    else:
        reader.problem("/content", "not_a_list", "is neither a list of topics nor an object of topics")
        return ()
    items = []
    for pointer, key, value in pairs:
        topic = reader.member(pointer, key, ContactTopic)
        if topic is not None:
            items.append(_topic_item(reader, pointer, topic, value))
    return tuple(items)


def _topic_item(reader: FieldReader, pointer: str, topic: ContactTopic, value: object) -> TopicItem:
    """Read one topic's value: true or false, its level or score, or an object of ``done`` and one of these."""
    done: object = value if isinstance(value, bool) else True
    carried: object = None if isinstance(value, bool) else value
    if isinstance(value, Mapping):
        done = value.get("done", True)
        carried = next((value[key] for key in ("discrepancies", "score", "level", "value") if value.get(key) is not None), None)
    if not isinstance(done, bool):
        reader.problem(pointer, "not_a_boolean", "says neither true nor false for done")
        return TopicItem(topic=topic)
    if isinstance(value, Mapping) and is_structured(topic, value):
        found = read_structured(topic, value, pointer, reader.problem)
        return TopicItem(topic=topic, done=done, value=found.value, answers=found.answers) if found else TopicItem(topic=topic)
    if carried is None:
        return TopicItem(topic=topic, done=done)
    if topic is ContactTopic.C_SSRS_LEVEL and isinstance(carried, str) and carried.casefold() in C_SSRS_LEVELS:
        return TopicItem(topic=topic, done=done, value=carried.casefold())
    high = SCORE_MAX.get(topic, -1)
    if isinstance(carried, int) and not isinstance(carried, bool) and 0 <= carried <= high:
        return TopicItem(topic=topic, done=done, value=carried)
    reader.problem(pointer, "not_a_value", CARRIES.get(topic, "carries no value; say true or false"))
    return TopicItem(topic=topic, done=done)


def _check_sense(
    reader: FieldReader,
    occurred_at: datetime | None,
    kind: ContactType | None,
    outcome: ContactOutcome | None,
    *,
    now: datetime,
    live_two_way: bool | None,
) -> None:
    """Refuse what cannot be true together; what is merely unusual is taken as said."""
    if occurred_at is not None and occurred_at > now + CLOCK_SKEW:
        reader.problem("/occurred_at", "in_the_future", "is in the future; record a contact once it has happened, plans go in next_action")
    if kind in ONE_WAY_TYPES and live_two_way:
        reader.problem("/live_two_way", "not_live", f"cannot be true for a {kind}: nobody answers it")
    if kind in ONE_WAY_TYPES and outcome in REACHED_OUTCOMES:
        reader.problem("/outcome", "not_reached", f"cannot be {outcome} for a {kind}; use left_message")
    if outcome in NOBODY_OUTCOMES and live_two_way:
        reader.problem("/live_two_way", "not_live", f"cannot be true with the outcome {outcome}: nobody was reached")
