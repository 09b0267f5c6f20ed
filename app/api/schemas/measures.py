"""Measures, rates and the events behind them, as the API shows them."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field

from app.api.schemas.common import (
    ChangesListing,
    Day,
    Document,
    EncounterIdText,
    Instant,
    Listing,
    MessageIdText,
    OrganizationIdText,
    PersonIdText,
)
from app.domain.calendar import local_date
from app.domain.death_judged import is_doubted
from app.domain.directory import Directory
from app.domain.home_day import HomeAt
from app.domain.measure import UNDECIDED, EvidenceSource, MeasureRules, MeasureState
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.rate import Rate
from app.domain.trust import Trust

LABEL: Final = "HEDIS-like, uncertified"
COUNTS_ELSEWHERE: Final = frozenset({MeasureState.SUPERSEDED, MeasureState.SUSPENDED})
STATEMENT: Final = "Events that the law withholds from the asker are not counted, and their number is not told."
_PERIOD: Final = re.compile(r"(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?", re.ASCII)


class MeasureVersionDocument(Document):
    """The rules of a measurement year and those after it."""

    name: Annotated[str, Field(examples=["FUH-MY2025"])]
    first_year: Annotated[int, Field(examples=[2025])]


class MeasureDocument(Document):
    """A measure."""

    measure: Annotated[str, Field(examples=["FUH"])]
    title: str
    label: Annotated[str, Field(examples=[LABEL])]
    event: Annotated[str, Field(description="discharge, or emergency visit", examples=["discharge"])]
    age_min: Annotated[int, Field(description="In years, on the day of the event")]
    age_bands: Annotated[list[str], Field(description="By which group_by=age_band tells rates apart")]
    first_day: Annotated[int, Field(description="1: the day of the event itself does not count; 0: it does")]
    versions: list[MeasureVersionDocument]
    first_on: Annotated[Day | None, Field(description="The first day with an event that counts for the asker")]
    last_on: Annotated[Day | None, Field(description="And the last")]


class NamedOrganization(Document):
    """An organization by which a group is made."""

    id: OrganizationIdText
    name: str


class RateDocument(Document):
    """What a group of events comes to."""

    initial_population: Annotated[int, Field(description="Denominator, exclusions and what is not decided yet")]
    denominator: Annotated[int, Field(description="Events that count, those whose window is open too")]
    numerator_7: Annotated[
        int, Field(description="Of these, with what the measure looks for within 7 days, or in the one window that it has (TRC)")
    ]
    numerator_30: Annotated[int, Field(description="Within 30 days, or in the one window that it has (TRC)")]
    rate_7: Annotated[
        float | None,
        Field(description="numerator_7 of the denominator in percent, one decimal; null without a denominator", examples=[36.6]),
    ]
    rate_30: Annotated[float | None, Field(description="numerator_30 of the denominator likewise", examples=[57.1])]
    pending_7: Annotated[int, Field(description="Counted in the denominator, not in the numerator, the window of 7 days still open")]
    pending_30: Annotated[int, Field(description="The window of 30 days still open")]
    exclusions: Annotated[dict[str, int], Field(description="By reason", examples=[{"readmitted_for_other_cause": 2}])]
    undecided: Annotated[dict[str, int], Field(description="By status: suspended, indeterminate", examples=[{"suspended": 1}])]
    superseded: Annotated[int, Field(description="A later discharge of the same episode counts instead")]


class ClaimsListDocument(Document):
    """How the events compare with the discharges of the claims that the asker loaded; a day's difference is let pass."""

    claims: Annotated[int, Field(description="Discharges in claims of the period, of whatever diagnosis")]
    claims_found: Annotated[int, Field(description="Of these, those that a hospital's message told too")]
    events: Annotated[int, Field(description="Events of the measure")]
    events_found: Annotated[int, Field(description="Of these, those that a claim tells too")]
    counted_at: Annotated[Instant, Field(description="Of many claims they are counted beside the answers, and kept for some hours")]


