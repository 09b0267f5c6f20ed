"""From a stored stay to the stay in hand: what the rules of rooms 6 and 7, of sends and of reads ask of it."""

from datetime import datetime
from uuid import UUID

from app.domain.calendar import local_date
from app.domain.death import as_judged
from app.domain.directory import Directory
from app.domain.encounter import EncounterState, view
from app.domain.going_live import past_of
from app.domain.heard import heard_after, read_heard
from app.domain.held_stay import place_as_decided
from app.domain.origin_registry import place_status
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand, calendar_of, signal_of
from app.store.encounters import EncounterRow


def in_hand(
    row: EncounterRow, directory: Directory, rulebook: Rulebook, cause_id: UUID | None, heard_at: datetime | None = None,
    *, asked_at: datetime,
) -> StayInHand:  # fmt: skip
    """Read off what a stored stay is. With `heard_at` what stands from now on is noted as heard then, in the row."""
    seen = view(EncounterState.from_json(row.state))
    if heard_at is not None:
        row.heard = heard_after(row.heard, seen, heard_at)
    facility = directory.organizations.get(row.facility_id) if row.facility_id else None
    feed = directory.feeds.get(row.feed_id) if row.feed_id else None
    reporter = directory.organizations.get(row.reported_by) if row.reported_by else None
    reporter_zone = reporter.time_zone if reporter else None
    # What is effective-dated, value sets and registrations alike, changes with the local day of the place, never with that of UTC.
    calendar = calendar_of(facility, reporter_zone)
    on = local_date(seen.discharged_at or seen.admitted_at or row.created_at, calendar)
    stay = StayInHand(
        id=row.id,
        person_id=row.person_id,
        record_id=row.record_id,
        visit_number=row.visit_number,
        mode=row.mode,
        source=row.source,
        view=seen,
        signal=signal_of(seen, facility, feed.profile if feed else None, rulebook, on),
        facility=facility,
        facility_text=seen.facts.get("facility_name"),
        reported_by=row.reported_by,
        reporter_zone=reporter_zone,
        reporter=reporter if reporter and reporter.id in directory.reserved else None,
        reporter_registered=directory.registrations.get(reporter.id, ()) if reporter else (),
        cause_id=cause_id,
        past=past_of(row.state),
        heard=read_heard(row.heard),
        destination=directory.destination(seen.facts.get("discharged_to")),
        place=place_as_decided(
            place_status(
                facility,
                directory.registrations.get(facility.id, ()) if facility else (),
                seen.facts,
                local_date(seen.admitted_at or seen.discharged_at or row.created_at, calendar),
                local_date(seen.discharged_at or asked_at, calendar),
            ),
            row.place_decided,
            seen.facts,
        ),
        consents=row.consents,
        deaths=row.deaths,
        law=rulebook.privacy,
        asked_at=asked_at,
    )
    return as_judged(stay)
