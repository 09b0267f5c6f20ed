"""Chooses the character set of a message (HL7-4): MSH-18 (HL7 table 0211), else the feed's default, else what the bytes are.

The choice is reported with the text, so that a wrong declaration is seen and never guessed silently. Bytes that a
declared set cannot hold are read by the fallback (UTF-8, then Windows-1252), flagged, not refused: a name with a wrong
accent is better than a lost discharge. Only UTF-16 and UTF-32 are refused, as HL7 forbids them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.inbound import Problem, ProblemCode, Severity

_MSH_18 = 17
"""Index of MSH-18 in the split MSH line, where MSH-1 is the separator itself."""

_CODECS: Final = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    **{f"{prefix}{part}": f"iso8859-{part}" for part in (*range(1, 10), 15) for prefix in ("8859/", "ISO8859/", "ISO8859")},
    "LATIN1": "iso8859-1",
    "ISOIR100": "iso8859-1",
    "ISOIR14": "iso2022_jp_2",
    "ISOIR87": "iso2022_jp_2",
    "ISOIR159": "iso2022_jp_2",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "WINDOWS1250": "cp1250",
    "CP1250": "cp1250",
    "CP850": "cp850",
}
"""HL7 2.5.1 table 0211 (with the additions of 2.9), and the spellings that senders use; keys without blanks, `-` and `_`."""

_FORBIDDEN = frozenset({"UNICODEUTF16", "UNICODEUTF32", "UTF16", "UTF32", "UTF16LE", "UTF16BE", "UTF32LE", "UTF32BE", "UCS2"})
_SINGLE_BYTE = ("iso8859", "cp125", "cp850")
_C1_CONTROLS = bytes(range(0x80, 0xA0))


class CharsetChoice(StrEnum):
    """Why the codec was chosen."""

    DECLARED = "declared"
    """MSH-18 names it."""
    FEED = "feed"
    """MSH-18 is empty or unknown; the feed's profile names it."""
    GUESSED = "guessed"
    """Neither says; UTF-8 where the bytes are valid UTF-8, else Windows-1252."""
    CORRECTED = "corrected"
    """The bytes are not what MSH-18 or the feed says; read like a guessed one."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a message, and how it was read. `text.encode(codec)` gives the bytes again, escape-switched sets apart."""

    text: str
    codec: str
    choice: CharsetChoice
    declared: str


def declared_charset(msh_line: str, field_separator: str) -> str:
    """Give MSH-18 as sent."""
    fields = msh_line.split(field_separator, _MSH_18 + 1)
    return fields[_MSH_18].strip() if len(fields) > _MSH_18 else ""


def codec_of(declared: str) -> str | None:
    """Give the Python codec for an MSH-18 value, or None for one that is empty or unknown.

    Repetitions name alternates that ISO 2022 escape sequences switch to (MSH-20); the codec that knows those escapes wins.
    """
    codecs = [_CODECS.get(_normal(part)) for part in declared.replace("~", "|").split("|") if part.strip()]
    known = [codec for codec in codecs if codec is not None]
    return next((codec for codec in known if codec.startswith("iso2022")), known[0] if known else None)


def is_forbidden(declared: str) -> bool:
    """Tell whether MSH-18 names UTF-16 or UTF-32, which HL7v2 does not allow."""
    return any(_normal(part) in _FORBIDDEN for part in declared.split("~"))


def decode(body: bytes, declared: str, default: str | None) -> Decoded | Problem:
    """Decode a message; only a forbidden character set is a problem."""
    if not declared and body.isascii() and default is None:
        return Decoded(body.decode("ascii"), "ascii", CharsetChoice.GUESSED, declared)
    if declared and is_forbidden(declared):
        return Problem(
            ProblemCode.TABLE_VALUE, Severity.ERROR, "MSH^1^18", "UTF-16 and UTF-32 are not allowed in HL7v2; send UTF-8 (UNICODE UTF-8)."
        )
    wanted, choice = codec_of(declared), CharsetChoice.DECLARED
    if wanted is None:
        # The feed may name any codec, also one that no table of HL7 has (checked when the feed is made).
        wanted, choice = codec_of(default or "") or default, CharsetChoice.FEED
    if wanted is not None:
        text = _strict(body, wanted)
        if text is not None and not _is_belied(body, wanted):
            return Decoded(text, wanted, choice, declared)
        choice = CharsetChoice.CORRECTED
    else:
        choice = CharsetChoice.GUESSED
    for codec in ("utf-8", "cp1252"):
        text = _strict(body, codec)
        if text is not None:
            return Decoded(text, codec, choice, declared)
    # Five byte values are undefined in Windows-1252; Latin-1 holds every byte.
    return Decoded(body.decode("iso8859-1"), "iso8859-1", choice, declared)


def _strict(body: bytes, codec: str) -> str | None:
    try:
        return body.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None


def _is_belied(body: bytes, codec: str) -> bool:
    """Tell whether a set that can hold any bytes is not what they are in.

    Whole characters of UTF-8 do not come about by chance: an engine, or HTTP (HOH-1), converted the text and left MSH-18 as it was.
    """
    if body.isascii() or not codec.startswith(_SINGLE_BYTE):
        return False
    return _strict(body, "utf-8") is not None or (codec == "iso8859-1" and _has_c1_controls(body))


def _has_c1_controls(body: bytes) -> bool:
    """Bytes 0x80-0x9F: control characters in Latin-1 that nobody sends, curly quotes and dashes in Windows-1252 that many do."""
    return any(byte in _C1_CONTROLS for byte in set(body))


def _normal(name: str) -> str:
    return name.upper().replace(" ", "").replace("-", "").replace("_", "")
