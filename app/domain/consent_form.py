"""What a paper must contain before it counts: the elements of 42 CFR 2.31(a), who signs for a minor, and how long an exception lasts.

Gives every fault at once, each with the field it is in. Not here: what the paper lets go (consent, privacy).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.consent import OVERRIDING, Category, ConsentKind, Purpose, RecipientClass
from app.domain.organization import Organization
from app.domain.privacy import PROVIDER_KINDS
from app.domain.privacy_law import MinorRules, PrivacyLaw


class Signer(StrEnum):
    """Whose signature it is."""

    PATIENT = "patient"
    PARENT = "parent"
    GUARDIAN = "guardian"
    CLINICIAN = "clinician"
    """Of an emergency or a broken glass, which no patient signs."""


class Signature(StrEnum):
    """How it was signed (42 CFR 2.31(a)(8): electronic is as good)."""

    WRITTEN = "written"
    ELECTRONIC = "electronic"
    NONE = "none"


class Statement(StrEnum):
    """What the form tells the patient."""

    RIGHT_TO_REVOKE = "right_to_revoke"
    REDISCLOSURE = "redisclosure"
    CONSEQUENCES_OF_REFUSING = "consequences_of_refusing"
    RIGHT_TO_INSPECT = "right_to_inspect"
    NO_OBJECTION = "no_objection"
    """The minor does not object to the guardian's signature."""


UNTIL_NONE: Final = "none"
"""An expiry that never comes: allowed for treatment, payment and operations alone (42 CFR 2.31(a)(7))."""
_PAPERS: Final = frozenset({ConsentKind.TPO, ConsentKind.NAMED, ConsentKind.INTERMEDIARY})


@dataclass(frozen=True, slots=True)
class ConsentForm:
    """A paper as somebody asserts it."""

    kind: ConsentKind
    signed_on: date
    categories: frozenset[Category] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    scope: str = ""
    discloser_id: UUID | None = None
    any_discloser: bool = False
    recipients: tuple[UUID, ...] = ()
    recipient_classes: frozenset[RecipientClass] = frozenset()
    intermediary_id: UUID | None = None
    signed_by: Signer = Signer.PATIENT
    signature: Signature = Signature.NONE
    expires_on: date | None = None
    expires_upon: str | None = None
    minutes: int | None = None
    statements: frozenset[Statement] = field(default_factory=frozenset)
    reason: str | None = None
    document_id: str | None = None


Fault = tuple[str, str]
"""(field, what is wrong with it, and the rule)."""


def faults(form: ConsentForm, today: date, birth_on: date | None, minors: MinorRules, law: PrivacyLaw) -> list[Fault]:
    """List everything that keeps a paper from counting."""
    found: list[Fault] = []
    if form.signed_on > today:
        found.append(("signed_on", "is in the future: a paper counts from the day it is signed (42 CFR 2.31(a)(9))"))
    if form.kind in _PAPERS:
        found.extend(_of_paper(form, today))
        found.extend(_of_signer(form, birth_on, minors))
    elif form.kind in OVERRIDING:
        found.extend(_of_exception(form, law))
    return found


def _of_paper(form: ConsentForm, today: date) -> Iterator[Fault]:
    if form.discloser_id is None and not form.any_discloser:
        yield "discloser_id", "is needed, or any_discloser: who may disclose (42 CFR 2.31(a)(2))"
    if not form.categories:
        yield "categories", "are needed: which information may be disclosed (42 CFR 2.31(a)(3))"
    if not form.scope.strip():
        yield "scope", "is needed: a specific and meaningful description of the information (42 CFR 2.31(a)(3))"
    if not form.recipients and not form.recipient_classes:
        yield "recipients", "are needed, by name or by class (42 CFR 2.31(a)(4))"
    if not form.purposes:
        yield "purposes", "are needed (42 CFR 2.31(a)(5))"
    if form.signature is Signature.NONE:
        yield "signature", "is needed, written or electronic (42 CFR 2.31(a)(8))"
    yield from _of_expiry(form, today)
    if form.kind is ConsentKind.INTERMEDIARY:
        yield from _of_designation(form)
    elif form.kind is ConsentKind.NAMED and not form.recipients:
        yield "recipients", "are needed by name: a class is a consent of the kind tpo (42 CFR 2.31(a)(4)(i))"
    if form.categories & {Category.ALL, Category.SUBSTANCE_USE}:
        yield from _of_statements(form)


def _of_expiry(form: ConsentForm, today: date) -> Iterator[Fault]:
    if form.expires_on is None and not (form.expires_upon or "").strip():
        yield "expires_on", "is needed, or expires_upon: a date, an event or a condition (42 CFR 2.31(a)(7))"
    elif form.expires_on is None and (form.expires_upon or "").strip().lower() == UNTIL_NONE and form.kind is not ConsentKind.TPO:
        yield "expires_upon", "is none, which is enough for treatment, payment and operations alone (42 CFR 2.31(a)(7))"
    if form.expires_on is not None and form.expires_on < max(form.signed_on, today):
        yield "expires_on", "is past: this paper no longer counts"


