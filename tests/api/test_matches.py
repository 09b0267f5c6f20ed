"""`/v1/matches`, `/v1/person-index` and `/v1/people` over HTTP: who may ask, what an answer does, and that it can be taken back."""

from typing import Any
from uuid import UUID

import pytest

from app import wiring
from app.actions.identify import identify
from app.domain.adt_event import Identifier
from app.domain.person import ADT_SOURCE, RecordClaim
from app.domain.public_id import Kind, public_id, read_public_id
from app.domain.tie import TieKind
from app.domain.viewer import OPERATOR, Viewer
from app.store import match_reads
from app.store.engine import raw_connection
from tests.api.world import ADMIN_KEY, EVERY_SCOPE, NOW, World
from tests.support.messages import adt

ZEB = {
    "first_name": "Zebulon", "last_name": "Quillfeather", "birth_date": "1950-12-31", "sex": "M",
    "phone": "2075550143", "address": "12 Birch Street", "zip": "04401", "city": "Bangor",
}  # fmt: skip


async def say(world: World, *claims: RecordClaim) -> None:
    """Let hospitals say something of patients, without a message, and work until nothing waits."""
    async with wiring.open_transaction(world.stage.work)() as raw:
        await identify(raw, claims, ids=wiring.SystemIds(), now=NOW)
    await world.stage.settle()


def patient(authority: str, number: str, key: str = "1", **facts: str) -> RecordClaim:
    own = Identifier(authority, "MR", number)
    return RecordClaim(ADT_SOURCE, own, (own,), key, facts)


async def ask_about_two(world: World) -> None:
    """Let one hospital have two patients who are alike; note the question and the two records."""
    await say(world, patient("FAR", "Z1", **ZEB), patient("FAR", "Z2", **ZEB))
    (found,) = (await world.api.json("GET", "/v1/matches", ADMIN_KEY, 200))["items"]
    world.ids |= {"match_id": found["id"], "left_id": found["left"]["record_id"], "right_id": found["right"]["record_id"]}


async def answer(world: World, what: str = "resolve", **body: Any) -> dict[str, Any]:
    answered: dict[str, Any] = await world.api.json(
        "POST", f"/v1/matches/{world.ids['match_id']}/{what}", ADMIN_KEY, 200, json={"reason": "The hospital was asked.", **body}
    )
    return answered


async def test_a_question_shows_both_sides_and_the_difference_and_keeps_every_answer(story: World) -> None:
    await say(story, patient("FAR", "Z1", **ZEB), patient("NEAR", "7", **{**ZEB, "first_name": "Debulon", "phone": "2075550199"}))
    found = await story.api.json("GET", "/v1/matches", ADMIN_KEY, 200, params={"state": "open"})
    assert [item["kind"] for item in found["items"]] == ["possible_match"]
    assert "Quillfeather" not in str(found), "a list names fields, and nobody"
    waiting = (await story.api.json("GET", "/v1/queues", ADMIN_KEY, 200))["items"]
    assert [(one["id"], one["waiting"]) for one in waiting if one["waiting"]] == [("possible_matches", 1)]
    story.ids["match_id"] = found["items"][0]["id"]
    shown = await story.api.json("GET", f"/v1/matches/{story.ids['match_id']}", ADMIN_KEY, 200)
    assert {one["field"]: one["same"] for one in shown["differences"]} | {"first_name": False, "phone": False, "last_name": True} == {
        one["field"]: one["same"] for one in shown["differences"]
    }
    joined = await answer(story, outcome="same")
    assert joined["left"]["person_id"] == joined["right"]["person_id"]
    parted = await answer(story, outcome="different")
    assert parted["left"]["person_id"] != parted["right"]["person_id"]
    story.stage.clock.advance(days=9)
    reopened = await answer(story, "reopen")
    assert (reopened["state"], reopened["outcome"]) == ("open", None)
    assert reopened["opened_at"] == story.stage.clock.now().isoformat(), "asked again, it waits from then on"
    assert [one["outcome"] for one in reopened["decisions"]] == ["same", "different", None]
    assert (await answer(story, outcome="later"))["state"] == "open"


