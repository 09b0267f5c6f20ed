"""Consents of a whole panel from outside: asserted and reviewed at once, and what a pack would do to a panel before it holds."""

from typing import Any

from tests.api.test_consents import ROSTER, become, items, sign
from tests.api.world import ADMIN_KEY, ADMIT, World, load_panel

FORM: dict[str, Any] = {"kind": "tpo", "signed_on": "2026-03-01", "scope": "All my records.", "document_id": "BOX-1"}
HEADER = "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
MORE = (
    HEADER
    + "H-2,HOMEB,Bo,Birch,1981-01-02,M,MC2,BHH,2026-01-01\n"
    + "H-2,HOMEB,Bo,Birch,1981-01-02,M,MC2,BHHO,2026-01-01\n"
    + "H-3,HOMEB,Cy,Cedar,2015-01-02,M,MC3,BHH,2026-01-01\n"
)


async def assert_(world: World, who: str = "home", status: int = 201, *, dry_run: bool = False, **body: Any) -> Any:
    path = f"/v1/panels/{world.ids['home']}/consents{'?dry_run=true' if dry_run else ''}"
    made = await world.api.json("POST", path, world.keys[who], status, json={**FORM, **body})
    await world.stage.settle()
    return made


async def review(world: World, decision: str = "accept", *, query: str = "", **body: Any) -> int:
    path = f"/v1/panels/{world.ids['home']}/consents/review{query}"
    found = await world.api.json("POST", path, ADMIN_KEY, 200, json={"decision": decision, **body})
    await world.stage.settle()
    decided: int = found["decided"]
    return decided


async def test_a_form_of_the_whole_panel_waits_for_review_and_counts_for_all_of_them_at_once(world: World) -> None:
    await become(world, part2_status="program")
    await load_panel(world, "home", MORE)
    await world.send(ADMIT)
    expected = {"dry_run": True, "members": 3, "proposed": 2, "active": 0, "already": 0, "minors": 1, "unknown": []}
    assert await assert_(world, status=200, dry_run=True, all_members=True) == expected
    assert await items(world, "/v1/consents") == []
    # A child's is recorded alone: who signed it is on the paper. Bo is claimed twice and signed once.
    assert await assert_(world, all_members=True) == {**expected, "dry_run": False}
    assert await assert_(world, all_members=True) == {**expected, "dry_run": False, "proposed": 0, "already": 2}
    asserted = await items(world, "/v1/consents")
    assert {(one["state"], one["source"], one["kind"], one["document_id"], one["recorded_by"]) for one in asserted} == {
        ("proposed", "panel", "tpo", "BOX-1", world.ids["home"])
    }
    assert len({one["person_id"] for one in asserted}) == len(asserted) == 2
    assert await items(world, "/v1/notifications") == []
    assert {one["id"]: one["waiting"] for one in await items(world, "/v1/queues", "operator")}["consents"] == 2
    path = f"/v1/panels/{world.ids['home']}/consents/review"
    await world.api.json("POST", path, world.keys["home"], 403, json={"decision": "accept"})
    assert await review(world, query="?dry_run=true") == 2
    assert await review(world, document_id="BOX-2") == 0
    assert await review(world, asserted_until="2026-03-06T00:00:00Z") == 0
    assert await items(world, "/v1/notifications") == []
    assert await review(world, note="seen in the box", kind="tpo", signed_on="2026-03-01") == 2
    (told,) = await items(world, "/v1/notifications")
    assert (told["tier"], told["consent_scope"]) == ("full", "All my records.")
    assert {(one["state"], one["review_note"]) for one in await items(world, "/v1/consents")} == {("active", "seen in the box")}
    assert await review(world) == 0


async def test_papers_that_are_refused_together_never_count(world: World) -> None:
    await become(world, part2_status="program")
    await world.send(ADMIT)
    await assert_(world, all_members=True)
    assert await review(world, "refuse", note="no such form") == 1
    assert [(one["state"], one["in_force"]) for one in await items(world, "/v1/consents")] == [("refused", False)]
    assert await items(world, "/v1/notifications") == []


async def test_a_refusal_of_members_that_are_named_counts_at_once(world: World) -> None:
    await load_panel(world, "home", MORE)
    await world.send(ADMIT)
    assert len(await items(world, "/v1/notifications")) == 1
    refusal = {"kind": "refusal", "scope": ""}
    found = await assert_(world, member_ids=["H-1", "H-1", "H-3", "H-99"], **refusal)
    assert (found["members"], found["active"], found["proposed"], found["minors"], found["unknown"]) == (2, 2, 0, 0, ["H-99"])
    for who in ("home", "plan"):
        assert {one["type"] for one in await items(world, "/v1/notifications", who)} == {"notification.withdrawn"}


