"""What facts did to a follow-up is logged once, and shown to the home that could know them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.follow_up import FollowUpState, FollowUpView
from app.domain.follow_up_history import shown_history, turned

HOME, NEXT = UUID(int=1), UUID(int=2)
AT = datetime(2026, 3, 6, tzinfo=UTC)


def test_only_what_facts_close_or_open_again_is_a_turn() -> None:
    for before in ("", *FollowUpState):
        for after in FollowUpState:
            for by_hand in (False, True):
                seen = FollowUpView(state=after, reasons=("why: it is so",))
                line = turned(seen, before, home_id=HOME, by_hand=by_hand)
                closes = after == "closed" and before not in ("", "closed") and not by_hand
                opens = before == "closed" and after != "closed"
                assert (line or {}).get("what") == ("closed" if closes else "reopened" if opens else None), (before, after, by_hand)
                assert line is None or (line["from"], line["to"], line["reason"]) == (before, after.value, "why: it is so")


@pytest.mark.parametrize(("reader", "conceals", "reasons"), [(HOME, False, ["died", "late"]), (HOME, True, [None, "late"])])
def test_a_reason_of_facts_is_concealed_with_the_reasons_of_the_state(reader: UUID, conceals: bool, reasons: list[str | None]) -> None:
    log = [_by_facts(HOME), {"at": AT, "what": "assigned", "by": "C. Sample", "key_id": None, "name": "C. Sample", "reason": "late"}]
    assert [one["reason"] for one in shown_history(log, reader, conceals=conceals)] == reasons


def test_who_has_it_later_reads_what_was_done_by_hand_and_not_what_another_home_knew() -> None:
    log = [_by_facts(HOME), {"at": AT, "what": "closed", "by": "C. Sample", "from": "open", "to": "closed", "reason": "done"}]
    assert shown_history(log, NEXT, conceals=False) == [
        {"at": AT.isoformat(), "what": "closed", "by": "C. Sample", "from": "open", "to": "closed", "reason": "done"}
    ]


def _by_facts(home_id: UUID) -> dict[str, object]:
    seen = FollowUpView(state=FollowUpState.CLOSED, reasons=("died",))
    return {"at": AT, **(turned(seen, "open", home_id=home_id, by_hand=False) or {})}
