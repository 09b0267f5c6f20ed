"""Character sets (HL7-4): declared, else the feed's, else what the bytes are; always said which; UTF-16 refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.charset import CharsetChoice, Decoded, codec_of, declared_charset, decode
from adapters.hl7v2.er7 import tokenize
from app.domain.inbound import Problem
from tests.adapters.hl7v2.support import PID, cut, er7, msh

NAME = "ZZTÉST"

TABLE_0211 = [
    ("", None),
    ("ASCII", "ascii"),
    ("8859/1", "iso8859-1"),
    ("8859/2", "iso8859-2"),
    ("8859/9", "iso8859-9"),
    ("8859/15", "iso8859-15"),
    ("ISO IR6", "ascii"),
    ("ISO IR14", "iso2022_jp_2"),
    ("ISO IR87", "iso2022_jp_2"),
    ("ISO IR159", "iso2022_jp_2"),
    ("~ISO IR87", "iso2022_jp_2"),
    ("ISO IR6~ISO IR87", "iso2022_jp_2"),
    ("GB 18030-2000", "gb18030"),
    ("KS X 1001", "euc_kr"),
    ("BIG-5", "big5"),
    ("UNICODE", "utf-8"),
    ("UNICODE UTF-8", "utf-8"),
    ("utf-8", "utf-8"),
    ("ISO-8859-1", "iso8859-1"),
    ("iso8859_1", "iso8859-1"),
    ("WINDOWS-1252", "cp1252"),
    ("CNS 11643-1992", None),
    ("8859/99", None),
    ("ZZNONE", None),
]


@pytest.mark.parametrize(("declared", "codec"), TABLE_0211)
def test_table_0211(declared: str, codec: str | None) -> None:
    assert codec_of(declared) == codec
    if codec is not None:
        assert "ZZ".encode(codec).decode(codec) == "ZZ"


CHOICES = [
    ("UNICODE UTF-8", None, NAME.encode(), "utf-8", CharsetChoice.DECLARED, NAME),
    ("8859/1", None, NAME.encode("latin-1"), "iso8859-1", CharsetChoice.DECLARED, NAME),
    ("8859/1", "UTF-8", NAME.encode("latin-1"), "iso8859-1", CharsetChoice.DECLARED, NAME),
    ("", "8859/1", NAME.encode("latin-1"), "iso8859-1", CharsetChoice.FEED, NAME),
    ("ZZNONE", "8859/1", NAME.encode("latin-1"), "iso8859-1", CharsetChoice.FEED, NAME),
    ("", None, NAME.encode(), "utf-8", CharsetChoice.GUESSED, NAME),
    ("", None, NAME.encode("cp1252"), "cp1252", CharsetChoice.GUESSED, NAME),
    ("", None, b"ZZTEST", "ascii", CharsetChoice.GUESSED, "ZZTEST"),
    ("ASCII", None, NAME.encode(), "utf-8", CharsetChoice.CORRECTED, NAME),
    ("UNICODE UTF-8", None, NAME.encode("cp1252"), "cp1252", CharsetChoice.CORRECTED, NAME),
    ("", "UTF-8", NAME.encode("cp1252"), "cp1252", CharsetChoice.CORRECTED, NAME),
    # A codec that no table of HL7 has, named by the operator; and one that nobody knows.
    ("", "koi8-r", "ZZ\u0416".encode("koi8-r"), "koi8-r", CharsetChoice.FEED, "ZZ\u0416"),
    ("", "zznone", NAME.encode(), "utf-8", CharsetChoice.CORRECTED, NAME),
    # Converted to UTF-8 on the way, as HTTP demands (HOH-1), with the old name left in MSH-18.
    ("8859/1", None, NAME.encode(), "utf-8", CharsetChoice.CORRECTED, NAME),
    ("WINDOWS-1252", None, "O\u2019ZZTEST".encode(), "utf-8", CharsetChoice.CORRECTED, "O\u2019ZZTEST"),
    # The curly apostrophe of Windows under the name of Latin-1, where that byte is a control character.
    ("8859/1", None, b"O\x92ZZTEST", "cp1252", CharsetChoice.CORRECTED, "O\u2019ZZTEST"),
    # A byte that Windows-1252 does not define, and that is no UTF-8 either.
    ("", None, b"\x81\xe9", "iso8859-1", CharsetChoice.GUESSED, "\x81\xe9"),
    ("~ISO IR87", None, "ZZ\u6f22".encode("iso2022_jp_2"), "iso2022_jp_2", CharsetChoice.DECLARED, "ZZ\u6f22"),
    # Big5 and GB18030 have bytes of ASCII punctuation inside their characters.
    ("BIG-5", None, "\u529f".encode("big5"), "big5", CharsetChoice.DECLARED, "\u529f"),
]


@pytest.mark.parametrize(("declared", "default", "body", "codec", "choice", "text"), CHOICES)
def test_the_choice_and_its_reason(declared: str, default: str | None, body: bytes, codec: str, choice: CharsetChoice, text: str) -> None:
    found = decode(body, declared, default)
    assert found == Decoded(text, codec, choice, declared)


@pytest.mark.parametrize("declared", ["UNICODE UTF-16", "UNICODE UTF-32", "UTF-16", "utf16le", "ASCII~UNICODE UTF-16"])
def test_utf_16_and_32_are_refused(declared: str) -> None:
    found = decode(b"ZZ", declared, None)
    assert isinstance(found, Problem)
    assert found.location == "MSH^1^18"


def test_a_delimiter_byte_inside_a_double_byte_character_cuts_nothing() -> None:
    # U+529F is A5 5C in Big5: its second byte is the backslash.
    header = msh(f18="BIG-5")
    body = header.encode() + b"\rPID|1||ZZ1||ZZ\xa5\x5c^ALPHA\r"
    pid = cut(body).first("PID")
    assert pid is not None
    assert pid.components(5) == ["ZZ\u529f", "ALPHA"]
    assert cut(body).encode() == body


def test_msh_18_is_read_before_anything_is_decoded() -> None:
    assert declared_charset("MSH|^~\\&|A|B|C|D|7|8|9|10|11|12|13|14|15|16|17|8859/1|19", "|") == "8859/1"
    assert declared_charset("MSH|^~\\&|A", "|") == ""
    message = cut(msh(f18="8859/1").encode() + b"\r" + PID.replace("ALPHA", NAME).encode("latin-1"))
    assert NAME in message.text
    assert message.decoded.choice is CharsetChoice.DECLARED


@given(
    text=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=50),
    declared=st.sampled_from(["", "UNICODE UTF-8", "8859/1", "ASCII", "ZZ"]),
)
def test_utf_8_is_never_lost(text: str, declared: str) -> None:
    body = er7(msh(f18=declared), f"ZZZ|{text}")
    assert cut(body).encode() == body


@given(
    body=st.binary(max_size=80),
    declared=st.sampled_from(["", "UNICODE UTF-8", "8859/1", "8859/15", "ASCII", "WINDOWS-1252", "GB 18030-2000"]),
)
def test_any_bytes_are_read_somehow_and_can_be_written_again(body: bytes, declared: str) -> None:
    whole = msh(f18=declared).encode() + b"\rZZZ|" + body
    found = tokenize(whole)
    assert not isinstance(found, Problem)
    assert found.encode() == whole
