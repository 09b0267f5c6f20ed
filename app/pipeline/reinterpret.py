"""Reads stored messages again by their feeds' present profiles, and stores nothing: room 3 itself. For a replay's dry run.

Not here: the rooms that follow, which a single message's rehearsal goes through (`rehearse`).
"""

from collections.abc import Sequence

from app.domain.directory import Directory
from app.domain.inbound import Outcome, Problem, ProblemCode, Severity
from app.domain.reinterpretation import Reinterpretation, Reread
from app.pipeline.rooms import Batch, Rooms
from app.store.inbound import Waiting

_UNREADABLE = Problem(ProblemCode.INTERNAL, Severity.ERROR, "", "The stored bytes do not open, or reading them fails. Report it.")


def reinterpret(rooms: Rooms, directory: Directory, messages: Sequence[Waiting]) -> Reinterpretation:
    """Say what would become of each."""
    return Reinterpretation([_reread(rooms, directory, message) for message in messages])


def _reread(rooms: Rooms, directory: Directory, message: Waiting) -> Reread:
    batch = Batch([message])
    try:
        understood = rooms.interpret(batch, directory)
    except Exception:  # noqa: BLE001 - the pipeline would set it aside for the same; the others are read all the same
        return Reread(message.id, message.feed_id, Outcome.SET_ASIDE, (_UNREADABLE,))
    if understood:
        return Reread(message.id, message.feed_id, Outcome.PROCESSED, (), understood[0].event.trigger)
    (row,) = batch.outcomes
    return Reread(message.id, message.feed_id, row.outcome, row.problems)
