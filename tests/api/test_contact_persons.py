"""How somebody is reached, on the whole road: what the hospitals said and the reader's own roster, at tier full, and nobody else's."""

from typing import Any

from app.actions.present_notifications import present
from app.domain.contact_sheet import FIELDS
from app.domain.privacy import Decision, Tier
from app.store.notification_reads import StoredNotification
from tests.api.test_follow_up_life import the_follow_up
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, DISCHARGE, World, load_panel, tell_the_story
from tests.support.messages import adt

MOTHER = "NK1|1|Zzalder^Mary|MTH^Mother|9 Zz Way^^Bangor^ME^04401|2075550155^PRN^PH||C"
OFFICE = "NK1|2||GRD^Guardian||2075550166^WPN^PH||S||||||Zz Office"
GUARANTOR = "GT1|1||Zzalder^Mary||||||||MTH"
SAFE = (
    ANN_AT_HOME.splitlines()[0]
    + ",phone,phone2,phone_owner,safe_contact,no_voicemail,interpreter,guardian_name,guardian_relation,guardian_phone\n"
    + ANN_AT_HOME.splitlines()[1]
    + ",(207) 555-0101,2075550177,Zz Neighbour,text only,Y,Somali,Zz Guardian,state custody,2075550188\n"
)
SECRETS = ("Zz Guardian", "2075550188", "2075550177", "Zz Neighbour", "text only", "Somali")


def reached(person: dict[str, Any]) -> list[str]:
    return [one["name"] or one["organization"] for one in person["contact_persons"]]


