"""Who was told of a person, and a hospital's evidence, over the real face and database."""

from typing import Any
from uuid import UUID

from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.api.world import ADMIN_KEY, World

MARCH = {"since": "2026-03-01T00:00:00-05:00", "until": "2026-04-01T00:00:00-04:00"}


async def test_every_disclosure_is_listed_with_its_basis_and_list(story: World) -> None:
    api, ids = story.api, story.ids
    await api.json("POST", f"/v1/notifications/{ids['notification_id']}/acknowledge", story.keys["home"], 200)
    page = await api.json("GET", "/v1/disclosures", ADMIN_KEY, 200, params={"person_id": ids["person_id"]})
    told = {(one["recipient"]["name"], one["what"], one["tier"], one["purpose"]) for one in page["items"]}
    assert told >= {
        ("Home B", "encounter.admitted", "full", "TREAT"),
        ("Home B", "encounter.discharged", "full", "TREAT"),
        ("Plan C", "encounter.discharged", "minimal", "HPAYMT"),
    }
    assert all(one["basis"] and one["why_not_164_528"] for one in page["items"])
    assert {(one["is_part2"], one["in_42_cfr_2_24"], one["in_45_cfr_164_528"]) for one in page["items"]} == {(False, False, False)}
    assert [one["notification_id"] for one in page["items"] if one["acknowledged_at"]] == [ids["notification_id"]]
    found = await api.json("POST", "/v1/disclosures/search", ADMIN_KEY, 200, json={"identifier": "MAINECARE|MC1"})
    assert found["items"] == page["items"]
    first = await api.json("GET", "/v1/disclosures", ADMIN_KEY, 200, params={"person_id": ids["person_id"], "limit": 1})
    rest = await api.json("GET", "/v1/disclosures", ADMIN_KEY, 200, params={"person_id": ids["person_id"], "after": first["next"]})
    assert [*first["items"], *rest["items"]] == page["items"]
    assert (await api.call("GET", "/v1/disclosures", story.keys["home"], params={"person_id": ids["person_id"]})).status_code == 403


async def _evidence(story: World, who: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await story.api.json("GET", "/v1/reports/cop-evidence", story.keys[who], 200, params={**MARCH, **more}))[
        "items"
    ]
    return found


async def test_a_hospital_sees_that_and_when_but_not_whom(story: World) -> None:
    await story.api.json("POST", f"/v1/notifications/{story.ids['notification_id']}/acknowledge", story.keys["home"], 200)
    events = await _evidence(story, "hospital")
    assert [one["event"] for one in events] == ["admitted", "discharged"]
    for event in events:
        (recipient,) = event["recipients"]
        assert (recipient["organization_id"], recipient["name"], recipient["channel"]) == (None, None, "outbox")
        assert recipient["told_at"]
        assert event["withheld"] is None
    assert [bool(one["recipients"][0]["acknowledged_at"]) for one in events] == [False, True]
    told = str(events)
    assert "Home B" not in told
    assert "Plan C" not in told
    assert story.ids["home"] not in told


async def test_the_operator_sees_names_and_the_reasons_why_not(story: World) -> None:
    events = await _evidence(story, "operator", organization_id=story.ids["hospital"])
    assert {one["name"] for event in events for one in event["recipients"]} == {"Home B", "Plan C"}
    assert await _evidence(story, "operator", organization_id=story.ids["hospital"], since="2026-03-20T00:00:00Z") == []
    for who in ("home", "stranger"):
        refused = await story.api.call(
            "GET", "/v1/reports/cop-evidence", story.keys[who], params={**MARCH, "organization_id": story.ids["hospital"]}
        )
        assert refused.status_code == 404


async def test_the_file_has_a_line_for_each_event_and_recipient(story: World) -> None:
    response = await story.api.call("GET", "/v1/reports/cop-evidence.csv", story.keys["hospital"], params=MARCH)
    header, *found = response.text.strip().split("\r\n")
    assert header.startswith("encounter_id,visit_number,class,event,occurred_at")
    assert len(found) == 2
    assert all("recipient 1,outbox" in line for line in found)
    assert "Alder" not in response.text


async def test_what_was_told_follows_the_person_through_a_merge(story: World) -> None:
    """Asked by the id that a person had before, the accounting is that of whom it became."""
    old, new = UUID(story.ids["person_id"][4:]), story.stage.services.ids.new()
    before = await story.api.json("GET", "/v1/disclosures", ADMIN_KEY, 200, params={"person_id": story.ids["person_id"]})
    async with unit_of_work(story.stage.work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("insert into person (id, created_at) values ($1, now())", new)
        await raw.execute("update person set merged_into = $2 where id = $1", old, new)
        await raw.execute("update patient_record set person_id = $2 where person_id = $1", old, new)
        await raw.execute("update encounter set person_id = $2 where person_id = $1", old, new)
    after = await story.api.json("GET", "/v1/disclosures", ADMIN_KEY, 200, params={"person_id": story.ids["person_id"]})
    assert [one["notification_id"] for one in after["items"]] == [one["notification_id"] for one in before["items"]]
    assert {one["person_id"] for one in after["items"]} == {f"per_{new.hex}"}
