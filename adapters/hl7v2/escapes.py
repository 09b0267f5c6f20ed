"""HL7 escape sequences to plain text and back (HL7-3; HL7 2.5.1 chapter 2.7).

Reading never fails: an unterminated or unknown escape is literal text. Sequences do not nest. Writing escapes all five
delimiters, and the control characters that would break a segment or an MLLP frame. Not here: splitting, which always
comes first (`er7`).
"""

import re
from functools import lru_cache
from typing import Final

from adapters.hl7v2.er7 import ABSENT, Delimiters

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_KEPT = re.compile(r"C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?|Z[0-9A-Za-z]*")
"""Character set switches and locally defined sequences: passed through."""
_FORMATTING = re.compile(r"\.(?:sp|in|ti|sk|ce|fi|nf)[+-]?[0-9]*|[HN]")
_BEGINNINGS: Final = frozenset("CMZXHN.")
"""With which a sequence of more than one letter begins, and the two for highlighting: anything else is looked at no further."""
_ESCAPE_LENGTH_MAX: Final = 4_096
"""Longest text between two escape characters that is looked at; a longer one is literal, so a stray character costs little."""


def unescape(text: str, delimiters: Delimiters, codec: str = "utf-8") -> str:
    r"""Decode \F\ \S\ \T\ \R\ \E\ \P\ and \X..\; `\.br\` becomes a line feed; other formatting is dropped; \C \M \Z are kept."""
    mark = delimiters.escape
    if mark not in text:
        return text
    replacements = _replacements(delimiters)
    pieces: list[str] = []
    position = 0
    while True:
        start = text.find(mark, position)
        if start < 0:
            pieces.append(text[position:])
            return "".join(pieces)
        end = text.find(mark, start + 1, start + 2 + _ESCAPE_LENGTH_MAX)
        pieces.append(text[position:start])
        if end < 0:
            pieces.append(mark)
            position = start + 1
            continue
        inside = text[start + 1 : end]
        plain = replacements.get(inside)
        if plain is None and inside[:1] in _BEGINNINGS:
            plain = text[start : end + 1] if _KEPT.fullmatch(inside) else _decode(inside, codec)
        if plain is None:
            # Not an escape: this mark is text, and the next one may still begin a real escape.
            pieces.append(text[start:end])
            position = end
        else:
            pieces.append(plain)
            position = end + 1


def escape(text: str, delimiters: Delimiters) -> str:
    """Write text so that it can stand in a field of a message with these delimiters."""
    return text.translate(_escape_table(delimiters))


@lru_cache(maxsize=64)
def _replacements(delimiters: Delimiters) -> dict[str, str]:
    letters = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "P": delimiters.truncation,
        ".br": "\n",
    }
    return {letter: plain for letter, plain in letters.items() if plain != ABSENT}


@lru_cache(maxsize=64)
def _escape_table(delimiters: Delimiters) -> dict[int, str]:
    mark = delimiters.escape
    if mark == ABSENT:
        # Nothing can be escaped: a delimiter or control character becomes a blank rather than a wrong split.
        unsafe = (delimiters.field, delimiters.component, delimiters.subcomponent, delimiters.repetition, delimiters.truncation)
        return {ord(character): " " for character in (*unsafe, "\r", "\n", "\x0b", "\x1c") if character != ABSENT}
    table = {ord(plain): f"{mark}{letter}{mark}" for letter, plain in _replacements(delimiters).items()}
    # Where the point is itself a delimiter, `.br` would be cut before it is read.
    has_point = "." in delimiters.field + delimiters.encoding_characters
    table.update({ord(character): f"{mark}X{ord(character):02X}{mark}" for character in ("\r\x0b\x1c\n" if has_point else "\r\x0b\x1c")})
    return table


def _decode(inside: str, codec: str) -> str | None:
    """Decode what stands between two escape characters, or give None when it is not an escape."""
    if inside[:1] == "X" and _HEX.fullmatch(inside, 1):
        try:
            # As in what is not escaped (`er7`), a NUL is no text.
            return bytes.fromhex(inside[1:]).decode(codec).replace("\x00", "")
        except UnicodeDecodeError:
            return None
    return "" if _FORMATTING.fullmatch(inside) else None
