"""Settings, table in, table out: what is accepted, what is refused with which sentence, and what is never shown."""

import concurrent.futures
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.places import Listener
from app.settings import (
    PREFIX,
    Settings,
    SettingsError,
    load_settings,
    read_or_make_secret,
    settings_shown,
    settings_table_markdown,
    warnings,
)

KEY = "kJh7Qw2eRt5yUi8oP0aSdFgHjKlZxCvBnM1qWe"
OTHER_KEY = "zXc3VbN6mAs9DfG2hJkL5qWeRtYuIoP8aSdFgH"
URL = "postgresql://handoff:SECRETWORD@database/handoff"
PRODUCTION = {"ENVIRONMENT": "production"}


def load(**given_values: str) -> Settings:
    return load_settings({PREFIX + name: value for name, value in given_values.items()})


def test_without_anything_it_is_a_laptop() -> None:
    settings = load_settings({"PATH": "/bin", "TEST_DATABASE_URL": "postgresql://elsewhere"})
    assert (settings.http_host, settings.http_port, settings.mllp_host, settings.mllp_port) == ("127.0.0.1", 8080, "127.0.0.1", 2575)
    assert (settings.network, settings.data_dir, settings.environment) == ("handoff", Path(".handoff"), "development")
    assert (settings.database_url, settings.admin_key, settings.secret_key, settings.endpoint_allow) == (None, None, None, ())
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.listeners == (Listener(host="127.0.0.1", port=2575),)
    assert settings.worker_count == (os.cpu_count() or 1)
    assert warnings(settings) == []


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("HTTP_PORT", "0", "http_port", 0),
        ("NETWORK", "maine_2", "network", "maine_2"),
        ("DATA_DIR", "/var/lib/x", "data_dir", Path("/var/lib/x")),
        ("WORKERS", "3", "worker_count", 3),
        ("BASE_URL", "https://handoff.example.org/", "public_url", "https://handoff.example.org"),
        ("HTTP_HOST", "::1", "public_url", "http://[::1]:8080"),
        ("ENDPOINT_ALLOW", "http://127.0.0.0/8", "endpoint_allow", ("http://127.0.0.0/8",)),
        (
            "ENDPOINT_ALLOW",
            " https://10.0.0.0/8, https://vpn.example:8443 ",
            "endpoint_allow",
            ("https://10.0.0.0/8", "https://vpn.example:8443"),
        ),
        ("ENDPOINT_ALLOW", "", "endpoint_allow", ()),
        ("DATABASE_URL", "", "database_url", None),
        ("LOG_LEVEL", "debug", "log_level", "debug"),
        ("MLLP_RELEASE", "2", "listeners", (Listener(host="127.0.0.1", port=2575, release=2),)),
        ("MLLP_LISTENERS", '[{"host": "0.0.0.0", "port": 2576}]', "listeners", (Listener(host="0.0.0.0", port=2576),)),
    ],
)
def test_a_value_is_read_as_what_it_is(name: str, text: str, field: str, value: Any) -> None:
    assert getattr(load(**{name: text}), field) == value


