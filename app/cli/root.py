"""The command `handoff`: finds the noun that was asked for, runs it, and turns whatever happens into an exit code.

A noun's module is imported when it is asked for, so `handoff --help` is quick and the supervisor of `serve` stays small. Not here:
any command, and what an error means (exits.py).
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer._click import Command, Context, HelpFormatter  # typer has its own copy of click and no other name for these
from typer.core import TyperGroup

from app.cli.exits import CommandError, ExitCode, usage
from app.cli.output import Output

NOUNS: Final = {
    "demo": "A living network on this machine, with synthetic traffic.",
    "serve": "Run the service until it is told to stop.",
    "migrate": "Bring the database's schema up to date, or look at it.",
    "org": "Organizations of the exchange.",
    "agreement": "Agreements: without one in force nobody is told or reads anything.",
    "feed": "Configured ADT sources.",
    "key": "API keys.",
    "panel": "Who is on an organization's panel.",
    "files": "Drops for batches and rosters: folders, and SFTP servers.",
    "send": "Send HL7 messages from a file, and print each acknowledgement.",
    "lint": "Say what is wrong with HL7 messages, without sending them.",
    "inbound": "Messages that were received.",
    "match": "Who is one person: the questions that matching asks, and how good it is.",
    "program": "The programs that run here: what each asks for, by when, who is told.",
    "measure": "Quality measures: a year computed anew after its rules changed.",
    "hold": "Stays that are held until somebody decides about 42 CFR Part 2.",
    "queue": "Queues in which something waits for a person.",
    "review": "What recipients said is not theirs, for a person to decide.",
    "transfer": "Follow-ups on their way to another home.",
    "service": "Services that encounter and pharmacy files tell of.",
    "practitioner": "What kind of provider an NPI is.",
    "notification": "What was told, to whom, and why.",
    "disclosure": "To whom a person's events were told.",
    "audit": "Who looked at what, and the proof that nobody changed it.",
    "doctor": "Check everything that the service needs.",
    "config": "Look at the settings.",
    "openapi": "The published contract of the HTTP interface.",
}
"""Noun -> its line in `handoff --help`; a test holds it equal to the noun's own help."""


class _Nouns(TyperGroup):
    """The nouns, imported when they are needed."""

    _is_listing = False

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the library's signature
        """Give the nouns in the order of an operator's day."""
        return list(NOUNS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - the library's signature
        """Give a noun's command."""
        if cmd_name not in NOUNS:
            return None
        if self._is_listing:
            return typer.main.get_command(_line_of(cmd_name))
        return command_of(cmd_name)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Print the list of nouns without importing them."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False


def command_of(noun: str) -> Command:
    """Import a noun's module and give its command."""
    module = importlib.import_module(f"app.cli.{noun}")
    command = typer.main.get_command(module.app)
    command.name = noun
    return command


def _line_of(noun: str) -> typer.Typer:
    stub = typer.Typer(add_completion=False)
    stub.command(name=noun, help=NOUNS[noun])(lambda: None)
    return stub


application = typer.Typer(
    cls=_Nouns,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 140},
)


@application.callback()
def _handoff() -> None:
    """Warm Handoff: ADT feeds in; the responsible health home told, followed up and accounted for."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    output = Output(as_json="--json" in arguments)
    try:
        ended = typer.main.get_command(application).main(args=list(arguments), prog_name="handoff", standalone_mode=False)
        return int(ended) if isinstance(ended, int) else int(ExitCode.OK)
    except typer.TyperException as error:
        shown: Any = error
        if output.as_json:
            path = shown.ctx.command_path if getattr(shown, "ctx", None) is not None else "handoff"
            output.failed(usage(" ".join(shown.format_message().split()), f"`{path} --help` describes it."))
        else:
            shown.show(file=sys.stderr)
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        return int(ExitCode.OK)
    except CommandError as error:
        output.failed(error, error)
        return int(error.code)
    except Exception as error:  # noqa: BLE001 - the one place where an error becomes an exit code
        found: CommandError = importlib.import_module("app.cli.failing").command_error_of(error)
        output.failed(found, error)
        return int(found.code)
