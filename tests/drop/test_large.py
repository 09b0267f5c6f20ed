"""A large batch goes through in waves: in the order of its messages, and without being held whole."""

import tracemalloc

import pytest

from tests.drop.conftest import Yard, batch, message


@pytest.mark.timeout(240)
async def test_twenty_thousand_messages(yard: Yard) -> None:
    count = 20_000
    yard.put("large.hl7", batch(range(count)))
    await yard.until_settled(yard.watch())
    said = yard.result("done/large.hl7")
    assert (said["outcome"], said["messages"], said["accepted"], said["repeated"]) == ("taken", count, count, 0)
    acks = (yard.folder / "done/large.hl7.ack").read_bytes()
    assert acks.count(b"MSA|AA|") == count
    controls = [line.split(b"|")[2] for line in acks.split(b"\r") if line.startswith(b"MSA")]
    assert controls == [b"C%d" % number for number in range(count)]
    assert acks.endswith(b"BTS|%d\r" % count)
    assert await yard.scalar("select count(*) from inbound_queue") == count
    # Within a lane the order of the file is the order of the work.
    first = await yard.scalar("select array_agg(control_id order by id) from inbound_message")
    assert first == [f"C{number}" for number in range(count)]


@pytest.mark.timeout(240)
async def test_a_file_is_not_held_whole(yard: Yard) -> None:
    path = yard.put("x.hl7", b"")
    with path.open("wb") as file:
        for number in range(3_000):
            file.write(message(number).rstrip(b"\r") + b"\rNTE|1||" + b"x" * 20_000 + b"\r")
    size = path.stat().st_size
    tracemalloc.start()
    try:
        await yard.until_settled(yard.watch())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(await yard.messages()) == 3_000
    assert peak < size / 3, f"{peak:,} of {size:,} bytes"
