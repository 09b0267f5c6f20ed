"""A social security number by which alone a sender names a patient: the person is found again by it, and nobody is shown it."""

import logging

import orjson
import pytest

from app import wiring
from tests.api.world import World
from tests.support.messages import adt

NUMBER = "219-45-6781"


async def everything(world: World) -> str:
    """Give what the tables of people say, and every document of the interface that shows an identifier."""
    async with wiring.open_transaction(world.stage.work)() as raw:
        tables = [
            [tuple(row.values()) for row in await raw.fetch(f"select * from {table}")]  # noqa: S608 -- names of ours
            for table in ("patient_record", "record_identifier", "person", "encounter", "notification", "inbound_outcome")
        ]
    paths = {"/v1/notifications": "home", "/v1/encounters": "home", "/v1/inbound": "hospital", "/v1/follow-ups": "home"}
    documents = [await world.api.json("GET", path, world.keys[who], 200) for path, who in paths.items()]
    return repr(tables) + orjson.dumps(documents).decode()


async def test_it_is_kept_and_shown_by_a_name_that_stands_for_it(story: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    named = {"mrn": NUMBER, "name": "Quill^Zebulon", "born": "19501231", "sex": "M", "medicaid": None}
    sent = adt("A01", "20260308100000-0500", control="C8", visit="V8", **named).replace(b"^^^HOSPA^MR", b"^^^SSA^SS")
    await story.send(sent)
    plain = NUMBER.replace("-", "").encode()
    again = adt("A03", "20260309100000-0500", control="C9", visit="V8", **named).replace(b"^^^HOSPA^MR", b"^^^SSA^SS")
    await story.send(again.replace(NUMBER.encode(), plain))
    async with wiring.open_transaction(story.stage.work)() as raw:
        (record,) = await raw.fetch("select id, type, value, demographics::text as said from patient_record where type = 'SS'")
        assert await raw.fetchval("select count(*) from encounter where record_id = $1", record["id"]) == 1
    assert record["value"].isalpha()
    assert "6781" in record["said"]
    said = await everything(story) + caplog.text
    for shape in (NUMBER, plain.decode(), "21945"):
        assert shape not in said
