"""Reads the whole registry for the pipeline and the door, when it has changed."""

from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from app.domain.agreement import LETS_TAKE_PART, Agreement, Span
from app.domain.directory import Directory
from app.domain.feed import VISIT_NUMBER_PLACES, AckPolicy, Feed, FeedFacility, FeedMode, FeedProfile
from app.domain.organization import CallBack, FacilityType, Organization, OrganizationKind, Part2Status
from app.domain.origin_registry import Registration
from app.domain.provider import ProviderLink
from app.store import agreements, origin_registrations
from app.store.raw import Raw

_VERSION = "select version from registry_version"


def profile_from(stored: dict[str, Any]) -> FeedProfile:
    """Read a feed profile from its stored JSON; keys that are not there keep their default."""
    return FeedProfile(
        charset=stored.get("charset"),
        class_map=dict(stored.get("class_map", {})),
        disposition_map=dict(stored.get("disposition_map", {})),
        document_map=dict(stored.get("document_map", {})),
        authority_map=dict(stored.get("authority_map", {})),
        observation_patient_types=frozenset(stored.get("observation_patient_types", ())),
        behavioral_units=frozenset(unit.upper() for unit in stored.get("behavioral_units", ())),
        test_patient_last_names=frozenset(stored.get("test_patient_last_names", ())),
        accept_test_messages=bool(stored.get("accept_test_messages", False)),
        visit_number_places=tuple(stored.get("visit_number_places", VISIT_NUMBER_PLACES)),
        local_reads=dict(stored.get("local_reads", {})),
        ack_policy=AckPolicy(stored.get("ack_policy", AckPolicy.ERROR)),
        mllp_release=int(stored.get("mllp_release", 1)),
        accepted_applications=frozenset(stored.get("accepted_applications", ())),
        client_certificates=frozenset(stored.get("client_certificates", ())),
        facility_places=tuple(stored.get("facility_places", ())),
    )


def _json(value: Any) -> Any:  # noqa: ANN401  # decoded or not, by the connection's codec
    return orjson.loads(value) if isinstance(value, str) else value


class RegistryReader:
    """The registry as it stands, read again only when its version has changed: one tiny statement a batch."""

    def __init__(self) -> None:
        """Nothing is read before the first question."""
        self._version = -1
        self._directory = Directory({}, {}, {})

    async def current(self, raw: Raw) -> Directory:
        """Give the registry as of this statement."""
        if await raw.fetchval(_VERSION) != self._version:
            rows = await _rows(raw)
            self._directory, self._version = _directory(rows), rows.version
        return self._directory


async def read(raw: Raw) -> Directory:
    """Read the whole registry, as it was at one moment."""
    return _directory(await _rows(raw))


class _Rows(NamedTuple):
    """The registry of one version, as it is stored."""

    version: int
    organizations: list[Any]
    feeds: list[Any]
    facilities: list[Any]
    units: list[Any]
    preferences: list[Any]
    expired: list[Any]
    practitioners: list[Any]
    agreements: list[Agreement]
    registrations: list[Registration]


async def _rows(raw: Raw) -> _Rows:
    """Read every table, again until nothing was changed between the first and the last.

    An agreement without its organization, or a house without what is registered of it, is a registry that never was.
    """
    version = await raw.fetchval(_VERSION)
    while True:
        rows = _Rows(
            version,
            await raw.fetch("select * from organization"),
            await raw.fetch("select * from feed"),
            await raw.fetch("select feed_id, code, organization_id, time_zone, assigning_authority from feed_facility"),
            await raw.fetch("select organization_id, unit, call_back_number, direct_address, records_contact from facility_unit"),
            await raw.fetch("select organization_id, rules from preference where is_current"),
            await raw.fetch("select organization_id from panel_standing where state = 'expired'"),
            await raw.fetch(
                "select npi, id, organization_id, asserted_at, effective_from, effective_to from practitioner "
                "where retracted_at is null order by id"
            ),
            await agreements.all_of(raw),
            await origin_registrations.standing(raw),
        )
        if (version := await raw.fetchval(_VERSION)) == rows.version:
            return rows


def _directory(rows: _Rows) -> Directory:
    facilities: dict[UUID, dict[str, FeedFacility]] = {}
    for row in rows.facilities:
        facility = FeedFacility(row["organization_id"], row["time_zone"], row["assigning_authority"])
        facilities.setdefault(row["feed_id"], {})[row["code"]] = facility
    units: dict[UUID, dict[str, CallBack]] = {}
    for row in rows.units:
        units.setdefault(row["organization_id"], {})[row["unit"]] = CallBack(*list(row.values())[2:])
    zones = {row["id"]: ZoneInfo(row["time_zone"]) for row in rows.organizations}
    agreed: dict[UUID, list[Span]] = {}
    for one in rows.agreements:
        if one.kind in LETS_TAKE_PART:
            agreed.setdefault(one.organization_id, []).append(one.span(zones[one.organization_id]))
    return Directory.of(
        (
            Organization(
                id=row["id"],
                name=row["name"],
                kind=OrganizationKind(row["kind"]),
                created_at=row["created_at"],
                program_roles=tuple(row["program_roles"]),
                parent_id=row["parent_id"],
                npi=row["npi"],
                part2_status=Part2Status(row["part2_status"]),
                facility_type=FacilityType(row["facility_type"]),
                time_zone=row["time_zone"],
                holiday_calendar=row["holiday_calendar"],
                call_back=CallBack(row["call_back_number"], row["direct_address"], row["records_contact"]),
                known_as=tuple(row["known_as"]),
                adt_wait_hours=row["adt_wait_hours"],
                agreed=tuple(agreed.get(row["id"], ())),
                units=units.get(row["id"], {}),
            )
            for row in rows.organizations
        ),
        (
            Feed(
                id=row["id"],
                organization_id=row["organization_id"],
                sending_application=row["sending_application"],
                sending_facility=row["sending_facility"],
                time_zone=row["time_zone"],
                assigning_authority=row["assigning_authority"],
                mode=FeedMode(row["mode"]),
                profile=profile_from(_json(row["profile"])),
                version=row["version"],
                facilities=facilities.get(row["id"], {}),
            )
            for row in rows.feeds
        ),
        {row["organization_id"]: _json(row["rules"]) for row in rows.preferences},
        frozenset(row["organization_id"] for row in rows.expired),
        ((npi, ProviderLink(*link)) for npi, *link in (row.values() for row in rows.practitioners)),
        rows.registrations,
    )
