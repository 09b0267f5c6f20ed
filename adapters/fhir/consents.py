"""Consents as FHIR Consent, in and out, without loss (domain section 4.2).

Standard: FHIR R4, Consent of scope patient-privacy. Where R4 has no element for what 42 CFR 2.31 asks of a form, an extension of ours has
it. In: read without trust; what a form lacks is named by the FHIRPath of the place where it would be. Out: plain dicts. Not here: the
routes (app/api/fhir_consents), what a form must contain (domain/consent_form), what it lets go (domain/privacy).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Final, TypeVar
from uuid import UUID

from adapters.fhir.consent_patients import contained_patient, named_patient
from adapters.fhir.models import problems_of
from adapters.fhir.values import Json, member, objects, text
from app.domain.consent import OVERRIDING, Category, ConsentKind, Purpose, RecipientClass
from app.domain.consent_form import ConsentForm, Fault, Signature, Signer, Statement
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.stored_consent import AssertedConsent, NamedPatient, StoredConsent

TYPE: Final = "Consent"
OWN: Final = "urn:warm-handoff:consent"
"""Beginning of the systems and extensions of our own."""
KINDS: Final = f"{OWN}-kind"
CLASSES: Final = f"{OWN}-recipient-class"
CATEGORIES: Final = f"{OWN}-category"
PURPOSES: Final = f"{OWN}-purpose"
SCOPE: Final = f"{OWN}-scope-statement"
STATEMENT: Final = f"{OWN}-statement"
SIGNED_BY: Final = f"{OWN}-signed-by"
SIGNATURE: Final = f"{OWN}-signature"
EXPIRES_UPON: Final = f"{OWN}-expires-upon"
REASON: Final = f"{OWN}-reason"
MINUTES: Final = f"{OWN}-minutes"
ANY_DISCLOSER: Final = f"{OWN}-any-discloser"
INTERMEDIARY: Final = f"{OWN}-intermediary"
_LOINC: Final = "http://loinc.org"
_PATIENT_CONSENT: Final = "59284-0"
_ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_SCOPES: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
_PRIVACY: Final = "patient-privacy"

_STATUSES: Final = {"proposed": "proposed", "active": "active", "refused": "rejected", "revoked": "inactive", "expired": "inactive"}
"""What became of ours -> Consent.status."""
STATES_OF: Final = {"proposed": ("proposed",), "active": ("active",), "rejected": ("refused",), "inactive": ("revoked", "expired")}
"""Consent.status -> what became of ours, for searches."""
_SENT_STATUSES: Final = frozenset({"proposed", "active"})
_LABELS: Final = {
    Category.ALL: (CATEGORIES, "all"),
    Category.SUBSTANCE_USE: (_ACT_CODE, "SUD"),
    Category.MENTAL_HEALTH: (_ACT_CODE, "PSY"),
    Category.HIV: (_ACT_CODE, "HIV"),
}
_CATEGORY: Final = {coding: category for category, coding in _LABELS.items()} | {(_ACT_CODE, "ETH"): Category.SUBSTANCE_USE}
_REASONS: Final = {
    Purpose.TREATMENT: (_ACT_REASON, "TREAT"),
    Purpose.PAYMENT: (_ACT_REASON, "HPAYMT"),
    Purpose.OPERATIONS: (_ACT_REASON, "HOPERAT"),
    Purpose.VIEWING: (PURPOSES, "viewing"),
}
_PURPOSE: Final = {coding: purpose for purpose, coding in _REASONS.items()}
_CLASS_NAMES: Final = {one.value: one for one in RecipientClass}
_KIND_NAMES: Final = {one.value: one for one in ConsentKind}
_SIGNERS: Final = {one.value: one for one in Signer}
_SIGNATURES: Final = {one.value: one for one in Signature}
_STATEMENTS: Final = {one.value: one for one in Statement}

_PLACES: Final = {
    "person_id": "Consent.patient",
    "person": "Consent.contained[0]",
    "kind": "Consent.category",
    "signed_on": "Consent.dateTime",
    "discloser_id": "Consent.organization",
    "categories": "Consent.provision.securityLabel",
    "scope": f"Consent.provision.extension('{SCOPE}')",
    "recipients": "Consent.provision.actor",
    "recipient_classes": "Consent.provision.actor",
    "purposes": "Consent.provision.purpose",
    "expires_on": "Consent.provision.period.end",
    "expires_upon": f"Consent.provision.extension('{EXPIRES_UPON}')",
    "signature": f"Consent.extension('{SIGNATURE}')",
    "signed_by": f"Consent.extension('{SIGNED_BY}')",
    "statements": f"Consent.extension('{STATEMENT}')",
    "reason": f"Consent.extension('{REASON}')",
    "minutes": f"Consent.extension('{MINUTES}')",
    "intermediary_id": f"Consent.extension('{INTERMEDIARY}')",
}
"""Field of a form -> where FHIR has it."""
_ID: Final = r"([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_REFERENCE: Final = re.compile(rf"(?:.*/)?(?P<type>Patient|Organization)/{_ID}(?:/_history/.*)?", re.ASCII)
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T.*)?", re.ASCII)
_NOT_READ: Final = ("identifier", "policy", "sourceAttachment", "verification", "contained", "modifierExtension")
"""Elements of R4 that say more about a consent than is kept: refused, so that nothing is lost unseen."""
_NOT_READ_OF_PROVISION: Final = ("action", "class", "code", "dataPeriod", "data", "provision", "modifierExtension")
Value = TypeVar("Value")


class Consents:
    """Writes and reads consents."""

    def resource(self, one: StoredConsent) -> Json:
        """Give a Consent."""
        form = one.form
        found: Json = {
            "resourceType": TYPE,
            "id": one.id.hex,
            "meta": {"lastUpdated": max(filter(None, (one.asserted_at, one.reviewed_at, one.revoked_at))).isoformat()},
            "extension": list(_extensions(form)),
            "status": _STATUSES[one.state],
            "scope": _concept(_SCOPES, _PRIVACY),
            "category": [_concept(_LOINC, _PATIENT_CONSENT), _concept(KINDS, form.kind.value)],
            "patient": {"reference": f"Patient/{one.person_id.hex}"},
            "dateTime": form.signed_on.isoformat(),
            "policyRule": _concept(_ACT_CODE, _rule(form)),
            "provision": _provision(form),
        }
        if form.discloser_id is not None:
            found["organization"] = [_organization(form.discloser_id)]
        if form.document_id is not None:
            found["sourceReference"] = {"type": "DocumentReference", "identifier": {"value": form.document_id}}
        if one.reviewed_at is not None:
            found["verification"] = [{"verified": one.state != "refused", "verificationDate": one.reviewed_at.isoformat()}]
        if not found["extension"]:
            del found["extension"]
        return found

    def bundle(self, resources: Sequence[Json], *, self_url: str, next_url: str | None) -> Json:
        """Give a page of search results."""
        links = [{"relation": "self", "url": self_url}, *([{"relation": "next", "url": next_url}] if next_url else [])]
        entries = [{"fullUrl": f"urn:uuid:{UUID(one['id'])}", "resource": one, "search": {"mode": "match"}} for one in resources]
        return {"resourceType": "Bundle", "type": "searchset", "link": links, **({"entry": entries} if entries else {})}

    def states(self, status: str) -> Sequence[str]:
        """Give what a status of FHIR is in our words; nothing where we have none like it."""
        return STATES_OF.get(status, ())

    def read(self, document: object) -> AssertedConsent | Sequence[Problem]:
        """Read a Consent, or say what is wrong with it."""
        if not isinstance(document, dict) or document.get("resourceType") != TYPE:
            return [_wrong(ProblemCode.SEGMENT_SEQUENCE, TYPE, "Send a Consent resource.")]
        # Of a server that refuses or keeps what it is sent: ids, times and text are its own, and say nothing of the consent.
        kept = {name: item for name, item in document.items() if name not in ("text", "meta", "id")}
        found = problems_of(TYPE, kept, TYPE)
        return found or _Reading(document).result()

    def problems(self, faults: Iterable[Fault]) -> Sequence[Problem]:
        """Say what a form lacks, each at its place."""
        return [
            _wrong(ProblemCode.REQUIRED_FIELD_MISSING, _PLACES.get(name, TYPE), f"{_PLACES.get(name, TYPE)} {said}")
            for name, said in faults
        ]


class _Reading:
    """One Consent, and what is wrong with it so far."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.provision: Json = next(iter(objects(document.get("provision"))), {})
        self.problems: list[Problem] = []

    def result(self) -> AssertedConsent | Sequence[Problem]:
        """Give whose it is and the form, if it can be read."""
        document, provision = self.document, self.provision
        self._frame()
        kind = self._kind()
        patient = self._patient()
        signed_on = self._day(document.get("dateTime"), f"{TYPE}.dateTime")
        disclosers = [self._reference(one, "Organization", f"{TYPE}.organization") for one in objects(document.get("organization"))]
        if len(disclosers) > 1:
            self._wrong(ProblemCode.SEGMENT_SEQUENCE, f"{TYPE}.organization", "Name one, or send a Consent for each.")
        if signed_on is None and not self.problems:
            self._wrong(ProblemCode.REQUIRED_FIELD_MISSING, f"{TYPE}.dateTime", "The day of the signature is needed (42 CFR 2.31(a)(9)).")
        recipients, classes = self._actors()
        document_id = text(member(document, "sourceReference", "identifier", "value")) or text(
            member(document, "sourceReference", "reference")
        )
        expires_on = self._day(member(provision, "period", "end"), f"{TYPE}.provision.period.end")
        form_facts: dict[str, Any] = {
            "categories": self._coded_many(provision.get("securityLabel"), _CATEGORY, f"{TYPE}.provision.securityLabel"),
            "purposes": self._coded_many(provision.get("purpose"), _PURPOSE, f"{TYPE}.provision.purpose"),
            "scope": self._text(provision, SCOPE) or "",
            "discloser_id": next(iter(disclosers), None),
            "any_discloser": any(one.get("valueBoolean") is True for one in _of(document, ANY_DISCLOSER)),
            "recipients": recipients,
            "recipient_classes": classes,
            "intermediary_id": self._intermediary(),
            "signed_by": self._choice(SIGNED_BY, _SIGNERS) or Signer.PATIENT,
            "signature": self._choice(SIGNATURE, _SIGNATURES) or Signature.NONE,
            "expires_on": expires_on,
            "expires_upon": self._text(provision, EXPIRES_UPON),
            "minutes": self._minutes(),
            "statements": frozenset(self._choices(STATEMENT, _STATEMENTS)),
            "reason": self._text(document, REASON),
            "document_id": document_id or None,
        }
        if self.problems or kind is None or patient is None or signed_on is None:
            return self.problems
        if kind in OVERRIDING or kind is ConsentKind.REFUSAL:
            form_facts["categories"] = form_facts["categories"] or frozenset({Category.ALL})
        if kind in OVERRIDING:
            form_facts["purposes"] = form_facts["purposes"] or frozenset({Purpose.TREATMENT, Purpose.VIEWING})
        return AssertedConsent(patient, ConsentForm(kind=kind, signed_on=signed_on, **form_facts))

    def _frame(self) -> None:
        """Refuse what is not kept, and what is no consent of this sort."""
        document, provision = self.document, self.provision
        for holder, names, place in ((document, _NOT_READ, TYPE), (provision, _NOT_READ_OF_PROVISION, f"{TYPE}.provision")):
            for name in names:
                if name in holder and not (name == "contained" and contained_patient(document) is not None):
                    self._wrong(ProblemCode.UNSUPPORTED_EVENT, f"{place}.{name}", "This element is not kept here; leave it out.")
        if any(one != document.get("patient") for one in objects(document.get("performer"))):
            self._wrong(ProblemCode.TABLE_VALUE, f"{TYPE}.performer", f"Only the patient is kept here; who else signed is {SIGNED_BY}.")
        start = member(provision, "period", "start")
        if start is not None and start != document.get("dateTime"):
            self._wrong(ProblemCode.TABLE_VALUE, f"{TYPE}.provision.period.start", "A consent holds from the day it is signed: dateTime.")
        if text(document.get("status")) not in _SENT_STATUSES:
            self._wrong(ProblemCode.TABLE_VALUE, f"{TYPE}.status", "Send proposed or active; to end a consent, revoke it.")
        if (_SCOPES, _PRIVACY) not in set(_codings(document.get("scope"))):
            self._wrong(ProblemCode.TABLE_VALUE, f"{TYPE}.scope", "Only patient-privacy is kept here.")

    def _patient(self) -> UUID | NamedPatient | None:
        """Read whose it is: the id of a person here, or a contained Patient whom the person index is to find."""
        held = contained_patient(self.document)
        if held is None:
            return self._reference(self.document.get("patient"), "Patient", f"{TYPE}.patient")
        found = named_patient(held)
        if found is None:
            words = "Give an identifier with its system, the family name and a whole birthDate: a number alone would be a guess."
            self._wrong(ProblemCode.REQUIRED_FIELD_MISSING, f"{TYPE}.contained[0]", words)
        return found

    def _kind(self) -> ConsentKind | None:
        """Read what sort of paper it is: our code; without one, a denial is a refusal and a permit names its recipients or a class."""
        said = [code for one in objects(self.document.get("category")) for system, code in _codings(one) if system == KINDS]
        if said:
            if len(said) == 1 and said[0] in _KIND_NAMES:
                return self._agreeing(_KIND_NAMES[said[0]])
            self._wrong(ProblemCode.TABLE_VALUE, f"{TYPE}.category", f"Give one of {', '.join(_KIND_NAMES)} of {KINDS}.")
            return None
        if text(self.provision.get("type")) == "deny":
            return ConsentKind.REFUSAL
        has_class = any(text(member(one, "reference", "identifier", "system")) == CLASSES for one in objects(self.provision.get("actor")))
        return ConsentKind.TPO if has_class else ConsentKind.NAMED

    def _agreeing(self, kind: ConsentKind) -> ConsentKind | None:
        is_denied = text(self.provision.get("type")) == "deny"
        if is_denied is not (kind is ConsentKind.REFUSAL):
            self._wrong(ProblemCode.SEGMENT_SEQUENCE, f"{TYPE}.provision.type", "A refusal denies, and nothing else does.")
            return None
        return kind

    def _actors(self) -> tuple[tuple[UUID, ...], frozenset[RecipientClass]]:
        recipients: list[UUID] = []
        classes: set[RecipientClass] = set()
        for place, actor in enumerate(objects(self.provision.get("actor"))):
            path = f"{TYPE}.provision.actor[{place}]"
            if (_PARTICIPATION, "IRCP") not in set(_codings(actor.get("role"))):
                self._wrong(ProblemCode.TABLE_VALUE, f"{path}.role", "Only IRCP, who receives it, is kept here.")
            reference = actor.get("reference")
            if text(member(reference, "identifier", "system")) == CLASSES:
                named = _CLASS_NAMES.get(text(member(reference, "identifier", "value")))
                if named is None:
                    self._wrong(ProblemCode.TABLE_VALUE, f"{path}.reference.identifier", f"Give one of {', '.join(_CLASS_NAMES)}.")
                else:
                    classes.add(named)
            elif (found := self._reference(reference, "Organization", f"{path}.reference")) is not None:
                recipients.append(found)
        return tuple(dict.fromkeys(recipients)), frozenset(classes)

    def _coded_many(self, concepts: object, known: dict[tuple[str, str], Value], place: str) -> frozenset[Value]:
        found = set()
        for index, coding in enumerate(objects(concepts)):
            value = known.get((text(coding.get("system")), text(coding.get("code"))))
            if value is None:
                self._wrong(ProblemCode.TABLE_VALUE, f"{place}[{index}]", f"Give one of {', '.join(code for _, code in known)}.")
            else:
                found.add(value)
        return frozenset(found)

    def _choices(self, url: str, known: dict[str, Value]) -> Iterator[Value]:
        for one in _of(self.document, url):
            value = known.get(text(one.get("valueCode")))
            if value is None:
                self._wrong(ProblemCode.TABLE_VALUE, f"{TYPE}.extension('{url}')", f"Give one of {', '.join(known)} as valueCode.")
            else:
                yield value

    def _choice(self, url: str, known: dict[str, Value]) -> Value | None:
        return next(iter(list(self._choices(url, known))), None)

    def _intermediary(self) -> UUID | None:
        place = f"{TYPE}.extension('{INTERMEDIARY}')"
        return next((self._reference(one.get("valueReference"), "Organization", place) for one in _of(self.document, INTERMEDIARY)), None)

    def _minutes(self) -> int | None:
        said = next((one.get("valueInteger") for one in _of(self.document, MINUTES)), None)
        return said if isinstance(said, int) and not isinstance(said, bool) else None

    def _text(self, holder: Json, url: str) -> str | None:
        return next((text(one.get("valueString")) for one in _of(holder, url)), None) or None

    def _reference(self, said: object, kind: str, place: str) -> UUID | None:
        found = _REFERENCE.fullmatch(text(member(said, "reference")))
        if found is None or found["type"] != kind:
            self._wrong(ProblemCode.DATA_TYPE, f"{place}.reference", f"Give {kind}/ and the id that it has here.")
            return None
        return UUID(found[2])

    def _day(self, said: object, place: str) -> date | None:
        if said is None:
            return None
        if found := _DAY.fullmatch(text(said)):
            with suppress(ValueError):
                return date.fromisoformat(found[1])
        self._wrong(ProblemCode.DATA_TYPE, place, "Give a whole date: YYYY-MM-DD.")
        return None

    def _wrong(self, code: ProblemCode, place: str, sentence: str) -> None:
        self.problems.append(_wrong(code, place, sentence))


