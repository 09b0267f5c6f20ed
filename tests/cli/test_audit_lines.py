"""What commands leave in the audit: the command's words, whom it showed, and nothing that was given to it."""

import pytest

from app.cli.noted import note_command
from app.domain.audit import AuditDoor, AuditKind
from app.store.audit import close_sheet, open_sheet, sheet_now


def test_outside_of_a_command_nothing_is_noted() -> None:
    token = open_sheet(None)
    try:
        note_command()
        assert sheet_now() is None
    finally:
        close_sheet(token)


@pytest.mark.parametrize(
    ("words", "kind"),
    [(("notification", "why"), AuditKind.READ), (("match", "list"), AuditKind.QUERY), (("key", "create"), AuditKind.CHANGE)],
)
def test_a_command_is_known_by_its_words(monkeypatch: pytest.MonkeyPatch, words: tuple[str, str], kind: AuditKind) -> None:
    monkeypatch.setattr("app.cli.noted._words", lambda: list(words))
    token = open_sheet(None)
    try:
        note_command()
        sheet = sheet_now()
        assert sheet is not None
        assert (sheet.action, sheet.kind, sheet.door) == (f"handoff {words[0]} {words[1]}", kind, AuditDoor.COMMAND)
        assert sheet.organization_id is None
        assert sheet.now().tzinfo is not None
        assert sheet.new_id() != sheet.new_id()
    finally:
        close_sheet(token)
