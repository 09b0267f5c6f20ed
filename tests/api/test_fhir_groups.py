"""Panels as Da Vinci member attribution lists: read, found, and changed member by member over the real face and database (ATR-1)."""

import json
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.group import Group
from fhir.resources.R4B.operationoutcome import OperationOutcome

from app import wiring
from app.api import fhir_groups
from app.settings import load_settings
from tests.api.world import ADMIT, FHIR_JSON, World, load_panel

NPI = "http://hl7.org/fhir/sid/us-npi"
EXTENSION = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-"
_HEADER = "member_id,member_id_system,first_name,last_name,birth_date,sex,program,effective_from,plan_id,provider_npi"
ANN = {"name": "memberId", "valueIdentifier": {"system": "HOMEB", "value": "H-1"}}
BEN = {"name": "memberId", "valueIdentifier": {"system": "HOMEB", "value": "H-2"}}
BEN_HIMSELF = {
    "name": "patient",
    "resource": {
        "resourceType": "Patient",
        "name": [{"family": "Birch", "given": ["Ben"]}],
        "birthDate": "1971-05-06",
        "gender": "male",
        "telecom": [{"system": "phone", "value": "207-555-0111"}],
    },
}


def _id(world: World, who: str = "home") -> str:
    return world.ids[who].partition("_")[2]


