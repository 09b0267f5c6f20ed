"""ExplanationOfBenefit resources as lines of claims: what is denied, replaced, taken back; whose it is, and who rendered it."""

import json
from datetime import date
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.fhir.claims import DOCUMENT_BYTES_MAX, ClaimsFhir
from app.api.strict_json import read_strict_json
from app.domain.claim import ClaimLine, standing_lines
from app.domain.claim_row import ClaimFileReader, ClaimRow
from app.domain.roster import RawRow, RosterRefusedError, RowErrorCode
from tests.support.claims import CARIN, NPI, REVENUE, TYPES, Json, benefit, coded

VISIT = {"member_id": "P-1", "claim_id": "C-1", "adjustment": "0", "claim_line": "1", "service_date": "2026-03-09",
         "procedure_code": "90834", "diagnosis_1": "F32.2", "diagnosis_2": "F10.20", "place_of_service": "11"}  # fmt: skip
SECOND = {**VISIT, "claim_line": "2", "procedure_code": "99213"}
ROLE = f"{CARIN}/C4BBClaimCareTeamRole"
NUMBER = "1234567893"


def cells(*resources: Json) -> list[dict[str, str]]:
    """Read NDJSON; give what the cells of every row say."""
    return [_named(row) for row in raw(b"".join(json.dumps(one).encode() + b"\n" for one in resources))]


def raw(content: bytes, cuts: tuple[int, ...] = ()) -> list[RawRow]:
    reader = ClaimsFhir(read_strict_json)
    rows: list[RawRow] = []
    for start, end in zip((0, *cuts), (*cuts, len(content)), strict=True):
        rows += reader.feed(content[start:end])
    return rows + reader.close()


def _named(row: RawRow) -> dict[str, str]:
    assert row.problem is None, (row.problem, row.where)
    return {name: cell for name, cell in zip(ClaimsFhir.header or (), row.cells, strict=True) if cell}


def adjudicated(item: Json, **amounts: float) -> Json:
    said = [{"category": coded(name, "urn:x"), "amount": {"value": amount, "currency": "USD"}} for name, amount in amounts.items()]
    reason = {"category": coded("denialreason", f"{CARIN}/C4BBAdjudicationDiscriminator"), "reason": coded("45", "urn:carc")}
    return {**item, "adjudication": [*said, reason]}


def with_items(*items: Json) -> Json:
    return benefit([VISIT, SECOND], item=list(items))


ONE, TWO = benefit([VISIT, SECOND])["item"]
DENIED = {"submitted": 100.0, "noncovered": 100.0}
PARTLY = {"submitted": 100.0, "noncovered": 20.0}
UNSAID = adjudicated(ONE, **DENIED)["adjudication"][:-1]
WHOLE = [("", "reversal")]


@pytest.mark.parametrize(
    ("what", "claim", "lines"),
    [
        ("paid", benefit([VISIT, SECOND]), [("1", ""), ("2", "")]),
        ("cancelled", benefit([VISIT], status="cancelled"), WHOLE),
        ("entered in error", benefit([VISIT], status="entered-in-error"), WHOLE),
        ("replaced by another number", benefit([VISIT], related=[{"relationship": coded("replacedby", CARIN)}]), WHOLE),
        ("denied as a whole", benefit([VISIT], payment={"type": coded("denied", CARIN)}), WHOLE),
        ("partially paid", benefit([VISIT], payment={"type": coded("partiallypaid", CARIN)}), [("1", "")]),
        ("one line covers nothing", with_items(adjudicated(ONE, **DENIED), TWO), [("1", "denied"), ("2", "")]),
        ("one line covers nothing and gives no reason", with_items({**ONE, "adjudication": UNSAID}, TWO), [("1", ""), ("2", "")]),
        ("one line is reduced", with_items(adjudicated(ONE, **PARTLY), TWO), [("1", ""), ("2", "")]),
        ("every line is denied", with_items(adjudicated(ONE, **DENIED), adjudicated(TWO, **DENIED)), WHOLE),
    ],
)
def test_what_becomes_of_a_claim(what: str, claim: Json, lines: list[tuple[str, str]]) -> None:
    assert [(row.get("claim_line", ""), row.get("claim_type", "")) for row in cells(claim)] == lines, what


