"""Advice for the person at the interface: each place in the words of the standard, no value repeated, nothing raised."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hl7v2.codes import VERSIONS
from adapters.hl7v2.dictionary import known_version, place_name, segment_fields, structure, table_values
from adapters.hl7v2.lint import FINDINGS_MAX, NEUTRAL_FEED, lint
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.inbound import Severity
from tests.adapters.hl7v2.support import EVN, FEED, PID, PV1, discharge, er7, msh, segment
from tests.support.cost import within

GOLDEN = sorted((Path(__file__).parents[2] / "messages" / "hl7v2").glob("*/*.hl7"))


def found(body: bytes) -> set[tuple[str, str, str]]:
    return {(finding.severity.value, finding.code.value, finding.location) for finding in lint(body, FEED)}


@pytest.mark.parametrize(
    ("version", "location", "name"),
    [
        ("2.5.1", "PID^1^3", "PID-3 patient identifier list"),
        ("2.5.1", "PID^1^3^1^4", "PID-3.4 patient identifier list, assigning authority"),
        ("2.5.1", "PID^2^8^1", "PID-8 administrative sex"),
        ("2.3", "PID^1^3", "PID-3 patient id internal id"),
        ("2.5.1", "PV1^1^36", "PV1-36 discharge disposition"),
        ("2.5.1", "EVN^1^6", "EVN-6 event occurred"),
        ("2.9", "PID^1^3", "PID-3 patient identifier list"),
        ("2.5.1", "PID^1^99^1^2", "PID-99.2"),
        ("2.5.1", "ZZZ^1^2", "ZZZ-2"),
        ("2.5.1", "PID^1", "PID"),
        ("2.5.1", "", ""),
    ],
)
def test_places_are_named_in_the_words_of_the_standard(version: str, location: str, name: str) -> None:
    assert place_name(version, location) == name


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_every_version_has_a_dictionary(version: str) -> None:
    assert segment_fields(version, "PID")
    assert segment_fields(version, "PV1")
    assert structure(version, "A01") is not None
    assert structure(version, "A03") is not None


def test_what_is_not_in_the_dictionary_is_none() -> None:
    assert segment_fields("2.5.1", "XYZ") is None
    assert structure("2.5.1", "Z01") is None
    assert table_values("2.5.1", "9999") == frozenset()
    assert table_values("2.1", "0001") == frozenset()
    assert table_values("2.5.1", "0001") == {"A", "F", "M", "N", "O", "U"}
    assert known_version("nonsense") == "2.5.1"


def test_events_that_share_a_structure_find_it() -> None:
    shared = {
        trigger: found[0]
        for trigger in ("A04", "A08", "A13", "A28", "A31", "A07", "A11", "A34", "A40")
        if (found := structure("2.5.1", trigger))
    }
    assert shared == {
        "A04": "ADT_A01",
        "A08": "ADT_A01",
        "A13": "ADT_A01",
        "A28": "ADT_A05",
        "A31": "ADT_A05",
        "A07": "ADT_A06",
        "A11": "ADT_A09",
        "A34": "ADT_A30",
        "A40": "ADT_A39",
    }


@pytest.mark.parametrize(
    "path", [path for path in GOLDEN if path.parent.name != "ignored_kinds"], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_the_golden_messages_need_no_advice(path: Path) -> None:
    assert lint(path.read_bytes(), FEED) == ()


TABLE = [
    (discharge(), []),
    (discharge(evn="EVN|A03"), [("W", "101", "EVN^1^2")]),
    (discharge(pid="PID|1||ZZ1||ZZTEST^A|||Q"), [("I", "103", "PID^1^8^1")]),
    (discharge(pid="PID|x||ZZ1||ZZTEST^A"), [("W", "102", "PID^1^1^1")]),
    (discharge(pid="PID|1||ZZ1||ZZTEST^A||1976"), [("W", "102", "PID^1^7")]),
    (discharge(pid="PID|1|ZZ9~ZZ8|ZZ1||ZZTEST^A"), [("W", "102", "PID^1^2^2")]),
    (discharge(pid="PID|1||ZZ1^^^^ZZ||ZZTEST^A"), [("W", "103", "PID^1^3^1^5")]),
    (discharge(pid="PID|1||ZZ1^^^^MR^^^^^^more||ZZTEST^A"), [("I", "102", "PID^1^3^1^11")]),
    (discharge(pid=PID + "|" * 34 + "more"), [("I", "102", "PID^1^40")]),
    (discharge("OBR|1||||"), [("I", "100", "OBR^1"), ("W", "101", "OBR^1^4")]),
    (discharge("XYZ|1"), [("I", "100", "XYZ^1")]),
    (discharge("ZPD|whatever|1|2|3"), []),
    (discharge("PD1|ZZ"), [("I", "100", "PD1^1")]),
    (er7(msh(), EVN, PID), [("E", "100", "PV1^1")]),
    (discharge(header=msh(f9="ADT^A03^ADT_Z99")), []),
    (er7(msh("A31"), EVN.replace("A03", "A31"), PID), [("W", "100", "PV1^1")]),
    (er7(msh(f9="ORU^R01^ORU_R01"), "OBR|1||||"), [("E", "100", "PID^1"), ("W", "101", "OBR^1^4")]),
    (er7(msh(f9="ORM^O01^ORM_O01"), "OBR|1||||"), [("E", "200", "MSH^1^9^1^1"), ("W", "101", "OBR^1^4")]),
    (discharge(segment("DG1", f1="1", f3="F32.9", f6="F", f15="7")), []),
    (discharge(segment("DG1", f1="1", f3="F32.9")), [("W", "101", "DG1^1^6")]),
    (b"no message", [("E", "100", "MSH^1")]),
    (b"", [("E", "100", "MSH^1")]),
    (b"MSH|0000|", [("E", "102", "MSH^1^2")]),
]


@pytest.mark.parametrize(("body", "expected"), TABLE, ids=range(len(TABLE)))
def test_advice(body: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert found(body) == set(expected)


def test_the_worst_comes_first() -> None:
    body = er7(msh(), EVN, "PID|x||||ZZTEST^A|||Q", "OBR|1")
    severities = [finding.severity for finding in lint(body, FEED)]
    assert severities == sorted(severities, key=list(Severity).index)
    assert severities[0] is Severity.ERROR


def test_an_error_found_in_reading_is_not_repeated_by_the_dictionary() -> None:
    findings = lint(discharge(pid="PID|1||"), FEED)
    assert [finding.location for finding in findings if finding.location.startswith("PID^1^3")] == ["PID^1^3"]


def test_no_advice_repeats_a_value() -> None:
    marker = "ZZMARKER"
    body = er7(
        msh(f11=marker, f12=marker, f18=marker),
        *(
            "|".join([name, *[f"{marker}^{marker}~{marker}"] * 60])
            for name in ("EVN", "PID", "PV1", "PV2", "DG1", "MRG", "OBX", "ZZZ", "XYZ")
        ),
    )
    fixed = body.replace(f"|{marker}|{marker}||||||{marker}\rEVN".encode(), b"|P|2.5.1\rEVN")
    assert fixed != body
    for one in (body, fixed):
        findings = lint(one, FEED)
        assert findings
        for finding in findings:
            assert marker not in finding.text + finding.name + finding.location


def test_a_flood_of_faults_is_cut_off_and_quick() -> None:
    body = er7(msh(), EVN, PID, PV1, *["OBX|x|ZZ|^^^^^^^^^^^^" + "|x" * 40] * 450)
    assert len(within(2.0, lambda: lint(body, FEED))) == FINDINGS_MAX
    repeated = er7(msh(), EVN, "PID|1||" + "~".join(["ZZ1^^^A^ZZ"] * 200) + "||ZZTEST", PV1)
    within(1.0, lambda: lint(repeated, FEED))


@settings(max_examples=50, deadline=None)  # a dictionary takes a moment to load
@given(
    trigger=st.sampled_from(["A01", "A03", "A08", "A40", "A60", "Z01", ""]),
    version=st.sampled_from([*sorted(VERSIONS), "", "9"]),
    lines=st.lists(
        st.tuples(
            st.sampled_from(["EVN", "PID", "PV1", "DG1", "MRG", "PD1", "OBX", "NK1", "ROL", "PR1", "ZZZ", "xyz", "MSH"]),
            st.lists(st.text(alphabet='AZ09^~&\\|"', max_size=12), max_size=12),
        ),
        max_size=10,
    ),
)
def test_nothing_is_raised_and_errors_are_those_of_the_reader(trigger: str, version: str, lines: list[tuple[str, list[str]]]) -> None:
    body = er7(msh(trigger, f12=version), *("|".join([name, *fields]) for name, fields in lines))
    reader = Hl7v2Reader()
    header = reader.header(body)
    errors = {
        (problem.location, problem.code) for problem in reader.problems(body, header, NEUTRAL_FEED) if problem.severity is Severity.ERROR
    }
    assert {(finding.location, finding.code) for finding in lint(body) if finding.severity is Severity.ERROR} == errors


@given(body=st.binary(max_size=200))
def test_nothing_is_raised_whatever_the_bytes(body: bytes) -> None:
    assert lint(body) is not None