async def _group(world: World, who: str = "home", **params: Any) -> dict[str, Any]:
    answer = await world.api.get(f"/fhir/Group/{_id(world)}", world.keys[who], params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    Group.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


async def _ask(world: World, operation: str, *parameters: dict[str, Any], status: int = 200, who: str = "home") -> dict[str, Any]:
    body = json.dumps({"resourceType": "Parameters", "parameter": list(parameters)}).encode()
    answer = await world.api.post(f"/fhir/Group/{_id(world)}/{operation}", world.keys[who], content=body, headers=FHIR_JSON)
    assert answer.status_code == status, answer.text
    return _issue(answer)


def _issue(answer: httpx.Response) -> dict[str, Any]:
    OperationOutcome.model_validate(answer.json())
    found: dict[str, Any] = answer.json()["issue"][0]
    return found


def _extension(member: dict[str, Any], name: str) -> Any:
    return next((one for one in member["extension"] if one["url"] == f"{EXTENSION}{name}"), None)


async def test_a_panel_is_a_group_with_its_members(world: World) -> None:
    rows = "H-7,HOMEB,Cara,Cedar,1966-01-01,F,BHH,2026-01-01,PLAN-1,1234567893\n"
    await load_panel(world, "home", f"{_HEADER}\n{rows}", mode="delta")
    group = await _group(world)
    assert (group["id"], group["type"], group["actual"], group["name"]) == (_id(world), "person", True, "Home B")
    assert group["identifier"][0]["value"].replace("-", "").endswith(_id(world))
    ann, cara = group["member"]
    assert ann["entity"]["identifier"] == {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB"}]},
        "value": "H-1",
        "assigner": {"display": "HOMEB"},
    }
    assert (ann["period"], ann["inactive"]) == ({"start": "2026-01-01"}, False)
    assert _extension(ann, "changeType")["valueCode"] == "nochange"
    assert _extension(cara, "changeType")["valueCode"] == "new"
    assert _extension(cara, "attributedProvider")["valueReference"]["identifier"] == {"system": NPI, "value": "1234567893"}
    assert _extension(cara, "coverageReference")["valueReference"]["identifier"] == {"value": "PLAN-1"}
    assert "tag" not in group["meta"]


async def test_a_member_who_is_not_known_comes_with_the_patient(world: World) -> None:
    refused = await _ask(world, "$member-add", BEN, status=404)
    assert (refused["code"], "patient" in refused["diagnostics"]) == ("not-found", True)
    period = {"name": "attributionPeriod", "valuePeriod": {"start": "2026-02-01", "end": "2026-12-31"}}
    program = {"name": "program", "valueString": "BHH"}
    provider = {"name": "providerNpi", "valueIdentifier": {"system": NPI, "value": "1234567893"}}
    assert (await _ask(world, "$member-add", BEN, BEN_HIMSELF, status=422))["code"] == "required"
    said = await _ask(world, "$member-add", BEN, BEN_HIMSELF, program, provider, period)
    assert "added 1" in said["diagnostics"]
    ben = (await _group(world))["member"][-1]
    assert ben["period"] == {"start": "2026-02-01", "end": "2026-12-31"}
    assert _extension(ben, "attributedProvider") is not None
    # The same as a row of a roster: with its history, and the end exclusive.
    claims = (await world.api.json("GET", f"/v1/panels/{world.ids['home']}/members", world.keys["home"], 200))["items"]
    assert (claims[-1]["cells"]["last_name"], claims[-1]["cells"]["phone"]) == ("Birch", "207-555-0111")
    assert (claims[-1]["role"], claims[-1]["effective_to"]) == ("behavioral_health_home", "2027-01-01")
    uploads = (await world.api.json("GET", f"/v1/panels/{world.ids['home']}/uploads", world.keys["home"], 200))["items"]
    assert uploads[0]["file_name"] == "$member-add"


async def test_added_twice_is_added_once_and_who_left_comes_back(world: World) -> None:
    assert "unchanged 1" in (await _ask(world, "$member-add", ANN))["diagnostics"]
    assert "ended 1" in (await _ask(world, "$member-remove", ANN))["diagnostics"]
    gone = (await _group(world))["member"][0]
    assert (gone["inactive"], _extension(gone, "changeType")["valueCode"]) == (True, "dropped")
    assert gone["period"] == {"start": "2026-01-01", "end": "2026-03-05"}
    assert (await _ask(world, "$member-remove", ANN, status=404))["code"] == "not-found"
    assert "added 1" in (await _ask(world, "$member-add", ANN))["diagnostics"]
    members = (await _group(world))["member"]
    assert [(one["period"]["start"], one["inactive"]) for one in members] == [("2026-01-01", True), ("2026-03-06", False)]


async def test_a_patient_reference_is_the_one_that_the_group_shows(world: World) -> None:
    reference = (await _group(world))["member"][0]["entity"]["reference"]
    end = {"name": "attributionPeriod", "valuePeriod": {"end": "2026-02-28"}}
    patient = {"name": "patientReference", "valueReference": {"reference": reference}}
    assert "ended 1" in (await _ask(world, "$member-remove", patient, end))["diagnostics"]
    assert (await _group(world))["member"][0]["period"]["end"] == "2026-02-28"
    nobody = {"name": "patientReference", "valueReference": {"reference": f"Patient/{'0' * 32}"}}
    assert (await _ask(world, "$member-remove", nobody, status=404))["code"] == "not-found"


async def test_a_number_without_a_system_names_the_member_and_removing_ends_all_of_their_entries(world: World) -> None:
    """ATR: memberId alone removes all attributions of the member, under whichever number the panel has them."""
    header = "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from"
    await load_panel(world, "home", f"{header}\nMC1,Ann,Alder,1980-01-02,F,ACT,2026-02-01\n", mode="delta")
    bare = {"name": "memberId", "valueIdentifier": {"value": "H-1"}}
    assert [one["inactive"] for one in (await _group(world))["member"]] == [False, False]
    assert "unchanged 1" in (await _ask(world, "$member-add", bare))["diagnostics"]
    assert "ended 2" in (await _ask(world, "$member-remove", bare))["diagnostics"]
    assert [one["inactive"] for one in (await _group(world))["member"]] == [True, True]
    assert (await _ask(world, "$member-remove", bare, status=404))["code"] == "not-found"


async def test_a_number_of_two_members_removes_nobody(world: World) -> None:
    rows = "H-7,HOMEB,Cara,Cedar,1966-01-01,F,BHH,2026-01-01,,\nH-7,HOMEC,Dan,Dogwood,1955-01-01,M,BHH,2026-01-01,,\n"
    await load_panel(world, "home", f"{_HEADER}\n{rows}", mode="delta")
    bare = {"name": "memberId", "valueIdentifier": {"value": "H-7"}}
    for operation in ("$member-add", "$member-remove"):
        refused = await _ask(world, operation, bare, status=422)
        assert (refused["code"], "system" in refused["diagnostics"]) == ("duplicate", True)
    assert [one["inactive"] for one in (await _group(world))["member"]] == [False, False, False]
    dan = {"name": "memberId", "valueIdentifier": {"system": "HOMEC", "value": "H-7"}}
    assert "ended 1" in (await _ask(world, "$member-remove", dan))["diagnostics"]
    # And the number alone is Cara's now.
    assert "ended 1" in (await _ask(world, "$member-remove", bare))["diagnostics"]


async def test_a_person_of_another_panel_is_nobody_here(world: World) -> None:
    """A reference that names a member of somebody else's panel is answered like one that names nobody."""
    roster = f"{_HEADER}\nX-1,PLANC,Dan,Dogwood,1955-01-01,M,BHH,2026-01-01,,\n"
    await load_panel(world, "plan", roster, mode="delta")
    claims = (await world.api.json("GET", f"/v1/panels/{world.ids['plan']}/members", world.keys["plan"], 200))["items"]
    person = next(one["person_id"] for one in claims if one["cells"]["last_name"] == "Dogwood").partition("_")[2]
    patient = {"name": "patientReference", "valueReference": {"reference": f"Patient/{person}"}}
    for operation in ("$member-add", "$member-remove"):
        assert (await _ask(world, operation, patient, status=404))["code"] == "not-found"
        number = {"name": "memberId", "valueIdentifier": {"system": "PLANC", "value": "X-1"}}
        assert (await _ask(world, operation, number, status=404))["code"] == "not-found"
        # And another's group is none at all.
        assert (await _ask(world, operation, ANN, status=404, who="stranger"))["code"] == "not-found"
        assert (await _ask(world, operation, ANN, status=404, who="plan"))["code"] == "not-found"


@pytest.mark.parametrize(
    ("parameter", "code", "place"),
    [
        ({"name": "memberid", "valueString": "H-1"}, "code-invalid", "Parameters.parameter[0].name"),
        ({"name": "memberId", "valueIdentifier": {}}, "required", "Parameters.parameter[0].value.value"),
        ({"name": "providerNpi", "valueIdentifier": {"value": "1234567890"}}, "value", "Parameters.parameter[0]"),
        ({"name": "patientReference", "valueReference": {"reference": "Patient/x"}}, "value", "Parameters.parameter[0]"),
        ({"name": "providerReference", "valueReference": {"reference": "Practitioner/1"}}, "value", "Parameters.parameter[0]"),
        ({"name": "attributionPeriod", "valuePeriod": {"start": "2026-02-31"}}, "value", "Parameters.parameter[0].value.start"),
        ({"name": "program", "valueString": "BHH"}, "required", "Parameters.parameter"),
    ],
)
async def test_what_is_wrong_is_said_with_its_place(world: World, parameter: dict[str, Any], code: str, place: str) -> None:
    issue = await _ask(world, "$member-add", parameter, status=422)
    assert (issue["severity"], issue["code"], issue["expression"]) == ("error", code, [place])
    assert len((await _group(world))["member"]) == 1


async def test_a_row_that_a_roster_would_refuse_is_refused(world: World) -> None:
    unborn = {"name": "patient", "resource": {**BEN_HIMSELF["resource"], "birthDate": "2031-01-01"}}
    issue = await _ask(world, "$member-add", BEN, unborn, {"name": "program", "valueString": "BHH"}, status=422)
    assert "birth_date" in issue["diagnostics"]
    assert "2031" not in issue["diagnostics"]
    both = {"name": "patientReference", "valueReference": {"reference": f"Patient/{'0' * 32}"}}
    assert (await _ask(world, "$member-remove", ANN, both, status=422))["code"] == "structure"


async def test_groups_are_found_by_what_names_them(world: World) -> None:
    await world.api.json("PATCH", f"/v1/organizations/{world.ids['home']}", world.keys["home"], 200, json={"npi": "1234567893"})

    async def found(who: str, **params: Any) -> list[str]:
        answer = await world.api.get("/fhir/Group", world.keys[who], params=params)
        assert answer.status_code == 200, answer.text
        Bundle.model_validate(answer.json())
        assert all("member" not in entry["resource"] for entry in answer.json().get("entry", []))
        return [entry["resource"]["name"] for entry in answer.json().get("entry", [])]

    assert await found("operator") == ["Home B", "Plan C"]
    assert await found("home") == ["Home B"]
    assert await found("home", name="home") == ["Home B"]
    assert await found("home", name="plan") == []
    assert await found("operator", identifier=f"{NPI}|1234567893") == ["Home B"]
    assert await found("operator", identifier=f"{NPI}|1000000004") == []
    assert await found("operator", identifier=f"urn:ietf:rfc:3986|urn:uuid:{_id(world, 'plan')}") == ["Plan C"]
    assert await found("operator", _id=_id(world), **{"managing-entity": f"Organization/{_id(world)}"}) == ["Home B"]
    assert await found("operator", _id=_id(world), **{"managing-entity": f"Organization/{_id(world, 'plan')}"}) == []
    assert await found("operator", _id="odd") == []
    assert await found("stranger") == []
    first = (await world.api.get("/fhir/Group", world.keys["operator"], params={"_count": 1})).json()
    links = {link["relation"]: link["url"] for link in first["link"]}
    second = (await world.api.get(links["next"], world.keys["operator"])).json()
    assert [second["entry"][0]["resource"]["name"], len(second["link"])] == ["Plan C", 1]


async def test_a_large_group_is_read_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"P-{number},HOMEB,F{number},Sample,1980-01-01,F,BHH,2026-01-01,,\n" for number in range(6))
    await load_panel(world, "home", f"{_HEADER}\n{rows}", mode="delta")
    monkeypatch.setattr(fhir_groups, "MEMBERS_MAX", 5)
    refused = await world.api.get(f"/fhir/Group/{_id(world)}", world.keys["home"])
    assert refused.status_code == 422
    assert "_count" in _issue(refused)["diagnostics"]
    url, seen = f"/fhir/Group/{_id(world)}?_count=3", []
    while url:
        answer = await world.api.get(url, world.keys["home"])
        Group.model_validate(answer.json())
        seen += [member["entity"]["identifier"]["value"] for member in answer.json()["member"]]
        assert answer.json()["meta"]["tag"][0]["code"] == "SUBSETTED"
        url = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert sorted(seen) == ["H-1", "P-0", "P-1", "P-2", "P-3", "P-4", "P-5"]


