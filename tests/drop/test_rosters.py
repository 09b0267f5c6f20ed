"""Rosters by drop: the panel changes once, the report and the refused rows lie beside the file, and accidents are held up."""

import asyncio

from app.domain.panel import UploadMode
from tests.drop.conftest import Yard, roster

REPLACE = UploadMode.REPLACE
IN_FORCE = "select count(*) from panel_member where retracted_at is null and effective_to is null"
UPLOADS = "select count(*) from panel_upload"


async def test_a_roster_changes_the_panel_and_its_report_lies_beside_it(yard: Yard) -> None:
    yard.put("march.csv", roster(range(8), bad=2))
    await yard.until_settled(yard.watch(yard.source(rosters=True)))
    assert yard.names("done") == ["march.csv", "march.csv.rejected.csv", "march.csv.result.json"]
    said = yard.result("done/march.csv")
    upload = said["upload"]
    assert (said["outcome"], upload["accepted"], upload["rejected"], upload["added"]) == ("partly", 8, 2, 8)
    assert [(error["row"], error["column"]) for error in upload["errors"]] == [(10, "birth_date"), (11, "birth_date")]
    recorded = await yard.scalar("select id from panel_upload")
    assert upload["id"] == f"upl_{recorded.hex}"
    assert await yard.scalar("select file_name from panel_upload") == "march.csv"
    assert await yard.scalar(IN_FORCE) == 8


async def test_the_refused_rows_can_be_mended_and_dropped(yard: Yard) -> None:
    watch = yard.watch(yard.source(rosters=True))
    yard.put("march.csv", roster(range(3), bad=2))
    await yard.until_settled(watch)
    rejected = (yard.folder / "done/march.csv.rejected.csv").read_bytes()
    yard.put("mended.csv", rejected.replace(b"someday", b"1990-05-05"))
    await yard.until_settled(watch)
    assert yard.result("done/mended.csv")["outcome"] == "taken"
    assert await yard.scalar(IN_FORCE) == 5


async def test_the_same_file_under_another_name_is_not_taken_again(yard: Yard) -> None:
    watch = yard.watch(yard.source(rosters=True, mode=REPLACE))
    for name in ("march.csv", "march (1).csv"):
        yard.put(name, roster(range(8)))
        await yard.until_settled(watch)
    said = yard.result("done/march (1).csv")
    assert (said["outcome"], said["same_as"]["file_name"]) == ("repeated", "march.csv")
    assert await yard.scalar(UPLOADS) == 1


async def test_an_old_file_that_comes_again_does_not_turn_the_panel_back(yard: Yard) -> None:
    """Whether it is meant nobody can tell, so a person is asked: nothing is done, and the result says what to do."""
    watch = yard.watch(yard.source(rosters=True, mode=REPLACE))
    for name, people in (("monday.csv", range(10)), ("tuesday.csv", range(12)), ("monday again.csv", range(10))):
        yard.put(name, roster(people))
        await yard.until_settled(watch)
        yard.world.clock.advance(hours=1)
    assert await yard.scalar(IN_FORCE) == 12
    said = yard.result("failed/monday again.csv")
    assert (said["reason"], said["same_as"]["file_name"]) == ("superseded", "monday.csv")
    assert "handoff panel load" in said["remedy"]


async def test_half_a_file_is_held_up_by_the_shrink_guard(yard: Yard) -> None:
    watch = yard.watch(yard.source(rosters=True, mode=REPLACE))
    for name, people in (("whole.csv", range(20)), ("half.csv", range(10))):
        yard.put(name, roster(people))
        await yard.until_settled(watch)
    said = yard.result("failed/half.csv")
    assert said["reason"] == "would_shrink"
    assert "10 of the 20" in said["problems"][0]["message"]
    assert "--force" in said["remedy"]
    assert await yard.scalar(IN_FORCE) == 20


async def test_what_is_no_roster_has_failed_with_place_and_remedy_and_may_come_again(yard: Yard) -> None:
    watch = yard.watch(yard.source(rosters=True))
    yard.put("messages.hl7", b"MSH|^~\\&|EPIC|HOSPA\n")
    yard.put("columns.csv", b"first_name,last_name\nAnn,Alder\n")
    yard.put("all bad.csv", roster([], bad=3))
    yard.put("empty.csv", b"")
    await yard.until_settled(watch)
    reasons = {name: yard.result(f"failed/{name}") for name in ("messages.hl7", "columns.csv", "all bad.csv", "empty.csv")}
    assert [said["reason"] for said in reasons.values()] == ["no_roster", "no_roster", "all_refused", "no_roster"]
    assert all(said["remedy"] for said in reasons.values())
    assert reasons["columns.csv"]["problems"][0]["row"] == 1
    assert "all bad.csv.rejected.csv" in yard.names("failed")
    assert await yard.scalar("select count(*) from panel_member") == 0
    # Nothing of it was taken, so the same bytes are no repetition.
    (yard.folder / "failed/all bad.csv").rename(yard.folder / "all bad.csv")
    await yard.until_settled(watch)
    assert await yard.scalar(UPLOADS) == 2


async def test_rosters_are_taken_in_the_order_in_which_they_came(yard: Yard) -> None:
    for number in range(5):
        yard.put(f"{9 - number}.csv", roster(range(20 + number)))
        await asyncio.sleep(0.01)
    await yard.until_settled(yard.watch(yard.source(rosters=True, mode=REPLACE)))
    assert await yard.scalar("select string_agg(file_name, ' ' order by id) from panel_upload") == "9.csv 8.csv 7.csv 6.csv 5.csv"
    assert await yard.scalar(IN_FORCE) == 24


async def test_a_roster_that_is_too_large(yard: Yard) -> None:
    yard.put("large.csv", roster(range(500)))
    services = yard.services(HANDOFF_ROSTER_BYTES_MAX="2048")
    await yard.until_settled(yard.watch(yard.source(rosters=True), services=services))
    assert yard.result("failed/large.csv")["reason"] == "too_large"
    assert await yard.scalar("select count(*) from panel_member") == 0
