"""Measures as FHIR reports: valid, the same numbers as `/v1/measures`, and for the asker alone."""

from typing import Any

from fhir.resources.R4B.measurereport import MeasureReport

from app.api import fhir_measures
from tests.api.test_measures import rates, visit
from tests.api.world import ADMIN_KEY, World

YEAR = {"periodStart": "2026-01-01", "periodEnd": "2026-12-31"}


async def report(world: World, who: str, measure: str = "FUH", status: int = 200, **params: Any) -> dict[str, Any]:
    key = world.keys.get(who, ADMIN_KEY)
    answer = await world.api.get(f"/fhir/Measure/{measure}/$evaluate-measure", key, params={**YEAR, **params})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    found: dict[str, Any] = answer.json()
    if status == 200:
        MeasureReport.model_validate(found)
    return found


def counts(group: dict[str, Any]) -> dict[str, int]:
    return {one["code"]["coding"][0]["code"]: one["count"] for one in group["population"]}


async def test_a_summary_has_the_numbers_of_the_rates(story: World) -> None:
    await visit(story)
    for who in ("home", "plan", "operator"):
        found, total = await report(story, who), (await rates(story, who))["total"]
        assert (found["type"], found["measure"], found["status"]) == ("summary", "urn:warm-handoff:measure:FUH|FUH-MY2026", "complete")
        for group, numerator, rate in zip(found["group"], ("numerator_7", "numerator_30"), ("rate_7", "rate_30"), strict=True):
            assert counts(group) == {
                "initial-population": total["initial_population"],
                "denominator": total["denominator"],
                "denominator-exclusion": 0,
                "numerator": total[numerator],
            }
            assert group["measureScore"]["value"] == total[rate] == 100.0
        assert "contained" not in found
        assert found["meta"]["tag"][0]["display"] == "HEDIS-like, uncertified"
    assert "reporter" not in await report(story, "operator")
    assert (await report(story, "plan"))["reporter"]["display"] == "Plan C"


async def test_a_subject_list_names_the_people_behind_each_number(story: World) -> None:
    found = await report(story, "plan", reportType="subject-list")
    lists = {one["id"]: [entry["item"]["reference"] for entry in one["entry"]] for one in found["contained"]}
    ann = f"Patient/{story.ids['person_id'].partition('_')[2]}"
    assert lists == {f"{days}-{name}": [ann] for days in ("7-days", "30-days") for name in ("initial-population", "denominator")}
    referred = {one["subjectResults"]["reference"] for group in found["group"] for one in group["population"] if "subjectResults" in one}
    assert referred == {f"#{name}" for name in lists}
    assert found["evaluatedResource"][0]["reference"] == f"Encounter/{story.ids['encounter_id'].partition('_')[2]}"


async def test_an_individual_report_is_of_one_person(story: World) -> None:
    ann = story.ids["person_id"]
    for subject in (f"Patient/{ann.partition('_')[2]}", ann):
        found = await report(story, "home", "TRC-MRP", reportType="individual", subject=subject)
        assert (found["type"], found["subject"]["reference"]) == ("individual", f"Patient/{ann.partition('_')[2]}")
        assert [counts(group)["denominator"] for group in found["group"]] == [1]
        assert found["evaluatedResource"][0]["display"] == "pending: awaiting_service"
    other = await report(story, "home", reportType="individual", subject="Patient/" + "0" * 32)
    assert [counts(group)["initial-population"] for group in other["group"]] == [0, 0]


async def test_nobody_else_learns_anything(story: World) -> None:
    for who in ("stranger", "hospital"):
        found = await report(story, who, reportType="subject-list")
        assert [set(counts(group).values()) for group in found["group"]] == [{0}, {0}]
        assert "contained" not in found
        assert "measureScore" not in found["group"][0]


async def test_fewer_are_better_where_people_come_back(story: World) -> None:
    notation = (await report(story, "plan", "READMISSION"))["improvementNotation"]["coding"][0]["code"]
    assert (notation, (await report(story, "plan"))["improvementNotation"]["coding"][0]["code"]) == ("decrease", "increase")


async def test_what_cannot_be_reported_is_an_operation_outcome(story: World) -> None:
    for params in (
        {"periodEnd": "2025-12-31"},
        {"periodEnd": "2027-01-31"},
        {"reportType": "individual"},
        {"subject": "Patient/" + "0" * 32},
        {"reportType": "individual", "subject": "Patient/odd"},
        {"reportType": "data-collection"},
    ):
        assert (await report(story, "plan", status=422, **params))["resourceType"] == "OperationOutcome", params
    assert (await report(story, "plan", "HEIGHT", status=404))["resourceType"] == "OperationOutcome"


async def test_a_long_list_is_not_an_answer(story: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(fhir_measures, "EVENTS_MAX", 0)
    found = await report(story, "plan", status=422, reportType="subject-list")
    assert "page by page" in found["issue"][0]["diagnostics"]
