"""What of a follow-up is news, and to whom: alerts for its home, and for whoever else follows the stay that somebody was reached. Pure.

An alert is told once for the discharge it is about. News is told by versions: what changes is told anew, what no longer holds is taken
back. Content is status alone, never a word of the home (domain rule 10).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.absence import AWAY
from app.domain.clock import Clock, ClockState
from app.domain.contact import Contact
from app.domain.escalation import Level, Step
from app.domain.follow_up import CLOSED_BY_HOME, FollowUpFlag, FollowUpState, FollowUpView
from app.domain.happening import NotificationType
from app.domain.public_id import Kind, public_id
from app.domain.safety import LIFELINE, TOLD_TO, positive

DONE_LATE: Final = "done_late"
LOST: Final = "lost_in_transfer"
READMITTED: Final = "readmitted"
REOPENED: Final = "reopened"
TAKEN_OVER: Final = (READMITTED, "admitted_after_emergency", "transferred")
"""Reasons of a follow-up that another stay took over."""
RESUMED: Final = "resumed"
_GOING_ON: Final = frozenset({FollowUpState.OPEN, FollowUpState.SUSPENDED})
SAFETY: Final = "safety"
SAFETY_TAKEN_BACK: Final = "safety_taken_back"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that its home is told once of a follow-up. `version_at`: the discharge or contact that it is about."""

    name: str
    type: NotificationType
    version_at: datetime
    reason: str
    level: Level
    to: tuple[str, ...]
    at: datetime | None = None
    """When it happened; none: now."""
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What other followers are told by versions. `said` is what is compared; empty: nothing of it holds."""

    kind: str
    type: NotificationType
    said: str
    reason: str
    taken_back: str
    content: Mapping[str, Any]
    at: datetime | None = None
    to_home: bool = False


def step_sentence(clock: Mapping[str, Any], step: Step) -> str:
    """Say in a sentence which step of which clock was passed."""
    if step.level is Level.BREACH:
        return f"the clock {clock['id']} passed its due time without what it asks for"
    return f"{step.percent} % of the time of the clock {clock['id']} have passed without what it asks for; it is due {clock['due_at']}"


def safety_alerts(contacts: Iterable[Contact]) -> list[tuple[Contact, Alert]]:
    """Give what contacts say of danger, and of what was said and taken back: the second is told only where the first was."""
    found = []
    for contact in contacts:
        said = positive(contact)
        if not said:
            continue
        content = {"safety": {"contact_id": public_id(Kind.CONTACT, UUID(contact.id)), "findings": list(said)}, "notices": [LIFELINE]}
        if contact.voided_at is None:
            why = f"a contact says that somebody may be in danger ({', '.join(said)}): act now"
            alert = Alert(
                SAFETY, NotificationType.FOLLOW_UP_SAFETY, contact.recorded_at, why, Level.SAFETY, TOLD_TO, contact.occurred_at, content
            )
        else:
            why = f"the contact that said so ({', '.join(said)}) was taken back; make sure that the person is safe all the same"
            alert = Alert(
                SAFETY_TAKEN_BACK,
                NotificationType.FOLLOW_UP_UPDATED,
                contact.recorded_at,
                why,
                Level.SAFETY,
                TOLD_TO,
                contact.voided_at,
                content,
            )
        found.append((contact, alert))
    return found


def alerts(seen: FollowUpView, reasons_before: Sequence[str]) -> list[Alert]:
    """Give what the home is to be told of what its follow-up became."""
    found: list[Alert] = []
    if seen.anchor_at is None or list(seen.reasons) == list(reasons_before):
        return found
    if FollowUpFlag.LOST_IN_TRANSFER in seen.flags and not _had(reasons_before, LOST):
        found.append(
            Alert(LOST, NotificationType.FOLLOW_UP_LOST, seen.anchor_at, seen.reasons[0], Level.ESCALATION, ("assignee", "supervisor"))
        )
    if seen.state is FollowUpState.SUPERSEDED and FollowUpFlag.READMITTED in seen.flags and not _had(reasons_before, READMITTED):
        found.append(
            Alert(READMITTED, NotificationType.FOLLOW_UP_READMITTED, seen.anchor_at, seen.reasons[0], Level.WARNING, ("assignee",))
        )
    if seen.state in _GOING_ON and any(_had(reasons_before, one) for one in TAKEN_OVER):
        why = f"the stay that took over no longer stands, the follow-up is {seen.state} again: {seen.reasons[0]}"
        found.append(Alert(REOPENED, NotificationType.FOLLOW_UP_UPDATED, seen.anchor_at, why, Level.WARNING, ("assignee",)))
    if seen.resumed_at is not None and any(_had(reasons_before, one) for one in AWAY):
        clocks = "the clocks run again" if seen.state is FollowUpState.OPEN else f"the clocks still wait ({seen.reasons[0]})"
        why = f"resumed: the review date has come, or another stay was heard of; find out where the person is, {clocks}"
        found.append(
            Alert(RESUMED, NotificationType.FOLLOW_UP_RESUMED, seen.resumed_at, why, Level.WARNING, ("assignee",), seen.resumed_at)
        )
    return found


def _code(reasons: Sequence[str]) -> str:
    """Give the code of the first reason, which says why the state is what it is."""
    return reasons[0].partition(":")[0] if reasons else ""


def _had(reasons: Iterable[str], code: str) -> bool:
    return any(reason.partition(":")[0] == code for reason in reasons)


def news(
    seen: FollowUpView, state_before: str, clocks_before: Iterable[Mapping[str, Any]], reasons_before: Sequence[str] = ()
) -> list[News]:
    """Give what changed of what other followers are told."""
    changed: list[News] = []
    done = [clock for clock in seen.clocks if is_done(clock)]
    before = {one["id"] for one in clocks_before if _was_done(one)}
    if {clock.id for clock in done} != before:
        changed.append(_contacted(done))
    is_closed, was_closed = seen.state is FollowUpState.CLOSED, state_before == FollowUpState.CLOSED
    if is_closed != was_closed or (is_closed and _code(seen.reasons) != _code(reasons_before)):
        changed.append(_closed(seen, is_closed=is_closed))
    return changed


def is_done(clock: Clock) -> bool:
    """Tell whether what a clock asks for was done, in time or late."""
    return clock.state is ClockState.MET or (clock.state is ClockState.MISSED and _had(clock.reasons, DONE_LATE))


def _was_done(clock: Mapping[str, Any]) -> bool:
    return clock["state"] == ClockState.MET or (clock["state"] == ClockState.MISSED and _had(clock["reasons"], DONE_LATE))


def _contacted(done: Sequence[Clock]) -> News:
    at = min((clock.met_at for clock in done if clock.met_at is not None), default=None)
    listed = sorted(clock.id for clock in done)
    late = sorted(clock.id for clock in done if clock.state is not ClockState.MET)
    return News(
        kind="contacted",
        type=NotificationType.FOLLOW_UP_CONTACTED,
        said=" ".join([*listed, *(f"late:{one}" for one in late)]),
        reason=f"the home that follows the person up did what is asked for: {', '.join(listed)}",
        taken_back="what was told to be done was taken back: nothing that a clock asks for is done as far as we know",
        content={"contacted": {"clocks": listed, "late": late, "first_at": at.isoformat() if at else None}},
        at=at,
    )


def _closed(seen: FollowUpView, *, is_closed: bool) -> News:
    why = _code(seen.reasons)
    met = sorted(clock.id for clock in seen.clocks if clock.state is ClockState.MET)
    missed = sorted(clock.id for clock in seen.clocks if clock.state is ClockState.MISSED)
    return News(
        kind="closed",
        type=NotificationType.FOLLOW_UP_CLOSED,
        said=why if is_closed else "",
        reason=f"the follow-up is closed: {why}",
        taken_back=f"what closed it was taken back: it is closed all the same, {why}" if is_closed else "the follow-up is open again",
        content={"closed": {"code": why, "met": met, "missed": missed} if is_closed else None},
        # What the home did itself is no news to it.
        to_home=is_closed and why != CLOSED_BY_HOME,
    )
