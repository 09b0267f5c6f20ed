"""Hostile FHIR messages at a real server: 4xx in FHIR's words with the place (DV-2, DV-8), soon, and the next message is taken as ever."""

import gzip
import time

from tests.outside.conftest import Service
from tests.outside.test_spine import World
from tests.support.bundles import written
from tests.support.hostile import CANARY, HOSTILE, RAW, admission, body_of

PATH = "/fhir/$process-message"
JSON = {"Content-Type": "application/fhir+json"}
ANSWERED_WITHIN_S = 5.0
"""Far above what is measured (the worst: 0.3 s): the machine has other work. The bound on CPU is in tests/adapters/fhir/test_hostile.py."""


def test_every_one_is_refused_by_name_and_by_place(service: Service) -> None:
    world = World(service)
    found, slow = {}, {}
    for name in HOSTILE:
        body = body_of(name)
        started = time.monotonic()
        answer = world.hospital.http.post(PATH, content=body, headers=JSON)
        if (lasted := time.monotonic() - started) > ANSWERED_WITHIN_S:
            slow[name] = lasted
        said = answer.json()
        found[name] = answer.status_code
        assert said["resourceType"] == "OperationOutcome", name
        assert CANARY not in answer.text, name
        errors = [one for one in said["issue"] if one["severity"] == "error"]
        assert bool(errors) is (answer.status_code != 200), name
        assert all(one["expression"][0].startswith("Bundle") for one in errors), name
    assert found == {name: status for name, (_, status) in HOSTILE.items()}
    assert slow == {}
    assert world.hospital.http.post(PATH, content=written(admission() | {"id": "H2"}), headers=JSON).status_code == 200


def test_what_is_wrong_with_the_request_is_said_in_fhir_too(service: Service) -> None:
    http = World(service).hospital.http
    cases = {
        ("gzip", "application/fhir+json"): (gzip.compress(RAW), 415),
        ("deflate, gzip", "application/fhir+json"): (RAW, 415),
        ("identity", "application/fhir+json"): (RAW, 200),
        ("identity", "application/fhir+ndjson"): (RAW, 415),
        ("identity", "multipart/form-data; boundary=x"): (b"--x\r\nContent-Disposition: form-data\r\n\r\n" + RAW + b"\r\n--x--", 415),
        ("identity", "application/json"): (b" " * 2_000_000, 413),
    }  # fmt: skip
    for (coding, media_type), (body, status) in cases.items():
        answer = http.post(PATH, content=body, headers={"Content-Type": media_type, "Content-Encoding": coding})
        assert answer.status_code == status, (coding, media_type, answer.text)
        assert answer.json()["resourceType"] == "OperationOutcome"
    keys = b'{"resourceType": "Bundle", ' + b", ".join(b'"k%d": 1' % number for number in range(1_000_000)) + b"}"
    assert http.post(PATH, content=keys, headers=JSON).status_code == 413


def test_validate_takes_the_same_without_a_defect(service: Service) -> None:
    http = World(service).hospital.http
    for name, (_, status) in HOSTILE.items():
        body = body_of(name)
        for sent in (body, b'{"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": ' + body + b"}]}"):
            if len(sent) > 500_000:
                continue
            answer = http.post("/fhir/Bundle/$validate", content=sent, headers=JSON)
            assert answer.status_code in ({200} if status != 400 else {200, 400}), (name, answer.text)
            errors = [one for one in answer.json()["issue"] if one["severity"] == "error"]
            assert status == 200 or errors, name
            assert CANARY not in answer.text, name
