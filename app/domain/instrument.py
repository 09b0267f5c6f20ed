"""PHQ-9, the C-SSRS screener and medication reconciliation as structured content of a contact: read, checked, scored.

Scores are worked out from the answers; a score that is stated beside them must be theirs. The screener's triage is that of its public
version (Columbia Lighthouse Project, recent): ideation without method is low, a method or behavior longer ago moderate, intent, a plan or
behavior within three months high. Not here: the short forms (a total, a level, a count) and what follows (``safety``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.contact import ContactTopic

Complain = Callable[[str, str, str], None]
"""(pointer, code, what would be right)."""

PHQ9_ITEMS: Final = 9
PHQ9_ITEM_MAX: Final = 3
PHQ9_MAX: Final = 27
COUNT_MAX: Final = 999
C_SSRS_LEVELS: Final = ("none", "low", "moderate", "high")
_ALWAYS_ASKED: Final = ("q1", "q2", "q6")
_AFTER_Q2: Final = ("q3", "q4", "q5")
_KEYS: Final[Mapping[ContactTopic, frozenset[str]]] = {
    ContactTopic.PHQ9: frozenset({"done", "items", "score", "difficulty"}),
    ContactTopic.C_SSRS_LEVEL: frozenset({"done", "level", *_ALWAYS_ASKED, *_AFTER_Q2, "q6_recent"}),
    ContactTopic.MED_REC: frozenset({"done", "discrepancies", "resolved", "medications"}),
}


@dataclass(frozen=True, slots=True)
class Structured:
    """What was answered: the score, level or count that it comes to, and each answer by its name."""

    value: int | str | None
    answers: tuple[tuple[str, int | bool], ...]


def is_structured(topic: ContactTopic, said: Mapping[str, object]) -> bool:
    """Tell whether an object holds answers, and not the short form alone."""
    short = {"done", "score", "level", "discrepancies", "value"}
    return topic in _KEYS and bool(set(said) - short)


def read_structured(topic: ContactTopic, said: Mapping[str, object], pointer: str, complain: Complain) -> Structured | None:
    """Read the answers of an instrument; None when something about them is wrong, which has then been said."""
    if set(said) - _KEYS[topic]:
        complain(pointer, "unknown_key", f"takes no keys but: {', '.join(sorted(_KEYS[topic]))}")
        return None
    if said.get("done") is False and topic is not ContactTopic.MED_REC:
        # An answer about danger must not hide behind it (``safety``).
        complain(pointer, "contradiction", "says that it was not done, and carries answers; leave one of them out")
        return None
    if topic is ContactTopic.PHQ9:
        return _phq9(said, pointer, complain)
    return _c_ssrs(said, pointer, complain) if topic is ContactTopic.C_SSRS_LEVEL else _med_rec(said, pointer, complain)


def _phq9(said: Mapping[str, object], pointer: str, complain: Complain) -> Structured | None:
    items, difficulty, score = said.get("items"), said.get("difficulty"), said.get("score")
    if not isinstance(items, Sequence) or isinstance(items, str | bytes) or len(items) != PHQ9_ITEMS:
        complain(f"{pointer}/items", "not_nine_items", "is not a list of the nine answers, in order, each 0 to 3")
        return None
    wrong = [index for index, one in enumerate(items) if not _is_count(one, PHQ9_ITEM_MAX)]
    for index in wrong:
        complain(f"{pointer}/items/{index}", "not_in_range", "is not 0 (not at all) to 3 (nearly every day)")
    if difficulty is not None and not _is_count(difficulty, PHQ9_ITEM_MAX):
        complain(f"{pointer}/difficulty", "not_in_range", "is not 0 (not difficult) to 3 (extremely difficult)")
        return None
    if wrong:
        return None
    answers = [(f"item_{index}", int(one)) for index, one in enumerate(items, start=1)]
    total = sum(value for _, value in answers)
    if score is not None and score != total:
        complain(f"{pointer}/score", "not_the_sum", "is not the sum of the nine answers; leave it out, and it is worked out")
        return None
    more = [("difficulty", difficulty)] if isinstance(difficulty, int) else []
    return Structured(total, (*answers, *more))


def _c_ssrs(said: Mapping[str, object], pointer: str, complain: Complain) -> Structured | None:
    answers = {key: value for key, value in said.items() if key not in ("done", "level") and value is not None}
    wrong = [key for key, value in answers.items() if not isinstance(value, bool)]
    for key in wrong:
        complain(f"{pointer}/{key}", "not_a_boolean", "is neither true nor false")
    if wrong:
        return None
    asked = [*_ALWAYS_ASKED, *(_AFTER_Q2 if answers.get("q2") else ()), *(("q6_recent",) if answers.get("q6") else ())]
    missing = [key for key in asked if key not in answers]
    for key in missing:
        complain(f"{pointer}/{key}", "required", "is asked of everybody" if key in _ALWAYS_ASKED else "is asked after what was answered")
    if missing:
        return None
    if not answers["q2"] and any(answers.get(key) for key in _AFTER_Q2):
        complain(f"{pointer}/q2", "contradiction", "is false, so questions 3 to 5 are not asked; one of them is answered with true")
        return None
    level = _triage(answers)
    if said.get("level") is not None and str(said["level"]).casefold() != level:
        complain(f"{pointer}/level", "not_the_level", f"is not what the answers come to, which is {level}; leave it out")
        return None
    return Structured(level, tuple((key, bool(answers[key])) for key in sorted(answers)))


def _triage(answers: Mapping[str, object]) -> str:
    if answers.get("q4") or answers.get("q5") or answers.get("q6_recent"):
        return "high"
    if answers.get("q3") or answers.get("q6"):
        return "moderate"
    return "low" if answers.get("q1") or answers.get("q2") else "none"


def _med_rec(said: Mapping[str, object], pointer: str, complain: Complain) -> Structured | None:
    found: dict[str, int] = {}
    for key in ("discrepancies", "resolved", "medications"):
        value = said.get(key)
        if value is None:
            continue
        if not _is_count(value, COUNT_MAX) or not isinstance(value, int):
            complain(f"{pointer}/{key}", "not_in_range", f"is not a whole number from 0 to {COUNT_MAX}")
            return None
        found[key] = value
    if found.get("resolved", 0) > found.get("discrepancies", 0):
        complain(f"{pointer}/resolved", "more_than_found", "is more than the discrepancies that were found")
        return None
    return Structured(found.get("discrepancies"), tuple(sorted(found.items())))


def _is_count(value: object, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high
