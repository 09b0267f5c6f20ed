"""What is kept of a receiver's answer: how long to wait, and an excerpt that holds nothing of the notification."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.webhook.answer import EXCERPT_OCTETS_MAX, MASK, excerpt, retry_after_s

NOW = datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("999999999999999", 999999999999999),
        ("9999999999999999", None),
        ("-1", None),
        ("1.5", None),
        ("\u0661", 1),
        ("120 seconds", None),
        ("Sun, 08 Mar 2026 07:00:30 GMT", 30),
        ("Sun, 08 Mar 2026 07:00:30 -0000", 30),
        ("Sunday, 08-Mar-26 07:01:00 GMT", 60),
        ("Sun Mar  8 07:01:00 2026", 60),
        ("Sun, 08 Mar 2026 06:00:00 GMT", 0),
        ("Sun, 08 Mar 2026 03:00:30 -0400", 30),
        ("Sun, 31 Feb 2026 07:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", pytest.approx(2.5e11, rel=0.1)),
        ("2026-03-08T07:00:30Z", None),
        ("tomorrow", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@given(st.text())
def test_retry_after_takes_any_text(header: str) -> None:
    seconds = retry_after_s(header, NOW)
    assert seconds is None or seconds >= 0


SENT = json.dumps(
    {
        "type": "encounter.discharged",
        "data": {
            "person": {"last_name": "Testpatient", "first_name": "Zo\u00eb Ann", "birth_date": "1970-01-02", "phone": "+1 207 555 0100"},
            "identifiers": [{"system": "MAINECARE", "value": "MC00012345"}],
            "sequence": 77012,
            "safe": True,
            "none": None,
        },
    }
).encode()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b"", ""),
        (b"schema mismatch at data.person.birth_date", "schema mismatch at data.person.birth_date"),
        (b"unknown member MC00012345", f"unknown member {MASK}"),
        (b"unknown member mc00012345", f"unknown member {MASK}"),
        (b"no TESTPATIENT, Zo\xc3\xab", f"no {MASK}, {MASK}"),
        (b'{"first_name": "Zo\\u00eb Ann"}', f'{{"first_name": "{MASK} {MASK}"}}'),
        (b"born 1970-01-02", f"born {MASK}-{MASK}-{MASK}"),
        (b"sequence 77012 was seen", f"sequence {MASK} was seen"),
        (b"true, None and null are not secrets", "true, None and null are not secrets"),
        (b"\x00a\x00b\x1b[31mred\x07\r\n\tend\x7f", "a b [31mred  \n\tend"),
        (b"\xff\xfe\xc3", "\ufffd\ufffd\ufffd"),
        (b"\\ud83d\\ude00 fine", "\U0001f600 fine"),
        (b"\\ud83d alone", "\ufffd alone"),
        (b"born 19700102, call 2075550100 or 555-0100, code 4711", f"born {MASK}, call {MASK} or {MASK}-{MASK}, code 4711"),
    ],
)
def test_excerpt(answer: bytes, kept: str) -> None:
    assert excerpt(answer, SENT) == kept


def test_when_what_was_sent_is_not_json_all_its_words_are_masked() -> None:
    assert excerpt(b"cannot read Testpatient|Zed here", b"PID|1|Testpatient|Zed") == f"cannot read {MASK}|{MASK} here"


WORDS = st.from_regex(r"\w{2,12}", fullmatch=True)


@given(st.lists(WORDS, min_size=1), st.text(), st.text(), st.booleans())
def test_no_word_of_a_value_survives(values: list[str], before: str, after: str, ascii_only: bool) -> None:
    """However the receiver quotes it: raw, or as JSON with escapes."""
    sent = json.dumps({"data": {"person": values}}).encode()
    quoted = json.dumps({"error": before, "received": values, "more": after}, ensure_ascii=ascii_only)
    kept = excerpt(quoted.encode("utf-8", errors="replace"), sent)
    assert not {value.casefold() for value in values} & {word.casefold() for word in re.findall(r"\w+", kept)}


@given(st.binary(), st.binary())
def test_any_octets_give_a_short_storable_text(answer: bytes, sent: bytes) -> None:
    kept = excerpt(answer, sent)
    assert len(kept.encode()) <= EXCERPT_OCTETS_MAX
    assert "\x00" not in kept
    assert all(character.isprintable() or character in "\n\t" for character in kept)


def test_a_word_cut_by_the_limit_is_masked_before_it_is_cut() -> None:
    answer = b"x " * ((EXCERPT_OCTETS_MAX - 8) // 2) + b"Testpatient"
    assert "Testp" not in excerpt(answer, SENT)
