"""What becomes of the asking for a stay that is asked for once more before it was looked at.

It is as new as the latest: whoever looks at the stay now may have read what was before, and takes off only what it read. But why it was
asked first is not forgotten where something hangs on it: that a right may have ended (measure_rights), and that the answer to a match
came late (domain/late_release).
"""

from typing import Final

from app.domain.late_release import MATCH_ANSWERED

ABOUT_RIGHTS: Final = "('consent', 'organization')"
"""Causes by which a right may have ended."""
CAUSE: Final = (
    f"case when reconsideration.cause in {ABOUT_RIGHTS}"
    f" or (reconsideration.cause = '{MATCH_ANSWERED}' and excluded.cause not in {ABOUT_RIGHTS})"
    " then reconsideration.cause else excluded.cause end"
)
ASKED_AGAIN: Final = f"on conflict (encounter_id) do update set asked_at = excluded.asked_at, cause = {CAUSE}"
"""The end of every `insert into reconsideration`."""