def _of_designation(form: ConsentForm) -> Iterator[Fault]:
    if form.intermediary_id is None:
        yield "intermediary_id", "is needed: the intermediary is named (42 CFR 2.31(a)(4)(ii))"
    if form.recipient_classes - {RecipientClass.TREATING_PROVIDERS}:
        yield (
            "recipient_classes",
            "may only be treating_providers: who has a treating relationship (42 CFR 2.31(a)(4)(ii))",
        )


def _of_statements(form: ConsentForm) -> Iterator[Fault]:
    if Statement.RIGHT_TO_REVOKE not in form.statements:
        yield "statements", "lack right_to_revoke: that the patient may revoke, and how (42 CFR 2.31(a)(6))"
    if form.kind is ConsentKind.TPO:
        if Statement.REDISCLOSURE not in form.statements:
            yield "statements", "lack redisclosure: that the records may be redisclosed under HIPAA (42 CFR 2.31(a)(10))"
        if Statement.CONSEQUENCES_OF_REFUSING not in form.statements:
            yield "statements", "lack consequences_of_refusing (42 CFR 2.31(a)(10))"


def _of_signer(form: ConsentForm, birth_on: date | None, minors: MinorRules) -> Iterator[Fault]:
    if form.signed_by is Signer.CLINICIAN:
        yield "signed_by", "is a clinician, who signs for no patient (42 CFR 2.31(a)(8))"
        return
    if birth_on is None:
        return
    age = _age(birth_on, form.signed_on)
    if form.signed_by is Signer.PATIENT and age < minors.self_from_years:
        yield "signed_by", "is the patient, who was too young to sign on that day"
    elif form.signed_by is Signer.PARENT and age >= minors.guardian_until_years:
        yield "signed_by", "is a parent, and the patient was of age on that day"
    elif (
        form.signed_by in (Signer.PARENT, Signer.GUARDIAN)
        and minors.guardian_unless_objection_from_years is not None
        and minors.guardian_unless_objection_from_years <= age < minors.guardian_until_years
        and Statement.NO_OBJECTION not in form.statements
    ):
        yield "statements", "lack no_objection: at this age a guardian signs only while the patient does not object"


def _of_exception(form: ConsentForm, law: PrivacyLaw) -> Iterator[Fault]:
    most = law.break_glass_minutes_max if form.kind is ConsentKind.BREAK_GLASS else law.emergency_hours_max * 60
    if not (form.reason or "").strip():
        yield "reason", "is needed: the nature of the emergency (42 CFR 2.51(c)), or why the glass was broken"
    if form.minutes is None or not 1 <= form.minutes <= most:
        yield "minutes", f"are needed, from 1 to {most}: an exception ends by itself"
    if not form.recipients:
        yield "recipients", "are needed by name: who received it, with affiliation (42 CFR 2.51(c))"
    if form.recipient_classes:
        yield "recipient_classes", "must be empty: an exception is made for who is named"


def not_medical(form: ConsentForm, organizations: dict[UUID, Organization]) -> list[Fault]:
    """Refuse recipients of an exception that are no medical personnel, and recipients of any paper that nobody knows."""
    unknown = [one for one in form.recipients if one not in organizations]
    if unknown:
        return [("recipients", "name somebody who is no organization of this exchange")]
    if form.kind in OVERRIDING and any(organizations[one].kind not in PROVIDER_KINDS for one in form.recipients):
        return [("recipients", "name somebody who is not medical personnel (42 CFR 2.51(a))")]
    return []


def last_day(form: ConsentForm, birth_on: date | None, minors: MinorRules) -> date | None:
    """Give the last day on which a paper holds: what a parent signed ends when the patient comes of age."""
    if form.signed_by is not Signer.PARENT or birth_on is None:
        return form.expires_on
    of_age = _birthday(birth_on, minors.guardian_until_years) - timedelta(days=1)
    return of_age if form.expires_on is None else min(form.expires_on, of_age)


def ends_at(form: ConsentForm, now: datetime) -> datetime | None:
    """Give when an exception ends."""
    return now + timedelta(minutes=form.minutes) if form.kind in OVERRIDING and form.minutes else None


def waits_for_review(form: ConsentForm, asserter_id: UUID | None, law: PrivacyLaw) -> bool:
    """Tell whether a person must look first: neither who holds the records says so, nor the operator."""
    return law.review_own_assertions and form.kind in _PAPERS and asserter_id is not None and asserter_id != form.discloser_id


def _age(birth_on: date, day: date) -> int:
    return day.year - birth_on.year - ((day.month, day.day) < (birth_on.month, birth_on.day))


def _birthday(birth_on: date, years: int) -> date:
    try:
        return birth_on.replace(year=birth_on.year + years)
    except ValueError:
        # 29 February: of age on 1 March of a year without one.
        return date(birth_on.year + years, 3, 1)
