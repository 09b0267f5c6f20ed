"""Every worked case of the domain reference, driven through the front door: HL7v2, rosters and contacts in, status out by the public API.

All cases are worked on together in one exchange with a held clock, each about a person of its own; each is then looked at by itself.
Not here: the cases (worked_cases.py).
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.store.engine import make_engine
from app.store.roles import Role
from tests.api.worked_cases import CASES, EMERGENCY, FUTURE, REFERENCE, TPO, WORKED_ON, Case, Message, Stay
from tests.api.world import ADMIN_KEY, ER7, World, exchange, load_panel
from tests.support import databases
from tests.support.claims import as_ndjson
from tests.support.messages import adt

pytestmark = pytest.mark.xdist_group("worked-cases")
NDJSON = {"content-type": "application/fhir+ndjson"}
EASTERN = ZoneInfo("America/New_York")
PLACES = {
    "SNF": {"facility_type": "nonacute"},
    "DETOX": {"facility_type": "withdrawal_management"},
    "RESIDENCE": {"facility_type": "substance_use_residential"},
    "PROGRAM": {"facility_type": "withdrawal_management", "part2_status": "sud_only"},
    "LICENSED": {},
    "ED9": {},
}
ORIGINS = {"LICENSED": {"place": "house", "effective_from": "2020-01-01", "mental_health_licensed": True, "privacy_pack": "us-me"}}
"""What is registered of a hospital beside what its organization says."""
"""Hospitals beside HOSPA, by MSH-4."""
HEARD = datetime(2026, 11, 17, 22, tzinfo=UTC)
"""When the discharge of LATE is heard; nobody claims the person before FUTURE."""
LATE = Case("late-attribution", [Stay("A", "2026-11-10 10:00", "2026-11-17 14:00")], {}, now=FUTURE)


@dataclass
class Seen:
    """What came of all cases, as the home and the plan see it, by case."""

    home: dict[str, dict[str, dict[str, Any]]]
    """Case -> visit -> follow-up."""
    plan: dict[str, dict[str, dict[str, Any]]]
    events: dict[str, dict[str, list[dict[str, Any]]]]
    """Measure -> encounter -> lines of the plan's ledger."""
    told: dict[str, dict[str, list[dict[str, Any]]]]
    """Who -> case -> what they were told."""
    emergencies: list[dict[str, Any]]
    """Consents of this kind, as the operator sees them."""


def person(case: Case) -> str:
    """Name the person of a case."""
    return "Zz" + "".join(letter for letter in case.id.title() if letter.isalnum())


def stamp(text: str) -> str:
    """Write a local time as HL7 does."""
    at = datetime.fromisoformat(text).replace(tzinfo=EASTERN)
    return at.strftime("%Y%m%d%H%M%S%z")


def messages_of(case: Case, number: int) -> Iterator[tuple[str, bytes]]:
    """Write the messages of a case, each with its facility."""
    for place, one in enumerate(case.stays):
        facility = one.facility if isinstance(one, Stay) else "HOSPA"
        mrn = f"M{number}" + (getattr(one, "mrn", "") or "")
        said = {
            "mrn": mrn, "facility": facility, "name": f"{person(case)}^Ann", "born": case.born,
            "medicaid": f"MX{number}" if mrn == f"M{number}" else f"MY{number}",
        }  # fmt: skip
        if isinstance(one, Message):
            more = dict(one.more)
            if "merged" in more:
                more["merged"] = f"M{number}{more['merged']}"
            if one.visit is None:
                more |= {"patient_class": None, "visit": None}
            else:
                more["visit"] = f"{one.visit}-{number}"
            written = adt(one.trigger, stamp(one.at), control=f"X{number}-{place}", **{**said, **more})
            yield facility, _died(written, one.died) if one.died else written
            continue
        stay = {"visit": f"{one.visit}-{number}", "patient_class": one.patient_class, "admitted": stamp(one.admitted), "unit": "MED"}
        first = "A04" if one.patient_class == "E" else "A01"
        codes = tuple((code, "F") for code in one.codes)
        yield facility, adt(first, stamp(one.admitted), control=f"I{number}-{place}", **said, **stay)
        ended = {"disposition": one.disposition, "diagnoses": codes}
        if one.discharged is None:
            yield facility, adt("A08", stamp(one.admitted), control=f"U{number}-{place}", **said, **stay, diagnoses=codes)
        else:
            at = stamp(one.discharged)
            yield facility, adt("A03", at, control=f"O{number}-{place}", **said, **stay, discharged=at, **ended)


