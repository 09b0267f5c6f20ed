"""fhir.resources looks at every resource that is read: shapes, types, cardinalities, unknown elements. Only `elements` knows it too.

R4B is used for R4: they are equal in what is read here. The models do not check codes, the types of references, or numbers in place
of dates; and they raise anything on hostile input, so everything is caught. No text of theirs is passed on: it may repeat a value.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import BaseModel, ValidationError

from adapters.fhir.bundle import RESOURCE, Entry, error
from adapters.fhir.elements import ENVELOPE
from adapters.fhir.resource_types import READ
from adapters.fhir.values import Json, objects
from app.domain.inbound import Problem, ProblemCode

_REQUIRED = frozenset({"missing", "model_field_validation.missing"})
_UNKNOWN = "extra_forbidden"
_PROBLEMS_MAX = 20
ALONE = ("Consent", "ExplanationOfBenefit")
"""Read as a resource of its own, not as a part of a message."""
_ONLY_A_RESOURCE = {"id": "-"}
"""Stands for what is left of an entry without a fullUrl: an empty object is none."""
_SKIPPED = "root"
"""What the models put at the end of a path for the element as a whole."""


@cache
def models() -> Mapping[str, type[BaseModel]]:
    """Load the models of what is read: half a second, so a process with a door does it before it serves."""
    return {name: get_fhir_model_class(name) for name in (*READ, ENVELOPE, *ALONE)}


def envelope_problems(document: Json) -> list[Problem]:
    """Check a Bundle around its resources; that every entry has one is known by now."""
    around = [{name: item for name, item in one.items() if name != RESOURCE} or _ONLY_A_RESOURCE for one in objects(document.get("entry"))]
    return problems_of(ENVELOPE, {**document, "entry": around}, ENVELOPE)


def model_problems(entry: Entry) -> list[Problem]:
    """Check one resource as a whole."""
    return problems_of(entry.type, entry.resource, entry.path) if entry.type in READ else []


def problems_of(name: str, resource: Json, path: str) -> list[Problem]:
    """Check a resource whose type is known here."""
    try:
        models()[name].model_validate(resource)
    except ValidationError as refused:
        found = [
            _problem(path, one["type"], one["loc"]) for one in refused.errors(include_url=False, include_context=False, include_input=False)
        ]
        return list(dict.fromkeys(found))[:_PROBLEMS_MAX]
    except Exception:  # noqa: BLE001 -- KeyError, TypeError, RecursionError and more were seen
        return [error(ProblemCode.DATA_TYPE, path, f"This is not a {name} of FHIR R4.")]
    return []


def _problem(path: str, kind: str, location: tuple[Any, ...]) -> Problem:
    parts = [part for part in location if part != _SKIPPED]
    if kind == _UNKNOWN:
        # The name of an unknown element is the sender's, and may be anything.
        return error(ProblemCode.SEGMENT_SEQUENCE, _path(path, parts[:-1]), "There is an element here that FHIR R4 does not know.")
    if kind in _REQUIRED:
        return error(ProblemCode.REQUIRED_FIELD_MISSING, _path(path, parts), "FHIR R4 requires this element.")
    return error(ProblemCode.DATA_TYPE, _path(path, parts), "FHIR R4 gives this element another type or form.")


def _path(path: str, parts: list[Any]) -> str:
    return path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
