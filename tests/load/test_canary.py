"""The canary run with a small number of messages; `make canary` runs it with ten thousand."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.load.canary import MARKS, OF_HOMES, PROTECTED, Found, messages, run
from tests.load.canary_homes import HIDDEN_HOMES

MESSAGES = 40


async def test_no_mark_turns_up_where_it_must_not() -> None:
    with TemporaryDirectory(prefix="handoff-canary-") as name:
        Path(name).chmod(0o755)
        found = await run(Path(name), MESSAGES)
    assert found.hits == {}
    # Something was looked at everywhere, and the stays in the unit were told of.
    assert found.told == 2 * (MESSAGES // 5) + MESSAGES // 5
    # The homes that nobody may know of did their work.
    assert set(found.worked) == {home.who for home in HIDDEN_HOMES}
    assert all(found.worked.values())
    assert set(found.looked_at) == {
        "acknowledgements",
        "errors",
        "logs",
        "metrics",
        "read by the DETOX",
        "read by the HOSPA",
        "read by the agency",
        "read by the home",
        "read by the plan",
        "read by the stranger",
        "webhook bodies",
        "webhook metadata",
    }
    assert all(found.looked_at.values())


def test_a_mark_is_found_in_whatever_case() -> None:
    found = Found()
    for mark in (*MARKS, *PROTECTED, *OF_HOMES):
        found.look("here", f"x{mark.lower()}y")
        found.look("there", f"x{mark.swapcase()}y", PROTECTED + OF_HOMES)
    assert set(found.hits) == {f"here: {mark}" for mark in MARKS} | {f"there: {mark}" for mark in PROTECTED + OF_HOMES}
    assert all(any(mark.encode() in message for message in messages(40)) for mark in MARKS)
