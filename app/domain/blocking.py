"""By which keys a record is found among millions: each record is compared only with those it shares a key with.

One key forgives what another cannot: a changed last name is found by first name and birth date, a wrong birth date by phone or
number. Every key holds at least two things that few people have together. Not here: what is made of a found record (`comparison`).
"""

import hashlib
from typing import Final

from app.domain.features import Features
from app.domain.name_comparison import sound

FORMS_MAX: Final = 3
"""A nickname that may stand for more names (AL, PAT) is looked up under the first of them only, in alphabetical order."""


def blocking_keys(features: Features) -> frozenset[int]:
    """Give the keys, as signed 64-bit numbers that are the same in every process and release."""
    born = features.birth_digits
    last_sounds = {sound(name) for name in (features.last, *features.last_parts) if name}
    forms = sorted(features.forms)[:FORMS_MAX]
    texts: list[str] = []
    if born:
        texts += [f"last-born|{name}|{born}" for name in last_sounds]
        texts += [f"first-born|{name}|{born}" for name in forms]
        if features.first and features.last:
            texts.append(f"names-born|{'|'.join(sorted((features.first, features.last)))}|{born}")
            day, month = sorted((born[4:6], born[6:]))
            if month <= "12":
                texts += [f"turned|{name}|{born[:4]}{day}{month}" for name in last_sounds]
        if features.ssn4:
            texts.append(f"ssn-born|{features.ssn4}|{born}")
        if features.zip5:
            texts.append(f"zip-born|{features.zip5}|{born}")
        for name in last_sounds:
            texts += [f"names-year|{name}|{form}|{born[:4]}" for form in forms]
            texts += [f"names-day|{name}|{form}|{born[4:]}" for form in forms]
    if features.ssn4:
        texts += [f"ssn-last|{name}|{features.ssn4}" for name in last_sounds]
    for form in forms:
        texts += [f"phone-first|{number}|{form}" for number in features.phones]
        if features.address_key:
            texts.append(f"address-first|{features.address_key}|{form}")
    return frozenset(map(_hashed, texts))


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
