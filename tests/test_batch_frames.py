"""A batch in a frame of MLLP (BATCH-1): who gets what answer, without a database. Over a real socket: tests/outside."""

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.peers import Said, Unwelcome
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.inbound import AckCode, Answer
from app.intake import _NOT_STORED, Received
from app.wiring.batch_frames import answer_batch, is_batch
from tests.support.fakes import FakeClock, FakeIds
from tests.support.messages import adt

HEAD = b"FHS|^~\\&|EPIC|HOSPA\rBHS|^~\\&|EPIC|HOSPA|||||||B7\r"
NO_STORE = b"|LOST|"


def message(control: str) -> bytes:
    return adt("A01", "20260302100000-0500", control=control)


class Door:
    """Answers AA, AR to whom nobody knows, AE where nothing is stored; and keeps what it got."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.got = clock, []

    async def receive(self, body: bytes) -> Received:
        self.got.append(body)
        header = Hl7v2Reader().header(body)
        is_stranger = not header.readable or b"NOBODY" in body
        code = AckCode.AR if is_stranger else AckCode.AE if NO_STORE in body else AckCode.AA
        problems = (_NOT_STORED,) if code is AckCode.AE else ()
        ack = Er7AckWriter().write(body, header, code, problems, control_id="1", at=self.clock.now())
        return Received(Answer(code, problems), (ack,), is_stranger, is_release_2=True)


def codes(said: Said) -> list[str]:
    return [line[4:6] for line in said.acks[0].decode().split("\r") if line.startswith("MSA")]


async def test_each_message_is_taken_by_itself_and_answered_in_its_order(clock: FakeClock, ids: FakeIds) -> None:
    door = Door(clock)
    frame = HEAD + message("1") + b"a remark\r" + message("2") + b"BTS|2\rFTS|1\r"
    said = await answer_batch(frame, door.receive, clock=clock, ids=ids)
    assert codes(said) == ["AA", "AA"] + ["AR"] * (len(door.got) - 2)
    assert said.acks[0].startswith(b"BHS|^~\\&|")
    assert (said.is_stored, said.is_release_2, type(said)) == (True, True, Said)


async def test_a_batch_of_which_one_message_was_not_stored_is_not_said_to_be(clock: FakeClock, ids: FakeIds) -> None:
    """MLLP-5: the commit block is one for the frame."""
    door = Door(clock)
    said = await answer_batch(HEAD + message("1") + message("LOST") + message("3"), door.receive, clock=clock, ids=ids)
    assert codes(said) == ["AA", "AE", "AA"]
    assert not said.is_stored


async def test_of_a_stranger_one_message_is_taken_however_many_come(clock: FakeClock, ids: FakeIds) -> None:
    door = Door(clock)
    frame = HEAD + b"".join(message(str(number)).replace(b"EPIC", b"NOBODY") for number in range(500))
    said = await answer_batch(frame, door.receive, clock=clock, ids=ids)
    assert isinstance(said, Unwelcome)
    assert codes(said) == ["AR"]
    assert len(door.got) == 1


async def test_a_batch_without_a_message_is_legal(clock: FakeClock, ids: FakeIds) -> None:
    said = await answer_batch(HEAD + b"BTS|0\rFTS|1\r", Door(clock).receive, clock=clock, ids=ids)
    assert said.acks[0].split(b"\r")[1:] == [b"BTS|0", b""]
    assert said.is_stored


def test_a_batch_is_told_by_its_envelope() -> None:
    assert [is_batch(body) for body in (HEAD, b"\xef\xbb\xbf\r\n" + HEAD, b"BHS|", message("1"), b"", b"<FHS/>", b" " * 90 + HEAD)] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
