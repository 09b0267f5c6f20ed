"""Consents to FHIR and back: nothing is lost, what is written is FHIR, and what cannot be kept is refused at its place."""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.consent import Consent
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.consents import ANY_DISCLOSER, CLASSES, KINDS, SIGNATURE, STATEMENT, Consents
from app.domain.consent import OVERRIDING, Category, ConsentKind, Purpose, RecipientClass
from app.domain.consent_form import ConsentForm, Signature, Signer, Statement
from app.domain.stored_consent import AssertedConsent, StoredConsent

NOW = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
ANN = UUID(int=1)
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=30)
DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@st.composite
def forms(draw: st.DrawFn) -> ConsentForm:
    """Any form that can be on file, whether it is a good one or not."""
    kind = draw(st.sampled_from(ConsentKind))
    fewest = 1 if kind in OVERRIDING or kind is ConsentKind.REFUSAL else 0
    return ConsentForm(
        kind=kind,
        signed_on=draw(DAYS),
        categories=draw(st.frozensets(st.sampled_from(Category), min_size=fewest)),
        purposes=draw(st.frozensets(st.sampled_from(Purpose), min_size=1 if kind in OVERRIDING else 0)),
        scope=draw(st.just("") | WORDS),
        discloser_id=draw(st.none() | st.uuids()),
        any_discloser=draw(st.booleans()),
        recipients=tuple(draw(st.lists(st.uuids(), unique=True, max_size=3))),
        recipient_classes=draw(st.frozensets(st.sampled_from(RecipientClass))),
        intermediary_id=draw(st.none() | st.uuids()),
        signed_by=draw(st.sampled_from(Signer)),
        signature=draw(st.sampled_from(Signature)),
        expires_on=draw(st.none() | DAYS),
        expires_upon=draw(st.none() | WORDS),
        minutes=draw(st.none() | st.integers(1, 1440)),
        statements=draw(st.frozensets(st.sampled_from(Statement))),
        reason=draw(st.none() | WORDS),
        document_id=draw(st.none() | WORDS),
    )


@given(forms(), st.sampled_from(["proposed", "active"]))
def test_what_is_written_is_fhir_and_reads_back_the_same(form: ConsentForm, state: str) -> None:
    written = Consents().resource(StoredConsent(UUID(int=2), ANN, form, state, in_force=True, asserted_at=NOW))
    Consent.model_validate(json.loads(json.dumps(written)))
    assert Consents().read(written) == AssertedConsent(ANN, form)


def test_what_became_of_it_is_its_status() -> None:
    form = ConsentForm(kind=ConsentKind.TPO, signed_on=date(2026, 3, 1))
    one = {
        state: Consents().resource(StoredConsent(UUID(int=2), ANN, form, state, in_force=False, asserted_at=NOW, reviewed_at=NOW))
        for state in ("proposed", "active", "refused", "revoked", "expired")
    }
    assert [found["status"] for found in one.values()] == ["proposed", "active", "rejected", "inactive", "inactive"]
    assert [found["verification"][0]["verified"] for found in one.values()] == [True, True, False, True, True]
    assert {Consents().states(found["status"]) for found in one.values()} == {
        ("proposed",),
        ("active",),
        ("refused",),
        ("revoked", "expired"),
    }
    assert Consents().states("draft") == ()


def sent(**changed: Any) -> dict[str, Any]:
    """Give a Consent as somebody else's system writes it, without our codes."""
    found = {
        "resourceType": "Consent",
        "id": "theirs",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{ANN.hex}"},
        "performer": [{"reference": f"Patient/{ANN.hex}"}],
        "dateTime": "2026-03-01T10:00:00-05:00",
        "organization": [{"reference": f"Organization/{UUID(int=3)}"}],
        "policyRule": {"text": "42 CFR part 2"},
        "provision": {
            "type": "permit",
            "period": {"end": "2027-03-01"},
            "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ETH"}],
            "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
            "actor": [
                {
                    "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
                    "reference": {"reference": f"Organization/{UUID(int=4).hex}"},
                }
            ],
        },
    }
    for path, value in changed.items():
        holder: Any = found
        *way, last = path.split("__")
        for name in way:
            holder = holder[int(name)] if name.isdigit() else holder[name]
        holder[last] = value
    return found


