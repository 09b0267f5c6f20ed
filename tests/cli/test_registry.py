"""Organizations, feeds, keys, panels and migrations by command, on a real database."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from app.cli import database as cli_database
from app.cli.exits import CommandError, ExitCode
from app.store.roles import Network, Role
from tests.cli.conftest import Handoff
from tests.support.databases import Database


@pytest.fixture
def hospital(operator: Handoff) -> str:
    """A hospital; its id."""
    added = operator("org", "add", "Harbor Hospital", "--kind", "hospital", "--part2-status", "not_program", "--json")
    assert added.code == ExitCode.OK, added.err
    return str(added.json["id"])


def test_an_organization_is_added_and_listed(operator: Handoff, hospital: str) -> None:
    listed = operator("org", "list", "--json").json["items"]
    assert [(one["id"], one["name"], one["kind"], one["part2_status"]) for one in listed] == [
        (hospital, "Harbor Hospital", "hospital", "not_program")
    ]
    assert hospital in operator("org", "list").out


def test_how_a_hospital_and_its_unit_are_reached_is_said_by_command(operator: Handoff, hospital: str) -> None:
    house = operator("org", "call-back", "Harbor Hospital", "--number", "207-555-0100", "--records-contact", "Records office", "--json")
    assert house.code == ExitCode.OK, house.err
    assert (house.json["call_back_number"], house.json["direct_address"]) == ("207-555-0100", None)
    unit = operator("org", "call-back", hospital, "--unit", "psy", "--direct-address", "psy@direct.harbor.example.org", "--json")
    assert (unit.json["unit"], unit.json["direct_address"]) == ("PSY", "psy@direct.harbor.example.org")
    wrong = operator("org", "call-back", hospital, "--direct-address", "nobody", "--json")
    assert wrong.code == ExitCode.USAGE
    assert "direct" in wrong.error["error"]
    listed = operator("org", "list", "--json").json["items"]
    assert [(one["call_back_number"], one["records_contact"]) for one in listed] == [("207-555-0100", "Records office")]


def test_a_site_names_its_parent_by_name(operator: Handoff, hospital: str) -> None:
    site = operator(
        "org", "add", "Harbor North", "--kind", "hospital", "--parent", "harbor hospital", "--time-zone", "America/Chicago", "--json"
    )
    assert (site.json["parent_id"], site.json["time_zone"]) == (hospital, "America/Chicago")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [(["--npi", "1234567890"], "npi"), (["--time-zone", "Mars/Olympus"], "time"), (["--program-role", "Not A Role"], "program")],
)
def test_what_an_organization_cannot_be_is_named_by_its_option(operator: Handoff, arguments: list[str], option: str) -> None:
    ended = operator("org", "add", "X", "--kind", "hospital", *arguments, "--json")
    assert ended.code == ExitCode.USAGE
    assert option in ended.error["error"]
    assert operator("org", "list", "--json").json == {"items": []}


def test_what_is_not_there_is_refused_with_where_to_look(operator: Handoff) -> None:
    for arguments in (["feed", "add", "--organization", "Nobody", "--sending-application", "A", "--sending-facility", "B"],
                      ["key", "create", "--organization", "org_" + "0" * 32, "--scope", "adt.write"],
                      ["key", "revoke", "key_" + "0" * 32],
                      ["inbound", "show", "msg_" + "0" * 32],
                      ["notification", "why", "ntf_" + "0" * 32]):  # fmt: skip
        ended = operator(*arguments, "--json")
        assert ended.code == ExitCode.REFUSED, arguments
        assert ended.error["remedy"], arguments


def test_an_ambiguous_name_must_be_an_id(operator: Handoff, hospital: str) -> None:
    assert "2 organizations are called so now" in operator("org", "add", "harbor hospital", "--kind", "hospital").err
    assert operator("org", "add", "Another Hospital", "--kind", "hospital").err == ""
    ended = operator("feed", "list", "--organization", "Harbor Hospital", "--json")
    assert ended.code == ExitCode.REFUSED
    assert "2 organizations" in ended.error["error"]
    assert operator("feed", "list", "--organization", hospital, "--json").json == {"items": []}


def test_a_feed_is_unique_by_what_its_messages_say(operator: Handoff, hospital: str) -> None:
    arguments = ["feed", "add", "--organization", hospital, "--sending-application", "EPIC", "--sending-facility", "HOSPA", "--json"]
    added = operator(*arguments)
    assert added.code == ExitCode.OK, added.err
    assert (added.json["time_zone"], added.json["assigning_authority"], added.json["mode"]) == ("America/New_York", "HOSPA", "live")
    again = operator(*arguments)
    assert again.code == ExitCode.REFUSED
    assert "MSH-3" in again.error["error"]
    assert [feed["id"] for feed in operator("feed", "list", "--json").json["items"]] == [added.json["id"]]


def test_a_key_is_shown_once_and_revoked_by_its_id(operator: Handoff, hospital: str) -> None:
    created = operator(
        "key", "create", "--organization", hospital, "--scope", "adt.write", "--label", "engine", "--expires-in-days", "30", "--json"
    )
    assert created.json["key"].startswith("hk_dev_")
    assert created.json["scopes"] == ["adt.write"]
    (listed,) = operator("key", "list", "--organization", hospital, "--json").json["items"]
    assert "key" not in listed
    assert listed["revoked_at"] is None
    assert listed["expires_at"] is not None
    revoked = operator("key", "revoke", created.json["id"], "--json")
    assert revoked.json["revoked_at"] is not None


def test_a_roster_is_loaded_good_rows_taken_and_bad_ones_named(operator: Handoff, tmp_path: Path) -> None:
    operator("org", "add", "Home B", "--kind", "behavioral_health_home")
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "medicaid_id,first_name,last_name,birth_date,sex,program,effective_from\n"
        "MC1,Ann,Testalder,1980-01-02,F,BHH,2026-01-01\n"
        "MC2,Ben,Testbirch,1980-13-02,M,BHH,2026-01-01\n"
    )
    dry = operator("panel", "load", roster, "--organization", "home b", "--dry-run", "--json")
    assert dry.code == ExitCode.FOUND
    assert (dry.json["accepted"], dry.json["rejected"], dry.json["added"], dry.json["dry_run"]) == (1, 1, 1, True)
    loaded = operator("panel", "load", roster, "--organization", "home b")
    assert loaded.code == ExitCode.FOUND
    assert "birth_date" in loaded.out
    again = operator("panel", "load", roster, "--organization", "home b", "--json")
    assert (again.json["added"], again.json["unchanged"]) == (0, 1)


def test_a_file_that_is_no_roster_changes_nothing(operator: Handoff, tmp_path: Path) -> None:
    operator("org", "add", "Home B", "--kind", "behavioral_health_home")
    file = tmp_path / "not.csv"
    file.write_text("hello\nworld\n")
    ended = operator("panel", "load", file, "--organization", "home b", "--json")
    assert ended.code == ExitCode.REFUSED
    assert "nothing was taken" in ended.error["error"]


def test_a_registry_of_providers_says_how_many_kinds_it_took_and_which_row_it_did_not(operator: Handoff, tmp_path: Path) -> None:
    file = tmp_path / "npi.csv"
    file.write_text("NPI,Taxonomy\n1234567893,2084P0800X\n1245319599,207Q00000X\n1245319590,207Q00000X\n")
    loaded = operator("practitioner", "load", file, "--json")
    assert loaded.code == ExitCode.FOUND
    assert {name: loaded.json[name] for name in ("kinds", "changed", "rejected")} == {"kinds": 2, "changed": 2, "rejected": 1}
    assert [(one["row"], one["column"]) for one in loaded.json["errors"]] == [(4, "npi")]
    file.write_text("NPI;Taxonomy\n1234567893;2084P0800X\n")
    assert "separated by commas" in operator("practitioner", "load", file, "--json").error["remedy"]


def test_migrations_of_a_database_that_is_current(operator: Handoff, database: Database) -> None:
    assert "nothing to do" in operator("migrate", "plan").out
    assert operator("migrate", "verify", "--json").json["findings"] == []
    up = operator("migrate", "up", "--json").json
    assert up["before"] == up["revision"]
    assert up["network"] == database.network.name


def test_migrations_of_a_network_that_is_not_there_yet(operator: Handoff, fresh_database: Database) -> None:
    settings = {"HANDOFF_DATABASE_URL": fresh_database.url, "HANDOFF_NETWORK": "second"}
    refused = operator("org", "list", "--json", settings=settings)
    assert refused.code == ExitCode.REFUSED
    assert "handoff migrate up" in refused.error["remedy"]
    assert operator("migrate", "verify", "--json").code == ExitCode.FOUND
    assert "CREATE TABLE" in operator("migrate", "plan").out

    # A misspelt HANDOFF_NETWORK would be an empty exchange: what is there is named, and a private database makes no second one unasked.
    there = fresh_database.network.name
    assert f"This database has: {there}." in refused.error["error"]
    assert f"Set HANDOFF_NETWORK to {there}" in refused.error["remedy"]
    private = cli_database.Database(fresh_database.url, Network("second"), is_embedded=True)
    with pytest.raises(CommandError) as alone:
        asyncio.run(cli_database.ensure_schema(private))
    assert (alone.value.text, alone.value.remedy) == (refused.error["error"], refused.error["remedy"])
    assert f"This database has: {there}; if one of them is meant, correct HANDOFF_NETWORK." in operator("migrate", "verify").out

    made = operator("migrate", "up")
    assert "is at revision" in made.out
    assert "it was at none" in made.out
    assert f"new network, with nothing in it, beside those that this database has: {there}." in made.err
    assert operator("org", "list", "--json").json == {"items": []}
    assert asyncio.run(cli_database.ensure_schema(private)) is None


def test_a_schema_of_a_newer_release_is_left_alone(operator: Handoff, fresh_database: Database) -> None:
    async def age() -> None:
        connection = await asyncpg.connect(fresh_database.url)
        try:
            await connection.execute(f"set role {fresh_database.network.role(Role.OWNER)}")
            await connection.execute(f"set search_path = {fresh_database.network.name}")
            await connection.execute("update alembic_version set version_num = '9999'")
        finally:
            await connection.close()

    asyncio.run(age())
    ended = operator("org", "list", "--json", settings={"HANDOFF_DATABASE_URL": fresh_database.url})
    assert ended.code == ExitCode.REFUSED
    assert "does not know" in ended.error["error"]


def test_how_feeds_are_doing_is_shown_and_written_as_a_scorecard(operator: Handoff, tmp_path: Path) -> None:
    """DIR-1: the scorecard has a line for each required field."""
    operator("org", "add", "Hospital A", "--kind", "hospital")
    added = operator(
        "feed", "add", "--organization", "Hospital A", "--sending-application", "EPIC", "--sending-facility", "HOSPA", "--json"
    )
    (listed,) = operator("feed", "health", "--json").json["items"]
    assert (listed["feed_id"], listed["messages"], listed["silent"]) == (added.json["id"], 0, False)
    shown = operator("feed", "health", added.json["id"], "--json").json
    assert {"PV1-36", "EVN-2"} <= {field["place"] for field in shown["fields"]}
    file = tmp_path / "scorecard.csv"
    operator("feed", "health", added.json["id"], "--csv", file)
    assert file.read_text().startswith("section,item,meaning,count,of,percent")
    assert "HOSPA" in file.read_text()
    assert "PV1-36" in operator("feed", "health", added.json["id"]).out


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--csv", "x.csv"), ExitCode.USAGE), (("feed_0199a4c07c5d7e0fb1d2c3a4e5f60718",), ExitCode.REFUSED)]
)
def test_a_scorecard_is_of_one_feed_that_is_there(operator: Handoff, arguments: tuple[str, ...], code: ExitCode) -> None:
    assert operator("feed", "health", *arguments).code == code
