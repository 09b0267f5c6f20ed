"""The programs' page and schema are what the files say, the files fit the schema, and every preset is there with its numbers."""

import json
import shutil
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import jsonschema_rs
import pytest

from app.cli.exits import ExitCode
from app.cli.root import run
from app.domain.clock import ClockState, clock_window, evaluate_clock
from app.domain.organization import WELL_KNOWN_PROGRAM_ROLES, OrganizationKind
from app.domain.program import ProgramDefinition
from app.domain.stay import Disposition, StayClass
from app.standards.definitions import definitions
from app.standards.program_catalog import load_programs, program_catalog
from app.standards.program_page import page, schema
from app.standards.toml_table import StandardsError, shipped
from tests.domain.follow_up_builders import EASTERN, local, make_contact, make_stay, make_visit

FOLDER = Path(str(shipped()))
FILES = sorted((FOLDER / "programs").glob("*.toml"))
ON = date(2026, 3, 6)


@pytest.fixture
def own_programs(tmp_path: Path) -> Iterator[Path]:
    """A folder of own definitions: the shipped programs, one of them called otherwise."""
    shutil.copytree(FOLDER / "programs", tmp_path / "programs")
    file = tmp_path / "programs" / "suicide_safety.toml"
    text = (
        file.read_text()
        .replace("Safety after self-harm or suicidal thoughts", "Our own safety")
        .replace('"Suicide safety"', '"Our Safety"')
    )
    file.write_text(text)
    definitions.cache_clear()
    yield tmp_path
    definitions.cache_clear()


def program(program_id: str) -> ProgramDefinition:
    found = program_catalog().program(program_id, ON)
    assert found is not None
    return found


def test_the_committed_page_and_schema_are_written_from_the_files() -> None:
    assert (FOLDER / "programs.md").read_text() == page(program_catalog()), (
        "python -m app.standards.program_page > app/standards/programs.md"
    )
    assert json.loads((FOLDER / "programs.schema.json").read_text()) == schema(), "python -m app.standards.program_page schema"


