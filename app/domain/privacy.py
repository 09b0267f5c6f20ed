"""May they be told, and how much: one pure decision per (event, recipient, purpose), with its reasons.

Called when queueing, at every send and at every read (DESIGN section 4). The order: what the patient refused, the protection of 42 CFR
part 2, the law of the place, and the minimum necessary; the strictest of them counts. Part 2 status comes from the source, never from
the diagnosis (domain rule 6). Not here: recipients' own wishes (`preference`), or how a tier is rendered (`notification`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.domain.agreement import Span, is_in_force
from app.domain.consent import OVERRIDING, Category, Consent, ConsentKind, Purpose
from app.domain.organization import FacilityType, Organization, OrganizationKind, Part2Status
from app.domain.privacy_law import NO_LAW, Default, Notice, PrivacyLaw, StatePack, StateRule, Without, concerned

RULE_VERSION = "privacy/2026-11"


class Tier(StrEnum):
    """How much may be told."""

    FULL = "full"
    MINIMAL = "minimal"
    """Person, hospital, event and date: no diagnosis, unit, service, practitioner or reason."""
    ID_ONLY = "id_only"
    """That something is there to be read by those who may."""
    SUPPRESS = "suppress"
    """Nothing at all, not even a number in the sequence."""
    HOLD = "hold"
    """Nothing until a person has looked."""

    @property
    def tells(self) -> bool:
        """Whether anything may leave."""
        return self in (Tier.FULL, Tier.MINIMAL, Tier.ID_ONLY)


_BREADTH: Final = {Tier.FULL: 4, Tier.MINIMAL: 3, Tier.ID_ONLY: 2, Tier.HOLD: 1, Tier.SUPPRESS: 0}
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
"""Before every consent: nobody has asked when."""

PROTECTED: Final = "protected: "
"""Begins a reason that itself tells what is protected: for the ledger and the operator, never for a recipient."""

PART2_NOTICE: Final = "42CFR2.32(a)(1)"
PART2_LABEL: Final = "42CFRPart2"


class Recipient(NamedTuple):
    """Who would be told. Without an id: nobody in particular of this kind, whom no paper names."""

    kind: OrganizationKind
    id: UUID | None = None
    agreed: tuple[Span, ...] | None = None
    """When its agreements let it be told; None: it is not asked, as of who is responsible whether or not they are told."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the records come from, as the registry knows it, what is in them, and what the patient has signed."""

    part2_status: Part2Status
    substance_use_signal: bool
    mental_health_signal: bool
    is_identified_unit: bool = False
    """The program is a unit of a general hospital: that somebody was in the hospital says nothing."""
    facility_id: UUID | None = None
    facility_type: FacilityType = FacilityType.UNKNOWN
    mental_health_licensed: bool = False
    codes: tuple[str, ...] = ()
    """Diagnoses, upper case and without the point; only where a pack asks for them."""
    is_protected: bool = False
    """The hospital's own messages say that the patient's data must not go further (PD1-12)."""
    pack: StatePack | None = None
    law: PrivacyLaw = NO_LAW
    consents: tuple[Consent, ...] = ()
    day: date = date.min
    """Today, at the place."""
    now: datetime = LONG_AGO
    reporter: "Origin | None" = None
    """Who reported it, where that is an origin of its own: both let it go, or it stays."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The tier, the labels and notices that travel with what is told, and everything it rests on."""

    tier: Tier
    reasons: tuple[str, ...]
    labels: tuple[str, ...] = ()
    permitted: Tier | None = None
    """What the law of the source lets go, before the minimum necessary is taken of it; None: the same as `tier`."""
    notices: tuple[Notice, ...] = ()
    scope: str | None = None
    """What the consent lets go, which travels along (42 CFR 2.32(b))."""
    basis: tuple[str, ...] = ()
    consents: tuple[UUID, ...] = ()
    rules: tuple[str, ...] = ()
    lacks_agreement: bool = False
    """It would be told, if an agreement with the recipient were in force."""
    conceals: bool = False
    """What is told must not show why it is so little: no measure, class or label may give it away."""

    @property
    def source_permits(self) -> Tier:
        """What the law of the source lets go."""
        return self.permitted or self.tier


NOTHING: Final = Decision(Tier.SUPPRESS, ("nothing is known of it by which it could be told",))

_PROTECTED_BY_HOSPITAL: Final = Decision(
    Tier.SUPPRESS,
    (f"{PROTECTED}PD1-12: the hospital's message says that access is protected (45 CFR 164.522(a)(1))",),
    basis=("45 CFR 164.522(a)(1)", "45 CFR 171.202(e)"),
)