class TrustDocument(Document):
    """How far the data behind a rate can be relied on."""

    facility_months: Annotated[int, Field(description="Months of the period in which a live feed of a facility was to be heard")]
    facility_months_healthy: Annotated[
        int,
        Field(
            description="Of these, with messages of its own and without a silence of a day; behind an aggregator, of ten usual discharges"
        ),
    ]
    feed_share: Annotated[
        float | None, Field(description="The healthy ones of these months, from 0 to 1; null where there are none", examples=[0.98])
    ]
    events: Annotated[int, Field(description="Events of the measure, superseded ones included")]
    events_final_diagnosis: Annotated[int, Field(description="Of these, of stays whose final principal diagnosis has come")]
    diagnosis_share: Annotated[float | None, Field(description="Of the events, from 0 to 1; null where there are none")]
    events_indeterminate: Annotated[int, Field(description="Of the events, those whose status nobody can tell yet")]
    indeterminate_share: Annotated[float | None, Field(description="Of the events, from 0 to 1; null where there are none")]
    claims_list: Annotated[
        ClaimsListDocument | None,
        Field(description="How the events compare with a loaded claims list; null: none is loaded, or it is being counted"),
    ]
    claims_being_counted: Annotated[bool, Field(description="They are many, and being counted: ask again in a minute")]
    statement: Annotated[str, Field(examples=[STATEMENT])]


class RateGroupDocument(Document):
    """A group and its rate."""

    by: Annotated[
        dict[str, str | NamedOrganization | None],
        Field(
            description="What makes the group; null: unknown, a stratum of its own; who is younger than an age band was taken out",
            examples=[{"month": "2026-03"}],
        ),
    ]
    rate: RateDocument


class RatesDocument(Document):
    """Rates of one measure over a period."""

    measure: str
    label: Annotated[str, Field(examples=[LABEL])]
    organization_id: Annotated[OrganizationIdText | None, Field(description="For whom the events count; null: the whole exchange")]
    from_on: Annotated[Day, Field(description="The first day of the discharges and visits that are counted")]
    to_on: Annotated[Day, Field(description="The last of these days")]
    as_of: Annotated[Instant, Field(description="As it was known then; an instant that is to come is answered as now")]
    mature_only: Annotated[bool, Field(description="Only events whose 30 days are over")]
    home_at: Annotated[HomeAt, Field(description="Whose home counts where responsibility moved", examples=["discharge"])]
    evidence: Annotated[EvidenceSource, Field(description="Whose word of services is heard", examples=["combined"])]
    rule_version: Annotated[
        str,
        Field(
            description="The rules of that year, as this service has them; + and a digest: with own value sets, codes or measures. By which"
            " rules an event was judged, /events says",
            examples=["FUH-MY2026"],
        ),
    ]
    total: RateDocument
    groups: list[RateGroupDocument]
    trust: TrustDocument
    statement: Annotated[str, Field(examples=[STATEMENT])]


class MeasureEventDocument(Document):
    """One event behind a rate, and why it stands where it does."""

    encounter_id: EncounterIdText
    person_id: PersonIdText
    facility: NamedOrganization | None
    home: Annotated[NamedOrganization | None, Field(description="Responsible at the time that home_at names")]
    anchor_on: Annotated[Day, Field(description="The day of the discharge or visit, where the stay was")]
    due_7_on: Annotated[Day, Field(description="The last day of the 7, or of the one window that the measure has (TRC)")]
    due_30_on: Annotated[Day, Field(description="The last day of the 30, after which the event is final")]
    status: Annotated[str, Field(description="Of the 30 days", examples=["met"])]
    status_7: Annotated[str, Field(description="Of the 7 days", examples=["met"])]
    status_30: Annotated[str, Field(description="The same as status", examples=["met"])]
    reason: Annotated[str, Field(description="The first of the reasons, as a code", examples=["service_in_7_days"])]
    reasons: Annotated[list[str], Field(description="In words; rests_on names the contacts, claims, stays and notices that decided it")]
    messages: Annotated[
        list[MessageIdText],
        Field(description="That its stay rests on, by what they tell of; with as_of, that had come by then. Of very many, the latest 100"),
    ]
    superseded_by: Annotated[EncounterIdText | None, Field(description="The stay that counts instead, or will")]
    met_7_on: Annotated[Day | None, Field(description="The day of what the measure looks for; null: none within 7 days")]
    met_30_on: Annotated[Day | None, Field(description="Null: none within 30 days")]
    contacts_7_on: Annotated[Day | None, Field(description="By contacts alone")]
    contacts_30_on: Annotated[Day | None, Field(description="By contacts alone")]
    claims_7_on: Annotated[Day | None, Field(description="By claims alone")]
    claims_30_on: Annotated[Day | None, Field(description="By claims alone")]
    age: Annotated[int | None, Field(description="In years, on anchor_on; null: the birth date is not known")]
    final: Annotated[bool, Field(description="The 30 days are over, it is decided, and no doubtful death of the person is under review")]
    rule_version: Annotated[str, Field(description="The rules by which it was judged", examples=["FUH-MY2026"])]
    known_from: Annotated[Instant, Field(description="When we learned it")]
    known_to: Annotated[
        Instant | None, Field(description="With changed_since: since when the event no longer counts; its status is void then")
    ]


