"""The whole road from outside: a hospital sends, a home is told, follows up and records; a plan asks. Only the public interface."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import Any

import pytest

from tests.outside.conftest import Member, Service
from tests.support.messages import adt

_worlds = count(1)


class World:
    """One hospital, one behavioral health home, one plan and one person that both claim, all of this test alone."""

    def __init__(self, service: Service, **hospital: Any) -> None:
        number = next(_worlds)
        self.facility = f"HOSP{number}X{id(self) % 9973}"
        self.medicaid = f"MC{number}X{id(self) % 9973}"
        self.name = f"Zz{number}x{id(self) % 9973}^Ann"
        self.service = service
        about = {"part2_status": "not_program"} | hospital
        self.hospital: Member = service.organization(f"Hospital {self.facility}", "hospital", **about)
        self.hospital.feed("EPIC", self.facility)
        self.home: Member = service.organization("Home", "behavioral_health_home")
        self.plan: Member = service.organization("Plan", "plan")
        row = {"last_name": self.name.split("^")[0], "first_name": "Ann", "birth_date": "1980-01-02", "sex": "F",
               "medicaid_id": self.medicaid, "program": "BHH", "effective_from": "2020-01-01"}  # fmt: skip
        for member in (self.home, self.plan):
            taken = member.roster(row)
            assert (taken["accepted"], taken["rejected"], taken["added"]) == (1, 0, 1), taken

    def message(self, trigger: str, at: datetime, control: str, **more: Any) -> bytes:
        """Write a message about the person's stay V1."""
        return adt(trigger, stamp(at), control=control, facility=self.facility, medicaid=self.medicaid, name=self.name, **more)

    def send(self, *messages: bytes) -> None:
        """Send over MLLP; every one is accepted."""
        for reply in self.service.send_mllp(*messages):
            assert b"\rMSA|AA|" in reply, reply


def stamp(at: datetime) -> str:
    """Write an instant as HL7 does."""
    return at.strftime("%Y%m%d%H%M%S") + "+0000"


NOW = datetime.now(UTC).replace(microsecond=0)
ADMITTED = NOW - timedelta(days=4)
DISCHARGED = NOW - timedelta(hours=3)


def stay(world: World, **more: Any) -> tuple[bytes, bytes]:
    """An admission and a discharge of one psychiatric stay."""
    return (
        world.message("A01", ADMITTED, "C1", admitted=stamp(ADMITTED), diagnoses=(("F32.2", "A"),), **more),
        world.message(
            "A03",
            DISCHARGED,
            "C2",
            admitted=stamp(ADMITTED),
            discharged=stamp(DISCHARGED),
            disposition="01",
            diagnoses=(("F32.2", "F"),),
            **more,
        ),
    )


