"""Room 7, the measures: bring the ledger of measure status in line with what is known of the people of a batch.

Worked out anew from stays, contacts and claims, and compared with what stands: a correction is a new version, and what no longer
counts ends. Not here: what a status is (domain/episode), for whom a stay counts (domain/measure_ledger), rates.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.domain.directory import Directory
from app.domain.measure_ledger import Measured, lines_of
from app.domain.measure_line import MeasureLine
from app.domain.rulebook import Rulebook
from app.store import measure_lines, measure_receipts, service_lines, transfers
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Difference:
    """Between what stands and what should."""

    wanted: int
    """Lines that should stand."""
    ended: Mapping[int, MeasureLine]
    """Lines that stand and should not, by their id."""
    added: Sequence[MeasureLine]


async def difference(
    raw: Raw, people: Collection[UUID], known: Mapping[UUID, Measured], directory: Directory, rulebook: Rulebook, now: datetime
) -> Difference:
    """Compare the lines of these people with what they should be; nothing is changed. Most batches end after four reads."""
    stays = {stay.id for person in known.values() for stay in person.stays}
    heard = await measure_receipts.heard(raw, stays)
    services = await service_lines.of_people(raw, known)
    owners = await transfers.chains(raw, stays)
    named = {contact.npi for person in known.values() for _, contact in person.contacts if contact.npi}
    named |= {line.npi for lines in services.values() for line in lines if line.npi}
    providers = await service_lines.kinds_of_providers(raw, named)
    told = (replace(known[one], heard=heard, services=services.get(one, ()), providers=providers, owners=owners) for one in sorted(known))
    wanted = {line.key: line for person in told for line in lines_of(person, directory, rulebook, rulebook.measures, now)}
    stands = await measure_lines.standing(raw, people, stays)
    ended = {number: line for number, line in stands.items() if wanted.get(line.key) != line}
    kept = {line.key for number, line in stands.items() if number not in ended}
    return Difference(len(wanted), ended, [line for key, line in wanted.items() if key not in kept])


async def measure(
    raw: Raw, people: Collection[UUID], known: Mapping[UUID, Measured], directory: Directory, rulebook: Rulebook, now: datetime
) -> Difference:
    """Keep the lines of these people; those of whom nothing is `known` count for nobody."""
    found = await difference(raw, people, known, directory, rulebook, now)
    again = {line.key for line in found.added}
    dropped = [number for number, line in found.ended.items() if line.key not in again]
    await measure_lines.end(raw, list(found.ended), now, dropped)
    await measure_lines.add(raw, found.added, now)
    return found