@pytest.mark.parametrize(
    ("outcome", "status", "is_taken"),
    [("complete", "active", True), ("partial", "active", True), ("queued", "active", False), ("error", "active", False),
     ("queued", "cancelled", True)],
)  # fmt: skip
def test_only_what_was_adjudicated_is_a_claim(outcome: str, status: str, is_taken: bool) -> None:
    (row,) = raw(json.dumps(benefit([VISIT], outcome=outcome, status=status)).encode())
    assert (row.problem, row.where) == (
        (None, row.where) if is_taken else (RowErrorCode.NOT_A_CLAIM, "line 1: ExplanationOfBenefit.outcome")
    )


@pytest.mark.parametrize(
    ("version", "status", "is_taken"),
    [("1", "active", False), ("0", "active", False), ("2", "active", True), ("1", "cancelled", True)],
)
def test_a_claim_that_replaces_another_says_which_by_its_number(version: str, status: str, is_taken: bool) -> None:
    """The id of a resource is no number of a claim; a later version of the same resource needs none."""
    prior = [{"relationship": coded("prior", CARIN), "claim": {"reference": "ExplanationOfBenefit/C-0-0"}}]
    (row,) = raw(json.dumps(benefit([{**VISIT, "adjustment": version}], related=prior, status=status)).encode())
    assert (row.problem, row.where.rpartition(".")[2]) == ((None, row.where) if is_taken else (RowErrorCode.REPLACES_NOTHING, "related"))


def _line(row: dict[str, str]) -> ClaimLine:
    header = list(row)
    read = ClaimFileReader(header, 0, date(2027, 1, 1)).read(RawRow(1, [row[name] for name in header]))
    assert isinstance(read, ClaimRow), read
    return ClaimLine(
        organization_id=UUID(int=1), claim_id=read.claim_id, line=read.line, adjustment=read.adjustment, is_reversal=read.is_reversal,
        service_on=read.service_on, visit_codes=tuple(read.visit_codes),
    )  # fmt: skip


def test_a_claim_that_another_number_replaces_counts_no_more_whatever_comes_first() -> None:
    """The prior one is named by the new one alone: its own resource still says active."""
    prior = {"related": [{"relationship": coded("prior", "urn:ex"), "reference": {"value": "C-1"}}]}
    old = [_line({**row, "service_date": "2026-03-09"}) for row in cells(benefit([{**VISIT, "adjustment": "7"}]))]
    new = [_line({"service_date": "2026-03-09", **row}) for row in cells(benefit([{**VISIT, "claim_id": "C-2"}], **prior))]
    for order in permutations([*old, *new]):
        assert [one.name for one in standing_lines(order)] == ["C-2/1"]
    itself = benefit([VISIT], **prior)
    assert [row["claim_id"] for row in cells(itself)] == ["C-1"], "a number that is kept is corrected by its version"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"versionId": "1"}, {"versionId": "2"}),
        ({"lastUpdated": "2026-03-31T10:00:00-04:00"}, {"lastUpdated": "2026-03-31T14:00:01Z"}),
        ({}, {"lastUpdated": "2026-03-31T14:00:01Z"}),
    ],
)
def test_versions_are_in_the_order_of_their_numbers_or_of_their_updates(earlier: Json, later: Json) -> None:
    first, second = (int(cells(benefit([VISIT], meta=one))[0]["adjustment"]) for one in (earlier, later))
    assert 0 <= first < second < 999_999_999


PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"type": coded("MB", TYPES), "value": "P-9"}]}
OF_PATIENT = {"reference": "Patient/p"}


def coverage(relationship: str) -> Json:
    return {"resourceType": "Coverage", "id": "c", "subscriberId": "P-8", "relationship": coded(relationship, "urn:r")}


COVERED = {"patient": OF_PATIENT, "insurance": [{"focal": True, "coverage": {"reference": "Coverage/c"}}]}


@pytest.mark.parametrize(
    ("what", "before", "claim", "member"),
    [
        ("by its own identifier", [], {}, "P-1"),
        ("a Patient on a line before", [PATIENT], {"patient": OF_PATIENT}, "P-9"),
        ("a whole URL", [PATIENT], {"patient": {"reference": "https://plan.example/fhir/Patient/p/_history/3"}}, "P-9"),
        ("contained", [], {"patient": {"reference": "#p"}, "contained": [PATIENT]}, "P-9"),
        ("never by a logical id", [], {"patient": {"reference": "Patient/P-1"}}, ""),
        ("the subscriber", [coverage("self")], COVERED, "P-8"),
        ("a child of them", [coverage("child")], COVERED, ""),
    ],
)  # fmt: skip
def test_whose_claim_it_is(what: str, before: list[Json], claim: Json, member: str) -> None:
    (row,) = cells(*before, benefit([VISIT], **claim))
    assert row.get("member_id", "") == member, what


