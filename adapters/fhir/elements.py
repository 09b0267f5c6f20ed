"""Which elements the types of FHIR have, read off the models of fhir.resources: their names, whether they repeat, of which type they are.

Not here: whether a resource is well formed (`models`), and what is read of it (`people`, `stays`).
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Union, get_args, get_origin

from fhir.resources.R4B import get_fhir_model_class

from adapters.fhir.resource_types import READ

ENVELOPE: Final = "Bundle"
ANY_RESOURCE: Final = "Resource"
_TYPE: Final = "Type"
_OURS: Final = "fhir_comments"
"""A member that the models add and FHIR R4 does not have."""
_PRIMITIVES: Final = {bool: "boolean", int: "integer", Decimal: "decimal"}
_TEXT: Final = "text"


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type."""

    is_list: bool
    kind: str
    """The name of a type; `Resource` for any; `boolean`, `integer`, `decimal`, or `text` for every other primitive."""

    @property
    def is_primitive(self) -> bool:
        """Whether it is a value rather than an object."""
        return self.kind == _TEXT or self.kind in _PRIMITIVES.values()


@cache
def elements(kind: str) -> Mapping[str, Element]:
    """Give the elements of a type by name; what stands beside a primitive has its name with an underscore before it."""
    fields = get_fhir_model_class(kind).model_fields
    named = ((field.alias or name, field.annotation) for name, field in fields.items())
    return {name: _element(annotation) for name, annotation in named if name != _OURS}


@cache
def element_names() -> frozenset[str]:
    """Give the name of every element of everything that is read. Half a second, once: for the places of problems only."""
    return frozenset(name for kind in _reachable() for name in elements(kind)) | {"resourceType"}


def known_path(path: str) -> str:
    """Cut a place before the first name that is no element's: such a name is the sender's, and may be anything, patient data too."""
    kept: list[str] = []
    for step in path.split("."):
        if kept and step.partition("[")[0] not in element_names():
            break
        kept.append(step)
    return ".".join(kept)


def _reachable() -> Iterator[str]:
    seen, ahead = set[str](), [ENVELOPE, *READ]
    while ahead:
        kind = ahead.pop()
        if kind in seen:
            continue
        seen.add(kind)
        yield kind
        ahead.extend(one.kind for one in elements(kind).values() if not one.is_primitive and one.kind != ANY_RESOURCE)


def _element(annotation: Any) -> Element:  # noqa: ANN401 - a type as it is written
    """Look through Optional, Annotated and List at the type behind."""
    is_list = False
    while (origin := get_origin(annotation)) is not None:
        inside = [one for one in get_args(annotation) if one is not types.NoneType]
        is_list = is_list or origin is list
        if origin not in (list, Annotated, Union, types.UnionType):
            break
        annotation = inside[0]
    name = getattr(annotation, "__name__", "")
    if isinstance(annotation, type) and annotation in _PRIMITIVES:
        return Element(is_list, _PRIMITIVES[annotation])
    return Element(is_list, name.removesuffix(_TYPE) if name.endswith(_TYPE) else _TEXT)
