"""Records a consent as any format asserts it, of somebody who is known here or whom nobody knows yet: what `/v1` and `/fhir` share.

Not here: the formats (consents, fhir_consents), what a form must contain (domain/consent_form), who somebody is (actions/identify).
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.actions.identify import IdentityMovedError, identify
from app.actions.record_consent import record_consent
from app.actions.tell_owners import tell_owners
from app.api.problems import ProblemError, ProblemType
from app.api.services import Services
from app.domain.consent import OVERRIDING
from app.domain.consent_form import ConsentForm, Fault
from app.domain.panel import roster_sort_keys
from app.domain.stand_in import is_no_number
from app.domain.stored_consent import NamedPatient
from app.domain.viewer import OPERATOR, Viewer
from app.store import consent_records
from app.store.consent_records import ConsentRow
from app.store.engine import raw_connection
from app.store.raw import Raw

_TRIES_MAX: Final = 5


class _RefusedError(Exception):
    """Undoes what was learned of who somebody is: the paper is not taken."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("the consent is not acceptable")
        self.faults = faults


async def record_asserted(
    services: Services, viewer: Viewer, patient: UUID | NamedPatient, form: ConsentForm, *, source: str
) -> ConsentRow | Sequence[Fault]:
    """Record it, or give everything that is wrong with it. Of a person by id: one whom the key's organization sees.

    Of somebody by numbers, name and birth date: the person index finds them, or knows them from now on, so that the paper counts from their
    first message on. What the index does not join, nobody guesses: it joins when an operator says so, and the paper moves along.
    """
    if isinstance(patient, UUID):
        async with services.unit_of_work(viewer) as connection:
            record_id = await consent_records.record_of(await raw_connection(connection), patient)
        if record_id is None:
            return [("person_id", "is no person whom this key's organization sees")]
        async with services.unit_of_work(OPERATOR) as connection:
            raw = await raw_connection(connection)
            row = await _record(services, viewer, raw, (patient, record_id), form, source)
            owners = await _tell_owners(services, raw, row) if isinstance(row, ConsentRow) else ()
        for owner in owners:
            services.waker.wake(f"notification:{owner}")
    else:
        row = await _of_named(services, viewer, patient, form, source)
    if isinstance(row, ConsentRow):
        services.waker.wake("inbound")
    return row


async def _tell_owners(services: Services, raw: Raw, row: ConsentRow) -> Sequence[UUID]:
    """Tell whose records they are that an exception has opened them; an exception never waits for review."""
    if row.kind not in OVERRIDING or row.state != "active":
        return ()
    directory = await services.registry.current(raw)
    return await tell_owners(raw, row, directory=directory, read_stay=services.read_stay, ids=services.ids, now=services.clock.now())


async def _of_named(
    services: Services, viewer: Viewer, patient: NamedPatient, form: ConsentForm, source: str
) -> ConsentRow | Sequence[Fault]:
    if form.kind in OVERRIDING:
        return [("person_id", "is needed: an exception is made for somebody who is there, not for a number")]
    if any(is_no_number(one.value) for one in patient.identifiers):
        return [("person", "has an identifier that only stands in for one; leave it out")]
    for left in reversed(range(_TRIES_MAX)):
        try:
            async with services.unit_of_work(OPERATOR) as connection:
                return await _identified(services, viewer, await raw_connection(connection), patient, form, source)
        except _RefusedError as refused:
            return refused.faults
        except IdentityMovedError:
            if not left:
                raise ProblemError(ProblemType.UNAVAILABLE, "These people change too fast just now; try again.") from None
    raise AssertionError


async def _identified(services: Services, viewer: Viewer, raw: Raw, patient: NamedPatient, form: ConsentForm, source: str) -> ConsentRow:
    now = services.clock.now()
    claim = patient.claim(viewer.organization_id, roster_sort_keys(now)(0))
    (whose,) = await identify(raw, [claim], ids=services.ids, now=now)
    row = await _record(services, viewer, raw, (whose.person_id, whose.record_id), form, source)
    if not isinstance(row, ConsentRow):
        raise _RefusedError(row)
    return row


async def _record(
    services: Services, viewer: Viewer, raw: Raw, whose: tuple[UUID, UUID], form: ConsentForm, source: str
) -> ConsentRow | Sequence[Fault]:
    return await record_consent(
        raw,
        form,
        whose,
        viewer.organization_id,
        source=source,
        directory=await services.registry.current(raw),
        law=services.follow_ups.rulebook.privacy,
        id_=services.ids.new(),
        now=services.clock.now(),
    )
