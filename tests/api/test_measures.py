"""Rates and the events behind them, driven through the front door: messages, rosters and contacts in, `/v1/measures` out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.test_reported_stays import reported
from tests.api.world import ADMIN_KEY, ANN_AT_HOME, ANN_AT_PLAN, DISCHARGE, World, load_panel
from tests.support.messages import adt

VISIT = {
    "occurred_at": "2026-03-10T10:00:00-04:00", "type": "in_person_office", "outcome": "attended", "with": "patient", "role": "clinician",
    "visit_codes": ["90834"], "diagnoses": ["F32.2"], "place_of_service": "11",
}  # fmt: skip
"""Psychotherapy for depression on day 4: a mental-health follow-up service of 2026."""
AFTER_THE_VISIT = datetime(2026, 3, 10, 20, tzinfo=UTC)
DAY_31 = datetime(2026, 4, 6, 12, tzinfo=UTC)


async def rates(world: World, who: str, measure: str = "FUH", **params: Any) -> dict[str, Any]:
    key = world.keys.get(who, ADMIN_KEY)
    found: dict[str, Any] = await world.api.json("GET", f"/v1/measures/{measure}", key, 200, params={"period": "2026", **params})
    return found


async def events(world: World, who: str, measure: str = "FUH", **params: Any) -> list[dict[str, Any]]:
    key = world.keys.get(who, ADMIN_KEY)
    page = await world.api.json("GET", f"/v1/measures/{measure}/events", key, 200, params={"period": "2026", **params})
    return list(page["items"])


async def gaps(world: World, who: str, measure: str = "FUH", **params: Any) -> list[dict[str, Any]]:
    key = world.keys.get(who, ADMIN_KEY)
    page = await world.api.json("GET", f"/v1/measures/{measure}/gaps", key, 200, params={"period": "2026", **params})
    return list(page["items"])


def until(world: World, instant: datetime) -> None:
    world.stage.clock.advance(seconds=(instant - world.stage.clock.now()).total_seconds())


async def visit(world: World, **more: Any) -> None:
    until(world, AFTER_THE_VISIT)
    (follow_up,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    await world.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/contacts", world.keys["home"], 201, json={**VISIT, **more})


async def test_a_discharge_counts_for_its_home_its_plan_and_the_exchange_and_for_nobody_else(story: World) -> None:
    for who in ("home", "plan", "operator"):
        total = (await rates(story, who))["total"]
        assert (total["denominator"], total["numerator_7"], total["pending_7"], total["pending_30"]) == (1, 0, 1, 1), who
        assert (total["initial_population"], total["rate_7"], total["exclusions"], total["undecided"]) == (1, 0.0, {}, {})
        assert [(one["status"], one["final"]) for one in await events(story, who)] == [("pending", False)]
    for who in ("stranger", "hospital"):
        found = await rates(story, who)
        assert (found["total"]["initial_population"], found["total"]["rate_7"]) == (0, None)
        assert await events(story, who) == []
    assert (await rates(story, "operator", organization_id=story.ids["plan"]))["total"]["denominator"] == 1


async def test_a_qualifying_visit_meets_it_and_the_event_says_why(story: World) -> None:
    await visit(story)
    for who in ("home", "plan", "operator"):
        total = (await rates(story, who))["total"]
        assert (total["numerator_7"], total["numerator_30"], total["rate_7"], total["rate_30"]) == (1, 1, 100.0, 100.0)
    (event,) = await events(story, "plan")
    assert (event["status_7"], event["met_7_on"], event["reason"]) == ("met", "2026-03-10", "service_in_7_days")
    assert (event["home"]["name"], event["facility"]["name"], event["encounter_id"]) == ("Home B", "Hospital A", story.ids["encounter_id"])
    assert event["reasons"], "it explains itself"
    assert "note" not in event, "a plan sees status, not care"


async def test_a_coordinators_call_moves_no_rate(story: World) -> None:
    await visit(story, type="phone", outcome="reached", visit_codes=[], diagnoses=[], place_of_service=None, role="coordinator")
    assert (await rates(story, "plan"))["total"]["numerator_30"] == 0


async def test_days_pass_and_what_was_pending_is_not_met_and_the_past_can_still_be_asked(story: World) -> None:
    before = story.stage.clock.now()
    until(story, datetime(2026, 3, 14, 3, tzinfo=UTC))
    await story.stage.pass_time()
    assert (await rates(story, "plan"))["total"]["pending_7"] == 1, "it is still the 13th where the hospital is"
    until(story, datetime(2026, 3, 14, 5, tzinfo=UTC))
    await story.stage.pass_time()
    total = (await rates(story, "plan"))["total"]
    assert (total["pending_7"], total["pending_30"]) == (0, 1)
    assert (await rates(story, "plan", mature_only=True))["total"]["denominator"] == 0
    until(story, DAY_31)
    await story.stage.pass_time()
    assert [(one["status"], one["final"]) for one in await events(story, "plan")] == [("not_met", True)]
    assert (await rates(story, "plan", mature_only=True))["total"]["denominator"] == 1
    then = await rates(story, "plan", as_of=(before + timedelta(hours=1)).isoformat())
    assert (then["total"]["pending_30"], then["total"]["denominator"]) == (1, 1)
    assert [one["status"] for one in await events(story, "plan", as_of=(before + timedelta(hours=1)).isoformat())] == ["pending"]
    assert (await rates(story, "plan", as_of="2026-03-01T00:00:00Z"))["total"]["initial_population"] == 0
    assert await events(story, "plan", changed_since=(DAY_31 + timedelta(days=1)).isoformat()) == []


async def test_a_cancelled_discharge_counts_no_more_and_once_did(story: World) -> None:
    told_at = story.stage.clock.now()
    story.stage.clock.advance(hours=1)
    await story.send(adt("A13", "20260306150000-0500", control="C3", admitted="20260302100000-0500", diagnoses=(("F32.2", "W"),)))
    assert (await rates(story, "plan"))["total"]["initial_population"] == 0
    assert (await rates(story, "plan", as_of=told_at.isoformat()))["total"]["denominator"] == 1


async def test_a_readmission_moves_the_event_to_the_last_discharge(story: World) -> None:
    until(story, datetime(2026, 3, 20, 20, tzinfo=UTC))
    await story.send(adt("A01", "20260315100000-0400", control="C3", visit="V2", admitted="20260315100000-0400"))
    assert (await rates(story, "plan"))["total"]["undecided"] == {"suspended": 1}
    await story.send(
        adt(
            "A03", "20260319100000-0400", control="C4", visit="V2", admitted="20260315100000-0400", discharged="20260319100000-0400",
            disposition="01", diagnoses=(("F31.9", "F"),),
        )
    )  # fmt: skip
    total = (await rates(story, "plan"))["total"]
    assert (total["denominator"], total["superseded"], total["undecided"], total["initial_population"]) == (1, 1, {}, 1)
    first, last = await events(story, "plan")
    assert (first["status"], first["superseded_by"], last["anchor_on"]) == ("superseded", last["encounter_id"], "2026-03-19")
    assert [one["status"] for one in await events(story, "plan", status="superseded")] == ["superseded"]


async def test_a_status_names_the_messages_and_the_stay_it_rests_on(story: World) -> None:
    """By what an auditor asks the exchange for them; what takes an event out does not count in its place."""
    until(story, datetime(2026, 3, 20, 20, tzinfo=UTC))
    pneumonia = (("J18.9", "F"),)
    again = {"visit": "V2", "admitted": "20260315100000-0400", "diagnoses": pneumonia}
    await story.send(
        adt("A01", "20260315100000-0400", control="C3", **again),
        adt("A03", "20260319100000-0400", control="C4", discharged="20260319100000-0400", disposition="01", **again),
    )
    stays = (await story.api.json("GET", "/v1/encounters", story.keys["home"], 200))["items"]
    (other,) = [one["id"] for one in stays if one["id"] != story.ids["encounter_id"]]
    for who in ("home", "plan", "operator"):
        (event,) = await events(story, who)
        assert (event["status"], event["reason"], event["superseded_by"]) == ("excluded", "readmitted_for_other_cause", None)
        assert f"rests_on: stay {other}" in event["reasons"]
        sent = [await story.api.json("GET", f"/v1/inbound/{one}", ADMIN_KEY, 200) for one in event["messages"]]
        assert [one["control_id"] for one in sent] == ["C1", "C2"], "in the order of what they tell"
    (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["plan"], 200, params={"status": "superseded"}))["items"]
    assert follow_up["messages"] == event["messages"]
    then, known = story.stage.clock.now(), event["messages"]
    story.stage.clock.advance(seconds=60)
    await story.send(adt("A08", "20260306143500-0500", control="C5", admitted="20260302100000-0500"))
    ((now,), (as_then,)) = await events(story, "plan"), await events(story, "plan", as_of=then.isoformat())
    assert (len(now["messages"]), as_then["messages"]) == (3, known), "what nobody had sent by then decided nothing then"
    assert await events(story, "plan", as_of="1900-01-01T00:00:00Z") == []


async def test_a_stay_under_two_numbers_rests_on_the_messages_of_both(story: World) -> None:
    """V1 is the stay of a depression, V2 an emergency visit before its end; then the hospital says that they are one, V2."""
    left, final = "20260306141500-0500", (("F32.2", "F"),)
    visit_2 = {"visit": "V2", "patient_class": "E", "admitted": "20260306141000-0500", "discharged": left, "disposition": "01"}
    await story.send(adt("A03", left, control="C8", diagnoses=final, **visit_2))  # type: ignore[arg-type]  # keywords of one message
    apart = {measure: await events(story, "plan", measure) for measure in ("FUH", "FUM")}
    assert [[await control_ids(story, one) for one in found] for found in apart.values()] == [[["C1", "C2"]], [["C8"]]]
    then = story.stage.clock.advance(hours=1)
    story.stage.clock.advance(hours=1)
    await story.send(adt("A50", "20260306160000-0500", control="C9", visit="V2", mrg={5: "V1^^^HOSPA^VN"}))
    for who in ("home", "plan", "operator"):
        (event,) = [one for measure in ("FUH", "FUM") for one in await events(story, who, measure)]
        assert await control_ids(story, event) == ["C1", "C8", "C2"], who
    (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["plan"], 200, params={"status": "open"}))["items"]
    assert await control_ids(story, follow_up) == ["C1", "C8", "C2"]
    for measure, known in apart.items():
        was = await events(story, "plan", measure, as_of=then.isoformat())
        assert [one["messages"] for one in was] == [one["messages"] for one in known], "nobody knew then that they were one"


async def control_ids(world: World, shown: dict[str, Any]) -> list[str]:
    return [(await world.api.json("GET", f"/v1/inbound/{one}", ADMIN_KEY, 200))["control_id"] for one in shown["messages"]]


async def test_a_discharge_that_two_plans_cover_counts_in_each_and_once_in_all(world: World) -> None:
    medicare = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Plan M", "kind": "plan"})
    world.ids["medicare"], world.keys["medicare"] = medicare["id"], ""
    world.keys["medicare"] = await world.key("medicare", "panels.write", "measures.read")
    await load_panel(world, "medicare", ANN_AT_PLAN.replace("PLANC", "PLANM"))
    await world.send(DISCHARGE)
    found = await rates(world, "operator", group_by="payer")
    assert found["total"]["denominator"] == 1
    assert {group["by"]["payer"]["name"]: group["rate"]["denominator"] for group in found["groups"]} == {"Plan C": 1, "Plan M": 1}
    assert (await rates(world, "medicare"))["total"]["denominator"] == 1
    await world.api.json("GET", "/v1/measures/FUH", world.keys["plan"], 422, params={"group_by": "payer"})


async def test_who_goes_from_one_plan_to_another_counts_for_the_state_and_for_neither(world: World) -> None:
    header, row = ANN_AT_PLAN.strip().split("\n")
    medicare = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Plan M", "kind": "plan"})
    world.ids["medicare"] = medicare["id"]
    world.keys["medicare"] = await world.key("medicare", "panels.write", "measures.read")
    await load_panel(world, "plan", f"{header},effective_to\n{row},2026-03-20\n")
    next_row = row.replace("PLANC", "PLANM").replace("2026-01-01", "2026-03-20")
    await load_panel(world, "medicare", f"{header}\n{next_row.replace('2026-03-20', '2026-03-21')}\n")
    await world.send(DISCHARGE)
    assert (await rates(world, "operator"))["total"]["denominator"] == 0, "a day without anybody who pays"
    await load_panel(world, "medicare", f"{header}\n{next_row}\n")
    await world.stage.settle()
    for who, counted in (("plan", 0), ("medicare", 0), ("operator", 1)):
        assert (await rates(world, who))["total"]["denominator"] == counted, who


async def test_who_is_not_covered_through_day_30_is_not_counted_by_the_payer(world: World) -> None:
    header, row = ANN_AT_PLAN.strip().split("\n")
    await load_panel(world, "plan", f"{header},effective_to\n{row},2026-03-31\n")
    await world.send(DISCHARGE)
    assert (await rates(world, "plan"))["total"]["initial_population"] == 0
    assert (await rates(world, "operator"))["total"]["initial_population"] == 0
    assert (await rates(world, "home"))["total"]["denominator"] == 1, "a home's panel says nothing of enrolment"


async def test_what_a_part_2_program_sends_is_in_no_rate(world: World) -> None:
    body = {"part2_status": "program"}
    await world.api.json("PATCH", f"/v1/organizations/{world.ids['hospital']}", ADMIN_KEY, 200, json=body)
    await world.send(DISCHARGE)
    for who in ("home", "plan", "operator"):
        assert (await rates(world, who))["total"]["initial_population"] == 0
        assert await events(world, who) == []


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        ("month", [{"month": "2026-03"}]),
        ("quarter,sex", [{"quarter": "2026-Q1", "sex": "F"}]),
        (["age_band", "race"], [{"age_band": "18-64", "race": None}]),
        ("home", [{"home": "Home B"}]),
        ("facility", [{"facility": "Hospital A"}]),
    ],
)
async def test_groups_add_up_to_the_total(story: World, group_by: Any, groups: list[dict[str, Any]]) -> None:
    found = await rates(story, "plan", group_by=group_by)
    shown = [{name: one["name"] if isinstance(one, dict) else one for name, one in group["by"].items()} for group in found["groups"]]
    assert shown == groups
    assert sum(group["rate"]["denominator"] for group in found["groups"]) == found["total"]["denominator"] == 1


async def test_who_is_too_young_is_not_of_an_unknown_age(world: World) -> None:
    """A child of four whose visit an admission took out is behind the exclusions, and so in a group: of its own, as the age is known."""
    said: dict[str, Any] = {"born": "20220102", "unit": "MED", "diagnoses": (("F32.2", "F"),)}
    await load_panel(world, "home", ANN_AT_HOME.replace("1980", "2022"))
    left = {"admitted": "20260302080000-0500", "discharged": "20260302100000-0500", "disposition": "09", "patient_class": "E"}
    await world.send(adt("A03", left["discharged"], control="C1", **left, **said))
    groups = (await rates(world, "home", "FUM", group_by="age_band"))["groups"]
    assert [(group["by"], group["rate"]["exclusions"]) for group in groups] == [({"age_band": "0-5"}, {"admitted": 1})]


@pytest.mark.parametrize(("period", "counted"), [("2026", 1), ("2026-Q1", 1), ("2026-03", 1), ("2026-Q2", 0), ("2026-04", 0), ("2025", 0)])
async def test_a_period_is_a_year_a_quarter_or_a_month(story: World, period: str, counted: int) -> None:
    assert (await rates(story, "plan", period=period))["total"]["denominator"] == counted


@pytest.mark.parametrize(
    "wrong",
    [
        {"period": "2026-13"},
        {"period": "26"},
        {"period": "0000"},
        {"group_by": "zodiac"},
        {"period": "2026-"},
        {"group_by": "home,facility,month,sex,race,language"},
        {"groupby": "home"},
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(story: World, wrong: dict[str, str]) -> None:
    refused = await story.api.json("GET", "/v1/measures/FUH", story.keys["plan"], 422, params=wrong)
    assert refused["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


async def test_nobody_asks_for_anybody_else(story: World) -> None:
    params = {"organization_id": story.ids["plan"]}
    await story.api.json("GET", "/v1/measures/FUH", story.keys["home"], 404, params=params)
    await story.api.json("GET", "/v1/measures/FUH/events", story.keys["home"], 404, params=params)
    unknown = await story.api.json("GET", "/v1/measures/fuh", story.keys["home"], 404)
    assert "there are: " in unknown["detail"]
    assert "FUH" in unknown["detail"]
    await story.api.json("GET", "/v1/measures/HEIGHT", story.keys["home"], 404)


async def test_events_are_paged(story: World) -> None:
    until(story, datetime(2026, 6, 1, 20, tzinfo=UTC))
    for number, day in enumerate(("0420", "0528")):
        await story.send(
            adt(
                "A03", f"2026{day}100000-0400", control=f"E{number}", visit=f"V{number + 5}", admitted=f"2026{day}080000-0400",
                discharged=f"2026{day}100000-0400", disposition="01", diagnoses=(("F32.2", "F"),),
            )
        )  # fmt: skip
    first = await story.api.json("GET", "/v1/measures/FUH/events", story.keys["plan"], 200, params={"period": "2026", "limit": 2})
    rest = await story.api.json(
        "GET", "/v1/measures/FUH/events", story.keys["plan"], 200, params={"period": "2026", "limit": 2, "after": first["next"]}
    )
    assert [one["anchor_on"] for one in first["items"] + rest["items"]] == ["2026-03-06", "2026-04-20", "2026-05-28"]
    assert rest["next"] is None


async def test_the_ledger_and_the_follow_up_say_the_same(story: World) -> None:
    await visit(story)
    for who in ("home", "plan"):
        (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys[who], 200))["items"]
        for shown in follow_up["measures"]:
            counted = {one["encounter_id"]: one for one in await events(story, who, shown["measure"])}.get(follow_up["encounter"]["id"])
            if counted is None:
                assert shown["status"] in ("not_eligible", "void")
            else:
                names = ("status_7", "status_30", "reason", "reasons", "anchor_on", "due_7_on", "due_30_on", "met_7_on", "rule_version")
                assert {name: counted[name] for name in names} == {name: shown[name] for name in names}


async def test_the_measures_say_what_they_are(story: World) -> None:
    found = {one["measure"]: one for one in (await story.api.json("GET", "/v1/measures", story.keys["plan"], 200))["items"]}
    trc = {"TRC-NIA", "TRC-RDI", "TRC-PED", "TRC-MRP"}
    assert set(found) == {"FUA", "FUH", "FUI", "FUM", "READMISSION", "ED-REVISIT"} | trc
    assert (found["FUH"]["first_on"], found["FUH"]["last_on"], found["FUM"]["first_on"]) == ("2026-03-06", "2026-03-06", None)
    assert {one["label"] for one in found.values()} == {"HEDIS-like, uncertified"}
    assert (found["FUM"]["event"], found["FUM"]["age_bands"]) == ("emergency visit", ["6-17", "18-64", "65+"])


async def test_what_somebody_reports_of_a_person_they_do_not_claim_is_in_no_rate_and_changes_none(story: World) -> None:
    asked = ("home", "plan", "operator")
    before = {who: await events(story, who) for who in asked}
    await reported(story, "stranger", admitted_at="2026-01-05T15:00:00Z", discharged_at="2026-01-09T15:00:00Z")
    await reported(story, "stranger", admitted_at="2026-03-06T19:50:00Z", discharged_at=None)
    await story.send(adt("A08", "20260306143500-0500", control="C3", admitted="20260302100000-0500"))
    after = {who: await events(story, who) for who in asked}
    told = {
        who: [len(one.pop("messages")) for one in found] for who, found in (before | {f"{who}, later": after[who] for who in asked}).items()
    }
    assert after == before
    assert told == {name: [3 if "later" in name else 2] for name in told}, "the message alone is behind it, and no report"
    (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200))["items"]
    assert {one["measure"]: one["status"] for one in follow_up["measures"]}["FUH"] == "pending"
    await reported(story, "home", admitted_at="2026-03-06T19:55:00Z", discharged_at=None)
    assert [(one["status"], one["reason"]) for one in await events(story, "plan")] == [("suspended", "readmitted")]


async def test_what_a_message_about_the_person_alone_corrects_is_corrected_in_the_rates(story: World) -> None:
    assert [(one["age"], one["status"]) for one in await events(story, "plan")] == [(46, "pending")]
    update: dict[str, Any] = {"patient_class": None, "visit": None}
    await story.send(adt("A31", "20260307150000-0500", control="P1", born="19900102", **update))
    assert [one["age"] for one in await events(story, "plan")] == [36]
    await story.send(adt("A31", "20260307160000-0500", control="P2", born="20220102", **update))
    assert await events(story, "plan") == await events(story, "operator") == []
    (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200))["items"]
    assert {one["measure"]: one["reason"] for one in follow_up["measures"]}["FUH"] == "too_young"


async def test_a_visit_recorded_on_what_nobody_else_may_know_of_meets_nothing_of_theirs(story: World) -> None:
    await reported(story, "stranger", admitted_at="2026-02-20T15:00:00Z", discharged_at="2026-02-22T15:00:00Z")
    until(story, AFTER_THE_VISIT)
    (own,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["stranger"], 200))["items"]
    await story.api.json("POST", f"/v1/follow-ups/{own['id']}/contacts", story.keys["stranger"], 201, json=VISIT)
    await story.send(adt("A08", "20260310143500-0400", control="C3", admitted="20260302100000-0500"))
    for who in ("home", "plan", "operator"):
        assert [(one["status"], one["met_7_on"]) for one in await events(story, who)] == [("pending", None)], who
    for who in ("home", "plan"):
        (follow_up,) = (await story.api.json("GET", "/v1/follow-ups", story.keys[who], 200))["items"]
        assert {one["measure"]: one["status"] for one in follow_up["measures"]}["FUH"] == "pending", who


async def test_what_is_open_is_listed_with_the_days_that_are_left(story: World) -> None:
    page = await story.api.json("GET", "/v1/measures/FUH/gaps", story.keys["plan"], 200, params={"period": "2026"})
    assert [(one["status"], one["days_left_7"], one["days_left_30"]) for one in page["items"]] == [("pending", 7, 30)]
    page = await story.api.json("GET", "/v1/measures/TRC-RDI/gaps", story.keys["home"], 200, params={"period": "2026"})
    assert [(one["days_left_7"], one["days_left_30"]) for one in page["items"]] == [(2, 2)], "its only window is of three days"
    then = story.stage.clock.now().isoformat()
    open_then = {who: await gaps(story, who) for who in ("home", "plan", "operator")}
    await visit(story)
    for who, known in open_then.items():
        assert await gaps(story, who) == []
        assert await gaps(story, who, as_of=then) == known, f"what was open then was open to {who}, whatever came of it"
    assert (await story.api.json("GET", "/v1/measures/FUH/gaps", story.keys["stranger"], 200, params={"period": "2026"}))["items"] == []


async def test_changes_tell_of_what_counts_no_more_too(story: World) -> None:
    since = story.stage.clock.advance(hours=1).isoformat()
    assert await events(story, "plan", changed_since=since) == []
    await story.send(adt("A13", "20260306150000-0500", control="C3", admitted="20260302100000-0500", diagnoses=(("F32.2", "W"),)))
    (gone,) = await events(story, "plan", changed_since=since)
    assert (gone["status"], gone["reason"], gone["encounter_id"]) == ("void", "counts_no_more", story.ids["encounter_id"])
    assert gone["known_to"] is not None
    again = adt(
        "A03", "20260306153000-0500", control="C4", admitted="20260302100000-0500", discharged="20260306153000-0500", disposition="01",
        diagnoses=(("F32.2", "F"),),
    )  # fmt: skip
    story.stage.clock.advance(hours=1)
    await story.send(again)
    assert [(one["status"], one["known_to"]) for one in await events(story, "plan", changed_since=since)] == [("pending", None)]


async def test_every_rate_says_how_far_it_can_be_trusted(story: World) -> None:
    trust = (await rates(story, "plan"))["trust"]
    assert (trust["events"], trust["events_final_diagnosis"], trust["diagnosis_share"], trust["indeterminate_share"]) == (1, 1, 1.0, 0.0)
    assert (trust["facility_months"], trust["facility_months_healthy"], trust["feed_share"]) == (1, 0, 0.0), "nothing was counted yet"
    assert (trust["claims_list"], trust["statement"]) == (None, (await rates(story, "plan"))["statement"])
    async with story.stage.work.begin() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        counted = "insert into feed_hour (feed_id, hour_at, messages) select id, '2026-03-06 20:00Z', 2 from feed"
        await raw.execute(counted)
    trust = (await rates(story, "plan"))["trust"]
    assert (trust["facility_months_healthy"], trust["feed_share"]) == (1, 1.0)
    assert (await rates(story, "plan", period="2026-02"))["trust"]["facility_months"] == 0, "the feed was not there yet"
    async with story.stage.work.begin() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        silent = (
            "insert into feed_silence (id, feed_id, last_message_at, opened_at, missing, closed_at) "
            "select gen_random_uuid(), id, $1, $1, 9, $2 from feed"
        )
        await raw.execute(silent, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
    assert (await rates(story, "plan"))["trust"]["feed_share"] == 0.0


async def test_a_stay_without_its_final_diagnosis_is_counted_as_such(world: World) -> None:
    await world.send(DISCHARGE.replace(b"|F|", b"|W|"))
    found = await rates(world, "plan")
    assert (found["total"]["undecided"], found["trust"]["events_indeterminate"], found["trust"]["diagnosis_share"]) == (
        {"indeterminate": 1},
        1,
        0.0,
    )
    until(world, DAY_31)
    await world.stage.pass_time()
    assert [(one["status"], one["final"]) for one in await events(world, "plan")] == [("indeterminate", False)], "it can still be decided"


async def test_strata_come_from_rosters_and_unknown_is_one(world: World) -> None:
    header, row = ANN_AT_PLAN.strip().split("\n")
    await load_panel(world, "plan", f"{header},race,dual_status,geography\n{row},1002-5,QMB+,rural\n")
    await world.send(DISCHARGE)
    found = await rates(world, "plan", group_by="race,ethnicity,dual_status,geography")
    assert [group["by"] for group in found["groups"]] == [
        {"race": "1002-5", "ethnicity": None, "dual_status": "QMB+", "geography": "rural"}
    ]


async def test_value_sets_change_with_the_day_of_the_hospital(world: World) -> None:
    """Suicidal thoughts are a mental illness from 2025. At ten in the evening of 31 December in New York it is 2025 only in UTC."""
    world.stage.clock.set(datetime(2025, 1, 2, 20, tzinfo=UTC))
    for who, roster in (("home", ANN_AT_HOME), ("plan", ANN_AT_PLAN)):
        await load_panel(world, who, roster.replace("2026-01-01", "2024-01-01"))
    first = {"admitted": "20241118100000-0500", "discharged": "20241120100000-0500", "diagnoses": (("F32.2", "F"),)}
    back = {"admitted": "20241219100000-0500", "discharged": "20241231220000-0500", "diagnoses": (("R45.851", "F"),), "visit": "V2"}
    for control, said in (("C1", first), ("C2", back)):
        await world.send(adt("A03", said["discharged"], control=control, unit="MED", disposition="01", **said))  # type: ignore[arg-type]  # keywords of one message
    total = (await rates(world, "plan", period="2024"))["total"]
    assert (total["exclusions"], total["superseded"]) == ({"readmitted_for_other_cause": 1}, 0)


async def test_hospice_and_death_by_the_roster_take_a_discharge_out(world: World) -> None:
    header, row = ANN_AT_PLAN.strip().split("\n")
    loaded = await load_panel(world, "plan", f"{header},hospice_from,death_date\n{row},2026-02-01,soon\n")
    assert [one["column"] for one in loaded["warnings"] if one["code"] == "not_a_date"] == ["death_date"]
    await world.send(DISCHARGE)
    assert (await rates(world, "plan"))["total"]["exclusions"] == {"hospice": 1}
    await load_panel(world, "plan", f"{header},death_date\n{row},2026-05-01\n")
    await world.stage.settle()
    assert (await rates(world, "home"))["total"]["exclusions"] == {"hospice": 1}, "what a roster once said stands until it says otherwise"


@pytest.mark.parametrize(("code", "reason"), [("20", "death_in_period"), ("51", "hospice")])
async def test_a_death_and_hospice_care_that_another_stay_tells_name_it(story: World, code: str, reason: str) -> None:
    until(story, datetime(2026, 6, 2, 20, tzinfo=UTC))
    last = {"visit": "V2", "admitted": "20260601100000-0400", "discharged": "20260602100000-0400", "disposition": code}
    await story.send(adt("A03", last["discharged"], control="C3", diagnoses=(("I50.9", "F"),), **last))  # type: ignore[arg-type]  # keywords of one message
    stays = (await story.api.json("GET", "/v1/encounters", story.keys["home"], 200))["items"]
    (other,) = [one["id"] for one in stays if one["id"] != story.ids["encounter_id"]]
    for who in ("home", "plan", "operator"):
        (event,) = await events(story, who)
        assert (event["status"], event["reason"], event["superseded_by"]) == ("excluded", reason, None)
        assert f"rests_on: stay {other}" in event["reasons"], who


async def test_an_acknowledged_notice_of_the_admission_is_transitions_of_care(story: World) -> None:
    told = (await story.api.json("GET", "/v1/notifications", story.keys["home"], 200))["items"]
    admitted = next(one for one in told if one["type"] == "encounter.admitted")
    assert [one["status"] for one in await events(story, "plan", "TRC-NIA")] == ["not_met"], "acknowledged four days later"
    await story.api.json("POST", f"/v1/notifications/{admitted['id']}/acknowledge", story.keys["home"], 200)
    follow_up = (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200))["items"][0]
    fact = {"fact": "received", "at": "2026-03-06T14:45:00-05:00", "via": "fax"}
    await story.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/summary", story.keys["home"], 201, json=fact)
    until(story, datetime(2026, 3, 9, 6, tzinfo=UTC))
    await story.stage.pass_time()
    for who in ("home", "plan"):
        (received,) = await events(story, who, "TRC-RDI")
        assert (received["status"], received["reason"], received["met_7_on"]) == ("met", "information_in_window", "2026-03-06")
        assert any(one.startswith("rests_on: summary_fact ") for one in received["reasons"])
        (shown,) = (await story.api.json("GET", "/v1/follow-ups", story.keys[who], 200))["items"]
        of_follow_up = {one["measure"]: one for one in shown["measures"]}
        assert of_follow_up["TRC-RDI"]["reasons"] == received["reasons"]
        assert (of_follow_up["TRC-NIA"]["status"], of_follow_up["TRC-PED"]["status"]) == ("not_met", "pending")
