"""What is told: the difference between what should stand with a recipient and what was told last.

`reconcile` compares the two sets, so a stay that was corrected, cancelled, merged or re-attributed changes exactly what it
changes, whatever the order in which we learned of it. A correction is a new version of the same event, a retraction is
`encounter.cancelled`; both supersede by id and nothing is ever changed silently. Not here: how much may be told (privacy).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from app.domain.attribution import Attribution
from app.domain.happening import Kind, NotificationType
from app.domain.privacy import Tier


class Withheld(StrEnum):
    """Why nothing is told although somebody is responsible; beside the tiers `suppress` and `hold`."""

    PREFERENCE = "preference"
    NOT_LIVE = "not_live"
    """A shadow or backfill feed, a training message, a test patient."""
    LATE = "late"
    """The claim became known too long after the discharge (domain section 3.4): recorded, and not told."""
    ANSWERED = "answered"
    """The recipient answered that it is not theirs, and was found right."""
    AGREEMENT = "agreement"
    """No agreement with the recipient is in force: told late when one is signed."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What should stand with one recipient about one event of a stay."""

    recipient_id: UUID
    kind: Kind
    type: NotificationType
    occurred_at: datetime
    decision: str
    """A `Tier` or a `Withheld`."""
    reasons: tuple[str, ...]
    attribution_id: UUID
    digest: bytes
    """Of what the recipient would see change: `digest_of` what the event is, then of what is told with it."""
    encounter_class: str
    """Of the event: an emergency visit stays one when its patient is admitted later."""
    is_latest: bool = True
    """No later event of the stay stands: what is learned of the stay now is news of this one."""
    ground: Attribution | None = None
    """The claim on which it is told."""
    lead: bool | None = None
    """Whether the recipient leads a program of the person and follows them up; None for who is no home."""
    led_by: UUID | None = None
    """The home that leads it, where the recipient does not."""
    catch_up: bool = False
    """The claim became known after the event was heard."""

    @property
    def tells(self) -> bool:
        """Whether something is told."""
        return self.decision in (Tier.FULL, Tier.MINIMAL, Tier.ID_ONLY)


@dataclass(frozen=True, slots=True)
class Told:
    """What a recipient was told last about one event of a stay, or why not (table `telling`)."""

    recipient_id: UUID
    kind: Kind
    event_id: UUID
    decision: str
    notification_id: UUID | None
    version: int
    effective: bool
    digest: bytes
    decided_at: datetime | None = None
    """Since when that is so."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step towards what should stand: a notification, or only a new line in the ledger."""

    recipient_id: UUID
    kind: Kind
    event_id: UUID | None
    """None: a new event."""
    type: NotificationType | None
    """None: nothing is numbered, the decision alone is recorded."""
    version: int
    supersedes: UUID | None
    effective: bool
    decision: str
    reasons: tuple[str, ...]
    desired: Desired | None
    """None: the event no longer stands or the recipient is no longer responsible."""


GONE = "gone"
"""The event no longer stands."""
ENDED = "ended"
"""The event stands, and the recipient is not responsible on its day, or not any more."""
DIGEST_OCTETS = 16


def digest_of(seen: Mapping[str, Any]) -> bytes:
    """Hash what a recipient sees of an event."""
    return hashlib.blake2b(orjson.dumps(seen, option=orjson.OPT_SORT_KEYS), digest_size=DIGEST_OCTETS).digest()


def reconcile(desired: Iterable[Desired], told: Sequence[Told], standing: AbstractSet[Kind] = frozenset()) -> list[Change]:
    """List what has to be told, corrected, retracted or recorded so that what was told equals what should stand.

    `standing`: the events of the stay that stand, whoever is told of them.
    """
    before = {(item.recipient_id, item.kind): item for item in told}
    changes: list[Change] = []
    for item in desired:
        last = before.pop((item.recipient_id, item.kind), None)
        change = _towards(item, last)
        if change is not None:
            changes.append(change)
    # What was held waits for nobody's decision any more; of what was withheld otherwise nothing changes.
    left = (last for last in before.values() if last.effective or last.decision == Tier.HOLD)
    changes.extend(_retraction(last, is_ended=last.kind in standing) for last in left)
    return sorted(changes, key=lambda change: (list(Kind).index(change.kind), change.recipient_id))


def _towards(item: Desired, last: Told | None) -> Change | None:
    event_id = last.event_id if last else None
    version = last.version if last else 0
    supersedes = last.notification_id if last else None
    if item.tells:
        if last is not None and last.effective and _same(last.digest, item):
            return None
        corrects = last is not None and last.effective
        told_as = NotificationType.UPDATED if corrects else item.type
        return Change(
            item.recipient_id, item.kind, event_id, told_as, version + 1, supersedes, decision=item.decision, reasons=item.reasons,
            desired=item, effective=True,
        )  # fmt: skip
    if last is not None and last.decision == item.decision and not last.effective:
        return None
    # The right ended after it was told: the number stays and reads as withdrawn; a retraction would say too much.
    return Change(
        item.recipient_id, item.kind, event_id, None, version, supersedes, decision=item.decision, reasons=item.reasons,
        desired=item, effective=False,
    )  # fmt: skip


def _same(told: bytes, item: Desired) -> bool:
    """Tell whether nothing new is to be told. A diagnosis that comes with the discharge is no news of the admission before it."""
    return told == item.digest if item.is_latest else told[:DIGEST_OCTETS] == item.digest[:DIGEST_OCTETS]


def _retraction(last: Told, *, is_ended: bool) -> Change:
    ended = "attribution_ended: the organization is not, or no longer, responsible for this person on the day of the event"
    gone = "the event was cancelled, corrected away or moved to another person"
    told_as = NotificationType.CANCELLED if last.effective else None
    return Change(
        last.recipient_id,
        last.kind,
        last.event_id,
        told_as,
        last.version + (told_as is not None),
        last.notification_id,
        effective=False,
        decision=ENDED if is_ended else GONE,
        reasons=(ended if is_ended else gone,),
        desired=None,
    )
