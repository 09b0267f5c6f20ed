"""Feed profiles over HTTP: validated, versioned, deciding who may send and how, and what was set aside read again after a change."""

from typing import Any

import pytest

from app.domain.inbound import Door, Envelope
from tests.api.world import ADMIN_KEY, ADMIT, ER7, World
from tests.support.messages import adt

FINGERPRINT = "ab" * 32


async def change(world: World, change: dict[str, Any], status: int = 200) -> dict[str, Any]:
    """Change the hospital's feed; it counts from the next message on."""
    path = f"/v1/feeds/{world.ids['feed_id']}"
    return dict(await world.api.json("PATCH", path, world.keys["hospital"], status, json=change))


async def answer_to(world: World, message: bytes) -> str:
    return (await world.api.post("/hl7v2", world.keys["hospital"], content=message, headers=ER7)).text


@pytest.mark.parametrize(
    ("profile", "pointer"),
    [
        ({"visit_number_places": ["PV1.19"]}, "/profile/visit_number_places/0"),
        ({"visit_number_places": []}, "/profile/visit_number_places"),
        ({"local_reads": {"mood": "ZPV-1"}}, "/profile/local_reads"),
        ({"local_reads": {"class": "somewhere"}}, "/profile/local_reads/class"),
        ({"ack_policy": "ignore"}, "/profile/ack_policy"),
        ({"mllp_release": 3}, "/profile/mllp_release"),
        ({"client_certificates": ["abc"]}, "/profile/client_certificates/0"),
        ({"disposition_map": {"HOME": "house"}}, "/profile/disposition_map/HOME"),
        ({"facility_places": ["MSH-"]}, "/profile/facility_places/0"),
    ],
)
async def test_a_profile_that_could_not_be_followed_is_refused_with_its_place(world: World, profile: dict[str, Any], pointer: str) -> None:
    path = f"/v1/feeds/{world.ids['feed_id']}"
    refused = await world.api.json("PATCH", path, world.keys["hospital"], 422, json={"profile": profile})
    assert refused["errors"][0]["pointer"].startswith(pointer)
    assert (await world.api.json("GET", path, world.keys["hospital"], 200))["version"] == 1


async def test_every_change_is_a_version_and_every_move_is_remembered(world: World) -> None:
    await change(world, {"profile": {"client_certificates": [":".join(["AB"] * 32)], "mllp_release": 2}})
    await change(world, {"mode": "shadow"})
    await world.api.json("PATCH", f"/v1/feeds/{world.ids['feed_id']}", ADMIN_KEY, 200, json={"mode": "live", "time_zone": "UTC"})
    await change(world, {})
    path = f"/v1/feeds/{world.ids['feed_id']}/versions"
    versions = (await world.api.json("GET", path, world.keys["hospital"], 200))["items"]
    assert [(one["version"], one["mode"], one["time_zone"]) for one in versions] == [
        (4, "live", "UTC"), (3, "shadow", "America/New_York"), (2, "live", "America/New_York"), (1, "live", "America/New_York"),
    ]  # fmt: skip
    assert [one["changed_by"] for one in versions] == [None, world.ids["hospital"], world.ids["hospital"], None]
    assert versions[0]["profile"]["client_certificates"] == [FINGERPRINT]
    assert versions[3]["profile"]["client_certificates"] == []
    assert [one["profile"]["mllp_release"] for one in versions] == [2, 2, 2, 1]
    page = await world.api.json("GET", path, world.keys["hospital"], 200, params={"limit": 3})
    rest = await world.api.json("GET", path, world.keys["hospital"], 200, params={"after": page["next"]})
    assert [one["version"] for one in rest["items"]] == [1]


async def test_what_was_set_aside_is_counted_first_and_read_again_by_the_corrected_profile(world: World) -> None:
    # The hospital has the patient's number in a segment of its own.
    odd = ADMIT.replace(b"|C1|P|2.5.1", b"|BAD|P|2.5.1").replace(b"PID|1||M1^^^HOSPA^MR~MC1^^^MAINECARE^MA", b"PID|1||") + b"ZPD|x^M1\r"
    assert "MSA|AE|BAD" in await answer_to(world, odd)
    path = f"/v1/feeds/{world.ids['feed_id']}/reinterpret"
    counted = await world.api.json("POST", path, world.keys["hospital"], 200)
    assert counted == {"messages": 1, "dry_run": True}
    await world.api.json("POST", path, world.keys["hospital"], 200, params={"dry_run": False})
    await world.stage.settle()
    # Nothing was changed, so it is set aside again, and offered again.
    assert (await world.api.json("POST", path, world.keys["hospital"], 200))["messages"] == 1

    changed = await change(world, {"profile": {"local_reads": {"patient_number": "ZPD-1.2"}}})
    assert (changed["set_aside"], changed["version"], changed["in_house"]) == (1, 2, None)
    await world.stage.settle()
    assert (await world.api.json("GET", "/v1/encounters", world.keys["hospital"], 200))["items"] == []
    await world.api.json("POST", path, world.keys["hospital"], 200, params={"dry_run": False})
    await world.stage.settle()
    assert (await world.api.json("POST", path, world.keys["hospital"], 200))["messages"] == 0
    (stay,) = (await world.api.json("GET", "/v1/encounters", world.keys["hospital"], 200))["items"]
    assert stay["visit_number"] == "V1"
    await world.api.json("POST", path, world.keys["stranger"], 404)