async def test_an_answer_reaches_who_was_not_told_and_taking_it_back_retracts(story: World) -> None:
    """Hospital F discharges somebody whom nothing but an operator's answer makes the home's patient."""
    api, home = story.api, story.keys["home"]
    before = (await api.json("GET", "/v1/notifications", home, 200))["items"]
    other = adt("A03", "20260305143000-0500", control="C9", mrn="M9", visit="V9", medicaid=None, name="Aldr^An", born="19800120",
                admitted="20260301100000-0500", discharged="20260305142500-0500", disposition="01")  # fmt: skip
    await story.send(other)
    assert len((await api.json("GET", "/v1/notifications", home, 200))["items"]) == len(before)
    async with wiring.open_transaction(story.stage.work)() as raw:
        ids = {row["value"]: row["id"] for row in await raw.fetch("select id, value from patient_record where source = 'adt'")}
    body = {"left_record_id": str(ids["M1"]), "right_record_id": str(ids["M9"]), "outcome": "same", "reason": "Same person, misspelt."}
    story.ids["match_id"] = (await api.json("POST", "/v1/matches", ADMIN_KEY, 201, json=body))["id"]
    await story.stage.settle()
    told = (await api.json("GET", "/v1/notifications", home, 200))["items"][len(before) :]
    assert [item["type"] for item in told] == ["encounter.discharged"]
    await answer(story, outcome="different")
    await story.stage.settle()
    after = (await api.json("GET", "/v1/notifications", home, 200))["items"][len(before) + 1 :]
    assert ("encounter.cancelled", told[0]["id"]) in [(item["type"], item["supersedes"]) for item in after]


async def test_what_was_told_of_two_as_one_is_read_of_the_one_once_they_are_parted(story: World) -> None:
    """The other's next of kin, numbers and record number were told with the stay; now they are a stranger's."""
    api, home = story.api, story.keys["home"]
    kin = "NK1|1|Zzaldr^Mary|MTH^Mother||2075550155|||C"
    other = adt(
        "A01", "20260305143000-0500", control="C9", mrn="M9", visit="V9", medicaid=None, name="Aldr^An", born="19800120", extra=(kin,)
    )
    await story.send(other)
    async with wiring.open_transaction(story.stage.work)() as raw:
        ids = {row["value"]: row["id"] for row in await raw.fetch("select id, value from patient_record where source = 'adt'")}
    body = {"left_record_id": str(ids["M1"]), "right_record_id": str(ids["M9"]), "outcome": "same", "reason": "Same person, misspelt."}
    story.ids["match_id"] = (await api.json("POST", "/v1/matches", ADMIN_KEY, 201, json=body))["id"]
    await story.stage.settle()
    await story.send(adt("A08", "20260306160000-0500", control="C10", diagnoses=(("I10", "F"),)))
    told = (await api.json("GET", "/v1/notifications", home, 200))["items"]
    of_both = [item for item in told if "Mary Zzaldr" in str(item.get("person"))]
    assert {item["encounter"]["visit_number"] for item in of_both} >= {"V1"}, "the stay of the one, told while both were one"
    await answer(story, outcome="different")
    await story.stage.settle()
    after = (await api.json("GET", "/v1/notifications", home, 200))["items"]
    assert [item["sequence"] for item in after[: len(told)]] == [item["sequence"] for item in told]
    assert not [word for word in ("Zzaldr", "2075550155", "M9", "Aldr") if word in str(after)]
    ones = [item for item in after if item["id"] in {one["id"] for one in of_both} and item["type"] != "notification.withdrawn"]
    assert {(item["person"]["last_name"], item["encounter"]["visit_number"]) for item in ones} == {("Alder", "V1")}
    alone = await api.json("GET", f"/v1/notifications/{ones[0]['id']}", home, 200)
    assert alone["person"] == ones[0]["person"]


