"""Finding a message by what people know of it, and putting right what was set aside."""

from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.domain.viewer import OPERATOR
from app.store.tables import metadata
from tests.api.world import ER7, World
from tests.support.bundles import bundle, resource, written
from tests.support.fhir_xml import in_xml
from tests.support.messages import adt

AT = "20260306143000-0500"
NAMELESS = adt("A03", AT, control="BAD1").replace(b"|M1^^^HOSPA^MR~MC1^^^MAINECARE^MA|", b"||")
NAMELESS_TOO = adt("A03", AT, control="BAD2", visit="V2").replace(b"|M1^^^HOSPA^MR~MC1^^^MAINECARE^MA|", b"||")
BEN = {"mrn": "M2", "medicaid": None, "name": "Birch^Ben", "born": "19751231", "sex": "M", "visit": "V20"}


async def _search(world: World, typed: str, who: str = "hospital", **more: Any) -> list[tuple[str, str]]:
    found = await world.api.json("POST", "/v1/inbound/search", world.keys[who], 200, json={"text": typed, **more})
    return [(one["control_id"], one["found_by"]) for one in found["items"]]


async def _post(world: World, *messages: bytes, who: str = "hospital") -> None:
    for message in messages:
        await world.api.post("/hl7v2", world.keys[who], content=message, headers=ER7)
    await world.stage.settle()


@pytest.fixture
async def town(story: World) -> World:
    """The story of Ann, Ben's visit, a message about him alone, and two that nothing could be made of."""
    await _post(story, adt("A04", AT, control="B1", **BEN), adt("A31", AT, control="B2", patient_class=None, **{**BEN, "visit": None}))
    await _post(story, NAMELESS, NAMELESS_TOO)
    return story


async def test_one_box_finds_by_control_id_patient_number_and_visit(town: World) -> None:
    assert await _search(town, "C2") == [("C2", "control_id")]
    assert await _search(town, "M1") == [("C2", "identifier"), ("C1", "identifier")]
    assert await _search(town, "MC1") == [("C2", "identifier"), ("C1", "identifier")]
    assert await _search(town, " V20 ") == [("B1", "visit_number")]
    assert await _search(town, "M2") == [("B2", "identifier"), ("B1", "identifier")]
    assert await _search(town, "nothing-of-the-kind") == []


async def test_one_box_finds_by_name_and_birth_date(town: World) -> None:
    assert await _search(town, "birch, ben 1975-12-31") == [("B2", "name_and_birth_date"), ("B1", "name_and_birth_date")]
    assert await _search(town, "Ben Birch 12/30/1975") == []


async def test_what_nothing_was_made_of_is_found_by_what_it_says(town: World) -> None:
    assert await _search(town, "V2") == [("BAD2", "message_text")]
    assert ("BAD1", "message_text") in await _search(town, "Alder, Ann 1980-01-02")
    assert ("BAD1", "message_text") in await _search(town, "V1")
    assert await _search(town, "BAD1") == [("BAD1", "control_id")]


async def test_a_bundle_that_nothing_was_made_of_is_found_by_what_it_says(town: World) -> None:
    document = bundle("A01", AT, control="BADB", mrn="M77", visit="V77", medicaid=None, name="Dogwood^Dora", born="19610203")
    resource(document, "Encounter")["status"] = "Canary"
    for kind, body in (("json", written(document)), ("xml", in_xml(document))):
        answer = await town.api.post(
            "/fhir/$process-message", town.keys["hospital"], content=body, headers={"content-type": f"application/fhir+{kind}"}
        )
        assert answer.status_code == 422
    for typed in ("M77", "V77", "Dogwood, Dora 1961-02-03"):
        assert await _search(town, typed) == [("BADB", "message_text")] * 2, typed
        assert await _search(town, typed, "stranger") == []


