"""A log line cannot carry a patient: every field of every event is a number, an id, an enumeration or a text of a closed form."""

import dataclasses
import re
import sys
import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest

from app.telemetry import events, fields
from app.telemetry.event import Event
from app.telemetry.fields import Form

_PLAIN = (int, float, bool, UUID, type(None))
_SAYINGS = (
    "Jane Doe", "DOE^JANE^Q", "O'BRIEN", "1970-01-01", "19700101", "12/31/1970", "207-555-0100", "123-45-6789", "jane@example.org",
    "PID|1||MC1^^^MAINECARE", "12 Elm St, Portland", "F20.0", "duplicate key value (mrn)=(MC1) already exists", "", "A01 ", "Müller",
)  # fmt: skip


FROM_US = {
    "listener": "a name or address of the configuration",
    "source": "a name of the configuration",
    "revision": "a number of the release",
}
"""Fields whose values never come from a message, so a form that digits fit does no harm."""


def kinds() -> list[type[Event]]:
    """Every event there is."""
    found: list[type[Event]] = []
    waiting = list(Event.__subclasses__())
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    # A dataclass with slots is made twice; only the second is the module's.
    found = [kind for kind in found if getattr(sys.modules[kind.__module__], kind.__name__) is kind]
    return sorted(found, key=lambda kind: kind.__name__)


def forms(hint: Any) -> list[Form]:
    """The forms of a type expression; raises AssertionError for a kind of value that may not stand in a log."""
    if hasattr(hint, "__metadata__"):
        found = [extra for extra in hint.__metadata__ if isinstance(extra, Form)]
        assert get_args(hint)[0] is str, hint
        assert found, hint
        return found
    if get_origin(hint) in {Union, types.UnionType, tuple}:
        return [form for part in get_args(hint) if part is not Ellipsis for form in forms(part)]
    assert hint in _PLAIN or (isinstance(hint, type) and issubclass(hint, Enum)), f"{hint} may not stand in a log"
    return []


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_event_has_only_fields_that_cannot_hold_free_text(kind: type[Event]) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # every dataclass has it
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        for form in forms(hints[field.name]):
            sayings = [text for text in _SAYINGS if field.name not in FROM_US or re.search("[A-Z ^|]", text)]
            assert not [text for text in sayings if form.fits(text)], f"{kind.__name__}.{field.name}"


def test_events_are_nouns_and_what_happened_and_no_two_share_a_name() -> None:
    names = [kind.name for kind in kinds()]
    assert len(names) > 5
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", name)] == []


def test_every_form_is_bounded() -> None:
    """No pattern takes a text of any length: what does not end can hold anything."""
    found = [value for value in vars(fields).values() if hasattr(value, "__metadata__")]
    assert found
    for alias in found:
        for form in forms(alias):
            assert not re.search(r"(?<!\\)[*+]|\{\d*,\}", re.sub(r"\[[^\]]*\]", "", form.pattern.pattern)), form.pattern.pattern


@pytest.mark.parametrize("hint", [str, bytes, object, dict[str, str], list[str], Any, str | None, tuple[str, ...]])
def test_the_rule_refuses_what_could_hold_anything(hint: Any) -> None:
    with pytest.raises(AssertionError):
        forms(hint)


def test_the_module_of_events_defines_nothing_else() -> None:
    strangers = [
        name
        for name, value in vars(events).items()
        if isinstance(value, type) and value.__module__ == events.__name__ and not issubclass(value, Event | Enum)
    ]
    assert strangers == []
