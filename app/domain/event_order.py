"""The one order of events: when they happened, never when they arrived (DESIGN section 2.4, ADT-4)."""

from datetime import UTC, datetime, timedelta

from app.domain.adt_event import AdtEvent
from app.domain.trigger import CANCELS, Trigger

_EPOCH = datetime(1800, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_LIFECYCLE: dict[str, str] = {
    Trigger.PRE_ADMIT: "0",
    Trigger.PENDING_ADMIT: "0",
    Trigger.REGISTER: "1",
    Trigger.ADMIT: "2",
    Trigger.TO_INPATIENT: "3",
    Trigger.TO_OUTPATIENT: "3",
    Trigger.TRANSFER: "4",
    Trigger.LEAVE: "4",
    Trigger.RETURN: "5",
    Trigger.UPDATE: "5",
    Trigger.DISCHARGE: "6",
    Trigger.DOCUMENT: "5",
    Trigger.DOCUMENT_CONTENT: "5",
}
"""Within one instant a stay begins before it ends; only where EVN-6, EVN-2 and MSH-7 are all the same."""


def _instant(value: datetime) -> str:
    return f"{max(0, (value - _EPOCH) // _MICROSECOND):014x}"


def sort_key(event: AdtEvent) -> str:
    """Give a text whose order is the order of events.

    By EVN-6 (else EVN-2, else MSH-7), then a cancel after what it cancels, then EVN-2, MSH-7, the place in a stay's life,
    and the content hash as the last word.
    """
    cancel = "1" if event.trigger in CANCELS else "0"
    return ".".join(
        (
            _instant(event.occurred_at),
            cancel,
            _instant(event.recorded_at),
            _instant(event.sent_at),
            _LIFECYCLE.get(event.trigger, "7"),
            event.content_hash[:8].hex(),
        )
    )


def occurred_instant(key: str) -> datetime:
    """Read when it happened back out of a sort key."""
    return _EPOCH + int(key.split(".", 1)[0], 16) * _MICROSECOND


def sorts_before(at: datetime) -> str:
    """Give a text that sorts after every event before the instant and before every event from then on."""
    return _instant(at)


def recorded_instant(key: str) -> datetime:
    """Read the recording time (EVN-2) back out of a sort key."""
    return _EPOCH + int(key.split(".", 3)[2], 16) * _MICROSECOND