def _died(message: bytes, day: str) -> bytes:
    """Say PID-29 and PID-30."""
    lines = message.decode().split("\r")
    ended = [line + "|" * (29 - line.count("|")) + f"{day}|Y" if line.startswith("PID|") else line for line in lines]
    return "\r".join(ended).encode()


def roster(cases: Sequence[Case], numbers: dict[str, int], *, of_plan: bool) -> str:
    """Write a panel."""
    rows = ["member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,effective_to"]
    for case in cases:
        born = f"{case.born[:4]}-{case.born[4:6]}-{case.born[6:]}"
        number = numbers[case.id]
        until = case.covered_to if of_plan else ""
        rows.append(f"C{number},{'PLANC' if of_plan else 'HOMEB'},Ann,{person(case)},{born},F,MX{number},{case.program},2020-01-01,{until}")
    return "\n".join(rows) + "\n"


async def drive(database_url: str, network: Any) -> Seen:
    """Work on all cases: those of an earlier day first."""
    work, app = (make_engine(database_url, network, role, name="tests") for role in (Role.WORK, Role.APP))
    everyone = [*CASES, LATE]
    numbers = {case.id: number for number, case in enumerate(everyone, start=1)}
    try:
        async with exchange(work, app) as world:
            await _places(world)
            world.stage.clock.set(HEARD)
            await _send(world, LATE, numbers[LATE.id])
            for now in sorted({case.now for case in everyone}):
                world.stage.clock.set(now)
                await world.stage.pass_time()
                cases = [case for case in everyone if case.now == now]
                early = [case for case in cases if case is not LATE]
                for who in ("home", "plan"):
                    await load_panel(world, who, roster(early, numbers, of_plan=who == "plan"), mode="delta")
                for case in early:
                    await _send(world, case, numbers[case.id])
                await world.stage.settle()
                await _papers(world, early, numbers)
                if LATE in cases:
                    await load_panel(world, "home", roster([LATE], numbers, of_plan=False), mode="delta")
                    await world.stage.settle()
                await _contacts(world, cases)
                await world.stage.settle()
                if now == FUTURE:
                    first = await _see(world, everyone)
            seen = await _see(world, everyone)
    finally:
        await work.dispose()
        await app.dispose()
    for case in everyone:
        if case.now == FUTURE:
            for one, other in ((seen.home, first.home), (seen.plan, first.plan)):
                one[case.id] = other.get(case.id, {})
    return seen


async def _send(world: World, case: Case, number: int) -> None:
    for facility, message in messages_of(case, number):
        answer = await world.api.post("/hl7v2", world.keys[facility], content=message, headers=ER7)
        assert b"MSA|AA|" in answer.content, (case.id, answer.text)
    if case is LATE:
        await world.stage.settle()


async def _places(world: World) -> None:
    world.keys["HOSPA"] = world.keys["hospital"]
    body = {"time_zone": "America/Chicago"}
    await world.api.json("PATCH", f"/v1/organizations/{world.ids['plan']}", ADMIN_KEY, 200, json=body)
    for facility, more in PLACES.items():
        about = {"name": facility, "kind": "hospital", "part2_status": "not_program", **more}
        world.ids[facility] = (await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=about))["id"]
        world.keys[facility] = await world.key(facility, "adt.write", "panels.write", "notifications.read", "follow-ups.write")
        feed = {"organization_id": world.ids[facility], "sending_application": "EPIC", "sending_facility": facility,
                "time_zone": "America/New_York", "assigning_authority": facility}  # fmt: skip
        await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
        if facility in ORIGINS:
            await world.api.json("POST", f"/v1/organizations/{world.ids[facility]}/origins", ADMIN_KEY, 201, json=ORIGINS[facility])


async def _papers(world: World, cases: Sequence[Case], numbers: dict[str, int]) -> None:
    """Load the claims, as FHIR, and record the consents."""
    page = await world.api.json("GET", f"/v1/panels/{world.ids['home']}/members", world.keys["home"], 200, params={"limit": 1000})
    people = {one["cells"]["last_name"]: one["person_id"] for one in page["items"]}
    claims = [{"member_id": f"C{numbers[case.id]}", **line} for case in cases for line in case.claims]
    if claims:
        loaded = await world.api.json("POST", "/v1/services/uploads", world.keys["plan"], 201, content=as_ndjson(claims), headers=NDJSON)
        assert (loaded["added"], loaded["errors"]) == (len(claims), [])
    for case in cases:
        if case.also_at:
            await load_panel(world, case.also_at, roster([case], numbers, of_plan=False), mode="delta")
        if case.consent is not None:
            facility = next(one.facility for one in case.stays if isinstance(one, Stay))
            body = {"discloser_id": world.ids[facility], **case.consent, "person_id": people[person(case)]}
            if "recipients" in body:
                body["recipients"] = [world.ids[who] for who in body["recipients"]]
            await world.api.json("POST", "/v1/consents", world.keys[case.also_at] if case.also_at else ADMIN_KEY, 201, json=body)
    await world.stage.settle()


