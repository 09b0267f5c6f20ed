"""What is told of a stay of which only a part was heard live, and what becomes of the stays of a feed that goes live. Pure.

A message is *quiet* when it was received while its feed was in shadow or backfill: it is processed like any other and told to nobody.
A stay may have both kinds. What a quiet message said, and no live one says by itself, is the past: whoever had to know of it heard
it from the service before. So the stored state of such a stay has, beside the fold of everything, a fold of what was quiet and one of
what was live; a stay of one kind has no need of them. Decision 0005 tells why. Not here: the fold itself (`encounter`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.domain.adt_event import AdtEvent
from app.domain.encounter import EncounterState, EncounterView, apply, joined, view
from app.domain.feed import FeedMode
from app.domain.happening import Kind, happenings
from app.domain.trigger import Trigger

QUIET_MODES: Final = frozenset({FeedMode.SHADOW.value, FeedMode.BACKFILL.value})
_QUIET, _LIVE = "quiet", "live"

Past = frozenset[tuple[Kind, str]]
"""Events of a stay, each with its instant, that are nobody's news."""


def parts_after(stored: Mapping[str, Any], was: str | None, event: AdtEvent, place: str, mode: str) -> dict[str, Any]:
    """Give the folds of what was quiet and of what was live, with one more event; empty while the stay is of one kind.

    `was` is the mode of the stay before (None: it is new), `mode` that of the message.
    """
    parts = {name: stored[name] for name in (_QUIET, _LIVE) if name in stored}
    if not parts:
        if was is None or (was in QUIET_MODES) == (mode in QUIET_MODES):
            return {}
        before, nothing = dict(stored), EncounterState().to_json()
        parts = {_QUIET: before, _LIVE: nothing} if was in QUIET_MODES else {_QUIET: nothing, _LIVE: before}
    name = _QUIET if mode in QUIET_MODES else _LIVE
    if name == _QUIET or event.trigger != Trigger.UPDATE:
        # An update repeats the whole stay: that it was heard live makes last week's admission no news.
        parts[name] = apply(EncounterState.from_json(parts[name]), event, place).to_json()
    return parts


def joined_parts(numbers: Sequence[tuple[dict[str, Any], str]]) -> dict[str, Any]:
    """Give the parts of a stay that has several numbers, of each the stored state and its mode: the parts of all, joined likewise."""
    spoken = [(stored, mode in QUIET_MODES) for stored, mode in numbers if stored["last_key"]]
    if not any(_QUIET in stored for stored, _ in spoken) and len({is_quiet for _, is_quiet in spoken}) <= 1:
        return {}
    parts = {_QUIET: EncounterState(), _LIVE: EncounterState()}
    for stored, is_quiet in spoken:
        own = stored if _QUIET in stored else {_QUIET if is_quiet else _LIVE: stored}
        parts |= {name: joined(part, EncounterState.from_json(own[name])) for name, part in parts.items() if name in own}
    return {name: part.to_json() for name, part in parts.items()}


def all_past(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Give the stored state of a stay that goes live with everything that was heard so far as its past."""
    return {_QUIET: dict(stored), _LIVE: EncounterState().to_json(), **stored}


def past_of(stored: Mapping[str, Any]) -> Past:
    """Give the events that were only heard quietly; none for a stay of one kind, whose mode says it all."""
    if _QUIET not in stored:
        return frozenset()
    quiet, live = (_events(view(EncounterState.from_json(stored[name]))) for name in (_QUIET, _LIVE))
    return quiet - live


def _events(seen: EncounterView) -> Past:
    return frozenset((event.kind, event.occurred_at.isoformat()) for event in happenings(seen, behavioral_kind=""))


def mode_now(mode: str, feed_mode: FeedMode | None) -> str:
    """Give the mode of a stay by what its feed is now: once the feed is live, what was heard in shadow is history.

    It counts for rules about earlier stays from then on. Stays of people in the house are made live by the move itself.
    """
    return FeedMode.BACKFILL.value if mode == FeedMode.SHADOW and feed_mode is FeedMode.LIVE else mode
