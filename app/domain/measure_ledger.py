"""The measure ledger: for whom an ended stay counts in which measure, and where it stands there. Rates are sums over its lines.

One line per (stay, measure, organization): each home that was responsible and each plan or agency that covered the person on the day
of the discharge, and one of the whole exchange, which counts a discharge once however many payers cover it. What an organization may
not know of is absent from its lines, and from the exchange's too: no number gives away what was withheld (domain rule 10).
Not here: what a measure says (``episode``), or how lines are kept (store/measure_lines).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from app.domain.attribution import Attribution, Role, responsible_on
from app.domain.calendar import age_on, end_of_day
from app.domain.claim import ClaimLine, services_of
from app.domain.consent import Consent
from app.domain.contact import Contact
from app.domain.course import Course
from app.domain.directory import Directory
from app.domain.episode import TRANSFER_AWAITED, TRANSFER_WAIT_DAYS, measure_statuses
from app.domain.measure import Evidence, GroundStatus, MeasureCatalog, MeasureState, MeasureStatus, PersonHistory, Receipt
from app.domain.measure_history import Spans, birth_on, endings, enrolment, facts_of, history_of
from app.domain.organization import COVERING_KINDS, OrganizationKind
from app.domain.own_status import Asking
from app.domain.person import PatientRecord
from app.domain.privacy import Recipient
from app.domain.provider import Providers
from app.domain.responsible_home import responsible_homes
from app.domain.rulebook import Rulebook
from app.domain.seeing import may_count
from app.domain.service import Ground, Service
from app.domain.stay import Stay
from app.domain.stay_in_hand import StayInHand, stay_for_rules

COUNTED_MODES = frozenset({"live", "reported", "backfill"})
NO_LINE = frozenset({MeasureState.NOT_ELIGIBLE, MeasureState.VOID})
"""What is no event of a measure, or never was, has no line in it."""
STRATA = ("sex", "race", "ethnicity", "language", "dual_status", "geography")
"""By which rates are told apart, as sources say them; unknown is a stratum of its own."""
PERSON_FACTS = ("birth_date", "sex", "race", "ethnicity", "language")
"""What a line says of the person beside their stays."""
ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureLine:
    """Where one stay stands in one measure for one organization."""

    encounter_id: UUID
    measure: str
    organization_id: UUID | None
    """None: the exchange as a whole."""
    person_id: UUID
    facility_id: UUID | None
    home_id: UUID | None
    """The home that was responsible on the day of the discharge: the line's own, else the first of them."""
    period: int
    anchor_on: date
    due_7_on: date
    due_30_on: date
    status_7: str
    status_30: str
    reason: str
    superseded_by: UUID | None
    met_7_on: date | None
    met_30_on: date | None
    met_by: str | None
    """By contacts alone, by claims alone: 2 in the 7 days, 1 in the 30 only, 0 not; None where services do not decide."""
    contacts_7_on: date | None
    contacts_30_on: date | None
    claims_7_on: date | None
    claims_30_on: date | None
    age: int | None
    """Full years on the anchor."""
    sex: str | None
    race: str | None
    ethnicity: str | None
    language: str | None
    dual_status: str | None
    geography: str | None
    provisional: bool
    """No final principal diagnosis of the stay has come."""
    rule_version: str
    reasons: tuple[str, ...]
    next_change_at: datetime | None
    """When to look again although nothing happens."""

    @property
    def key(self) -> tuple[UUID, str, UUID | None]:
        """What makes two lines versions of one."""
        return self.encounter_id, self.measure, self.organization_id


@dataclass(frozen=True, slots=True)
class Heard:
    """That a home had something of a stay."""

    what: Evidence
    at: datetime
    by: str
    """`notification:` or `summary_fact:` and the id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One person with everything the ledger rests on."""

    stays: Sequence[StayInHand]
    """Every stay but those that became part of another."""
    contacts: Sequence[tuple[UUID, Contact]] = ()
    """Each with the stay of its follow-up."""
    records: Sequence[PatientRecord] = ()
    claims: Sequence[Attribution] = ()
    denied: Mapping[UUID, AbstractSet[UUID]] = field(default_factory=dict)
    """Stay -> homes that answered that the person is not theirs, and were found right."""
    heard: Mapping[UUID, Sequence[Heard]] = field(default_factory=dict)
    """Stay -> what homes acknowledged or recorded of its admission and its discharge."""
    services: Sequence[ClaimLine] = ()
    """What encounter and pharmacy files say, whoever loaded them, in all versions."""
    providers: Providers = field(default_factory=dict)
    """What kinds of provider those are who rendered services."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Somebody for whom a stay counts."""

    organization_id: UUID | None
    kind: OrganizationKind
    home_id: UUID | None
    enrolled_by: tuple[Attribution, ...] = field(default=())


