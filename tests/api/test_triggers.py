"""What the rarer events come to for hospital, home and plan (C.6, ADT-5): nothing is deleted, nobody is told what is no news.

Through the real door, rooms and database. Any order of them ends alike: tests/properties.
"""

from typing import Any

from tests.api.world import ADMIT, DISCHARGE, World
from tests.support.messages import adt, patient


def message(trigger: str, minute: int, **fields: Any) -> bytes:
    return adt(trigger, f"2026030615{minute:02d}00-0500", control=f"T{trigger}{minute}", **fields)


async def told(world: World, who: str = "home") -> list[tuple[str, int]]:
    listed = await world.api.json("GET", "/v1/notifications", world.keys[who], 200)
    return [(one["type"], one.get("version", 0)) for one in listed["items"]]


async def stays(world: World) -> dict[str, dict[str, Any]]:
    listed = await world.api.json("GET", "/v1/encounters", world.keys["operator"], 200)
    return {one["visit_number"]: one for one in listed["items"]}


async def follow_ups(world: World, who: str = "home") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return listed


async def outcomes(world: World) -> list[tuple[str, str]]:
    listed = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200)
    return sorted((one["trigger"], one["outcome"]) for one in listed["items"])


async def test_a_leave_of_absence_tells_nobody_and_starts_no_clock(world: World) -> None:
    """A21, A22, A52, A53: LOA is not a discharge."""
    await world.send(ADMIT)
    before = await told(world)
    await world.send(*(message(trigger, minute, discharged="20260306150000-0500") for minute, trigger in enumerate(["A21", "A22", "A53"])))
    assert await told(world) == before
    (one,) = await follow_ups(world)
    assert one["state"] == "inpatient"
    found = (await stays(world))["V1"]
    assert (found["status"], found["discharged_at"], found["on_leave_since"]) == ("in-progress", None, "2026-03-06T20:00:00+00:00")


async def test_two_open_clocks_of_one_stay_collapse_with_the_contacts_of_both(world: World) -> None:
    """A42: both visits were told and followed up; what a home did for either counts."""
    await world.send(ADMIT, DISCHARGE, message("A01", 1, visit="V2"), message("A03", 2, visit="V2", disposition="01"))
    first, second = sorted(await follow_ups(world), key=lambda one: str(one["encounter"]["visit_number"]))
    world.stage.clock.advance(hours=5)
    for one in (first, second):
        contact = {
            "occurred_at": "2026-03-06T15:30:00-05:00",
            "type": "phone",
            "direction": "outbound",
            "with": "patient",
            "outcome": "reached",
        }
        await world.api.json("POST", f"/v1/follow-ups/{one['id']}/contacts", world.keys["home"], 201, json=contact)
    await world.send(message("A42", 40, visit="V1", mrg={5: "V2^^^HOSPA^VN"}))
    found = await stays(world)
    assert found["V2"]["folded_into"] == found["V1"]["id"]
    (kept,) = [one for one in await follow_ups(world) if one["state"] != "void"]
    assert (kept["id"], len(kept["contacts"])) == (first["id"], 2)
    assert ("encounter.cancelled", 2) in await told(world)


async def test_a_changed_visit_number_is_no_news_and_the_old_one_goes_on_being_understood(world: World) -> None:
    """A50: the stay keeps its id, its follow-up and what was told of it; an A03 under either number ends it."""
    await world.send(ADMIT)
    before, (opened,) = await told(world), await follow_ups(world)
    known = (await stays(world))["V1"]["id"]
    await world.send(message("A50", 1, visit="V9", mrg={5: "V1^^^HOSPA^VN"}))
    assert await told(world) == before
    assert (await stays(world))["V9"]["id"] == known
    await world.send(message("A03", 2, visit="V1", disposition="01"))
    assert (await told(world))[-1][0] == "encounter.discharged"
    (one,) = await follow_ups(world)
    assert (one["id"], one["encounter"]["visit_number"], one["state"]) == (opened["id"], "V9", "open")


