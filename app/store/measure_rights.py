"""Lines of the measure ledger whose right to be read may have ended since they were written. Whether it has is the one decision's."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.store.asked_again import ABOUT_RIGHTS
from app.store.measure_reads import LineFilter
from app.store.raw import Raw

_FURTHEST_EAST: Final = timedelta(hours=14)
"""Whoever's calendar is ahead of everybody's: there a paper is over first."""

# Few rows each, found by their own index, and nearly always none: stays that wait to be decided again because of a paper or of the
# registry (pk_reconsideration), and people whose paper is over and has not been noted (ix_consent_ending, ix_consent_ending_soon).
_DOUBTED = """
select e.id, e.person_id from consent c join encounter e on e.person_id = c.person_id
where c.state = 'active' and (c.expires_on < {day} or c.ends_at <= {now})
union select e.id, e.person_id from reconsideration r join encounter e on e.id = r.encounter_id where r.cause in {about_rights}
"""
# As arrays, so that nothing but their people's lines is looked at (ix_measure_line_person).
_OF_DOUBTED = """
l.person_id = any(array(select person_id from doubted))
and (l.encounter_id = any(array(select id from doubted)) or l.superseded_by = any(array(select id from doubted)))
"""
_NO_OTHER = """not exists (select from measure_line s where s.known_to is null and s.encounter_id = {stay}
and s.organization_id is not distinct from l.organization_id{also})"""
# Of a past day, lines that stand no more: those of the same stays, what counts no more since, and what was superseded by such. What counts
# no more was dropped after that day, by its last version (ix_measure_line_dropped); each is looked up by its stay.
_OF_THEN = (
    """
l.known_to is not null and l.encounter_id = any(array(select id from doubted))
""",
    """
l.known_to is not null and l.superseded_by = any(array(select id from doubted))
""",
    f"""
l.known_to is not null and l.encounter_id = any(array(
    select d.encounter_id from measure_line d where d.dropped and d.measure = {{measure}} and {{whose}} and d.known_to > {{known_at}}
)) and {_NO_OTHER.format(stay="l.encounter_id", also=" and s.measure = l.measure")}
""",
    f"""
l.known_to is not null and l.superseded_by is not null and {_NO_OTHER.format(stay="l.superseded_by", also="")}
""",
)


@dataclass(frozen=True, slots=True)
class LineInDoubt:
    """A line that has to be asked about before anybody reads or counts it."""

    id: int
    encounter_id: UUID
    superseded_by: UUID | None
    organization_id: UUID | None


async def in_doubt(raw: Raw, wanted: LineFilter, now: datetime) -> list[LineInDoubt]:
    """Give the lines of a filter that may no longer be read. As the operator: whoever asks sees neither others' papers nor the queue."""
    values: list[Any] = []
    condition = wanted.where("l", values)
    # Whoever the home may be to, the line is in doubt.
    source = replace(wanted, reserved=frozenset()).source(values)
    values.extend(((now + _FURTHEST_EAST).date(), now))
    doubt = _DOUBTED.format(day=f"${len(values) - 1}", now=f"${len(values)}", about_rights=ABOUT_RIGHTS)
    asked = [_OF_DOUBTED]
    if wanted.known_at is not None:
        whose = wanted.of_organizations("d", values)
        values += [wanted.measure, wanted.known_at]
        places = {"measure": f"${len(values) - 1}::text", "known_at": f"${len(values)}::timestamptz", "whose": whose}
        asked = [f"l.known_to is null and {_OF_DOUBTED}", *(one.format(**places) for one in _OF_THEN)]
    found = " union ".join(
        f"select l.id, l.encounter_id, l.superseded_by, l.organization_id from {source} l where {condition} and {which}" for which in asked
    )
    rows = await raw.fetch(f"with doubted as materialized ({doubt}) {found}", *values)
    return [LineInDoubt(*row.values()) for row in rows]