def lines_of(person: Measured, directory: Directory, rulebook: Rulebook, catalog: MeasureCatalog, now: datetime) -> list[MeasureLine]:
    """Give every line of a person: each status depends on all their stays, so they are worked out together."""
    stays = [stay for stay in person.stays if stay.mode in COUNTED_MODES]
    told = {stay.id: stay_for_rules(stay, rulebook) for stay in stays}
    allowed: dict[UUID | None, list[StayInHand]] = {}
    histories: dict[tuple[Any, ...], PersonHistory] = {}
    seen: dict[tuple[Any, ...], PersonHistory] = {}
    statuses: dict[tuple[UUID, int], tuple[MeasureStatus, ...]] = {}
    lines: list[MeasureLine] = []
    facts = facts_of(person.records)
    born = birth_on(person.records)
    for stay in stays:
        if stay.view.discharged_at is None:
            continue
        rules, day = told[stay.id], stay.day_of(stay.view.discharged_at)
        known = Asking(directory, stay.law, stay.asked_at)
        denied = person.denied.get(stay.id, frozenset())
        responsible = responsible_homes(stay, rules, person.claims, directory, rulebook, denied=denied)
        homes = [home.home_id for home in responsible.homes if home.home_id is not None]
        for reader in _readers(homes, person.claims, day, known, stay.consents):
            shows = allowed.get(reader.organization_id)
            if shows is None:
                shows = [one for one in stays if may_count(reader.organization_id, reader.kind, one, person.claims)]
                allowed[reader.organization_id] = shows
            if stay not in shows:
                continue
            coverage = enrolment(reader.enrolled_by) if reader.enrolled_by else None
            # What a reader sees is the same for nearly all stays of a person: gathered once, or many stays cost their square.
            seen_as = (reader.organization_id, reader.kind, coverage, stay.zone, stay.consents, stay.asked_at)
            history = histories.get(seen_as)
            if history is None:
                history = histories[seen_as] = _history(person, stay, reader, shows, told, coverage, known, rulebook, seen)
            # Most readers know the same: what a payer sees, the exchange does.
            asked = (stay.id, id(history))
            if asked not in statuses:
                statuses[asked] = measure_statuses(rules, history, catalog, now)
            made = (_line(stay, status, reader, facts, born) for status in statuses[asked])
            lines.extend(line for line in made if line is not None)
    return lines


def _history(
    person: Measured,
    stay: StayInHand,
    reader: _Reader,
    shows: Sequence[StayInHand],
    told: Mapping[UUID, Stay],
    coverage: Spans | None,
    known: Asking,
    rulebook: Rulebook,
    seen: dict[tuple[Any, ...], PersonHistory],
) -> PersonHistory:
    """Gather what the reader may know of the person, by the days of a stay's place; or give what was `seen` already, by what it is of."""
    hidden = {one.id for one in person.stays if one.mode in COUNTED_MODES} - {one.id for one in shows}
    contacts = [contact for on, contact in person.contacts if on not in hidden]
    # What a home of which the reader may not know has done meets nothing that the reader sees.
    contacts = known.contacts_for(Recipient(reader.kind, reader.organization_id), contacts, stay.consents)
    claims_of = reader.organization_id if person.services else None
    of = (tuple(one.id for one in shows), tuple(contact.id for contact in contacts), coverage, stay.zone, claims_of)
    if of not in seen:
        receipts = [
            Receipt(stay_id=str(one.id), what=heard.what, on=one.day_of(heard.at), by=heard.by)
            for one in shows
            for heard in person.heard.get(one.id, ())
        ]
        seen[of] = history_of(
            Course(told[one.id] for one in shows),
            contacts,
            person.records,
            stay.zone,
            ended=endings(shows, person.records, known.directory, rulebook, stay.zone),
            coverage=coverage,
            receipts=receipts,
            claimed=claims_counted(person.services, reader.organization_id, person.providers),
            providers=person.providers,
        )
    return seen[of]


