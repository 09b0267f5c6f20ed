"""Organizations that a message names by a practitioner: a ground to be told that is weaker than any claim of a panel.

A hospital must try to tell the practitioner whom the patient names as primarily responsible (42 CFR 482.24(d)): PD1, ROL and PV1 say
who that is, and the registry says for whom they work. Never a ground for a follow-up. Pure. Not here: where the places are read
(adapters), or whether they may be told (privacy).
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from app.domain.attribution import Attribution, Learned, Role
from app.domain.directory import Directory
from app.domain.encounter import NAMED_PREFIX
from app.domain.precedence import NAMED, Precedence
from app.domain.provider import ProviderLink
from app.domain.stay_in_hand import StayInHand

WITHOUT_PROGRAM = ""


def named_providers(stay: StayInHand, directory: Directory, precedence: Precedence) -> Sequence[Attribution]:
    """Give the organizations that the stay's messages name, in the form of claims; the weakest there are (`precedence.order`)."""
    if stay.reported_by is not None:
        return ()
    found: dict[UUID, tuple[Role, ProviderLink]] = {}
    for place, role in precedence.named.items():
        for npi in stay.view.facts.get(NAMED_PREFIX + place, ()):
            for link in directory.providers.get(npi, ()):
                found.setdefault(link.organization_id, (role, link))
    return tuple(_claim(stay, role, link) for role, link in found.values())


def _claim(stay: StayInHand, role: Role, link: ProviderLink) -> Attribution:
    since = link.effective_from or _first_day(stay)
    return Attribution(
        id=link.id,
        organization_id=link.organization_id,
        person_id=stay.person_id,
        program=WITHOUT_PROGRAM,
        role=role,
        effective_from=since,
        effective_to=link.effective_to,
        basis=NAMED,
        learned=(Learned(link.asserted_at, since, link.effective_to),),
    )


def _first_day(stay: StayInHand) -> date:
    view = stay.view
    began = [
        at for at in (view.admitted_at, view.discharged_at, view.deceased_at, *(one.starts_at for one in view.phases)) if at is not None
    ]
    return stay.day_of(min(began)) if began else date.max
