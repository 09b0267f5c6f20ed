"""What a viewer may read of follow-ups now: whole objects, clocks, measures and contacts included (DESIGN section 6, FollowUp).

A home reads everything its tier allows. A plan or agency reads status only: who, where, when, clocks and measures, never contacts,
words of the home or clinical content (domain rule 10). What a viewer may not be told of is absent, without a placeholder. A fixed
number of statements a page.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.attribution import Attribution
from app.domain.claim import services_of
from app.domain.clock import ClockState
from app.domain.contact import Contact, ContactTopic, TopicItem
from app.domain.course import Course
from app.domain.death import without_doubted
from app.domain.directory import Directory
from app.domain.episode import measure_statuses
from app.domain.filed_document import SHOWN_IN_LISTS_MAX, Filed, documents_content
from app.domain.follow_up import CLOSED_BY_HOME, FollowUpState
from app.domain.follow_up_history import shown_history
from app.domain.instrument import PHQ9_ITEMS
from app.domain.lateness import Times
from app.domain.measure import Evidence, EvidenceSource, MeasureStatus, Receipt
from app.domain.measure_history import Spans, birth_on, endings, enrolment, history_of
from app.domain.measure_ledger import Measured
from app.domain.organization import COVERING_KINDS, Organization, OrganizationKind
from app.domain.own_status import Asking
from app.domain.person import PatientRecord
from app.domain.privacy import Decision, Tier, may_be_told, recipient_of, travelling
from app.domain.public_id import Kind, public_id
from app.domain.rulebook import Rulebook
from app.domain.sources import Sources
from app.domain.stay_in_hand import StayInHand, stay_for_rules
from app.domain.summary_fact import SummaryFact, summary_content
from app.domain.telling import encounter_content, person_content
from app.domain.viewer import Viewer
from app.store import claims, documents, encounters, follow_ups, people, service_lines, summary_facts
from app.store.audit import saw
from app.store.encounter_reads import ReadStay
from app.store.follow_ups import FollowUpRow
from app.store.raw import Raw
from app.store.summary_facts import Receipted


@dataclass(frozen=True, slots=True)
class _Papers:
    """What is known of the papers of a stay: its documents, what the home says of the discharge summary, and the messages behind it."""

    filed: Filed
    facts: Sequence[SummaryFact]
    messages: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class FollowUpPresenter:
    """The rules by which follow-ups are shown. One per process."""

    read_stay: ReadStay
    rulebook: Rulebook

    async def present(
        self, raw: Raw, viewer: Viewer, rows: Sequence[FollowUpRow], *, directory: Directory, now: datetime
    ) -> list[dict[str, Any]]:
        """Give the follow-ups of a page as the viewer may read them."""
        if not rows:
            return []
        persons = {row.person_id for row in rows}
        by_id, stays = await self._stays(raw, persons, directory)
        said = await follow_ups.contacts_of_people(raw, persons)
        records = await people.describe(raw, persons)
        is_reported = any(stay.reported_by is not None for stay in by_id.values())
        private = await follow_ups.of_reporter_alone(raw, persons) if is_reported else set()
        covers = _may_cover(viewer, directory)
        claimed = await claims.of_people(raw, persons) if covers else {}
        services = await service_lines.of_people(raw, persons) if covers else {}
        npis = {line.npi for lines in services.values() for line in lines if line.npi} | _named_providers(said)
        providers = await service_lines.kinds_of_providers(raw, npis)
        asking = self._of_receipts()
        around = await summary_facts.around(raw, [row.id for row in rows], asking)
        filed = await documents.of_stays(raw, {row.encounter_id for row in rows}, most=SHOWN_IN_LISTS_MAX)
        sources = Sources(directory, records, _of_people(by_id.values()))
        known = Asking(directory, self.rulebook.privacy, now)
        shown = []
        seen: set[UUID] = set()
        for row in rows:
            stay = by_id.get(row.encounter_id)
            reader = _reader(viewer, row, directory)
            if stay is None or reader is None:
                continue
            # Of a stay that is nobody else's news, neither is the follow-up.
            told_as = recipient_of(reader)
            if not _may_show(stay, reader, private) or not known.may_name(row.home_id, told_as, stay.consents):
                continue
            decision = may_be_told(stay.origin, told_as)
            of_person = stays.get(row.person_id, ())
            allowed = [other for other in of_person if _may_show(other, reader, private)]
            hidden = {other.id for other in of_person} - {other.id for other in allowed}
            person_contacts = [one for (on, _), made in said.get(row.person_id, {}).items() if on not in hidden for one in made]
            # What a home of which the reader may not know has done meets nothing that the reader sees.
            person_contacts = known.contacts_for(told_as, person_contacts, stay.consents)
            spans = _coverage(reader, claimed.get(row.person_id, ()))
            heard = [_receipt(one, asking) for one in around.received.get(row.id, ()) if one.organization_id == reader.id]
            told_of = records.get(row.person_id, ())
            history = Measured(
                stays=allowed,
                contacts=[(stay.id, one) for one in person_contacts],
                records=told_of,
                services=[one for one in services.get(row.person_id, ()) if one.organization_id == reader.id],
                providers=providers,
            )
            measures = () if decision.conceals else self._measures(stay, history, spans, heard, directory, now)
            papers = _Papers(filed.get(row.encounter_id, Filed()), around.facts.get(row.id, ()), around.messages.get(row.id, ()))
            contacts = known.contacts_for(told_as, said.get(row.person_id, {}).get((row.encounter_id, row.id), []), stay.consents)
            first = row.first_home_id or row.home_id
            first = first if known.may_name(first, told_as, stay.consents) else row.home_id
            owners, log = around.of(row.id)
            chain = [one for one in owners if known.may_name(one["organization_id"], told_as, stay.consents)]
            shown.append(_shown(row, stay, reader, decision, directory, first, contacts, measures,
                                sources.told(row.person_id, reader.id), (chain, log), papers, now))  # fmt: skip
            seen.add(row.person_id)
        saw(seen)
        return shown

    def _of_receipts(self) -> Mapping[str, Evidence]:
        """Give the measures that ask what others acknowledged: the ledger says it, for the rows themselves are theirs."""
        catalog = self.rulebook.measures
        found = {name: catalog.versions_of(name)[-1].evidence for name in catalog.measures}
        return {name: what for name, what in found.items() if what not in (Evidence.SERVICE, Evidence.RETURN)}

    async def _stays(
        self, raw: Raw, persons: set[UUID], directory: Directory
    ) -> tuple[dict[UUID, StayInHand], dict[UUID, list[StayInHand]]]:
        """Give every stay by its id, and each person's history: a report that became part of another stay is not told twice in it."""
        by_id: dict[UUID, StayInHand] = {}
        history: dict[UUID, list[StayInHand]] = {}
        for row in await encounters.of_people(raw, persons):
            if row.mode != "test":
                stay = by_id[row.id] = self.read_stay(row, directory)
                if row.folded_into is None:
                    history.setdefault(row.person_id, []).append(stay)
        return by_id, history

    def _measures(
        self,
        stay: StayInHand,
        person: Measured,
        coverage: Spans | None,
        heard: Sequence[Receipt],
        directory: Directory,
        now: datetime,
    ) -> tuple[MeasureStatus, ...]:
        if stay not in person.stays:
            return ()
        ended = endings(person.stays, person.records, directory, self.rulebook, stay.zone)
        history = history_of(
            Course(without_doubted(stay_for_rules(one, self.rulebook), ended.doubted) for one in person.stays),
            [contact for _, contact in person.contacts],
            stay.zone,
            born_on=birth_on(person.records),
            ended=ended,
            coverage=coverage,
            receipts=heard,
            claimed=services_of(person.services, person.providers),
            providers=person.providers,
        )
        return measure_statuses(without_doubted(stay_for_rules(stay, self.rulebook), ended.doubted), history, self.rulebook.measures, now)