def claims_counted(lines: Sequence[ClaimLine], reader_id: UUID | None, providers: Providers) -> Sequence[Service]:
    """Give the claims that count for somebody: a payer's files for itself, and all of them for the exchange.

    A home sees no payer's claims, and a status that they alone made would tell it of them (decision 0010).
    """
    return services_of((one for one in lines if reader_id in (None, one.organization_id)), providers) if lines else ()


def _readers(
    homes: Sequence[UUID], claims: Sequence[Attribution], day: date, known: Asking, consents: tuple[Consent, ...]
) -> list[_Reader]:
    """Give for whom a stay counts: the homes that follow it up, who pays, and the exchange where it counts for anybody."""
    directory = known.directory
    payers: list[UUID] = []
    for organization_id, grounds in responsible_on(claims, day).items():
        organization = directory.organizations.get(organization_id)
        if organization is None:
            continue
        if organization.kind in COVERING_KINDS or any(ground.role == Role.PLAN for ground in grounds):
            payers.append(organization_id)

    def first(reader: Recipient) -> UUID | None:
        """Give the first of the homes that the reader may know of."""
        return next((home for home in homes if known.may_name(home, reader, consents)), None)

    readers = [_Reader(home, directory.organizations[home].kind, home) for home in homes]
    for payer in payers:
        kind = directory.organizations[payer].kind
        readers.append(_Reader(payer, kind, first(Recipient(kind, payer)), _enrolment_by(claims, {payer})))
    if readers:
        # The state's: it may know no more than a payer may.
        anybody = Recipient(OrganizationKind.AGENCY)
        readers.append(_Reader(None, anybody.kind, first(anybody), _enrolment_by(claims, set(payers))))
    return readers


def _enrolment_by(claims: Sequence[Attribution], payers: set[UUID]) -> tuple[Attribution, ...]:
    return tuple(claim for claim in claims if claim.organization_id in payers)


def _line(stay: StayInHand, status: MeasureStatus, reader: _Reader, facts: dict[str, Any], born: date | None) -> MeasureLine | None:
    anchor_on, due_7_on, due_30_on = status.anchor_on, status.due_7_on, status.due_30_on
    if status.status in NO_LINE or anchor_on is None or due_7_on is None or due_30_on is None:
        return None
    return MeasureLine(
        encounter_id=stay.id,
        measure=status.measure,
        organization_id=reader.organization_id,
        person_id=stay.person_id,
        facility_id=stay.facility.id if stay.facility else None,
        home_id=reader.home_id,
        period=anchor_on.year,
        anchor_on=anchor_on,
        due_7_on=due_7_on,
        due_30_on=due_30_on,
        status_7=status.status_7.value,
        status_30=status.status_30.value,
        reason=status.reason,
        superseded_by=UUID(status.superseded_by) if status.superseded_by else None,
        met_7_on=status.met_7_on,
        met_30_on=status.met_30_on,
        **_by_ground(status),
        age=age_on(born, anchor_on) if born else None,
        **{name: facts.get(name) for name in STRATA},
        provisional=stay.signal.provisional,
        rule_version=status.rule_version,
        reasons=status.reasons,
        next_change_at=_next_change(status, anchor_on, stay.zone),
    )


def _by_ground(status: MeasureStatus) -> dict[str, Any]:
    contacts, claims = (status.by_ground.get(ground) if status.by_ground else None for ground in (Ground.CONTACT, Ground.CLAIM))
    known = contacts is not None and claims is not None
    return {
        "met_by": f"{_level(contacts)}{_level(claims)}" if known else None,
        "contacts_7_on": contacts and contacts.met_7_on,
        "contacts_30_on": contacts and contacts.met_30_on,
        "claims_7_on": claims and claims.met_7_on,
        "claims_30_on": claims and claims.met_30_on,
    }


def _level(by: GroundStatus | None) -> int:
    if by is None or by.met_30_on is None:
        return 0
    return 1 if by.met_7_on is None else 2


def _next_change(status: MeasureStatus, anchor_on: date, zone: tzinfo) -> datetime | None:
    """Say when the passing of days alone changes the status: the first second after a window, or after a transfer's wait."""
    if status.reason == TRANSFER_AWAITED.reason:
        return end_of_day(anchor_on + timedelta(days=TRANSFER_WAIT_DAYS), zone) + ONE_SECOND
    waiting = [
        due_on
        for state, due_on in ((status.status_7, status.due_7_on), (status.status_30, status.due_30_on))
        if state is MeasureState.PENDING and due_on is not None
    ]
    return end_of_day(min(waiting), zone) + ONE_SECOND if waiting else None