def _extensions(form: ConsentForm) -> Iterator[Json]:
    yield {"url": SIGNED_BY, "valueCode": form.signed_by.value}
    yield {"url": SIGNATURE, "valueCode": form.signature.value}
    for statement in sorted(form.statements):
        yield {"url": STATEMENT, "valueCode": statement.value}
    if form.any_discloser:
        yield {"url": ANY_DISCLOSER, "valueBoolean": True}
    if form.intermediary_id is not None:
        yield {"url": INTERMEDIARY, "valueReference": _organization(form.intermediary_id)}
    if form.minutes is not None:
        yield {"url": MINUTES, "valueInteger": form.minutes}
    if form.reason is not None:
        yield {"url": REASON, "valueString": form.reason}


def _provision(form: ConsentForm) -> Json:
    found: Json = {
        "type": "deny" if form.kind is ConsentKind.REFUSAL else "permit",
        "securityLabel": [_coding(*_LABELS[one]) for one in sorted(form.categories)],
        "purpose": [_coding(*_REASONS[one]) for one in sorted(form.purposes)],
        "actor": [
            *({"role": _concept(_PARTICIPATION, "IRCP"), "reference": _organization(one)} for one in form.recipients),
            *(
                {
                    "role": _concept(_PARTICIPATION, "IRCP"),
                    "reference": {"type": "Organization", "identifier": {"system": CLASSES, "value": one.value}},
                }
                for one in sorted(form.recipient_classes)
            ),
        ],
        "extension": [
            *([{"url": SCOPE, "valueString": form.scope}] if form.scope else []),
            *([{"url": EXPIRES_UPON, "valueString": form.expires_upon}] if form.expires_upon else []),
        ],
    }
    if form.expires_on is not None:
        found["period"] = {"end": form.expires_on.isoformat()}
    return {name: item for name, item in found.items() if item}


def _rule(form: ConsentForm) -> str:
    """Name the rule it is under, as far as v3 has one: it repeats what the other elements say."""
    if form.kind is ConsentKind.REFUSAL:
        return "OPTOUT"
    return "42CFRPart2" if form.categories & {Category.ALL, Category.SUBSTANCE_USE} else "OPTIN"


def _of(holder: Json, url: str) -> list[Json]:
    return [one for one in objects(holder.get("extension")) if one.get("url") == url]


def _codings(concept: object) -> list[tuple[str, str]]:
    return [(text(one.get("system")), text(one.get("code"))) for one in objects(member(concept, "coding"))]


def _coding(system: str, code: str) -> Json:
    return {"system": system, "code": code}


def _concept(system: str, code: str) -> Json:
    return {"coding": [_coding(system, code)]}


def _organization(id_: UUID) -> Json:
    return {"reference": f"Organization/{id_.hex}"}


def _wrong(code: ProblemCode, place: str, sentence: str) -> Problem:
    return Problem(code, Severity.ERROR, place, sentence)