async def test_a_message_that_no_feed_claims_is_found_by_its_own(town: World) -> None:
    stray = adt("A01", AT, control="STRAY", application="WHO", facility="KNOWS", mrn="M77")
    await _post(town, stray, who="stranger")
    assert await _search(town, "STRAY", "stranger") == [("STRAY", "control_id")]
    assert await _search(town, "M77", "stranger") == [("STRAY", "message_text")]
    assert await _search(town, "STRAY") == []


@pytest.mark.parametrize("typed", ["C1", "M1", "MC1", "V1", "V2", "BAD1", "Alder, Ann 1980-01-02"])
async def test_nobody_finds_what_another_sent(town: World, typed: str) -> None:
    """Ann is on the home's and the plan's panel; the hospital's messages are the hospital's all the same."""
    for who in ("home", "plan", "stranger"):
        assert await _search(town, typed, who) == []


async def test_the_operator_finds_everything(town: World) -> None:
    assert await _search(town, "M1", "operator") == [("C2", "identifier"), ("C1", "identifier")]
    assert [control for control, _ in await _search(town, "Alder, Ann 1980-01-02", "operator")] == ["BAD2", "BAD1", "C2", "C1"]


async def test_pages_neither_repeat_nor_skip(town: World) -> None:
    seen, after = [], None
    while True:
        body = {"text": "Alder, Ann 1980-01-02", "limit": 1, **({"after": after} if after else {})}
        page = await town.api.json("POST", "/v1/inbound/search", town.keys["hospital"], 200, json=body)
        seen += [one["control_id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["BAD2", "BAD1", "C2", "C1"]


async def test_what_is_typed_is_in_no_address_and_no_log(town: World) -> None:
    await _search(town, "Alder, Ann 1980-01-02")
    observed = town.stage.observed[-1]
    assert (observed.method, observed.route) == ("POST", "/v1/inbound/search")
    assert "Alder" not in repr(observed)
    assert (await town.api.get("/v1/inbound/search?text=M1", town.keys["hospital"])).status_code in (404, 405, 422)


async def _groups(world: World, who: str = "hospital", **params: Any) -> list[dict[str, Any]]:
    return list((await world.api.json("GET", "/v1/inbound/set-aside", world.keys[who], 200, params=params))["items"])


async def test_what_was_set_aside_is_grouped_by_reason_place_and_feed(town: World) -> None:
    (group,) = await _groups(town)
    assert (group["messages"], group["code"], group["location"], group["feed_id"]) == (2, "101", "PID^1^3", town.ids["feed_id"])
    shown = await town.api.json("GET", f"/v1/inbound/{group['newest_id']}", town.keys["hospital"], 200)
    assert shown["control_id"] == "BAD2"
    assert group["text"] == shown["problems"][0]["text"]
    assert await _groups(town, feed_id=town.ids["feed_id"]) == [group]
    assert await _groups(town, received_before="2020-01-01T00:00:00Z") == []
    assert await _groups(town, received_from="1066-10-14T00:00:00Z", received_before="9999-01-01T00:00:00Z") == [group]
    assert await _groups(town, "home") == []
    assert await _groups(town, "operator") == [group]


async def test_what_is_on_the_queue_again_is_not_set_aside(town: World) -> None:
    (group,) = await _groups(town)
    await town.api.json("POST", f"/v1/inbound/{group['newest_id']}/replay", town.keys["hospital"], 202)
    (rest,) = await _groups(town)
    assert rest["messages"] == 1
    await town.stage.settle()
    assert sum(one["messages"] for one in await _groups(town)) == 2, "it was set aside again, by the pipeline now"


async def _replay(world: World, who: str = "hospital", **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = await world.api.json("POST", "/v1/inbound/replay", world.keys[who], 200, json=body)
    return found


async def _everything(world: World) -> list[Any]:
    tables = ("inbound_queue", "inbound_outcome", "encounter", "adt_event", "person", "notification", "disclosure")
    async with world.stage.services.unit_of_work(OPERATOR) as connection:
        return [(await connection.execute(select(func.count()).select_from(metadata.tables[table]))).scalar_one() for table in tables]


async def test_a_dry_run_says_what_would_change_and_changes_nothing(town: World) -> None:
    before, hints = await _everything(town), list(town.stage.waker.topics)
    found = await _replay(town)
    assert (found["dry_run"], found["messages"], found["replayed"], found["more"]) == (True, 2, 0, False)
    assert found["outcomes"] == {"set_aside": 2}
    assert [(one["code"], one["location"], one["messages"]) for one in found["reasons"]] == [("101", "PID^1^3", 2)]
    assert [one["outcome"] for one in found["items"]] == ["set_aside", "set_aside"]
    assert await _everything(town) == before
    assert town.stage.waker.topics == hints


async def test_after_the_feed_was_mended_the_dry_run_says_so_and_the_replay_does_it(town: World) -> None:
    path = f"/v1/feeds/{town.ids['feed_id']}"
    async with town.stage.services.unit_of_work(OPERATOR) as connection:
        await connection.execute(text("update feed set time_zone = 'Mars/Olympus'"))
    await _post(town, adt("A04", "20260306143000", control="MARS", **{**BEN, "visit": "V30"}))
    still = await _replay(town, code="207")
    assert (still["outcomes"], still["events"]) == ({"set_aside": 1}, {})
    await town.api.json("PATCH", path, town.keys["hospital"], 200, json={"time_zone": "America/New_York"})
    mended = await _replay(town, code="207")
    assert (mended["outcomes"], mended["events"], mended["reasons"]) == ({"processed": 1}, {"A04": 1}, [])
    assert await _search(town, "V30") == [("MARS", "message_text")]
    assert (await _replay(town, code="207", dry_run=False))["replayed"] == 1
    await town.stage.settle()
    assert await _search(town, "V30") == [("MARS", "visit_number")]
    assert [group["code"] for group in await _groups(town)] == ["101"]


async def test_replay_by_filter_takes_only_what_fits(town: World) -> None:
    assert (await _replay(town, code="207"))["messages"] == 0
    assert (await _replay(town, location="PV1^1^2"))["messages"] == 0
    assert (await _replay(town, code="101", location="PID^1^3", feed_id=town.ids["feed_id"], limit=1))["more"] is True
    assert (await _replay(town, "home"))["messages"] == 0
    assert (await _replay(town, received_from="2099-01-01T00:00:00Z"))["messages"] == 0
    done = await _replay(town, code="101", dry_run=False)
    assert (done["dry_run"], done["messages"], done["replayed"]) == (False, 2, 2)
    assert town.stage.waker.topics[-1] == "inbound"
    await town.stage.settle()
    assert sum(one["messages"] for one in await _groups(town)) == 2


async def test_a_key_without_the_scope_searches_nothing(town: World) -> None:
    key = await town.key("hospital", "members.read")
    assert (await town.api.post("/v1/inbound/search", key, json={"text": "M1"})).status_code == 403
    assert (await town.api.post("/v1/inbound/replay", key, json={})).status_code == 403


async def test_a_visit_number_in_a_segment_of_the_senders_own_is_found_as_one(world: World) -> None:
    """Where the feed's profile looks for it: in what was read, and in what was refused."""
    path = f"/v1/feeds/{world.ids['feed_id']}"
    profile = {"visit_number_places": ["ZPV-2.3"], "local_reads": {"patient_number": "ZPD-1"}}
    await world.api.json("PATCH", path, world.keys["hospital"], 200, json={"profile": profile})
    whole, nameless = (one + b"ZPV|1|x^y^ZV77\r" for one in (adt("A01", AT, control="Z1"), NAMELESS.replace(b"BAD1", b"Z2")))
    await _post(world, whole, nameless, NAMELESS.replace(b"BAD1", b"Z3") + b"ZPD\r")
    assert await _search(world, "ZV77") == [("Z2", "message_text"), ("Z1", "visit_number")]
