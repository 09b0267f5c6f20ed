"""Documents from the door to whoever may read them: MDM, ORU and DocumentReference, by the doors they come through."""

from datetime import datetime
from typing import Any

import pytest

from app.store import unfiled_documents
from tests.api.world import ADMIN_KEY, ADMIT, DISCHARGE, ER7, FHIR_JSON, World
from tests.support.bundles import bundle, written
from tests.support.documents import PDF, document_reference, mdm, oru, summary_report, with_document
from tests.support.messages import adt


async def encounter(world: World, who: str = "home") -> dict[str, Any]:
    key = world.keys.get(who, ADMIN_KEY)
    return dict(await world.api.json("GET", f"/v1/encounters/{world.ids['encounter_id']}", key, 200))


async def follow_up(world: World, who: str = "home") -> dict[str, Any]:
    (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return dict(found)


async def outbox(world: World, who: str = "home") -> list[dict[str, Any]]:
    return list((await world.api.json("GET", "/v1/notifications?after=0", world.keys[who], 200))["items"])


async def content(world: World, document_id: str, who: str = "home") -> Any:
    return await world.api.get(f"/v1/documents/{document_id}/content", world.keys.get(who, ADMIN_KEY))


async def test_a_discharge_summary_is_shown_with_the_stay_told_once_and_read_by_those_who_may(story: World) -> None:
    before = {who: await outbox(story, who) for who in ("home", "plan")}
    seen_before = await follow_up(story)
    assert (await encounter(story))["has_discharge_summary"] is False
    assert seen_before["summary"] == {"requested_at": None, "received_at": None, "reviewed_at": None, "facts": []}
    story.stage.clock.advance(minutes=5)
    await story.send(mdm(control="D1"), mdm("T04", "20260306161000-0500", control="D2", completion="LA"))
    stay = await encounter(story)
    (pointer,) = stay["documents"]
    assert pointer == {
        "id": pointer["id"],
        "type": {"code": "18842-5", "system": "LN", "text": "Discharge summary", "loinc": "18842-5"},
        "is_discharge_summary": True,
        "title": None,
        "at": "2026-03-06T20:00:00+00:00",
        "received_at": pointer["received_at"],
        "status": "current",
        "completion": "legally_authenticated",
        "restricted": False,
        "has_content": True,
        "content_type": "application/pdf",
        "link": None,
        "replaced_by": None,
    }
    assert (stay["status"], stay["has_discharge_summary"], stay["documents_total"]) == ("finished", True, 1)
    after = await follow_up(story)
    assert after["documents"] == [pointer]
    assert after["summary"]["received_at"] == pointer["received_at"]
    assert [(one["fact"], one["id"], one["document_id"]) for one in after["summary"]["facts"]] == [("received", None, pointer["id"])]
    assert (after["state"], after["clocks"]) == (seen_before["state"], seen_before["clocks"])
    changed = {"changed_since": after["updated_at"]}
    assert after["updated_at"] > seen_before["updated_at"]
    page = await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params=changed)
    assert [one["id"] for one in page["items"]] == [after["id"]]
    # One correction of what was told to the home, however many messages the summary has; none to a plan, which sees no document.
    (news,) = [one for one in await outbox(story) if one not in before["home"]]
    assert (news["type"], news["encounter"]["has_discharge_summary"], news["version"]) == ("encounter.updated", True, 2)
    assert await outbox(story, "plan") == before["plan"]
    assert (await follow_up(story, "plan"))["documents"] == []
    assert "documents" not in await encounter(story, "plan")
    read = await content(story, pointer["id"])
    assert (read.status_code, read.content) == (200, PDF)
    assert read.headers["content-type"] == "application/pdf"
    assert read.headers["content-disposition"] == f'attachment; filename="{pointer["id"]}.pdf"'
    assert read.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in read.headers["content-security-policy"]
    for who, status in (("hospital", 200), ("operator", 200), ("plan", 404), ("stranger", 404)):
        assert (await content(story, pointer["id"], who)).status_code == status, who


