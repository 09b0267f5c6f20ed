"""Consents from outside: what a Part 2 program, a licensed house and an identified unit let whom read, on every read and every send."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from app import wiring
from app.domain.delivery import AttemptOutcome, AttemptResult, WebhookRequest
from app.settings import load_settings
from tests.api.world import ADMIN_KEY, ADMIT, NoSender, World, load_panel
from tests.support.documents import mdm
from tests.support.messages import adt

ENDED = "20260306142500-0500"
TPO: dict[str, Any] = {
    "kind": "tpo",
    "signed_on": "2026-03-01",
    "categories": ["all"],
    "purposes": ["treatment", "payment", "operations", "viewing"],
    "scope": "All my records of treatment at the program.",
    "recipient_classes": ["treating_providers", "health_plans"],
    "signature": "electronic",
    "expires_upon": "none",
    "statements": ["right_to_revoke", "redisclosure", "consequences_of_refusing"],
}

NO_PAPER: dict[str, Any] = {
    "discloser_id": None, "categories": [], "purposes": [], "scope": "", "recipient_classes": [], "statements": [], "expires_upon": None,
    "signature": "none",
}  # fmt: skip


def discharge(code: str = "F10.20", unit: str = "MED", control: str = "C2") -> bytes:
    return adt(
        "A03",
        ENDED,
        control=control,
        admitted="20260302100000-0500",
        discharged=ENDED,
        disposition="01",
        diagnoses=((code, "F"),),
        unit=unit,
    )


async def become(world: World, **facts: Any) -> str:
    """Register what the hospital is; give the id of the registration."""
    path = f"/v1/organizations/{world.ids['hospital']}/origins"
    body = {"place": "house", "effective_from": "2020-01-01", **facts}
    made = await world.api.json("POST", path, ADMIN_KEY, 201, json=body)
    await world.stage.settle()
    found: str = made["id"]
    return found


async def sign(world: World, who: str = "operator", status: int = 201, *, settle: bool = True, **changed: Any) -> Any:
    """Record a consent of Ann as somebody; unless `settle` is false, let the pipeline come to it."""
    person = (await world.api.json("GET", f"/v1/panels/{world.ids['home']}/members", world.keys["home"], 200))["items"][0]["person_id"]
    body = {**TPO, "person_id": person, "discloser_id": world.ids["hospital"], **changed}
    made = await world.api.json("POST", "/v1/consents", world.keys[who], status, json=body)
    if settle:
        await world.stage.settle()
    return made


async def items(world: World, path: str, who: str = "home") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", path, world.keys[who], 200))["items"]
    return found


def codes(shown: dict[str, Any]) -> list[str]:
    return [label["code"] for label in shown["labels"]]


async def test_a_detox_centre_without_consent_leaves_no_trace_and_with_it_tells_with_notice_and_scope(world: World) -> None:
    """R2, R3, R12."""
    await become(world, part2_status="sud_only")
    await world.send(adt("A01", "20260302100000-0500", control="C1", admitted="20260302100000-0500", unit="MED"), discharge())
    for who in ("home", "plan"):
        for path in ("/v1/notifications", "/v1/encounters", "/v1/follow-ups"):
            assert await items(world, path, who) == []
    consent = await sign(world, "hospital")
    assert (consent["state"], consent["in_force"], consent["recorded_by"]) == ("active", True, world.ids["hospital"])
    home = await items(world, "/v1/notifications")
    # What was suppressed had taken no number: the sequence begins with what may be told.
    assert [one["sequence"] for one in home] == [1, 2]
    for shown in (home[-1], *await items(world, "/v1/encounters"), *await items(world, "/v1/follow-ups")):
        assert codes(shown) == ["R", "SUD", "42CFRPart2", "NORDSCLCD", "PERSISTLABEL"]
        assert shown["notices"][-1]["code"] == "42CFR2.32(a)(1)"
        assert shown["notices"][-1]["text"].startswith("This record which has been disclosed to you is protected by Federal")
        assert shown["consent_scope"] == TPO["scope"]
    assert home[-1]["tier"] == "full"
    (plan, *_) = await items(world, "/v1/notifications", "plan")
    # Status only: the minimum necessary is taken of what the consent lets go.
    assert (plan["tier"], codes(plan)[:3], plan["consent_scope"]) == ("minimal", ["R", "SUD", "42CFRPart2"], TPO["scope"])
    assert "diagnoses" not in plan["encounter"]


async def test_a_revocation_withdraws_what_was_told_and_the_numbers_stay(world: World) -> None:
    await become(world, part2_status="program")
    await world.send(ADMIT)
    consent = await sign(world, "hospital")
    before = await items(world, "/v1/notifications")
    assert [one["tier"] for one in before] == ["full"]
    path = f"/v1/consents/{consent['id']}/revoke"
    revoked = await world.api.json("POST", path, world.keys["hospital"], 200, json={"note": "by letter"})
    assert (revoked["state"], revoked["in_force"], revoked["revocation_note"]) == ("revoked", False, "by letter")
    # At once, before any round of the pipeline: it is asked at every read.
    after = await items(world, "/v1/notifications")
    assert after == [{"sequence": one["sequence"], "id": one["id"], "type": "notification.withdrawn"} for one in before]
    await world.stage.settle()
    await world.send(discharge())
    assert [one["type"] for one in await items(world, "/v1/notifications")] == ["notification.withdrawn"]
    assert await items(world, "/v1/encounters") == []
    await world.api.json("POST", path, world.keys["hospital"], 409, json={})


async def test_an_expired_consent_no_longer_counts(world: World) -> None:
    await become(world, part2_status="program")
    await world.send(ADMIT)
    await sign(world, "hospital", expires_on="2026-03-06")
    assert [one["tier"] for one in await items(world, "/v1/notifications")] == ["full"]
    world.stage.clock.advance(days=1)
    assert [one["type"] for one in await items(world, "/v1/notifications")] == ["notification.withdrawn"]
    # The round notes it: what is stored of the stay (the ledger, measures) follows.
    settings = load_settings({"HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst", "HANDOFF_ADMIN_KEY": ADMIN_KEY})
    await wiring.build_panel_watch(settings, world.stage.work, clock=world.stage.clock).watch_once()
    await world.stage.settle()
    assert [(one["state"], one["in_force"]) for one in await items(world, "/v1/consents", "hospital")] == [("expired", False)]
    (stay,) = await items(world, "/v1/encounters", "hospital")
    why = await world.api.json("GET", f"/v1/encounters/{stay['id']}/why", ADMIN_KEY, 200)
    ledger = next(one["ledger"] for one in why["candidates"] if one["organization"]["id"] == world.ids["home"])
    assert [line["decision"] for line in ledger] == ["suppress", "full", "suppress"]


async def test_maine_mental_health_is_told_after_an_opt_in_and_viewing_is_apart(world: World) -> None:
    """R9, R10."""
    await become(world, mental_health_licensed=True, privacy_pack="us-me")
    await world.send(ADMIT, discharge("F32.2"))
    assert await items(world, "/v1/notifications") == []
    consent = await sign(world, "hospital", categories=["mental_health"], purposes=["treatment"])
    home = await items(world, "/v1/notifications")
    assert [(one["tier"], codes(one)) for one in home] == [("full", ["R", "PSY"])] * 2
    # Neither viewing in the exchange nor disclosure to a payer was agreed to.
    assert await items(world, "/v1/encounters") == []
    assert await items(world, "/v1/notifications", "plan") == []
    await world.api.json("POST", f"/v1/consents/{consent['id']}/revoke", world.keys["hospital"], 200, json={})
    assert [one["type"] for one in await items(world, "/v1/notifications")] == ["notification.withdrawn"] * 2


async def test_a_general_hospital_is_told_in_full_without_a_part_2_notice(world: World) -> None:
    """R1."""
    await world.send(discharge())
    shown = (await items(world, "/v1/notifications"))[-1]
    assert (shown["tier"], codes(shown), shown["notices"], shown["consent_scope"]) == ("full", ["R", "SUD"], [], None)


async def test_an_identified_unit_is_told_of_as_the_hospital_alone(world: World) -> None:
    """The forbidden tokens: nothing that is told, nor a header or URL of it, gives the unit away, on any read. Moved out is still in."""
    into = {"control": "C1", "admitted": "20260302100000-0500", "unit": "DETOX", "diagnoses": (("F10.20", "A"),)}
    await become(world, place="unit", code="detox", part2_status="program")
    await world.send(adt("A01", "20260302100000-0500", **into))
    await world.send(adt("A02", "20260303100000-0500", control="C9", admitted="20260302100000-0500", unit="MED"), discharge(unit="MED"))
    forbidden = ("DETOX", "F10", "Part2", "SUD", "42 CFR", "42CFR", "substance", "FUA", "PSY", "ATTEND", "protected")
    for who in ("home", "plan"):
        shown = await items(world, "/v1/notifications", who)
        assert {one["tier"] for one in shown} == {"minimal"}
        paths = ["/v1/notifications", "/v1/encounters", "/v1/follow-ups", f"/v1/notifications/{shown[-1]['id']}/why"]
        paths += [f"/v1/encounters/{shown[-1]['encounter']['id']}", f"/v1/people/{shown[-1]['person']['id']}"]
        for path in paths:
            response = await world.api.get(path, world.keys[who])
            assert response.status_code in (200, 403, 404), path
            # Ids have six letters of their own, of which three make F10 by chance.
            said = re.sub(r"[0-9a-f]{16,}", "", f"{response.text} {response.headers} {response.request.url}")
            assert [token for token in forbidden if token.lower() in said.lower()] == [], path
    assert [one["measures"] for one in await items(world, "/v1/follow-ups")] == [[]]
    await sign(world, "hospital")
    assert (await items(world, "/v1/notifications"))[-1]["tier"] == "full"


async def test_an_opt_out_is_honoured_at_once_whoever_records_it_and_can_be_taken_back(world: World) -> None:
    await world.send(ADMIT)
    assert len(await items(world, "/v1/notifications")) == 1
    refusal = await sign(world, "home", kind="refusal", signed_on="2026-03-02", reason="does not want to take part", **NO_PAPER)
    assert refusal["state"] == "active"
    for who in ("home", "plan"):
        assert {one["type"] for one in await items(world, "/v1/notifications", who)} == {"notification.withdrawn"}
        assert await items(world, "/v1/encounters", who) == []
    # The hospital sees its own stay.
    assert len(await items(world, "/v1/encounters", "hospital")) == 1
    await world.api.json("POST", f"/v1/consents/{refusal['id']}/revoke", world.keys["home"], 200, json={})
    await world.stage.settle()
    assert len(await items(world, "/v1/encounters")) == 1


async def test_what_the_hospital_says_is_protected_is_told_to_nobody_until_it_says_otherwise(world: World) -> None:
    """PD1-12. A later message without the segment says nothing; one that says N lets it be told."""
    facts = {"admitted": "20260302100000-0500", "diagnoses": (("F32.2", "A"),)}
    await world.send(adt("A01", "20260302100000-0500", control="C1", extra=("PD1||||||||||||Y",), **facts))
    await world.send(adt("A08", "20260302110000-0500", control="C2", **facts))
    for path in ("/v1/notifications", "/v1/encounters", "/v1/follow-ups"):
        assert await items(world, path) == []
    await world.send(adt("A08", "20260302120000-0500", control="C3", extra=("PD1||||||||||||N",), **facts))
    assert [(one["sequence"], one["type"]) for one in await items(world, "/v1/notifications")] == [(1, "encounter.admitted")]


async def test_who_paid_for_it_themselves_may_keep_it_from_the_plan(world: World) -> None:
    """45 CFR 164.522(a)(1)(vi)."""
    await world.send(ADMIT)
    await sign(
        world, "hospital", kind="refusal", purposes=["payment", "operations"], recipient_classes=["health_plans"], reason="paid in full"
    )
    assert [one["tier"] for one in await items(world, "/v1/notifications")] == ["full"]
    assert {one["type"] for one in await items(world, "/v1/notifications", "plan")} == {"notification.withdrawn"}


async def test_a_home_cannot_let_itself_be_told(world: World) -> None:
    """What it asserts of a program's records waits until a person has looked."""
    await become(world, part2_status="program")
    await world.send(ADMIT)
    proposed = await sign(world, "home", expires_on="2027-01-01", expires_upon=None)
    assert (proposed["state"], proposed["in_force"]) == ("proposed", False)
    assert await items(world, "/v1/notifications") == []
    queues = {one["id"]: one["waiting"] for one in await items(world, "/v1/queues", "operator")}
    assert queues["consents"] == 1
    path = f"/v1/consents/{proposed['id']}/review"
    await world.api.json("POST", path, world.keys["home"], 403, json={"decision": "accept"})
    accepted = await world.api.json("POST", path, ADMIN_KEY, 200, json={"decision": "accept", "note": "seen"})
    await world.stage.settle()
    assert (accepted["state"], accepted["review_note"]) == ("active", "seen")
    assert [one["tier"] for one in await items(world, "/v1/notifications")] == ["full"]
    await world.api.json("POST", path, ADMIN_KEY, 409, json={"decision": "refuse"})


