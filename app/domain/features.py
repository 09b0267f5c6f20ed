"""What can be compared of one patient record: normalised, split into parts, and without what only stands in for a value.

Standardising before comparing is what raised match rates most in ONC's work on patient matching (ONC, "Patient Identification and
Matching Final Report", 2014; Project US@ for addresses, 2022). Not here: how two are compared (`comparison`), how they are found
(`blocking`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

from app.domain.adt_event import NOT_A_PERSON_TYPES, Identifier, IdentifierType
from app.domain.person import PLACEHOLDER_BIRTH_DATES, normalised
from app.domain.stand_in import NO_NAMES, NOBODY, is_newborns

SSN_TYPE: Final = "SS"
"""HL7 table 0203: a social security number among the identifiers."""
NO_ADDRESSES: Final = frozenset(
    {"UNKNOWN", "HOMELESS", "GENERALDELIVERY", "NONE", "NOADDRESS", "NFA", "NOFIXEDADDRESS", "UNDOMICILED", "NA"}
)
SUFFIXES: Final = {"JR": "JR", "JUNIOR": "JR", "SR": "SR", "SENIOR": "SR", "II": "II", "2ND": "II", "III": "III", "3RD": "III", "IV": "IV"}
EARLIEST_BIRTH_YEAR: Final = 1902
"""Our policy: an earlier birth date stands in for an unknown one; nobody so old is alive."""
SHORTEST_NUMBER: Final = 4
"""Our policy: of fewer digits, all alike may be a number; of more, they stand in for one (999999999)."""
_BIRTH_ORDER: Final = re.compile(r"(?:TWIN|BOY|GIRL|BABY|TRIPLET|NB)\s*#?([A-D1-4])$")
_NO_LETTER: Final = {code: None if chr(code) in "'`." else " " for code in range(128) if not chr(code).isalnum()}
"""An apostrophe or a dot does not part a name (O'BRIEN, ST.CLAIR); everything else that is no letter does."""
_WORD_BREAK: Final = re.compile(r"[^0-9A-Z]+")
TEXTS_KEPT: Final = 50_000
"""The words of so many names are kept: most people have one of them."""
_PLAIN_SEX: Final = frozenset({"M", "F"})
_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words as data (app/standards/matching/words.toml): what a nickname may stand for, and how address words are shortened."""

    nicknames: Mapping[str, frozenset[str]]
    """Normalised first name -> the formal names it may stand for, itself included."""
    address_words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Features:
    """One record, ready to be compared. An empty text or set means: not given, or only a placeholder."""

    first: str = ""
    first_parts: tuple[str, ...] = ()
    """The words of the first name, where there are several."""
    forms: frozenset[str] = frozenset()
    """Formal names the first name may stand for."""
    middle: str = ""
    last: str = ""
    last_parts: frozenset[str] = frozenset()
    """The parts of a double last name, and former and other last names."""
    suffix: str = ""
    birth_date: date | None = None
    birth_digits: str = ""
    """YYYYMMDD."""
    sex: str = ""
    """M or F; what else table 0001 has is too rarely told alike by two sources to be compared."""
    address: str = ""
    zip5: str = ""
    city: str = ""
    phones: frozenset[str] = frozenset()
    ssn4: str = ""
    identifiers: frozenset[tuple[str, str, str]] = frozenset()
    """(authority, type, value)."""
    is_newborn: bool = False
    birth_order: str = ""
    died_on: str = ""
    is_deceased: bool | None = None

    @property
    def address_key(self) -> str:
        """Name the address for counting who shares it; empty where it is not whole."""
        return f"{self.address}|{self.zip5 or self.city}" if self.address and (self.zip5 or self.city) else ""


def features(
    facts: Mapping[str, Any],
    identifiers: Iterable[Identifier],
    vocabulary: Vocabulary,
) -> Features:
    """Read what can be compared out of what is known of a record (`latest.known`).

    Beside the names of `PersonFacts` and of the roster's columns, `suffix`, `ssn`, `former_last_name` and `birth_order` are read where
    a source gives them.
    """
    said = facts.get
    first_words, first_suffix = _words(said("first_name"))
    last_words, last_suffix = _words(said("last_name"))
    middle_words, middle_suffix = _words(said("middle_name"))
    is_newborn = is_newborns(" ".join(first_words))
    order = _BIRTH_ORDER.search(" ".join(first_words)) if is_newborn else None
    first, last, middle = "".join(first_words), "".join(last_words), "".join(middle_words)
    if is_newborn or first in NO_NAMES:
        first, first_words = "", ()
    if last in NO_NAMES or (first, last) in NOBODY:
        first, first_words, last, last_words = ("", (), "", ()) if (first, last) in NOBODY else (first, first_words, "", ())
    parts = _NOTHING
    if len(last_words) > 1 or said("former_last_name"):
        former = [_joined(name) for name in _texts(said("former_last_name"))]
        parts = frozenset(
            [part for part in [*(last_words if len(last_words) > 1 else ()), *former] if len(part) > 1 and part not in NO_NAMES]
        )
    born = birth_date_of(said("birth_date"))
    ssn = None
    held = []
    for item in identifiers:
        if item.type == SSN_TYPE:
            ssn = ssn or item.value
        elif _names_somebody(item):
            held.append((item.authority, item.type, item.value))
    died, deceased = said("died_at"), said("deceased")
    sex = str(said("sex") or "").strip().upper()[:1]
    return Features(
        first=first,
        first_parts=first_words if len(first_words) > 1 else (),
        forms=_forms(first, first_words, vocabulary),
        middle="" if middle in NO_NAMES else middle,
        last=last,
        last_parts=parts,
        suffix=suffix_of(said("suffix")) or last_suffix or first_suffix or middle_suffix,
        birth_date=born,
        birth_digits=born.isoformat().replace("-", "") if born else "",
        sex=sex if sex in _PLAIN_SEX else "",
        address=_address(said("address"), vocabulary),
        zip5=_zip5(said("zip")),
        city=_joined(said("city")),
        phones=frozenset([number for one in (said("phone"), said("phone2")) if one and (number := phone_of(one))]),
        # What is said of the number itself first: as an identifier it may be a pseudonym.
        ssn4=ssn4_of(said("ssn")) or ssn4_of(said("ssn4")) or ssn4_of(ssn),
        identifiers=frozenset(held),
        is_newborn=is_newborn,
        birth_order=_order(said("birth_order"), order.group(1) if order else ""),
        died_on=str(died)[:10] if died else "",
        is_deceased=deceased if isinstance(deceased, bool) else None,
    )


def _texts(said: object) -> list[str]:
    if not said:
        return []
    return [str(one) for one in said] if isinstance(said, list | tuple) else [str(said)]


def _joined(said: object) -> str:
    return normalised(str(said)) if said else ""


def _words(said: object) -> tuple[tuple[str, ...], str]:
    """Split a name into normalised words; a suffix that was written into it is taken out."""
    return _words_kept(str(said)) if said else ((), "")


def _words_of(text: str) -> tuple[tuple[str, ...], str]:
    if text.isascii():
        words = text.upper().translate(_NO_LETTER).split()
    else:
        plain = "".join([normalised(letter) or " " for letter in text])
        words = [word for word in _WORD_BREAK.split(plain) if word]
    suffix = ""
    if len(words) > 1 and words[-1] in SUFFIXES:
        suffix = SUFFIXES[words.pop()]
    return tuple(words), suffix


_words_kept = lru_cache(maxsize=TEXTS_KEPT)(_words_of)


def _forms(first: str, words: Sequence[str], vocabulary: Vocabulary) -> frozenset[str]:
    if not first:
        return frozenset()
    own = vocabulary.nicknames.get(first)
    if own is not None:
        return own
    if len(words) > 1 and len(words[0]) > 1:
        return vocabulary.nicknames.get(words[0], frozenset({words[0]})) | {first}
    return frozenset({first})


def suffix_of(said: object) -> str:
    """Give what tells father and son apart, in its one form; empty for a degree and what else is written there."""
    return SUFFIXES.get(_joined(said), "")


def birth_date_of(said: object) -> date | None:
    """Read an ISO date; None for what cannot be one and for what stands in for an unknown one."""
    text = str(said or "")[:10]
    if text in PLACEHOLDER_BIRTH_DATES:
        return None
    try:
        born = date.fromisoformat(text)
    except ValueError:
        return None
    return born if born.year >= EARLIEST_BIRTH_YEAR else None


def phone_of(said: object) -> str:
    """Give the ten digits of a North American number; empty for what cannot be one (NANP: area code and exchange begin with 2-9)."""
    digits = _digits(str(said or "").split("x", 1)[0])
    if len(digits) == 11 and digits[0] == "1":  # noqa: PLR2004 -- the country code
        digits = digits[1:]
    if len(digits) != 10 or digits[0] in "01" or digits[3] in "01":  # noqa: PLR2004 -- ten digits
        return ""
    return "" if len(set(digits[3:])) == 1 or len(set(digits)) <= 2 else digits  # noqa: PLR2004 -- 999-999-9999, 555-5555


def _digits(text: str) -> str:
    return text if text.isdigit() else "".join([letter for letter in text if letter.isdigit()])


def ssn4_of(said: object) -> str:
    """Give the last four digits of an SSN, or of the last four themselves; empty for what the SSA never gives out and for stand-ins.

    SSA: no area 000, 666 or 9xx, no group 00, no serial 0000 (POMS RM 10201.035).
    """
    digits = _digits(str(said)) if said else ""
    if len(digits) == 9:  # noqa: PLR2004 -- a whole SSN
        if digits[:3] in {"000", "666"} or digits[0] == "9" or digits[3:5] == "00" or digits in {"123456789", "078051120", "219099999"}:
            return ""
        if len(set(digits)) == 1:
            return ""
        digits = digits[5:]
    return digits if len(digits) == 4 and digits not in {"0000", "9999", "1234"} else ""  # noqa: PLR2004 -- the last four


def _names_somebody(item: Identifier) -> bool:
    digits = item.value.strip("0")
    return bool(digits) and item.type not in NOT_A_PERSON_TYPES and (len(item.value) < SHORTEST_NUMBER or len(set(item.value)) > 1)


def issuer_of(identifier: tuple[str, str, str]) -> tuple[str, str]:
    """Say who gives such numbers: a Medicaid number is the state's, whichever authority writes it."""
    authority, kind, _ = identifier
    return ("", kind) if kind == IdentifierType.MEDICAID else (authority, kind)


def _zip5(said: object) -> str:
    digits = str(said or "").strip()[:5]
    return digits if len(digits) == 5 and digits.isdigit() and digits not in {"00000", "99999"} else ""  # noqa: PLR2004 -- a ZIP code


def _address(said: object, vocabulary: Vocabulary) -> str:
    """Shorten the words of a street line as USPS Publication 28 does, so that Street and ST are one."""
    if not said:
        return ""
    words, _ = _words_of(str(said))
    if "".join(words) in NO_ADDRESSES:
        return ""
    short = vocabulary.address_words.get
    return " ".join([shortened for word in words if (shortened := short(word, word)) != "-"])


def _order(stated: object, written: str) -> str:
    text = str(stated or written or "").strip().upper()[:1]
    return {"1": "A", "2": "B", "3": "C", "4": "D"}.get(text, text)
