"""Changes that keep an input interesting: JSON that stays JSON, and the words of HL7v2 that chance would not find."""

import json
import random
import zlib
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final

from tests.fuzz.budget import SWOLLEN_BYTES, SWOLLEN_ONE_IN, swollen

WORDS: Final = (
    b"\x0b", b"\x1c\r", b"\x1c", b"\r", b"\r\n", b"\x00", b"\xef\xbb\xbf", b"\x1b$B", b"\x1b(B", b"\xc3\x80", b"\x81\x40", b"^^^", b"~~~",
    b"&&&", b"MSH|^~\\&|", b"MSH|^~\\&#|", b"MSH^|~\\&^", b"FHS|^~\\&|", b"BHS|^~\\&|", b"BTS|1", b"FTS|1", b"\rPID|", b"\rPV1|",
    b"\rEVN|", b"\rDG1|", b"\rMRG|", b"\rPV2|", b"\rNK1|", b"\rPDA|", b"\rPD1|", b"\rIN1|", b"\rGT1|", b"\rAL1|", b"\rZPV|", b'|""|',
    b"ADT^A01", b"ADT^A03", b"ADT^A04", b"ADT^A08", b"ADT^A11", b"ADT^A13", b"ADT^A17", b"ADT^A18", b"ADT^A24", b"ADT^A34", b"ADT^A40",
    b"ADT^A43", b"ADT^A45", b"ADT^A47", b"ADT^A51", b"|2.5.1|", b"|P|", b"UNICODE UTF-8", b"UNICODE UTF-16", b"8859/1", b"ISO IR87",
    b"ISO IR159", b"ASCII", b"20260105143000-0500", b"20261101013000", b"20260308023000", b"20260231", b"00010101",
    b"99991231235959.9999+1400", b"2026", b"\\F\\", b"\\S\\", b"\\T\\", b"\\R\\", b"\\E\\", b"\\P\\", b"\\X0D\\", b"\\.br\\", b"\\H\\",
    b"\\C2842\\", b"\\Zx\\", b"<ADT_A01>", b"</ADT_A01>", b"<PID.3>", b"</PID.3>", b"<CX.1>", b"<HD.2>", b'<escape V=".br"/>',
    b"<escape V='",
    b"&#13;", b"&amp;", b"&lt;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<!DOCTYPE a [", b"<?xml version='1.0' encoding='ISO-8859-1'?>",
    b" xmlns='urn:hl7-org:v2xml'", b" xmlns:h='urn:hl7-org:v2xml'", b"<h:", b"<MSH.1>|</MSH.1>", b"<MSH.2>^~\\&amp;</MSH.2>",
)  # fmt: skip

_JUNK: Final = (
    None, True, False, 0, -1, 1e300, 10**40, "", " ", "x", "\u0000", "2026", "2026-02-30", "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-05T14:30:00-05:00", "urn:uuid:0", "#x", "Patient/patient",
    "x" * 300, [], {}, [None], [[]], [{}], {"reference": "#"}, {"reference": "Patient/1", "type": "Device"},
    {"coding": [{"code": "x"}]}, {"resourceType": "Patient"}, {"resourceType": ["Patient"]},
    {"extension": [{"url": "http://example.org/x"}]}, {"start": "2026-01-05", "end": "2026"}, "Encounter", "MessageHeader", "Bundle",
    "message", "finished", "cancelled", "IMP", "EMER", "notification-discharge", "notification-admit",
)  # fmt: skip
_CHANGES_MAX = 4
_OF_BYTES = 0.25
"""The share of inputs that are changed as bytes, so that what is no JSON is tried too."""
_COPIES = (2, 3, 20, 200)
_BYTES = (b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\u0000", b"\\ud800", b"\xff", b"\xed\xa0\x80", b"NaN",
          b"-Infinity", b"1e999", b"9" * 120, b"[" * 70, b'{"a":' * 70, b'{"a":1,"a":2}', b"\xef\xbb\xbf", b"\x00", b" ")  # fmt: skip


def dictionary() -> str:
    """Write the words as libFuzzer reads them."""
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in WORDS)


def mutate_json(data: bytes, size_max: int, seed: int) -> bytes:
    """Change a document in a few places, as libFuzzer asks of a mutator of one's own."""
    chance = random.Random(seed)
    with suppress(ValueError, RecursionError):
        if chance.random() >= _OF_BYTES:
            document = json.loads(data)
            for _ in range(chance.randint(1, _CHANGES_MAX)):
                document = _changed(document, chance)
            made = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
            if len(made) <= size_max:
                return made
    return _damaged(data, chance)[:size_max]


def swollen_json(data: bytes) -> bytes:
    """Repeat what stands in one place of a document until it is large; bytes that are no document are swollen as bytes."""
    with suppress(ValueError, RecursionError):
        document = json.loads(data)
        places = list(_places(document))
        if places:
            holder, name = places[zlib.crc32(data) // SWOLLEN_ONE_IN % len(places)]
            one = holder[name][0] if isinstance(holder[name], list) and holder[name] else holder[name]
            holder[name] = [one] * (SWOLLEN_BYTES // len(json.dumps(one)))
            return json.dumps(document).encode("utf-8", "surrogatepass")
    return swollen(data)


def _damaged(data: bytes, chance: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(chance.randint(1, _CHANGES_MAX)):
        at = chance.randint(0, len(made))
        match chance.randint(0, 3):
            case 0:
                del made[at : at + chance.randint(1, 30)]
            case 1:
                made[at:at] = chance.choice(_BYTES)
            case 2:
                made[at : at + 1] = bytes([chance.randint(0, 255)])
            case _:
                made[at:at] = made[at : at + chance.randint(1, 100)] * chance.choice(_COPIES)
    return bytes(made)


def _changed(document: Any, chance: random.Random) -> Any:
    """Change one place: another value, away, a copy of another place, the same many times, one level deeper."""
    places = list(_places(document))
    if not places:
        return chance.choice(_JUNK)
    holder, name = chance.choice(places)
    match chance.randint(0, 5):
        case 0 | 1:
            holder[name] = deepcopy(chance.choice(_JUNK))
        case 2:
            del holder[name]
        case 3:
            other, its = chance.choice(places)
            holder[name] = deepcopy(other[its])
        case 4:
            value = holder[name]
            holder[name] = [deepcopy(value) for _ in range(chance.choice(_COPIES))] if not isinstance(value, list) else value * 2
        case _:
            holder[name] = {"extension": [deepcopy(holder[name])]} if chance.randint(0, 1) else [holder[name]]
    return document


def _places(document: Any) -> Any:
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        for name, value in items:
            yield holder, name
            if isinstance(value, dict | list):
                waiting.append(value)
