"""What is told is the difference between what should stand and what was told: exactly, once, in versions that follow each other."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.happening import Kind, NotificationType
from app.domain.notification import Change, Desired, Told, Withheld, digest_of, reconcile
from app.domain.privacy import Tier
from tests.domain.event_builders import at

RECIPIENTS = (UUID(int=1), UUID(int=2))
TYPES = {
    Kind.ADMITTED: NotificationType.ADMITTED,
    Kind.CONVERTED: NotificationType.TRANSFERRED,
    Kind.DISCHARGED: NotificationType.DISCHARGED,
    Kind.DIED: NotificationType.DIED,
}


def desired(recipient: UUID, kind: Kind, decision: str = Tier.FULL, text: str = "") -> Desired:
    digest = digest_of({"tier": decision, "text": text})
    return Desired(recipient, kind, TYPES[kind], at(0), decision, ("a ground", "because"), UUID(int=9), digest, "inpatient")


decisions = st.sampled_from([*Tier, *Withheld])
wishes = st.dictionaries(
    st.tuples(st.sampled_from(RECIPIENTS), st.sampled_from(list(Kind))), st.tuples(decisions, st.sampled_from("ab")), max_size=8
).map(lambda chosen: [desired(recipient, kind, *said) for (recipient, kind), said in chosen.items()])
"""What should stand, at one moment."""


class Ledger:
    """What was told, kept as room 7 keeps it."""

    def __init__(self) -> None:
        self.told: dict[tuple[UUID, Kind], Told] = {}
        self.sent: list[tuple[UUID, UUID, Change]] = []
        """(id, event id, what it was), in order."""
        self._numbers = count(1000)

    def bring_in_line(self, wanted: Sequence[Desired]) -> list[Change]:
        changes = reconcile(wanted, list(self.told.values()))
        for change in changes:
            key = change.recipient_id, change.kind
            last = self.told.get(key)
            event_id = change.event_id or UUID(int=next(self._numbers))
            notification_id = last.notification_id if last else None
            if change.type is not None:
                notification_id = UUID(int=next(self._numbers))
                self.sent.append((notification_id, event_id, change))
            digest = change.desired.digest if change.desired else b""
            self.told[key] = Told(*key, event_id, change.decision, notification_id, change.version, change.effective, digest)
        return changes

    def standing(self) -> dict[tuple[UUID, Kind], bytes]:
        return {key: item.digest for key, item in self.told.items() if item.effective}


@given(st.lists(wishes, min_size=1, max_size=6))
def test_what_was_told_becomes_what_should_stand_and_then_nothing_changes(moments: list[list[Desired]]) -> None:
    ledger = Ledger()
    for wanted in moments:
        ledger.bring_in_line(wanted)
        assert ledger.standing() == {(item.recipient_id, item.kind): item.digest for item in wanted if item.tells}
        assert ledger.bring_in_line(wanted) == []


@given(st.lists(wishes, min_size=1, max_size=6))
def test_versions_follow_each_other_and_each_supersedes_the_one_before(moments: list[list[Desired]]) -> None:
    ledger = Ledger()
    for wanted in moments:
        ledger.bring_in_line(wanted)
    for recipient in RECIPIENTS:
        for kind in Kind:
            chain = [(own, event, one) for own, event, one in ledger.sent if (one.recipient_id, one.kind) == (recipient, kind)]
            assert [change.version for _, _, change in chain] == list(range(1, len(chain) + 1))
            assert [change.supersedes for _, _, change in chain] == [None, *(own for own, _, _ in chain)][: len(chain)]
            assert len({event for _, event, _ in chain}) <= 1
            for (_, _, before), (_, _, after) in pairwise(chain):
                if after.type is NotificationType.CANCELLED:
                    assert before.effective
                    assert not after.effective
                if after.type is NotificationType.UPDATED:
                    assert before.effective


@given(wishes, wishes)
def test_the_order_of_what_is_asked_does_not_matter(before: list[Desired], after: list[Desired]) -> None:
    ledger = Ledger()
    ledger.bring_in_line(before)
    assert reconcile(after, list(ledger.told.values())) == reconcile(after[::-1], list(ledger.told.values())[::-1])


def test_a_stay_is_told_in_the_order_of_its_life() -> None:
    kinds = [Kind.DIED, Kind.DISCHARGED, Kind.CONVERTED, Kind.ADMITTED]
    assert [change.kind for change in reconcile([desired(RECIPIENTS[0], kind) for kind in kinds], [])] == kinds[::-1]


HOME = RECIPIENTS[0]


def types_after(*moments: Sequence[Desired]) -> list[str]:
    ledger = Ledger()
    for wanted in moments:
        ledger.bring_in_line(wanted)
    return [change.type.value for _, _, change in ledger.sent if change.type]


def test_a_correction_is_an_update_a_retraction_a_cancel_and_what_stands_again_is_told_again() -> None:
    first = desired(HOME, Kind.DISCHARGED)
    corrected = desired(HOME, Kind.DISCHARGED, text="other")
    assert types_after([first], [corrected], [], [first]) == [
        "encounter.discharged",
        "encounter.updated",
        "encounter.cancelled",
        "encounter.discharged",
    ]


def test_what_a_tier_hides_is_no_news() -> None:
    assert types_after([desired(HOME, Kind.ADMITTED)], [replace(desired(HOME, Kind.ADMITTED), reasons=("another ground",))]) == [
        "encounter.admitted"
    ]


def test_what_is_withheld_is_recorded_once_and_tells_nothing() -> None:
    ledger = Ledger()
    held = desired(HOME, Kind.ADMITTED, Tier.HOLD)
    (change,) = ledger.bring_in_line([held])
    assert (change.type, change.version, change.effective, change.decision) == (None, 0, False, "hold")
    assert ledger.bring_in_line([held]) == []
    # Nobody waits for a decision about what no longer stands.
    (over,) = ledger.bring_in_line([])
    assert (over.type, over.version, over.effective, over.decision) == (None, 0, False, "gone")
    assert ledger.bring_in_line([]) == []
    (other,) = ledger.bring_in_line([desired(HOME, Kind.ADMITTED, Withheld.PREFERENCE)])
    assert (other.type, other.decision) == (None, "preference")
    assert ledger.bring_in_line([]) == []


def test_a_right_that_ended_after_it_was_told_withdraws_silently_and_the_next_version_names_the_last_one() -> None:
    """DESIGN section 6: the number stays and reads as withdrawn; a retraction would say too much."""
    ledger = Ledger()
    ledger.bring_in_line([desired(HOME, Kind.ADMITTED)])
    ((told_id, _, _),) = ledger.sent
    (change,) = ledger.bring_in_line([desired(HOME, Kind.ADMITTED, Tier.SUPPRESS)])
    assert (change.type, change.effective, change.version) == (None, False, 1)
    (again,) = ledger.bring_in_line([desired(HOME, Kind.ADMITTED)])
    assert (again.type, again.version, again.supersedes) == (NotificationType.ADMITTED, 2, told_id)


def test_what_is_learned_after_the_next_event_is_no_news_of_the_one_before() -> None:
    """A diagnosis that comes with the discharge says nothing new of the admission; another class of the admission does."""

    def admitted(event: str, news: str, *, is_latest: bool) -> Desired:
        digest = digest_of({"class": event}) + digest_of({"diagnosis": news})
        return replace(desired(HOME, Kind.ADMITTED), digest=digest, is_latest=is_latest)

    assert types_after([admitted("I", "", is_latest=True)], [admitted("I", "F32.2", is_latest=True)])[1:] == ["encounter.updated"]
    assert types_after([admitted("I", "", is_latest=True)], [admitted("I", "F32.2", is_latest=False)])[1:] == []
    assert types_after([admitted("E", "", is_latest=True)], [admitted("I", "", is_latest=False)])[1:] == ["encounter.updated"]
