"""The Dockerfile and compose.yaml, as far as they can be judged without Docker: what they name exists and fits the service."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from app.settings import PREFIX, Environment, Settings, load_settings
from tests.house.conftest import ROOT


def _instructions() -> list[tuple[str, str]]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines()]


def _compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return parsed


def _known_names() -> set[str]:
    names = {PREFIX + field.upper() for field in Settings.model_fields}
    return names | {f"{name}_FILE" for name in names}


def test_the_image_is_built_in_two_stages_and_does_not_run_as_root() -> None:
    instructions = _instructions()
    stages = [index for index, (word, _) in enumerate(instructions) if word == "FROM"]
    assert len(stages) == 2
    last = instructions[stages[1] :]
    assert [value for word, value in last if word == "USER"] == ["warm-handoff"]
    assert not any(word in {"ADD", "SHELL"} for word, _ in instructions)
    after_user = last[next(index for index, (word, _) in enumerate(last) if word == "USER") :]
    assert {word for word, _ in after_user} >= {"HEALTHCHECK", "ENTRYPOINT", "CMD", "STOPSIGNAL"}
    assert not any(word == "RUN" for word, _ in after_user)
    assert all(":" in value.split()[0] and ":latest" not in value for word, value in instructions if word == "FROM")


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [value.split()[:-1] for word, value in _instructions() if word == "COPY" and "--from=" not in value]
    names = {name.rstrip("/") for group in copied for name in group}
    assert names
    assert names - sent == set()
    assert {name for name in names if not (ROOT / name).exists()} == set()


def test_the_image_installs_nothing_that_is_not_hashed() -> None:
    installs = [value for word, value in _instructions() if word == "RUN" and "pip install" in value]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-deps" in installs[1]
    assert "--no-build-isolation" in installs[1]


def test_the_images_variables_and_command_are_the_services_own() -> None:
    variables = {name for word, value in _instructions() if word == "ENV" for name in re.findall(r"(HANDOFF_\w+)=", value)}
    assert variables
    assert variables - _known_names() == set()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert "handoff" in scripts
    assert ("ENTRYPOINT", '["handoff"]') in _instructions()
    ports = next(value.split() for word, value in _instructions() if word == "EXPOSE")
    assert ports == [str(Settings.model_fields["http_port"].default), str(Settings.model_fields["mllp_port"].default)]


def test_every_service_of_the_exchange_is_bounded_and_unprivileged() -> None:
    services = _compose()["services"]
    assert set(services) == {"database", "migrate", "api", "mllp", "work"}
    for name in ("migrate", "api", "mllp", "work"):
        service = services[name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "database" in service["depends_on"], name
        assert name == "migrate" or service["depends_on"]["migrate"]["condition"] == "service_completed_successfully", name
    assert services["database"]["image"] == "postgres:18"
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_exchange_has_no_secret_in_its_file_and_every_secret_it_names() -> None:
    compose = _compose()
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", [])}
    assert used == set(compose["secrets"])
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"KEY|PASSWORD|SECRET|DATABASE_URL", name):
                assert name.endswith("_FILE"), name
                assert value.removeprefix("/run/secrets/") in service["secrets"], name
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("service", ["migrate", "api", "mllp", "work"])
def test_the_settings_of_the_exchange_are_accepted_by_the_service(service: str, tmp_path: Any) -> None:
    """With the image's own variables and the secrets as the comment makes them, production refuses nothing."""
    values = {name: value for word, line in _instructions() if word == "ENV" for name, value in re.findall(r"(HANDOFF_\w+)=(\S+)", line)}
    made = {
        "database_url": "postgresql://handoff:0123456789abcdef@database/handoff",
        "secret_key": "kJh7Qw2eRt5yUi8oP0aSdFgHjKlZxCvBnM1qWe",
        "admin_key": "zXc3VbN6mAs9DfG2hJkL5qWeRtYuIoP8aSdFgH",
    }
    for name, value in _compose()["services"][service]["environment"].items():
        text = str(value)
        if text.startswith("/run/secrets/"):
            path = tmp_path / text.removeprefix("/run/secrets/")
            path.write_text(made[path.name] + "\n")
            text = str(path)
        text = re.sub(r"\$\{HANDOFF_BASE_URL:\?[^}]*\}", "https://handoff.example.org", text)
        values[name] = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    settings = load_settings(values)
    assert settings.environment is Environment.PRODUCTION
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == made["database_url"]
