"""fhir.resources looks at every resource that is read: shapes, types, cardinalities, unknown elements. The only file that knows it.

R4B is used for R4: they are equal in what is read here. The models do not check codes, the types of references, or numbers in place
of dates; and they raise anything on hostile input, so everything is caught. No text of theirs is passed on: it may repeat a value.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import BaseModel, ValidationError

from adapters.fhir.bundle import Entry, error
from adapters.fhir.resource_types import READ
from app.domain.inbound import Problem, ProblemCode

_REQUIRED = frozenset({"missing", "model_field_validation.missing"})
_UNKNOWN = "extra_forbidden"
_PROBLEMS_MAX = 20
_SKIPPED = "root"
"""What the models put at the end of a path for the element as a whole."""


@cache
def models() -> Mapping[str, type[BaseModel]]:
    """Load the models of what is read: half a second, so a process with a door does it before it serves."""
    return {name: get_fhir_model_class(name) for name in READ}


def model_problems(entry: Entry) -> list[Problem]:
    """Check one resource as a whole."""
    model = models().get(entry.type)
    if model is None:
        return []
    try:
        model.model_validate(entry.resource)
    except ValidationError as refused:
        found = [
            _problem(entry, one["type"], one["loc"])
            for one in refused.errors(include_url=False, include_context=False, include_input=False)
        ]
        return list(dict.fromkeys(found))[:_PROBLEMS_MAX]
    except Exception:  # noqa: BLE001 -- KeyError, TypeError, RecursionError and more were seen
        return [error(ProblemCode.DATA_TYPE, entry.path, f"This is not a {entry.type} of FHIR R4.")]
    return []


def _problem(entry: Entry, kind: str, location: tuple[Any, ...]) -> Problem:
    parts = [part for part in location if part != _SKIPPED]
    if kind == _UNKNOWN:
        # The name of an unknown element is the sender's, and may be anything.
        return error(ProblemCode.SEGMENT_SEQUENCE, _path(entry, parts[:-1]), "There is an element here that FHIR R4 does not know.")
    if kind in _REQUIRED:
        return error(ProblemCode.REQUIRED_FIELD_MISSING, _path(entry, parts), "FHIR R4 requires this element.")
    return error(ProblemCode.DATA_TYPE, _path(entry, parts), "FHIR R4 gives this element another type or form.")


def _path(entry: Entry, parts: list[Any]) -> str:
    return entry.path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
