"""What the fuzzers begin with: the messages of this repository, those of the public corpora where they are, and the findings of before.

The corpora are not part of this repository: `TEST_CORPORA_DIR`, else `../shared/corpora` beside it.
"""

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from adapters.hl7v2.batch import split_batch
from adapters.hl7v2.er7 import Er7Message, tokenize
from tests.adapters.hl7v2.xml_twin import can_be_xml, xml_twin
from tests.support.bundles import EVENTS, bundle

CORPORA: Final = Path(os.environ.get("TEST_CORPORA_DIR") or Path(__file__).parents[2].parent / "shared" / "corpora")
FOUND: Final = Path(__file__).with_name("found")
"""Inputs that were findings once, by target: `found/TARGET/*`."""
SEED_BYTES_MAX: Final = 32_768
"""A larger one slows every run that grows from it; what is large is made by swelling (`budget`)."""
_SAMPLES = Path(__file__).parents[1] / "messages" / "hl7v2"
_NOT_ER7 = ("FHIR", "XML", "JSON", "data", "attribution", "simulator")


def messages() -> Iterator[bytes]:
    """Give HL7v2 messages."""
    yield from (path.read_bytes() for path in sorted(_SAMPLES.glob("*/*.hl7")))
    for kind, path in _corpora():
        if not kind.startswith(_NOT_ER7):
            body = path.read_bytes()
            yield from split_batch(body).messages or (body,)


def in_xml() -> Iterator[bytes]:
    """Give HL7v2 messages in XML, indented too, and those of the public corpora that are."""
    for number, body in enumerate(messages()):
        message = tokenize(body)
        if isinstance(message, Er7Message) and message.first("MSH") is not None and can_be_xml(message):
            yield xml_twin(message, layout="\n  " if number % 2 else "")
    for kind, path in _corpora():
        if kind.startswith("XML"):
            yield path.read_bytes()
    yield b'<ADT_A01><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2></MSH><PID><PID.5>a<escape V=".br"/>b&#13;c</PID.5></PID></ADT_A01>'


def documents() -> Iterator[bytes]:
    """Give FHIR messages, and other resources, in JSON."""
    for trigger in EVENTS:
        made = bundle(trigger, "20260105143000-0500", control=f"ZZ{trigger}")
        yield made if isinstance(made, bytes) else json.dumps(made).encode()
    for kind, path in _corpora():
        if kind.startswith("FHIR") and path.suffix == ".json":
            yield path.read_bytes()


def streams() -> Iterator[bytes]:
    """Give what stands on a connection: frames one after the other, begun anew, without an end, with text between them."""
    last = b""
    for body in messages():
        yield b"\x0b" + body + b"\x1c\r"
        yield b"\x0b" + last[:200] + b"\x0b" + body[:400] + b"\x1c\n" + body[:90] + b"\x1c\r"
        last = body
    yield b"\x0b\x06\x1c\r\x0b\x15\x1c\r"


def files() -> Iterator[bytes]:
    """Give batch files."""
    some = list(messages())[:60]
    yield b"FHS|^~\\&|ZZ\rBHS|^~\\&|ZZ\r" + b"\r".join(some[:3]) + b"\rBTS|3\rFTS|1\r"
    yield from (first + b"\r" + second for first, second in pairwise(some))


def texts() -> Iterator[bytes]:
    """Give fields with escapes, each after the delimiters it is read with."""
    for body in messages():
        for line in body.replace(b"\n", b"\r").split(b"\r"):
            if line.count(b"\\") > 1:
                yield b"|^~\\&|" + line
    yield from (b"!@%*$!" + text for text in (b"\\F\\", b"*X41*", b"*.br*", b"*H*bold*N*", b"*C2842*", b"*Zx*"))


def write(folder: Path, kind: Iterator[bytes], target: str) -> int:
    """Put seeds into a folder, each once, by the digest of what it is; give how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in [*kind, *(path.read_bytes() for path in sorted((FOUND / target).glob("*")))]:
        if len(data) <= SEED_BYTES_MAX:
            (folder / hashlib.sha256(data).hexdigest()[:20]).write_bytes(data)
    return len(list(folder.iterdir()))


def _corpora() -> Iterator[tuple[str, Path]]:
    if not (CORPORA / "MANIFEST.tsv").exists():
        return
    with (CORPORA / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["type"], CORPORA / row["local_path"]
