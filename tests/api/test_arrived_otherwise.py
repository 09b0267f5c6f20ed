"""Messages that must reach nobody, and stays whose sender gives them no number."""

from typing import Any

import pytest

from tests.api.world import World, load_panel
from tests.support.messages import adt

SAID = "20260302183000-0500"


async def told(world: World) -> list[str]:
    items = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    return [item["type"] for item in items]


@pytest.mark.parametrize(
    ("name", "processing", "is_live"),
    [
        ("Alder^Ann", "P", True),
        ("Alder^Ann", "T", False),
        ("Alder^Ann", "D", False),
        ("TEST^PATIENT", "P", False),
        ("Testing^Test", "P", False),
        ("ZZTEST^John", "P", False),
        ("Zz-Test^Ann", "P", False),
        ("Test^Ann", "P", True),
    ],
)
async def test_training_messages_and_test_patients_reach_nobody(world: World, name: str, processing: str, *, is_live: bool) -> None:
    """Also where they carry a real member's number, and also after the real member's stay."""
    sent: dict[str, Any] = {"name": name, "processing": processing, "admitted": SAID}
    await world.send(adt("A01", SAID, control="C1", **sent), adt("A03", "20260303120000-0500", control="C2", disposition="01", **sent))
    await world.send(adt("A40", "20260303130000-0500", control="C3", merged="M9", patient_class=None, name=name, processing=processing))
    await load_panel(world, "home", "last_name,birth_date,medicaid_id,program,effective_from\nAlder,1980-01-02,MC1,BHH,2026-01-01\n")
    await world.stage.settle()
    assert await told(world) == (["encounter.admitted", "encounter.discharged"] if is_live else [])
    follow_ups = (await world.api.json("GET", "/v1/follow-ups", world.keys["plan"], 200))["items"]
    assert len(follow_ups) == is_live


async def test_a_visit_without_a_number_is_one_within_the_hospitals_day(world: World) -> None:
    """From half past six to eight in the evening: in UTC that is two days."""
    visit: dict[str, Any] = {"visit": None, "patient_class": "E"}
    await world.send(adt("A04", SAID, control="C1", **visit))
    await world.send(adt("A03", "20260302200000-0500", control="C2", disposition="01", **visit))
    (stay,) = (await world.api.json("GET", "/v1/encounters", world.keys["home"], 200))["items"]
    assert (stay["status"], stay["class"]) == ("finished", "emergency")
