"""Two lists of notices side by side: pairs, what is missed and why, what is extra."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.notice_comparison import OurNotice, PresentNotice, compare

AT = datetime(2026, 3, 6, 19, 25, tzinfo=UTC)


def theirs(row: int, kind: str = "discharged", hours: float = 0, **more: Any) -> PresentNotice:
    return PresentNotice(row, kind, AT + timedelta(hours=hours), **({"visit_number": "V1"} | more))


def ours(kind: str = "discharged", hours: float = 0, *, decision: str = "not_live", **more: Any) -> OurNotice:
    said: dict[str, Any] = {"encounter": "enc_1", "patient_numbers": frozenset({"M1"}), "visit_number": "V1", "recipient": "Home B"} | more
    tells = decision in {"not_live", "full"}
    return OurNotice(kind=kind, occurred_at=AT + timedelta(hours=hours), tells=tells, decision=decision, decided_at=AT, **said)


def test_the_same_event_is_paired_by_visit_or_patient_with_the_difference_in_time() -> None:
    found = compare([theirs(2, told_at=AT - timedelta(minutes=3)), theirs(3, "admitted", visit_number="", patient_number="M1")],
                    [ours(hours=0.5), ours("admitted", hours=-1)])  # fmt: skip
    assert [(pair.theirs.row, pair.apart) for pair in found.matched] == [(2, timedelta(minutes=30)), (3, timedelta(hours=-1))]
    assert found.matched[0].later == timedelta(minutes=3)
    assert found.matched[1].later is None
    assert (found.missed, found.extra) == ([], [])
    assert found.apart_median == timedelta(hours=1)


def test_the_nearest_in_time_are_paired_whatever_their_order() -> None:
    found = compare([theirs(2, hours=5), theirs(3)], [ours(hours=0.1), ours(hours=4, encounter="enc_2")])
    assert {(pair.theirs.row, pair.ours.encounter) for pair in found.matched} == {(2, "enc_2"), (3, "enc_1")}


def test_every_missed_notice_says_why() -> None:
    known = [
        ours(),
        ours("admitted", visit_number="V2", patient_numbers=frozenset(), encounter="enc_2"),
        ours(visit_number="V3", patient_numbers=frozenset(), decision="preference", encounter="enc_3"),
        ours(visit_number="V4", patient_numbers=frozenset(), decision="nobody_claims", recipient="", encounter="enc_4"),
        ours(visit_number="V5", patient_numbers=frozenset(), hours=-80, encounter="enc_5"),
    ]
    asked = [theirs(2, visit_number="V9"), *(theirs(row, visit_number=f"V{row - 1}") for row in range(3, 7))]
    found = compare(asked, known)
    assert {missed.theirs.row: missed.why for missed in found.missed} == {
        2: "not_heard", 3: "event_not_heard", 4: "preference", 5: "nobody_claims", 6: "other_time",
    }  # fmt: skip


def test_recipients_are_compared_where_the_list_names_them() -> None:
    known = [ours(), ours(recipient="Plan C")]
    by_name = compare([theirs(2, recipient="HOME B"), theirs(3, recipient="Home Z")], known)
    assert [pair.ours.recipient for pair in by_name.matched] == ["Home B"]
    assert [missed.why for missed in by_name.missed] == ["other_recipient"]
    assert [extra.recipient for extra in by_name.extra] == ["Plan C"]
    # Without names, one event is one notice, however many of ours would be told of it.
    assert compare([theirs(2)], known).extra == []
    assert [missed.why for missed in compare([theirs(2), theirs(3)], known).missed] == ["told_once"]


def test_what_only_we_would_tell_is_extra() -> None:
    found = compare([theirs(2)], [ours(), ours("admitted", hours=-90), ours("died", decision="suppress")])
    assert [extra.kind for extra in found.extra] == ["admitted"]
