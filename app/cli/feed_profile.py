"""A feed's profile as a file, JSON or TOML: read and checked like the API's. Not here: what its fields mean (domain/feed)."""

import json
import tomllib
from pathlib import Path

from pydantic import ValidationError

from app.api.schemas.feeds import FeedProfileRequest
from app.cli.exits import usage
from app.cli.output import invalid


def read_profile(path: Path) -> FeedProfileRequest:
    """Read a profile; what is wrong with it is said with its place and without its values."""
    if not path.is_file():
        raise usage(f"There is no file {path}.", "Name a file with a profile, as `handoff feed list --json` shows one.")
    text = path.read_text(encoding="utf-8")
    try:
        said = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise usage(f"{path} is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}.", "Correct the file and try again.") from None
    try:
        return FeedProfileRequest.model_validate(said)
    except ValidationError as error:
        raise invalid(error) from None
