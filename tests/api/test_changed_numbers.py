"""A visit number that changes, and changes back, or to a third: one stay with one id, told once; no number that is left is a stay."""

from typing import Any

import pytest

from tests.api.test_attribution import told
from tests.api.world import World
from tests.support.messages import adt


def renamed(old: str, new: str, minute: int) -> bytes:
    at = f"202603061{minute // 60 + 4}{minute % 60:02d}00-0500"
    return adt("A50", at, control=f"R{minute}", visit=new, mrg={5: f"{old}^^^HOSPA^VN"})


async def stays(world: World, who: str = "hospital") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/encounters", world.keys[who], 200))["items"]
    return found


@pytest.mark.parametrize(
    ("changes", "ends_as"),
    [
        ([("V1", "V8")], "V8"),
        ([("V1", "V8"), ("V8", "V1")], "V1"),
        ([("V1", "V8"), ("V8", "V1"), ("V1", "V8")], "V8"),
        ([("V1", "V8"), ("V1", "V9")], "V9"),
        ([("V1", "V8"), ("V8", "V9"), ("V9", "V1")], "V1"),
    ],
    ids=["there", "there and back", "and there again", "to another after all", "in a circle"],
)
async def test_a_stay_keeps_its_id_whichever_number_it_has_and_no_number_is_left_as_a_stay(
    story: World, changes: list[tuple[str, str]], ends_as: str
) -> None:
    (before,) = await stays(story)
    was_told = [(item["id"], item["type"]) for item in await told(story, "home")]
    for minute, (old, new) in enumerate(changes, start=20):
        await story.send(renamed(old, new, minute))
    found = await stays(story)
    standing = [one for one in found if one["folded_into"] is None]
    assert [(one["id"], one["visit_number"], one["status"]) for one in standing] == [(before["id"], ends_as, "finished")]
    assert all(one["folded_into"] == before["id"] for one in found if one not in standing)
    assert [one["id"] for one in await stays(story, "home")] == [before["id"]]
    kinds = [item["type"] for item in (await told(story, "home"))[len(was_told) :]]
    assert "encounter.cancelled" not in kinds
    assert "encounter.discharged" not in kinds
    (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200))["items"]
    assert (follow_up["encounter"]["id"], follow_up["state"]) == (before["id"], "open")
    # What is said under the number that it has now is said of it.
    await story.send(adt("A08", "20260306160000-0500", control="R90", visit=ends_as, diagnoses=(("F32.1", "F"),)))
    assert [one["id"] for one in await stays(story) if one["folded_into"] is None] == [before["id"]]


async def test_two_stays_that_become_one_and_part_again_have_the_ids_that_they_had(story: World) -> None:
    await story.send(adt("A04", "20260306141000-0500", control="C8", visit="V2", patient_class="E"))
    before = {one["visit_number"]: one["id"] for one in await stays(story)}
    await story.send(renamed("V1", "V2", 20))
    await story.send(renamed("V1", "V9", 21))
    now = {one["visit_number"]: one["id"] for one in await stays(story) if one["folded_into"] is None}
    assert now == {"V2": before["V2"], "V9": before["V1"]}