class MeasureGapDocument(MeasureEventDocument):
    """An event that is still open, and how many days are left."""

    days_left_7: Annotated[int | None, Field(description="Through the last day of the short window; null: it is decided", examples=[3])]
    days_left_30: Annotated[int, Field(description="Through the last day of the long window, or of the only one", examples=[26])]


MeasureGapPage = Listing[MeasureGapDocument]
MeasurePage = Listing[MeasureDocument]
MeasureEventPage = ChangesListing[MeasureEventDocument]


def bands_of(rules: MeasureRules) -> list[str]:
    """Name the age bands: 6-17, 18-64, 65+."""
    starts = rules.age_bands
    return [f"{start}-{starts[number + 1] - 1}" if number + 1 < len(starts) else f"{start}+" for number, start in enumerate(starts)]


def measure_json(versions: Sequence[MeasureRules], span: tuple[date | None, date | None]) -> dict[str, Any]:
    """Show a measure by its versions."""
    last = versions[-1]
    return {
        "measure": last.measure,
        "title": last.title,
        "label": LABEL,
        "event": "emergency visit" if last.stay_class == "emergency" else "discharge",
        "age_min": last.age_min,
        "age_bands": bands_of(last),
        "first_day": last.first_day,
        "versions": [{"name": one.version, "first_year": one.first_year} for one in versions],
        "first_on": span[0],
        "last_on": span[1],
    }


def rate_json(rate: Rate) -> dict[str, Any]:
    """Show a rate."""
    return {
        "initial_population": rate.initial_population,
        "denominator": rate.denominator,
        "numerator_7": rate.numerator_7,
        "numerator_30": rate.numerator_30,
        "rate_7": rate.rate_7,
        "rate_30": rate.rate_30,
        "pending_7": rate.pending_7,
        "pending_30": rate.pending_30,
        "exclusions": dict(sorted(rate.excluded.items())),
        "undecided": dict(sorted(rate.undecided.items())),
        "superseded": rate.superseded,
    }


def groups_json(
    names: Sequence[str], rates: Mapping[tuple[Any, ...], Rate], rules: MeasureRules, directory: Directory
) -> list[dict[str, Any]]:
    """Show the groups of a rate. There may be thousands, of few organizations."""
    youngest = rules.age_bands[0]
    # Below the first band is what was taken out before ages were asked: known, so not the stratum of who has no birth date.
    bands = [f"0-{youngest - 1}" if youngest else None, *bands_of(rules)]
    organization = cache(lambda organization_id: organization_json(organization_id, directory))
    shows: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(("home", "facility", "payer"), organization),
        "age_band": lambda number: None if number is None else bands[number],
    }
    shown = [map(shows[name], values) if name in shows else values for name, values in zip(names, zip(*rates, strict=True), strict=False)]
    by = (dict(zip(names, group, strict=True)) for group in zip(*shown, strict=True))
    return [{"by": group, "rate": rate_json(rate)} for group, rate in zip(by, rates.values(), strict=True)]


def organization_json(organization_id: Any, directory: Directory) -> dict[str, str] | None:  # noqa: ANN401 - a UUID or nothing
    """Name an organization."""
    found = directory.organizations.get(organization_id) if organization_id else None
    return {"id": public_id(Kind.ORGANIZATION, found.id), "name": found.name} if found else None