def _of_people(stays: Iterable[StayInHand]) -> dict[UUID, list[StayInHand]]:
    found: dict[UUID, list[StayInHand]] = {}
    for stay in stays:
        found.setdefault(stay.person_id, []).append(stay)
    return found


def _named_providers(said: Mapping[UUID, Mapping[tuple[UUID, UUID], Sequence[Contact]]]) -> set[str]:
    """Give who rendered visits."""
    made = (one for mine in said.values() for contacts in mine.values() for one in contacts)
    return {one.npi for one in made if one.npi}


def _receipt(line: Receipted, asking: Mapping[str, Evidence]) -> Receipt:
    """Read by what it is known out of the line's own words: `rests_on: notification ID on DATE`."""
    named = next((one.split(" ") for one in line.reasons if one.startswith("rests_on: ")), None)
    by = f"{named[1]}:{named[2]}" if named else ""
    return Receipt(stay_id=str(line.encounter_id), what=asking[line.measure], on=line.on, by=by)


def _reader(viewer: Viewer, row: FollowUpRow, directory: Directory) -> Organization | None:
    """Say for whom the follow-up is shown: who covers the person for itself; who else may see it (by grant, as operator) as its home."""
    own = directory.organizations.get(viewer.organization_id) if viewer.organization_id is not None else None
    if own is not None and (row.home_id is None or (own.kind in COVERING_KINDS and own.id != row.home_id)):
        return own
    if row.home_id is not None:
        return directory.organizations.get(row.home_id)
    return next((item for item in directory.organizations.values() if item.kind is OrganizationKind.PLAN), None)


