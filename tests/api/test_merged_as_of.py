"""Two people become one by A40 and are parted again: asked as of before, between and after, all is as it was known then."""

from typing import Any

from app import wiring
from tests.api.test_measures import events, rates
from tests.api.world import ADMIN_KEY, ANN_AT_HOME, ANN_AT_PLAN, World, load_panel
from tests.support.messages import adt

ZOE = {"mrn": "M9", "medicaid": "MC9", "name": "Birch^Zoe", "born": "19710506"}
APART, JOINED = [("ann", "pending"), ("zoe", "pending")], [("ann", "pending"), ("ann", "excluded")]
"""Whose the two visits are and where they stand in FUM: ten days apart, the second of one person is a repetition (31 days)."""


async def test_a_merge_and_its_end_change_what_is_known_and_not_what_was(world: World) -> None:
    await load_panel(world, "home", ANN_AT_HOME + "H-2,HOMEB,Zoe,Birch,1971-05-06,F,MC9,BHH,2026-01-01,\n")
    await load_panel(world, "plan", ANN_AT_PLAN + "P-78,PLANC,Zoe,Birch,1971-05-06,F,MC9,BHH,2026-01-01\n")
    for visit, day, who in (("E1", "20260220", {}), ("E2", "20260302", ZOE)):
        at, said = f"{day}140000-0500", {"admitted": f"{day}100000-0500", "disposition": "01", "diagnoses": (("F32.2", "F"),)}
        await world.send(adt("A03", at, control=visit, visit=visit, patient_class="E", discharged=at, **said, **who))  # type: ignore[arg-type]  # keywords of one message
    ids = {await member(world, number): name for number, name in (("MC1", "ann"), ("MC9", "zoe"))}
    moments = [world.stage.clock.now().isoformat()]
    own: dict[tuple[str, str], str] = {}
    await asked_again(world, ids, moments, [APART], own)

    world.stage.clock.advance(hours=1)
    await world.send(adt("A40", "20260306120000-0500", control="Z4", merged="M9", patient_class=None))
    moments.append(world.stage.clock.now().isoformat())
    await asked_again(world, ids, moments, [APART, JOINED], own)

    world.stage.clock.advance(hours=1)
    await part(world, "M1", "M9")
    moments.append(world.stage.clock.now().isoformat())
    await asked_again(world, ids, moments, [APART, JOINED, APART], own)


async def asked_again(
    world: World, ids: dict[str, str], moments: list[str], known: list[list[tuple[str, str]]], own: dict[tuple[str, str], str]
) -> None:
    """Ask of each moment until now, and of now: events, rates, claims, follow-ups."""
    for who in ("home", "plan", "operator"):
        for asked, wanted in (*(({"as_of": at}, one) for at, one in zip(moments, known, strict=True)), ({}, known[-1])):
            found = [(ids[one["person_id"]], one["status"]) for one in await events(world, who, "FUM", **asked)]
            assert found == wanted, (who, asked)
            assert (await rates(world, who, "FUM", **asked))["total"]["denominator"] == (2 if wanted == APART else 1), (who, asked)
    for who in ("home", "plan"):
        listed = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
        assert sorted(ids[one["person"]["id"]] for one in listed) == sorted(name for name, _ in known[-1]), who
        statuses = {measure["status"] for one in listed for measure in one["measures"] if measure["measure"] == "FUM"}
        assert statuses == {status for _, status in known[-1]}, who
        for id_, name in ids.items():
            shown = await world.api.json("GET", f"/v1/people/{id_}", world.keys[who], 200)
            assert ids[shown["id"]] == ("ann" if known[-1] == JOINED else name)
            for at, one in zip(moments, known, strict=True):
                shown = await world.api.json("GET", f"/v1/people/{id_}", world.keys[who], 200, params={"known_at": at})
                claims = [claim["id"] for claim in shown["attributions"]]
                own.setdefault((who, name), claims[0])
                both = {own[who, one] for one in ids.values() if (who, one) in own}
                assert set(claims) == (both if one == JOINED else {own[who, name]}), (who, name, at)
                assert len(claims) == (2 if one == JOINED else 1)


async def member(world: World, number: str) -> str:
    found = await world.api.json("POST", "/v1/members/search", world.keys["plan"], 200, json={"identifier": f"MAINECARE|{number}"})
    return str(found["items"][0]["id"])


async def part(world: World, left: str, right: str) -> None:
    """Let the operator say that the hospital was mistaken."""
    async with wiring.open_transaction(world.stage.work)() as raw:
        ids: dict[str, Any] = {
            row["value"]: row["id"] for row in await raw.fetch("select id, value from patient_record where source = 'adt'")
        }
    body = {"left_record_id": str(ids[left]), "right_record_id": str(ids[right]), "outcome": "different", "reason": "Two people."}
    await world.api.json("POST", "/v1/matches", ADMIN_KEY, 201, json=body)
    await world.stage.settle()