def test_the_page_and_the_schema_of_what_runs_are_a_command(
    own_programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["program", "page"]) == ExitCode.OK
    assert capsys.readouterr().out == page(program_catalog())
    assert run(["program", "schema"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == schema()
    monkeypatch.setenv("HANDOFF_STANDARDS_DIR", str(own_programs))
    assert run(["program", "page", "--json"]) == ExitCode.OK
    said = json.loads(capsys.readouterr().out)["page"]
    assert f"Written from `{own_programs / 'programs'}`" in said
    assert "## Our own safety (`suicide_safety`" in said
    assert "Named in panels also: oursafety, zerosuicide." in said
    assert run(["program", "schema", "--json"]) == ExitCode.OK
    (own_programs / "programs" / "tcm.toml").write_text("id = 7")
    definitions.cache_clear()
    capsys.readouterr()
    assert run(["program", "page"]) == ExitCode.USAGE
    assert "tcm.toml" in capsys.readouterr().err


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_fits_the_schema_and_a_misspelt_key_does_not(file: Path) -> None:
    said = json.loads(json.dumps(tomllib.loads(file.read_text()), default=str))
    validator = jsonschema_rs.validator_for(schema())
    assert [error.message for error in validator.iter_errors(said)] == []
    assert not validator.is_valid({**said, "titel": "x"})
    assert not validator.is_valid({**said, "organization_kinds": []})
    assert not validator.is_valid({**said, "trigger": {**said["trigger"], "classes": []}})
    assert not validator.is_valid({**said, "clock": [{**said["clock"][0], "holiday_calendar": "Maine"}]})
    assert not validator.is_valid({**said, "clock": [{**said["clock"][0], "unit": "fortnights"}]})


@pytest.mark.parametrize(
    ("program_id", "clocks"),
    [
        ("tcm", {"contact_2bd": 2, "visit_7d": 7, "visit_14d": 14}),
        ("masshealth_bhcp", {"face_to_face_3bd": 3, "follow_up_ed_7d": 7}),
        ("mainecare_bhh", {"contact_2bd": 2, "medication_review": 2, "follow_up_7d": 7, "follow_up_30d": 30}),
        ("ny_health_home", {"contact_48h": 48}),
        ("mo_cmhc_hch", {"contact_72h": 72, "medication_review": 72}),
        *((one, {"visit_7d": 7, "visit_30d": 30}) for one in ("fuh", "fum", "fua", "fui")),
        ("post_crisis_g0544", {"calls_1m": 1}),
        ("suicide_safety", {"contact_24h": 24}),
        ("custody", {"handoff_2bd": 2, "release_plan_7d": 7}),
    ],
)
def test_every_preset_is_there(program_id: str, clocks: dict[str, int]) -> None:
    assert {clock.id.partition(".")[2]: clock.count for clock in program(program_id).clocks} == clocks


def test_what_joins_fits_its_trigger_alone() -> None:
    joined = {one.id: one for one in program_catalog().joined(ON, "behavioral_health_home")}
    assert set(joined) == {"suicide_safety", "custody"}
    assert joined["suicide_safety"].clocks_for(make_visit("A", "2026-03-06", codes=("F32.2", "T14.91XA")))
    assert joined["suicide_safety"].clocks_for(make_visit("A", "2026-03-06", codes=("I10", "R45.851")))
    assert not joined["suicide_safety"].clocks_for(make_visit("A", "2026-03-06"))
    assert joined["custody"].clocks_for(make_stay(disposition=Disposition.CUSTODY))
    assert not joined["custody"].clocks_for(make_stay())
    assert program_catalog().joined(ON, "plan") == ()


def test_what_joins_joins_whoever_follows_anybody_up() -> None:
    programs = program_catalog().programs
    left_out = [
        (kind.value, role, joining.id)
        for kind in OrganizationKind
        for role in ("", *WELL_KNOWN_PROGRAM_ROLES)
        for joining in programs
        if joining.joins and any(one.is_for(kind, [role]) for one in programs) and not joining.is_for(kind, [role])
    ]
    assert left_out == [], "a hospital that is a behavioral health home, too, has the clock of 24 hours after self-harm"


def test_four_calls_are_four_and_a_month_ends_with_its_day() -> None:
    (clock,) = program("post_crisis_g0544").clocks
    window = clock_window(clock, local("2026-01-31 14:00"), EASTERN, StayClass.EMERGENCY)
    assert window.due_at == local("2026-02-28 23:59:59")
    calls = [make_contact(f"2026-02-0{day}", contact_id=f"c{day}") for day in (2, 4, 6, 8)]
    three = evaluate_clock(window, [*calls[:3], calls[0]], local("2026-02-10"))
    assert three.state is ClockState.PENDING
    assert three.reasons[0] == "awaiting_contact: what was done is not all that it asks for, 3 attempts in time so far"
    assert three.reasons[1:] == ("contacts_missing_yet: 3 of 4 contacts were made",)
    assert "contacts_missing" not in str(evaluate_clock(window, [], local("2026-02-10")).reasons)
    done = evaluate_clock(window, reversed(calls), local("2026-02-10"))
    assert (done.state, done.satisfied_by) == (ClockState.MET, "c8")


def test_safety_after_self_harm_tells_the_supervisor_from_the_first_warning() -> None:
    (clock,) = program("suicide_safety").clocks
    assert clock.told_at(50) == ("assignee", "supervisor")
    assert clock.told_at(100) == ("assignee", "supervisor", "manager", "on_call")


def test_a_wrong_escalation_names_file_and_key(tmp_path: Path) -> None:
    text = (FOLDER / "programs" / "suicide_safety.toml").read_text()
    (tmp_path / "odd.toml").write_text(text.replace('to = ["assignee", "supervisor"]', 'to = ["nobody"]', 1))
    with pytest.raises(StandardsError, match=r"odd\.toml: escalate\[0\]: to has a code that is not one of"):
        load_programs(tmp_path)
    (tmp_path / "odd.toml").write_text(text.replace("at_percent = 80", "at_percent = 1", 1))
    with pytest.raises(StandardsError, match=r"odd\.toml: escalate must be in ascending order"):
        load_programs(tmp_path)
