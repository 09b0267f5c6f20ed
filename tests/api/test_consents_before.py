"""A consent that comes before the patient's first message: kept, and counting from then on for whom the person index says it is."""

from typing import Any

from tests.api.test_consents import TPO, become, items
from tests.api.test_fhir_consents import post, tpo
from tests.api.world import ADMIN_KEY, World, load_panel
from tests.support.messages import adt

HEADER = "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
BO = {"medicaid": "MC2", "mrn": "M2", "name": "Birch^Bo", "born": "19810102", "sex": "M", "visit": "V2"}
PERSON: dict[str, Any] = {
    "identifiers": [{"system": "MAINECARE", "type": "MA", "value": "MC2"}],
    "first_name": "Bo",
    "last_name": "Birch",
    "birth_date": "1981-01-02",
    "sex": "M",
}


def admit(**facts: Any) -> bytes:
    return adt("A01", "20260306090000-0500", control="N1", admitted="20260306090000-0500", **{**BO, **facts})


async def sign(world: World, who: str = "hospital", status: int = 201, **changed: Any) -> Any:
    body = {**TPO, "person": PERSON, "discloser_id": world.ids["hospital"], **changed}
    made = await world.api.json("POST", "/v1/consents", world.keys[who], status, json=body)
    await world.stage.settle()
    return made


async def bo_of_the_home(world: World) -> None:
    """The home claims him only when he is there, so that nothing but the paper knew him before."""
    await load_panel(world, "home", HEADER + "H-2,HOMEB,Bo,Birch,1981-01-02,M,MC2,BHH,2026-01-01\n")


async def test_a_paper_of_somebody_unknown_counts_from_the_first_message_on(world: World) -> None:
    await become(world, part2_status="program")
    made = await sign(world)
    assert (made["state"], made["in_force"]) == ("active", True)
    await bo_of_the_home(world)
    await world.send(admit())
    (told,) = await items(world, "/v1/notifications")
    assert (told["tier"], told["person"]["id"], told["consent_scope"], told["late"]) == ("full", made["person_id"], TPO["scope"], None)
    # Of somebody else it says nothing.
    await world.send(adt("A01", "20260306090000-0500", control="N2", admitted="20260306090000-0500"))
    assert len(await items(world, "/v1/notifications")) == 1


async def test_a_refusal_of_somebody_unknown_is_honoured_at_the_first_message(world: World) -> None:
    refusal = {"kind": "refusal", "scope": "", "recipient_classes": [], "purposes": [], "statements": [], "discloser_id": None}
    await sign(world, **refusal, expires_upon=None)
    await bo_of_the_home(world)
    await world.send(admit())
    assert await items(world, "/v1/notifications") == []
    assert [one["person"]["id"] for one in await items(world, "/v1/encounters", "hospital")] != []


async def test_the_same_in_fhir_with_a_contained_patient(world: World) -> None:
    await become(world, part2_status="program")
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": "MAINECARE", "value": "MC2", "type": {"coding": [{"code": "MA"}]}}],
        "name": [{"family": "Birch", "given": ["Bo"]}],
        "birthDate": "1981-01-02",
        "gender": "male",
    }
    document = {**await tpo(world), "contained": [patient], "patient": {"reference": "#p"}}
    for lacking in ("identifier", "name", "birthDate"):
        less = {name: item for name, item in patient.items() if name != lacking}
        refused = await post(world, {**document, "contained": [less]})
        assert (refused.status_code, refused.json()["issue"][0]["expression"]) == (422, ["Consent.contained[0]"])
    by_number = {**document, "patient": {"identifier": patient["identifier"][0]}}
    by_number.pop("contained")
    assert (await post(world, by_number)).status_code == 422
    made = await post(world, document)
    assert made.status_code == 201, made.text
    await bo_of_the_home(world)
    await world.send(admit())
    (told,) = await items(world, "/v1/notifications")
    assert (told["tier"], told["person"]["id"].partition("_")[2]) == ("full", made.json()["patient"]["reference"].partition("/")[2])


async def test_nothing_is_guessed(world: World) -> None:
    """Another name or birth date under the number joins nobody: the paper waits with its record until somebody has looked."""
    await become(world, part2_status="program")
    await bo_of_the_home(world)
    await sign(world, person={**PERSON, "first_name": "Zoe", "last_name": "Zander", "birth_date": "1955-12-31", "sex": "F"})
    await world.send(admit())
    assert await items(world, "/v1/notifications") == []
    # An exception is for somebody who is there, a stand-in is nobody's number.
    for changed, pointer in (
        ({"kind": "emergency", "minutes": 30, "reason": "unconscious", "recipients": [world.ids["home"]]}, "/person_id"),
        ({"person": {**PERSON, "identifiers": [{"system": "X", "type": "MR", "value": "999999999"}]}}, "/person"),
        ({"scope": " "}, "/scope"),
    ):
        refused = await sign(world, status=422, **changed)
        assert [error["pointer"] for error in refused["errors"]] == [pointer], changed
    assert len(await items(world, "/v1/consents", "hospital")) == 1
    # The same number with his name is his, and the other's paper says nothing of him.
    await sign(world)
    assert [one["tier"] for one in await items(world, "/v1/notifications")] == ["full"]
    both = await sign(world, status=422, person_id=(await items(world, "/v1/consents", "hospital"))[0]["person_id"])
    assert "either person_id or person" in str(both["errors"])


async def test_a_home_that_asserts_it_waits_and_the_operator_may_enter_it(world: World) -> None:
    await become(world, part2_status="program")
    asserted = await sign(world, "home")
    assert asserted["state"] == "proposed"
    # Whoever names somebody by number sees no more of them than before.
    assert (await world.api.get(f"/v1/people/{asserted['person_id']}", world.keys["home"])).status_code == 404
    entered = await sign(world, "operator", document_id="PAPER-2")
    assert (entered["state"], entered["person_id"], entered["recorded_by"]) == ("active", asserted["person_id"], None)
    await bo_of_the_home(world)
    await world.send(admit())
    assert [one["tier"] for one in await items(world, "/v1/notifications")] == ["full"]
    shown = await world.api.json("GET", f"/v1/people/{asserted['person_id']}", ADMIN_KEY, 200)
    assert len({one["source"] for one in shown["sources"]}) == 3
