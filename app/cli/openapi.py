"""`handoff openapi`: the published contract, as it is committed in openapi/ and compared in the tests."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from app.api.application import openapi_document
from app.cli.exits import ExitCode
from app.cli.output import JsonFlag, Output

app = typer.Typer(add_completion=False)


@app.command()
def openapi(
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there instead of printing it.")] = None,
    check: Annotated[Path | None, typer.Option(metavar="FILE", help="Say whether the file holds it, and write nothing.")] = None,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Print the published contract of the HTTP interface (OpenAPI 3.1). Nothing has to run for it."""
    output = Output(as_json=as_json)
    text = orjson.dumps(openapi_document(), option=orjson.OPT_INDENT_2).decode() + "\n"
    if check is not None:
        same = check.is_file() and check.read_text() == text
        output.result(
            {"file": str(check), "same": same},
            f"{check} is the contract."
            if same
            else f"{check} is not the contract of this code; write it with `handoff openapi --write {check}`.",
        )
        return ExitCode.OK if same else ExitCode.FOUND
    if write is not None:
        write.write_text(text)
        output.result({"file": str(write)}, f"Written to {write}.")
    else:
        output.text(text)
    return ExitCode.OK