async def test_only_the_exchange_may_ask_and_answer(story: World) -> None:
    await ask_about_two(story)
    path = f"/v1/matches/{story.ids['match_id']}"
    for who in ("hospital", "home", "plan", "stranger"):
        key = story.keys[who]
        assert (await story.api.json("GET", "/v1/matches", key, 200))["items"] == []
        assert (await story.api.call("GET", path, key)).status_code == 404
        assert (await story.api.call("POST", f"{path}/resolve", key, json={"outcome": "same", "reason": "x"})).status_code == 404
        new = {"left_record_id": story.ids["left_id"], "right_record_id": story.ids["right_id"], "outcome": "same", "reason": "x"}
        assert (await story.api.call("POST", "/v1/matches", key, json=new)).status_code == 403
    made = await story.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "The exchange", "kind": "hie"})
    story.ids["hie"] = made["id"]
    assert (await story.api.json("GET", "/v1/matches", await story.key("hie", *EVERY_SCOPE), 200))["items"] != []
    assert (await story.api.call("GET", "/v1/matches", await story.key("hie", "members.read"))).status_code == 403


@pytest.mark.parametrize("table", ["identity_match", "match_decision", "record_block", "record_keys", "record_move"])
async def test_row_level_security_shows_no_organization_a_row(story: World, table: str) -> None:
    await ask_about_two(story)
    await answer(story, outcome="same")
    services = story.stage.services
    async with services.unit_of_work(OPERATOR) as connection:
        assert await (await raw_connection(connection)).fetchval(f"select count(*) from {table}") > 0  # noqa: S608 - our own names
    for who in ("hospital", "home", "plan"):
        viewer = Viewer(read_public_id(Kind.ORGANIZATION, story.ids[who]), frozenset(EVERY_SCOPE))
        async with services.unit_of_work(viewer) as connection:
            assert await (await raw_connection(connection)).fetchval(f"select count(*) from {table}") == 0  # noqa: S608 - our own names


async def test_a_marked_authority_decides_and_unmarked_it_does_not(story: World) -> None:
    same = Identifier("EMPI", "PI", "E1")
    two = [
        RecordClaim(ADT_SOURCE, one.own, (one.own, same), "1", facts)
        for one, facts in ((patient("FAR", "1"), ZEB), (patient("NEAR", "7"), {**ZEB, "first_name": "Ann", "birth_date": "1980-01-02"}))
    ]
    await say(story, *two)

    async def people_of_two() -> set[UUID]:
        async with wiring.open_transaction(story.stage.work)() as raw:
            return {row["person_id"] for row in await raw.fetch("select person_id from patient_record where authority in ('FAR', 'NEAR')")}

    assert len(await people_of_two()) == 2, "a mother's number on her child's record"
    await story.api.json("POST", "/v1/person-index", ADMIN_KEY, 200, json={"authority": "empi"})
    await story.stage.settle()
    assert len(await people_of_two()) == 1
    listed = await story.api.json("GET", "/v1/matches", ADMIN_KEY, 200, params={"kind": "index_disagreement"})
    assert len(listed["items"]) == 1
    assert (await story.api.call("DELETE", "/v1/person-index/empi", ADMIN_KEY)).status_code == 204
    await story.stage.settle()
    assert len(await people_of_two()) == 2
    assert (await story.api.json("GET", "/v1/matches", ADMIN_KEY, 200, params={"kind": "index_disagreement"}))["items"] == []


async def test_a_person_shows_each_viewer_their_own_part(story: World) -> None:
    path, api = f"/v1/people/{story.ids['person_id']}", story.api
    whole = await api.json("GET", path, ADMIN_KEY, 200)
    assert {one["source"] for one in whole["sources"]} == {"adt", story.ids["home"], story.ids["plan"]}
    assert {one["organization_id"] for one in whole["attributions"]} == {story.ids["home"], story.ids["plan"]}
    for who, other in (("home", "plan"), ("plan", "home")):
        seen = await api.json("GET", path, story.keys[who], 200)
        assert {one["source"] for one in seen["sources"]} == {"adt", story.ids[who]}
        assert {one["organization_id"] for one in seen["attributions"]} == {story.ids[who]}
        assert [one["id"] for one in seen["encounters"]] == [story.ids["encounter_id"]]
        assert story.ids[other].partition("_")[2] not in str(seen), "not a word of another's roster"
    for who in ("stranger", "hospital"):
        assert (await api.call("GET", path, story.keys[who])).status_code == 404
    assert (await api.json("GET", path, story.keys["home"], 200, params={"as_of": "2025-12-31"}))["attributions"] == []
    assert (await api.json("GET", path, story.keys["home"], 200, params={"known_at": "2026-01-01T00:00:00Z"}))["attributions"] == []


