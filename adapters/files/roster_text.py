"""The bytes of a text file to text, piece by piece: UTF-8 with or without a byte order mark, else Windows-1252.

How the bytes are cut into pieces changes nothing. A file is Windows-1252 if its first byte that is not ASCII does not begin a
character of UTF-8; once UTF-8 was seen, bytes that are none become U+FFFD, so that their row can be refused. Excel's "Unicode text"
(UTF-16 with its mark) is read too. Not here: lines and cells (roster_csv).
"""

import codecs
from typing import Final

_MARK_BYTES: Final = 4
LOST: Final = "\ufffd"
"""Stands where bytes were no text."""


class TextDecoder:
    """Decodes one file. Nothing is raised."""

    def __init__(self) -> None:
        self._held = b""
        self._is_begun = False
        self._is_utf8_proved = False
        self._is_windows = False
        self._utf16: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Give the text that is complete so far; with `final` all of it."""
        data = self._held + data
        self._held = b""
        if not self._is_begun:
            if len(data) < _MARK_BYTES and not final:
                self._held = data
                return ""
            self._is_begun = True
            data = self._without_mark(data)
        if self._utf16 is not None:
            return self._utf16.decode(data, final)
        if self._is_windows:
            return data.decode("cp1252", "replace")
        return self._utf8(data, final=final)

    def _without_mark(self, data: bytes) -> bytes:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._utf16 = codecs.getincrementaldecoder("utf-16")("replace")
        elif data.startswith(codecs.BOM_UTF8):
            self._is_utf8_proved = True
            return data.removeprefix(codecs.BOM_UTF8)
        return data

    def _utf8(self, data: bytes, *, final: bool) -> str:
        try:
            text, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError as error:
            if not self._is_utf8_proved and data[: error.start].isascii():
                self._is_windows = True
                return data.decode("cp1252", "replace")
            text, used = codecs.utf_8_decode(data, "replace", final)
        self._held = data[used:]
        self._is_utf8_proved = self._is_utf8_proved or not text.isascii()
        return text
