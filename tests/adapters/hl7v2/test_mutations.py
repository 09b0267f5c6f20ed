"""Golden messages damaged at random (a fixed seed): whatever is left is read or refused in its place, quickly, and answered."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.batch import split_batch
from adapters.hl7v2.er7 import Er7Message, tokenize
from adapters.hl7v2.framing import MllpFramer
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent
from app.domain.inbound import AckCode, Header, Problem, ProblemCode, Severity
from tests.adapters.hl7v2.support import FEED
from tests.support.cost import within

SEEDS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "messages" / "hl7v2").glob("*/*.hl7"))]
PIECES = [
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\r",
    b"\n",
    b"\x0b",
    b"\x1c\r",
    b'""',
    b"MSH|^~\\&|",
    b"PID|",
    b"\xff",
    b"\x00",
    b"20260231",
    b"\\X",
    b"|" * 300,
]
AT = datetime(2026, 1, 5, 19, 30, tzinfo=UTC)
READER, WRITER = Hl7v2Reader(), Er7AckWriter()


def damaged(chance: random.Random) -> bytes:
    body = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(body))
        match chance.randint(0, 4):
            case 0:
                del body[at : at + chance.randint(1, 30)]
            case 1:
                body[at:at] = chance.choice(PIECES)
            case 2:
                body[at : at + 1] = bytes([chance.randint(0, 255)])
            case 3:
                body[at:at] = body[at : at + chance.randint(1, 100)] * chance.randint(1, 30)
            case _:
                other = chance.choice(SEEDS)
                body[at:at] = other[chance.randint(0, len(other)) :]
    return bytes(body)


def handled(body: bytes) -> tuple[Er7Message | Problem, Header, bytes, Sequence[Problem], AdtEvent | Sequence[Problem]]:
    message, header = tokenize(body), READER.header(body)
    problems, found = READER.problems(body, header, FEED), READER.read(body, FEED)
    READER.notes(body, FEED)
    framer = MllpFramer(1_048_576)
    framer.feed(body)
    framer.end_of_grace()
    split_batch(body)
    return message, header, WRITER.write(body, header, AckCode.AE, problems, control_id="ZZA1", at=AT), problems, found


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_read_or_refused_and_answered(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(150):
        body = damaged(chance)
        message, header, answer, problems, found = within(0.5, lambda body=body: handled(body), f"{seed}/{number}")
        if isinstance(message, Er7Message):
            assert message.encode() == body, (seed, number)
            assert isinstance(tokenize(answer), Er7Message), (seed, number)
        if READER.is_supported(header.trigger):
            has_errors = any(problem.severity is Severity.ERROR for problem in problems)
            is_held = not isinstance(found, AdtEvent) and found[0].code is ProblemCode.ACCEPTED
            assert isinstance(found, AdtEvent) is not (has_errors or is_held), (seed, number)
