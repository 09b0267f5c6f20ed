"""`handoff config`: the settings in force. Secrets are shown as yes or no."""

from typing import Any

import typer

from app.cli.output import JsonFlag, Output
from app.settings import load_settings, settings_shown, warnings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the settings.")


@app.callback()
def _config() -> None:
    """Look at the settings."""


@app.command("show")
def show(*, as_json: JsonFlag = False) -> None:
    """Print every setting with its value; the README describes each."""
    settings = load_settings()
    output = Output(as_json=as_json)
    shown: dict[str, Any] = settings_shown(settings)
    output.fields(shown)
    for warning in warnings(settings):
        output.say(f"Warning: {warning}")
