"""The notice list of another service, as such lists are exported."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from adapters.files.notices_csv import read_notices
from app.domain.notice_comparison import PresentNotice

ZONE = ZoneInfo("America/New_York")


def test_usual_names_and_local_times_are_understood() -> None:
    rows = ["\ufeffType,MRN,Event At,Notified At,Name", "Discharge,M1,2026-03-06 14:25,2026-03-06T19:30:00Z,Alder", ",,,,"]
    text = "\r\n".join([*rows, "A01,M2,2026-03-02T10:00:00-05:00,,", ""])
    notices, errors = read_notices(text.encode(), ZONE)
    assert errors == []
    assert notices == [
        PresentNotice(2, "discharged", datetime(2026, 3, 6, 19, 25, tzinfo=UTC), "M1", told_at=datetime(2026, 3, 6, 19, 30, tzinfo=UTC)),
        PresentNotice(4, "admitted", datetime(2026, 3, 2, 15, tzinfo=UTC), "M2"),
    ]


def test_what_is_wrong_is_said_with_row_and_column_and_no_value() -> None:
    rows = ["event,occurred_at,mrn,told_at", "whisper,2026-03-06,M1,", "died,soon,M1,", "died,2026-03-06,,", "died,2026-03-06,M1,later"]
    notices, errors = read_notices("\n".join(rows).encode(), ZONE)
    assert notices == []
    assert [(error.row, error.column) for error in errors] == [(2, "event"), (3, "occurred_at"), (4, "patient_number"), (5, "told_at")]
    assert not any("whisper" in error.text or "soon" in error.text for error in errors)


def test_a_list_without_its_columns_is_refused() -> None:
    assert [error.column for error in read_notices(b"name\nx\n", ZONE)[1]] == ["event", "occurred_at", "patient_number or visit_number"]
    assert [error.row for error in read_notices(b"", ZONE)[1]] == [1, 1, 1]
