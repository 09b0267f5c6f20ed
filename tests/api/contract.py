"""Checks every answer of a test against the published contract: its status is documented, its type and body are what is said.

Answers may grow in the field, so the contract allows unknown members; here it does not, so that none is forgotten in it.
"""

import re
from copy import deepcopy
from typing import Any

import jsonschema_rs

from app.api.application import openapi_document

DOCUMENT = openapi_document()
METHODS = ("get", "put", "post", "delete", "patch")
OPERATIONS = [(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in METHODS if method in operations]


def operation_of(method: str, path: str) -> dict[str, Any]:
    """Give what the contract says of an operation."""
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def statuses_of(method: str, path: str) -> list[int]:
    """Give every documented status of an operation."""
    return sorted(int(status) for status in operation_of(method, path)["responses"])


def template_of(method: str, path: str) -> str | None:
    """Give the path template that a path is of; a fixed path wins over one with parameters."""
    fitting = [template for verb, template in OPERATIONS if verb == method and _pattern(template).fullmatch(path)]
    return min(fitting, key=lambda template: template.count("{"), default=None)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)))


def _closed(schema: Any) -> Any:
    """Forbid unknown members everywhere."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed["additionalProperties"] = False
    return closed


_COMPONENTS = _closed(deepcopy(DOCUMENT["components"]))
_validators: dict[str, Any] = {}


def _validator(schema: dict[str, Any]) -> Any:
    key = repr(schema)
    if key not in _validators:
        _validators[key] = jsonschema_rs.Draft202012Validator({**_closed(schema), "components": _COMPONENTS}, validate_formats=True)
    return _validators[key]


def check(method: str, path: str, status: int, content_type: str, body: Any) -> None:
    """Assert that this answer is one that the contract describes. `body` is parsed where the type is JSON."""
    template = template_of(method, path)
    if template is None:
        assert status in (404, 405), f"{method} {path} is not in the contract and answered {status}"
        return
    answer = operation_of(method, template)["responses"].get(str(status))
    assert answer is not None or status == 405, f"{method} {template} answered {status}, which the contract does not know"
    if answer is None:
        return
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    media_type = content_type.partition(";")[0].strip()
    if "content" not in answer:
        assert not body, f"{method} {template} {status} has a body, and the contract knows of none"
        return
    assert media_type in answer["content"], f"{method} {template} {status} answered as {media_type}"
    schema = answer["content"][media_type].get("schema")
    if media_type.endswith("json") and schema is not None:
        problems = problems_with(schema, body)
        assert problems == [], f"{method} {template} {status}: {problems}"


def problems_with(schema: dict[str, Any], body: Any) -> list[str]:
    """List where a body does not fit a schema of the contract."""
    return [f"{error.instance_path}: {error.message}" for error in _validator(schema).iter_errors(body)]