PROVIDER_KINDS = frozenset({OrganizationKind.HEALTH_HOME, OrganizationKind.BEHAVIORAL_HEALTH_HOME, OrganizationKind.HOSPITAL})
_PROGRAMS: Final = (Part2Status.PROGRAM, Part2Status.SUD_ONLY)
_FOR_PAYMENT: Final = (Purpose.PAYMENT, Purpose.OPERATIONS)


def recipient_of(organization: Organization) -> Recipient:
    """Give an organization as the decision sees it."""
    # The exchange itself is no party to an agreement with itself.
    return Recipient(organization.kind, organization.id, None if organization.kind is OrganizationKind.HIE else organization.agreed)


_NOT_AGREED: Final = Decision(
    Tier.SUPPRESS,
    ("no agreement with the organization is in force today",),
    basis=("45 CFR 164.504(e)", "45 CFR 171.202(b)"),
    lacks_agreement=True,
)


def may_be_told(origin: Origin, recipient: Recipient, purpose: Purpose | None = None) -> Decision:
    """Decide for an event of this origin and this recipient: by the law first, then whether the recipient takes part at all today."""
    decision = _by_law(origin, recipient, purpose)
    if recipient.agreed is not None and decision.tier.tells and not is_in_force(recipient.agreed, origin.now):
        return _NOT_AGREED
    return decision


def _by_law(origin: Origin, recipient: Recipient, purpose: Purpose | None) -> Decision:
    """Decide by what was signed and by the law. Unless said, the purpose follows from the recipient's kind.

    Providers are told for treatment (45 CFR 164.506(c)(1), no minimum necessary); plans and agencies for payment and
    operations, with the minimum necessary (45 CFR 164.502(b)).
    """
    if origin.is_protected:
        return _PROTECTED_BY_HOSPITAL
    if origin.reporter is not None:
        of_place = _by_law(replace(origin, reporter=None), recipient, purpose)
        # What somebody reported itself, it knows.
        is_own = recipient.id == origin.reporter.facility_id
        return of_place if is_own else _stricter(of_place, _by_law(origin.reporter, recipient, purpose))
    is_provider = recipient.kind in PROVIDER_KINDS
    if not origin.consents and origin.pack is None:
        return _while_nothing_is_signed(_plain(origin, is_provider=is_provider))
    purposes = (purpose,) if purpose is not None else (Purpose.TREATMENT,) if is_provider else _FOR_PAYMENT
    held = [one for one in origin.consents if one.holds(origin.day, origin.now) and one.is_of(origin.facility_id)]
    about = _categories(origin)
    refused = _refusal(held, about, recipient, purposes)
    if refused is not None:
        return refused
    federal = _federal(origin, held, recipient, purposes, is_provider=is_provider)
    state = _state(origin, held, about, recipient, purposes)
    if federal.tier is Tier.HOLD and state is not None and state.tier is Tier.SUPPRESS:
        # Nobody is told either way. Somebody is asked all the same: an opt-in, or a broken glass, would wait for the answer.
        return replace(federal, rules=state.rules)
    return federal if state is None else _stricter(federal, state)


class _Plain(NamedTuple):
    """All that the federal rules ask where nothing is signed."""

    status: Part2Status
    substance: bool
    mental: bool
    is_unit: bool
    is_provider: bool


def _plain(origin: Origin, *, is_provider: bool) -> _Plain:
    mental = origin.mental_health_signal or origin.mental_health_licensed
    return _Plain(origin.part2_status, origin.substance_use_signal, mental, origin.is_identified_unit, is_provider)


@lru_cache(maxsize=256)
def _while_nothing_is_signed(asked: _Plain) -> Decision:
    """Decide by the federal rules alone: the case of nearly every message, and a table of few rows."""
    status = asked.status
    if status in _PROGRAMS:
        if asked.is_unit and status is Part2Status.PROGRAM:
            return _concealed(
                f"{PROTECTED}42 CFR 2.11, 2.13(c): an identified unit of a general hospital is a Part 2 program and no consent is on file",
                "42 CFR 2.13(c)",
            )
        return Decision(
            Tier.SUPPRESS,
            ("42 CFR 2.12, 2.13(c): the source is a Part 2 program and no consent is on file",),
            basis=("42 CFR 2.12", "42 CFR 2.13(c)", "45 CFR 171.202(b)"),
        )
    if status is Part2Status.UNKNOWN and asked.substance:
        return Decision(
            Tier.HOLD,
            ("the source's Part 2 status is unknown and the stay carries a substance-use signal: a person must decide",),
            basis=("42 CFR 2.12", "45 CFR 171.202(b)"),
        )
    return _by_hipaa(_labels(substance=asked.substance, mental=asked.mental), is_provider=asked.is_provider)