def of_team(*roles: str, kind: str, pointed: list[int] | None = None) -> Json:
    team = [
        {"sequence": place, "role": coded(role, ROLE), "provider": {"identifier": {"system": NPI, "value": NUMBER}}}
        if role != "referring"
        else {"sequence": place, "role": coded(role, ROLE), "provider": {"display": "x"}}
        for place, role in enumerate(roles, start=1)
    ]
    item = {**ONE, **({"careTeamSequence": pointed} if pointed else {})}
    return benefit([VISIT], careTeam=team, item=[item], type=coded(kind, "urn:t"))


@pytest.mark.parametrize(
    ("claim", "number"),
    [
        (of_team("referring", "rendering", kind="professional"), NUMBER),
        (of_team("referring", "rendering", kind="professional", pointed=[1]), ""),
        (of_team("referring", "attending", kind="institutional"), NUMBER),
        (of_team("attending", kind="professional"), ""),
        (of_team("operating", kind="institutional"), ""),
    ],
)
def test_who_rendered_it(claim: Json, number: str) -> None:
    assert cells(claim)[0].get("rendering_npi", "") == number


def test_lines_point_at_their_diagnoses_and_revenue_alone_is_nothing_given() -> None:
    pointing = {**ONE, "diagnosisSequence": [1]}
    billed = {"sequence": 2, "productOrService": coded("not-applicable", "urn:absent"), "revenue": coded("0270", REVENUE)}
    (row,) = cells(with_items(pointing, billed))
    # The first of the resource is the second of the claim: the principal one comes after it.
    assert (row["diagnosis_1"], row.get("diagnosis_2")) == ("F10.20", None)
    (whole,) = cells(with_items(ONE, billed))
    assert (whole["diagnosis_1"], whole["diagnosis_2"], whole.get("diagnosis_3")) == ("F32.2", "F10.20", None)


MANY = b"\n".join(
    [
        b"\xef\xbb\xbf" + json.dumps(PATIENT).encode(),
        *(json.dumps(benefit([{**VISIT, "claim_id": f"C-{n}"}])).encode() for n in range(3)),
        b"",
    ]
)
PRETTY = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": benefit([VISIT, SECOND])}]}, indent=2).encode()


@pytest.mark.parametrize(("content", "rows"), [(MANY, 3), (MANY.rstrip(), 3), (PRETTY, 2), (json.dumps(json.loads(PRETTY)).encode(), 2)])
@settings(max_examples=15)
@given(data=st.data())
def test_where_the_bytes_are_cut_changes_nothing(content: bytes, rows: int, data: st.DataObject) -> None:
    cuts = tuple(sorted(data.draw(st.sets(st.integers(1, len(content) - 1), max_size=4))))
    assert raw(content, cuts) == raw(content)
    assert len(raw(content)) == rows


@pytest.mark.parametrize(
    "content", [b"", b"  \n \n", b'{"resourceType":\n "Bundle", "entry": [\n', b"{" + b" " * DOCUMENT_BYTES_MAX + b"}"]
)
def test_what_is_no_file_of_claims_is_refused_whole(content: bytes) -> None:
    with pytest.raises(RosterRefusedError):
        raw(content)


JUNK: tuple[Any, ...] = (None, [], {}, 7, "x", [7], [{}], {"coding": 7}, [{"coding": [{"code": 7}]}], {"reference": ["#"]}, "9" * 400)


def test_junk_in_any_element_never_stops_the_file() -> None:
    whole = benefit([{**VISIT, "rendering_npi": NUMBER, "days_supply": "7"}], payment={"type": coded("paid", CARIN)}, related=[])
    for part in (whole, whole["item"][0]):
        for name in list(part):
            for junk in JUNK:
                if name != "resourceType":
                    changed = {**whole, name: junk} if part is whole else {**whole, "item": [{**part, name: junk}]}
                    rows = raw(json.dumps(changed).encode())
                    assert all(row.where.startswith("line 1") for row in rows if row.problem is not None)
