"""HL7 over HTTP in every way that senders write it (HOH-1): content types, character sets, framing, codings, methods."""

import gzip

import pytest

from tests.api.world import ADMIT, ER7, World

NAMED = ADMIT.replace(b"Alder", "N\u00fa\u00f1ez".encode())
LATIN = NAMED.decode().encode("latin-1")


async def said_of(world: World, body: bytes, content_type: str, status: int = 200, **headers: str) -> str:
    answer = await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers={"content-type": content_type, **headers})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].partition(";")[0] == (
        content_type.partition(";")[0] if status == 200 else "application/problem+json"
    )
    return answer.text


async def last_name(world: World) -> str:
    await world.stage.settle()
    (stay,) = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    return str(stay["person"]["last_name"])


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (NAMED, "charset=utf-8"),
        (NAMED, 'charset="UTF-8"'),
        (NAMED, "x=1; Charset=Utf8"),
        (NAMED, ""),
        # HOH-1: UTF-8 it shall be, whatever MSH-18 says.
        (NAMED.replace(b"|P|2.5.1", b"|P|2.5.1||||||8859/1"), "charset=utf-8"),
        (LATIN, "charset=iso-8859-1"),
        (LATIN, "charset=windows-1252"),
    ],
)
async def test_the_name_is_read_as_it_was_meant(world: World, body: bytes, charset: str) -> None:
    assert "MSA|AA|C1" in await said_of(world, body, f"application/hl7-v2; {charset}")
    assert await last_name(world) == "N\u00fa\u00f1ez"


async def test_a_character_set_that_the_bytes_do_not_tell_is_refused_rather_than_misread(world: World) -> None:
    for charset in ("utf-16", "utf-16le", "utf-7", "iso-8859-2", "nonsense"):
        assert "UTF-8" in await said_of(world, NAMED, f"text/plain; charset={charset}", 415)
    # Where every byte is ASCII, the set does not matter.
    assert "MSA|AA" in await said_of(world, ADMIT, "text/plain; charset=iso-8859-2")
    assert "UTF-8" in await said_of(world, ADMIT, "text/plain; charset=utf-16", 415)


async def test_bodies_of_other_kinds_and_codings_are_refused_by_name(world: World) -> None:
    for media_type in ("multipart/related; boundary=x", "application/x-www-form-urlencoded", "application/octet-stream"):
        assert "application/hl7-v2" in await said_of(world, ADMIT, media_type, 415)
    assert "content coding" in await said_of(world, gzip.compress(ADMIT), "application/hl7-v2", 415, **{"content-encoding": "gzip"})


async def test_a_frame_of_mllp_in_a_body_is_its_message_and_the_answer_has_none(world: World) -> None:
    for body in (b"\x0b" + ADMIT + b"\x1c\r", b"\x0b" + ADMIT.replace(b"|C1|", b"|C3|") + b"\x1c", b"\xef\xbb\xbf\r\n" + ADMIT):
        text = await said_of(world, body, "application/hl7-v2")
        assert text.startswith("MSH|")
        assert "MSA|AA|" in text


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\x1c\r\x0b", b"\x1c\x0b", b"\x1c\r\n\xef\xbb\xbf"])
async def test_two_messages_in_one_body_are_never_answered_as_one(world: World, between: bytes) -> None:
    """ACK-6: the second would be lost behind a positive answer."""
    text = await said_of(world, b"\x0b" + ADMIT + between + ADMIT.replace(b"|C1|", b"|C9|") + b"\x1c\r", "application/hl7-v2")
    assert "MSA|AE|C1" in text
    assert "batch" in text


async def test_it_is_posted_and_nothing_else(world: World) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await world.api.client.request(method, "/hl7v2", headers={"authorization": f"Bearer {world.keys['hospital']}", **ER7})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