def _may_show(stay: StayInHand, reader: Organization, private: AbstractSet[UUID]) -> bool:
    """Tell whether a stay may show in what the reader is told (domain/seeing.may_know, whose claims the reader does not see)."""
    return (stay.reported_by in (None, reader.id) or stay.id not in private) and may_be_told(stay.origin, recipient_of(reader)).tier.tells


def _may_cover(viewer: Viewer, directory: Directory) -> bool:
    own = directory.organizations.get(viewer.organization_id) if viewer.organization_id is not None else None
    return viewer.is_operator or (own is not None and own.kind in COVERING_KINDS)


def _coverage(reader: Organization, claimed: Sequence[Attribution]) -> Spans | None:
    """Give when who asks covered the person: a payer's panel says who is enrolled. A home knows nothing of enrolment."""
    if reader.kind not in COVERING_KINDS:
        return None
    return enrolment(claim for claim in claimed if claim.organization_id == reader.id) or None


def _shown(  # everything a follow-up is made of
    row: FollowUpRow,
    stay: StayInHand,
    reader: Organization,
    decision: Decision,
    directory: Directory,
    first_home_id: UUID | None,
    said: Sequence[Contact],
    measures: Sequence[MeasureStatus],
    records: Sequence[PatientRecord],
    around: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    papers: _Papers,
    now: datetime,
) -> dict[str, Any]:
    tier = decision.tier
    home = directory.organizations.get(row.home_id) if row.home_id else None
    # A plan or an agency that covers the person and is not the one that follows them up.
    is_status_only = reader.kind in COVERING_KINDS and reader.id != row.home_id
    is_whole = tier is Tier.FULL and not is_status_only
    papers = papers if is_whole else _Papers(Filed(), () if is_status_only else papers.facts, papers.messages)
    encounter = encounter_content(replace(stay, has_summary=bool(papers.filed.facts)), tier)
    # The shape is the same for everybody; what the tier takes away is null.
    for name in ("class", "visit_number", "disposition"):
        encounter.setdefault(name, None)
    if is_status_only and not decision.conceals:
        encounter["class"] = stay.view.encounter_class.value
    return {
        "id": public_id(Kind.FOLLOW_UP, row.id),
        "person": person_content(row.person_id, records, reader.id, tier, directory),
        "encounter": encounter,
        "home": _named(home),
        "home_at_discharge": _named(directory.organizations.get(first_home_id)) if first_home_id else None,
        "program": row.programs[0] if row.programs else None,
        "programs": row.programs,
        "state": row.state,
        "state_reasons": [] if decision.conceals else _without_words(row.state_reasons) if is_status_only else row.state_reasons,
        "anchor_on": row.anchor_on.isoformat() if row.anchor_on else None,
        "anchor_at": row.anchor_at.isoformat() if row.anchor_at else None,
        "opened_at": row.opened_at.isoformat(),
        "closed_at": row.closed_at.isoformat() if row.closed_at and row.state == FollowUpState.CLOSED else None,
        "close_reason": row.close_reason if row.state == FollowUpState.CLOSED and not is_status_only else None,
        "updated_at": row.updated_at.isoformat(),
        "version": row.version,
        "source": stay.source,
        **travelling(decision),
        "assignee": None if is_status_only else row.assignee,
        "clocks": [_clock(clock, row, said, now, is_status_only=is_status_only) for clock in row.clocks],
        "measures": [measure_json(status) for status in measures],
        "messages": [] if decision.conceals else [public_id(Kind.MESSAGE, one) for one in papers.messages],
        "contacts": [] if is_status_only else [contact_json(contact) for contact in said],
        "summary": summary_content([*papers.facts, *papers.filed.facts]),
        "documents": documents_content(papers.filed),
        "documents_total": papers.filed.total,
        "snooze": None if is_status_only else _snooze(row, now),
        "owners": [] if is_status_only else [_owner(owner) for owner in around[0]],
        "history": [] if is_status_only else shown_history(around[1], reader.id, conceals=decision.conceals),
    }


