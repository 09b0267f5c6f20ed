"""Who is one person, by what messages and rosters say through the front door: what holds apart, and what stands in for a number."""

from collections.abc import Mapping
from typing import Any

from app import wiring
from app.domain.public_id import Kind, public_id
from tests.api.world import ADMIN_KEY, World, load_panel
from tests.support.messages import segment

ROSTER = "member_id,member_id_system,first_name,last_name,suffix,birth_date,sex,phone,ssn4,program,effective_from\n"


def admission(mrn: str, name: str, born: str, sex: str, **fields: str) -> bytes:
    """Write an A01; `fields` are PID fields by number, as `f19`, and `visit`."""
    said = {1: "1", 3: f"{mrn}^^^HOSPA^MR", 5: name, 7: born, 8: sex}
    said |= {int(place[1:]): value for place, value in fields.items() if place != "visit"}
    visit = fields.get("visit", f"V{mrn}")
    lines = [
        f"MSH|^~\\&|EPIC|HOSPA|HANDOFF|HIE|20260305100000-0500||ADT^A01|C{visit}|P|2.5.1",
        segment("EVN", {2: "20260305100000-0500"}),
        segment("PID", said),
        segment("PV1", {1: "1", 2: "I", 3: "MED", 19: f"{visit}^^^HOSPA^VN", 44: "20260305100000-0500"}),
    ]
    return ("\r".join(lines) + "\r").encode()


async def people(world: World) -> Mapping[str, str]:
    """How a source names its record -> the person."""
    async with wiring.open_transaction(world.stage.work)() as raw:
        return {
            row["value"]: public_id(Kind.PERSON, row["person_id"]) for row in await raw.fetch("select value, person_id from patient_record")
        }


async def asked(world: World) -> dict[frozenset[str], str]:
    """Two people -> the guard for which somebody is asked about them."""
    items = (await world.api.json("GET", "/v1/matches", ADMIN_KEY, 200, params={"state": "open", "limit": 100}))["items"]
    guards = {one["id"]: [ground["outcome"] for ground in one["grounds"] if ground["field"] == "guard"] for one in items}
    return {frozenset((one["left"]["person_id"], one["right"]["person_id"])): ",".join(guards[one["id"]]) for one in items}


async def told_of(world: World) -> set[str]:
    items = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    return {one["encounter"]["visit_number"] for one in items if one["type"] == "encounter.admitted"}


async def test_what_messages_and_rosters_say_tells_apart_and_is_asked(world: World) -> None:
    """Father and son, two ends of an SSN, a married name, two of one name who gave the hospital's number: all through the front door."""
    rows = (
        "R1,HOMEB,Carl,Quarrel,Sr,1950-05-06,M,2075550119,,BHH,2026-01-01",
        "R2,HOMEB,Gregor,Zapata,,1962-01-03,M,2075550122,1111,BHH,2026-01-01",
        "R3,HOMEB,Wilma,Quick,,1975-02-03,F,2075550116,4321,BHH,2026-01-01",
        "R4,HOMEB,Mary,Quillfeather,,1962-01-03,F,207-555-0140,,BHH,2026-01-01",
    )
    number = {"call_back_number": "(207) 555-0140"}
    await load_panel(world, "home", ROSTER + "\n".join(rows) + "\n", mode="delta")
    await world.api.json("PATCH", f"/v1/organizations/{world.ids['hospital']}", world.keys["hospital"], 200, json=number)
    await world.send(
        admission("A1", "Quarrel^Carl^^Jr", "19500506", "M", f13="2075550119"),
        admission("A2", "Zapata^Gregor", "19620103", "M", f13="2075550122", f19="219-45-8765"),
        admission("A3", "Otherly^Wilma~Quick^Wilma^^^^^M", "19750203", "F", f13="2075550198", f19="219-45-4321"),
        admission("A4", "Fetherstonehaugh^Mary", "19620103", "F", f13="2075550140"),
    )
    whose, questions = await people(world), await asked(world)
    assert {place for place in "1234" if whose[f"A{place}"] == whose[f"R{place}"]} == {"3"}
    guards = {place: questions.get(frozenset((whose[f"A{place}"], whose[f"R{place}"]))) for place in "124"}
    assert guards == {"1": "generations", "2": "ssn_conflict", "4": None}
    assert await told_of(world) == {"VA3"}

    async def clocks() -> int:
        found = (await world.api.json("GET", "/v1/queues", ADMIN_KEY, 200))["items"]
        return next(int(one["clocks_running"]) for one in found if one["id"] == "possible_matches")

    # Of a discharge that somebody would follow up, were the two one person, the clock runs meanwhile.
    assert await clocks() == 0
    left = admission("A2", "Zapata^Gregor", "19620103", "M", f13="2075550122", f19="219-45-8765")
    await world.send(left.replace(b"ADT^A01|CVA2", b"ADT^A03|CVA9").replace(b"20260305100000", b"20260305110000"))
    assert await clocks() == 1
    # Where the number is nobody's any more, it counts like another; where it is a hospital's again, it does not.
    for said, is_one in (({"call_back_number": None}, True), (number, False)):
        await world.api.json("PATCH", f"/v1/organizations/{world.ids['hospital']}", world.keys["hospital"], 200, json=said)
        await world.stage.settle()
        whose = await people(world)
        assert (whose["A4"] == whose["R4"]) is is_one


async def test_who_was_registered_under_a_stand_in_for_a_number_is_nobody_else(world: World) -> None:
    """Two came under UNKNOWN: each is told to who is responsible for them, and a merge of it merges nobody."""
    await world.send(
        admission("UNKNOWN", "Alder^Ann", "19800102", "F", visit="T1"),
        admission("UNKNOWN", "Trauma^Male", "", "M", visit="T2"),
        admission("999999999", "Trauma^Male", "", "M", visit="T3"),
    )
    whose = await people(world)
    assert whose["T1"] == whose["H-1"]
    assert len({whose[name] for name in ("T1", "T2", "T3")}) == 3
    assert await told_of(world) == {"T1"}
    told: list[Any] = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert {one["value"] for one in told[-1]["person"]["identifiers"]} == {"H-1", "MC1"}
    merge = admission("M1", "Alder^Ann", "19800102", "F", visit="T4").replace(b"ADT^A01", b"ADT^A40").split(b"PV1|")[0]
    await world.send(merge + b"MRG|UNKNOWN^^^HOSPA^MR\r")
    (message,) = (await world.api.json("GET", "/v1/inbound?outcome=set_aside", world.keys["hospital"], 200))["items"]
    shown = await world.api.json("GET", f"/v1/inbound/{message['id']}", world.keys["hospital"], 200)
    assert [(one["code"], one["location"]) for one in shown["outcome_problems"]] == [("101", "PID^1^3")]
    assert await people(world) == whose