async def _follow_ups(world: World, who: str) -> dict[str, list[dict[str, Any]]]:
    page = await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200, params={"limit": 1000})
    assert page["next"] is None
    found: dict[str, list[dict[str, Any]]] = {}
    for one in page["items"]:
        found.setdefault(one["person"]["last_name"], []).append(one)
    return found


async def _contacts(world: World, cases: Sequence[Case]) -> None:
    found = await _follow_ups(world, "home")
    for case in cases:
        for contact in case.contacts:
            follow_up = found[person(case)][0]
            path = f"/v1/follow-ups/{follow_up['id']}/contacts"
            await world.api.json("POST", path, world.keys["home"], 201, json=contact.body())


async def _see(world: World, cases: Sequence[Case]) -> Seen:
    home, plan = await _follow_ups(world, "home"), await _follow_ups(world, "plan")
    by_encounter = {one["encounter"]["id"]: one["encounter"]["visit_number"] for mine in home.values() for one in mine}
    by_case = {
        side: {
            case.id: {
                by_encounter.get(one["encounter"]["id"], one["encounter"]["id"]).rpartition("-")[0]: one
                for one in found.get(person(case), [])
            }
            for case in cases
        }
        for side, found in (("home", home), ("plan", plan))
    }
    events: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for measure in ("FUH", "FUM", "FUA", "FUI", "TRC-MRP", "TRC-PED"):
        for year in ("2024", "2025", "2026", "2028"):
            params = {"period": year, "limit": 1000}
            page = await world.api.json("GET", f"/v1/measures/{measure}/events", world.keys["plan"], 200, params=params)
            for one in page["items"]:
                events.setdefault(measure, {}).setdefault(one["encounter_id"], []).append(one)
    told = {who: await _told(world, who, {person(case): case.id for case in cases}) for who in ("home", "plan", "ED9")}
    papers = await world.api.json("GET", "/v1/consents", ADMIN_KEY, 200, params={"limit": 100})
    emergencies = [one for one in papers["items"] if one["kind"] == "emergency"]
    return Seen(by_case["home"], by_case["plan"], events, told, emergencies)


