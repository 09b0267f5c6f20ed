"""One frozen object with every setting, built once from the environment and passed down. Not here: what a setting does.

The environment is read in `load_settings` and nowhere else. Every name begins with HANDOFF_; one that is not known is an error,
because a misspelt limit is a limit that does not hold. A secret may also lie in a file: its name with _FILE.
"""

import json
import os
import secrets
import stat
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from app.places import FileSources, Listener
from app.store.roles import Network

PREFIX = "HANDOFF_"
_FILE = "_FILE"
_KEY_LENGTH_MIN = 32
_KEY_VARIETY_MIN = 10
_SECRET_FILE = "secret.key"  # noqa: S105 - the name of a file
_SHOW_NONE = "not set"


class SettingsError(ValueError):
    """The configuration cannot be used; every line names a setting and the remedy, and none holds a value of a secret."""


class Environment(StrEnum):
    """Where this runs."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    """Unsafe defaults are refused."""


class LogFormat(StrEnum):
    """How log events are written."""

    JSON = "json"
    CONSOLE = "console"


class Settings(BaseSettings):
    """Every setting. The field's name in capitals after HANDOFF_ is its name in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True)

    environment: Environment = Field(
        default=Environment.DEVELOPMENT, description="`development`, or `production`, which refuses unsafe defaults."
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="`postgresql://` address of a PostgreSQL of version 16 or newer; without it a private one runs in DATA_DIR.",
    )
    network: str = Field(
        default="handoff", description="This exchange: a PostgreSQL schema, prefix of its roles; a second is made by `handoff migrate up`."
    )
    data_dir: Path = Field(default=Path(".handoff"), description="Folder of the private database and of the key made on first start.")
    standards_dir: Path | None = Field(default=None, description="Folder of own definitions: [form](app/standards/README.md).")
    http_host: str = Field(default="127.0.0.1", description="Address of the HTTP listener.")
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port of the HTTP listener; 0 takes a free one.")
    base_url: str = Field(
        default="", description="Address under which others reach the HTTP listener; default `http://` with HTTP_HOST and HTTP_PORT."
    )
    mllp_host: str = Field(default="127.0.0.1", description="Address of the MLLP listener.")
    mllp_port: int = Field(default=2575, ge=0, le=65535, description="Port of the MLLP listener; 0 takes a free one.")
    mllp_release: int = Field(default=1, ge=1, le=2, description="MLLP release of that listener; 2 answers `0B 06 1C 0D` once stored.")
    mllp_listeners: tuple[Listener, ...] = Field(
        default=(),
        description="Listeners as a JSON list, in place of MLLP_HOST and MLLP_PORT: "
        '`[{"host": "0.0.0.0", "port": 2576, "tls": {"certificate_file": "…", "key_file": "…", "client_authority_file": "…"}}]`.',
    )
    file_sources: FileSources = Field(
        default=(),
        description="Drops for files, as a JSON list; every process that works takes part, one at a time has each drop: "
        '`[{"name": "hospital-a", "folder": "/srv/drop/hospital-a"}, {"name": "home-b", "panel_of": "org_…", "mode": "replace", '
        '"sftp": {"host": "…", "user": "…", "folder": "out", "key_file": "…", "known_hosts_file": "…"}}]`. '
        "Fields: [adapters/files](adapters/files/README.md).",
    )
    admin_key: SecretStr | None = Field(
        default=None, description="A bearer key of at least 32 characters with every right, for automation. Without it there is none."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="At least 32 characters that pepper the keys' digests and encrypt what is stored; made once in DATA_DIR when not set.",
    )
    endpoint_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Receivers allowed beside public https, separated by commas: `http://127.0.0.0/8,https://10.1.0.0/16`.",
    )
    workers: int = Field(default=0, ge=0, le=256, description="Pipeline processes; 0 takes one for each processor core.")
    database_connections_max: int = Field(default=10, ge=2, le=500, description="Database connections that one process may hold.")
    statement_timeout_ms: int = Field(default=30_000, ge=0, description="A statement of the API that runs longer is cancelled; 0: never.")
    lock_timeout_ms: int = Field(default=10_000, ge=0, description="A wait for a database lock that takes longer is given up; 0: never.")
    idle_in_transaction_timeout_ms: int = Field(
        default=10_000, ge=1_000, description="A transaction whose process does nothing for longer is rolled back: a frozen worker lets go."
    )
    commit_group_max: int = Field(default=64, ge=1, le=1_000, description="Messages that share one commit at the door at most.")
    batch_max: int = Field(default=200, ge=1, le=5_000, description="Messages that the pipeline takes in one transaction at most.")
    message_bytes_max: int = Field(
        default=1_048_576, ge=1_024, le=16_777_216, description="Size of one HL7 message; a larger one is answered with a rejection."
    )
    json_bytes_max: int = Field(default=1_048_576, ge=1_024, description="Size of one JSON request body.")
    upload_bytes_max: int = Field(default=67_108_864, ge=1_024, description="Size of one batch of HL7 messages over HTTP.")
    roster_bytes_max: int = Field(default=536_870_912, ge=1_024, description="Size of one roster upload.")
    requests_per_key_per_s: int = Field(default=1_000, ge=1, description="HTTP requests of one key in a second and process, on average.")
    requests_per_key_burst: int = Field(default=5_000, ge=1, description="HTTP requests of one key at once, after a pause.")
    mllp_connections_max: int = Field(default=2_000, ge=1, description="Connections of one MLLP listener.")
    mllp_bytes_max: int = Field(default=268_435_456, ge=33_554_432, description="Bytes that all MLLP connections hold together.")
    mllp_idle_timeout_s: float = Field(default=86_400.0, gt=0, description="An MLLP connection silent for longer is closed.")
    mllp_frame_timeout_s: float = Field(default=60.0, gt=0, description="From the first byte of an MLLP frame to its last.")
    delivery_timeout_s: float = Field(default=20.0, gt=0, le=60, description="Whole time of one webhook attempt.")
    delivery_concurrency_max: int = Field(default=100, ge=1, le=5_000, description="Webhook attempts under way at once in one process.")
    visit_silence_hours_max: int = Field(default=72, ge=0, le=9_999, description="Silence after which a visit counts as over; 0: never.")
    stay_silence_days_max: int = Field(default=30, ge=0, le=9_999, description="Silence after which a stay in a bed is over; 0: never.")
    shutdown_grace_s: float = Field(default=20.0, ge=0, description="How long work in flight may take to finish after SIGTERM.")
    log_format: LogFormat = Field(default=LogFormat.JSON, description="`json`, or `console` for people.")
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = Field(
        default="info", description="`debug`, `info`, `warning` or `error`."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature, here and below
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `load_settings` only, so that building a Settings in a test reads no environment."""
        return (init_settings,)

    @field_validator("network")
    @classmethod
    def _network(cls, name: str) -> str:
        return Network(name).name

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            msg = "must begin with postgresql://"
            raise ValueError(msg)
        return url

    @field_validator("admin_key", "secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _KEY_LENGTH_MIN:
            msg = f"must have at least {_KEY_LENGTH_MIN} characters; make one with `openssl rand -base64 36`"
            raise ValueError(msg)
        return key

    @field_validator("endpoint_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part for part in value.replace(",", " ").split() if part) if isinstance(value, str) else value

    @field_validator("endpoint_allow")
    @classmethod
    def _schemes(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if not entry.startswith(("http://", "https://")):
                msg = f"{entry!r} must begin with http:// or https://, for example https://10.0.0.0/8"
                raise ValueError(msg)
        return entries

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
            msg = "must be an http:// or https:// address without user, query or fragment"
            raise ValueError(msg)
        return url.rstrip("/")

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            problems = _unsafe(self)
            if problems:
                raise ValueError("\n".join(problems))
        return self

    @property
    def public_url(self) -> str:
        """The address that links are made from."""
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return self.base_url or f"http://{host}:{self.http_port}"

    @property
    def worker_count(self) -> int:
        """How many pipeline processes to run."""
        return self.workers or max(1, os.cpu_count() or 1)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every MLLP listener."""
        return self.mllp_listeners or (Listener(host=self.mllp_host, port=self.mllp_port, release=self.mllp_release),)

    @property
    def secret_path(self) -> Path:
        """Where the key lies that is made on first start."""
        return self.data_dir / _SECRET_FILE


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment, or the mapping that a test gives. Raises SettingsError with every problem at once."""
    given = {name: value for name, value in (os.environ if environ is None else environ).items() if name.startswith(PREFIX)}
    problems = _unknown(given)
    values = {**given, **_from_files(given, problems)}
    if problems:
        raise SettingsError("\n".join(problems))
    try:
        return Settings(**_Environment(values)())
    except ValidationError as error:
        lines = []
        for found in error.errors(include_url=False, include_input=False, include_context=False):
            place = _name(str(found["loc"][0])) + "".join(f"[{part}]" for part in found["loc"][1:]) + ": " if found["loc"] else ""
            lines.append(place + found["msg"].removeprefix("Value error, "))
        raise SettingsError("\n".join(lines)) from None
    except ValueError:  # a list that is no JSON; the library's text would repeat the value
        broken = ", ".join(sorted(name for name in given if name in _LISTS and not _is_json(given[name])))
        msg = f"{broken or PREFIX}: is not valid JSON"
        raise SettingsError(msg) from None


def read_or_make_secret(settings: Settings) -> bytes:
    """Give the key that peppers and encrypts: the one that is set, else the one in DATA_DIR, made there on first use.

    Two starts at once make one key: the file appears whole or not at all, and the later one reads the earlier one's.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = settings.secret_path
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_secret(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        key = path.read_bytes().strip()
    except OSError as error:
        msg = f"{_name('secret_key')}: the key in {path} cannot be read or made ({error.strerror}); check DATA_DIR, or set the key"
        raise SettingsError(msg) from None
    if mode & 0o077 or len(key) < _KEY_LENGTH_MIN:
        msg = f"{_name('secret_key')}: {path} must be readable by its owner alone (chmod 600) and hold the whole key"
        raise SettingsError(msg)
    return key


def warnings(settings: Settings) -> list[str]:
    """Name what is allowed but deserves a look; `doctor` and the start of `serve` print it."""
    found = [
        f"MLLP on {listener.host}:{listener.port} is plain: patient data is readable on that network unless a VPN carries it."
        for listener in settings.listeners
        if listener.tls is None and not _is_loopback(listener.host)
    ]
    if settings.admin_key is not None and settings.environment is Environment.PRODUCTION:
        found.append(f"{_name('admin_key')} has every right; prefer keys of organizations, and remove it when automation is done.")
    return found


def settings_shown(settings: Settings) -> dict[str, Any]:
    """Give every setting by its name in the environment, secrets as yes or no (`config show`)."""
    shown: dict[str, Any] = {}
    for field, info in Settings.model_fields.items():
        value = getattr(settings, field)
        if _is_secret(info.annotation):
            shown[_name(field)] = "yes" if value is not None else "no"
        else:
            shown[_name(field)] = settings.model_dump(mode="json", include={field})[field]
    if settings.secret_key is None and settings.secret_path.exists():
        shown[_name("secret_key")] = f"yes, in {settings.secret_path}"
    return shown


def settings_table_markdown() -> str:
    """Give the table of the README's section Configuration; a test holds the two together."""
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for field, info in Settings.model_fields.items():
        default = info.default
        said = _SHOW_NONE if default is None or default in {"", ()} else f"`{getattr(default, 'value', default)}`"
        name = f"`{_name(field)}`" + (f" or `{_name(field)}{_FILE}`" if _is_secret(info.annotation) else "")
        meaning = (info.description or "").replace("|", "\\|")
        lines.append(f"| {name} | {said} | {meaning} |")
    return "\n".join(lines) + "\n"


class _Environment(EnvSettingsSource):
    """The library's reader of environment variables, on a mapping."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items() if value}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return dict(self._values)


def _unknown(given: Mapping[str, str]) -> list[str]:
    fields = Settings.model_fields
    known = [_name(field) for field in fields] + [_name(field) + _FILE for field, info in fields.items() if _is_secret(info.annotation)]
    problems = []
    for name in sorted(set(given) - set(known)):
        near = get_close_matches(name.upper(), known, n=1, cutoff=0.0)
        problems.append(f"{name}: there is no such setting; the nearest is {near[0]}")
    return problems


def _from_files(given: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Read the secrets that lie in files; the variables that name the files leave the result."""
    read: dict[str, str] = {}
    for field, info in Settings.model_fields.items():
        name, file_name = _name(field), _name(field) + _FILE
        if not _is_secret(info.annotation) or not given.get(file_name):
            continue
        if given.get(name):
            problems.append(f"{file_name}: {name} is set as well; keep one of them")
            continue
        try:
            read[name] = Path(given[file_name]).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{file_name}: {given[file_name]} cannot be read ({type(error).__name__}); check the path and its owner")
            continue
        if not read[name]:
            problems.append(f"{file_name}: {given[file_name]} is empty")
    return read


def _unsafe(settings: Settings) -> list[str]:
    """Say what production refuses."""
    problems = [
        f"{_name('endpoint_allow')}: {entry} is not https, which production refuses"
        for entry in settings.endpoint_allow
        if not entry.startswith("https://")
    ]
    if settings.database_url is not None and settings.secret_key is None:
        problems.append(f"{_name('secret_key')}: must be set, the same for every process that uses {_name('database_url')}")
    for field in ("admin_key", "secret_key"):
        key = getattr(settings, field)
        if key is not None and len(set(key.get_secret_value())) < _KEY_VARIETY_MIN:
            problems.append(f"{_name(field)}: is too regular to be random; make one with `openssl rand -base64 36`")
    address = urlsplit(settings.public_url)
    if address.scheme != "https" and not _is_loopback(address.hostname or ""):
        problems.append(f"{_name('base_url')}: must be the https:// address that others use; plain HTTP is for loopback")
    return problems


def _make_secret(path: Path) -> None:
    growing = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(growing, path)  # unlike a rename it fails when the other start was first
        except FileExistsError:
            return
    finally:
        growing.unlink()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_secret(annotation: object) -> bool:
    return "SecretStr" in str(annotation)


def _name(field: str) -> str:
    return PREFIX + field.upper()


_LISTS = frozenset({_name("mllp_listeners"), _name("file_sources")})
