"""What must not be seen, and what must not be left behind when a stay turns out to be something else. Only the public interface."""

import json
import time
from datetime import timedelta

from tests.outside.conftest import ANSWER_WITHIN_S, Service
from tests.outside.test_spine import ADMITTED, DISCHARGED, NOW, World, stamp, stay
from tests.support.messages import adt


def test_a_part_2_program_shows_neither_in_a_person_nor_by_its_number(service: Service) -> None:
    """42 CFR 2.13(c): a program's record number, or a phone that only it knows, tells that the person is its patient."""
    program, general = World(service, part2_status="program"), World(service)
    program.send(*stay(program))
    # A general hospital admits the same person afterwards, and is told as ever.
    program.service.send_mllp(
        adt(
            "A01", stamp(ADMITTED), control="G1", mrn="G7", facility=general.facility, medicaid=program.medicaid, name=program.name,
            admitted=stamp(ADMITTED),
        )
    )  # fmt: skip
    (told,) = program.home.notifications(1)
    home, number = program.home.http, {"identifier": f"{program.facility}|M1"}
    assert home.get("/v1/members", params=number).json()["items"] == []
    found = home.get("/v1/members", params={"identifier": f"MAINECARE|{program.medicaid}"})
    encounters, follow_ups = home.get("/v1/encounters"), home.get("/v1/follow-ups")
    assert [len(answer.json()["items"]) for answer in (found, encounters, follow_ups)] == [1, 1, 1]
    for text in (json.dumps(told), found.text, encounters.text, follow_ups.text):
        assert program.facility not in text
        assert "G7" in text, "what others say is shown"


def test_a_report_does_not_tell_of_a_stay_that_is_withheld(service: Service) -> None:
    world = World(service, part2_status="program")
    world.send(world.message("A01", ADMITTED, "C1", admitted=stamp(ADMITTED)))
    report = {"person": {"identifiers": [{"system": "MAINECARE", "type": "MA", "value": world.medicaid}], "last_name": "Sample"},
              "class": "inpatient", "facility_name": "Somewhere", "admitted_at": ADMITTED.isoformat(), "told_by": "patient"}  # fmt: skip
    made = world.home.http.post("/v1/encounters", json=report)
    assert made.status_code == 201, made.text
    assert (made.json()["folded_into"], made.json()["source"]) == (None, "reported")
    (follow_up,) = world.home.follow_ups(1)
    assert (follow_up["state"], follow_up["source"]) == ("inpatient", "reported")


def test_a_reported_stay_does_not_vanish_in_a_visit_of_the_same_days(service: Service) -> None:
    world = World(service)
    world.send(*stay(world, patient_class="O"))
    ends_at = time.monotonic() + ANSWER_WITHIN_S
    while not world.hospital.http.get("/v1/encounters", params={"status": "finished"}).json()["items"]:
        assert time.monotonic() < ends_at, "the visit was not recorded"
    report = {"person": {"identifiers": [{"system": "MAINECARE", "type": "MA", "value": world.medicaid}], "last_name": "Sample"},
              "class": "inpatient", "facility_name": "Somewhere", "admitted_at": ADMITTED.isoformat(),
              "discharged_at": DISCHARGED.isoformat(), "told_by": "patient"}  # fmt: skip
    made = world.home.http.post("/v1/encounters", json=report)
    assert (made.status_code, made.json()["source"], made.json()["folded_into"]) == (201, "reported", None)
    (follow_up,) = world.home.follow_ups(1, status="open")
    assert follow_up["encounter"]["id"] == made.json()["id"]
    world.send(*stay(world, visit="V2"))
    told = world.home.notifications(2)
    (follow_up,) = world.home.follow_ups(1, status="open")
    assert follow_up["encounter"]["id"] == told[-1]["encounter"]["id"], "the stay in the house that was meant takes it over"


def test_who_does_not_claim_the_person_keeps_its_report_and_learns_of_no_other_stay(service: Service) -> None:
    world = World(service)
    world.send(*stay(world))
    world.home.notifications(2)
    stranger = service.organization("Stranger", "behavioral_health_home")
    report = {"person": {"identifiers": [{"system": "MAINECARE", "type": "MA", "value": world.medicaid}], "last_name": "Sample"},
              "class": "inpatient", "facility_name": "Somewhere", "admitted_at": ADMITTED.isoformat(),
              "discharged_at": DISCHARGED.isoformat(), "told_by": "patient"}  # fmt: skip
    made = stranger.http.post("/v1/encounters", json=report)
    assert (made.status_code, made.json()["source"], made.json()["folded_into"]) == (201, "reported", None)
    (follow_up,) = stranger.follow_ups(1, status="open")
    assert (follow_up["source"], follow_up["encounter"]["id"]) == ("reported", made.json()["id"])
    assert follow_up["person"]["first_name"] is None
    assert [one["id"] for one in stranger.http.get("/v1/encounters").json()["items"]] == [made.json()["id"]]


