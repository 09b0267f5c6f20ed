"""Which operation leaves what line in the audit, by its name in the contract; and the sheet of one request.

Every operation is in one of the two lists below (a test fails for one that is in neither). Not here: how a line is written
(store/audit), and who is noted on it (whoever shows people).
"""

import hashlib
import hmac
import re
from typing import Final

from fastapi import Request

from app.api.services import Services
from app.domain.audit import AuditDoor, AuditKind, AuditOutcome
from app.domain.viewer import Viewer
from app.store.audit import Sheet, write_line
from app.store.engine import raw_connection

_Q, _R, _X, _C = AuditKind.QUERY, AuditKind.READ, AuditKind.EXPORT, AuditKind.CHANGE

AUDITED: Final[dict[str, AuditKind]] = {
    # The outbox: a page is one line with everybody on it; one with nothing on it shows nobody and leaves none.
    "list_notifications": _R,
    "stream_notifications": _R,
    "show_notification": _R,
    "why_notification": _R,
    "acknowledge_notification": _C,
    # The worklist.
    "list_follow_ups": _Q,
    "show_follow_up": _R,
    "add_contact": _C,
    "void_one_contact": _C,
    "assign_follow_up": _C,
    "close_follow_up": _C,
    "snooze_follow_up": _C,
    "wake_follow_up": _C,
    "add_summary_fact": _C,
    "void_one_summary_fact": _C,
    "answer_notification": _C,
    "answer_follow_up": _C,
    "list_reviews": _Q,
    "resolve_one_review": _C,
    "offer_follow_up": _C,
    "accept_follow_up": _C,
    "decline_follow_up": _C,
    "list_transfers": _Q,
    # People and stays.
    "find_member": _Q,
    "search_members": _Q,
    "list_member_follow_ups": _Q,
    "list_measure_events": _Q,
    "list_measure_gaps": _Q,
    "evaluate_measure": _X,
    "list_matches": _Q,
    "decide_unasked": _C,
    "show_match": _R,
    "resolve_match": _C,
    "reopen_match": _C,
    "mark_index": _C,
    "unmark_index": _C,
    "show_person": _R,
    "list_stays": _Q,
    "report_stay": _C,
    "show_stay": _R,
    "read_content": _X,
    "why_encounter": _R,
    "list_referral_candidates": _Q,
    "list_unfiled": _Q,
    # What patients signed, and the registry of places.
    "record_consent": _C,
    "create_consent": _C,
    "revoke_consent": _C,
    "review_consent": _C,
    "assert_consents": _C,
    "list_holds": _Q,
    "release_one_hold": _C,
    "review_consents": _C,
    "list_consents": _Q,
    "search_consents": _Q,
    "show_consent": _R,
    "read_consent": _R,
    "register_origin": _C,
    "retract_origin": _C,
    # The audit itself.
    "list_audit": _Q,
    "search_audit_events": _Q,
    "read_audit_event": _R,
    "list_disclosures": _Q,
    "search_disclosures": _Q,
    "show_evidence": _X,
    "export_evidence": _X,
    # Panels.
    "read_group": _R,
    "add_member": _C,
    "remove_member": _C,
    "upload_roster": _C,
    "upload_services": _C,
    "rejected_rows": _X,
    "list_panel": _Q,
    "list_panel_conflicts": _Q,
    # Messages.
    "show_inbound": _R,
    "trace_inbound": _R,
    "replay_inbound": _C,
    "search_inbound": _Q,
    "replay_set_aside": _C,
    "validate_message": _Q,
    "validate_bundle": _Q,
    # Rights: who takes part, who may see whose rows, where what is told is sent, what a source is.
    "add_organization": _C,
    "change_organization": _C,
    "add_grant": _C,
    "revoke_grant": _C,
    "write_preferences": _C,
    "add_agreement": _C,
    "end_agreement": _C,
    "put_escalation": _C,
    "remove_escalation": _C,
    "put_unit": _C,
    "remove_unit": _C,
    "add_practitioner": _C,
    "remove_practitioner": _C,
    "change_panel": _C,
    "add_feed": _C,
    "change_feed": _C,
    "map_facility": _C,
    "add_key": _C,
    "revoke_key": _C,
    "add_subscription": _C,
    "change_subscription": _C,
    "test_subscription": _C,
    "pause_subscription": _C,
    "resume_subscription": _C,
    "rotate_subscription_secret": _C,
    "redrive_subscription": _C,
}

