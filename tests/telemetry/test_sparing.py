"""Lines that a flood causes: bounded in every second, counted, said; and no other line is ever spared."""

import io
import json
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.telemetry.events import ConnectionClosed, LinesSpared, LoopPaused, MessageRefused
from app.telemetry.log import EventLog
from app.telemetry.sparing import LINES_PER_S_MAX, SAID_EVERY_S, Sparing
from app.telemetry.words import DoorName, Level

KINDS = st.sampled_from([ConnectionClosed, MessageRefused, LoopPaused])


class Watch:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.tuples(KINDS, st.integers(1, 200), st.floats(0, 2)), max_size=40))
def test_every_line_is_written_or_counted_and_a_second_has_no_more_than_its_share(floods: list[tuple[type, int, float]]) -> None:
    watch = Watch()
    sparing = Sparing(watch)
    written: dict[tuple[type, int], int] = {}
    caused, spared = 0, 0
    for kind, count, pause_s in floods:
        watch.now_s += pause_s
        for _ in range(count):
            caused += 1
            if sparing.takes(kind):
                written[kind, int(watch.now_s)] = written.get((kind, int(watch.now_s)), 0) + 1
        said = sparing.said()
        spared += said.connection_closed + said.message_refused if said is not None else 0
    watch.now_s += SAID_EVERY_S
    said = sparing.said()
    spared += said.connection_closed + said.message_refused if said is not None else 0
    assert sum(written.values()) + spared == caused
    assert all(count <= LINES_PER_S_MAX for (kind, _), count in written.items() if kind is not LoopPaused)
    assert sparing.said() is None


def test_what_was_spared_is_said_once_in_a_while() -> None:
    watch = Watch()
    sparing = Sparing(watch)
    for _ in range(LINES_PER_S_MAX + 7):
        sparing.takes(MessageRefused)
    assert sparing.said() == LinesSpared(0, 7)
    for _ in range(3):
        sparing.takes(MessageRefused)
    assert sparing.said() is None, "too early"
    watch.now_s += SAID_EVERY_S
    assert sparing.said() == LinesSpared(0, 3)


def test_a_log_writes_the_first_lines_of_a_flood_and_then_their_number() -> None:
    stream = io.BytesIO()
    log = EventLog(stream, is_json=True, level=Level.INFO, part="http", number=0, pid=7)
    refused = MessageRefused(UUID(int=1), DoorName.MLLP, "AR", ("204",))
    for _ in range(LINES_PER_S_MAX * 20):
        log.emit(refused)
    log.say_spared()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[-1]["event"] == "lines.spared"
    assert len(lines) - 1 + lines[-1]["message_refused"] == LINES_PER_S_MAX * 20
    assert len(lines) < LINES_PER_S_MAX * 10