async def test_results_are_pointers_and_nobodys_news(story: World) -> None:
    before = await outbox(story), await follow_up(story)
    report = "OBX|1|TX|11502-2^Laboratory report^LN||First line~Second \\T\\ last||||||F"
    await story.send(oru(control="L1"), oru(control="L2", order="L2", kind="11502-2^Laboratory report^LN", observations=(report,)))
    assert await outbox(story) == before[0]
    assert (await follow_up(story))["clocks"] == before[1]["clocks"]
    told = {one["type"]["loinc"]: one for one in (await encounter(story))["documents"]}
    assert {code: (one["has_content"], one["completion"]) for code, one in told.items()} == {
        "24323-8": (False, "final"),
        "11502-2": (True, "final"),
    }
    read = await content(story, told["11502-2"]["id"])
    assert (read.text, read.headers["content-type"]) == ("First line\nSecond & last", "text/plain; charset=utf-8")
    assert (await content(story, told["24323-8"]["id"])).status_code == 404


async def test_what_is_taken_back_is_seen_to_be_and_not_read(story: World) -> None:
    await story.send(mdm(control="D1"))
    (pointer,) = (await encounter(story))["documents"]
    await story.send(mdm("T11", "20260306170000-0500", control="D2", observations=()))
    (taken_back,) = (await encounter(story))["documents"]
    assert (taken_back["id"], taken_back["status"], taken_back["has_content"]) == (pointer["id"], "cancelled", False)
    assert (await content(story, pointer["id"])).status_code == 404
    assert (await follow_up(story))["summary"]["received_at"] is None
    assert [one["encounter"]["has_discharge_summary"] for one in (await outbox(story))[-2:]] == [True, False]


async def test_what_is_replaced_names_what_stands_in_its_place(story: World) -> None:
    await story.send(mdm("T10", "20260306170000-0500", control="D2", number="D2", parent="D1"), mdm(control="D1"))
    by_status = {one["status"]: one for one in (await encounter(story))["documents"]}
    assert set(by_status) == {"current", "replaced"}
    assert by_status["replaced"]["replaced_by"] == by_status["current"]["id"]
    await story.send(mdm("T11", "20260306180000-0500", control="D3", number="D2", observations=()))
    assert sorted(one["status"] for one in (await encounter(story))["documents"]) == ["cancelled", "current"]


async def test_a_restricted_document_is_the_hospitals_and_the_operators(story: World) -> None:
    before = await outbox(story), await follow_up(story)
    await story.send(mdm(control="D1", confidentiality="R"))
    assert (await outbox(story), await follow_up(story)) == before
    assert (await encounter(story))["documents"] == []
    for who in ("hospital", "operator"):
        (pointer,) = (await encounter(story, who))["documents"]
        assert pointer["restricted"] is True
        assert (await content(story, pointer["id"], who)).status_code == 200
    for who in ("home", "plan", "stranger"):
        assert (await content(story, pointer["id"], who)).status_code == 404
    await story.send(mdm("T04", "20260306180000-0500", control="D2", confidentiality="U"))
    assert (await content(story, pointer["id"])).content == PDF


@pytest.mark.parametrize(("grantee", "status"), [("plan", 404), ("stranger", 200)])
async def test_whom_the_home_granted_its_rows_reads_what_its_follow_up_shows(story: World, grantee: str, status: int) -> None:
    """A plan reads the status alone, granted or not."""
    await story.send(mdm(control="D1"))
    ((pointer,),) = [one["documents"] for one in [await follow_up(story)]]
    grant = {"grantee_id": story.ids[grantee]}
    await story.api.json("POST", f"/v1/organizations/{story.ids['home']}/grants", story.keys["home"], 201, json=grant)
    assert [one["id"] for one in (await follow_up(story, grantee))["documents"]] == ([pointer["id"]] if status == 200 else [])
    assert (await content(story, pointer["id"], grantee)).status_code == status


