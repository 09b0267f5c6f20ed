"""The measure ledger: for whom an ended stay counts in which measure, and where it stands there. Rates are sums over its lines.

One line per (stay, measure, organization): each home that was responsible at the discharge, at day 7 or at day 30, each plan or agency
that covered the person on the day of the discharge, and one of the whole exchange, which counts a discharge once however many payers
cover it. What an organization may not know of is absent from its lines, and from the exchange's too: no number gives away what was
withheld (domain rule 10).
Not here: what a measure says (``episode``), or how lines are kept (store/measure_lines).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from app.domain.attribution import Attribution, Role, responsible_on
from app.domain.claim import ClaimLine, services_of
from app.domain.consent import Consent
from app.domain.contact import Contact
from app.domain.course import Course
from app.domain.death import without_doubted
from app.domain.directory import Directory
from app.domain.episode import covers, measure_statuses
from app.domain.home_day import Owner, owner_on
from app.domain.measure import LONG_DAYS, SHORT_DAYS, Evidence, MeasureCatalog, PersonHistory, Receipt
from app.domain.measure_history import Endings, Spans, birth_in, endings, enrolment, facts_of, history_of
from app.domain.measure_line import Homes, MeasureLine, Said, line_of, of_enrolled, said_of
from app.domain.organization import COVERING_KINDS, OrganizationKind
from app.domain.own_status import Asking
from app.domain.person import PatientRecord
from app.domain.privacy import Recipient
from app.domain.provider import Providers
from app.domain.responsible_home import responsible_homes
from app.domain.rulebook import Rulebook
from app.domain.seeing import may_count
from app.domain.service import Service
from app.domain.stay_in_hand import StayInHand, stay_for_rules

COUNTED_MODES = frozenset({"live", "reported", "backfill"})
PERSON_FACTS = ("birth_date", "sex", "race", "ethnicity", "language")
"""What a line says of the person beside their stays."""


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
    owners: Mapping[tuple[UUID, UUID], Sequence[Owner]] = field(default_factory=dict)
    """(stay, home of the discharge) -> the homes that had its follow-up, oldest first; only where it went to another."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Somebody for whom a stay counts."""

    organization_id: UUID | None
    kind: OrganizationKind
    homes: Homes
    of_home: bool = False
    enrolled_by: tuple[Attribution, ...] = field(default=())


def lines_of(person: Measured, directory: Directory, rulebook: Rulebook, catalog: MeasureCatalog, now: datetime) -> list[MeasureLine]:
    """Give every line of a person: each status depends on all their stays, so they are worked out together."""
    return _InHand(person, directory, rulebook, catalog, now).lines()


