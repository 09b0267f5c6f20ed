"""How the scored comparison makes room for messages: how many records a round compares, and how long it rests after one.

The rule: while this worker's pipeline has work, a round compares few records and then rests three times as long as it took, so that
comparing has a quarter of the time at the most; but never longer than a second, so that it goes on however long the work lasts: at least
`BUSY_RECORDS` for each round and its rest. Without such work it compares larger batches and does not rest. So under steady load who is
alike may be found later, by as much as records come in faster than that, and is caught up with as soon as messages are fewer;
`handoff_comparisons_oldest_seconds` says how far behind it is. Not here: the loop (app/worker.py), a round (actions/match_records).
"""

from dataclasses import dataclass
from typing import Final

BUSY_RECORDS: Final = 64
"""Our policy: some 15 ms of processor time in several steps, so that no message waits long for one of them."""
IDLE_RECORDS: Final = 256
BUSY_FOR_S: Final = 0.25
"""Our policy: so long after a batch of messages the next one is expected."""
SHARE: Final = 0.25
REST_S_MAX: Final = 1.0


@dataclass(slots=True)
class MatchPace:
    """One per worker. Instants are of one monotonic clock, in seconds."""

    _worked_at_s: float = float("-inf")

    def messages_worked(self, now_s: float) -> None:
        """Note that the pipeline had messages to work on."""
        self._worked_at_s = now_s

    def _is_busy(self, now_s: float) -> bool:
        return now_s - self._worked_at_s < BUSY_FOR_S

    def records_max(self, now_s: float) -> int:
        """Give how many records the next round may compare."""
        return BUSY_RECORDS if self._is_busy(now_s) else IDLE_RECORDS

    def rest_s(self, began_s: float, now_s: float) -> float:
        """Give how long to rest after a round that began then and has just ended."""
        if not self._is_busy(now_s):
            return 0.0
        return min((now_s - began_s) * (1 / SHARE - 1), REST_S_MAX)
