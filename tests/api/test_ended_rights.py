"""A right that ended: rates, the events behind them and the days they begin and end stop at once, before any round of the pipeline."""

from typing import Any

from tests.api.test_consents import NO_PAPER, become, sign
from tests.api.test_measures import events, rates
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_PLAN, DISCHARGE, World, load_panel
from tests.support.messages import adt

EVERYBODY = ("home", "plan", "operator")


async def counted(world: World, who: str, **params: Any) -> tuple[int, int, Any]:
    """Give what a reader learns: how many are counted, how many are listed, and from when there are any."""
    spans = (await world.api.json("GET", "/v1/measures", world.keys[who], 200))["items"]
    first_on = next(one["first_on"] for one in spans if one["measure"] == "FUH")
    total = (await rates(world, who, **params))["total"]
    assert total["initial_population"] >= total["denominator"]
    return total["denominator"], len(await events(world, who, **params)), first_on


async def signed_for(world: World, **changed: Any) -> str:
    """Make the hospital a program whose patient has signed, and discharge her."""
    await become(world, part2_status="program")
    await world.send(ADMIT, DISCHARGE)
    consent = await sign(world, "hospital", **changed)
    for who in EVERYBODY:
        # The exchange as a whole is nobody in particular of a class that the paper names.
        assert await counted(world, who) == (1, 1, "2026-03-06"), who
    return str(consent["id"])


async def test_a_revocation_ends_every_number_at_once_also_of_the_past(world: World) -> None:
    consent = await signed_for(world)
    then = world.stage.clock.now()
    world.stage.clock.advance(minutes=5)
    await world.api.json("POST", f"/v1/consents/{consent}/revoke", ADMIN_KEY, 200, json={})
    # What asks for the same stay before it was looked at does not hide why it was asked for first.
    await load_panel(world, "plan", ANN_AT_PLAN.replace("2026-01-01", "2026-01-02"), mode="replace")
    for is_settled in (False, True):
        if is_settled:
            await world.stage.settle()
        for who in EVERYBODY:
            assert await counted(world, who) == (0, 0, None), (who, is_settled)
            assert (await counted(world, who, as_of=then.isoformat()))[:2] == (0, 0), (who, is_settled)
    assert (await rates(world, "operator", group_by="payer"))["groups"] == []
    await sign(world, "hospital")
    assert (await counted(world, "home"))[:2] == (1, 1)


async def test_an_expiry_ends_every_number_before_anybody_noted_it(world: World) -> None:
    await signed_for(world, expires_on="2026-03-06")
    world.stage.clock.advance(hours=8)
    for who in EVERYBODY:
        # It is still the 6th where the hospital is until five in the morning.
        assert await counted(world, who) == (1, 1, "2026-03-06"), who
    world.stage.clock.advance(hours=2)
    for who in EVERYBODY:
        assert await counted(world, who) == (0, 0, None), who
    assert (await rates(world, "operator", group_by="payer"))["groups"] == []


async def test_a_refusal_of_the_plan_ends_the_plans_numbers_alone(world: World) -> None:
    await world.send(ADMIT, DISCHARGE)
    await sign(world, "hospital", kind="refusal", purposes=["payment"], recipient_classes=["health_plans"], reason="paid in full")
    assert (await counted(world, "home"))[:2] == (1, 1)
    assert (await counted(world, "plan")) == (0, 0, None)


async def test_a_page_is_full_although_rows_in_it_are_withheld(world: World) -> None:
    """Three people, the first of whom opts out: nothing on the pages tells that there was a third."""
    header = "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
    rows = "".join(f"P-{n},PLANC,Bo,Birch,195{n}-01-01,M,MC{n},BHH,2026-01-01\n" for n in (2, 3))
    await load_panel(world, "plan", header + rows, mode="delta")
    await world.send(ADMIT, DISCHARGE)
    for n in (2, 3):
        facts = {"mrn": f"M{n}", "medicaid": f"MC{n}", "name": "Birch^Bo", "born": f"195{n}0101", "sex": "M"}
        ended = {"admitted": "20260302100000-0500", "discharged": "20260306142500-0500", "disposition": "01"}
        await world.send(adt("A03", "20260306143000-0500", control=f"D{n}", visit=f"W{n}", diagnoses=(("F32.2", "F"),), **ended, **facts))
    assert len(await events(world, "plan")) == 3
    await sign(world, "home", kind="refusal", signed_on="2026-03-02", reason="does not want to take part", settle=False, **NO_PAPER)
    first = await world.api.json("GET", "/v1/measures/FUH/events", world.keys["plan"], 200, params={"period": "2026", "limit": 1})
    query = {"period": "2026", "limit": 1, "after": first["next"]}
    second = await world.api.json("GET", "/v1/measures/FUH/events", world.keys["plan"], 200, params=query)
    assert ([len(page["items"]) for page in (first, second)], second["next"]) == ([1, 1], None)
    assert (await counted(world, "plan"))[0] == 2