async def test_another_patients_document_is_not_shown_with_the_stay(story: World) -> None:
    stranger = mdm(control="D1", mrn="M9", name="Birch^Bob", medicaid="MC9")
    await story.send(stranger)
    assert (await encounter(story))["documents"] == []
    assert (await encounter(story, "hospital"))["documents"] == []


async def test_a_document_makes_no_stay_and_finds_the_one_that_comes_later(world: World) -> None:
    await world.send(mdm(control="D1"), oru(control="L1"))
    assert (await world.api.json("GET", "/v1/encounters", ADMIN_KEY, 200))["items"] == []
    await world.send(ADMIT, DISCHARGE)
    (stay,) = (await world.api.json("GET", "/v1/encounters", ADMIN_KEY, 200))["items"]
    world.ids["encounter_id"] = stay["id"]
    shown = await encounter(world, "hospital")
    assert {one["type"]["loinc"] for one in shown["documents"]} == {"18842-5", "24323-8"}
    assert (shown["has_discharge_summary"], shown["status"]) == (True, "finished")


async def test_an_account_names_the_stay_that_has_it_alone(world: World) -> None:
    await world.send(adt("A01", "20260302100000-0500", control="C1", account="ACC1"))
    await world.send(mdm(control="D1", visit=None, account="ACC1"))
    (stay,) = (await world.api.json("GET", "/v1/encounters", ADMIN_KEY, 200))["items"]
    world.ids["encounter_id"] = stay["id"]
    assert len((await encounter(world, "operator"))["documents"]) == 1
    await world.send(adt("A01", "20260312100000-0500", control="C2", visit="V2", account="ACC1"))
    assert (await encounter(world, "operator"))["documents"] == []


async def test_the_door_answers_documents_as_it_does_adt(world: World) -> None:
    async def answer(body: bytes) -> str:
        return (await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers=ER7)).text

    assert "MSA|AA|" in await answer(mdm(control="D1"))
    assert "ACK^T02^ACK" in await answer(mdm(control="D2"))
    assert "ERR||TXA^1|100^" in await answer(mdm(control="D3").replace(b"\rTXA|", b"\rZXA|"))
    assert "ERR||PID^1|100^" in await answer(oru(control="L1").replace(b"\rPID|", b"\rZID|"))
    assert "MSA|AA|" in await answer(mdm("T12", control="D4"))  # stored and ignored (ACK-4)


async def test_a_document_reference_comes_beside_a_stay_or_alone(world: World) -> None:
    async def post(message: Any) -> None:
        answer = await world.api.post("/fhir/$process-message", world.keys["hospital"], content=written(message), headers=FHIR_JSON)
        assert answer.status_code == 200, answer.text
        await world.stage.settle()

    stay = bundle("A03", "20260306143000-0500", control="B1", admitted="20260302100000-0500", discharged="20260306142500-0500")
    await post(with_document(stay, document_reference()))
    (found,) = (await world.api.json("GET", "/v1/encounters", ADMIN_KEY, 200))["items"]
    world.ids["encounter_id"] = found["id"]
    (pointer,) = (await encounter(world, "hospital"))["documents"]
    assert (await content(world, pointer["id"], "hospital")).content == PDF
    await post(summary_report("B2", "20260306170000-0500", status="entered-in-error"))
    (pointer,) = (await encounter(world, "hospital"))["documents"]
    assert (pointer["status"], (await encounter(world, "hospital"))["status"]) == ("cancelled", "finished")


@pytest.mark.parametrize("mode", ["shadow", "backfill"])
async def test_a_summary_that_was_heard_quietly_is_no_news(story: World, mode: str) -> None:
    before = await outbox(story)
    await story.api.json("PATCH", f"/v1/feeds/{story.ids['feed_id']}", ADMIN_KEY, 200, json={"mode": mode})
    await story.send(mdm(control="D1"))
    assert await outbox(story) == before
    assert len((await encounter(story))["documents"]) == 1


