"""A service: something that was done for a person and that a quality measure may count. A coordinator's call is none.

A measure asks for visit codes, a kind of provider, a diagnosis or a place; which of them, its rules say as data. Services come from
contacts that carry codes and from claims (``claim``). Not here: which discharge they belong to and in which days they must fall
(``measure``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.domain.behavioral import MENTAL_GROUPS
from app.domain.calendar import local_date
from app.domain.contact import LIVE_TYPES, Contact, ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.diagnosis import DiagnosisGroup, DiagnosisRules
from app.domain.provider import Providers, resolved

UNCODED_VISIT: Final = "uncoded_visit"
"""Stands as a code group for a live visit that carries no code: whether it counts, a measure's rules say."""
MEDICATION_DISPENSED: Final = "medication_dispensed"
"""Stands as a code group for a dispensing of medication for alcohol or opioid use disorder."""
MEDICATION_RECONCILED: Final = "medication_reconciled"
"""Stands as a code group for a medication reconciliation that was recorded without a code, by somebody who may do one."""
RECONCILING_ROLES: Final = frozenset({ContactRole.RN, ContactRole.PRESCRIBER, ContactRole.PHARMACIST})
"""Who may reconcile medication (TRC): prescriber, pharmacist, registered nurse."""
CODED_TYPES: Final = LIVE_TYPES | {ContactType.PORTAL, ContactType.EMAIL, ContactType.TEXT}
"""How a visit that has a code can have been made: e-visits are coded too. A voicemail or a letter is no visit whatever it carries."""
SUBSTANCE_TREATED: Final = frozenset({DiagnosisGroup.SUD_TREATED, DiagnosisGroup.OVERDOSE})


class Ground(StrEnum):
    """What says that a service was given."""

    CONTACT = "contact"
    CLAIM = "claim"


