"""Rules of delivery: outcomes, retry schedule, order of turns, notices. Tables first, then properties."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delivery import (
    ATTEMPTS_MAX,
    CONNECTION_FAULTS,
    RETRY_DELAYS_S,
    AttemptOutcome,
    AttemptResult,
    DeliveryState,
    Notice,
    OrderMode,
    QueuedDelivery,
    Settlement,
    TransportFault,
    WebhookRequest,
    next_attempt_at,
    next_turn,
    notices_due,
    outcome_of_fault,
    outcome_of_status,
    settle,
)

NOW = datetime(2026, 3, 8, 6, 59, 30, tzinfo=UTC)
MIDDLE = 0.5
"""The random fraction that leaves a delay as it is."""

# --- outcomes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status_code", "outcome"),
    [
        (100, "unknown"),
        (200, "delivered"),
        (202, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (300, "unavailable"),
        (301, "unavailable"),
        (307, "unavailable"),
        (399, "unavailable"),
        (400, "refused"),
        (401, "refused"),
        (403, "refused"),
        (404, "refused"),
        (407, "refused"),
        (408, "unavailable"),
        (409, "refused"),
        (410, "gone"),
        (413, "refused"),
        (422, "refused"),
        (424, "refused"),
        (425, "unavailable"),
        (426, "refused"),
        (429, "throttled"),
        (499, "refused"),
        (500, "unavailable"),
        (501, "unavailable"),
        (502, "throttled"),
        (503, "unavailable"),
        (504, "throttled"),
        (505, "unavailable"),
        (599, "unavailable"),
        (600, "unknown"),
        (999, "unknown"),
    ],
)
def test_status_decides_outcome(status_code: int, outcome: str) -> None:
    assert outcome_of_status(status_code) == AttemptOutcome(outcome)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("address_refused", "unavailable"),
        ("name_unresolved", "unavailable"),
        ("connection_failed", "unavailable"),
        ("tls_failed", "unavailable"),
        ("answer_timed_out", "unknown"),
        ("connection_lost", "unknown"),
        ("answer_malformed", "unknown"),
        ("defect", "unknown"),
    ],
)
def test_fault_decides_outcome(fault: str, outcome: str) -> None:
    assert outcome_of_fault(TransportFault(fault)) == AttemptOutcome(outcome)
    assert (TransportFault(fault) in CONNECTION_FAULTS) == (outcome == "unavailable")


def test_every_fault_is_in_the_table_above() -> None:
    assert {outcome_of_fault(fault) for fault in TransportFault} == {AttemptOutcome.UNAVAILABLE, AttemptOutcome.UNKNOWN}
    assert len(TransportFault) == 8


def test_a_request_and_a_result_cannot_be_spelled_into_a_log() -> None:
    request = WebhookRequest(UUID(int=1), "https://receiver.example", "ntf_1", NOW, b'{"last_name": "TESTPATIENT"}', ("whsec_c2VjcmV0",))
    result = AttemptResult(AttemptOutcome.REFUSED, 0.1, status_code=400, body_excerpt="no such patient: TESTPATIENT")
    assert "TESTPATIENT" not in f"{request!r}{request}{result!r}{result}"
    assert "whsec_" not in f"{request!r}{request}"


# --- retry schedule -------------------------------------------------------------------------------------------------------


def test_schedule_is_the_published_one() -> None:
    minute, hour = 60, 3600
    first_day = [0, 5, 30, 2 * minute, 5 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 5 * hour, 10 * hour]
    published = [*first_day, 14 * hour, 20 * hour, 24 * hour]
    assert list(RETRY_DELAYS_S) == published
    assert 76 * hour < sum(RETRY_DELAYS_S) < 78 * hour
    assert ATTEMPTS_MAX == 14


@pytest.mark.parametrize(
    ("attempts_made", "fraction", "retry_after_s", "delay_s"),
    [
        (1, MIDDLE, None, 5),
        (1, 0.0, None, 4),
        (1, 0.75, None, 5.5),
        (2, MIDDLE, None, 30),
        (3, MIDDLE, None, 120),
        (12, MIDDLE, None, 20 * 3600),
        (13, MIDDLE, None, 24 * 3600),
        (13, 0.0, None, 0.8 * 24 * 3600),
        (14, MIDDLE, None, None),
        (15, MIDDLE, None, None),
        (1, MIDDLE, 2, 5),
        (1, MIDDLE, 5.001, 5.001),
        (1, MIDDLE, 90, 90),
        (1, 0.0, 90, 90),
        (1, MIDDLE, 24 * 3600, 24 * 3600),
        (1, MIDDLE, 24 * 3600 + 1, 24 * 3600),
        (1, MIDDLE, 1e18, 24 * 3600),
        (1, MIDDLE, float("inf"), 24 * 3600),
        (1, MIDDLE, float("nan"), 5),
        (1, MIDDLE, -3, 5),
        (1, MIDDLE, 0, 5),
        (14, MIDDLE, 90, None),
    ],
)
def test_next_attempt(attempts_made: int, fraction: float, retry_after_s: float | None, delay_s: float | None) -> None:
    again_at = next_attempt_at(attempts_made, NOW, fraction, retry_after_s)
    if delay_s is None:
        assert again_at is None
    else:
        assert again_at is not None
        assert (again_at - NOW).total_seconds() == pytest.approx(delay_s, abs=1e-4)


@pytest.mark.parametrize(("attempts_made", "fraction"), [(0, MIDDLE), (-1, MIDDLE), (1, 1.0), (1, -0.1), (1, float("nan"))])
def test_next_attempt_rejects_what_makes_no_sense(attempts_made: int, fraction: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        next_attempt_at(attempts_made, NOW, fraction)


@given(
    st.integers(1, ATTEMPTS_MAX - 1),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(),
)
def test_delay_is_within_a_fifth_of_the_schedule_or_what_was_asked(attempts: int, fraction: float, asked_s: float | None) -> None:
    again_at = next_attempt_at(attempts, NOW, fraction, asked_s)
    assert again_at is not None
    delay_s = (again_at - NOW).total_seconds()
    planned_s = RETRY_DELAYS_S[attempts]
    assert delay_s >= 0.8 * planned_s - 1e-5
    assert delay_s <= 1.2 * 24 * 3600 + 1e-5
    if asked_s is not None and asked_s > 0:
        assert delay_s >= min(asked_s, 24 * 3600) - 1e-5
    if asked_s is None or not asked_s > planned_s:
        assert delay_s <= 1.2 * planned_s + 1e-5


@given(st.integers(1, ATTEMPTS_MAX - 1), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_jitter_grows_with_the_fraction(attempts: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    sooner, later = next_attempt_at(attempts, NOW, low), next_attempt_at(attempts, NOW, high)
    assert sooner is not None
    assert later is not None
    assert sooner <= later


# --- settling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "attempts_made", "expected"),
    [
        ("delivered", 1, Settlement(DeliveryState.DELIVERED, None)),
        ("delivered", 14, Settlement(DeliveryState.DELIVERED, None)),
        ("refused", 1, Settlement(DeliveryState.FAILED, None)),
        ("gone", 3, Settlement(DeliveryState.PENDING, NOW, is_attempt_spent=False)),
        ("throttled", 1, Settlement(DeliveryState.PENDING, NOW + timedelta(seconds=5))),
        ("unavailable", 2, Settlement(DeliveryState.PENDING, NOW + timedelta(seconds=30))),
        ("unknown", 3, Settlement(DeliveryState.PENDING, NOW + timedelta(seconds=120))),
        ("throttled", 14, Settlement(DeliveryState.FAILED, None)),
        ("unavailable", 14, Settlement(DeliveryState.FAILED, None)),
        ("unknown", 14, Settlement(DeliveryState.FAILED, None)),
    ],
)
def test_settle(outcome: str, attempts_made: int, expected: Settlement) -> None:
    assert settle(AttemptResult(AttemptOutcome(outcome), 0.2), attempts_made, NOW, MIDDLE) == expected


def test_settle_honours_retry_after() -> None:
    result = AttemptResult(AttemptOutcome.THROTTLED, 0.2, status_code=429, retry_after_s=600)
    assert settle(result, 1, NOW, MIDDLE) == Settlement(DeliveryState.PENDING, NOW + timedelta(minutes=10))


@given(st.sampled_from(AttemptOutcome), st.integers(1, 20), st.floats(0, 1, exclude_max=True), st.none() | st.floats())
def test_a_settlement_waits_for_an_instant_or_is_over(outcome: AttemptOutcome, attempts: int, fraction: float, asked: float | None) -> None:
    settlement = settle(AttemptResult(outcome, 0.1, retry_after_s=asked), attempts, NOW, fraction)
    assert (settlement.state is DeliveryState.PENDING) == (settlement.next_attempt_at is not None)
    assert (settlement.state is DeliveryState.DELIVERED) == (outcome is AttemptOutcome.DELIVERED)


# --- order ----------------------------------------------------------------------------------------------------------------


def queued(
    sequence: int,
    person: str | None,
    event: str,
    version: int = 1,
    *,
    state: DeliveryState = DeliveryState.PENDING,
    flying: bool = False,
    due_in_s: float = 0,
) -> QueuedDelivery:
    """One queued delivery, named by letters: person and event "a" are always the same ids."""
    return QueuedDelivery(
        id=UUID(int=sequence),
        person_id=None if person is None else UUID(bytes=person.encode().ljust(16)),
        event_id=UUID(bytes=event.encode().ljust(16)),
        version=version,
        sequence=sequence,
        state=state,
        next_attempt_at=NOW + timedelta(seconds=due_in_s),
        is_in_flight=flying,
    )


QUEUES: dict[str, tuple[list[QueuedDelivery], dict[str, tuple[set[int], set[int]]]]] = {
    "nothing waits": ([], {"ordered": (set(), set()), "latest": (set(), set()), "unordered": (set(), set())}),
    "two persons, two each": (
        [queued(1, "p", "a"), queued(2, "q", "b"), queued(3, "p", "c"), queued(4, "q", "d")],
        {"ordered": ({1, 2}, set()), "latest": ({1, 2}, set()), "unordered": ({1, 2, 3, 4}, set())},
    ),
    "the first of one person waits for a retry: only its line stops": (
        [queued(1, "p", "a", due_in_s=9), queued(2, "q", "b"), queued(3, "p", "c"), queued(4, "q", "d")],
        {"ordered": ({2}, set()), "latest": ({2}, set()), "unordered": ({2, 3, 4}, set())},
    ),
    "the first of one person is in flight": (
        [queued(1, "p", "a", flying=True), queued(3, "p", "c"), queued(4, "q", "d")],
        {"ordered": ({4}, set()), "latest": ({4}, set()), "unordered": ({3, 4}, set())},
    ),
    "a newer version of the same event, the older waiting for a retry": (
        [queued(1, "p", "a", due_in_s=9), queued(2, "p", "a", 2)],
        {"ordered": (set(), set()), "latest": ({2}, {1}), "unordered": ({2}, set())},
    ),
    "a newer version of the same event, the older in flight": (
        [queued(1, "p", "a", flying=True), queued(2, "p", "a", 2)],
        {"ordered": (set(), set()), "latest": (set(), set()), "unordered": ({2}, set())},
    ),
    "three versions: only the newest stays, behind another event": (
        [queued(1, "p", "a"), queued(2, "p", "b"), queued(3, "p", "a", 2), queued(4, "p", "a", 3)],
        {"ordered": ({1}, set()), "latest": ({2}, {1, 3}), "unordered": ({1, 2, 3, 4}, set())},
    ),
    "without a person each is its own line": (
        [queued(1, None, "a"), queued(2, None, "b"), queued(3, None, "c", due_in_s=1)],
        {"ordered": ({1, 2}, set()), "latest": ({1, 2}, set()), "unordered": ({1, 2}, set())},
    ),
    "what is settled holds nothing back": (
        [
            queued(1, "p", "a", state=DeliveryState.DELIVERED),
            queued(2, "p", "b", state=DeliveryState.FAILED),
            queued(3, "p", "c", state=DeliveryState.WITHDRAWN),
            queued(4, "p", "d", state=DeliveryState.SUPERSEDED),
            queued(5, "p", "e"),
        ],
        {"ordered": ({5}, set()), "latest": ({5}, set()), "unordered": ({5}, set())},
    ),
}


@pytest.mark.parametrize("mode", list(OrderMode))
@pytest.mark.parametrize("name", list(QUEUES))
def test_turn(name: str, mode: OrderMode) -> None:
    queue, expected = QUEUES[name]
    sendable, superseded = expected[mode.value]
    turn = next_turn(reversed(queue), mode, NOW)
    assert {one.sequence for one in turn.sendable} == sendable
    assert {one.sequence for one in turn.superseded} == superseded


@st.composite
def queues(draw: st.DrawFn) -> list[QueuedDelivery]:
    """Any queue a store could hold: distinct sequences; versions of an event grow with the sequence, one person an event."""
    versions: dict[str, int] = {}
    queue = []
    for sequence in range(1, draw(st.integers(0, 12)) + 1):
        person = draw(st.sampled_from(["p", "q", "r", None]))
        event = f"{person}{draw(st.sampled_from('ab'))}"
        versions[event] = versions.get(event, 0) + 1
        state = draw(st.sampled_from([DeliveryState.PENDING] * 4 + [DeliveryState.DELIVERED, DeliveryState.FAILED]))
        flying = state is DeliveryState.PENDING and draw(st.integers(0, 3)) == 0
        due_in_s = draw(st.sampled_from([-60.0, 0.0, 60.0]))
        queue.append(queued(sequence, person, event, versions[event], state=state, flying=flying, due_in_s=due_in_s))
    return queue


@given(queues(), st.sampled_from(OrderMode))
def test_a_turn_keeps_every_line(queue: list[QueuedDelivery], mode: OrderMode) -> None:
    turn = next_turn(queue, mode, NOW)
    gone = {one.id for one in turn.superseded}
    assert not gone & {one.id for one in turn.sendable}
    for one in turn.sendable:
        assert one.state is DeliveryState.PENDING
        assert not one.is_in_flight
        assert one.next_attempt_at <= NOW
        if mode is OrderMode.UNORDERED or one.person_id is None:
            continue
        earlier = [
            other
            for other in queue
            if other.person_id == one.person_id
            and other.sequence < one.sequence
            and other.state is DeliveryState.PENDING
            and other.id not in gone
        ]
        assert not earlier
    for one in turn.superseded:
        assert mode is OrderMode.LATEST
        assert any(
            other.event_id == one.event_id and other.version > one.version and other.state is DeliveryState.PENDING for other in queue
        )


@given(queues(), st.sampled_from(OrderMode), st.randoms())
def test_a_turn_does_not_depend_on_the_order_of_rows(queue: list[QueuedDelivery], mode: OrderMode, random: object) -> None:
    shuffled = list(queue)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert next_turn(shuffled, mode, NOW) == next_turn(queue, mode, NOW)


@given(queues(), st.sampled_from(OrderMode), st.data())
def test_playing_all_turns_delivers_everything_once_and_in_order(queue: list[QueuedDelivery], mode: OrderMode, data: st.DataObject) -> None:
    """However results fall, the deliveries of one person arrive by sequence, none twice, and the queue drains."""
    left = {one.id: one for one in queue if one.state is DeliveryState.PENDING and not one.is_in_flight}
    late = NOW + timedelta(hours=1)
    arrived: list[QueuedDelivery] = []
    dropped: set[UUID] = set()
    while left:
        turn = next_turn(left.values(), mode, late)
        for one in turn.superseded:
            dropped.add(left.pop(one.id).id)
        assert turn.sendable, "the queue is stuck"
        taken = data.draw(st.lists(st.sampled_from(turn.sendable), unique=True, min_size=1))
        arrived.extend(left.pop(one.id) for one in taken)
    assert len({one.id for one in arrived}) == len(arrived)
    assert not dropped & {one.id for one in arrived}
    if mode is not OrderMode.UNORDERED:
        for person in {one.person_id for one in arrived} - {None}:
            sequences = [one.sequence for one in arrived if one.person_id == person]
            assert sequences == sorted(sequences)


# --- notices --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waited_s", "given_before", "due"),
    [
        (0, [], []),
        (899.9, [], []),
        (900, [], ["owner"]),
        (900, ["owner"], []),
        (3599, ["owner"], []),
        (3600, ["owner"], ["worklist"]),
        (3600, [], ["owner", "worklist"]),
        (3600, ["worklist"], ["owner"]),
        (10**6, ["owner", "worklist"], []),
        (-5, [], []),
    ],
)
def test_notices(waited_s: float, given_before: list[str], due: list[str]) -> None:
    before = frozenset(Notice(name) for name in given_before)
    assert list(notices_due(NOW - timedelta(seconds=waited_s), NOW, before)) == [Notice(name) for name in due]


@given(st.lists(st.integers(0, 10**5), min_size=1))
def test_each_notice_is_given_once_however_often_one_looks(looks_s: list[int]) -> None:
    since, given_before, told = NOW, frozenset[Notice](), list[Notice]()
    for look_s in sorted(looks_s):
        fresh = notices_due(since, since + timedelta(seconds=look_s), given_before)
        given_before |= frozenset(fresh)
        told.extend(fresh)
    assert len(told) == len(set(told))
    assert (Notice.OWNER in told) == (max(looks_s) >= 900)
    assert (Notice.WORKLIST in told) == (max(looks_s) >= 3600)