class _InHand:
    """One person whose lines are worked out. What readers and stays share is made once, or many stays would cost their square."""

    def __init__(self, person: Measured, directory: Directory, rulebook: Rulebook, catalog: MeasureCatalog, now: datetime) -> None:
        self.person, self.directory, self.rulebook, self.catalog, self.now = person, directory, rulebook, catalog, now
        self.stays = [stay for stay in person.stays if stay.mode in COUNTED_MODES]
        self.told = {stay.id: stay_for_rules(stay, rulebook) for stay in self.stays}
        self.facts = facts_of(person.records)
        self.born_on = birth_in(self.facts)
        self.shown: dict[UUID | None, _Shown] = {}
        self.known: dict[tuple[UUID, ...], _Shown] = {}
        self.histories: dict[tuple[Any, ...], PersonHistory] = {}
        self.seen: dict[tuple[Any, ...], PersonHistory] = {}
        self.made: dict[tuple[UUID, int, bool], list[Said]] = {}

    def lines(self) -> list[MeasureLine]:
        """Give the lines."""
        person, lines = self.person, []
        for stay in self.stays:
            if stay.view.discharged_at is None:
                continue
            rules, day = self.told[stay.id], stay.day_of(stay.view.discharged_at)
            known = Asking(self.directory, stay.law, stay.asked_at)
            denied = person.denied.get(stay.id, frozenset())
            responsible = responsible_homes(stay, rules, person.claims, self.directory, self.rulebook, denied=denied)
            homes = [home.home_id for home in responsible.homes if home.home_id is not None]
            owners = [self._owners(stay, homes, day + timedelta(days=days)) for days in (SHORT_DAYS, LONG_DAYS)]
            for reader in _readers([homes, *owners], person.claims, day, known, stay.consents):
                shown = self._shown_to(reader)
                if stay.id in shown.has:
                    lines += [
                        line_of(one, reader.organization_id, reader.homes, of_home=reader.of_home)
                        for one in self._made(stay, reader, shown, known)
                    ]
        return lines

    def _owners(self, stay: StayInHand, homes: Sequence[UUID], day: date) -> Sequence[UUID]:
        """Give whose the follow-ups of the homes of a discharge were when a later day was over."""
        owners = self.person.owners
        if not owners:
            return homes
        return [owner_on(owners[stay.id, home], day, stay.zone) if (stay.id, home) in owners else home for home in homes]

    def _made(self, stay: StayInHand, reader: _Reader, shown: "_Shown", known: Asking) -> list[Said]:
        """Give what lines of a stay say to a reader. Most know the same: what a payer sees, the exchange does."""
        coverage = enrolment(reader.enrolled_by) if reader.enrolled_by else None
        # Who is enrolled all the while is told what is told where enrolment is unknown, but for the doubt.
        is_enrolled = coverage is not None and self._is_covered(coverage, shown)
        history = self._history(stay, reader, shown, None if is_enrolled else coverage, known)
        asked = (stay.id, id(history), is_enrolled)
        if asked not in self.made:
            doubted = (stay.id, id(history), False)
            if doubted not in self.made:
                statuses = measure_statuses(without_doubted(self.told[stay.id], history.doubted), history, self.catalog, self.now)
                self.made[doubted] = said_of(stay, statuses, self.facts, self.born_on)
            if is_enrolled:
                self.made[asked] = [of_enrolled(one) for one in self.made[doubted]]
        return self.made[asked]

    def _is_covered(self, coverage: Spans, shown: "_Shown") -> bool:
        """Tell whether no event that the reader may know of has a gap of enrolment in its days."""
        if coverage not in shown.covered:
            ends = (self.told[one].discharged_on for one in shown.ids)
            shown.covered[coverage] = all(covers(coverage, on, on + timedelta(days=LONG_DAYS)) for on in ends if on is not None)
        return shown.covered[coverage]

    def _shown_to(self, reader: _Reader) -> "_Shown":
        """Give what a reader may know of."""
        found = self.shown.get(reader.organization_id)
        if found is None:
            stays = [one for one in self.stays if may_count(reader.organization_id, reader.kind, one, self.person.claims)]
            ids = tuple(one.id for one in stays)
            found = self.known.get(ids)
            if found is None:
                found = self.known[ids] = _Shown(stays, ids, frozenset(ids), Course(self.told[one] for one in ids))
            self.shown[reader.organization_id] = found
        return found

    def _history(self, stay: StayInHand, reader: _Reader, shown: "_Shown", coverage: Spans | None, known: Asking) -> PersonHistory:
        """Gather what the reader may know of the person, by the days of a stay's place; or give what was seen already."""
        person = self.person
        # What a reader sees is the same for nearly all stays of a person.
        seen_as = (reader.organization_id, reader.kind, coverage, stay.zone, stay.consents, stay.asked_at)
        history = self.histories.get(seen_as)
        if history is not None:
            return history
        hidden = self.told.keys() - shown.has
        contacts = [contact for on, contact in person.contacts if on not in hidden]
        # What a home of which the reader may not know has done meets nothing that the reader sees.
        contacts = known.contacts_for(Recipient(reader.kind, reader.organization_id), contacts, stay.consents)
        claims_of = reader.organization_id if person.services else None
        # And readers who see the same are told the same, whoever they are.
        of = (shown.ids, tuple(contact.id for contact in contacts), coverage, stay.zone, claims_of)
        if of not in self.seen:
            if stay.zone not in shown.ended:
                shown.ended[stay.zone] = endings(shown.stays, person.records, self.directory, self.rulebook, stay.zone)
            receipts = [
                Receipt(stay_id=str(one.id), what=heard.what, on=one.day_of(heard.at), by=heard.by)
                for one in shown.stays
                for heard in person.heard.get(one.id, ())
            ]
            ended = shown.ended[stay.zone]
            course = shown.course
            if ended.doubted:
                course = Course(without_doubted(self.told[one], ended.doubted) for one in shown.ids)
            self.seen[of] = history_of(
                course,
                contacts,
                stay.zone,
                born_on=self.born_on,
                ended=ended,
                coverage=coverage,
                receipts=receipts,
                claimed=claims_counted(person.services, reader.organization_id, person.providers),
                providers=person.providers,
            )
        self.histories[seen_as] = self.seen[of]
        return self.seen[of]


