"""Record what a patient signed or refused, or an emergency, as any format asserts it: checked, and proposed where it waits for review.

Not here: what a form must contain (domain/consent_form), or who may assert it of whom (the caller's).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.consent import OVERRIDING, Category, ConsentKind, RecipientClass
from app.domain.consent_form import ConsentForm, Fault, Signer, ends_at, faults, last_day, not_medical, waits_for_review
from app.domain.directory import Directory
from app.domain.measure_history import birth_on
from app.domain.origin_registry import place_status
from app.domain.privacy_law import MinorRules, PrivacyLaw
from app.store import consent_records, people
from app.store.consent_records import ConsentRow
from app.store.raw import Raw


async def record_consent(  # what is asserted, by whom, and what it is judged by
    raw: Raw,
    form: ConsentForm,
    whose: tuple[UUID, UUID],
    by: UUID | None,
    *,
    source: str,
    directory: Directory,
    law: PrivacyLaw,
    id_: UUID,
    now: datetime,
) -> ConsentRow | Sequence[Fault]:
    """Record a form of a (person, record), or give everything that is wrong with it. As the operator: papers of others decide too."""
    person_id, record_id = whose
    await people.lock_people(raw, [person_id])
    born = birth_on((await people.describe(raw, [person_id])).get(person_id, ()))
    minors = _minors(form, directory, law)
    house = directory.organizations.get(form.discloser_id) if form.discloser_id else None
    today = now.astimezone(ZoneInfo(house.time_zone if house else "UTC")).date()
    wrong = [*faults(form, today, born, minors, law), *not_medical(form, dict(directory.organizations))]
    for name in ("discloser_id", "intermediary_id"):
        named = getattr(form, name)
        if named is not None and named not in directory.organizations:
            wrong.append((name, "names no organization of this exchange"))
    if wrong:
        return wrong
    is_proposed = waits_for_review(form, by, law)
    row = replace(
        _row(form, id_, person_id, record_id, by, now),
        source=source,
        state="proposed" if is_proposed else "active",
        expires_on=last_day(form, born, minors),
    )
    await consent_records.add(raw, [row])
    if not is_proposed:
        await people.reconsider_people(raw, [person_id], now, "consent")
    return row


def _minors(form: ConsentForm, directory: Directory, law: PrivacyLaw) -> MinorRules:
    """Give who signs for a minor where the records are: by the pack of the house that discloses."""
    house = directory.organizations.get(form.discloser_id) if form.discloser_id else None
    registered = directory.registrations.get(house.id, ()) if house else ()
    name = place_status(house, registered, {}, form.signed_on, form.signed_on).privacy_pack
    pack = law.packs.get(name) if name else None
    return pack.minors if pack else MinorRules()


def _row(form: ConsentForm, id_: UUID, person_id: UUID, record_id: UUID, by: UUID | None, now: datetime) -> ConsentRow:
    classes = form.recipient_classes
    if form.kind is ConsentKind.INTERMEDIARY and not classes:
        classes = frozenset({RecipientClass.TREATING_PROVIDERS})
    return ConsentRow(
        id=id_,
        person_id=person_id,
        record_id=record_id,
        recorded_by=by,
        kind=form.kind.value,
        categories=[one.value for one in form.categories or (Category.ALL,)],
        purposes=[one.value for one in form.purposes],
        discloser_id=form.discloser_id,
        recipients=list(form.recipients),
        recipient_classes=[one.value for one in classes],
        intermediary_id=form.intermediary_id,
        scope=form.scope,
        signed_on=form.signed_on,
        signed_by=Signer.CLINICIAN.value if form.kind in OVERRIDING else form.signed_by.value,
        signature=form.signature.value,
        expires_on=form.expires_on,
        expires_upon=form.expires_upon,
        ends_at=ends_at(form, now),
        statements=[one.value for one in form.statements],
        reason=form.reason,
        document_id=form.document_id,
        source="api",
        state="active",
        asserted_at=now,
    )