async def test_a_visit_that_was_somebody_elses_is_taken_back_from_those_who_were_told(world: World) -> None:
    """A45: only the visit moves; the home of the wrong patient gets a retraction and its follow-up is void."""
    await world.send(ADMIT, DISCHARGE)
    right: dict[str, Any] = {"mrn": "M8", "medicaid": "MC8", "name": "Birch^Ben", "born": "19750607", "sex": "M"}
    await world.send(message("A45", 5, mrg={1: "M1^^^HOSPA^MR", 5: "V1^^^HOSPA^VN"}, **right))
    assert (await told(world))[-2:] == [("encounter.cancelled", 2), ("encounter.cancelled", 2)]
    assert [one["state"] for one in await follow_ups(world)] in ([], ["void"])
    assert (await stays(world))["V1"]["person"]["last_name"] == "Birch"


async def test_an_account_takes_its_stays_along(world: World) -> None:
    """A44, told by the account alone, before and after its stays."""
    right: dict[str, Any] = {"mrn": "M8", "medicaid": "MC8", "name": "Birch^Ben", "born": "19750607", "sex": "M", "account": "A7"}
    await world.send(message("A01", 1, account="A7"))
    await world.send(message("A44", 20, mrg={1: "M1^^^HOSPA^MR"}, patient_class=None, **right))
    await world.send(message("A01", 2, visit="V2", account="A7"))
    found = await stays(world)
    assert {found[number]["person"]["last_name"] for number in ("V1", "V2")} == {"Birch"}


async def test_merges_of_accounts_and_of_alternate_numbers(world: World) -> None:
    """A35, A41 and A49 where the account names the stay; A51; A36 and A18 do both at once."""
    await world.send(message("A01", 1, visit=None, account="A1"), message("A03", 9, visit=None, account="A2", disposition="01"))
    await world.send(message("A41", 10, account="A1", mrg={1: "M1^^^HOSPA^MR", 3: "A2^^^HOSPA^AN"}, patient_class=None))
    found = await stays(world)
    assert (found["A1"]["status"], found["A2"]["folded_into"]) == ("finished", found["A1"]["id"])
    for trigger, minute in (("A35", 11), ("A49", 12), ("A36", 13), ("A18", 14)):
        retired, goes_on = f"B{trigger}", f"C{trigger}"
        await world.send(message("A04", minute, visit=None, account=retired, patient_class="E"))
        await world.send(message(trigger, minute + 20, account=goes_on, mrg={1: f"M{trigger}^^^HOSPA^MR", 3: retired}, patient_class=None))
        assert (await stays(world))[goes_on]["status"] == "in-progress"


async def test_a_delete_is_held_for_a_person_and_deletes_nothing(world: World) -> None:
    """A23 and A29: taken, so that no queue stops; set aside, because senders purge old records by them too."""
    await world.send(ADMIT, DISCHARGE)
    before = await told(world), await stays(world), await follow_ups(world)
    await world.send(message("A23", 1), message("A29", 2, patient_class=None))
    assert (await told(world), await stays(world), await follow_ups(world)) == before
    assert ("A23", "set_aside") in await outcomes(world)
    assert ("A29", "set_aside") in await outcomes(world)


async def test_a_merge_across_authorities_is_held_and_one_sent_backwards_does_no_harm(world: World) -> None:
    """ADT-5. Whichever of two records is called the survivor, both are one person, and both numbers go on finding it."""
    await world.send(ADMIT)
    await world.send(message("A40", 1, mrg={1: "Z9^^^OTHERHOSP^MR"}, patient_class=None))
    assert ("A40", "set_aside") in await outcomes(world)
    # Backwards: the id in use is called the one that goes.
    await world.send(message("A40", 2, mrn="M2", medicaid=None, merged="M1", patient_class=None))
    await world.send(message("A03", 3, disposition="01"), message("A01", 4, mrn="M2", medicaid=None, visit="V2"))
    assert [kind for kind, _ in await told(world)] == ["encounter.admitted", "encounter.discharged", "encounter.admitted"]
    found = await stays(world)
    assert found["V1"]["person"]["id"] == found["V2"]["person"]["id"]


async def test_several_merges_in_one_message_are_all_made(world: World) -> None:
    """A40 of two groups: M2 and M3 are M1."""
    groups = ("MRG|M2^^^HOSPA^MR", patient("M1"), "MRG|M3^^^HOSPA^MR")
    await world.send(ADMIT, message("A40", 1, patient_class=None, extra=groups))
    await world.send(message("A01", 2, mrn="M2", medicaid=None, visit="V2"), message("A01", 3, mrn="M3", medicaid=None, visit="V3"))
    assert len({one["person"]["id"] for one in (await stays(world)).values()}) == 1


