"""Every HL7v2 message of the public corpora goes through the reader: nothing crashes, nothing hangs, nothing is lost.

Each message is taken or refused; every refusal stands with its reason in `refusals.tsv` (file, how many, where, why), which has
to agree exactly, so neither a new refusal nor a lost one goes unseen. The corpora are not part of this repository:
`TEST_CORPORA_DIR`, else `../shared/corpora` beside it. `python -m tests.adapters.hl7v2.test_corpora` writes the list anew.
"""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.hl7v2.ack import Er7AckWriter, is_acknowledgement, which_acks
from adapters.hl7v2.batch import split_batch
from adapters.hl7v2.er7 import Er7Message, tokenize
from adapters.hl7v2.reader import Hl7v2Reader
from app.actions import receive
from app.domain.adt_event import AdtEvent
from app.domain.directory import Directory
from app.domain.inbound import Acceptance, AckCode, Door, Envelope, Format, ProblemCode, Severity
from tests.adapters.hl7v2.support import FEED
from tests.support.cost import allowed_s, within

CORPORA = Path(os.environ.get("TEST_CORPORA_DIR") or Path(__file__).parents[3].parent / "shared" / "corpora")
REFUSALS = Path(__file__).with_name("refusals.tsv")
BULK = "google__simhospital/"
NOT_ER7 = ("FHIR", "XML", "JSON", "data", "attribution", "simulator")
AT = datetime(2026, 1, 5, 19, 30, tzinfo=UTC)
REGISTRY = Directory.of((), (FEED,), {})
ANSWERS = {AckCode.AA: "taken", AckCode.AE: "error (AE)", AckCode.AR: "rejected (AR)"}
READER, WRITER = Hl7v2Reader(), Er7AckWriter()

