"""Which lines of the measure ledger may not be read now, although they are stored: the one decision is asked again for each in doubt.

A right ends between two rounds of the pipeline, which then ends the lines; and what was known on a past day is asked about with the rights
of today. What is withheld is in no list and no sum, so that no number gives away what a list hides. Three statements, however many lines.
"""

from collections.abc import Sequence
from typing import Final

from app.domain.directory import Directory
from app.domain.organization import OrganizationKind
from app.domain.seeing import may_count
from app.domain.viewer import OPERATOR
from app.store import claims
from app.store.encounter_reads import ReadStay, rows_behind
from app.store.measure_rights import LineInDoubt
from app.store.raw import Raw

DECIDED_MAX: Final = 2_000
"""Our policy: so many are decided within an answer. The others are withheld until the pipeline has come to them."""


async def withheld_lines(raw: Raw, lines: Sequence[LineInDoubt], directory: Directory, read_stay: ReadStay) -> set[int]:
    """Give those that may not be read by whom they count for. As the operator. A line that another stay superseded shows that stay."""
    asked = lines[:DECIDED_MAX]
    withheld = {line.id for line in lines[DECIDED_MAX:]}
    if not asked:
        return withheld
    named = {stay for line in asked for stay in (line.encounter_id, line.superseded_by) if stay is not None}
    stays = {id_: read_stay(row, directory) for id_, row in (await rows_behind(raw, OPERATOR, named)).items()}
    claimed = await claims.of_people(raw, {stay.person_id for stay in stays.values()})
    for line in asked:
        reader = directory.organizations.get(line.organization_id) if line.organization_id is not None else None
        # The exchange's own may know no more than a payer may (domain/measure_ledger).
        kind = reader.kind if reader is not None else OrganizationKind.AGENCY
        for id_ in (line.encounter_id, line.superseded_by):
            stay = stays.get(id_) if id_ is not None else None
            if id_ is not None and (stay is None or not may_count(line.organization_id, kind, stay, claimed.get(stay.person_id, ()))):
                withheld.add(line.id)
    return withheld