@dataclass(frozen=True, slots=True)
class _Shown:
    """The stays that a reader may know of, and what is the same for everybody who may know of just these."""

    stays: Sequence[StayInHand]
    ids: tuple[UUID, ...]
    has: frozenset[UUID]
    course: Course
    ended: dict[tzinfo, Endings] = field(default_factory=dict)
    """By the calendar of the place that asks."""
    covered: dict[Spans, bool] = field(default_factory=dict)


def claims_counted(lines: Sequence[ClaimLine], reader_id: UUID | None, providers: Providers) -> Sequence[Service]:
    """Give the claims that count for somebody: a payer's files for itself, and all of them for the exchange.

    A home sees no payer's claims, and a status that they alone made would tell it of them (decision 0010).
    """
    return services_of((one for one in lines if reader_id in (None, one.organization_id)), providers) if lines else ()


def _readers(
    homes: Sequence[Sequence[UUID]], claims: Sequence[Attribution], day: date, known: Asking, consents: tuple[Consent, ...]
) -> list[_Reader]:
    """Give for whom a stay counts: the homes that follow it up, who pays, and the exchange where it counts for anybody.

    `homes` are those of the discharge, of day 7 and of day 30.
    """
    directory = known.directory
    payers = [one for one, grounds in responsible_on(claims, day).items() if _pays(one, grounds, directory)]

    def first(reader: Recipient) -> Homes:
        """Give the first of the homes of each day that the reader may know of."""
        at_discharge, *later = (next((home for home in at if known.may_name(home, reader, consents)), None) for at in homes)
        return at_discharge, later[0], later[1]

    def own(home: UUID) -> Homes:
        """Give on which of the days a home was one of them."""
        at_discharge, *later = (home if home in at else None for at in homes)
        return at_discharge, later[0], later[1]

    responsible = dict.fromkeys(home for at in homes for home in at)
    readers = [_Reader(home, directory.organizations[home].kind, own(home), of_home=True) for home in responsible]
    for payer in payers:
        kind = directory.organizations[payer].kind
        readers.append(_Reader(payer, kind, first(Recipient(kind, payer)), enrolled_by=_enrolment_by(claims, {payer})))
    if readers:
        # The state's: it may know no more than a payer may. Who goes from one plan to another stays enrolled with it.
        anybody = Recipient(OrganizationKind.AGENCY)
        ever = {one.organization_id for one in claims if _pays(one.organization_id, (one,), directory)} if payers else set()
        readers.append(_Reader(None, anybody.kind, first(anybody), enrolled_by=_enrolment_by(claims, ever)))
    return readers


def _pays(organization_id: UUID, grounds: Sequence[Attribution], directory: Directory) -> bool:
    organization = directory.organizations.get(organization_id)
    return organization is not None and (organization.kind in COVERING_KINDS or any(ground.role == Role.PLAN for ground in grounds))


def _enrolment_by(claims: Sequence[Attribution], payers: set[UUID]) -> tuple[Attribution, ...]:
    return tuple(claim for claim in claims if claim.organization_id in payers)