async def test_a_class_that_nobody_has_mapped_is_seen_and_mended_by_a_map(world: World) -> None:
    """Of a stay of unknown class no follow-up opens: what was read so is listed, and read again once the class is mapped."""
    stay = {"admitted": "20260302100000-0500", "patient_class": "BHI"}
    await world.send(adt("A01", "20260302100000-0500", control="U1", **stay))
    await world.send(
        adt(
            "A03",
            "20260306143000-0500",
            control="U2",
            discharged="20260306142500-0500",
            disposition="01",
            diagnoses=(("F32.2", "F"),),
            **stay,
        )
    )
    hospital, home = world.keys["hospital"], world.keys["home"]
    messages = (await world.api.json("GET", "/v1/inbound", hospital, 200))["items"]
    assert [(one["outcome"], [problem["location"] for problem in one["outcome_problems"]]) for one in messages] == [
        ("processed", ["PV1^1^2"]),
        ("processed", ["PV1^1^2"]),
    ]
    (group,) = (await world.api.json("GET", "/v1/inbound/set-aside", hospital, 200))["items"]
    assert (group["messages"], group["location"]) == (2, "PV1^1^2")
    assert (await world.api.json("GET", "/v1/follow-ups", home, 200))["items"] == []
    path = f"/v1/feeds/{world.ids['feed_id']}"
    changed = await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"profile": {"class_map": {"BHI": "inpatient"}}})
    assert changed["set_aside"] == 2
    read = await world.api.json("POST", f"{path}/reinterpret", hospital, 200, params={"dry_run": False})
    assert read["messages"] == 2
    await world.stage.settle()
    (follow_up,) = (await world.api.json("GET", "/v1/follow-ups", home, 200))["items"]
    assert (follow_up["encounter"]["class"], follow_up["state"], follow_up["anchor_on"]) == ("inpatient", "open", "2026-03-06")
    told = (await world.api.json("GET", "/v1/notifications", home, 200))["items"]
    assert {one["encounter"]["class"] for one in told[-2:]} == {"inpatient"}, "what was told before is corrected"
    assert (await world.api.json("GET", "/v1/inbound/set-aside", hospital, 200))["items"] == []


async def test_a_lenient_feed_acknowledges_what_it_sets_aside(world: World) -> None:
    """ACK-6: AA-with-quarantine if the source is set so."""
    await change(world, {"profile": {"ack_policy": "accept"}})
    bad = adt("A01", "20260302100000-0500", control="LEN1").replace(b"PID|1||M1^^^HOSPA^MR~MC1^^^MAINECARE^MA", b"PID|1||")
    answered = await answer_to(world, bad)
    assert "MSA|AA|LEN1" in answered
    assert "ERR|" not in answered
    validated = await world.api.post("/hl7v2/$validate", world.keys["hospital"], content=bad, headers=ER7)
    assert validated.json()["outcome"] == "set_aside"
    await world.stage.settle()
    (aside,) = (await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "set_aside"}))["items"]
    assert (aside["control_id"], aside["outcome_problems"][0]["location"]) == ("LEN1", "PID^1^3")
    # What no content would mend is refused as before (ACK-4).
    assert "MSA|AR|LEN2" in await answer_to(world, adt("A01", "20260302100000-0500", control="LEN2", processing="X"))


async def test_only_the_applications_of_the_profile_may_send(world: World) -> None:
    await change(world, {"profile": {"accepted_applications": ["bridge"]}})
    for application, code in (("EPIC", "AA"), ("BRIDGE", "AA"), ("Bridge", "AA")):
        message = adt("A28", "20260302100000-0500", control=f"OK{application}", application=application)
        assert f"MSA|{code}|OK{application}" in await answer_to(world, message)
    feed = world.ids["feed_id"]
    message = adt("A28", "20260302100000-0500", control="NO1", application="ROGUE")
    response = await world.api.post("/hl7v2", world.keys["hospital"], content=message, headers=ER7, params={"feed": feed})
    assert "MSA|AR|NO1" in response.text
    assert "accepted_applications" in response.text


@pytest.mark.parametrize(("certificate", "code"), [(FINGERPRINT, "AA"), ("cd" * 32, "AR"), (None, "AR")])
async def test_a_feed_with_a_certificate_takes_no_message_by_mllp_without_it(world: World, certificate: str | None, code: str) -> None:
    await change(world, {"profile": {"client_certificates": [FINGERPRINT]}})
    envelope = Envelope(ADMIT, Door.MLLP, world.stage.clock.now(), certificate=certificate)
    answer, _ = await world.stage.services.receive(envelope)
    assert answer.code == code
    # A key says who sends over HTTP.
    assert "MSA|AA|H1" in await answer_to(world, adt("A28", "20260302100000-0500", control="H1"))
