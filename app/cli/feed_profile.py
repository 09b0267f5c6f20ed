"""A feed's profile as a file, JSON or TOML: read and checked like the API's. Not here: what its fields mean (domain/feed)."""

import json
import tomllib
from pathlib import Path

from pydantic import ValidationError

from app.api.schemas.feeds import FeedProfileRequest
from app.cli.exits import usage


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
        found = error.errors(include_url=False, include_input=False, include_context=False)
        said_wrong = "\n".join(f"{path}, {_place(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in found)
        raise usage(said_wrong, "Correct the file and try again; adapters/README.md lists what a profile may hold.") from None


def _place(steps: tuple[int | str, ...]) -> str:
    """Say a place as the file writes it: class_map.BHI, visit_number_places[0]."""
    place = ""
    for step in steps:
        if step != "[key]":
            place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return place or "the whole file"
