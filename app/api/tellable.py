"""Which stays may be named to an organization now: asked of every list that names stays beside the outbox and the worklist.

What became a Part 2 program's since it was told is hidden here as it is there (42 CFR 2.13(c)). Not here: the decision (domain/privacy).
"""

from collections.abc import Collection
from uuid import UUID

from app.api.services import Services
from app.domain.own_status import may_meet
from app.domain.privacy import may_be_told, recipient_of
from app.domain.viewer import OPERATOR
from app.store.encounter_reads import rows_behind
from app.store.engine import raw_connection
from app.store.transfers import Transfer


async def tellable(services: Services, asked: Collection[tuple[UUID, UUID]]) -> frozenset[tuple[UUID, UUID]]:
    """Give those of these (stay, organization) of which the organization may be told. One statement for all of them.

    As the operator: a stay that an organization's own rows no longer lead to is judged like any other.
    """
    if not asked:
        return frozenset()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        stays = await rows_behind(raw, OPERATOR, {stay for stay, _ in asked})
    return frozenset(
        (stay, whose)
        for stay, whose in asked
        if stay in stays
        and whose in directory.organizations
        and may_be_told(services.read_stay(stays[stay], directory).origin, recipient_of(directory.organizations[whose])).tier.tells
    )


async def meeting(services: Services, offers: Collection[Transfer]) -> frozenset[UUID]:
    """Give those of these offers whose two homes may know of each other that the person is theirs (domain/own_status)."""
    if not offers:
        return frozenset()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        reserved = [one for one in offers if not directory.reserved.isdisjoint((one.from_id, one.to_id))]
        stays = await rows_behind(raw, OPERATOR, {one.encounter_id for one in reserved}) if reserved else {}
    apart = {
        one.id
        for one in reserved
        if one.encounter_id not in stays
        or not may_meet(one.from_id, one.to_id, services.read_stay(stays[one.encounter_id], directory), directory)
    }
    return frozenset(one.id for one in offers if one.id not in apart)