async def test_a_summary_that_is_only_announced_is_not_received_until_its_content_comes(story: World) -> None:
    """T01 is a notification without content (HL7 2.5.1, 9.6.1): it is listed, and no home is told that it has a summary."""
    await story.send(mdm("T01", control="D1", observations=()))
    (announced,) = (await encounter(story))["documents"]
    assert (announced["is_discharge_summary"], announced["has_content"]) == (True, False)
    assert (await encounter(story))["has_discharge_summary"] is False
    assert (await follow_up(story))["summary"]["received_at"] is None
    story.stage.clock.advance(hours=5)
    came_at = story.stage.clock.now()
    await story.send(mdm("T02", "20260306161000-0500", control="D2"))
    assert (await encounter(story))["has_discharge_summary"] is True
    assert datetime.fromisoformat((await follow_up(story))["summary"]["received_at"]) == came_at, "not when it was announced"
    story.stage.clock.advance(hours=1)
    await story.send(mdm("T02", "20260306162000-0500", control="D3"), mdm("T01", "20260306163000-0500", control="D4", observations=()))
    assert datetime.fromisoformat((await follow_up(story))["summary"]["received_at"]) == came_at, "the first time stands"


@pytest.mark.parametrize("of_result", [False, True])
async def test_bytes_that_cannot_be_decoded_are_answered_aa_and_warned_of_where_the_sender_looks(story: World, *, of_result: bool) -> None:
    """ACK-4: the message is taken; who sent it and who looks at it hears that nobody will be able to read the document."""
    broken = ("OBX|1|ED|18842-5^Discharge summary^LN||^application^PDF^Base64^%%%no-base64%%%||||||F",)
    message = oru(control="X1", observations=broken) if of_result else mdm(control="X1", observations=broken)
    answer = await story.api.post("/hl7v2", story.keys["hospital"], content=message, headers=ER7)
    assert "MSA|AA|X1" in answer.text
    await story.stage.settle()
    newest = (await story.api.json("GET", "/v1/inbound", story.keys["hospital"], 200))["items"][0]
    assert newest["outcome"] == "processed"
    assert [(one["severity"], one["location"]) for one in newest["problems"]] == [("W", "OBX^1^5^1^5")]


async def test_documents_that_found_no_stay_are_listed_until_it_comes(story: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def listed(who: str) -> list[tuple[str, str]]:
        key = story.keys.get(who, ADMIN_KEY)
        items = (await story.api.json("GET", "/v1/documents/unfiled", key, 200))["items"]
        return [(one["type_code"], one["reason"]) for one in items]

    await story.send(mdm(control="D1"))
    assert await listed("hospital") == []
    await story.send(mdm(control="D2", number="D2", visit=None), oru(control="D3", visit="V7"))
    assert await listed("hospital") == await listed("operator") == [("24323-8", "no_stay"), ("18842-5", "no_number")]
    assert await listed("stranger") == []
    path, key = "/v1/documents/unfiled", story.keys["hospital"]
    first = await story.api.json("GET", path, key, 200, params={"limit": 1})
    second = await story.api.json("GET", path, key, 200, params={"limit": 1, "after": first["next"]})
    assert [one["type_code"] for one in (*first["items"], *second["items"])] == ["24323-8", "18842-5"]
    assert second["next"] is None
    with monkeypatch.context() as small:
        small.setattr(unfiled_documents, "LOOKED_AT_MAX", 1)
        pages, after = [], None
        while not pages or after:
            page = await story.api.json("GET", path, key, 200, params={"after": after} if after else {})
            pages.append(page["items"])
            after = page["next"]
    assert [len(items) for items in pages] == [1, 1, 0, 0], "what was looked at ends a page, not the list"
    await story.send(adt("A01", "20260303080000-0500", control="V7", visit="V7", admitted="20260303080000-0500"))
    assert await listed("hospital") == [("18842-5", "no_number")]