class ServiceNeed(StrEnum):
    """What a measure may want to know of a service beside its code."""

    MENTAL_HEALTH_PROVIDER = "mental_health_provider"
    MENTAL_HEALTH_DIAGNOSIS = "mental_health_diagnosis"
    MENTAL_HEALTH_PRINCIPAL = "mental_health_principal"
    SELF_HARM_PRINCIPAL = "self_harm_principal"
    SUBSTANCE_USE_DIAGNOSIS = "substance_use_diagnosis"
    """An overdose too."""
    SUBSTANCE_DISORDER_DIAGNOSIS = "substance_disorder_diagnosis"
    SUBSTANCE_DISORDER_PRINCIPAL = "substance_disorder_principal"
    RECONCILER = "reconciler"
    """Given by somebody who may reconcile medication, or by nobody in particular, as in a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service on one local date."""

    id: str
    on: date
    visit_codes: tuple[str, ...] = ()
    """CPT or HCPCS, modifiers after a hyphen."""
    diagnoses: tuple[str, ...] = ()
    """ICD-10-CM, the principal one first."""
    taxonomies: tuple[str, ...] = ()
    place_of_service: str | None = None
    live_visit: bool = False
    """The person was there, and that is all that is known of the kind of visit."""
    medication_dispensed: bool = False
    medication_reconciled: bool = False
    may_reconcile: bool = True
    """Not, where it is said that somebody else gave it: then a code of medication reconciliation is no reconciliation."""
    ndc: str | None = None
    """What was dispensed: eleven digits."""
    ground: Ground = Ground.CONTACT
    npi: str | None = None
    """Who rendered it."""
    is_provider_stated: bool = False
    """What kind of provider rendered it, its sender alone says."""
    is_provider_unresolved: bool = False
    """It names who rendered it, and what that is nobody says: it earns nothing for which the kind of provider counts."""

    def is_same_visit(self, other: "Service") -> bool:
        """Whether a claim and a contact tell of one visit: the same day, and the same performer or, where one names none, the same visit.

        Two claims, or two contacts, are two services.
        """
        if self.ground is other.ground or self.on != other.on or self.ndc is not None or other.ndc is not None:
            return False
        if self.npi is not None and other.npi is not None:
            return self.npi == other.npi
        mine, theirs = ({code.partition("-")[0] for code in one.visit_codes} for one in (self, other))
        return not mine.isdisjoint(theirs) or not mine or not theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeGroup:
    """Visit codes that a measure treats alike, during one period. Code numbers only: descriptions belong to their owners."""

    name: str
    codes: frozenset[str]
    effective_from: date | None = None
    effective_to: date | None = None
    """Exclusive."""

    def in_force(self, on: date) -> bool:
        """Whether these codes are valid on a date."""
        return (self.effective_from is None or self.effective_from <= on) and (self.effective_to is None or on < self.effective_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRule:
    """One way to qualify: a code of these groups, at these places if any are named, with what it needs."""

    name: str
    code_groups: frozenset[str]
    places: frozenset[str] = frozenset()
    needs_any: frozenset[ServiceNeed] = frozenset()
    needs_all: frozenset[ServiceNeed] = frozenset()
    long_window_only: bool = False
    """Counts for the 30 days, not for the 7."""


class ServiceReader:
    """The code groups, provider types and diagnosis rules of one deployment: reads a service for a measure's rules."""

    def __init__(
        self,
        code_groups: Iterable[CodeGroup],
        mental_health_providers: Iterable[str],
        no_visit_places: Iterable[str],
        diagnoses: DiagnosisRules,
        medications: Iterable[str] = (),
    ) -> None:
        self._groups_by_code: dict[str, list[CodeGroup]] = {}
        for group in code_groups:
            for code in group.codes:
                self._groups_by_code.setdefault(code, []).append(group)
        self._providers = frozenset(mental_health_providers)
        self._no_visit_places = frozenset(no_visit_places)
        self._diagnoses = diagnoses
        self._medications = frozenset(medications)
        """Labeler and product, the first nine digits of an NDC, of medication for alcohol or opioid use disorder."""

    def qualifying(self, service: Service, rules: Sequence[ServiceRule]) -> ServiceRule | None:
        """Give the rule under which a service qualifies; the one with the fewest limits when several do."""
        groups = self._code_groups(service)
        if service.place_of_service in self._no_visit_places:
            groups &= {MEDICATION_RECONCILED}
        fits = [
            rule
            for rule in rules
            if not groups.isdisjoint(rule.code_groups) and (not rule.places or service.place_of_service in rule.places)
        ]
        if not fits:
            return None
        has = self._has(service)
        fits = [rule for rule in fits if rule.needs_all <= has and (not rule.needs_any or not rule.needs_any.isdisjoint(has))]
        return min(fits, key=lambda rule: rule.long_window_only, default=None)

    def awaits_provider(self, service: Service, rules: Sequence[ServiceRule]) -> bool:
        """Whether a service does not qualify, and would if who rendered it were known to be a mental-health provider."""
        if not service.is_provider_unresolved or self.qualifying(service, rules) is not None:
            return False
        return self.qualifying(replace(service, taxonomies=tuple(self._providers)[:1]), rules) is not None

    def rests_on_statement(self, service: Service, rules: Sequence[ServiceRule]) -> bool:
        """Whether a service qualifies only by the kind of provider that its sender states."""
        if not service.is_provider_stated or self.qualifying(service, rules) is None:
            return False
        return self.qualifying(replace(service, taxonomies=()), rules) is None

    def _code_groups(self, service: Service) -> set[str]:
        names = set()
        for code in service.visit_codes:
            for group in self._groups_by_code.get(code.partition("-")[0], ()):
                if group.in_force(service.on):
                    names.add(group.name)
        if service.live_visit and not service.visit_codes:
            names.add(UNCODED_VISIT)
        if service.medication_dispensed or (service.ndc is not None and service.ndc[:9] in self._medications):
            names.add(MEDICATION_DISPENSED)
        if service.medication_reconciled:
            names.add(MEDICATION_RECONCILED)
        return names

    def _has(self, service: Service) -> set[ServiceNeed]:
        has = {ServiceNeed.RECONCILER} if service.may_reconcile else set()
        if not self._providers.isdisjoint(service.taxonomies):
            has.add(ServiceNeed.MENTAL_HEALTH_PROVIDER)
        for position, code in enumerate(service.diagnoses):
            groups = self._diagnoses.groups_of(code, service.on)
            if groups & MENTAL_GROUPS:
                has.add(ServiceNeed.MENTAL_HEALTH_DIAGNOSIS)
                if position == 0:
                    has.add(ServiceNeed.MENTAL_HEALTH_PRINCIPAL)
            if position == 0 and DiagnosisGroup.SELF_HARM in groups:
                has.add(ServiceNeed.SELF_HARM_PRINCIPAL)
            if groups & SUBSTANCE_TREATED:
                has.add(ServiceNeed.SUBSTANCE_USE_DIAGNOSIS)
            if DiagnosisGroup.SUD_TREATED in groups:
                has.add(ServiceNeed.SUBSTANCE_DISORDER_DIAGNOSIS)
                if position == 0:
                    has.add(ServiceNeed.SUBSTANCE_DISORDER_PRINCIPAL)
        return has


def service_of(contact: Contact, zone: tzinfo, providers: Providers = MappingProxyType({})) -> Service | None:
    """Give a contact as a service on its local date, or nothing where it cannot be one: the patient was not seen or spoken with.

    Whether it qualifies is for the rules to say; most contacts of a coordinator carry no code and no provider type, and do not.
    """
    kept = contact.outcome in (ContactOutcome.ATTENDED, ContactOutcome.REACHED) and contact.with_whom is ContactWith.PATIENT
    reconciled = contact.did(ContactTopic.MED_REC) and contact.role in RECONCILING_ROLES
    if contact.voided_at is not None:
        return None
    if not kept or contact.type not in CODED_TYPES:
        # The list of medicines is reconciled with whoever has it; the patient need not be there.
        on = local_date(contact.occurred_at, zone)
        return Service(id=contact.id, on=on, medication_reconciled=True) if reconciled else None
    on = local_date(contact.occurred_at, zone)
    kinds = resolved(contact.npi, contact.taxonomies, on, providers)
    return Service(
        id=contact.id,
        on=on,
        visit_codes=contact.visit_codes,
        diagnoses=contact.diagnoses,
        taxonomies=kinds.taxonomies,
        place_of_service=contact.place_of_service,
        npi=contact.npi,
        is_provider_stated=kinds.is_stated,
        is_provider_unresolved=kinds.is_unresolved,
        live_visit=contact.is_live and contact.type in LIVE_TYPES and contact.type is not ContactType.IN_PERSON_HOSPITAL,
        medication_reconciled=reconciled,
        may_reconcile=contact.role is None or contact.role in RECONCILING_ROLES,
    )
