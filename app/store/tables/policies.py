"""Who may see which row when the code forgets to ask: the row-level security predicates of the `app` role.

Every table that holds or points at patient data has one. `{viewer}` is the viewer's organization or NULL (then no row is
visible); the operator sees all. Equality on indexed columns only, because other operators are not leakproof and would lose
their index under a policy (DESIGN section 2.10). The `work` role's policy is true.
"""

from app.store.roles import ALL_PRIVILEGES, READ_AND_ADD

VIEWER = "(select nullif(current_setting('handoff.viewer', true), '')::uuid)"
"""Evaluated once a statement, not once a row."""


NOBODY = "false"
"""Visible to the operator alone: two records are not both the business of any organization."""


def owned(column: str) -> str:
    """Visible to the organization named in the column, and to those it granted its rows to."""
    # `{table}.`: the grants have a column of that name too, and a bare one would be theirs, which is true for everybody.
    return (
        f"{column} = {VIEWER} or exists (select 1 from organization_grant g "
        f"where g.organization_id = {{table}}.{column} and g.grantee_id = {VIEWER})"
    )


def of_feed() -> str:
    """Visible to the organization of the feed."""
    return f"exists (select 1 from feed f where f.id = feed_id and f.organization_id = {VIEWER})"


def claimed(person: str) -> str:
    """Visible to an organization whose panel holds, or held, the person, and to those it granted its rows to."""
    granted = f"select g.organization_id from organization_grant g where g.grantee_id = {VIEWER}"
    return (
        f"exists (select 1 from panel_member m where m.person_id = {{table}}.{person} "
        f"and (m.organization_id = {VIEWER} or m.organization_id in ({granted})))"
    )


def told() -> str:
    """Visible to an organization with which a telling of the stay stands, and to those it granted its rows to.

    A practitioner's organization that a message named is on no panel: it sees the stay as long as it is told of it.
    """
    granted = f"select g.organization_id from organization_grant g where g.grantee_id = {VIEWER}"
    return (
        f"exists (select 1 from telling t where t.encounter_id = {{table}}.id and t.effective "
        f"and (t.recipient_id = {VIEWER} or t.recipient_id in ({granted})))"
    )


_PROGRAMS = "('program', 'sud_only')"
_OF_HOUSE = "select 1 from origin_registration r where r.organization_id = o.id and r.place = 'house' and r.retracted_at is null"
_SAID = f"exists ({_OF_HOUSE} and r.part2_status is not null)"
_SUBSTANCE_USE_TYPES = "('substance_use_residential', 'withdrawal_management')"
_OF_SUBSTANCE_USE = (
    f"('opioid_health_home' = any(o.program_roles) or o.facility_type in {_SUBSTANCE_USE_TYPES} "
    f"or exists ({_OF_HOUSE} and r.facility_type in {_SUBSTANCE_USE_TYPES}))"
)


def reserved(organization: str) -> str:
    """Tell whether an organization's own status may be protected, as domain/origin_registry.reserved_houses does (a test compares).

    Never less strict: where a registration contradicts the organization's kind of place, both are heard.
    """
    return (
        f"exists (select 1 from organization o where o.id = {organization} and ("
        f"exists ({_OF_HOUSE} and (r.part2_status in {_PROGRAMS} or r.privacy_pack is not null)) "
        f"or (o.part2_status in {_PROGRAMS} and not {_SAID}) "
        f"or ({_OF_SUBSTANCE_USE} and (exists ({_OF_HOUSE} and r.part2_status = 'unknown') "
        f"or (o.part2_status = 'unknown' and not {_SAID})))))"
    )


def signed_for(person: str, reader: str) -> str:
    """Tell whether the person signed something that names the reader or a class of recipients; what it allows is the decision's to say."""
    return (
        # One row by its index and never all of them hashed, which `exists` leaves to the planner.
        f"coalesce((select true from consent c where c.person_id = {person} and c.state = 'active' and c.kind <> 'refusal' "
        f"and ({reader} = any(c.recipients) or cardinality(c.recipient_classes) > 0 or c.kind = 'intermediary') limit 1), false)"
    )


def of_others(home: str, person: str) -> str:
    """Visible to whoever claims the person, unless it is of a home whose own status is protected and nobody signed for the viewer."""
    home, person_id = f"{{table}}.{home}", f"{{table}}.{person}"
    return f"({claimed(person)} and ({home} is null or not {reserved(home)} or {signed_for(person_id, VIEWER)}))"


_PANEL_SOURCE = f"case when source = 'adt' then true else not {reserved('{table}.source::uuid')} end"
"""Hospitals' records; those of a panel say whose patient somebody is."""


