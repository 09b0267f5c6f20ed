"""A folder of the deployment's own definitions takes the place of shipped ones, whole part by whole part, and says so in every status."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import preflight
from app.cli.checks import Grade, check_settings
from app.cli.exits import ExitCode
from app.cli.failing import command_error_of
from app.domain.behavioral import behavioral_health_signal
from app.domain.course import Course
from app.domain.episode import measure_statuses
from app.domain.measure import MeasureState, MeasureStatus, PersonHistory
from app.settings import Settings, load_settings
from app.standards.definitions import Definitions, definitions
from app.standards.toml_table import StandardsError, shipped
from tests.domain.follow_up_builders import Said, local
from tests.domain.measure_builders import BORN, A

FOLDER = Path(str(shipped()))
HEAD = 'group = "mental_illness"\ntitle = "T"\nsource = "S"\nlicence = "L"\n'
SET = f'{HEAD}[[period]]\nversion = "9"\n'


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with the shipped value sets and programs, to be changed."""
    for part in ("value_sets", "programs"):
        shutil.copytree(FOLDER / part, tmp_path / part)
    definitions.cache_clear()
    return tmp_path


def settings_of(own: Path) -> Settings:
    return load_settings({"HANDOFF_STANDARDS_DIR": str(own)})


def fuh_by(rules: Definitions, code: str) -> MeasureStatus:
    """The status of a discharge for one diagnosis by these rules."""
    stay = replace(A, signal=behavioral_health_signal(rules.diagnoses, [Said(code)], A.discharged_on))
    history = PersonHistory(birth_on=BORN, stays=Course((stay,)))
    return next(one for one in measure_statuses(stay, history, rules.measures, local("2025-03-12")) if one.measure == "FUH")


def test_a_licensed_list_of_codes_takes_the_place_of_ours_and_every_status_says_so(own: Path) -> None:
    file = own / "value_sets" / "mental_illness.toml"
    file.write_text(f'{SET}codes = ["F32.2", "F33.1"]\n')
    licensed = definitions(own)
    on_the_list, not_on_it = fuh_by(licensed, "F32.2"), fuh_by(licensed, "F31.9")
    assert (on_the_list.status, not_on_it.status) == (MeasureState.PENDING, MeasureState.NOT_ELIGIBLE)
    assert fuh_by(definitions(), "F31.9").status is MeasureState.PENDING
    assert re.fullmatch(r"FUH-MY2025\+[0-9a-f]{8}", on_the_list.rule_version)
    assert fuh_by(definitions(), "F32.2").rule_version == "FUH-MY2025"
    file.write_text(f'{SET}codes = ["F32.2", "F33.2"]\n')
    definitions.cache_clear()
    assert fuh_by(definitions(own), "F32.2").rule_version != on_the_list.rule_version, "another list is another version"


def test_programs_of_ones_own_change_no_rule_of_a_measure(own: Path) -> None:
    shutil.rmtree(own / "value_sets")
    file = own / "programs" / "tcm.toml"
    # Saved by an editor of Windows, with a byte order mark.
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"count = 14", b"count = 10"))
    found = definitions(own)
    assert {clock.count for one in found.programs.programs if one.id == "tcm" for clock in one.clocks} == {2, 7, 10}
    assert found.measures.rules_for("FUH", 2026).version == "FUH-MY2026"
    preflight.check(settings_of(own))