def test_several_listeners_with_tls() -> None:
    text = """[{"host": "127.0.0.1", "port": 2575},
               {"host": "0.0.0.0", "port": 2576, "name": "north",
                "tls": {"certificate_file": "c.pem", "key_file": "k.pem", "client_authority_file": "ca.pem"}}]"""
    plain, secured = load(MLLP_LISTENERS=text).listeners
    assert plain.tls is None
    assert secured.name == "north"
    assert secured.tls is not None
    assert secured.tls.client_authority_file == Path("ca.pem")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"HTPP_PORT": "1"}, r"HANDOFF_HTPP_PORT: there is no such setting; the nearest is HANDOFF_HTTP_PORT"),
        ({"database_url": URL}, r"HANDOFF_database_url: there is no such setting; the nearest is HANDOFF_DATABASE_URL"),
        ({"HTTP_PORT_FILE": "x"}, r"HANDOFF_HTTP_PORT_FILE: there is no such setting"),
        ({"HTTP_PORT": "eighty"}, r"HANDOFF_HTTP_PORT: .*valid integer"),
        ({"HTTP_PORT": "70000"}, r"HANDOFF_HTTP_PORT: .*less than or equal to 65535"),
        ({"NETWORK": "public"}, r"HANDOFF_NETWORK: .*neither public"),
        ({"NETWORK": "Maine"}, r"HANDOFF_NETWORK"),
        ({"NETWORK": "pg_main"}, r"HANDOFF_NETWORK"),
        ({"NETWORK": 'x"; drop schema y; --'}, r"HANDOFF_NETWORK"),
        ({"DATABASE_URL": "mysql://x"}, r"HANDOFF_DATABASE_URL: must begin with postgresql://"),
        ({"ADMIN_KEY": "short"}, r"HANDOFF_ADMIN_KEY: must have at least 32 characters"),
        ({"SECRET_KEY": "x" * 31}, r"HANDOFF_SECRET_KEY: must have at least 32 characters"),
        ({"ENDPOINT_ALLOW": "127.0.0.0/8"}, r"HANDOFF_ENDPOINT_ALLOW: .*must begin with http"),
        ({"BASE_URL": "ftp://x"}, r"HANDOFF_BASE_URL: must be an http"),
        ({"BASE_URL": "https://u:p@x"}, r"HANDOFF_BASE_URL: .*without user"),
        ({"ENVIRONMENT": "staging"}, r"HANDOFF_ENVIRONMENT: .*'development' or 'production'"),
        ({"MLLP_LISTENERS": "[{"}, r"HANDOFF_MLLP_LISTENERS: is not valid JSON"),
        ({"MLLP_LISTENERS": '[{"host": "x"}]'}, r"HANDOFF_MLLP_LISTENERS\[0\]\[port\]: Field required"),
        ({"MLLP_LISTENERS": '[{"host": "x", "port": 1, "prot": 2}]'}, r"HANDOFF_MLLP_LISTENERS\[0\]\[prot\]: Extra inputs"),
        ({"LOG_LEVEL": "loud"}, r"HANDOFF_LOG_LEVEL"),
        ({"IDLE_IN_TRANSACTION_TIMEOUT_MS": "0"}, r"HANDOFF_IDLE_IN_TRANSACTION_TIMEOUT_MS: .*greater than or equal to 1000"),
        ({"SECRET_KEY_FILE": "/nonexistent/key"}, r"HANDOFF_SECRET_KEY_FILE: /nonexistent/key cannot be read"),
        ({"SECRET_KEY_FILE": "/nonexistent/key", "SECRET_KEY": KEY}, r"HANDOFF_SECRET_KEY_FILE: HANDOFF_SECRET_KEY is set as well"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_remedy(values: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(**values)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load(HTTP_PORT="x", ADMIN_KEY="short", NETWORK="public")
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ENDPOINT_ALLOW": "http://127.0.0.0/8"}, "ENDPOINT_ALLOW: .*not https, which production refuses"),
        ({"DATABASE_URL": URL}, "SECRET_KEY: must be set, the same for every process"),
        ({"ADMIN_KEY": "a" * 40}, "ADMIN_KEY: is too regular"),
        ({"SECRET_KEY": "ab" * 20}, "SECRET_KEY: is too regular"),
        ({"HTTP_HOST": "0.0.0.0"}, "BASE_URL: must be the https:// address"),
        ({"BASE_URL": "http://handoff.example.org"}, "BASE_URL: must be the https:// address"),
    ],
)
def test_production_refuses_what_development_allows(values: dict[str, str], said: str) -> None:
    load(**values)
    with pytest.raises(SettingsError, match=said):
        load(**PRODUCTION, **values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"DATABASE_URL": URL, "SECRET_KEY": KEY, "ADMIN_KEY": OTHER_KEY, "HTTP_HOST": "0.0.0.0", "BASE_URL": "https://handoff.example.org"},
        {"ENDPOINT_ALLOW": "https://10.0.0.0/8"},
    ],
)
def test_production_accepts_what_is_safe(values: dict[str, str]) -> None:
    assert load(**PRODUCTION, **values).environment == "production"


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    for name, text in (("SECRET_KEY", KEY), ("ADMIN_KEY", OTHER_KEY), ("DATABASE_URL", URL)):
        path = tmp_path / name
        path.write_text(f"{text}\n")
        found = getattr(load(**{f"{name}_FILE": str(path)}), name.lower())
        assert found.get_secret_value() == text
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        load(SECRET_KEY_FILE=str(tmp_path / "empty"))


