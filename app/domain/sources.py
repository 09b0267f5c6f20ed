"""Which hospitals' records of a person a reader may know of: a number tells that somebody was a patient there.

One rule for everything that shows a person: of a house shows what it says and its number only to who may be told of a stay of the person
there, to the tier that names persons, and to the house itself; and so where another hospital repeats that number. At tier minimal, of a
unit too, the hospital's own number shows: the hospital is named anyway, and the number is the whole house's. Beside it stands what holds of
Part 2 programs whoever signed (directory.conceals), and of numbers that only a part of a house gives (directory.may_name_part). Not here:
reading the stays (store/sources), or the decision (privacy).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.directory import Directory
from app.domain.home_origin import origin_of_home
from app.domain.organization import Organization, Part2Status
from app.domain.origin_registry import standing_place
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.privacy import Tier, may_be_told, recipient_of
from app.domain.seeing import ITS_OWN, seen_by
from app.domain.stay_in_hand import StayInHand
from app.domain.viewer import Viewer

_NAMES_PERSONS: Final = (Tier.FULL, Tier.MINIMAL)


def is_beside_others(records: Sequence[PatientRecord], told_of: Collection[UUID]) -> bool:
    """Tell whether a hospital's record shows beside stays of other records: those that are told of have these records.

    Of somebody whom one hospital alone has sent, and of whose stays there alone is told, no other house shows.
    """
    said = {record.id for record in records if record.source == ADT_SOURCE}
    return bool(said) and not (len(said) == 1 and said.issuperset(told_of))


def names_guarded(records: Sequence[PatientRecord], directory: Directory) -> bool:
    """Tell whether a hospital's record repeats the number of a house of which it is to be asked who may know."""
    if not directory.guarded:
        return False
    said = ((record.own.authority, one.authority) for record in records if record.source == ADT_SOURCE for one in record.identifiers)
    return any(of_number != of_record and of_number.upper() in directory.guarded for of_record, of_number in said)


@dataclass(frozen=True, slots=True)
class Sources:
    """The records of people, and the stays of those of whom it has to be asked."""

    directory: Directory
    records: Mapping[UUID, Sequence[PatientRecord]]
    stays: Mapping[UUID, Sequence[StayInHand]] = field(default_factory=dict)
    """Every stay of the person, of whichever hospital; who is not in it has nothing to hide."""
    _shown: dict[tuple[UUID, UUID, bool], Sequence[PatientRecord]] = field(default_factory=dict)

    def told(self, person_id: UUID, recipient_id: UUID | None) -> Sequence[PatientRecord]:
        """Give the records as a recipient may know of them."""
        reader = self.directory.organizations.get(recipient_id) if recipient_id else None
        return self._for(person_id, reader, None) if reader is not None else self.records.get(person_id, ())

    def seen(self, person_id: UUID, viewer: Viewer) -> Sequence[PatientRecord]:
        """Give the records as who looks may know of them: the operator all, others those of stays that they may be told of and see."""
        reader = self.directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
        if viewer.is_operator or reader is None:
            return self.records.get(person_id, ())
        return self._for(person_id, reader, viewer)

    def hides(self, person_id: UUID, recipient_id: UUID | None) -> bool:
        """Tell whether something of the person is not to be known by the recipient."""
        return self.told(person_id, recipient_id) is not self.records.get(person_id, ())

    def _for(self, person_id: UUID, reader: Organization, viewer: Viewer | None) -> Sequence[PatientRecord]:
        records, stays = self.records.get(person_id, ()), self.stays.get(person_id)
        if stays is None:
            return records
        key = (person_id, reader.id, viewer is None)
        if key not in self._shown:
            self._shown[key] = self._narrowed(records, stays, reader, viewer)
        return self._shown[key]

    def _narrowed(
        self, records: Sequence[PatientRecord], stays: Sequence[StayInHand], reader: Organization, viewer: Viewer | None
    ) -> Sequence[PatientRecord]:
        tells: dict[UUID, bool] = {}
        for stay in stays:
            tells[stay.record_id] = tells.get(stay.record_id, False) or self._may_know(stay, reader, viewer)
        said = [record for record in records if record.source == ADT_SOURCE]
        may: dict[str, bool] = {}
        for record in said:
            if record.id in tells:
                authority = record.own.authority.upper()
                may[authority] = may.get(authority, False) or tells[record.id]
        numbers = {one.authority.upper() for record in said for one in record.identifiers} | {one.own.authority.upper() for one in said}
        for authority in numbers - may.keys():
            may[authority] = self._may_know_house(authority, stays, reader)
        hidden = {authority for authority, is_known in may.items() if not is_known and reader.id not in self._whose(authority)}
        untold = {record.id for record in said if not tells.get(record.id, True) or record.own.authority.upper() in hidden}
        if not untold and not hidden:
            return records
        gone = {record.own for record in said if record.id in untold}
        return [_without(record, hidden, gone) for record in records if record.id not in untold]

    def _may_know(self, stay: StayInHand, reader: Organization, viewer: Viewer | None) -> bool:
        if reader.id in (stay.facility.id if stay.facility else None, stay.reported_by):
            return True
        told = may_be_told(stay.origin, recipient_of(reader)).tier in _NAMES_PERSONS
        if viewer is None:
            return told
        # Who may look for one purpose and not be told for its own (45 CFR 164.522(a)(1)(vi)) sees no stay, and so no number of it.
        seen = seen_by(viewer, stay.facility.id if stay.facility else None, stay.reported_by, stay, self.directory)
        return seen is ITS_OWN or (told and seen.tier in _NAMES_PERSONS)

    def _may_know_house(self, authority: str, stays: Sequence[StayInHand], reader: Organization) -> bool:
        """Judge a number of a house of which no stay of the person is known: by what a stay there would be at the least."""
        return all(self._lets_know(house_id, stays, reader) for house_id in self._whose(authority) & self.directory.in_question)

    def _lets_know(self, house_id: UUID, stays: Sequence[StayInHand], reader: Organization) -> bool:
        house, registered = self.directory.organizations.get(house_id), self.directory.registrations.get(house_id, ())
        if house is None:
            return True
        if not stays:
            place = standing_place(house, registered)
            return place.privacy_pack is None and place.part2_status in (Part2Status.NOT_PROGRAM, Part2Status.UNKNOWN)
        one = stays[-1]
        return may_be_told(origin_of_home(house, registered, one.consents, one.law, one.asked_at), recipient_of(reader)).tier.tells

    def _whose(self, authority: str) -> frozenset[UUID]:
        return self.directory.houses.get(authority, frozenset())


def _without(record: PatientRecord, authorities: Iterable[str], numbers: set[Identifier]) -> PatientRecord:
    """Leave out the numbers of houses that the reader may not know of, as another source repeats them."""
    if record.source != ADT_SOURCE:
        return record
    kept = frozenset(one for one in record.identifiers if one not in numbers and one.authority.upper() not in authorities)
    return record if len(kept) == len(record.identifiers) else replace(record, identifiers=kept)
