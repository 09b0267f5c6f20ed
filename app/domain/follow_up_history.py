"""What was done with a follow-up, beside contacts: which of it facts did, and what of it is shown to whom. Pure.

What somebody did is logged where it is done, with the key and the person it named. Facts close too, and open again what was closed: a
death, a discharge that is taken back. Of these the log says what the home could know then.
Not here: what is news to others (``follow_up_news``).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from app.domain.follow_up import FollowUpState, FollowUpView

CLOSED: Final = "closed"
REOPENED: Final = "reopened"
"""It is closed no more; `to` is what it is then."""
_TOLD_TO: Final = "told_to"
"""Of what facts did: the home that could know it. Whoever has the follow-up later may not know of them (42 CFR 2.13(c))."""
_SHOWN: Final = ("what", "by", "from", "to", "reason")


def turned(seen: FollowUpView, before: str, *, home_id: UUID | None, by_hand: bool) -> dict[str, Any] | None:
    """Give the line of a follow-up that facts closed, or opened again. `by_hand`: the closing that is evaluated now was logged."""
    is_closed = seen.state is FollowUpState.CLOSED
    if not before or is_closed is (before == FollowUpState.CLOSED) or (is_closed and by_hand):
        return None
    line = {"what": CLOSED if is_closed else REOPENED, "by": "", "from": before, "to": seen.state.value, "reason": seen.reasons[0]}
    return {**line, _TOLD_TO: str(home_id) if home_id else None}


def shown_history(log: Iterable[Mapping[str, Any]], reader_id: UUID, *, conceals: bool) -> list[dict[str, Any]]:
    """Give the lines that the home that has the follow-up now may read. `conceals`: no reason of facts may show."""
    shown = []
    for line in log:
        by_facts = _TOLD_TO in line
        if by_facts and line[_TOLD_TO] != str(reader_id):
            continue
        said = {"at": line["at"].isoformat(), **{name: line.get(name) for name in _SHOWN}}
        shown.append(said | {"reason": None} if by_facts and conceals else said)
    return shown
