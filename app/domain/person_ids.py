"""Which id a person bears: a function of which records are together, so that what is taken back restores the very ids.

The first record of a person founds it and keeps that id as its own, wherever it goes; a group bears the oldest id that any of its
records founded. So whoever are together again bear what they bore when they were, whatever merges, moves and answers came between.
Not here: which records are together (matching).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.matching import Group


@dataclass(frozen=True, slots=True)
class Borne:
    """Whose every record is, and which records founded a person just now."""

    people: dict[UUID, UUID]
    founded: dict[UUID, UUID]


def bear(groups: Sequence[Group], before: Mapping[UUID, UUID], founders: Mapping[UUID, UUID], fresh: Iterable[UUID]) -> Borne:
    """Give each record its person. `before` maps record -> present person, `founders` record -> the person that it founded.

    Ids are time-ordered, so "oldest" is the smallest. A group of which no record founded anybody keeps the person that it has, where no
    other record founded that one, and else is somebody new; either way its oldest record is the founder from now on.
    """
    supply = iter(fresh)
    taken = set(founders.values())
    borne = Borne({}, {})
    for group in sorted(groups, key=lambda item: min(item.records).int):
        founded = [founders[record] for record in group.records if record in founders]
        if founded:
            person = min(founded)
        else:
            held = {before[record] for record in group.records if record in before} - taken
            person = min(held) if held else next(supply)
            taken.add(person)
            borne.founded[min(group.records)] = person
        borne.people.update(dict.fromkeys(group.records, person))
    return borne
