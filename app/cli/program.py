"""`handoff program`: the programs that run here, shipped or of HANDOFF_STANDARDS_DIR, for readers and for editors of program files."""

from typing import Any

import orjson
import typer

from app.cli.output import JsonFlag, Output
from app.settings import load_settings
from app.standards import program_page
from app.standards.definitions import definitions

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The programs that run here: what each asks for, by when, who is told.")


@app.callback()
def _program() -> None:
    """Look at the programs."""


@app.command("page")
def page(*, as_json: JsonFlag = False) -> None:
    """Print the page of the programs that run here, in Markdown. Nothing has to run for it; a wrong file is named as at a start."""
    own = load_settings().standards_dir
    text = program_page.page(definitions(own).programs, own)
    _print(Output(as_json=as_json), {"page": text}, text)


@app.command("schema")
def schema(*, as_json: JsonFlag = False) -> None:
    """Print the JSON schema of a program file, for editors; the loader asks for more (periods, uniqueness, calendars)."""
    document = program_page.schema()
    _print(Output(as_json=as_json), document, orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def _print(output: Output, document: dict[str, Any], text: str) -> None:
    if output.as_json:
        output.result(document)
    else:
        output.text(text)