def _by_hipaa(labels: tuple[str, ...], *, is_provider: bool) -> Decision:
    if not is_provider:
        return Decision(
            Tier.MINIMAL,
            ("45 CFR 164.502(b): minimum necessary for payment and operations",),
            ("N",),
            permitted=Tier.FULL,
            basis=("45 CFR 164.506(c)", "45 CFR 164.502(b)"),
        )
    return Decision(Tier.FULL, ("45 CFR 164.506(c): treatment and care coordination",), labels, basis=("45 CFR 164.506(c)",))


def _concealed(reason: str, basis: str) -> Decision:
    """Give what reads like any minimal disclosure: no label, and no reason that a recipient could read."""
    return Decision(
        Tier.MINIMAL, (reason, "45 CFR 164.502(b): minimum necessary"), ("N",), basis=(basis, "45 CFR 171.202(b)"), conceals=True
    )


def _labels(*, substance: bool, mental: bool, part2: bool = False) -> tuple[str, ...]:
    substance = substance or part2
    return (
        "R" if substance or mental else "N",
        *(("SUD",) if substance else ()),
        *(("PSY",) if mental else ()),
        *((PART2_LABEL,) if part2 else ()),
    )


def _categories(origin: Origin) -> frozenset[Category]:
    about = {Category.ALL}
    if origin.substance_use_signal or origin.part2_status in _PROGRAMS:
        about.add(Category.SUBSTANCE_USE)
    if origin.mental_health_signal or origin.mental_health_licensed:
        about.add(Category.MENTAL_HEALTH)
    return frozenset(about)


def _refusal(held: Sequence[Consent], about: frozenset[Category], recipient: Recipient, purposes: Sequence[Purpose]) -> Decision | None:
    """Find what the patient refused. Who opted out of the exchange is told of to nobody, whatever else was signed."""
    for one in held:
        if one.kind is not ConsentKind.REFUSAL or about.isdisjoint(one.categories):
            continue
        is_for_all = not one.recipients and not one.recipient_classes
        if not (is_for_all or one.reaches(recipient.id, recipient.kind)):
            continue
        if one.purposes and one.purposes.isdisjoint(purposes):
            continue
        basis = "45 CFR 164.522(a)(1)" if is_for_all or recipient.kind in PROVIDER_KINDS else "45 CFR 164.522(a)(1)(vi)"
        words = "the patient opted out" if is_for_all else "the patient refused this recipient"
        return Decision(Tier.SUPPRESS, (f"{PROTECTED}{basis}: {words}",), basis=(basis, "45 CFR 171.202(e)"), consents=(one.id,))
    return None


def _federal(origin: Origin, held: Sequence[Consent], recipient: Recipient, purposes: Sequence[Purpose], *, is_provider: bool) -> Decision:
    """Decide by 42 CFR part 2 and HIPAA, with what was signed."""
    asked = _plain(origin, is_provider=is_provider)
    plain = _while_nothing_is_signed(asked)
    if plain.tier.tells and not plain.conceals:
        return plain
    # Looking up what one may be told of for treatment is treatment, as far as federal law goes.
    for_what = {Purpose.TREATMENT if one is Purpose.VIEWING and is_provider else one for one in purposes}
    if Purpose.VIEWING in for_what:
        for_what = {*_FOR_PAYMENT}
    papers = [one for one in held if one.kind not in OVERRIDING and one.kind is not ConsentKind.REFUSAL]
    consent = next((one for one in papers if _allows(one, Category.SUBSTANCE_USE, recipient, for_what)), None)
    emergency = next(
        (one for one in held if one.kind is ConsentKind.EMERGENCY and is_provider and one.reaches(recipient.id, recipient.kind)), None
    )
    rests_on = consent or emergency
    if rests_on is None:
        return plain
    labels = _labels(substance=True, mental=asked.mental, part2=True)
    full = _by_hipaa(labels, is_provider=is_provider)
    basis = ("42 CFR 2.31", "42 CFR 2.33") if consent is not None else ("42 CFR 2.51",)
    words = f"42 CFR 2.31, 2.33: {consent.kind.value} consent on file" if consent is not None else "42 CFR 2.51: medical emergency"
    notice = origin.law.notices.get(PART2_NOTICE)
    return replace(
        full,
        reasons=(words, *full.reasons),
        labels=labels,
        permitted=Tier.FULL,
        notices=(notice,) if notice is not None else (),
        scope=rests_on.scope or None,
        basis=(*basis, *full.basis),
        consents=(rests_on.id,),
    )


def _allows(consent: Consent, category: Category, recipient: Recipient, purposes: set[Purpose]) -> bool:
    return consent.speaks_of(category) and consent.reaches(recipient.id, recipient.kind) and not consent.purposes.isdisjoint(purposes)