def test_a_discharge_is_told_followed_up_contacted_and_seen_by_the_plan(service: Service) -> None:
    world = World(service)
    admit, discharge = stay(world)
    world.send(admit)
    (told,) = world.home.notifications(1)
    assert (told["type"], told["tier"], told["sequence"], told["version"]) == ("encounter.admitted", "full", 1, 1)
    (inpatient,) = world.home.follow_ups(1)
    assert (inpatient["state"], inpatient["clocks"]) == ("inpatient", [])
    world.send(discharge)
    told = world.home.notifications(2)[1]
    assert (told["type"], told["person"]["first_name"]) == ("encounter.discharged", "Ann")
    assert told["encounter"]["disposition"] == "01"
    (follow_up,) = world.home.follow_ups(1, status="open")
    assert follow_up["id"] == inpatient["id"] == told["follow_up_id"]
    clocks = {clock["id"]: clock["state"] for clock in follow_up["clocks"]}
    assert clocks["mainecare_bhh.contact_2bd"] == "pending"
    assert {"FUH"} <= {measure["measure"] for measure in follow_up["measures"]}
    contact = {"occurred_at": NOW.isoformat(), "type": "phone", "direction": "outbound", "with": "patient", "role": "RN",
               "outcome": "reached", "live_two_way": True}  # fmt: skip
    path = f"/v1/follow-ups/{follow_up['id']}/contacts"
    first = world.home.http.post(path, json=contact, headers={"Idempotency-Key": "k1"})
    assert first.status_code == 201, first.text
    again = world.home.http.post(path, json=contact, headers={"Idempotency-Key": "k1"})
    assert again.status_code in (200, 201)
    assert "mainecare_bhh.contact_2bd" in json.dumps(first.json())
    (after,) = world.home.follow_ups(1)
    assert {clock["id"]: clock["state"] for clock in after["clocks"]}["mainecare_bhh.contact_2bd"] == "met"
    assert len(after["contacts"]) == 1
    fuh = next(measure for measure in after["measures"] if measure["measure"] == "FUH")
    assert fuh["status"] == "pending", "a coordinator's call is not a qualifying service"
    contact_id = after["contacts"][0]["id"]
    voided = world.home.http.post(f"/v1/contacts/{contact_id}/void", json={"reason": "wrong person"})
    assert voided.status_code == 200, voided.text
    (after,) = world.home.follow_ups(1)
    assert {clock["id"]: clock["state"] for clock in after["clocks"]}["mainecare_bhh.contact_2bd"] == "pending"
    found = world.plan.http.get("/v1/members", params={"identifier": f"MAINECARE|{world.medicaid}"})
    assert found.status_code == 200, found.text
    (member,) = found.json()["items"]
    seen = world.plan.http.get(f"/v1/members/{member['id']}/follow-ups")
    assert seen.status_code == 200, seen.text
    (status,) = seen.json()["items"]
    assert status["contacts"] == []
    assert "F32" not in seen.text
    assert {clock["id"] for clock in status["clocks"]} == set(clocks)


def test_a_cancelled_discharge_is_taken_back_and_a_new_one_starts_new_clocks(service: Service) -> None:
    world = World(service)
    admit, discharge = stay(world)
    world.send(admit, discharge)
    told = world.home.notifications(2)
    cancel_at = DISCHARGED + timedelta(minutes=30)
    world.send(world.message("A13", cancel_at, "C3", admitted=stamp(ADMITTED)))
    retraction = world.home.notifications(3)[2]
    assert (retraction["type"], retraction["supersedes"]) == ("encounter.cancelled", told[1]["id"])
    assert (retraction["event_id"], retraction["version"]) == (told[1]["event_id"], 2)
    (follow_up,) = world.home.follow_ups(1)
    assert follow_up["state"] == "inpatient"
    assert {clock["state"] for clock in follow_up["clocks"]} == {"void"}
    again = cancel_at + timedelta(minutes=30)
    world.send(world.message("A03", again, "C4", admitted=stamp(ADMITTED), discharged=stamp(again), disposition="01"))
    anew = world.home.notifications(4)[3]
    assert (anew["type"], anew["version"]) == ("encounter.discharged", 3)
    (follow_up,) = world.home.follow_ups(1, status="open")
    assert datetime.fromisoformat(follow_up["anchor_at"]) == again


def test_order_and_repetition_of_arrival_change_nothing(service: Service) -> None:
    world = World(service)
    admit, discharge = stay(world)
    world.send(discharge, discharge, admit, admit)
    told = world.home.notifications(2)
    assert sorted(item["type"] for item in told) == ["encounter.admitted", "encounter.discharged"]
    assert [item["sequence"] for item in told] == [1, 2]
    (follow_up,) = world.home.follow_ups(1)
    assert follow_up["state"] == "open"


def test_a_late_diagnosis_is_a_new_version(service: Service) -> None:
    world = World(service)
    world.send(*stay(world))
    told = world.home.notifications(2)
    world.send(world.message("A08", DISCHARGED + timedelta(hours=1), "C5", admitted=stamp(ADMITTED), diagnoses=(("F31.9", "F"),)))
    update = world.home.notifications(3)[2]
    assert (update["type"], update["supersedes"], update["version"]) == ("encounter.updated", told[1]["id"], 2)
    assert "F31.9" in json.dumps(update["encounter"]["diagnoses"])


