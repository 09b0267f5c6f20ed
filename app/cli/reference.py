"""The reference of the commands, made from their own help: `python -m app.cli.reference > app/cli/README.md`. A test keeps it true."""

import sys
from collections.abc import Iterator
from enum import Enum
from typing import Final, get_args

from typer._click import Command, Context, Parameter
from typer.core import TyperGroup

from app.cli.exits import MEANINGS
from app.cli.root import NOUNS, command_of

_HEAD: Final = """# The commands

Written by `python -m app.cli.reference > app/cli/README.md` from the commands' own help; a test keeps the two equal.

`handoff NOUN VERB`: nouns and verbs are those of the code. `--json` on every command prints one JSON document on standard output (lists
are `{"items": [...]}`); everything about the way there goes to standard error. An error says what to do next; with `--json` it is
`{"error", "remedy", "kind", "exit_code"}` on standard error.

Commands work on the database of the settings. With the embedded one they adopt the server while it runs and otherwise start it for
the time of the command; the last one out stops it.

"""
_HIDDEN_ALWAYS: Final = frozenset({"help"})


def reference_markdown() -> str:
    """Give the whole reference."""
    lines = [_HEAD, "## Exit codes\n", "A number is never used again for another meaning.\n", "| Code | Name | Meaning |", "|---|---|---|"]
    lines += [f"| {int(code)} | {code.name.lower()} | {meaning} |" for code, meaning in MEANINGS.items()]
    lines.append("")
    for noun in NOUNS:
        for name, command in _commands(noun, command_of(noun)):
            lines += _described(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _commands(name: str, command: Command) -> Iterator[tuple[str, Command]]:
    if isinstance(command, TyperGroup):
        for verb in command.list_commands(Context(command)):
            found = command.get_command(Context(command), verb)
            if found is not None:
                yield from _commands(f"{name} {verb}", found)
    else:
        yield name, command


def _described(name: str, command: Command) -> list[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not getattr(one, "hidden", False)]
    options = [one for one in options if one.name not in _HIDDEN_ALWAYS]
    usage = " ".join([f"handoff {name}", *("[OPTIONS]" for _ in options[:1]), *(_shown(one) for one in arguments)])
    lines = [f"## {name}\n", f"`{usage}`\n", "\n".join(line.strip() for line in (command.help or "").strip().splitlines()), ""]
    rows = [(f"`{_shown(one)}`", _text(one)) for one in arguments] + [(f"`{_spelled(one)}`", _text(one)) for one in options]
    if rows:
        lines += ["| | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows), ""]
    return lines


def _shown(argument: Parameter) -> str:
    name = (argument.name or "").upper()
    return f"{name}..." if argument.nargs == -1 else name


def _spelled(option: Parameter) -> str:
    # The long form, and what follows it where something does.
    name = max(option.opts, key=len)
    return name if getattr(option, "is_flag", False) else f"{name} {option.metavar or (option.name or '').upper()}"


def _kinds(parameter: Parameter) -> list[type]:
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    return [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]


def _text(parameter: Parameter) -> str:
    said = " ".join((getattr(parameter, "help", None) or "").split())
    parts = [said] if said else []
    kinds = [kind for kind in _kinds(parameter) if issubclass(kind, Enum)]
    if kinds:
        parts.append("One of " + ", ".join(f"`{choice.value}`" for choice in kinds[0]) + ".")
    if parameter.required and parameter.param_type_name == "option":
        parts.append("Required.")
    default = getattr(parameter, "default", None)
    shown = getattr(default, "value", default)
    if isinstance(shown, str | int | float) and not isinstance(shown, bool) and shown != "" and not parameter.required:
        parts.append(f"Default `{shown}`.")
    return " ".join(parts).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference_markdown())
