"""Who is told, who leads and who is too late, through the rooms and the HTTP face (domain section 3.4)."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from app import wiring
from app.settings import load_settings
from app.store import practitioners
from app.store.ended_rights import not_to_be_sent
from app.store.practitioners import Practitioner
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, DISCHARGE, EVERY_SCOPE, NOW, NoSender, World, load_panel
from tests.support.messages import adt
from tests.support.waiting import somebody_waits

COLUMNS = "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,effective_to,basis\n"


def ann(number: str, *, since: str = "2026-01-01", until: str = "", basis: str = "", program: str = "BHH") -> str:
    return f"{COLUMNS}{number},SYS,Ann,Alder,1980-01-02,F,MC1,{program},{since},{until},{basis}\n"


async def organization(world: World, who: str, kind: str, **more: Any) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": who.title(), "kind": kind, **more})
    world.ids[who] = made["id"]
    world.keys[who] = await world.key(who, *EVERY_SCOPE)


async def told(world: World, who: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await world.api.json("GET", "/v1/notifications", world.keys[who], 200))["items"]
    return items


async def worklist(world: World, who: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return items


async def why(world: World, **query: str) -> dict[str, Any]:
    asked: dict[str, Any] = await world.api.json("GET", f"/v1/encounters/{world.ids['encounter_id']}/why", ADMIN_KEY, 200, params=query)
    return asked


async def test_two_homes_of_one_program_are_told_and_one_leads_and_follows_up(world: World) -> None:
    await organization(world, "other", "behavioral_health_home")
    await load_panel(world, "other", ann("O-1", basis="choice"))
    await world.send(ADMIT, DISCHARGE)
    for who, leads in (("home", False), ("other", True), ("plan", None)):
        last = (await told(world, who))[-1]
        assert last["type"] == "encounter.discharged"
        assert last["attribution"]["lead"] is leads, who
    assert "another home leads" in (await told(world, "home"))[-1]["reason"]
    assert [one["home"]["id"] for one in await worklist(world, "other")] == [world.ids["other"]]
    assert await worklist(world, "home") == []


async def test_a_stronger_claim_that_arrives_later_takes_the_lead_and_the_weaker_home_hears_of_it(story: World) -> None:
    assert [one["state"] for one in await worklist(story, "home")] == ["open"]
    await organization(story, "other", "behavioral_health_home")
    await load_panel(story, "other", ann("O-1", basis="choice"))
    await story.stage.settle()
    (lost,) = await worklist(story, "home")
    assert lost["state"] == "void"
    assert lost["state_reasons"][0].startswith("not_lead: another home leads mainecare_bhh: the person chose this home")
    assert [one["state"] for one in await worklist(story, "other")] == ["open"]
    last = (await told(story, "home"))[-1]
    assert (last["type"], last["event"], last["attribution"]["lead"]) == ("encounter.updated", "discharged", False)


async def test_homes_of_different_programs_both_follow_up(world: World) -> None:
    await organization(world, "other", "health_home", program_roles=["health_home"])
    await load_panel(world, "other", ann("O-1", program="Health Home"))
    await world.send(ADMIT, DISCHARGE)
    assert len(await worklist(world, "other")) == len(await worklist(world, "home")) == 1
    assert [(await told(world, who))[-1]["attribution"]["lead"] for who in ("home", "other")] == [True, True]


async def test_a_late_claim_is_told_and_marked_and_its_clocks_are_due_as_they_would_have_been(story: World) -> None:
    await organization(story, "late", "health_home", program_roles=["health_home"])
    (first,) = await worklist(story, "home")
    story.stage.clock.set(NOW + timedelta(days=20))
    await load_panel(story, "late", ann("L-1", program="BHH"))
    await story.stage.settle()
    caught_up = await told(story, "late")
    assert [one["event"] for one in caught_up] == ["admitted", "discharged"]
    assert all(one["catch_up"] and one["notices"][0]["code"] == "late_attribution" for one in caught_up)
    assert not any(one.get("catch_up") for one in await told(story, "home"))
    assert first["anchor_at"] == "2026-03-06T19:25:00+00:00"
    why = await story.api.json("GET", f"/v1/notifications/{caught_up[-1]['id']}/why", story.keys["late"], 200)
    assert any("late_attribution" in reason and "20 days" in reason for reason in why["now"]["reasons"])


async def test_a_late_home_takes_over_clocks_that_are_overdue_as_they_were_due(story: World) -> None:
    await organization(story, "late", "behavioral_health_home")
    story.stage.clock.set(NOW + timedelta(days=10))
    await load_panel(story, "late", ann("L-1", basis="choice"))
    await story.stage.settle()
    (follow_up,) = await worklist(story, "late")
    due = {clock["id"]: (clock["due_at"], clock["state"]) for clock in follow_up["clocks"]}
    assert due["mainecare_bhh.contact_2bd"] == ("2026-03-11T03:59:59+00:00", "overdue")


async def test_a_claim_that_becomes_known_after_thirty_days_is_recorded_and_not_told(story: World) -> None:
    await organization(story, "late", "health_home", program_roles=["health_home"])
    story.stage.clock.set(NOW + timedelta(days=31))
    await load_panel(story, "late", ann("L-1"))
    await story.stage.settle()
    assert await told(story, "late") == []
    assert await worklist(story, "late") == []
    asked = await why(story, organization_id=story.ids["late"])
    (candidate,) = asked["candidates"]
    assert candidate["told"] is False
    assert "31 days after the stay ended" in candidate["why"][0]
    assert {line["decision"] for line in candidate["ledger"]} == {"late"}
    # Said anew by the next roster: what was told in time stays told.
    await load_panel(story, "home", ANN_AT_HOME.replace("C. Sample", "D. Sample"))
    await story.stage.settle()
    kept = [one["type"] for one in await told(story, "home") if one["type"] != "follow_up.overdue"]
    assert kept == ["encounter.admitted", "encounter.discharged"]


async def test_a_claim_that_was_taken_back_before_the_stay_and_comes_back_late_is_late(world: World) -> None:
    """The home's roster ended Ann's claim in time; two months after her stay she is on it again, from the day she was."""
    await load_panel(world, "home", ann("H-1", until="2026-02-01").replace("SYS", "HOMEB"))
    world.stage.clock.advance(minutes=5)
    await world.send(ADMIT, DISCHARGE)
    assert await told(world, "home") == []
    world.stage.clock.set(NOW + timedelta(days=60))
    await load_panel(world, "home", ANN_AT_HOME)
    await world.stage.settle()
    assert await told(world, "home") == []
    assert await worklist(world, "home") == []


async def test_a_claim_that_is_taken_back_for_the_day_reads_as_withdrawn(story: World) -> None:
    await load_panel(story, "home", ann("H-1", until="2026-02-01").replace("SYS", "HOMEB"))
    await story.stage.settle()
    seen = await told(story, "home")
    assert [one["type"] for one in seen] == [
        "notification.withdrawn",
        "notification.withdrawn",
        "encounter.cancelled",
        "encounter.cancelled",
    ]
    assert seen[0].keys() == {"sequence", "id", "type"}
    assert seen[-1]["reason"].startswith("attribution_ended")
    (follow_up,) = await worklist(story, "home")
    assert follow_up["state"] == "void"


async def test_what_has_not_left_yet_stays_here_when_the_claim_is_over(story: World) -> None:
    """The claim held on the day of the event and ends before the push: nothing leaves any more, and reading stays as it was."""
    told_before = await told(story, "home")
    ids = {_uuid(one["id"]) for one in told_before}

    async def kept_back() -> int:
        async with story.stage.pipeline.transaction() as raw:
            return len(await not_to_be_sent(raw, ids, story.stage.clock.now()))

    assert await kept_back() == 0
    await load_panel(story, "home", ann("H-1", until="2026-03-08").replace("SYS", "HOMEB"))
    await story.stage.settle()
    story.stage.clock.set(NOW + timedelta(days=3))
    # While its follow-up is open the home is still responsible.
    assert await kept_back() == 0
    (follow_up,) = await worklist(story, "home")
    await story.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/close", story.keys["home"], 200, json={"reason": "completed"})
    assert await kept_back() == len(ids)
    assert [one["type"] for one in await told(story, "home")] == [one["type"] for one in told_before]


async def test_a_push_that_waits_is_not_sent_when_the_claim_is_taken_back(story: World) -> None:
    """The webhook was down while the roster said that Ann had left before the admission: her stay does not leave any more."""
    url = "https://receiver.example.org/handoff"
    made = await story.api.json("POST", "/v1/subscriptions", story.keys["home"], 201, json={"url": url})
    await story.api.json("POST", f"/v1/subscriptions/{made['id']}/redrive", story.keys["home"], 202, json={"sequence_from": 1})
    await load_panel(story, "home", ann("H-1", until="2026-02-01").replace("SYS", "HOMEB"))
    await story.stage.settle()
    sender = NoSender()
    settings = load_settings({"HANDOFF_WORKERS": "1", "HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst"})
    deliverer = wiring.build_deliverer(
        settings,
        story.stage.work,
        wiring.keys_of(settings),
        wiring.rulebook(),
        sender,
        clock=story.stage.clock,
        ids=wiring.SystemIds(),
        on_defect=_raise,
        on_recorded=lambda _round: None,
    )
    withdrawn = 0
    while not (round_ := await deliverer.deliver_once()).idle:
        withdrawn += round_.withdrawn
    assert withdrawn == 2
    types = [json.loads(request.body)["type"] for request in sender.taken]
    assert types == ["encounter.cancelled", "encounter.cancelled"]
    assert not any(b"Alder" in request.body for request in sender.taken)


def _raise(error: Exception) -> None:
    raise error


async def test_why_them_and_why_not_them(story: World) -> None:
    await organization(story, "other", "behavioral_health_home")
    await load_panel(story, "other", ann("O-1", since="2026-03-10"))
    await story.stage.settle()
    asked = await why(story)
    told_of = {one["organization"]["id"]: one for one in asked["candidates"]}
    assert set(told_of) == {story.ids[who] for who in ("home", "plan", "other")}
    assert asked["precedence"] == "attribution/2026-11"
    home, other = told_of[story.ids["home"]], told_of[story.ids["other"]]
    assert home["told"]
    assert any(reason.startswith("claimed as behavioral_health_home for BHH") for reason in home["why"])
    assert [event["event"] for event in home["events"]] == ["admitted", "discharged"]
    assert home["follow_up"]["state"] == "open"
    assert not other["told"]
    assert other["why"] == ["not_on_the_day: its claims (2026-03-10 to open) do not hold on 2026-03-06"]
    (stranger,) = (await why(story, organization_id=story.ids["stranger"]))["candidates"]
    assert stranger["why"] == ["no_claim: no panel of this organization names the person, and no message names a practitioner of it"]
    for who, status in (("home", 403), ("stranger", 404)):
        path = f"/v1/encounters/{story.ids['encounter_id']}/why"
        assert (await story.api.get(path, story.keys[who])).status_code == status


PCP = "1245319599"
NAMED = f"{PCP}^Elm^Erin^^^^^^NPI&2.16.840.1.113883.4.6&ISO^L^^^NPI"


def naming(message: bytes, segment: str) -> bytes:
    head, pv1, tail = message.partition(b"PV1|")
    return head + segment.encode() + b"\r" + pv1 + tail


async def test_an_organization_whose_practitioner_the_message_names_is_told_on_a_lower_ground(world: World) -> None:
    await organization(world, "practice", "health_home", program_roles=["primary_care_plus"])
    added = {"npi": PCP, "effective_from": "2026-01-01"}
    path = f"/v1/organizations/{world.ids['practice']}/practitioners"
    for _ in range(2):
        await world.api.json("POST", path, ADMIN_KEY, 201, json=added)
    assert [one["npi"] for one in (await world.api.json("GET", path, ADMIN_KEY, 200))["items"]] == [PCP]
    assert (await world.api.post(path, world.keys["practice"], json=added)).status_code == 403
    await world.send(naming(ADMIT, f"PD1||||{NAMED}"), DISCHARGE)
    seen = await told(world, "practice")
    assert [one["type"] for one in seen] == ["encounter.admitted", "encounter.discharged"]
    assert seen[-1]["person"]["last_name"] == "Alder"
    assert seen[-1]["attribution"]["role"] == "pcp"
    assert (seen[-1]["attribution"]["basis"], seen[-1]["attribution"]["lead"]) == ("named_in_message", None)
    assert seen[-1]["reason"].startswith("named as pcp")
    assert await worklist(world, "practice") == []
    stay = await world.api.json("GET", f"/v1/encounters/{seen[-1]['encounter']['id']}", world.keys["practice"], 200)
    assert stay["status"] == "finished"
    # On a panel it is a claim: that counts before what the message says.
    await load_panel(world, "practice", ann("P-1", program="TCM"))
    await world.stage.settle()
    world.ids["encounter_id"] = seen[-1]["encounter"]["id"]
    (candidate,) = (await why(world, organization_id=world.ids["practice"]))["candidates"]
    assert any(reason.startswith("claimed as health_home for TCM") for reason in candidate["why"])


async def test_a_practitioner_who_is_added_by_two_at_once_is_added_once(world: World) -> None:
    path, stranger = f"/v1/organizations/{world.ids['stranger']}/practitioners", _uuid(world.ids["stranger"])
    async with world.stage.pipeline.transaction() as raw:
        first = await practitioners.add(raw, Practitioner(UUID(int=9), PCP, stranger, None, None, NOW - timedelta(days=1)))
        task = asyncio.create_task(world.api.post(path, ADMIN_KEY, json={"npi": PCP}))
        while not await raw.fetchval(somebody_waits()):
            await asyncio.sleep(0.01)
    answer = await task
    assert answer.status_code == 201
    assert answer.json()["asserted_at"] == first.asserted_at.isoformat()


async def test_a_role_segment_names_a_practitioner_too_and_one_that_ended_names_nobody(world: World) -> None:
    await organization(world, "practice", "health_home")
    path = f"/v1/organizations/{world.ids['practice']}/practitioners"
    await world.api.json("POST", path, ADMIN_KEY, 201, json={"npi": PCP})
    await world.send(naming(ADMIT, f"ROL|1|AD|PP|{NAMED}"))
    await world.send(naming(DISCHARGE, f"ROL|1|DE|PP|{NAMED}"))
    assert [one["type"] for one in await told(world, "practice")] == ["notification.withdrawn", "encounter.cancelled"]
    assert (await world.api.call("DELETE", f"{path}/{PCP}", ADMIN_KEY)).status_code == 204
    assert (await world.api.call("DELETE", f"{path}/{PCP}", ADMIN_KEY)).status_code == 404


async def test_who_is_eligible_and_has_no_home_is_a_candidate_for_a_referral(story: World) -> None:
    candidates = "/v1/referral-candidates"
    assert (await story.api.json("GET", candidates, ADMIN_KEY, 200))["items"] == []
    # The home's claim ends before the admission: nobody follows Ann up any more, and the plan still covers her.
    await load_panel(story, "home", ann("H-1", until="2026-02-01").replace("SYS", "HOMEB"))
    await story.stage.settle()
    for key in (ADMIN_KEY, story.keys["plan"]):
        (candidate,) = (await story.api.json("GET", candidates, key, 200))["items"]
        assert candidate["encounter_id"] == story.ids["encounter_id"]
        assert candidate["covered_by"] == [story.ids["plan"]]
        assert [reason.partition(":")[0] for reason in candidate["reasons"]] == [
            "behavioral_diagnosis",
            "medicaid_id",
            "covered",
            "no_home",
        ]
    # Homes are told nothing, and learn nothing by asking.
    for who in ("home", "stranger", "hospital"):
        assert (await story.api.json("GET", candidates, story.keys[who], 200))["items"] == []
    assert (await story.api.json("GET", candidates, ADMIN_KEY, 200, params={"until": "2026-03-05"}))["items"] == []
    assert (await story.api.get(candidates, ADMIN_KEY, params={"since": "2026-03-07", "until": "2026-03-05"})).status_code == 422


async def test_a_page_of_candidates_does_not_give_away_what_is_left_out(world: World) -> None:
    """Ann has three discharges; the two newest are of a Part 2 program, which her plan must not learn of, not even by an empty page."""
    clinic = {"name": "Clinic P", "kind": "hospital", "part2_status": "program"}
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=clinic)
    feed = {
        "organization_id": made["id"],
        "sending_application": "EPIC",
        "sending_facility": "CLINICP",
        "time_zone": "America/New_York",
        "assigning_authority": "CLINICP",
    }
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
    await load_panel(world, "home", ann("H-1", until="2026-02-01").replace("SYS", "HOMEB"))
    await world.send(ADMIT, DISCHARGE)
    candidates = "/v1/referral-candidates"
    before = await world.api.json("GET", candidates, world.keys["plan"], 200, params={"limit": 1})
    assert (len(before["items"]), before["next"]) == (1, None)
    for day in ("07", "08"):
        at = {"admitted": f"202603{day}100000-0500", "discharged": f"202603{day}180000-0500"}
        hidden = adt("A03", at["discharged"], control=f"P{day}", visit=f"P{day}", facility="CLINICP", diagnoses=(("F10.20", "F"),), **at)
        await world.api.post("/hl7v2", ADMIN_KEY, content=hidden, headers={"content-type": "application/hl7-v2"})
    world.stage.clock.set(NOW + timedelta(days=3))
    await world.stage.settle()
    assert len((await world.api.json("GET", candidates, ADMIN_KEY, 200))["items"]) == 3
    assert await world.api.json("GET", candidates, world.keys["plan"], 200, params={"limit": 1}) == before


BO = {"mrn": "M2", "name": "Birch^Bo", "visit": "B1", "admitted": "20260302100000-0500", "discharged": "20260306142500-0500"}
BO_AT_PLAN = "member_id,member_id_system,first_name,last_name,birth_date,sex,mrn,mrn_system,program,effective_from\n"


async def medicaid_said(world: World, key: str) -> bool:
    (one,) = (await world.api.json("GET", "/v1/referral-candidates", key, 200))["items"]
    return any(reason.startswith("medicaid_id") for reason in one["reasons"])


async def test_that_somebody_has_medicaid_is_said_only_where_the_number_may_be_known(world: World) -> None:
    """The plan has Bo by a hospital's number alone; the Medicaid number comes from a clinic under a state's pack, or from a home."""
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Clinic P", "kind": "hospital"})
    origin = {"place": "house", "effective_from": "2020-01-01", "part2_status": "not_program", "mental_health_licensed": True,
              "privacy_pack": "us-me"}  # fmt: skip
    await world.api.json("POST", f"/v1/organizations/{made['id']}/origins", ADMIN_KEY, 201, json=origin)
    feed = {"organization_id": made["id"], "sending_application": "EPIC", "sending_facility": "CLINICP", "time_zone": "America/New_York",
            "assigning_authority": "CLINICP"}  # fmt: skip
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
    await load_panel(world, "plan", BO_AT_PLAN + "P-2,PLANC,Bo,Birch,1980-01-02,F,M2,HOSPA,BHH,2026-01-01\n")
    await world.send(adt("A03", BO["discharged"], control="B1", medicaid=None, diagnoses=(("F32.2", "F"),), **BO))
    assert [await medicaid_said(world, key) for key in (ADMIN_KEY, world.keys["plan"])] == [False, False]
    # A stay there, years ago, which the plan must not know of: its message repeats the hospital's number.
    old = BO | {"mrn": "K2", "visit": "K1", "admitted": "20240302100000-0500", "discharged": "20240306142500-0500"}
    of_clinic = adt("A03", old["discharged"], control="K1", facility="CLINICP", medicaid="MC2", diagnoses=(("F32.2", "F"),), **old)
    of_clinic = of_clinic.replace(b"^MR~", b"^MR~M2^^^HOSPA^MR~", 1)
    answer = await world.api.post("/hl7v2", ADMIN_KEY, content=of_clinic, headers={"content-type": "application/hl7-v2"})
    assert b"MSA|AA|" in answer.content
    await world.stage.settle()
    assert [await medicaid_said(world, key) for key in (ADMIN_KEY, world.keys["plan"])] == [True, False]
    person = (await world.api.json("GET", "/v1/referral-candidates", ADMIN_KEY, 200))["items"][0]["person_id"]
    seen = await world.api.json("GET", f"/v1/people/{person}", world.keys["plan"], 200)
    assert "MC2" not in json.dumps(seen)
    # What another home's panel says is that home's.
    await load_panel(
        world,
        "home",
        BO_AT_PLAN.replace("effective_from", "effective_from,effective_to").replace("mrn,", "mrn,medicaid_id,")
        + "H-2,HOMEB,Bo,Birch,1980-01-02,F,M2,MC2,HOSPA,BHH,2020-01-01,2021-01-01\n",
    )
    await world.stage.settle()
    assert [await medicaid_said(world, key) for key in (ADMIN_KEY, world.keys["plan"])] == [True, False]
    # The plan's own word it may know.
    await load_panel(
        world, "plan", BO_AT_PLAN.replace("mrn,", "mrn,medicaid_id,") + "P-2,PLANC,Bo,Birch,1980-01-02,F,M2,MC2,HOSPA,BHH,2026-01-01\n"
    )
    await world.stage.settle()
    assert await medicaid_said(world, world.keys["plan"])


def _uuid(public: str) -> UUID:
    return UUID(public.rpartition("_")[2])


async def test_why_of_a_notification_has_everybody_else_for_the_operator_alone(story: World) -> None:
    path = f"/v1/notifications/{story.ids['notification_id']}/why"
    seen = await story.api.json("GET", path, ADMIN_KEY, 200)
    assert {one["organization"]["name"]: one["told"] for one in seen["candidates"]} == {"Home B": True, "Plan C": True}
    by_stay = await story.api.json("GET", f"/v1/encounters/{story.ids['encounter_id']}/why", ADMIN_KEY, 200)
    assert seen["candidates"] == by_stay["candidates"]
    assert not (await story.api.json("GET", path, story.keys["home"], 200)).get("candidates")