async def test_the_number_of_members_is_that_of_the_last_count(world: World) -> None:
    assert "quantity" not in await _group(world)
    await wiring.build_panel_watch(load_settings({}), world.stage.work, clock=world.stage.clock).watch_once()
    assert (await _group(world))["quantity"] == 1


async def test_who_is_added_is_told_of_and_who_is_removed_is_not(world: World) -> None:
    """The same panel: an admission after the removal reaches the plan and no home."""
    await _ask(world, "$member-remove", ANN, {"name": "attributionPeriod", "valuePeriod": {"end": "2026-02-15"}})
    await world.send(ADMIT)
    assert (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"] == []
    assert len((await world.api.json("GET", "/v1/notifications", world.keys["plan"], 200))["items"]) == 1
    await _ask(world, "$member-add", ANN, {"name": "attributionPeriod", "valuePeriod": {"start": "2026-03-01"}})
    await world.stage.settle()
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert [item["type"] for item in told] == ["encounter.admitted"]


async def test_the_capability_statement_lists_what_there_is(world: World) -> None:
    stated = (await world.api.get("/fhir/metadata", None)).json()
    CapabilityStatement.model_validate(stated)
    (group,) = [one for one in stated["rest"][0]["resource"] if one["type"] == "Group"]
    assert [one["code"] for one in group["interaction"]] == ["read", "search-type"]
    for operation in group["operation"]:
        refused = await world.api.post(
            f"/fhir/Group/{_id(world)}/${operation['name']}", world.keys["home"], content=b"{}", headers=FHIR_JSON
        )
        assert refused.status_code == 422
    for parameter in group["searchParam"]:
        answer = await world.api.get("/fhir/Group", world.keys["home"], params={parameter["name"]: "x"})
        assert answer.json().get("entry") is None
