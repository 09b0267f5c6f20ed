"""Files of messages: what is taken, what lies where afterwards, and what is said of it."""

import asyncio
import os

from adapters.hl7v2.batch import split_batch
from tests.drop.conftest import Yard, batch, message


async def test_a_batch_is_taken_and_its_acknowledgements_lie_beside_it(yard: Yard) -> None:
    """BATCH-1: one batch of ACKs, BHS-12 is BHS-11 of the request."""
    yard.put("monday.hl7", batch(range(5)))
    await yard.until_settled(yard.watch())
    assert yard.names("done") == ["monday.hl7", "monday.hl7.ack", "monday.hl7.result.json"]
    assert yard.names("failed") == []
    assert (yard.folder / "done/monday.hl7").read_bytes() == batch(range(5))
    acks = split_batch((yard.folder / "done/monday.hl7.ack").read_bytes())
    assert [ack.partition(b"MSA|")[2].split(b"|")[:2] for ack in acks.messages] == [[b"AA", b"C%d" % number] for number in range(5)]
    assert acks.header is not None
    assert acks.header.split("|")[11] == "B1"
    assert acks.warnings == ()
    said = yard.result("done/monday.hl7")
    assert (said["outcome"], said["messages"], said["accepted"], said["refused"], said["repeated"]) == ("taken", 5, 5, 0, 0)
    assert (said["problems"], said["warnings"], said["remedy"]) == ([], [], None)
    assert await yard.messages() == {f"C{number}": 1 for number in range(5)}


async def test_a_bare_run_and_a_single_message(yard: Yard) -> None:
    yard.put("run.hl7", b"".join(message(number) for number in range(3)))
    yard.put("one.hl7", message(7))
    await yard.until_settled(yard.watch())
    assert (yard.folder / "done/run.hl7.ack").read_bytes().startswith(b"BHS|")
    one = (yard.folder / "done/one.hl7.ack").read_bytes()
    assert one.startswith(b"MSH|")
    assert b"MSA|AA|C7" in one
    assert len(await yard.messages()) == 4


async def test_one_bad_message_costs_itself_only(yard: Yard) -> None:
    """It is named with its number, its control id, its place and what to do; the others are taken."""
    bad = message(1).replace(b"PID|", b"ZZZ|", 1)
    yard.put("mixed.hl7", batch([0]).replace(b"BTS|1", bad + message(2, facility="NOWHERE") + message(3) + b"BTS|4"))
    await yard.until_settled(yard.watch())
    assert yard.names("done") == ["mixed.hl7", "mixed.hl7.ack", "mixed.hl7.result.json"]
    said = yard.result("done/mixed.hl7")
    assert (said["outcome"], said["messages"], said["accepted"], said["refused"]) == ("partly", 4, 2, 2)
    named = [(one["message"], one["control_id"], one["answer"]) for one in said["problems"]]
    assert named == [(2, "C1", "AE"), (3, "C2", "AR")]
    assert said["problems"][0]["problems"][0]["location"].startswith("PID")
    assert "handoff feed list" in said["problems"][1]["problems"][0]["message"]
    assert all(one["id"].startswith("msg_") for one in said["problems"])
    assert "handoff inbound" in said["remedy"]


async def test_a_file_of_which_nothing_could_be_taken_has_failed_and_may_come_again(yard: Yard) -> None:
    """When its source is registered meanwhile, the very same file is taken."""
    watch = yard.watch()
    yard.put("b.hl7", batch([1, 2], facility="HOSPN"))
    await yard.until_settled(watch)
    assert yard.names("failed") == ["b.hl7", "b.hl7.ack", "b.hl7.result.json"]
    assert yard.names("done") == []
    assert yard.result("failed/b.hl7")["reason"] == "all_refused"
    await yard.scalar("update feed set sending_facility = 'HOSPN' where sending_facility = 'HOSPB'")
    await yard.scalar("update feed set sending_application = 'EPIC', id = id where sending_facility = 'HOSPN'")
    (yard.folder / "failed/b.hl7").rename(yard.folder / "b.hl7")
    await yard.until_settled(watch)
    assert yard.result("done/b.hl7")["outcome"] == "taken"


async def test_the_same_file_again_makes_nothing_twice_and_gets_its_first_answers(yard: Yard) -> None:
    """Under its own name and under another: ACK-7 decides, message by message."""
    watch = yard.watch()
    for name in ("a.hl7", "a.hl7", "b.hl7"):
        yard.put(name, batch(range(3)))
        await yard.until_settled(watch)
    assert await yard.messages() == {f"C{number}": 1 for number in range(3)}
    files = [name for name in yard.names("done") if not name.endswith((".ack", ".json"))]
    assert len(files) == 3
    assert {"a.hl7", "b.hl7"} < set(files)
    assert yard.result("done/a.hl7")["outcome"] == "taken"
    assert yard.result("done/b.hl7")["outcome"] == "repeated"
    assert (yard.folder / "done/b.hl7.ack").read_bytes().count(b"MSA|AA|") == 3


