"""Follow-ups and contacts as they are sent and shown. What a contact may say is checked by the domain (contact_entry)."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints, WithJsonSchema

from app.api.schemas.common import (
    ChangesListing,
    ContactId,
    ContactIdText,
    Day,
    Document,
    FollowUpIdText,
    Instant,
    InstantIn,
    MessageIdText,
    OrganizationIdText,
    Request,
    ShortText,
    example_id,
)
from app.api.schemas.documents import PointerDocument
from app.api.schemas.notifications import PersonDocument, ToldEncounterDocument
from app.api.schemas.privacy import Noticed
from app.api.schemas.summary_facts import SummaryDocument, SummaryFactDocument
from app.domain.clock import ClockState
from app.domain.contact import ContactDirection, ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.follow_up import ContactEffect, FollowUpState
from app.domain.lateness import LateBy
from app.domain.measure import MeasureState
from app.domain.public_id import Kind

_TEXT_MAX = 8000


def _codes(codes: Any, description: str) -> WithJsonSchema:  # noqa: ANN401 - an enumeration
    """Publish a list of codes; they are read in any case."""
    return WithJsonSchema({"type": "string", "enum": [code.value for code in codes], "description": description})


def _schema(**schema: Any) -> WithJsonSchema:  # noqa: ANN401 - parts of a JSON schema
    return WithJsonSchema(schema)


def _code_list(description: str, example: str) -> WithJsonSchema:
    return _schema(type="array", items={"type": "string"}, maxItems=50, description=description, examples=[[example]])


_CONTENT = _schema(
    description="What was done: topics, or topics with true, a level, a score or a count; of phq9 the nine items, of c_ssrs_level the "
    "screener's answers q1 to q6 and q6_recent, of med_rec discrepancies, resolved and medications.",
    anyOf=[
        {"type": "array", "items": {"type": "string", "enum": [topic.value for topic in ContactTopic]}, "maxItems": 50},
        {"type": "object", "propertyNames": {"enum": [topic.value for topic in ContactTopic]}},
    ],
    examples=[
        {"safety_screen": True, "phq9": 12, "med_rec": {"done": True, "discrepancies": 2}},
        {"phq9": {"items": [1, 2, 1, 0, 0, 1, 0, 0, 0]}, "c_ssrs_level": {"q1": True, "q2": False, "q6": False}},
    ],
)

CONTACT_EXAMPLE = {
    "occurred_at": "2026-11-18T14:30:00-05:00",
    "type": "phone",
    "outcome": "reached",
    "with": "patient",
    "role": "coordinator",
    "duration_minutes": 12,
    "content": ["safety_screen", "appt_confirmed"],
    "note": "Will come on Monday.",
    "author": "C. Sample",
}


class NewContact(Request):
    """What a team did for a person's follow-up, reached or not. Never changed: a mistake is voided and said again."""

    occurred_at: Annotated[
        Any, _schema(type="string", format="date-time", description="RFC 3339 with an offset", examples=["2026-11-18T14:30:00-05:00"])
    ]
    type: Annotated[Any, _codes(ContactType, "How the contact was made")]
    outcome: Annotated[
        Any,
        _codes(ContactOutcome, "What came of it. in_facility, incarcerated, deceased let program clocks wait; answer deceased to close"),
    ]
    direction: Annotated[Any, _codes(ContactDirection, "Left out: outbound. What comes in is no attempt of the team")] = None
    with_: Annotated[Any, _codes(ContactWith, "Left out: patient; with reached_caregiver: caregiver"), Field(alias="with")] = None
    role: Annotated[Any, _codes(ContactRole, "Of who did it; clocks that ask for a role count no contact without one")] = None
    npi: Annotated[Any, _schema(type="string", description="National Provider Identifier, checked", examples=["1234567893"])] = None
    taxonomies: Annotated[
        Any,
        _schema(
            type="array",
            items={"type": "string"},
            maxItems=50,
            description="NUCC codes of who did it; where a loaded registry says what the npi is on that day, that counts",
        ),
    ] = None
    live_two_way: Annotated[Any, _schema(type="boolean", description="Left out: what type and outcome imply")] = None
    duration_minutes: Annotated[Any, _schema(type="integer", minimum=0, maximum=1440, description="Of the contact")] = None
    content: Annotated[Any, _CONTENT] = None
    visit_codes: Annotated[Any, _code_list("CPT or HCPCS, by which a contact is a service of a measure", "99214")] = None
    diagnoses: Annotated[Any, _code_list("ICD-10-CM, the principal first", "F32.2")] = None
    place_of_service: Annotated[Any, _schema(type="string", description="CMS place of service, two digits", examples=["11"])] = None
    note: Annotated[Any, _schema(type="string", maxLength=_TEXT_MAX, description="In own words; no rule reads it")] = None
    place: Annotated[Any, _schema(type="string", description="Where the person is: with in_facility and incarcerated")] = None
    review_on: Annotated[
        Any, _schema(type="string", format="date", description="With these: until then program clocks wait; left out, two weeks")
    ] = None
    next_action: Annotated[Any, _schema(type="string", maxLength=_TEXT_MAX, description="What is planned; no clock waits for it")] = None
    next_action_due_on: Annotated[Any, _schema(type="string", format="date", description="By when that is planned")] = None
    author: Annotated[
        ShortText | None, Field(description="The person who did it; the key is remembered anyway.", examples=["C. Sample"])
    ] = None
    source: Annotated[
        str, StringConstraints(pattern="^[a-z][a-z0-9_.-]{0,39}$"), Field(description="Which system says it", examples=["ehr"])
    ] = "api"
    source_id: Annotated[ShortText | None, Field(description="Its id there", examples=["note-5512"])] = None
    corrected_of: Annotated[
        ContactId | None, Field(description="The voided contact that this one replaces.", examples=[example_id(Kind.CONTACT)])
    ] = None

    def said(self) -> dict[str, Any]:
        """Give what was said of the contact itself, in the words of the API, as it is stored."""
        around = {"author", "source", "source_id", "corrected_of"}
        return {
            name: value for name, value in self.model_dump(by_alias=True, exclude_unset=True, exclude=around).items() if value is not None
        }


