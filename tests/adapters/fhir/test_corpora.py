"""Every FHIR message bundle of the public corpora goes through the reader: nothing crashes, nothing hangs; outcomes are printed.

Each message is taken or refused; every refusal stands with its reason in REFUSALS, which has to agree exactly. Every other bundle and
resource of the corpora is no message and is refused as what it is. The corpora are not part of this repository: `TEST_CORPORA_DIR`,
else `../shared/corpora` beside it.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.fhir.reader import FhirReader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.feed import Feed
from app.domain.inbound import Severity
from tests.adapters.hl7v2.support import FEED
from tests.support.cost import allowed_s, within

CORPORA = Path(os.environ.get("TEST_CORPORA_DIR") or Path(__file__).parents[3].parent / "shared" / "corpora")
READER = FhirReader(read_strict_json)
SENDER: Feed = replace(FEED, profile=FEED.profile)
EXAMPLES = "google__fhir/spec/hl7.fhir.r4.examples/4.0.1/package/"
REFUSALS = {
    f"{EXAMPLES}Bundle-10bb101f-a121-4264-a920-67be9cb82c74.json": (
        "201", "Bundle.entry[0].resource.eventCoding",
        "A request to link two patient records, by an event of an example system. No notification (DV-4).",
    ),
    f"{EXAMPLES}Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe.json": (
        "201", "Bundle.entry[0].resource.eventCoding",
        "The response to that request: the same event, and a notification is no response (DV-3).",
    ),
}  # fmt: skip
"""Path -> (code, place, why)."""

pytestmark = pytest.mark.skipif(
    not (CORPORA / "MANIFEST.tsv").exists(), reason="the corpora are not here: set TEST_CORPORA_DIR to the folder that holds MANIFEST.tsv"
)


def files(*, messages: bool) -> Iterator[tuple[str, bytes]]:
    with (CORPORA / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE):
            path = CORPORA / row["local_path"]
            if row["type"].startswith("FHIR") and path.suffix == ".json" and row["type"].endswith("Bundle/message") == messages:
                yield row["local_path"], path.read_bytes()


def judge(body: bytes) -> tuple[str, str, str]:
    """Take the message through the door as room 2 does: outcome, code, place."""
    header = READER.header(body)
    errors = [problem for problem in READER.problems(body, header, SENDER) if problem.severity is Severity.ERROR]
    if not header.readable:
        assert header.fault is not None
        return "no message (400)", header.fault.code.value, header.fault.location
    if errors:
        return "refused (422)", errors[0].code.value, errors[0].location
    return ("taken" if READER.is_supported(header.trigger) else "taken, ignored"), "", ""


def test_every_message_is_decided_and_the_table_printed(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = {path: judge(body) for path, body in files(messages=True)}
    others = Counter(judge(body)[0] for _, body in files(messages=False))
    with capsys.disabled():
        print(f"\n{'outcome':<24}{'messages':>10}{'other FHIR JSON':>18}")
        counted = Counter(outcome for outcome, _, _ in verdicts.values())
        for outcome in sorted(counted.keys() | others.keys()):
            print(f"{outcome:<24}{counted[outcome]:>10}{others[outcome]:>18}")
    assert len(verdicts) == 8
    refused = {path: (code, place) for path, (outcome, code, place) in verdicts.items() if outcome != "taken"}
    assert refused == {path: (code, place) for path, (code, place, _) in REFUSALS.items()}
    assert set(others) <= {"no message (400)", "refused (422)"}
    assert others.total() > 200


def test_what_is_taken_is_understood() -> None:
    read = {path.rpartition("/")[2]: READER.read(body, SENDER) for path, body in files(messages=True) if path not in REFUSALS}
    assert len(read) == 6
    for path, event in read.items():
        assert isinstance(event, AdtEvent), path
        assert event.identifiers[0].type == "MR", path
        assert not any(identifier.type in ("SS", "DL") for identifier in event.identifiers), path
        assert (event.person.last_name, event.person.first_name, str(event.person.birth_date)) == ("Halvorson124", "Elden718", "2000-10-15")
        assert event.visit is not None, path
        assert event.visit.visit_number is not None, path
        assert event.visit.facility == "HOLY FAMILY HOSPITAL", path
        assert event.visit.unit is None, path
        assert [diagnosis.text for diagnosis in event.diagnoses] == ["Examplitis"] or "translate" in path
    triggers = {
        path.partition("-bundle")[0].removesuffix("-message"): event.trigger for path, event in read.items() if isinstance(event, AdtEvent)
    }
    assert triggers == {
        "admit-notification": "A04",
        "admit-notification-intermediate-translate": "A04",
        "admit-notification-intermediate-transmit": "A04",
        "discharge-notification": "A03",
        "transfer-notification": "A02",
    }


def test_reading_is_the_same_whatever_the_white_space() -> None:
    for path, body in files(messages=True):
        if path not in REFUSALS:
            tight = json.dumps(json.loads(body), separators=(",", ":")).encode()
            one, other = READER.read(body, SENDER), READER.read(tight, SENDER)
            assert isinstance(one, AdtEvent)
            assert isinstance(other, AdtEvent)
            assert replace(one, content_hash=b"") == replace(other, content_hash=b""), path


def test_no_message_takes_long() -> None:
    READER.warm()
    for messages in (True, False):
        for path, body in files(messages=messages):
            within(allowed_s(body), lambda body=body: (judge(body), READER.notes(body, SENDER)), path)


def test_every_refusal_has_a_reason() -> None:
    assert all(len(reason) > 20 for _, _, reason in REFUSALS.values())
