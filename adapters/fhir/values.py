"""Reading JSON without trusting it: whatever has another shape than expected counts as absent. Pure.

`problems` has refused what is wrong in shape before anything is interpreted; these keep a reader from failing all the same.
"""

from typing import Any, TypeAlias

from adapters.fhir.codes import DATA_ABSENT, ERASING_REASON
from app.domain.known import ERASED, Known

Json: TypeAlias = dict[str, Any]


def text(value: object) -> str:
    """Give a text without surrounding blanks; "" for what is no text."""
    return value.strip() if isinstance(value, str) else ""


def member(value: object, *path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Walk into objects; None where there is no way."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def objects(value: object) -> list[Json]:
    """Give the objects of a list; a single object counts as a list of one."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Give the texts of a list that are not empty."""
    return [found for item in value if (found := text(item))] if isinstance(value, list) else []


def says_absent(element: object) -> bool:
    """Tell whether an element says that its value is absent, for whatever reason (DV-11)."""
    return any(extension.get("url") == DATA_ABSENT for extension in objects(member(element, "extension")))


def absence(element: object) -> Known[str]:
    """Tell what a data-absent-reason on an element means: ERASED for "there is no such value", else no information."""
    for extension in objects(member(element, "extension")):
        if extension.get("url") == DATA_ABSENT:
            return ERASED if text(extension.get("valueCode")) == ERASING_REASON else None
    return None


def known(parent: object, name: str) -> Known[str]:
    """Give the three-valued fact of a primitive element: its text, what its absence says, or None."""
    return text(member(parent, name)) or absence(member(parent, f"_{name}"))


def erased(parent: object, name: str) -> bool:
    """Tell whether an element, or every repetition of it, says that there is no such value."""
    found = objects(member(parent, name)) or objects(member(parent, f"_{name}"))
    return bool(found) and all(absence(one) is ERASED for one in found)


def coding(concept: object) -> Json:
    """Give the first coding of a CodeableConcept that has a code."""
    return next((one for one in objects(member(concept, "coding")) if text(one.get("code"))), {})


def code(concept: object) -> str:
    """Give the first code of a CodeableConcept."""
    return text(coding(concept).get("code"))


def words(concept: object) -> str:
    """Give a CodeableConcept as people read it: its text, else a display, else a code."""
    displays = (text(one.get("display")) for one in objects(member(concept, "coding")))
    return text(member(concept, "text")) or next((one for one in displays if one), "") or code(concept)


def code_or_words(concept: object) -> str:
    """Give a CodeableConcept as a table value: its code, else its text."""
    return code(concept) or text(member(concept, "text"))