def test_an_admission_that_became_an_outpatient_visit_leaves_no_follow_up_in_house(service: Service) -> None:
    world = World(service)
    world.send(world.message("A01", ADMITTED, "C1", admitted=stamp(ADMITTED)))
    (opened,) = world.home.follow_ups(1)
    assert opened["state"] == "inpatient"
    world.send(world.message("A07", ADMITTED + timedelta(hours=2), "C2", patient_class="O"))
    (voided,) = world.home.follow_ups(1, status="void")
    assert voided["id"] == opened["id"]
    world.send(world.message("A06", ADMITTED + timedelta(hours=4), "C3", patient_class="I"))
    world.send(world.message("A03", DISCHARGED, "C4", discharged=stamp(DISCHARGED), disposition="01"))
    (again,) = world.home.follow_ups(1, status="open")
    assert again["id"] == opened["id"]
    assert {clock["state"] for clock in again["clocks"]} == {"pending"}


def test_validating_while_the_same_person_is_worked_on_is_answered(service: Service) -> None:
    world = World(service)
    ends_at = time.monotonic() + ANSWER_WITHIN_S
    for number in range(12):
        world.send(world.message("A08", NOW - timedelta(minutes=number), f"W{number}", admitted=stamp(ADMITTED)))
        answer = world.hospital.http.post(
            "/hl7v2/$validate", content=world.message("A01", ADMITTED, "V1"), headers={"Content-Type": "text/plain"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["ack"]["code"] == "AA"
        assert time.monotonic() < ends_at


def test_a_plain_http_receiver_is_refused_unless_it_is_the_allowed_one_and_a_redrive_needs_no_body(service: Service) -> None:
    home = World(service).home.http
    assert home.post("/v1/subscriptions", json={"url": "http://example.com/hook"}).status_code == 422
    made = home.post("/v1/subscriptions", json={"url": "http://127.0.0.1:9/hook"})
    assert made.status_code == 201, made.text
    assert home.post(f"/v1/subscriptions/{made.json()['id']}/redrive").status_code == 202


def test_a_reported_stay_at_an_unknown_place_keeps_its_reporters_calendar(service: Service) -> None:
    """Late evening in Maine is the next day in UTC: the clocks and the anchor are of the day that people there call it (T1)."""
    world = World(service)
    ended_at = (NOW - timedelta(days=2)).replace(hour=3, minute=30, second=0)
    report = {"person": {"identifiers": [{"system": "MAINECARE", "type": "MA", "value": world.medicaid}], "last_name": "Sample"},
              "class": "inpatient", "facility_name": "Far away", "discharged_at": ended_at.isoformat(), "told_by": "patient"}  # fmt: skip
    assert world.home.http.post("/v1/encounters", json=report).status_code == 201
    (follow_up,) = world.home.follow_ups(1)
    assert follow_up["anchor_on"] == (ended_at.date() - timedelta(days=1)).isoformat()


def test_a_death_told_of_the_person_alone_ends_the_follow_up(service: Service) -> None:
    world = World(service)
    world.send(*stay(world))
    (follow_up,) = world.home.follow_ups(1, status="open")
    message = world.message("A31", NOW, "C9", patient_class=None)
    died = b"\r".join(line + b"|" * (30 - line.count(b"|")) + b"Y" if line.startswith(b"PID|") else line for line in message.split(b"\r"))
    world.send(died)
    (closed,) = world.home.follow_ups(1, status="closed")
    assert closed["id"] == follow_up["id"]
    assert {clock["state"] for clock in closed["clocks"]} == {"void"}


def test_a_program_that_nobody_knows_is_taken_and_named(service: Service) -> None:
    taken = World(service).home.roster(
        {"last_name": "Sample", "birth_date": "1980-01-02", "member_id": "S1", "program": "BHHH", "effective_from": "2020-01-01"},
        {"last_name": "Sample", "birth_date": "1980-01-02", "member_id": "S2", "program": "BHH", "effective_from": "2020-01-01"},
    )
    assert (taken["accepted"], taken["rejected"]) == (2, 0)
    assert [(one["row"], one["column"]) for one in taken["warnings"] if one["code"] == "unknown_program"] == [(2, "program")]