def test_a_part_2_program_is_silent_and_an_unknown_one_holds_a_substance_use_stay(service: Service) -> None:
    program, unknown = World(service, part2_status="program"), World(service, part2_status="unknown")
    program.send(*stay(program))
    unknown.send(unknown.message("A04", DISCHARGED, "E1", patient_class="E", diagnoses=(("F10.20", "A"),)))
    known = World(service)
    known.send(*stay(known))
    known.home.notifications(2)
    for silent in (program, unknown):
        assert silent.home.http.get("/v1/notifications").json()["items"] == []
        assert silent.home.http.get("/v1/follow-ups").json()["items"] == []


def test_training_messages_reach_nobody(service: Service) -> None:
    world = World(service)
    world.send(world.message("A01", ADMITTED, "T1", processing="T"), *stay(world))
    told = world.home.notifications(2)
    assert sorted(item["type"] for item in told) == ["encounter.admitted", "encounter.discharged"]


def test_an_unknown_sender_is_stored_and_rejected_in_hl7(service: Service) -> None:
    (reply,) = service.send_mllp(adt("A01", stamp(NOW), control="U1", facility="NOBODY", application="NOBODY"))
    assert b"\rMSA|AR|U1" in reply
    assert b"\rERR|" in reply
    world = World(service)
    answer = world.hospital.http.post(
        "/hl7v2", content=world.message("A01", ADMITTED, "H1"), headers={"Content-Type": "x-application/hl7-v2+er7"}
    )
    assert answer.status_code == 200
    assert b"MSA|AA|H1" in answer.content


def test_other_organizations_see_nothing(service: Service) -> None:
    world, other = World(service), World(service)
    world.send(*stay(world))
    told = world.home.notifications(2)
    (follow_up,) = world.home.follow_ups(1)
    for path in (f"/v1/notifications/{told[0]['id']}", f"/v1/follow-ups/{follow_up['id']}", f"/v1/encounters/{told[0]['encounter']['id']}"):
        assert world.home.http.get(path).status_code == 200, path
        assert other.home.http.get(path).status_code == 404, path
    assert other.plan.http.get("/v1/members", params={"identifier": f"MAINECARE|{world.medicaid}"}).json()["items"] == []


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A webhook receiver on loopback; gives its URL and what it got."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_webhooks_are_signed_and_carry_the_same_notifications(service: Service) -> None:
    world = World(service)
    with receiver() as (url, got):
        made = world.home.http.post("/v1/subscriptions", json={"url": url})
        assert made.status_code == 201, made.text
        secret = made.json()["secret"]
        world.send(*stay(world))
        told = world.home.notifications(2)
        ends_at = datetime.now(UTC) + timedelta(seconds=20)
        while len([1 for _, body in got if b"encounter." in body]) < 2 and datetime.now(UTC) < ends_at:
            threading.Event().wait(0.05)
    delivered = [(headers, body) for headers, body in got if b'"encounter.' in body]
    assert len(delivered) == 2
    for headers, body in delivered:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()).decode()
        assert f"v1,{expected}" in headers["webhook-signature"].split(" ")
    assert [json.loads(body)["type"] for _, body in delivered] == [item["type"] for item in told]


def test_a_merge_brings_two_records_together(service: Service) -> None:
    """Two registrations of one hospital, one on the panel by Medicaid number; the merge tells the home of the other's stay."""
    world = World(service)
    other = adt(
        "A01",
        stamp(ADMITTED),
        control="M1",
        facility=world.facility,
        medicaid=None,
        mrn="M2",
        visit="V2",
        name=f"Zq^{world.facility}",
        born="19700101",
        admitted=stamp(ADMITTED),
    )
    world.send(other, world.message("A28", ADMITTED, "M2", patient_class=None))
    assert world.home.http.get("/v1/notifications").json()["items"] == []
    world.send(world.message("A40", NOW, "M3", patient_class=None, merged="M2"))
    (told,) = world.home.notifications(1)
    assert told["type"] == "encounter.admitted"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_the_operational_paths_answer(service: Service, path: str) -> None:
    assert service.operator.get(path).status_code == 200