def event_json(row: Mapping[str, Any], directory: Directory, at: datetime, *, was_then: bool = False) -> dict[str, Any]:
    """Show an event as of an instant; `was_then`: as it was known at a past one."""
    status_7, status_30, reason, reasons = row["status_7"], row["status_30"], row["reason"], row["reasons"]
    if row["known_to"] is not None and not was_then:
        status_7 = status_30 = MeasureState.VOID.value
        reason, reasons = "counts_no_more", ["counts_no_more: the event is no longer one of this measure for the asker"]
    return {
        "encounter_id": public_id(Kind.ENCOUNTER, row["encounter_id"]),
        "person_id": public_id(Kind.PERSON, row["person_id"]),
        "facility": organization_json(row["facility_id"], directory),
        "home": organization_json(row["home_id"], directory),
        "anchor_on": row["anchor_on"],
        "due_7_on": row["due_7_on"],
        "due_30_on": row["due_30_on"],
        "status": status_30,
        "status_7": status_7,
        "status_30": status_30,
        "reason": reason,
        "reasons": reasons,
        "messages": [public_id(Kind.MESSAGE, one) for one in row["messages"]],
        # What takes an event out stands there too, and does not count instead.
        "superseded_by": public_id_or_none(Kind.ENCOUNTER, row["superseded_by"] if status_30 in COUNTS_ELSEWHERE else None),
        "met_7_on": row["met_7_on"],
        "met_30_on": row["met_30_on"],
        **{name: row[name] for name in ("contacts_7_on", "contacts_30_on", "claims_7_on", "claims_30_on")},
        "age": row["age"],
        "final": row["due_30_on"] < _day_there(row, directory, at) and status_30 not in UNDECIDED and not is_doubted(reasons),
        "rule_version": row["rule_version"],
        "known_from": row["known_from"],
        "known_to": None if was_then else row["known_to"],
    }


def _day_there(row: Mapping[str, Any], directory: Directory, at: datetime) -> date:
    """Give the day where the stay was, as its windows are counted; that of UTC for a place that nobody knows."""
    facility = directory.organizations.get(row["facility_id"])
    return local_date(at, ZoneInfo(facility.time_zone) if facility else UTC)


def gap_json(row: Mapping[str, Any], directory: Directory, rules: MeasureRules, at: datetime, *, was_then: bool) -> dict[str, Any]:
    """Show an open event; `was_then`: as it was known at a past instant."""
    today = _day_there(row, directory, at)
    last_on = row["due_7_on"] if rules.window_days else row["due_30_on"]
    left_7 = (row["due_7_on"] - today).days if row["status_7"] == MeasureState.PENDING else None
    return {**event_json(row, directory, at, was_then=was_then), "days_left_7": left_7, "days_left_30": max(0, (last_on - today).days)}


def trust_json(
    trust: Trust, claims_list: Mapping[str, int] | None, counted_at: datetime | None, *, is_being_counted: bool
) -> dict[str, Any]:
    """Show the trust line."""
    return {
        "facility_months": trust.facility_months,
        "facility_months_healthy": trust.facility_months_healthy,
        "feed_share": trust.feed_share,
        "events": trust.events,
        "events_final_diagnosis": trust.events_final_diagnosis,
        "diagnosis_share": trust.diagnosis_share,
        "events_indeterminate": trust.events_indeterminate,
        "indeterminate_share": trust.indeterminate_share,
        "claims_list": None if claims_list is None else {**claims_list, "counted_at": counted_at},
        "claims_being_counted": is_being_counted,
        "statement": STATEMENT,
    }


def read_period(text: str) -> tuple[date, date] | None:
    """Read a year, a quarter (2026-Q1) or a month (2026-03): its first and last day; None when it is none of them."""
    found = _PERIOD.fullmatch(text)
    if found is None or found["year"] == "0000":
        return None
    year, first, last = int(found["year"]), 1, 12
    if found["quarter"]:
        last = 3 * int(found["quarter"])
        first = last - 2
    elif found["month"]:
        first = last = int(found["month"])
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])
