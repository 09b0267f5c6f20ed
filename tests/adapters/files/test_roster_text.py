"""Bytes to text: the encodings rosters come in, and pieces of any size."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.roster_text import LOST, TextDecoder

WINDOWS = bytes([*range(0x20, 0x7F), 0x80, *range(0xA0, 0x100)]).decode("cp1252")


def decoded(data: bytes, cuts: list[int]) -> str:
    """Decode in pieces."""
    decoder = TextDecoder()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return "".join(decoder.feed(data[start:end]) for start, end in pairwise(places)) + decoder.feed(b"", final=True)


CUTS = st.lists(st.integers(0, 80), max_size=6)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), CUTS)
def test_utf_8_with_and_without_its_mark(text: str, cuts: list[int]) -> None:
    text = text.removeprefix("\ufeff")
    assert decoded(b"\xef\xbb\xbf" + text.encode(), cuts) == text
    if not text.encode().startswith((b"\xff\xfe", b"\xfe\xff")):
        assert decoded(text.encode(), cuts) == text


@given(st.text(WINDOWS, max_size=60), CUTS)
def test_windows_1252_unless_it_reads_as_utf_8(text: str, cuts: list[int]) -> None:
    data = text.encode("cp1252")
    try:
        expected = data.decode()
    except UnicodeDecodeError as error:
        expected = text if data[: error.start].isascii() else ""
    if expected:
        assert decoded(data, cuts) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), CUTS)
def test_excels_unicode_text(text: str, cuts: list[int]) -> None:
    assert decoded(text.encode("utf-16"), cuts) == text


@given(st.binary(max_size=80), CUTS)
def test_how_the_bytes_are_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    assert decoded(data, cuts) == decoded(data, [])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Jos\xe9 and more", "José and more"),
        ("José ".encode() + b"Jos\xe9 end", f"José Jos{LOST} end"),
        (b"\xef\xbb\xbfJos\xe9 end", f"Jos{LOST} end"),
        (b"caf\xe9", "café"),
        (b"\x81 is nothing in Windows-1252", f"{LOST} is nothing in Windows-1252"),
        ("José".encode()[:-1], "JosÃ"),
        (b"", ""),
        (b"a", "a"),
        (b"\xef\xbb\xbf", ""),
    ],
)
def test_which_encoding_is_taken(data: bytes, text: str) -> None:
    """Once UTF-8 was seen, bytes that are none are lost and marked; before, they decide for Windows-1252."""
    for cut in range(len(data) + 1):
        assert decoded(data, [cut]) == text
