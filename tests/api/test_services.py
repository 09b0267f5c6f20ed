"""Services of encounter and pharmacy files, driven through the front door: files in, statuses and rates by source out."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.files.provider_csv import BadRow, ProviderRow, read_providers
from app import wiring
from app.domain.public_id import Kind, read_public_id
from app.domain.viewer import Viewer
from app.store import provider_registry
from tests.api.test_measures import DAY_31, events, rates, until, visit
from tests.api.world import World, load_panel

HEADER = (
    "member_id,claim_id,claim_line,adjustment,claim_type,service_date,procedure_code,diagnosis_1,place_of_service,rendering_npi,taxonomy\n"
)
NPI = "1234567893"
SEEN = f"P-77,CLM-1,1,0,original,2026-03-09,90834,F32.2,11,{NPI},\n"
REVERSED = "P-77,CLM-1,,1,reversal,,,,,,\n"
REPLACED = f"P-77,CLM-1,1,2,replacement,2026-03-20,90834,F32.2,11,{NPI},\n"


async def upload(world: World, *rows: str, who: str = "plan", status: int = 201, header: str = HEADER, **params: Any) -> dict[str, Any]:
    content = (header + "".join(rows)).encode()
    answer = await world.api.post(
        "/v1/services/uploads", world.keys[who], content=content, headers={"content-type": "text/csv"}, params=params
    )
    assert answer.status_code == status, answer.text
    await world.stage.settle()
    found: dict[str, Any] = answer.json()
    return found


async def by_source(world: World, who: str = "plan") -> dict[str, tuple[int, int, int]]:
    found = {}
    for source in ("contacts", "claims", "combined"):
        total = (await rates(world, who, evidence=source))["total"]
        found[source] = (total["denominator"], total["numerator_7"], total["numerator_30"])
    return found


async def test_a_claim_meets_the_measure_for_its_plan_and_the_exchange_and_not_for_the_home(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    assert await by_source(story) == {"contacts": (1, 0, 0), "claims": (1, 0, 0), "combined": (1, 0, 0)}
    done = await upload(story, SEEN, file_name="march.csv")
    assert (done["rows"], done["added"], done["rejected"], done["errors"]) == (1, 1, 0, [])
    for who in ("plan", "operator"):
        assert await by_source(story, who) == {"contacts": (1, 0, 0), "claims": (1, 1, 1), "combined": (1, 1, 1)}, who
    assert (await by_source(story, "home"))["combined"] == (1, 0, 0)
    (event,) = await events(story, "plan")
    assert "rests_on: claim CLM-1/1 on 2026-03-09" in event["reasons"]
    assert (event["claims_7_on"], event["contacts_7_on"]) == ("2026-03-09", None)
    (shown,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["plan"], 200))["items"]
    (fuh,) = [one for one in shown["measures"] if one["measure"] == "FUH"]
    assert (fuh["status_7"], fuh["by_claims"]["status_7"], fuh["by_contacts"]["status_7"]) == ("met", "met", "not_met")


async def test_a_visit_that_a_contact_and_a_claim_tell_of_is_one_service_with_both_as_its_grounds(story: World) -> None:
    await visit(story, npi=NPI)
    await upload(story, SEEN.replace("2026-03-09", "2026-03-10"))
    assert await by_source(story) == {"contacts": (1, 1, 1), "claims": (1, 1, 1), "combined": (1, 1, 1)}
    (event,) = await events(story, "plan")
    grounds = [reason for reason in event["reasons"] if reason.startswith("rests_on")]
    assert [reason.split(" ")[1] for reason in grounds] == ["contact", "claim"]


async def test_reversals_and_replacements_count_by_their_number_whatever_comes_first(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, REVERSED)
    await upload(story, SEEN)
    assert (await by_source(story))["combined"] == (1, 0, 0)
    await upload(story, REPLACED)
    assert (await by_source(story))["combined"] == (1, 0, 1)
    again = await upload(story, SEEN, REVERSED, REPLACED)
    assert (again["added"], again["unchanged"], again["rejected"]) == (0, 3, 0), "the same file again adds nothing"


NAMED = HEADER.replace("\n", ",original_claim_id\n")
FIRST = f"P-77,ICN-1,1,,1,2026-03-09,90834,F32.2,11,{NPI},,\n"
SECOND = f"P-77,ICN-2,1,,7,2026-03-20,90834,F32.2,11,{NPI},,ICN-1\n"
VOID_1, VOID_2 = "P-77,ICN-4,,,8,,,,,,,ICN-1\n", "P-77,ICN-5,,,8,,,,,,,ICN-2\n"
ZOE = (
    "member_id,member_id_system,first_name,last_name,birth_date,sex,program,effective_from\n"
    "P-78,PLANC,Zoe,Rowe,1971-04-05,F,BHH,2026-01-01\n"
)
LATE, NEVER = (1, 0, 1), (1, 0, 0)


async def test_replacements_and_voids_name_the_claim_they_are_of_whatever_comes_first(story: World) -> None:
    """Frequency codes 7 and 8 with REF*F8: every claim has its own number, and no file knows which version it is."""
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, SECOND, header=NAMED)
    await upload(story, FIRST, header=NAMED)
    assert (await by_source(story))["claims"] == LATE, "a replacement in an earlier file than what it replaces"
    assert (await upload(story, FIRST, SECOND, header=NAMED))["unchanged"] == 2
    await upload(story, VOID_1, header=NAMED)
    assert (await by_source(story))["claims"] == LATE, "the void of what was replaced takes nothing from its replacement"
    await upload(story, VOID_2, header=NAMED)
    assert (await by_source(story))["claims"] == NEVER
    await upload(story, FIRST, SECOND, header=NAMED)
    assert (await by_source(story))["claims"] == NEVER


async def test_a_claim_loaded_again_may_say_for_the_first_time_what_it_replaces(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, FIRST, SECOND.replace(",7,", ",1,").replace("ICN-1\n", "\n"), header=NAMED)
    assert (await by_source(story))["claims"] == (1, 1, 1)
    done = await upload(story, SECOND, header=NAMED)
    assert (done["unchanged"], (await by_source(story))["claims"]) == (1, LATE)


async def test_a_void_without_a_version_is_of_every_version_and_a_replacement_says_of_what(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, SEEN, REPLACED)
    assert (await by_source(story))["claims"] == LATE
    unnamed = await upload(story, SEEN.replace("CLM-1,1,0,original", "CLM-2,1,,7"))
    assert [(one["row"], one["column"], one["code"]) for one in unnamed["errors"]] == [(2, "original_claim_id", "replaces_nothing")]
    await upload(story, "P-77,CLM-1,,,8,,,,,,\n")
    assert (await by_source(story))["claims"] == NEVER


async def test_a_correction_that_names_another_member_takes_the_visit_from_the_first(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    await load_panel(story, "plan", ZOE, mode="delta")
    await upload(story, SEEN)
    assert (await by_source(story))["claims"] == (1, 1, 1)
    await upload(story, REPLACED.replace("P-77", "P-78"))
    assert (await by_source(story))["claims"] == NEVER, "a version of the same claim"
    await upload(story, FIRST, header=NAMED)
    assert (await by_source(story))["claims"] == (1, 1, 1)
    await upload(story, SECOND.replace("P-77", "P-78"), header=NAMED)
    assert (await by_source(story))["claims"] == NEVER, "a claim of another number"


async def test_one_file_at_the_same_time_from_two_hands_is_added_once_and_says_so(story: World) -> None:
    until(story, DAY_31)
    both = await asyncio.gather(*(upload(story, SEEN, SEEN.replace("CLM-1", "CLM-2")) for _ in range(2)))
    assert sorted((one["added"], one["unchanged"]) for one in both) == [(0, 2), (2, 0)]


async def test_a_dry_run_says_the_same_and_adds_nothing(story: World) -> None:
    until(story, DAY_31)
    assert (await upload(story, SEEN, status=200, dry_run=True))["added"] == 1
    assert (await by_source(story))["claims"] == (1, 0, 0)
    assert (await upload(story, SEEN))["added"] == 1


async def test_bad_rows_are_named_and_good_ones_taken(story: World) -> None:
    until(story, DAY_31)
    rows = (
        SEEN, SEEN, SEEN.replace("90834", "90837"), SEEN.replace("P-77", "P-99"), SEEN.replace(NPI, "1234567890"),
        SEEN.replace("2026-03-09", "9 March"), SEEN.replace("90834", ""), SEEN.replace("original", "perhaps"), "P-77,only\n",
    )  # fmt: skip
    done = await upload(story, *rows)
    assert (done["rows"], done["added"], done["repeated"], done["rejected"]) == (9, 1, 1, 7)
    assert [(error["row"], error["column"], error["code"]) for error in done["errors"]] == [
        (4, "adjustment", "version_taken"), (5, "member_id", "not_a_member"), (6, "rendering_npi", "bad_code"),
        (7, "service_date", "not_a_date"), (8, "procedure_code", "nothing_given"), (9, "claim_type", "unknown_claim_type"),
        (10, None, "cell_count"),
    ]  # fmt: skip
    assert all("P-99" not in error["message"] and "9 March" not in error["message"] for error in done["errors"])


@pytest.mark.parametrize(("who", "status"), [("home", 422), ("hospital", 422)])
async def test_only_who_pays_or_reports_loads_services(story: World, who: str, status: int) -> None:
    story.keys["another"] = await story.key(who, "panels.write")
    await upload(story, SEEN, who="another", status=status)


def _viewer(world: World, who: str) -> Viewer:
    return Viewer(read_public_id(Kind.ORGANIZATION, world.ids[who]), frozenset({"measures.read"}))


async def test_another_plan_sees_nothing_of_them(story: World) -> None:
    until(story, DAY_31)
    await upload(story, SEEN)
    async with story.stage.services.unit_of_work(_viewer(story, "stranger")) as connection:
        assert (await connection.exec_driver_sql("select count(*) from service")).scalar_one() == 0
        assert (await connection.exec_driver_sql("select count(*) from service_upload")).scalar_one() == 0
    async with story.stage.services.unit_of_work(_viewer(story, "plan")) as connection:
        assert (await connection.exec_driver_sql("select count(*) from service")).scalar_one() == 1


async def test_an_unresolved_provider_earns_nothing_and_is_told(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, SEEN.replace("F32.2", "Z00.00"))
    (event,) = await events(story, "plan")
    assert event["status"] == "not_met"
    assert any(reason.startswith("provider_unresolved: 1 ") for reason in event["reasons"])


async def test_a_registry_resolves_providers_by_the_day_and_their_services_are_looked_at_again(story: World) -> None:
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, SEEN.replace("F32.2", "Z00.00"))
    assert (await by_source(story))["claims"] == (1, 0, 0)
    for since, expected in (("2026-03-10", (1, 0, 0)), ("2026-01-01", (1, 1, 1))):
        lines = [
            "npi,entity_type,taxonomy,effective_from",
            f"{NPI},1,103TC0700X,{since}",
            "1234567890,1,103TC0700X,",
            f"{NPI},9,103TC0700X,",
        ]
        read = list(read_providers(lines))
        assert [(one.row, one.column) for one in read if isinstance(one, BadRow)] == [(3, "npi"), (4, "entity_type")]
        async with wiring.open_transaction(story.stage.work)() as raw:
            await raw.execute(provider_registry.BEGIN)
            await provider_registry.stage(raw, [one for one in read if isinstance(one, ProviderRow)])
            unknown = await provider_registry.unresolved(raw, 10)
            assert (await provider_registry.take(raw, story.stage.clock.now()))[0] == 1
            assert await provider_registry.unresolved(raw, 10) == []
        assert [one["npi"] for one in unknown] == ([NPI] if since == "2026-03-10" else [])
        await story.stage.settle()
        assert (await by_source(story))["claims"] == expected


NPPES = '"NPI","Entity Type Code","Healthcare Provider Taxonomy Code_1","NPI Deactivation Date","NPI Reactivation Date"'


async def test_what_a_later_registry_leaves_out_of_a_provider_ends_and_who_is_back_is_back(story: World) -> None:
    """Who gave the visit of 9 March: known, deactivated before it (NPPES leaves such a row bare), back, of another kind."""
    until(story, DAY_31)
    await story.stage.pass_time()
    await upload(story, SEEN.replace("F32.2", "Z00.00"))
    met, missed = (1, 1, 1), (1, 0, 0)
    for row, expected in (
        (f'"{NPI}","1","103TC0700X","",""', met),
        (f'"{NPI}","","","03/01/2026",""', missed),
        (f'"{NPI}","1","103TC0700X","03/01/2026","03/05/2026"', met),
        (f'"{NPI}","1","103TC0700X","03/01/2026","03/15/2026"', missed),
        (f'"{NPI}","1","103TC0700X","",""', met),
        (f'"{NPI}","1","207Q00000X","",""', met),
        (f'"{NPI}","1","207Q00000X","03/01/2026",""', met),
    ):
        async with wiring.open_transaction(story.stage.work)() as raw:
            await raw.execute(provider_registry.BEGIN)
            await provider_registry.stage(raw, [one for one in read_providers([NPPES, row]) if isinstance(one, ProviderRow)])
            await provider_registry.take(raw, story.stage.clock.now())
            kinds = await raw.fetch("select taxonomy, effective_to from provider_taxonomy where npi = $1 order by 1, 2", NPI)
        await story.stage.settle()
        assert (await by_source(story))["claims"] == expected, row
    ended = {row["taxonomy"]: row["effective_to"] for row in kinds}
    assert ended["103TC0700X"] == story.stage.clock.now().date(), "of a change of kind nobody says the day: until then it was so"


async def test_the_trust_line_compares_with_the_discharges_of_claims(story: World) -> None:
    until(story, datetime(2026, 5, 1, tzinfo=UTC))
    assert (await rates(story, "plan"))["trust"]["claims_list"] is None
    header = "member_id,claim_id,service_date,admitted_on,discharged_on\n"
    await upload(story, "P-77,H-1,2026-03-02,2026-03-02,2026-03-06\n", "P-77,H-2,2026-04-02,2026-04-02,2026-04-05\n", header=header)
    found = (await rates(story, "plan"))["trust"]["claims_list"]
    assert found == {"claims": 2, "claims_found": 1, "events": 1, "events_found": 1, "counted_at": "2026-05-01T00:00:00+00:00"}
    await upload(story, "P-77,H-1,2026-03-02,2026-03-02,2026-03-06,1,reversal\n", header=header.replace("\n", ",adjustment,claim_type\n"))
    found = (await rates(story, "plan"))["trust"]["claims_list"]
    assert (found["claims"], found["claims_found"], found["events_found"]) == (1, 0, 0), "what was reversed tells nothing"
    lined = header.replace("\n", ",claim_line,claim_type,adjustment\n")
    await upload(
        story,
        *(f"P-77,H-3,2026-03-02,2026-03-02,2026-03-06,{line},{what},{version}\n" for line, what, version in (
            (1, "paid", 0), (2, "denied", 0), (3, "paid", 0), (3, "void", 1),
        )),
        header=lined,
    )  # fmt: skip
    found = (await rates(story, "plan"))["trust"]["claims_list"]
    assert (found["claims"], found["claims_found"], found["events_found"]) == (2, 1, 1), "a line that was denied or taken back is one line"


async def test_many_claims_are_compared_beside_the_answers_and_kept(story: World, monkeypatch: pytest.MonkeyPatch) -> None:
    until(story, datetime(2026, 5, 1, tzinfo=UTC))
    header = "member_id,claim_id,service_date,admitted_on,discharged_on\n"
    await upload(story, "P-77,H-1,2026-03-02,2026-03-02,2026-03-06\n", "P-77,H-2,2026-04-02,2026-04-02,2026-04-05\n", header=header)
    at_once = (await rates(story, "plan"))["trust"]["claims_list"]
    monkeypatch.setattr("app.api.claims_lists.AT_ONCE_MAX", 1)

    async def trust() -> tuple[Any, bool]:
        found = (await rates(story, "plan"))["trust"]
        return found["claims_list"], found["claims_being_counted"]

    assert await trust() == (None, True)
    await story.stage.services.claims_lists.finish()
    assert await trust() == (at_once, False)
    await upload(story, "P-77,H-3,2026-04-22,2026-04-22,2026-04-25\n", header=header)
    assert await trust() == (at_once, False), "kept"
    story.stage.clock.advance(hours=7)
    assert await trust() == (at_once, True), "what is old is shown while it is counted anew"
    await story.stage.services.claims_lists.finish()
    assert await trust() == (at_once | {"claims": 3, "counted_at": "2026-05-01T07:00:00+00:00"}, False)
