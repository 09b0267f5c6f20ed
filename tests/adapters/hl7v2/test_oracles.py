"""Our tokenizer against two independent libraries, python-hl7 and hl7apy, on made-up messages, the golden ones and the corpora.

Where they differ from the standard, and so from us, on purpose: python-hl7 knows only CR as segment end (LF-only input is one
segment to it) and gives up on a message without four encoding characters; it counts a trailing empty segment. hl7apy refuses
versions that it has no library for, segment names it does not know outside Z, and BOM and MLLP bytes; it drops trailing empty
fields. So the first is compared field by field on text with CR ends, the second segment by segment where it parses at all.
"""

from pathlib import Path

import hl7
import pytest
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v2.er7 import STANDARD, Er7Message, tokenize
from adapters.hl7v2.escapes import unescape
from tests.adapters.hl7v2.support import cut, er7, msh
from tests.adapters.hl7v2.test_corpora import BULK, CORPORA, messages

GOLDEN = sorted((Path(__file__).parents[2] / "messages" / "hl7v2").glob("*/*.hl7"))

PART = st.text(alphabet="AZ09 .-é", max_size=8)
SUBCOMPONENTS = st.lists(PART, min_size=1, max_size=3).map("&".join)
COMPONENTS = st.lists(SUBCOMPONENTS, min_size=1, max_size=4).map("^".join)
REPETITIONS = st.lists(COMPONENTS, min_size=1, max_size=3).map("~".join)
SEGMENTS = st.lists(
    st.tuples(st.sampled_from(["PID", "PV1", "DG1", "ZZZ", "OBX"]), st.lists(REPETITIONS, min_size=1, max_size=6)), max_size=6
)


def compare_with_python_hl7(text: str) -> None:
    """Every field of every segment, and every first part of it, is the same to both."""
    theirs = hl7.parse(text)
    ours = list(cut(text.encode()).segments())
    theirs_named = [segment for segment in theirs if str(segment).strip()]
    assert [segment.name for segment in ours] == [str(segment[0]) for segment in theirs_named]
    for segment, other in zip(ours, theirs_named, strict=True):
        assert len(segment.fields) == len(other)
        for number in range(1, len(segment.fields)):
            assert segment.raw(number) == str(other[number])
            if segment.name != "MSH" or number > 2:
                repetitions = segment.raw(number).split("~")
                assert repetitions == [str(one) for one in other[number]] or (repetitions == [""] and str(other[number]) == "")


@settings(max_examples=40, deadline=None)  # python-hl7 takes milliseconds a message
@given(segments=SEGMENTS)
def test_python_hl7_cuts_made_up_messages_the_same(segments: list[tuple[str, list[str]]]) -> None:
    compare_with_python_hl7(er7(msh(), *("|".join([name, *fields]) for name, fields in segments)).decode())


PLAIN = st.text(alphabet="AZ", min_size=1, max_size=6)
PLAIN_SEGMENTS = st.lists(st.tuples(st.sampled_from(["PID", "PV1", "DG1"]), st.lists(PLAIN, min_size=1, max_size=5)), max_size=4)


@settings(max_examples=25, deadline=None)  # hl7apy takes milliseconds a segment
@given(segments=PLAIN_SEGMENTS)
def test_hl7apy_finds_the_same_segments_and_fields(segments: list[tuple[str, list[str]]]) -> None:
    """Plain words only: hl7apy rewrites numbers, and what it makes of components depends on the data type that it expects."""
    text = er7(msh(), *("|".join([name, *fields]) for name, fields in segments)).decode()
    theirs = parse_message(text, find_groups=False)
    ours = list(cut(text.encode()).segments())
    assert [segment.name for segment in ours] == [child.name for child in theirs.children]
    for segment, other in zip(ours[1:], theirs.children[1:], strict=True):
        assert segment.line == other.to_er7()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_both_read_the_golden_messages_alike(path: Path) -> None:
    text = path.read_bytes().decode().replace("\r\n", "\r").replace("\n", "\r")
    compare_with_python_hl7(text)
    try:
        theirs = parse_message(text, find_groups=False)
    except HL7apyException:
        assert path.parent.name == "ignored_kinds", "only a local event may be unknown to hl7apy"
        return
    assert [child.name for child in theirs.children] == [segment.name for segment in cut(text.encode()).segments()]


@given(text=st.text(alphabet="AZ|^~&\\\n09é", max_size=40))
def test_what_we_escape_python_hl7_reads(text: str) -> None:
    from adapters.hl7v2.escapes import escape  # noqa: PLC0415 -- beside its oracle

    # python-hl7 turns a line break into \.br\ on neither side, so it is left out here.
    plain = text.replace("\n", " ")
    message = hl7.parse(f"MSH|^~\\&|ZZ\rZZZ|<{escape(plain, STANDARD)}>|\r")
    assert message.unescape(str(message[1][1])) == f"<{plain}>"


@given(raw=st.lists(st.sampled_from([r"\F", r"\S\ ", r"\T\ ", r"\R\ ", r"\E\ ", "text ", r"\X41\ "]), max_size=8).map("".join))
def test_python_hl7_and_we_decode_proper_escapes_alike(raw: str) -> None:
    proper = raw.replace(r"\F", "")
    message = hl7.parse("MSH|^~\\&|ZZ\r")
    assert unescape(proper, STANDARD) == message.unescape(proper)


@pytest.mark.skipif(not (CORPORA / "MANIFEST.tsv").exists(), reason="the corpora are not here: set TEST_CORPORA_DIR")
def test_python_hl7_agrees_on_the_corpora() -> None:
    compared = differing = 0
    for path, body in messages():
        ours = tokenize(body)
        if path.startswith(BULK) or not isinstance(ours, Er7Message) or len(ours.delimiters.encoding_characters) < 4:
            continue
        text = ours.text.replace("\r\n", "\r").replace("\n", "\r")
        theirs = [segment for segment in hl7.parse(text) if str(segment).strip()]
        named = [segment for segment in theirs if len(str(segment[0])) == 3 and str(segment[0]).isalnum() and str(segment[0]).isupper()]
        compared += 1
        lines = [segment.line for segment in ours.segments()]
        if [str(segment) for segment in named] != lines and [str(segment).rstrip() for segment in named] != [
            line.rstrip() for line in lines
        ]:
            differing += 1
            # It strips white space at the ends of a message and of a line; nothing else may differ.
            assert [str(segment).strip() for segment in named] == [line.strip() for line in lines], path
    assert compared > 600
    assert differing < compared / 20