async def test_what_a_form_of_many_lacks_is_named_and_nobody_asserts_for_anothers_panel(world: World) -> None:
    for body, pointer in (
        ({"all_members": True, "scope": " "}, "/scope"),
        ({"all_members": True, "signed_on": "2026-03-07"}, "/signed_on"),
        ({"all_members": True, "expires_on": "2026-03-05"}, "/expires_on"),
        ({"all_members": True, "kind": "emergency"}, "/kind"),
        ({"all_members": True, "member_ids": ["H-1"]}, "/member_ids"),
        ({}, "/member_ids"),
    ):
        refused = await assert_(world, status=422, **body)
        assert [error["pointer"] for error in refused["errors"]] == [pointer]
    await assert_(world, "stranger", 404, all_members=True)
    await world.api.json("GET", f"/v1/panels/{world.ids['home']}/rehearsal", world.keys["stranger"], 404)
    assert await items(world, "/v1/consents") == []


async def rehearsed(world: World, query: str = "", who: str = "operator", panel: str = "home") -> dict[str, Any]:
    found: dict[str, Any] = await world.api.json("GET", f"/v1/panels/{world.ids[panel]}/rehearsal{query}", world.keys[who], 200)
    return found


def silence(found: dict[str, Any], rule: str) -> tuple[int, int, int]:
    one = next(one for one in found["stays"] if one["rule"] == rule)
    return one["told"], one["silent"], one["silent_until_reviewed"]


async def test_a_dry_run_of_a_pack_says_how_many_of_a_panel_would_be_silent_before_anything_happens(world: World) -> None:
    """No stay, no upload, no registration: by what the members have signed."""
    await load_panel(world, "home", MORE)
    before = await rehearsed(world, "?privacy_pack=us-me")
    assert (before["members"], before["silent"], before["verified"], before["version"]) == (3, 3, False, "us-me/2026-11")
    notice = next(one for one in before["stays"] if one["rule"] == "us-me.mental_health.notice")
    assert notice["reasons"] == [{"reason": "34-B MRS section 1207: nobody has opted in", "members": 3}]
    # A home is told for treatment: what a payer or somebody who looks it up would need is not asked of it.
    rules = {one["rule"] for one in before["stays"]}
    assert "us-me.mental_health.payer" not in rules
    assert {"us-me.substance_use", "us-me.hiv", "42CFRPart2"} < rules
    assert next(one for one in before["stays"] if one["rule"] == "us-me.hiv")["minimal"] == 3
    await assert_(world, all_members=True)
    waiting = await rehearsed(world, "?privacy_pack=us-me")
    assert [silence(waiting, rule) for rule in ("us-me.mental_health.notice", "42CFRPart2")] == [(0, 3, 2), (0, 3, 2)]
    await review(world)
    after = await rehearsed(world, "?privacy_pack=us-me")
    assert silence(after, "us-me.mental_health.notice") == (2, 1, 0)
    assert after["silent"] == 1
    # Illinois wants the recipient by name and an end: a general consent is not enough.
    assert silence(await rehearsed(world, "?privacy_pack=us-il"), "us-il.mental_health") == (0, 3, 0)
    assert [one["rule"] for one in (await rehearsed(world))["stays"]] == ["42CFRPart2"]
    assert await items(world, "/v1/notifications") == []
    refused = await world.api.json("GET", f"/v1/panels/{world.ids['home']}/rehearsal?privacy_pack=xx", ADMIN_KEY, 422)
    assert refused["errors"][0]["pointer"] == "/privacy_pack"


async def test_what_others_hold_of_a_member_does_not_show_in_the_owners_dry_run(world: World) -> None:
    """A refusal that the hospital recorded silences the home; that it exists is the operator's to see."""
    await world.send(ADMIT)
    await load_panel(world, "home", ROSTER.format("tpo,2026-03-01,,All my records.,DOC-7"))
    await review(world)
    assert silence(await rehearsed(world, who="home"), "42CFRPart2") == (1, 0, 0)
    # A plan is told what payment and operations need. A paper of one house counts there.
    await sign(world, "hospital")
    assert silence(await rehearsed(world, panel="plan"), "42CFRPart2") == (0, 1, 0)
    assert silence(await rehearsed(world, f"?facility_id={world.ids['hospital']}", panel="plan"), "42CFRPart2") == (1, 0, 0)
    await sign(world, "hospital", kind="refusal", signed_on="2026-03-02", reason="does not want to take part", discloser_id=None)
    assert silence(await rehearsed(world), "42CFRPart2") == (0, 1, 0)
    assert silence(await rehearsed(world, who="home"), "42CFRPart2") == (1, 0, 0)


