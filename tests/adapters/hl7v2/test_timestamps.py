"""Times (HL7-5): precision kept, the sender's zone where there is no offset, doubtful local times flagged, dates stay dates."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.timestamps import (
    Precision,
    Timestamp,
    TimestampFault,
    Wall,
    format_timestamp,
    parse_date,
    parse_timestamp,
)

EASTERN = ZoneInfo("America/New_York")

GOOD = [
    ("2026", "2026-01-01T05:00:00+00:00", Precision.YEAR, False, Wall.PLAIN),
    ("202607", "2026-07-01T04:00:00+00:00", Precision.MONTH, False, Wall.PLAIN),
    ("20260105", "2026-01-05T05:00:00+00:00", Precision.DAY, False, Wall.PLAIN),
    ("2026010514", "2026-01-05T19:00:00+00:00", Precision.HOUR, False, Wall.PLAIN),
    ("202601051430", "2026-01-05T19:30:00+00:00", Precision.MINUTE, False, Wall.PLAIN),
    ("20260105143015", "2026-01-05T19:30:15+00:00", Precision.SECOND, False, Wall.PLAIN),
    (" 20260105143015 ", "2026-01-05T19:30:15+00:00", Precision.SECOND, False, Wall.PLAIN),
    ("20260105143015.5", "2026-01-05T19:30:15.500000+00:00", Precision.FRACTION, False, Wall.PLAIN),
    ("20260105143015.1234", "2026-01-05T19:30:15.123400+00:00", Precision.FRACTION, False, Wall.PLAIN),
    ("20260105143015.123456789", "2026-01-05T19:30:15.123456+00:00", Precision.FRACTION, False, Wall.PLAIN),
    ("20260105143015123", "2026-01-05T19:30:15.123000+00:00", Precision.FRACTION, False, Wall.PLAIN),
    ("20260105143015-0500", "2026-01-05T19:30:15+00:00", Precision.SECOND, True, Wall.PLAIN),
    ("20260105143015+0000", "2026-01-05T14:30:15+00:00", Precision.SECOND, True, Wall.PLAIN),
    ("20260105143015Z", "2026-01-05T14:30:15+00:00", Precision.SECOND, True, Wall.PLAIN),
    ("2026010514+0545", "2026-01-05T08:15:00+00:00", Precision.HOUR, True, Wall.PLAIN),
    ("20260705143015", "2026-07-05T18:30:15+00:00", Precision.SECOND, False, Wall.PLAIN),
    # Clocks go back on 2026-11-01 at 02:00: 01:30 comes twice, the earlier is taken.
    ("20261101013000", "2026-11-01T05:30:00+00:00", Precision.SECOND, False, Wall.AMBIGUOUS),
    ("20261101013000-0500", "2026-11-01T06:30:00+00:00", Precision.SECOND, True, Wall.PLAIN),
    # Clocks go forward on 2026-03-08 at 02:00: 02:30 never comes.
    ("20260308023000", "2026-03-08T07:30:00+00:00", Precision.SECOND, False, Wall.SKIPPED),
    ("20261101", "2026-11-01T04:00:00+00:00", Precision.DAY, False, Wall.PLAIN),
    ("20240229", "2024-02-29T05:00:00+00:00", Precision.DAY, False, Wall.PLAIN),
]


@pytest.mark.parametrize(("raw", "at", "precision", "has_offset", "wall"), GOOD)
def test_times(raw: str, at: str, precision: Precision, has_offset: bool, wall: Wall) -> None:
    found = parse_timestamp(raw, EASTERN)
    assert isinstance(found, Timestamp)
    assert found.at == datetime.fromisoformat(at)
    assert found.at.tzinfo is UTC
    assert (found.precision, found.has_offset, found.wall) == (precision, has_offset, wall)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "0",
        "20",
        "202",
        "20261301",
        "20260230",
        "20230229",
        "2026010524",
        "202601051460",
        "20260105143060",
        "2026-01-05T14:30:15",
        "01/05/2026",
        "20260105 1430",
        "2026010514301",
        "20260105143015.",
        "20260105143015-05",
        "20260105143015-1500",
        "20260105143015-0560",
        "00000101",
        "99991231235959",
        "99990101",
        "00010101000000+0000",
        "00010101000000+1400",
        "20260105143015^M",
        "\u0662\u0660\u0662\u0666",
        "yesterday",
    ],
)
def test_what_is_no_time_is_a_fault_that_does_not_repeat_it(raw: str) -> None:
    found = parse_timestamp(raw, EASTERN)
    assert isinstance(found, TimestampFault)
    assert found.text.startswith("Expected")
    assert len(raw) < 4 or raw not in found.text


def test_the_zone_is_the_senders() -> None:
    found = [parse_timestamp("20260705120000", ZoneInfo(zone)) for zone in ("America/New_York", "America/Denver", "UTC")]
    assert [time.at.hour for time in found if isinstance(time, Timestamp)] == [16, 18, 12]


@pytest.mark.parametrize(
    ("raw", "born"),
    [
        ("19760425", date(1976, 4, 25)),
        ("19760425120000", date(1976, 4, 25)),
        ("197604250000", date(1976, 4, 25)),
        ("19760425235959-0500", date(1976, 4, 25)),
        ("19760425000000+1400", date(1976, 4, 25)),
        (" 19760425 ", date(1976, 4, 25)),
        ("1976", None),
        ("197604", None),
        ("19760431", None),
        ("00000000", None),
        ("", None),
        ("1976-04-25", None),
    ],
)
def test_a_date_stays_a_date_in_every_zone(raw: str, born: date | None) -> None:
    found = parse_date(raw)
    assert found == born if born is not None else isinstance(found, TimestampFault)


@given(
    at=st.datetimes(
        min_value=datetime(1900, 1, 2),  # noqa: DTZ001 -- hypothesis wants them naive
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001 -- as above
        timezones=st.sampled_from([UTC, EASTERN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe")]),
    )
)
def test_what_is_written_reads_as_the_same_instant(at: datetime) -> None:
    at = at.replace(microsecond=0)
    offset = at.utcoffset()
    if offset is None or offset.seconds % 60:  # Local mean time had seconds in its offset; HL7 cannot write them.
        return
    found = parse_timestamp(format_timestamp(at), EASTERN)
    assert isinstance(found, Timestamp)
    # Compared in UTC: Python never finds an instant of a skipped hour equal to one of another zone.
    assert found.at == at.astimezone(UTC)
    assert found.has_offset


@given(
    local=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2037, 12, 31)),  # noqa: DTZ001 -- local times on purpose
)
def test_a_local_time_is_one_of_the_instants_that_show_it(local: datetime) -> None:
    local = local.replace(microsecond=0)
    found = parse_timestamp(local.strftime("%Y%m%d%H%M%S"), EASTERN)
    assert isinstance(found, Timestamp)
    shown = found.at.astimezone(EASTERN).replace(tzinfo=None)
    assert found.on == local.date()
    if found.wall is Wall.SKIPPED:
        assert shown - local == timedelta(hours=1)
    else:
        assert shown == local
    if found.wall is Wall.AMBIGUOUS:
        assert (found.at + timedelta(hours=1)).astimezone(EASTERN).replace(tzinfo=None) == local


@given(raw=st.text(alphabet="0123456789.+-Z ", max_size=30))
def test_nothing_is_raised(raw: str) -> None:
    assert isinstance(parse_timestamp(raw, EASTERN), Timestamp | TimestampFault)
    assert isinstance(parse_date(raw), date | TimestampFault)
