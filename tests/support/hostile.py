"""FHIR messages as nobody honest writes them, each with the status that it must get. 200: odd, and nothing that a rule objects to."""

import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.support.bundles import ENCOUNTER, HOUSE, LOCATION, PATIENT, Json, bundle, resource

CONDITION = "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-000000000101"
CANARY = "Canary"
"""Stands where a value or a name of the sender's is; no answer may repeat it."""


def admission() -> Json:
    """The message that is bent."""
    return bundle("A01", "20260302100000-0500", control="H1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def with_members(kind: str, **members: Any) -> bytes:
    """The message with members of one resource replaced."""
    document = admission()
    resource(document, kind).update(members)
    return encoded(document)


def _whole(**members: Any) -> bytes:
    return encoded({**admission(), **members})


def _entry(index: int, **members: Any) -> bytes:
    document = admission()
    document["entry"][index].update(members)
    return encoded(document)


def _more(*resources: Json) -> bytes:
    document = admission()
    document["entry"] += [{"resource": one} for one in resources]
    return encoded(document)


def _replaced(old: str, new: str | bytes) -> bytes:
    body = RAW.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1)
    assert body != RAW
    return body


def _contained(name: str, references: object, held: list[Json]) -> Callable[[], bytes]:
    """Many references into a resource that contains many others, none of which is meant: a search each would be quadratic."""
    return lambda: with_members("MessageHeader" if name == "focus" else "Encounter", **{name: references}, contained=held)


def _nested(depth: int) -> Json:
    value: Json = {"url": "http://example.org/x", "valueString": CANARY}
    for _ in range(depth):
        value = {"url": "http://example.org/x", "extension": [value]}
    return value


RAW = encoded(admission())
TIME = '"timestamp": "2026-03-02T10:00:00-05:00"'
MODIFIER = {"url": "http://example.org/not", "valueBoolean": True}
STREET = '"1 Elm St"'
_OTHERS = [{"resourceType": "Patient", "id": f"b{number}"} for number in range(2_000)]