def test_a_foreign_consent_is_read_by_the_codes_of_the_standard() -> None:
    read = Consents().read(sent())
    assert isinstance(read, AssertedConsent)
    form = read.form
    assert (form.kind, form.signed_on, form.expires_on) == (ConsentKind.NAMED, date(2026, 3, 1), date(2027, 3, 1))
    assert (form.categories, form.purposes) == ({Category.SUBSTANCE_USE}, {Purpose.TREATMENT})
    assert (form.discloser_id, form.recipients, form.signature) == (UUID(int=3), (UUID(int=4),), Signature.NONE)
    refusal = Consents().read(sent(provision={"type": "deny"}))
    assert isinstance(refusal, AssertedConsent)
    assert (refusal.form.kind, refusal.form.categories, refusal.form.recipients) == (ConsentKind.REFUSAL, {Category.ALL}, ())


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"status": "inactive"}, "Consent.status"),
        ({"scope": {"coding": [{"code": "research"}]}}, "Consent.scope"),
        ({"dateTime": "2026-03"}, "Consent.dateTime"),
        ({"patient": {"display": "Ann"}}, "Consent.patient.reference"),
        ({"patient": {"reference": "Patient/12"}}, "Consent.patient.reference"),
        ({"performer": [{"reference": "RelatedPerson/1"}]}, "Consent.performer"),
        ({"identifier": [{"value": "1"}]}, "Consent.identifier"),
        ({"provision__provision": [{"type": "deny"}]}, "Consent.provision.provision"),
        ({"provision__period": {"start": "2026-04-01"}}, "Consent.provision.period.start"),
        ({"provision__data": [{"meaning": "related", "reference": {"reference": "Encounter/1"}}]}, "Consent.provision.data"),
        ({"provision__securityLabel": [{"code": "V"}]}, "Consent.provision.securityLabel[0]"),
        ({"provision__purpose": [{"code": "HMARKT"}]}, "Consent.provision.purpose[0]"),
        ({"provision__actor__0__role": {"text": "doctor"}}, "Consent.provision.actor[0].role"),
        (
            {"provision__actor__0__reference": {"identifier": {"system": CLASSES, "value": "anybody"}}},
            "Consent.provision.actor[0].reference.identifier",
        ),
        ({"category": [{"coding": [{"system": KINDS, "code": "verbal"}]}]}, "Consent.category"),
        ({"category": [{"coding": [{"system": KINDS, "code": "refusal"}]}]}, "Consent.provision.type"),
        ({"extension": [{"url": SIGNATURE, "valueCode": "thumb"}]}, f"Consent.extension('{SIGNATURE}')"),
        ({"extension": [{"url": STATEMENT, "valueCode": "more"}]}, f"Consent.extension('{STATEMENT}')"),
        ({"organization": [{"reference": f"Organization/{n:032x}"} for n in (1, 2)]}, "Consent.organization"),
        ({"provision": {"type": 7}}, "Consent.provision.type"),
        ({"nonsense": 1}, "Consent"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_place(changed: dict[str, Any], place: str) -> None:
    read = Consents().read(sent(**changed))
    assert not isinstance(read, AssertedConsent)
    assert place in [problem.location for problem in read]


@pytest.mark.parametrize(
    "document", [None, [], "Consent", {}, {"resourceType": "Patient"}, {"resourceType": "Consent", "extension": ANY_DISCLOSER}]
)
def test_what_is_no_consent_is_refused_and_nothing_is_raised(document: object) -> None:
    assert not isinstance(Consents().read(document), AssertedConsent)
