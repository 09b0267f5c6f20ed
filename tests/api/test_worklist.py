"""The worklist, contacts, members, reported stays, panels and subscriptions, as those who use them do."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.api.world import ADMIN_KEY, ANN_AT_HOME, ANN_AT_PLAN, World, load_panel, tell_the_story
from tests.support.messages import adt

REACHED = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "reached", "with": "patient", "role": "coordinator"}
CONTACT_CLOCK = "mainecare_bhh.contact_2bd"


async def _follow_up(world: World, who: str = "home") -> dict[str, Any]:
    (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return dict(found)


async def test_the_worklist_holds_anns_discharge_with_its_clocks(story: World) -> None:
    found = await _follow_up(story)
    assert (found["state"], found["anchor_on"], found["assignee"], found["home"]["name"]) == ("open", "2026-03-06", "C. Sample", "Home B")
    assert found["encounter"]["id"] == story.ids["encounter_id"]
    clocks = {clock["id"]: clock for clock in found["clocks"]}
    assert clocks[CONTACT_CLOCK]["state"] == "pending"
    assert {status["measure"] for status in found["measures"]} >= {"FUH"}
    assert await story.api.json("GET", f"/v1/follow-ups/{found['id']}", story.keys["home"], 200) == found
    of_plan = await _follow_up(story, "plan")
    assert [clock["state"] for clock in of_plan["clocks"]] == [clock["state"] for clock in found["clocks"]]
    assert of_plan["assignee"] is None


async def test_an_instant_in_an_address_may_lose_its_plus(story: World) -> None:
    """Our own instants end in +00:00; pasted into an address the plus becomes a space."""
    shown = await _follow_up(story)
    page = await story.api.get(f"/v1/follow-ups?changed_since={shown['updated_at']}", story.keys["home"])
    assert "+00:00" in shown["updated_at"]
    assert [one["id"] for one in page.json()["items"]] == [shown["id"]]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"status": "open"}, 1),
        ({"status": ["closed", "open"]}, 1),
        ({"status": "closed"}, 0),
        ({"due_before": "2026-03-07T00:00:00Z"}, 0),
        ({"due_before": "2026-05-01T00:00:00Z"}, 1),
        ({"program": "mainecare_bhh"}, 1),
        ({"program": "BHH"}, 1),
        ({"program": "tcm"}, 0),
        ({"program": "unheard of"}, 0),
        ({"assignee": "C. Sample"}, 1),
        ({"assignee": "nobody"}, 0),
        ({"changed_since": "2026-03-01T00:00:00Z"}, 1),
        ({"changed_since": "2026-04-01T00:00:00Z"}, 0),
        ({"facility": "hospital"}, 1),
        ({"facility": "home"}, 0),
        ({"home": "home"}, 1),
    ],
)
async def test_the_worklist_is_narrowed(story: World, params: dict[str, Any], found: int) -> None:
    wanted = {name: story.ids.get(value, value) if isinstance(value, str) else value for name, value in params.items()}
    page = await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params=wanted)
    assert len(page["items"]) == found


async def test_a_contact_says_at_once_what_it_satisfied_and_what_not(story: World) -> None:
    path = f"/v1/follow-ups/{(await _follow_up(story))['id']}/contacts"
    missed = await story.api.json("POST", path, story.keys["home"], 201, json={**REACHED, "outcome": "no_answer", "author": "C. Sample"})
    assert missed["satisfied"] == []
    assert all(effect["reasons"] for effect in missed["effects"])
    reached = await story.api.json("POST", path, story.keys["home"], 201, json={**REACHED, "content": ["safety_screen"], "note": "Well."})
    assert CONTACT_CLOCK in reached["satisfied"]
    assert {clock["id"]: clock["satisfied_by"] for clock in reached["follow_up"]["clocks"]}[CONTACT_CLOCK] == reached["id"]
    assert [contact["outcome"] for contact in (await _follow_up(story))["contacts"]] == ["no_answer", "reached"]
    assert (missed["author"], reached["note"], reached["content"]) == ("C. Sample", "Well.", {"safety_screen": True})
    void = f"/v1/contacts/{reached['id']}/void"
    voided = await story.api.json("POST", void, story.keys["home"], 200, json={"reason": "wrong person"})
    assert voided["voided_at"] is not None
    assert {clock["id"]: clock["state"] for clock in voided["follow_up"]["clocks"]}[CONTACT_CLOCK] == "pending"
    assert await story.api.json("POST", void, story.keys["home"], 200, json={"reason": "again"}) == voided


async def test_the_same_request_twice_records_one_contact(story: World) -> None:
    path, key = f"/v1/follow-ups/{(await _follow_up(story))['id']}/contacts", {"Idempotency-Key": "visit-17"}
    answers = await asyncio.gather(*(story.api.post(path, story.keys["home"], json=REACHED, headers=key) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotency-replayed", "") for answer in answers) == ["", "true", "true", "true"]
    assert {tuple(answer.json()["satisfied"]) for answer in answers} == {tuple(answers[0].json()["satisfied"])}
    other = await story.api.post(path, story.keys["home"], json={**REACHED, "note": "x"}, headers=key)
    assert other.json()["type"] == "urn:warm-handoff:problem:idempotency-conflict"
    assert len((await _follow_up(story))["contacts"]) == 1


async def test_a_contact_replaces_only_a_voided_one_of_its_follow_up(story: World) -> None:
    home, path = story.keys["home"], f"/v1/follow-ups/{(await _follow_up(story))['id']}/contacts"
    review = {"med_rec": {"done": False, "discrepancies": 2}, "phq9": 0}
    wrong = await story.api.json("POST", path, home, 201, json={**REACHED, "content": review})
    assert wrong["content"] == {"med_rec": False, "phq9": 0}, "what was not done is not shown as its number"
    for corrected in (wrong["id"], "con_" + "0" * 32):
        refused = await story.api.json("POST", path, home, 422, json={**REACHED, "corrected_of": corrected})
        assert refused["errors"][0]["pointer"] == "/corrected_of"
    await story.api.json("POST", f"/v1/contacts/{wrong['id']}/void", home, 200, json={"reason": "wrong day"})
    await story.api.json("POST", path, home, 201, json={**REACHED, "corrected_of": wrong["id"]})


async def test_a_refused_contact_leaves_its_key_free(story: World) -> None:
    path, key = f"/v1/follow-ups/{(await _follow_up(story))['id']}/contacts", {"Idempotency-Key": "k"}
    refused = await story.api.post(
        path, story.keys["home"], json={**REACHED, "type": "pigeon", "occurred_at": "yesterday", "npi": 7}, headers=key
    )
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/type", "/occurred_at", "/npi"}
    assert (await story.api.post(path, story.keys["plan"], json=REACHED, headers=key)).status_code == 404
    assert (await story.api.post(path, story.keys["home"], json=REACHED, headers=key)).status_code == 201


async def test_a_follow_up_changes_hands_and_is_closed(story: World) -> None:
    path = f"/v1/follow-ups/{(await _follow_up(story))['id']}"
    assert [(one["staff"], one["ends_at"]) for one in (await _follow_up(story))["owners"]] == [("C. Sample", None)]
    for _ in range(2):  # the second changes nothing
        given = await story.api.json("POST", f"{path}/assign", story.keys["home"], 200, json={"assignee": "N. Sample"})
        assert given["assignee"] == "N. Sample"
        (first, second) = given["owners"]
        assert (first["staff"], first["organization_id"], first["starts_at"]) == ("C. Sample", story.ids["home"], given["opened_at"])
        assert (first["ends_at"], second["staff"], second["ends_at"]) == (second["starts_at"], "N. Sample", None)
    nobody = await story.api.json("POST", f"{path}/assign", story.keys["home"], 200, json={"assignee": None})
    assert nobody["assignee"] is None
    closed = await story.api.json("POST", f"{path}/close", story.keys["home"], 200, json={"reason": "completed"})
    assert (closed["state"], closed["close_reason"]) == ("closed", "completed")
    assert (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params={"status": "open"}))["items"] == []
    for verb, body in (("assign", {"assignee": None}), ("close", {"reason": "x"})):
        assert (await story.api.post(f"{path}/{verb}", story.keys["plan"], json=body)).status_code == 404


async def test_a_plan_asks_what_became_of_its_member(story: World) -> None:
    plan = story.keys["plan"]
    for search in ({"identifier": "MAINECARE|MC1"}, {"identifier": {"system": "mainecare", "value": "MC1", "type": "MA"}},
                   {"identifier": "HOSPA|M1"}, {"identifier": "PLANC|P-77", "as_of": "2026-03-06"}):  # fmt: skip
        (member,) = (await story.api.json("POST", "/v1/members/search", plan, 200, json=search))["items"]
        assert member["id"] == story.ids["person_id"]
    by_address = await story.api.json("GET", "/v1/members", plan, 200, params={"identifier": "MAINECARE|MC1"})
    assert by_address["items"] == [member]
    assert [claim["program"] for claim in member["coverage"]] == ["BHH"]
    assert "H-1" not in str(member)  # what the home calls her is the home's
    page = await story.api.json("GET", f"/v1/members/{member['id']}/follow-ups", plan, 200)
    assert [item["id"] for item in page["items"]] == [(await _follow_up(story))["id"]]
    for unknown in ("MAINECARE|MC2", "HOMEB|H-1x"):
        assert (await story.api.json("POST", "/v1/members/search", plan, 200, json={"identifier": unknown}))["items"] == []
    early = {"identifier": "MAINECARE|MC1", "as_of": "2025-01-01"}
    assert (await story.api.json("POST", "/v1/members/search", plan, 200, json=early))["items"] == []
    assert (await story.api.get("/v1/members", ADMIN_KEY, params={"identifier": "MAINECARE|MC1"})).status_code == 422
    of_operator = {"identifier": "MAINECARE|MC1", "organization_id": story.ids["plan"]}
    assert len((await story.api.json("GET", "/v1/members", ADMIN_KEY, 200, params=of_operator))["items"]) == 1


async def test_an_agency_that_covers_a_person_sees_status_only(world: World) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "State Agency E", "kind": "agency"})
    world.ids["agency"] = made["id"]
    world.keys["agency"] = await world.key("agency", "follow-ups.read", "members.read", "panels.write")
    await load_panel(world, "agency", ANN_AT_PLAN.replace("PLANC", "STATEE"))
    await tell_the_story(world)
    path = f"/v1/follow-ups/{(await _follow_up(world))['id']}/contacts"
    await world.api.json("POST", path, world.keys["home"], 201, json={**REACHED, "note": "Cried a lot."})
    of_agency, of_plan = await _follow_up(world, "agency"), await _follow_up(world, "plan")
    hidden = {"person": None}
    assert {**of_agency, **hidden} == {**of_plan, **hidden}
    assert (of_agency["contacts"], of_agency["owners"], of_agency["assignee"]) == ([], [], None)
    assert "diagnoses" not in of_agency["encounter"]
    assert "Cried" not in str(of_agency)


@pytest.mark.parametrize("kind", ["plan", "agency"])
async def test_a_covered_person_whom_no_home_claims_has_a_follow_up_without_a_home(world: World, kind: str) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Payer F", "kind": kind})
    world.ids["payer"] = made["id"]
    world.keys["payer"] = await world.key("payer", "follow-ups.read", "panels.write")
    columns = "first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
    await load_panel(world, "payer", columns + "Bea,Birch,1981-01-02,F,MC8,BHH,2026-01-01\n")
    bea: dict[str, Any] = {"mrn": "M8", "medicaid": "MC8", "visit": "V8", "name": "Birch^Bea", "born": "19810102"}
    ended = "20260306142500-0500"
    await world.send(adt("A03", ended, control="C8", admitted="20260302100000-0500", discharged=ended, disposition="01", **bea))
    seen = await _follow_up(world, "payer")
    assert (seen["home"], seen["clocks"], seen["state"]) == (None, [], "open")
    assert "FUH" in {measure["measure"] for measure in seen["measures"]}


@pytest.mark.parametrize("patient_class", ["", "B"])
async def test_an_admission_is_told_and_followed_up_also_without_a_class_and_in_obstetrics(world: World, patient_class: str) -> None:
    stay: dict[str, Any] = {"admitted": "20260302100000-0500", "patient_class": patient_class}
    ended = "20260306142500-0500"
    await world.send(adt("A01", "20260302100000-0500", control="C1", **stay))
    await world.send(adt("A03", ended, control="C2", discharged=ended, disposition="01", **stay))
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert [item["type"] for item in told] == ["encounter.admitted", "encounter.discharged"]
    assert (await _follow_up(world))["state"] == "open"


async def test_a_preference_names_a_program_as_follow_ups_do(world: World) -> None:
    rules = {"rules": [{"programs": ["mainecare_bhh"], "event_types": ["encounter.admitted"], "tell": False}]}
    await world.api.json("PUT", f"/v1/organizations/{world.ids['home']}/preferences", ADMIN_KEY, 200, json=rules)
    await tell_the_story(world)
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert [item["type"] for item in told] == ["encounter.discharged"]
    assert (await _follow_up(world))["state"] == "open"


async def test_a_number_that_a_roster_gave_without_a_system_is_shown_to_its_owner_and_finds_the_member(world: World) -> None:
    columns = "member_id,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
    await load_panel(world, "plan", columns + "P-78,Bea,Birch,1981-01-02,F,MC8,BHH,2026-01-01\n")
    await load_panel(world, "home", columns + "H-78,Bea,Birch,1981-01-02,F,MC8,BHH,2026-01-01\n")
    plan, own = world.keys["plan"], world.ids["plan"]
    for identifier in ("|P-78", f"{own}|P-78", "|MC8"):
        (member,) = (await world.api.json("POST", "/v1/members/search", plan, 200, json={"identifier": identifier}))["items"]
        assert member["person"]["identifiers"] == [
            {"system": "", "type": "MA", "value": "MC8"},
            {"system": own, "type": "", "value": "P-78"},
        ]
    assert (await world.api.json("POST", "/v1/members/search", plan, 200, json={"identifier": "|H-78"}))["items"] == []
    await world.send(
        adt("A01", "20260302100000-0500", control="C8", mrn="M8", medicaid="MC8", visit="V8", name="Birch^Bea", born="19810102")
    )
    (told,) = (await world.api.json("GET", "/v1/notifications", plan, 200))["items"]
    assert [(one["system"], one["value"]) for one in told["person"]["identifiers"]] == [
        ("HOSPA", "M8"), ("MAINECARE", "MC8"), (own, "P-78")
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["plan", "agency"])
async def test_who_covers_a_person_sees_status_and_no_word_of_the_home(story: World, kind: str) -> None:
    made = await story.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Payer E", "kind": kind})
    story.ids["payer"] = made["id"]
    story.keys["payer"] = await story.key("payer", "follow-ups.read", "panels.write")
    await load_panel(story, "payer", ANN_AT_PLAN)
    path = f"/v1/follow-ups/{(await _follow_up(story))['id']}"
    said = {**REACHED, "note": "UNSAYABLE", "next_action": "UNSAYABLE", "author": "C. Sample"}
    await story.api.json("POST", f"{path}/contacts", story.keys["home"], 201, json=said)
    await story.api.json("POST", f"{path}/close", story.keys["home"], 200, json={"reason": "UNSAYABLE"})
    shown = await story.api.get(path, story.keys["payer"])
    seen = shown.json()
    assert (seen["state"], seen["contacts"], seen["owners"], seen["assignee"], seen["close_reason"]) == ("closed", [], [], None, None)
    assert "UNSAYABLE" not in shown.text
    assert "F32" not in shown.text
    assert {tuple(clock["reasons"]) for clock in seen["clocks"] if clock["state"] == "missed"} == {("closed_by_home",)}
    assert "UNSAYABLE" in (await story.api.get(path, story.keys["home"])).text


async def test_a_stay_that_a_home_learned_of_itself_is_followed_up(world: World) -> None:
    report = {
        "person": {"identifiers": [{"system": "MAINECARE", "type": "MA", "value": "MC1"}], "first_name": "Ann", "last_name": "Alder",
                   "birth_date": "1980-01-02", "sex": "F"},
        "facility_name": "Hospital far away", "class": "inpatient", "admitted_at": "2026-03-01T08:00:00Z",
        "discharged_at": "2026-03-05T15:00:00Z", "told_by": "the patient's sister",
    }  # fmt: skip
    made = await world.api.json("POST", "/v1/encounters", world.keys["home"], 201, json=report)
    assert (made["source"], made["facility"]["name"], made["reported_by"]) == ("reported", "Hospital far away", world.ids["home"])
    found = await _follow_up(world)
    assert (found["source"], found["state"], found["encounter"]["id"]) == ("reported", "open", made["id"])
    # One stay says what papers there are; a list has not looked for any.
    papers = {"documents": [], "documents_total": 0, "has_discharge_summary": False}
    (listed,) = (await world.api.json("GET", "/v1/encounters", world.keys["home"], 200, params={"source": "reported"}))["items"]
    assert {**listed, **papers} == made
    assert papers.keys().isdisjoint(listed)
    assert (await world.api.get(f"/v1/encounters/{made['id']}", world.keys["stranger"])).status_code == 404
    # The home claims the person, so what it reports is their plan's news too.
    of_plan = await _follow_up(world, "plan")
    assert (of_plan["id"], of_plan["source"], of_plan["contacts"]) == (found["id"], "reported", [])
    for change in ({"facility_name": None}, {"facility_id": world.ids["hospital"]}, {"admitted_at": None, "discharged_at": None},
                   {"discharged_at": "2026-02-01T00:00:00Z"}, {"discharged_at": "2030-01-01T00:00:00Z"},
                   {"admitted_at": "0001-01-01T00:00:00Z"}):  # fmt: skip
        assert (await world.api.post("/v1/encounters", world.keys["home"], json={**report, **change})).status_code == 422


async def test_encounters_are_narrowed_and_paged(story: World) -> None:
    home = story.keys["home"]
    for params, count in (
        ({"class": "inpatient"}, 1), ({"class": "emergency"}, 0), ({"status": "finished"}, 1), ({"person_id": story.ids["person_id"]}, 1),
        ({"facility": story.ids["hospital"]}, 1), ({"changed_since": "2030-01-01T00:00:00Z"}, 0), ({"limit": 1}, 1),
    ):  # fmt: skip
        page = await story.api.json("GET", "/v1/encounters", home, 200, params=params)
        assert (len(page["items"]), page["next"]) == (count, None), params
    whole = await story.api.json("GET", f"/v1/encounters/{story.ids['encounter_id']}", home, 200)
    assert [diagnosis["code"] for diagnosis in whole["diagnoses"]] == ["F32.2", "F32.2"]
    assert whole["person"]["last_name"] == "Alder"


async def test_a_roster_says_what_it_changed_and_gives_back_what_it_refused(world: World) -> None:
    path, key = f"/v1/panels/{world.ids['home']}", world.keys["home"]
    csv = ANN_AT_HOME + "H-2,HOMEB,Bob,Birch,1970-13-40,M,MC2,BHH,2026-01-01,\n" + "H-3,HOMEB,Cy,Cedar,1970-05-06,M,MC3,BHH,2026-01-01,\n"
    headers = {"content-type": "text/csv"}
    dry = await world.api.json("POST", f"{path}/uploads", key, 200, content=csv, headers=headers, params={"dry_run": True})
    assert (dry["accepted"], dry["rejected"], dry["added"], dry["dry_run"]) == (2, 1, 1, True)
    real = await load_panel(world, "home", csv)
    assert (real["added"], real["unchanged"], real["removed"]) == (1, 1, 0)
    assert [(error["row"], error["column"]) for error in real["errors"]] == [(3, "birth_date")]
    refused = await world.api.get(f"{path}/uploads/{real['id']}/rejected.csv", key)
    assert refused.headers["content-type"].startswith("text/csv")
    assert refused.text.splitlines()[1].startswith("H-2,HOMEB,Bob,Birch")
    mended = refused.text.replace("1970-13-40", "1970-12-30")
    assert (await load_panel(world, "home", mended, mode="delta"))["added"] == 1
    members = await world.api.json("GET", f"{path}/members", key, 200)
    assert sorted(claim["cells"]["last_name"] for claim in members["items"]) == ["Alder", "Birch", "Cedar"]
    assert (await world.api.json("GET", f"{path}/members", key, 200, params={"as_of": "2025-01-01"}))["items"] == []
    uploads = await world.api.json("GET", f"{path}/uploads", key, 200, params={"limit": 2})
    assert uploads["items"][0]["mode"] == "delta"
    assert uploads["next"] is not None
    for text in ("", "nothing,like,a,roster\n1,2,3,4\n"):
        nothing = await world.api.post(f"{path}/uploads", key, content=text, headers=headers)
        assert nothing.status_code == 422
        assert nothing.json()["rows"][0]["message"]
    assert (await world.api.post(f"{path}/uploads", world.keys["plan"], content=csv, headers=headers)).status_code == 404


async def test_a_subscription_is_made_changed_paused_tested_and_its_secret_rotated(story: World) -> None:
    home = story.keys["home"]
    made = await story.api.json("POST", "/v1/subscriptions", home, 201, json={"url": "https://receiver.example.org/x", "start_after": 0})
    assert made["secret"].startswith("whsec_")
    path = f"/v1/subscriptions/{made['id']}"
    shown = await story.api.json("GET", path, home, 200)
    assert "secret" not in shown
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    changed = await story.api.json("PATCH", path, home, 200, json={"event_types": ["encounter.discharged"], "order_mode": "latest"})
    assert (changed["event_types"], changed["order_mode"], changed["url"]) == (["encounter.discharged"], "latest", made["url"])
    assert (await story.api.json("POST", f"{path}/pause", home, 200, json={"reason": "holidays"}))["status_reason"] == "holidays"
    assert (await story.api.json("POST", f"{path}/pause", home, 200))["status"] == "paused"
    assert (await story.api.json("POST", f"{path}/resume", home, 200))["status"] == "active"
    rotated = await story.api.json("POST", f"{path}/rotate-secret", home, 200)
    assert rotated["secret"] != made["secret"]
    assert rotated["secrets_in_force"] == 2
    tested = await story.api.json("POST", f"{path}/test", home, 200)
    assert (tested["outcome"], tested["status_code"]) == ("delivered", 204)
    assert (await story.api.json("GET", f"{path}/deliveries", home, 200))["items"] == []
    assert (await story.api.json("POST", f"{path}/redrive", home, 202, json={}))["queued"] == 0
    assert len((await story.api.json("GET", "/v1/subscriptions", home, 200))["items"]) == 1
    refused = await story.api.json("POST", "/v1/subscriptions", home, 422, json={"url": "http://receiver.example.org/x"})
    assert refused["errors"][0]["pointer"] == "/url"
    for body in ({"sequence_from": 5, "sequence_to": 1}, {"created_from": "2026-03-02T00:00:00Z", "created_to": "2026-03-01T00:00:00Z"}):
        assert (await story.api.post(f"{path}/redrive", home, json=body)).status_code == 422


async def test_a_contact_in_the_future_is_refused_and_one_of_now_is_not(story: World) -> None:
    path = f"/v1/follow-ups/{(await _follow_up(story))['id']}/contacts"
    now = story.stage.clock.now()
    for later, status in ((timedelta(hours=1), 422), (timedelta(0), 201)):
        body = {**REACHED, "occurred_at": (now + later).isoformat()}
        assert (await story.api.post(path, story.keys["home"], json=body)).status_code == status