_TIMES = ("discharged_at", "received_at", "told_at", "first_opened_at", "first_attempt_at")


def _snooze(row: FollowUpRow, now: datetime) -> dict[str, Any] | None:
    """Show a snooze while it lasts."""
    if row.snoozed_until is None or row.snoozed_until <= now:
        return None
    return {"until": row.snoozed_until.isoformat(), **(row.snooze or {})}


def _named(home: Organization | None) -> dict[str, str] | None:
    return {"id": public_id(Kind.ORGANIZATION, home.id), "name": home.name} if home else None


def _clock(clock: Mapping[str, Any], row: FollowUpRow, said: Sequence[Contact], now: datetime, *, is_status_only: bool) -> dict[str, Any]:
    """Show a clock as it stands now: its due time may have passed since it was evaluated last."""
    since = row.anchor_at
    tried = [one.occurred_at for one in said if one.voided_at is None and since and one.occurred_at >= since and one.is_attempt]
    came = Times(row.anchor_at, row.received_at, row.told_at) if row.anchor_at else None
    heard_at = clock.get("heard_at")
    came = came.of_clock(datetime.fromisoformat(heard_at) if heard_at else None) if came else None
    received_at, told_at = (came.received_at, came.told_at) if came else (None, None)
    times = (row.anchor_at, received_at, told_at, row.first_opened_at, min(tried, default=None))
    said_of = {name: value for name, value in clock.items() if name != "heard_at"}
    shown = {**said_of, "times": {name: at.isoformat() if at else None for name, at in zip(_TIMES, times, strict=True)}}
    if shown["state"] == ClockState.PENDING and datetime.fromisoformat(shown["due_at"]) < now:
        shown["state"] = ClockState.OVERDUE.value
    if is_status_only:
        shown["satisfied_by"] = None
        shown["reasons"] = _without_words(shown["reasons"])
    return shown