UNAUDITED: Final[dict[str, str]] = {
    "receive_message": "what comes in is kept whole, with its sender and time",
    "receive_batch": "what comes in is kept whole, with its sender and time",
    "process_message": "what comes in is kept whole, with its sender and time",
    "metadata": "no people",
    "search_groups": "panels without their members",
    "list_subscriptions": "no people",
    "show_subscription": "no people",
    "list_subscription_deliveries": "numbers and states of deliveries, no people",
    "show_panel_quality": "counts",
    "list_measures": "no people",
    "show_rates": "counts",
    "list_index": "no people",
    "list_uploads": "counts",
    "show_upload": "counts, and errors without the rows' text",
    "list_panels": "counts",
    "show_panel": "counts",
    "list_organizations": "no people",
    "show_organization": "no people",
    "list_agreements": "no people",
    "list_grants": "no people",
    "show_preferences": "no people",
    "list_units": "no people",
    "list_origins": "places, no people",
    "checklist": "places and counts, no people",
    "rehearse": "counts",
    "rehearse_consents": "counts",
    "list_escalation": "whom of a home, no patients",
    "list_practitioners": "practitioners, not patients",
    "list_feed_health": "counts",
    "show_feed_health": "counts",
    "feed_scorecard": "counts",
    "list_feeds": "no people",
    "show_feed": "no people",
    "list_versions": "no people",
    "reinterpret": "counts; nothing is stored",
    "list_facilities": "no people",
    "list_keys": "keys without themselves",
    "list_set_aside": "counts",
    "list_inbound": "messages without their text",
    "list_queues": "counts",
    "healthz": "open to everybody, no people",
    "readyz": "open to everybody, no people",
    "metrics": "open to everybody, no people",
    "docs": "open to everybody, no people",
    "openapi": "open to everybody, no people",
}
"""Operation -> why it leaves no line."""

_EMPTY_IS_NOTHING: Final = frozenset({"list_notifications", "stream_notifications"})
"""A client asks for its outbox again and again, and mostly there is nothing new: nobody was shown."""
_REFUSALS: Final = frozenset({403, 404})
"""Who asks for what is not for him. What was not understood, or came too fast, was no access."""
_OK: Final = range(200, 300)
_ID: Final = re.compile(r"(?:[a-z]{3,4}_)?[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Anything else in a path may be a name that somebody tried."""
_DOMAIN: Final = b"audit-query/1\0"


def sheet_of(request: Request, operation: str, viewer: Viewer, services: Services) -> Sheet | None:
    """Give the sheet of a request, or None for an operation that leaves no line."""
    kind = AUDITED.get(operation)
    if kind is None:
        return None
    return Sheet(
        kind=kind,
        action=operation,
        door=AuditDoor.HTTP,
        organization_id=viewer.organization_id,
        key_id=viewer.key_id,
        trace_id=request.scope["handoff.trace_id"],
        now=services.clock.now,
        new_id=services.ids.new,
        targets=tuple(value for value in request.path_params.values() if isinstance(value, str) and _ID.fullmatch(value)),
        query=lambda: _asked(request, operation, services.secrets.pepper),
    )


def _asked(request: Request, operation: str, pepper: bytes) -> bytes | None:
    """Hash what was asked, so that the same question is known again: keyed, because a name and a birth date are soon guessed."""
    query: bytes = request.scope["query_string"]
    # As far as it was read as a whole: a roster that streams by is known by its upload.
    body: bytes = getattr(request.scope.get("handoff.asked"), "_body", b"")
    path: str = request.scope["path"]
    return hmac.digest(pepper, _DOMAIN + b"\0".join((operation.encode(), path.encode(), query, body)), hashlib.sha256)


async def close_line(services: Services, viewer: Viewer, sheet: Sheet, status: int) -> None:
    """Write what no commit has written, before the answer leaves: that nobody was found, a refusal, whom other reads left to show."""
    if status in _REFUSALS:
        outcome = AuditOutcome.REFUSED
        sheet.people = set()
    elif status in _OK and (sheet.is_noted or (not sheet.lines and sheet.action not in _EMPTY_IS_NOTHING)):
        outcome = AuditOutcome.SUCCESS
    else:
        return
    # Written here, not by the commit.
    sheet.is_noted = False
    async with services.unit_of_work(viewer) as connection:
        await write_line(await raw_connection(connection), sheet, outcome)
