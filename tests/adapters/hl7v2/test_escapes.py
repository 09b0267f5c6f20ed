"""Escapes (HL7-3): what was escaped reads as what was meant, and nothing that is no escape is lost or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.er7 import STANDARD, Delimiters, read_delimiters
from adapters.hl7v2.escapes import escape, unescape
from tests.support.cost import within


def delimiters(encoding: str) -> Delimiters:
    found = read_delimiters(f"MSH|{encoding}|")
    assert isinstance(found, Delimiters)
    return found


TABLE = [
    (r"\F\ \S\ \T\ \R\ \E\ ", "| ^ & ~ \\ "),
    (r"A\F\B", "A|B"),
    (r"line 1\.br\line 2", "line 1\nline 2"),
    (r"\H\bold\N\ plain", "bold plain"),
    (r"\.sp+2\\.in-3\\.ti4\\.ce\\.fi\\.nf\text", "text"),
    (r"\X41\\X426C\ck", "ABlck"),
    (r"\XC3A9\t\X c\E", "ét\\X c\\E"),
    (r"\XC3\ is half a character", r"\XC3\ is half a character"),
    (r"\X4\ is half a byte", r"\X4\ is half a byte"),
    (r"\C2842\kana\M123456\more", r"\C2842\kana\M123456\more"),
    (r"\Zlocal\F\ ", r"\Zlocal\F\ "),
    (r"\Z1\ \F\ ", r"\Z1\ | "),
    (r"ends with \ ", r"ends with \ "),
    (r"\unknown\F\ ", "\\unknown| "),
    ("\\", "\\"),
    ("\\\\", "\\\\"),
    (r"C:\ZZTEST\F", r"C:\ZZTEST\F"),
    (r"\P\ not declared", r"\P\ not declared"),
    ("plain", "plain"),
    ("", ""),
]


@pytest.mark.parametrize(("raw", "plain"), TABLE)
def test_reading(raw: str, plain: str) -> None:
    assert unescape(raw, STANDARD) == plain


def test_hexadecimal_bytes_are_of_the_charset_of_the_message() -> None:
    assert unescape(r"\XE9\ ", STANDARD, "iso8859-1") == "é "
    assert unescape(r"\XE9\ ", STANDARD, "cp1252") == "é "


def test_the_truncation_character_is_escaped_where_it_is_declared() -> None:
    declared = delimiters("^~\\&#")
    assert escape("A#B", declared) == r"A\P\B"
    assert unescape(r"A\P\B", declared) == "A#B"
    assert escape("A#B", STANDARD) == "A#B"


def test_all_five_are_escaped_on_output_and_nothing_ends_a_segment_or_a_frame() -> None:
    written = escape("|^&~\\ \r\n\x0b\x1c", STANDARD)
    assert written == r"\F\\S\\T\\R\\E\ \X0D\\.br\\X0B\\X1C" + "\\"
    for character in "\r\n\x0b\x1c|^&~":
        assert character not in written


def test_without_an_escape_character_a_delimiter_becomes_a_blank() -> None:
    assert escape("A|B^C~D\r\n\x1c&", delimiters("^~")) == "A B C D   &"


@given(text=st.text(max_size=200), encoding=st.sampled_from(["^~\\&", "^~\\&#", "!@%*", "$+-.", "\\~^&"]))
def test_what_is_escaped_reads_as_the_same_text(text: str, encoding: str) -> None:
    declared = delimiters(encoding)
    written = escape(text, declared)
    assert unescape(written, declared) == text
    for character in {declared.field, declared.component, declared.repetition, declared.subcomponent, "\r", "\n", "\x0b", "\x1c"}:
        assert character not in written


@given(raw=st.text(alphabet="\\FSTREXZCMHN.br0123456789abcdef|", max_size=120))
def test_reading_never_fails_and_never_invents(raw: str) -> None:
    assert len(unescape(raw, STANDARD)) <= len(raw)


def test_a_quarter_of_a_megabyte_of_stray_escape_characters_is_quick() -> None:
    for raw in ("\\" * 250_000, "\\a" * 125_000, "\\" + "a" * 250_000, ("\\" + "a" * 4_000) * 60, "\\X" * 125_000):
        within(0.4, lambda raw=raw: unescape(raw, STANDARD))
