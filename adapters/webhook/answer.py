"""Reads what matters in a receiver's answer: how long to wait, and a beginning of its text that is safe to keep.

Pure. Not here: what the status means (app.domain.delivery) or how the octets came (sender.py).
"""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

EXCERPT_READ_OCTETS: Final = 16 * 1024
"""Never read more of an answer than this: a receiver must not be able to fill our memory."""
EXCERPT_OCTETS_MAX: Final = 2 * 1024
MASK: Final = "[…]"
_WORD: Final = re.compile(r"\w{2,}")
_LONG_NUMBER: Final = re.compile(r"\d{5}")
_ESCAPED: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")
_DELTA_SECONDS: Final = re.compile(r"\s*(\d{1,15})\s*")


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Read `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date; None for anything else."""
    if header is None:
        return None
    seconds = _DELTA_SECONDS.fullmatch(header)
    if seconds is not None:
        return float(seconds[1])
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, IndexError, OverflowError):
        return None
    # A date without a zone ("-0000") is UTC too: HTTP dates are always GMT.
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def excerpt(answer: bytes, sent: bytes) -> str:
    """Give at most 2 KB of the answer's text, with every word masked that is part of a value we sent.

    A receiver that cannot digest a notification often quotes it, and patient data must not settle in the record of attempts
    (DESIGN section 2.11). Long numbers are masked even if we did not send them: dates and phones are quoted in other forms.
    Names of fields stay readable: they are what the owner needs to see. Control characters go, because PostgreSQL cannot store
    NUL and terminals obey the others.
    """
    text = _unescaped(answer[:EXCERPT_READ_OCTETS].decode("utf-8", errors="replace"))
    secret = _words_of_values(sent)
    masked = _WORD.sub(lambda match: MASK if _LONG_NUMBER.search(match[0]) or match[0].casefold() in secret else match[0], text)
    clean = "".join(character if character.isprintable() or character in "\n\t" else " " for character in masked)
    return clean.encode("utf-8", errors="replace")[:EXCERPT_OCTETS_MAX].decode("utf-8", errors="ignore").strip()


def _unescaped(text: str) -> str:
    """Resolve JSON's escaped characters, pairs of surrogates included, so that a quoted name is seen as the name it is."""
    resolved = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return resolved.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")


def _words_of_values(sent: bytes) -> frozenset[str]:
    """Collect the words of all values in a JSON document; of the whole text when it is not JSON."""
    try:
        document = json.loads(sent)
    except ValueError:
        return frozenset(word.casefold() for word in _WORD.findall(sent.decode("utf-8", errors="replace")))
    words: set[str] = set()
    rest = [document]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
        elif not isinstance(value, bool) and value is not None:
            words.update(word.casefold() for word in _WORD.findall(str(value)))
    return frozenset(words)
