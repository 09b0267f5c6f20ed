"""The registry as a batch sees it: organizations, feeds and preferences, read together so that one batch sees one state.

A few thousand rows that change rarely: held in memory and read again when they changed (store/directory). Pure lookups only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.feed import Feed
from app.domain.organization import Organization, Part2Status
from app.domain.origin_registry import PlaceKind, Registration, reserved_houses
from app.domain.provider import ProviderLink
from app.domain.public_id import Kind, public_id

_PLAIN: Final = (None, Part2Status.NOT_PROGRAM)
_OF_PAYERS: Final = frozenset({IdentifierType.MEDICAID, IdentifierType.MEDICARE, IdentifierType.MEMBER})
"""Types of numbers that no hospital gives."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is who, by id; and feeds also by what their messages say."""

    organizations: Mapping[UUID, Organization]
    feeds: Mapping[UUID, Feed]
    preferences: Mapping[UUID, Sequence[Mapping[str, Any]]]
    by_sender: Mapping[tuple[str, str], Feed] = field(default_factory=dict)
    by_application: Mapping[tuple[str, str | None], Feed] = field(default_factory=dict)
    """(MSH-3, upper case, MSH-4) -> the feed that accepts this application too; MSH-4 None: the aggregator of the application."""
    by_organization: Mapping[UUID, Sequence[Feed]] = field(default_factory=dict)
    expired_panels: frozenset[UUID] = frozenset()
    """Organizations whose panel has expired (domain/panel_standing). It decides nothing: whom it names is told of, with the remark."""
    part2_authorities: Mapping[str, frozenset[UUID]] = field(default_factory=dict)
    """Assigning authorities that only Part 2 programs use -> those programs: a number of theirs tells who is a patient there."""

    houses: Mapping[str, frozenset[UUID]] = field(default_factory=dict)
    """Assigning authority, upper case -> who gives its numbers."""
    guarded: frozenset[str] = frozenset()
    """Those of houses under a state's pack, and of programs that share one with others: who may know of a number there is to be asked."""
    in_question: frozenset[UUID] = frozenset()
    """Houses of whose stays it cannot be said beforehand that they may be told of: programs and houses with their units, those under a
    pack, and those of which nobody has said what they are."""
    registrations: Mapping[UUID, Sequence[Registration]] = field(default_factory=dict)
    """Facility -> what was registered of its house, units and services, and stands."""
    reserved: frozenset[UUID] = frozenset()
    """Organizations whose own status may be protected: that somebody is with them passes the decision too (domain/own_status)."""
    providers: Mapping[str, Sequence[ProviderLink]] = field(default_factory=dict)
    """NPI -> for which organizations the practitioner works, an organization's own NPI included."""

    parted: frozenset[UUID] = frozenset()
    """Houses of which a unit, a service or a building is a program, licensed, under a pack or unknown: where in the house somebody was is
    not to be told at tier minimal, and a number that only a part of it gives would."""
    authorities: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    """House -> the authorities, upper case, by which its feeds number its patients."""

    by_destination: Mapping[str, UUID] = field(default_factory=dict)
    """What messages call a place that a patient went to (PV1-37), normalized -> the organization; what names two names none."""

    @classmethod
    def of(
        cls,
        organizations: Iterable[Organization],
        feeds: Iterable[Feed],
        preferences: Mapping[UUID, Sequence[Mapping[str, Any]]],
        expired_panels: frozenset[UUID] = frozenset(),
        practitioners: Iterable[tuple[str, ProviderLink]] = (),
        registrations: Iterable[Registration] = (),
    ) -> "Directory":
        """Build the lookups. `practitioners` are NPIs and for whom they work."""
        all_feeds = list(feeds)
        by_id = {organization.id: organization for organization in organizations}
        by_organization: dict[UUID, list[Feed]] = {}
        owners: dict[str, set[UUID]] = {}
        for feed in all_feeds:
            by_organization.setdefault(feed.organization_id, []).append(feed)
            owners.setdefault(feed.assigning_authority.upper(), set()).add(feed.organization_id)
            for facility in feed.facilities.values():
                owners.setdefault(facility.assigning_authority.upper(), set()).add(facility.organization_id)
        providers: dict[str, list[ProviderLink]] = {}
        own = [(one.npi, ProviderLink(one.id, one.id, one.created_at)) for one in by_id.values() if one.npi]
        for npi, link in (*practitioners, *own):
            providers.setdefault(npi, []).append(link)
        registered: dict[UUID, list[Registration]] = {}
        for one_place in registrations:
            registered.setdefault(one_place.organization_id, []).append(one_place)
        # A house that is, was or will be registered as a program: its numbers outlive the registration's dates.
        statuses = {(one.id, one.part2_status) for one in by_id.values()}
        statuses |= {
            (id_, one.part2_status) for id_, said in registered.items() for one in said if one.place is PlaceKind.HOUSE and one.part2_status
        }
        programs = {id_ for id_, status in statuses if status in (Part2Status.PROGRAM, Part2Status.SUD_ONLY)}
        of_programs = {authority: frozenset(whose) for authority, whose in owners.items() if whose <= programs}
        authorities: dict[UUID, set[str]] = {}
        for authority, whose in owners.items():
            for house in whose:
                authorities.setdefault(house, set()).add(authority)
        packed = {id_ for id_, said in registered.items() if any(one.privacy_pack for one in said)}
        unplain = {id_ for id_, said in registered.items() if any(one.part2_status not in _PLAIN for one in said)}
        return cls(
            organizations=by_id,
            feeds={feed.id: feed for feed in all_feeds},
            preferences=preferences,
            expired_panels=expired_panels,
            by_sender={(feed.sending_application, feed.sending_facility): feed for feed in all_feeds},
            by_application=_by_application(all_feeds),
            by_organization=by_organization,
            registrations=registered,
            reserved=reserved_houses(by_id.values(), registered),
            providers=providers,
            by_destination=_by_destination(by_id.values(), by_organization),
            part2_authorities=of_programs,
            parted=frozenset(id_ for id_, said in registered.items() if any(_is_of_guarded_part(one) for one in said)),
            authorities={house: frozenset(given) for house, given in authorities.items()},
            houses={authority: frozenset(whose) for authority, whose in owners.items()},
            guarded=frozenset(
                authority for authority, whose in owners.items() if whose & (programs | packed) and authority not in of_programs
            ),
            in_question=frozenset(packed | unplain | {one.id for one in by_id.values() if one.part2_status is not Part2Status.NOT_PROGRAM}),
        )

    def conceals(self, authority: str, reader_id: UUID | None) -> bool:
        """Tell whether a number of this authority must not be shown to the reader: it would name a Part 2 program (42 CFR 2.13(c)).

        The program itself reads its own; the operator (None) reads everything.
        """
        programs = self.part2_authorities.get(authority.upper())
        return programs is not None and reader_id is not None and reader_id not in programs

    def may_name_part(self, number: Identifier, said_by: str, reader_id: UUID | None) -> bool:
        """Tell whether a number that a record of the authority `said_by` has may tell the reader in which part of a house somebody was.

        The number of a whole hospital says no more than the hospital's name, which tier minimal tells. One whose authority may be that of a
        guarded part says more: one of several of such a house, or one that the registry does not know, said by such a house or nobody knows
        whom. A house reads its own; the operator (None) reads everything.
        """
        if not self.parted or reader_id is None or number.type in _OF_PAYERS:
            return False
        givers, speakers = (self.houses.get(one.upper(), frozenset[UUID]()) for one in (number.authority, said_by))
        if reader_id in givers | speakers:
            return False
        if givers:
            return any(len(self.authorities.get(one, ())) > 1 for one in givers & self.parted)
        return not speakers or not speakers.isdisjoint(self.parted)

    def destination(self, said: str | None) -> Organization | None:
        """Find the organization that a message names as where the patient went, if the registry knows it by that name."""
        # PV1-37 is coded: code and text are subcomponents, but an ampersand may be part of a name too.
        parts = (_plain(part) for part in (said or "", *(said or "").split("&")))
        return next((self.organizations[found] for part in parts if (found := self.by_destination.get(part)) is not None), None)

    def feed_of(self, application: str, facility: str, *, named: str | None, organization_id: UUID | None) -> Feed | None:
        """Find the source of a message: the feed the door named, else MSH-3/MSH-4, else the organization's single feed.

        A key may only speak for its own organization's feeds; on MLLP (`organization_id` None) MSH-3/MSH-4 is the only rule.
        """
        if named is not None:
            found = next((feed for feed in self.feeds.values() if named in (str(feed.id), feed.id.hex, f"feed_{feed.id.hex}")), None)
        else:
            found = self._sent_by(application, facility)
            if found is None and organization_id is not None:
                own = self.by_organization.get(organization_id, ())
                found = own[0] if len(own) == 1 else None
        if found is not None and organization_id is not None and found.organization_id != organization_id:
            return None
        return found

    def knows_application(self, application: str) -> bool:
        """Tell whether any feed is registered for the sending application, of whatever facility. Asked of refused messages only."""
        name = application.strip().upper()
        return any(known.strip().upper() == name for known, _ in (*self.by_sender, *self.by_application))

    def knows(self, application: str, facility: str) -> bool:
        """Tell whether some feed is registered for this sender."""
        return self._sent_by(application, facility) is not None

    def _sent_by(self, application: str, facility: str) -> Feed | None:
        # As sent first, components and all; else by the namespace alone (MSH-3 and MSH-4 are HD: namespace, id, id type).
        found = self.by_sender.get((application, facility)) or self.by_sender.get((_namespace(application), _namespace(facility)))
        return found or self._accepting(application, facility)

    def _accepting(self, application: str, facility: str) -> Feed | None:
        """Find the feed that accepts this MSH-3 beside its own, else the aggregator of it, whatever MSH-4 is."""
        named = _namespace(application).upper()
        candidates = (self.by_application.get((named, where)) for where in (facility, _namespace(facility), None))
        return next((feed for feed in candidates if feed is not None), None)


