"""The audit sheet of a command: the operator at a terminal, named by the command's words and never by what was given to them.

A command that shows people notes them as a request does (store/audit); one that shows none leaves no line.
"""

from typer._click.globals import get_current_context  # typer has its own copy of click and no other name for this

from app import wiring
from app.domain.audit import AuditDoor, AuditKind
from app.store.audit import Sheet, open_sheet

_QUERIES = frozenset({"list", "search", "candidates"})
_READS = frozenset({"show", "why", "why-not", "trace", "verify"})


def note_command() -> None:
    """Open the sheet of the command that runs, for its task. Outside of a command (a test, the demo's own people) nothing is noted."""
    words = _words()
    if not words:
        return
    kind = AuditKind.QUERY if words[-1] in _QUERIES else AuditKind.READ if words[-1] in _READS else AuditKind.CHANGE
    ids = wiring.SystemIds()
    open_sheet(
        Sheet(
            kind=kind,
            action=" ".join(["handoff", *words]),
            door=AuditDoor.COMMAND,
            organization_id=None,
            key_id=None,
            trace_id=ids.new().hex,
            now=wiring.SystemClock().now,
            new_id=ids.new,
        )
    )


def is_json_command() -> bool:
    """Whether the command that runs was asked for JSON: then a program reads what it prints. Outside of a command nobody reads."""
    context = get_current_context(silent=True)
    return context is None or bool(context.params.get("as_json"))


def _words() -> list[str]:
    """Give the words that name the command, without what was given to it: that may be somebody's number."""
    words: list[str] = []
    context = get_current_context(silent=True)
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return words
