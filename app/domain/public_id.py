"""Ids as the outside sees them: a prefix that says what is meant, and the 32 hexadecimal digits of the UUID inside.

Both the prefixed form and a bare UUID are read, because clients keep ids in columns of type uuid. Not here: what an id points at.
"""

import re
from enum import StrEnum
from typing import Final
from uuid import UUID


class Kind(StrEnum):
    """What an id names. The value is its prefix and is never reused for something else."""

    ORGANIZATION = "org"
    FEED = "feed"
    KEY = "key"
    MESSAGE = "msg"
    ENCOUNTER = "enc"
    PERSON = "per"
    NOTIFICATION = "ntf"
    EVENT = "evt"
    SUBSCRIPTION = "sub"
    FOLLOW_UP = "fup"
    CONTACT = "con"
    UPLOAD = "upl"
    ATTRIBUTION = "att"
    MATCH = "mat"
    DOCUMENT = "doc"
    SUMMARY_FACT = "sum"
    RECORD = "rec"
    REVIEW = "rev"
    CONSENT = "cns"
    REGISTRATION = "reg"
    AUDIT_LINE = "aud"
    AGREEMENT = "agr"


_DIGITS: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def public_id(kind: Kind, id_: UUID) -> str:
    """Give the id for the outside: `enc_` and 32 digits."""
    return f"{kind.value}_{id_.hex}"


def public_id_or_none(kind: Kind, id_: UUID | None) -> str | None:
    """Give the id for the outside, or None where there is none."""
    return None if id_ is None else public_id(kind, id_)


def read_public_id(kind: Kind, text: str) -> UUID | None:
    """Read either form; None when it is neither, or carries the prefix of something else."""
    digits = text.strip().lower().removeprefix(f"{kind.value}_")
    return UUID(digits) if _DIGITS.fullmatch(digits) else None


def pattern(kind: Kind) -> str:
    """Give the regular expression that both forms match, for the published contract."""
    return rf"^({kind.value}_)?([0-9A-Fa-f]{{32}}|[0-9A-Fa-f]{{8}}(-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}})$"