def _is_of_guarded_part(one: Registration) -> bool:
    """Tell whether a registration is of a part of a house, and says of it what must not be told of who was there."""
    says = one.part2_status not in _PLAIN or one.mental_health_licensed or one.privacy_pack is not None
    return one.place is not PlaceKind.HOUSE and bool(says)


def _by_application(feeds: Iterable[Feed]) -> dict[tuple[str, str | None], Feed]:
    """Index the feeds by every further MSH-3 that they accept. What two feeds accept names neither: it would be a guess."""
    found: dict[tuple[str, str | None], Feed | None] = {}
    for feed in feeds:
        is_of_all = feed.is_aggregator and not feed.sending_facility
        own = {feed.sending_application.upper()} if is_of_all else set()
        for application in own | feed.profile.accepted_applications:
            key = application, None if is_of_all else feed.sending_facility
            found[key] = None if key in found else feed
    return {key: feed for key, feed in found.items() if feed is not None}


def _by_destination(organizations: Iterable[Organization], feeds: Mapping[UUID, Sequence[Feed]]) -> dict[str, UUID]:
    """Index organizations by id, name, NPI, MSH-4 of their feeds and what the registry says others call them."""
    named: dict[str, set[UUID]] = {}
    for one in organizations:
        sent = [_namespace(feed.sending_facility) for feed in feeds.get(one.id, ()) if not feed.is_aggregator]
        for name in (public_id(Kind.ORGANIZATION, one.id), one.name, one.npi or "", *sent, *one.known_as):
            named.setdefault(_plain(name), set()).add(one.id)
    return {name: next(iter(whose)) for name, whose in named.items() if name and len(whose) == 1}


def _plain(name: str) -> str:
    """Give a name without case, spaces and punctuation."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _namespace(text: str) -> str:
    return text.partition("^")[0].strip()