def changed(name: str, before: str, after: str) -> Callable[[Path], object]:
    def change(own: Path) -> None:
        text = (own / name).read_text()
        assert before in text
        (own / name).write_text(text.replace(before, after, 1))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shutil.rmtree, r"cannot be read \(No such file or directory\)"),
        (lambda own: (own / "programs").rename(own / "programmes"), r"must hold folders of the names .*; programmes is none of them"),
        (lambda own: [shutil.rmtree(own / name) for name in ("programs", "value_sets")], r"has none of them"),
        (lambda own: shutil.copytree(FOLDER / "codes", own / "codes"), r"codes must hold visit_codes\.toml and no other"),
        (lambda own: (own / "value_sets" / "mh_dx.toml").unlink(), r"value_sets: has no value set for: mh_dx"),
        (lambda own: (own / "programs" / "new.toml").mkdir(), r"programs/new\.toml: cannot be read \(Is a directory\)"),
        (lambda own: (own / "programs/tcm.toml").rename(own / "programs/tcm.toml.txt"), r"programs: tcm\.toml\.txt would not be read"),
        (lambda own: (own / "value_sets" / "MINE.TOML").write_text(""), r"value_sets: MINE\.TOML would not be read: name it \.toml"),
        (lambda own: (own / "tcm.toml").write_text("id"), r"must hold folders of the names .*; tcm\.toml is none of them"),
        (changed("programs/tcm.toml", "holiday_calendar =", "holliday_calendar ="), r"clock\[0\]: holliday_calendar is not a key of this"),
        (lambda own: (own / "programs" / "tcm.toml").write_text("id", "utf-16"), r"programs/tcm\.toml: is not TOML in UTF-8"),
        (lambda own: (own / "programs" / "default.toml").unlink(), r"programs: program default is named by an alias or as the default"),
        (changed("programs/tcm.toml", "count = 2", "count = 99999"), r"tcm\.toml: clock\[0\]: clock tcm.*at most 9999"),
        (changed("programs/tcm.toml", "count = 2", "count = 9999999999999"), r"count must be 1,000,000 at most"),
        (changed("programs/tcm.toml", "attempts_min = 2", "contacts_min = 0"), r"satisfied_by: contacts_min must be at least 1"),
        (changed("programs/tcm.toml", '"health_home"', '"health_hme"'), r"organization_kinds has a code that is not one of"),
        (changed("programs/tcm.toml", "2013-01-01", "2013-01-01\neffective_to = 2013-01-01"), r"version 2 ends before it starts"),
        (changed("programs/suicide_safety.toml", "at_percent = 1\n", "at_percent = 60\n"), r"nobody is told at 50 %; let the first"),
        (changed("programs/suicide_safety.toml", "at_percent = 100", "at_percent = 150"), r"must have at_percent between 1 and 100"),
        (changed("programs/tcm.toml", '"US"', '"Maine"'), r"programs/tcm\.toml: clock\[0\]: holiday_calendar is 'Maine': .*US-ME"),
        (changed("programs/tcm.toml", "attempts_min = 2\n", ""), r"tcm\.toml: clock\[0\]: satisfied_by: attempt_types count for nothing"),
        (changed("programs/tcm.toml", "count = 2", 'count = 2\nclasses = ["emergency"]'), r"clock tcm\.contact_2bd: no stay starts it"),
        (changed("programs/tcm.toml", '"US"', '"US-XX"'), r"there are no holidays for calendar US-XX"),
        (changed("value_sets/mh_dx.toml", "'^F(?:03", r"'^F32\.2|F(?:03"), r"must be in capitals and without dots.*F322, not F32.2"),
        (changed("value_sets/mh_dx.toml", "'^F(?:03", "'^f(?:03"), r"pattern must be in capitals and without dots"),
        (changed("value_sets/mh_dx.toml", "pattern", 'codes = ["F32"]\npattern'), r"codes must not stand beside a pattern"),
        (changed("value_sets/mh_dx.toml", "pattern", 'codes = ["depression"]\nx'), r"codes must be whole ICD-10-CM codes, such as F32.2"),
        (changed("value_sets/mh_dx.toml", "pattern", "effective_to = 2026-01-01\npattern"), r"effective_from out of .* in no group then"),
        (changed("value_sets/mh_dx.toml", "pattern", "effective_from = 2026-01-01\npattern"), r"effective_from out of .* in no group then"),
    ],
)  # fmt: skip
def test_what_is_wrong_stops_the_start_with_its_place_and_a_remedy(own: Path, change: Callable[[Path], object], said: str) -> None:
    change(own)
    with pytest.raises(StandardsError, match=said) as raised:
        preflight.check(settings_of(own))
    error = command_error_of(raised.value)
    assert (error.code, error.remedy[:16]) == (ExitCode.USAGE, "Correct the file")
    assert "in place of the whole one" in error.remedy, "a part of a part is the most common mistake"
    if "calendar" not in said:
        assert error.text.startswith(f"{own}: ")
    (rules,) = [one for one in check_settings(settings_of(own)) if one.name == "rules"]
    assert (rules.grade, rules.said, rules.remedy) == (Grade.BAD, error.text, error.remedy)


def test_no_process_and_no_command_forgets_the_folder() -> None:
    """Else a command would say another status than the service. Privacy packs are those of the release."""
    lines = [line for file in FOLDER.parent.rglob("*.py") for line in file.read_text().splitlines() if "rulebook()" in line]
    assert lines
    assert [line for line in lines if ".privacy" not in line] == []