async def uploaded(world: World, roster: str, query: str = "", who: str = "home") -> dict[str, Any]:
    """Rehearse the upload of a roster, and give what it says of silence."""
    path = f"/v1/panels/{world.ids['home']}/uploads?dry_run=true{query}"
    headers = {"content-type": "text/csv"}
    found = await world.api.json("POST", path, world.keys[who], 200, content=roster, headers=headers)
    silent: dict[str, Any] = found["silence"]
    return silent


SIGNED = (
    "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,effective_to,"
    "consent_type,consent_signed_on,consent_expires_on,consent_scope,consent_document_id\n"
    "H-1,HOMEB,Ann,Alder,1980-01-02,F,MC1,BHH,2026-01-01,,,,,,\n"
    "H-2,HOMEB,Bo,Birch,1981-01-02,M,MC2,BHH,2026-01-01,,tpo,2026-03-01,,All my records.,DOC-1\n"
    "H-2,HOMEB,Bo,Birch,1981-01-02,M,MC2,BHHO,2026-01-01,,tpo,2026-03-01,,All my records.,DOC-1\n"
    "H-3,HOMEB,Cy,Cedar,1982-01-02,M,MC3,BHH,2026-01-01,,opt_out,2026-03-01,,,\n"
    "H-4,HOMEB,Di,Dogwood,1983-01-02,F,MC4,BHH,2026-01-01,,,,,,\n"
    "H-5,HOMEB,Ed,Elm,1984-01-02,M,MC5,BHH,2025-01-01,2026-01-01,,,,,\n"
)


async def test_the_dry_run_of_an_upload_says_who_would_be_silent_with_a_pack_and_without(world: World) -> None:
    """By what the rows assert, which waits for review, and by what is on file of whom the panel has; nothing is changed."""
    await world.send(ADMIT)
    found = await uploaded(world, SIGNED)
    # Ed's claim is over. Without a pack the federal rules ask of a stay at a Part 2 program.
    assert (found["privacy_pack"], found["members"], found["silent"]) == (None, 4, 4)
    assert [(one["rule"], one["silent_until_reviewed"]) for one in found["stays"]] == [("42CFRPart2", 1)]
    assert {one["reason"]: one["members"] for one in found["stays"][0]["reasons"]} == {
        "42 CFR 2.12, 2.13(c): the source is a Part 2 program and no consent is on file": 3,
        "45 CFR 164.522(a)(1): the patient opted out": 1,
    }
    maine = await uploaded(world, SIGNED, "&privacy_pack=us-me")
    assert (maine["privacy_pack"], silence(maine, "us-me.mental_health.notice")) == ("us-me", (0, 4, 1))
    assert len(maine["stays"]) > 1
    # Ann's paper is on file, and the panel has her.
    await sign(world, "operator")
    assert silence(await uploaded(world, SIGNED), "42CFRPart2") == (0, 4, 1)
    await sign(world, "operator", kind="named", recipients=[world.ids["home"]], recipient_classes=[], discloser_id=None,
               any_discloser=True, expires_on="2027-01-01", expires_upon=None)  # fmt: skip
    assert silence(await uploaded(world, SIGNED), "42CFRPart2") == (1, 3, 1)
    assert await items(world, "/v1/notifications") != []
    members = await items(world, f"/v1/panels/{world.ids['home']}/members")
    assert [one["cells"]["member_id"] for one in members] == ["H-1"]
    # The real one says nothing of it, and then agrees with the rehearsal of the panel.
    loaded = await load_panel(world, "home", SIGNED)
    assert loaded["silence"] is None
    expected = await rehearsed(world, "?privacy_pack=us-me")
    assert await uploaded(world, SIGNED, "&privacy_pack=us-me", "operator") == expected
    path = f"/v1/panels/{world.ids['home']}/uploads?dry_run=true&privacy_pack=xx"
    refused = await world.api.json("POST", path, world.keys["home"], 422, content=SIGNED, headers={"content-type": "text/csv"})
    assert refused["errors"][0]["pointer"] == "/privacy_pack"


async def test_papers_of_others_do_not_show_in_the_owners_dry_run_of_an_upload(world: World) -> None:
    await world.send(ADMIT)
    await sign(world, "hospital", kind="refusal", signed_on="2026-03-02", reason="does not want to take part", discloser_id=None,
               purposes=[], recipient_classes=[], scope="")  # fmt: skip
    one = "".join(SIGNED.splitlines(keepends=True)[:2])
    reasons = [(await uploaded(world, one, who=who))["stays"][0]["reasons"][0]["reason"] for who in ("home", "operator")]
    assert ["opted out" in reason for reason in reasons] == [False, True]