def _without_words(reasons: Sequence[str]) -> list[str]:
    """Leave out what the home wrote when it closed: it is of the home's care, not of the status."""
    return [CLOSED_BY_HOME if reason.startswith(CLOSED_BY_HOME) else reason for reason in reasons]


def _owner(owner: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "organization_id": public_id(Kind.ORGANIZATION, owner["organization_id"]) if owner["organization_id"] else None,
        "staff": owner["staff"],
        "starts_at": owner["starts_at"].isoformat(),
        "ends_at": owner["ends_at"].isoformat() if owner["ends_at"] else None,
    }


def measure_json(status: MeasureStatus) -> dict[str, Any]:
    """Give a measure's status as the API shows it."""
    return {
        "measure": status.measure,
        "period": status.period,
        "status": status.status.value,
        "status_7": status.status_7.value,
        "status_30": status.status_30.value,
        "reason": status.reason,
        "reasons": list(status.reasons),
        "final": status.final,
        "anchor_on": status.anchor_on.isoformat() if status.anchor_on else None,
        "due_7_on": status.due_7_on.isoformat() if status.due_7_on else None,
        "due_30_on": status.due_30_on.isoformat() if status.due_30_on else None,
        "met_7_on": status.met_7_on.isoformat() if status.met_7_on else None,
        "met_30_on": status.met_30_on.isoformat() if status.met_30_on else None,
        "by_contacts": _ground_json(status, EvidenceSource.CONTACTS),
        "by_claims": _ground_json(status, EvidenceSource.CLAIMS),
        "rule_version": status.rule_version,
    }


def _ground_json(status: MeasureStatus, source: EvidenceSource) -> dict[str, Any]:
    by = status.by(source)
    return {
        "status_7": by.status_7.value,
        "status_30": by.status_30.value,
        "met_7_on": by.met_7_on.isoformat() if by.met_7_on else None,
        "met_30_on": by.met_30_on.isoformat() if by.met_30_on else None,
    }


def _topic_json(item: TopicItem) -> Any:  # noqa: ANN401 - as it is shown
    """Show a topic in its short form, or with its answers where they were given."""
    if not item.answers:
        return item.value if item.done and item.value is not None else item.done
    answers = dict(item.answers)
    if item.topic is ContactTopic.PHQ9:
        items = [answers.pop(f"item_{number}") for number in range(1, PHQ9_ITEMS + 1)]
        return {"done": item.done, "score": item.value, "items": items, **answers}
    return {"done": item.done, **({"level": item.value} if item.topic is ContactTopic.C_SSRS_LEVEL else {}), **answers}


def contact_json(contact: Contact) -> dict[str, Any]:
    """Give a contact as the API shows it (DESIGN section 6, Contact)."""
    return {
        "id": public_id(Kind.CONTACT, UUID(contact.id)),
        "occurred_at": contact.occurred_at.isoformat(),
        "recorded_at": contact.recorded_at.isoformat(),
        "author": contact.author,
        "source": contact.source,
        "source_id": contact.source_id,
        "type": contact.type.value,
        "direction": contact.direction.value,
        "with": contact.with_whom.value,
        "role": contact.role.value if contact.role else None,
        "npi": contact.npi,
        "outcome": contact.outcome.value,
        "live_two_way": contact.is_live,
        "duration_minutes": contact.duration_minutes,
        "content": {item.topic.value: _topic_json(item) for item in contact.content},
        "visit_codes": list(contact.visit_codes),
        "diagnoses": list(contact.diagnoses),
        "place_of_service": contact.place_of_service,
        "note": contact.note,
        "place": contact.place,
        "review_on": contact.review_on.isoformat() if contact.review_on else None,
        "next_action": contact.next_action,
        "next_action_due_on": contact.next_action_due_on.isoformat() if contact.next_action_due_on else None,
        "voided_at": contact.voided_at.isoformat() if contact.voided_at else None,
    }
