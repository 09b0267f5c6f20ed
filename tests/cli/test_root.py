"""The command line itself: help, exit codes, and what is said when something fails."""

import asyncio
import io
import json
import re
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.postgresql.errors import EmbeddedPostgresError
from app.cli import root
from app.cli.exits import MEANINGS, CommandError, ExitCode, refused
from app.cli.failing import command_error_of
from app.cli.new_database import say_if_new
from app.cli.output import Output, cell
from app.cli.reference import reference_markdown
from app.cli.root import NOUNS, command_of
from app.cli.serve import _preflight
from app.cli.tree import Plan, Sockets
from app.settings import SettingsError, load_settings
from app.telemetry.log import EventLog
from app.telemetry.words import Level
from tests.cli.conftest import Handoff
from tests.support.service import ROOT


def test_the_list_of_nouns_says_what_the_nouns_say() -> None:
    for noun, line in NOUNS.items():
        said = " ".join((command_of(noun).help or "").split())
        if noun in {"demo", "serve", "send", "lint", "doctor", "openapi"}:
            continue  # a verb of its own: its help is longer than a line of the list
        assert said == line, noun


def test_help_lists_every_noun_and_ends_well(handoff: Handoff) -> None:
    ended = handoff("--help")
    assert ended.code == ExitCode.OK
    assert [noun for noun in NOUNS if not re.search(rf"\b{noun}\b", ended.out)] == []


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["org"], ["org", "add"], ["org", "list", "--no-such-option"], ["key", "create", "--scope", "all"]]
)
def test_a_wrong_command_line_is_code_2_and_says_how_to_get_help(handoff: Handoff, arguments: list[str]) -> None:
    ended = handoff(*arguments)
    assert ended.code == ExitCode.USAGE
    assert "Usage" in ended.err + ended.out


@pytest.mark.parametrize("arguments", [["nonsense"], ["org", "add"], ["org", "add", "X", "--kind", "ward"], ["org", "list", "--no-such"]])
def test_a_wrong_command_line_is_json_too_for_those_who_read_json(handoff: Handoff, arguments: list[str]) -> None:
    ended = handoff(*arguments, "--json")
    assert ended.code == ended.error["exit_code"] == ExitCode.USAGE
    assert ended.error["kind"] == "usage"
    assert "--help" in ended.error["remedy"]
    assert ended.out == ""


def test_a_wrong_setting_is_code_2_and_named(handoff: Handoff) -> None:
    ended = handoff("config", "show", "--json", settings={"HANDOFF_MLLP_PROT": "1"})
    assert ended.code == ExitCode.USAGE
    assert ended.error["kind"] == "usage"
    assert "HANDOFF_MLLP_PORT" in ended.error["error"]
    assert ended.out == ""