class VoidRequest(Request):
    """Why the contact is taken back."""

    reason: Annotated[ShortText, Field(examples=["wrong person"])]
    author: ShortText | None = None


class AssignRequest(Request):
    """To whom; null: to nobody."""

    assignee: Annotated[ShortText | None, Field(examples=["C. Sample"])]
    author: Annotated[ShortText | None, Field(description="Who gives it")] = None
    reason: Annotated[ShortText | None, Field(examples=["holidays"])] = None


class SnoozeRequest(Request):
    """Until when, and why."""

    until: Annotated[InstantIn, Field(description="At the latest when the first pending clock is due")]
    reason: Annotated[ShortText, Field(examples=["appointment tomorrow at nine"])]
    author: ShortText | None = None


class WakeRequest(Request):
    """Who wakes it."""

    author: ShortText | None = None


class CloseRequest(Request):
    """Why the home closes it."""

    reason: Annotated[ShortText, Field(examples=["completed"])]
    author: Annotated[ShortText | None, Field(description="Who closes it")] = None


class HomeDocument(Document):
    """The responsible home."""

    id: OrganizationIdText
    name: str


class ClockDocument(Document):
    """A program clock."""

    id: Annotated[str, Field(examples=["mainecare_bhh.contact_2bd"])]
    due_at: Instant
    state: ClockState
    satisfied_by: ContactIdText | None
    met_at: Instant | None
    reasons: list[str]
    priority: int
    known_at: Annotated[Instant | None, Field(description="Since when this due time stands")] = None
    reached_percent: Annotated[
        int | None, Field(description="The last share of its time at which somebody was to be told; 100 is the breach", examples=[50])
    ] = None


class ClockTimesDocument(Document):
    """When the discharge happened, came here, was told, was first opened by its home, and the home first tried the person.

    Of a clock that a later message started (a final diagnosis), or moved into the past, when that came here and was told.
    """

    discharged_at: Instant | None
    received_at: Instant | None
    told_at: Instant | None
    first_opened_at: Instant | None
    first_attempt_at: Instant | None


class LateClockDocument(ClockDocument):
    """A clock, its times, and by whose doing it is late."""

    late_by: Annotated[LateBy | None, Field(description="null: it is not late")] = None
    times: ClockTimesDocument | None = None


class GroundStatusDocument(Document):
    """Where it stands by one source of evidence alone."""

    status_7: MeasureState
    status_30: MeasureState
    met_7_on: Day | None
    met_30_on: Day | None


class MeasureStatusDocument(Document):
    """Where the discharge stands in a measure. Program clocks and measures are never mixed."""

    measure: str
    period: str
    status: MeasureState
    status_7: MeasureState
    status_30: MeasureState
    reason: str
    reasons: list[str]
    final: bool
    anchor_on: Day | None
    due_7_on: Day | None
    due_30_on: Day | None
    met_7_on: Day | None
    met_30_on: Day | None
    by_contacts: Annotated[GroundStatusDocument, Field(description="By what homes recorded, without claims")]
    by_claims: Annotated[GroundStatusDocument, Field(description="By claims that the asker loaded, without contacts")]
    rule_version: str