async def _told(world: World, who: str, names: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {}
    after, path = 0, "/v1/notifications"
    while items := (await world.api.json("GET", path, world.keys[who], 200, params={"after": after, "limit": 1000}))["items"]:
        after = items[-1]["sequence"]
        for one in items:
            told.setdefault(names.get(one["person"]["last_name"] if one.get("person") else "", ""), []).append(one)
    return told


@pytest.fixture(scope="module")
def seen(server_url: str, template: str) -> Seen:
    """What came of all of them: worked on once."""

    async def run() -> Seen:
        await databases.make_template(server_url, template)
        name = f"{template}_{secrets.token_hex(6)}"
        database = await databases.clone(server_url, template, name)
        try:
            return await drive(database.url, database.network)
        finally:
            await databases.drop(server_url, name)

    return asyncio.run(run())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_worked_case(case: Case, seen: Seen) -> None:
    for visit, measures in case.expected.items():
        follow_up = seen.plan[case.id][visit]
        shown = {one["measure"]: one for one in follow_up["measures"]}
        for measure, fields in measures.items():
            lines = seen.events.get(measure, {}).get(follow_up["encounter"]["id"], [])
            if fields is None:
                assert (measure in shown, lines) == (False, []), (case.id, visit, measure)
                continue
            found = shown[measure]
            assert {name: found[name] for name in fields} == dict(fields), (case.id, visit, measure, found["reasons"])
            if found["status"] in ("not_eligible", "void"):
                assert lines == []
            elif case.now == WORKED_ON:
                assert [{name: line[name] for name in ("status_7", "status_30", "reason")} for line in lines] == [
                    {name: found[name] for name in ("status_7", "status_30", "reason")}
                ], "the ledger says the same"
                assert found["final"]
    if case.clocks:
        clocks = {one["id"]: one for one in next(iter(seen.home[case.id].values()))["clocks"]}
        for clock, fields in case.clocks.items():
            for name, value in fields.items():
                found_text = _local(clocks[clock][name]) if name == "due_at" else clocks[clock][name]
                assert found_text == value, (case.id, clock, clocks[clock]["reasons"])


def _local(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(EASTERN).replace(tzinfo=None).isoformat()


def test_r1_a_general_hospital_is_told_in_full_and_without_a_part_2_notice(seen: Seen) -> None:
    told = discharge(seen, "R1")
    assert (told["tier"], _labels(told), told["notices"]) == ("full", ["R", "SUD"], [])


def test_r2_a_part_2_program_without_consent_is_suppressed_completely(seen: Seen) -> None:
    assert all("R2" not in told for told in seen.told.values())
    assert (seen.home["R2"], seen.plan["R2"]) == ({}, {})


def test_r3_with_a_consent_the_home_is_told_in_full_with_notice_and_scope(seen: Seen) -> None:
    told = discharge(seen, "R3")
    assert (told["tier"], _labels(told)) == ("full", ["R", "SUD", "42CFRPart2", "NORDSCLCD", "PERSISTLABEL"])
    assert (told["notices"][-1]["code"], told["consent_scope"]) == ("42CFR2.32(a)(1)", TPO["scope"])
    assert "notices" in seen.home["R3"]["D"]


def test_r12_the_plan_that_the_consent_reaches_is_told_with_notice_and_scope_what_it_needs(seen: Seen) -> None:
    """The routing table says full: what the law lets go. Status is what a plan needs of it (decision 0009)."""
    told = discharge(seen, "R3", "plan")
    assert (told["tier"], _labels(told)[:3], told["consent_scope"]) == ("minimal", ["R", "SUD", "42CFRPart2"], TPO["scope"])
    assert told["notices"][-1]["code"] == "42CFR2.32(a)(1)"
    assert "diagnoses" not in told["encounter"]


def test_r8_an_emergency_is_told_in_full_to_who_treats_it_and_to_nobody_else_and_recorded(seen: Seen) -> None:
    told = discharge(seen, "R8", "ED9")
    assert (told["tier"], "42CFRPart2" in _labels(told)) == ("full", True)
    assert all("R8" not in seen.told[who] for who in ("home", "plan"))
    (record,) = seen.emergencies
    lasts = datetime.fromisoformat(record["ends_at"]) - datetime.fromisoformat(record["asserted_at"])
    assert (record["in_force"], record["reason"], lasts.seconds) == (True, EMERGENCY["reason"], 3600)
    assert record["recipients"] == [record["recorded_by"]]


def test_r9_a_licensed_house_in_maine_is_silent_without_an_opt_in(seen: Seen) -> None:
    assert all("R9" not in told for told in seen.told.values())
    assert (seen.home["R9"], seen.plan["R9"]) == ({}, {})


def test_r10_with_an_opt_in_the_home_is_told_in_full_as_mental_health(seen: Seen) -> None:
    told = discharge(seen, "R10")
    assert (told["tier"], _labels(told)) == ("full", ["R", "PSY"])
    assert "R10" not in seen.told["plan"], "a payer was not agreed to"


def test_a_program_for_some_ages_follows_up_nobody_else(seen: Seen) -> None:
    """Domain 3.3: MassHealth, 18 to 64."""
    assert (len(seen.home["BHCP-64"]), len(seen.home["BHCP-65"])) == (1, 0)
    assert discharge(seen, "BHCP-65")["tier"] == "full", "told all the same"


def discharge(seen: Seen, case: str, who: str = "home") -> dict[str, Any]:
    """Find the one discharge that somebody was told of."""
    (told,) = [one for one in seen.told[who][case] if one["type"] == "encounter.discharged"]
    return told


def _labels(shown: dict[str, Any]) -> list[str]:
    return [label["code"] for label in shown["labels"]]


def test_every_worked_case_of_the_reference_is_driven() -> None:
    """A case that is only in this list, or a test that is only in the file, is noticed here."""
    cases = {case.id for case in CASES}
    tests = {name.removeprefix("test_").partition("_")[0].upper() for name in globals() if name.startswith("test_r")}
    listed = {name for name, _ in REFERENCE}
    assert len(listed) == len(REFERENCE)
    for name, by in REFERENCE:
        assert by in cases or by in tests or by in globals(), f"{name} is driven by {by}, which is not there"
    assert {by for _, by in REFERENCE} >= tests
    assert listed >= {f"R{number}" for number in (1, 2, 3, 8, 9, 10, 12)} | {f"E{number}" for number in (2, 3, 4, 6, 9, 10)}


def test_what_is_claimed_five_days_late_is_told_as_catching_up(seen: Seen) -> None:
    told = discharge(seen, LATE.id)
    assert told["catch_up"] is True
    days = datetime.fromisoformat(told["created_at"]) - datetime.fromisoformat(told["occurred_at"])
    assert days.days == (FUTURE - HEARD).days == 4
    assert "2026-11-22" in told["created_at"]
