"""The evidence report of a hospital: 42 CFR 482.24(d), every event of a period, who was told, how and when, or why nobody was.

What the hospital may learn: that the home of a patient is a behavioral health home or a Part 2 program is itself protected, and a name
would say it, and so would leaving out only such names. So the hospital is shown every recipient with channel and times and none with
its name, except those that its own message named (a practitioner: it knew). Why nobody was told is one sentence to the hospital, whether
nobody claims the patient or the law withheld it: the difference would tell of a claim. Health plans are no recipients under this
condition and are counted for the operator only, who sees names and reasons.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.directory import Directory
from app.domain.organization import COVERING_KINDS
from app.domain.public_id import Kind, public_id
from app.store import disclosure_reads
from app.store.audit import saw
from app.store.raw import Raw

NOBODY: Final = "no recipient that needs it and may be told was found on the day"
_EVENTS: Final = (("admitted", "admitted_at"), ("discharged", "discharged_at"))
COLUMNS: Final = (
    "encounter_id", "visit_number", "class", "event", "occurred_at", "known_at", "recipient", "channel", "told_at", "sent_at",
    "acknowledged_at", "why_not",
)  # fmt: skip


async def evidence(
    raw: Raw, facility_id: UUID, since: datetime, until: datetime, directory: Directory, *, is_operator: bool, after: UUID, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Give a page of events, and the stay after which the next one begins. Two statements a page."""
    stays = await disclosure_reads.stays_of(raw, facility_id, since, until, after=after, limit=limit + 1)
    shown = stays[:limit]
    saw(stay["person_id"] for stay in shown)
    told: dict[tuple[UUID, str], list[Mapping[str, Any]]] = {}
    for row in await disclosure_reads.told_of_stays(raw, [stay["id"] for stay in shown]):
        told.setdefault((row["encounter_id"], row["kind"]), []).append(row)
    events = []
    for stay in shown:
        for event, time in _EVENTS:
            at = stay[time]
            if at is not None and since <= at < until:
                recipients, withheld = _recipients(told.get((stay["id"], event), ()), directory, is_operator=is_operator)
                events.append(
                    {
                        "encounter_id": public_id(Kind.ENCOUNTER, stay["id"]),
                        "visit_number": stay["visit_number"],
                        "class": stay["class"],
                        "event": event,
                        "occurred_at": at,
                        "known_at": stay["created_at"],
                        "recipients": recipients,
                        "why_not": None if recipients else NOBODY,
                        "withheld": withheld if is_operator else None,
                    }
                )
    return events, shown[-1]["id"] if len(stays) > limit else None


def _recipients(
    rows: Sequence[Mapping[str, Any]], directory: Directory, *, is_operator: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    recipients: list[dict[str, Any]] = []
    withheld: list[dict[str, Any]] = []
    for row in rows:
        organization = directory.organizations.get(row["recipient_id"])
        covers = organization is not None and organization.kind in COVERING_KINDS
        named = organization is not None and (is_operator or row["is_named"])
        who = organization if named else None
        name = {"organization_id": public_id(Kind.ORGANIZATION, who.id) if who else None, "name": who.name if who else None}
        if row["notification_id"] is None:
            withheld.append({**name, "decision": row["decision"], "reasons": row["reasons"], "decided_at": row["decided_at"]})
        elif is_operator or not covers:
            recipients.append(
                {
                    **name,
                    "channel": row["channel"] or "outbox",
                    "told_at": row["created_at"],
                    "sent_at": row["sent_at"],
                    "attempts": row["attempts"] or 0,
                    "acknowledged_at": row["acknowledged_at"],
                }
            )
    # In the order of time, not of ids: the place in the list must not tell who it is.
    return sorted(recipients, key=lambda one: (one["told_at"], str(one["sent_at"]))), withheld


def lines(events: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    """Give a line for each event and recipient, as cells of a file."""
    found: list[Sequence[str]] = []
    for event in events:
        for number, one in enumerate(event["recipients"] or [{}], 1):
            recipient = (one.get("name") or f"recipient {number}") if one else ""
            cells = {
                **event,
                "recipient": recipient,
                **{name: one.get(name) for name in ("channel", "told_at", "sent_at", "acknowledged_at")},
            }
            found.append([_cell(cells[name]) for name in COLUMNS])
    return found


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever an event holds
    return "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