VISIBILITY: dict[str, str] = {
    "inbound_message": owned("organization_id"),
    "inbound_outcome": "exists (select 1 from inbound_message i where i.id = message_id)",
    "feed_hour": of_feed(),
    "feed_field": of_feed(),
    "facility_day": of_feed(),
    "feed_pulse": of_feed(),
    "feed_silence": of_feed(),
    "patient_record": f"source = {VIEWER}::text or ({claimed('person_id')} and {_PANEL_SOURCE})",
    "identity_match": NOBODY,
    "place_decision": NOBODY,
    "match_decision": NOBODY,
    "record_block": NOBODY,
    "record_keys": NOBODY,
    "record_move": NOBODY,
    "record_identifier": "exists (select 1 from patient_record r where r.id = record_id)",
    "encounter": f"facility_id = {VIEWER} or reported_by = {VIEWER} or {claimed('person_id')} or {told()}",
    # Whoever sees a stay of the person has it judged by all that was signed; what is shown of it is narrowed by the routes.
    "consent": f"recorded_by = {VIEWER} or exists (select 1 from encounter e where e.person_id = {{table}}.person_id)",
    "document": f"facility_id = {VIEWER} or (not is_restricted and {claimed('person_id')})",
    "stay_name": f"facility_id = {VIEWER}",
    "adt_event": "exists (select 1 from encounter e where e.id = encounter_id)",
    "panel_member": owned("organization_id"),
    "panel_upload": owned("organization_id"),
    "panel_upload_rejection": "exists (select 1 from panel_upload u where u.id = upload_id)",
    "panel_standing": owned("organization_id"),
    "panel_conflict": f"is_told and ({owned('organization_id')})",
    "notification": owned("recipient_id"),
    "notification_acknowledgement": owned("recipient_id"),
    "telling": owned("recipient_id"),
    "disclosure": owned("recipient_id"),
    "subscription": owned("organization_id"),
    "delivery": "exists (select 1 from subscription s where s.id = subscription_id)",
    "attempt": "exists (select 1 from subscription s where s.id = subscription_id)",
    "follow_up": f"{owned('home_id')} or {of_others('home_id', 'person_id')}",
    "follow_up_owner": "exists (select 1 from follow_up f where f.id = follow_up_id)",
    # Whoever sees a stay of the person has it told by what was decided of their death; no route shows it.
    "review": (
        f"{owned('organization_id')} or (kind = 'death' and organization_id is null and resolved_by is not null "
        "and exists (select 1 from encounter e where e.person_id = {table}.person_id))"
    ),
    "recipient_answer": owned("organization_id"),
    "follow_up_transfer": f"{owned('from_id')} or {owned('to_id')}",
    "contact": "exists (select 1 from follow_up f where f.id = follow_up_id)",
    "measure_line": owned("organization_id"),
    "measure_change": owned("organization_id"),
    "measure_segment": owned("organization_id"),
    "service": owned("organization_id"),
    "service_upload": owned("organization_id"),
    "follow_up_log": "exists (select 1 from follow_up f where f.id = follow_up_id)",
    "timer_notice": "exists (select 1 from follow_up f where f.id = follow_up_id)",
    "follow_up_telling": owned("recipient_id"),
    "summary_fact": "exists (select 1 from follow_up f where f.id = follow_up_id)",
    "api_key": owned("organization_id"),
    "idempotency_key": owned("organization_id"),
    "audit_event": f"organization_id = {VIEWER} or whose_id = {VIEWER}",
    "audit_link": NOBODY,
    "audit_removal": NOBODY,
}
"""Table -> SQL predicate. The migration writes `using (operator or predicate)` for the app role."""

WITHOUT_PATIENT_DATA = frozenset(
    {
        # Read with the registry, which a process keeps for whoever asks next: it must be the same for all.
        "agreement",
        "organization",
        "organization_grant",
        "feed",
        "feed_watch",
        "feed_version",
        "feed_facility",
        "facility_unit",
        "escalation_contact",
        "held_message",
        "panel_watch",
        "queue_alert",
        "practitioner",
        "provider_taxonomy",
        "origin_registration",
        "preference",
        "person",
        "person_index",
        "match_pending",
        # Words such as F or 2106-3, by themselves.
        "measure_word",
        "inbound_queue",
        "reconsideration",
        "recipient_sequence",
        "registry_version",
        "alembic_version",
    }
)
"""Tables that need no policy: ids and configuration only. A test fails for a table that is in neither list."""

APPEND_ONLY = frozenset({"audit_event", "audit_link", "audit_removal", "disclosure", "attempt"})
"""Tables whose rows nobody changes or takes away: work and app may read and add, and the owner has given up UPDATE, DELETE, TRUNCATE."""


def privileges_on(table: str) -> str:
    """Give what work and app may do with a table."""
    return READ_AND_ADD if table in APPEND_ONLY else ALL_PRIVILEGES
