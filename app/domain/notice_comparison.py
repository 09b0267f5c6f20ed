"""A feed in shadow beside the service that tells of the same hospital today: what we would miss, what we would tell besides, how far apart.

Notices are paired one to one: the same event of the same patient or visit (and recipient, where the list names one), the nearest in
time first. Pure. Not here: the other service's file (adapters/files/notices_csv) and our ledger (store/feed_comparison).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

APART_MAX = timedelta(hours=24)
"""Our policy: two notices of one event may differ so far in the time of the event, and no more."""

KINDS = {
    "admit": "admitted", "admitted": "admitted", "admission": "admitted", "a01": "admitted", "a04": "admitted",
    "encounter.admitted": "admitted", "registered": "admitted", "register": "admitted",
    "discharge": "discharged", "discharged": "discharged", "a03": "discharged", "encounter.discharged": "discharged",
    "transfer": "converted", "transferred": "converted", "converted": "converted", "a06": "converted", "encounter.transferred": "converted",
    "died": "died", "death": "died", "deceased": "died", "person.died": "died",
}  # fmt: skip
"""What services call the events that are told -> our name."""


@dataclass(frozen=True, slots=True)
class PresentNotice:
    """One line of the other service's list."""

    row: int
    kind: str
    occurred_at: datetime
    patient_number: str = ""
    visit_number: str = ""
    recipient: str = ""
    """A name, compared in any case; empty where the list has none."""
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OurNotice:
    """What we would have told, or told, or why not."""

    encounter: str
    """The public id of the stay."""
    kind: str
    occurred_at: datetime
    patient_numbers: frozenset[str]
    visit_number: str
    recipient: str
    tells: bool
    decision: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Pair:
    """The same event in both."""

    theirs: PresentNotice
    ours: OurNotice

    @property
    def apart(self) -> timedelta:
        """Ours minus theirs, of the time of the event."""
        return self.ours.occurred_at - self.theirs.occurred_at

    @property
    def later(self) -> timedelta | None:
        """How much later than theirs ours was decided; None where the list does not say when it told."""
        return None if self.theirs.told_at is None else self.ours.decided_at - self.theirs.told_at


@dataclass(frozen=True, slots=True)
class Missed:
    """A notice of theirs that we would not have told, and why as far as we know."""

    theirs: PresentNotice
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two lists side by side."""

    matched: Sequence[Pair] = ()
    missed: Sequence[Missed] = ()
    extra: Sequence[OurNotice] = field(default_factory=tuple)

    @property
    def apart_median(self) -> timedelta | None:
        """The middle one of the time differences, whichever way."""
        apart = sorted(abs(pair.apart) for pair in self.matched)
        return apart[len(apart) // 2] if apart else None


def compare(theirs: Sequence[PresentNotice], ours: Sequence[OurNotice], apart_max: timedelta = APART_MAX) -> Comparison:
    """Pair the lists. Where theirs names no recipient, one notice of ours about the event stands for all of them."""
    by_recipient = any(notice.recipient for notice in theirs)
    telling = [notice for notice in ours if notice.tells]
    if not by_recipient:
        telling = list({(notice.encounter, notice.kind, notice.occurred_at): notice for notice in reversed(telling)}.values())
    pairs = sorted(
        (abs(mine.occurred_at - one.occurred_at), one.row, at, one)
        for one in theirs
        for at, mine in enumerate(telling)
        if _is_same(one, mine) and abs(mine.occurred_at - one.occurred_at) <= apart_max
    )
    taken_rows: set[int] = set()
    taken: set[int] = set()
    matched: list[Pair] = []
    for _, row, at, one in pairs:
        if row not in taken_rows and at not in taken:
            taken_rows.add(row)
            taken.add(at)
            matched.append(Pair(one, telling[at]))
    missed = [Missed(one, _why(one, ours, apart_max)) for one in theirs if one.row not in taken_rows]
    extra = [mine for at, mine in enumerate(telling) if at not in taken]
    return Comparison(sorted(matched, key=lambda pair: pair.theirs.row), missed, sorted(extra, key=lambda mine: mine.occurred_at))


def _is_same(theirs: PresentNotice, ours: OurNotice) -> bool:
    is_theirs = not theirs.recipient or theirs.recipient.casefold() == ours.recipient.casefold()
    return is_theirs and theirs.kind == ours.kind and _is_of(theirs, ours)


def _is_of(theirs: PresentNotice, ours: OurNotice) -> bool:
    if theirs.visit_number and ours.visit_number == theirs.visit_number:
        return True
    return bool(theirs.patient_number) and theirs.patient_number in ours.patient_numbers


def _why(theirs: PresentNotice, ours: Sequence[OurNotice], apart_max: timedelta) -> str:
    of_them = [mine for mine in ours if _is_of(theirs, mine)]
    if not of_them:
        return "not_heard"
    of_kind = [mine for mine in of_them if mine.kind == theirs.kind]
    if not of_kind:
        return "event_not_heard"
    near = [mine for mine in of_kind if abs(mine.occurred_at - theirs.occurred_at) <= apart_max]
    if not near:
        return "other_time"
    to_them = [mine for mine in near if _is_same(theirs, mine)]
    if not to_them:
        return "other_recipient" if any(mine.tells for mine in near) else near[0].decision
    # What tells and is left over is one notice that stood for another line of theirs already.
    return "told_once" if any(mine.tells for mine in to_them) else to_them[0].decision