HOSTILE: dict[str, tuple[bytes | Callable[[], bytes], int]] = {
    # Bytes
    "UTF-16": (lambda: json.dumps(admission()).encode("utf-16"), 400),
    "UTF-16 without mark": (lambda: json.dumps(admission()).encode("utf-16-le"), 400),
    "UTF-32": (lambda: json.dumps(admission()).encode("utf-32"), 400),
    "a byte order mark": (b"\xef\xbb\xbf" + RAW, 400),
    "gzip without saying so": (lambda: gzip.compress(RAW), 400),
    "a surrogate in bytes": (_replaced("Bangor", b"\xed\xa0\x80"), 400),
    "half a pair as a key": (_replaced('"gender"', '"\\udfff"'), 400),
    "half a pair as a value": (_replaced('"Bangor"', '"\\ud800"'), 400),
    "NUL": (_replaced('"Bangor"', '"\\u0000"'), 400),
    "NaN": (_replaced(STREET, "NaN"), 400),
    "a key twice": (_replaced('"type": "message"', '"type": "message", "type": "message"'), 400),
    "a million open braces": (b"{" * 1_000_000, 400),
    "deep objects": (b'{"a":' * 190_000, 400),
    "a number of a million digits": (b"1" * 1_000_000, 400),
    "an open text": (b'"' + b"a" * 1_000_000, 400),
    "a million backslashes": (b'"' + b"\\" * 1_000_000, 400),
    "half a million numbers": (b'{"resourceType":"Bundle","entry":[' + b"0," * 450_000 + b"0]}", 400),
    "a million blanks": (b" " * 1_000_000 + b"{}", 400),
    # Numbers
    "99 digits as a street": (_replaced(STREET, "1" * 99), 422),
    "4,400 digits": (_replaced(STREET, "1" * 4_400), 400),
    "a number beyond doubles": (_replaced(STREET, "1e400"), 400),
    "a number of no size": (_replaced(STREET, "1e-400"), 422),
    "a rank of 90 digits": (with_members("Encounter", diagnosis=[{"condition": {"reference": CONDITION}, "rank": 10**90}]), 422),
    # References
    "a stay that is part of itself": (with_members("Encounter", partOf={"reference": ENCOUNTER}), 200),
    "a place that is part of itself": (with_members("Location", partOf={"reference": LOCATION}), 200),
    "a focus on the header": (with_members("MessageHeader", focus=[{"reference": "MessageHeader/H1-header"}]), 422),
    "a stay as its own patient": (with_members("Encounter", subject={"reference": ENCOUNTER}), 422),
    "a patient elsewhere": (with_members("Encounter", subject={"reference": "https://elsewhere.example.org/fhir/Patient/1"}), 422),
    "a file as patient": (with_members("Encounter", subject={"reference": "file:///etc/passwd"}), 422),
    "a urn that leads nowhere": (with_members("Encounter", subject={"reference": "urn:uuid:00000000-0000-0000-0000-000000000000"}), 422),
    "an OID as patient": (with_members("Encounter", subject={"reference": "urn:oid:1.2.3"}), 422),
    "a hash alone": (with_members("Encounter", subject={"reference": "#"}), 422),
    "a blank reference": (with_members("Encounter", subject={"reference": " "}), 422),
    "an organization as patient": (with_members("Encounter", subject={"reference": HOUSE}), 422),
    "a bundle in a stay": (lambda: with_members("Encounter", contained=[admission()]), 200),
    "quadratic focus": (_contained("focus", [{"reference": "#x"}] * 2_000, _OTHERS), 422),
    "quadratic participants": (_contained("participant", [{"individual": {"reference": "#x"}}] * 1_500, _OTHERS[:1_500]), 200),
    "quadratic diagnoses": (_contained("diagnosis", [{"condition": {"reference": "#x"}}] * 1_500, _OTHERS[:1_500]), 200),
    # Many
    "10,000 entries": (lambda: _more(*_OTHERS * 5), 422),
    "3,000 patients": (lambda: _more(*[{"resourceType": "Patient"}] * 3_000), 422),
    "3,000 headers": (lambda: _more(*[{"resourceType": "MessageHeader"}] * 3_000), 422),
    "1,200 conditions": (
        lambda: _more(*[{"resourceType": "Condition", "subject": {"reference": PATIENT}, "encounter": {"reference": ENCOUNTER}}] * 1_200),
        200,
    ),
    "3,000 numbers of a person": (with_members("Patient", identifier=[{"system": f"s{n}", "value": "v"} for n in range(3_000)]), 200),
    "50-deep extensions": (with_members("Patient", extension=[_nested(25)]), 200),
    "200-deep extensions": (with_members("Patient", extension=[_nested(200)]), 400),
    "a deep narrative": (with_members("Patient", text={"status": "generated", "div": "<div>" + "<b>" * 50_000 + "</div>"}), 200),
    "a narrative with an entity": (with_members("Patient", text={"status": "generated", "div": "<!DOCTYPE x [<!ENTITY a 'aa'>]>&a;"}), 200),
    # Shapes
    "an unknown type": (with_members("Location", resourceType=CANARY), 422),
    "a list as type": (with_members("Location", resourceType=["Location"]), 422),
    "a list of lists as name": (with_members("Patient", name=[[{"family": CANARY}]]), 422),
    "nothing as a birth date": (with_members("Patient", birthDate=""), 422),
    "a year 0": (with_members("Patient", birthDate="0000-01-01"), 422),
    "digits of another script": (with_members("Patient", birthDate="\u0661\u0669\u0668\u0660-\u0660\u0661-\u0660\u0662"), 422),
    "a bad code": (with_members("Patient", gender=CANARY), 422),
    "the end of time": (_replaced(TIME, '"timestamp": "9999-12-31T23:59:59-14:00"'), 422),
    "a leap second": (_replaced(TIME, '"timestamp": "2026-12-31T23:59:60Z"'), 422),
    "an offset of 99 hours": (_replaced(TIME, '"timestamp": "2026-12-31T23:00:00+99:99"'), 422),
    "entries that are none": (_whole(entry={"resource": {"resourceType": "Patient"}}), 422),
    "an entry that is null": (_whole(entry=[*admission()["entry"], None]), 422),
    "a resource that is null": (_entry(2, resource=None), 422),
    "an unknown element of the bundle": (_whole(**{CANARY: 1}), 422),
    "an unknown element of an entry": (_entry(1, **{CANARY: 1}), 422),
    "an unknown element with nothing in it": (with_members("Patient", **{CANARY: []}), 422),
    "an unknown element below another": (with_members("Patient", contact=[{CANARY: {}}]), 422),
    "a text as meta": (_whole(meta=CANARY), 422),
    "a number as identifier of the bundle": (_whole(identifier=7), 422),
    "a list as fullUrl": (_entry(1, fullUrl=["x"]), 422),
    "an object as event": (with_members("MessageHeader", eventCoding={"system": {"a": 1}, "code": {"b": 2}}), 422),
    "a modifier that nobody knows": (with_members("Patient", modifierExtension=[MODIFIER]), 422),
    "a modifier further in": (with_members("Patient", contact=[{"gender": "female", "modifierExtension": [MODIFIER]}]), 422),
    "rules that nobody knows": (with_members("Encounter", implicitRules="http://example.org/opposite"), 422),
    "rules of the bundle": (_whole(implicitRules="http://example.org/opposite"), 422),
    "an endless name": (with_members("Patient", name=[{"family": "A" * 900_000}]), 200),
    "an endless fullUrl": (_entry(1, fullUrl="x" * 500_000), 422),
}  # fmt: skip


def body_of(name: str) -> bytes:
    """Build a message of the table."""
    body = HOSTILE[name][0]
    return body if isinstance(body, bytes) else body()