@pytest.mark.parametrize("values", [{"HTTP_PORT": "x"}, {"NETWORK": "public"}, {"ENDPOINT_ALLOW": "ftp://x"}, {}])
def test_no_secret_is_ever_shown(values: dict[str, str]) -> None:
    """Neither in an error, nor in a text of the object, nor in `config show`."""
    secrets = {"DATABASE_URL": URL, "SECRET_KEY": KEY, "ADMIN_KEY": OTHER_KEY}
    texts = []
    try:
        settings = load(**secrets, **values)
        shown = settings_shown(settings)
        texts += [repr(settings), str(settings), str(shown), settings.model_dump_json()]
        assert {shown[PREFIX + name] for name in secrets} == {"yes"}
    except SettingsError as error:
        texts += [str(error), repr(error.__cause__), repr(error.__context__)]
    assert not [text for text in texts for secret in (KEY, OTHER_KEY, "SECRETWORD") if secret in text]


def test_config_show_says_no_and_where_the_made_key_lies(tmp_path: Path) -> None:
    settings = load(DATA_DIR=str(tmp_path / "data"))
    assert settings_shown(settings)["HANDOFF_SECRET_KEY"] == "no"
    read_or_make_secret(settings)
    assert settings_shown(settings)["HANDOFF_SECRET_KEY"] == f"yes, in {tmp_path}/data/secret.key"


def test_the_settings_cannot_be_changed_and_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOFF_HTTP_PORT", "1")
    settings = Settings()
    assert settings.http_port == 8080
    assert load_settings().http_port == 1
    with pytest.raises(ValidationError, match="frozen"):
        settings.http_port = 2  # type: ignore[misc]  # the point of the test


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = load(DATA_DIR=str(tmp_path / "new" / "data"))
    key = read_or_make_secret(settings)
    assert len(key) >= 32
    assert read_or_make_secret(settings) == key
    assert stat.S_IMODE(settings.secret_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret.key"]
    assert read_or_make_secret(load(DATA_DIR=str(tmp_path / "other"))) != key
    assert read_or_make_secret(load(DATA_DIR=str(tmp_path / "new" / "data"), SECRET_KEY=KEY)) == KEY.encode()


def test_two_starts_at_once_make_one_key(tmp_path: Path) -> None:
    settings = load(DATA_DIR=str(tmp_path / "data"))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_or_make_secret(settings), range(32)))
    assert len(keys) == 1
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret.key"]


@pytest.mark.parametrize(("mode", "text"), [(0o644, KEY), (0o600, "cut"), (0o660, KEY)])
def test_a_key_that_others_can_read_or_that_was_cut_is_refused(tmp_path: Path, mode: int, text: str) -> None:
    settings = load(DATA_DIR=str(tmp_path))
    settings.secret_path.write_text(text)
    settings.secret_path.chmod(mode)
    with pytest.raises(SettingsError, match=r"SECRET_KEY: .*secret\.key must be readable by its owner alone"):
        read_or_make_secret(settings)


def test_a_data_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot be read or made .*check DATA_DIR"):
        read_or_make_secret(load(DATA_DIR=str(tmp_path / "file" / "data")))


