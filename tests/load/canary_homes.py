"""Homes whose own status is sensitive, in the canary run: an opioid home that is a Part 2 program, and an agency under a state's pack.

Each claims everybody of half of the people, under a program that nobody else has, works, and reports a stay that only it knows of. So every
word here stands for somebody's being its patient, and may turn up nowhere. Not here: where they are looked for (canary).
"""

from dataclasses import dataclass
from typing import Any, Final

import httpx

REPORTED_FROM: Final = "ZQFARAWAY"
REPORTED_MEASURE: Final = "FUI"
"""The measure of the stays that these homes report; no other stay of the run that others may read is of it."""
_WORK_ON: Final = 4


@dataclass(frozen=True)
class HiddenHome:
    """One of them."""

    who: str
    name: str
    facts: dict[str, Any]
    program: str
    """Its id; the ids of its clocks begin with it."""
    title: str
    origin: dict[str, Any] | None = None

    @property
    def worker(self) -> str:
        """Name who works there."""
        return f"Zqworker{self.who}"

    @property
    def numbers(self) -> str:
        """Give the authority of its own numbers for people."""
        return f"ZQ{self.who.upper()}NUM"

    @property
    def words(self) -> tuple[str, ...]:
        """Give what only its patients bring: its name, its people, its numbers, its program and clocks, and what it reported."""
        return (f"Zq{self.who}", self.worker, self.numbers, self.program, self.title, REPORTED_FROM)


HIDDEN_HOMES: Final = (
    HiddenHome(
        "meadow",
        "Zqmeadow Opioid Home",
        {"kind": "health_home", "program_roles": ["opioid_health_home"], "part2_status": "program"},
        "ny_health_home",
        "Contact within 48 hours of the notification",
    ),
    HiddenHome(
        "harbor",
        "Zqharbor Agency",
        {"kind": "behavioral_health_home", "part2_status": "not_program"},
        "masshealth_bhcp",
        "Face to face within 3 business days",
        {"place": "house", "effective_from": "2020-01-01", "mental_health_licensed": True, "privacy_pack": "us-me"},
    ),
)


def roster_of(home: HiddenHome, people: list[tuple[str, str]]) -> str:
    """Write the roster of one, for (Medicaid number, last name)."""
    header = "member_id,member_id_system,medicaid_id,first_name,last_name,birth_date,sex,program,effective_from,coordinator\n"
    rows = [
        f"{home.numbers}{number},{home.numbers},{number},Ann,{name},1980-01-02,F,{home.program},2026-01-01,{home.worker}\n"
        for number, name in people
    ]
    return header + "".join(rows)


async def work(client: httpx.AsyncClient, home: HiddenHome) -> int:
    """Do what a home does with its first follow-ups and notifications, and report a stay; how many follow-ups it worked on."""
    page = (await client.get("/v1/follow-ups", params={"limit": _WORK_ON})).json()["items"]
    call = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "in_person_office", "outcome": "attended", "with": "patient",
            "role": "clinician", "visit_codes": ["H0004"], "diagnoses": ["F32.2"], "place_of_service": "11", "live_two_way": True,
            "author": home.worker, "note": f"Came to {home.name}."}  # fmt: skip
    for place, one in enumerate(page):
        assert any(clock["id"].startswith(f"{home.program}.") for clock in one["clocks"]) or one["programs"] == [home.program], one
        await _done(client, f"/v1/follow-ups/{one['id']}/contacts", call)
        await _done(client, f"/v1/follow-ups/{one['id']}/assign", {"assignee": home.worker})
        if place % 2:
            await _done(client, f"/v1/follow-ups/{one['id']}/close", {"reason": "completed"})
    for one in (await client.get("/v1/notifications", params={"limit": _WORK_ON})).json()["items"]:
        await _done(client, f"/v1/notifications/{one['id']}/acknowledge", {})
    numbers = {number["value"] for one in page for number in one["person"]["identifiers"] if number["system"] == home.numbers}
    for number in sorted(numbers)[:_WORK_ON]:
        report = {"person": {"identifiers": [{"system": home.numbers, "value": number}]}, "facility_name": f"{REPORTED_FROM} Clinic",
                  "class": "inpatient", "admitted_at": "2026-04-02T15:00:00Z", "discharged_at": "2026-04-06T19:00:00Z",
                  "diagnoses": [{"code": "F11.20"}], "told_by": home.worker}  # fmt: skip
        await _done(client, "/v1/encounters", report)
    return len(page)


async def _done(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code in {200, 201}, (path, answer.text)