pytestmark = pytest.mark.skipif(
    not (CORPORA / "MANIFEST.tsv").exists(), reason="the corpora are not here: set TEST_CORPORA_DIR to the folder that holds MANIFEST.tsv"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the reader decided about one message, and where it found the first thing wrong."""

    path: str
    outcome: str
    code: str = ""
    location: str = ""


def messages() -> Iterator[tuple[str, bytes]]:
    with (CORPORA / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not row["type"].startswith(NOT_ER7):
                body = (CORPORA / row["local_path"]).read_bytes()
                for message in split_batch(body).messages or (body,):
                    yield row["local_path"], message


def judge(path: str, body: bytes) -> Verdict:
    """Have room 2 decide, which is what the sender is told."""
    arrival = receive.judge(Envelope(body, Door.HTTP, AT, feed_name=str(FEED.id)), REGISTRY, {Format.ER7: READER})
    if arrival.code is AckCode.AA:
        if not READER.is_supported(arrival.header.trigger):
            return Verdict(path, "taken, ignored")
        found = READER.read(body, FEED)
        is_held = not isinstance(found, AdtEvent) and [problem.code for problem in found] == [ProblemCode.ACCEPTED]
        return Verdict(path, "taken, held for a person" if is_held else "taken")
    if is_acknowledgement(arrival.header):
        return Verdict(path, "acknowledgement, not answered")
    first = next(problem for problem in arrival.problems if problem.severity is Severity.ERROR)
    return Verdict(path, ANSWERS[arrival.code], first.code.value, first.location)


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [judge(path, body) for path, body in messages()]


def test_every_message_is_decided_and_the_table_printed(verdicts: list[Verdict], capsys: pytest.CaptureFixture[str]) -> None:
    everything = Counter(verdict.outcome for verdict in verdicts)
    without_bulk = Counter(verdict.outcome for verdict in verdicts if not verdict.path.startswith(BULK))
    with capsys.disabled():
        print(f"\n{'outcome':<32}{'messages':>10}{'without simhospital':>22}")
        for outcome, count in sorted(everything.items()):
            print(f"{outcome:<32}{count:>10}{without_bulk[outcome]:>22}")
        print(f"{'all':<32}{everything.total():>10}{without_bulk.total():>22}")
    assert everything.total() > 1_500
    assert everything["taken"] > 800
    # Two deletes of a person, and two changes of a number across authorities (C.6, ADT-5).
    assert everything["taken, held for a person"] == 4


def refusals(verdicts: list[Verdict]) -> Counter[tuple[str, str, str, str]]:
    """Refusals by file, outcome, code and place. That a message is of another type needs no justification each."""
    return Counter(
        (verdict.path, verdict.outcome, verdict.code, verdict.location)
        for verdict in verdicts
        if verdict.outcome.startswith(("rejected", "error")) and verdict.code != "200"
    )


def listed() -> dict[tuple[str, str, str, str], tuple[int, str]]:
    with REFUSALS.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE)
        return {(row["path"], row["outcome"], row["code"], row["location"]): (int(row["messages"]), row["reason"]) for row in rows}


def test_every_refusal_is_listed_and_every_listed_one_still_refused(verdicts: list[Verdict]) -> None:
    expected = {key: count for key, (count, _) in listed().items()}
    assert dict(refusals(verdicts)) == expected


def test_every_refusal_has_a_reason() -> None:
    assert all(len(reason) > 20 for _, reason in listed().values())


def test_only_other_message_types_are_refused_for_their_type(verdicts: list[Verdict]) -> None:
    for path, body in messages():
        header = READER.header(body)
        if header.readable and header.message_code in {"ADT", "MDM", "ORU"}:
            assert judge(path, body).code != "200"
    assert {verdict.location for verdict in verdicts if verdict.code == "200"} == {"MSH^1^9^1^1"}


def test_every_document_and_result_is_taken_or_its_refusal_listed() -> None:
    told = Counter[str]()
    for path, body in messages():
        header = READER.header(body)
        if not header.readable or header.message_code not in {"MDM", "ORU"}:
            continue
        verdict = judge(path, body)
        told[verdict.outcome] += 1
        found = READER.read(body, FEED)
        if verdict.outcome == "taken":
            assert isinstance(found, AdtEvent), path
            assert any(event.documents for event in found.all), path
            for event in found.all:
                for pointer in event.documents:
                    assert pointer.content is None or READER.content(body, FEED, pointer.content.place), path
    assert told == {"taken": 638, "error (AE)": 3}


def test_nothing_is_lost_in_cutting_and_joining() -> None:
    for path, body in messages():
        message = tokenize(body)
        if isinstance(message, Er7Message):
            assert message.encode() == body, path


def test_what_is_taken_can_be_read_and_what_is_refused_cannot() -> None:
    for path, body in messages():
        verdict = judge(path, body)
        found = READER.read(body, FEED)
        if verdict.outcome == "taken":
            assert isinstance(found, AdtEvent), path
            assert found.identifiers, path
        elif verdict.outcome != "taken, ignored":  # of what is held, nothing may change either
            assert not isinstance(found, AdtEvent), path


def test_each_gets_an_acknowledgement_that_can_be_read() -> None:
    for path, body in messages():
        header = READER.header(body)
        problems = READER.problems(body, header, FEED)
        for outcome in Acceptance:
            for code in which_acks(header.accept_ack, header.application_ack, outcome).codes:
                answer = WRITER.write(body, header, code, problems, control_id="ZZACK1", at=AT)
                read = tokenize(answer)
                assert isinstance(read, Er7Message), path
                msa = read.first("MSA")
                assert msa is not None, path
                assert msa.raw(1) == code, path


def test_no_message_takes_long() -> None:
    for path, body in messages():
        within(allowed_s(body), lambda path=path, body=body: (judge(path, body), READER.notes(body, FEED)), path)


def rewrite() -> None:
    """Write the list anew, keeping the reasons that are there; new refusals say so until a person has looked."""
    found = refusals([judge(path, body) for path, body in messages()])
    known = listed() if REFUSALS.exists() else {}
    with REFUSALS.open("w", encoding="utf-8", newline="") as file:
        file.write(
            "# Every message of the corpora that is refused, other than for being no ADT, MDM or ORU message. See test_corpora.py.\n"
        )
        file.write("path\toutcome\tcode\tlocation\tmessages\treason\n")
        for key, count in sorted(found.items()):
            file.write("\t".join([*key, str(count), known.get(key, (0, ""))[1]]) + "\n")


if __name__ == "__main__":
    rewrite()
    sys.exit(0)
