"""Claims as CSV, as FHIR and as Parquet are the same claims: the same lines, the same statuses, and known again in another form."""

import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from app.domain.public_id import Kind, read_public_id
from app.domain.viewer import Viewer
from tests.api import contract
from tests.api.test_measures import DAY_31, until
from tests.api.test_services import by_source
from tests.api.world import World
from tests.support.claims import Line, as_bundle, as_csv, as_ndjson, as_parquet, benefit

NPI = "1234567893"
VISIT = {"member_id": "P-77", "claim_id": "PRO-1", "adjustment": "0", "claim_line": "1", "service_date": "2026-03-20",
         "procedure_code": "90834", "modifier": "95", "diagnosis_1": "F32.2", "diagnosis_2": "F10.20", "place_of_service": "11",
         "rendering_npi": NPI}  # fmt: skip
EARLY = {**VISIT, "claim_id": "PRO-2", "service_date": "2026-03-09"}
CLAIMS: Sequence[Line] = (
    VISIT,
    {**VISIT, "claim_line": "2", "procedure_code": "99213", "modifier": ""},
    # A visit on day 3 that was denied, and one that was taken back: neither counts, so that day 7 is not met.
    {**EARLY, "claim_type": "denied"},
    {**EARLY, "claim_line": "2", "procedure_code": "80305", "modifier": ""},
    {**EARLY, "claim_id": "PRO-3"},
    {"member_id": "P-77", "claim_id": "PRO-3", "adjustment": "1", "claim_line": "", "claim_type": "reversal"},
    {"member_id": "P-77", "claim_id": "RX-1", "adjustment": "3", "claim_line": "1", "service_date": "2026-03-08", "ndc": "12496120203",
     "days_supply": "7"},
    {"member_id": "P-77", "claim_id": "INP-1", "adjustment": "0", "claim_line": "1", "service_date": "2026-03-02", "diagnosis_1": "F32.2",
     "admitted_on": "2026-03-02", "discharged_on": "2026-03-06"},
)  # fmt: skip
FORMS: dict[str, tuple[str, Callable[[Sequence[Line]], bytes]]] = {
    "csv": ("text/csv", as_csv),
    "ndjson": ("application/fhir+ndjson", as_ndjson),
    "bundle": ("application/fhir+json", as_bundle),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}
needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="the extra `parquet` (pyarrow) is not installed")
ROWS = (
    "select claim_id, line, adjustment, is_reversal, service_on, visit_codes, diagnoses, place_of_service, npi, taxonomies, ndc,"
    " days_supply, admitted_on, discharged_on, row_hash from service order by claim_id, line, adjustment, is_reversal"
)


async def load(world: World, form: str, lines: Sequence[Line] = CLAIMS, *, status: int = 201, content: bytes = b"") -> dict[str, Any]:
    kind, write = FORMS[form]
    answer = await world.api.post(
        "/v1/services/uploads", world.keys["plan"], content=content or write(lines), headers={"content-type": kind}
    )
    assert answer.status_code == status, answer.text
    await world.stage.settle()
    found: dict[str, Any] = answer.json()
    return found


async def stored(world: World) -> list[tuple[Any, ...]]:
    viewer = Viewer(read_public_id(Kind.ORGANIZATION, world.ids["plan"]), frozenset({"measures.read"}))
    async with world.stage.services.unit_of_work(viewer) as connection:
        rows = await connection.exec_driver_sql(ROWS)
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("first", ["csv", "ndjson", "bundle", pytest.param("parquet", marks=needs_pyarrow)])
async def test_three_forms_of_the_same_claims_end_in_one_truth(story: World, first: str) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    forms = [form for form in FORMS if form != "parquet" or find_spec("pyarrow") is not None]
    done = await load(story, first)
    assert (done["rows"], done["added"], done["errors"]) == (len(CLAIMS), len(CLAIMS), [])
    rows, sources = await stored(story), await by_source(story)
    assert sources == {"contacts": (1, 0, 0), "claims": (1, 0, 1), "combined": (1, 0, 1)}
    assert [(row[0], row[1], row[5], row[6]) for row in rows if row[0] == "PRO-1"] == [
        ("PRO-1", "1", ["90834-95"], ["F322", "F1020"]),
        ("PRO-1", "2", ["99213"], ["F322", "F1020"]),
    ]
    for other in forms:
        again = await load(story, other)
        assert (again["added"], again["rejected"]) == (0, 0), (first, other, again["errors"])
    assert (await stored(story), await by_source(story)) == (rows, sources)
    await load(story, first, [{**EARLY, "adjustment": "1"}])
    assert (await by_source(story))["claims"] == (1, 1, 1), "a denied claim that is paid at last"