async def test_a_person_who_became_another_answers_with_that_other_and_with_how_it_came(story: World) -> None:
    await say(story, patient("FAR", "Z1", **ZEB), patient("NEAR", "7", **{**ZEB, "first_name": "Debulon", "phone": "2075550199"}))
    (found,) = (await story.api.json("GET", "/v1/matches", ADMIN_KEY, 200))["items"]
    story.ids["match_id"] = found["id"]
    both = {found["left"]["person_id"], found["right"]["person_id"]}
    winner = (await answer(story, outcome="same"))["left"]["person_id"]
    (loser,) = both - {winner}
    shown = await story.api.json("GET", f"/v1/people/{loser}", ADMIN_KEY, 200)
    assert (shown["id"], shown["former_ids"]) == (winner, [loser])
    assert [(one["kind"], one["outcome"], one["from_person_id"]) for one in shown["links"] if one["kind"] == "decision"] == [
        ("decision", "same", None)
    ]
    assert [one["from_person_id"] for one in shown["links"] if one["kind"] == "moved"] == [loser]
    reopened = await answer(story, "reopen")
    assert {reopened["left"]["person_id"], reopened["right"]["person_id"]} == both, "each has their own id again"
    again = await story.api.json("GET", f"/v1/people/{found['left']['person_id']}", ADMIN_KEY, 200)
    assert again["id"] == found["left"]["person_id"]
    assert again["former_ids"] == []


async def test_open_questions_are_a_queue_with_an_owner_and_the_clocks_of_both_sides(story: World) -> None:
    """A possible match is a patient nobody was told of: it ages like every other queue, and waits once however many clocks run."""

    async def queue() -> dict[str, Any]:
        items = (await story.api.json("GET", "/v1/queues", ADMIN_KEY, 200))["items"]
        found: dict[str, Any] = next(one for one in items if one["id"] == "possible_matches")
        return found

    before = await queue()
    assert (before["waiting"], before["alert"], before["oldest_at"], before["clocks_running"]) == (0, "none", None, 0)
    async with wiring.open_transaction(story.stage.work)() as raw:
        running = await raw.fetchval("select count(*) from follow_up where next_due_at is not null")
        row = await raw.fetchrow(
            "select r.id from patient_record r join follow_up f on f.person_id = r.person_id where r.value = 'M1' and r.source = 'adt'"
        )
        assert running
        await identify(raw, [patient("FAR", "Z1", **ZEB)], ids=wiring.SystemIds(), now=NOW)
        other = await raw.fetchval("select id from patient_record where value = 'Z1'")
    await story.stage.settle()
    left, right = sorted((row["id"], other))
    match_id = UUID(int=NOW.microsecond + (int(NOW.timestamp() * 1000) << 80))
    async with wiring.open_transaction(story.stage.work)() as raw:
        await match_reads.open_match(raw, match_id, (left, right), TieKind.SCORE, NOW)
        await raw.execute("update identity_match set state = 'open', level = 'possible', weight = 21 where id = $1", match_id)
    asked = await queue()
    assert (asked["waiting"], asked["owner"], asked["opened_in_30_days"]) == (1, "identity desk", 1)
    assert asked["clocks_running"] == running
    story.stage.clock.advance(hours=13)
    assert (await queue())["alert"] == "ageing"
    story.stage.clock.advance(hours=12)
    assert (await queue())["alert"] == "overdue"
    story.ids["match_id"] = public_id(Kind.MATCH, match_id)
    await answer(story, outcome="different")
    decided = await queue()
    assert (decided["waiting"], decided["clocks_running"], decided["opened_in_30_days"]) == (0, 0, 1)
