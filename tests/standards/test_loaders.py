"""The data files: the shipped ones load and agree with the domain, and each kind of mistake is refused with file, key and remedy."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.behavioral import BehavioralKind
from app.domain.contact import ContactOutcome, ContactType
from app.domain.stay import Disposition
from app.standards.calendars import NO_CALENDAR, holiday_calendar, warm
from app.standards.code_tables import dispositions, hospital_services, load_table
from app.standards.completeness_rules import directtrust, load_profile
from app.standards.diagnosis_rules import diagnosis_rules, load_diagnosis_rules
from app.standards.measure_rules import UNCERTIFIED, load_measures, measure_catalog
from app.standards.program_catalog import calendar_ids, load_programs, program_catalog
from app.standards.toml_table import StandardsError, read_toml, shipped

FOLDER = Path(str(shipped()))


def test_the_shipped_programs_have_the_clocks_of_the_interface() -> None:
    clocks = {clock.id for program in program_catalog().programs for clock in program.clocks}
    assert {
        "mainecare_bhh.contact_2bd", "mainecare_bhh.medication_review", "mainecare_bhh.follow_up_7d", "mainecare_bhh.follow_up_30d",
        "tcm.contact_2bd", "tcm.visit_7d", "tcm.visit_14d",
        "health_home.contact_2bd", "health_home.follow_up_7d", "health_home.follow_up_30d",
        "default.contact_2bd", "default.follow_up_7d", "default.follow_up_30d",
    } <= clocks  # fmt: skip


def test_every_calendar_of_a_program_has_holidays() -> None:
    ids = calendar_ids(program_catalog())
    assert set(ids) >= {"US", "US-ME"}
    warm(ids, 2026)
    for calendar_id in ids:
        is_kept = date(2026, 11, 26) in holiday_calendar(calendar_id)
        assert is_kept is (calendar_id != NO_CALENDAR), "Thanksgiving"


def test_no_clock_can_be_satisfied_by_what_reaches_nobody() -> None:
    for program in program_catalog().programs:
        for clock in program.clocks:
            asked = clock.satisfied_by
            assert asked.outcomes <= {ContactOutcome.REACHED, ContactOutcome.REACHED_CAREGIVER, ContactOutcome.ATTENDED}, clock.id
            assert not asked.types & {ContactType.VOICEMAIL, ContactType.LETTER}, clock.id
            assert asked.live_two_way or asked.topics, clock.id


def test_maine_has_its_own_holidays_and_a_new_year_observed_before_it() -> None:
    maine, federal = holiday_calendar("US-ME"), holiday_calendar("US")
    patriots_day = date(2026, 4, 20)
    assert patriots_day in maine
    assert patriots_day not in federal
    assert date(2021, 12, 31) in federal, "New Year 2022 was a Saturday"
    assert date(2026, 7, 3) in federal, "Independence Day 2026 is a Saturday"
    assert date(2026, 11, 27) not in federal, "the Friday after Thanksgiving is a business day (B1)"
    assert "2026-11-26" not in federal


@pytest.mark.parametrize("calendar_id", ["", "us", "USA", "US-MAINE", "US_ME", "../US"])
def test_a_calendar_id_has_a_form(calendar_id: str) -> None:
    with pytest.raises(StandardsError, match="US-ME"):
        holiday_calendar(calendar_id)


@pytest.mark.parametrize("calendar_id", ["XX", "US-XX"])
def test_a_calendar_without_holidays_fails_when_asked(calendar_id: str) -> None:
    with pytest.raises(StandardsError, match="no holidays"):
        warm([calendar_id], 2026)


@given(st.dates(date(2000, 1, 1), date(2060, 12, 31)))
def test_a_calendar_asks_each_year_by_itself(day: date) -> None:
    federal = holiday_calendar("US")
    assert (day in federal) is (day in federal.of_year(day.year))


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("01", Disposition.HOME), ("1", Disposition.HOME), (" 01 ", Disposition.HOME), ("06", Disposition.HOME),
        ("21", Disposition.CUSTODY),
        ("81", Disposition.HOME), ("86", Disposition.HOME), ("home", Disposition.HOME),
        ("07", Disposition.AGAINST_ADVICE), ("7", Disposition.AGAINST_ADVICE), ("aadvice", Disposition.AGAINST_ADVICE),
        ("02", Disposition.TRANSFER), ("05", Disposition.TRANSFER), ("43", Disposition.TRANSFER), ("65", Disposition.TRANSFER),
        ("66", Disposition.TRANSFER), ("70", Disposition.TRANSFER), ("82", Disposition.TRANSFER), ("93", Disposition.TRANSFER),
        ("03", Disposition.NONACUTE), ("61", Disposition.NONACUTE), ("62", Disposition.NONACUTE), ("63", Disposition.NONACUTE),
        ("64", Disposition.NONACUTE), ("90", Disposition.NONACUTE),
        ("50", Disposition.HOSPICE), ("51", Disposition.HOSPICE), ("hosp", Disposition.HOSPICE),
        ("20", Disposition.DIED), ("40", Disposition.DIED), ("41", Disposition.DIED), ("42", Disposition.DIED), ("exp", Disposition.DIED),
        ("09", Disposition.ADMITTED_HERE), ("30", Disposition.UNKNOWN), ("", Disposition.UNKNOWN), (None, Disposition.UNKNOWN),
        ("XYZ", Disposition.UNKNOWN), ("999", Disposition.UNKNOWN),
    ],
)  # fmt: skip
def test_discharge_codes(code: str | None, meaning: Disposition) -> None:
    assert dispositions().meaning(code) is meaning


def test_planned_readmission_codes_mean_the_places_of_the_plain_ones() -> None:
    plain = ["01", "02", "03", "04", "05", "06", "21", "43", "61", "62", "63", "64", "65", "66", "70"]
    for offset, code in enumerate(plain):
        assert dispositions().meaning(str(81 + offset)) is dispositions().meaning(code), code


def test_hospital_services_name_behavioral_places() -> None:
    assert hospital_services()["PSY"] is BehavioralKind.MENTAL_HEALTH
    assert hospital_services()["DETOX"] is BehavioralKind.SUBSTANCE_USE
    assert "MED" not in hospital_services()


def test_measures_are_versioned_by_year() -> None:
    catalog = measure_catalog()
    trc = ("TRC-MRP", "TRC-NIA", "TRC-PED", "TRC-RDI")
    assert catalog.measures == ("ED-REVISIT", "FUA", "FUH", "FUI", "FUM", "READMISSION", *trc)
    versions = [catalog.rules_for("FUH", year).version for year in (2019, 2024, 2025, 2026, 2031)]
    assert versions == ["FUH-MY2024", "FUH-MY2024", "FUH-MY2025", "FUH-MY2026", "FUH-MY2026"]
    assert UNCERTIFIED == "HEDIS-like, uncertified"


def test_no_data_file_carries_descriptions_that_belong_to_others() -> None:
    """CPT, UB-04 and NUCC numbers stand bare: in the lists of codes there is nothing but codes."""
    for name in ("visit_codes.toml", "dispositions.toml"):
        for quoted in re.findall(r'^\s*"[^"]+"(?:, "[^"]+")*,?$', (FOLDER / "codes" / name).read_text("utf-8"), re.MULTILINE):
            assert all(re.fullmatch(r"[0-9A-Z-]{2,10}", code) for code in re.findall(r'"([^"]+)"', quoted))


def copied(tmp_path: Path, kind: str, name: str, change: tuple[str, str]) -> Path:
    """A folder with one shipped file changed."""
    text = (FOLDER / kind / name).read_text("utf-8")
    assert change[0] in text, "the change must find its place"
    (tmp_path / name).write_text(text.replace(*change, 1), "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("count = 2", "count = 0"), r"default\.toml.*count must be at least 1"),
        (("count = 2", 'count = "two"'), r"clock\[0\]: count must be a whole number"),
        (('unit = "business_days"', 'unit = "weeks"'), r"unit has a code that is not one of: hours, calendar_days, business_days"),
        (('holiday_calendar = "US"', ""), r"business days need a holiday_calendar"),
        (('holiday_calendar = "US"', 'holiday_calendar = "Maine"'), r"such as US or US-ME"),
        (('types = ["phone"', 'types = ["telegram"'), r"satisfied_by: types has a code that is not one of: phone, voicemail"),
        (('types = ["phone"', 'types = ["phone", "phone"'), r"types must be a list of distinct texts"),
        (("live_two_way = true", "live_two_ways = true"), r"live_two_ways is not a key"),
        (("live_two_way = true", 'live_two_way = "yes"'), r"must be true or false"),
        (("priority = 10", "priority = 10\nprority = 3"), r"prority is not a key"),
        (('id = "default.contact_2bd"', 'id = "contact_2bd"'), r"must begin with default"),
        (('id = "default.follow_up_7d"', 'id = "default.contact_2bd"'), r"defined twice"),
        (('classes = ["emergency", "observation", "inpatient"]', "classes = []"), r"classes must not be empty"),
        (("[trigger]", "[triggr]"), r"classes must not be empty"),
        (('version = "1"', 'version = "1"\neffective_from = "2020-01-01"'), r"effective_from must be a date without quotes"),
        (('title = "Follow-up after discharge"', "title = 7"), r"title must be a text"),
        (('id = "default"', 'id = "fallback"'), r"must begin with fallback"),
        (("[50, 80, 100]", '[50, "80"]'), r"list of whole numbers"),
        (("[50, 80, 100]", "[80, 50]"), r"ascend"),
        (('title = "Follow-up after discharge"', "title = "), r"is not TOML"),
        (("aliases = []", 'aliases = "BHH"'), r"aliases must be a list"),
    ],
)
def test_a_wrong_program_file_is_refused_with_its_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(StandardsError, match=message):
        load_programs(copied(tmp_path, "programs", "default.toml", change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clock = [1]", r"clock must be a list of tables"),
        ("clock = []", r"clock is missing"),
        ('id = "x"', r"clock is missing"),
        ("[[clock]]\nsatisfied_by = 3", r"satisfied_by must be a table"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.toml").write_text(text, "utf-8")
    with pytest.raises(StandardsError, match=message):
        load_programs(tmp_path)


def test_a_definition_without_versions_is_refused(tmp_path: Path) -> None:
    head = (FOLDER / "measures" / "fua.toml").read_text("utf-8").partition("[[version]]")[0]
    (tmp_path / "fua.toml").write_text(head, "utf-8")
    with pytest.raises(StandardsError, match="version is missing"):
        load_measures(tmp_path, FOLDER / "codes" / "visit_codes.toml", diagnosis_rules())
    head = (FOLDER / "value_sets" / "mh_dx.toml").read_text("utf-8").partition("[[period]]")[0]
    (tmp_path / "fua.toml").write_text(head, "utf-8")
    with pytest.raises(StandardsError, match="period is missing"):
        load_diagnosis_rules(tmp_path)


def test_an_empty_folder_is_no_set_of_programs(tmp_path: Path) -> None:
    with pytest.raises(StandardsError, match=r"no \.toml file"):
        load_programs(tmp_path)


def test_two_versions_must_not_overlap_and_two_programs_must_not_share_a_name(tmp_path: Path) -> None:
    copied(tmp_path, "programs", "default.toml", ('version = "1"', 'version = "1"\neffective_to = 2026-01-01'))
    text = (FOLDER / "programs" / "default.toml").read_text("utf-8")
    later = tmp_path / "default_2.toml"
    later.write_text(text.replace('version = "1"', 'version = "2"\neffective_from = 2026-01-01'), "utf-8")
    assert len(load_programs(tmp_path).programs) == 2
    later.write_text(text.replace('version = "1"', 'version = "2"\neffective_from = 2025-12-31'), "utf-8")
    with pytest.raises(StandardsError, match="in force at once"):
        load_programs(tmp_path)
    later.write_text(text.replace("default", "other").replace("aliases = []", 'aliases = ["Default"]'), "utf-8")
    with pytest.raises(StandardsError, match="names default already"):
        load_programs(tmp_path)


def test_a_program_folder_without_the_default_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tcm.toml").write_text((FOLDER / "programs" / "tcm.toml").read_text("utf-8"), "utf-8")
    with pytest.raises(StandardsError, match="default"):
        load_programs(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('stay_class = "inpatient"', 'stay_class = "ward"'), r"stay_class has a code"),
        (('services = ["with_provider"', 'services = ["with_nobody"'), r"names rules that this file does not define: with_nobody"),
        (('code_groups = ["psychiatric_visit"', 'code_groups = ["seance"'), r"names groups that do not exist: seance"),
        (('needs_any = ["mental_health_provider"]', 'needs_any = ["luck"]'), r"needs_any has a code"),
        (("first_year = 2025", "first_year = 2024"), r"first_year 2024 is defined twice"),
        (("first_day = 1", "first_day = 1\nlast_day = 30"), r"last_day is not a key"),
        (("age_min = 6", "age_min = -6"), r"not negative"),
    ],
)
def test_a_wrong_measure_file_is_refused_with_its_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(StandardsError, match=message):
        load_measures(copied(tmp_path, "measures", "fuh.toml", change), FOLDER / "codes" / "visit_codes.toml", diagnosis_rules())


def test_a_visit_code_has_five_characters(tmp_path: Path) -> None:
    folder = copied(tmp_path, "codes", "visit_codes.toml", ('"90791"', '"9079"'))
    with pytest.raises(StandardsError, match="five characters"):
        load_measures(FOLDER / "measures", folder / "visit_codes.toml", diagnosis_rules())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pattern = '^", "pattern = '("), r"is not a regular expression|must begin with"),
        (("pattern = '^", "pattern = '"), r"must begin with \^"),
        (("effective_from = 2025-01-01", "effective_from = 2025-01-02"), r"without gap or overlap"),
        (('group = "mental_illness"', 'group = "melancholy"'), r"group has a code"),
        (("licence = ", "license = "), r"licence must be a text"),
    ],
)
def test_a_wrong_value_set_is_refused_with_its_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(StandardsError, match=message):
        load_diagnosis_rules(copied(tmp_path, "value_sets", "mental_illness.toml", change))


def test_a_folder_of_value_sets_must_be_complete_and_single(tmp_path: Path) -> None:
    source = (FOLDER / "value_sets" / "mh_dx.toml").read_text("utf-8")
    (tmp_path / "mh_dx.toml").write_text(source, "utf-8")
    with pytest.raises(StandardsError, match="no value set for"):
        load_diagnosis_rules(tmp_path)
    (tmp_path / "again.toml").write_text(source, "utf-8")
    with pytest.raises(StandardsError, match="group mh_dx is defined twice"):
        load_diagnosis_rules(tmp_path)


def test_a_code_means_one_thing(tmp_path: Path) -> None:
    folder = copied(tmp_path, "codes", "dispositions.toml", ('hospice = ["50"', 'hospice = ["01", "50"'))
    with pytest.raises(StandardsError, match="code 01 is defined twice"):
        load_table(folder / "dispositions.toml", "meanings", Disposition)
    folder = copied(tmp_path, "codes", "dispositions.toml", ("hospice = [", "hospise = ["))
    with pytest.raises(StandardsError, match="hospise is not a key"):
        load_table(folder / "dispositions.toml", "meanings", Disposition)


def test_the_readme_names_every_data_file() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    for file in sorted(FOLDER.rglob("*.toml")):
        assert f"`{file.relative_to(FOLDER)}`" in readme, file.name
        assert read_toml(file).has("licence") or file.parent.name == "programs", file.name


def test_the_feed_profile_asks_for_the_fields_of_the_standard() -> None:
    """DIR-1: what DirectTrust Event Notifications require of an ADT message."""
    places = {field.place for field in directtrust().fields}
    assert places == {
        "MSH-9.1", "MSH-9.2", "MSH-10", "MSH-12", "EVN-2", "EVN-7", "PID-3.1", "PID-3.5", "PID-5.1", "PID-5.2", "PID-7", "PID-8", "PID-18",
        "PV1-2", "PV1-3.4", "PV1-3.9", "PV1-4", "PV1-19", "PV1-44", "PV1-36", "PV2-3", "PV2-23",
    }  # fmt: skip


_PROFILE = 'source = "x"\nlicence = "facts"\nname = "X"\n'


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('place = "PV136"', "must be a field such as PV1-36"),
        ('place = "PV1-36"\ncheck = "odd"', "one of"),
        ('place = "MSH-12"\ncheck = "equal"', "belongs to the check"),
        ('place = "MSH-12"\ntext = "2.5.1"', "belongs to the check"),
        ('place = "PV1-36"\nwhen = "discharge"', "is not a key"),
    ],
)
def test_a_wrong_feed_profile_is_refused_with_its_place(tmp_path: Path, field: str, message: str) -> None:
    file = tmp_path / "profile.toml"
    file.write_text(f'{_PROFILE}[[fields]]\nmeaning = "x"\n{field}\n')
    with pytest.raises(StandardsError, match=f"profile.toml.*{message}"):
        load_profile(file)


def test_a_field_is_asked_for_once(tmp_path: Path) -> None:
    file = tmp_path / "profile.toml"
    file.write_text(_PROFILE + '[[fields]]\nmeaning = "x"\nplace = "PV1-36"\n' * 2)
    with pytest.raises(StandardsError, match="defined twice"):
        load_profile(file)