async def test_a_link_joins_two_records_until_it_is_taken_back(world: World) -> None:
    """A24 and A37: nothing is deleted; the home is told of the other record's stay while the link stands."""
    other = patient("M2", name="Birch^Beth", born="19750607")
    await world.send(message("A01", 1, mrn="M2", medicaid=None, visit="V2", name="Birch^Beth", born="19750607"))
    assert await told(world) == []
    await world.send(message("A24", 2, patient_class=None, extra=(other,)))
    assert await told(world) == [("encounter.admitted", 1)]
    await world.send(message("A37", 3, patient_class=None, extra=(other,)))
    assert await told(world) == [("notification.withdrawn", 0), ("encounter.cancelled", 2)]


async def test_a_record_moves_to_another_patient(world: World) -> None:
    """A43: a move, no merge: the record of PID-3 belongs to the patient of PID-2; one that does not say so is held."""
    await world.send(message("A01", 1, mrn="M5", medicaid=None, visit="V5", name="Birch^Beth", born="19750607"))
    await world.send(ADMIT)
    moved = message("A43", 2, mrn="M5", medicaid=None, moved_to="M1", mrg={1: "M5^^^HOSPA^MR", 4: "M7^^^HOSPA^MR"}, patient_class=None)
    await world.send(moved, message("A43", 3, mrn="M6", mrg={1: "M5^^^HOSPA^MR"}, patient_class=None))
    found = await stays(world)
    assert found["V5"]["person"]["id"] == found["V1"]["person"]["id"]
    assert ("A43", "set_aside") in await outcomes(world)


async def test_each_of_two_who_swap_beds_is_where_the_other_was(world: World) -> None:
    """A17: one message, two patients, two stays; each in its own place."""
    second = (patient("M2", name="Birch^Beth", born="19750607"), "PV1|1|I|PSY^101^1^HOSPA||||||||||||||||V2^^^HOSPA^VN")
    await world.send(
        message("A01", 1), message("A01", 2, mrn="M2", medicaid=None, name="Birch^Beth", born="19750607", unit="MED", visit="V2")
    )
    await world.send(message("A17", 3, unit="MED", extra=second))
    found = await stays(world)
    assert {number: one["unit"] for number, one in found.items()} == {"V1": "MED", "V2": "PSY"}


async def test_allergies_and_beds_are_taken_and_ignored(world: World) -> None:
    """A60 and A20 (ACK-4): known and uninteresting, so AA."""
    await world.send(message("A60", 1, patient_class=None), b"MSH|^~\\&|EPIC|HOSPA|||20260306150000-0500||ADT^A20|TA20|P|2.5.1\rNPU|1\r")
    assert await outcomes(world) == [("A20", "ignored"), ("A60", "ignored")]


async def test_a_pending_discharge_is_no_discharge(world: World) -> None:
    """A16, A25, A15, A26, A14, A27, A38, A09, A10, A32, A33, A54, A55, A61, A62: nobody is told, no clock starts."""
    await world.send(ADMIT)
    before = await told(world)
    triggers = ["A16", "A25", "A15", "A26", "A14", "A27", "A38", "A09", "A10", "A32", "A33", "A54", "A55", "A61", "A62"]
    await world.send(*(message(trigger, minute) for minute, trigger in enumerate(triggers, 1)))
    assert await told(world) == before
    assert [one["state"] for one in await follow_ups(world)] == ["inpatient"]
    assert {outcome for _, outcome in await outcomes(world)} == {"processed"}


async def test_who_is_renamed_goes_on_being_found_by_both_numbers(world: World) -> None:
    """A47, A46, A30, A34, A39 retire a number of the same person; the alias is kept."""
    await world.send(ADMIT)
    before = "M1"
    for number, trigger in enumerate(["A47", "A46", "A30", "A34", "A39"], 1):
        fields, before = {4 if trigger == "A46" else 1: f"{before}^^^HOSPA^MR"}, f"N{number}"
        await world.send(message(trigger, number, mrn=f"N{number}", medicaid=None, name=f"Birch^B{number}", mrg=fields, patient_class=None))
        await world.send(message("A01", 20 + number, mrn=f"N{number}", medicaid=None, name=f"Birch^B{number}", visit=f"W{number}"))
    assert len({one["person"]["id"] for one in (await stays(world)).values()}) == 1
    assert (await told(world)).count(("encounter.admitted", 1)) == 6