async def test_counts_that_do_not_fit_and_missing_ends_are_said(yard: Yard) -> None:
    yard.put("short.hl7", batch(range(2)).replace(b"BTS|2", b"BTS|3"))
    yard.put("cut.hl7", batch(range(2, 4)).partition(b"BTS")[0])
    await yard.until_settled(yard.watch())
    assert yard.result("done/short.hl7")["warnings"][0]["location"] == "BTS^1^1"
    assert "BTS or FTS" in yard.result("done/cut.hl7")["warnings"][0]["message"]


async def test_an_empty_batch_is_legal_and_other_files_are_not(yard: Yard) -> None:
    """Each failure says what was expected and what to do."""
    yard.put("none.hl7", b"BHS|^~\\&|EPIC|HOSPA|||20260302||||B1\rBTS|0\r")
    yard.put("empty.hl7", b"")
    yard.put("picture.png", b"\x89PNG" + bytes(range(256)) * 2_000 + b"\n")
    yard.put("wide.hl7", "MSH|^~\\&|EPIC|HOSPA\r".encode("utf-16"))
    yard.put("panel.csv", b"medicaid_id,last_name\nMC1,Alder\n")
    await yard.until_settled(yard.watch())
    assert yard.names("done") == ["none.hl7", "none.hl7.ack", "none.hl7.result.json"]
    assert yard.result("done/none.hl7")["messages"] == 0
    reasons = {name: yard.result(f"failed/{name}") for name in ("empty.hl7", "picture.png", "wide.hl7", "panel.csv")}
    assert {name: said["reason"] for name, said in reasons.items()} == {
        "empty.hl7": "empty", "picture.png": "no_message", "wide.hl7": "no_message", "panel.csv": "no_message",
    }  # fmt: skip
    assert all(said["remedy"] and said["problems"] for said in reasons.values())
    assert "UTF-16" in reasons["wide.hl7"]["problems"][0]["message"]
    assert [name for name in yard.names("failed") if name.endswith(".ack")] == []


async def test_a_message_that_is_too_long_is_answered_and_the_others_are_taken(yard: Yard) -> None:
    long = message(1).rstrip(b"\r") + b"\rNTE|1||" + b"x" * 300_000 + b"\r"
    yard.put("long.hl7", message(0) + long + message(2))
    await yard.until_settled(yard.watch(services=yard.services(HANDOFF_MESSAGE_BYTES_MAX="100000")))
    said = yard.result("done/long.hl7")
    assert (said["outcome"], said["accepted"], said["refused"]) == ("partly", 2, 1)
    assert "HANDOFF_MESSAGE_BYTES_MAX" in said["problems"][0]["problems"][0]["message"]
    assert b"MSA|AR|C1" in (yard.folder / "done/long.hl7.ack").read_bytes()


async def test_the_feed_of_a_drop_decides_whatever_the_message_says(yard: Yard) -> None:
    feed = await yard.scalar("select id from feed where sending_facility = 'HOSPA'")
    yard.put("x.hl7", message(1, facility="UNKNOWN"))
    await yard.until_settled(yard.watch(yard.source(feed=f"feed_{feed.hex}")))
    assert await yard.scalar("select feed_id from inbound_message") == feed


async def test_a_feed_that_does_not_exist_stops_the_drop_instead_of_refusing_everything(yard: Yard) -> None:
    path = yard.put("x.hl7", message(1))
    watch = yard.watch(yard.source(feed="feed_00000000000000000000000000000000"))
    stopping = asyncio.Event()
    running = asyncio.create_task(watch.run(stopping))
    await asyncio.sleep(0.3)
    stopping.set()
    await running
    assert yard.heard.pauses == ["no_feed"]
    assert path.exists()


async def test_names_of_every_kind(yard: Yard) -> None:
    """What cannot be printed is replaced; what is long is shortened with its suffix kept; two that become one stay two files."""
    names = ["with space.hl7", "a\nb.hl7", "a\tb.hl7", "x" * 250 + ".hl7", "-rf", "no suffix", os.fsdecode(b"caf\xe9.hl7")]
    for number, name in enumerate(names):
        (yard.folder / name).write_bytes(message(number))
    await yard.until_settled(yard.watch())
    files = [name for name in yard.names("done") if not name.endswith((".ack", ".json"))]
    assert len(files) == len(names)
    assert {"with space.hl7", "a_b.hl7", "-rf", "no suffix", "caf_.hl7"} < set(files)
    assert all(len(name.encode()) < 200 for name in files)
    contents = {(yard.folder / "done" / name).read_bytes() for name in files}
    assert contents == {message(number) for number in range(len(names))}


async def test_links_folders_and_pipes_are_left_alone(yard: Yard) -> None:
    secret = yard.folder.parent / "secret"
    secret.write_bytes(message(1))
    (yard.folder / "link.hl7").symlink_to(secret)
    (yard.folder / "folder.hl7").mkdir()
    os.mkfifo(yard.folder / "pipe.hl7")
    watch = yard.watch()
    for _ in range(5):
        await watch.once()
        await asyncio.sleep(0.03)
    assert await yard.messages() == {}
    assert (yard.folder / "link.hl7").is_symlink()
    assert secret.exists()


async def test_many_small_files(yard: Yard) -> None:
    for number in range(60):
        yard.put(f"{number}.hl7", message(number))
    await yard.until_settled(yard.watch())
    assert len(await yard.messages()) == 60
    assert len(yard.names("done")) == 180