async def test_a_file_that_is_none_is_refused_as_a_whole_and_a_bad_resource_alone(story: World) -> None:
    until(story, DAY_31)
    good = as_ndjson([VISIT])
    draft, estimate = (
        benefit([{**VISIT, "claim_id": f"X-{name}"}], **{name: value}) for name, value in (("status", "draft"), ("use", "predetermination"))
    )
    unread = {name: value for name, value in benefit([{**VISIT, "claim_id": "X-3"}]).items() if name != "created"}
    content = b"".join([good, b'{"resourceType": "Location"}\n\nnot json\n', *(as_line(one) for one in (draft, estimate, unread))])
    done = await load(story, "ndjson", content=content)
    assert (done["added"], [(error["row"], error["column"], error["code"]) for error in done["errors"]]) == (
        1,
        [
            (2, "line 4", "not_fhir"),
            (3, "line 5: ExplanationOfBenefit.status", "not_a_claim"),
            (4, "line 6: ExplanationOfBenefit.use", "not_a_claim"),
            (5, "line 7: ExplanationOfBenefit.created", "not_fhir"),
        ],
    )
    for form, content in (
        ("bundle", b'{"resourceType": "Bundle",\n "entry": [}'),
        ("parquet", b"PAR1 and nothing more, to the length of a header and on and on"),
    ):
        refused = await load(story, form, content=content, status=422)
        assert refused["rows"][0]["code"] == ("not_fhir" if form == "bundle" else "not_parquet")


def as_line(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource).encode() + b"\n"


async def test_the_contracts_examples_are_one_claim(story: World) -> None:
    content = contract.operation_of("POST", "/v1/services/uploads")["requestBody"]["content"]
    given = {kind: body["examples"]["claims"]["value"] for kind, body in content.items()}
    until(story, DAY_31)
    first = await load(story, "csv", content=given["text/csv"].encode())
    assert first["added"] == 1, first["errors"]
    again = await load(story, "ndjson", content=given["application/fhir+ndjson"].encode())
    assert (again["rows"], again["added"]) == (1, 0)
    again = await load(story, "bundle", content=json.dumps(given["application/fhir+json"]).encode())
    assert (again["rows"], again["added"]) == (1, 0)


@pytest.mark.parametrize("form", ["csv", pytest.param("parquet", marks=needs_pyarrow)])
async def test_tables_name_what_they_replace_and_void(story: World, form: str) -> None:
    """Frequency codes 7 and 8, each claim under a number of its own, the void of a claim that comes after it."""
    until(story, DAY_31)
    later = {**VISIT, "claim_id": "ICN-2", "adjustment": "", "claim_type": "7", "original_claim_id": "PRO-1"}
    void = {"member_id": "P-77", "claim_id": "ICN-4", "claim_type": "8", "original_claim_id": "ICN-3"}
    soon = {**VISIT, "claim_id": "ICN-3", "adjustment": "", "service_date": "2026-03-09", "claim_type": "1", "original_claim_id": "ICN-3"}
    assert (await load(story, form, [void, later]))["added"] == 2
    assert (await load(story, form, [soon, {**VISIT, "service_date": "2026-03-09"}]))["added"] == 2
    assert (await by_source(story))["claims"] == (1, 0, 1)