def test_plain_mllp_beyond_this_machine_deserves_a_word() -> None:
    assert "patient data is readable" in warnings(load(MLLP_HOST="0.0.0.0"))[0]
    secured = '[{"host": "0.0.0.0", "port": 1, "tls": {"certificate_file": "c", "key_file": "k"}}]'
    assert warnings(load(MLLP_LISTENERS=secured)) == []


def test_every_setting_is_described_with_its_unit_and_stands_in_the_table() -> None:
    table = settings_table_markdown()
    for field, info in Settings.model_fields.items():
        assert info.description, field
        assert info.description.endswith((".", "`")), field
        assert f"`{PREFIX}{field.upper()}`" in table
        if isinstance(info.default, int | float) and not isinstance(info.default, bool):
            assert re.search(r"_(ms|s|port|max|burst|workers|release)$|^workers$|_bytes_max$", field), (
                f"{field}: the unit is not in the name"
            )
    assert len(table.splitlines()) == len(Settings.model_fields) + 2


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60), st.sampled_from(sorted(Settings.model_fields)))
def test_no_text_does_more_than_be_refused(text: str, field: str) -> None:
    """Any text in any variable is a value or a SettingsError that names the variable."""
    name = PREFIX + field.upper()
    said = name
    try:
        load_settings({name: text})
    except SettingsError as error:
        said = str(error)
    assert name in said


@given(st.from_regex(r"HANDOFF_[A-Z_]{1,30}", fullmatch=True))
def test_an_unknown_name_is_always_answered_with_a_known_one(name: str) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    secret = {PREFIX + field.upper() + "_FILE" for field, info in Settings.model_fields.items() if "SecretStr" in str(info.annotation)}
    if name in known | secret:
        return
    with pytest.raises(SettingsError) as refused:
        load_settings({name: "1"})
    assert str(refused.value).rpartition(" ")[2] in known | secret


ORGANIZATION = "org_" + "1" * 32
SFTP = '{"host": "h", "user": "u", "key_file": "k", "known_hosts_file": "n"}'


def test_drops_are_read() -> None:
    text = f'[{{"name": "a", "folder": "/x"}}, {{"name": "b", "panel_of": "{ORGANIZATION}", "mode": "replace", "sftp": {SFTP}}}]'
    first, second = load(FILE_SOURCES=text).file_sources
    assert (first.folder, first.every_s, first.quiet_s, first.panel_of) == (Path("/x"), None, 5.0, None)
    assert second.sftp is not None
    assert (second.sftp.port, second.sftp.folder, second.mode) == (22, ".", "replace")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not valid JSON"),
        ('[{"name": "A b", "folder": "/x"}]', "FILE_SOURCES[0][name]"),
        ('[{"name": "a"}]', "either folder or sftp"),
        (f'[{{"name": "a", "folder": "/x", "sftp": {SFTP}}}]', "either folder or sftp"),
        ('[{"name": "a", "folder": "/x"}, {"name": "a", "folder": "/y"}]', "two sources have the name a"),
        ('[{"name": "a", "folder": "/x"}, {"name": "b", "folder": "/x"}]', "two sources have the place /x"),
        ('[{"name": "a", "folder": "/x", "mode": "replace"}]', "mode is for rosters"),
        ('[{"name": "a", "folder": "/x", "panel_of": "Home"}]', "handoff org list"),
        (f'[{{"name": "a", "folder": "/x", "feed": "f", "panel_of": "{ORGANIZATION}"}}]', "not both"),
        ('[{"name": "a", "sftp": {"host": "h", "user": "u", "known_hosts_file": "n"}}]', "either key_file or password_file"),
        ('[{"name": "a", "sftp": {"host": "h", "user": "u", "key_file": "k"}}]', "known_hosts_file"),
        ('[{"name": "a", "folder": "/x", "folders": "/y"}]', "folders"),
    ],
)
def test_what_a_drop_cannot_be(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match="HANDOFF_FILE_SOURCES") as error:
        load(FILE_SOURCES=text)
    assert said in str(error.value)
