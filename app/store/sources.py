"""Reads what it takes to say which hospitals' records of people a reader may know of (domain/sources): two statements at most for all.

Where every house is plain and nobody refused, the first alone, and that for people of whom more shows than the stay that is told of.
Not here: the rule (domain/sources).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from app.domain.directory import Directory
from app.domain.person import PatientRecord
from app.domain.sources import Sources, is_beside_others, names_guarded
from app.domain.stay_in_hand import StayInHand
from app.store import encounters
from app.store.encounter_reads import ReadStay
from app.store.raw import Raw

# A stay of a plain house may be told of to everybody who is told at all, unless the hospital or the patient said no. That the word
# stands somewhere in the state is enough to look: whether it is said, the fold knows.
_IN_QUESTION = """
select e.person_id from encounter e where e.person_id = any($1::uuid[]) and e.source = 'adt'
    and (e.facility_id = any($2::uuid[]) or position('"protected"' in e.state::text) > 0)
union select c.person_id from consent c where c.person_id = any($1::uuid[]) and c.state = 'active' and c.kind = 'refusal'
"""


async def _in_question(raw: Raw, people: Collection[UUID], houses: Collection[UUID]) -> list[UUID]:
    """Give those of the people who were at one of the houses, are protected by a hospital or refused (ix_encounter_person).

    One statement.
    """
    return [row["person_id"] for row in await raw.fetch(_IN_QUESTION, list(people), list(houses))]


async def know_sources(
    raw: Raw,
    records: Mapping[UUID, Sequence[PatientRecord]],
    told_of: Iterable[tuple[UUID, UUID]] | None,
    *,
    directory: Directory,
    read_stay: ReadStay,
) -> Sources:
    """Give the records with the stays by which they are judged.

    `told_of` are the (person, record) of the stays beside which they show; None: they show beside none, so each is in question.
    """
    behind: dict[UUID, set[UUID]] = {}
    for person_id, record_id in told_of or ():
        behind.setdefault(person_id, set()).add(record_id)
    found = {one for one, mine in records.items() if told_of is None or names_guarded(mine, directory)}
    others = [one for one, mine in records.items() if one not in found and is_beside_others(mine, behind.get(one, ()))]
    if others:
        found.update(await _in_question(raw, others, directory.in_question))
    if not found:
        return Sources(directory, records)
    stays: dict[UUID, list[StayInHand]] = {one: [] for one in found}
    for row in await encounters.of_people(raw, found):
        if row.mode != "test":
            stays[row.person_id].append(read_stay(row, directory))
    return Sources(directory, records, stays)
