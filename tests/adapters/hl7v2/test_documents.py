"""MDM (T01-T11) and ORU (R01) as pointers: TXA, OBR, OBX and the bytes behind them, as tables in and out."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, Identifier
from app.domain.document import Availability, Completion, ContentPlace, DocumentPointer
from app.domain.feed import FeedProfile
from tests.adapters.hl7v2.support import PID, er7, feed, msh, segment

READER = Hl7v2Reader()
EVN = segment("EVN", f1="T02", f2="20260106090000")
PV1 = segment("PV1", f2="I", f19="ZZV1")
PDF = base64.b64encode(b"%PDF synthetic").decode()
ORIGINALS = ("T01", "T02", "T07", "T08", "T09", "T10")


def read(*segments: str, trigger: str = "T02", kind: str = "MDM", profile: FeedProfile | None = None) -> AdtEvent:
    body = er7(msh(f9=f"{kind}^{trigger}"), EVN, PID, PV1, *segments)
    found = READER.read(body, feed(profile=profile))
    assert isinstance(found, AdtEvent), found
    return found


def document(txa: str, *observations: str, trigger: str = "T02", profile: FeedProfile | None = None) -> DocumentPointer:
    (found,) = read(txa, *observations, trigger=trigger, profile=profile).documents
    return found


def txa(**fields: str) -> str:
    return segment("TXA", **{"f2": "18842-5^Discharge summary^LN", "f12": "D1^ZZHOSP", **fields})


def test_every_field_of_a_txa() -> None:
    found = document(
        txa(f4="20260105180000", f13="D0^ZZHOSP", f17="LA", f18="U", f19="AV", f25="A title"),
        f"OBX|1|ED|||^application^PDF^Base64^{PDF}",
    )
    assert found == DocumentPointer(
        position=1,
        number=Identifier("ZZHOSP", "", "D1"),
        parent=Identifier("ZZHOSP", "", "D0"),
        replaces_parent=False,
        type_code="18842-5",
        type_system="LN",
        type_text="Discharge summary",
        loinc="18842-5",
        title="A title",
        at=datetime(2026, 1, 5, 23, 0, tzinfo=UTC),
        completion=Completion.LEGALLY_AUTHENTICATED,
        availability=Availability.AVAILABLE,
        is_restricted=False,
        is_retracted=False,
        link=None,
        content=ContentPlace("OBX^1", "application/pdf"),
    )


@pytest.mark.parametrize("trigger", ["T01", "T02", "T03", "T04", "T05", "T06", "T07", "T08", "T09", "T10", "T11"])
def test_what_each_trigger_does(trigger: str) -> None:
    event = read(txa(f13="D0^ZZHOSP"), trigger=trigger)
    (found,) = event.documents
    assert found.replaces_parent is (trigger in ("T09", "T10"))
    assert found.is_retracted is (True if trigger == "T11" else False if trigger in ORIGINALS else None)
    # It names the stay and says nothing of it.
    assert event.visit is not None
    assert (event.visit.visit_number, event.visit.encounter_class, event.diagnoses) == (Identifier("ZZHOSP", "VN", "ZZV1"), None, ())


@pytest.mark.parametrize(
    ("code", "profile", "loinc"),
    [
        ("DS", FeedProfile(), "18842-5"),
        ("DSUM^Summary^L", FeedProfile(), None),
        ("DSUM^Summary^L", FeedProfile(document_map={"DSUM": "18842-5"}), "18842-5"),
        ("dsum", FeedProfile(document_map={"DSUM": "18842-5"}), "18842-5"),
        ("DS", FeedProfile(document_map={"DS": "11488-4"}), "11488-4"),
        ("11488-4", FeedProfile(), "11488-4"),
        ("CN^Consultation^L^11488-4^Consult note^LN", FeedProfile(), "11488-4"),
        ("PR", FeedProfile(), None),
    ],
)
def test_the_loinc_code_of_a_type(code: str, profile: FeedProfile, loinc: str | None) -> None:
    assert document(txa(f2=code), profile=profile).loinc == loinc


@pytest.mark.parametrize(
    ("said", "restricted"), [("", None), ('""', None), ("U", False), ("R", True), ("V", True), ("PSY", True), ("ETH", True), ("U~R", True)]
)
def test_every_confidentiality_but_the_usual_restricts(said: str, restricted: bool | None) -> None:
    assert document(txa(f18=said)).is_restricted is restricted


@pytest.mark.parametrize(
    ("said", "availability", "retracted"),
    [
        ("AV", Availability.AVAILABLE, False),
        ("OB", Availability.OBSOLETE, False),
        ("UN", Availability.UNAVAILABLE, False),
        ("CA", None, True),
        ("", None, False),
    ],
)
def test_availability(said: str, availability: Availability | None, retracted: bool) -> None:
    found = document(txa(f19=said))
    assert (found.availability, found.is_retracted) == (availability, retracted)


CONTENTS: list[tuple[tuple[str, ...], str | None, bytes | None]] = [
    ((f"OBX|1|ED|||^application^PDF^Base64^{PDF}",), "application/pdf", b"%PDF synthetic"),
    ((f"OBX|1|ED|||^application^pdf^base64^{PDF[:8]}\\X0D\\{PDF[8:]}",), "application/pdf", b"%PDF synthetic"),
    (("OBX|1|ED|||^TEXT^^A^plain words",), "text/plain; charset=utf-8", b"plain words"),
    (("OBX|1|ED|||^application^Octet-stream^Hex^00ff10",), "application/octet-stream", b"\x00\xff\x10"),
    (("OBX|1|ED|||^application^x-shell^A^echo",), "application/octet-stream", b"echo"),
    (("OBX|1|ED|||^application^PDF^Base64^not base64!",), None, None),
    (("OBX|1|ED|||^application^PDF^Base64^",), None, None),
    (
        ("OBX|1|TX|||One~Two", "NTE|1||a note", "OBX|2|FT|||Three\\.br\\Four \\T\\ five"),
        "text/plain; charset=utf-8",
        b"One\nTwo\nThree\nFour & five",
    ),
    (("OBX|1|TX|||See the file", f"OBX|2|ED|||^application^PDF^Base64^{PDF}"), "application/pdf", b"%PDF synthetic"),
    (("OBX|1|NM|||98",), None, None),
]


@pytest.mark.parametrize(("observations", "media_type", "expected"), CONTENTS)
def test_the_bytes_are_found_again(observations: tuple[str, ...], media_type: str | None, expected: bytes | None) -> None:
    found = document(txa(), *observations).content
    assert (found.media_type if found else None) == media_type
    if found is not None:
        body = er7(msh(f9="MDM^T02"), EVN, PID, PV1, txa(), *observations)
        assert READER.content(body, feed(), found.place) == expected
        assert READER.content(body, feed(), "OBX^99") is None
        assert READER.content(b"nonsense", feed(), found.place) is None


def test_a_text_of_thousands_of_lines_is_read_and_found_again() -> None:
    """Transcriptions come so: a line is an OBX."""
    lines = [f"OBX|{number}|TX|||line {number}" for number in range(1, 4001)]
    found = document(txa(), *lines)
    assert found.content == ContentPlace("OBX^1", "text/plain; charset=utf-8")
    body = er7(msh(f9="MDM^T02"), EVN, PID, PV1, txa(), *lines)
    assert READER.problems(body, READER.header(body), feed()) == ()
    content = READER.content(body, feed(), "OBX^1") or b""
    assert content.split(b"\n")[3999] == b"line 4000"


@pytest.mark.parametrize(
    ("said", "link"),
    [
        ("https://archive.example.org/d/1^ARCHIVE^application^PDF", "https://archive.example.org/d/1"),
        ("javascript:alert(1)", None),
        ("\\\\E\\\\server\\share", None),
        ("1.2.840.1^PACS^image^DICOM", None),
    ],
)
def test_only_a_link_is_a_link(said: str, link: str | None) -> None:
    assert document(txa(), f"OBX|1|RP|||{said}").link == link


def test_a_document_without_a_number_has_none() -> None:
    assert document(txa(f12="")).number is None
    assert document(txa(f12='""')).number is None
    assert document(txa(f12="D1^^1.2.3^ISO")).number == Identifier("1.2.3", "", "D1")
    assert document(txa(f12="D1")).number == Identifier("ZZHOSP", "", "D1")


def test_each_obr_of_an_oru_is_a_document() -> None:
    event = read(
        "OBR|1|P1|F1^LAB|24323-8^Panel^LN|||20260105080000||||||||||||||||||F",
        "OBX|1|NM|2345-7^Glucose^LN||98||||||F",
        "OBR|2|P1|F1^LAB|LOCAL^Report^L|||20260105080000|||||||||||||||20260105090000|||C",
        "OBX|1|TX|||Words||||||C",
        "SPM|1",
        "OBX|1|TX|||of the specimen||||||F",
        trigger="R01",
        kind="ORU",
    )
    panel, report = event.documents
    assert (panel.number, panel.loinc, panel.completion, panel.content) == (
        Identifier("LAB", "", "F1/24323-8"),
        "24323-8",
        Completion.FINAL,
        None,
    )
    assert (report.number, report.loinc, report.completion) == (Identifier("LAB", "", "F1/LOCAL"), None, Completion.AMENDED)
    assert report.content == ContentPlace("OBX^2", "text/plain; charset=utf-8")
    assert (panel.at, report.at) == (datetime(2026, 1, 5, 13, tzinfo=UTC), datetime(2026, 1, 5, 14, tzinfo=UTC))


@pytest.mark.parametrize(
    ("status", "states", "retracted"), [("F", "FF", False), ("X", "FF", True), ("C", "WW", True), ("C", "WF", False), ("F", "", False)]
)
def test_results_that_are_taken_back(status: str, states: str, retracted: bool) -> None:
    observations = [f"OBX|{at}|NM|||9||||||{state}" for at, state in enumerate(states, 1)]
    event = read("OBR|1||F1^LAB|24323-8" + "|" * 21 + status, *observations, trigger="R01", kind="ORU")
    assert event.documents[0].is_retracted is retracted


def test_an_oru_about_two_patients_gives_each_their_own() -> None:
    other = PID.replace("ZZ100", "ZZ200").replace("ALPHA", "BETA")
    event = read("OBR|1||F1^LAB|A", other, segment("PV1", f2="I", f19="ZZV2"), "OBR|1||F2^LAB|B", trigger="R01", kind="ORU")
    told = [(one.identifiers[0].value, one.visit.visit_number.value if one.visit and one.visit.visit_number else None,
             [pointer.type_code for pointer in one.documents]) for one in event.all]  # fmt: skip
    assert told == [("ZZ100", "ZZV1", ["A"]), ("ZZ200", "ZZV2", ["B"])]
    assert len({one.content_hash for one in event.all}) == 2


def test_a_laboratory_does_not_know_who_has_died() -> None:
    dead = PID + "|" * 20 + "20260101|Y"
    body = er7(msh(f9="ORU^R01"), EVN, dead, PV1, "OBR|1||F1^LAB|A")
    found: Any = READER.read(body, feed())
    assert (found.person.died_at, found.person.deceased, found.person.last_name) == (None, None, "ZZTEST")