async def _told(world: World, who: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/notifications", world.keys[who], 200))["items"]
    return found


async def test_a_home_reads_whom_to_call_and_what_to_mind(world: World) -> None:
    loaded = await load_panel(world, "home", SAFE)
    assert (loaded["accepted"], loaded["rejected"]) == (1, 0)
    assert "guardian_name" not in loaded.get("unknown_columns", [])
    await world.send(ADMIT, adt("A08", "20260303100000-0500", control="N1", extra=(MOTHER, OFFICE, GUARANTOR)), DISCHARGE)
    person = (await the_follow_up(world))["person"]
    assert reached(person) == ["Zz Guardian", "Zz Office", "Mary Zzalder"]
    guardian, office, mother = person["contact_persons"]
    assert (guardian["is_legal_guardian"], guardian["state_custody"], guardian["sources"]) == (True, True, ["roster"])
    assert (office["is_legal_guardian"], office["state_custody"], office["sources"]) == (True, True, ["adt"])
    assert (mother["is_emergency_contact"], mother["is_guarantor"], mother["address"]) == (True, True, "9 Zz Way")
    assert mother["phones"][0] | {"sources": None} == {
        "number": "2075550155", "normalised": "+12075550155", "extension": None, "kind": "phone", "use": "home", "code": None,
        "note": None, "owner": "person", "owner_name": "Mary Zzalder", "shared_with": [], "sources": None,
    }  # fmt: skip
    assert [(one["normalised"], one["owner"], one["owner_name"]) for one in person["phones"]] == [
        ("+12075550101", "person", "Zz Neighbour"),
        ("+12075550177", "unknown", None),
    ]
    assert (person["phone"], person["safe_contact"], person["no_voicemail"]) == ("2075550101", "text only", True)
    assert person["interpreter"] == {"needed": True, "language": "Somali"}
    (notification,) = [one for one in await _told(world, "home") if one["type"] == "encounter.discharged"]
    assert notification["person"] == person


async def test_below_tier_full_nothing_of_it_is_told(world: World) -> None:
    await load_panel(world, "plan", SAFE.replace("H-1,HOMEB", "P-77,PLANC"))
    await world.send(ADMIT, adt("A08", "20260303100000-0500", control="N1", extra=(MOTHER, OFFICE)), DISCHARGE)
    plan = world.keys["plan"]
    for item in await _told(world, "plan"):
        assert item["tier"] == "minimal"
        assert {name: item["person"].get(name) for name in FIELDS} == dict.fromkeys(FIELDS)
    answers = [
        await world.api.get(path, plan)
        for path in ("/v1/notifications", "/v1/follow-ups", "/v1/encounters", "/v1/members?identifier=MAINECARE|MC1")
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert [word for word in ("Zzalder", "Zz Office", "2075550155", *SECRETS) if word in answer.text] == []


async def test_another_home_never_reads_what_a_roster_says(world: World) -> None:
    """Both claim Ann. Each reads the hospital's contact persons, and of the two rosters its own alone."""
    await load_panel(world, "home", SAFE)
    own = ANN_AT_HOME.replace("H-1,HOMEB", "D-1,HOMED").replace("effective_from,", "effective_from,guardian_name,")
    await load_panel(world, "stranger", own.replace("2026-01-01,", "2026-01-01,Zz Stranger's,").replace("BHH", "TCM"))
    await world.send(ADMIT, adt("A08", "20260303100000-0500", control="N1", extra=(MOTHER,)), DISCHARGE)
    stranger = world.keys["stranger"]
    told = await _told(world, "stranger")
    assert reached(told[-1]["person"]) == ["Zz Stranger's", "Mary Zzalder"]
    person = told[-1]["person"]
    assert (person["safe_contact"], person["no_voicemail"], person["interpreter"]["needed"]) == (None, None, None)
    for path in ("/v1/notifications", "/v1/follow-ups", "/v1/encounters"):
        answer = await world.api.get(path, stranger)
        assert [word for word in SECRETS if word in answer.text] == [], path
        assert "Zz Stranger's" not in (await world.api.get(path, world.keys["home"])).text, path
    for path in ("/v1/encounters", "/v1/inbound"):
        assert [word for word in SECRETS if word in (await world.api.get(path, world.keys["hospital"])).text] == [], path


async def test_what_a_part_2_program_says_of_relatives_is_nobodys_elses(world: World) -> None:
    made = await world.api.json(
        "POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Clinic P", "kind": "hospital", "part2_status": "program"}
    )
    feed = {
        "organization_id": made["id"],
        "sending_application": "EPIC",
        "sending_facility": "CLINICP",
        "time_zone": "America/New_York",
        "assigning_authority": "CLINICP",
    }
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
    await tell_the_story(world)
    late = adt("A31", "20260306190000-0500", control="P1", mrn="P9", facility="CLINICP", patient_class=None, extra=(MOTHER,))
    answer = await world.api.post("/hl7v2", ADMIN_KEY, content=late, headers={"content-type": "application/hl7-v2"})
    assert b"MSA|AA|" in answer.content
    await world.stage.settle()
    assert (await the_follow_up(world))["person"]["contact_persons"] == []


async def test_a_change_of_contact_persons_alone_is_no_new_notification(story: World) -> None:
    """As of a telephone of the patient's own: it is read with the follow-up, and told with the next event of the stay."""
    before = [item["id"] for item in await _told(story, "home")]
    await story.send(adt("A08", "20260306150000-0500", control="N2", extra=(MOTHER,)))
    changed = MOTHER.replace("2075550155", "2075550199")
    await story.send(adt("A31", "20260306151000-0500", control="N3", patient_class=None, extra=(changed,)))
    assert [item["id"] for item in await _told(story, "home")] == before
    (mother,) = (await the_follow_up(story))["person"]["contact_persons"]
    assert mother["phones"][0]["number"] == "2075550199"


async def test_a_message_that_comes_late_does_not_bring_back_who_was_replaced_or_taken_back(story: World) -> None:
    """ADT-4, stored: the latest event that states the list counts, whenever it arrives."""
    await story.send(adt("A31", "20260306151000-0500", control="N3", patient_class=None, extra=(OFFICE,)))
    await story.send(adt("A31", "20260306150000-0500", control="N2", patient_class=None, extra=(MOTHER, GUARANTOR)))
    person = (await the_follow_up(story))["person"]
    assert reached(person) == ["Zz Office", "Mary Zzalder"]
    assert person["contact_persons"][1]["is_guarantor"] is True
    await story.send(adt("A31", "20260306153000-0500", control="N5", patient_class=None, extra=('NK1|1|""', 'GT1|1||""')))
    await story.send(adt("A31", "20260306152000-0500", control="N4", patient_class=None, extra=(MOTHER,)))
    assert (await the_follow_up(story))["person"]["contact_persons"] == []


async def test_a_cell_that_cannot_be_read_is_named_by_row_and_column(world: World) -> None:
    loaded = await load_panel(world, "home", SAFE.replace(",Y,", ",maybe,").replace("2075550188", "ask"))
    assert (loaded["accepted"], loaded["rejected"]) == (0, 1)
    assert {(error["row"], error["column"], error["code"]) for error in loaded["errors"]} == {
        (2, "no_voicemail", "not_yes_or_no"),
        (2, "guardian_phone", "not_a_phone"),
    }
    assert "maybe" not in str(loaded["errors"])


async def test_what_was_told_in_full_is_read_without_it_when_the_tier_has_sunk(story: World) -> None:
    item = (await _told(story, "home"))[-1]
    assert set(FIELDS) <= item["person"].keys()
    stored = StoredNotification(
        **{name: item.get(name) for name in StoredNotification.__annotations__ if name not in {"payload", "tier"}},
        payload=item,
        tier="full",
    )  # type: ignore[arg-type]
    shown = present(stored, Decision(Tier.MINIMAL, ()))
    assert set(FIELDS).isdisjoint(shown["person"])
    assert shown["person"]["phone"] == item["person"]["phone"]
    # A unit's number says what the unit is for.
    assert "call_back" in item["encounter"]["facility"]
    assert shown["encounter"]["facility"].keys() == {"id", "name"}
    assert present(stored, Decision(Tier.ID_ONLY, ()))["person"] == {"id": item["person"]["id"]}
