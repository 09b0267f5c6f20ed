"""HL7 v2 in XML (v2.xml) is the same message as in ER7 (HOH-1): the same header, tokens and event; hostile XML is refused with a place.

The twins are written by `xml_twin`. What HAPI writes is read from its own test files, where the corpora are.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.batch import BatchReader, Overlong, split_batch
from adapters.hl7v2.encodings import as_er7, as_xml, tokenize
from adapters.hl7v2.er7 import STANDARD, Er7Message
from adapters.hl7v2.escapes import escape, unescape
from adapters.hl7v2.fields import Er7FieldReader
from adapters.hl7v2.lint import lint
from adapters.hl7v2.reader import Hl7v2Reader
from adapters.hl7v2.xml_form import is_v2_xml, is_xml, read_xml
from app.domain.adt_event import AdtEvent
from app.domain.inbound import AckCode, Problem, ProblemCode, Severity
from tests.adapters.hl7v2 import test_corpora as corpora
from tests.adapters.hl7v2.support import FEED, discharge, er7, msh, segment
from tests.adapters.hl7v2.xml_twin import can_be_xml, xml_twin
from tests.support.cost import within

READER = Hl7v2Reader()
BULK_EVERY = 25
HAPI = corpora.CORPORA / "hapifhir__hapi-hl7v2/hapi-test/src/test/resources/ca/uhn/hl7v2/parser"


def tokens(body: bytes) -> Er7Message:
    message = tokenize(body)
    assert isinstance(message, Er7Message), message
    return message


def twin(body: bytes, layout: str = "") -> bytes:
    return xml_twin(tokens(body), layout=layout)


def fault(body: bytes) -> Problem:
    found = READER.header(body).fault
    assert found is not None
    assert found == tokenize(body)
    return found


def meaning(body: bytes) -> object:
    """What was read, without what names the bytes themselves; of what cannot be read, why."""
    found = READER.read(body, FEED)
    if not isinstance(found, AdtEvent):
        return [(problem.code, problem.location) for problem in found if problem.severity is Severity.ERROR]
    bare = replace(found, content_hash=b"", others=tuple(replace(one, content_hash=b"") for one in found.others))
    return replace(bare, documents=tuple(replace(one, content=None) for one in bare.documents)) if bare.documents else bare


@pytest.mark.skipif(not (corpora.CORPORA / "MANIFEST.tsv").exists(), reason="the corpora are not here")
def test_every_message_of_the_corpora_ends_in_the_same_event_in_xml() -> None:
    seen = bulk = 0
    for path, body in corpora.messages():
        if path.startswith(corpora.BULK):
            bulk += 1
            if bulk % BULK_EVERY:
                continue
        message = tokenize(body)
        if not isinstance(message, Er7Message) or not can_be_xml(message):
            continue
        written = xml_twin(message)
        header, of_xml = READER.header(body), READER.header(written)
        if message.delimiters.escape != "\\" or "\\" not in message.lines[0][9:]:
            assert (of_xml.message_code, of_xml.trigger, of_xml.control_id.strip()) == (
                header.message_code,
                header.trigger,
                header.control_id.strip(),
            ), path
        if header.message_code in {"ADT", "MDM", "ORU"}:
            assert meaning(written) == meaning(body), path
            seen += 1
    assert seen > 400


@pytest.mark.skipif(not HAPI.exists(), reason="the corpora are not here")
def test_what_hapi_writes_is_read() -> None:
    """Its own files, groups and layout and extra components and all; those with a document type, one of them an attack, are refused."""
    expected = {
        "OMD_O03.xml": "OMD",
        "critical_response_data.xml": "ORU",
        "parse_and_encode_with_ns.xml": "ORU",
        "extracmp_xml.xml": "ERP",
        "get_version.xml": "",
        "xml-with-xxe.xml": "",
    }
    read = {name: READER.header((HAPI / name).read_bytes()).message_code for name in expected}
    assert read == expected


@pytest.mark.parametrize("layout", ["", "\n", "\r\n    "])
def test_the_tokens_are_those_of_the_twin(layout: str) -> None:
    """Repetitions, components, subcomponents, deletions and gaps keep their places, however it is laid out."""
    pid = segment(
        "PID", f1="1", f3="ZZ100^^^ZZHOSP&1.2.3&ISO^MR~ZZ101^^^ZZHOSP^PI~~ZZ102", f5="ZZTEST&VON^ALPHA", f8="F", f11='""', f19='^""'
    )
    body = discharge(segment("ZZ1", f4="own^text", f9="x"), pid=pid)
    assert as_er7(twin(body, layout)) == body.rstrip(b"\r")


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30).filter(
    lambda text: can_be_xml_text(text) and text.strip() and text != '""'
)


def can_be_xml_text(text: str) -> bool:
    return not any(character < " " and character not in "\r\n\t" for character in text) and "\ufffe" not in text and "\uffff" not in text


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text_comes_through_and_stays_in_its_repetition(texts: list[str]) -> None:
    """Delimiters, escape characters, markup and line ends are text, in XML as in ER7."""
    field = "~".join(f"ZZ1^^^{escape(text, STANDARD)}" for text in texts)
    body = er7(msh(f18="UNICODE UTF-8"), segment("PID", f3=field), "ZZZ|end")
    message = tokens(twin(body))
    repetitions = message.all("PID")[0].repetitions(3)
    assert [unescape(one.split("^")[3], STANDARD) for one in repetitions] == [
        unescape(escape(text, STANDARD), STANDARD).replace("\r\n", "\n") for text in texts
    ]


def test_escape_sequences_are_elements() -> None:
    body = er7(msh(), segment("NTE", f3="one\\.br\\two \\H\\bold\\N\\ \\X41\\ \\Zown\\ \\T\\ \\E\\ \\nothing"))
    assert b'<escape V=".br"/>' in twin(body)
    said = tokens(twin(body)).all("NTE")[0].raw(3)
    assert unescape(said, STANDARD) == "one\ntwo bold A \\Zown\\ & \\ \\nothing"


def test_layout_around_a_value_is_none_of_it_and_blanks_are() -> None:
    xml = twin(discharge()).replace(b"<PID.8>F</PID.8>", b"<PID.8>\n      F\n    </PID.8><PID.10> F </PID.10>")
    pid = tokens(xml).all("PID")[0]
    assert (pid.raw(8), pid.raw(10)) == ("F", " F ")


def test_a_component_that_is_a_data_type_of_one_part_is_that_part() -> None:
    """XCN.17 is a DR of two TS: subcomponents, as ER7 has them; a second part of the third level has no place and is refused."""
    one = b"<PV1.7><XCN.17><DR.1><TS.1>2026</TS.1></DR.1><DR.2><TS.1>2027</TS.1></DR.2></XCN.17></PV1.7>"
    xml = twin(discharge()).replace(b"<PV1.2>", one + b"<PV1.2>")
    assert tokens(xml).all("PV1")[0].component(7, 17) == "2026&2027"
    assert fault(xml.replace(b"<TS.1>2027</TS.1>", b"<TS.2>D</TS.2>")).location == "PV1^1^7"


@pytest.mark.parametrize(("declared", "codec"), [("UTF-8", "utf-8"), ("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("", "utf-8")])
def test_xml_says_itself_how_it_is_written_and_msh_18_is_not_looked_at(declared: str, codec: str) -> None:
    """HOH-1."""
    said = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = twin(discharge(header=msh("A03", f18="8859/7"))).partition(b"?>\n")[2].decode().replace("ALPHA", "N\u00fa\u00f1ez")
    event = READER.read((said + body).encode(codec), FEED)
    assert isinstance(event, AdtEvent)
    assert event.person.first_name == "N\u00fa\u00f1ez"


def test_bytes_that_belie_their_declaration_are_read_and_noted() -> None:
    """HL7-4: a name with a wrong accent is better than a lost discharge."""
    body = twin(discharge()).replace(b"ALPHA", "N\u00fa\u00f1ez".encode("cp1252")).replace(b"US-ASCII", b"UTF-8")
    event = READER.read(body, FEED)
    assert isinstance(event, AdtEvent)
    assert event.person.first_name == "N\u00fa\u00f1ez"
    assert "MSH^1^18" in {note.location for note in READER.notes(body, FEED)}


def test_other_readings_of_a_message_read_its_xml_too() -> None:
    body = twin(discharge())
    fields = Er7FieldReader().fields(body)
    assert fields is not None
    assert fields.values("PID", 3) == ["ZZ100"]
    assert {one.location for one in lint(body)} == {one.location for one in lint(discharge())}


BIG = b"<PID.3>" + b"&amp;" * 150_000 + b"</PID.3>"


@pytest.mark.parametrize(
    "xml",
    [
        b'<!DOCTYPE ADT_A01 [<!ENTITY x SYSTEM "file:///etc/hostname">]><ADT_A01><MSH><MSH.3>&x;</MSH.3></MSH></ADT_A01>',
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><ADT_A01><MSH><MSH.3>&b;</MSH.3></MSH></ADT_A01>',
        b'<?xml-stylesheet href="x"?><ADT_A01><MSH/></ADT_A01>',
        b"<ADT_A01><MSH><MSH.3>&undefined;</MSH.3></MSH></ADT_A01>",
        b"<ADT_A01>" * 100_000,
        b"<ADT_A01><MSH/>" + b"<PID/>" * 60_000 + b"</ADT_A01>",
        b"<ADT_A01><MSH/>" + b"<OBX/>" * 5_600 + b"</ADT_A01>",
        b"<ADT_A01><MSH/><PID><PID.99999/></PID></ADT_A01>",
        b"<ADT_A01><MSH/><PID><PID.501/></PID></ADT_A01>",
        b"<ADT_A01><MSH/><PID><PV1.3/></PID></ADT_A01>",
        b"<ADT_A01><MSH/><PID><PID.3><CX.101>x</CX.101></PID.3></PID></ADT_A01>",
        b"<ADT_A01><MSH/><PID><PID.3><CX.1>x</CX.1><CX.1>y</CX.1></PID.3></PID></ADT_A01>",
        b"<ADT_A01><MSH/><PID><PID.3>loose<CX.1>x</CX.1></PID.3></PID></ADT_A01>",
        b"<ADT_A01><MSH/><PID>loose</PID></ADT_A01>",
        b"<ADT_A01>loose<MSH/></ADT_A01>",
        b"<ADT_A01><PID/><MSH/></ADT_A01>",
        b"<ADT_A01/>",
        b"<ADT_A01><MSH/><p>x</p></ADT_A01>",
        b'<ADT_A01 xmlns="urn:other"><MSH/></ADT_A01>',
        b"<Bundle><MSH/></Bundle>",
        b"<ADT_A01><MSH/><NTE><NTE.3><escape V='|'/></NTE.3></NTE></ADT_A01>",
        b"<ADT_A01><MSH/><NTE><NTE.3><escape V='H'>x</escape></NTE.3></NTE></ADT_A01>",
        b"<ADT_A01><MSH/><PID>" + BIG + BIG.replace(b"3", b"4") + b"</PID></ADT_A01>",
        b"<ADT_A01><MSH/></ADT_A01>".decode().encode("utf-16"),
        b"<ADT_A01><MSH/></ADT_A01><ADT_A01/>",
        b"<",
        b"<?xml",
    ],
    ids=lambda xml: xml[:60].decode("latin-1"),
)
def test_hostile_or_broken_xml_is_refused_with_a_place_at_little_cost(xml: bytes) -> None:
    # Not by the reader, which remembers what it read last: a second try would cost nothing.
    within(1.0, lambda: read_xml(xml))
    header = READER.header(xml)
    assert header.fault is not None
    assert header.fault.severity is Severity.ERROR
    ack = Er7AckWriter().write(xml, header, AckCode.AR, (header.fault,), control_id="ZZ9", at=corpora.AT)
    assert b"loose" not in ack
    assert is_xml(ack) == is_xml(xml)


def test_the_place_of_what_is_wrong_is_named() -> None:
    wrong = twin(discharge()).replace(b"<PID.8>F</PID.8>", b"<PID.8>F<x.y>1</x.y></PID.8>")
    problem = fault(wrong)
    assert (problem.code, problem.location) == (ProblemCode.SEGMENT_SEQUENCE, "PID^1^8")


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.5.1", "2.8"])
def test_an_acknowledgement_of_xml_is_xml_and_says_what_the_er7_one_says(version: str) -> None:
    """ACK-5, HOH-1."""
    body = discharge(header=msh("A03", f10="ZZ&1".replace("&", "\\T\\"), f12=version, f3="ZZADT&1^X"), pid=segment("PID", f5="ZZTEST"))
    problems = tuple(READER.problems(body, READER.header(body), FEED))
    assert any(problem.severity is Severity.ERROR for problem in problems)
    writer, written = Er7AckWriter(), twin(body)
    of_xml = writer.write(written, READER.header(written), AckCode.AE, problems, control_id="ZZ9", at=corpora.AT)
    of_er7 = writer.write(body, READER.header(body), AckCode.AE, problems, control_id="ZZ9", at=corpora.AT)
    assert of_xml.startswith(b"<?xml")
    assert b"<MSA.2>ZZ&amp;1</MSA.2>" in of_xml
    assert as_er7(of_xml) == of_er7.rstrip(b"\r")
    assert as_xml(of_er7) == of_xml
    assert as_xml(of_xml) == of_xml


def test_a_file_in_xml_is_one_message_however_it_comes() -> None:
    body = twin(discharge(segment("NTE", f3="x\\X0D\\MSH|^~")), "\n")
    assert split_batch(b"\xef\xbb\xbf\n" + body + b"\n").messages == (body,)
    for whole, size in ((body, 1), (body, 7), (body, 4096), (b"\xef\xbb\xbf" + body, 3)):
        reader = BatchReader()
        found = [one for start in range(0, len(whole), size) for one in reader.feed(whole[start : start + size])] + reader.close()
        assert (found, reader.strays, reader.warnings) == ([body], [], [])
    reader = BatchReader(1000)
    (cut,) = [*reader.feed(body * 30), *reader.close()]
    assert isinstance(cut, Overlong)
    assert body.startswith(cut.head[:100])


def test_the_two_kinds_of_xml_are_told_apart_by_their_root() -> None:
    assert is_v2_xml(twin(discharge()))
    assert is_v2_xml(b"\xef\xbb\xbf <!-- a --> <v:ACK xmlns:v='urn:hl7-org:v2xml'/>")
    assert not is_v2_xml(b'<Bundle xmlns="http://hl7.org/fhir"/>')
    assert not is_v2_xml(discharge())