async def test_an_emergency_opens_a_program_for_minutes_and_is_looked_at_afterwards(world: World) -> None:
    """R8, 42 CFR 2.51. A broken glass does not open a program."""
    await become(world, part2_status="program")
    await world.send(ADMIT)
    more = {**NO_PAPER, "signed_on": "2026-03-06", "recipients": [world.ids["home"]], "minutes": 60, "reason": "unconscious at the clinic"}
    await sign(world, "home", kind="break_glass", **more)
    assert await items(world, "/v1/notifications") == []
    emergency = await sign(world, "home", kind="emergency", **more)
    (shown,) = await items(world, "/v1/notifications")
    assert (shown["tier"], codes(shown)[-3]) == ("full", "42CFRPart2")
    assert {one["id"]: one["waiting"] for one in await items(world, "/v1/queues", "operator")}["consents"] == 2
    world.stage.clock.advance(minutes=61)
    assert [one["type"] for one in await items(world, "/v1/notifications")] == ["notification.withdrawn"]
    reviewed = await world.api.json("POST", f"/v1/consents/{emergency['id']}/review", ADMIN_KEY, 200, json={"decision": "accept"})
    assert (reviewed["state"], reviewed["in_force"]) == ("active", False)


@pytest.mark.parametrize(
    ("changed", "pointer", "rule"),
    [
        ({"discloser_id": None}, "/discloser_id", "2.31(a)(2)"),
        ({"categories": []}, "/categories", "2.31(a)(3)"),
        ({"scope": " "}, "/scope", "2.31(a)(3)"),
        ({"recipient_classes": []}, "/recipients", "2.31(a)(4)"),
        ({"purposes": []}, "/purposes", "2.31(a)(5)"),
        ({"statements": ["redisclosure", "consequences_of_refusing"]}, "/statements", "2.31(a)(6)"),
        ({"expires_upon": None}, "/expires_on", "2.31(a)(7)"),
        ({"signature": "none"}, "/signature", "2.31(a)(8)"),
        ({"signed_on": "2026-03-07"}, "/signed_on", "2.31(a)(9)"),
        ({"statements": ["right_to_revoke", "redisclosure"]}, "/statements", "2.31(a)(10)"),
        ({"kind": "named"}, "/recipients", "2.31(a)(4)(i)"),
        ({"kind": "intermediary", "recipient_classes": ["health_plans"]}, "/intermediary_id", "2.31(a)(4)(ii)"),
        ({"signed_by": "parent"}, "/signed_by", "of age"),
        ({"kind": "emergency"}, "/reason", "2.51(c)"),
    ],
)
async def test_what_is_missing_of_a_paper_is_named(world: World, changed: dict[str, Any], pointer: str, rule: str) -> None:
    problem = await sign(world, "operator", 422, **changed)
    assert rule in {error["pointer"]: error["message"] for error in problem["errors"] if rule in error["message"]}.get(pointer, "")