def _state(
    origin: Origin, held: Sequence[Consent], about: frozenset[Category], recipient: Recipient, purposes: Sequence[Purpose]
) -> Decision | None:
    """Decide by the pack of the place; None where it has nothing to say. Every rule that concerns the stay has to be met."""
    if origin.pack is None:
        return None
    result: Decision | None = None
    for rule in origin.pack.rules:
        if rule.default is not Default.OPT_IN or not rule.holds_on(origin.day) or rule.purposes.isdisjoint(purposes):
            continue
        if not concerned(rule, origin.facility_type, licensed=origin.mental_health_licensed, signals=about, codes=origin.codes):
            continue
        met = next((one for one in held if _meets(one, rule, origin, recipient, purposes)), None)
        if met is not None:
            one = Decision(
                Tier.FULL, (f"{rule.source}: {met.kind.value} on file",), _state_labels(rule), scope=met.scope or None,
                basis=(rule.source,), consents=(met.id,), rules=(rule.id,),
            )  # fmt: skip
        elif rule.without is Without.MINIMAL:
            one = replace(_concealed(f"{PROTECTED}{rule.source}: nobody has opted in", rule.source), rules=(rule.id,))
        else:
            reason = f"{PROTECTED}{rule.source}: nobody has opted in"
            one = Decision(Tier.SUPPRESS, (reason,), basis=(rule.source, "45 CFR 171.202(b)"), rules=(rule.id,))
        result = one if result is None else _stricter(result, one)
    return result


def _state_labels(rule: StateRule) -> tuple[str, ...]:
    return {Category.MENTAL_HEALTH: ("PSY",), Category.SUBSTANCE_USE: ("SUD",), Category.HIV: ("HIV",)}.get(rule.category, ())


def _meets(consent: Consent, rule: StateRule, origin: Origin, recipient: Recipient, purposes: Sequence[Purpose]) -> bool:
    """Tell whether a paper is what the rule asks for. An emergency or a broken glass stands in for a missing opt-in."""
    if consent.kind in OVERRIDING:
        return recipient.kind in PROVIDER_KINDS and consent.reaches(recipient.id, recipient.kind)
    if consent.kind not in rule.consent_kinds or (rule.needs_expiry and consent.expires_on is None):
        return False
    if rule.days_max is not None and (origin.day - consent.signed_on).days > rule.days_max:
        return False
    if rule.names_recipient and recipient.id not in consent.recipients:
        return False
    return _allows(consent, rule.category, recipient, set(purposes))


def _stricter(left: Decision, right: Decision) -> Decision:
    """Let the stricter of two count. What both allow rests on both, and carries the labels of both."""
    strict, other = (left, right) if _BREADTH[left.tier] <= _BREADTH[right.tier] else (right, left)
    if not strict.tier.tells or strict.conceals:
        # Neither a label nor a notice may show what is withheld.
        return replace(strict, rules=tuple(dict.fromkeys((*left.rules, *right.rules))))
    labels = tuple(dict.fromkeys((*left.labels, *right.labels)))
    if strict.tier is Tier.FULL or PART2_LABEL in labels:
        sensitive = any(label not in ("N", "R") for label in labels)
        labels = ("R" if sensitive else "N", *(label for label in labels if label not in ("N", "R")))
    else:
        labels = strict.labels
    return replace(
        strict,
        reasons=(*(reason for reason in other.reasons if reason not in strict.reasons), *strict.reasons),
        labels=labels,
        notices=tuple(dict.fromkeys((*left.notices, *right.notices))),
        scope=left.scope or right.scope,
        basis=tuple(dict.fromkeys((*left.basis, *right.basis))),
        consents=tuple(dict.fromkeys((*left.consents, *right.consents))),
        rules=tuple(dict.fromkeys((*left.rules, *right.rules))),
    )


_LABEL_SYSTEMS: Final = {
    **dict.fromkeys(("N", "R", "V"), "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"),
    **dict.fromkeys(("SUD", "PSY", "HIV", PART2_LABEL, "NORDSCLCD", "PERSISTLABEL"), "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
}
_PART2_DUTIES: Final = ("NORDSCLCD", "PERSISTLABEL")
"""No redisclosure without consent, and the label stays on (HL7 DS4P)."""


def security_labels(labels: Sequence[str]) -> list[dict[str, str]]:
    """Spell labels as FHIR codings (meta.security, DS4P). What 42 CFR part 2 protects carries its duties too."""
    duties = _PART2_DUTIES if PART2_LABEL in labels else ()
    return [{"system": _LABEL_SYSTEMS[label], "code": label} for label in (*labels, *duties)]


def travelling(decision: Decision) -> dict[str, Any]:
    """Give what travels with everything that is told: labels, the notices word for word, and the scope of the consent."""
    return {
        "labels": security_labels(decision.labels),
        "notices": [{"code": one.code, "version": one.version, "text": one.text} for one in decision.notices],
        "consent_scope": decision.scope,
    }