def test_numbers_of_exit_codes_are_what_they_were() -> None:
    """A number that was given once keeps its meaning for ever; retired ones stay in this table."""
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "DEFECT": 1,
        "USAGE": 2,
        "REFUSED": 3,
        "UNAVAILABLE": 4,
        "UNKNOWN": 5,
        "FOUND": 6,
        "INTERRUPTED": 130,
    }
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused("a", "b"), ExitCode.REFUSED),
        (SettingsError("HANDOFF_X: wrong"), ExitCode.USAGE),
        (EmbeddedPostgresError("no room"), ExitCode.UNAVAILABLE),
        (ConnectionRefusedError(), ExitCode.UNAVAILABLE),
        (asyncpg.CannotConnectNowError(), ExitCode.UNAVAILABLE),
        (PoolTimeoutError(), ExitCode.UNAVAILABLE),
        (ValueError("Alder^Ann"), ExitCode.DEFECT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_every_error_has_a_code_and_a_remedy(error: Exception, code: ExitCode) -> None:
    found = command_error_of(error)
    assert found.code is code
    assert found.remedy
    assert "Alder" not in found.text


def test_a_private_database_is_said_to_be_new_before_it_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings({"HANDOFF_DATA_DIR": str(tmp_path / "misspelt")})
    say_if_new(settings, Output(as_json=False))
    assert f"A new private database is made in {tmp_path / 'misspelt'}" in capsys.readouterr().err
    say_if_new(settings, Output(as_json=True))
    say_if_new(load_settings({"HANDOFF_DATABASE_URL": "postgresql://x@y/z", "HANDOFF_SECRET_KEY": "0123456789" * 4}), Output(as_json=False))
    (tmp_path / "misspelt" / "postgresql" / "data").mkdir(parents=True)
    say_if_new(settings, Output(as_json=False))
    assert capsys.readouterr() == ("", "")


async def test_checks_that_are_cut_off_have_ended_before_the_start_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told to stop while it starts ends without a defect in its log: a process that ends after the loop would be one."""
    done: list[str] = []

    class Process:
        async def communicate(self, _said: bytes) -> tuple[bytes, None]:
            await asyncio.sleep(60)
            return b"", None

        def kill(self) -> None:
            done.append("killed")

        async def wait(self) -> int:
            done.append("waited for")
            return -9

    async def begin(*_arguments: object, **_settings: object) -> Process:
        return Process()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begin)
    plan = Plan(Sockets(None, {}), 1, {}, Path("metrics"))
    log = EventLog(io.BytesIO(), is_json=True, level=Level.INFO, part="supervisor", number=0, pid=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_preflight("", plan, log, is_embedded=True), 0.01)
    assert done == ["killed", "waited for"]


def test_a_defect_names_its_place_and_nothing_of_its_text(handoff: Handoff, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("Alder^Ann")

    monkeypatch.setattr("app.cli.config.load_settings", fail)
    ended = handoff("config", "show", "--json")
    assert ended.code == ExitCode.DEFECT
    assert re.fullmatch(r"ValueError at \S+/\S+\.py:\d+", ended.error["place"])
    assert "Alder" not in ended.err
    people = handoff("config", "show")
    assert "Place: ValueError at" in people.err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), ExitCode.INTERRUPTED), (BrokenPipeError(), ExitCode.OK)])
def test_an_interruption_and_a_reader_that_left(
    handoff: Handoff, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: ExitCode
) -> None:
    def end() -> None:
        raise error

    monkeypatch.setattr("app.cli.config.load_settings", end)
    monkeypatch.setattr(root.sys.stderr, "close", lambda: None)
    assert handoff("config", "show").code == code


def test_every_command_takes_json() -> None:
    text = reference_markdown()
    commands = re.findall(r"^## (?!Exit)(.+)$", text, re.MULTILINE)
    assert len(commands) > 20
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[2:]
    assert [section.split("\n", 1)[0] for section in sections if "| `--json`" not in section] == []


def test_the_readme_is_the_reference() -> None:
    assert (ROOT / "app/cli/README.md").read_text() == reference_markdown(), (
        "write it anew: .venv/bin/python -m app.cli.reference > app/cli/README.md"
    )


def test_the_commands_of_the_design_are_there() -> None:
    commands = set(re.findall(r"^## (?!Exit)(.+)$", (ROOT / "app/cli/README.md").read_text(), re.MULTILINE))
    assert commands >= {
        "demo", "serve", "migrate up", "migrate plan", "migrate verify", "org add", "org list", "feed add", "feed list", "key create",
        "key revoke", "panel load", "send", "lint", "inbound list", "inbound show", "inbound replay", "notification why", "doctor",
        "config show", "openapi",
    }  # fmt: skip


def test_rows_keep_ids_whole_however_narrow_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    long = "org_" + "0" * 32
    Output(as_json=False).table([{"id": long, "name": "N" * 60}], ("id", "name"), none="none")
    Output(as_json=False).fields({"key": long})
    assert capsys.readouterr().out.count(long) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), ([], "-"), (["a", None], "a, -"), ({"a": 1}, '{"a": 1}'), (ExitCode.OK, "0"), (3.5, "3.5")],
)
def test_what_stands_in_a_table(value: object, text: str) -> None:
    assert cell(value) == text


def test_an_error_for_programs_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).failed(CommandError(ExitCode.REFUSED, "No.", "Do otherwise."))
    assert json.loads(capsys.readouterr().err) == {"error": "No.", "remedy": "Do otherwise.", "kind": "refused", "exit_code": 3}


def test_openapi_is_printed_written_and_checked(handoff: Handoff, tmp_path: Path) -> None:
    printed = handoff("openapi")
    assert printed.code == ExitCode.OK
    assert json.loads(printed.out)["openapi"].startswith("3.1")
    file = tmp_path / "openapi.json"
    assert handoff("openapi", "--check", file).code == ExitCode.FOUND
    assert handoff("openapi", "--write", file).code == ExitCode.OK
    assert handoff("openapi", "--check", file, "--json").json == {"file": str(file), "same": True}


def test_config_shows_settings_and_no_secret(handoff: Handoff) -> None:
    ended = handoff("config", "show", "--json", settings={"HANDOFF_ADMIN_KEY": "k" * 40, "HANDOFF_HTTP_PORT": "8081"})
    assert ended.json["HANDOFF_HTTP_PORT"] == 8081
    assert ended.json["HANDOFF_ADMIN_KEY"] == "yes"
    assert "k" * 40 not in handoff("config", "show").out