async def test_who_sees_neither_person_nor_paper_is_told_nothing(world: World) -> None:
    await world.send(ADMIT)
    consent = await sign(world, "hospital")
    assert await items(world, "/v1/consents", "stranger") == []
    for method, path, body in (("GET", "", None), ("POST", "/revoke", {}), ("POST", "/review", {"decision": "accept"})):
        await world.api.json(method, f"/v1/consents/{consent['id']}{path}", world.keys["stranger"], 404, json=body)
    problem = await sign(world, "stranger", 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/person_id"]
    # The home is one of a class: it is told by it, and does not read what others signed with whom.
    assert await items(world, "/v1/consents") == []
    assert [one["id"] for one in await items(world, "/v1/consents", "hospital")] == [consent["id"]]
    assert [one["id"] for one in await items(world, f"/v1/consents?person_id={consent['person_id']}&state=active", "operator")] == [
        consent["id"]
    ]


async def test_the_checklist_names_every_unit_that_nobody_was_asked_about(world: World) -> None:
    await world.send(ADMIT, discharge(unit="DETOX"))
    path = f"/v1/organizations/{world.ids['hospital']}/origins/checklist"
    asked = await world.api.json("GET", path, ADMIN_KEY, 200)
    assert asked["complete"] is False
    assert {(one["question"], one["code"]) for one in asked["items"] if not one["done"]} >= {
        ("part2_status", "DETOX"),
        ("privacy_pack", ""),
    }
    made = await become(world, place="unit", code="detox", part2_status="not_program")
    done = {one["code"] for one in (await world.api.json("GET", path, ADMIN_KEY, 200))["items"] if one["done"]}
    assert "DETOX" in done
    listed = await items(world, f"/v1/organizations/{world.ids['hospital']}/origins", "operator")
    assert [(one["id"], one["code"]) for one in listed] == [(made, "DETOX")]
    await world.api.call("DELETE", f"/v1/organizations/{world.ids['hospital']}/origins/{made}", ADMIN_KEY)
    assert await items(world, f"/v1/organizations/{world.ids['hospital']}/origins", "operator") == []


class Unavailable(NoSender):
    """A receiver that is not there, until a test says otherwise."""

    outcome = AttemptResult(AttemptOutcome.UNAVAILABLE, 0.01, status_code=503)

    async def send(self, request: WebhookRequest) -> AttemptResult:
        """Take one, and fail."""
        self.taken.append(request)
        return self.outcome


async def test_a_revocation_between_two_attempts_stops_the_second(world: World) -> None:
    await become(world, part2_status="program")
    consent = await sign(world)
    subscription = {"url": "https://receiver.example.org/", "event_types": ["encounter.admitted"]}
    made = await world.api.json("POST", "/v1/subscriptions", world.keys["home"], 201, json=subscription)
    await world.send(ADMIT)
    settings = load_settings({"HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst", "HANDOFF_ADMIN_KEY": ADMIN_KEY})
    sender, defects = Unavailable(), list[Exception]()
    deliverer = wiring.build_deliverer(
        settings, world.stage.work, wiring.keys_of(settings), wiring.rulebook(), sender, clock=world.stage.clock, ids=wiring.SystemIds(),
        on_defect=defects.append, on_recorded=lambda _: None,
    )  # fmt: skip
    await deliverer.deliver_once()
    (first,) = sender.taken
    assert b"Alder" in first.body
    assert b"42CFRPart2" in first.body
    assert TPO["scope"].encode() in first.body
    await world.api.json("POST", f"/v1/consents/{consent['id']}/revoke", ADMIN_KEY, 200, json={})
    world.stage.clock.advance(hours=1)
    await deliverer.deliver_once()
    assert len(sender.taken) == 1
    path = f"/v1/subscriptions/{made['id']}/deliveries"
    (delivery,) = await items(world, path)
    assert (delivery["sequence"], delivery["state"], defects) == (1, "withdrawn", [])
    # The ledger has both: that it was told, and that it is withheld now and why.
    await world.stage.settle()
    (stay,) = await items(world, "/v1/encounters", "hospital")
    why = await world.api.json("GET", f"/v1/encounters/{stay['id']}/why", ADMIN_KEY, 200)
    ledger = next(one["ledger"] for one in why["candidates"] if one["organization"]["id"] == world.ids["home"])
    assert [line["decision"] for line in ledger] == ["full", "suppress"]
    assert "42 CFR 2.12" in ledger[-1]["reasons"][0]


ROSTER = (
    "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,"
    "consent_type,consent_signed_on,consent_expires_on,consent_scope,consent_document_id\n"
    "H-1,HOMEB,Ann,Alder,1980-01-02,F,MC1,BHH,2026-01-01,{}\n"
)


async def test_a_roster_asserts_consents_which_wait_for_review_and_refusals_which_do_not(world: World) -> None:
    await become(world, part2_status="program")
    await world.send(ADMIT)
    row = "TPO,03/01/2026,2026-12-31,All my records.,DOC-7"
    await load_panel(world, "home", ROSTER.format(row))
    await load_panel(world, "home", ROSTER.format(row).replace("BHH,2026", "BHHO,2026"))
    await world.stage.settle()
    (asserted,) = await items(world, "/v1/consents")
    shown = {name: asserted[name] for name in ("kind", "state", "signed_on", "expires_on", "scope", "document_id", "source", "recipients")}
    assert shown == {
        "kind": "tpo",
        "state": "proposed",
        "signed_on": "2026-03-01",
        "expires_on": "2026-12-31",
        "scope": "All my records.",
        "document_id": "DOC-7",
        "source": "roster",
        "recipients": [world.ids["home"]],
    }
    assert await items(world, "/v1/notifications") == []
    await world.api.json("POST", f"/v1/consents/{asserted['id']}/review", ADMIN_KEY, 200, json={"decision": "accept"})
    await world.stage.settle()
    assert [one["tier"] for one in await items(world, "/v1/notifications")] == ["full"]
    await load_panel(world, "home", ROSTER.format("opt_out,2026-03-05,,,"))
    await world.stage.settle()
    assert {one["type"] for one in await items(world, "/v1/notifications")} == {"notification.withdrawn"}
    wrong = await load_panel(
        world, "home", ROSTER.format("maybe,soon,,,") + "H-2,HOMEB,Bo,Birch,1981-01-02,M,MC2,BHH,2026-01-01,tpo,,2020-01-01,,\n"
    )
    found = {(error["row"], error["column"], error["code"]) for error in wrong["errors"]}
    assert found == {
        (2, "consent_type", "unknown_consent"),
        (2, "consent_signed_on", "not_a_date"),
        (3, "consent_signed_on", "missing"),
        (3, "consent_scope", "missing"),
    }


async def test_a_dry_run_says_whom_a_pack_would_silence_and_changes_nothing(world: World) -> None:
    await become(world, mental_health_licensed=True)
    await world.send(ADMIT, discharge("F32.2"))
    path = f"/v1/organizations/{world.ids['hospital']}/origins/rehearsal"
    before = await items(world, "/v1/notifications")

    async def rehearsed(query: str) -> dict[str, tuple[int, int, list[str]]]:
        said = await world.api.json("GET", f"{path}{query}", ADMIN_KEY, 200)
        assert (said["stays"], said["verified"]) == (1, False)
        return {one["name"]: (one["members"], one["silent"], [why["reason"] for why in one["reasons"]]) for one in said["items"]}

    assert await rehearsed("") == {"Home B": (1, 0, []), "Plan C": (1, 0, [])}
    why = ["34-B MRS section 1207: nobody has opted in"]
    assert await rehearsed("?privacy_pack=us-me") == {"Home B": (1, 1, why), "Plan C": (1, 1, why)}
    await sign(world, "hospital", categories=["mental_health"], purposes=["treatment"])
    assert await rehearsed("?privacy_pack=us-me") == {"Home B": (1, 0, []), "Plan C": (1, 1, why)}
    assert await items(world, "/v1/notifications") == before


async def test_the_bytes_of_a_document_carry_the_notice_and_the_scope_and_end_with_the_consent(world: World) -> None:
    """42 CFR 2.32: it accompanies the disclosure itself, whatever the format."""
    await become(world, part2_status="program")
    await world.send(ADMIT)
    consent = await sign(world, "hospital")
    await world.send(mdm(control="D1"))
    (stay,) = await items(world, "/v1/encounters")
    shown = await world.api.json("GET", f"/v1/encounters/{stay['id']}", world.keys["home"], 200)
    path = f"/v1/documents/{shown['documents'][0]['id']}/content"
    read = await world.api.get(path, world.keys["home"])
    assert read.status_code == 200, read.text
    assert read.headers["disclosure-notice"] == shown["notices"][-1]["text"]
    assert read.headers["disclosure-labels"] == ", ".join(codes(shown))
    assert read.headers["disclosure-scope"] == f"UTF-8''{quote(TPO['scope'], safe='')}"
    own = await world.api.get(path, world.keys["hospital"])
    assert (own.content, "disclosure-notice" in own.headers) == (read.content, False)
    await world.api.json("POST", f"/v1/consents/{consent['id']}/revoke", world.keys["hospital"], 200, json={})
    await world.api.json("GET", path, world.keys["home"], 404)