class ContactDocument(Document):
    """A contact as recorded."""

    id: ContactIdText
    occurred_at: Instant
    recorded_at: Instant
    author: str
    source: str
    source_id: str | None
    type: ContactType
    direction: ContactDirection
    with_: Annotated[ContactWith, Field(alias="with")]
    role: ContactRole | None
    npi: str | None
    outcome: ContactOutcome
    live_two_way: bool
    duration_minutes: int | None
    content: Annotated[dict[str, bool | int | str | dict[str, Any]], Field(description="An object where answers were given")]
    visit_codes: list[str]
    diagnoses: list[str]
    place_of_service: str | None
    note: str | None
    place: str | None = None
    review_on: Day | None = None
    next_action: str | None
    next_action_due_on: Day | None
    voided_at: Instant | None


class OwnerDocument(Document):
    """Who had the follow-up, from when to when."""

    organization_id: OrganizationIdText | None
    staff: str | None
    starts_at: Instant
    ends_at: Instant | None


class SnoozeDocument(Document):
    """Until when a follow-up rests, and why."""

    until: Instant
    reason: str
    by: str
    at: Instant


class HistoryDocument(Document):
    """What was done with a follow-up, beside contacts."""

    at: Instant
    what: Annotated[str, Field(description="assigned, snoozed, woken, closed or reopened: it is closed no more")]
    by: Annotated[str, Field(description="The person whom the key named; empty where none was, or facts did it", examples=["S. Sample"])]
    from_: Annotated[str | None, Field(alias="from", description="To whom, until when or in which state it was")]
    to: str | None
    reason: str | None


class FollowUpDocument(Noticed):
    """What one discharge asks of the responsible home, and where that stands. A plan sees status only."""

    id: FollowUpIdText
    person: PersonDocument
    encounter: ToldEncounterDocument
    home: HomeDocument | None
    home_at_discharge: Annotated[HomeDocument | None, Field(description="Another than home where responsibility moved")] = None
    program: str | None
    programs: list[str]
    state: FollowUpState
    state_reasons: list[str]
    anchor_on: Day | None
    anchor_at: Instant | None
    opened_at: Instant
    closed_at: Instant | None
    close_reason: Annotated[str | None, Field(description="What the home wrote; not shown to plans and agencies")]
    updated_at: Instant
    version: int
    source: Annotated[str, Field(description="adt, or reported")]
    assignee: str | None
    clocks: list[LateClockDocument]
    measures: list[MeasureStatusDocument]
    messages: Annotated[
        list[MessageIdText], Field(description="That the stay rests on, by what they tell of; of very many, the latest 100")
    ]
    contacts: list[ContactDocument]
    summary: SummaryDocument
    documents: Annotated[
        list[PointerDocument], Field(description="of the stay: its discharge summaries and the newest others, 20 at most; empty below full")
    ]
    documents_total: int
    snooze: Annotated[SnoozeDocument | None, Field(description="While it lasts; a breach is told all the same")] = None
    owners: list[OwnerDocument]
    history: Annotated[
        list[HistoryDocument],
        Field(default_factory=list, description="Who gave it to whom, let it rest, woke, closed or reopened it; oldest first"),
    ]


FollowUpPage = ChangesListing[FollowUpDocument]


class EffectDocument(Document):
    """What the contact did to one clock, and why not more."""

    clock_id: str
    clock_state: ClockState
    satisfies: bool
    attempt: bool
    reasons: list[str]


class RecordedContactDocument(ContactDocument):
    """The contact, what it satisfied and what not and why, and the follow-up as it stands now."""

    follow_up_id: FollowUpIdText
    satisfied: Annotated[list[str], Field(description="Ids of the clocks it satisfied")]
    effects: list[EffectDocument]
    follow_up: FollowUpDocument


class VoidedContactDocument(ContactDocument):
    """The contact, taken back, and the follow-up as it stands now."""

    follow_up_id: FollowUpIdText
    follow_up: FollowUpDocument


class RecordedSummaryFactDocument(SummaryFactDocument):
    """The fact, and the follow-up as it stands now."""

    follow_up_id: FollowUpIdText
    follow_up: FollowUpDocument


def effect_json(effect: ContactEffect) -> dict[str, Any]:
    """Show what a contact did to a clock."""
    return {
        "clock_id": effect.clock_id,
        "clock_state": effect.clock_state.value,
        "satisfies": effect.satisfies,
        "attempt": effect.attempt,
        "reasons": list(effect.reasons),
    }


def recorded_json(contact: dict[str, Any], follow_up: dict[str, Any], effects: Sequence[ContactEffect]) -> dict[str, Any]:
    """Show a recorded contact with what it came to."""
    return {
        **contact,
        "follow_up_id": follow_up["id"],
        "satisfied": [effect.clock_id for effect in effects if effect.satisfies],
        "effects": [effect_json(effect) for effect in effects],
        "follow_up": follow_up,
    }
