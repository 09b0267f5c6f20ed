"""A number at which somebody may be reached: as sent, in the form for comparing, what it is good for, and who answers it.

Words are FHIR's (ContactPoint.system, ContactPoint.use), codes HL7's (tables 0201 and 0202). Not here: how a message writes one
(adapters), whose numbers a coordinator reads (contact_sheet).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class TelephoneKind(StrEnum):
    """What is at the other end: FHIR R4 ContactPoint.system, HL7 table 0202."""

    PHONE = "phone"
    SMS = "sms"
    FAX = "fax"
    PAGER = "pager"
    EMAIL = "email"
    OTHER = "other"
    """Also text telephones (TDD, TTY), for which FHIR has no word of its own; the code says which."""


class TelephoneUse(StrEnum):
    """What it is used for: FHIR R4 ContactPoint.use; NONE where the source does not say. Numbers marked old are not kept."""

    NONE = ""
    HOME = "home"
    WORK = "work"
    TEMP = "temp"
    MOBILE = "mobile"


class Owner(StrEnum):
    """Who answers, as far as the source says."""

    PATIENT = "patient"
    PERSON = "person"
    """Somebody else, who may be named."""
    UNKNOWN = "unknown"


USES: Final[Mapping[str, TelephoneUse]] = {"PRN": TelephoneUse.HOME, "WPN": TelephoneUse.WORK, "PRS": TelephoneUse.MOBILE}
"""HL7 table 0201 -> FHIR (v2-to-FHIR, Table HL70201 to Contact Point Use). ORN, VHN, ASN and EMR have no word there and stay codes."""
USE_CODES: Final = frozenset({"ORN", "VHN", "ASN", "EMR"})
"""Other residence, vacation home, answering service, emergency."""
NOBODYS: Final = frozenset({"ASN", "EMR"})
"""Our policy: at an answering service or an emergency number nobody knows who answers."""
KINDS: Final[Mapping[str, TelephoneKind]] = {
    "PH": TelephoneKind.PHONE,
    "CP": TelephoneKind.PHONE,
    "SAT": TelephoneKind.PHONE,
    "FX": TelephoneKind.FAX,
    "BP": TelephoneKind.PAGER,
    "BPN": TelephoneKind.PAGER,
    "INTERNET": TelephoneKind.EMAIL,
    "X.400": TelephoneKind.EMAIL,
    "NET": TelephoneKind.EMAIL,
    "MD": TelephoneKind.OTHER,
    "TDD": TelephoneKind.OTHER,
    "TTY": TelephoneKind.OTHER,
}
"""HL7 table 0202, and the two codes of 0201 that say what is at the other end (NET, BPN)."""
KIND_CODES: Final = frozenset({"MD", "TDD", "TTY"})
"""Codes that FHIR's word does not tell apart."""


@dataclass(frozen=True, slots=True)
class Telephone:
    """One number, address or line."""

    number: str
    """As sent."""
    extension: str = ""
    kind: TelephoneKind = TelephoneKind.PHONE
    use: TelephoneUse = TelephoneUse.NONE
    code: str = ""
    """HL7 table 0201 or 0202 as sent, where the words of `kind` and `use` say less."""
    note: str = ""
    """What the source wrote beside it, such as whose it is (XTN-9)."""
    owner: Owner = Owner.PATIENT
    owner_name: str = ""
    """As sent; empty where nobody is named, or it is the person whose list this is."""

    @property
    def normalised(self) -> str | None:
        """Give the form for comparing: a telephone number with its country code, an address in lower case.

        None for what cannot be dialled as it stands.
        """
        return self.number.lower() if self.kind is TelephoneKind.EMAIL else dialled(self.number)

    @property
    def same_as(self) -> str:
        """Give what two writings of one number have in common."""
        return f"{self.normalised or self.number.upper()};{self.extension}"


_EXTENSION: Final = re.compile(r"(?i)(?<=[\d)])\s*(?:x|ext\.?|extension|#)\s*\d{1,6}\s*$")
_NO_DIGITS: Final = re.compile(r"[^0-9]+")
_DIGITS_MIN: Final = 7
_DIGITS_MAX: Final = 15
"""ITU-T E.164."""
_NORTH_AMERICAN: Final = re.compile(r"1?([2-9]\d{2}[2-9]\d{6})", re.ASCII)


def dialled(text: str) -> str | None:
    """Give a telephone number as one dials it (E.164), or None: seven digits alone, all nines and words are no number."""
    bare = text.strip()
    if not (bare.isascii() and bare.isdigit()):
        bare = _EXTENSION.sub("", bare)
    digits = _NO_DIGITS.sub("", bare)
    if bare.startswith("+") and not digits.startswith("1"):
        return f"+{digits}" if _DIGITS_MIN < len(digits) <= _DIGITS_MAX else None
    found = _NORTH_AMERICAN.fullmatch(digits)
    return f"+1{found[1]}" if found is not None and len(set(found[1])) > 1 else None


def has_number(text: str) -> bool:
    """Tell whether a text could be a telephone number at all, as people write them: enough digits, and hardly a letter."""
    bare = _EXTENSION.sub("", text.strip())
    digits = sum(character.isdigit() for character in bare)
    return _DIGITS_MIN <= digits <= _DIGITS_MAX and not any(character.isalpha() for character in bare)


def telephone_json(telephone: Telephone) -> dict[str, str]:
    """Give what is said of it as a JSON value, as it is stored among the facts about a person."""
    stored = {"number": telephone.number} if telephone.number else {}
    if telephone.extension:
        stored["extension"] = telephone.extension
    if telephone.kind is not TelephoneKind.PHONE:
        stored["kind"] = telephone.kind.value
    if telephone.use is not TelephoneUse.NONE:
        stored["use"] = telephone.use.value
    if telephone.code:
        stored["code"] = telephone.code
    if telephone.note:
        stored["note"] = telephone.note
    if telephone.owner is not Owner.PATIENT:
        stored["owner"] = telephone.owner.value
    if telephone.owner_name:
        stored["owner_name"] = telephone.owner_name
    return stored


def telephone_of(stored: Mapping[str, Any]) -> Telephone:
    """Undo `telephone_json`."""
    return Telephone(
        number=stored["number"],
        extension=stored.get("extension", ""),
        kind=TelephoneKind(stored.get("kind", TelephoneKind.PHONE)),
        use=TelephoneUse(stored.get("use", "")),
        code=stored.get("code", ""),
        note=stored.get("note", ""),
        owner=Owner(stored.get("owner", Owner.PATIENT)),
        owner_name=stored.get("owner_name", ""),
    )
